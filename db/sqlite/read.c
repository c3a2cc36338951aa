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
#include "db/sqlite/sqlite.h"

#define LEASE_SELECT                                     \
	"SELECT " CW_SQ_LEASE ", p.ps_offset, p.ps_len," \
	" NOT EXISTS (SELECT 1 FROM outbox o WHERE o.lease = l.id)"
#define LEASE_WHERE                                                             \
	" (l.addr, l.psid) > (?1, ?2) AND l.addr <= ?3 AND (?4 >> l.state) & 1" \
	" AND (?5 = 0 OR l.tep = ?5) AND (?6 = 0 OR l.pool = ?6)"
#define USER_SELECT                                                                      \
	"SELECT a.id, a.version, a.name, a.disabled, a.max_leases, coalesce(p.name, '')" \
	" FROM account a LEFT JOIN pool p ON p.id = a.pool"
#define TENURE_SELECT                                                                            \
	"SELECT h.id, h.pool, h.tep, h.addr, h.psid, h.ps_offset, h.ps_len, h.access, h.reason," \
	" h.started, h.ended, h.client6, h.principal FROM history h"

/* clang-format off */
#define READS(X)                                                                                   \
	X(BEGIN, "BEGIN")                                                                              \
	X(COMMIT, "COMMIT")                                                                            \
	X(TEPS, "SELECT " CW_SQ_TEP " FROM tep t WHERE t.id > ?1 ORDER BY t.id")                       \
	X(POOLS, "SELECT " CW_SQ_POOL " FROM pool p WHERE p.id > ?1 ORDER BY p.id")                    \
	X(RANGES, "SELECT id, pool, lo, hi FROM pool_range WHERE (?2 = 0 OR pool = ?2) AND id > ?1"    \
		" ORDER BY id")                                                                            \
	X(EXCLUDES, "SELECT id, pool, lo, hi FROM exclusion WHERE (?2 = 0 OR pool = ?2) AND id > ?1"   \
		" ORDER BY id")                                                                            \
	X(RESERVATIONS, "SELECT id, pool, addr, psid, principal FROM reservation WHERE id > ?1"        \
		" ORDER BY id")                                                                            \
	X(USERS, USER_SELECT " WHERE a.id > ?1 ORDER BY a.id")                                         \
	X(TEP, "SELECT " CW_SQ_TEP " FROM tep t WHERE t.name = ?1")                                    \
	X(POOL, "SELECT " CW_SQ_POOL " FROM pool p WHERE p.name = ?1")                                 \
	X(USER, USER_SELECT " WHERE a.name = ?1")                                                      \
	X(POOL_RANGES, "SELECT lo, hi FROM pool_range WHERE pool = ?1 AND hi >= ?2 ORDER BY lo")       \
	X(LEASES, LEASE_SELECT " FROM lease l CROSS JOIN pool p ON p.id = l.pool WHERE" LEASE_WHERE    \
		" ORDER BY l.addr, l.psid")                                                                \
	X(LEASES_OF, LEASE_SELECT " FROM lease l INDEXED BY lease_holder CROSS JOIN pool p ON p.id = l.pool" \
		" WHERE l.principal = ?7 AND" LEASE_WHERE " ORDER BY l.addr, l.psid")                      \
	X(LEASE, LEASE_SELECT " FROM lease l CROSS JOIN pool p ON p.id = l.pool WHERE l.id = ?1")      \
	X(SHAPE, "SELECT ps_len, ps_offset FROM history WHERE addr = ?1 AND (ps_len, ps_offset) > (?2, ?3)" \
		" ORDER BY ps_len, ps_offset LIMIT 1")                                                     \
	X(WHO, TENURE_SELECT " WHERE h.addr = ?1 AND h.ps_len = ?2 AND h.ps_offset = ?3 AND h.psid = ?4" \
		" AND h.started <= ?5 ORDER BY h.started DESC, h.id DESC LIMIT 16")                        \
	X(HISTORY, TENURE_SELECT " WHERE h.id > ?1 ORDER BY h.id")                                     \
	X(CREDENTIALS, "SELECT c.kind, c.verifier FROM account a JOIN credential c ON c.account = a.id" \
		" WHERE a.name = ?1 AND a.disabled = 0 ORDER BY c.kind")                                   \
	X(HEARTBEAT, "SELECT boot_id, boot_ms, steady_s, wall_s FROM broker_state"                     \
		" WHERE id = 1 AND boot_id IS NOT NULL")                                                   \
	X(NEXT_EXPIRY, "SELECT min(due) FROM lease WHERE state = 1")                                   \
	X(NEXT_REST, "SELECT min(due) FROM lease WHERE state = 3")
/* clang-format on */

enum read {
#define X(name, sql) READ_##name,
	READS(X)
#undef X
		READ_COUNT_OF
};

static const char *const texts[READ_COUNT_OF] = {
#define X(name, sql) [READ_##name] = (sql),
	READS(X)
#undef X
};

