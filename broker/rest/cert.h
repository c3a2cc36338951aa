/* SPDX-License-Identifier: BSD-2-Clause */
/* The client certificate of a TLS connection, as libmicrohttpd's GnuTLS has it. Thread: any. */
#pragma once

#include <stdbool.h>

/* Calls fn for each DNS name, e-mail address and URI the certificate is for (RFC 5280 4.2.1.6), if
 * there is one and the configured CA vouches for it now; its subject is not looked at. session: of
 * MHD_CONNECTION_INFO_GNUTLS_SESSION. */
void cw_rest_cert_names(void *session, void (*fn)(void *arg, const char *name), void *arg);
