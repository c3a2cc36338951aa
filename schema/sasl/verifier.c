/* SPDX-License-Identifier: BSD-2-Clause */
/* What the server keeps instead of passwords: SCRAM's StoredKey and ServerKey (RFC 5802 3) as RFC
 * 5803 writes them, and DIGEST-MD5's H(user:realm:password) (RFC 2831 2.1.2.1). Passwords are taken
 * as they are, without SASLprep: the library prepares none either. Thread: any. */
#include "config.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"
#include "schema/sasl/verifier.h"

enum {
	SALT_LEN = 16,
	DIGEST_MAX = 32, /* SHA-256 */
	ITERATIONS_MAX = 10000000,
	BASE64_MAX = 64,
};

/* The parts of a SCRAM verifier. */
struct scram {
	const EVP_MD *md;
	size_t digest_n, salt_n;
	unsigned iterations;
	unsigned char salt[64], stored[DIGEST_MAX], server[DIGEST_MAX];
};

static const EVP_MD *md_of(const char *kind)
{
	if (strcmp(kind, "SCRAM-SHA-256") == 0)
		return EVP_sha256();
	if (strcmp(kind, "SCRAM-SHA-1") == 0)
		return EVP_sha1();
	return NULL;
}

static int hmac(
	const EVP_MD *md, const void *key, size_t key_n, const char *text, unsigned char *to)
{
	unsigned n = DIGEST_MAX;

	return HMAC(md, key, (int) key_n, (const unsigned char *) text, strlen(text), to, &n)
		       ? 0
		       : -EIO;
}

static int hash(const EVP_MD *md, const void *p, size_t n, unsigned char *to)
{
	return EVP_Digest(p, n, to, NULL, md, NULL) == 1 ? 0 : -EIO;
}

/* RFC 5802 3: SaltedPassword -> ClientKey -> StoredKey, and ServerKey. */
static int derive(struct scram *s, const char *password)
{
	unsigned char salted[DIGEST_MAX], client_key[DIGEST_MAX];
	int r = -EIO;

	if (PKCS5_PBKDF2_HMAC(password, (int) strlen(password), s->salt, (int) s->salt_n,
		    (int) s->iterations, s->md, (int) s->digest_n, salted) == 1)
		r = hmac(s->md, salted, s->digest_n, "Client Key", client_key);
	if (r == 0)
		r = hash(s->md, client_key, s->digest_n, s->stored);
	if (r == 0)
		r = hmac(s->md, salted, s->digest_n, "Server Key", s->server);
	OPENSSL_cleanse(salted, sizeof salted);
	OPENSSL_cleanse(client_key, sizeof client_key);
	return r;
}

static int write_scram(const struct scram *s, const char *kind, struct cw_sasl_verifier *ret)
{
	char salt[BASE64_MAX * 2], stored[BASE64_MAX], server[BASE64_MAX];
	struct cw_sasl_verifier v = {{0}, {0}};
	struct cw_writer w;

	if (cw_base64_encode(s->salt, s->salt_n, salt, sizeof salt) < 0 ||
		cw_base64_encode(s->stored, s->digest_n, stored, sizeof stored) < 0 ||
		cw_base64_encode(s->server, s->digest_n, server, sizeof server) < 0)
		return CW_E_LIMIT;
	(void) snprintf(v.kind, sizeof v.kind, "%s", kind);
	w = cw_writer_of(v.text, sizeof v.text - 1);
	cw_write_fmt(&w, "%u:%s$%s:%s", s->iterations, salt, stored, server);
	if (w.bad)
		return CW_E_LIMIT;
	*ret = v;
	return 0;
}

/* Cuts the part up to the mark off s. */
static struct cw_slice cut(struct cw_slice *s, char mark)
{
	const char *at = s->n ? memchr(s->p, mark, s->n) : NULL;
	struct cw_slice part = {s->p, at ? (size_t) (at - s->p) : s->n};

	s->p += part.n;
	s->n -= part.n;
	if (at) {
		s->p++;
		s->n--;
	}
	return part;
}

