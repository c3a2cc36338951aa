/* SPDX-License-Identifier: BSD-2-Clause */
/* Which address: exclusions, reservations, port sets, several pools, quotas, stickiness; and that
 * the search costs the same however big the pool or the list of exclusions is (counted in steps of
 * SQLite's machine, not in time). */
#include "config.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "db/sqlite/sqlite.h"
#include "tests/lib/db-fixture.h"

/* Asks as a new holder each time; the address as text, or NULL with *ret_error. */
static const char *next_address(struct fx *fx, int *ret_error)
{
	static unsigned n = 1000;
	static char text[CW_ADDR4_STRLEN + 8];
	struct cw_lease l = {0};
	struct cw_op op;
	char who[16], addr[CW_ADDR4_STRLEN];

	(void) snprintf(who, sizeof who, "n%u", ++n);
	op = fx_ask(fx, who, n);
	op.u.acquire.ports_ok = true;
	*ret_error = fx_run(fx, &op);
	if (*ret_error != 0)
		return NULL;
	l = op.u.acquire.lease;
	(void) cw_addr4_str(l.addr, addr);
	if (l.ports.len > 0)
		(void) snprintf(text, sizeof text, "%s/%u", addr, l.ports.psid);
	else
		(void) snprintf(text, sizeof text, "%s", addr);
	return text;
}

static void assert_next(struct fx *fx, const char *want)
{
	int error;
	const char *got = next_address(fx, &error);

	if (!got)
		fail_msg("wanted %s, got error %d", want, error);
	assert_string_equal(got, want);
}

static void assert_empty(struct fx *fx)
{
	int error;

	assert_null(next_address(fx, &error));
	assert_int_equal(error, CW_E_POOL_EMPTY);
}

static int range_op(
	struct fx *fx, enum cw_op_kind kind, uint64_t pool, const char *range, uint64_t *id)
{
	struct cw_op op = {.kind = kind};
	int r;

	if (range)
		op.u.range = fx_range(range, pool);
	if (kind == CW_OP_RANGE_DEL || kind == CW_OP_EXCLUDE_DEL)
		op.u.range.id = *id;
	r = fx_run(fx, &op);
	if (id)
		*id = op.u.range.id;
	return r;
}

static int reserve(struct fx *fx, uint64_t pool, const char *addr, uint16_t psid, const char *who,
	uint64_t *ret_id)
{
	struct cw_op op = {.kind = CW_OP_RESERVE_ADD};
	int r;

	op.u.reservation =
		(struct cw_reservation){.pool_id = pool, .addr = fx_a4(addr), .psid = psid};
	(void) snprintf(op.u.reservation.principal, sizeof op.u.reservation.principal, "%s", who);
	r = fx_run(fx, &op);
	if (ret_id)
		*ret_id = op.u.reservation.id;
	return r;
}

static int unreserve(struct fx *fx, uint64_t id)
{
	struct cw_op op = {.kind = CW_OP_RESERVE_DEL};

	op.u.reservation.id = id;
	return fx_run(fx, &op);
}

/* Changes one thing of a pool. */
static int pool_set(struct fx *fx, uint64_t id, void (*change)(struct cw_pool *p))
{
	struct cw_store_reader *r;
	struct cw_op op = {.kind = CW_OP_POOL_SET};

	assert_int_equal(cw_store_reader_open(fx->s, &r), 0);
	assert_int_equal(cw_read_pools(r, id - 1, &op.u.pool.pool, 1), 1);
	(void) cw_store_reader_close(r);
	assert_int_equal(op.u.pool.pool.id, id);
	change(&op.u.pool.pool);
	return fx_run(fx, &op);
}

static void drain(struct cw_pool *p)
{
	p->state = CW_POOL_DRAINING;
}

static void disable(struct cw_pool *p)
{
	p->state = CW_POOL_DISABLED;
}

static void allow_two(struct cw_pool *p)
{
	p->max_leases = 2;
}

static void keep_system(struct cw_pool *p)
{
	p->keep_system_ports = true;
}

static void give_system(struct cw_pool *p)
{
	p->keep_system_ports = false;
}

