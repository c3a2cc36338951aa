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
