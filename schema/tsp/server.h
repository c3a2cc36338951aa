/* SPDX-License-Identifier: BSD-2-Clause */
/* The server half of one TSP session: VERSION, SASL, requests, offers, pushed deletes; on TCP
 * (or TLS, or a Unix socket) and on UDP. A machine without I/O and without a clock: octets,
 * results and the time in; octets to send, SASL work and requests out. causewayd serves nodes
 * with it, causeway-tepd its brokers.
 *
 *	HELLO --VERSION--> AUTH --AUTHENTICATE--> SASL --200--> COMMAND
 *	COMMAND --create--> OFFER --accept--> ESTAB
 *	COMMAND --create--> ESTAB at once in 1.x, and for renewals
 *
 * Requests are handed over one at a time and answered in their order; what a client sends ahead
 * waits here, and the owner stops reading while cw_tsp_server_wants_input() is false.
 *
 * Callbacks run inside the call that caused them. They may call cw_tsp_server_sasl_result() and
 * cw_tsp_server_reply() at once; they must not call any other function of the session, nor free it.
 * Thread: the owner's. SASL steps may run elsewhere meanwhile; their result comes back by a call.
 */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"
#include "base/defs.h"
#include "schema/tsp/tsp.h"

enum cw_tsp_state {
	CW_TSP_S_HELLO,
	CW_TSP_S_AUTH,
	CW_TSP_S_SASL,
	CW_TSP_S_COMMAND, /* authenticated, no lease on this session */
	CW_TSP_S_OFFER,   /* 2.x: a new lease waits for accept or reject */
	CW_TSP_S_ESTAB,   /* a lease is established on this session */
	CW_TSP_S_CLOSED,
};

/* Why a session closes itself; for logs and counters. */
enum cw_tsp_close {
	CW_TSP_CLOSE_EOF,     /* the peer closed, everything was answered */
	CW_TSP_CLOSE_VERSION, /* 302 sent */
	CW_TSP_CLOSE_AUTH,    /* 300 sent */
	CW_TSP_CLOSE_FORMAT,  /* 500 sent: framing, limits, or bad content too often */
	CW_TSP_CLOSE_TIMEOUT, /* a deadline passed */
	CW_TSP_CLOSE_OVERRUN, /* sent on and on while we did not read */
	CW_TSP_CLOSE_BUSY,    /* 530 sent before COMMAND, or refused by the owner */
	CW_TSP_CLOSE_NOMEM,
};
const char *cw_tsp_close_name(enum cw_tsp_close reason); /* "eof", "auth"...; static */

enum cw_tsp_offer {
	CW_TSP_OFFER_ACCEPTED,
	CW_TSP_OFFER_REJECTED,
	CW_TSP_OFFER_TIMEOUT, /* nothing within offer_ms */
	CW_TSP_OFFER_LOST,    /* the session ended before */
};

enum cw_tsp_sasl_result {
	CW_TSP_SASL_CONTINUE, /* data is the next challenge; empty: the client speaks next */
	CW_TSP_SASL_DONE,     /* authenticated; data is the final server message or empty */
	CW_TSP_SASL_FAILED,   /* 300 */
	CW_TSP_SASL_BUSY,     /* 530: could not be tried (store, memory, overload) */
};

struct cw_tsp_server;

struct cw_tsp_server_ops {
	/* Exactly one write (TCP) or one datagram (UDP; n may be 0: header only). p is borrowed for
	 * the call. */
	void (*send)(void *arg, const void *p, size_t n);
	/* Begin an exchange. mech: as written in conf->mechs. data NULL: no initial response. Data
	 * is decoded (for PLAIN always authzid NUL authcid NUL password) and borrowed for the call;
	 * it may hold a password. The owner answers with cw_tsp_server_sasl_result(), now or later.
	 */
	void (*sasl_start)(void *arg, const char *mech, const void *data, size_t n);
	void (*sasl_step)(void *arg, const void *data, size_t n);
	/* The exchange that was started has no use any more; a result that still comes is ignored.
	 */
	void (*sasl_abort)(void *arg);
	/* create, delete or info. msg is borrowed for the call. Answer with cw_tsp_server_reply(),
	 * now or later. */
	void (*request)(void *arg, const struct cw_tsp_msg *msg);
	/* What became of the leases offered on this session. No answer. */
	void (*offer)(void *arg, enum cw_tsp_offer what);
	/* A client confirmed a pushed delete (DSTM 2.3). No answer. May be NULL. */
	void (*delete_acked)(void *arg, const struct cw_tsp_msg *msg);
	/* The last callback. Send what was given to send(), shutdown(SHUT_WR), then read and
	 * discard up to 64 KiB or 2 s, or until the peer closes; only then close: otherwise an RST
	 * destroys the answer. */
	void (*close)(void *arg, enum cw_tsp_close reason);
};

struct cw_tsp_redirect {
	const struct cw_tsp_broker *brokers; /* borrowed */
	unsigned n;                          /* 0: plain status */
};

