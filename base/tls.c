/* SPDX-License-Identifier: BSD-2-Clause */
/* TLS between two memory buffers (RFC 8446, RFC 5246; names by RFC 6125). OpenSSL reads what
 * cw_tls_feed() put into one BIO and leaves what must be sent in the other. A session that failed
 * stays failed: its code is kept, and only its pending output (the alert) can still be fetched.
 * Thread: a context may be shared, a session is its owner's; the last error text is per thread. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/tls.h"

struct cw_tls_ctx {
	SSL_CTX *ssl_ctx;
	char *server_name; /* client: without a final dot */
	bool name_is_address;
	bool server;
};

struct cw_tls {
	SSL *ssl;
	BIO *in;  /* owned by ssl, as out */
	BIO *out; /* */
	char *peer_name;
	int dead; /* the code of the failure, -ENODATA after a clean end; 0 while alive */
	bool server;
	bool closed;    /* we said close_notify */
	bool peer_bad;  /* a certificate was shown that did not verify */
	bool peer_read; /* peer_name has been looked for */
};

static _Thread_local char last_error[256] = "no error";

const char *cw_tls_error(void)
{
	return last_error;
}

static int fail(int code, const char *what, const char *detail)
{
	(void) snprintf(last_error, sizeof last_error, detail ? "%s: %s" : "%s", what, detail);
	return code;
}

/* The oldest entry of OpenSSL's queue, which names the cause; the queue is empty afterwards. */
static unsigned long take_error(void)
{
	const unsigned long e = ERR_get_error();

	ERR_clear_error();
	return e;
}

static int fail_openssl(int code, const char *what)
{
	const unsigned long e = take_error();
	const char *reason = e ? ERR_reason_error_string(e) : NULL;

	if (ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE)
		code = -ENOMEM;
	return fail(code, what, reason ? reason : "no reason given");
}

/* Whether a file can be read at all, so that -ENOENT is told from bad PEM. */
static int check_file(const char *path)
{
	CW_CLEANUP(cw_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0) {
		const int r = -errno;

		return fail(r, path, cw_strerror(r));
	}
	return 0;
}

/* OpenSSL would ask the terminal for the passphrase of a key: a daemon has nobody there. */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
	(void) writing;
	(void) arg;
	if (size > 0)
		buf[0] = '\0';
	return -1;
}

static int load_own(SSL_CTX *c, const struct cw_tls_config *conf)
{
	int r;

	if (!conf->cert_file && !conf->key_file && !conf->server)
		return 0;
	if (!conf->cert_file || !conf->key_file)
		return fail(-EINVAL, "a certificate and its key are needed", NULL);
	r = check_file(conf->cert_file);
	if (r < 0)
		return r;
	r = check_file(conf->key_file);
	if (r < 0)
		return r;
	if (SSL_CTX_use_certificate_chain_file(c, conf->cert_file) != 1)
		return fail_openssl(CW_E_SYNTAX, conf->cert_file);
	if (SSL_CTX_use_PrivateKey_file(c, conf->key_file, SSL_FILETYPE_PEM) != 1 ||
		SSL_CTX_check_private_key(c) != 1)
		return fail_openssl(CW_E_SYNTAX, conf->key_file);
	return 0;
}

/* For servers that ask but do not insist: the handshake goes on, the certificate counts for
 * nothing. */
static int note_bad_peer(int ok, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct cw_tls *t = SSL_get_app_data(ssl);

	if (!ok)
		t->peer_bad = true;
	return 1;
}