static void come_last(struct cw_pool *p)
{
	p->order = 9;
}

/* ---- exclusions ---- */

static void exclusions_are_jumped_over_and_come_back(void **state)
{
	struct fx *fx = *state;
	uint64_t p = fx_simple(fx, "10.0.0.0/29"), a, b;

	assert_int_equal(range_op(fx, CW_OP_EXCLUDE_ADD, p, "10.0.0.0-10.0.0.1", &a), 0);
	assert_int_equal(range_op(fx, CW_OP_EXCLUDE_ADD, p, "10.0.0.4-10.0.0.200", &b), 0);
	assert_next(fx, "10.0.0.2");
	assert_next(fx, "10.0.0.3");
	assert_empty(fx);
	assert_int_equal(range_op(fx, CW_OP_EXCLUDE_DEL, 0, NULL, &b), 0);
	assert_next(fx, "10.0.0.4");
	assert_int_equal(range_op(fx, CW_OP_EXCLUDE_DEL, 0, NULL, &a), 0);
	assert_next(fx, "10.0.0.0");
	assert_next(fx, "10.0.0.1");
	assert_next(fx, "10.0.0.5");
	assert_next(fx, "10.0.0.6");
	assert_next(fx, "10.0.0.7");
	assert_empty(fx);
	assert_int_equal(fx_sql_int(fx, "SELECT count(*) FROM unused"), 0);
}

static void what_comes_back_joins_what_is_there(void **state)
{
	struct fx *fx = *state;
	uint64_t p = fx_simple(fx, "10.0.0.0/29"), id[3];

	for (unsigned i = 0; i < 3; i++) {
		char range[32];

		(void) snprintf(range, sizeof range, "10.0.0.%u/32", i);
		assert_int_equal(range_op(fx, CW_OP_EXCLUDE_ADD, p, range, &id[i]), 0);
	}
	assert_next(fx, "10.0.0.3");
	assert_int_equal(range_op(fx, CW_OP_EXCLUDE_DEL, 0, NULL, &id[1]), 0);
	assert_int_equal(range_op(fx, CW_OP_EXCLUDE_DEL, 0, NULL, &id[0]), 0);
	assert_int_equal(fx_sql_int(fx, "SELECT count(*) FROM unused"), 2); /* 0-1 and 4-7 */
	assert_int_equal(range_op(fx, CW_OP_EXCLUDE_DEL, 0, NULL, &id[2]), 0);
	assert_next(fx, "10.0.0.0");
	assert_next(fx, "10.0.0.1");
	assert_next(fx, "10.0.0.2");
	assert_next(fx, "10.0.0.4");
}

static void an_exclusion_over_used_addresses(void **state)
{
	struct fx *fx = *state;
	uint64_t p = fx_simple(fx, "10.0.0.0/30"), id;
	struct cw_lease l[3];

	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(fx_acquire(fx, "u", i + 1, &l[i]), 0);
	assert_int_equal(range_op(fx, CW_OP_EXCLUDE_ADD, p, "10.0.0.0/31", &id), CW_E_CONFLICT);
	fx_release(fx, &l[0], CW_END_RELEASE);
	fx_release(fx, &l[1], CW_END_TEP);
	assert_int_equal(range_op(fx, CW_OP_EXCLUDE_ADD, p, "10.0.0.0/31", &id), 0);
	fx->now.steady_s += 100;
	assert_next(fx, "10.0.0.3");
	assert_empty(fx); /* .0 and .1 are free, but excluded */
	assert_int_equal(fx_acquire(fx, "u", 1, NULL), CW_E_POOL_EMPTY); /* nor do they stick */
	assert_int_equal(range_op(fx, CW_OP_EXCLUDE_DEL, 0, NULL, &id), 0);
	assert_next(fx, "10.0.0.1");
	assert_next(fx, "10.0.0.0");
	assert_empty(fx);
	assert_int_equal(range_op(fx, CW_OP_EXCLUDE_DEL, 0, NULL, &id), -ENOENT);
}

/* ---- reservations ---- */

