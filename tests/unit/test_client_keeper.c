/* SPDX-License-Identifier: BSD-2-Clause */
/* The client's way to a lease on a fake clock: versions, refusals, busy brokers, redirects, back-off,
 * and what counts as a lease. Losing it again is test_client_keeper_hold.c's. */
#include "config.h"

#include <stdio.h>

#include "base/defs.h"
#include "client/exit.h"
#include "tests/lib/addr-of.h"
#include "tests/lib/keeper-rig.h"

static void acquire_renew_release(void **state)
{
	struct rig *r = holding(one, 3600);

	(void) state;
	assert_string_equal(cw_keeper_state(&r->k), "held");
	assert_int_equal(r->k.lease.expires_wall_s, 1700000000 + 3600);
	assert_int_equal(to_deadline(r), 1800 * 1000);
	wants(r, "create(192.0.2.10)");
	assert_string_equal(cw_keeper_state(&r->k), "renewing");
	wait_ms(r, 20);
	leased(r, "192.0.2.10", 3600);
	wants(r, "accept RENEWED(192.0.2.10)");
	/* The other end of the dice: 5/8 of the lifetime, so there is room for more tries before
	 * 7/8. */
	r->dice = 3600 / 8 * 1000 - 1;
	/* counted from the request */
	assert_int_equal(to_deadline(r), 1800 * 1000 - 20);
	wants(r, "create(192.0.2.10)");
	leased(r, "192.0.2.10", 3600);
	wants(r, "accept RENEWED(192.0.2.10)");
	assert_int_equal(to_deadline(r), 3600 / 8 * 5 * 1000 - 1);
	wants(r, "create(192.0.2.10)");
	leased(r, "192.0.2.10", 3600);
	wants(r, "accept RENEWED(192.0.2.10)");
	cw_keeper_stop(&r->k, false, now(r));
	wants(r, "DOWN(stop) delete(192.0.2.10)");
	assert_string_equal(cw_keeper_state(&r->k), "releasing");
	replied(r, 200, CW_TSP_DONE);
	wants(r, "disconnect EXIT(0)");
	assert_int_equal(cw_keeper_deadline(&r->k), INT64_MAX);
	done(r);
}

static void once(void **state)
{
	struct rig *r = rig_of(one);

	(void) state;
	r->conf.once = true;
	start(r);
	wants(r, "connect(a:3653,2.0.0)");
	is_ready(r);
	wants(r, "create()");
	leased(r, "192.0.2.10", 60);
	wants(r, "accept UP(192.0.2.10) DOWN(stop,kept) disconnect EXIT(0)");
	done(r);
	r = rig_of(one);
	r->conf.once = r->conf.release = true;
	start(r);
	is_ready(r);
	wants(r, "connect(a:3653,2.0.0) create()");
	leased(r, "192.0.2.10", 60);
	wants(r, "accept UP(192.0.2.10) DOWN(stop) delete(192.0.2.10)");
	replied(r, 200, CW_TSP_DONE);
	wants(r, "disconnect EXIT(0)");
	done(r);
}

static void versions(void **state)
{
	struct rig *r = rig_of(one);

	(void) state;
	start(r);
	wants(r, "connect(a:3653,2.0.0)");
	closed(r, CW_TSP_WHY_VERSION);
	wants(r, "disconnect connect(a:3653,1.0)");
	is_ready(r);
	leased(r, "192.0.2.10", 60);
	wants(r, "create() accept UP(192.0.2.10)");
	/* What it took is remembered. */
	closed(r, CW_TSP_WHY_LOST);
	wants(r, "disconnect");
	(void) to_deadline(r);
	wants(r, "connect(a:3653,1.0)");
	done(r);
	r = rig_of(one);
	start(r);
	closed(r, CW_TSP_WHY_VERSION);
	closed(r, CW_TSP_WHY_VERSION);
	wants(r,
		"connect(a:3653,2.0.0) disconnect connect(a:3653,1.0) disconnect disconnect EXIT(8)");
	done(r);
}

