/* SPDX-License-Identifier: BSD-2-Clause */
/* What happened: events of leases and of all else in one order, history by page, and what is left
 * of both after a while. */
#include "config.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "db/sqlite/sqlite.h"
#include "tests/lib/db-fixture.h"

static struct cw_store_reader *reader(struct fx *fx)
{
	struct cw_store_reader *r;

	assert_int_equal(cw_store_reader_open(fx->s, &r), 0);
	return r;
}

static const struct cw_event_filter any;

static void on_fault(void *arg, const char *text)
{
	++*(unsigned *) arg;
	print_message("# %s\n", text);
}

static int say(struct fx *fx, const char *type, const char *object, struct cw_op *op)
{
	*op = (struct cw_op){.kind = CW_OP_EVENT};
	(void) snprintf(op->u.event.type, sizeof op->u.event.type, "%s", type);
	(void) snprintf(op->u.event.object, sizeof op->u.event.object, "%s", object);
	(void) snprintf(op->u.event.detail, sizeof op->u.event.detail, "{\"n\":1}");
	op->u.event.object_id = 7;
	return fx_run(fx, op);
}

/* ---- events ---- */

static void the_life_of_a_lease(void **state)
{
	struct fx *fx = *state;
	struct cw_event e[16];
	struct cw_page page = {0};
	struct cw_store_reader *r;
	struct cw_lease l;
	struct cw_op op;
	int64_t wall = fx->now.wall_s;

	(void) fx_simple(fx, "10.0.0.0/24");
	fx_forget(fx);
	assert_int_equal(fx_acquire(fx, "alice", 1, &l), 0);
	assert_int_equal(fx_acquire(fx, "alice", 1, NULL), 0); /* a renewal is none */
	fx->now.wall_s += 10;
	op = fx_ask(fx, "alice", 2);
	op.u.acquire.named = op.u.acquire.held_only = op.u.acquire.may_move = true;
	op.u.acquire.addr = l.addr;
	assert_int_equal(fx_run(fx, &op), 0);
	fx->now.wall_s += 10;
	assert_int_equal(fx_end(fx, op.u.acquire.lease.id, CW_END_REVOKE), 0);
	assert_int_equal(fx->n_events, 3);
	r = reader(fx);
	page.at = l.id - 1;
	assert_int_equal(cw_read_events(r, &any, &page, e, 16), 3);
	assert_false(page.more);
	assert_string_equal(e[0].type, "lease.grant");
	assert_true(e[0].id == l.id && e[0].object_id == l.id && e[0].wall_s == wall);
	assert_true(e[0].has_tenure && e[0].tenure.addr.v == l.addr.v);
	assert_true(e[0].tenure.reason == CW_END_NONE && e[0].tenure.moved_from == 0);
	assert_string_equal(e[0].tenure.principal, "alice");
	assert_string_equal(e[1].type, "lease.move");
	assert_true(e[1].tenure.moved_from == l.id && e[1].wall_s == wall + 10);
	assert_string_equal(e[2].type, "lease.revoke");
	assert_true(e[2].object_id == e[1].id && e[2].id > e[1].id && e[2].wall_s == wall + 20);
	assert_true(e[2].tenure.reason == CW_END_REVOKE);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(e[i].id, fx->event[i].id);
		assert_string_equal(e[i].type, fx->event[i].type);
	}
	(void) cw_store_reader_close(r);
}

