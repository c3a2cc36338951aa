/* SPDX-License-Identifier: BSD-2-Clause */
/* The lease engine between a real store and a TEP that does what the test wants. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "broker/lease/steady.h"
#include "tests/lib/broker-fixture.h"

static int open_rest(void **state)
{
	static const struct bx_pool pool = {
		.range = "198.51.100.4/32", .lifetime_s = 100, .quarantine_s = 30};

	return bx_set_up(state, true, &pool);
}

static void grant_reaches_the_tep_before_the_answer(void **state)
{
	struct bx *b = *state;
	const struct cw_dp_binding *bind;
	struct cw_lease l;
	int waiting;

	fake_tep.mode = FAKE_HOLD;
	bx_acquire_begin(b, "ip6:a", 1, &waiting);
	bx_settle(b);
	assert_int_equal(fake_tep_held(), 1);
	assert_int_equal(waiting, 1); /* on disk, not confirmed: no answer */
	fake_tep_answer(false);
	bx_settle(b);
	assert_int_equal(waiting, 0);
	fake_tep.mode = FAKE_OK;
	assert_int_equal(bx_find(b, "ip6:a", 1, &l), 0);
	assert_true(l.confirmed);
	bind = fake_tep_get(l.addr.v);
	assert_non_null(bind);
	assert_int_equal(bind->generation, l.generation);
	assert_memory_equal(bind->ipv6, bx_client(1).b, 16);
	/* The binding ends by itself when the lease does. */
	assert_int_equal(bind->expires_boot_ms, b->clock.at.boot_ms + 3600 * 1000);
}

static void same_client_same_lease(void **state)
{
	struct bx *b = *state;
	struct cw_lease l, again;

	assert_int_equal(bx_acquire(b, "ip6:a", 1, &l), 0);
	bx_advance(b, 1000);
	assert_int_equal(bx_acquire(b, "ip6:a", 1, &again), 0);
	assert_int_equal(l.id, again.id);
	assert_int_equal(again.expires_s, l.expires_s + 1000);
	/* The TEP hears of the later end before the earlier one. */
	cw_engine_poke(b->engine);
	bx_settle(b);
	assert_int_equal(
		fake_tep_get(l.addr.v)->expires_boot_ms, b->clock.at.boot_ms + 3600 * 1000);
	assert_int_equal(bx_stats(b).refreshes, 1);
}

static void release_stops_forwarding_first(void **state)
{
	struct bx *b = *state;
	struct cw_lease l, other;
	int waiting[8];

	assert_int_equal(bx_acquire(b, "ip6:a", 1, &l), 0);
	for (unsigned i = 2; i <= 8; i++)
		assert_int_equal(bx_acquire(b, "ip6:b", i, NULL), 0);
	fake_tep.mode = FAKE_HOLD;
	assert_int_equal(bx_end(b, l.id, CW_END_RELEASE), 0);
	bx_settle(b);
	assert_non_null(fake_tep_get(l.addr.v));
	/* The pool is full until the TEP has stopped, whoever asks. */
	bx_acquire_begin(b, "ip6:c", 100, &waiting[0]);
	bx_settle(b);
	assert_int_not_equal(waiting[0], 0);
	fake_tep_answer(false);
	fake_tep.mode = FAKE_OK;
	bx_settle(b);
	if (waiting[0] != 0) /* it may have been told "full" meanwhile; now it is not */
		assert_int_equal(bx_acquire(b, "ip6:c", 100, &other), 0);
	assert_int_equal(bx_acquire(b, "ip6:c", 100, &other), 0);
	assert_int_equal(other.addr.v, l.addr.v);
	assert_memory_equal(fake_tep_get(l.addr.v)->ipv6, bx_client(100).b, 16);
}

static void refusal_rolls_back(void **state)
{
	struct bx *b = *state;
	struct cw_lease l;

	fake_tep.mode = FAKE_REFUSE;
	assert_int_equal(bx_acquire(b, "ip6:a", 1, NULL), CW_E_TEP);
	bx_settle(b);
	assert_int_equal(bx_find(b, "ip6:a", 1, NULL), CW_E_NOT_YOURS);
	assert_int_equal(bx_stats(b).rollbacks, 1);
	fake_tep.mode = FAKE_OK;
	/* Nothing leaked: all eight addresses are there. */
	for (unsigned i = 1; i <= 8; i++)
		assert_int_equal(bx_acquire(b, "ip6:a", i, &l), 0);
	assert_int_equal(fake_tep_count(), 8);
}

