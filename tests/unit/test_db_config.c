/* SPDX-License-Identifier: BSD-2-Clause */
/* Configuration in the database (pools, ranges, TEPs, users) with its versions and refusals, and
 * what readers see: pages, history, who had an address, credentials, heartbeat. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "tests/lib/db-fixture.h"

static struct cw_store_reader *reader(struct fx *fx)
{
	struct cw_store_reader *r;

	assert_int_equal(cw_store_reader_open(fx->s, &r), 0);
	return r;
}

static struct cw_op tep_op(enum cw_op_kind kind, const char *name)
{
	struct cw_op op = {.kind = kind};

	op.u.tep = (struct cw_tep){.plugin = "null",
		.options = "a=1\nb=2\n",
		.has_ipv4 = true,
		.ipv4 = {0xc0000201},
		.ipv6 = fx_a6(1)};
	(void) snprintf(op.u.tep.name, sizeof op.u.tep.name, "%s", name);
	return op;
}

static void teps(void **state)
{
	struct fx *fx = *state;
	struct cw_op op = tep_op(CW_OP_TEP_ADD, "edge"), other = tep_op(CW_OP_TEP_ADD, "other");
	struct cw_store_reader *r = reader(fx);
	struct cw_tep t[4];

	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(op.u.tep.version, 1);
	assert_int_equal(fx_run(fx, &op), CW_E_CONFLICT); /* the name is there */
	assert_int_equal(fx_run(fx, &other), 0);
	other.u.tep.has_ipv4 = false;
	other.kind = CW_OP_TEP_SET;
	other.u.tep.version = 7;
	assert_int_equal(fx_run(fx, &other), CW_E_STALE);
	other.u.tep.version = 1;
	assert_int_equal(fx_run(fx, &other), 0);
	assert_int_equal(other.u.tep.version, 2);
	(void) snprintf(other.u.tep.name, sizeof other.u.tep.name, "edge");
	assert_int_equal(fx_run(fx, &other), CW_E_CONFLICT);
	assert_int_equal(cw_read_teps(r, 0, t, 4), 2);
	assert_string_equal(t[0].name, "edge");
	assert_string_equal(t[0].options, "a=1\nb=2\n");
	assert_true(t[0].has_ipv4 && t[0].ipv4.v == 0xc0000201);
	assert_false(t[1].has_ipv4);
	assert_int_equal(t[1].version, 2);
	assert_int_equal(cw_read_tep(r, "edge", &t[2]), 1);
	assert_int_equal(t[2].id, t[0].id);
	assert_int_equal(cw_read_tep(r, "Edge", &t[2]), 0);
	assert_int_equal(cw_read_teps(r, t[0].id, t, 4), 1);
	op = tep_op(CW_OP_TEP_ADD, "bad name");
	assert_int_equal(fx_run(fx, &op), -EINVAL);
	op = tep_op(CW_OP_TEP_ADD, "");
	assert_int_equal(fx_run(fx, &op), -EINVAL);
	memset(op.u.tep.name, 'a', sizeof op.u.tep.name);
	assert_int_equal(fx_run(fx, &op), -EINVAL);
	op = tep_op(CW_OP_TEP_SET, "x");
	op.u.tep.id = 99;
	assert_int_equal(fx_run(fx, &op), -ENOENT);
	op.kind = CW_OP_TEP_DEL;
	assert_int_equal(fx_run(fx, &op), -ENOENT);
	(void) cw_store_reader_close(r);
}

static void a_tep_in_use_stays(void **state)
{
	struct fx *fx = *state;
	struct cw_op op = {.kind = CW_OP_TEP_DEL}, move = {.kind = CW_OP_POOL_SET},
		     set = {.kind = CW_OP_TEP_SET}, other;
	struct cw_store_reader *r = reader(fx);
	struct cw_lease l;
	uint64_t p = fx_simple(fx, "10.0.0.0/24");

	assert_int_equal(fx_acquire(fx, "u", 1, &l), 0);
	op.u.tep.id = l.tep_id;
	assert_int_equal(fx_run(fx, &op), CW_E_CONFLICT); /* the pool's */
	other = tep_op(CW_OP_TEP_ADD, "other");
	assert_int_equal(fx_run(fx, &other), 0);
	assert_int_equal(cw_read_pools(r, p - 1, &move.u.pool.pool, 1), 1);
	(void) snprintf(move.u.pool.tep, sizeof move.u.pool.tep, "other");
	assert_int_equal(fx_run(fx, &move), CW_E_CONFLICT); /* they are where they are programmed */
	assert_int_equal(cw_read_tep_id(r, l.tep_id, &set.u.tep), 1);
	set.u.tep.draining = true;
	assert_int_equal(fx_run(fx, &set), 0);
	set.u.tep.ipv6.b[15] ^= 1;
	assert_int_equal(fx_run(fx, &set), CW_E_CONFLICT); /* and their clients know it by these */
	set.u.tep.ipv6.b[15] ^= 1;
	set.u.tep.has_ipv4 = !set.u.tep.has_ipv4;
	assert_int_equal(fx_run(fx, &set), CW_E_CONFLICT);
	fx_release(fx, &l, CW_END_RELEASE);
	assert_int_equal(fx_run(fx, &set), 0);
	assert_int_equal(fx_run(fx, &move), 0);
	op.u.tep.version = 9;
	assert_int_equal(fx_run(fx, &op), CW_E_STALE);
	op.u.tep.version = 3;
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(fx_lease(fx, l.id).tep_id, 0);
	assert_int_equal(fx_acquire(fx, "u", 1, &l), 0);
	assert_int_equal(l.tep_id, other.u.tep.id);
	(void) cw_store_reader_close(r);
}

