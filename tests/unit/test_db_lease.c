/* SPDX-License-Identifier: BSD-2-Clause */
/* Life of a lease: granted, restarted, moved, ended, confirmed, expired, freed; who gets what in
 * which order. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "tests/lib/db-fixture.h"

static void assert_addr(const struct cw_lease *l, const char *want)
{
	char got[CW_ADDR4_STRLEN];

	assert_string_equal(cw_addr4_str(l->addr, got), want);
}

static void a_grant_is_written_everywhere(void **state)
{
	struct fx *fx = *state;
	struct cw_lease l, row;

	fx_simple(fx, "10.0.0.0/24");
	assert_int_equal(fx_acquire(fx, "user:alice", 7, &l), 0);
	assert_addr(&l, "10.0.0.0");
	assert_int_equal(l.state, CW_LEASE_ACTIVE);
	assert_int_equal(l.access, CW_ACCESS_TSP);
	assert_int_equal(l.lifetime_s, 3600);
	assert_int_equal(l.expires_s, fx->now.steady_s + 3600);
	assert_int_equal(l.due_s, l.expires_s);
	assert_int_equal(l.granted_wall_s, fx->now.wall_s);
	assert_true(cw_portset_is_whole(l.ports));
	assert_false(l.confirmed);
	assert_true(l.generation >= l.id);
	assert_int_equal(fx->n_seen, 1);
	assert_int_equal(fx->seen[0].what, CW_OUTBOX_APPLY);
	assert_int_equal(fx->seen[0].lease.id, l.id);
	assert_string_equal(fx->seen[0].lease.principal, "user:alice");
	row = fx_lease(fx, l.id);
	assert_int_equal(row.generation, l.generation);
	assert_int_equal(row.tep_id, l.tep_id);
	assert_int_equal(row.expires_s, l.expires_s);
	assert_memory_equal(&row.client6, &l.client6, 16);
	assert_string_equal(row.principal, "user:alice");
	assert_false(row.confirmed);
	assert_int_equal(fx_sql_int(fx, "SELECT count(*) FROM history WHERE ended IS NULL"), 1);
	assert_int_equal(fx_sql_int(fx, "SELECT count(*) FROM outbox"), 1);
	assert_int_equal(fx_confirm(fx, l.id, l.generation, 0), 0);
	assert_true(fx_lease(fx, l.id).confirmed);
	assert_int_equal(fx_sql_int(fx, "SELECT count(*) FROM outbox"), 0);
}

static void asking_again_restarts(void **state)
{
	struct fx *fx = *state;
	struct cw_lease l;
	struct cw_op op;

	fx_simple(fx, "10.0.0.0/24");
	assert_int_equal(fx_acquire(fx, "u", 1, &l), 0);
	fx_forget(fx);
	fx->now.steady_s += 100;
	op = fx_ask(fx, "u", 1);
	op.u.acquire.lifetime_s = 7200;
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(op.u.acquire.how, CW_ACQ_RESTARTED);
	assert_int_equal(op.u.acquire.lease.id, l.id);
	assert_int_equal(op.u.acquire.lease.generation, l.generation);
	assert_int_equal(op.u.acquire.lease.expires_s, fx->now.steady_s + 7200);
	assert_int_equal(fx->n_seen, 1);
	assert_int_equal(fx->seen[0].what, CW_OUTBOX_REFRESH);
	assert_int_equal(fx_lease(fx, l.id).expires_s, fx->now.steady_s + 7200);
	assert_int_equal(fx_sql_int(fx, "SELECT count(*) FROM history"), 1);
	/* Another host of the same principal is another lease. */
	assert_int_equal(fx_acquire(fx, "u", 2, &l), 0);
	assert_addr(&l, "10.0.0.1");
}

static void lifetimes_are_clamped(void **state)
{
	struct fx *fx = *state;
	struct cw_op op;
	static const struct {
		uint32_t ask, get;
	} cases[] = {{0, 3600}, {1, 60}, {60, 60}, {61, 61}, {86400, 86400}, {86401, 86400},
		{UINT32_MAX, 86400}};

	fx_simple(fx, "10.0.0.0/24");
	for (size_t i = 0; i < CW_ARRAY_LEN(cases); i++) {
		op = fx_ask(fx, "u", 1);
		op.u.acquire.lifetime_s = cases[i].ask;
		assert_int_equal(fx_run(fx, &op), 0);
		assert_int_equal(op.u.acquire.lease.lifetime_s, cases[i].get);
		assert_int_equal(op.u.acquire.lease.expires_s, fx->now.steady_s + cases[i].get);
	}
}