static void dead_tep_refuses_at_once_and_comes_back(void **state)
{
	struct bx *b = *state;
	struct cw_lease l;

	assert_int_equal(bx_acquire(b, "ip6:a", 1, &l), 0);
	fake_tep.mode = FAKE_DEAD;
	assert_int_equal(bx_acquire(b, "ip6:b", 2, NULL), CW_E_TEP);
	bx_settle(b);
	assert_false(cw_engine_can_grant(b->engine));
	for (unsigned i = 3; i < 40; i++) /* more than the pool has: refusals burn no address */
		assert_int_equal(bx_acquire(b, "ip6:b", i, NULL), CW_E_TEP);
	/* What was held is renewed meanwhile, and what ends is not given to anybody. */
	assert_int_equal(bx_renew(b, "ip6:a", 1, l.addr.v, NULL), 0);
	assert_int_equal(bx_end(b, l.id, CW_END_RELEASE), 0);
	bx_settle(b);
	assert_non_null(fake_tep_get(l.addr.v));
	fake_tep.mode = FAKE_OK;
	bx_advance(b, 1);
	assert_true(cw_engine_can_grant(b->engine));
	assert_int_equal(fake_tep_count(), 0);
	bx_advance(b, 2);
	for (unsigned i = 1; i <= 8; i++)
		assert_int_equal(bx_acquire(b, "ip6:c", i, NULL), 0);
}

static void half_dead_tep_is_repaired(void **state)
{
	struct bx *b = *state;

	/* It did what it was asked and said it failed: the client heard no, so no binding may stay.
	 */
	fake_tep.mode = FAKE_DEAD_DONE;
	assert_int_equal(bx_acquire(b, "ip6:a", 1, NULL), CW_E_TEP);
	bx_settle(b);
	assert_int_equal(fake_tep_count(), 1);
	fake_tep.mode = FAKE_OK;
	bx_advance(b, 1);
	assert_int_equal(fake_tep_count(), 0);
	assert_int_equal(bx_acquire(b, "ip6:a", 1, NULL), 0);
}

static void transient_is_tried_again(void **state)
{
	struct bx *b = *state;
	int waiting;

	fake_tep.mode = FAKE_AGAIN;
	bx_acquire_begin(b, "ip6:a", 1, &waiting);
	bx_settle(b);
	assert_int_equal(waiting, 1); /* not told no for that */
	fake_tep.mode = FAKE_OK;
	bx_advance(b, 1);
	assert_int_equal(waiting, 0);
	assert_int_equal(fake_tep_count(), 1);
}

static void refused_removal_is_tried_again(void **state)
{
	struct bx *b = *state;
	struct cw_lease l;

	assert_int_equal(bx_acquire(b, "ip6:a", 1, &l), 0);
	fake_tep.mode = FAKE_REFUSE_REMOVE;
	assert_int_equal(bx_end(b, l.id, CW_END_REVOKE), 0);
	bx_settle(b);
	assert_non_null(fake_tep_get(l.addr.v));
	bx_advance(b, 1);
	assert_non_null(fake_tep_get(l.addr.v));
	fake_tep.mode = FAKE_OK;
	bx_advance(b, 60);
	assert_null(fake_tep_get(l.addr.v));
}

/* Who waits for the stop is told, whatever becomes of it, and the stop comes all the same. */
static void a_revocation_is_waited_for(void **state)
{
	static const enum fake_tep_mode modes[] = {FAKE_REFUSE_REMOVE, FAKE_DEAD};
	struct bx *b = *state;
	struct cw_lease l;
	int again;

	assert_int_equal(bx_acquire(b, "ip6:a", 1, &l), 0);
	assert_int_equal(bx_revoke(b, l.id), 0);
	assert_null(fake_tep_get(l.addr.v));
	assert_int_equal(bx_revoke(b, l.id), CW_E_GONE);
	for (size_t i = 0; i < CW_ARRAY_LEN(modes); i++) {
		assert_int_equal(bx_acquire(b, "ip6:a", 1, &l), 0);
		fake_tep.mode = modes[i];
		assert_int_equal(bx_revoke(b, l.id), CW_E_TEP);
		/* Again: nothing is on its way to the TEP, so it is the time that is up. */
		bx_revoke_begin(b, l.id, &again);
		bx_settle(b);
		assert_int_equal(again, 1);
		for (unsigned k = 0; k < 20 && again == 1; k++)
			bx_advance(b, 1);
		assert_int_equal(again, CW_E_TEP);
		fake_tep.mode = FAKE_OK;
		bx_advance(b, 60);
		assert_null(fake_tep_get(l.addr.v));
		assert_int_equal(bx_revoke(b, l.id), CW_E_GONE);
	}
}

