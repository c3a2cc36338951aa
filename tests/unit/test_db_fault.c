/* SPDX-License-Identifier: BSD-2-Clause */
/* A failing disk and missing memory. The same little story is told again and again while the k-th
 * write, sync, truncation or allocation fails, for every k there is, once or for good. Whatever
 * happens: who was answered with success finds the lease after a power cut at that very moment (of
 * each file, only what a sync covered is left); nobody has an address twice; the answer to a
 * failure is the right one of FULL, IO, no memory; reads go on; when space comes back, so does the
 * store, and after an I/O error it never does. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "db/sqlite/sqlite.h"
#include "tests/lib/db-fixture.h"
#include "tests/lib/shim-vfs.h"

/* ---- the story ---- */

#define CLIENTS 12

/* What the clients were told. */
struct told {
	int result; /* 1: not answered */
	bool ended;
	int end_result;
	struct cw_lease lease;
};

static struct told told[CLIENTS];
static struct cw_op_cause causes[CLIENTS];

static int show(const struct cw_op *op, unsigned *ret_status, char *to, size_t n)
{
	*ret_status = 201;
	return snprintf(to, n, "%llu", (unsigned long long) op->u.acquire.lease.id);
}

/* Every third client comes with a key. */
static struct cw_op_cause *cause(unsigned client)
{
	struct cw_op_cause *c = &causes[client];

	*c = (struct cw_op_cause){
		.actor = "token", .verb = "lease.create", .scope = "tk_1", .answer = show};
	c->key_n = (size_t) snprintf(c->key, sizeof c->key, "key %u", client);
	return c;
}

/* A user and a reservation of his, or neither. */
static void add_both(struct fx *fx, unsigned i)
{
	struct cw_op user = {.kind = CW_OP_USER_ADD}, keep = {.kind = CW_OP_RESERVE_ADD},
		     group = {.kind = CW_OP_GROUP};
	struct cw_op *const both[] = {&user, &keep};

	(void) snprintf(user.u.user.user.name, CW_NAME_MAX, "g%u", i);
	keep.u.reservation.addr.v = fx_a4("10.0.0.128").v + i;
	(void) snprintf(keep.u.reservation.principal, CW_NAME_MAX, "user:g%u", i);
	group.u.group = (struct cw_op_group){.ops = both, .n = 2};
	(void) !fx_run(fx, &group);
}

static void on_acquired(struct cw_op *op)
{
	struct told *t = &told[op->u.acquire.client6.b[15] - 1];

	t->result = op->result;
	if (op->result == 0)
		t->lease = op->u.acquire.lease;
}

/* Batches of three new clients, a confirmation each, then the first of the three releases: small
 * steps, so that every kind of commit is hit. */
static void tell_story(struct fx *fx, unsigned clients)
{
	static struct cw_op ops[CLIENTS];

	for (unsigned i = 0; i < CLIENTS; i++)
		told[i] = (struct told){.result = 1};
	for (unsigned i = 0; i + 2 < clients; i += 3) {
		for (unsigned k = i; k < i + 3; k++) {
			char who[24];

			(void) snprintf(who, sizeof who, "%s:u%u", k % 3 == 2 ? "rest" : "user", k);
			ops[k] = fx_ask(fx, who, k + 1);
			ops[k].cause = k % 3 == 2 ? cause(k) : NULL;
			ops[k].done = on_acquired;
			cw_store_submit(fx->s, &ops[k]);
		}
		while (cw_store_step(fx->s) > 0)
			;
		for (unsigned k = i; k < i + 3; k++) {
			if (told[k].result == 0)
				(void) fx_confirm(
					fx, told[k].lease.id, told[k].lease.generation, 0);
		}
		if (told[i].result == 0) {
			struct cw_op end = {.kind = CW_OP_END};

			end.u.end = (struct cw_op_end){
				.id = told[i].lease.id, .reason = CW_END_RELEASE};
			told[i].ended = true;
			told[i].end_result = fx_run(fx, &end);
		}
		if (i == 0) /* the rest of the story with a cache made anew */
			add_both(fx, i);
	}
}

