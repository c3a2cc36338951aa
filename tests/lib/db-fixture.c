/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "db/sqlite/sqlite.h"
#include "tests/lib/db-fixture.h"

static void on_outbox(void *arg, const struct cw_outbox_entry *entries, size_t n)
{
	struct fx *fx = arg;

	fx->n_batches++;
	for (size_t i = 0; i < n && fx->n_seen < FX_SEEN; i++)
		fx->seen[fx->n_seen++] = entries[i];
}

static void on_events(void *arg, const struct cw_live_event *events, size_t n)
{
	struct fx *fx = arg;

	fx->missed_events = fx->missed_events || n == 0; /* no memory */
	for (size_t i = 0; i < n; i++) {
		struct cw_event e;

		cw_live_event_fill(&events[i], &e);
		assert_true(e.id == events[i].id && e.id > fx->last_event);
		fx->last_event = e.id;
		if (fx->n_events == FX_SEEN)
			continue;
		fx->event[fx->n_events].id = e.id;
		memcpy(fx->event[fx->n_events++].type, e.type, sizeof e.type);
	}
}

static void on_health(void *arg, int result)
{
	struct fx *fx = arg;

	assert_true(fx->n_health < CW_ARRAY_LEN(fx->health));
	fx->health[fx->n_health++] = result;
}

void fx_reopen(struct fx *fx)
{
	const struct cw_store_config conf = {.backend = "sqlite", .path = fx->path};
	const struct cw_store_hooks hooks = {
		.arg = fx, .outbox = on_outbox, .events = on_events, .health = on_health};
	char why[256];
	int r = cw_store_open(&conf, why, sizeof why, &fx->s);

	if (r < 0)
		fail_msg("cannot open %s: %s (%d)", fx->path, why, r);
	cw_store_set_hooks(fx->s, &hooks);
}

void fx_disk_in_memory(void)
{
	if (!getenv("TMPDIR") && access("/dev/shm", W_OK) == 0)
		(void) setenv("TMPDIR", "/dev/shm", 1);
}

void fx_open(struct fx *fx, bool memory)
{
	const char *tmp = getenv("TMPDIR");

	memset(fx, 0, sizeof *fx);
	fx->now = (struct cw_store_time){.steady_s = 1000, .wall_s = 1700000000};
	(void) snprintf(fx->path, sizeof fx->path, ":memory:");
	if (!memory) {
		(void) snprintf(fx->dir, sizeof fx->dir, "%.40s/cw-db-XXXXXX", tmp ? tmp : "/tmp");
		assert_non_null(mkdtemp(fx->dir));
		(void) snprintf(fx->path, sizeof fx->path, "%s/causeway.db", fx->dir);
	}
	fx_reopen(fx);
}

void fx_close(struct fx *fx)
{
	DIR *d;
	struct dirent *e;

	fx->s = cw_store_close(fx->s);
	if (!fx->dir[0])
		return;
	d = opendir(fx->dir);
	while (d && (e = readdir(d)))
		(void) unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		(void) closedir(d);
	(void) rmdir(fx->dir);
}

static int set_up(void **state, bool memory)
{
	struct fx *fx = calloc(1, sizeof *fx);

	assert_non_null(fx);
	fx_open(fx, memory);
	*state = fx;
	return 0;
}

int fx_set_up_memory(void **state)
{
	return set_up(state, true);
}

int fx_set_up_file(void **state)
{
	return set_up(state, false);
}

int fx_tear_down(void **state)
{
	fx_close(*state);
	free(*state);
	return 0;
}

void fx_forget(struct fx *fx)
{
	fx->n_seen = fx->n_health = fx->n_events = 0;
	fx->n_batches = 0;
}

struct cw_addr4 fx_a4(const char *s)
{
	struct cw_addr4 a;

	assert_int_equal(cw_addr4_parse(s, strlen(s), &a), 0);
	return a;
}

struct cw_addr6 fx_a6(unsigned n)
{
	struct cw_addr6 a = {{0x20, 0x01, 0x0d, 0xb8}};

	for (int i = 15; n > 0; i--, n >>= 8)
		a.b[i] = (uint8_t) n;
	return a;
}

struct cw_range fx_range(const char *s, uint64_t pool)
{
	struct cw_range range = {.pool_id = pool};

	assert_int_equal(cw_range4_parse(s, strlen(s), &range.lo, &range.hi), 0);
	return range;
}

int fx_run(struct fx *fx, struct cw_op *op)
{
	op->now = fx->now;
	return cw_store_run(fx->s, op);
}

uint64_t fx_pool(
	struct fx *fx, const char *name, struct cw_portset shape, const char *const *ranges)
{
	struct cw_range list[16];
	size_t n = 0;
	struct cw_op op = {.kind = CW_OP_TEP_ADD};
	int r;

