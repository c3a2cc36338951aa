/* SPDX-License-Identifier: BSD-2-Clause */
/* The certificate by which the API is known over TLS. There is one in a process, for GnuTLS asks for
 * it without saying on whose behalf; it can be changed while connections come in. Thread: the loop's,
 * but for the last. */
#pragma once

#include <gnutls/abstract.h>
#include <stdint.h>

#include "base/defs.h"

enum { CW_REST_PEM_MAX = 1 << 20 };

/* A PEM file as a text with NUL; given, to be freed by cw_free_secret(text, CW_REST_PEM_MAX).
 * -errno. */
int cw_rest_read_pem(const char *path, char **ret) CW_MUST_CHECK;
/* Shows this chain from the next handshake on. 0, -errno; CW_E_SYNTAX: one of the files cannot be
 * understood, or the key is another certificate's. On failure nothing changed. */
int cw_rest_tls_load(const char *cert, const char *key) CW_MUST_CHECK;
/* No listener is left. */
void cw_rest_tls_forget(void);
/* What GnuTLS asks; threads of the server. */
gnutls_certificate_retrieve_function3 cw_rest_tls_retrieve;