static void print_fault(void *arg, const char *text)
{
	(void) arg;
	print_message("# %s\n", text);
}

/* What is written in one transaction is there as a whole or not at all: a lease with its record and
 * audit row, both halves of a group; counters, events and the chain are what the rows say. */
static void check_whole(struct fx *fx, struct cw_store_reader *r)
{
	int64_t leases =
		fx_sql_int(fx, "SELECT count(*) FROM history WHERE principal GLOB 'rest:*'");

	assert_int_equal(fx_sql_int(fx, "SELECT count(*) FROM idempotency"), leases);
	assert_int_equal(fx_sql_int(fx, "SELECT count(*) FROM audit"), leases);
	assert_int_equal(fx_sql_int(fx, "SELECT count(*) FROM account"),
		fx_sql_int(fx, "SELECT count(*) FROM reservation"));
	assert_int_equal(cw_store_check(r, print_fault, NULL), 0);
}

/* A reader is opened once per telling: it prepares all its statements, which costs more than the
 * story does. */
static struct cw_lease lease_of(struct cw_store_reader *r, uint64_t id)
{
	struct cw_lease l;

	assert_int_equal(cw_read_lease(r, id, &l), 0);
	return l;
}

/* Opens what the power cut left and looks for everything that was promised. */
static void check_promises(struct fx *fx)
{
	struct fx after = {.now = fx->now};
	char to[80], name[300];
	static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
	struct cw_store_reader *r;

	(void) snprintf(to, sizeof to, "%s/after", fx->dir);
	assert_int_equal(mkdir(to, 0700), 0);
	shim_power_cut(fx->dir, to);
	shim.power = false;
	shim_arm(0, 0, 0, false);
	(void) snprintf(after.path, sizeof after.path, "%s/causeway.db", to);
	fx_reopen(&after);
	assert_int_equal(
		fx_sql_int(&after,
			"SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"),
		0);
	assert_int_equal(cw_store_reader_open(after.s, &r), 0);
	check_whole(&after, r);
	for (unsigned i = 0; i < CLIENTS; i++) {
		struct cw_lease l;

		if (told[i].result != 0)
			continue;
		l = lease_of(r, told[i].lease.id);
		assert_int_equal(l.addr.v, told[i].lease.addr.v);
		assert_string_equal(l.principal, told[i].lease.principal);
		assert_true(l.expires_s >= told[i].lease.expires_s);
		if (!told[i].ended)
			assert_int_equal(l.state, CW_LEASE_ACTIVE);
		else if (told[i].end_result == 0)
			assert_int_equal(l.state, CW_LEASE_ENDING);
		for (unsigned k = 0; k < i; k++)
			assert_true(told[k].result != 0 || told[k].lease.addr.v != l.addr.v);
	}
	(void) cw_store_reader_close(r);
	assert_int_equal(fx_acquire(&after, "late", 200, NULL), 0);
	after.s = cw_store_close(after.s);
	for (size_t i = 0; i < CW_ARRAY_LEN(ends); i++) {
		(void) snprintf(name, sizeof name, "%s%s", after.path, ends[i]);
		(void) unlink(name);
	}
	assert_int_equal(rmdir(to), 0);
}

static unsigned active_leases(struct fx *fx)
{
	struct cw_lease_filter all = {.states = 1u << CW_LEASE_ACTIVE};
	struct cw_lease_key at = {.begin = true};
	struct cw_store_reader *r;
	struct cw_lease l[64];
	int n;

	assert_int_equal(cw_store_reader_open(fx->s, &r), 0);
	n = cw_read_leases(r, &all, at, l, 64);
	assert_true(n >= 0);
	(void) cw_store_reader_close(r);
	return (unsigned) n;
}

