/* SPDX-License-Identifier: BSD-2-Clause */
/* The store against a model of it: an array of places and a few loops that say, as simply as can
 * be, what each operation must answer and what every row must look like after it. Random
 * operations of a few principals and hosts on two small pools, with clock steps, changes of
 * exclusions and reservations, refusals and late answers of the TEP, and crashes: a clean end, a
 * kill, or a power cut that leaves of each file what was synced. After every step all rows, all
 * answers, all outbox entries and the use of the pools are compared, and in the end all
 * events with what was told of them.
 *
 *	CW_MODEL_SEED=n   only this seed       CW_MODEL_ROUNDS=n   so many seeds (default 12) */
#include "config.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "tests/lib/db-fixture.h"
#include "tests/lib/shim-vfs.h"

#define STEPS      500
#define PLACES     32 /* 0-15: pool 1, whole addresses; 16-31: pool 2, four sets on four addresses */
#define PRINCIPALS 5
#define HOSTS      3
#define REST       30
#define LIFE       3600

/* ---- the model ---- */

struct place {
	bool row; /* was ever leased */
	enum cw_lease_state state;
	enum cw_end_reason reason;
	unsigned who, host;
	uint64_t id, generation;
	int64_t expires, due;
	int pending; /* what its TEP must confirm: -1 nothing */
	unsigned waiting;
	bool answered;
	bool excluded;
	unsigned reserved; /* principal + 1; 0: no */
	uint64_t reservation, exclusion;
};

static struct place world[PLACES];
static uint64_t seq;
static int64_t now;
static int level[2]; /* enum cw_pool_level */
static const unsigned low[2] = {60, 0};
static unsigned n_events; /* of this step */

/* What the outbox hook must have been told in this step. */
static struct {
	int what;
	uint64_t id;
} expected[64];
static size_t n_expected;

static void expect(int what, const struct place *p)
{
	expected[n_expected].what = what;
	expected[n_expected++].id = p->id;
}

static bool suits(const struct place *p, bool ports_ok)
{
	return p < &world[16] || ports_ok;
}

static bool free_for(const struct place *p, unsigned who)
{
	if (p->reserved ? p->reserved != who + 1 : p->excluded)
		return false;
	return !p->row || p->state == CW_LEASE_FREE ||
	       (p->state == CW_LEASE_QUARANTINED && (p->who == who || p->due <= now));
}

static int begin(struct place *p, unsigned who, unsigned host, uint32_t life)
{
	p->row = true;
	p->state = CW_LEASE_ACTIVE;
	p->reason = CW_END_NONE;
	p->who = who;
	p->host = host;
	p->id = p->generation = ++seq;
	p->expires = p->due = now + life;
	p->pending = CW_OUTBOX_APPLY;
	p->waiting = 0;
	p->answered = false;
	expect(CW_OUTBOX_APPLY, p);
	return (int) (p - world);
}

static int renew(struct place *p, uint32_t life)
{
	p->expires = p->due = now + life;
	expect(CW_OUTBOX_REFRESH, p);
	return (int) (p - world);
}

static unsigned held_by(unsigned who)
{
	unsigned n = 0;

	for (struct place *p = world; p < world + PLACES; p++)
		n += p->row && p->state == CW_LEASE_ACTIVE && p->who == who;
	return n;
}

