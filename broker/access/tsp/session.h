/* SPDX-License-Identifier: BSD-2-Clause */
/* One TSP session's policy, without I/O: between the server machine (schema/tsp/server.h), the
 * engine and SASL. It decides who asks, what a message means for leases, and what is answered
 * (guide/tsp.md sections 5 to 8). The transport gives octets and takes octets. Thread: the loop's.
 */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>

#include "base/defs.h"
#include "broker/access/tsp/access.h"

struct cw_tsp_session;

struct cw_tsp_session_ops {
	/* One write or one datagram; p is borrowed. */
	void (*send)(void *io, const void *p, size_t n);
	/* As struct cw_tsp_server_ops: what was sent goes out, then the end. The transport frees
	 * the session later, not inside. */
	void (*close)(void *io, enum cw_tsp_close reason);
	/* Something happened outside a call of the transport: ask deadline and wants_input again.
	 */
	void (*changed)(void *io);
};

struct cw_tsp_peer {
	enum cw_tsp_transport transport;
	struct cw_source source;
	const struct sockaddr
		*sa; /* for logs; borrowed until the session is freed; NULL: Unix socket */
};

int cw_tsp_session_new(struct cw_tsp_access *a, const struct cw_tsp_peer *peer,
	const struct cw_tsp_session_ops *ops, void *io,
	struct cw_tsp_session **ret) CW_MUST_CHECK; /* given */
/* Offers are lost by it; leases are not. NULL is fine; not inside a callback. */
struct cw_tsp_session *cw_tsp_session_free(struct cw_tsp_session *s);
/* The verified name of the TLS peer, once known; copied. */
int cw_tsp_session_set_external(struct cw_tsp_session *s, const char *name) CW_MUST_CHECK;

void cw_tsp_session_input(struct cw_tsp_session *s, const void *p, size_t n);
void cw_tsp_session_eof(struct cw_tsp_session *s);
void cw_tsp_session_lost(struct cw_tsp_session *s);
/* Ends it from outside, without a word that the protocol has no place for: ops->close() and
 * ops->changed() are called. Not inside a callback. */
void cw_tsp_session_refuse(struct cw_tsp_session *s);
void cw_tsp_session_tick(struct cw_tsp_session *s);
int64_t cw_tsp_session_deadline(const struct cw_tsp_session *s);
bool cw_tsp_session_wants_input(const struct cw_tsp_session *s);
bool cw_tsp_session_busy(const struct cw_tsp_session *s); /* an answer is still to come */
enum cw_tsp_state cw_tsp_session_state(const struct cw_tsp_session *s);