/* One telling with one failure. false: it came to its end before the k-th call. */
static bool one_round(unsigned what, long k, int error, bool on)
{
	struct fx fx;
	struct cw_store_stats st;
	bool failed;
	int want = what == SHIM_WRITE && error != EIO ? CW_E_STORE_FULL : CW_E_STORE_IO;

	shim.power = true;
	fx_open(&fx, false);
	(void) fx_simple(&fx, "10.0.0.0/24");
	assert_int_equal(fx_acquire(&fx, "user:before", 100, NULL), 0);
	fx_forget(&fx);
	cw_store_backend(fx.s)->checkpoint_at = 40; /* the story crosses some */
	shim_arm(what, k, error, on);
	tell_story(&fx, CLIENTS);
	failed = shim.failed > 0;
	assert_true(active_leases(&fx) >= 1); /* reads go on */
	for (unsigned i = 0; i < CLIENTS; i++) {
		if (told[i].result != 0 && told[i].result != want)
			fail_msg("call %ld, error %d: answered %d", k, error, told[i].result);
	}
	cw_store_stats(fx.s, &st);
	if (failed) {
		assert_int_equal(st.err_full > 0, want == CW_E_STORE_FULL);
		assert_int_equal(st.err_io > 0, want == CW_E_STORE_IO);
		assert_int_equal(st.err_busy + st.err_corrupt, 0);
	}
	if (failed && want == CW_E_STORE_IO) {
		/* The word is broken for good, and said once. */
		assert_int_equal(fx.n_health, 1);
		assert_int_equal(fx.health[0], CW_E_STORE_IO);
		shim_arm(0, 0, 0, false);
		assert_int_equal(fx_acquire(&fx, "user:before", 100, NULL), CW_E_STORE_IO);
		assert_int_equal(fx.n_health, 1);
	}
	check_promises(&fx);
	if (failed && want == CW_E_STORE_FULL) {
		struct cw_op find = {.kind = CW_OP_FIND};

		find.u.find =
			(struct cw_op_find){.principal = "user:before", .client6 = fx_a6(100)};
		assert_int_equal(fx_run(&fx, &find), 0);
		/* There is space again. */
		assert_int_equal(fx_acquire(&fx, "user:after", 101, NULL), 0);
		/* What was rolled back is given to somebody else: the pool has no hole. */
		assert_int_equal(
			fx_sql_int(&fx, "SELECT count(*) = max(addr) - min(addr) + 1 FROM lease"),
			1);
		for (unsigned i = 0; i < fx.n_health; i++)
			assert_int_equal(fx.health[i], i % 2 ? 0 : CW_E_STORE_FULL);
		assert_true(fx.n_health % 2 == 0);
		assert_true(fx.n_health <= 2 || !on);
	}
	shim.power = false;
	fx_close(&fx);
	shim_power_forget();
	return failed;
}

/* Every call of a kind fails (or each stride-th), once and for good. */
static void every_call(unsigned what, int error, long stride)
{
	long n = 0;

	for (int on = 0; on < 2; on++) {
		for (long k = 1; one_round(what, k, error, on == 1); k += stride)
			n++;
	}
	assert_true(n > 30 / stride);
	print_message("# %ld failures\n", n);
}

static void the_disk_is_full(void **state)
{
	(void) state;
	every_call(SHIM_WRITE, ENOSPC, cw_test_cases(1, 23));
}

static void the_quota_is_used_up(void **state)
{
	(void) state;
	/* SQLite sees what it sees of EIO, the clients what they are told of ENOSPC: each call of both is
	 * tried. Only the errno is looked at here. */
	every_call(SHIM_WRITE, EDQUOT, cw_test_cases(7, 23));
}

static void a_write_fails(void **state)
{
	(void) state;
	every_call(SHIM_WRITE, EIO, cw_test_cases(1, 23));
}

static void a_sync_fails(void **state)
{
	(void) state;
	every_call(SHIM_SYNC, EIO, cw_test_cases(1, 23));
}