static void ending_goes_through_quarantine(void **state)
{
	struct fx *fx = *state;
	struct cw_lease l, row;
	unsigned n;
	int64_t next;

	fx_simple(fx, "10.0.0.0/31");
	assert_int_equal(fx_acquire(fx, "a", 1, &l), 0);
	fx_forget(fx);
	assert_int_equal(fx_end(fx, l.id, CW_END_RELEASE), 0);
	row = fx_lease(fx, l.id);
	assert_int_equal(row.state, CW_LEASE_ENDING);
	assert_int_equal(row.reason, CW_END_RELEASE);
	assert_true(row.generation > l.generation);
	assert_false(row.confirmed);
	assert_int_equal(fx->n_seen, 1);
	assert_int_equal(fx->seen[0].what, CW_OUTBOX_REMOVE);
	assert_int_equal(fx->seen[0].lease.generation, row.generation);
	assert_int_equal(fx_end(fx, l.id, CW_END_RELEASE), CW_E_GONE);
	/* A late answer to the apply changes nothing; a failed remove neither. */
	assert_int_equal(fx_confirm(fx, l.id, l.generation, 0), 0);
	assert_int_equal(fx_confirm(fx, l.id, row.generation, CW_E_TEP), 0);
	assert_int_equal(fx_confirm(fx, l.id, row.generation + 1, 0), 0); /* nobody said that yet */
	assert_int_equal(fx_lease(fx, l.id).state, CW_LEASE_ENDING);
	assert_int_equal(fx_sql_int(fx, "SELECT ended IS NULL AND reason = 1 FROM history"), 1);
	/* ENDING is nobody's to have. */
	assert_int_equal(fx_acquire(fx, "b", 2, &row), 0);
	assert_addr(&row, "10.0.0.1");
	assert_int_equal(fx_acquire(fx, "c", 3, NULL), CW_E_POOL_EMPTY);
	fx->now.steady_s += 10;
	fx->now.wall_s += 10;
	assert_int_equal(fx_confirm(fx, l.id, fx->seen[0].lease.generation, 0), 0);
	row = fx_lease(fx, l.id);
	assert_int_equal(row.state, CW_LEASE_QUARANTINED);
	assert_int_equal(row.due_s, fx->now.steady_s + 31); /* never less than 30 s */
	assert_true(row.confirmed);
	assert_int_equal(
		fx_sql_int(fx, "SELECT ended FROM history WHERE principal = 'a'"), fx->now.wall_s);
	assert_int_equal(fx_acquire(fx, "c", 3, NULL), CW_E_POOL_EMPTY);
	fx->now.steady_s += 30;
	assert_int_equal(fx_sweep(fx, CW_OP_FREE, 10, &n, &next), 0);
	assert_int_equal(n, 0);
	assert_int_equal(next, fx->now.steady_s + 1);
	fx->now.steady_s += 1;
	assert_int_equal(fx_sweep(fx, CW_OP_FREE, 10, &n, &next), 0);
	assert_int_equal(n, 1);
	assert_true(next == INT64_MAX);
	assert_int_equal(fx_lease(fx, l.id).state, CW_LEASE_FREE);
	assert_int_equal(fx_acquire(fx, "c", 3, &row), 0);
	assert_addr(&row, "10.0.0.0");
	assert_true(row.id > l.id && row.generation > l.generation);
}

static void own_quarantine_does_not_count(void **state)
{
	struct fx *fx = *state;
	struct cw_lease l, again;

	fx_simple(fx, "10.0.0.0/24");
	assert_int_equal(fx_acquire(fx, "a", 1, &l), 0);
	fx_release(fx, &l, CW_END_RELEASE);
	assert_int_equal(fx_lease(fx, l.id).state, CW_LEASE_QUARANTINED);
	assert_int_equal(fx_acquire(fx, "a", 1, &again), 0);
	assert_addr(&again, "10.0.0.0");
	assert_true(again.id > l.id);
	/* From another IPv6 address too: the principal is the same. */
	fx_release(fx, &again, CW_END_RELEASE);
	assert_int_equal(fx_acquire(fx, "a", 9, &again), 0);
	assert_addr(&again, "10.0.0.0");
}

static void quarantine_that_is_over_is_used_unswept(void **state)
{
	struct fx *fx = *state;
	struct cw_lease l;

	fx_simple(fx, "10.0.0.0/32");
	assert_int_equal(fx_acquire(fx, "a", 1, &l), 0);
	fx_release(fx, &l, CW_END_RELEASE);
	assert_int_equal(fx_acquire(fx, "b", 2, NULL), CW_E_POOL_EMPTY);
	fx->now.steady_s += 31;
	assert_int_equal(fx_acquire(fx, "b", 2, &l), 0);
	assert_addr(&l, "10.0.0.0");
}