static void expiry_and_quarantine(void **state)
{
	struct bx *b = *state;
	struct cw_lease l;

	assert_int_equal(bx_acquire(b, "ip6:a", 1, &l), 0);
	bx_advance(b, 99);
	assert_int_equal(fake_tep_count(), 1);
	bx_advance(b, 1);
	assert_int_equal(fake_tep_count(), 0);
	assert_int_equal(bx_stats(b).expiries, 1);
	assert_int_equal(bx_acquire(b, "ip6:b", 2, NULL), CW_E_POOL_EMPTY);
	bx_advance(b, 29);
	assert_int_equal(bx_acquire(b, "ip6:b", 2, NULL), CW_E_POOL_EMPTY);
	bx_advance(b, 2);
	assert_int_equal(bx_acquire(b, "ip6:b", 2, NULL), 0);
}

static void full_pool_looks_at_the_clock_itself(void **state)
{
	struct bx *b = *state;
	struct cw_lease l, other;

	assert_int_equal(bx_acquire(b, "ip6:a", 1, &l), 0);
	/* The lease is over and nobody has noticed: not "full", but the expired one's own
	 * quarantine holds. */
	cw_fake_clock_advance(&b->clock, 100 * 1000);
	assert_int_equal(bx_acquire(b, "ip6:b", 2, NULL), CW_E_POOL_EMPTY);
	assert_int_equal(bx_stats(b).expiries, 1);
	cw_fake_clock_advance(&b->clock, 31 * 1000);
	assert_int_equal(bx_acquire(b, "ip6:b", 2, &other), 0);
	assert_int_equal(other.addr.v, l.addr.v);
}

static void full_pool_waits_for_what_is_ending(void **state)
{
	struct bx *b = *state;
	struct cw_lease l;
	int waiting;

	for (unsigned i = 1; i <= 8; i++)
		assert_int_equal(bx_acquire(b, "user:a", i, &l), 0);
	fake_tep.mode = FAKE_HOLD;
	assert_int_equal(bx_end(b, l.id, CW_END_RELEASE), 0);
	bx_acquire_begin(b, "ip6:b", 9, &waiting);
	bx_settle(b);
	assert_int_equal(fake_tep_held(), 1); /* the removal */
	assert_int_equal(waiting, 1);
	fake_tep.mode = FAKE_OK;
	fake_tep_answer(false);
	bx_settle(b);
	assert_int_equal(waiting, 0);
	assert_non_null(fake_tep_get(l.addr.v));
	/* Nothing is ending: no is said at once. */
	assert_int_equal(bx_acquire(b, "ip6:c", 10, NULL), CW_E_POOL_EMPTY);
}

static void move_replaces_the_binding(void **state)
{
	struct bx *b = *state;
	struct cw_lease l, moved;

	assert_int_equal(bx_acquire(b, "user:alice", 1, &l), 0);
	assert_int_equal(bx_renew(b, "user:alice", 2, l.addr.v, &moved), 0);
	assert_int_equal(moved.addr.v, l.addr.v);
	assert_int_not_equal(moved.id, l.id);
	assert_memory_equal(fake_tep_get(l.addr.v)->ipv6, bx_client(2).b, 16);
	assert_int_equal(fake_tep_count(), 1);
	assert_int_equal(bx_stats(b).moves, 1);
}

struct ear {
	struct cw_engine_sub sub;
	unsigned heard;
	uint64_t lease;
	enum cw_end_reason reason;
};

static void on_ended(struct cw_engine_sub *sub, const struct cw_lease *l)
{
	struct ear *e = cw_container_of(sub, struct ear, sub);

	e->heard++;
	e->lease = l->id;
	e->reason = l->reason;
}