static void a_full_disk_at_sync_is_lost_data(void **state)
{
	(void) state;
	every_call(SHIM_SYNC, ENOSPC, cw_test_cases(1, 23));
}

/* No file can grow any more, but what is there can be written: leases are still renewed, for as
 * long as it lasts. */
static void a_full_disk_still_renews(void **state)
{
	struct fx fx;
	unsigned failed = 0;

	(void) state;
	fx_open(&fx, false);
	(void) fx_simple(&fx, "10.0.0.0/24");
	assert_int_equal(fx_acquire(&fx, "user:u", 1, NULL), 0);
	cw_store_backend(fx.s)->checkpoint_at = 40;
	for (unsigned i = 0; i < 30; i++)
		assert_int_equal(fx_acquire(&fx, "user:u", 1, NULL), 0);
	cw_store_backend(fx.s)->checkpoint_at =
		1000000; /* only the full disk makes it checkpoint */
	fx_forget(&fx);
	shim_arm(SHIM_GROW, 1, ENOSPC, true);
	for (unsigned i = 0; i < 400; i++) {
		int r = fx_acquire(&fx, "user:u", 1, NULL);

		assert_true(r == 0 || r == CW_E_STORE_FULL);
		failed += r != 0;
		fx.n_health = 0;
	}
	assert_true(failed > 0 && failed < 40);
	shim_arm(0, 0, 0, false);
	fx_close(&fx);
}

/* The control: with synchronous=OFF the same check must find leases missing. */
static void the_power_cut_bites(void **state)
{
	struct fx fx;
	struct fx after = {0};
	unsigned lost = 0;
	char to[80];

	(void) state;
	shim.power = true;
	fx_open(&fx, false);
	(void) fx_simple(&fx, "10.0.0.0/24");
	assert_int_equal(fx_sql(&fx, "PRAGMA synchronous=OFF"), SQLITE_OK);
	tell_story(&fx, CLIENTS);
	(void) snprintf(to, sizeof to, "%s/after", fx.dir);
	assert_int_equal(mkdir(to, 0700), 0);
	shim_power_cut(fx.dir, to);
	shim.power = false;
	(void) snprintf(after.path, sizeof after.path, "%s/causeway.db", to);
	fx_reopen(&after);
	for (unsigned i = 0; i < CLIENTS; i++) {
		struct cw_store_reader *r;
		struct cw_lease l;

		assert_int_equal(told[i].result, 0);
		assert_int_equal(cw_store_reader_open(after.s, &r), 0);
		lost += cw_read_lease(r, told[i].lease.id, &l) < 0;
		(void) cw_store_reader_close(r);
	}
	assert_true(lost > 0);
	(void) snprintf(after.dir, sizeof after.dir, "%.60s", to);
	fx_close(&after);
	fx_close(&fx);
	shim_power_forget();
}

/* A constraint that should not have refused: the batch runs again one by one, and only the culprit
 * fails. */
static void a_surprise_fails_alone(void **state)
{
	struct fx fx;
	struct cw_store_stats st;
	struct cw_op ops[3];

	(void) state;
	fx_open(&fx, true);
	(void) fx_simple(&fx, "10.0.0.0/24");
	assert_int_equal(
		fx_sql(&fx,
			"CREATE TRIGGER gremlin BEFORE INSERT ON lease WHEN NEW.principal = 'u1'"
			" BEGIN SELECT RAISE(ABORT, 'no'); END"),
		SQLITE_OK);
	for (unsigned i = 0; i < 3; i++) {
		char who[8];

		(void) snprintf(who, sizeof who, "u%u", i);
		ops[i] = fx_ask(&fx, who, i + 1);
		ops[i].done = on_acquired;
		cw_store_submit(fx.s, &ops[i]);
	}
	(void) cw_store_step(fx.s);
	assert_int_equal(ops[0].result, 0);
	assert_int_equal(ops[1].result, CW_E_CONFLICT);
	assert_int_equal(ops[2].result, 0);
	assert_int_equal(fx.n_seen, 2);
	assert_int_equal(fx_sql_int(&fx, "SELECT count(*) FROM lease"), 2);
	cw_store_stats(fx.s, &st);
	assert_int_equal(st.rollbacks, 2);
	assert_int_equal(fx.n_health, 0);
	fx_close(&fx);
}