static void tep_failure_frees_at_once(void **state)
{
	struct fx *fx = *state;
	struct cw_lease l;

	fx_simple(fx, "10.0.0.0/32");
	assert_int_equal(fx_acquire(fx, "a", 1, &l), 0);
	fx_release(fx, &l, CW_END_TEP);
	assert_int_equal(fx_lease(fx, l.id).state, CW_LEASE_FREE);
	assert_int_equal(fx_acquire(fx, "b", 2, NULL), 0);
}

static void never_used_before_least_recent(void **state)
{
	struct fx *fx = *state;
	struct cw_lease a, b, c, d;

	fx_simple(fx, "10.0.0.0/30");
	assert_int_equal(fx_acquire(fx, "a", 1, &a), 0);
	assert_int_equal(fx_acquire(fx, "b", 2, &b), 0);
	fx_release(fx, &b, CW_END_RELEASE);
	fx->now.steady_s += 1;
	fx_release(fx, &a, CW_END_RELEASE);
	fx->now.steady_s += 100;
	assert_int_equal(fx_sweep(fx, CW_OP_FREE, 1, NULL, NULL), 0);
	fx->now.steady_s += 1;
	assert_int_equal(fx_sweep(fx, CW_OP_FREE, 10, NULL, NULL), 0);
	assert_int_equal(fx_acquire(fx, "c", 3, &c), 0);
	assert_addr(&c, "10.0.0.2");
	assert_int_equal(fx_acquire(fx, "d", 4, &d), 0);
	assert_addr(&d, "10.0.0.3");
	assert_int_equal(fx_acquire(fx, "e", 5, &d), 0);
	assert_addr(&d, "10.0.0.1"); /* b's, free for longer */
	assert_int_equal(fx_acquire(fx, "f", 6, &d), 0);
	assert_addr(&d, "10.0.0.0");
	assert_int_equal(fx_acquire(fx, "g", 7, &d), CW_E_POOL_EMPTY);
}

static void a_named_address(void **state)
{
	struct fx *fx = *state;
	struct cw_lease l;
	struct cw_op op;

	fx_simple(fx, "10.0.0.0/29");
	op = fx_ask(fx, "a", 1);
	op.u.acquire.named = true;
	op.u.acquire.addr = fx_a4("10.0.0.2");
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(op.u.acquire.how, CW_ACQ_GRANTED);
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(op.u.acquire.how, CW_ACQ_RESTARTED);
	op = fx_ask(fx, "b", 2);
	op.u.acquire.named = true;
	op.u.acquire.addr = fx_a4("10.0.0.2");
	assert_int_equal(fx_run(fx, &op), CW_E_CONFLICT);
	op.u.acquire.addr = fx_a4("10.9.9.9");
	assert_int_equal(fx_run(fx, &op), CW_E_CONFLICT);
	op.u.acquire.addr = fx_a4("10.0.0.3");
	op.u.acquire.ports = (struct cw_portset){.len = 8, .psid = 3};
	assert_int_equal(fx_run(fx, &op), CW_E_CONFLICT);
	/* The cursor passes over what was named. */
	assert_int_equal(fx_acquire(fx, "c", 3, &l), 0);
	assert_addr(&l, "10.0.0.0");
	assert_int_equal(fx_acquire(fx, "d", 4, &l), 0);
	assert_addr(&l, "10.0.0.1");
	assert_int_equal(fx_acquire(fx, "e", 5, &l), 0);
	assert_addr(&l, "10.0.0.3");
}

static void a_held_address(void **state)
{
	struct fx *fx = *state;
	struct cw_lease l;
	struct cw_op op;

	fx_simple(fx, "10.0.0.0/29");
	assert_int_equal(fx_acquire(fx, "a", 1, &l), 0);
	op = fx_ask(fx, "a", 1);
	op.u.acquire.named = op.u.acquire.held_only = true;
	op.u.acquire.addr = l.addr;
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(op.u.acquire.how, CW_ACQ_RESTARTED);
	op.u.acquire.addr = fx_a4("10.0.0.5");
	assert_int_equal(fx_run(fx, &op), CW_E_NOT_YOURS);
	op.u.acquire.addr = fx_a4("10.9.0.5");
	assert_int_equal(fx_run(fx, &op), CW_E_NOT_YOURS);
	op = fx_ask(fx, "b", 1);
	op.u.acquire.named = op.u.acquire.held_only = true;
	op.u.acquire.addr = l.addr;
	assert_int_equal(fx_run(fx, &op), CW_E_NOT_YOURS);
	op = fx_ask(fx, "a", 2); /* the right principal on another host */
	op.u.acquire.named = op.u.acquire.held_only = true;
	op.u.acquire.addr = l.addr;
	assert_int_equal(fx_run(fx, &op), CW_E_NOT_YOURS);
	fx_release(fx, &l, CW_END_RELEASE);
	op = fx_ask(fx, "a", 1);
	op.u.acquire.named = op.u.acquire.held_only = true;
	op.u.acquire.addr = l.addr;
	assert_int_equal(fx_run(fx, &op), CW_E_GONE);
}

