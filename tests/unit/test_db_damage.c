/* SPDX-License-Identifier: BSD-2-Clause */
/* A disk that tells something else than was written (R14): bad rows are put aside, the others stay,
 * no address is lent twice, and what is not whole is said. The bit flips are of CW_FLIP_SEED. */
#include "config.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "tests/lib/db-fixture.h"

enum { LEASES = 200, FLIPS = 50 };

static int set_up(void **state)
{
	(void) fx_set_up_file(state);
	(void) fx_simple(*state, "198.51.100.0/24");
	return 0;
}

static int set_up_small(void **state)
{
	(void) fx_set_up_file(state);
	(void) fx_simple(*state, "198.51.100.0/30");
	return 0;
}

static void grant_all(struct fx *fx, struct cw_lease *to)
{
	char who[32];

	for (unsigned i = 0; i < LEASES; i++) {
		(void) snprintf(who, sizeof who, "ip6:holder-%u", i);
		assert_int_equal(fx_acquire(fx, who, 100 + i, &to[i]), 0);
	}
}

/* Writes what no constraint lets through, as a disk does: schema and checks are off. */
static void write_raw(const struct fx *fx, const char *sql)
{
	sqlite3 *db;
	char *why = NULL;

	assert_int_equal(sqlite3_open(fx->path, &db), SQLITE_OK);
	if (sqlite3_exec(db, "PRAGMA ignore_check_constraints=ON; DROP TRIGGER lease_fixed", NULL,
		    NULL, &why) != SQLITE_OK ||
		sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
	assert_int_equal(
		sqlite3_exec(db,
			"CREATE TRIGGER lease_fixed BEFORE UPDATE OF addr, psid, pool, ps_len, range_lo,"
			" range_hi ON lease BEGIN SELECT RAISE(ABORT, 'a lease stays where it is'); END",
			NULL, NULL, NULL),
		SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static uint64_t damaged(struct fx *fx)
{
	struct cw_store_stats st;

	cw_store_stats(fx->s, &st);
	return st.damaged;
}

static void on_fault(void *arg, const char *text)
{
	char *all = arg;
	size_t n = strlen(all);

	(void) snprintf(all + n, 4096 - n, "%s\n", text);
}

static int faults(struct fx *fx, char all[static 4096])
{
	struct cw_store_reader *r;
	int n;

	all[0] = 0;
	assert_int_equal(cw_store_reader_open(fx->s, &r), 0);
	n = cw_store_check(r, on_fault, all);
	(void) cw_store_reader_close(r);
	return n;
}

/* Every holder but the one of `bad` (and maybe `bad2`) asks again and gets the same; new clients
 * fill the pool and never get the address of a bad row, until it is forgotten. */
static void bad_row_is_put_aside(void **state)
{
	static const struct {
		const char *sql;
		unsigned n;
	} kinds[] = {
		{"UPDATE lease SET state = 7 WHERE id = 5", 1},
		{"UPDATE lease SET state = 0, live = 0 WHERE id = 5", 1},
		{"UPDATE lease SET client6 = x'0102' WHERE id = 5", 1},
		{"UPDATE lease SET principal = CAST(zeroblob(3) AS TEXT), access = 0 WHERE id = 5",
			1},
		{"UPDATE lease SET principal = printf('%.500c', 'x') WHERE id = 5", 1},
		{"UPDATE lease SET access = 9 WHERE id = 5", 1},
		{"UPDATE lease SET generation = 1 WHERE id = 5", 1},
		{"UPDATE lease SET range_lo = 1, psid = 9 WHERE id = 5", 2}, /* and where it was */
		{"UPDATE lease SET addr = -1 WHERE id = 5", 2},
	};

	for (unsigned k = 0; k < CW_ARRAY_LEN(kinds); k++) {
		struct fx *fx = *state;
		struct cw_lease l[LEASES], again;
		struct cw_op op = {.kind = CW_OP_FORGET_DAMAGED};
		char who[32], text[4096];
		unsigned bad = LEASES, got = 0;

		grant_all(fx, l);
		fx->s = cw_store_close(fx->s);
		write_raw(fx, kinds[k].sql);
		fx_reopen(fx);
		if (damaged(fx) != kinds[k].n)
			fail_msg("%s: %u put aside", kinds[k].sql, (unsigned) damaged(fx));
		for (unsigned i = 0; i < LEASES; i++) {
			if (l[i].id == 5) {
				bad = i;
				continue;
			}
			(void) snprintf(who, sizeof who, "ip6:holder-%u", i);
			assert_int_equal(fx_acquire(fx, who, 100 + i, &again), 0);
			assert_int_equal(again.addr.v, l[i].addr.v);
			assert_int_equal(again.id, l[i].id);
		}
		assert_true(bad < LEASES);
		assert_true(faults(fx, text) > 0);
		assert_non_null(strstr(text, "put aside"));
		for (unsigned i = 0; i < 256; i++) {
			(void) snprintf(who, sizeof who, "ip6:new-%u", i);
			if (fx_acquire(fx, who, 1000 + i, &again) < 0)
				continue;
			got++;
			assert_int_not_equal(again.addr.v, l[bad].addr.v);
		}
		assert_int_equal(got, 256 - LEASES);
		fx->s = cw_store_close(fx->s); /* still known after another start */
		fx_reopen(fx);
		assert_int_equal(damaged(fx), kinds[k].n);
		assert_int_equal(fx_acquire(fx, "ip6:late", 7000, &again), CW_E_POOL_EMPTY);
		assert_int_equal(fx_run(fx, &op), 0);
		assert_int_equal(op.u.sweep.count, kinds[k].n);
		assert_int_equal(fx_acquire(fx, "ip6:late", 7000, &again), 0);
		assert_int_equal(again.addr.v, l[bad].addr.v);
		(void) fx_tear_down(state);
		(void) set_up(state);
	}
}

/* Two rows of one tenure: neither can be believed. */
static void two_rows_of_one_tenure(void **state)
{
	struct fx *fx = *state;
	struct cw_lease l[LEASES];

	grant_all(fx, l);
	fx->s = cw_store_close(fx->s);
	write_raw(fx, "DROP INDEX lease_id; UPDATE lease SET id = 7, access = 9 WHERE id = 8;"
		      "CREATE INDEX lease_id ON lease (id)");
	fx_reopen(fx);
	assert_true(damaged(fx) >= 2);
}

/* ---- bit flips ---- */

struct shot {
	struct cw_lease lease[LEASES];
};

static void copy(const char *from, const char *to)
{
	char cmd[512];

	(void) snprintf(cmd, sizeof cmd, "cp '%s' '%s'", from, to);
	assert_int_equal(system(cmd), 0);
}

/* One bit of a random octet that holds something: most of a small database is free space. */
static long flip(const char *path, unsigned *seed, long size)
{
	FILE *f = fopen(path, "r+");
	unsigned bit = (unsigned) rand_r(seed) % 8;
	long at;
	int c;

	assert_non_null(f);
	do {
		at = (long) ((uint64_t) rand_r(seed) * (uint64_t) size / ((uint64_t) RAND_MAX + 1));
		assert_int_equal(fseek(f, at, SEEK_SET), 0);
		c = fgetc(f);
	} while (c == 0);
	assert_int_equal(fseek(f, at, SEEK_SET), 0);
	assert_int_not_equal(fputc(c ^ (1 << bit), f), EOF);
	assert_int_equal(fclose(f), 0);
	return at * 8 + bit;
}

/* How many of the leases are there as they were, -1: cannot be read. */
static int whole(struct cw_store *s, const struct shot *was)
{
	static struct cw_lease now[4 * LEASES];
	struct cw_store_reader *r = NULL;
	int n, same = 0;

	if (cw_store_reader_open(s, &r) < 0)
		return -1;
	n = cw_read_leases(r, &(struct cw_lease_filter){.states = 15},
		(struct cw_lease_key){.begin = true}, now, CW_ARRAY_LEN(now));
	(void) cw_store_reader_close(r);
	for (int i = 0; i < n; i++) {
		for (unsigned k = 0; k < LEASES; k++) {
			const struct cw_lease *w = &was->lease[k];

			same += now[i].addr.v == w->addr.v && now[i].id == w->id &&
				now[i].state == CW_LEASE_ACTIVE &&
				now[i].expires_s == w->expires_s &&
				cw_addr6_eq(&now[i].client6, &w->client6) &&
				strcmp(now[i].principal, w->principal) == 0;
		}
	}
	return n < 0 ? -1 : same;
}

/* A refusal that says what to do, or all leases, or a fault that is told: never a lease less and
 * nobody knows. */
static void bit_flips(void **state)
{
	const char *env = getenv("CW_FLIP_SEED");
	unsigned seed = env ? (unsigned) strtoul(env, NULL, 10) : (unsigned) time(NULL);
	unsigned refused = 0, aside = 0, told = 0, none = 0;
	struct fx *fx = *state;
	char path[128], text[4096];
	struct shot was;
	struct stat st;

	print_message("# seed %u\n", seed);
	grant_all(fx, was.lease);
	fx->s = cw_store_close(fx->s);
	(void) snprintf(path, sizeof path, "%s/flipped.db", fx->dir);
	assert_int_equal(stat(fx->path, &st), 0);
	for (unsigned i = 0; i < FLIPS; i++) {
		const struct cw_store_config conf = {.backend = "sqlite", .path = path};
		struct fx other = {.now = fx->now};
		char why[256] = "";
		long bit;

		copy(fx->path, path);
		bit = flip(path, &seed, st.st_size);
		if (cw_store_open(&conf, why, sizeof why, &other.s) < 0) {
			if (!strstr(why, "backup") && !strstr(why, "another file") &&
				!strstr(why, "release"))
				fail_msg("bit %ld: no remedy in '%s'", bit, why);
			refused++;
			continue;
		}
		aside += damaged(&other) > 0;
		if (faults(&other, text) != 0)
			told++;
		else if (whole(other.s, &was) != LEASES)
			fail_msg("bit %ld: a lease is gone, and nobody says so", bit);
		else
			none++;
		/* Goes on as well as it can: an answer to everything, no crash. */
		(void) !fx_acquire(&other, "ip6:holder-1", 101, NULL);
		(void) !fx_acquire(&other, "ip6:new", 9999, NULL);
		(void) cw_store_close(other.s);
	}
	print_message(
		"# %u flips: %u refused, %u faults told (%u with leases put aside), %u harmless\n",
		FLIPS, refused, told, aside, none);
}

/* lease_free keeps an address that somebody holds: the grant that comes upon it ends the store, and
 * the next start mends the index, for the row counts. */
static void index_is_made_again(void **state)
{
	struct fx *fx = *state;
	struct cw_store_stats st;
	struct cw_lease held, got;
	unsigned freed;

	for (unsigned i = 0; i < 4; i++) /* all of the range */
		assert_int_equal(fx_acquire(fx, "ip6:holder", 100 + i, &held), 0);
	fx_release(fx, &held, CW_END_RELEASE);
	fx->now.steady_s += 31;
	assert_int_equal(fx_sweep(fx, CW_OP_FREE, 10, &freed, NULL), 0);
	assert_int_equal(freed, 1);
	fx->s = cw_store_close(fx->s);
	write_raw(fx, "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql ="
		      " replace(sql, 'state = 0', 'state = 9') WHERE name = 'lease_free';"
		      "PRAGMA schema_version=1000");
	write_raw(fx, "UPDATE lease SET state = 1, live = 1, reason = 0 WHERE state = 0");
	write_raw(fx, "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql ="
		      " replace(sql, 'state = 9', 'state = 0') WHERE name = 'lease_free';"
		      "PRAGMA schema_version=1001");
	fx_reopen(fx);
	assert_int_equal(fx_acquire(fx, "ip6:new", 9000, &got), CW_E_STORE_CORRUPT);
	fx->s = cw_store_close(fx->s);
	fx_reopen(fx);
	cw_store_stats(fx->s, &st);
	assert_true(st.rebuilt);
	assert_int_equal(fx_acquire(fx, "ip6:new", 9000, &got), CW_E_POOL_EMPTY);
	fx->s = cw_store_close(fx->s);
	fx_reopen(fx);
	cw_store_stats(fx->s, &st);
	assert_false(st.rebuilt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(bad_row_is_put_aside, set_up, fx_tear_down),
		cmocka_unit_test_setup_teardown(two_rows_of_one_tenure, set_up, fx_tear_down),
		cmocka_unit_test_setup_teardown(index_is_made_again, set_up_small, fx_tear_down),
		cmocka_unit_test_setup_teardown(bit_flips, set_up, fx_tear_down),
	};

	fx_disk_in_memory();
	return cmocka_run_group_tests_name("db damage", tests, NULL, NULL);
}