static void filters_and_pages(void **state)
{
	struct fx *fx = *state;
	const struct cw_event_filter auth = {.type = "auth"}, fail = {.type = "auth.fail"},
				     lease = {.type = "lease"}, grant = {.type = "lease.grant"},
				     aut = {.type = "aut"};
	struct cw_event_filter of = {.type = "pool"}, late = {.from_wall_s = fx->now.wall_s + 5};
	struct cw_page page = {0}, down = {.newest = true};
	struct cw_store_reader *r;
	struct cw_event e[16];
	struct cw_lease l;
	struct cw_op op;

	of.object_id = fx_simple(fx, "10.0.0.0/24");
	assert_int_equal(say(fx, "auth.fail", "mallory", &op), 0);
	assert_int_equal(fx_acquire(fx, "alice", 1, &l), 0);
	fx->now.wall_s += 5;
	assert_int_equal(say(fx, "auth.fail", "mallory", &op), 0);
	fx_release(fx, &l, CW_END_RELEASE);
	r = reader(fx);
	/* tep, pool, auth, grant, auth, release */
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(cw_read_events(r, &any, &page, e, 1), 1);
		assert_int_equal(page.at, e[0].id);
		assert_int_equal(page.more, i < 5);
	}
	assert_int_equal(cw_read_events(r, &any, &page, e, 1), 0);
	assert_int_equal(cw_read_events(r, &any, &down, e, 2), 2);
	assert_true(down.more);
	assert_string_equal(e[0].type, "lease.release");
	assert_string_equal(e[1].type, "auth.fail");
	assert_string_equal(e[1].object, "mallory");
	assert_string_equal(e[1].detail, "{\"n\":1}");
	assert_int_equal(e[1].object_id, 7);
	assert_int_equal(cw_read_events(r, &any, &down, e, 9), 4);
	assert_false(down.more);
	assert_string_equal(e[3].type, "tep.create");
#define FOUND(filter) (page = (struct cw_page){0}, cw_read_events(r, filter, &page, e, 16))
	assert_int_equal(FOUND(&auth), 2);
	assert_int_equal(FOUND(&fail), 2);
	assert_int_equal(FOUND(&aut), 0);
	assert_int_equal(FOUND(&lease), 2);
	assert_int_equal(FOUND(&grant), 1);
	assert_int_equal(FOUND(&late), 2);
	assert_int_equal(FOUND(&of), 1);
	assert_string_equal(e[0].type, "pool.create");
	assert_string_equal(e[0].object, "p");
	of.object_id++;
	assert_int_equal(FOUND(&of), 0);
	(void) cw_store_reader_close(r);
}

static void what_no_event_may_be(void **state)
{
	static const char *const bad[] = {"", "Auth", "auth fail", "lease.grant", "a\n"};
	struct fx *fx = *state;
	struct cw_op op;

	for (size_t i = 0; i < CW_ARRAY_LEN(bad); i++)
		assert_int_equal(say(fx, bad[i], "x", &op), -EINVAL);
	assert_int_equal(say(fx, "clock.jump", "x", &op), 0);
	memset(op.u.event.detail, 'x', sizeof op.u.event.detail);
	assert_int_equal(fx_run(fx, &op), -EINVAL);
	assert_int_equal(fx_sql_int(fx, "SELECT count(*) FROM event"), 1);
}

