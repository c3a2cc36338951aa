/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/err.h"
#include "tests/lib/broker-fixture.h"

#define SETTLE_TURNS 20000

struct call {
	struct cw_engine_req req;
	int *ret;
	bool own;
};

static void on_ready(void *arg)
{
	struct bx *b = arg;

	b->ready = true;
}

static void on_health(void *arg, int result)
{
	struct bx *b = arg;

	b->health = result;
}

static void open_store(struct bx *b)
{
	const struct cw_store_config conf = {.backend = "sqlite", .path = b->path};
	char why[256];
	int r = cw_store_open(&conf, why, sizeof why, &b->store);

	if (r < 0)
		fail_msg("store: %s", why);
}

static void start_engine(struct bx *b)
{
	const struct cw_engine_config conf = {.loop = b->loop,
		.store = b->store,
		.boot_id = b->boot_id,
		.ready = on_ready,
		.health = on_health,
		.arg = b};
	char why[256] = "";

	b->ready = false;
	assert_int_equal(cw_engine_new(&conf, &b->engine), 0);
	if (cw_engine_start(b->engine, why, sizeof why) < 0)
		fail_msg("engine: %s", why);
	bx_settle(b);
	assert_true(b->ready);
}

static void add_pool(struct bx *b, const struct bx_pool *pool)
{
	const char *text = pool && pool->range ? pool->range : "198.51.100.0/29";
	struct cw_range range = {0};
	struct cw_op op = {.kind = CW_OP_TEP_ADD};

	(void) snprintf(op.u.tep.name, sizeof op.u.tep.name, "edge");
	(void) snprintf(op.u.tep.plugin, sizeof op.u.tep.plugin, "fake");
	op.u.tep.has_ipv4 = true;
	op.u.tep.ipv4.v = 0xc0000201;
	op.u.tep.ipv6 = bx_client(0xffff);
	assert_int_equal(cw_store_run(b->store, &op), 0);
	memset(&op, 0, sizeof op);
	op.kind = CW_OP_POOL_ADD;
	assert_int_equal(cw_range4_parse(text, strlen(text), &range.lo, &range.hi), 0);
	(void) snprintf(op.u.pool.pool.name, sizeof op.u.pool.pool.name, "p");
	(void) snprintf(op.u.pool.tep, sizeof op.u.pool.tep, "edge");
	op.u.pool.pool.lifetime_s = pool && pool->lifetime_s ? pool->lifetime_s : 3600;
	op.u.pool.pool.lifetime_min_s = 1;
	op.u.pool.pool.lifetime_max_s = 86400;
	op.u.pool.pool.quarantine_s = pool ? pool->quarantine_s : 0;
	op.u.pool.pool.max_leases = pool ? pool->max_leases : 0;
	op.u.pool.pool.ps_len = pool ? pool->shape.len : 0;
	op.u.pool.pool.ps_offset = pool ? pool->shape.offset : 0;
	op.u.pool.ranges = &range;
	op.u.pool.n_ranges = 1;
	assert_int_equal(cw_store_run(b->store, &op), 0);
}

void bx_open(struct bx *b, bool file, const struct bx_pool *pool)
{
	const char *tmp = getenv("TMPDIR");

	memset(b, 0, sizeof *b);
	b->wait_confirm = true;
	b->health = 1;
	(void) snprintf(b->boot_id, sizeof b->boot_id, "boot-1");
	(void) snprintf(b->path, sizeof b->path, ":memory:");
	if (file) {
		/* Crashes here are of the process, not of the disk: memory is faster. */
		if (!tmp)
			tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
		(void) snprintf(b->dir, sizeof b->dir, "%.40s/cw-brk-XXXXXX", tmp);
		assert_non_null(mkdtemp(b->dir));
		(void) snprintf(b->path, sizeof b->path, "%s/causeway.db", b->dir);
	}
	cw_fake_clock_init(&b->clock, 1700000000);
	assert_int_equal(cw_loop_new(&b->clock.clock, &b->loop), 0);
	open_store(b);
	add_pool(b, pool);
	start_engine(b);
}

int bx_set_up(void **state, bool file, const struct bx_pool *pool)
{
	static struct bx b;

	fake_tep_reset();
	bx_open(&b, file, pool);
	*state = &b;
	return 0;
}

int bx_set_up_memory(void **state)
{
	return bx_set_up(state, false, NULL);
}

int bx_set_up_file(void **state)
{
	return bx_set_up(state, true, NULL);
}

int bx_tear_down(void **state)
{
	bx_close(*state);
	return 0;
}

static void on_tick(void *arg)
{
	(void) arg;
}

void bx_turn(struct bx *b)
{
	if (!b->tick)
		assert_int_equal(cw_timer_new(b->loop, on_tick, b, &b->tick), 0);
	cw_timer_start(b->tick, 5);
	(void) uv_run(cw_loop_uv(b->loop), UV_RUN_ONCE);
}

/* Acquires that wait for an answer the TEP holds back never end by themselves. */
static bool is_idle(struct bx *b)
{
	struct cw_store_stats st;

	cw_store_stats(b->store, &st);
	return cw_engine_outstanding(b->engine) <= st.waiting && st.queued == 0;
}

void bx_settle(struct bx *b)
{
	unsigned quiet = 0;

	for (unsigned i = 0; i < SETTLE_TURNS; i++) {
		bool idle = is_idle(b);

		/* Nothing is in the store; what it reported is in the loop's queues. */
		if (idle)
			(void) uv_run(cw_loop_uv(b->loop), UV_RUN_NOWAIT);
		else
			bx_turn(b);
		quiet = idle ? quiet + 1 : 0;
		if (quiet == 5)
			return;
	}
	fail_msg("the engine never comes to rest");
}

