/* SPDX-License-Identifier: BSD-2-Clause */
/* Readers: each has a read-only connection and its own statements, belongs to one thread, and holds
 * a read transaction no longer than one call, so that it never pins the WAL. A row that no release
 * writes (a damaged file) is left out and counted: the others are served. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "db/sqlite/reader.h"
#include "db/sqlite/sqlite.h"

static const char *const texts[CW_SQ_READ_COUNT_OF] = {
#define X(name, sql) [CW_SQ_READ_##name] = (sql),
	CW_SQ_READS(X)
#undef X
};

sqlite3 *cw_sq_reader_db(struct cw_store_reader *r)
{
	return cw_sq_inside(r)->db;
}

int cw_sq_step(struct cw_sq_reader *r, enum cw_sq_read what)
{
	int rc = sqlite3_step(r->st[what]);

	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? 0 : cw_sq_result(r->db, rc, r->errors);
}

int cw_sq_collect(struct cw_sq_reader *r, enum cw_sq_read what, void *to, size_t size, size_t max,
	bool (*decode)(sqlite3_stmt *st, void *item))
{
	size_t n = 0;
	int ret = 0;

	while (n < max && (ret = cw_sq_step(r, what)) > 0) {
		if (decode(r->st[what], (char *) to + n * size))
			n++;
		else
			atomic_fetch_add(&r->errors->corrupt, 1);
	}
	(void) sqlite3_reset(r->st[what]);
	return ret < 0 ? ret : (int) n;
}

int cw_sq_walk(struct cw_sq_reader *r, enum cw_sq_read up, enum cw_sq_read down,
	struct cw_page *page, void *to, size_t size, size_t max,
	bool (*decode)(sqlite3_stmt *st, void *item),
	bool (*wants)(const void *item, const void *filter), const void *filter)
{
	enum cw_sq_read what = page->newest ? down : up;
	size_t n = 0, looked = 0;
	int ret;

	page->more = false;
	cw_sq_int(r->st[what], 1, page->newest && page->at == 0 ? INT64_MAX : (int64_t) page->at);
	while ((ret = cw_sq_step(r, what)) > 0) {
		void *item = (char *) to + n * size;

		page->more = n == max || looked++ == CW_SQ_LOOK;
		if (page->more)
			break;
		page->at = (uint64_t) sqlite3_column_int64(r->st[what], 0);
		if (!decode(r->st[what], item))
			atomic_fetch_add(&r->errors->corrupt, 1);
		else if (!wants || wants(item, filter))
			n++;
	}
	(void) sqlite3_reset(r->st[what]);
	return ret < 0 ? ret : (int) n;
}

int cw_sq_one_row(struct cw_sq_reader *r, enum cw_sq_read what, void *ret, size_t size,
	bool (*decode)(sqlite3_stmt *st, void *item))
{
	int n = cw_sq_collect(r, what, ret, size, 1, decode);

	(void) sqlite3_clear_bindings(r->st[what]); /* they may point to the caller's memory */
	return n;
}

static bool decode_tep(sqlite3_stmt *st, void *item)
{
	return cw_sq_tep_row(st, item);
}

static bool decode_pool(sqlite3_stmt *st, void *item)
{
	return cw_sq_pool_row(st, item);
}

static bool decode_range(sqlite3_stmt *st, void *item)
{
	struct cw_range *range = item;

	*range = (struct cw_range){
		.id = (uint64_t) sqlite3_column_int64(st, 0),
		.pool_id = (uint64_t) sqlite3_column_int64(st, 1),
		.lo = {(uint32_t) sqlite3_column_int64(st, 2)},
		.hi = {(uint32_t) sqlite3_column_int64(st, 3)},
	};
	return range->lo.v <= range->hi.v;
}