/* Every change of configuration that succeeds, and none that fails. */
static void configuration_is_events(void **state)
{
	static const char *const types[] = {"pool.create", "tep.create", "pool.change",
		"pool.range.add", "pool.exclusion.add", "pool.exclusion.delete",
		"pool.range.delete", "pool.reservation.add", "pool.reservation.change",
		"pool.reservation.delete", "user.create", "user.change", "user.credentials",
		"user.delete", "tep.change", "token.create", "token.delete", "pool.delete",
		"tep.delete"};
	struct cw_op op = {.kind = CW_OP_POOL_SET};
	struct fx *fx = *state;
	struct cw_store_reader *r;
	uint64_t pool = fx_simple(fx, "10.0.0.0/24");
	size_t before;

	r = reader(fx);
	assert_int_equal(cw_read_pool(r, "p", &op.u.pool.pool), 1);
	assert_int_equal(fx_run(fx, &op), 0);
	op.u.pool.pool.version = 1;
	assert_int_equal(fx_run(fx, &op), CW_E_STALE);
	op = (struct cw_op){.kind = CW_OP_RANGE_ADD, .u.range = fx_range("10.0.1.0/24", pool)};
	assert_int_equal(fx_run(fx, &op), 0);
	before = fx->n_events;
	assert_int_equal(fx_run(fx, &op), CW_E_CONFLICT);
	assert_int_equal(fx->n_events, before);
	op.kind = CW_OP_EXCLUDE_ADD;
	assert_int_equal(fx_run(fx, &op), 0);
	op.kind = CW_OP_EXCLUDE_DEL;
	assert_int_equal(fx_run(fx, &op), 0);
	op.kind = CW_OP_RANGE_DEL;
	op.u.range = (struct cw_range){.id = 2};
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(op.u.range.pool_id, pool);
	op = (struct cw_op){.kind = CW_OP_RESERVE_ADD};
	op.u.reservation.addr = fx_a4("10.0.0.7");
	(void) snprintf(op.u.reservation.principal, 8, "alice");
	assert_int_equal(fx_run(fx, &op), 0);
	op.kind = CW_OP_RESERVE_SET;
	assert_int_equal(fx_run(fx, &op), 0);
	op.kind = CW_OP_RESERVE_DEL;
	assert_int_equal(fx_run(fx, &op), 0);
	op = (struct cw_op){.kind = CW_OP_USER_ADD};
	(void) snprintf(op.u.user.user.name, 8, "alice");
	assert_int_equal(fx_run(fx, &op), 0);
	op.kind = CW_OP_USER_SET;
	assert_int_equal(fx_run(fx, &op), 0);
	op.kind = CW_OP_CREDENTIALS_SET;
	assert_int_equal(fx_run(fx, &op), 0);
	op.kind = CW_OP_USER_DEL;
	assert_int_equal(fx_run(fx, &op), 0);
	op = (struct cw_op){.kind = CW_OP_TEP_SET};
	assert_int_equal(cw_read_tep(r, "edge", &op.u.tep), 1);
	assert_int_equal(fx_run(fx, &op), 0);
	op = (struct cw_op){.kind = CW_OP_TOKEN_ADD};
	(void) snprintf(op.u.token.name, 8, "ci");
	assert_int_equal(fx_run(fx, &op), 0);
	op.kind = CW_OP_TOKEN_DEL;
	assert_int_equal(fx_run(fx, &op), 0);
	op = (struct cw_op){.kind = CW_OP_POOL_DEL};
	op.u.pool.pool.id = pool;
	assert_int_equal(fx_run(fx, &op), 0);
	assert_string_equal(op.u.pool.pool.name, "p");
	op = (struct cw_op){.kind = CW_OP_TEP_DEL};
	op.u.tep.id = 1;
	assert_int_equal(fx_run(fx, &op), 0);
	for (size_t i = 0; i < CW_ARRAY_LEN(types); i++) {
		if (fx_events(fx, types[i]) != 1)
			fail_msg("%u of %s", fx_events(fx, types[i]), types[i]);
	}
	assert_int_equal(fx->n_events, CW_ARRAY_LEN(types));
	(void) cw_store_reader_close(r);
}

/* Who asks to go on from before that is told that something is missing. */
static void old_ones_go(void **state)
{
	struct fx *fx = *state;
	struct cw_op op = {.kind = CW_OP_POOL_SET};
	struct cw_store_reader *r;
	uint64_t newest, pruned, third;
	struct cw_page page = {0};
	struct cw_event e[16];
	struct cw_lease l;

	(void) fx_simple(fx, "10.0.0.0/24"); /* two events */
	r = reader(fx);
	assert_int_equal(cw_read_pool(r, "p", &op.u.pool.pool), 1);
	op.u.pool.pool.retention_s = 1000;
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(cw_read_event_bounds(r, &newest, &third), 0);
	assert_true(newest == 3 && third == 0);
	fx->now.wall_s += 100;
	assert_int_equal(fx_acquire(fx, "alice", 1, &l), 0);
	fx_release(fx, &l, CW_END_RELEASE);
	op = (struct cw_op){.kind = CW_OP_TIDY};
	op.u.tidy = (struct cw_op_tidy){.limit = 2, .keep_events_s = 100};
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(op.u.tidy.count, 2);
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(op.u.tidy.count, 1);
	assert_int_equal(cw_read_event_bounds(r, &newest, &pruned), 0);
	assert_true(newest == 5 && pruned == 3);
	assert_int_equal(cw_read_events(r, &any, &page, e, 16), 2);
	/* A lease's are there as long as its history. */
	fx->now.wall_s += 1000;
	assert_int_equal(fx_sweep(fx, CW_OP_PRUNE, 10, NULL, NULL), 0);
	assert_int_equal(cw_read_event_bounds(r, &newest, &pruned), 0);
	assert_true(newest == 5 && pruned == 5);
	page = (struct cw_page){0};
	assert_int_equal(cw_read_events(r, &any, &page, e, 16), 0);
	(void) cw_store_reader_close(r);
}

/* ---- history ---- */