static void subscribers_hear_once(void **state)
{
	struct bx *b = *state;
	struct ear ear[4];
	struct cw_lease l, m;

	memset(ear, 0, sizeof ear);
	assert_int_equal(bx_acquire(b, "user:a", 1, &l), 0);
	assert_int_equal(bx_acquire(b, "user:a", 2, &m), 0);
	for (unsigned i = 0; i < 4; i++) {
		ear[i].sub.ended = on_ended;
		assert_int_equal(
			cw_engine_subscribe(b->engine, &ear[i].sub, i < 3 ? l.id : m.id), 0);
	}
	cw_engine_unsubscribe(b->engine, &ear[0].sub); /* the one the map points to */
	cw_engine_unsubscribe(b->engine, &ear[0].sub); /* harmless */
	assert_int_equal(bx_end(b, l.id, CW_END_REVOKE), 0);
	bx_settle(b);
	assert_int_equal(ear[0].heard, 0);
	assert_int_equal(ear[1].heard, 1);
	assert_int_equal(ear[2].heard, 1);
	assert_int_equal(ear[1].reason, CW_END_REVOKE);
	assert_int_equal(ear[3].heard, 0);
	/* A move ends the old tenure for those who listen to it. */
	assert_int_equal(bx_renew(b, "user:a", 3, m.addr.v, NULL), 0);
	assert_int_equal(ear[3].heard, 1);
	assert_int_equal(ear[3].lease, m.id);
	assert_int_equal(ear[3].reason, CW_END_MOVE);
	assert_int_equal(bx_stats(b).subscriptions, 0);
}

static struct cw_dp_binding stranger(uint32_t addr, uint64_t generation)
{
	struct cw_dp_binding s = {.ipv4 = {(uint8_t) (addr >> 24), (uint8_t) (addr >> 16),
					  (uint8_t) (addr >> 8), (uint8_t) addr},
		.lease = 999,
		.generation = generation,
		.expires_boot_ms = INT64_MAX};

	memcpy(s.ipv6, bx_client(77).b, 16);
	return s;
}

static void restart_repairs_both_ways(void **state)
{
	struct bx *b = *state;
	struct cw_lease l[6];
	struct cw_dp_binding s;

	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(bx_acquire(b, "user:a", i + 1, &l[i]), 0);
	fake_tep.mode = FAKE_HOLD;
	assert_int_equal(bx_end(b, l[5].id, CW_END_RELEASE), 0); /* never confirmed */
	bx_settle(b);
	fake_tep_answer(true); /* lost on the way */
	fake_tep.mode = FAKE_OK;
	/* While the broker is away: one binding is lost, one is foreign, one is of another client.
	 */
	fake_tep_reset();
	for (unsigned i = 1; i < 5; i++) {
		s = stranger(l[i].addr.v, l[i].generation);
		memcpy(s.ipv6, bx_client(i + 1).b, 16);
		s.expires_boot_ms = b->clock.at.boot_ms + 3600 * 1000;
		fake_tep_put(&s);
	}
	s = stranger(
		l[4].addr.v, l[4].generation + 1000); /* newer than the store: a restored backup */
	fake_tep_put(&s);
	s = stranger(l[5].addr.v, l[5].generation);
	fake_tep_put(&s);
	s = stranger(0xc0a80001, 5);
	fake_tep_put(&s);
	fake_tep.page = 2; /* many small pages */
	bx_crash(b);
	cw_engine_poke(b->engine);
	bx_settle(b);
	assert_int_equal(fake_tep_count(), 5);
	for (unsigned i = 0; i < 5; i++) {
		const struct cw_dp_binding *have = fake_tep_get(l[i].addr.v);

		assert_non_null(have);
		assert_int_equal(have->generation, l[i].generation);
		assert_memory_equal(have->ipv6, bx_client(i + 1).b, 16);
	}
	/* Three of the six were right already. */
	assert_int_equal(fake_tep.items_applied, 4 + 2 + 1 + 2);
	/* The lease that was ENDING has ended. */
	assert_int_equal(bx_acquire(b, "user:b", 50, NULL), 0);
	assert_int_equal(bx_acquire(b, "user:b", 51, NULL), 0);
	assert_int_equal(bx_acquire(b, "user:b", 52, NULL), 0);
}

