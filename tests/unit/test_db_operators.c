/* SPDX-License-Identifier: BSD-2-Clause */
/* What operators do and see besides: how full pools are, ends that are waited for, renewals, tags,
 * reservations that change hands, tokens, jobs, samples, and several changes as one. */
#include "config.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "tests/lib/db-fixture.h"

static unsigned n_done;

static void on_done(struct cw_op *op)
{
	(void) op;
	n_done++;
}

static struct cw_store_reader *reader(struct fx *fx)
{
	struct cw_store_reader *r;

	assert_int_equal(cw_store_reader_open(fx->s, &r), 0);
	return r;
}

static void print_fault(void *arg, const char *text)
{
	(void) arg;
	print_message("# %s\n", text);
}

static struct cw_usage use_of(struct fx *fx, uint64_t pool)
{
	struct cw_store_reader *r = reader(fx);
	struct cw_usage u;

	assert_int_equal(cw_read_usage(r, pool, &u), 1);
	assert_int_equal(cw_store_check(r, print_fault, NULL), 0);
	(void) cw_store_reader_close(r);
	return u;
}

static int change_low(struct fx *fx, unsigned percent)
{
	struct cw_store_reader *r = reader(fx);
	struct cw_op op = {.kind = CW_OP_POOL_SET};

	assert_int_equal(cw_read_pool(r, "p", &op.u.pool.pool), 1);
	(void) cw_store_reader_close(r);
	op.u.pool.pool.low_percent = (uint8_t) percent;
	return fx_run(fx, &op);
}

/* ---- how full ---- */

static void each_level_is_told_once(void **state)
{
	struct fx *fx = *state;
	struct cw_lease l[20];
	uint64_t p = fx_simple(fx, "10.0.0.0-10.0.0.19");
	unsigned n = 0;

	assert_int_equal(change_low(fx, 101), -EINVAL);
	assert_int_equal(change_low(fx, CW_POOL_LOW), 0);
	fx_forget(fx);
	for (; n < 16; n++)
		assert_int_equal(fx_acquire(fx, "u", n + 1, &l[n]), 0);
	assert_int_equal(fx_events(fx, "pool.low"), 0);
	for (; n < 20; n++)
		assert_int_equal(fx_acquire(fx, "u", n + 1, &l[n]), 0);
	assert_int_equal(fx_events(fx, "pool.low"), 1); /* at 17 of 20 */
	assert_int_equal(fx_events(fx, "pool.full"), 1);
	assert_int_equal(use_of(fx, p).level, CW_POOL_IS_FULL);
	/* Quarantine keeps it full; one that comes and goes at the edge is no news. */
	fx_release(fx, &l[19], CW_END_RELEASE);
	assert_int_equal(use_of(fx, p).quarantined, 1);
	assert_int_equal(use_of(fx, p).available, 0);
	fx->now.steady_s += 31;
	assert_int_equal(fx_sweep(fx, CW_OP_FREE, 9, NULL, NULL), 0);
	assert_int_equal(use_of(fx, p).level, CW_POOL_IS_LOW); /* 95 percent */
	for (unsigned i = 17; i < 19; i++)
		fx_release(fx, &l[i], CW_END_RELEASE);
	fx->now.steady_s += 31;
	assert_int_equal(fx_sweep(fx, CW_OP_FREE, 9, NULL, NULL), 0);
	assert_int_equal(use_of(fx, p).level, CW_POOL_IS_LOW); /* 17 of 20: above 80 */
	assert_int_equal(fx_events(fx, "pool.ok"), 0);
	fx_release(fx, &l[16], CW_END_RELEASE);
	fx->now.steady_s += 31;
	assert_int_equal(fx_sweep(fx, CW_OP_FREE, 9, NULL, NULL), 0);
	assert_int_equal(use_of(fx, p).level, CW_POOL_OK); /* 16 of 20: 80 */
	assert_int_equal(fx_events(fx, "pool.low"), 1);
	assert_int_equal(fx_events(fx, "pool.full"), 1);
	assert_int_equal(fx_events(fx, "pool.ok"), 1);
	/* From nothing to full in one commit: both are told. A pool that is not to tell LOW. */
	assert_int_equal(change_low(fx, 0), 0);
	fx_forget(fx);
	for (unsigned i = 16; i < 20; i++)
		assert_int_equal(fx_acquire(fx, "u", i + 1, &l[i]), 0);
	assert_int_equal(fx_events(fx, "pool.low"), 0);
	assert_int_equal(fx_events(fx, "pool.full"), 1);
	/* More room: not full any more. */
	assert_int_equal(fx_run(fx, &(struct cw_op){.kind = CW_OP_RANGE_ADD,
					    .u.range = fx_range("10.0.1.0/24", p)}),
		0);
	assert_int_equal(fx_events(fx, "pool.ok"), 1);
	assert_int_equal(use_of(fx, p).available, 256);
}