static void pools_and_their_versions(void **state)
{
	struct fx *fx = *state;
	struct cw_store_reader *r = reader(fx);
	uint64_t id = fx_simple(fx, "10.0.0.0/24");
	struct cw_op op = {.kind = CW_OP_POOL_SET};
	struct cw_pool p[2];

	assert_int_equal(cw_read_pools(r, 0, p, 2), 1);
	assert_int_equal(p[0].id, id);
	assert_int_equal(cw_read_pool(r, p[0].name, &p[1]), 1);
	assert_int_equal(p[1].id, id);
	assert_int_equal(cw_read_pool(r, "", &p[1]), 0);
	assert_int_equal(p[0].version, 1);
	assert_int_equal(p[0].lifetime_min_s, 60);
	assert_int_equal(p[0].lifetime_max_s, 86400);
	assert_int_equal(p[0].quarantine_s, 30);
	op.u.pool.pool = p[0];
	op.u.pool.pool.lifetime_s = 120;
	op.u.pool.pool.retention_s = 5;
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(op.u.pool.pool.version, 2);
	op.u.pool.pool.version = 1;
	assert_int_equal(fx_run(fx, &op), CW_E_STALE);
	op.u.pool.pool.version = 0; /* whatever is there */
	assert_int_equal(fx_run(fx, &op), 0);
	op.u.pool.pool.ps_len = 4; /* the shape is for life */
	assert_int_equal(fx_run(fx, &op), CW_E_CONFLICT);
	op.u.pool.pool.ps_len = 0;
	op.u.pool.pool.lifetime_s = 86401;
	assert_int_equal(fx_run(fx, &op), -EINVAL);
	op.u.pool.pool.lifetime_s = 3600;
	(void) snprintf(op.u.pool.tep, sizeof op.u.pool.tep, "nowhere");
	assert_int_equal(fx_run(fx, &op), -ENOENT);
	op.u.pool.pool.id = 99;
	assert_int_equal(fx_run(fx, &op), -ENOENT);
	assert_int_equal(cw_read_pools(r, 0, p, 2), 1);
	assert_int_equal(p[0].lifetime_s, 120);
	assert_int_equal(p[0].version, 3);
	(void) cw_store_reader_close(r);
}

static void a_pool_comes_whole_or_not_at_all(void **state)
{
	struct fx *fx = *state;
	struct cw_range ranges[] = {fx_range("10.1.0.0/24", 0), fx_range("10.0.0.128/25", 0)};
	const struct cw_range excludes[] = {fx_range("10.1.0.0/28", 0), fx_range("10.1.0.8/29", 0)};
	struct cw_op op = {.kind = CW_OP_POOL_ADD};
	struct cw_lease l;

	(void) fx_simple(fx, "10.0.0.0/24");
	op.u.pool = (struct cw_op_pool){
		.pool = {.name = "q"}, .tep = "edge", .ranges = ranges, .n_ranges = 2};
	assert_int_equal(fx_run(fx, &op), CW_E_CONFLICT); /* the second range is p's */
	assert_int_equal(fx_sql_int(fx, "SELECT count(*) FROM pool"), 1);
	assert_int_equal(fx_sql_int(fx, "SELECT count(*) FROM pool_range"), 1);
	op.u.pool.n_ranges = 1;
	op.u.pool.excludes = excludes;
	op.u.pool.n_excludes = 2; /* overlap each other */
	assert_int_equal(fx_run(fx, &op), CW_E_CONFLICT);
	op.u.pool.n_excludes = 1;
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(op.u.pool.pool.lifetime_s, 3600);
	assert_int_equal(fx_run(fx, &op), CW_E_CONFLICT); /* the name */
	op = fx_ask(fx, "u", 1);
	(void) snprintf(op.u.acquire.pool, sizeof op.u.acquire.pool, "q");
	assert_int_equal(fx_run(fx, &op), 0);
	l = op.u.acquire.lease;
	assert_int_equal(l.addr.v, fx_a4("10.1.0.16").v);
}