static void unconfirmed_survives_a_crash(void **state)
{
	struct bx *b = *state;
	struct cw_lease l;
	int waiting;

	fake_tep.mode = FAKE_HOLD;
	bx_acquire_begin(b, "ip6:a", 1, &waiting);
	bx_settle(b);
	fake_tep.mode = FAKE_OK; /* the apply that is held is lost with the process */
	bx_crash(b);
	assert_int_equal(waiting, CW_E_SHUTDOWN);
	assert_int_equal(bx_find(b, "ip6:a", 1, &l), 0);
	assert_true(l.confirmed);
	assert_non_null(fake_tep_get(l.addr.v));
	assert_int_equal(bx_acquire(b, "ip6:a", 1, NULL), 0);
}

static void dead_tep_at_start_does_not_stop_the_broker(void **state)
{
	struct bx *b = *state;
	struct cw_lease l;

	assert_int_equal(bx_acquire(b, "ip6:a", 1, &l), 0);
	fake_tep.mode = FAKE_DEAD;
	bx_crash(b); /* asserts ready */
	assert_int_equal(bx_renew(b, "ip6:a", 1, l.addr.v, NULL), 0);
	assert_int_equal(bx_acquire(b, "ip6:b", 2, NULL), CW_E_TEP);
	fake_tep.mode = FAKE_OK;
	bx_advance(b, 1);
	assert_int_equal(bx_acquire(b, "ip6:b", 2, NULL), 0);
}

static void expired_while_away(void **state)
{
	struct bx *b = *state;
	struct cw_lease l;

	assert_int_equal(bx_acquire(b, "ip6:a", 1, &l), 0);
	cw_fake_clock_advance(&b->clock, 101 * 1000);
	bx_crash(b);
	bx_settle(b);
	assert_int_equal(fake_tep_count(), 0);
	assert_int_equal(bx_find(b, "ip6:a", 1, NULL), CW_E_NOT_YOURS);
}

static void wall_clock_jumps_expire_nothing(void **state)
{
	struct bx *b = *state;
	struct cw_lease l;

	assert_int_equal(bx_acquire(b, "ip6:a", 1, &l), 0);
	b->clock.at.wall_s += 10 * 365 * 86400; /* while running */
	cw_engine_poke(b->engine);
	bx_settle(b);
	assert_int_equal(bx_find(b, "ip6:a", 1, NULL), 0);
	bx_crash(b); /* the same boot: the wall clock is not looked at */
	assert_int_equal(bx_find(b, "ip6:a", 1, NULL), 0);
	assert_int_equal(bx_stats(b).clock_jumps, 0);
	/* Another boot, the wall clock back at 1970, then far ahead. */
	bx_stop(b);
	(void) memcpy(b->boot_id, "boot-2", 7);
	b->clock.at.boot_ms = 1000;
	b->clock.at.wall_s = 10;
	bx_start(b);
	assert_int_equal(bx_find(b, "ip6:a", 1, &l), 0);
	assert_int_equal(bx_stats(b).clock_jumps, 1);
	assert_true(cw_engine_remaining_s(b->engine, &l) <= 100);
	bx_stop(b);
	(void) memcpy(b->boot_id, "boot-3", 7);
	b->clock.at.wall_s += 100LL * 365 * 86400;
	bx_start(b);
	assert_int_equal(bx_find(b, "ip6:a", 1, NULL), 0);
	/* Nobody is immortal: after the grace period it ends. */
	bx_advance(b, 99);
	assert_int_equal(bx_find(b, "ip6:a", 1, NULL), 0);
	bx_advance(b, 150);
	assert_int_equal(bx_find(b, "ip6:a", 1, NULL), 0);
	bx_advance(b, 60);
	assert_int_equal(bx_find(b, "ip6:a", 1, NULL), CW_E_NOT_YOURS);
	assert_int_equal(fake_tep_count(), 0);
}

static void queued_order_of_one_key_is_kept(void **state)
{
	struct bx *b = *state;
	struct cw_lease l;
	int waiting = 0;

	/* Grant, end, grant, end of the only address, all before the TEP answers the first. */
	b->wait_confirm = false;
	fake_tep.mode = FAKE_HOLD;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(bx_acquire(b, "ip6:a", 1, &l), 0);
		assert_int_equal(bx_end(b, l.id, CW_END_RELEASE), 0);
		bx_settle(b);
		assert_true(fake_tep_held() <= 1); /* a batch holds a key once, the next waits */
		fake_tep_answer(false);
		bx_settle(b);
		fake_tep_answer(false);
		bx_settle(b);
	}
	(void) waiting;
	assert_int_equal(fake_tep_count(), 0);
	fake_tep.mode = FAKE_OK;
}

