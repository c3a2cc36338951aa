/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/list.h"
#include "base/mem.h"
#include "broker/rest/tls.h"

enum { CHAIN_MAX = 16, KEY_ID_LEN = 32 };

/* Handshakes may be using one that was replaced, so all stay until the end: some kilobytes each. */
struct pair {
	struct pair *before;
	gnutls_pcert_st chain[CHAIN_MAX];
	unsigned n;
	gnutls_privkey_t key;
};

static _Atomic(struct pair *) in_force;

int cw_rest_read_pem(const char *path, char **ret)
{
	CW_CLEANUP(cw_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char *text = fd < 0 ? NULL : cw_zalloc(1, CW_REST_PEM_MAX);
	ssize_t n;

	if (!text)
		return fd < 0 ? -errno : -ENOMEM;
	n = read(fd, text, CW_REST_PEM_MAX - 1);
	if (n < 0) {
		int e = errno;

		(void) cw_free_secret(text, CW_REST_PEM_MAX);
		return -e;
	}
	*ret = text;
	return 0;
}

static struct pair *pair_free(struct pair *p)
{
	for (unsigned i = 0; i < p->n; i++)
		gnutls_pcert_deinit(&p->chain[i]);
	if (p->key)
		gnutls_privkey_deinit(p->key);
	return cw_free(p);
}

static gnutls_datum_t datum_of(char *text)
{
	return (gnutls_datum_t){(unsigned char *) text, (unsigned) strlen(text)};
}

/* The private half of the first certificate's key? */
static bool belong_together(const struct pair *p)
{
	unsigned char shown[KEY_ID_LEN], own[KEY_ID_LEN];
	size_t shown_n = sizeof shown, own_n = sizeof own;
	gnutls_pubkey_t public;
	bool ok;

	if (gnutls_pubkey_init(&public) < 0)
		return false;
	ok = gnutls_pubkey_import_privkey(public, p->key, 0, 0) == 0 &&
	     gnutls_pubkey_get_key_id(public, GNUTLS_KEYID_USE_SHA256, own, &own_n) == 0 &&
	     gnutls_pubkey_get_key_id(
		     p->chain[0].pubkey, GNUTLS_KEYID_USE_SHA256, shown, &shown_n) == 0 &&
	     own_n == shown_n && memcmp(own, shown, own_n) == 0;
	gnutls_pubkey_deinit(public);
	return ok;
}

static int understand(struct pair *p, char *cert, char *key)
{
	gnutls_datum_t chain = datum_of(cert), secret = datum_of(key);
	unsigned n = CHAIN_MAX;

	if (gnutls_pcert_list_import_x509_raw(p->chain, &n, &chain, GNUTLS_X509_FMT_PEM,
		    GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED) < 0 ||
		n == 0)
		return CW_E_SYNTAX;
	p->n = n;
	if (gnutls_privkey_init(&p->key) < 0)
		return -ENOMEM;
	if (gnutls_privkey_import_x509_raw(p->key, &secret, GNUTLS_X509_FMT_PEM, NULL, 0) < 0)
		return CW_E_SYNTAX;
	return belong_together(p) ? 0 : CW_E_SYNTAX;
}

int cw_rest_tls_load(const char *cert, const char *key)
{
	struct pair *p = cw_zalloc(1, sizeof *p);
	char *shown = NULL, *secret = NULL;
	int r = p ? cw_rest_read_pem(cert, &shown) : -ENOMEM;

	if (r == 0)
		r = cw_rest_read_pem(key, &secret);
	if (r == 0)
		r = shown && secret ? understand(p, shown, secret) : -ENOMEM;
	(void) (shown ? cw_free_secret(shown, CW_REST_PEM_MAX) : NULL);
	(void) (secret ? cw_free_secret(secret, CW_REST_PEM_MAX) : NULL);
	if (r < 0) {
		(void) (p ? pair_free(p) : NULL);
		return r;
	}
	p->before = atomic_load(&in_force);
	atomic_store(&in_force, p);
	return 0;
}

void cw_rest_tls_forget(void)
{
	struct pair *p = atomic_exchange(&in_force, NULL);

	while (p) {
		struct pair *before = p->before;

		(void) pair_free(p);
		p = before;
	}
}

int cw_rest_tls_retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
	gnutls_pcert_st **certs, unsigned *certs_length, gnutls_ocsp_data_st **ocsp,
	unsigned *ocsp_length, gnutls_privkey_t *privkey, unsigned *flags)
{
	struct pair *p = atomic_load(&in_force);

	(void) session;
	(void) info;
	*certs = p->chain;
	*certs_length = p->n;
	*ocsp = NULL;
	*ocsp_length = 0;
	*privkey = p->key;
	*flags = 0; /* it is ours */
	return 0;
}