static void pools_that_cannot_be(void **state)
{
	static const struct cw_pool bad[] = {
		{.name = ""},
		{.name = "a b"},
		{.name = "p", .ps_offset = 3},
		{.name = "p", .ps_offset = 9, .ps_len = 9},
		{.name = "p", .ps_len = 17},
		{.name = "p", .ps_offset = 7, .ps_len = 2, .keep_system_ports = true},
		{.name = "p", .lifetime_s = 100, .lifetime_min_s = 200},
		{.name = "p", .lifetime_s = 100, .lifetime_max_s = 99},
		{.name = "p", .state = 3},
	};
	struct fx *fx = *state;
	struct cw_op op;

	op = tep_op(CW_OP_TEP_ADD, "edge");
	assert_int_equal(fx_run(fx, &op), 0);
	for (size_t i = 0; i < CW_ARRAY_LEN(bad); i++) {
		op = (struct cw_op){.kind = CW_OP_POOL_ADD};
		op.u.pool = (struct cw_op_pool){.pool = bad[i], .tep = "edge"};
		assert_int_equal(fx_run(fx, &op), -EINVAL);
	}
	op.u.pool = (struct cw_op_pool){.pool = {.name = "p"}, .tep = "none"};
	assert_int_equal(fx_run(fx, &op), -ENOENT);
	op.u.pool = (struct cw_op_pool){.pool = {.name = "p"}};
	assert_int_equal(fx_run(fx, &op), CW_E_CONFLICT); /* no TEP at all: the foreign key */
}

static void pools_and_ranges_go_when_idle(void **state)
{
	struct fx *fx = *state;
	uint64_t id = fx_simple(fx, "10.0.0.0/24"), range;
	struct cw_op del = {.kind = CW_OP_POOL_DEL}, op = {.kind = CW_OP_RANGE_ADD};
	struct cw_op rdel = {.kind = CW_OP_RANGE_DEL}, user = {.kind = CW_OP_USER_ADD};
	struct cw_store_reader *r = reader(fx);
	struct cw_range ranges[4];
	struct cw_lease l;

	op.u.range = fx_range("10.0.1.0/24", id);
	assert_int_equal(fx_run(fx, &op), 0);
	range = op.u.range.id;
	op.u.range = fx_range("10.0.0.255-10.0.2.0", id);
	assert_int_equal(fx_run(fx, &op), CW_E_CONFLICT);
	op.u.range = fx_range("10.0.5.0/24", 99);
	assert_int_equal(fx_run(fx, &op), -ENOENT);
	op.u.range = (struct cw_range){.pool_id = id, .lo = {2}, .hi = {1}};
	assert_int_equal(fx_run(fx, &op), -EINVAL);
	assert_int_equal(cw_read_ranges(r, id, 0, ranges, 4), 2);
	assert_int_equal(cw_read_ranges(r, id, ranges[0].id, ranges, 4), 1);
	assert_int_equal(cw_read_ranges(r, 0, 0, ranges, 4), 2);
	assert_int_equal(cw_read_ranges(r, 99, 0, ranges, 4), 0);
	assert_int_equal(fx_acquire(fx, "u", 1, &l), 0);
	rdel.u.range.id = ranges[0].id;
	assert_int_equal(fx_run(fx, &rdel), CW_E_CONFLICT);
	del.u.pool.pool.id = id;
	assert_int_equal(fx_run(fx, &del), CW_E_CONFLICT);
	rdel.u.range.id = range;
	assert_int_equal(fx_run(fx, &rdel), 0);
	assert_int_equal(fx_run(fx, &rdel), -ENOENT);
	fx_release(fx, &l, CW_END_RELEASE);
	assert_int_equal(fx_run(fx, &del), CW_E_CONFLICT); /* it rests */
	fx->now.steady_s += 31;
	assert_int_equal(fx_sweep(fx, CW_OP_FREE, 10, NULL, NULL), 0);
	del.u.pool.pool.version = 3;
	assert_int_equal(fx_run(fx, &del), CW_E_STALE);
	del.u.pool.pool.version = 0;
	user.u.user.user = (struct cw_user){.name = "bob", .pool = "p"};
	assert_int_equal(fx_run(fx, &user), 0);
	assert_int_equal(fx_run(fx, &del), CW_E_CONFLICT);        /* a user is bound to it */
	assert_int_equal(cw_read_ranges(r, id, 0, ranges, 4), 1); /* all of it is still there */
	user.kind = CW_OP_USER_DEL;
	assert_int_equal(fx_run(fx, &user), 0);
	assert_int_equal(fx_run(fx, &del), 0);
	assert_int_equal(fx_run(fx, &del), -ENOENT);
	assert_int_equal(fx_sql_int(fx, "SELECT count(*) FROM lease"), 0);
	assert_int_equal(fx_sql_int(fx, "SELECT count(*) FROM unused"), 0);
	assert_int_equal(fx_sql_int(fx, "SELECT count(*) FROM history"),
		1); /* it was so, whoever asks later */
	/* The addresses may be a pool of another shape now. */
	assert_true(fx_pool(fx, "p", (struct cw_portset){.len = 4},
			    (const char *const[]){"10.0.0.0/24", NULL}) > id);
	(void) cw_store_reader_close(r);
}

