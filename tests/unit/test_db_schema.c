/* SPDX-License-Identifier: BSD-2-Clause */
/* The database file: what its tables refuse however the SQL comes, migrations, the lock, modes and
 * pragmas, damage, backups. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "db/sqlite/sqlite.h"
#include "tests/lib/db-fixture.h"

/* ---- the tables ---- */

#define LEASE_COLUMNS                                                                                                 \
	"INSERT INTO lease (addr, psid, id, generation, pool, tep, state, live, reason, ps_len, range_lo, range_hi, " \
	"withheld, access, due, expires, granted, lifetime, client6, principal) "
/* What is in doubt; the rest is right. The range and its shape are looked up as the store does. */
#define LEASE(addr, psid, id, gen, pool, tep, state, reason)                                      \
	LEASE_COLUMNS "SELECT " addr "," psid "," id "," gen "," pool "," tep "," state "," state \
		      " = 1," reason ", ps_len, lo, hi,"                                          \
		      "0,1,9,9,9,9,zeroblob(16),'u' FROM pool_range WHERE pool = " pool           \
		      " ORDER BY abs(lo - 0" addr ") LIMIT 1"
/* With the range said outright. */
#define LEASE_IN(addr, psid, pool, len, lo, hi)                                           \
	LEASE_COLUMNS "VALUES (" addr "," psid ",9,9," pool ",1,1,1,0," len "," lo "," hi \
		      ",0,1,9,9,9,9,zeroblob(16),'u')"
#define TEP "INSERT INTO tep (version, name, plugin, options, ipv4, ipv6, draining) VALUES "
#define POOL                                                                                            \
	"INSERT INTO pool (version, name, tep, ps_offset, ps_len, keep_system_ports, state, lifetime, " \
	"lifetime_min, lifetime_max, quarantine, max_leases, retention, place) VALUES "
#define HISTORY                                                                                        \
	"INSERT INTO history (id, pool, tep, addr, psid, ps_offset, ps_len, access, reason, started, " \
	"ended, client6, principal) VALUES "
#define RANGE   "INSERT INTO pool_range (pool, ps_len, lo, hi) VALUES "
#define RESERVE "INSERT INTO reservation (pool, addr, psid, principal) VALUES "

/* Pool 1: 100..199 and 300..399, whole; pool 2: 1000..1003, 16 sets. Lease 1 at (100, 0), 2
 * at (1000, 3). */
