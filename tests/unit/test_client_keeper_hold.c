/* SPDX-License-Identifier: BSD-2-Clause */
/* The client with a lease on a fake clock: what every loss, delete, expiry, move, suspend and wish
 * of the user leads to, and in which order. Getting one is test_client_keeper.c's. */
#include "config.h"

#include "base/prog.h"
#include "client/exit.h"
#include "tests/lib/addr-of.h"
#include "tests/lib/keeper-rig.h"

/* A broker's restart: the tunnel is not touched, and no other broker is asked, which might not know
 * the lease. */
static void broker_restart(void **state)
{
	struct rig *r = holding(two, 3600);

	(void) state;
	wait_ms(r, 1000);
	closed(r, CW_TSP_WHY_LOST);
	wants(r, "disconnect");
	assert_string_equal(cw_keeper_state(&r->k), "held-offline");
	assert_int_equal(to_deadline(r), 500);
	wants(r, "connect(a:3653,2.0.0)");
	cw_keeper_unreachable(&r->k, CW_EXIT_UNREACHABLE, "refused", now(r));
	wants(r, "disconnect");
	assert_int_equal(to_deadline(r), 1000);
	wants(r, "connect(a:3653,2.0.0)");
	is_ready(r);
	wants(r, "create(192.0.2.10)");
	leased(r, "192.0.2.10", 3600);
	wants(r, "accept RENEWED(192.0.2.10)");
	done(r);
}

/* The broker stays away: others from 7/8 on, the tunnel until the lease is over and not longer. */
static void broker_lost(void **state)
{
	struct rig *r = holding(two, 800);
	bool asked_b = false;
	int64_t begin = now(r).boot_ms;

	(void) state;
	closed(r, CW_TSP_WHY_LOST);
	wants(r, "disconnect");
	while (r->k.has_lease) {
		int64_t left = cw_keeper_deadline(&r->k) - now(r).boot_ms;

		assert_true(left > 0);
		wait_ms(r, left);
		if (!r->k.has_lease)
			break;
		wants(r, "connect(a:3653,2.0.0)");
		cw_keeper_unreachable(&r->k, CW_EXIT_UNREACHABLE, "refused", now(r));
		if (now(r).boot_ms - begin < 700 * 1000) {
			wants(r, "disconnect");
			continue;
		}
		wants(r, "disconnect connect(b:3653,2.0.0)");
		cw_keeper_unreachable(&r->k, CW_EXIT_UNREACHABLE, "refused", now(r));
		wants(r, "disconnect");
		asked_b = true;
	}
	assert_true(asked_b);
	assert_int_equal(now(r).boot_ms - begin, 800 * 1000);
	assert_memory_equal((wants(r, "DOWN(expired) connect(a:3653,2.0.0)"), r->words), "DOWN", 4);
	is_ready(r);
	wants(r, "create(192.0.2.10)"); /* it may still be free for us */
	replied(r, 308, CW_TSP_ADDRESS);
	wants(r, "create()");
	leased(r, "192.0.2.11", 800);
	wants(r, "accept UP(192.0.2.11)");
	done(r);
}

/* Failures while the lease lasted do not count once it is over: then each wait is without IPv4. */
static void expiry_begins_anew(void **state)
{
	struct rig *r = holding(one, 3600);

	(void) state;
	closed(r, CW_TSP_WHY_LOST);
	while (r->k.has_lease) {
		wait_ms(r, cw_keeper_deadline(&r->k) - now(r).boot_ms);
		if (r->k.has_lease)
			cw_keeper_unreachable(&r->k, CW_EXIT_UNREACHABLE, "refused", now(r));
	}
	assert_int_equal(r->k.attempt, 0);
	cw_keeper_unreachable(&r->k, CW_EXIT_UNREACHABLE, "refused", now(r));
	assert_true(cw_keeper_next_try(&r->k) <= now(r).boot_ms + CW_KEEPER_RETRY_MIN_MS);
	done(r);
}

/* A broker that gives a lease and hangs up, or takes it back, each time: the pauses grow all the
 * same. Once a lease has lasted they begin anew. */
