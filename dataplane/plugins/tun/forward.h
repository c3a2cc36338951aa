/* SPDX-License-Identifier: BSD-2-Clause */
/* The two forwarding threads of a TEP. They share with the host's thread: the binding table (its
 * lock), the counters (relaxed atomics, one writer each) and the stop event. */
#pragma once

#include <pthread.h>
#include <stdbool.h>

#include "dataplane/plugins/tun/decide.h"
#include "dataplane/plugins/tun/device.h"
#include "dataplane/plugins/tun/sockets.h"

enum cw_tun_frag_mode { CW_TUN_FRAG_INNER, CW_TUN_FRAG_OUTER, CW_TUN_FRAG_OUTER_IGNORE_DF };

/* What one direction did. One writer, read by anyone: CW_TUN_COUNT and CW_TUN_READ. */
struct cw_tun_counts {
	uint64_t verdicts[CW_TUN_VERDICTS];
	uint64_t packets, bytes;
	uint64_t hairpin;    /* up: to another client */
	uint64_t merged;     /* came in one piece made of several */
	uint64_t joined;     /* up: passed on as a part of another one */
	uint64_t fragmented; /* down: cut by us */
	uint64_t icmp_sent, icmp_limited;
	uint64_t errors;  /* down: ICMPv6 errors about our tunnel packets */
	uint64_t batches; /* odd: inside one */
};
#define CW_TUN_COUNT(c, n) \
	__atomic_store_n(  \
		&(c), __atomic_load_n(&(c), __ATOMIC_RELAXED) + (uint64_t) (n), __ATOMIC_RELAXED)
#define CW_TUN_READ(c) __atomic_load_n(&(c), __ATOMIC_RELAXED)

/* A bucket of tokens, for ICMP (RFC 7596 9: MUST be rate-limited). One per thread. */
struct cw_tun_limit {
	int64_t at_ms, tokens_milli;
	uint32_t per_s;
};
bool cw_tun_limit_ok(struct cw_tun_limit *l, int64_t now_ms);

struct cw_tun_up;
struct cw_tun_down;

struct cw_tun {
	const struct cw_dp_host *host;
	uint8_t tep6[16];
	uint8_t tep4[4];
	struct cw_tun_rules rules;
	struct cw_tun_device device;
	struct cw_tun_sockets sockets;
	unsigned mtu; /* of the tunnel */
	enum cw_tun_frag_mode fragment;
	int tclass; /* -1: copy */
	bool pmtu;  /* learn from packet too big */
	bool icmp_unreach;
	uint32_t icmp_per_s;
	unsigned batch;
	unsigned gather_us;

	int stop; /* eventfd */
	bool running;
	struct cw_tun_up *up;
	struct cw_tun_down *down;
	pthread_t up_thread, down_thread;
	struct cw_tun_counts up_counts, down_counts;

	uint8_t cookie[16]; /* of a probe; set before the threads start */
	uint64_t cookies_seen;
};

/* Allocates and starts both threads. Negative errno. */
int cw_tun_forward_start(struct cw_tun *t);
/* Stops and frees. */
void cw_tun_forward_stop(struct cw_tun *t);
/* Waits until no packet decided before this call is still on its way: at most one batch of each
 * thread. */
void cw_tun_forward_settle(const struct cw_tun *t);

/* The threads' halves (up.c, down.c). */
struct cw_tun_up *cw_tun_up_new(struct cw_tun *t);
struct cw_tun_up *cw_tun_up_free(struct cw_tun_up *u);
void *cw_tun_up_run(void *arg); /* struct cw_tun_up */
struct cw_tun_down *cw_tun_down_new(struct cw_tun *t);
struct cw_tun_down *cw_tun_down_free(struct cw_tun_down *d);
void *cw_tun_down_run(void *arg); /* struct cw_tun_down */

/* CLOCK_BOOTTIME in milliseconds. */
int64_t cw_tun_now_ms(void);
