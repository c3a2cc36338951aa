/* SPDX-License-Identifier: BSD-2-Clause */
/* See cert.h. */
#include "config.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>

#include "broker/rest/cert.h"

#define NAMES_MAX 32
#define NAME_MAX_ 256

static bool is_verified(gnutls_session_t session)
{
	unsigned status = ~0u;

	return gnutls_certificate_verify_peers2(session, &status) == 0 && status == 0;
}

static void tell_names(gnutls_x509_crt_t crt, void (*fn)(void *arg, const char *name), void *arg)
{
	for (unsigned i = 0; i < NAMES_MAX; i++) {
		char name[NAME_MAX_];
		size_t n = sizeof name - 1;
		int kind = gnutls_x509_crt_get_subject_alt_name(crt, i, name, &n, NULL);

		if (kind == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			return;
		if (kind != GNUTLS_SAN_DNSNAME && kind != GNUTLS_SAN_RFC822NAME &&
			kind != GNUTLS_SAN_URI)
			continue;
		name[n] = '\0';
		if (strlen(name) == n) /* a NUL inside is no name */
			fn(arg, name);
	}
}

void cw_rest_cert_names(void *session, void (*fn)(void *arg, const char *name), void *arg)
{
	const gnutls_datum_t *der;
	gnutls_x509_crt_t crt;
	unsigned n = 0;

	if (!is_verified(session))
		return;
	der = gnutls_certificate_get_peers(session, &n);
	if (!der || n == 0 || gnutls_x509_crt_init(&crt) < 0)
		return;
	if (gnutls_x509_crt_import(crt, &der[0], GNUTLS_X509_FMT_DER) == 0)
		tell_names(crt, fn, arg);
	gnutls_x509_crt_deinit(crt);
}