static void reservations_are_for_their_principal(void **state)
{
	struct fx *fx = *state;
	uint64_t p = fx_simple(fx, "10.0.0.0/29"), id, other;
	struct cw_lease l;
	struct cw_op op;

	assert_int_equal(reserve(fx, p, "10.0.0.0", 0, "vip", &id), 0);
	assert_int_equal(reserve(fx, p, "10.0.0.0", 0, "vip2", NULL), CW_E_CONFLICT);
	assert_int_equal(reserve(fx, p, "10.1.0.0", 0, "vip", NULL), -EINVAL);
	assert_int_equal(reserve(fx, p, "10.0.0.1", 1, "vip", NULL), -EINVAL);
	assert_int_equal(reserve(fx, 77, "10.0.0.1", 0, "vip", NULL), -ENOENT);
	assert_int_equal(reserve(fx, p, "10.0.0.2", 0, "vip2", &other), 0);
	assert_next(fx, "10.0.0.1");
	assert_next(fx, "10.0.0.3");
	op = fx_ask(fx, "thief", 66);
	op.u.acquire.named = true;
	op.u.acquire.addr = fx_a4("10.0.0.0");
	assert_int_equal(fx_run(fx, &op), CW_E_CONFLICT);
	assert_int_equal(fx_acquire(fx, "vip", 7, &l), 0);
	assert_int_equal(l.addr.v, fx_a4("10.0.0.0").v);
	/* A second host of the principal gets an ordinary one. */
	assert_int_equal(fx_acquire(fx, "vip", 8, &l), 0);
	assert_int_equal(l.addr.v, fx_a4("10.0.0.4").v);
	assert_next(fx, "10.0.0.5");
	assert_next(fx, "10.0.0.6");
	assert_next(fx, "10.0.0.7");
	assert_empty(fx);
	assert_int_equal(unreserve(fx, other), 0);
	assert_next(fx, "10.0.0.2"); /* it was jumped over and comes back */
	assert_int_equal(unreserve(fx, other), -ENOENT);
	assert_int_equal(unreserve(fx, id), 0); /* used now: it goes on */
	assert_empty(fx);
}

static void a_reservation_of_a_used_address(void **state)
{
	struct fx *fx = *state;
	uint64_t p = fx_simple(fx, "10.0.0.0/31"), id;
	struct cw_lease l;

	assert_int_equal(fx_acquire(fx, "old", 1, &l), 0);
	assert_int_equal(reserve(fx, p, "10.0.0.0", 0, "new", &id), 0);
	assert_int_equal(fx_acquire(fx, "old", 1, NULL), 0); /* keeps what it has */
	fx_release(fx, &l, CW_END_TEP);
	assert_next(fx, "10.0.0.1");
	assert_empty(fx);
	assert_int_equal(fx_acquire(fx, "old", 1, NULL), CW_E_POOL_EMPTY);
	assert_int_equal(fx_acquire(fx, "new", 2, &l), 0);
	assert_int_equal(l.addr.v, fx_a4("10.0.0.0").v);
	fx_release(fx, &l, CW_END_TEP);
	assert_int_equal(unreserve(fx, id), 0);
	assert_next(fx, "10.0.0.0");
}

static void a_reservation_counts_more_than_an_exclusion(void **state)
{
	struct fx *fx = *state;
	uint64_t p = fx_simple(fx, "10.0.0.0/31");
	struct cw_lease l;

	assert_int_equal(range_op(fx, CW_OP_EXCLUDE_ADD, p, "10.0.0.0/31", NULL), 0);
	assert_empty(fx);
	assert_int_equal(reserve(fx, p, "10.0.0.1", 0, "vip", NULL), 0);
	assert_empty(fx);
	assert_int_equal(fx_acquire(fx, "vip", 1, &l), 0);
	assert_int_equal(l.addr.v, fx_a4("10.0.0.1").v);
	fx_release(fx, &l, CW_END_TEP);
	assert_empty(fx);
	assert_int_equal(fx_acquire(fx, "vip", 9, &l), 0);
}

/* ---- port sets ---- */