static int read_scram(const struct cw_sasl_verifier *v, struct scram *ret)
{
	struct cw_slice rest = {v->text, strnlen(v->text, sizeof v->text)};
	const struct cw_slice iterations = cut(&rest, ':'), salt = cut(&rest, '$'),
			      stored = cut(&rest, ':');
	struct scram s = {.md = md_of(v->kind)};
	uint64_t count;
	int n;

	if (!s.md)
		return CW_E_SYNTAX;
	s.digest_n = (size_t) EVP_MD_get_size(s.md);
	if (cw_parse_u64(iterations.p, iterations.n, 1, ITERATIONS_MAX, &count) < 0)
		return CW_E_SYNTAX;
	s.iterations = (unsigned) count;
	n = cw_base64_decode(salt.p, salt.n, s.salt, sizeof s.salt);
	if (n <= 0)
		return CW_E_SYNTAX;
	s.salt_n = (size_t) n;
	if (cw_base64_decode(stored.p, stored.n, s.stored, sizeof s.stored) != (int) s.digest_n ||
		cw_base64_decode(rest.p, rest.n, s.server, sizeof s.server) != (int) s.digest_n)
		return CW_E_SYNTAX;
	*ret = s;
	return 0;
}

bool cw_sasl_scram_ok(const struct cw_sasl_verifier *v)
{
	struct scram s;

	return read_scram(v, &s) == 0;
}

/* RFC 2831 2.1.2.1: text of ISO 8859-1 characters alone is hashed as such, other text as UTF-8.
 * Octets in `to`, which has room for all of s. */
static size_t to_latin1(const char *s, unsigned char *to)
{
	const unsigned char *p = (const unsigned char *) s;
	size_t n = 0;

	while (*p) {
		if (*p < 0x80) {
			to[n++] = *p++;
		} else if ((*p == 0xc2 || *p == 0xc3) && (p[1] & 0xc0) == 0x80) {
			to[n++] = (unsigned char) ((*p & 3) << 6 | (p[1] & 0x3f));
			p += 2;
		} else {
			n = strlen(s);
			memcpy(to, s, n);
			return n;
		}
	}
	return n;
}

static int digest_ha1(const char *user, const char *realm, const char *password,
	unsigned char to[static CW_SASL_HA1_LEN])
{
	const size_t max = strlen(user) + strlen(realm) + strlen(password) + 2;
	unsigned char *text = cw_zalloc(max, 1);
	size_t n = 0;
	int r;

	if (!text)
		return -ENOMEM;
	n += to_latin1(user, text);
	text[n++] = ':';
	n += to_latin1(realm, text + n);
	text[n++] = ':';
	n += to_latin1(password, text + n);
	r = hash(EVP_md5(), text, n, to);
	(void) cw_free_secret(text, max);
	return r;
}

static int write_digest(const unsigned char ha1[static CW_SASL_HA1_LEN], const char *realm,
	struct cw_sasl_verifier *ret)
{
	struct cw_sasl_verifier v = {"DIGEST-MD5", {0}};
	struct cw_writer w = cw_writer_of(v.text, sizeof v.text - 1);