static int load_trust(SSL_CTX *c, const struct cw_tls_config *conf)
{
	STACK_OF(X509_NAME) * names;
	int r;

	if (conf->server && !conf->ca_file) {
		if (conf->require_peer)
			return fail(-EINVAL, "peers' certificates cannot be checked without a CA",
				NULL);
		SSL_CTX_set_verify(c, SSL_VERIFY_NONE, NULL);
		return 0;
	}
	if (!conf->ca_file) {
		if (SSL_CTX_set_default_verify_paths(c) != 1)
			return fail_openssl(CW_E_SYNTAX, "the system's certificate store");
		SSL_CTX_set_verify(c, SSL_VERIFY_PEER, NULL);
		return 0;
	}
	r = check_file(conf->ca_file);
	if (r < 0)
		return r;
	if (SSL_CTX_load_verify_file(c, conf->ca_file) != 1)
		return fail_openssl(CW_E_SYNTAX, conf->ca_file);
	if (!conf->server) {
		SSL_CTX_set_verify(c, SSL_VERIFY_PEER, NULL);
		return 0;
	}
	names = SSL_load_client_CA_file(conf->ca_file);
	if (!names)
		return fail_openssl(CW_E_SYNTAX, conf->ca_file);
	SSL_CTX_set_client_CA_list(c, names); /* takes names */
	if (conf->require_peer)
		SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	else
		SSL_CTX_set_verify(c, SSL_VERIFY_PEER, note_bad_peer);
	/* A resumed session would skip the check of a certificate that may have ended since. */
	(void) SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
	(void) SSL_CTX_set_options(c, SSL_OP_NO_TICKET);
	(void) SSL_CTX_set_num_tickets(c, 0);
	return 0;
}

static int keep_server_name(struct cw_tls_ctx *ctx, const char *name)
{
	size_t n = name ? strlen(name) : 0;
	struct cw_addr4 a4;
	struct cw_addr6 a6;

	if (n && name[n - 1] == '.') /* RFC 6066 3: without a trailing dot */
		n--;
	if (!n)
		return fail(-EINVAL, "a client must say which server it expects", NULL);
	ctx->name_is_address =
		cw_addr4_parse(name, n, &a4) == 0 || cw_addr6_parse(name, n, &a6) == 0;
	ctx->server_name = cw_strndup(name, n);
	return ctx->server_name ? 0 : fail(-ENOMEM, "out of memory", NULL);
}

int cw_tls_expiry(const char *file, int64_t *ret_wall_s)
{
	int64_t first = INT64_MAX;
	int r = check_file(file);
	BIO *bio = r == 0 ? BIO_new_file(file, "r") : NULL;
	X509 *cert;

	while (bio && (cert = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL))) {
		struct tm tm;
		bool good = ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) == 1;
		int64_t end = good ? timegm(&tm) : 0;

		first = end < first ? end : first;
		X509_free(cert);
	}
	(void) BIO_free(bio);
	ERR_clear_error();
	if (r == 0 && first == INT64_MAX)
		r = fail(CW_E_SYNTAX, file, "no certificate is in it");
	if (r == 0)
		*ret_wall_s = first;
	return r;
}

int cw_tls_ctx_new(const struct cw_tls_config *conf, struct cw_tls_ctx **ret)
{
	struct cw_tls_ctx *ctx = cw_zalloc(1, sizeof *ctx);
	int r = 0;

	if (!ctx)
		return fail(-ENOMEM, "out of memory", NULL);
	ERR_clear_error();
	ctx->server = conf->server;
	ctx->ssl_ctx = SSL_CTX_new(conf->server ? TLS_server_method() : TLS_client_method());
	if (!ctx->ssl_ctx || SSL_CTX_set_min_proto_version(ctx->ssl_ctx, TLS1_2_VERSION) != 1 ||
		SSL_CTX_set_session_id_context(
			ctx->ssl_ctx, (const unsigned char *) "causeway", 8) != 1)
		r = fail_openssl(-ENOMEM, "cannot set up TLS");
	if (r == 0) {
		(void) SSL_CTX_set_options(ctx->ssl_ctx, SSL_OP_NO_RENEGOTIATION |
								 SSL_OP_NO_COMPRESSION |
								 SSL_OP_CIPHER_SERVER_PREFERENCE);
		/* thousands of idle sessions: give the record buffers back between records */
		(void) SSL_CTX_set_mode(ctx->ssl_ctx, SSL_MODE_RELEASE_BUFFERS);
		SSL_CTX_set_default_passwd_cb(ctx->ssl_ctx, no_passphrase);
		r = load_own(ctx->ssl_ctx, conf);
	}
	if (r == 0)
		r = load_trust(ctx->ssl_ctx, conf);
	if (r == 0 && !conf->server)
		r = keep_server_name(ctx, conf->server_name);
	if (r < 0) {
		(void) cw_tls_ctx_free(ctx);
		return r;
	}
	*ret = ctx;
	return 0;
}