static void port_sets_fill_one_address_before_the_next(void **state)
{
	struct fx *fx = *state;
	const char *const ranges[] = {"10.0.0.0/31", NULL};

	(void) fx_pool(fx, "shared", (struct cw_portset){.len = 2}, ranges);
	assert_next(fx, "10.0.0.0/0");
	assert_next(fx, "10.0.0.0/1");
	assert_next(fx, "10.0.0.0/2");
	assert_next(fx, "10.0.0.0/3");
	assert_next(fx, "10.0.0.1/0");
	assert_next(fx, "10.0.0.1/1");
	assert_next(fx, "10.0.0.1/2");
	assert_next(fx, "10.0.0.1/3");
	assert_empty(fx);
}

static void system_ports_can_be_kept(void **state)
{
	struct fx *fx = *state;
	const char *const one[] = {"10.0.0.0/32", NULL}, *const two[] = {"10.0.1.0/32", NULL},
			  *const three[] = {"10.0.2.0/31", NULL};
	uint64_t a = fx_pool(fx, "a", (struct cw_portset){.len = 2}, one), b, c;

	assert_int_equal(pool_set(fx, a, keep_system), 0);
	assert_next(fx, "10.0.0.0/1");
	assert_next(fx, "10.0.0.0/2");
	assert_next(fx, "10.0.0.0/3");
	assert_empty(fx);
	assert_int_equal(reserve(fx, a, "10.0.0.0", 0, "vip", NULL), CW_E_CONFLICT);
	assert_int_equal(pool_set(fx, a, give_system), 0);
	assert_next(fx, "10.0.0.0/0");
	assert_empty(fx);
	/* k = 8: 256 ports per set, so four sets hold ports 0-1023. */
	b = fx_pool(fx, "b", (struct cw_portset){.len = 8}, two);
	assert_int_equal(pool_set(fx, b, keep_system), 0);
	for (unsigned i = 4; i < 256; i++) {
		char want[32];

		(void) snprintf(want, sizeof want, "10.0.1.0/%u", i);
		assert_next(fx, want);
	}
	assert_empty(fx);
	/* a = 6: the lowest 1024 ports belong to no set (RFC 7597 5.1): nothing to keep. */
	c = fx_pool(fx, "c", (struct cw_portset){.offset = 6, .len = 2}, three);
	assert_int_equal(pool_set(fx, c, keep_system), 0);
	assert_next(fx, "10.0.2.0/0");
}

static void keeping_system_ports_later_holds_free_ones_back(void **state)
{
	struct fx *fx = *state;
	const char *const one[] = {"10.0.0.0/32", NULL};
	uint64_t p = fx_pool(fx, "a", (struct cw_portset){.len = 1}, one);
	struct cw_op op = fx_ask(fx, "u", 1);

	op.u.acquire.ports_ok = true;
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(op.u.acquire.lease.ports.psid, 0);
	fx_release(fx, &op.u.acquire.lease, CW_END_TEP);
	assert_int_equal(pool_set(fx, p, keep_system), 0);
	assert_next(fx, "10.0.0.0/1");
	assert_empty(fx);
	assert_int_equal(fx_run(fx, &op), CW_E_POOL_EMPTY);
	assert_int_equal(pool_set(fx, p, give_system), 0);
	assert_next(fx, "10.0.0.0/0");
}

static void shared_pools_only_for_those_who_can(void **state)
{
	struct fx *fx = *state;
	const char *const shared[] = {"10.0.0.0/24", NULL}, *const whole[] = {"10.0.1.0/24", NULL};
	struct cw_op op;

	(void) fx_pool(fx, "shared", (struct cw_portset){.len = 4}, shared); /* 4096 ports */
	op = fx_ask(fx, "u", 1);
	assert_int_equal(fx_run(fx, &op), CW_E_POOL_EMPTY);
	op.u.acquire.ports_ok = true;
	op.u.acquire.ports_min = 4097;
	assert_int_equal(fx_run(fx, &op), CW_E_POOL_EMPTY);
	op.u.acquire.ports_min = 4096;
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(op.u.acquire.lease.ports.len, 4);
	(void) fx_pool(fx, "whole", CW_PORTSET_WHOLE, whole);
	op = fx_ask(fx, "u", 1); /* has a port set, but asks without: another lease */
	assert_int_equal(fx_run(fx, &op), 0);
	assert_true(cw_portset_is_whole(op.u.acquire.lease.ports));
}

