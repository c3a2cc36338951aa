/* SPDX-License-Identifier: BSD-2-Clause */
/* The whole client as a machine: it gets a lease, keeps it, follows the broker's will, gets it
 * back after losses and gives it up at the end. No I/O and no clock: what happened and the time
 * in, actions out.
 *
 *	acquire --info--> hold --renew_at--> renew --info--> hold
 *	   ^                |                  |
 *	   +-- lose <-------+-- delete, 308, expiry
 *
 * The owner feeds events, then takes actions with cw_keeper_next() until there is none, carries
 * each out at once, and asks for the deadline. A result that comes within an action (a connect
 * that fails at once) may be fed from inside it. Thread: the owner's. */
#pragma once

#include <stdbool.h>

#include "base/clock.h"
#include "base/defs.h"
#include "client/brokers.h"
#include "schema/tsp/client.h"

/* Bounds, with their defaults as causeway.conf(5) tells them. */
enum {
	CW_KEEPER_RETRY_MIN_MS = 1000,
	CW_KEEPER_RETRY_MAX_MS = 300 * 1000,
	/* A lease that lasted this long, whatever happens then, is a success: the next pause is a
	 * short one again. A broker that gives one and takes it back, or hangs up, is none. */
	CW_KEEPER_CALM_MS = 10 * 1000,
	CW_KEEPER_BUSY_TRIES =
		3, /* answers "busy" to a first request before the round counts as failed */
	CW_KEEPER_STOP_MS = 5000,       /* for giving the lease back at the end */
	CW_KEEPER_STOP_REACH_MS = 1500, /* of it for reaching the broker, if it is not connected */
	CW_KEEPER_RESUME_MS = 2000,     /* of suspend: counts as one */
	CW_KEEPER_UNBOUND_MS = 60 * 1000, /* between renewals because the TEP does not know us */
};

enum cw_keeper_action_type {
	CW_ACT_CONNECT,    /* open a session with `broker` in `version`; close an older one first */
	CW_ACT_DISCONNECT, /* close the session, if there is one; nothing of it may be fed after
			      that */
	CW_ACT_REQUEST, /* send `action` about the address `ipv4` (0: none), from the session's own
			   IPv6 */
	CW_ACT_ACCEPT,  /* answer the offer: yes if `flag` */
	CW_ACT_ACK,     /* confirm the delete of `lease` */
	CW_ACT_UP,      /* `lease` begins: make the tunnel, save it, run the hook */
	CW_ACT_RENEWED, /* `lease` goes on, `expires` has moved */
	CW_ACT_DOWN,    /* `lease` is no more, see `reason`: tunnel down at once, forget it unless
			   `flag` */
	CW_ACT_EXIT,    /* with `code` */
};

enum cw_keeper_reason {
	CW_DOWN_STOP, /* the user wants it */
	CW_DOWN_EXPIRED,
	CW_DOWN_DELETED, /* the broker pushed a delete */
	CW_DOWN_GONE,    /* the broker says the address is not ours any more */
	CW_DOWN_MOVED,   /* another address, TEP or end of the tunnel; an UP follows */
	CW_DOWN_REASONS
};
const char *cw_keeper_reason_name(enum cw_keeper_reason reason); /* "stop", "expired"...; static */

struct cw_keeper_lease {
	struct cw_tsp_lease tsp;
	int64_t expires_boot_ms;
	int64_t expires_wall_s;
	struct cw_broker broker;
};

struct cw_keeper_action {
	enum cw_keeper_action_type type;
	const struct cw_broker *broker; /* borrowed until the next CONNECT */
	const char *version;
	enum cw_tsp_action action;
	struct cw_addr4 ipv4;
	struct cw_keeper_lease lease;
	enum cw_keeper_reason reason;
	bool flag;
	int code;
};

struct cw_keeper_conf {
	const char *version;
	bool once;    /* end with the first lease */
	bool release; /* once: give it back before the end */
	bool persist; /* go on after refusals and failures before the first lease, too */
	bool exit_on_delete;
	bool minutes;                        /* lifetimes of 2.x are minutes */
	uint32_t retry_min_ms, retry_max_ms; /* 0: the defaults */
	uint32_t (*random)(void *arg);       /* for jitter */
	void *arg;
};

enum cw_keeper_link { CW_LINK_OFF, CW_LINK_WAIT, CW_LINK_CONNECTING, CW_LINK_READY };

enum { CW_KEEPER_ACTIONS_MAX = 32 };