	for (size_t i = 0; i < CW_SASL_HA1_LEN; i++)
		cw_write_fmt(&w, "%02x", ha1[i]);
	cw_write_fmt(&w, ":%s", realm);
	if (w.bad)
		return CW_E_SYNTAX;
	*ret = v;
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int cw_sasl_verifier_ha1(const struct cw_sasl_verifier *v, const char *realm,
	unsigned char to[static CW_SASL_HA1_LEN])
{
	unsigned char ha1[CW_SASL_HA1_LEN];
	const size_t n = strnlen(v->text, sizeof v->text);

	if (strcmp(v->kind, "DIGEST-MD5") != 0 || n <= 2 * CW_SASL_HA1_LEN || n == sizeof v->text ||
		v->text[2 * CW_SASL_HA1_LEN] != ':')
		return CW_E_SYNTAX;
	for (size_t i = 0; i < CW_SASL_HA1_LEN; i++) {
		const int hi = hex_digit(v->text[2 * i]), lo = hex_digit(v->text[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return CW_E_SYNTAX;
		ha1[i] = (unsigned char) (hi << 4 | lo);
	}
	if (strcmp(&v->text[2 * CW_SASL_HA1_LEN + 1], realm) != 0)
		return CW_E_SYNTAX;
	memcpy(to, ha1, sizeof ha1);
	return 0;
}

/* No control characters, not empty, of sane length. */
static bool text_ok(const char *s, size_t max)
{
	const size_t n = s ? strnlen(s, max) : 0;

	if (!n || n == max)
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char) s[i] < ' ' || s[i] == 0x7f)
			return false;
	return true;
}

int cw_sasl_make_verifier(const char *kind, const char *user, const char *realm,
	const char *password, unsigned iterations, struct cw_sasl_verifier *ret)
{
	struct scram s = {
		.md = md_of(kind),
		.salt_n = SALT_LEN,
		.iterations = iterations ? iterations : CW_SASL_ITERATIONS,
	};
	unsigned char ha1[CW_SASL_HA1_LEN];
	int r;

	if (!text_ok(user, CW_SASL_NAME_MAX) || !text_ok(password, CW_SASL_DATA_MAX))
		return CW_E_SYNTAX;
	if (strcmp(kind, "DIGEST-MD5") == 0) {
		if (!text_ok(realm, CW_SASL_NAME_MAX))
			return CW_E_SYNTAX;
		r = digest_ha1(user, realm, password, ha1);
		if (r == 0)
			r = write_digest(ha1, realm, ret);
		OPENSSL_cleanse(ha1, sizeof ha1);
		return r;
	}
	if (!s.md || s.iterations > ITERATIONS_MAX)
		return CW_E_SYNTAX;
	s.digest_n = (size_t) EVP_MD_get_size(s.md);
	if (cw_random(s.salt, s.salt_n) < 0)
		return -EIO;
	r = derive(&s, password);
	return r < 0 ? r : write_scram(&s, kind, ret);
}

int cw_sasl_check_password(const struct cw_sasl_verifier *v, const char *user, const char *password)
{
	struct scram stored, tried;
	int r;

	if (strcmp(v->kind, "DIGEST-MD5") == 0) {
		const char *colon = strchr(v->text, ':');
		unsigned char want[CW_SASL_HA1_LEN], got[CW_SASL_HA1_LEN];

		if (!colon || cw_sasl_verifier_ha1(v, colon + 1, want) < 0)
			return CW_E_SYNTAX;
		r = digest_ha1(user, colon + 1, password, got);
		return r < 0 ? r : cw_memeq_ct(want, got, sizeof want);
	}
	r = read_scram(v, &stored);
	if (r < 0)
		return r;
	tried = stored;
	r = derive(&tried, password);
	return r < 0 ? r : cw_memeq_ct(tried.stored, stored.stored, stored.digest_n);
}

/* ---- users that do not exist ---- */

static unsigned char secret[32];
static int secret_result;
static pthread_once_t secret_once = PTHREAD_ONCE_INIT;

static void make_secret(void)
{
	secret_result = cw_random(secret, sizeof secret);
}

/* n octets that nobody can tell from random ones without the secret. */
static int pseudo_random(
	const char *label, const char *kind, const char *user, unsigned char *to, size_t n)
{
	char text[CW_SASL_NAME_MAX + CW_SASL_KIND_MAX + 32];
	unsigned char full[DIGEST_MAX];

	(void) snprintf(text, sizeof text, "%s %s %s", label, kind, user);
	if (secret_result < 0 || hmac(EVP_sha256(), secret, sizeof secret, text, full) < 0)
		return -EIO;
	memcpy(to, full, n);
	return 0;
}

int cw_sasl_fake_verifier(
	const char *kind, const char *user, unsigned iterations, struct cw_sasl_verifier *ret)
{
	struct scram s = {
		.md = md_of(kind),
		.salt_n = SALT_LEN,
		.iterations = iterations ? iterations : CW_SASL_ITERATIONS,
	};

	(void) pthread_once(&secret_once, make_secret);
	if (!s.md)
		return CW_E_SYNTAX;
	s.digest_n = (size_t) EVP_MD_get_size(s.md);
	if (pseudo_random("salt", kind, user, s.salt, s.salt_n) < 0 ||
		pseudo_random("stored", kind, user, s.stored, s.digest_n) < 0 ||
		pseudo_random("server", kind, user, s.server, s.digest_n) < 0)
		return -EIO;
	return write_scram(&s, kind, ret);
}

int cw_sasl_fake_ha1(const char *user, unsigned char to[static CW_SASL_HA1_LEN])
{
	(void) pthread_once(&secret_once, make_secret);
	return pseudo_random("ha1", "DIGEST-MD5", user, to, CW_SASL_HA1_LEN);
}