/* Place, or a code. */
static int model_acquire(unsigned who, unsigned host, bool ports_ok, unsigned limit, uint32_t life)
{
	struct place *best = NULL;

	for (struct place *p = world; p < world + PLACES; p++) {
		if (p->row && p->state == CW_LEASE_ACTIVE && p->who == who && p->host == host &&
			suits(p, ports_ok) && (!best || p->id > best->id))
			best = p;
	}
	if (best)
		return renew(best, life);
	if (limit > 0 && held_by(who) >= limit)
		return CW_E_QUOTA;
	for (struct place *p = world; p < world + PLACES; p++) {
		if (p->reserved == who + 1 && suits(p, ports_ok) && free_for(p, who) &&
			(!best || p->reservation < best->reservation))
			best = p;
	}
	for (struct place *p = world; !best && p < world + PLACES;
		p++) { /* sticky: its host's, else any */
		struct place *mine = NULL;

		for (; p < world + PLACES; p++) {
			if (p->row && p->who == who && p->state != CW_LEASE_ACTIVE &&
				suits(p, ports_ok) && free_for(p, who) &&
				(!mine || (p->host == host) > (mine->host == host) ||
					((p->host == host) == (mine->host == host) &&
						p->id > mine->id)))
				mine = p;
		}
		best = mine;
	}
	for (int again = 0; !best && again < 2; again++) {
		for (unsigned pool = 0; !best && pool < 2; pool++) {
			struct place *from = world + pool * 16;

			if (!suits(from, ports_ok))
				continue;
			for (struct place *p = from; !best && p < from + 16; p++) {
				if (!p->row && !p->excluded && !p->reserved)
					best = p;
			}
			if (best)
				break;
			for (struct place *p = from; p < from + 16; p++) {
				if (p->row && p->state == CW_LEASE_FREE && !p->excluded &&
					!p->reserved && (!best || p->due < best->due))
					best = p;
			}
		}
		for (struct place *p = world; !best && p < world + PLACES; p++) {
			if (p->row && p->state == CW_LEASE_QUARANTINED && p->due <= now) {
				p->state = CW_LEASE_FREE;
				p->due = now;
			}
		}
	}
	return best ? begin(best, who, host, life) : CW_E_POOL_EMPTY;
}

static int model_named(
	struct place *p, unsigned who, unsigned host, bool held, bool move, uint32_t life)
{
	bool mine = p->row && p->who == who, same = mine && p->host == host;

	if (same && p->state == CW_LEASE_ACTIVE)
		return renew(p, life);
	if (mine && p->state == CW_LEASE_ACTIVE && move)
		return begin(p, who, host, life);
	if (held)
		return mine ? p->state == CW_LEASE_ACTIVE ? CW_E_NOT_YOURS : CW_E_GONE
			    : CW_E_NOT_YOURS;
	return free_for(p, who) ? begin(p, who, host, life) : CW_E_CONFLICT;
}

static void model_end(struct place *p, enum cw_end_reason reason)
{
	p->state = CW_LEASE_ENDING;
	p->reason = reason;
	p->generation = ++seq;
	p->pending = CW_OUTBOX_REMOVE;
	p->waiting = 0;
	expect(CW_OUTBOX_REMOVE, p);
}

static void model_confirm(struct place *p, uint64_t generation, int result)
{
	if (p->pending < 0 || generation != p->generation)
		return;
	if (p->pending == CW_OUTBOX_APPLY && result == 0) {
		p->pending = -1;
		p->waiting = 0;
	} else if (p->pending == CW_OUTBOX_APPLY) {
		if (p->waiting > 0 && !p->answered)
			model_end(p, CW_END_TEP);
		p->waiting = 0;
	} else if (result == 0) {
		p->state = p->reason == CW_END_TEP ? CW_LEASE_FREE : CW_LEASE_QUARANTINED;
		p->due = p->reason == CW_END_TEP ? now : now + REST + 1;
		p->pending = -1;
	}
}

/* Lent or to be lent to anybody: not reserved, not excluded. */
static bool is_common(const struct place *p)
{
	return !p->reserved && !p->excluded;
}

static bool is_taken(const struct place *p)
{
	return p->row && p->state != CW_LEASE_FREE;
}