/* Somebody else holds the write lock: the batch is told so, and the next one works. */
static void a_busy_database_is_an_answer(void **state)
{
	struct fx fx;
	struct cw_store_stats st;
	sqlite3 *other;

	(void) state;
	fx_open(&fx, false);
	(void) fx_simple(&fx, "10.0.0.0/24");
	(void) sqlite3_busy_timeout(cw_store_backend(fx.s)->db, 1);
	assert_int_equal(sqlite3_open(fx.path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(fx_acquire(&fx, "u", 1, NULL), CW_E_BUSY);
	assert_int_equal(fx_acquire(&fx, "u", 1, NULL), CW_E_BUSY);
	assert_int_equal(fx.n_health, 1); /* said once */
	assert_int_equal(fx.health[0], CW_E_BUSY);
	assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(other), SQLITE_OK);
	assert_int_equal(fx_acquire(&fx, "u", 1, NULL), 0);
	cw_store_stats(fx.s, &st);
	assert_int_equal(st.err_busy, 2);
	assert_int_equal(fx.n_health, 2);
	assert_int_equal(fx.health[1], 0);
	fx_close(&fx);
}

/* Damage that is met while running ends the store's word. */
static void damage_at_run_time(void **state)
{
	struct fx fx;
	struct cw_op parked;

	(void) state;
	fx_open(&fx, false);
	(void) fx_simple(&fx, "10.0.0.0/24");
	parked = fx_ask(&fx, "u", 1);
	parked.u.acquire.wait_confirm = true;
	parked.result = 1;
	cw_store_submit(fx.s, &parked);
	(void) cw_store_step(fx.s);
	assert_int_equal(parked.result, 0); /* not reported: no done */
	assert_int_equal(fx_sql(&fx, "DROP TABLE history"), SQLITE_OK);
	assert_int_equal(fx_acquire(&fx, "v", 2, NULL), CW_E_STORE_CORRUPT);
	assert_int_equal(fx.n_health, 1);
	assert_int_equal(fx.health[0], CW_E_STORE_CORRUPT);
	assert_int_equal(parked.result, CW_E_STORE_CORRUPT);
	assert_int_equal(fx_acquire(&fx, "w", 3, NULL), CW_E_STORE_CORRUPT);
	fx_close(&fx);
}

/* ---- memory ---- */

static sqlite3_mem_methods plain;
static _Thread_local long sqlite_allocs, sqlite_fail_at;

static bool no_memory(void)
{
	return ++sqlite_allocs == sqlite_fail_at;
}

static void *failing_malloc(int n)
{
	return no_memory() ? NULL : plain.xMalloc(n);
}

static void *failing_realloc(void *p, int n)
{
	return no_memory() ? NULL : plain.xRealloc(p, n);
}

static void memory_story(long k, bool ours, struct fx *fx)
{
	sqlite_allocs = 0;
	sqlite_fail_at = ours ? 0 : k;
	if (ours)
		cw_mem_fail_at((unsigned long) k);
	tell_story(fx, 6);
	sqlite_fail_at = 0;
	cw_mem_fail_at(0);
}

static void out_of_memory(bool ours)
{
	struct fx fx;
	const long stride = cw_test_cases(1, 31);
	long n = 0, failed = 0, calls = 1;

	for (long k = 1; k <= calls; k += stride, n++) {
		unsigned long before = cw_mem_count();
		struct cw_store_reader *r;
		bool short_of = false;

		shim.power = false;
		fx_open(&fx, true);
		(void) fx_simple(&fx, "10.0.0.0/24");
		before = cw_mem_count();
		memory_story(k, ours, &fx);
		calls = ours ? (long) (cw_mem_count() - before) : sqlite_allocs;
		if (calls > 0 && k == 1 && ours)
			calls += 16;
		assert_int_equal(cw_store_reader_open(fx.s, &r), 0);
		for (unsigned i = 0; i < 6; i++) {
			if (told[i].result != 0 && told[i].result != -ENOMEM)
				fail_msg("allocation %ld: answered %d", k, told[i].result);
			short_of |= told[i].result == -ENOMEM;
			if (told[i].result == 0 && !told[i].ended)
				assert_int_equal(
					lease_of(r, told[i].lease.id).state, CW_LEASE_ACTIVE);
		}
		failed += short_of;
		assert_int_equal(fx.n_health, 0);
		check_whole(&fx, r);
		(void) cw_store_reader_close(r);
		/* Memory came back, and so did the store. */
		assert_int_equal(fx_acquire(&fx, "later", 99, NULL), 0);
		assert_int_equal(fx_sql_int(&fx, "SELECT count(*) FROM history h WHERE NOT EXISTS"
						 " (SELECT 1 FROM lease l WHERE l.id = h.id)"),
			0);
		fx_close(&fx);
	}
	assert_true(failed > 0);
	print_message("# %ld allocations, %ld failures that were told\n", n, failed);
}

static void our_allocations_fail(void **state)
{
	(void) state;
	out_of_memory(true);
}

static void sqlites_allocations_fail(void **state)
{
	(void) state;
	out_of_memory(false);
}

static void opening_without_memory(void **state)
{
	const struct cw_store_config conf = {.backend = "sqlite", .path = ":memory:"};
	struct cw_store_reader *r = NULL;
	struct cw_store *s = NULL;
	char why[128];
	/* Thousands of calls, most of them inside the making of the tables: a sample grows sparser
	 * as k grows. */
	const long divide = cw_test_cases(24, 4);

	(void) state;
	for (int ours = 0; ours < 2; ours++) {
		for (long k = 1;; k += 1 + k / divide) {
			int e;

			sqlite_allocs = 0;
			sqlite_fail_at = ours ? 0 : k;
			cw_mem_fail_at(ours ? (unsigned long) k : 0);
			e = cw_store_open(&conf, why, sizeof why, &s);
			if (e == 0 && cw_store_reader_open(s, &r) == 0) {
				r = cw_store_reader_close(r);
				e = 1;
			}
			sqlite_fail_at = 0;
			cw_mem_fail_at(0);
			s = cw_store_close(s);
			if (e < 0) {
				assert_int_equal(e, -ENOMEM);
				assert_true(why[0] != '\0');
			}
			if (ours ? k > 200 : sqlite_allocs < k)
				break;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_disk_is_full),
		cmocka_unit_test(the_quota_is_used_up),
		cmocka_unit_test(a_write_fails),
		cmocka_unit_test(a_sync_fails),
		cmocka_unit_test(a_full_disk_at_sync_is_lost_data),
		cmocka_unit_test(a_full_disk_still_renews),
		cmocka_unit_test(the_power_cut_bites),
		cmocka_unit_test(a_surprise_fails_alone),
		cmocka_unit_test(a_busy_database_is_an_answer),
		cmocka_unit_test(damage_at_run_time),
		cmocka_unit_test(our_allocations_fail),
		cmocka_unit_test(sqlites_allocations_fail),
		cmocka_unit_test(opening_without_memory),
	};
	sqlite3_mem_methods failing;

	fx_disk_in_memory();
	/* Before SQLite is used for anything. */
	if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &plain) != SQLITE_OK)
		return 99;
	failing = plain;
	failing.xMalloc = failing_malloc;
	failing.xRealloc = failing_realloc;
	if (sqlite3_config(SQLITE_CONFIG_MALLOC, &failing) != SQLITE_OK ||
		shim_register() != SQLITE_OK)
		return 99;
	return cmocka_run_group_tests_name("db fault", tests, NULL, NULL);
}
