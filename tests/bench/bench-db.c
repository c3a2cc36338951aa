/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "db/store.h"
#include "tests/bench/bench-db.h"

enum { IN_FLIGHT = 512 };

struct slot {
	struct cw_op op, confirm;
	struct cw_confirm item;
};

static struct {
	struct cw_store *store;
	struct cw_store_time now;
	struct slot slot[IN_FLIGHT];
	pthread_mutex_t lock;
	pthread_cond_t over;
	unsigned next, n, running, lifetime_s;
} fill = {.lock = PTHREAD_MUTEX_INITIALIZER, .over = PTHREAD_COND_INITIALIZER};

static void die(const char *what, int r)
{
	(void) fprintf(stderr, "bench_tsp: %s: %s\n", what, cw_strerror(r));
	exit(1);
}

void bench_facts(const char *folder)
{
	char line[256], model[256] = "?";
	struct utsname u;
	FILE *f = fopen("/proc/cpuinfo", "r");

	while (f && fgets(line, sizeof line, f))
		if (strncmp(line, "model name", 10) == 0) {
			(void) snprintf(model, sizeof model, "%s",
				strchr(line, ':') ? strchr(line, ':') + 2 : line);
			break;
		}
	if (f)
		(void) fclose(f);
	model[strcspn(model, "\n")] = 0;
	(void) uname(&u);
	(void) printf("machine: %ld processors, %s, Linux %s; database in %s\n",
		sysconf(_SC_NPROCESSORS_ONLN), model, u.release, folder);
}

static void nothing(void *arg, const struct cw_outbox_entry *entries, size_t n)
{
	(void) arg;
	(void) entries;
	(void) n;
}

static void go_on(struct slot *s);

static void on_confirmed(struct cw_op *op)
{
	if (op->result < 0)
		die("confirm", op->result);
	go_on(cw_container_of(op, struct slot, confirm));
}

static void on_granted(struct cw_op *op)
{
	struct slot *s = cw_container_of(op, struct slot, op);

	if (op->result < 0)
		die("acquire", op->result);
	s->item = (struct cw_confirm){op->u.acquire.lease.id, op->u.acquire.lease.generation, 0};
	s->confirm = (struct cw_op){.kind = CW_OP_CONFIRM, .now = fill.now, .done = on_confirmed};
	s->confirm.u.confirm = (struct cw_op_confirm){&s->item, 1};
	cw_store_submit(fill.store, &s->confirm);
}

static void go_on(struct slot *s)
{
	unsigned i = 0;

	(void) pthread_mutex_lock(&fill.lock);
	if (fill.next < fill.n) {
		i = ++fill.next;
	} else if (--fill.running == 0) {
		(void) pthread_cond_signal(&fill.over);
	}
	(void) pthread_mutex_unlock(&fill.lock);
	if (!i)
		return;
	memset(&s->op, 0, sizeof s->op);
	s->op.kind = CW_OP_ACQUIRE;
	s->op.now = fill.now;
	s->op.done = on_granted;
	s->op.u.acquire.access = CW_ACCESS_TSP;
	s->op.u.acquire.client6 =
		(struct cw_addr6){.b = {0x20, 0x01, 0x0d, 0xb9, (uint8_t) (i >> 24),
					  (uint8_t) (i >> 16), (uint8_t) (i >> 8), (uint8_t) i}};
	(void) snprintf(s->op.u.acquire.principal, sizeof s->op.u.acquire.principal,
		"ip6:2001:db9:%x:%x::", i >> 16, i & 0xffff);
	s->op.u.acquire.lifetime_s = fill.lifetime_s;
	cw_store_submit(fill.store, &s->op);
}

static void seed(void)
{
	struct cw_op op = {.kind = CW_OP_TEP_ADD, .now = fill.now};
	struct cw_range range = {.lo.v = 0x0a000000, .hi.v = 0x0affffff};
	int r;

	(void) snprintf(op.u.tep.name, sizeof op.u.tep.name, "edge1");
	(void) snprintf(op.u.tep.plugin, sizeof op.u.tep.plugin, "null");
	op.u.tep.has_ipv4 = true;
	op.u.tep.ipv4.v = 0xc0000201;
	op.u.tep.ipv6 = (struct cw_addr6){.b = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}};
	r = cw_store_run(fill.store, &op);
	if (r < 0)
		die("tep", r);
	memset(&op, 0, sizeof op);
	op.kind = CW_OP_POOL_ADD;
	op.now = fill.now;
	(void) snprintf(op.u.pool.pool.name, sizeof op.u.pool.pool.name, "default");
	(void) snprintf(op.u.pool.tep, sizeof op.u.pool.tep, "edge1");
	op.u.pool.pool.lifetime_s = 86400;
	op.u.pool.pool.lifetime_min_s = 1;
	op.u.pool.pool.lifetime_max_s = 86400;
	op.u.pool.ranges = &range;
	op.u.pool.n_ranges = 1;
	r = cw_store_run(fill.store, &op);
	if (r < 0)
		die("pool", r);
}