static void a_named_port_set(void **state)
{
	struct fx *fx = *state;
	const char *const ranges[] = {"10.0.0.0/30", NULL};
	struct cw_op op, end = {.kind = CW_OP_END}, find = {.kind = CW_OP_FIND};

	(void) fx_pool(fx, "shared", (struct cw_portset){.offset = 4, .len = 6}, ranges);
	op = fx_ask(fx, "u", 1);
	op.u.acquire.named = op.u.acquire.ports_ok = true;
	op.u.acquire.addr = fx_a4("10.0.0.1");
	op.u.acquire.ports = (struct cw_portset){.offset = 4, .len = 6, .psid = 33};
	assert_int_equal(fx_run(fx, &op), 0);
	assert_true(cw_portset_eq(op.u.acquire.lease.ports, op.u.acquire.ports));
	op = fx_ask(fx, "v", 2);
	op.u.acquire.named = op.u.acquire.ports_ok = true;
	op.u.acquire.addr = fx_a4("10.0.0.1");
	op.u.acquire.ports = (struct cw_portset){.offset = 4, .len = 6, .psid = 33};
	assert_int_equal(fx_run(fx, &op), CW_E_CONFLICT);
	op.u.acquire.ports.offset = 5; /* another shape: no such place */
	assert_int_equal(fx_run(fx, &op), CW_E_CONFLICT);
	op.u.acquire.ports = CW_PORTSET_WHOLE;
	assert_int_equal(fx_run(fx, &op), CW_E_CONFLICT);
	op.u.acquire.ports = (struct cw_portset){.offset = 4, .len = 6, .psid = 34};
	assert_int_equal(fx_run(fx, &op), 0);
	/* Holders who name the address alone mean their own set. */
	find.u.find = (struct cw_op_find){
		.principal = "v", .client6 = fx_a6(2), .named = true, .addr = fx_a4("10.0.0.1")};
	assert_int_equal(fx_run(fx, &find), 0);
	assert_int_equal(find.u.find.lease.ports.psid, 34);
	op = fx_ask(fx, "u", 1);
	op.u.acquire.named = op.u.acquire.held_only = true;
	op.u.acquire.addr = fx_a4("10.0.0.1");
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(op.u.acquire.lease.ports.psid, 33);
	op = fx_ask(fx, "u", 9);
	op.u.acquire.named = op.u.acquire.held_only = op.u.acquire.may_move = true;
	op.u.acquire.addr = fx_a4("10.0.0.1");
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(op.u.acquire.how, CW_ACQ_MOVED);
	assert_int_equal(op.u.acquire.lease.ports.psid, 33);
	end.u.end = (struct cw_op_end){.principal = "v",
		.client6 = fx_a6(2),
		.addr = fx_a4("10.0.0.1"),
		.reason = CW_END_RELEASE};
	assert_int_equal(fx_run(fx, &end), 0);
	assert_int_equal(end.u.end.lease.ports.psid, 34);
	end.u.end.principal[0] = 'w';
	assert_int_equal(fx_run(fx, &end), CW_E_NOT_YOURS);
}

/* ---- pools, TEPs, users ---- */