static bool decode_reservation(sqlite3_stmt *st, void *item)
{
	struct cw_reservation *v = item;

	*v = (struct cw_reservation){
		.id = (uint64_t) sqlite3_column_int64(st, 0),
		.pool_id = (uint64_t) sqlite3_column_int64(st, 1),
		.addr = {(uint32_t) sqlite3_column_int64(st, 2)},
		.psid = (uint16_t) sqlite3_column_int(st, 3),
		.version = (uint64_t) sqlite3_column_int64(st, 5),
	};
	return cw_sq_copy(st, 4, v->principal, sizeof v->principal);
}

static bool decode_user(sqlite3_stmt *st, void *item)
{
	struct cw_user *u = item;

	*u = (struct cw_user){
		.id = (uint64_t) sqlite3_column_int64(st, 0),
		.version = (uint64_t) sqlite3_column_int64(st, 1),
		.disabled = sqlite3_column_int(st, 3) != 0,
		.max_leases = (uint32_t) sqlite3_column_int64(st, 4),
	};
	return cw_sq_copy(st, 2, u->name, sizeof u->name) &&
	       cw_sq_copy(st, 5, u->pool, sizeof u->pool);
}

static bool decode_lease(sqlite3_stmt *st, void *item)
{
	struct cw_lease *l = item;

	if (!cw_sq_lease_row(st, l))
		return false;
	l->ports.offset = (uint8_t) sqlite3_column_int(st, 15);
	l->ports.len = (uint8_t) sqlite3_column_int(st, 16);
	l->confirmed = sqlite3_column_int(st, 17) != 0;
	l->tagged = sqlite3_column_int(st, 18) != 0;
	return cw_portset_valid(l->ports);
}

bool cw_sq_tenure_row(sqlite3_stmt *st, void *item)
{
	struct cw_tenure *t = item;
	const void *client6 = sqlite3_column_blob(st, 11);

	*t = (struct cw_tenure){
		.lease = (uint64_t) sqlite3_column_int64(st, 0),
		.pool_id = (uint64_t) sqlite3_column_int64(st, 1),
		.tep_id = (uint64_t) sqlite3_column_int64(st, 2),
		.addr = {(uint32_t) sqlite3_column_int64(st, 3)},
		.ports = {.offset = (uint8_t) sqlite3_column_int(st, 5),
			.len = (uint8_t) sqlite3_column_int(st, 6),
			.psid = (uint16_t) sqlite3_column_int(st, 4)},
		.access = (enum cw_access) sqlite3_column_int(st, 7),
		.reason = (enum cw_end_reason) sqlite3_column_int(st, 8),
		.started_wall_s = sqlite3_column_int64(st, 9),
		.ended_wall_s = sqlite3_column_type(st, 10) == SQLITE_NULL
					? INT64_MAX
					: sqlite3_column_int64(st, 10),
		.moved_from = (uint64_t) sqlite3_column_int64(st, 13),
		.end_id = (uint64_t) sqlite3_column_int64(st, 14),
		.ending_wall_s = sqlite3_column_int64(st, 15),
	};
	if (!client6 || sqlite3_column_bytes(st, 11) != 16 || !cw_portset_valid(t->ports) ||
		t->reason > CW_END_MOVE || t->access < CW_ACCESS_TSP ||
		t->access > CW_ACCESS_GATEWAY)
		return false;
	memcpy(t->client6.b, client6, sizeof t->client6.b);
	return cw_sq_copy(st, 12, t->principal, sizeof t->principal);
}

static bool decode_credential(sqlite3_stmt *st, void *item)
{
	struct cw_credential *c = item;

	return cw_sq_copy(st, 0, c->kind, sizeof c->kind) &&
	       cw_sq_copy(st, 1, c->verifier, sizeof c->verifier);
}

/* ---- lists ---- */

static int list(struct cw_store_reader *base, enum cw_sq_read what, uint64_t after, void *to,
	size_t size, size_t max, bool (*decode)(sqlite3_stmt *st, void *item))
{
	struct cw_sq_reader *r = cw_sq_inside(base);

	cw_sq_int(r->st[what], 1, (int64_t) after);
	return cw_sq_collect(r, what, to, size, max, decode);
}