static void what_cannot_be_lent(void **state)
{
	struct fx *fx = *state;
	const char *const ranges[] = {"10.0.0.0/28", NULL};
	uint64_t p = fx_pool(fx, "p", (struct cw_portset){.len = 4}, ranges);
	struct cw_op op = {.kind = CW_OP_POOL_SET};
	struct cw_store_reader *r = reader(fx);
	struct cw_usage u;

	assert_int_equal(cw_read_pool(r, "p", &op.u.pool.pool), 1);
	op.u.pool.pool.keep_system_ports = true;
	assert_int_equal(fx_run(fx, &op), 0);
	u = use_of(fx, p); /* one set of 16 per address has the ports 0-1023 */
	assert_true(u.total == 256 && u.excluded == 16 && u.available == 240);
	op = (struct cw_op){
		.kind = CW_OP_EXCLUDE_ADD, .u.range = fx_range("10.0.0.14-10.0.0.99", p)};
	assert_int_equal(fx_run(fx, &op), 0);
	u = use_of(fx, p);
	assert_true(u.excluded == 14 + 32 && u.available == 210);
	op = (struct cw_op){.kind = CW_OP_RESERVE_ADD};
	op.u.reservation.addr = fx_a4("10.0.0.15"); /* within the exclusion */
	op.u.reservation.psid = 3;
	(void) snprintf(op.u.reservation.principal, 8, "alice");
	assert_int_equal(fx_run(fx, &op), 0);
	u = use_of(fx, p);
	assert_true(u.reserved == 1 && u.excluded == 45 && u.available == 210);
	/* Its holder takes nothing from the others. */
	op = fx_ask(fx, "alice", 1);
	op.u.acquire.ports_ok = true;
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(op.u.acquire.lease.ports.psid, 3);
	u = use_of(fx, p);
	assert_true(u.active == 1 && u.available == 210);
	/* Without the exclusion, and then without the reservation, it does. */
	op = (struct cw_op){.kind = CW_OP_EXCLUDE_DEL, .u.range.id = 1};
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(use_of(fx, p).available, 239);
	op = (struct cw_op){.kind = CW_OP_RESERVE_DEL, .u.reservation.id = 1};
	assert_int_equal(fx_run(fx, &op), 0);
	u = use_of(fx, p);
	assert_true(u.active == 1 && u.reserved == 0 && u.available == 239);
	assert_int_equal(cw_read_usage(r, p + 1, &u), 0);
	(void) cw_store_reader_close(r);
}

/* A database of the release before has no counters: they come with the first start. */
static void counters_come_back(void **state)
{
	struct fx *fx = *state;
	uint64_t p = fx_simple(fx, "10.0.0.0/24");
	struct cw_usage before, after;
	struct cw_lease l;

	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(fx_acquire(fx, "u", i + 1, &l), 0);
	fx_release(fx, &l, CW_END_RELEASE);
	before = use_of(fx, p);
	assert_true(before.active == 4 && before.quarantined == 1 && before.available == 251);
	assert_int_equal(fx_sql(fx, "DELETE FROM pool_use"), SQLITE_OK);
	fx->s = cw_store_close(fx->s);
	fx_reopen(fx);
	after = use_of(fx, p);
	assert_true(fx_same_usage(&before, &after));
}