static void pools_in_their_order(void **state)
{
	struct fx *fx = *state;
	const char *const one[] = {"10.0.1.0/32", NULL}, *const two[] = {"10.0.2.0/31", NULL},
			  *const three[] = {"10.0.3.0/24", NULL};
	uint64_t a = fx_pool(fx, "a", CW_PORTSET_WHOLE, one),
		 b = fx_pool(fx, "b", CW_PORTSET_WHOLE, two);
	struct cw_lease l;
	struct cw_op op;

	(void) fx_pool(fx, "c", CW_PORTSET_WHOLE, three);
	assert_int_equal(pool_set(fx, a, come_last), 0);
	assert_int_equal(fx_acquire(fx, "u", 1, &l), 0);
	assert_int_equal(l.pool_id, b);
	assert_next(fx, "10.0.2.1");
	assert_next(fx, "10.0.3.0");
	op = fx_ask(fx, "v", 2);
	(void) snprintf(op.u.acquire.pool, sizeof op.u.acquire.pool, "a");
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(op.u.acquire.lease.pool_id, a);
	assert_int_equal(pool_set(fx, b, drain), 0);
	assert_int_equal(fx_acquire(fx, "u", 1, &l), 0); /* goes on */
	assert_int_equal(l.pool_id, b);
	fx_release(fx, &l, CW_END_TEP);
	assert_int_equal(fx_acquire(fx, "u", 1, &l), 0); /* but does not come back */
	assert_int_not_equal(l.pool_id, b);
	op = fx_ask(fx, "w", 3);
	(void) snprintf(op.u.acquire.pool, sizeof op.u.acquire.pool, "b");
	assert_int_equal(fx_run(fx, &op), CW_E_POLICY);
	op.u.acquire.named = true;
	op.u.acquire.addr = fx_a4("10.0.2.0");
	assert_int_equal(fx_run(fx, &op), CW_E_POLICY);
}

static void a_disabled_pool_restarts_nothing(void **state)
{
	struct fx *fx = *state;
	uint64_t p = fx_simple(fx, "10.0.0.0/24");
	struct cw_lease l;
	struct cw_op op;

	assert_int_equal(fx_acquire(fx, "u", 1, &l), 0);
	assert_int_equal(pool_set(fx, p, disable), 0);
	assert_int_equal(fx_acquire(fx, "u", 1, &l), CW_E_POLICY);
	op = fx_ask(fx, "u", 1);
	op.u.acquire.named = op.u.acquire.held_only = true;
	op.u.acquire.addr = l.addr;
	assert_int_equal(fx_run(fx, &op), CW_E_POLICY);
	op = fx_ask(fx, "u", 2);
	op.u.acquire.named = op.u.acquire.held_only = op.u.acquire.may_move = true;
	op.u.acquire.addr = l.addr;
	assert_int_equal(fx_run(fx, &op), CW_E_POLICY);
	assert_int_equal(fx_end(fx, l.id, CW_END_RELEASE), 0);
}

static void a_draining_tep_gives_nothing_new(void **state)
{
	struct fx *fx = *state;
	struct cw_op op = {.kind = CW_OP_TEP_SET};
	struct cw_store_reader *r;

	(void) fx_simple(fx, "10.0.0.0/24");
	assert_int_equal(fx_acquire(fx, "u", 1, NULL), 0);
	assert_int_equal(cw_store_reader_open(fx->s, &r), 0);
	assert_int_equal(cw_read_teps(r, 0, &op.u.tep, 1), 1);
	(void) cw_store_reader_close(r);
	op.u.tep.draining = true;
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(fx_acquire(fx, "u", 1, NULL), 0);
	assert_int_equal(fx_acquire(fx, "v", 2, NULL), CW_E_POLICY);
}

static void quotas(void **state)
{
	struct fx *fx = *state;
	uint64_t p = fx_simple(fx, "10.0.0.0/24");
	struct cw_op op, user = {.kind = CW_OP_USER_ADD};
	struct cw_lease l;

	op = fx_ask(fx, "u", 1);
	op.u.acquire.max_leases = 1;
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(fx_run(fx, &op), 0); /* a restart is not a new one */
	op.u.acquire.client6 = fx_a6(2);
	assert_int_equal(fx_run(fx, &op), CW_E_QUOTA);
	op.u.acquire.named = true;
	op.u.acquire.addr = fx_a4("10.0.0.9");
	assert_int_equal(fx_run(fx, &op), CW_E_QUOTA);
	assert_int_equal(pool_set(fx, p, allow_two), 0);
	assert_int_equal(fx_acquire(fx, "u", 2, &l), 0);
	assert_int_equal(fx_acquire(fx, "u", 3, NULL), CW_E_QUOTA);
	fx_release(fx, &l, CW_END_RELEASE);
	assert_int_equal(fx_acquire(fx, "u", 3, NULL), 0);
	/* A user's own limit holds beside the access's. */
	user.u.user.user = (struct cw_user){.name = "bob", .max_leases = 1};
	assert_int_equal(fx_run(fx, &user), 0);
	op = fx_ask(fx, "user:bob", 11);
	op.u.acquire.max_leases = 5;
	assert_int_equal(fx_run(fx, &op), 0);
	op = fx_ask(fx, "user:bob", 12);
	op.u.acquire.max_leases = 5;
	assert_int_equal(fx_run(fx, &op), CW_E_QUOTA);
}