static void success_that_does_not_last(void **state)
{
	struct rig *r = holding(one, 3600);

	(void) state;
	for (int i = 0; i < 5; i++) {
		closed(r, CW_TSP_WHY_LOST);
		wants(r, "disconnect");
		assert_int_equal(to_deadline(r), 500 << i);
		wants(r, "connect(a:3653,2.0.0)");
		is_ready(r);
		wants(r, "create(192.0.2.10)");
		leased(r, "192.0.2.10", 3600);
		wants(r, "accept RENEWED(192.0.2.10)");
		assert_int_equal(cw_keeper_next_try(&r->k), INT64_MAX);
	}
	deleted(r, "192.0.2.10");
	wants(r, "DOWN(deleted) ack(192.0.2.10)");
	assert_int_equal(to_deadline(r), 500 << 5);
	wants(r, "create()");
	leased(r, "192.0.2.10", 4); /* renewed more often than that: it lasts, too */
	wants(r, "accept UP(192.0.2.10)");
	for (int i = 0; i < 5; i++) {
		assert_int_equal(to_deadline(r), 2000);
		wants(r, "create(192.0.2.10)");
		leased(r, "192.0.2.10", 4);
		wants(r, "accept RENEWED(192.0.2.10)");
	}
	closed(r, CW_TSP_WHY_LOST);
	wants(r, "disconnect");
	assert_int_equal(to_deadline(r), 500);
	wants(r, "connect(a:3653,2.0.0)");
	done(r);
}

static void renewal_refused(void **state)
{
	struct rig *r = holding(one, 3600);

	(void) state;
	/* 308: gone, at once; another one on the same connection (DSTM 2.2). */
	(void) to_deadline(r);
	wants(r, "create(192.0.2.10)");
	replied(r, 308, CW_TSP_ADDRESS);
	wants(r, "DOWN(gone) create()");
	leased(r, "192.0.2.77", 3600);
	wants(r, "accept UP(192.0.2.77)");
	/* Anything else: the lease is ours until its end; asked again, also when the pool is said
	 * to be empty. */
	(void) to_deadline(r);
	wants(r, "create(192.0.2.77)");
	replied(r, 301, CW_TSP_POOL_EMPTY);
	wants(r, "");
	(void) to_deadline(r);
	wants(r, "create(192.0.2.77)");
	replied(r, 530, CW_TSP_OVERLOAD);
	wants(r, "");
	(void) to_deadline(r);
	wants(r, "create(192.0.2.77)");
	leased(r, "192.0.2.77", 3600);
	wants(r, "accept RENEWED(192.0.2.77)");
	/* Login refused after a reconnect: likewise. */
	closed(r, CW_TSP_WHY_LOST);
	wants(r, "disconnect");
	(void) to_deadline(r);
	wants(r, "connect(a:3653,2.0.0)");
	closed(r, CW_TSP_WHY_AUTH);
	wants(r, "disconnect");
	assert_true(r->k.has_lease);
	assert_int_equal(r->k.code, CW_EXIT_AUTH);
	done(r);
}

static void deleted_by_the_broker(void **state)
{
	struct rig *r = holding(one, 3600);

	(void) state;
	deleted(r, "192.0.2.99"); /* not ours: a polite answer, nothing else */
	wants(r, "ack(192.0.2.99)");
	deleted(r, "192.0.2.10");
	wants(r, "DOWN(deleted) ack(192.0.2.10)"); /* first down, then the answer */
	assert_int_equal(to_deadline(r), 500);
	wants(r, "create()"); /* not the one that was taken away */
	leased(r, "192.0.2.11", 3600);
	wants(r, "accept UP(192.0.2.11)");
	/* In the middle of a renewal: its answer brings nothing back. */
	(void) to_deadline(r);
	wants(r, "create(192.0.2.11)");
	deleted(r, "192.0.2.11");
	wants(r,
		"DOWN(deleted)"); /* an info now could be a question about what the answer leases */
	replied(r, 308, CW_TSP_ADDRESS);
	wants(r, "");
	(void) to_deadline(r);
	wants(r, "create()");
	done(r);
	r = holding(one, 3600);
	r->conf.exit_on_delete = true;
	deleted(r, "192.0.2.10");
	wants(r, "DOWN(deleted) ack(192.0.2.10) disconnect EXIT(3)");
	done(r);
}

static void expiry(void **state)
{
	struct rig *r = holding(one, 8);

	(void) state;
	/* The renewal is asked for and never answered. */
	assert_int_equal(to_deadline(r), 4000);
	wants(r, "create(192.0.2.10)");
	assert_int_equal(to_deadline(r), 4000);
	wants(r, "DOWN(expired)");
	/* The late answer is as good as a new lease. */
	leased(r, "192.0.2.10", 8);
	wants(r, "accept UP(192.0.2.10)");
	done(r);
}

