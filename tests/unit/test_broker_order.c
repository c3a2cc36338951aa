/* SPDX-License-Identifier: BSD-2-Clause */
/* What was revoked no longer forwards, in whatever order renewals, refusals and ends meet a slow or
 * failing TEP; and who is told what when somebody asks for a lease its TEP has not confirmed. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "tests/lib/broker-fixture.h"
#include "tests/lib/tsp-fixture.h"

/* A renewal waits 50 ms for others; what ends meanwhile must not come back by it. */
static void renewal_does_not_outlive_its_lease(void **state)
{
	struct bx *b = *state;
	struct cw_lease l;

	assert_int_equal(bx_acquire(b, "ip6:a", 1, &l), 0);
	assert_int_equal(bx_renew(b, "ip6:a", 1, l.addr.v, NULL), 0);
	assert_int_equal(bx_end(b, l.id, CW_END_RELEASE), 0);
	cw_engine_poke(b->engine);
	bx_settle(b);
	assert_null(fake_tep_get(l.addr.v));
	assert_int_equal(fake_tep_count(), 0);
}

/* The same when others' renewals wait with it: those reach the TEP. */
static void other_renewals_go_on(void **state)
{
	struct bx *b = *state;
	struct cw_lease l[3], again;

	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(bx_acquire(b, "ip6:a", i, &l[i]), 0);
	cw_fake_clock_advance(&b->clock, 100 * 1000);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(bx_renew(b, "ip6:a", i, l[i].addr.v, NULL), 0);
	assert_int_equal(bx_end(b, l[1].id, CW_END_RELEASE), 0);
	/* Back again at once, and renewed: the newest tenure's renewal counts. */
	assert_int_equal(bx_acquire(b, "ip6:a", 1, &again), 0);
	assert_int_equal(again.addr.v, l[1].addr.v);
	cw_fake_clock_advance(&b->clock, 100 * 1000);
	assert_int_equal(bx_renew(b, "ip6:a", 1, l[1].addr.v, &again), 0);
	cw_engine_poke(b->engine);
	bx_settle(b);
	assert_int_equal(fake_tep_count(), 3);
	assert_int_equal(fake_tep_get(l[0].addr.v)->expires_boot_ms,
		b->clock.at.boot_ms + (3600 - 100) * 1000);
	assert_int_equal(
		fake_tep_get(l[1].addr.v)->expires_boot_ms, b->clock.at.boot_ms + 3600 * 1000);
	assert_int_equal(fake_tep_get(l[1].addr.v)->lease, again.id);
	assert_int_equal(bx_stats(b).syncs, 1); /* no repair was needed */
}

/* What the TEP refused is tried again, but not after the end of its lease. */
static void refused_renewal_does_not_outlive_its_lease(void **state)
{
	struct bx *b = *state;
	struct cw_lease l;

	assert_int_equal(bx_acquire(b, "ip6:a", 1, &l), 0);
	assert_int_equal(bx_renew(b, "ip6:a", 1, l.addr.v, NULL), 0);
	fake_tep.mode = FAKE_HOLD;
	cw_engine_poke(b->engine); /* on its way */
	bx_settle(b);
	assert_int_equal(fake_tep_held(), 1);
	assert_int_equal(bx_end(b, l.id, CW_END_RELEASE), 0);
	bx_settle(b);
	fake_tep.mode = FAKE_REFUSE; /* the renewal; the removal works */
	fake_tep_answer(false);
	bx_settle(b);
	assert_null(fake_tep_get(l.addr.v));
	fake_tep.mode = FAKE_OK;
	for (unsigned i = 0; i < 40; i++)
		bx_advance(b, 1);
	assert_null(fake_tep_get(l.addr.v));
}