/* ---- a big pool goes in turns ---- */

enum { BIG = 3000 };

static unsigned order[4], n_order;

static void on_del(struct cw_op *op)
{
	assert_int_equal(op->result, 0);
	order[n_order++] = 'd';
}

static void on_grant(struct cw_op *op)
{
	assert_int_equal(op->result, 0);
	order[n_order++] = 'g';
}

/* Pool 1 with BIG free rows, pool 2 beside it, in a file. Returns the id of the first. */
static uint64_t big_pool(struct fx *fx)
{
	static const char *const big[] = {"10.0.0.0/20", NULL}, *const small[] = {
									"10.9.0.0/24", NULL};
	static struct cw_op ops[BIG];
	uint64_t id;

	fx_close(fx);
	fx_open(fx, false);
	id = fx_pool(fx, "big", CW_PORTSET_WHOLE, big);
	(void) fx_pool(fx, "small", CW_PORTSET_WHOLE, small);
	for (unsigned i = 0; i < BIG; i++) {
		char who[16];

		(void) snprintf(who, sizeof who, "u%u", i);
		ops[i] = fx_ask(fx, who, 1 + i);
		(void) snprintf(ops[i].u.acquire.pool, sizeof ops[i].u.acquire.pool, "big");
		cw_store_submit(fx->s, &ops[i]);
	}
	while (cw_store_step(fx->s) > 0)
		;
	assert_int_equal(fx_sql_int(fx, "SELECT count(*) FROM lease"), BIG);
	assert_int_equal(fx_sql(fx, "UPDATE lease SET state = 0, live = 0, reason = 1;"
				    "UPDATE history SET ended = started, reason = 1;"
				    "DELETE FROM outbox"),
		0);
	return id;
}

static void a_big_pool_goes_in_turns(void **state)
{
	struct fx *fx = *state;
	struct cw_op del = {.kind = CW_OP_POOL_DEL, .done = on_del}, grant;

	del.u.pool.pool.id = big_pool(fx);
	grant = fx_ask(fx, "other", 5000);
	(void) snprintf(grant.u.acquire.pool, sizeof grant.u.acquire.pool, "small");
	grant.done = on_grant;
	n_order = 0;
	cw_store_submit(fx->s, &del);
	(void) cw_store_step(fx->s); /* its first turn, alone */
	cw_store_submit(fx->s, &grant);
	(void) cw_store_step(fx->s);
	assert_int_equal(n_order, 1);
	assert_int_equal(order[0], 'g'); /* does not wait for the rest */
	assert_true(fx_sql_int(fx, "SELECT count(*) FROM lease") > BIG / 2);
	while (cw_store_step(fx->s) > 0)
		;
	assert_int_equal(n_order, 2);
	assert_int_equal(fx_sql_int(fx, "SELECT count(*) FROM lease"), 1);
	assert_int_equal(fx_sql_int(fx, "SELECT count(*) FROM pool"), 1);
}

/* Dead in the middle of it: the pool is whole, lends each of its addresses once, and goes when told
 * again. */
static void a_big_pool_half_gone_is_whole(void **state)
{
	struct fx *fx = *state;
	struct cw_op del = {.kind = CW_OP_POOL_DEL};
	uint64_t id = big_pool(fx);
	unsigned got = 0;

	del.u.pool.pool.id = id;
	cw_store_submit(fx->s, &del);
	(void) cw_store_step(fx->s);
	(void) cw_store_step(fx->s);
	fx->s = cw_store_abandon(fx->s);
	fx_reopen(fx);
	assert_true(fx_sql_int(fx, "SELECT count(*) FROM lease") < BIG);
	for (unsigned i = 0; i < 4096 + 10; i++) {
		struct cw_op op = fx_ask(fx, "again", 10000 + i);

		(void) snprintf(op.u.acquire.pool, sizeof op.u.acquire.pool, "big");
		got += fx_run(fx, &op) == 0;
	}
	assert_int_equal(got, 4096);
	assert_int_equal(
		fx_sql_int(fx, "SELECT count(DISTINCT addr) FROM lease WHERE state = 1"), 4096);
	assert_int_equal(fx_run(fx, &del), CW_E_CONFLICT);
	assert_int_equal(
		fx_sql(fx, "UPDATE lease SET state = 0, live = 0, reason = 1;"
			   "UPDATE history SET ended = started, reason = 1; DELETE FROM outbox"),
		0);
	assert_int_equal(fx_run(fx, &del), 0);
	assert_int_equal(fx_sql_int(fx, "SELECT count(*) FROM lease"), 0);
}

