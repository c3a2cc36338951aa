/* SPDX-License-Identifier: BSD-2-Clause */
/* One connection to a broker: name, addresses tried side by side (RFC 8305), TLS if wanted, and the
 * TSP session on top. Thread: the loop's. */
#pragma once

#include <stdbool.h>

#include "base/addr.h"
#include "base/defs.h"
#include "base/loop.h"
#include "base/tls.h"
#include "schema/tsp/client.h"

struct cw_session;

struct cw_session_conf {
	const char *host; /* name or address; copied */
	uint16_t port;
	struct cw_tls_config tls; /* used if with_tls; strings are borrowed until open returns */
	bool with_tls;
	bool has_source; /* bind to it when the broker is reached over IPv6 */
	struct cw_addr6 source;
	unsigned connect_timeout_ms; /* name, connection and TLS together */
	/* version, mechs, user and password; borrowed strings must outlive the session. host and
	 * loopback_ok are filled in here. */
	struct cw_tsp_client_conf tsp;
};

struct cw_session_ops {
	/* There will be no session. text: static or valid during the call. Last callback. */
	void (*unreachable)(void *arg, const char *text);
	/* As cw_tsp_client_ops.event; CLOSED is the last callback. */
	void (*event)(void *arg, const struct cw_tsp_client_event *ev);
};

/* Callbacks come later, never from inside open. *ret: given, ended by cw_session_close(). 0;
 * -ENOMEM; what cw_tls_ctx_new() says about the files. */
int cw_session_open(struct cw_loop *loop, const struct cw_session_conf *conf,
	const struct cw_session_ops *ops, void *arg, struct cw_session **ret) CW_MUST_CHECK;
/* No callback after this. What was sent is flushed; the memory goes when libuv lets go. NULL is
 * fine; returns NULL. May be called from a callback. */
struct cw_session *cw_session_close(struct cw_session *s);

struct cw_tsp_client *cw_session_tsp(struct cw_session *s); /* borrowed; for requests, when READY */
/* Tell the session that requests were sent, so that its clock runs. */
void cw_session_touch(struct cw_session *s);
/* This end's IPv6 address on the connection. false: the broker was reached over IPv4, or by a
 * link-local address. */
bool cw_session_source(const struct cw_session *s, struct cw_addr6 *ret);
/* The link-local address of the interface that has `source`; false: none. */
bool cw_session_link_local(const struct cw_addr6 *source, struct cw_addr6 *ret);
/* How many sessions are not gone yet, closed ones included: a loop ends cleanly at 0. */
unsigned cw_sessions_alive(void);