static void an_old_renewal_never_comes_after_the_end(void **state)
{
	struct bx *b = *state;
	struct cw_lease l;

	/* Waiting for its moment while the lease ends. */
	assert_int_equal(bx_acquire(b, "ip6:a", 1, &l), 0);
	assert_int_equal(bx_renew(b, "ip6:a", 1, l.addr.v, NULL), 0);
	assert_int_equal(bx_end(b, l.id, CW_END_RELEASE), 0);
	bx_settle(b);
	bx_advance(b, 60);
	assert_int_equal(fake_tep_count(), 0);
	/* On its way while the lease ends, then to be tried again. */
	assert_int_equal(bx_acquire(b, "ip6:a", 1, &l), 0);
	assert_int_equal(bx_renew(b, "ip6:a", 1, l.addr.v, NULL), 0);
	fake_tep.mode = FAKE_HOLD;
	cw_engine_poke(b->engine);
	assert_int_equal(fake_tep_held(), 1);
	assert_int_equal(bx_end(b, l.id, CW_END_RELEASE), 0);
	bx_settle(b);
	fake_tep.mode = FAKE_AGAIN;
	fake_tep_answer(false);
	fake_tep.mode = FAKE_OK;
	bx_settle(b);
	bx_advance(b, 60);
	assert_int_equal(fake_tep_count(), 0);
}

static int open_large(void **state)
{
	static const struct bx_pool pool = {.range = "10.0.0.0/18", .lifetime_s = 1000};

	return bx_set_up(state, true, &pool);
}

static uint64_t drift_of(const struct bx *b)
{
	struct cw_engine_tep_status status;

	assert_int_equal(cw_engine_tep_status(b->engine, 1, &status), 0);
	return status.drift;
}

/* More than a page of the store, a list of the TEP, a batch, and what one turn of the loop sends.
 */
static unsigned events_of(const struct bx *b, const char *type)
{
	const struct cw_event_filter of = {.type = type};
	struct cw_page page = {.more = true};
	struct cw_store_reader *r;
	struct cw_event e[16];
	unsigned n = 0;

	assert_int_equal(cw_store_reader_open(b->store, &r), 0);
	while (page.more) {
		int got = cw_read_events(r, &of, &page, e, CW_ARRAY_LEN(e));

		assert_true(got >= 0);
		n += (unsigned) got;
	}
	(void) cw_store_reader_close(r);
	return n;
}

static void thousands(void **state)
{
	static int waiting[11000];
	const unsigned many = cw_test_cases(CW_ARRAY_LEN(waiting), 2200);
	struct bx *b = *state;
	const struct cw_dp_binding *bind;
	unsigned applied;

	for (unsigned i = 0; i < many; i++)
		bx_acquire_begin(b, i % 2 ? "user:a" : "user:b", i, &waiting[i]);
	bx_settle(b);
	for (unsigned i = 0; i < many; i++)
		assert_int_equal(waiting[i], 0);
	assert_int_equal(fake_tep_count(), many);
	/* The TEP has lost everything, then half of it, then nothing. */
	fake_tep_reset();
	bx_crash(b);
	assert_int_equal(fake_tep_count(), many);
	for (unsigned i = 0; i < many; i += 2) {
		bind = fake_tep_get(0x0a000000 + i);
		assert_non_null(bind);
		fake_tep_drop(0x0a000000 + i);
	}
	applied = fake_tep.items_applied;
	fake_tep.page = 777;
	bx_crash(b);
	assert_int_equal(fake_tep_count(), many);
	assert_int_equal(fake_tep.items_applied - applied, many / 2);
	assert_int_equal(drift_of(b), 0);
	applied = fake_tep.items_applied;
	bx_crash(b);
	assert_int_equal(fake_tep.items_applied, applied);
	/* A comparison while the broker works finds what went missing. */
	assert_int_equal(events_of(b, "tep.drift"), 0); /* it was known to have lost the rest */
	fake_tep_drop(0x0a000005);
	cw_engine_resync(b->engine);
	bx_settle(b);
	assert_non_null(fake_tep_get(0x0a000005));
	assert_int_equal(events_of(b, "tep.drift"), 1);
	assert_int_equal(drift_of(b), 1);
	/* All end at once. */
	bx_advance(b, 1001);
	assert_int_equal(fake_tep_count(), 0);
	assert_int_equal(bx_stats(b).expiries, many);
	assert_int_equal(bx_acquire(b, "user:a", 1, NULL), 0);
}