/* So that the broker continues the time line of these leases: same boot, now. */
static void beat(void)
{
	struct cw_op op = {.kind = CW_OP_HEARTBEAT, .now = fill.now};
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "r");
	int r;

	if (!f || !fgets(op.u.heartbeat.boot_id, sizeof op.u.heartbeat.boot_id, f))
		die("boot id", -1);
	(void) fclose(f);
	op.u.heartbeat.boot_id[strcspn(op.u.heartbeat.boot_id, "\n")] = 0;
	op.u.heartbeat.boot_ms = cw_clock_now(&cw_system_clock).boot_ms;
	op.now.steady_s = op.now.wall_s = cw_clock_now(&cw_system_clock).wall_s;
	r = cw_store_run(fill.store, &op);
	if (r < 0)
		die("heartbeat", r);
}

void bench_db_fill(const char *folder, unsigned n, unsigned lifetime_s, unsigned end_in_s)
{
	const struct cw_store_hooks hooks = {.outbox = nothing};
	char path[512], why[256];
	const struct cw_store_config conf = {
		.backend = "sqlite", .path = path, .cache_kib = 262144, .batch_max = 256};
	int r;

	(void) snprintf(path, sizeof path, "%s/causeway.db", folder);
	r = cw_store_open(&conf, why, sizeof why, &fill.store);
	if (r < 0)
		die(why, r);
	fill.now.wall_s = cw_clock_now(&cw_system_clock).wall_s;
	fill.now.steady_s = fill.now.wall_s;
	seed();
	r = cw_store_start(fill.store, &hooks);
	if (r < 0)
		die("start", r);
	fill.next = 0;
	fill.n = n;
	fill.lifetime_s = lifetime_s;
	fill.running = IN_FLIGHT;
	for (unsigned i = 0; i < IN_FLIGHT; i++)
		go_on(&fill.slot[i]);
	(void) pthread_mutex_lock(&fill.lock);
	while (fill.running)
		(void) pthread_cond_wait(&fill.over, &fill.lock);
	(void) pthread_mutex_unlock(&fill.lock);
	beat();
	fill.store = cw_store_close(fill.store);
	if (end_in_s) {
		char sql[256];
		sqlite3 *db;

		(void) snprintf(sql, sizeof sql,
			"UPDATE lease SET due = %lld, expires = %lld WHERE state = 1",
			(long long) cw_clock_now(&cw_system_clock).wall_s + end_in_s,
			(long long) cw_clock_now(&cw_system_clock).wall_s + end_in_s);
		if (sqlite3_open(path, &db) != SQLITE_OK ||
			sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
			die("update", -1);
		(void) sqlite3_close(db);
	}
}

static unsigned number(const char *folder, const char *sql)
{
	char path[512];
	sqlite3_stmt *st = NULL;
	unsigned n = 0;
	sqlite3 *db;

	(void) snprintf(path, sizeof path, "%s/causeway.db", folder);
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
		sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK ||
		sqlite3_step(st) != SQLITE_ROW)
		die("count", -1);
	n = (unsigned) sqlite3_column_int(st, 0);
	(void) sqlite3_finalize(st);
	(void) sqlite3_close(db);
	return n;
}

bool bench_db_due(const char *folder)
{
	char sql[256];

	/* By the index: the one who asks is the one who measures latencies. */
	(void) snprintf(sql, sizeof sql,
		"SELECT EXISTS (SELECT 1 FROM lease WHERE state = 1 AND due <= %lld)",
		(long long) cw_clock_now(&cw_system_clock).wall_s);
	return number(folder, sql) != 0;
}

unsigned bench_db_left(const char *folder)
{
	return number(folder, "SELECT count(*) FROM lease WHERE state = 2");
}