static void a_move_ends_one_tenure_and_begins_another(void **state)
{
	struct fx *fx = *state;
	struct cw_lease l;
	struct cw_op op;

	fx_simple(fx, "10.0.0.0/29");
	assert_int_equal(fx_acquire(fx, "a", 1, &l), 0);
	fx_forget(fx);
	fx->now.wall_s += 50;
	op = fx_ask(fx, "a", 2);
	op.u.acquire.named = op.u.acquire.held_only = op.u.acquire.may_move = true;
	op.u.acquire.addr = l.addr;
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(op.u.acquire.how, CW_ACQ_MOVED);
	assert_int_equal(op.u.acquire.old_lease, l.id);
	assert_true(op.u.acquire.lease.id > l.id);
	assert_addr(&op.u.acquire.lease, "10.0.0.0");
	assert_int_equal(fx->n_seen, 1);
	assert_int_equal(fx->seen[0].what, CW_OUTBOX_APPLY);
	assert_int_equal(fx_sql_int(fx, "SELECT count(*) FROM lease"), 1);
	assert_int_equal(fx_sql_int(fx, "SELECT count(*) FROM outbox"), 1);
	assert_int_equal(
		fx_sql_int(fx, "SELECT ended FROM history WHERE reason = 6"), fx->now.wall_s);
	assert_int_equal(
		fx_sql_int(fx, "SELECT started FROM history WHERE reason = 0"), fx->now.wall_s);
	assert_int_equal(fx_end(fx, l.id, CW_END_RELEASE), CW_E_GONE);
	assert_int_equal(fx_end(fx, 999999, CW_END_RELEASE), CW_E_NOT_YOURS);
	/* The old host asks and gets another one. */
	assert_int_equal(fx_acquire(fx, "a", 1, &l), 0);
	assert_addr(&l, "10.0.0.1");
}

static void expiry_is_a_bounded_sweep(void **state)
{
	struct fx *fx = *state;
	struct cw_lease l[5];
	unsigned n;
	int64_t next;

	fx_simple(fx, "10.0.0.0/24");
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(fx_acquire(fx, "u", i + 1, &l[i]), 0);
		fx->now.steady_s++;
	}
	assert_int_equal(fx_sweep(fx, CW_OP_EXPIRE, 100, &n, &next), 0);
	assert_int_equal(n, 0);
	assert_int_equal(next, l[0].expires_s);
	fx->now.steady_s = l[3].expires_s;
	fx_forget(fx);
	assert_int_equal(fx_sweep(fx, CW_OP_EXPIRE, 3, &n, &next), 0);
	assert_int_equal(n, 3);
	assert_int_equal(next, l[3].expires_s);
	assert_int_equal(fx->n_seen, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(fx->seen[i].what, CW_OUTBOX_REMOVE);
		assert_int_equal(fx->seen[i].lease.id, l[i].id);
		assert_int_equal(fx->seen[i].lease.reason, CW_END_EXPIRE);
	}
	assert_int_equal(fx_sweep(fx, CW_OP_EXPIRE, 3, &n, &next), 0);
	assert_int_equal(n, 1);
	assert_int_equal(next, l[4].expires_s);
	assert_int_equal(fx_lease(fx, l[4].id).state, CW_LEASE_ACTIVE);
}