struct cw_sq_reader {
	struct cw_store_reader base; /* first */
	sqlite3 *db;
	struct cw_db_errors *errors;
	sqlite3_stmt *st[READ_COUNT_OF];
};

static struct cw_sq_reader *inside(struct cw_store_reader *r)
{
	return cw_container_of(r, struct cw_sq_reader, base);
}

sqlite3 *cw_sq_reader_db(struct cw_store_reader *r)
{
	return inside(r)->db;
}

/* 1 a row, 0 the end, or a code. */
static int step(struct cw_sq_reader *r, enum read what)
{
	int rc = sqlite3_step(r->st[what]);

	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? 0 : cw_sq_result(r->db, rc, r->errors);
}

/* Collects rows into an array: decode() fills item n from the row, or says the row is no good. */
static int collect(struct cw_sq_reader *r, enum read what, void *to, size_t size, size_t max,
	bool (*decode)(sqlite3_stmt *st, void *item))
{
	size_t n = 0;
	int ret = 0;

	while (n < max && (ret = step(r, what)) > 0) {
		if (decode(r->st[what], (char *) to + n * size))
			n++;
		else
			atomic_fetch_add(&r->errors->corrupt, 1);
	}
	(void) sqlite3_reset(r->st[what]);
	return ret < 0 ? ret : (int) n;
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
	return cw_portset_valid(l->ports);
}

static bool decode_tenure(sqlite3_stmt *st, void *item)
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

static int list(struct cw_store_reader *base, enum read what, uint64_t after, void *to, size_t size,
	size_t max, bool (*decode)(sqlite3_stmt *st, void *item))
{
	struct cw_sq_reader *r = inside(base);

	cw_sq_int(r->st[what], 1, (int64_t) after);
	return collect(r, what, to, size, max, decode);
}

static int read_teps(struct cw_store_reader *r, uint64_t after, struct cw_tep *to, size_t max)
{
	return list(r, READ_TEPS, after, to, sizeof *to, max, decode_tep);
}

static int read_pools(struct cw_store_reader *r, uint64_t after, struct cw_pool *to, size_t max)
{
	return list(r, READ_POOLS, after, to, sizeof *to, max, decode_pool);
}

static int read_ranges(struct cw_store_reader *r, uint64_t pool_id, uint64_t after,
	struct cw_range *to, size_t max)
{
	cw_sq_int(inside(r)->st[READ_RANGES], 2, (int64_t) pool_id);
	return list(r, READ_RANGES, after, to, sizeof *to, max, decode_range);
}

static int read_excludes(struct cw_store_reader *r, uint64_t pool_id, uint64_t after,
	struct cw_range *to, size_t max)
{
	cw_sq_int(inside(r)->st[READ_EXCLUDES], 2, (int64_t) pool_id);
	return list(r, READ_EXCLUDES, after, to, sizeof *to, max, decode_range);
}

static int read_reservations(
	struct cw_store_reader *r, uint64_t after, struct cw_reservation *to, size_t max)
{
	return list(r, READ_RESERVATIONS, after, to, sizeof *to, max, decode_reservation);
}

static int read_users(struct cw_store_reader *r, uint64_t after, struct cw_user *to, size_t max)
{
	return list(r, READ_USERS, after, to, sizeof *to, max, decode_user);
}

static int read_history(struct cw_store_reader *r, uint64_t after, struct cw_tenure *to, size_t max)
{
	return list(r, READ_HISTORY, after, to, sizeof *to, max, decode_tenure);
}

/* ---- by name ---- */

static int named(struct cw_store_reader *base, enum read what, const char *name, void *ret,
	size_t size, bool (*decode)(sqlite3_stmt *st, void *item))
{
	struct cw_sq_reader *r = inside(base);
	int n;

	cw_sq_text(r->st[what], 1, name);
	n = collect(r, what, ret, size, 1, decode);
	(void) sqlite3_clear_bindings(r->st[what]); /* it points to the caller's name */
	return n;
}

static int read_tep(struct cw_store_reader *r, const char *name, struct cw_tep *ret)
{
	return named(r, READ_TEP, name, ret, sizeof *ret, decode_tep);
}

static int read_pool(struct cw_store_reader *r, const char *name, struct cw_pool *ret)
{
	return named(r, READ_POOL, name, ret, sizeof *ret, decode_pool);
}

static int read_user(struct cw_store_reader *r, const char *name, struct cw_user *ret)
{
	return named(r, READ_USER, name, ret, sizeof *ret, decode_user);
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
}

/* Range by range, so that other pools' rows are not even looked at. Within a transaction. */
static int leases_of_pool(struct cw_sq_reader *r, const struct cw_lease_filter *f,
	struct cw_lease_key after, struct cw_lease *to, size_t max)
{
	sqlite3_stmt *ranges = r->st[READ_POOL_RANGES];
	size_t n = 0;
	int ret = 0;