/* A lease is not longer than the broker counts, however late its answer comes. */
static void late_answers(void **state)
{
	struct rig *r = rig_of(one);

	(void) state;
	start(r);
	wants(r, "connect(a:3653,2.0.0)");
	is_ready(r);
	wants(r, "create()");
	wait_ms(r, 3000);
	leased(r, "192.0.2.10", 8);
	wants(r, "accept UP(192.0.2.10)");
	assert_int_equal(r->k.lease.expires_boot_ms, now(r).boot_ms + 5000);
	assert_int_equal(r->k.lease.expires_wall_s, now(r).wall_s + 5);
	assert_int_equal(to_deadline(r), 1000); /* half of the lifetime */
	wants(r, "create(192.0.2.10)");
	/* We are stopped; when we go on the answer is there, and the lease in it is over, too. */
	cw_fake_clock_advance(&r->clock, 8000);
	leased(r, "192.0.2.10", 8);
	wants(r, "accept create(192.0.2.10)");
	wait_ms(r, 0);
	wants(r, "DOWN(expired)");
	leased(r, "192.0.2.10", 8);
	wants(r, "accept UP(192.0.2.10)");
	done(r);
}

/* The wall clock's jumps mean nothing, boot time is what counts. */
static void clocks(void **state)
{
	struct rig *r = holding(one, 3600);

	(void) state;
	r->clock.at.wall_s += 86400 * 365;
	cw_keeper_tick(&r->k, now(r));
	wants(r, "");
	r->clock.at.wall_s -= 2 * 86400 * 365;
	cw_keeper_tick(&r->k, now(r));
	wants(r, "");
	/* Ten minutes of suspend: boot time runs, monotonic does not. The connection is taken for
	 * dead. */
	r->clock.at.boot_ms += 600 * 1000;
	cw_keeper_tick(&r->k, now(r));
	wants(r, "disconnect connect(a:3653,2.0.0)");
	is_ready(r);
	leased(r, "192.0.2.10", 3600);
	wants(r, "create(192.0.2.10) accept RENEWED(192.0.2.10)");
	/* Two hours: the lease is over at the moment of waking. */
	r->clock.at.boot_ms += 7200 * 1000;
	cw_keeper_tick(&r->k, now(r));
	wants(r, "DOWN(expired) disconnect connect(a:3653,2.0.0)");
	done(r);
}

static void moving(void **state)
{
	struct rig *r = holding(one, 3600);
	const struct cw_addr6 other = six("2001:db8::77");
	const struct cw_addr6 ours = six("2001:db8::1");

	(void) state;
	cw_keeper_source_gone(&r->k, &other, now(r));
	wants(r, "");
	cw_keeper_source_gone(&r->k, &ours, now(r));
	wants(r, "disconnect connect(a:3653,2.0.0)");
	cw_keeper_source_gone(&r->k, &ours, now(r));
	wants(r, "");
	is_ready(r);
	wants(r, "create(192.0.2.10)");
	leased_at(r, "192.0.2.10", "2001:db8::77", 3600);
	wants(r, "DOWN(moved) accept UP(192.0.2.10)");
	done(r);
}

static void unknown_at_the_tep(void **state)
{
	struct rig *r = holding(one, 3600);

	(void) state;
	cw_keeper_unbound(&r->k, now(r));
	wants(r, "create(192.0.2.10)");
	leased(r, "192.0.2.10", 3600);
	wants(r, "accept RENEWED(192.0.2.10)");
	cw_keeper_unbound(&r->k, now(r)); /* not in a loop */
	wants(r, "");
	wait_ms(r, 60 * 1000);
	cw_keeper_unbound(&r->k, now(r));
	wants(r, "create(192.0.2.10)");
	done(r);
}