static void a_tep_nobody_opened(void **state)
{
	struct bx *b = *state;
	struct cw_range range = {.lo.v = 0xcb007100, .hi.v = 0xcb007103};
	struct cw_op op = {.kind = CW_OP_TEP_ADD};

	/* Added at run time, as an operator's interface will: the engine knows it after a restart.
	 */
	(void) snprintf(op.u.tep.name, sizeof op.u.tep.name, "late");
	(void) snprintf(op.u.tep.plugin, sizeof op.u.tep.plugin, "fake");
	op.u.tep.ipv6 = bx_client(0xfff0);
	assert_int_equal(cw_store_run(b->store, &op), 0);
	memset(&op, 0, sizeof op);
	op.kind = CW_OP_POOL_ADD;
	(void) snprintf(op.u.pool.pool.name, sizeof op.u.pool.pool.name, "late");
	(void) snprintf(op.u.pool.tep, sizeof op.u.pool.tep, "late");
	op.u.pool.ranges = &range;
	op.u.pool.n_ranges = 1;
	assert_int_equal(cw_store_run(b->store, &op), 0);
	for (unsigned i = 1; i <= 8; i++)
		assert_int_equal(bx_acquire(b, "ip6:a", i, NULL), 0);
	for (unsigned i = 10; i < 20; i++)
		assert_int_equal(bx_acquire(b, "ip6:a", i, NULL), CW_E_TEP);
	bx_crash(b);
	for (unsigned i = 10; i < 14; i++)
		assert_int_equal(bx_acquire(b, "ip6:a", i, NULL), 0);
	assert_int_equal(bx_acquire(b, "ip6:a", 14, NULL), CW_E_POOL_EMPTY);
}

static void a_binding_ahead_of_the_store(void **state)
{
	struct bx *b = *state;
	struct cw_lease l;
	struct cw_dp_binding s;

	/* A TEP that knows a newer generation than the store (a restored backup) refuses ours: it
	 * is compared, and ours takes its place. */
	assert_int_equal(bx_acquire(b, "ip6:a", 1, &l), 0);
	s = stranger(l.addr.v, l.generation + 500);
	fake_tep_put(&s);
	assert_int_equal(bx_renew(b, "ip6:a", 1, l.addr.v, NULL), 0);
	cw_engine_poke(b->engine);
	bx_settle(b);
	bx_advance(b, 60);
	assert_non_null(fake_tep_get(l.addr.v));
	assert_memory_equal(fake_tep_get(l.addr.v)->ipv6, bx_client(1).b, 16);
}