/* Nor does an older renewal that is tried again take time away from a newer one. */
static void retried_renewal_takes_no_time_away(void **state)
{
	struct bx *b = *state;
	struct cw_lease l;

	assert_int_equal(bx_acquire(b, "ip6:a", 1, &l), 0);
	assert_int_equal(bx_renew(b, "ip6:a", 1, l.addr.v, NULL), 0);
	fake_tep.mode = FAKE_HOLD;
	cw_engine_poke(b->engine);
	bx_settle(b);
	cw_fake_clock_advance(&b->clock, 1000 * 1000);
	assert_int_equal(bx_renew(b, "ip6:a", 1, l.addr.v, &l), 0);
	fake_tep.mode = FAKE_REFUSE;
	fake_tep_answer(false);
	fake_tep.mode = FAKE_OK;
	for (unsigned i = 0; i < 40; i++)
		bx_advance(b, 1);
	assert_int_equal(
		fake_tep_get(l.addr.v)->expires_boot_ms, b->clock.at.boot_ms + (3600 - 40) * 1000);
}

/* A client comes again while its first request waits for a TEP that has no room right now: both are
 * answered when it has. */
static void second_request_of_an_unconfirmed_lease(void **state)
{
	struct bx *b = *state;
	struct cw_lease l;
	int first, second;

	fake_tep.mode = FAKE_AGAIN;
	bx_acquire_begin(b, "ip6:a", 1, &first);
	bx_settle(b);
	assert_int_equal(first, 1);
	bx_acquire_begin(b, "ip6:a", 1, &second);
	bx_settle(b);
	fake_tep.mode = FAKE_OK;
	bx_advance(b, 1);
	assert_int_equal(first, 0);
	assert_int_equal(second, 0);
	assert_int_equal(bx_find(b, "ip6:a", 1, &l), 0);
	assert_true(l.confirmed);
}

/* The broker died before the TEP confirmed, and now the TEP is away: the client that asks again is
 * told so at once, keeps its lease, and the address stays taken. */
static void unconfirmed_while_the_tep_is_down(void **state)
{
	struct bx *b = *state;
	struct cw_dp_binding there;
	struct cw_lease l, still;

	b->wait_confirm = false;
	fake_tep.mode = FAKE_HOLD;
	assert_int_equal(bx_acquire(b, "ip6:a", 1, &l), 0); /* answered, never confirmed */
	bx_settle(b);
	there = (struct cw_dp_binding){.lease = l.id, .generation = l.generation};
	for (unsigned i = 0; i < 4; i++)
		there.ipv4[i] = (uint8_t) (l.addr.v >> (24 - 8 * i));
	memcpy(there.ipv6, l.client6.b, sizeof there.ipv6);
	fake_tep_put(&there); /* done, and the broker dies before it hears */
	fake_tep.mode = FAKE_DEAD;
	bx_crash(b);
	b->wait_confirm = true;
	assert_int_equal(bx_acquire(b, "ip6:a", 1, NULL), CW_E_TEP);
	assert_int_equal(bx_find(b, "ip6:a", 1, &still), 0);
	assert_int_equal(still.id, l.id);
	assert_false(still.confirmed);
	/* It ends while the TEP cannot be told: the address is nobody's until it was. */
	assert_int_equal(bx_end(b, l.id, CW_END_RELEASE), 0);
	bx_settle(b);
	for (unsigned i = 2; i <= 12; i++)
		(void) !bx_acquire(b, "ip6:b", i, NULL);
	bx_settle(b);
	assert_int_equal(fake_tep_get(l.addr.v) != NULL, 1);
	assert_int_equal(bx_find(b, "ip6:b", 2, NULL), CW_E_NOT_YOURS);
	fake_tep.mode = FAKE_OK;
	bx_advance(b, 31);
	assert_int_equal(fake_tep_count(), 0);
}

/* Taking a lease along fails at the TEP: the lease was answered before, so it stays. */
static void refused_move_keeps_the_lease(void **state)
{
	struct bx *b = *state;
	struct cw_lease l, moved;

	assert_int_equal(bx_acquire(b, "user:alice", 1, &l), 0);
	fake_tep.mode = FAKE_REFUSE;
	assert_int_equal(bx_renew(b, "user:alice", 2, l.addr.v, NULL), CW_E_TEP);
	bx_settle(b);
	assert_int_equal(bx_find(b, "user:alice", 2, &moved), 0);
	assert_int_equal(moved.addr.v, l.addr.v);
	fake_tep.mode = FAKE_OK;
	bx_advance(b, 40);
	assert_memory_equal(fake_tep_get(l.addr.v)->ipv6, bx_client(2).b, 16);
	assert_int_equal(fake_tep_count(), 1);
}