static void wishes(void **state)
{
	struct rig *r = holding(one, 3600);

	(void) state;
	assert_true(cw_keeper_renew_now(&r->k, now(r)));
	wants(r, "create(192.0.2.10)");
	leased(r, "192.0.2.10", 3600);
	wants(r, "accept RENEWED(192.0.2.10)");
	cw_keeper_stop(&r->k, true, now(r));
	wants(r, "DOWN(stop,kept) disconnect EXIT(0)");
	cw_keeper_stop(&r->k, true, now(r));
	assert_false(cw_keeper_renew_now(&r->k, now(r)));
	wants(r, "");
	done(r);
	/* Stop while the broker is away: a short try to reach it. */
	r = holding(one, 3600);
	closed(r, CW_TSP_WHY_LOST);
	wants(r, "disconnect");
	cw_keeper_stop(&r->k, false, now(r));
	wants(r, "DOWN(stop) connect(a:3653,2.0.0)");
	assert_int_equal(to_deadline(r), 1500);
	wants(r, "disconnect EXIT(0)");
	done(r);
	r = holding(one, 3600);
	closed(r, CW_TSP_WHY_LOST);
	cw_keeper_stop(&r->k, false, now(r));
	is_ready(r);
	wants(r, "disconnect DOWN(stop) connect(a:3653,2.0.0) delete(192.0.2.10)");
	assert_int_equal(to_deadline(r), 5000); /* it is there: it may take its time */
	replied(r, 308, CW_TSP_ADDRESS);
	wants(r, "disconnect EXIT(0)");
	done(r);
	/* Stop while a renewal is under way: after its answer. */
	r = holding(one, 3600);
	(void) cw_keeper_renew_now(&r->k, now(r));
	cw_keeper_stop(&r->k, false, now(r));
	wants(r, "create(192.0.2.10) DOWN(stop)");
	leased(r, "192.0.2.10", 3600);
	wants(r, "delete(192.0.2.10)");
	done(r);
	/* Stop before there is anything. */
	r = rig_of(one);
	start(r);
	cw_keeper_stop(&r->k, false, now(r));
	wants(r, "connect(a:3653,2.0.0) disconnect EXIT(0)");
	done(r);
	/* "renew" while waiting: now. */
	r = rig_of(one);
	r->conf.persist = true;
	start(r);
	cw_keeper_unreachable(&r->k, CW_EXIT_UNREACHABLE, "refused", now(r));
	wants(r, "connect(a:3653,2.0.0) disconnect");
	assert_false(cw_keeper_renew_now(&r->k, now(r)));
	wants(r, "connect(a:3653,2.0.0)");
	done(r);
}

static void tunnel_trouble(void **state)
{
	struct rig *r = holding(one, 3600);

	(void) state;
	cw_keeper_tunnel_failed(&r->k, CW_EXIT_FAILURE, "no TUN", now(r));
	wants(r, "DOWN(stop) delete(192.0.2.10)");
	replied(r, 200, CW_TSP_DONE);
	wants(r, "disconnect EXIT(1)");
	assert_string_equal(r->k.error, "no TUN");
	done(r);
}

/* A lease that no tunnel can be made of: its broker is as good as none, whatever it says next. */
static void unfit(void **state)
{
	struct rig *r = holding(two, 3600);

	(void) state;
	cw_keeper_unfit(&r->k, "not ours", now(r));
	wants(r, "DOWN(gone) disconnect connect(b:3653,2.0.0)");
	is_ready(r);
	leased(r, "192.0.2.20", 3600);
	wants(r, "create() accept UP(192.0.2.20)");
	done(r);
	/* No other one: the end, with the lease given back. */
	r = holding(one, 3600);
	cw_keeper_unfit(&r->k, "not ours", now(r));
	wants(r, "DOWN(stop) delete(192.0.2.10)");
	replied(r, 200, CW_TSP_DONE);
	wants(r, "disconnect EXIT(1)");
	done(r);
	r = holding(two, 3600);
	cw_keeper_unfit(&r->k, "not ours", now(r));
	wants(r, "DOWN(gone) disconnect connect(b:3653,2.0.0)");
	cw_keeper_unreachable(&r->k, CW_EXIT_UNREACHABLE, "refused", now(r));
	wants(r, "disconnect disconnect EXIT(1)");
	done(r);
	/* Told to persist, or once there was a tunnel: again, with pauses that grow. */
	for (int persist = 0; persist < 2; persist++) {
		r = holding(one, 3600);
		r->conf.persist = persist;
		if (!persist) {
			(void) to_deadline(r);
			leased(r, "192.0.2.11", 3600);
			wants(r, "create(192.0.2.10) DOWN(moved) accept UP(192.0.2.11)");
		}
		for (int i = 0; i < 4; i++) {
			cw_keeper_unfit(&r->k, "not ours", now(r));
			wants(r, "DOWN(gone) disconnect");
			assert_int_equal(to_deadline(r), 500 << i);
			is_ready(r);
			leased(r, "192.0.2.12", 3600);
			wants(r, "connect(a:3653,2.0.0) create() accept UP(192.0.2.12)");
		}
		done(r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(broker_restart),
		cmocka_unit_test(broker_lost),
		cmocka_unit_test(expiry_begins_anew),
		cmocka_unit_test(success_that_does_not_last),
		cmocka_unit_test(renewal_refused),
		cmocka_unit_test(deleted_by_the_broker),
		cmocka_unit_test(expiry),
		cmocka_unit_test(late_answers),
		cmocka_unit_test(clocks),
		cmocka_unit_test(moving),
		cmocka_unit_test(unknown_at_the_tep),
		cmocka_unit_test(wishes),
		cmocka_unit_test(tunnel_trouble),
		cmocka_unit_test(unfit),
	};

	return cmocka_run_group_tests_name("client keeper hold", tests, NULL, NULL);
}