static void history_by_page(void **state)
{
	struct fx *fx = *state;
	struct cw_history_filter f = {0};
	struct cw_page page = {0};
	struct cw_store_reader *r;
	struct cw_tenure t[64];
	struct cw_lease l[40];
	uint64_t p = fx_simple(fx, "10.0.0.0/24");
	int64_t wall = fx->now.wall_s;
	unsigned n = 0;

	for (unsigned i = 0; i < 40; i++) {
		char who[16];

		(void) snprintf(who, sizeof who, "user:%u", i);
		if (i % 4 == 0)
			memcpy(who, "bob", sizeof "bob");
		fx->now.wall_s = wall + i;
		assert_int_equal(fx_acquire(fx, who, i + 1, &l[i]), 0);
		if (i % 2)
			fx_release(fx, &l[i], CW_END_RELEASE);
	}
	r = reader(fx);
	do {
		int got = cw_read_history_page(r, &f, &page, t + n, 7);

		assert_true(got > 0);
		n += (unsigned) got;
	} while (page.more);
	assert_int_equal(n, 40);
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(t[i].lease, l[i].id);
#define TENURES(...)                                                              \
	(f = (struct cw_history_filter){__VA_ARGS__}, page = (struct cw_page){0}, \
		cw_read_history_page(r, &f, &page, t, 64))
	assert_int_equal(TENURES(.principal = "bob"), 10);
	assert_int_equal(TENURES(.pool_id = p), 40);
	assert_int_equal(TENURES(.pool_id = p + 1), 0);
	/* The 20 that lasted; one that was over in its second is of that second only; [from, to). */
	assert_int_equal(TENURES(.from_wall_s = wall + 100), 20);
	assert_int_equal(TENURES(.to_wall_s = wall + 4), 4);
	assert_int_equal(TENURES(.from_wall_s = wall + 3, .to_wall_s = wall + 5), 4);
	/* Both ways of looking up a prefix. */
	assert_int_equal(TENURES(.prefix = {{0x0a000000}, 30}), 4);
	assert_int_equal(TENURES(.prefix = {l[5].addr, 32}), 1);
	assert_int_equal(t[0].lease, l[5].id);
	assert_int_equal(TENURES(.prefix = {{0x0a000000}, 16}), 40);
	assert_int_equal(TENURES(.prefix = {{0x0a010000}, 16}), 0);
	assert_int_equal(TENURES(.prefix = {{0x0a000000}, 24}, .principal = "bob"), 10);
	page = (struct cw_page){.newest = true};
	f = (struct cw_history_filter){.prefix = {{0x0a000000}, 28}};
	assert_int_equal(cw_read_history_page(r, &f, &page, t, 3), 3);
	assert_true(page.more && t[0].lease > t[1].lease && t[1].lease > t[2].lease);
	assert_int_equal(cw_read_history_page(r, &f, &page, t, 64), 13);
	assert_false(page.more);
	assert_int_equal(cw_read_tenure(r, l[1].id, t), 1);
	assert_true(t[0].end_id > l[1].id && t[0].reason == CW_END_RELEASE);
	assert_int_equal(cw_read_tenure(r, 99999, t), 0);
	(void) cw_store_reader_close(r);
}