	(void) snprintf(op.u.tep.name, sizeof op.u.tep.name, "edge");
	(void) snprintf(op.u.tep.plugin, sizeof op.u.tep.plugin, "null");
	op.u.tep.ipv6 = fx_a6(1);
	r = fx_run(fx, &op);
	assert_true(r == 0 || r == -1010); /* it may be there */
	for (; ranges[n]; n++)
		list[n] = fx_range(ranges[n], 0);
	op = (struct cw_op){.kind = CW_OP_POOL_ADD};
	op.u.pool = (struct cw_op_pool){
		.pool = {.ps_offset = shape.offset,
			.ps_len = shape.len,
			.lifetime_s = 3600,
			.quarantine_s = 30},
		.tep = "edge",
		.ranges = list,
		.n_ranges = n,
	};
	(void) snprintf(op.u.pool.pool.name, sizeof op.u.pool.pool.name, "%s", name);
	assert_int_equal(fx_run(fx, &op), 0);
	return op.u.pool.pool.id;
}

uint64_t fx_simple(struct fx *fx, const char *range)
{
	const char *const ranges[] = {range, NULL};

	return fx_pool(fx, "p", CW_PORTSET_WHOLE, ranges);
}

struct cw_op fx_ask(const struct fx *fx, const char *who, unsigned n)
{
	struct cw_op op = {.kind = CW_OP_ACQUIRE, .now = fx->now};

	(void) snprintf(op.u.acquire.principal, sizeof op.u.acquire.principal, "%s", who);
	op.u.acquire.client6 = fx_a6(n);
	op.u.acquire.access = CW_ACCESS_TSP;
	return op;
}

int fx_acquire(struct fx *fx, const char *who, unsigned n, struct cw_lease *ret_lease)
{
	struct cw_op op = fx_ask(fx, who, n);
	int r = fx_run(fx, &op);

	if (r == 0 && ret_lease)
		*ret_lease = op.u.acquire.lease;
	return r;
}

int fx_end(struct fx *fx, uint64_t lease, enum cw_end_reason reason)
{
	struct cw_op op = {.kind = CW_OP_END};

	op.u.end = (struct cw_op_end){.id = lease, .reason = reason};
	return fx_run(fx, &op);
}

int fx_confirm(struct fx *fx, uint64_t lease, uint64_t generation, int result)
{
	const struct cw_confirm item = {.lease = lease, .generation = generation, .result = result};
	struct cw_op op = {.kind = CW_OP_CONFIRM};

	op.u.confirm = (struct cw_op_confirm){.items = &item, .n = 1};
	return fx_run(fx, &op);
}

void fx_release(struct fx *fx, const struct cw_lease *l, enum cw_end_reason reason)
{
	struct cw_op op = {.kind = CW_OP_END};

	op.u.end = (struct cw_op_end){.id = l->id, .reason = reason};
	assert_int_equal(fx_run(fx, &op), 0);
	assert_int_equal(fx_confirm(fx, l->id, op.u.end.lease.generation, 0), 0);
}

int fx_sweep(struct fx *fx, enum cw_op_kind kind, unsigned limit, unsigned *ret_count,
	int64_t *ret_next_s)
{
	struct cw_op op = {.kind = kind};
	int r;

	op.u.sweep.limit = limit;
	r = fx_run(fx, &op);
	if (ret_count)
		*ret_count = op.u.sweep.count;
	if (ret_next_s)
		*ret_next_s = op.u.sweep.next_due_s;
	return r;
}

struct cw_lease fx_lease(struct fx *fx, uint64_t id)
{
	struct cw_store_reader *r;
	struct cw_lease l;

	assert_int_equal(cw_store_reader_open(fx->s, &r), 0);
	assert_int_equal(cw_read_lease(r, id, &l), 0);
	(void) cw_store_reader_close(r);
	return l;
}

unsigned fx_events(const struct fx *fx, const char *type)
{
	unsigned n = 0;

	for (size_t i = 0; i < fx->n_events; i++)
		n += strcmp(fx->event[i].type, type) == 0;
	return n;
}

bool fx_same_usage(const struct cw_usage *a, const struct cw_usage *b)
{
	return a->total == b->total && a->reserved == b->reserved && a->excluded == b->excluded &&
	       a->available == b->available && a->active == b->active && a->ending == b->ending &&
	       a->quarantined == b->quarantined && a->level == b->level;
}

int fx_sql(struct fx *fx, const char *sql)
{
	return sqlite3_exec(cw_store_backend(fx->s)->db, sql, NULL, NULL, NULL);
}

int64_t fx_sql_int(struct fx *fx, const char *sql)
{
	sqlite3_stmt *st;
	int64_t v;

	assert_int_equal(
		sqlite3_prepare_v2(cw_store_backend(fx->s)->db, sql, -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	v = sqlite3_column_int64(st, 0);
	(void) sqlite3_finalize(st);
	return v;
}