static void the_steady_line(void **state)
{
	const struct cw_op_heartbeat hb = {.boot_id = "a", .boot_ms = 500000};
	const struct cw_store_time at = {.steady_s = 10000, .wall_s = 70000};
	static const struct {
		const char *boot;
		int64_t wall_s, boot_ms, steady_s;
		enum cw_steady_how how;
		const char *name;
	} cases[] = {
		{"a", 70010, 510000, 10010, CW_STEADY_SAME_BOOT, "same-boot"},
		{"a", 0, 510000, 10010, CW_STEADY_SAME_BOOT, "same-boot"},
		{"a", 1LL << 40, 500000, 10000, CW_STEADY_SAME_BOOT, "same-boot"},
		{"a", 70100, 400, 10100, CW_STEADY_NEW_BOOT, "new-boot"},
		{"b", 70100, 900000, 10100, CW_STEADY_NEW_BOOT, "new-boot"},
		{"b", 69999, 400, 10000, CW_STEADY_BACKWARDS, "backwards"},
		{"b", -5, 400, 10000, CW_STEADY_BACKWARDS, "backwards"},
		{"b", 70000 + 3601, 400, 10000, CW_STEADY_JUMP, "jump"},
		{"b", 70000 + 3600, 400, 13600, CW_STEADY_NEW_BOOT, "new-boot"},
	};
	struct cw_steady s;
	struct cw_op_heartbeat again;
	struct cw_store_time again_at;

	(void) state;
	for (size_t i = 0; i < CW_ARRAY_LEN(cases); i++) {
		struct cw_now now = {.wall_s = cases[i].wall_s, .boot_ms = cases[i].boot_ms};

		assert_int_equal(
			cw_steady_init(&s, &hb, &at, cases[i].boot, now, 3600), cases[i].how);
		assert_string_equal(cw_steady_how_name(cases[i].how), cases[i].name);
		assert_int_equal(cw_steady_s(&s, now.boot_ms), cases[i].steady_s);
	}
	/* A new database begins at the wall clock; a thousand restarts lose no millisecond. */
	assert_int_equal(cw_steady_init(&s, NULL, NULL, "a",
				 (struct cw_now){.wall_s = 77, .boot_ms = 1234}, 3600),
		CW_STEADY_FRESH);
	assert_string_equal(cw_steady_how_name(CW_STEADY_FRESH), "fresh");
	for (int64_t ms = 1999; ms < 1000000; ms += 999) {
		struct cw_steady before = s;

		cw_steady_heartbeat(&s, (struct cw_now){.boot_ms = ms}, "a", &again, &again_at);
		(void) cw_steady_init(
			&s, &again, &again_at, "a", (struct cw_now){.boot_ms = ms + 3}, 3600);
		assert_int_equal(s.offset_ms, before.offset_ms);
	}
	assert_int_equal(cw_steady_s(&(struct cw_steady){0}, -1), -1); /* down, not towards zero */
	assert_int_equal(cw_steady_boot_ms(&(struct cw_steady){.offset_ms = 500}, 2), 1500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			grant_reaches_the_tep_before_the_answer, bx_set_up_memory, bx_tear_down),
		cmocka_unit_test_setup_teardown(
			same_client_same_lease, bx_set_up_memory, bx_tear_down),
		cmocka_unit_test_setup_teardown(
			release_stops_forwarding_first, bx_set_up_memory, bx_tear_down),
		cmocka_unit_test_setup_teardown(refusal_rolls_back, bx_set_up_memory, bx_tear_down),
		cmocka_unit_test_setup_teardown(
			dead_tep_refuses_at_once_and_comes_back, bx_set_up_memory, bx_tear_down),
		cmocka_unit_test_setup_teardown(
			half_dead_tep_is_repaired, bx_set_up_memory, bx_tear_down),
		cmocka_unit_test_setup_teardown(
			transient_is_tried_again, bx_set_up_memory, bx_tear_down),
		cmocka_unit_test_setup_teardown(
			refused_removal_is_tried_again, bx_set_up_memory, bx_tear_down),
		cmocka_unit_test_setup_teardown(
			a_revocation_is_waited_for, bx_set_up_memory, bx_tear_down),
		cmocka_unit_test_setup_teardown(expiry_and_quarantine, open_rest, bx_tear_down),
		cmocka_unit_test_setup_teardown(
			full_pool_looks_at_the_clock_itself, open_rest, bx_tear_down),
		cmocka_unit_test_setup_teardown(
			full_pool_waits_for_what_is_ending, bx_set_up_memory, bx_tear_down),
		cmocka_unit_test_setup_teardown(
			move_replaces_the_binding, bx_set_up_memory, bx_tear_down),
		cmocka_unit_test_setup_teardown(
			subscribers_hear_once, bx_set_up_memory, bx_tear_down),
		cmocka_unit_test_setup_teardown(
			restart_repairs_both_ways, bx_set_up_file, bx_tear_down),
		cmocka_unit_test_setup_teardown(
			unconfirmed_survives_a_crash, bx_set_up_file, bx_tear_down),
		cmocka_unit_test_setup_teardown(
			dead_tep_at_start_does_not_stop_the_broker, bx_set_up_file, bx_tear_down),
		cmocka_unit_test_setup_teardown(expired_while_away, open_rest, bx_tear_down),
		cmocka_unit_test_setup_teardown(
			wall_clock_jumps_expire_nothing, open_rest, bx_tear_down),
		cmocka_unit_test_setup_teardown(thousands, open_large, bx_tear_down),
		cmocka_unit_test_setup_teardown(a_tep_nobody_opened, bx_set_up_file, bx_tear_down),
		cmocka_unit_test_setup_teardown(
			a_binding_ahead_of_the_store, bx_set_up_memory, bx_tear_down),
		cmocka_unit_test(the_steady_line),
		cmocka_unit_test_setup_teardown(
			an_old_renewal_never_comes_after_the_end, bx_set_up_memory, bx_tear_down),
		cmocka_unit_test_setup_teardown(
			queued_order_of_one_key_is_kept, open_rest, bx_tear_down),
	};

	return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
