/* SPDX-License-Identifier: BSD-2-Clause */
/* TLS over any byte stream: OpenSSL between two memory buffers, no socket. Bytes from the network
 * in, clear text out, and back. Used by servers and clients alike. Thread: a context may be shared,
 * a session is its owner's. */
#pragma once

#include <stdbool.h>

#include "base/defs.h"

struct cw_tls_ctx;
struct cw_tls;

struct cw_tls_config {
	bool server;
	const char *cert_file; /* PEM chain; servers need it, clients may have it */
	const char *key_file;  /* PEM */
	/* PEM; who is trusted. Client: NULL = system store. Server: NULL = ask no certificate. */
	const char *ca_file;
	/* Server: refuse peers without a valid certificate; else they have no name. */
	bool require_peer;
	/* Client, needed: verified against the certificate (name or address), sent as SNI. */
	const char *server_name;
};

/* Why the last cw_tls_* call of this thread failed, for logs; static or thread-local,
 * never NULL. */
const char *cw_tls_error(void);
/* TLS 1.2 and later. 0; -ENOENT/-EACCES for files; CW_E_SYNTAX for bad PEM or mismatch; -EINVAL
 * for a configuration that cannot work; -ENOMEM.
 * Given. */
int cw_tls_ctx_new(const struct cw_tls_config *conf, struct cw_tls_ctx **ret) CW_MUST_CHECK;
/* When the first certificate of a PEM file ends, in seconds since 1970. 0; -ENOENT and the like; CW_E_SYNTAX: there is
 * none. */
int cw_tls_expiry(const char *file, int64_t *ret_wall_s) CW_MUST_CHECK;
struct cw_tls_ctx *cw_tls_ctx_free(struct cw_tls_ctx *ctx);
/* Given; borrows ctx until freed. */
int cw_tls_new(struct cw_tls_ctx *ctx, struct cw_tls **ret) CW_MUST_CHECK;
struct cw_tls *cw_tls_free(struct cw_tls *t);
/* Gives n octets that came from the network. 0, or a code when the session is dead: CW_E_AUTH
 * (certificate), CW_E_SYNTAX (not TLS, protocol error), -ENOMEM, -ENODATA (the peer has closed
 * cleanly). Output may still be pending then (the alert). */
int cw_tls_feed(struct cw_tls *t, const void *p, size_t n) CW_MUST_CHECK;
/* Clear text that has arrived: octets copied, 0 = none now, -ENODATA = peer closed cleanly, or a
 * code as feed. A network that ends without -ENODATA here has cut the stream short. */
int cw_tls_read(struct cw_tls *t, void *p, size_t cap) CW_MUST_CHECK;
/* Encrypts all n octets. 0; -EAGAIN before the handshake is done; -EPIPE after cw_tls_close();
 * CW_E_* as feed. Still works after the peer closed its half. */
int cw_tls_write(struct cw_tls *t, const void *p, size_t n) CW_MUST_CHECK;
/* Octets that must go to the network: up to cap copied out; 0 = none. Call after every other
 * call. */
size_t cw_tls_output(struct cw_tls *t, void *p, size_t cap);
size_t cw_tls_output_pending(struct cw_tls *t);
/* Client: makes the first flight; server: nothing. */
int cw_tls_start(struct cw_tls *t) CW_MUST_CHECK;
void cw_tls_close(struct cw_tls *t);       /* queues close_notify */
bool cw_tls_ready(const struct cw_tls *t); /* handshake finished */
/* Subject of the verified peer certificate: the first DNS or e-mail or URI name, else the CN. NULL:
 * none. Borrowed until free. */
const char *cw_tls_peer_name(struct cw_tls *t);