/* What the levels say after a commit. */
static void model_levels(void)
{
	for (unsigned i = 0; i < 2; i++) {
		unsigned all = 0, taken = 0;
		int was = level[i];

		for (const struct place *p = world + i * 16; p < world + i * 16 + 16; p++) {
			all += is_common(p);
			taken += is_common(p) && is_taken(p);
		}
		if (all == 0)
			level[i] = CW_POOL_OK;
		else if (taken == all || (was == CW_POOL_IS_FULL && taken * 100 > all * 95))
			level[i] = CW_POOL_IS_FULL;
		else if (low[i] > 0 &&
			 (taken * 100 >= all * low[i] ||
				 (was > CW_POOL_OK && taken * 100 > all * (low[i] - 5))))
			level[i] = CW_POOL_IS_LOW;
		else
			level[i] = CW_POOL_OK;
		if (level[i] == was)
			continue;
		n_events += (was == CW_POOL_OK && low[i] > 0) + (level[i] == CW_POOL_IS_FULL) +
			    (level[i] == CW_POOL_OK);
	}
	seq += n_events;
}

/* ---- the world ---- */

static uint64_t rng;
static unsigned seed, step;
static struct fx fx;
static uint64_t pools[2];
static struct cw_op ops[STEPS]; /* parked ones live on */
static struct told {
	uint64_t id;
	char type[CW_TYPE_MAX];
} told[STEPS * 4];
static unsigned n_told;
static unsigned n_ops;

static unsigned pick(unsigned n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (unsigned) (rng >> 33) % n;
}

