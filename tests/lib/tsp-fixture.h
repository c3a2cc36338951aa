/* SPDX-License-Identifier: BSD-2-Clause */
/* The TSP access of a broker without sockets: sessions whose octets are written and read here, over
 * the core of broker-fixture. */
#pragma once

#include <netinet/in.h>

#include "broker/access/tsp/access.h"
#include "broker/access/tsp/session.h"
#include "broker/settings.h"
#include "tests/lib/broker-fixture.h"

struct tx {
	struct bx b;
	struct cw_config *conf;
	struct cw_auth *auth;
	struct cw_tsp_access *access;
};

struct tx_session {
	struct tx *tx;
	struct cw_tsp_session *s;
	struct sockaddr_in6 sa;
	char out[16384]; /* since the last tx_say() */
	size_t n;
	bool closed;
	enum cw_tsp_close reason;
};

/* extra: more lines of configuration ("limits { .. }"), tsp: of its section tsp. Users "alice" and
 * "bob", password "secret". */
void tx_open(struct tx *t, const struct bx_pool *pool, const char *tsp, const char *extra);
void tx_close(struct tx *t);
/* A peer at 2001:db8:1::n (n 0: ::1). */
void tx_connect(struct tx *t, struct tx_session *c, enum cw_tsp_transport transport, unsigned n);
/* The same where memory may run out: false, or nothing is said by a session that has ended. */
bool tx_try_connect(
	struct tx *t, struct tx_session *c, enum cw_tsp_transport transport, unsigned n);
const char *tx_try_say(struct tx_session *c, const char *text);
const char *tx_try_ask(struct tx_session *c, const char *action, unsigned n, const char *v4);
/* Gives octets, settles, and returns what was answered. */
const char *tx_say(struct tx_session *c, const char *text);
/* The same for a frame with this body. */
const char *tx_frame(struct tx_session *c, const char *body);
/* VERSION and ANONYMOUS; asserts that it worked. version: "1.0", "2.0.0". */
void tx_anonymous(struct tx_session *c, const char *version);
/* PLAIN; the transport must offer it. */
void tx_plain(struct tx_session *c, const char *version, const char *user, const char *password);
/* create, delete, info for 2001:db8:1::n, with an IPv4 unless NULL. */
const char *tx_ask(struct tx_session *c, const char *action, unsigned n, const char *v4);
const char *tx_heard(struct tx_session *c); /* what came unasked, or while others were busy */
void tx_free(struct tx_session *c);         /* the connection is gone */
/* Advances the clock and ticks all given sessions (NULL-terminated). */
void tx_sleep(struct tx *t, int64_t s, struct tx_session *a, struct tx_session *b);