static void users_and_credentials(void **state)
{
	static const struct cw_credential first[] = {{"SCRAM-SHA-256", "v1"}, {"DIGEST-MD5", "v2"}};
	static const struct cw_credential second[] = {{"SCRAM-SHA-1", "v3"}};
	static const struct cw_credential twice[] = {{"SCRAM-SHA-1", "v3"}, {"SCRAM-SHA-1", "v4"}};
	static const struct cw_credential empty[] = {{"", "v3"}};
	struct fx *fx = *state;
	struct cw_store_reader *r = reader(fx);
	struct cw_op op = {.kind = CW_OP_USER_ADD};
	struct cw_credential c[4];
	struct cw_user u[2];

	(void) fx_simple(fx, "10.0.0.0/24");
	op.u.user = (struct cw_op_user){.user = {.name = "bob", .max_leases = 3, .pool = "p"},
		.credentials = first,
		.n_credentials = 2};
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(fx_run(fx, &op), CW_E_CONFLICT);
	assert_int_equal(cw_read_users(r, 0, u, 2), 1);
	assert_string_equal(u[0].name, "bob");
	assert_string_equal(u[0].pool, "p");
	assert_int_equal(u[0].max_leases, 3);
	assert_int_equal(cw_read_user(r, "bob", &u[1]), 1);
	assert_string_equal(u[1].pool, "p");
	assert_int_equal(cw_read_user(r, "alice", &u[1]), 0);
	assert_int_equal(cw_read_credentials(r, "bob", c, 4), 2);
	assert_string_equal(c[0].kind, "DIGEST-MD5");
	assert_string_equal(c[1].verifier, "v1");
	assert_int_equal(cw_read_credentials(r, "bob", c, 1), 1);
	assert_int_equal(cw_read_credentials(r, "BOB", c, 4), 0);
	op.kind = CW_OP_CREDENTIALS_SET;
	op.u.user.credentials = twice;
	op.u.user.n_credentials = 2;
	assert_int_equal(fx_run(fx, &op), CW_E_CONFLICT);
	op.u.user.credentials = empty;
	op.u.user.n_credentials = 1;
	assert_int_equal(fx_run(fx, &op), -EINVAL);
	assert_int_equal(cw_read_credentials(r, "bob", c, 4), 2); /* as before */
	op.u.user.credentials = second;
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(op.u.user.user.version, 2);
	assert_int_equal(cw_read_credentials(r, "bob", c, 4), 1);
	assert_string_equal(c[0].verifier, "v3");
	op.kind = CW_OP_USER_SET;
	op.u.user.user.disabled = true;
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(
		cw_read_credentials(r, "bob", c, 4), 0); /* a disabled user proves nothing */
	op.u.user.user.version = 1;
	assert_int_equal(fx_run(fx, &op), CW_E_STALE);
	op.u.user.user.version = 0;
	(void) snprintf(op.u.user.user.pool, sizeof op.u.user.user.pool, "none");
	assert_int_equal(fx_run(fx, &op), -ENOENT);
	op.u.user.user = (struct cw_user){.id = op.u.user.user.id, .name = "bob"};
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(fx_acquire(fx, "user:bob", 1, NULL), 0);
	op.kind = CW_OP_USER_DEL;
	assert_int_equal(fx_run(fx, &op), CW_E_CONFLICT); /* he has a lease */
	op.u.user.user.id = 99;
	assert_int_equal(fx_run(fx, &op), -ENOENT);
	(void) cw_store_reader_close(r);
}

/* ---- reading ---- */