struct cw_tls_ctx *cw_tls_ctx_free(struct cw_tls_ctx *ctx)
{
	if (!ctx)
		return NULL;
	SSL_CTX_free(ctx->ssl_ctx);
	(void) cw_free(ctx->server_name);
	return cw_free(ctx);
}

/* What a client demands of the server's certificate. */
static int expect_name(const struct cw_tls_ctx *ctx, SSL *ssl)
{
	if (ctx->name_is_address) /* RFC 6066 3: no addresses in the server name indication */
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), ctx->server_name) == 1
			       ? 0
			       : -ENOMEM;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(ssl, ctx->server_name) == 1 &&
			       SSL_set_tlsext_host_name(ssl, ctx->server_name) == 1
		       ? 0
		       : -ENOMEM;
}

int cw_tls_new(struct cw_tls_ctx *ctx, struct cw_tls **ret)
{
	struct cw_tls *t = cw_zalloc(1, sizeof *t);

	if (!t)
		return fail(-ENOMEM, "out of memory", NULL);
	ERR_clear_error();
	t->server = ctx->server;
	t->ssl = SSL_new(ctx->ssl_ctx);
	t->in = BIO_new(BIO_s_mem());
	t->out = BIO_new(BIO_s_mem());
	if (!t->ssl || !t->in || !t->out || (!ctx->server && expect_name(ctx, t->ssl) < 0) ||
		SSL_set_app_data(t->ssl, t) != 1) {
		BIO_free(t->in);
		BIO_free(t->out);
		t->in = t->out = NULL;
		(void) cw_tls_free(t);
		return fail_openssl(-ENOMEM, "cannot set up a TLS session");
	}
	SSL_set_bio(t->ssl, t->in, t->out); /* takes both */
	if (ctx->server)
		SSL_set_accept_state(t->ssl);
	else
		SSL_set_connect_state(t->ssl);
	*ret = t;
	return 0;
}

struct cw_tls *cw_tls_free(struct cw_tls *t)
{
	if (!t)
		return NULL;
	SSL_free(t->ssl);
	(void) cw_free(t->peer_name);
	return cw_free(t);
}

/* Whether a reason is about certificates: our check of the peer's, or the peer's of ours. */
static bool about_certificates(int reason)
{
	switch (reason) {
	case SSL_R_CERTIFICATE_VERIFY_FAILED:
	case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
	case SSL_R_SSLV3_ALERT_NO_CERTIFICATE:
	case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
	case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
	case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
	case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
	case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
		return true;
	default:
		return false;
	}
}

/* After a call of OpenSSL that gave r: 0 if it only wants more input, else the session is dead. */
static int judge(struct cw_tls *t, int r)
{
	unsigned long e;
	const char *reason;
	int code;

	switch (SSL_get_error(t->ssl, r)) {
	case SSL_ERROR_NONE:
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return 0;
	case SSL_ERROR_ZERO_RETURN:
		t->dead = -ENODATA;
		return fail(t->dead, "closed by the peer", NULL);
	default:
		break;
	}
	e = take_error();
	reason = ERR_reason_error_string(e);
	if (ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE)
		code = -ENOMEM;
	else
		code = about_certificates(ERR_GET_REASON(e)) ? CW_E_AUTH : CW_E_SYNTAX;
	if (ERR_GET_REASON(e) == SSL_R_CERTIFICATE_VERIFY_FAILED)
		reason = X509_verify_cert_error_string(SSL_get_verify_result(t->ssl));
	t->dead = code;
	return fail(code, code == CW_E_AUTH ? "certificate" : "TLS", reason ? reason : "broken");
}

/* Goes on with the handshake as far as the input lets it. */
static int handshake(struct cw_tls *t)
{
	int r;

	if (SSL_is_init_finished(t->ssl))
		return 0;
	ERR_clear_error();
	r = SSL_do_handshake(t->ssl);
	return r == 1 ? 0 : judge(t, r);
}

int cw_tls_start(struct cw_tls *t)
{
	if (t->dead)
		return t->dead;
	return t->server ? 0 : handshake(t);
}

