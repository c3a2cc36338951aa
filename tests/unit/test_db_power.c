/* SPDX-License-Identifier: BSD-2-Clause */
/* R2: the power goes at any moment. A run of the store is recorded, every write and every sync, and
 * replayed up to a random cut: what no sync covered is there, is not, or in part (sectors of 512
 * octets, each write by itself). Then the database must open, be sound, and hold everything that
 * was answered before the cut. The same check over a store that does not sync as ours must fail.
 * CW_CRASH_CUTS: cuts (500; 60 with CW_TEST_SPARSE), CW_CRASH_SEED. */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "db/sqlite/sqlite.h"
#include "tests/lib/db-fixture.h"
#include "tests/lib/shim-vfs.h"

enum { CLIENTS = 240, GROUP = 16, KEYED = 3 /* every third has an idempotency key */ };

/* What one client was told, and when by the recorder's count; 0: not. */
static struct told {
	struct cw_lease lease;
	size_t granted, renewed, ending /* asked */, ended;
	int64_t granted_until_s, renewed_until_s;
} told[CLIENTS];
static struct cw_op_cause causes[CLIENTS];

static void on_acquired(struct cw_op *op)
{
	struct told *t = &told[op->u.acquire.client6.b[15]];

	assert_int_equal(op->result, 0);
	t->lease = op->u.acquire.lease;
	*(t->granted ? &t->renewed_until_s : &t->granted_until_s) = t->lease.expires_s;
	*(t->granted ? &t->renewed : &t->granted) = shim_recorded();
}

static int show(const struct cw_op *op, unsigned *ret_status, char *to, size_t n)
{
	*ret_status = 201;
	return snprintf(to, n, "%llu", (unsigned long long) op->u.acquire.lease.id);
}

static struct cw_op_cause *cause(unsigned client)
{
	struct cw_op_cause *c = &causes[client];

	*c = (struct cw_op_cause){
		.actor = "token", .verb = "lease.create", .scope = "tk_1", .answer = show};
	c->key_n = (size_t) snprintf(c->key, sizeof c->key, "key %u", client);
	return c;
}

static void ask(struct fx *fx, struct cw_op *op, unsigned client)
{
	char who[24];

	(void) snprintf(who, sizeof who, "%s:u%u", client % KEYED ? "user" : "rest", client);
	*op = fx_ask(fx, who, client);
	if (client % KEYED == 0 && !told[client].granted)
		op->cause = cause(client);
	op->done = on_acquired;
	cw_store_submit(fx->s, op);
}

/* Groups of 1 and of 16 in turn; some are renewed, some end, TEPs confirm. */
static void record(struct fx *fx, const char *synchronous)
{
	static struct cw_op ops[CLIENTS];
	char sql[48];

	memset(told, 0, sizeof told);
	shim.record = true;
	fx_open(fx, false);
	(void) fx_simple(fx, "10.0.0.0/24");
	(void) snprintf(sql, sizeof sql, "PRAGMA synchronous=%s", synchronous);
	assert_int_equal(fx_sql(fx, sql), SQLITE_OK);
	cw_store_backend(fx->s)->checkpoint_at = 60;
	for (unsigned i = 1, group = 1; i < CLIENTS; i += group) {
		group = i / GROUP % 2 ? GROUP : 1;
		if (group > CLIENTS - i)
			group = CLIENTS - i;
		for (unsigned k = i; k < i + group; k++)
			ask(fx, &ops[k], k);
		fx->now.steady_s++;
		while (cw_store_step(fx->s) > 0)
			;
		if (i % 3 == 0) { /* has it for longer */
			ask(fx, &ops[i], i);
			(void) cw_store_step(fx->s);
		}
		(void) fx_confirm(fx, told[i].lease.id, told[i].lease.generation, 0);
		if (i % 5 == 0) {
			told[i].ending = shim_recorded();
			assert_int_equal(fx_end(fx, told[i].lease.id, CW_END_RELEASE), 0);
			told[i].ended = shim_recorded();
		}
	}
	shim.record = false;
}

struct tally {
	unsigned unopened, unsound, lost;
	char first[256];
};

static void bad(struct tally *t, unsigned *count, const char *what, size_t cut)
{
	++*count;
	if (!t->first[0])
		(void) snprintf(t->first, sizeof t->first, "cut %zu: %s", cut, what);
}

static void on_fault(void *arg, const char *text)
{
	(void) snprintf(arg, 160, "%s", text);
}

/* Everything that was answered before the cut is there. */
static bool promises_kept(struct cw_store_reader *r, size_t cut)
{
	for (unsigned i = 1; i < CLIENTS; i++) {
		const struct told *t = &told[i];
		int64_t expires_s =
			t->renewed && t->renewed <= cut ? t->renewed_until_s : t->granted_until_s;
		struct cw_lease l;

		if (!t->granted || t->granted > cut)
			continue;
		if (cw_read_lease(r, t->lease.id, &l) != 0 || l.addr.v != t->lease.addr.v ||
			strcmp(l.principal, t->lease.principal) != 0 ||
			!cw_addr6_eq(&l.client6, &t->lease.client6) || l.expires_s < expires_s)
			return false;
		if ((!t->ending || t->ending > cut) && l.state != CW_LEASE_ACTIVE)
			return false;
		if (t->ended && t->ended <= cut && l.state == CW_LEASE_ACTIVE)
			return false;
	}
	return true;
}