static void leases_page_by_key(void **state)
{
	struct fx *fx = *state;
	struct cw_store_reader *r = reader(fx);
	const char *const ranges[] = {"10.0.0.0/30", "10.2.0.0/30", NULL}, *const mid[] = {
										   "10.1.0.0/30",
										   NULL};
	uint64_t p = fx_pool(fx, "p", (struct cw_portset){.len = 2}, ranges);
	uint64_t q = fx_pool(fx, "q", CW_PORTSET_WHOLE, mid);
	struct cw_lease_filter all = {0}, of_p = {.pool_id = p}, of_q = {.pool_id = q},
			       free_too = {.states = 0xf};
	struct cw_lease_filter alice = {.principal = "alice"}, nobody = {.tep_id = 99};
	struct cw_lease_key at = {.begin = true};
	struct cw_lease l[64], a;
	unsigned n = 0, got;

	for (unsigned i = 0; i < 36; i++) {
		struct cw_op op = fx_ask(fx, i % 3 ? "bob" : "alice", i + 1);

		op.u.acquire.ports_ok = true;
		assert_int_equal(fx_run(fx, &op), 0);
		if (i == 0)
			a = op.u.acquire.lease;
	}
	while ((got = (unsigned) cw_read_leases(r, &all, at, l + n, 5)) > 0) {
		n += got;
		at = (struct cw_lease_key){.addr = l[n - 1].addr, .psid = l[n - 1].ports.psid};
	}
	assert_int_equal(n, 36);
	for (unsigned i = 1; i < n; i++)
		assert_true(
			l[i - 1].addr.v < l[i].addr.v ||
			(l[i - 1].addr.v == l[i].addr.v && l[i - 1].ports.psid < l[i].ports.psid));
	/* A pool whose ranges lie around another one's. */
	for (n = 0, at = (struct cw_lease_key){.begin = true};
		(got = (unsigned) cw_read_leases(r, &of_p, at, l + n, 7)) > 0;) {
		n += got;
		at = (struct cw_lease_key){.addr = l[n - 1].addr, .psid = l[n - 1].ports.psid};
	}
	assert_int_equal(n, 32);
	assert_int_equal(l[31].addr.v, fx_a4("10.2.0.3").v);
	at = (struct cw_lease_key){.begin = true};
	assert_int_equal(cw_read_leases(r, &of_q, at, l, 64), 4);
	assert_int_equal(cw_read_leases(r, &nobody, at, l, 64), 0);
	fx_release(fx, &a, CW_END_TEP); /* free */
	assert_int_equal(cw_read_leases(r, &alice, at, l, 64), 11);
	assert_int_equal(cw_read_leases(r, &all, at, l, 64), 35);
	assert_int_equal(cw_read_leases(r, &free_too, at, l, 64), 36);
	alice.states = 1u << CW_LEASE_FREE;
	assert_int_equal(cw_read_leases(r, &alice, at, l, 64), 1);
	assert_int_equal(l[0].state, CW_LEASE_FREE);
	assert_int_equal(cw_read_lease(r, 424242, &a), -ENOENT);
	(void) cw_store_reader_close(r);
}

static void who_had_it(void **state)
{
	struct fx *fx = *state;
	struct cw_store_reader *r = reader(fx);
	const char *const ranges[] = {"10.0.0.0/32", NULL};
	struct cw_addr4 addr = fx_a4("10.0.0.0");
	struct cw_tenure t;
	struct cw_lease l;
	struct cw_op op, del = {.kind = CW_OP_POOL_DEL};
	int64_t t0 = fx->now.wall_s;

	(void) fx_pool(fx, "p", CW_PORTSET_WHOLE, ranges);
	assert_int_equal(cw_read_who(r, addr, 80, t0, &t), 0);
	assert_int_equal(fx_acquire(fx, "alice", 1, &l), 0);
	fx->now.wall_s = t0 + 100;
	assert_int_equal(fx_end(fx, l.id, CW_END_RELEASE), 0);
	fx->now.wall_s = t0 + 110; /* forwarding went on until here */
	l = fx_lease(fx, l.id);
	assert_int_equal(fx_confirm(fx, l.id, l.generation, 0), 0);
	assert_int_equal(cw_read_who(r, addr, 80, t0 - 1, &t), 0);
	assert_int_equal(cw_read_who(r, addr, 80, t0, &t), 1);
	assert_string_equal(t.principal, "alice");
	assert_int_equal(t.reason, CW_END_RELEASE);
	assert_int_equal(t.started_wall_s, t0);
	assert_int_equal(t.ended_wall_s, t0 + 110);
	assert_int_equal(cw_read_who(r, addr, 65535, t0 + 109, &t), 1);
	assert_int_equal(cw_read_who(r, addr, 80, t0 + 110, &t), 0);
	fx->now.steady_s += 1000;
	fx->now.wall_s = t0 + 200;
	assert_int_equal(fx_acquire(fx, "bob", 2, &l), 0);
	assert_int_equal(cw_read_who(r, addr, 80, t0 + 199, &t), 0);
	assert_int_equal(cw_read_who(r, addr, 80, t0 + 5000, &t), 1);
	assert_string_equal(t.principal, "bob");
	assert_true(t.ended_wall_s == INT64_MAX);
	/* The wall clock is set back: the older tenure is still found for its own time. */
	fx->now.wall_s = t0 + 300;
	fx_release(fx, &l, CW_END_TEP);
	fx->now.wall_s = t0 + 50;
	assert_int_equal(fx_acquire(fx, "carol", 3, &l), 0);
	fx->now.wall_s = t0 + 60;
	fx_release(fx, &l, CW_END_TEP);
	assert_int_equal(cw_read_who(r, addr, 80, t0 + 90, &t), 1);
	assert_string_equal(t.principal, "alice");
	/* The address becomes a shared one: who depends on the port, and the old times are still
	 * told. */
	assert_int_equal(cw_read_pools(r, 0, &del.u.pool.pool, 1), 1);
	assert_int_equal(fx_run(fx, &del), 0);
	(void) fx_pool(fx, "q", (struct cw_portset){.len = 1}, ranges);
	fx->now.wall_s = t0 + 1000;
	for (unsigned i = 0; i < 2; i++) {
		op = fx_ask(fx, i ? "high" : "low", i + 10);
		op.u.acquire.ports_ok = true;
		assert_int_equal(fx_run(fx, &op), 0);
	}
	assert_int_equal(cw_read_who(r, addr, 32767, t0 + 1000, &t), 1);
	assert_string_equal(t.principal, "low");
	assert_int_equal(cw_read_who(r, addr, 32768, t0 + 1000, &t), 1);
	assert_string_equal(t.principal, "high");
	assert_int_equal(cw_read_who(r, addr, 32768, t0 + 250, &t), 1);
	assert_string_equal(t.principal, "bob");
	(void) cw_store_reader_close(r);
}

