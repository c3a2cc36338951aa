/* SPDX-License-Identifier: BSD-2-Clause */
/* Cursors of lists, see cursor.h. Layout: version, a, b (big-endian), code of authentication. Thread: any. */
#include "config.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "schema/rest/cursor.h"

enum { CURSOR_VERSION = 1, BODY = 17, MAC = 16, WHOLE = BODY + MAC };

/* Each part with its length, so that none can run into the next. */
static bool feed(EVP_MAC_CTX *c, const void *p, size_t n)
{
	uint8_t len[8];
	struct cw_writer w = cw_writer_of(len, sizeof len);

	cw_write_u64(&w, n);
	return EVP_MAC_update(c, len, sizeof len) == 1 && EVP_MAC_update(c, p, n) == 1;
}

static int seal(const struct cw_cursor_key *key, const char *list, struct cw_slice filter,
	const uint8_t body[static BODY], uint8_t ret[static MAC])
{
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *c = mac ? EVP_MAC_CTX_new(mac) : NULL;
	uint8_t full[32];
	size_t n = 0;
	const bool done = c && EVP_MAC_init(c, key->octets, sizeof key->octets, params) == 1 &&
			  feed(c, list, strlen(list)) && feed(c, filter.p, filter.n) &&
			  feed(c, body, BODY) && EVP_MAC_final(c, full, &n, sizeof full) == 1 &&
			  n == sizeof full;

	EVP_MAC_CTX_free(c);
	EVP_MAC_free(mac);
	if (!done)
		return -ENOMEM;
	memcpy(ret, full, MAC);
	return 0;
}

int cw_cursor_make(const struct cw_cursor_key *key, const char *list, struct cw_slice filter,
	struct cw_cursor at, char to[static CW_CURSOR_STRLEN])
{
	uint8_t whole[WHOLE];
	struct cw_writer w = cw_writer_of(whole, BODY);
	int r;

	cw_write_u8(&w, CURSOR_VERSION);
	cw_write_u64(&w, at.a);
	cw_write_u64(&w, at.b);
	r = seal(key, list, filter, whole, whole + BODY);
	if (r == 0)
		r = cw_base64url_encode(whole, sizeof whole, to, CW_CURSOR_STRLEN);
	return r < 0 ? r : 0;
}

int cw_cursor_open(const struct cw_cursor_key *key, const char *list, struct cw_slice filter,
	const char *s, size_t n, struct cw_cursor *ret)
{
	uint8_t whole[WHOLE] = {0}, mac[MAC];
	struct cw_reader r = cw_reader_of(whole + 1, BODY - 1);
	int e;

	if (n != CW_CURSOR_STRLEN - 1 || cw_base64url_decode(s, n, whole, sizeof whole) != WHOLE ||
		whole[0] != CURSOR_VERSION)
		return CW_E_SYNTAX;
	e = seal(key, list, filter, whole, mac);
	if (e < 0)
		return e;
	if (!cw_memeq_ct(mac, whole + BODY, MAC))
		return CW_E_SYNTAX;
	ret->a = cw_read_u64(&r);
	ret->b = cw_read_u64(&r);
	return 0;
}

int cw_base64url_encode(const void *p, size_t n, char *to, size_t cap)
{
	static const char set[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const uint8_t *in = p;
	size_t len = 0;
	uint32_t bits = 0;
	unsigned have = 0;

	if (n > (size_t) INT32_MAX / 2 || cap < (n * 8 + 5) / 6 + 1)
		return CW_E_LIMIT;
	for (size_t i = 0; i < n; i++) {
		bits = bits << 8 | in[i];
		for (have += 8; have >= 6; have -= 6)
			to[len++] = set[bits >> (have - 6) & 63];
	}
	if (have)
		to[len++] = set[bits << (6 - have) & 63];
	to[len] = '\0';
	return (int) len;
}

static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

int cw_base64url_decode(const char *s, size_t n, void *to, size_t cap)
{
	uint8_t *out = to;
	size_t len = 0;
	uint32_t bits = 0;
	unsigned have = 0;

	if (n % 4 == 1)
		return CW_E_SYNTAX;
	if (n > (size_t) INT32_MAX || n / 4 * 3 + (n % 4 ? n % 4 - 1 : 0) > cap)
		return CW_E_LIMIT;
	for (size_t i = 0; i < n; i++) {
		const int v = value_of(s[i]);

		if (v < 0)
			return CW_E_SYNTAX;
		bits = bits << 6 | (uint32_t) v;
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[len++] = (uint8_t) (bits >> have);
		}
	}
	return bits & ((1u << have) - 1) ? CW_E_SYNTAX : (int) len;
}