static const char *const must_refuse[] = {
	/* two holders of one place, one tenure twice */
	LEASE("100", "0", "9", "9", "1", "1", "1", "0"),
	LEASE("101", "0", "1", "9", "1", "1", "1", "0"),
	LEASE("1000", "3", "9", "9", "2", "1", "1", "0"),
	"UPDATE lease SET id = 1 WHERE addr = 1000",
	"UPDATE lease SET psid = 3, addr = 1000 WHERE addr = 100",
	/* outside the pool, in another one's range, of another shape */
	LEASE("99", "0", "9", "9", "1", "1", "1", "0"),
	LEASE("200", "0", "9", "9", "1", "1", "1", "0"),
	LEASE("101", "0", "9", "9", "2", "1", "1", "0"),
	LEASE("1001", "0", "9", "9", "1", "1", "1", "0"),
	LEASE("101", "1", "9", "9", "1", "1", "1", "0"),
	LEASE("1001", "16", "9", "9", "2", "1", "1", "0"),
	"UPDATE lease SET addr = 101 WHERE addr = 100",
	"UPDATE lease SET pool = 2 WHERE addr = 100",
	"UPDATE lease SET psid = 4 WHERE addr = 1000",
	LEASE_IN("150", "0", "1", "0", "100", "200"), /* no such range */
	LEASE_IN("250", "0", "1", "0", "100", "199"),
	LEASE_IN("150", "0", "2", "0", "100", "199"),
	LEASE_IN("1001", "0", "2", "5", "1000", "1003"),
	LEASE_IN("1001", "16", "2", "4", "1000", "1003"),
	LEASE_IN("1001", "16", "2", "5", "1000", "1003"),
	"UPDATE lease SET ps_len = 5 WHERE addr = 1000",
	"UPDATE lease SET range_hi = 200 WHERE addr = 100",
	/* impossible values */
	LEASE("-1", "0", "9", "9", "1", "1", "1", "0"),
	LEASE("4294967296", "0", "9", "9", "1", "1", "1", "0"),
	LEASE_IN("'x'", "0", "1", "0", "100", "199"),
	LEASE("101", "-1", "9", "9", "1", "1", "1", "0"),
	LEASE("101", "0", "0", "9", "1", "1", "1", "0"),
	LEASE("101", "0", "9", "8", "1", "1", "1", "0"),
	LEASE("101", "0", "9", "9", "1", "1", "4", "0"),
	LEASE("101", "0", "9", "9", "1", "NULL", "1", "0"),
	LEASE("101", "0", "9", "9", "1", "77", "1", "0"),
	LEASE("101", "0", "9", "9", "1", "1", "1", "2"),
	LEASE("101", "0", "9", "9", "1", "1", "2", "0"),
	"UPDATE lease SET client6 = x'00' WHERE addr = 100",
	"UPDATE lease SET principal = '' WHERE addr = 100",
	"UPDATE lease SET state = 7",
	"UPDATE lease SET live = 0 WHERE addr = 100",
	/* ranges */
	RANGE "(1, 0, 199, 250)",
	RANGE "(2, 4, 50, 100)",
	RANGE "(2, 4, 150, 160)",
	RANGE "(2, 4, 0, 4294967295)",
	RANGE "(1, 0, 100, 199)",
	"INSERT OR REPLACE INTO pool_range (id, pool, ps_len, lo, hi) VALUES (1, 1, 0, 100, 100)",
	RANGE "(1, 4, 500, 510)", /* not the pool's shape */
	"UPDATE pool_range SET ps_len = 4 WHERE id = 1",
	RANGE "(1, 0, 10, 9)",
	RANGE "(1, 0, 10, 4294967296)",
	RANGE "(9, 0, 10, 11)",
	"UPDATE pool_range SET hi = 150 WHERE id = 1",
	"UPDATE pool_range SET pool = 2 WHERE id = 1",
	"DELETE FROM pool_range WHERE id = 1",
	"DELETE FROM pool_range WHERE id = 2", /* a reservation */
	/* exclusions */
	"INSERT INTO exclusion (pool, lo, hi) VALUES (1, 119, 140)",
	"UPDATE exclusion SET hi = 150",
	/* pools */
	"UPDATE pool SET ps_len = 5 WHERE id = 2",
	"UPDATE pool SET ps_offset = 1 WHERE id = 2",
	"DELETE FROM pool WHERE id = 1",
	POOL "(1,'p1',1,0,0,0,0,60,60,60,0,0,0,0)",
	POOL "(1,'x y',1,0,0,0,0,60,60,60,0,0,0,0)",
	POOL "(1,'n',9,0,0,0,0,60,60,60,0,0,0,0)",
	POOL "(1,'n',1,8,9,0,0,60,60,60,0,0,0,0)",
	POOL "(1,'n',1,1,0,0,0,60,60,60,0,0,0,0)",
	POOL "(1,'n',1,0,0,0,3,60,60,60,0,0,0,0)",
	POOL "(1,'n',1,0,0,0,0,59,60,61,0,0,0,0)",
	POOL "(1,'n',1,0,0,0,0,60,61,60,0,0,0,0)",
	/* reservations */
	RESERVE "(1, 350, 0, 'v')",
	RESERVE "(1, 200, 0, 'v')",
	RESERVE "(2, 101, 0, 'v')",
	RESERVE "(2, 1000, 16, 'v')",
	RESERVE "(1, 101, 0, '')",
	"UPDATE reservation SET addr = 101",
	/* TEPs */
	"DELETE FROM tep WHERE id = 1",
	TEP "(1,'t1','null','',NULL,zeroblob(16),0)",
	TEP "(1,'t3','null','',NULL,zeroblob(15),0)",
	TEP "(1,'t3','null','',4294967296,zeroblob(16),0)",
	/* history, outbox, users, audit */
	HISTORY "(1,1,1,100,0,0,0,1,0,5,NULL,zeroblob(16),'u')",
	HISTORY "(9,1,1,100,0,9,9,1,0,5,NULL,zeroblob(16),'u')",
	HISTORY "(9,1,1,100,0,0,0,1,0,5,6,zeroblob(16),'u')", /* ended without a reason */
	"INSERT INTO outbox (lease, generation, what) VALUES (9, 9, 1)",
	"INSERT INTO outbox (lease, generation, what) VALUES (9, 8, 0)",
	"INSERT INTO credential (account, kind, verifier) VALUES (99, 'x', 'y')",
	"UPDATE audit SET actor = 'nobody'",
	"DELETE FROM audit",
	"INSERT INTO broker_state (id, seq) VALUES (2, 0)",
	"INSERT INTO unused (pool_range, last, next) VALUES (1, 5, 6)",
};