static void samples(void **state)
{
	struct fx *fx = *state;
	struct cw_op op = {.kind = CW_OP_SAMPLE};
	struct cw_store_reader *r;
	struct cw_sample s[8];
	uint64_t p = fx_simple(fx, "10.0.0.0/24");

	fx->now.wall_s = 1700000400; /* a whole number of 300 s */
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(fx_acquire(fx, "u", i + 1, NULL), 0);
		assert_int_equal(fx_run(fx, &op), 0);
		fx->now.wall_s += 60;
	}
	r = reader(fx);
	assert_int_equal(cw_read_samples(r, p, 1700000400, 1700001400, 300, s, 8), 2);
	assert_true(s[0].wall_s == 1700000400 && s[0].active == 5 && s[0].available == 251);
	assert_true(s[1].wall_s == 1700000700 && s[1].active == 10 && s[1].available == 246);
	assert_int_equal(cw_read_samples(r, p, 1700000460, 1700000580, 60, s, 8), 2);
	assert_int_equal(cw_read_samples(r, p + 1, 0, INT64_MAX, 60, s, 8), 0);
	assert_int_equal(cw_read_samples(r, p, 0, 1, 0, s, 8), -EINVAL);
	op = (struct cw_op){.kind = CW_OP_TIDY};
	op.u.tidy = (struct cw_op_tidy){.limit = 100, .keep_samples_s = 360};
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(op.u.tidy.count, 5);
	(void) cw_store_reader_close(r);
}

/* ---- leases ---- */

static void submit_end(struct fx *fx, struct cw_op *op, uint64_t id)
{
	*op = (struct cw_op){.kind = CW_OP_END, .now = fx->now, .done = on_done};
	op->u.end = (struct cw_op_end){.id = id, .reason = CW_END_REVOKE, .wait_stopped = true};
	cw_store_submit(fx->s, op);
	while (cw_store_step(fx->s) > 0)
		;
}

static void an_end_waits_until_it_has_stopped(void **state)
{
	struct fx *fx = *state;
	struct cw_store_stats st;
	struct cw_lease l, m;
	struct cw_op op[4];

	(void) fx_simple(fx, "10.0.0.0/24");
	assert_int_equal(fx_acquire(fx, "alice", 1, &l), 0);
	assert_int_equal(fx_acquire(fx, "bob", 2, &m), 0);
	n_done = 0;
	submit_end(fx, &op[0], l.id);
	submit_end(fx, &op[1], l.id);
	cw_store_stats(fx->s, &st);
	assert_int_equal(st.waiting, 2);
	assert_int_equal(n_done, 0);
	/* A late word about another generation is not it. */
	assert_int_equal(fx_confirm(fx, l.id, l.generation, 0), 0);
	assert_int_equal(n_done, 0);
	assert_int_equal(fx_confirm(fx, l.id, op[0].u.end.lease.generation, 0), 0);
	assert_int_equal(n_done, 2);
	assert_int_equal(op[0].result, 0);
	assert_int_equal(op[1].result, CW_E_GONE);
	assert_int_equal(fx_lease(fx, l.id).state, CW_LEASE_QUARANTINED);
	submit_end(fx, &op[2], l.id); /* nothing to wait for */
	assert_int_equal(n_done, 3);
	assert_int_equal(op[2].result, CW_E_GONE);
	/* Its TEP cannot be reached: it goes on ending. */
	submit_end(fx, &op[3], m.id);
	assert_int_equal(n_done, 3);
	assert_int_equal(fx_confirm(fx, m.id, op[3].u.end.lease.generation, CW_E_TEP), 0);
	assert_int_equal(n_done, 4);
	assert_int_equal(op[3].result, CW_E_TEP);
	assert_int_equal(fx_lease(fx, m.id).state, CW_LEASE_ENDING);
	submit_end(fx, &op[3], m.id);
	fx->s = cw_store_close(fx->s);
	assert_int_equal(op[3].result, CW_E_SHUTDOWN);
	fx_reopen(fx);
}