static void refused_at_first(void **state)
{
	static const struct {
		unsigned code;
		enum cw_tsp_event status;
		const char *exit;
	} cases[] = {
		{301, CW_TSP_POOL_EMPTY, "3"},
		{300, CW_TSP_AUTH, "4"},
		{303, CW_TSP_TYPE, "6"},
		{307, CW_TSP_TEP, "6"},
		{308, CW_TSP_ADDRESS, "6"}, /* no address was named */
		{310, CW_TSP_INTERNAL, "6"},
		{502, CW_TSP_BAD_V6, "6"},
		{599, CW_TSP_EVENTS, "6"},
	};
	static const struct {
		enum cw_tsp_why why;
		const char *exit;
	} whys[] = {
		{CW_TSP_WHY_LOST, "5"},
		{CW_TSP_WHY_TIMEOUT, "5"},
		{CW_TSP_WHY_PROTOCOL, "8"},
		{CW_TSP_WHY_AUTH, "4"},
		{CW_TSP_WHY_PROOF, "4"},
		{CW_TSP_WHY_MECHANISM, "4"},
		{CW_TSP_WHY_TYPE, "6"},
		{CW_TSP_WHY_NOMEM, "1"},
	};
	char want[128];

	(void) state;
	for (size_t i = 0; i < CW_ARRAY_LEN(cases); i++) {
		struct rig *r = rig_of(two);

		start(r);
		is_ready(r);
		replied(r, cases[i].code, cases[i].status);
		wants(r, "connect(a:3653,2.0.0) create() disconnect connect(b:3653,2.0.0)");
		cw_keeper_unreachable(&r->k, CW_EXIT_UNREACHABLE, "gone", now(r));
		/* The answer counts, not the silence of the other. */
		(void) snprintf(want, sizeof want, "disconnect disconnect EXIT(%s)", cases[i].exit);
		wants(r, want);
		done(r);
	}
	for (size_t i = 0; i < CW_ARRAY_LEN(whys); i++) {
		struct rig *r = rig_of(one);

		start(r);
		closed(r, whys[i].why);
		(void) snprintf(want, sizeof want,
			"connect(a:3653,2.0.0) disconnect disconnect EXIT(%s)", whys[i].exit);
		wants(r, want);
		done(r);
	}
}

static void busy(void **state)
{
	struct rig *r = rig_of(one);

	(void) state;
	r->dice = 0;
	start(r);
	is_ready(r);
	wants(r, "connect(a:3653,2.0.0) create()");
	replied(r, 530, CW_TSP_OVERLOAD);
	wants(r, "");
	assert_string_equal(cw_keeper_state(&r->k), "waiting");
	assert_int_equal(to_deadline(r), 500); /* half of a second, then of two */
	wants(r, "create()");
	replied(r, 521, CW_TSP_IN_PROGRESS);
	assert_int_equal(to_deadline(r), 1000);
	wants(r, "create()");
	replied(r, 530, CW_TSP_OVERLOAD);
	wants(r, "disconnect disconnect EXIT(7)");
	done(r);
}

static void persistent(void **state)
{
	struct rig *r = rig_of(one);
	int64_t last = 0;

	(void) state;
	r->conf.persist = true;
	start(r);
	wants(r, "connect(a:3653,2.0.0)");
	/* Exponential up to the cap, for ever. */
	for (int i = 0; i < 20; i++) {
		cw_keeper_unreachable(&r->k, CW_EXIT_UNREACHABLE, "refused", now(r));
		wants(r, "disconnect");
		last = to_deadline(r);
		assert_int_equal(last, i < 9 ? 500 << i : 150 * 1000);
		wants(r, "connect(a:3653,2.0.0)");
	}
	/* With other dice the delay lies between half and all of it. */
	r->dice = 150 * 1000 - 1;
	cw_keeper_unreachable(&r->k, CW_EXIT_UNREACHABLE, "refused", now(r));
	wants(r, "disconnect");
	assert_int_equal(to_deadline(r), 300 * 1000 - 1);
	wants(r, "connect(a:3653,2.0.0)");
	is_ready(r);
	wants(r, "create()");
	for (int i = 0; i < 10; i++) {
		replied(r, 301, CW_TSP_POOL_EMPTY);
		wants(r, "disconnect");
		(void) to_deadline(r);
		wants(r, "connect(a:3653,2.0.0)");
		is_ready(r);
		wants(r, "create()");
	}
	done(r);
}