#define CHECK(x)                                                                             \
	do {                                                                                 \
		if (!(x))                                                                    \
			fail_msg("seed %u, step %u, line %d: %s", seed, step, __LINE__, #x); \
	} while (0)

static struct cw_addr4 addr_of(const struct place *p)
{
	size_t i = (size_t) (p - world);

	return (struct cw_addr4){
		i < 16 ? 0x0a000000 + (uint32_t) i : 0x0a010000 + (uint32_t) (i - 16) / 4};
}

static struct cw_portset ports_of(const struct place *p)
{
	size_t i = (size_t) (p - world);

	return i < 16 ? CW_PORTSET_WHOLE
		      : (struct cw_portset){.len = 2, .psid = (uint16_t) (i % 4)};
}

static struct place *place_of(const struct cw_lease *l)
{
	return l->addr.v < 0x0a010000 ? &world[l->addr.v - 0x0a000000]
				      : &world[16 + (l->addr.v - 0x0a010000) * 4 + l->ports.psid];
}

static void compare_use(struct cw_store_reader *r, unsigned pool)
{
	struct cw_usage want = {.total = 16, .level = (enum cw_pool_level) level[pool]}, got;

	for (const struct place *p = world + pool * 16; p < world + pool * 16 + 16; p++) {
		want.reserved += p->reserved > 0;
		want.excluded += p->excluded && !p->reserved;
		want.available += is_common(p) && !is_taken(p);
		want.active += p->row && p->state == CW_LEASE_ACTIVE;
		want.ending += p->row && p->state == CW_LEASE_ENDING;
		want.quarantined += p->row && p->state == CW_LEASE_QUARANTINED;
	}
	CHECK(cw_read_usage(r, pools[pool], &got) == 1);
	CHECK(fx_same_usage(&want, &got));
}

/* The life of the database again, from its rows: exactly what was told as it happened. */
static void compare_events(bool newest)
{
	static struct cw_event page[64];
	const struct cw_event_filter all = {0};
	struct cw_page at = {.newest = newest};
	struct cw_store_reader *r;
	unsigned n = 0;

	CHECK(cw_store_reader_open(fx.s, &r) == 0);
	do {
		int got = cw_read_events(r, &all, &at, page, 1 + pick(64));

		CHECK(got >= 0);
		for (int i = 0; i < got; i++, n++) {
			const struct told *t = &told[newest ? n_told - 1 - n : n];

			CHECK(n < n_told);
			CHECK(page[i].id == t->id);
			CHECK(strcmp(page[i].type, t->type) == 0);
		}
	} while (at.more);
	CHECK(n == n_told);
	(void) cw_store_reader_close(r);
}

static void remember_events(void)
{
	for (size_t i = 0; i < fx.n_events; i++) {
		CHECK(n_told < CW_ARRAY_LEN(told));
		told[n_told].id = fx.event[i].id;
		memcpy(told[n_told++].type, fx.event[i].type, sizeof told[0].type);
	}
}

static void compare(void)
{
	struct cw_lease_filter all = {.states = 0xf};
	struct cw_lease_key at = {.begin = true};
	struct cw_store_reader *r;
	struct cw_lease l[PLACES + 1];
	unsigned rows = 0, waiting = 0, tenures = 0;
	struct cw_store_stats st;
	int n;

	CHECK(cw_store_reader_open(fx.s, &r) == 0);
	n = cw_read_leases(r, &all, at, l, PLACES + 1);
	CHECK(n >= 0);
	for (int i = 0; i < n; i++) {
		const struct place *p = place_of(&l[i]);
		char who[16];

		(void) snprintf(who, sizeof who, "p%u", p->who);
		CHECK(p->row);
		CHECK(l[i].state == p->state);
		CHECK(l[i].reason == p->reason);
		CHECK(l[i].id == p->id);
		CHECK(l[i].generation == p->generation);
		CHECK(strcmp(l[i].principal, who) == 0);
		CHECK(l[i].client6.b[15] == p->host + 1);
		CHECK(l[i].expires_s == p->expires);
		CHECK(p->state == CW_LEASE_ENDING || l[i].due_s == p->due);
		CHECK(l[i].confirmed == (p->pending < 0));
		CHECK(cw_portset_eq(l[i].ports, ports_of(p)));
	}
	for (unsigned i = 0; i < PLACES; i++) {
		rows += world[i].row;
		waiting += world[i].waiting;
	}
	CHECK(rows == (unsigned) n);
	cw_store_stats(fx.s, &st);
	CHECK(st.waiting == waiting);
	CHECK(fx.n_seen == n_expected);
	for (size_t i = 0; i < n_expected; i++) {
		CHECK((int) fx.seen[i].what == expected[i].what);
		CHECK(fx.seen[i].lease.id == expected[i].id);
		tenures += expected[i].what != CW_OUTBOX_REFRESH;
	}
	CHECK(fx.n_events == tenures + n_events);
	for (unsigned i = 0; i < 2; i++)
		compare_use(r, i);
	(void) cw_store_reader_close(r);
}

static void do_acquire(void)
{
	struct cw_op *op = &ops[n_ops++];
	unsigned who = pick(PRINCIPALS), host = pick(HOSTS), how = pick(10),
		 limit = pick(4) ? 0 : 2;
	struct place *p = &world[pick(PLACES)];
	uint32_t life = pick(2) ? LIFE : 60 + pick(400);
	bool ports_ok = pick(3) > 0;
	char name[16];
	int want;

	(void) snprintf(name, sizeof name, "p%u", who);
	*op = fx_ask(&fx, name, host + 1);
	op->u.acquire.lifetime_s = life;
	op->u.acquire.wait_confirm = pick(3) == 0;
	if (how < 6) {
		op->u.acquire.ports_ok = ports_ok;
		op->u.acquire.max_leases = limit;
		want = model_acquire(who, host, ports_ok, limit, life);
	} else {
		op->u.acquire.named = true;
		op->u.acquire.held_only = how < 9;
		op->u.acquire.may_move = pick(2);
		op->u.acquire.addr = addr_of(p);
		op->u.acquire.ports = ports_of(p);
		want = model_named(p, who, host, how < 9, op->u.acquire.may_move, life);
	}
	cw_store_submit(fx.s, op);
	CHECK(cw_store_step(fx.s) == 1);
	CHECK(op->result == (want < 0 ? want : 0));
	if (want < 0)
		return;
	p = &world[want];
	CHECK(place_of(&op->u.acquire.lease) == p);
	CHECK(op->u.acquire.lease.id == p->id);
	if (op->u.acquire.wait_confirm && p->pending == CW_OUTBOX_APPLY) {
		if (p->waiting == 0)
			p->answered = op->u.acquire.how == CW_ACQ_RESTARTED;
		p->waiting++;
	} else {
		p->answered = true;
	}
}

static void do_end(void)
{
	struct cw_op op = {.kind = CW_OP_END};
	struct place *p = &world[pick(PLACES)];
	enum cw_end_reason reason = pick(3) ? CW_END_RELEASE : CW_END_REVOKE;
	int want = CW_E_NOT_YOURS;

	op.u.end = (struct cw_op_end){.reason = reason};
	if (pick(2) && p->row) {
		op.u.end.id = p->id;
		want = p->state == CW_LEASE_ACTIVE ? 0 : CW_E_GONE;
	} else {
		unsigned who = pick(PRINCIPALS);

		op.u.end.addr = addr_of(p);
		op.u.end.ports = ports_of(p);
		(void) snprintf(op.u.end.principal, sizeof op.u.end.principal, "p%u", who);
		if (p->row && p->who == who)
			want = p->state == CW_LEASE_ACTIVE ? 0 : CW_E_GONE;
	}
	if (want == 0)
		model_end(p, reason);
	CHECK(fx_run(&fx, &op) == want);
}

static void do_confirm(void)
{
	struct place *p = &world[pick(PLACES)];
	uint64_t generation;
	int result = pick(4) ? 0 : CW_E_TEP;

	for (unsigned i = 0; i < 8 && p->pending < 0; i++)
		p = &world[pick(PLACES)];
	generation = pick(6) ? p->generation : p->generation + 1 - pick(4); /* sometimes late */
	if (!p->row)
		return;
	model_confirm(p, generation, result);
	CHECK(fx_confirm(&fx, p->id, generation, result) == 0);
}

static void do_sweep(void)
{
	bool expire = pick(2);
	enum cw_lease_state from = expire ? CW_LEASE_ACTIVE : CW_LEASE_QUARANTINED;
	unsigned limit = 1 + pick(4), want = 0, got;
	int64_t next;

	for (; want < limit; want++) {
		struct place *first = NULL;

		for (struct place *p = world; p < world + PLACES; p++) {
			if (p->row && p->state == from && p->due <= now &&
				(!first || p->due < first->due))
				first = p;
		}
		if (!first)
			break;
		if (expire) {
			model_end(first, CW_END_EXPIRE);
		} else {
			first->state = CW_LEASE_FREE;
			first->due = now;
		}
	}
	CHECK(fx_sweep(&fx, expire ? CW_OP_EXPIRE : CW_OP_FREE, limit, &got, &next) == 0);
	CHECK(got == want);
	for (const struct place *p = world; p < world + PLACES; p++)
		CHECK(!p->row || p->state != from || p->due >= next);
}

static void do_configure(void)
{
	struct place *p = &world[pick(16)]; /* exclusions are of addresses */
	struct cw_op op = {.kind = CW_OP_EXCLUDE_ADD};
	bool busy;

	if (pick(2)) {
		p = &world[pick(PLACES)];
		if (p->reserved) {
			op.kind = CW_OP_RESERVE_DEL;
			op.u.reservation.id = p->reservation;
			CHECK(fx_run(&fx, &op) == 0);
			p->reserved = 0;
			n_events++;
			return;
		}
		op.kind = CW_OP_RESERVE_ADD;
		p->reserved = 1 + pick(PRINCIPALS);
		op.u.reservation = (struct cw_reservation){.pool_id = pools[p >= world + 16],
			.addr = addr_of(p),
			.psid = ports_of(p).psid};
		(void) snprintf(op.u.reservation.principal, sizeof op.u.reservation.principal,
			"p%u", p->reserved - 1);
		CHECK(fx_run(&fx, &op) == 0);
		p->reservation = op.u.reservation.id;
		n_events++;
		return;
	}
	if (p->excluded) {
		op.kind = CW_OP_EXCLUDE_DEL;
		op.u.range.id = p->exclusion;
		CHECK(fx_run(&fx, &op) == 0);
		p->excluded = false;
		n_events++;
		return;
	}
	busy = p->row && (p->state == CW_LEASE_ACTIVE || p->state == CW_LEASE_ENDING);
	op.u.range = (struct cw_range){.pool_id = pools[0], .lo = addr_of(p), .hi = addr_of(p)};
	CHECK(fx_run(&fx, &op) == (busy ? CW_E_CONFLICT : 0));
	p->excluded = !busy;
	n_events += !busy;
	p->exclusion = op.u.range.id;
}

/* The process ends, one way or another; nobody is parked any more, and what may have been answered
 * stays. */
static void do_crash(void)
{
	char to[80], from[64];
	static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
	unsigned how = pick(3);

	for (struct place *p = world; p < world + PLACES; p++) {
		p->waiting = 0;
		p->answered = true;
	}
	if (how == 0) {
		fx.s = cw_store_close(fx.s);
	} else if (how == 1) {
		fx.s = cw_store_abandon(fx.s);
	} else {
		(void) snprintf(to, sizeof to, "%.50s/cut", fx.dir);
		CHECK(mkdir(to, 0700) == 0);
		shim_power_cut(fx.dir, to);
		fx.s = cw_store_abandon(fx.s);
		for (size_t i = 0; i < CW_ARRAY_LEN(ends); i++) {
			char a[300], b[300];

			(void) snprintf(a, sizeof a, "%s/causeway.db%s", to, ends[i]);
			(void) snprintf(b, sizeof b, "%s%s", fx.path, ends[i]);
			(void) unlink(b);
			(void) rename(a, b);
		}
		CHECK(rmdir(to) == 0);
	}
	(void) snprintf(from, sizeof from, "%s", fx.dir);
	shim_power_forget();
	fx_reopen(&fx);
}

static void live(unsigned with_seed)
{
	const char *const one[] = {"10.0.0.0/28", NULL}, *const two[] = {"10.1.0.0/30", NULL};

	seed = with_seed;
	rng = seed * 0x9e3779b97f4a7c15u + 1;
	memset(world, 0, sizeof world);
	for (unsigned i = 0; i < PLACES; i++)
		world[i].pending = -1;
	n_ops = n_told = 0;
	level[0] = level[1] = CW_POOL_OK;
	shim.power = true;
	fx_open(&fx, false);
	pools[0] = fx_pool(&fx, "one", CW_PORTSET_WHOLE, one);
	pools[1] = fx_pool(&fx, "two", (struct cw_portset){.len = 2}, two);
	CHECK(fx_sql(&fx, "UPDATE pool SET low_percent = 60 WHERE name = 'one'") == SQLITE_OK);
	fx.s = cw_store_close(fx.s);
	remember_events();
	fx_reopen(&fx);
	seq = (uint64_t) fx_sql_int(&fx, "SELECT seq FROM broker_state");
	for (step = 0; step < STEPS; step++) {
		/* Early on, before every place was used once, the configuration changes often. */
		unsigned what = step < 60 && pick(3) == 0 ? 86 : pick(100);

		now = fx.now.steady_s;
		n_expected = n_events = 0;
		fx_forget(&fx);
		if (what < 40)
			do_acquire();
		else if (what < 50)
			do_end();
		else if (what < 76)
			do_confirm();
		else if (what < 86)
			do_sweep();
		else if (what < 90)
			do_configure();
		else if (what < 98)
			fx.now.steady_s += pick(3) ? pick(20) : pick(2000);
		else
			do_crash();
		model_levels();
		compare();
		remember_events();
	}
	compare_events(false);
	compare_events(true);
	fx_close(&fx);
	shim_power_forget();
	shim.power = false;
}

static void the_store_is_its_model(void **state)
{
	const char *only = getenv("CW_MODEL_SEED"), *rounds = getenv("CW_MODEL_ROUNDS");
	unsigned n = rounds ? (unsigned) strtoul(rounds, NULL, 10) : cw_test_cases(12, 3);

	(void) state;
	if (only) {
		live((unsigned) strtoul(only, NULL, 10));
		return;
	}
	for (unsigned i = 1; i <= n; i++)
		live(i);
	print_message("# %u seeds of %d steps\n", n, STEPS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_store_is_its_model),
	};

	fx_disk_in_memory();
	if (shim_register() != SQLITE_OK)
		return 99;
	return cmocka_run_group_tests_name("db model", tests, NULL, NULL);
}
