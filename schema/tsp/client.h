/* SPDX-License-Identifier: BSD-2-Clause */
/* The client half of one TSP session (RFC 5572 4.4, DSTM profile 2 to 4): VERSION, choice of a
 * mechanism, SASL, requests and their answers, deletes the broker pushes. A machine without I/O
 * and without a clock: octets and the time in; octets and events out. causeway asks brokers with
 * it, causeway-gatewayd too, and the `tsp` plugin tunnel end points (where the broker is the
 * client). TCP, TLS, Unix sockets, or UDP.
 *
 *	VERSION --CAPABILITY--> SASL --200--> READY --> CLOSED (from anywhere)
 *
 * One session speaks one version to one peer. What follows from its end (another version after
 * 302, another broker after 1xxx, trying again after 521 and 530) is the owner's decision; the
 * helpers at the end serve it.
 *
 * Callbacks run inside the call that caused them. They may send requests; they must not free the
 * session. Thread: the owner's; sessions with passwords all in one thread
 * (schema/sasl/client.h). */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"
#include "base/defs.h"
#include "schema/sasl/client.h"
#include "schema/tsp/tsp.h"

enum {
	CW_TSP_ANSWER_MAX = 4096,   /* octets of one answer, its header line not counted */
	CW_TSP_PIPELINE_MAX = 256,  /* requests that may wait for their answers */
	CW_TSP_EXTENSIONS_MAX = 16, /* EXT=NAME words remembered */
	CW_TSP_EXTENSION_LEN = 32,
};

enum cw_tsp_client_state { CW_TSP_C_VERSION, CW_TSP_C_SASL, CW_TSP_C_READY, CW_TSP_C_CLOSED };

/* Why a session is over. */
enum cw_tsp_why {
	CW_TSP_WHY_LOST,      /* the connection ended without a word */
	CW_TSP_WHY_TIMEOUT,   /* no answer in time */
	CW_TSP_WHY_PROTOCOL,  /* the peer said what is not TSP, or more than the bounds allow */
	CW_TSP_WHY_VERSION,   /* 302 */
	CW_TSP_WHY_AUTH,      /* 300 */
	CW_TSP_WHY_PROOF,     /* the broker could not prove that it knows the password */
	CW_TSP_WHY_MECHANISM, /* no mechanism that is both offered and allowed */
	CW_TSP_WHY_TYPE,      /* no v4v6 tunnels there */
	CW_TSP_WHY_STATUS,    /* another code before requests were possible; see status */
	CW_TSP_WHY_NOMEM,
	CW_TSP_WHYS
};
/* A stable token ("lost", "auth") and a sentence; static. */
const char *cw_tsp_why_name(enum cw_tsp_why why);
const char *cw_tsp_why_text(enum cw_tsp_why why);

enum cw_tsp_client_event_type {
	CW_TSP_EV_READY,   /* authenticated: requests may be sent */
	CW_TSP_EV_REPLY,   /* the answer to the oldest request */
	CW_TSP_EV_DELETED, /* the broker ended the lease in msg (DSTM 2.3): stop, then
			      cw_tsp_client_ack() */
	CW_TSP_EV_CLOSED,  /* the last event: close the connection */
};

struct cw_tsp_client_event {
	enum cw_tsp_client_event_type type;
	enum cw_tsp_why why;      /* CLOSED */
	uint64_t token;           /* REPLY: as given with the request */
	enum cw_tsp_action asked; /* REPLY */
	enum cw_tsp_event status; /* REPLY, and CLOSED if code is not 0; CW_TSP_EVENTS: a code
				     unknown to us */
	unsigned code;            /* as received, with the 1000 of a broker list; 0: none */
	struct cw_slice text; /* of the status line, or the CAPABILITY line of which no mechanism
				 was allowed; a peer's words: escape before showing */
	const struct cw_tsp_msg
		*msg; /* what came with it, or NULL; a broker list is in msg->brokers */
};

struct cw_tsp_client_ops {
	/* One write (TCP) or one datagram with header (UDP). p is borrowed for the call and may
	 * hold a password: do not keep it longer than sending needs. */
	void (*send)(void *arg, const void *p, size_t n);
	/* ev and all it points to are borrowed for the call. */
	void (*event)(void *arg, const struct cw_tsp_client_event *ev);
};