/* And while the TEP is down, the end of the moved lease does not free the address it forwards. */
static void moved_while_down_is_not_thought_gone(void **state)
{
	struct bx *b = *state;
	struct cw_lease l, moved;
	unsigned got = 0;

	assert_int_equal(bx_acquire(b, "user:alice", 1, &l), 0);
	fake_tep.mode = FAKE_DEAD;
	assert_int_equal(bx_acquire(b, "ip6:b", 9, NULL), CW_E_TEP); /* notices */
	bx_settle(b);
	assert_int_equal(bx_renew(b, "user:alice", 2, l.addr.v, NULL), CW_E_TEP);
	bx_settle(b);
	assert_int_equal(bx_find(b, "user:alice", 2, &moved), 0);
	assert_int_equal(bx_end(b, moved.id, CW_END_RELEASE), 0);
	bx_settle(b);
	assert_non_null(fake_tep_get(l.addr.v)); /* it forwards to the old place */
	/* Somebody else never gets it before the TEP was told. */
	b->wait_confirm = false;
	for (unsigned i = 20; i < 28; i++) {
		struct cw_lease other;

		if (bx_acquire(b, "ip6:c", i, &other) == 0) {
			assert_int_not_equal(other.addr.v, l.addr.v);
			got++;
		}
	}
	assert_int_equal(got, 6); /* eight, without hers and the one the TEP died on */
	fake_tep.mode = FAKE_OK;
	bx_advance(b, 31);
	assert_int_equal(bx_acquire(b, "ip6:c", 30, &moved), 0);
	assert_int_equal(moved.addr.v, l.addr.v);
}

/* Renewed, and the broker dies before the TEP has heard of it: forwarding goes on after the old
 * end. */
static void renewal_the_tep_has_not_heard_of(void **state)
{
	struct bx *b = *state;
	struct cw_lease l;

	assert_int_equal(bx_acquire(b, "ip6:a", 1, &l), 0);
	cw_fake_clock_advance(&b->clock, 3000 * 1000);
	fake_tep.mode = FAKE_HOLD;
	assert_int_equal(bx_renew(b, "ip6:a", 1, l.addr.v, NULL), 0);
	fake_tep.mode = FAKE_OK;
	bx_crash(b);
	assert_int_equal(
		fake_tep_get(l.addr.v)->expires_boot_ms, b->clock.at.boot_ms + 3600 * 1000);
	bx_advance(b, 700); /* past the end it had at first */
	assert_non_null(fake_tep_get(l.addr.v));
	bx_advance(b, 2901);
	assert_null(fake_tep_get(l.addr.v));
}

/* ---- renewals of a TEP that cannot follow ---- */

static int open_wide(void **state)
{
	static const struct bx_pool pool = {.range = "198.18.0.0/15", .lifetime_s = 3600};

	return bx_set_up(state, false, &pool);
}

static int open_short(void **state)
{
	static const struct bx_pool pool = {.range = "198.18.0.0/15", .lifetime_s = 100};

	return bx_set_up(state, false, &pool);
}

static int answers[16384];

static void ask_for(struct bx *b, unsigned from, unsigned n)
{
	for (unsigned i = from; i < from + n; i++)
		bx_acquire_begin(b, "ip6:crowd", i, &answers[i]);
	bx_settle(b);
}

static int64_t left_at_tep_s(const struct bx *b, uint32_t addr)
{
	const struct cw_dp_binding *at = fake_tep_get(addr);

	return at ? (at->expires_boot_ms - b->clock.at.boot_ms) / 1000 : -1;
}

/* More new leases than the TEP can take, always: a renewal reaches it in the next batch all the
 * same. */