static int read_teps(struct cw_store_reader *r, uint64_t after, struct cw_tep *to, size_t max)
{
	return list(r, CW_SQ_READ_TEPS, after, to, sizeof *to, max, decode_tep);
}

static int read_pools(struct cw_store_reader *r, uint64_t after, struct cw_pool *to, size_t max)
{
	return list(r, CW_SQ_READ_POOLS, after, to, sizeof *to, max, decode_pool);
}

static int read_ranges(struct cw_store_reader *r, uint64_t pool_id, uint64_t after,
	struct cw_range *to, size_t max)
{
	cw_sq_int(cw_sq_inside(r)->st[CW_SQ_READ_RANGES], 2, (int64_t) pool_id);
	return list(r, CW_SQ_READ_RANGES, after, to, sizeof *to, max, decode_range);
}

static int read_excludes(struct cw_store_reader *r, uint64_t pool_id, uint64_t after,
	struct cw_range *to, size_t max)
{
	cw_sq_int(cw_sq_inside(r)->st[CW_SQ_READ_EXCLUDES], 2, (int64_t) pool_id);
	return list(r, CW_SQ_READ_EXCLUDES, after, to, sizeof *to, max, decode_range);
}

static int read_reservations(
	struct cw_store_reader *r, uint64_t after, struct cw_reservation *to, size_t max)
{
	return list(r, CW_SQ_READ_RESERVATIONS, after, to, sizeof *to, max, decode_reservation);
}

static int read_users(struct cw_store_reader *r, uint64_t after, struct cw_user *to, size_t max)
{
	return list(r, CW_SQ_READ_USERS, after, to, sizeof *to, max, decode_user);
}

static int read_history(struct cw_store_reader *r, uint64_t after, struct cw_tenure *to, size_t max)
{
	return list(r, CW_SQ_READ_HISTORY, after, to, sizeof *to, max, cw_sq_tenure_row);
}

/* ---- by name, by id ---- */

static int read_tep(struct cw_store_reader *r, const char *name, struct cw_tep *ret)
{
	cw_sq_text(cw_sq_inside(r)->st[CW_SQ_READ_TEP], 1, name);
	return cw_sq_one_row(cw_sq_inside(r), CW_SQ_READ_TEP, ret, sizeof *ret, decode_tep);
}

static int read_pool(struct cw_store_reader *r, const char *name, struct cw_pool *ret)
{
	cw_sq_text(cw_sq_inside(r)->st[CW_SQ_READ_POOL], 1, name);
	return cw_sq_one_row(cw_sq_inside(r), CW_SQ_READ_POOL, ret, sizeof *ret, decode_pool);
}

static int read_user(struct cw_store_reader *r, const char *name, struct cw_user *ret)
{
	cw_sq_text(cw_sq_inside(r)->st[CW_SQ_READ_USER], 1, name);
	return cw_sq_one_row(cw_sq_inside(r), CW_SQ_READ_USER, ret, sizeof *ret, decode_user);
}

static int read_tep_id(struct cw_store_reader *r, uint64_t id, struct cw_tep *ret)
{
	cw_sq_int(cw_sq_inside(r)->st[CW_SQ_READ_TEP_ID], 1, (int64_t) id);
	return cw_sq_one_row(cw_sq_inside(r), CW_SQ_READ_TEP_ID, ret, sizeof *ret, decode_tep);
}

static int read_pool_id(struct cw_store_reader *r, uint64_t id, struct cw_pool *ret)
{
	cw_sq_int(cw_sq_inside(r)->st[CW_SQ_READ_POOL_ID], 1, (int64_t) id);
	return cw_sq_one_row(cw_sq_inside(r), CW_SQ_READ_POOL_ID, ret, sizeof *ret, decode_pool);
}

static int read_user_id(struct cw_store_reader *r, uint64_t id, struct cw_user *ret)
{
	cw_sq_int(cw_sq_inside(r)->st[CW_SQ_READ_USER_ID], 1, (int64_t) id);
	return cw_sq_one_row(cw_sq_inside(r), CW_SQ_READ_USER_ID, ret, sizeof *ret, decode_user);
}