static void users_disabled_or_bound_to_a_pool(void **state)
{
	struct fx *fx = *state;
	const char *const one[] = {"10.0.1.0/24", NULL}, *const two[] = {"10.0.2.0/24", NULL};
	struct cw_op user = {.kind = CW_OP_USER_ADD}, op;
	struct cw_lease l;

	(void) fx_pool(fx, "a", CW_PORTSET_WHOLE, one);
	(void) fx_pool(fx, "b", CW_PORTSET_WHOLE, two);
	user.u.user.user = (struct cw_user){.name = "bob", .pool = "b"};
	assert_int_equal(fx_run(fx, &user), 0);
	assert_int_equal(fx_acquire(fx, "user:bob", 1, &l), 0);
	assert_int_equal(l.addr.v, fx_a4("10.0.2.0").v);
	op = fx_ask(fx, "user:bob", 2);
	(void) snprintf(op.u.acquire.pool, sizeof op.u.acquire.pool, "a");
	assert_int_equal(fx_run(fx, &op), CW_E_POLICY);
	op = fx_ask(fx, "user:bob", 2);
	op.u.acquire.named = true;
	op.u.acquire.addr = fx_a4("10.0.1.3");
	assert_int_equal(fx_run(fx, &op), CW_E_POLICY);
	user.kind = CW_OP_USER_SET;
	user.u.user.user.disabled = true;
	assert_int_equal(fx_run(fx, &user), 0);
	assert_int_equal(fx_acquire(fx, "user:bob", 1, NULL), CW_E_POLICY);
	assert_int_equal(fx_acquire(fx, "user:bobby", 3, NULL), 0);
}

/* ---- stickiness ---- */

static void the_last_address_of_this_very_host(void **state)
{
	struct fx *fx = *state;
	struct cw_lease l[100], again;

	(void) fx_simple(fx, "10.0.0.0/24");
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(fx_acquire(fx, "gw", i + 1, &l[i]), 0);
	for (unsigned i = 0; i < 100; i++)
		fx_release(fx, &l[i], CW_END_RELEASE);
	/* One of a hundred rows of that principal: found by the host's address. */
	assert_int_equal(fx_acquire(fx, "gw", 98, &again), 0);
	assert_int_equal(again.addr.v, l[97].addr.v);
	/* A host that is new takes one of them: the principal's own quarantine does not count. */
	assert_int_equal(fx_acquire(fx, "gw", 500, &again), 0);
	assert_true(again.addr.v >= fx_a4("10.0.0.0").v && again.addr.v <= fx_a4("10.0.0.99").v);
}

/* ---- cost ---- */

static unsigned long steps;

static int on_progress(void *arg)
{
	(void) arg;
	steps++;
	return 0;
}

/* Steps of SQLite's machine, in tens, that one acquire takes. */
static unsigned long cost(struct fx *fx, int want)
{
	sqlite3 *db = cw_store_backend(fx->s)->db;
	int error;

	steps = 0;
	sqlite3_progress_handler(db, 10, on_progress, NULL);
	(void) next_address(fx, &error);
	sqlite3_progress_handler(db, 0, NULL, NULL);
	assert_int_equal(error, want);
	return steps;
}

static void a_big_pool_costs_what_a_small_one_does(void **state)
{
	struct fx *fx = *state;
	const char *const small[] = {"10.0.0.0/29", NULL}, *const big[] = {"11.0.0.0/8", NULL};
	unsigned long a, b;

	(void) fx_pool(fx, "small", CW_PORTSET_WHOLE, small);
	(void) cost(fx, 0);
	a = cost(fx, 0);
	assert_int_equal(fx_sql(fx, "UPDATE pool SET state = 2"), SQLITE_OK);
	(void) fx_pool(fx, "big", (struct cw_portset){.len = 16}, big); /* 2^40 places */
	(void) cost(fx, 0);
	b = cost(fx, 0);
	assert_true(b <= a + 5);
}