/* A lease with a key, its record and its audit row came together, or none of them did; and asking
 * again gives the answer that was given. */
static bool records_match(struct cw_store *s, size_t cut)
{
	struct fx fx = {.s = s, .now = {.steady_s = 2000, .wall_s = 1700001000}};
	int64_t leases =
		fx_sql_int(&fx, "SELECT count(*) FROM history WHERE principal GLOB 'rest:*'");

	if (fx_sql_int(&fx, "SELECT count(*) FROM idempotency") != leases ||
		fx_sql_int(&fx, "SELECT count(*) FROM audit") != leases)
		return false;
	for (unsigned i = KEYED; i < CLIENTS; i += KEYED) {
		struct cw_op op = fx_ask(&fx, "rest:again", i);
		struct cw_op_cause *c = cause(i);

		if (!told[i].granted || told[i].granted > cut)
			continue;
		op.cause = c;
		if (fx_run(&fx, &op) != 0 || !c->replayed ||
			strtoull(c->body, NULL, 10) != told[i].lease.id)
			return false;
	}
	return true;
}

static void look(const char *path, size_t cut, struct tally *t)
{
	const struct cw_store_config conf = {.backend = "sqlite", .path = path};
	struct cw_store_reader *r = NULL;
	struct cw_store_stats st;
	struct cw_store *s;
	char why[256] = "";

	if (cw_store_open(&conf, why, sizeof why, &s) < 0) {
		bad(t, &t->unopened, why, cut);
		return;
	}
	cw_store_stats(s, &st);
	if (cw_store_reader_open(s, &r) < 0 || cw_store_check(r, on_fault, why) != 0 || st.damaged)
		bad(t, &t->unsound, why, cut);
	else if (!promises_kept(r, cut))
		bad(t, &t->lost, "what was answered is not there", cut);
	else if (!records_match(s, cut))
		bad(t, &t->lost, "leases and the records of their requests differ", cut);
	(void) cw_store_reader_close(r);
	(void) cw_store_close(s);
}

static void empty(const char *folder)
{
	DIR *d = opendir(folder);
	struct dirent *e;

	while (d && (e = readdir(d)))
		(void) unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		(void) closedir(d);
}

static struct tally cut_many(const char *synchronous, unsigned n, unsigned seed)
{
	struct fx fx;
	struct tally t = {0};
	size_t end;
	char to[80], path[96];

	record(&fx, synchronous);
	end = shim_recorded();
	(void) snprintf(to, sizeof to, "%s/after", fx.dir);
	(void) snprintf(path, sizeof path, "%s/causeway.db", to);
	assert_int_equal(mkdir(to, 0700), 0);
	for (unsigned i = 0; i < n; i++) {
		size_t first = told[1].granted;
		size_t cut = first + (size_t) rand_r(&seed) % (end - first + 1);

		empty(to);
		shim_replay(cut, &seed, to);
		look(path, cut, &t);
	}
	empty(to);
	(void) rmdir(to);
	fx_close(&fx);
	shim_record_forget();
	print_message(
		"# synchronous=%s: %u cuts of %zu changes: %u not opened, %u unsound, %u lost something\n",
		synchronous, n, end, t.unopened, t.unsound, t.lost);
	return t;
}

static unsigned seed_of(void)
{
	const char *env = getenv("CW_CRASH_SEED");
	unsigned seed = env ? (unsigned) strtoul(env, NULL, 10) : (unsigned) time(NULL);

	print_message("# seed %u\n", seed);
	return seed;
}

static void nothing_answered_is_lost(void **state)
{
	const char *env = getenv("CW_CRASH_CUTS");
	unsigned n = env ? (unsigned) strtoul(env, NULL, 10) : cw_test_cases(500, 60);
	struct tally t;

	(void) state;
	t = cut_many("FULL", n, seed_of());
	if (t.first[0])
		fail_msg("%s", t.first);
}

/* The controls: the same check must find what these lose. */
static void without_a_sync_per_commit_it_is(void **state)
{
	(void) state;
	assert_true(cut_many("NORMAL", 60, seed_of()).lost > 0);
}

static void without_any_sync_it_does_not_even_open(void **state)
{
	struct tally t;

	(void) state;
	t = cut_many("OFF", 60, seed_of());
	assert_true(t.lost > 0);
	assert_true(t.unopened + t.unsound > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_answered_is_lost),
		cmocka_unit_test(without_a_sync_per_commit_it_is),
		cmocka_unit_test(without_any_sync_it_does_not_even_open),
	};

	fx_disk_in_memory();
	if (shim_register() != SQLITE_OK)
		return 1;
	return cmocka_run_group_tests_name("db power", tests, NULL, NULL);
}