static int read_range_id(struct cw_store_reader *r, uint64_t id, struct cw_range *ret)
{
	cw_sq_int(cw_sq_inside(r)->st[CW_SQ_READ_RANGE_ID], 1, (int64_t) id);
	return cw_sq_one_row(cw_sq_inside(r), CW_SQ_READ_RANGE_ID, ret, sizeof *ret, decode_range);
}

static int read_exclude_id(struct cw_store_reader *r, uint64_t id, struct cw_range *ret)
{
	cw_sq_int(cw_sq_inside(r)->st[CW_SQ_READ_EXCLUDE_ID], 1, (int64_t) id);
	return cw_sq_one_row(
		cw_sq_inside(r), CW_SQ_READ_EXCLUDE_ID, ret, sizeof *ret, decode_range);
}

static int read_reservation_id(struct cw_store_reader *r, uint64_t id, struct cw_reservation *ret)
{
	cw_sq_int(cw_sq_inside(r)->st[CW_SQ_READ_RESERVATION_ID], 1, (int64_t) id);
	return cw_sq_one_row(
		cw_sq_inside(r), CW_SQ_READ_RESERVATION_ID, ret, sizeof *ret, decode_reservation);
}

/* ---- leases ---- */

static void bind_filter(
	sqlite3_stmt *st, const struct cw_lease_filter *f, struct cw_lease_key after, int64_t upto)
{
	unsigned all_but_free =
		1u << CW_LEASE_ACTIVE | 1u << CW_LEASE_ENDING | 1u << CW_LEASE_QUARANTINED;

	cw_sq_int(st, 1, after.begin ? -1 : (int64_t) after.addr.v);
	cw_sq_int(st, 2, after.begin ? 0 : after.psid);
	cw_sq_int(st, 3, upto);
	cw_sq_int(st, 4, f->states ? f->states : all_but_free);
	cw_sq_int(st, 5, (int64_t) f->tep_id);
	cw_sq_int(st, 6, (int64_t) f->pool_id);
	if (f->principal)
		cw_sq_text(st, 7, f->principal);
	cw_sq_int(st, 8, f->access);
	cw_sq_int(st, 9, f->expires_before_s);
}

/* The key before the first one at addr, unless `after` is beyond that. */
static struct cw_lease_key no_sooner(struct cw_lease_key after, uint32_t addr)
{
	if (!after.begin && after.addr.v >= addr)
		return after;
	return (struct cw_lease_key){.addr = {addr - 1}, .psid = UINT16_MAX, .begin = addr == 0};
}

/* The last address of a prefix. */
static uint32_t last_of(struct cw_prefix4 p)
{
	return p.addr.v | (p.len > 31 ? 0 : UINT32_MAX >> p.len);
}

/* Range by range, so that other pools' rows are not even looked at. Within a transaction. */
static int leases_of_pool(struct cw_sq_reader *r, const struct cw_lease_filter *f,
	struct cw_lease_key after, uint32_t upto, struct cw_lease *to, size_t max)
{
	sqlite3_stmt *ranges = r->st[CW_SQ_READ_POOL_RANGES];
	size_t n = 0;
	int ret = 0;

	cw_sq_int(ranges, 1, (int64_t) f->pool_id);
	cw_sq_int(ranges, 2, after.begin ? 0 : (int64_t) after.addr.v);
	while (n < max && (ret = cw_sq_step(r, CW_SQ_READ_POOL_RANGES)) > 0) {
		uint32_t lo = (uint32_t) sqlite3_column_int64(ranges, 0),
			 hi = (uint32_t) sqlite3_column_int64(ranges, 1);

		if (lo > upto)
			break;
		bind_filter(
			r->st[CW_SQ_READ_LEASES], f, no_sooner(after, lo), hi < upto ? hi : upto);
		ret = cw_sq_collect(
			r, CW_SQ_READ_LEASES, to + n, sizeof *to, max - n, decode_lease);
		if (ret < 0)
			break;
		n += (size_t) ret;
	}
	(void) sqlite3_reset(ranges);
	return ret < 0 ? ret : (int) n;
}