/* Borrowed until the session is freed. */
struct cw_tsp_client_conf {
	const char *version; /* "2.0.0" or "1.0" */
	unsigned mechs; /* CW_MECH_BIT()s the policy allows; the first one offered in enum order is
			   taken */
	const char *user; /* for mechanisms with passwords */
	const char *password;
	const char *host; /* the broker as configured, for DIGEST-MD5 */
	bool udp;
	bool loopback_ok;   /* the peer is this host: ::1 may be a tunnel end */
	unsigned pipeline;  /* requests outstanding at once; 0: 1, at most CW_TSP_PIPELINE_MAX */
	uint32_t login_ms;  /* from start to READY in all; 0: 20 s */
	uint32_t answer_ms; /* for each answer; 0: 30 s (a tunnel end point may have to answer
			       before) */
};

struct cw_tsp_client;

/* conf, ops, arg: borrowed. Given. 0, -ENOMEM, -EINVAL (version or mechanisms unusable). */
int cw_tsp_client_new(const struct cw_tsp_client_conf *conf, const struct cw_tsp_client_ops *ops,
	void *arg, struct cw_tsp_client **ret) CW_MUST_CHECK;
/* No callback. NULL is fine; returns NULL. */
struct cw_tsp_client *cw_tsp_client_free(struct cw_tsp_client *c);

/* The connection is there: sends VERSION. now_ms: any monotonic clock. */
void cw_tsp_client_start(struct cw_tsp_client *c, int64_t now_ms);
/* n octets that arrived; UDP: exactly one datagram. */
void cw_tsp_client_input(struct cw_tsp_client *c, const void *p, size_t n, int64_t now_ms);
/* The peer sends no more, or the connection failed. */
void cw_tsp_client_eof(struct cw_tsp_client *c, int64_t now_ms);
void cw_tsp_client_tick(struct cw_tsp_client *c, int64_t now_ms);
/* When to tick next; INT64_MAX: never. Ask after every call. */
int64_t cw_tsp_client_deadline(const struct cw_tsp_client *c);

/* Sends create, info, delete (or list, to tunnel end points that announce it). msg: borrowed. 0;
 * -EBUSY: as many as allowed are outstanding; -ENOTCONN: not READY; CW_E_LIMIT, CW_E_SYNTAX: cannot
 * be rendered. */
int cw_tsp_client_request(struct cw_tsp_client *c, const struct cw_tsp_msg *msg, uint64_t token,
	int64_t now_ms) CW_MUST_CHECK;
/* Takes or refuses what the last create was answered with. 1.x has neither (guide tsp.md 1):
 * nothing is sent. No answer follows. 0, -ENOTCONN, -EBUSY (UDP only). */
int cw_tsp_client_accept(struct cw_tsp_client *c, bool yes, int64_t now_ms) CW_MUST_CHECK;
/* Confirms a pushed delete with an info of the same pair (DSTM 2.3). No answer follows. 0,
 * -ENOTCONN. */
int cw_tsp_client_ack(
	struct cw_tsp_client *c, const struct cw_tsp_msg *deleted, int64_t now_ms) CW_MUST_CHECK;

enum cw_tsp_client_state cw_tsp_client_state(const struct cw_tsp_client *c);
enum cw_tsp_version cw_tsp_client_version(const struct cw_tsp_client *c);
int cw_tsp_client_mech(const struct cw_tsp_client *c); /* enum cw_mech in use; -1: none yet */
bool cw_tsp_client_has_ext(
	const struct cw_tsp_client *c, const char *name); /* EXT=NAME was announced */
unsigned cw_tsp_client_outstanding(const struct cw_tsp_client *c);

/* ---- for owners ---- */

/* What to try on a new connection after 302: "2.0.0" -> "1.0" -> NULL. Static. */
const char *cw_tsp_version_next(const char *version);

/* A lease as an info says it. */
struct cw_tsp_lease {
	struct cw_addr4 ipv4;
	struct cw_portset ports;
	struct cw_addr6 client6;
	struct cw_addr6 tep6;
	struct cw_addr4 tep4; /* 0.0.0.0: not told */
	uint32_t lifetime_s;
};

/* The lease in an info message; minutes: lifetimes are told in minutes (RFC 5572 4.7.1; not
 * in 1.x). A missing lifetime is 1440, the DTD's default. 0; CW_E_SYNTAX: something is missing or
 * unusable, and the offer must be refused. */
int cw_tsp_lease_of(
	const struct cw_tsp_msg *msg, bool minutes, struct cw_tsp_lease *ret) CW_MUST_CHECK;

/* A request about `client6`; v4: the leased address, NULL for a first create; link_local: sent
 * along if not NULL (DSTM 3.2). */
void cw_tsp_msg_about(struct cw_tsp_msg *ret, enum cw_tsp_action action,
	const struct cw_addr6 *client6, const struct cw_addr4 *v4,
	const struct cw_addr6 *link_local);