static void history_is_pruned_by_its_pools_retention(void **state)
{
	struct fx *fx = *state;
	struct cw_store_reader *r = reader(fx);
	struct cw_op op = {.kind = CW_OP_POOL_SET}, del = {.kind = CW_OP_POOL_DEL};
	uint64_t p = fx_simple(fx, "10.0.0.0/24");
	struct cw_tenure t[16];
	struct cw_lease l[6];
	unsigned n;
	int64_t next;

	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(fx_acquire(fx, "u", i + 1, &l[i]), 0);
	for (unsigned i = 0; i < 5; i++) {
		fx->now.wall_s++;
		fx_release(fx, &l[i], CW_END_TEP);
	}
	assert_int_equal(cw_read_history(r, 0, t, 16), 6);
	assert_int_equal(cw_read_history(r, t[2].lease, t, 16), 3);
	fx->now.wall_s += 1000000;
	assert_int_equal(fx_sweep(fx, CW_OP_PRUNE, 10, &n, &next), 0);
	assert_int_equal(n, 0); /* retention 0: for ever */
	assert_true(next == INT64_MAX);
	assert_int_equal(cw_read_pools(r, p - 1, &op.u.pool.pool, 1), 1);
	op.u.pool.pool.retention_s = 1000000 + 2;
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(fx_sweep(fx, CW_OP_PRUNE, 2, &n, &next), 0);
	assert_int_equal(n, 2);
	assert_true(next <= fx->now.wall_s); /* there is more */
	assert_int_equal(fx_sweep(fx, CW_OP_PRUNE, 10, &n, &next), 0);
	assert_int_equal(n, 1);
	assert_int_equal(next, fx->now.wall_s + 1);
	assert_int_equal(cw_read_history(r, 0, t, 16), 3);
	/* The pool goes; its history keeps its time. */
	fx_release(fx, &l[5], CW_END_TEP);
	del.u.pool.pool.id = p;
	assert_int_equal(fx_run(fx, &del), 0);
	fx->now.wall_s += 10;
	assert_int_equal(fx_sweep(fx, CW_OP_PRUNE, 10, &n, &next), 0);
	assert_int_equal(n, 2);
	fx->now.wall_s += 1000000;
	assert_int_equal(fx_sweep(fx, CW_OP_PRUNE, 10, &n, &next), 0);
	assert_int_equal(n, 1);
	assert_int_equal(cw_read_history(r, 0, t, 16), 0);
	(void) cw_store_reader_close(r);
}