static const char *const must_accept[] = {
	LEASE("101", "0", "3", "3", "1", "1", "1", "0"),
	LEASE("1000", "4", "4", "4", "2", "1", "1", "0"),
	LEASE("399", "0", "5", "5", "1", "NULL", "0", "1"),
	RANGE "(2, 4, 200, 299)",
	"INSERT INTO exclusion (pool, lo, hi) VALUES (2, 119, 140)", /* another pool's */
	"UPDATE pool SET ps_len = 4, place = 3 WHERE id = 2",
	"UPDATE lease SET state = 0, live = 0, reason = 1 WHERE id = 1",
};

static void the_tables_refuse(void **state)
{
	struct fx *fx = *state;

	assert_int_equal(
		fx_sql(fx, TEP
			"(1,'t1','null','',NULL,zeroblob(16),0);" POOL
			"(1,'p1',1,0,0,0,0,60,60,60,0,0,0,0), (1,'p2',1,0,4,0,0,60,60,60,0,0,0,0);" RANGE
			"(1,0,100,199), (1,0,300,399), (2,4,1000,1003);"
			"INSERT INTO exclusion (pool, lo, hi) VALUES (1, 110, 119);" RESERVE
			"(1, 350, 0, 'vip');" LEASE("100", "0", "1", "1", "1", "1", "1",
				"0") ";" LEASE("1000", "3", "2", "2", "2", "1", "1",
				"0") ";" HISTORY "(1,1,1,100,0,0,0,1,0,5,NULL,zeroblob(16),'u');"
				     "INSERT INTO audit (wall_s, actor, verb, object, detail) VALUES (1,'a','b','c','d')"),
		SQLITE_OK);
	for (size_t i = 0; i < CW_ARRAY_LEN(must_refuse); i++) {
		int rc = fx_sql(fx, must_refuse[i]);

		if ((rc & 0xff) != SQLITE_CONSTRAINT)
			fail_msg("not refused (%d): %s", rc, must_refuse[i]);
	}
	for (size_t i = 0; i < CW_ARRAY_LEN(must_accept); i++) {
		int rc = fx_sql(fx, must_accept[i]);

		if (rc != SQLITE_OK)
			fail_msg("refused (%d): %s", rc, must_accept[i]);
	}
	assert_int_equal(fx_sql_int(fx, "SELECT count(*) FROM lease"), 5);
}

/* Random rows of random shapes: whatever is let in, no two live port sets of one address overlap.
 */