	cw_sq_int(ranges, 1, (int64_t) f->pool_id);
	cw_sq_int(ranges, 2, after.begin ? 0 : (int64_t) after.addr.v);
	while (n < max && (ret = step(r, READ_POOL_RANGES)) > 0) {
		int64_t lo = sqlite3_column_int64(ranges, 0), hi = sqlite3_column_int64(ranges, 1);
		struct cw_lease_key from = after;

		if (after.begin || lo > after.addr.v) {
			from = (struct cw_lease_key){
				.addr = {(uint32_t) lo - 1}, .psid = UINT16_MAX, .begin = lo == 0};
		}
		bind_filter(r->st[READ_LEASES], f, from, hi);
		ret = collect(r, READ_LEASES, to + n, sizeof *to, max - n, decode_lease);
		if (ret < 0)
			break;
		n += (size_t) ret;
	}
	(void) sqlite3_reset(ranges);
	return ret < 0 ? ret : (int) n;
}

static int read_leases(struct cw_store_reader *base, const struct cw_lease_filter *f,
	struct cw_lease_key after, struct cw_lease *to, size_t max)
{
	struct cw_sq_reader *r = inside(base);
	int ret;

	if (f->principal) {
		bind_filter(r->st[READ_LEASES_OF], f, after, UINT32_MAX);
		cw_sq_text(r->st[READ_LEASES_OF], 7, f->principal);
		return collect(r, READ_LEASES_OF, to, sizeof *to, max, decode_lease);
	}
	if (f->pool_id == 0) {
		bind_filter(r->st[READ_LEASES], f, after, UINT32_MAX);
		return collect(r, READ_LEASES, to, sizeof *to, max, decode_lease);
	}
	ret = step(r, READ_BEGIN);
	(void) sqlite3_reset(r->st[READ_BEGIN]);
	if (ret < 0)
		return ret;
	ret = leases_of_pool(r, f, after, to, max);
	(void) step(r, READ_COMMIT); /* nothing was written */
	(void) sqlite3_reset(r->st[READ_COMMIT]);
	return ret;
}

static int read_lease(struct cw_store_reader *base, uint64_t id, struct cw_lease *ret)
{
	struct cw_lease l;
	int r;

	cw_sq_int(inside(base)->st[READ_LEASE], 1, (int64_t) id);
	r = collect(inside(base), READ_LEASE, &l, sizeof l, 1, decode_lease);
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
	sqlite3_stmt *st = r->st[READ_WHO];
	int found = 0, got;

	cw_sq_int(st, 1, addr.v);
	cw_sq_int(st, 2, ps.len);
	cw_sq_int(st, 3, ps.offset);
	cw_sq_int(st, 4, ps.psid);
	cw_sq_int(st, 5, wall_s);
	while ((got = step(r, READ_WHO)) > 0) {
		struct cw_tenure t;

		if (!decode_tenure(st, &t)) {
			atomic_fetch_add(&r->errors->corrupt, 1);
			continue;
		}
		if (t.ended_wall_s > wall_s) {
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
	struct cw_sq_reader *r = inside(base);
	sqlite3_stmt *st = r->st[READ_SHAPE];
	int len = -1, offset = -1;

	for (;;) {
		struct cw_portset ps;
		int psid, got;

		cw_sq_int(st, 1, addr.v);
		cw_sq_int(st, 2, len);
		cw_sq_int(st, 3, offset);
		got = step(r, READ_SHAPE);
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
	struct cw_sq_reader *r = inside(base);
	int ret;

	cw_sq_text(r->st[READ_CREDENTIALS], 1, user);
	ret = collect(r, READ_CREDENTIALS, to, sizeof *to, max, decode_credential);
	(void) sqlite3_clear_bindings(r->st[READ_CREDENTIALS]);
	return ret;
}

static int read_heartbeat(
	struct cw_store_reader *base, struct cw_op_heartbeat *ret, struct cw_store_time *ret_at)
{
	struct cw_sq_reader *r = inside(base);
	sqlite3_stmt *st = r->st[READ_HEARTBEAT];
	struct cw_op_heartbeat beat = {0};
	int got = step(r, READ_HEARTBEAT);

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

static int minimum(struct cw_sq_reader *r, enum read what, int64_t *ret)
{
	int got = step(r, what);

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
	int r = minimum(inside(base), READ_NEXT_EXPIRY, ret_expiry_s);

	return r < 0 ? r : minimum(inside(base), READ_NEXT_REST, ret_quarantine_s);
}

static struct cw_store_reader *reader_close(struct cw_store_reader *base)
{
	struct cw_sq_reader *r;

	if (!base)
		return NULL;
	r = inside(base);
	for (size_t i = 0; i < READ_COUNT_OF; i++)
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
	.leases = read_leases,
	.lease = read_lease,
	.who = read_who,
	.history = read_history,
	.credentials = read_credentials,
	.heartbeat = read_heartbeat,
	.next_due = read_next_due,
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
	for (size_t i = 0; i < READ_COUNT_OF && rc == SQLITE_OK; i++)
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