/* The owner's memory; look, don't touch. */
struct cw_keeper {
	const struct cw_keeper_conf *conf; /* borrowed */
	struct cw_brokers *brokers;        /* borrowed */
	enum { CW_GOAL_RUN, CW_GOAL_STOP, CW_GOAL_DONE } goal;
	enum cw_keeper_link link;
	const char *version;
	int64_t wait_until;       /* boot: next try when link is WAIT, next request when READY */
	unsigned attempt;         /* failures in a row */
	unsigned doublings;       /* of the next pause */
	int64_t calm_at;          /* boot: `doublings` begins anew; 0: not in sight */
	unsigned renewals;        /* of the lease as it is now */
	unsigned busy;            /* "busy" in a row before the first lease */
	enum cw_tsp_action asked; /* CW_TSP_ACTION_NONE: nothing outstanding */
	bool asked_named;         /* the request named an address */
	int64_t asked_at; /* boot: when the last create was sent; its lease runs from here */
	bool has_lease;
	bool had_lease;
	bool first_lease; /* is the one that is held; false after a renewal */
	bool releasing;   /* stop: the lease is to be given back (tunnel is down already) */
	bool keep;        /* stop: not given back */
	struct cw_keeper_lease lease;
	struct cw_addr4 hint; /* the address we had; 0: none */
	int64_t renew_at;     /* boot */
	int64_t others_at;    /* boot: from here on other brokers may be asked to renew */
	int64_t unbound_at;   /* boot: not before that again */
	int64_t stop_at;      /* boot: giving back must be over */
	int64_t drift_ms;     /* boot less mono, grows in suspend */
	int end_code;         /* what the end is to be reported as, if not 0 */
	int code;             /* exit code of the last failure */
	char error[320];      /* and its text; empty: none since the last success */
	struct cw_keeper_action queue[CW_KEEPER_ACTIONS_MAX];
	unsigned first, count;
};

void cw_keeper_init(
	struct cw_keeper *k, const struct cw_keeper_conf *conf, struct cw_brokers *brokers);
/* restored: the address of a lease that was not over when the last process ended, or NULL. */
void cw_keeper_start(struct cw_keeper *k, const struct cw_addr4 *restored, struct cw_now now);

/* The session is READY. */
void cw_keeper_ready(struct cw_keeper *k, struct cw_now now);
/* There will be no session; text says why (name, TCP, TLS, no way to log in), code is what to exit
 * with if that stays so. */
void cw_keeper_unreachable(struct cw_keeper *k, int code, const char *text, struct cw_now now);
/* The session machine said CLOSED or REPLY or DELETED; ev as given by it. */
void cw_keeper_event(struct cw_keeper *k, const struct cw_tsp_client_event *ev, struct cw_now now);
/* The request of the last CW_ACT_REQUEST could not be sent. */
void cw_keeper_unsent(struct cw_keeper *k, const char *text, struct cw_now now);

/* What the user wants: the end (keep: leave the lease with the broker), a renewal now. renew_now:
 * false: there is no lease, and one is being asked for anyway. */
void cw_keeper_stop(struct cw_keeper *k, bool keep, struct cw_now now);
bool cw_keeper_renew_now(struct cw_keeper *k, struct cw_now now);
/* The host lost an address. */
void cw_keeper_source_gone(struct cw_keeper *k, const struct cw_addr6 *gone, struct cw_now now);
/* The TEP does not know us (RFC 7596 5.1). */
void cw_keeper_unbound(struct cw_keeper *k, struct cw_now now);
/* No tunnel can be made between the ends of the lease: the broker lies, or an address or a route is
 * not here yet. Another broker, or later; if neither is to be tried it is as below. */
void cw_keeper_unfit(struct cw_keeper *k, const char *text, struct cw_now now);
/* The tunnel could not be made or broke; ends the client with `code`, lease given back. */
void cw_keeper_tunnel_failed(struct cw_keeper *k, int code, const char *text, struct cw_now now);

void cw_keeper_tick(struct cw_keeper *k, struct cw_now now);
int64_t cw_keeper_deadline(const struct cw_keeper *k); /* boot_ms; INT64_MAX: never */
/* false: nothing to do. */
bool cw_keeper_next(struct cw_keeper *k, struct cw_keeper_action *ret);
/* When the broker is asked next, if the client waits to do so because of a failure; else INT64_MAX.
 */
int64_t cw_keeper_next_try(const struct cw_keeper *k);
/* "acquiring", "held", "renewing", "waiting"...; static, for status. */
const char *cw_keeper_state(const struct cw_keeper *k);