/* Sorted in runs or not yet, and some pruned: the same tenures in the same order. */
static void history_of_one(void **state)
{
	struct fx *fx = *state;
	const struct cw_history_filter f = {.principal = "bob"};
	struct cw_op op = {.kind = CW_OP_INDEX};
	struct cw_store_reader *r;
	struct cw_lease l[60];
	unsigned faults = 0;

	(void) fx_simple(fx, "10.0.0.0/24");
	cw_store_backend(fx->s)->run_rows = 16;
	for (unsigned i = 0; i < 60; i++)
		assert_int_equal(fx_acquire(fx, i % 4 ? "alice" : "bob", i + 1, &l[i]), 0);
	r = reader(fx);
	for (unsigned runs = 0; runs < 5; runs++) { /* three of them are whole */
		for (unsigned down = 0; down < 2; down++) {
			struct cw_page page = {.newest = down};
			struct cw_tenure t[4];
			unsigned n = 0;
			int got;

			do {
				got = cw_read_history_page(r, &f, &page, t, 1 + runs % 4);
				assert_true(got >= 0);
				for (int i = 0; i < got; i++, n++)
					assert_int_equal(t[i].lease, l[(down ? 14 - n : n) * 4].id);
			} while (page.more);
			assert_int_equal(n, 15);
		}
		assert_int_equal(fx_run(fx, &op), 0);
		assert_int_equal(op.u.sweep.count, runs < 3 ? 16 : 0);
		assert_int_equal(cw_store_check(r, on_fault, &faults), 0);
	}
	assert_int_equal(fx_sql_int(fx, "SELECT count(*) FROM history_run"), 3);
	assert_int_equal(fx_sql(fx, "DELETE FROM history_of WHERE principal = 'bob' AND id ="
				    " (SELECT min(id) FROM history_of)"),
		SQLITE_OK);
	assert_int_equal(cw_store_check(r, on_fault, &faults), 1);
	/* A run whose tenures are all gone goes. */
	assert_int_equal(
		fx_sql(fx, "DELETE FROM outbox; DELETE FROM lease; DELETE FROM history WHERE id <="
			   " (SELECT max(last) FROM history_run); UPDATE pool_use SET active = 0"),
		SQLITE_OK);
	op = (struct cw_op){.kind = CW_OP_TIDY};
	op.u.tidy.limit = 100;
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(fx_run(fx, &op), 0);
		assert_int_equal(op.u.tidy.count, i < 3);
	}
	assert_int_equal(fx_sql_int(fx, "SELECT count(*) FROM history_of"), 0);
	(void) cw_store_reader_close(r);
}

/* A filter that finds little does not hold its thread for long: it says where it got to. */
static void a_look_is_bounded(void **state)
{
	struct fx *fx = *state;
	const struct cw_history_filter nobody = {.pool_id = 99};
	const struct cw_event_filter never = {.type = "clock.jump"};
	struct cw_page page = {0};
	struct cw_store_reader *r;
	struct cw_event e[4];
	struct cw_tenure t;
	unsigned calls = 0;

	(void) fx_simple(fx, "10.0.0.0/24");
	assert_int_equal(
		fx_sql(fx, "WITH RECURSIVE n (i) AS (VALUES (100) UNION ALL SELECT i + 1"
			   " FROM n WHERE i < 25099) INSERT INTO history (id, pool, tep,"
			   " addr, psid, ps_offset, ps_len, access, reason, started, ended,"
			   " client6, principal) SELECT i, 1, 1, 1, 0, 0, 0, 1, 1, 1, 2,"
			   " zeroblob(16), 'u' FROM n"),
		SQLITE_OK);
	assert_int_equal(fx_sql(fx, "INSERT INTO event SELECT id, 1, 'auth.fail', 0, '', '' FROM"
				    " history WHERE id < 15100"),
		SQLITE_OK);
	r = reader(fx);
	do {
		assert_int_equal(cw_read_history_page(r, &nobody, &page, &t, 1), 0);
		calls++;
	} while (page.more);
	assert_int_equal(calls, 3);
	assert_int_equal(page.at, 25099);
	page = (struct cw_page){.newest = true};
	calls = 0;
	do {
		assert_int_equal(cw_read_events(r, &never, &page, e, 4), 0);
		calls++;
	} while (page.more);
	assert_int_equal(calls, 2);
	(void) cw_store_reader_close(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			the_life_of_a_lease, fx_set_up_memory, fx_tear_down),
		cmocka_unit_test_setup_teardown(filters_and_pages, fx_set_up_memory, fx_tear_down),
		cmocka_unit_test_setup_teardown(
			what_no_event_may_be, fx_set_up_memory, fx_tear_down),
		cmocka_unit_test_setup_teardown(
			configuration_is_events, fx_set_up_memory, fx_tear_down),
		cmocka_unit_test_setup_teardown(old_ones_go, fx_set_up_memory, fx_tear_down),
		cmocka_unit_test_setup_teardown(history_by_page, fx_set_up_memory, fx_tear_down),
		cmocka_unit_test_setup_teardown(history_of_one, fx_set_up_file, fx_tear_down),
		cmocka_unit_test_setup_teardown(a_look_is_bounded, fx_set_up_memory, fx_tear_down),
	};

	return cmocka_run_group_tests_name("db log", tests, NULL, NULL);
}