static void no_two_rows_overlap_whatever_is_inserted(void **state)
{
	struct fx *fx = *state;
	unsigned seed = 20260301;

	assert_int_equal(fx_sql(fx, TEP "(1,'t1','null','',NULL,zeroblob(16),0)"), SQLITE_OK);
	for (unsigned i = 1; i <= 2000; i++) {
		char sql[512];
		unsigned what, a, b;

		seed = seed * 1664525 + 1013904223;
		what = seed >> 29;
		a = seed >> 8 & 63;
		b = seed >> 16 & 7;
		if (what == 0)
			(void) snprintf(sql, sizeof sql,
				POOL "(1,'p%u',1,0,%u,0,0,60,60,60,0,0,0,0)", i, b);
		else if (what == 1)
			(void) snprintf(sql, sizeof sql,
				"INSERT INTO pool_range (pool, ps_len, lo, hi) SELECT id, ps_len, %u, %u FROM pool ORDER BY (id * %u) %% 7 LIMIT 1",
				a, a + b, i);
		else if (what == 2)
			(void) snprintf(sql, sizeof sql, "DELETE FROM pool_range WHERE lo = %u", a);
		else
			(void) snprintf(sql, sizeof sql,
				LEASE_COLUMNS
				"SELECT lo + %u - 2, %u, %u, %u, pool, 1, 1, 1, 0, ps_len, lo, hi, 0, 1, 9, 9, 9, 9,"
				" zeroblob(16), 'u' FROM pool_range ORDER BY (id * %u) %% 11 LIMIT 1",
				a % 12, b * 3, i, i, i);
		(void) fx_sql(fx, sql);
	}
	assert_true(fx_sql_int(fx, "SELECT count(*) FROM lease") > 20);
	assert_true(fx_sql_int(fx, "SELECT count(*) FROM pool_range") > 5);
	assert_int_equal(fx_sql_int(fx, "SELECT count(*) FROM pool_range a JOIN pool_range b"
					" ON a.id < b.id AND a.lo <= b.hi AND b.lo <= a.hi"),
		0);
	/* Equal addresses are of one pool, hence of one shape, hence different sets are disjoint.
	 */
	assert_int_equal(
		fx_sql_int(fx, "SELECT count(*) FROM lease a JOIN lease b ON a.addr = b.addr"
			       " WHERE a.id < b.id AND (a.pool <> b.pool OR a.psid = b.psid)"),
		0);
	assert_int_equal(
		fx_sql_int(fx,
			"SELECT count(*) FROM lease l WHERE NOT EXISTS (SELECT 1 FROM pool_range r"
			" JOIN pool p ON p.id = r.pool WHERE r.pool = l.pool AND l.addr BETWEEN r.lo AND r.hi"
			" AND l.psid < 1 << p.ps_len)"),
		0);
}

/* ---- the file ---- */

static int open_again(struct fx *fx, char *why, size_t n)
{
	const struct cw_store_config conf = {.backend = "sqlite", .path = fx->path};
	struct cw_store *s = NULL;
	int r = cw_store_open(&conf, why, n, &s);

	if (r == 0)
		(void) cw_store_close(s);
	return r;
}

static void one_broker_per_file(void **state)
{
	struct fx *fx = *state;
	char why[256];

	assert_int_equal(open_again(fx, why, sizeof why), -EBUSY);
	assert_non_null(strstr(why, "another broker"));
	assert_non_null(strstr(why, fx->path));
	assert_int_equal(fx_acquire(fx, "u", 1, NULL), CW_E_POOL_EMPTY); /* undisturbed */
	fx->s = cw_store_close(fx->s);
	assert_int_equal(open_again(fx, why, sizeof why), 0);
}