static void redirects(void **state)
{
	struct rig *r = rig_of(one);
	char to[8] = "b";
	char want[128];

	(void) state;
	start(r);
	wants(r, "connect(a:3653,2.0.0)");
	/* Five hops, no more. */
	for (int hop = 0; hop < 5; hop++, to[0]++) {
		is_ready(r);
		wants(r, "create()");
		redirected(r, 1301, CW_TSP_POOL_EMPTY, to);
		(void) snprintf(want, sizeof want, "disconnect connect(%s:3653,2.0.0)", to);
		wants(r, want);
	}
	is_ready(r);
	redirected(r, 1301, CW_TSP_POOL_EMPTY, "z");
	wants(r, "create() disconnect disconnect EXIT(3)");
	done(r);
	/* Never the same broker twice. */
	r = rig_of(one);
	start(r);
	is_ready(r);
	redirected(r, 1301, CW_TSP_POOL_EMPTY, "B.example:3653");
	wants(r, "connect(a:3653,2.0.0) create() disconnect connect(b.example:3653,2.0.0)");
	assert_true(r->brokers.list[r->brokers.current].exposed);
	is_ready(r);
	redirected(r, 1301, CW_TSP_POOL_EMPTY, "a");
	wants(r, "create() disconnect disconnect EXIT(3)");
	done(r);
	/* The one that gave the lease is asked first from then on. */
	r = rig_of(one);
	start(r);
	is_ready(r);
	redirected(r, 1301, CW_TSP_POOL_EMPTY, "b");
	is_ready(r);
	leased(r, "192.0.2.10", 3600);
	wants(r,
		"connect(a:3653,2.0.0) create() disconnect connect(b:3653,2.0.0) create() accept UP(192.0.2.10)");
	closed(r, CW_TSP_WHY_LOST);
	wants(r, "disconnect");
	(void) to_deadline(r);
	wants(r, "connect(b:3653,2.0.0)");
	done(r);
}

static void unusable_offers(void **state)
{
	struct rig *r = rig_of(one);
	struct cw_tsp_msg msg = msg_of(CW_TSP_INFO, NULL, "2001:db8::1", 60);

	(void) state;
	start(r);
	is_ready(r);
	wants(r, "connect(a:3653,2.0.0) create()");
	heard_event(r,
		(struct cw_tsp_client_event){
			.type = CW_TSP_EV_REPLY, .code = 200, .status = CW_TSP_DONE, .msg = &msg});
	wants(r, "reject disconnect disconnect EXIT(8)");
	done(r);
}

static void restored(void **state)
{
	struct rig *r = rig_of(one);
	const struct cw_addr4 old = four("192.0.2.10");

	(void) state;
	cw_keeper_start(&r->k, &old, now(r));
	is_ready(r);
	wants(r, "connect(a:3653,2.0.0) create(192.0.2.10)");
	leased(r, "192.0.2.10", 60);
	wants(r, "accept UP(192.0.2.10)");
	done(r);
	r = rig_of(one);
	cw_keeper_start(&r->k, &old, now(r));
	is_ready(r);
	replied(r, 308, CW_TSP_ADDRESS);
	wants(r, "connect(a:3653,2.0.0) create(192.0.2.10) create()");
	done(r);
}

/* Minutes only in 2.x, and only if told (guide tsp.md 8). */
static void minutes(void **state)
{
	struct rig *r = rig_of(one);

	(void) state;
	r->conf.minutes = true;
	start(r);
	is_ready(r);
	leased(r, "192.0.2.10", 10);
	assert_int_equal(r->k.lease.tsp.lifetime_s, 600);
	done(r);
	r = rig_of(one);
	r->conf.minutes = true;
	r->conf.version = "1.0";
	cw_keeper_init(&r->k, &r->conf, &r->brokers);
	start(r);
	is_ready(r);
	leased(r, "192.0.2.10", 10);
	assert_int_equal(r->k.lease.tsp.lifetime_s, 10);
	done(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(acquire_renew_release),
		cmocka_unit_test(once),
		cmocka_unit_test(versions),
		cmocka_unit_test(refused_at_first),
		cmocka_unit_test(busy),
		cmocka_unit_test(persistent),
		cmocka_unit_test(redirects),
		cmocka_unit_test(unusable_offers),
		cmocka_unit_test(restored),
		cmocka_unit_test(minutes),
	};

	return cmocka_run_group_tests_name("client keeper", tests, NULL, NULL);
}