int cw_sq_begin_read(struct cw_sq_reader *r)
{
	int ret = cw_sq_step(r, CW_SQ_READ_BEGIN);

	(void) sqlite3_reset(r->st[CW_SQ_READ_BEGIN]);
	return ret;
}

void cw_sq_end_read(struct cw_sq_reader *r)
{
	(void) cw_sq_step(r, CW_SQ_READ_COMMIT); /* nothing was written */
	(void) sqlite3_reset(r->st[CW_SQ_READ_COMMIT]);
}

static int read_leases(struct cw_store_reader *base, const struct cw_lease_filter *f,
	struct cw_lease_key after, struct cw_lease *to, size_t max)
{
	struct cw_sq_reader *r = cw_sq_inside(base);
	enum cw_sq_read what = f->principal ? CW_SQ_READ_LEASES_OF : CW_SQ_READ_LEASES;
	uint32_t upto = last_of(f->prefix);
	int ret;

	after = no_sooner(after, f->prefix.addr.v);
	if (f->principal || f->pool_id == 0) {
		bind_filter(r->st[what], f, after, upto);
		ret = cw_sq_collect(r, what, to, sizeof *to, max, decode_lease);
		(void) sqlite3_clear_bindings(r->st[what]);
		return ret;
	}
	ret = cw_sq_begin_read(r);
	if (ret < 0)
		return ret;
	ret = leases_of_pool(r, f, after, upto, to, max);
	cw_sq_end_read(r);
	return ret;
}

static int count_leases(
	struct cw_store_reader *base, const struct cw_lease_filter *f, uint64_t *ret)
{
	struct cw_sq_reader *r = cw_sq_inside(base);
	enum cw_sq_read what = f->principal ? CW_SQ_READ_LEASE_COUNT_OF : CW_SQ_READ_LEASE_COUNT;
	int got;

	bind_filter(r->st[what], f,
		no_sooner((struct cw_lease_key){.begin = true}, f->prefix.addr.v),
		last_of(f->prefix));
	got = cw_sq_step(r, what);
	if (got > 0)
		*ret = (uint64_t) sqlite3_column_int64(r->st[what], 0);
	(void) sqlite3_reset(r->st[what]);
	(void) sqlite3_clear_bindings(r->st[what]);
	return got < 0 ? got : 0;
}

static int read_lease(struct cw_store_reader *base, uint64_t id, struct cw_lease *ret)
{
	struct cw_lease l;
	int r;

	cw_sq_int(cw_sq_inside(base)->st[CW_SQ_READ_LEASE], 1, (int64_t) id);
	r = cw_sq_collect(cw_sq_inside(base), CW_SQ_READ_LEASE, &l, sizeof l, 1, decode_lease);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	*ret = l;
	return 0;
}

/* ---- who had it ---- */

/* The tenure of one port set at that time. Tenures follow one another, so it is the last one that
 * started by then, unless the wall clock was set back in between: hence a few are looked at. */
static int who_in_set(struct cw_sq_reader *r, struct cw_addr4 addr, struct cw_portset ps,
	int64_t wall_s, struct cw_tenure *ret)
{
	sqlite3_stmt *st = r->st[CW_SQ_READ_WHO];
	int found = 0, got;

	cw_sq_int(st, 1, addr.v);
	cw_sq_int(st, 2, ps.len);
	cw_sq_int(st, 3, ps.offset);
	cw_sq_int(st, 4, ps.psid);
	cw_sq_int(st, 5, wall_s);
	while ((got = cw_sq_step(r, CW_SQ_READ_WHO)) > 0) {
		struct cw_tenure t;

		if (!cw_sq_tenure_row(st, &t)) {
			atomic_fetch_add(&r->errors->corrupt, 1);
			continue;
		}
		if (cw_sq_tenure_reaches(&t, wall_s)) {
			*ret = t;
			found = 1;
			break;
		}
	}
	(void) sqlite3_reset(st);
	return got < 0 ? got : found;
}