static void the_file_is_ours_alone(void **state)
{
	struct fx *fx = *state;
	static const char *const ends[] = {"", "-wal", "-shm", ".lock", ".commits"};

	(void) fx_simple(fx, "10.0.0.0/24");
	for (size_t i = 0; i < CW_ARRAY_LEN(ends); i++) {
		char name[128];
		struct stat st;

		(void) snprintf(name, sizeof name, "%s%s", fx->path, ends[i]);
		assert_int_equal(stat(name, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
}

static void the_pragmas_are_on(void **state)
{
	struct fx *fx = *state;

	assert_int_equal(fx_sql_int(fx, "PRAGMA synchronous"), 2);
	assert_int_equal(fx_sql_int(fx, "PRAGMA foreign_keys"), 1);
	assert_int_equal(fx_sql_int(fx, "PRAGMA trusted_schema"), 0);
	assert_int_equal(fx_sql_int(fx, "PRAGMA mmap_size"), 0);
	assert_int_equal(fx_sql_int(fx, "SELECT journal_mode = 'wal' FROM pragma_journal_mode"), 1);
	/* What a name in double quotes means is not guessed. */
	assert_int_equal(fx_sql(fx, "SELECT \"nothing\""), SQLITE_ERROR);
}

static void migrations_run_once(void **state)
{
	struct fx *fx = *state;
	int64_t version = fx_sql_int(fx, "PRAGMA user_version");
	int64_t cookie = fx_sql_int(fx, "PRAGMA schema_version");
	struct cw_lease l;

	assert_true(version >= 1);
	(void) fx_simple(fx, "10.0.0.0/24");
	assert_int_equal(fx_acquire(fx, "u", 1, &l), 0);
	for (int i = 0; i < 2; i++) {
		fx->s = cw_store_close(fx->s);
		fx_reopen(fx);
		assert_int_equal(fx_sql_int(fx, "PRAGMA user_version"), version);
		assert_int_equal(fx_sql_int(fx, "PRAGMA schema_version"),
			cookie); /* nothing was made again */
		assert_int_equal(fx_lease(fx, l.id).state, CW_LEASE_ACTIVE);
	}
}

static void other_peoples_files_are_left_alone(void **state)
{
	struct fx *fx = *state;
	char why[256];
	FILE *f;

	assert_int_equal(fx_sql(fx, "PRAGMA user_version = 1000"), SQLITE_OK);
	fx->s = cw_store_close(fx->s);
	assert_int_equal(open_again(fx, why, sizeof why), CW_E_SCHEMA);
	assert_non_null(strstr(why, "newer release"));
	assert_non_null(strstr(why, "1000"));
	/* A database of something else. */
	assert_int_equal(unlink(fx->path), 0);
	{
		sqlite3 *db;

		assert_int_equal(sqlite3_open(fx->path, &db), SQLITE_OK);
		assert_int_equal(sqlite3_exec(db, "CREATE TABLE recipes (name)", NULL, NULL, NULL),
			SQLITE_OK);
		assert_int_equal(sqlite3_close(db), SQLITE_OK);
	}
	assert_int_equal(open_again(fx, why, sizeof why), CW_E_SCHEMA);
	assert_non_null(strstr(why, "not a database of Causeway"));
	/* No database at all. */
	f = fopen(fx->path, "w");
	assert_non_null(f);
	(void) fprintf(f, "%s",
		"This is a letter to my grandmother, and it is longer than a hundred octets, as the header"
		" of a database would be.");
	(void) fclose(f);
	assert_int_equal(open_again(fx, why, sizeof why), CW_E_STORE_CORRUPT);
	assert_non_null(strstr(why, fx->path));
}

static void paths_that_cannot_be(void **state)
{
	struct fx *fx = *state;
	char path[128], why[256];
	const struct cw_store_config conf = {.backend = "sqlite", .path = path};
	struct cw_store *s = NULL;

	(void) snprintf(path, sizeof path, "%s/nowhere/causeway.db", fx->dir);
	assert_int_equal(cw_store_open(&conf, why, sizeof why, &s), -ENOENT);
	assert_non_null(strstr(why, "nowhere"));
	(void) snprintf(
		path, sizeof path, "%s", fx->dir); /* a folder; its lock file lies beside it */
	assert_true(cw_store_open(&conf, why, sizeof why, &s) < 0);
	(void) snprintf(path, sizeof path, "%s.lock", fx->dir);
	(void) unlink(path);
	(void) snprintf(path, sizeof path, "%s/link.db", fx->dir);
	(void) snprintf(why, sizeof why, "%s.lock", path);
	assert_int_equal(symlink("/nowhere", why), 0); /* a lock that leads elsewhere */
	assert_int_equal(cw_store_open(&conf, why, sizeof why, &s), -ELOOP);
	assert_null(s);
}

/* Flips bits all over the file: the store refuses it, or works; it never crashes, and what it lists
 * was written. */
static void a_damaged_file_is_refused_or_served(void **state)
{
	struct fx *fx = *state;
	unsigned refused = 0, seed = 7;
	char copy[128];
	struct stat st;
	uint8_t *clean;
	int fd;

	(void) fx_simple(fx, "10.0.0.0/24");
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(fx_acquire(fx, "user:someone", i + 1, NULL), 0);
	fx->s = cw_store_close(fx->s);
	fd = open(fx->path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	clean = malloc((size_t) st.st_size);
	assert_int_equal(read(fd, clean, (size_t) st.st_size), st.st_size);
	(void) close(fd);
	(void) snprintf(copy, sizeof copy, "%s/broken.db", fx->dir);
	for (unsigned round = 0; round < 150; round++) {
		const struct cw_store_config conf = {.backend = "sqlite", .path = copy};
		struct cw_store *s = NULL;
		struct cw_store_reader *r = NULL;
		char why[256];
		int e;

		fd = open(copy, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		assert_int_equal(write(fd, clean, (size_t) st.st_size), st.st_size);
		for (unsigned k = 0; k < 1 + round % 20; k++) {
			uint8_t octet;
			off_t at;

			seed = seed * 1664525 + 1013904223;
			at = (off_t) (((uint64_t) seed * (uint64_t) st.st_size) >> 32);
			octet = clean[at] ^ (uint8_t) (1u << (seed & 7));
			assert_int_equal(pwrite(fd, &octet, 1, at), 1);
		}
		(void) close(fd);
		e = cw_store_open(&conf, why, sizeof why, &s);
		if (e == 0) {
			struct cw_op op = fx_ask(fx, "user:new", 500),
				     find = {.kind = CW_OP_FIND, .now = fx->now};
			struct cw_lease_filter all = {.states = 0xf};
			struct cw_lease_key at = {.begin = true};
			struct cw_lease l[32];
			int n;

			find.u.find = (struct cw_op_find){
				.principal = "user:someone", .client6 = fx_a6(3)};
			(void) cw_store_run(s, &find);
			if (cw_store_reader_open(s, &r) == 0) {
				for (unsigned page = 0;
					page < 20 && (n = cw_read_leases(r, &all, at, l, 32)) > 0;
					page++) {
					for (int i = 0; i < n; i++)
						assert_true(l[i].state <= CW_LEASE_QUARANTINED &&
							    l[i].access <= CW_ACCESS_GATEWAY &&
							    memchr(l[i].principal, 0,
								    sizeof l[i].principal));
					at = (struct cw_lease_key){
						.addr = l[n - 1].addr, .psid = l[n - 1].ports.psid};
				}
			}
			(void) cw_store_reader_close(r);
			(void) cw_store_run(s, &op);
			(void) cw_store_close(s);
		} else {
			assert_true(why[0] != '\0');
			refused++;
		}
		(void) unlink(copy);
		(void) snprintf(why, sizeof why, "%s-wal", copy);
		(void) unlink(why);
		(void) snprintf(why, sizeof why, "%s-shm", copy);
		(void) unlink(why);
	}
	assert_true(refused > 5 && refused < 145);
	free(clean);
}

/* ---- backups ---- */

static void a_backup_is_whole(void **state)
{
	struct fx *fx = *state;
	struct fx copy = {.now = fx->now};
	struct cw_store_reader *r;
	struct stat st;
	char to[128];
	struct cw_lease l;

	(void) fx_simple(fx, "10.0.0.0/24");
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(fx_acquire(fx, "u", i + 1, &l), 0);
	assert_int_equal(cw_store_reader_open(fx->s, &r), 0);
	(void) snprintf(to, sizeof to, "%s/copy.db", fx->dir);
	assert_int_equal(cw_store_backup(r, to), 0);
	assert_int_equal(cw_store_backup(r, to), -EEXIST);
	assert_int_equal(stat(to, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_nlink, 1);
	(void) snprintf(to, sizeof to, "%s/copy.db-wal", fx->dir);
	assert_int_equal(access(to, F_OK), -1); /* one file is all of it */
	(void) snprintf(to, sizeof to, "%s/copy.db.part", fx->dir);
	assert_int_equal(access(to, F_OK), -1);
	(void) snprintf(to, sizeof to, "%s/nowhere/copy.db", fx->dir);
	assert_int_equal(cw_store_backup(r, to), -ENOENT);
	/* The store goes on; the copy stays as it was, and opens as a store. */
	assert_int_equal(fx_acquire(fx, "later", 99, NULL), 0);
	(void) snprintf(copy.path, sizeof copy.path, "%s/copy.db", fx->dir);
	fx_reopen(&copy);
	assert_int_equal(fx_sql_int(&copy, "SELECT count(*) FROM lease"), 50);
	assert_int_equal(fx_lease(&copy, l.id).addr.v, l.addr.v);
	assert_int_equal(fx_acquire(&copy, "later", 98, &l), 0);
	assert_int_equal(l.addr.v, fx_a4("10.0.0.50").v);
	copy.s = cw_store_close(copy.s);
	(void) cw_store_reader_close(r);
}

/* ---- the whole check ---- */

static void count_fault(void *arg, const char *text)
{
	++*(unsigned *) arg;
	print_message("# %s\n", text);
}

/* Faults of the database after `sql` was done behind the store's back. */
static unsigned faults_after(struct fx *fx, struct cw_store_reader *r, const char *sql)
{
	unsigned told = 0;
	int n;

	assert_int_equal(fx_sql(fx, "SAVEPOINT damage"), SQLITE_OK);
	assert_int_equal(fx_sql(fx, sql), SQLITE_OK);
	assert_int_equal(fx_sql(fx, "RELEASE damage"), SQLITE_OK);
	n = cw_store_check(r, count_fault, &told);
	assert_int_equal(n, told);
	return told;
}

static void the_check_finds_what_no_constraint_does(void **state)
{
	struct fx *fx = *state;
	struct cw_store_reader *r;
	struct cw_lease l[5];
	char sql[160];

	(void) fx_simple(fx, "10.0.0.0/24");
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(fx_acquire(fx, "u", i + 1, &l[i]), 0);
	assert_int_equal(fx_end(fx, l[1].id, CW_END_RELEASE), 0); /* ending */
	fx_release(fx, &l[2], CW_END_RELEASE);                    /* quarantined */
	assert_int_equal(cw_store_reader_open(fx->s, &r), 0);
	assert_int_equal(faults_after(fx, r, "SELECT 1"), 0);
	(void) snprintf(sql, sizeof sql, "UPDATE history SET ended = 1, reason = 1 WHERE id = %d",
		(int) l[0].id);
	assert_int_equal(faults_after(fx, r, sql), 1);
	(void) snprintf(
		sql, sizeof sql, "UPDATE history SET ended = NULL WHERE id = %d", (int) l[2].id);
	assert_int_equal(faults_after(fx, r, sql), 2);
	(void) snprintf(sql, sizeof sql, "DELETE FROM outbox WHERE lease = %d", (int) l[1].id);
	assert_int_equal(faults_after(fx, r, sql), 3);
	(void) snprintf(sql, sizeof sql, "INSERT INTO outbox VALUES (%d, %d, 2)", (int) l[3].id,
		(int) l[3].id + 100);
	(void) fx_sql(fx, "DELETE FROM outbox");
	assert_int_equal(faults_after(fx, r, sql), 4);
	assert_int_equal(faults_after(fx, r, "UPDATE broker_state SET seq = 1"), 12);
	(void) cw_store_reader_close(r);
}

static void a_reader_cannot_write(void **state)
{
	struct fx *fx = *state;
	struct cw_store_reader *r;

	assert_int_equal(cw_store_reader_open(fx->s, &r), 0);
	assert_int_equal(sqlite3_exec(cw_sq_reader_db(r), "UPDATE broker_state SET seq = 0", NULL,
				 NULL, NULL) &
				 0xff,
		SQLITE_READONLY);
	(void) cw_store_reader_close(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, fx_set_up_file, fx_tear_down)
		T(the_tables_refuse),
		T(no_two_rows_overlap_whatever_is_inserted),
		T(one_broker_per_file),
		T(the_file_is_ours_alone),
		T(the_pragmas_are_on),
		T(migrations_run_once),
		T(other_peoples_files_are_left_alone),
		T(paths_that_cannot_be),
		T(a_damaged_file_is_refused_or_served),
		T(a_backup_is_whole),
		T(the_check_finds_what_no_constraint_does),
		T(a_reader_cannot_write),
	};

	return cmocka_run_group_tests_name("db schema", tests, NULL, NULL);
}