static void an_operators_renewal(void **state)
{
	struct fx *fx = *state;
	struct cw_op op = {.kind = CW_OP_EXTEND};
	struct cw_lease l;

	(void) fx_simple(fx, "10.0.0.0/24");
	assert_int_equal(fx_acquire(fx, "alice", 1, &l), 0);
	fx->now.steady_s += 100;
	fx_forget(fx);
	op.u.extend = (struct cw_op_extend){.id = l.id, .lifetime_s = 7200};
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(op.u.extend.lease.expires_s, fx->now.steady_s + 7200);
	assert_int_equal(fx_lease(fx, l.id).expires_s, fx->now.steady_s + 7200);
	assert_true(fx->n_seen == 1 && fx->seen[0].what == CW_OUTBOX_REFRESH);
	assert_int_equal(fx->seen[0].until_s, l.expires_s);
	op.u.extend.lifetime_s = UINT32_MAX;
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(op.u.extend.lease.lifetime_s, 86400);
	assert_int_equal(fx_end(fx, l.id, CW_END_REVOKE), 0);
	assert_int_equal(fx_run(fx, &op), CW_E_GONE);
	op.u.extend.id = 99999;
	assert_int_equal(fx_run(fx, &op), CW_E_NOT_YOURS);
}

static void tags(void **state)
{
	struct fx *fx = *state;
	struct cw_store_reader *r;
	struct cw_op op = {.kind = CW_OP_TAG};
	char text[CW_TEXT_MAX];
	struct cw_lease l;

	(void) fx_simple(fx, "10.0.0.0/24");
	assert_int_equal(fx_acquire(fx, "alice", 1, &l), 0);
	r = reader(fx);
	assert_int_equal(cw_read_tags(r, l.id, text), 0);
	op.u.tag.id = l.id;
	(void) snprintf(op.u.tag.json, sizeof op.u.tag.json, "{\"rack\":\"7\"}");
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(cw_read_tags(r, l.id, text), 1);
	assert_string_equal(text, "{\"rack\":\"7\"}");
	assert_true(fx_lease(fx, l.id).tagged);
	op.u.tag.json[0] = '\0';
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(cw_read_tags(r, l.id, text), 0);
	memset(op.u.tag.json, 'x', sizeof op.u.tag.json - 1);
	assert_int_equal(fx_run(fx, &op), 0);
	op.u.tag.json[sizeof op.u.tag.json - 1] = 'x';
	assert_int_equal(fx_run(fx, &op), -EINVAL);
	op.u.tag.json[0] = '\0';
	op.u.tag.id = 99999;
	op.u.tag.json[sizeof op.u.tag.json - 1] = '\0';
	assert_int_equal(fx_run(fx, &op), CW_E_NOT_YOURS);
	fx_release(fx, &l, CW_END_RELEASE);
	op.u.tag.id = l.id;
	assert_int_equal(fx_run(fx, &op), CW_E_GONE);
	assert_int_equal(cw_read_tags(r, l.id, text), 1); /* they stay with the history */
	assert_int_equal(fx_sql(fx, "UPDATE pool SET retention = 10"), SQLITE_OK);
	fx->now.wall_s += 11;
	assert_int_equal(fx_sweep(fx, CW_OP_PRUNE, 10, NULL, NULL), 0);
	assert_int_equal(cw_read_tags(r, l.id, text), 0);
	(void) cw_store_reader_close(r);
}