void bx_advance(struct bx *b, int64_t s)
{
	cw_fake_clock_advance(&b->clock, s * 1000);
	cw_engine_poke(b->engine);
	bx_settle(b);
}

void bx_stop(struct bx *b)
{
	cw_engine_stop(b->engine);
	b->store = cw_store_close(b->store);
	for (unsigned i = 0; i < SETTLE_TURNS && cw_engine_outstanding(b->engine); i++)
		bx_turn(b);
	assert_int_equal(cw_engine_outstanding(b->engine), 0);
	b->engine = cw_engine_free(b->engine);
}

void bx_start(struct bx *b)
{
	open_store(b);
	start_engine(b);
}

void bx_crash(struct bx *b)
{
	bx_stop(b);
	bx_start(b);
}

void bx_close(struct bx *b)
{
	struct dirent *e;
	DIR *d;

	bx_stop(b);
	b->tick = cw_timer_free(b->tick);
	assert_int_equal(cw_loop_free(b->loop), 0);
	fake_tep_reset();
	if (!b->dir[0])
		return;
	d = opendir(b->dir);
	while (d && (e = readdir(d)))
		(void) unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		(void) closedir(d);
	(void) rmdir(b->dir);
}

/* ---- requests ---- */

struct cw_addr6 bx_client(unsigned n)
{
	struct cw_addr6 a = {.b = {0x20, 0x01, 0x0d, 0xb8, 0, 1}};

	a.b[14] = (uint8_t) (n >> 8);
	a.b[15] = (uint8_t) n;
	return a;
}

static void on_done(struct cw_engine_req *req)
{
	struct call *c = cw_container_of(req, struct call, req);

	*c->ret = req->op.result;
	if (c->own)
		free(c);
}

static int wait_for(struct bx *b, struct call *c)
{
	int r = 1;

	c->ret = &r;
	c->req.done = on_done;
	cw_engine_submit(b->engine, &c->req);
	for (unsigned i = 0; i < SETTLE_TURNS && r == 1; i++)
		bx_turn(b);
	if (r == 1)
		fail_msg("no answer");
	return r;
}

static void fill(struct bx *b, struct cw_op *op, const char *who, unsigned n)
{
	op->kind = CW_OP_ACQUIRE;
	(void) snprintf(op->u.acquire.principal, sizeof op->u.acquire.principal, "%s", who);
	op->u.acquire.client6 = bx_client(n);
	op->u.acquire.access = CW_ACCESS_TSP;
	op->u.acquire.wait_confirm = b->wait_confirm;
	op->u.acquire.ports_ok = true;
}

int bx_acquire(struct bx *b, const char *who, unsigned n, struct cw_lease *ret)
{
	struct call c = {0};
	int r;

	fill(b, &c.req.op, who, n);
	r = wait_for(b, &c);
	if (r == 0 && ret)
		*ret = c.req.op.u.acquire.lease;
	return r;
}

int bx_renew(struct bx *b, const char *who, unsigned n, uint32_t addr, struct cw_lease *ret)
{
	struct call c = {0};
	int r;

	fill(b, &c.req.op, who, n);
	c.req.op.u.acquire.named = c.req.op.u.acquire.held_only = c.req.op.u.acquire.may_move =
		true;
	c.req.op.u.acquire.addr.v = addr;
	r = wait_for(b, &c);
	if (r == 0 && ret)
		*ret = c.req.op.u.acquire.lease;
	return r;
}

int bx_end(struct bx *b, uint64_t lease, enum cw_end_reason reason)
{
	struct call c = {.req.op = {.kind = CW_OP_END, .u.end = {.id = lease, .reason = reason}}};

	return wait_for(b, &c);
}

int bx_revoke(struct bx *b, uint64_t lease)
{
	struct call c = {
		.req.op = {.kind = CW_OP_END,
			.u.end = {.id = lease, .reason = CW_END_REVOKE, .wait_stopped = true}}};

	return wait_for(b, &c);
}

int bx_find(struct bx *b, const char *who, unsigned n, struct cw_lease *ret)
{
	struct call c = {.req.op = {.kind = CW_OP_FIND, .u.find = {.client6 = bx_client(n)}}};
	int r;

	(void) snprintf(c.req.op.u.find.principal, sizeof c.req.op.u.find.principal, "%s", who);
	r = wait_for(b, &c);
	if (r == 0 && ret)
		*ret = c.req.op.u.find.lease;
	return r;
}

void bx_acquire_begin(struct bx *b, const char *who, unsigned n, int *ret)
{
	struct call *c = calloc(1, sizeof *c);

	assert_non_null(c);
	fill(b, &c->req.op, who, n);
	c->own = true;
	c->ret = ret;
	*ret = 1;
	c->req.done = on_done;
	cw_engine_submit(b->engine, &c->req);
}

void bx_revoke_begin(struct bx *b, uint64_t lease, int *ret)
{
	struct call *c = calloc(1, sizeof *c);

	assert_non_null(c);
	c->req.op.kind = CW_OP_END;
	c->req.op.u.end.id = lease;
	c->req.op.u.end.reason = CW_END_REVOKE;
	c->req.op.u.end.wait_stopped = true;
	c->own = true;
	c->ret = ret;
	*ret = 1;
	c->req.done = on_done;
	cw_engine_submit(b->engine, &c->req);
}

struct cw_engine_stats bx_stats(struct bx *b)
{
	struct cw_engine_stats s;

	cw_engine_stats(b->engine, &s);
	return s;
}