static void renewal_passes_a_crowd(void **state)
{
	struct bx *b = *state;
	struct cw_lease l;
	unsigned asked = 10;

	assert_int_equal(bx_acquire(b, "ip6:a", 1, &l), 0);
	cw_fake_clock_advance(&b->clock, 3000 * 1000);
	fake_tep.mode = FAKE_HOLD;
	ask_for(b, asked, 3000);
	asked += 3000;
	assert_int_equal(bx_renew(b, "ip6:a", 1, l.addr.v, NULL), 0);
	cw_engine_poke(b->engine);
	for (unsigned turn = 0; turn < 2; turn++) {
		fake_tep_answer(false);
		ask_for(b, asked, 1500);
		asked += 1500;
	}
	assert_int_equal(left_at_tep_s(b, l.addr.v), 3600);
	fake_tep.mode = FAKE_OK;
	fake_tep_answer(false);
	bx_settle(b);
	for (unsigned i = 10; i < asked; i++)
		assert_int_equal(answers[i], 0);
}

/* The other way round: renewals without end do not hold back what must stop. */
static void end_passes_renewals(void **state)
{
	struct bx *b = *state;
	struct cw_lease gone, *others = calloc(1500, sizeof *others);

	assert_non_null(others);
	assert_int_equal(bx_acquire(b, "ip6:a", 1, &gone), 0);
	for (unsigned i = 0; i < 1500; i++)
		assert_int_equal(bx_acquire(b, "ip6:b", 10 + i, &others[i]), 0);
	fake_tep.mode = FAKE_HOLD;
	ask_for(b, 5000, 1); /* keeps the TEP busy */
	for (unsigned turn = 0; turn < 4; turn++) {
		for (unsigned i = 0; i < 1500; i++)
			assert_int_equal(bx_renew(b, "ip6:b", 10 + i, others[i].addr.v, NULL), 0);
		if (turn == 0)
			assert_int_equal(bx_end(b, gone.id, CW_END_REVOKE), 0);
		cw_engine_poke(b->engine);
		fake_tep_answer(false);
		bx_settle(b);
	}
	assert_null(fake_tep_get(gone.addr.v));
	free(others);
}

/* More renewals than one batch holds: the binding that would end soon goes first. */
static void urgent_renewal_goes_first(void **state)
{
	struct bx *b = *state;
	struct cw_lease l, *others = calloc(2000, sizeof *others);

	assert_non_null(others);
	assert_int_equal(bx_acquire(b, "ip6:a", 1, &l), 0);
	cw_fake_clock_advance(&b->clock, 3000 * 1000);
	for (unsigned i = 0; i < 2000; i++)
		assert_int_equal(bx_acquire(b, "ip6:b", 10 + i, &others[i]), 0);
	cw_fake_clock_advance(&b->clock, 550 * 1000);
	fake_tep.mode = FAKE_HOLD;
	ask_for(b, 5000, 1); /* keeps the TEP busy */
	for (unsigned i = 0; i < 2000; i++)
		assert_int_equal(bx_renew(b, "ip6:b", 10 + i, others[i].addr.v, NULL), 0);
	assert_int_equal(bx_renew(b, "ip6:a", 1, l.addr.v, NULL), 0);
	cw_engine_poke(b->engine);
	fake_tep_answer(false); /* what kept it busy */
	bx_settle(b);
	fake_tep_answer(false); /* the first batch of renewals */
	assert_int_equal(left_at_tep_s(b, l.addr.v), 3600);
	assert_int_equal(left_at_tep_s(b, others[1999].addr.v), 3600 - 550);
	fake_tep.mode = FAKE_OK;
	bx_settle(b);
	fake_tep_answer(false);
	bx_settle(b);
	assert_int_equal(left_at_tep_s(b, others[1999].addr.v), 3600);
	free(others);
}