/* What all sessions of a listener share; borrowed, must outlive them. */
struct cw_tsp_server_conf {
	const char *mechs; /* offered, blank-separated, best first: "SCRAM-SHA-256 DIGEST-MD5
			      ANONYMOUS" */
	const char *ext;   /* extensions for EXT=, blank-separated; NULL: none */
	bool udp;          /* datagrams: one answer each, no push */
	bool loopback_ok;  /* ::1 may be a tunnel end: peer is loopback or a Unix socket */
	/* Milliseconds; 0: no limit. cw_tsp_server_conf_init() has the guide's values. */
	uint32_t auth_ms;    /* 30 s from the start to authenticated, in total */
	uint32_t frame_ms;   /* 10 s to finish a started frame */
	uint32_t idle_ms;    /* 60 s in COMMAND without a lease */
	uint32_t offer_ms;   /* 30 s until accept or reject */
	uint32_t verdict_ms; /* 50 ms between the final SASL message and 200 (TCP) */
	struct cw_tsp_redirect redirect[CW_TSP_EVENTS]; /* other brokers to name with that status */
};

/* Defaults; the caller sets mechs and what else differs. */
void cw_tsp_server_conf_init(struct cw_tsp_server_conf *conf);
/* Would every status line, redirect list and the CAPABILITY line fit and parse? 0, CW_E_SYNTAX,
 * CW_E_LIMIT. */
int cw_tsp_server_conf_check(const struct cw_tsp_server_conf *conf) CW_MUST_CHECK;

/* A new session in HELLO. conf, ops, arg: borrowed until free. Given. 0, -ENOMEM. now_ms is any
 * monotonic clock. */
int cw_tsp_server_new(const struct cw_tsp_server_conf *conf, const struct cw_tsp_server_ops *ops,
	void *arg, int64_t now_ms, struct cw_tsp_server **ret) CW_MUST_CHECK;
/* No callback. An exchange or request of the owner's must not report afterwards. NULL is fine;
 * returns NULL. */
struct cw_tsp_server *cw_tsp_server_free(struct cw_tsp_server *s);

/* n octets that arrived (UDP: the payload of one datagram, without header); borrowed. Read at most
 * 16 KiB at a time: what cannot be worked on yet is kept here, up to 64 KiB. */
void cw_tsp_server_input(struct cw_tsp_server *s, const void *p, size_t n, int64_t now_ms);
/* The peer will send no more (FIN). What it asked before is still answered, then close(). */
void cw_tsp_server_eof(struct cw_tsp_server *s, int64_t now_ms);
/* The connection is gone (RST, write error): no more sends, offers are lost, no close(). */
void cw_tsp_server_lost(struct cw_tsp_server *s);
/* Call when the time of cw_tsp_server_deadline() has come; early or late calls do no harm. */
void cw_tsp_server_tick(struct cw_tsp_server *s, int64_t now_ms);
/* When to tick next; INT64_MAX: never. Ask after every call. */
int64_t cw_tsp_server_deadline(const struct cw_tsp_server *s);
/* false: stop reading until it is true again (asked after every call). */
bool cw_tsp_server_wants_input(const struct cw_tsp_server *s);

/* The answer to sasl_start or sasl_step. data: borrowed, raw (not base64). delay_ms: how long a
 * failing verdict is held back (the back-off of a source); good ones are never delayed by it. */
void cw_tsp_server_sasl_result(struct cw_tsp_server *s, enum cw_tsp_sasl_result result,
	const void *data, size_t n, uint32_t delay_ms, int64_t now_ms);

enum {
	/* The session holds an established lease now (1.x, renewals, leases the client held
	   before). */
	CW_TSP_REPLY_LEASE = 1 << 0,
	/* msg offers a new lease: 2.x waits for accept (-> offer()), 1.x takes it as
	   CW_TSP_REPLY_LEASE. */
	CW_TSP_REPLY_OFFER = 1 << 1,
};
/* The answer to request(): the event as this session's status, and msg (borrowed) unless NULL. With
 * conf->redirect[ev] the list of brokers goes along. Failure to render answers INTERNAL instead. */
void cw_tsp_server_reply(struct cw_tsp_server *s, enum cw_tsp_event ev,
	const struct cw_tsp_msg *msg, unsigned flags, int64_t now_ms);

/* Whether the session still holds a lease; the owner says so when the last one ended (or began) by
 * other ways than a reply. Without one the idle deadline runs. A pending offer is forgotten with
 * false. */
void cw_tsp_server_set_lease(struct cw_tsp_server *s, bool lease, int64_t now_ms);
/* Sends a delete nobody asked for (DSTM 2.3, 4.3), in one write, after the reply to a running
 * request. msg: borrowed, action CW_TSP_DELETE with server and client. 0; -ENOTCONN: not on UDP,
 * not before COMMAND, not when closed; CW_E_LIMIT: too many wait already; -ENOMEM. The client's
 * info for that pair is then an acknowledgement. */
int cw_tsp_server_push_delete(struct cw_tsp_server *s, const struct cw_tsp_msg *msg) CW_MUST_CHECK;

/* Ends the session from our side with that status and close(): overload, shutting down. A request
 * or exchange that runs is given up; no lease is touched, but an offer is lost. */
void cw_tsp_server_refuse(struct cw_tsp_server *s, enum cw_tsp_event ev);

enum cw_tsp_state cw_tsp_server_state(const struct cw_tsp_server *s);
enum cw_tsp_version cw_tsp_server_version(
	const struct cw_tsp_server *s); /* CW_TSP_V2 before VERSION */
const char *cw_tsp_server_mech(
	const struct cw_tsp_server *s); /* of the last AUTHENTICATE; NULL: none yet */
bool cw_tsp_server_busy(const struct cw_tsp_server *s); /* a SASL step or a request is running */
unsigned cw_tsp_server_strays(
	const struct cw_tsp_server *s); /* accept or reject without an offer */
size_t cw_tsp_server_memory(
	const struct cw_tsp_server *s); /* octets held now, the struct included */