int cw_tls_feed(struct cw_tls *t, const void *p, size_t n)
{
	size_t done;

	if (t->dead)
		return t->dead;
	ERR_clear_error();
	if (n && (BIO_write_ex(t->in, p, n, &done) != 1 || done != n)) {
		t->dead = -ENOMEM;
		return fail_openssl(-ENOMEM, "cannot buffer input");
	}
	return handshake(t);
}

int cw_tls_read(struct cw_tls *t, void *p, size_t cap)
{
	uint8_t *to = p;
	size_t len = 0;
	int r = t->dead;

	if (cap > INT_MAX)
		cap = INT_MAX;
	if (!r)
		r = handshake(t);
	while (!r && len < cap && SSL_is_init_finished(t->ssl)) {
		size_t done = 0;

		ERR_clear_error();
		if (SSL_read_ex(t->ssl, to + len, cap - len, &done) == 1) {
			len += done;
			continue;
		}
		r = judge(t, 0);
		break;
	}
	return len ? (int) len : r;
}

int cw_tls_write(struct cw_tls *t, const void *p, size_t n)
{
	size_t done;

	if (t->dead && t->dead != -ENODATA)
		return t->dead;
	if (t->closed)
		return fail(-EPIPE, "closed by us", NULL);
	if (!SSL_is_init_finished(t->ssl))
		return -EAGAIN;
	if (!n)
		return 0;
	ERR_clear_error();
	if (SSL_write_ex(t->ssl, p, n, &done) == 1 && done == n)
		return 0;
	/* A memory buffer takes all there is: short of memory, anything else is a broken session.
	 */
	if (judge(t, 0) == 0)
		t->dead = fail(CW_E_SYNTAX, "TLS", "cannot write now");
	return t->dead;
}

size_t cw_tls_output(struct cw_tls *t, void *p, size_t cap)
{
	size_t done = 0;

	if (!cap || BIO_read_ex(t->out, p, cap, &done) != 1)
		return 0;
	return done;
}

size_t cw_tls_output_pending(struct cw_tls *t)
{
	return BIO_ctrl_pending(t->out);
}

void cw_tls_close(struct cw_tls *t)
{
	if (t->closed || (t->dead && t->dead != -ENODATA) || !SSL_is_init_finished(t->ssl))
		return;
	t->closed = true;
	ERR_clear_error();
	(void) SSL_shutdown(t->ssl);
	ERR_clear_error();
}

bool cw_tls_ready(const struct cw_tls *t)
{
	return SSL_is_init_finished(t->ssl) && (!t->dead || t->dead == -ENODATA);
}

/* A name as a C string; NULL if it is none (a NUL inside is an attack on exactly this function). */
static char *name_of(const ASN1_STRING *s)
{
	const char *p = (const char *) ASN1_STRING_get0_data(s);
	const int n = ASN1_STRING_length(s);

	if (n <= 0 || memchr(p, '\0', (size_t) n))
		return NULL;
	return cw_strndup(p, (size_t) n);
}

static char *alternative_name(const X509 *cert)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	char *found = NULL;

	for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_DNS || name->type == GEN_EMAIL || name->type == GEN_URI)
			found = name_of(name->d.ia5);
	}
	GENERAL_NAMES_free(names);
	return found;
}

static char *common_name(const X509 *cert)
{
	const X509_NAME *subject = X509_get_subject_name(cert);
	const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	unsigned char *utf8 = NULL;
	char *found = NULL;
	int n;

	if (at < 0)
		return NULL;
	n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
	if (n > 0 && !memchr(utf8, '\0', (size_t) n))
		found = cw_strndup((const char *) utf8, (size_t) n);
	OPENSSL_free(utf8);
	return found;
}

const char *cw_tls_peer_name(struct cw_tls *t)
{
	X509 *cert;

	if (t->peer_read || !cw_tls_ready(t))
		return t->peer_name;
	t->peer_read = true;
	cert = SSL_get0_peer_certificate(t->ssl);
	if (!cert || t->peer_bad || SSL_get_verify_result(t->ssl) != X509_V_OK)
		return NULL;
	t->peer_name = alternative_name(cert);
	if (!t->peer_name)
		t->peer_name = common_name(cert);
	return t->peer_name;
}