/* An urgent renewal passes an earlier one of the same lease, which then must not take time away. */
static void urgent_renewal_replaces_the_one_it_passes(void **state)
{
	struct bx *b = *state;
	struct cw_lease l;

	assert_int_equal(bx_acquire(b, "ip6:a", 1, &l), 0);
	cw_fake_clock_advance(&b->clock, 30 * 1000);
	fake_tep.mode = FAKE_HOLD;
	ask_for(b, 10, 1);
	assert_int_equal(bx_renew(b, "ip6:a", 1, l.addr.v, NULL), 0);
	cw_fake_clock_advance(&b->clock, 45 * 1000);
	assert_int_equal(bx_renew(b, "ip6:a", 1, l.addr.v, NULL), 0);
	cw_engine_poke(b->engine);
	for (unsigned i = 0; i < 4; i++) {
		fake_tep_answer(false);
		bx_settle(b);
	}
	assert_int_equal(left_at_tep_s(b, l.addr.v), 100);
}

/* ---- sessions ---- */

static struct tx t;
static struct tx_session first, second;

static bool held(unsigned n)
{
	char who[64], text[CW_ADDR6_STRLEN];
	struct cw_addr6 c = bx_client(n);

	(void) snprintf(who, sizeof who, "ip6:%s", cw_addr6_str(&c, text));
	return bx_find(&t.b, who, n, NULL) == 0;
}

static int open_sessions(void **state)
{
	(void) state;
	tx_open(&t, NULL, NULL, NULL);
	tx_connect(&t, &first, CW_TSP_ON_TCP, 1);
	tx_anonymous(&first, "2.0.0");
	tx_connect(&t, &second, CW_TSP_ON_TCP, 1);
	tx_anonymous(&second, "2.0.0");
	/* The first connection dies while the TEP works on its lease, the client comes again. */
	fake_tep.mode = FAKE_HOLD;
	(void) tx_ask(&first, "create", 1, NULL);
	(void) tx_ask(&second, "create", 1, NULL);
	first.s = cw_tsp_session_free(first.s);
	return 0;
}

static int close_sessions(void **state)
{
	(void) state;
	if (second.s)
		tx_free(&second);
	tx_close(&t);
	return 0;
}

static void settle_tep(void)
{
	fake_tep.mode = FAKE_OK;
	for (unsigned i = 0; i < 4; i++) {
		fake_tep_answer(false);
		bx_settle(&t.b);
	}
}

static void lease_of_a_dead_session_that_was_asked_for_again(void **state)
{
	(void) state;
	settle_tep();
	assert_non_null(strstr(tx_heard(&second), "\n200 "));
	bx_settle(&t.b);
	assert_true(held(1));
	assert_null(strstr(tx_heard(&second), "delete"));
	assert_int_equal(fake_tep_count(), 1);
}

static void lease_of_two_dead_sessions_is_given_back(void **state)
{
	(void) state;
	second.s = cw_tsp_session_free(second.s);
	settle_tep();
	assert_false(held(1));
	assert_int_equal(fake_tep_count(), 0);
}

#define CASE(fn, open) cmocka_unit_test_setup_teardown(fn, open, bx_tear_down)
#define SESSION(fn)    cmocka_unit_test_setup_teardown(fn, open_sessions, close_sessions)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(renewal_does_not_outlive_its_lease, bx_set_up_memory),
		CASE(other_renewals_go_on, bx_set_up_memory),
		CASE(refused_renewal_does_not_outlive_its_lease, bx_set_up_memory),
		CASE(retried_renewal_takes_no_time_away, bx_set_up_memory),
		CASE(second_request_of_an_unconfirmed_lease, bx_set_up_memory),
		CASE(unconfirmed_while_the_tep_is_down, bx_set_up_file),
		CASE(renewal_the_tep_has_not_heard_of, bx_set_up_file),
		CASE(refused_move_keeps_the_lease, bx_set_up_memory),
		CASE(moved_while_down_is_not_thought_gone, bx_set_up_memory),
		CASE(renewal_passes_a_crowd, open_wide),
		CASE(end_passes_renewals, open_wide),
		CASE(urgent_renewal_goes_first, open_wide),
		CASE(urgent_renewal_replaces_the_one_it_passes, open_short),
		SESSION(lease_of_a_dead_session_that_was_asked_for_again),
		SESSION(lease_of_two_dead_sessions_is_given_back),
	};

	return cmocka_run_group_tests_name("order", tests, NULL, NULL);
}