static void find_by_what_the_holder_knows(void **state)
{
	struct fx *fx = *state;
	struct cw_lease l;
	struct cw_op op = {.kind = CW_OP_FIND};

	fx_simple(fx, "10.0.0.0/24");
	assert_int_equal(fx_acquire(fx, "a", 1, &l), 0);
	(void) snprintf(op.u.find.principal, sizeof op.u.find.principal, "a");
	op.u.find.client6 = fx_a6(1);
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(op.u.find.lease.id, l.id);
	assert_false(op.u.find.lease.confirmed);
	op.u.find.client6 = fx_a6(2);
	assert_int_equal(fx_run(fx, &op), CW_E_NOT_YOURS);
	op.u.find.named = true;
	op.u.find.addr = l.addr;
	assert_int_equal(fx_run(fx, &op), CW_E_NOT_YOURS);
	op.u.find.client6 = (struct cw_addr6){{0}};
	assert_int_equal(fx_run(fx, &op), 0);
	op = (struct cw_op){.kind = CW_OP_FIND};
	op.u.find.id = l.id;
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(fx_end(fx, l.id, CW_END_REVOKE), 0);
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(op.u.find.lease.state, CW_LEASE_ENDING);
	op.u.find.id++;
	assert_int_equal(fx_run(fx, &op), CW_E_NOT_YOURS);
	op.u.find.id = 0;
	assert_int_equal(fx_run(fx, &op), -EINVAL);
}

static void end_by_address_checks_the_holder(void **state)
{
	struct fx *fx = *state;
	struct cw_lease l;
	struct cw_op op = {.kind = CW_OP_END};

	fx_simple(fx, "10.0.0.0/24");
	assert_int_equal(fx_acquire(fx, "a", 1, &l), 0);
	op.u.end = (struct cw_op_end){
		.addr = l.addr, .client6 = fx_a6(1), .principal = "b", .reason = CW_END_RELEASE};
	assert_int_equal(fx_run(fx, &op), CW_E_NOT_YOURS);
	op.u.end = (struct cw_op_end){
		.addr = l.addr, .client6 = fx_a6(2), .principal = "a", .reason = CW_END_RELEASE};
	assert_int_equal(fx_run(fx, &op), CW_E_NOT_YOURS);
	op.u.end.id = l.id;
	assert_int_equal(fx_run(fx, &op), CW_E_NOT_YOURS);
	op.u.end = (struct cw_op_end){.addr = l.addr, .principal = "a", .reason = CW_END_NONE};
	assert_int_equal(fx_run(fx, &op), -EINVAL);
	op.u.end = (struct cw_op_end){
		.addr = fx_a4("10.0.0.77"), .principal = "a", .reason = CW_END_RELEASE};
	assert_int_equal(fx_run(fx, &op), CW_E_NOT_YOURS);
	op.u.end = (struct cw_op_end){.addr = l.addr, .principal = "a", .reason = CW_END_RELEASE};
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(op.u.end.lease.state, CW_LEASE_ENDING);
	assert_int_equal(fx_run(fx, &op), CW_E_GONE);
	/* An operator names the address only. */
	assert_int_equal(fx_acquire(fx, "z", 3, &l), 0);
	op.u.end = (struct cw_op_end){.addr = l.addr, .reason = CW_END_REVOKE};
	assert_int_equal(fx_run(fx, &op), 0);
}

static void bad_requests(void **state)
{
	struct fx *fx = *state;
	struct cw_op op;

	fx_simple(fx, "10.0.0.0/24");
	op = fx_ask(fx, "", 1);
	assert_int_equal(fx_run(fx, &op), -EINVAL);
	op = fx_ask(fx, "a", 1);
	memset(op.u.acquire.principal, 'x', sizeof op.u.acquire.principal);
	assert_int_equal(fx_run(fx, &op), -EINVAL);
	op = fx_ask(fx, "a", 1);
	op.u.acquire.access = 0;
	assert_int_equal(fx_run(fx, &op), -EINVAL);
	op = fx_ask(fx, "a", 1);
	op.u.acquire.ports = (struct cw_portset){.offset = 9, .len = 9};
	assert_int_equal(fx_run(fx, &op), -EINVAL);
	op = fx_ask(fx, "a", 1);
	(void) snprintf(op.u.acquire.pool, sizeof op.u.acquire.pool, "nope");
	assert_int_equal(fx_run(fx, &op), CW_E_POLICY);
	assert_int_equal(fx_sql_int(fx, "SELECT count(*) FROM lease"), 0);
	assert_int_equal(fx->n_seen, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, fx_set_up_memory, fx_tear_down)
		T(a_grant_is_written_everywhere),
		T(asking_again_restarts),
		T(lifetimes_are_clamped),
		T(ending_goes_through_quarantine),
		T(own_quarantine_does_not_count),
		T(quarantine_that_is_over_is_used_unswept),
		T(tep_failure_frees_at_once),
		T(never_used_before_least_recent),
		T(a_named_address),
		T(a_held_address),
		T(a_move_ends_one_tenure_and_begins_another),
		T(expiry_is_a_bounded_sweep),
		T(find_by_what_the_holder_knows),
		T(end_by_address_checks_the_holder),
		T(bad_requests),
	};

	return cmocka_run_group_tests_name("db lease", tests, NULL, NULL);
}
