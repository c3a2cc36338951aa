/* SPDX-License-Identifier: BSD-2-Clause */
/* A whole broker core in one process: fake clock, a loop, a store (in memory, or in a file that
 * survives a crash), the engine and a TEP (fake-dphost). Nothing sleeps: bx_settle() runs the loop
 * until nobody has anything left to do. */
#pragma once

#include "base/clock.h"
#include "base/loop.h"
#include "broker/lease/engine.h"
#include "db/store.h"
#include "tests/lib/cw-cmocka.h"
#include "tests/lib/fake-dphost.h"

struct bx {
	struct cw_fake_clock clock;
	struct cw_loop *loop;
	struct cw_store *store;
	struct cw_engine *engine;
	struct cw_timer *tick;
	char dir[64], path[96];
	char boot_id[40];
	bool ready;
	int health;
	bool wait_confirm; /* of bx_acquire */
};

struct bx_pool {
	const char *range; /* "198.51.100.0/29"; NULL: that */
	uint32_t lifetime_s, quarantine_s, max_leases;
	struct cw_portset shape; /* psid unused */
};

/* file: survives bx_crash(). pool NULL: 198.51.100.0/29, 3600 s, no quarantine. */
void bx_open(struct bx *b, bool file, const struct bx_pool *pool);
void bx_close(struct bx *b);

/* For cmocka_unit_test_setup_teardown(): *state is one as bx_open() makes it; the others without a
 * pool of their own, in memory or in a file. */
int bx_set_up(void **state, bool file, const struct bx_pool *pool);
int bx_set_up_memory(void **state);
int bx_set_up_file(void **state);
int bx_tear_down(void **state);
/* Ends the engine without letting it confirm anything, and starts again on the same file. */
void bx_crash(struct bx *b);
void bx_stop(struct bx *b);  /* its first half, */
void bx_start(struct bx *b); /* and its second */
/* Until the engine is idle (what the TEP holds back does not count). */
void bx_settle(struct bx *b);
void bx_turn(struct bx *b);               /* one event, or five milliseconds */
void bx_advance(struct bx *b, int64_t s); /* the clock, then settle */

/* Requests that are waited for. */
int bx_acquire(
	struct bx *b, const char *who, unsigned n, struct cw_lease *ret); /* client 2001:db8:1::n */
int bx_renew(struct bx *b, const char *who, unsigned n, uint32_t addr,
	struct cw_lease *ret); /* named, may move */
int bx_end(struct bx *b, uint64_t lease, enum cw_end_reason reason);
/* As an operator: 0 when its TEP has stopped. */
int bx_revoke(struct bx *b, uint64_t lease);
int bx_find(struct bx *b, const char *who, unsigned n, struct cw_lease *ret);
/* The same without waiting: *ret must be 1 (running) before; the result replaces it. */
void bx_acquire_begin(struct bx *b, const char *who, unsigned n, int *ret);
void bx_revoke_begin(struct bx *b, uint64_t lease, int *ret);
struct cw_addr6 bx_client(unsigned n);
struct cw_engine_stats bx_stats(struct bx *b);