static void leases_by_filter(void **state)
{
	struct fx *fx = *state;
	const struct cw_lease_key begin = {.begin = true};
	uint64_t p = fx_simple(fx, "10.0.0.0/24"), n;
	struct cw_store_reader *r;
	struct cw_lease l[64];
	struct cw_op op;

	for (unsigned i = 0; i < 40; i++) {
		op = fx_ask(fx, i % 2 ? "alice" : "bob", i + 1);
		op.u.acquire.access = i < 10 ? CW_ACCESS_REST : CW_ACCESS_TSP;
		op.u.acquire.lifetime_s = 100 + i;
		assert_int_equal(fx_run(fx, &op), 0);
	}
	r = reader(fx);
#define LEASES(want, ...)                                                    \
	do {                                                                 \
		const struct cw_lease_filter f = {__VA_ARGS__};              \
		assert_int_equal(cw_read_leases(r, &f, begin, l, 64), want); \
		assert_int_equal(cw_count_leases(r, &f, &n), 0);             \
		assert_int_equal(n, want);                                   \
	} while (0)
	LEASES(40, .pool_id = 0);
	LEASES(8, .prefix = {{0x0a000008}, 29});
	assert_int_equal(l[0].addr.v, 0x0a000008);
	LEASES(8, .prefix = {{0x0a000008}, 29}, .pool_id = p);
	LEASES(4, .prefix = {{0x0a000008}, 29}, .principal = "bob");
	LEASES(1, .prefix = {{0x0a000000}, 32}, .pool_id = p);
	LEASES(0, .prefix = {{0x0b000000}, 8}, .pool_id = p);
	LEASES(0, .prefix = {{0x09000000}, 8}, .pool_id = p);
	LEASES(10, .access = 1u << CW_ACCESS_REST);
	LEASES(40, .access = 1u << CW_ACCESS_REST | 1u << CW_ACCESS_TSP);
	LEASES(7, .expires_before_s = fx->now.steady_s + 107);
	LEASES(3, .expires_before_s = fx->now.steady_s + 107, .principal = "alice", .pool_id = p);
	/* The second page begins within the prefix. */
	{
		const struct cw_lease_filter f = {.prefix = {{0x0a000008}, 29}, .pool_id = p};
		struct cw_lease_key at = {.addr = {0x0a00000b}};

		assert_int_equal(cw_read_leases(r, &f, at, l, 64), 4);
	}
	assert_int_equal(cw_count_rows(r, CW_TABLE_POOLS, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(cw_count_rows(r, CW_TABLE_HISTORY, &n), 0);
	assert_int_equal(n, 40);
	(void) cw_store_reader_close(r);
}

/* ---- configuration ---- */

static void reservations_change_hands(void **state)
{
	struct fx *fx = *state;
	struct cw_op op = {.kind = CW_OP_RESERVE_ADD};
	struct cw_reservation v;
	struct cw_store_reader *r;
	struct cw_lease l;
	uint64_t p = fx_simple(fx, "10.0.0.0/24");

	op.u.reservation.addr = fx_a4("10.9.0.1");
	(void) snprintf(op.u.reservation.principal, 8, "alice");
	assert_int_equal(fx_run(fx, &op), -EINVAL); /* in no pool */
	op.u.reservation.addr = fx_a4("10.0.0.9");
	assert_int_equal(fx_run(fx, &op), 0);
	assert_true(op.u.reservation.pool_id == p && op.u.reservation.version == 1);
	v = op.u.reservation;
	op.kind = CW_OP_RESERVE_SET;
	(void) snprintf(op.u.reservation.principal, 8, "bob");
	op.u.reservation.addr.v = 0; /* not looked at */
	assert_int_equal(fx_run(fx, &op), 0);
	assert_true(op.u.reservation.version == 2 && op.u.reservation.addr.v == v.addr.v);
	op.u.reservation = v;
	assert_int_equal(fx_run(fx, &op), CW_E_STALE);
	op.kind = CW_OP_RESERVE_DEL;
	assert_int_equal(fx_run(fx, &op), CW_E_STALE);
	assert_int_equal(fx_acquire(fx, "alice", 1, &l), 0);
	assert_int_not_equal(l.addr.v, v.addr.v);
	assert_int_equal(fx_acquire(fx, "bob", 2, &l), 0);
	assert_int_equal(l.addr.v, v.addr.v);
	r = reader(fx);
	assert_int_equal(cw_read_reservation_id(r, v.id, &v), 1);
	assert_true(v.version == 2 && strcmp(v.principal, "bob") == 0);
	assert_int_equal(cw_read_reservation_id(r, 99, &v), 0);
	op.u.reservation = v;
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(fx_run(fx, &op), -ENOENT);
	(void) cw_store_reader_close(r);
}

static void rows_by_id(void **state)
{
	struct fx *fx = *state;
	struct cw_store_reader *r;
	struct cw_range range;
	struct cw_pool pool;
	struct cw_user user;
	struct cw_tep tep;
	uint64_t p = fx_simple(fx, "10.0.0.0/24");

	r = reader(fx);
	assert_int_equal(cw_read_pool_id(r, p, &pool), 1);
	assert_string_equal(pool.name, "p");
	assert_int_equal(cw_read_pool_id(r, p + 1, &pool), 0);
	assert_int_equal(cw_read_tep_id(r, pool.tep_id, &tep), 1);
	assert_string_equal(tep.name, "edge");
	assert_int_equal(cw_read_range_id(r, 1, &range), 1);
	assert_true(range.pool_id == p && range.hi.v == 0x0a0000ff);
	assert_int_equal(cw_read_exclude_id(r, 1, &range), 0);
	assert_int_equal(cw_read_user_id(r, 1, &user), 0);
	(void) cw_store_reader_close(r);
}

static void tokens(void **state)
{
	struct fx *fx = *state;
	struct cw_op op = {.kind = CW_OP_TOKEN_ADD}, used = {.kind = CW_OP_TOKEN_USED};
	struct cw_store_reader *r = reader(fx);
	struct cw_token t, all[4];
	uint8_t other[CW_HASH_LEN] = {9};

	op.u.token = (struct cw_token){.hash = {1, 2, 3}, .scopes = UINT64_C(1) << 63 | 5};
	assert_int_equal(fx_run(fx, &op), -EINVAL); /* no name */
	(void) snprintf(op.u.token.name, sizeof op.u.token.name, "ci");
	(void) snprintf(op.u.token.hint, sizeof op.u.token.hint, "cw_abc");
	(void) snprintf(op.u.token.prefixes, sizeof op.u.token.prefixes, "2001:db8::/32");
	op.u.token.expires_wall_s = fx->now.wall_s + 1000;
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(cw_read_token(r, op.u.token.hash, &t), 1);
	assert_memory_equal(&t, &op.u.token, sizeof t);
	assert_int_equal(cw_read_token(r, other, &t), 0);
	assert_int_equal(cw_read_token_id(r, op.u.token.id, &t), 1);
	assert_int_equal(fx_run(fx, &op), CW_E_CONFLICT);
	used.u.token.id = t.id;
	assert_int_equal(fx_run(fx, &used), 0);
	assert_int_equal(cw_read_token_id(r, t.id, &t), 1);
	assert_int_equal(t.last_use_wall_s, fx->now.wall_s);
	fx->now.wall_s += 59;
	assert_int_equal(fx_run(fx, &used), 0);
	assert_int_equal(cw_read_token_id(r, t.id, &t), 1);
	assert_int_equal(t.last_use_wall_s, fx->now.wall_s - 59); /* not every time */
	fx->now.wall_s += 1;
	assert_int_equal(fx_run(fx, &used), 0);
	assert_int_equal(cw_read_tokens(r, 0, all, 4), 1);
	assert_int_equal(all[0].last_use_wall_s, fx->now.wall_s);
	fx->now.wall_s -= 100000; /* the clock was wrong before */
	assert_int_equal(fx_run(fx, &used), 0);
	assert_int_equal(cw_read_tokens(r, 0, all, 4), 1);
	assert_int_equal(all[0].last_use_wall_s, fx->now.wall_s);
	op.kind = CW_OP_TOKEN_DEL;
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(fx_run(fx, &op), -ENOENT);
	assert_int_equal(fx_run(fx, &used), 0);
	assert_int_equal(cw_read_tokens(r, 0, all, 4), 0);
	(void) cw_store_reader_close(r);
}

static void jobs(void **state)
{
	struct fx *fx = *state;
	struct cw_op op = {.kind = CW_OP_JOB};
	struct cw_store_reader *r = reader(fx);
	struct cw_page page = {.newest = true};
	struct cw_job_run run[4];
	struct cw_job j[4];
	uint64_t backup;

	assert_int_equal(fx_run(fx, &op), -EINVAL);
	op.u.job.run = (struct cw_job_run){.name = "backup", .started_wall_s = 100};
	assert_int_equal(fx_run(fx, &op), 0);
	backup = op.u.job.run.id;
	assert_int_equal(cw_read_jobs(r, "", j, 4), 1);
	assert_true(j[0].runs == 0 && j[0].last.id == backup && j[0].last.ended_wall_s == 0);
	op.u.job.run = (struct cw_job_run){
		.name = "expiry", .started_wall_s = 101, .ended_wall_s = 102, .count = 5};
	assert_int_equal(fx_run(fx, &op), 0);
	fx_forget(fx);
	op.u.job.run = (struct cw_job_run){.id = backup, .ended_wall_s = 110, .result = -ENOSPC};
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(fx_events(fx, "job.fail"), 1);
	assert_int_equal(fx_run(fx, &op), CW_E_GONE); /* it has ended */
	op.u.job.run.id = 99;
	assert_int_equal(fx_run(fx, &op), -ENOENT);
	assert_int_equal(cw_read_jobs(r, "", j, 4), 2);
	assert_string_equal(j[0].name, "backup");
	assert_true(j[0].runs == 1 && j[0].failures == 1 && j[0].ok_wall_s == 0);
	assert_true(j[0].last.started_wall_s == 100 && j[0].last.result == -ENOSPC);
	assert_true(j[1].runs == 1 && j[1].ok_wall_s == 102 && j[1].last.count == 5);
	assert_int_equal(cw_read_jobs(r, "backup", j, 4), 1);
	assert_int_equal(cw_read_job_runs(r, NULL, &page, run, 4), 2);
	assert_string_equal(run[0].name, "expiry");
	page = (struct cw_page){0};
	assert_int_equal(cw_read_job_runs(r, "backup", &page, run, 4), 1);
	assert_int_equal(run[0].id, backup);
	/* The last run of each stays. */
	op.u.job.run =
		(struct cw_job_run){.name = "expiry", .started_wall_s = 201, .ended_wall_s = 202};
	assert_int_equal(fx_run(fx, &op), 0);
	op = (struct cw_op){.kind = CW_OP_TIDY};
	op.u.tidy = (struct cw_op_tidy){.limit = 9, .keep_job_runs_s = 60};
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(op.u.tidy.count, 1);
	assert_int_equal(cw_read_jobs(r, "", j, 4), 2);
	assert_true(j[1].runs == 2 && j[1].last.started_wall_s == 201);
	(void) cw_store_reader_close(r);
}

/* ---- as one ---- */

static void group_of(struct cw_op *group, struct cw_op *const *ops, size_t n, bool dry)
{
	*group = (struct cw_op){.kind = CW_OP_GROUP};
	group->u.group = (struct cw_op_group){.ops = ops, .n = n, .dry_run = dry};
}

static void several_as_one(void **state)
{
	struct fx *fx = *state;
	struct cw_range range = fx_range("10.0.1.0/24", 0);
	struct cw_op add = {.kind = CW_OP_POOL_ADD}, keep = {.kind = CW_OP_RESERVE_ADD},
		     user = {.kind = CW_OP_USER_ADD}, del = {.kind = CW_OP_POOL_DEL}, group;
	struct cw_op *const ops[] = {&add, &keep, &user, &del};
	struct cw_op_cause c = {.actor = "root", .verb = "apply"};
	uint64_t p = fx_simple(fx, "10.0.0.0/24");

	add.u.pool = (struct cw_op_pool){.tep = "edge", .ranges = &range, .n_ranges = 1};
	(void) snprintf(add.u.pool.pool.name, 8, "q");
	keep.u.reservation.addr = fx_a4("10.0.1.5"); /* in the pool that is being made */
	(void) snprintf(keep.u.reservation.principal, 8, "alice");
	(void) snprintf(user.u.user.user.name, 8, "alice");
	(void) snprintf(user.u.user.user.pool, 8, "q");
	del.u.pool.pool.id = p;
	assert_int_equal(fx_acquire(fx, "bob", 1, NULL), 0);
	fx_forget(fx);
	/* The last one is refused, so none of it happens. */
	group_of(&group, ops, 4, false);
	group.cause = &c;
	assert_int_equal(fx_run(fx, &group), CW_E_CONFLICT);
	assert_int_equal(group.u.group.failed, 3);
	assert_true(add.result == 0 && user.result == 0 && del.result == CW_E_CONFLICT);
	assert_int_equal(fx_sql_int(fx, "SELECT (SELECT count(*) FROM pool) + (SELECT count(*)"
					" FROM account) + (SELECT count(*) FROM audit)"),
		1);
	/* Tried: each says what it would say. */
	group_of(&group, (struct cw_op *const[]){&del, &add, &keep}, 3, true);
	add.u.pool.pool.id = add.u.pool.pool.version = 0;
	keep.u.reservation.pool_id = 0;
	add.cause = &c; /* its audit row goes with it, and the chain is whole */
	assert_int_equal(fx_run(fx, &group), CW_E_CONFLICT);
	add.cause = NULL;
	assert_int_equal(group.u.group.failed, 0);
	assert_true(del.result == CW_E_CONFLICT && add.result == 0 && keep.result == 0);
	/* Behind a failure nothing is tried. */
	group_of(&group, (struct cw_op *const[]){&del, &add}, 2, false);
	assert_int_equal(fx_run(fx, &group), CW_E_CONFLICT);
	assert_int_equal(add.result, -ECANCELED);
	assert_int_equal(fx->n_events, 0);
	assert_int_equal(
		fx_sql_int(fx, "SELECT count(*) FROM event WHERE type = 'pool.create'"), 1);
	/* Now done. */
	group_of(&group, ops, 3, false);
	group.cause = &c;
	keep.u.reservation.pool_id = 0;
	assert_int_equal(fx_run(fx, &group), 0);
	assert_int_equal(group.u.group.failed, 3);
	assert_int_equal(fx_sql_int(fx, "SELECT count(*) FROM audit"), 1);
	assert_int_equal(fx->n_events, 3);
	assert_int_equal(use_of(fx, add.u.pool.pool.id).available, 255);
	group_of(&group, (struct cw_op *const[]){&group}, 1, false);
	assert_int_equal(fx_run(fx, &group), -EINVAL);
}

/* Thousands of rows in one go, where alone it would take turns. */
static void a_group_runs_to_its_end(void **state)
{
	struct fx *fx = *state;
	struct cw_op del = {.kind = CW_OP_POOL_DEL}, group;
	uint64_t p = fx_simple(fx, "10.0.0.0/20");

	for (unsigned i = 0; i < 2000; i++)
		assert_int_equal(fx_acquire(fx, "u", i + 1, NULL), 0);
	assert_int_equal(fx_sql(fx, "DELETE FROM outbox; UPDATE history SET reason = 1, ended = 1;"
				    " UPDATE lease SET state = 0, live = 0, reason = 1;"
				    " UPDATE pool_use SET active = 0"),
		SQLITE_OK);
	fx->s = cw_store_close(fx->s);
	fx_reopen(fx);
	del.u.pool.pool.id = p;
	group_of(&group, (struct cw_op *const[]){&del}, 1, true);
	assert_int_equal(fx_run(fx, &group), 0);
	assert_int_equal(fx_sql_int(fx, "SELECT count(*) FROM lease"), 2000);
	del.u.pool.pool.version = 0;
	group_of(&group, (struct cw_op *const[]){&del}, 1, false);
	assert_int_equal(fx_run(fx, &group), 0);
	assert_int_equal(fx_sql_int(fx, "SELECT count(*) FROM lease"), 0);
	assert_int_equal(fx_sql_int(fx, "SELECT count(*) FROM pool_use"), 0);
}

int main(void)
{
#define CASE(name)  cmocka_unit_test_setup_teardown(name, fx_set_up_memory, fx_tear_down)
#define FILED(name) cmocka_unit_test_setup_teardown(name, fx_set_up_file, fx_tear_down)
	const struct CMUnitTest tests[] = {
		CASE(each_level_is_told_once),
		CASE(what_cannot_be_lent),
		FILED(counters_come_back),
		CASE(samples),
		FILED(an_end_waits_until_it_has_stopped),
		CASE(an_operators_renewal),
		CASE(tags),
		CASE(leases_by_filter),
		CASE(reservations_change_hands),
		CASE(rows_by_id),
		CASE(tokens),
		CASE(jobs),
		CASE(several_as_one),
		FILED(a_group_runs_to_its_end),
	};

	fx_disk_in_memory();
	return cmocka_run_group_tests_name("db operators", tests, NULL, NULL);
}