static void an_empty_pool_is_seen_at_once(void **state)
{
	struct fx *fx = *state;
	struct cw_op op = {.kind = CW_OP_EXCLUDE_ADD};
	uint64_t p = fx_simple(fx, "10.0.0.0/16");

	/* Every second address is excluded, every fourth reserved; the rest is used up by rows. */
	assert_int_equal(
		fx_sql(fx,
			"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 32767)"
			"INSERT INTO exclusion (pool, lo, hi)"
			" SELECT 1, 167772160 + i * 2, 167772160 + i * 2 FROM n"),
		SQLITE_OK);
	assert_int_equal(
		fx_sql(fx,
			"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 16383)"
			"INSERT INTO reservation (pool, addr, psid, principal)"
			" SELECT 1, 167772161 + i * 4, 0, 'vip' || i FROM n"),
		SQLITE_OK);
	assert_int_equal(
		fx_sql(fx,
			"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 16382)"
			"INSERT INTO lease (addr, psid, id, generation, pool, tep, state, live, withheld,"
			" reason, access, due, expires, granted, lifetime, client6, principal,"
			" ps_len, range_lo, range_hi)"
			" SELECT 167772163 + i * 4, 0, i + 1, i + 1, 1, 1, 1, 1, 0, 0, 1, 99999, 99999, 0, 9,"
			" zeroblob(16), 'x' || i, 0, 167772160, 167837695 FROM n"),
		SQLITE_OK);
	assert_int_equal(fx_sql(fx, "UPDATE broker_state SET seq = 100000"), SQLITE_OK);
	op.u.range = fx_range("192.168.0.0/16", p); /* reads the configuration again */
	assert_int_equal(fx_run(fx, &op), 0);
	cw_store_backend(fx->s)->seq = 100000;
	(void) cost(fx, 0);               /* walks over it all, once: 10.0.255.255 */
	(void) cost(fx, CW_E_POOL_EMPTY); /* the first one sees that no row is free */
	assert_true(cost(fx, CW_E_POOL_EMPTY) < 50);
}

static void the_cursor_survives(void **state)
{
	struct fx fx;
	int error;

	(void) state;
	fx_open(&fx, false);
	(void) fx_simple(&fx, "10.0.0.0/8");
	for (unsigned i = 0; i < 5; i++)
		(void) next_address(&fx, &error);
	fx.s = cw_store_close(fx.s);
	fx_reopen(&fx);
	assert_next(&fx, "10.0.0.5");
	assert_int_equal(fx_sql_int(&fx, "SELECT next FROM unused"), 6);
	fx.s = cw_store_abandon(fx.s);
	fx_reopen(&fx);
	assert_next(&fx, "10.0.0.6");
	fx_close(&fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, fx_set_up_memory, fx_tear_down)
		T(exclusions_are_jumped_over_and_come_back),
		T(what_comes_back_joins_what_is_there),
		T(an_exclusion_over_used_addresses),
		T(reservations_are_for_their_principal),
		T(a_reservation_of_a_used_address),
		T(a_reservation_counts_more_than_an_exclusion),
		T(port_sets_fill_one_address_before_the_next),
		T(system_ports_can_be_kept),
		T(keeping_system_ports_later_holds_free_ones_back),
		T(shared_pools_only_for_those_who_can),
		T(a_named_port_set),
		T(pools_in_their_order),
		T(a_disabled_pool_restarts_nothing),
		T(a_draining_tep_gives_nothing_new),
		T(quotas),
		T(users_disabled_or_bound_to_a_pool),
		T(the_last_address_of_this_very_host),
		T(a_big_pool_costs_what_a_small_one_does),
		T(an_empty_pool_is_seen_at_once),
		cmocka_unit_test(the_cursor_survives),
	};

	return cmocka_run_group_tests_name("db alloc", tests, NULL, NULL);
}