/* An address may have been in pools of several shapes over time; there are as many lookups as
 * shapes. */
static int read_who(struct cw_store_reader *base, struct cw_addr4 addr, uint16_t port,
	int64_t wall_s, struct cw_tenure *ret)
{
	struct cw_sq_reader *r = cw_sq_inside(base);
	sqlite3_stmt *st = r->st[CW_SQ_READ_SHAPE];
	int len = -1, offset = -1;

	for (;;) {
		struct cw_portset ps;
		int psid, got;

		cw_sq_int(st, 1, addr.v);
		cw_sq_int(st, 2, len);
		cw_sq_int(st, 3, offset);
		got = cw_sq_step(r, CW_SQ_READ_SHAPE);
		if (got > 0) {
			len = sqlite3_column_int(st, 0);
			offset = sqlite3_column_int(st, 1);
		}
		(void) sqlite3_reset(st);
		if (got <= 0)
			return got;
		ps = (struct cw_portset){.offset = (uint8_t) offset, .len = (uint8_t) len};
		psid = cw_portset_valid(ps) ? cw_portset_psid_of(ps, port) : -1;
		if (psid < 0)
			continue;
		ps.psid = (uint16_t) psid;
		got = who_in_set(r, addr, ps, wall_s, ret);
		if (got != 0)
			return got;
	}
}

/* ---- the rest ---- */

static int read_credentials(
	struct cw_store_reader *base, const char *user, struct cw_credential *to, size_t max)
{
	struct cw_sq_reader *r = cw_sq_inside(base);
	int ret;

	cw_sq_text(r->st[CW_SQ_READ_CREDENTIALS], 1, user);
	ret = cw_sq_collect(r, CW_SQ_READ_CREDENTIALS, to, sizeof *to, max, decode_credential);
	(void) sqlite3_clear_bindings(r->st[CW_SQ_READ_CREDENTIALS]);
	return ret;
}

static int read_credentials_of(
	struct cw_store_reader *base, uint64_t user, struct cw_credential *to, size_t max)
{
	struct cw_sq_reader *r = cw_sq_inside(base);

	cw_sq_int(r->st[CW_SQ_READ_CREDENTIALS_OF], 1, (int64_t) user);
	return cw_sq_collect(r, CW_SQ_READ_CREDENTIALS_OF, to, sizeof *to, max, decode_credential);
}

static int read_heartbeat(
	struct cw_store_reader *base, struct cw_op_heartbeat *ret, struct cw_store_time *ret_at)
{
	struct cw_sq_reader *r = cw_sq_inside(base);
	sqlite3_stmt *st = r->st[CW_SQ_READ_HEARTBEAT];
	struct cw_op_heartbeat beat = {0};
	int got = cw_sq_step(r, CW_SQ_READ_HEARTBEAT);

	if (got > 0 && !cw_sq_copy(st, 0, beat.boot_id, sizeof beat.boot_id))
		got = 0;
	if (got > 0) {
		beat.boot_ms = sqlite3_column_int64(st, 1);
		*ret = beat;
		*ret_at = (struct cw_store_time){
			.steady_s = sqlite3_column_int64(st, 2),
			.wall_s = sqlite3_column_int64(st, 3),
		};
	}
	(void) sqlite3_reset(st);
	if (got < 0)
		return got;
	return got > 0 ? 0 : -ENOENT;
}

static int minimum(struct cw_sq_reader *r, enum cw_sq_read what, int64_t *ret)
{
	int got = cw_sq_step(r, what);

	if (got > 0)
		*ret = sqlite3_column_type(r->st[what], 0) == SQLITE_NULL
			       ? INT64_MAX
			       : sqlite3_column_int64(r->st[what], 0);
	(void) sqlite3_reset(r->st[what]);
	return got < 0 ? got : 0;
}

