/* SPDX-License-Identifier: BSD-2-Clause */
/* TSP over UDP, server side: which datagram belongs to which session, which is a repetition, and
 * what was answered to it (RFC 5572 4.4.1.2, retransmission as in Stevens UNP 22.5). No I/O: the
 * owner receives and sends. One datagram in, at most one out. The session itself is a cw_tsp_server
 * with conf->udp, made by the owner. Thread: the owner's. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"
#include "base/defs.h"
#include "schema/tsp/tsp.h"

struct cw_tsp_udp;
struct cw_tsp_udp_peer;

struct cw_tsp_udp_conf {
	unsigned max_peers;     /* all sessions, 0: 65536 */
	unsigned max_half_open; /* sessions before cw_tsp_udp_established(), 0: 4096 */
	uint32_t half_open_ms;  /* idle before established, 0: 30 s */
	uint32_t idle_ms;       /* idle after that, 0: 60 s */
	uint32_t answer_ms;     /* how long an answer is repeated, 0: 60 s */
};

struct cw_tsp_udp_ops {
	/* The session of a peer begins (also after a restart): return what `session` shall be,
	 * NULL: cannot (drop). */
	void *(*open)(void *arg, struct cw_tsp_udp_peer *peer);
	/* A new payload for it. The owner feeds its machine and calls cw_tsp_udp_answer(), now or
	 * later. */
	void (*deliver)(
		void *arg, struct cw_tsp_udp_peer *peer, void *session, const void *p, size_t n);
	/* It ended: idle, restarted, or cw_tsp_udp_free(). The peer is gone after the call
	 * (restart: open follows). */
	void (*close)(void *arg, struct cw_tsp_udp_peer *peer, void *session);
	/* One datagram to the peer, header included; borrowed. */
	void (*send)(void *arg, const struct cw_tsp_udp_peer *peer, const void *p, size_t n);
};

/* What a datagram was; for counters. */
enum cw_tsp_udp_verdict {
	CW_TSP_UDP_NEW,        /* delivered */
	CW_TSP_UDP_REPLAYED,   /* a repetition: the cached answer went out with the new timestamp */
	CW_TSP_UDP_PENDING,    /* a repetition, or the next one, of what is still being answered:
				  dropped */
	CW_TSP_UDP_MALFORMED,  /* short or without marker: dropped */
	CW_TSP_UDP_NO_SESSION, /* no session and not a VERSION: dropped */
	CW_TSP_UDP_FULL,       /* a cap or memory: dropped */
};

/* conf, ops: copied. arg: borrowed. Given. 0, -ENOMEM. */
int cw_tsp_udp_new(const struct cw_tsp_udp_conf *conf, const struct cw_tsp_udp_ops *ops, void *arg,
	struct cw_tsp_udp **ret) CW_MUST_CHECK;
struct cw_tsp_udp *cw_tsp_udp_free(
	struct cw_tsp_udp *u); /* closes all sessions; NULL is fine; returns NULL */
/* One datagram of n octets from the peer whose address and port are the key_n octets at key (at
 * most 64). */
enum cw_tsp_udp_verdict cw_tsp_udp_receive(struct cw_tsp_udp *u, const void *key, size_t key_n,
	const void *p, size_t n, int64_t now_ms);
/* The answer to what was delivered last: sent with its header, kept for repetitions. At most
 * CW_TSP_UDP_PAYLOAD_MAX octets, a longer one is not sent. No answer: later repetitions are
 * delivered again. */
void cw_tsp_udp_answer(struct cw_tsp_udp_peer *peer, const void *p, size_t n, int64_t now_ms);
/* The peer's session is past the half-open stage (authenticated), or again not. */
void cw_tsp_udp_established(struct cw_tsp_udp_peer *peer, bool yes);
/* Ends a session now, without close(): its cached answers are still repeated, a VERSION starts a
 * new one. */
void cw_tsp_udp_detach(struct cw_tsp_udp_peer *peer);
const void *cw_tsp_udp_key(const struct cw_tsp_udp_peer *peer, size_t *ret_n); /* borrowed */
void cw_tsp_udp_tick(struct cw_tsp_udp *u, int64_t now_ms); /* ends idle sessions */
int64_t cw_tsp_udp_deadline(const struct cw_tsp_udp *u); /* when to tick next; INT64_MAX: never */
unsigned cw_tsp_udp_peers(const struct cw_tsp_udp *u);
unsigned cw_tsp_udp_half_open(const struct cw_tsp_udp *u);
