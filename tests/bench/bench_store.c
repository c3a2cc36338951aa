/* SPDX-License-Identifier: BSD-2-Clause */
/* Speed of the lease store alone, as a table on standard output:
 *
 *	bench_store [-d FOLDER] [-n LEASES] [-s SECONDS] [-r ROW]
 *
 * FOLDER (default $TMPDIR or /tmp) gets a database and is cleaned; -r runs only rows that begin
 * with ROW. A lease is a row of lease, history and outbox, durable before it is counted. "+1 ms"
 * adds a millisecond to every flush, as a disk without a write cache. NORMAL is there for
 * comparison only: it loses acknowledged leases in a power cut. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/queue.h"
#include "db/sqlite/sqlite.h"
#include "db/store.h"
#include "db/store_internal.h"
#include "tests/lib/shim-vfs.h"

#define IN_FLIGHT_MAX 1024

static const char *folder;
static const char *only = "";
static unsigned seconds = 3;
static unsigned many = 1000000;
static char path[512];

struct client {
	struct cw_op op;
	struct cw_op confirm;
	struct cw_confirm item;
	uint64_t born_us;
};

/* One measurement: `in_flight` clients that ask again as soon as they are answered, from one thread
 * beside the writer's. */
struct run {
	struct cw_store *s;
	struct client clients[IN_FLIGHT_MAX];
	struct cw_queue answered;
	unsigned in_flight;
	uint64_t asked, done, failed;
	uint64_t cpu_us;      /* of this process while it ran */
	uint32_t hist[40000]; /* latencies in units of 10 us */
	enum { GRANT, GRANT_CONFIRM, RENEW } what;
	uint64_t holders; /* RENEW: how many there are */
};

static struct run run;

static uint64_t now_us(void)
{
	struct timespec t;

	(void) clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t) t.tv_sec * 1000000 + (uint64_t) t.tv_nsec / 1000;
}