static void heartbeat_audit_and_next_due(void **state)
{
	struct fx *fx = *state;
	struct cw_store_reader *r = reader(fx);
	struct cw_op op = {.kind = CW_OP_HEARTBEAT};
	struct cw_op_heartbeat beat;
	struct cw_store_time at;
	struct cw_lease l;
	int64_t expiry, rest;

	assert_int_equal(cw_read_heartbeat(r, &beat, &at), -ENOENT);
	op.u.heartbeat = (struct cw_op_heartbeat){.boot_id = "abc", .boot_ms = 123456};
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(cw_read_heartbeat(r, &beat, &at), 0);
	assert_string_equal(beat.boot_id, "abc");
	assert_int_equal(beat.boot_ms, 123456);
	assert_int_equal(at.steady_s, fx->now.steady_s);
	assert_int_equal(at.wall_s, fx->now.wall_s);
	op = (struct cw_op){.kind = CW_OP_AUDIT};
	op.u.audit = (struct cw_op_audit){"root", "unix:0", "pool.add", "pool:p", "{}"};
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(
		fx_sql_int(fx,
			"SELECT count(*) FROM audit WHERE actor = 'root' AND verb = 'pool.add'"),
		1);
	assert_int_equal(cw_read_next_due(r, &expiry, &rest), 0);
	assert_true(expiry == INT64_MAX && rest == INT64_MAX);
	(void) fx_simple(fx, "10.0.0.0/24");
	assert_int_equal(fx_acquire(fx, "u", 1, &l), 0);
	fx->now.steady_s += 5;
	assert_int_equal(fx_acquire(fx, "u", 2, NULL), 0);
	assert_int_equal(cw_read_next_due(r, &expiry, &rest), 0);
	assert_int_equal(expiry, l.expires_s);
	fx_release(fx, &l, CW_END_RELEASE);
	assert_int_equal(cw_read_next_due(r, &expiry, &rest), 0);
	assert_int_equal(expiry, l.expires_s + 5);
	assert_int_equal(rest, fx->now.steady_s + 31);
	(void) cw_store_reader_close(r);
}

static void reservations_and_exclusions_are_listed(void **state)
{
	struct fx *fx = *state;
	struct cw_store_reader *r = reader(fx);
	uint64_t p = fx_simple(fx, "10.0.0.0/24");
	struct cw_op op = {.kind = CW_OP_RESERVE_ADD}, ex = {.kind = CW_OP_EXCLUDE_ADD},
		     del = {.kind = CW_OP_RANGE_DEL};
	struct cw_reservation v[2];
	struct cw_range e[2];

	op.u.reservation = (struct cw_reservation){
		.pool_id = p, .addr = fx_a4("10.0.0.9"), .principal = "vip"};
	assert_int_equal(fx_run(fx, &op), 0);
	ex.u.range = fx_range("10.0.0.0/29", p);
	assert_int_equal(fx_run(fx, &ex), 0);
	ex.u.range = fx_range("10.0.0.4/32", p);
	assert_int_equal(fx_run(fx, &ex), CW_E_CONFLICT);
	assert_int_equal(cw_read_reservations(r, 0, v, 2), 1);
	assert_int_equal(v[0].id, op.u.reservation.id);
	assert_int_equal(v[0].addr.v, fx_a4("10.0.0.9").v);
	assert_string_equal(v[0].principal, "vip");
	assert_int_equal(cw_read_excludes(r, p, 0, e, 2), 1);
	assert_int_equal(e[0].hi.v, fx_a4("10.0.0.7").v);
	del.u.range.id = 1;
	assert_int_equal(fx_run(fx, &del), CW_E_CONFLICT); /* a reservation is in it */
	(void) cw_store_reader_close(r);
}

static void words(void **state)
{
	(void) state;
	assert_string_equal(cw_lease_state_name(CW_LEASE_QUARANTINED), "quarantined");
	assert_string_equal(cw_lease_state_name((enum cw_lease_state) 77), "unknown");
	assert_string_equal(cw_end_reason_name(CW_END_MOVE), "move");
	assert_string_equal(cw_end_reason_name((enum cw_end_reason) - 1), "unknown");
	assert_string_equal(cw_access_name(CW_ACCESS_DHCP6), "dhcp6");
	assert_string_equal(cw_access_name((enum cw_access) 0), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, fx_set_up_memory, fx_tear_down)
		T(teps),
		T(a_tep_in_use_stays),
		T(pools_and_their_versions),
		T(a_pool_comes_whole_or_not_at_all),
		T(pools_that_cannot_be),
		T(pools_and_ranges_go_when_idle),
		T(a_big_pool_goes_in_turns),
		T(a_big_pool_half_gone_is_whole),
		T(users_and_credentials),
		T(leases_page_by_key),
		T(who_had_it),
		T(history_is_pruned_by_its_pools_retention),
		T(heartbeat_audit_and_next_due),
		T(reservations_and_exclusions_are_listed),
		cmocka_unit_test(words),
	};

	fx_disk_in_memory();
	return cmocka_run_group_tests_name("db config", tests, NULL, NULL);
}