static int read_next_due(
	struct cw_store_reader *base, int64_t *ret_expiry_s, int64_t *ret_quarantine_s)
{
	int r = minimum(cw_sq_inside(base), CW_SQ_READ_NEXT_EXPIRY, ret_expiry_s);

	return r < 0 ? r : minimum(cw_sq_inside(base), CW_SQ_READ_NEXT_REST, ret_quarantine_s);
}

static int read_due(struct cw_store_reader *base, bool quarantined, int64_t steady_s, uint64_t max,
	uint64_t *ret)
{
	struct cw_sq_reader *r = cw_sq_inside(base);
	enum cw_sq_read what = quarantined ? CW_SQ_READ_DUE_REST : CW_SQ_READ_DUE_EXPIRY;
	int64_t n = 0;
	int e;

	cw_sq_int(r->st[what], 1, steady_s);
	cw_sq_int(r->st[what], 2, (int64_t) max);
	e = minimum(r, what, &n);
	if (e == 0)
		*ret = (uint64_t) n;
	return e;
}

static struct cw_store_reader *reader_close(struct cw_store_reader *base)
{
	struct cw_sq_reader *r;

	if (!base)
		return NULL;
	r = cw_sq_inside(base);
	for (size_t i = 0; i < CW_SQ_READ_COUNT_OF; i++)
		(void) sqlite3_finalize(r->st[i]);
	(void) sqlite3_close(r->db);
	cw_free(r);
	return NULL;
}

static const struct cw_reader_ops reader_ops = {
	.close = reader_close,
	.teps = read_teps,
	.pools = read_pools,
	.ranges = read_ranges,
	.excludes = read_excludes,
	.reservations = read_reservations,
	.users = read_users,
	.tep = read_tep,
	.pool = read_pool,
	.user = read_user,
	.tep_id = read_tep_id,
	.pool_id = read_pool_id,
	.user_id = read_user_id,
	.range_id = read_range_id,
	.exclude_id = read_exclude_id,
	.reservation_id = read_reservation_id,
	.leases = read_leases,
	.lease = read_lease,
	.count_leases = count_leases,
	.count_rows = cw_sq_count_rows,
	.tags = cw_sq_read_tags,
	.usage = cw_sq_read_usage,
	.who = read_who,
	.history = read_history,
	.history_page = cw_sq_read_history_page,
	.tenure = cw_sq_read_tenure,
	.events = cw_sq_read_events,
	.event_bounds = cw_sq_read_event_bounds,
	.audit = cw_sq_read_audit,
	.tokens = cw_sq_read_tokens,
	.token = cw_sq_read_token,
	.token_id = cw_sq_read_token_id,
	.jobs = cw_sq_read_jobs,
	.job_runs = cw_sq_read_job_runs,
	.samples = cw_sq_read_samples,
	.credentials = read_credentials,
	.credentials_of = read_credentials_of,
	.heartbeat = read_heartbeat,
	.next_due = read_next_due,
	.due = read_due,
	.backup = cw_sq_backup,
	.check = cw_sq_check,
};

int cw_sq_reader_open(struct cw_backend *b, struct cw_store_reader **ret)
{
	struct cw_sq_reader *r = cw_zalloc(1, sizeof *r);
	int rc;

	if (!r)
		return -ENOMEM;
	r->base.ops = &reader_ops;
	r->errors = b->errors;
	rc = cw_sq_connect(b->path, b->memory, true, &r->db);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(r->db,
			"PRAGMA query_only=ON; PRAGMA mmap_size=0; PRAGMA trusted_schema=OFF;"
			"PRAGMA cell_size_check=ON; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-2048",
			NULL, NULL, NULL);
	for (size_t i = 0; i < CW_SQ_READ_COUNT_OF && rc == SQLITE_OK; i++)
		rc = sqlite3_prepare_v3(
			r->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &r->st[i], NULL);
	if (rc != SQLITE_OK) {
		int e = cw_sq_result(r->db, rc, r->errors);

		(void) reader_close(&r->base);
		return e;
	}
	*ret = &r->base;
	return 0;
}