static uint64_t cpu_us(void)
{
	struct rusage u;

	(void) getrusage(RUSAGE_SELF, &u);
	return (uint64_t) (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
	       (uint64_t) (u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void die(const char *what, int r)
{
	(void) fprintf(stderr, "bench_store: %s: %s\n", what, cw_strerror(r));
	exit(1);
}

static void on_done(struct cw_op *op)
{
	(void) cw_queue_put(&run.answered, &op->node, NULL);
}

static void on_outbox(void *arg, const struct cw_outbox_entry *entries, size_t n)
{
	(void) arg;
	(void) entries;
	(void) n;
}

static void remove_files(void)
{
	static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
	char name[600];

	for (size_t i = 0; i < CW_ARRAY_LEN(ends); i++) {
		(void) snprintf(name, sizeof name, "%s%s", path, ends[i]);
		(void) unlink(name);
	}
}

static struct cw_store *open_store(unsigned batch_max, bool fresh)
{
	struct cw_store_config conf = {.backend = "sqlite", .path = path, .batch_max = batch_max};
	struct cw_range range = {.lo = {0x0a000000}, .hi = {0x0affffff}};
	struct cw_op op = {.kind = CW_OP_TEP_ADD};
	struct cw_store *s;
	char why[256];
	int r;

	if (fresh)
		remove_files();
	r = cw_store_open(&conf, why, sizeof why, &s);
	if (r < 0)
		die(why, r);
	if (!fresh)
		return s;
	(void) snprintf(op.u.tep.name, sizeof op.u.tep.name, "edge");
	(void) snprintf(op.u.tep.plugin, sizeof op.u.tep.plugin, "null");
	r = cw_store_run(s, &op);
	if (r < 0)
		die("tep", r);
	op = (struct cw_op){.kind = CW_OP_POOL_ADD};
	(void) snprintf(op.u.pool.pool.name, sizeof op.u.pool.pool.name, "p");
	(void) snprintf(op.u.pool.tep, sizeof op.u.pool.tep, "edge");
	op.u.pool.ranges = &range;
	op.u.pool.n_ranges = 1;
	r = cw_store_run(s, &op);
	if (r < 0)
		die("pool", r);
	return s;
}

static struct cw_op ask(uint64_t who)
{
	struct cw_op op = {.kind = CW_OP_ACQUIRE, .done = on_done};
	/* Clients come in no order. */
	uint64_t mixed = who * 0x9e3779b97f4a7c15u;

	op.u.acquire.access = CW_ACCESS_TSP;
	op.u.acquire.client6.b[0] = 0x20;
	memcpy(op.u.acquire.client6.b + 8, &mixed, 8);
	(void) snprintf(op.u.acquire.principal, sizeof op.u.acquire.principal, "user:u%016llx",
		(unsigned long long) mixed);
	return op;
}

static void submit(struct client *c)
{
	uint64_t who = run.asked++;

	c->op = ask(run.what == RENEW ? who * 7919 % run.holders : who);
	c->op.now.steady_s = 1000 + (int64_t) (run.done / 20000);
	c->op.now.wall_s = 1700000000 + c->op.now.steady_s;
	c->born_us = now_us();
	cw_store_submit(run.s, &c->op);
}

static void answered(struct client *c, struct cw_op *op)
{
	uint64_t us;

	if (op == &c->op && run.what == GRANT_CONFIRM && op->result == 0) {
		c->item = (struct cw_confirm){.lease = op->u.acquire.lease.id,
			.generation = op->u.acquire.lease.generation};
		c->confirm = (struct cw_op){.kind = CW_OP_CONFIRM, .now = op->now, .done = on_done};
		c->confirm.u.confirm = (struct cw_op_confirm){.items = &c->item, .n = 1};
		cw_store_submit(run.s, &c->confirm);
		return;
	}
	us = now_us() - c->born_us;
	if (op->result < 0)
		run.failed++;
	run.done++;
	us /= 10;
	run.hist[us < CW_ARRAY_LEN(run.hist) ? us : CW_ARRAY_LEN(run.hist) - 1]++;
}

static double percentile(double p)
{
	uint64_t want = (uint64_t) ((double) run.done * p), n = 0;

	for (size_t i = 0; i < CW_ARRAY_LEN(run.hist); i++) {
		n += run.hist[i];
		if (n > want)
			return (double) i / 100;
	}
	return (double) CW_ARRAY_LEN(run.hist) / 100;
}

/* Lets the clients run for some seconds, or until `total` were answered. Per second. */
static double drive(unsigned in_flight, uint64_t total)
{
	uint64_t start = now_us(), end = start + seconds * 1000000ull, busy = 0;

	run.in_flight = in_flight;
	run.done = run.failed = 0;
	memset(run.hist, 0, sizeof run.hist);
	run.cpu_us = cpu_us();
	for (unsigned i = 0; i < in_flight; i++, busy++)
		submit(&run.clients[i]);
	while (busy > 0) {
		struct cw_qnode *node = cw_queue_wait(&run.answered, in_flight, -1), *next;

		for (; node; node = next) {
			struct cw_op *op = cw_container_of(node, struct cw_op, node);
			uint64_t before = run.done;
			struct client *c =
				&run.clients[((char *) op - (char *) run.clients) / sizeof *c];

			next = node->next;
			answered(c, op);
			if (run.done == before)
				continue;
			if (total > 0 ? run.asked < total : now_us() < end)
				submit(c);
			else
				busy--;
		}
	}
	run.cpu_us = cpu_us() - run.cpu_us;
	return (double) run.done * 1e6 / (double) (now_us() - start);
}

static bool wanted(const char *row)
{
	return strncmp(row, only, strlen(only)) == 0;
}

static void row(const char *name, double per_s)
{
	struct cw_store_stats st;

	cw_store_stats(run.s, &st);
	(void) printf("%-38s %9.0f %9.2f %9.2f %9.1f %8.1f %8.1f\n", name, per_s, percentile(0.5),
		percentile(0.99), st.commits ? (double) st.operations / (double) st.commits : 0,
		(double) st.wal_bytes / 1048576,
		run.done ? (double) run.cpu_us / (double) run.done : 0);
	if (run.failed > 0)
		(void) printf("  %llu FAILED\n", (unsigned long long) run.failed);
	(void) fflush(stdout);
}

static void set_normal(struct cw_store *s)
{
	if (sqlite3_exec(cw_store_backend(s)->db, "PRAGMA synchronous=NORMAL", NULL, NULL, NULL) !=
		SQLITE_OK)
		die("synchronous", -EIO);
}

static void start(struct cw_store *s)
{
	struct cw_store_hooks hooks = {.outbox = on_outbox};
	int r = cw_store_start(s, &hooks);

	if (r < 0)
		die("start", r);
	run.s = s;
}

static void bench_group(
	const char *name, unsigned in_flight, unsigned delay_us, bool normal, int what)
{
	struct cw_store *s;

	if (!wanted(name))
		return;
	shim.sync_delay_us = 0;
	s = open_store(in_flight > 64 ? 64 : in_flight, true);
	if (normal)
		set_normal(s);
	run.what = what;
	run.asked = 0;
	start(s);
	shim.sync_delay_us = delay_us;
	row(name, drive(in_flight, 0));
	shim.sync_delay_us = 0;
	run.s = cw_store_close(s);
}

static long rss_mib(void)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (!f || fscanf(f, "%*d %ld", &pages) != 1)
		pages = 0;
	if (f)
		(void) fclose(f);
	return pages * sysconf(_SC_PAGESIZE) / 1048576;
}

static double sweep_all(enum cw_op_kind kind, int64_t now_s, uint64_t *ret_n)
{
	uint64_t begin = now_us(), n = 0;
	struct cw_op op;

	do {
		op = (struct cw_op){.kind = kind, .now = {.steady_s = now_s, .wall_s = now_s}};
		op.u.sweep.limit = 256;
		if (cw_store_run(run.s, &op) < 0)
			die("sweep", op.result);
		n += op.u.sweep.count;
	} while (op.u.sweep.count > 0);
	*ret_n = n;
	return (double) (now_us() - begin) / 1e6;
}

/* With many leases in the database: open, renew, expire. */
static void bench_many(void)
{
	char name[64];
	uint64_t t;
	struct cw_store *s;
	long before;

	if (!wanted("many"))
		return;
	s = open_store(64, true);
	set_normal(s); /* filling only */
	run.what = GRANT;
	run.asked = 0;
	start(s);
	(void) snprintf(name, sizeof name, "many: filling to %u, NORMAL", many);
	row(name, drive(512, many));
	run.s = cw_store_close(s);
	before = rss_mib();
	t = now_us();
	s = open_store(64, false);
	(void) printf("%-38s %9.1f ms, %ld MiB resident before, %ld after\n", "many: open",
		(double) (now_us() - t) / 1000, before, rss_mib());
	start(s);
	run.what = RENEW;
	run.holders = many;
	row("many: renew, 256 in flight", drive(256, 0));
	run.what = GRANT;
	run.asked = many;
	row("many: new leases, 256 in flight", drive(256, 0));
	(void) printf("%-38s %ld MiB resident\n", "many: after this", rss_mib());
	run.s = cw_store_close(s);
}

static void bench_expire(void)
{
	uint64_t n, spent;
	struct cw_store *s;
	double took;

	if (!wanted("expire"))
		return;
	s = open_store(64, true);
	set_normal(s);
	run.what = GRANT;
	run.asked = 0;
	start(s);
	(void) drive(512, 100000);
	run.s = cw_store_close(s);
	s = open_store(64, false);
	start(s);
	spent = cpu_us();
	took = sweep_all(CW_OP_EXPIRE, 1000000, &n);
	(void) printf(
		"%-38s %9.0f leases/s: %llu in %.2f s, %.1f us CPU each, 256 per transaction\n",
		"expire: all due at once", (double) n / took, (unsigned long long) n, took,
		(double) (cpu_us() - spent) / (double) n);
	run.s = cw_store_close(s);
}

static void facts(void)
{
	struct utsname u;

	(void) uname(&u);
	(void) printf("SQLite %s, %ld processors, %s %s, database in %s\n\n", sqlite3_libversion(),
		sysconf(_SC_NPROCESSORS_ONLN), u.sysname, u.release, folder);
	(void) printf("%-38s %9s %9s %9s %9s %8s\n", "", "per s", "p50 ms", "p99 ms", "ops/commit",
		"WAL MiB");
}

int main(int argc, char **argv)
{
	int c, r;

	folder = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
	while ((c = getopt(argc, argv, "d:n:s:r:")) != -1) {
		switch (c) {
		case 'd':
			folder = optarg;
			break;
		case 'n':
			many = (unsigned) strtoul(optarg, NULL, 10);
			break;
		case 's':
			seconds = (unsigned) strtoul(optarg, NULL, 10);
			break;
		case 'r':
			only = optarg;
			break;
		default:
			(void) fprintf(stderr,
				"usage: bench_store [-d FOLDER] [-n LEASES] [-s SECONDS] [-r ROW]\n");
			return 2;
		}
	}
	if (strcmp(folder, ":memory:") == 0)
		(void) snprintf(path, sizeof path, "%s", folder);
	else
		(void) snprintf(path, sizeof path, "%s/cw-bench-%ld.db", folder, (long) getpid());
	r = cw_queue_init(&run.answered);
	if (r < 0 || shim_register() != SQLITE_OK)
		die("start", r);
	facts();
	bench_group("grant: group 1, FULL", 1, 0, false, GRANT);
	bench_group("grant: group 8, FULL", 8, 0, false, GRANT);
	bench_group("grant: group 64, FULL", 64, 0, false, GRANT);
	bench_group("grant: natural (256 in flight), FULL", 256, 0, false, GRANT);
	bench_group("grant: natural, NORMAL", 256, 0, true, GRANT);
	bench_group("grant: group 1, FULL +1 ms", 1, 1000, false, GRANT);
	bench_group("grant: group 64, FULL +1 ms", 64, 1000, false, GRANT);
	bench_group("grant: natural, FULL +1 ms", 256, 1000, false, GRANT);
	bench_group("confirm: grant + confirmation, natural", 256, 0, false, GRANT_CONFIRM);
	bench_expire();
	bench_many();
	remove_files();
	return 0;
}
