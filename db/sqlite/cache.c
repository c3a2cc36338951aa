/* SPDX-License-Identifier: BSD-2-Clause */
/* What the writer keeps in memory: pools, ranges, exclusions, reserved places, and the intervals of
 * slots that were never leased. Its size follows the configuration, not the number of leases or
 * addresses. It is thrown away whenever the tables may say something else (rollback, configuration)
 * and read again by the next operation.
 *
 * Never-used slots. slot = (addr - lo) * sets + psid numbers the places of a range, address by
 * address. A new range is one interval of them; allocation eats intervals from their lower end,
 * jumping over exclusions, reserved places and system port sets, and what changed is written once
 * per transaction. What was jumped over comes back as an interval of its own when the exclusion or
 * reservation goes (pool.c). So each slot is passed a constant number of times however big the pool
 * is, and a pool that has none left has no interval. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "db/sqlite/sqlite.h"

/* ---- rows ---- */

bool cw_sq_copy(sqlite3_stmt *st, int col, char *to, size_t n)
{
	const unsigned char *s = sqlite3_column_text(st, col);
	int len = sqlite3_column_bytes(st, col);

	if (!s || len < 0 || (size_t) len >= n)
		return false;
	memcpy(to, s, (size_t) len);
	to[len] = '\0';
	return true;
}

static uint32_t column_u32(sqlite3_stmt *st, int col)
{
	return (uint32_t) sqlite3_column_int64(st, col);
}

bool cw_sq_pool_row(sqlite3_stmt *st, struct cw_pool *ret)
{
	*ret = (struct cw_pool){
		.id = (uint64_t) sqlite3_column_int64(st, 0),
		.version = (uint64_t) sqlite3_column_int64(st, 1),
		.tep_id = (uint64_t) sqlite3_column_int64(st, 3),
		.ps_offset = (uint8_t) sqlite3_column_int(st, 4),
		.ps_len = (uint8_t) sqlite3_column_int(st, 5),
		.keep_system_ports = sqlite3_column_int(st, 6) != 0,
		.state = (enum cw_pool_state) sqlite3_column_int(st, 7),
		.lifetime_s = column_u32(st, 8),
		.lifetime_min_s = column_u32(st, 9),
		.lifetime_max_s = column_u32(st, 10),
		.quarantine_s = column_u32(st, 11),
		.max_leases = column_u32(st, 12),
		.retention_s = column_u32(st, 13),
		.order = column_u32(st, 14),
		.low_percent = (uint8_t) sqlite3_column_int(st, 15),
	};
	return cw_sq_copy(st, 2, ret->name, sizeof ret->name) && ret->state <= CW_POOL_DISABLED &&
	       cw_portset_valid((struct cw_portset){ret->ps_offset, ret->ps_len, 0}) &&
	       ret->lifetime_min_s <= ret->lifetime_max_s;
}

bool cw_sq_tep_row(sqlite3_stmt *st, struct cw_tep *ret)
{
	const void *ipv6 = sqlite3_column_blob(st, 6);

	*ret = (struct cw_tep){
		.id = (uint64_t) sqlite3_column_int64(st, 0),
		.version = (uint64_t) sqlite3_column_int64(st, 1),
		.has_ipv4 = sqlite3_column_type(st, 5) != SQLITE_NULL,
		.ipv4 = {column_u32(st, 5)},
		.draining = sqlite3_column_int(st, 7) != 0,
	};
	if (!ipv6 || sqlite3_column_bytes(st, 6) != 16)
		return false;
	memcpy(ret->ipv6.b, ipv6, sizeof ret->ipv6.b);
	return cw_sq_copy(st, 2, ret->name, sizeof ret->name) &&
	       cw_sq_copy(st, 3, ret->plugin, sizeof ret->plugin) &&
	       cw_sq_copy(st, 4, ret->options, sizeof ret->options);
}

bool cw_sq_lease_row(sqlite3_stmt *st, struct cw_lease *ret)
{
	int64_t addr = sqlite3_column_int64(st, 0);
	int64_t psid = sqlite3_column_int64(st, 1);
	int state = sqlite3_column_int(st, 6), reason = sqlite3_column_int(st, 7),
	    access = sqlite3_column_int(st, 8);
	const void *client6 = sqlite3_column_blob(st, 13);

	*ret = (struct cw_lease){
		.id = (uint64_t) sqlite3_column_int64(st, 2),
		.generation = (uint64_t) sqlite3_column_int64(st, 3),
		.pool_id = (uint64_t) sqlite3_column_int64(st, 4),
		.tep_id = (uint64_t) sqlite3_column_int64(st, 5), /* NULL reads as 0 */
		.addr = {(uint32_t) addr},
		.ports = {.psid = (uint16_t) psid},
		.state = (enum cw_lease_state) state,
		.reason = (enum cw_end_reason) reason,
		.access = (enum cw_access) access,
		.granted_wall_s = sqlite3_column_int64(st, 9),
		.expires_s = sqlite3_column_int64(st, 10),
		.due_s = sqlite3_column_int64(st, 11),
		.lifetime_s = column_u32(st, 12),
	};
	if (addr < 0 || addr > UINT32_MAX || psid < 0 || psid > UINT16_MAX ||
		state < CW_LEASE_FREE || state > CW_LEASE_QUARANTINED || reason < CW_END_NONE ||
		reason > CW_END_MOVE || access < CW_ACCESS_TSP || access > CW_ACCESS_GATEWAY ||
		!client6 || sqlite3_column_bytes(st, 13) != 16)
		return false;
	memcpy(ret->client6.b, client6, sizeof ret->client6.b);
	return cw_sq_copy(st, 14, ret->principal, sizeof ret->principal);
}

/* ---- building ---- */

/* Room for one more of `size` octets at *array. */
static int grow(void **array, size_t n, size_t size)
{
	void *p;

	if (n > 0 && (n & (n - 1)) != 0)
		return 0; /* room doubles at each power of two */
	p = cw_realloc(*array, n > 0 ? n * 2 : 1, size);
	if (!p)
		return -ENOMEM;
	*array = p;
	return 0;
}

static struct cw_sq_cache *cache_free(struct cw_sq_cache *c)
{
	if (!c)
		return NULL;
	cw_free(c->pools);
	cw_free(c->by_id);
	cw_free(c->by_name);
	cw_free(c->ranges);
	cw_free(c->excl);
	cw_free(c->unused);
	cw_free(c->reserved);
	return cw_free(c);
}

void cw_sq_cache_drop(struct cw_backend *b)
{
	b->cache = cache_free(b->cache);
}

static int compare_id(const void *a, const void *b)
{
	uint64_t x = (*(struct cw_sq_pool *const *) a)->p.id,
		 y = (*(struct cw_sq_pool *const *) b)->p.id;

	return x < y ? -1 : x > y;
}

static int compare_name(const void *a, const void *b)
{
	return strcmp((*(struct cw_sq_pool *const *) a)->p.name,
		(*(struct cw_sq_pool *const *) b)->p.name);
}

/* PSIDs below the result hold ports 0-1023 (a = 0). With a > 0 the block of the lowest ports
 * belongs to no set (RFC 7597 5.1); a > 6, where it is smaller than 1024 ports, is refused by
 * pool.c. */
static unsigned system_sets(const struct cw_pool *p)
{
	unsigned shift = 16u - p->ps_len;

	if (p->ps_len == 0 || !p->keep_system_ports || p->ps_offset > 0)
		return 0;
	return (1024u + (1u << shift) - 1) >> shift;
}

static int load_pools(struct cw_backend *b, struct cw_sq_cache *c)
{
	sqlite3_stmt *st = b->st[CW_SQ_POOLS];
	int r;

	while ((r = cw_sq_row(b, CW_SQ_POOLS)) > 0) {
		struct cw_sq_pool *p;

		if (grow((void **) &c->pools, c->n_pools, sizeof *c->pools) < 0)
			goto nomem;
		p = &c->pools[c->n_pools];
		*p = (struct cw_sq_pool){.maybe_free = true};
		if (!cw_sq_pool_row(st, &p->p)) {
			(void) sqlite3_reset(st);
			return cw_sq_fail(b, SQLITE_CORRUPT);
		}
		p->tep_draining = sqlite3_column_int(st, 16) != 0;
		p->sets = 1u << p->p.ps_len;
		p->n_system = system_sets(&p->p);
		p->ports_per_set = p->p.ps_offset > 0
					   ? ((1u << p->p.ps_offset) - 1)
						     << (16 - p->p.ps_offset - p->p.ps_len)
					   : 65536u >> p->p.ps_len;
		c->n_pools++;
	}
	if (r < 0)
		return r;
	c->by_id = cw_zalloc(c->n_pools + 1, sizeof(struct cw_sq_pool *));
	c->by_name = cw_zalloc(c->n_pools + 1, sizeof(struct cw_sq_pool *));
	if (!c->by_id || !c->by_name)
		return cw_sq_fail(b, SQLITE_NOMEM);
	for (size_t i = 0; i < c->n_pools; i++)
		c->by_id[i] = c->by_name[i] = &c->pools[i];
	qsort(c->by_id, c->n_pools, sizeof(struct cw_sq_pool *), compare_id);
	qsort(c->by_name, c->n_pools, sizeof(struct cw_sq_pool *), compare_name);
	return 0;
nomem:
	(void) sqlite3_reset(st);
	return cw_sq_fail(b, SQLITE_NOMEM);
}

static int load_ranges(struct cw_backend *b, struct cw_sq_cache *c)
{
	sqlite3_stmt *st = b->st[CW_SQ_RANGES];
	int r;

	while ((r = cw_sq_row(b, CW_SQ_RANGES)) > 0) {
		struct cw_sq_range *range;

		if (grow((void **) &c->ranges, c->n_ranges, sizeof *c->ranges) < 0) {
			(void) sqlite3_reset(st);
			return cw_sq_fail(b, SQLITE_NOMEM);
		}
		range = &c->ranges[c->n_ranges++];
		range->id = (uint64_t) sqlite3_column_int64(st, 0);
		range->pool = cw_sq_pool_by_id(b, (uint64_t) sqlite3_column_int64(st, 1));
		range->lo = column_u32(st, 2);
		range->hi = column_u32(st, 3);
		if (!range->pool) {
			(void) sqlite3_reset(st);
			return cw_sq_fail(b, SQLITE_CORRUPT);
		}
	}
	return r;
}

static int load_exclusions(struct cw_backend *b, struct cw_sq_cache *c)
{
	sqlite3_stmt *st = b->st[CW_SQ_EXCLUSIONS];
	int r;

	while ((r = cw_sq_row(b, CW_SQ_EXCLUSIONS)) > 0) {
		if (grow((void **) &c->excl, c->n_excl, sizeof *c->excl) < 0) {
			(void) sqlite3_reset(st);
			return cw_sq_fail(b, SQLITE_NOMEM);
		}
		c->excl[c->n_excl++] = (struct cw_sq_excl){
			.pool = (uint64_t) sqlite3_column_int64(st, 0),
			.lo = column_u32(st, 1),
			.hi = column_u32(st, 2),
		};
	}
	for (size_t i = 0; i < c->n_excl; i++) {
		struct cw_sq_pool *p = cw_sq_pool_by_id(b, c->excl[i].pool);

		if (!p)
			return cw_sq_fail(b, SQLITE_CORRUPT);
		if (!p->excl)
			p->excl = &c->excl[i];
		p->n_excl++;
	}
	return r;
}

static int load_unused(struct cw_backend *b, struct cw_sq_cache *c)
{
	sqlite3_stmt *st = b->st[CW_SQ_UNUSEDS];
	int r;

	while ((r = cw_sq_row(b, CW_SQ_UNUSEDS)) > 0) {
		if (grow((void **) &c->unused, c->n_unused, sizeof *c->unused) < 0) {
			(void) sqlite3_reset(st);
			return cw_sq_fail(b, SQLITE_NOMEM);
		}
		c->unused[c->n_unused++] = (struct cw_sq_unused){
			.range = (uint64_t) sqlite3_column_int64(st, 0),
			.next = (uint64_t) sqlite3_column_int64(st, 1),
			.last = (uint64_t) sqlite3_column_int64(st, 2),
			.pool = (uint64_t) sqlite3_column_int64(st, 3),
			.lo = column_u32(st, 4),
			.hi = column_u32(st, 5),
		};
	}
	for (size_t i = 0; i < c->n_unused; i++) {
		struct cw_sq_pool *p = cw_sq_pool_by_id(b, c->unused[i].pool);

		if (!p || (c->unused[i].hi - c->unused[i].lo + (uint64_t) 1) * p->sets <=
				  c->unused[i].last)
			return cw_sq_fail(b, SQLITE_CORRUPT);
		if (!p->unused)
			p->unused = &c->unused[i];
		p->n_unused++;
	}
	return r;
}

static int load_reserved(struct cw_backend *b, struct cw_sq_cache *c)
{
	sqlite3_stmt *st = b->st[CW_SQ_RESERVED];
	int r;

	while ((r = cw_sq_row(b, CW_SQ_RESERVED)) > 0) {
		if (grow((void **) &c->reserved, c->n_reserved, sizeof *c->reserved) < 0) {
			(void) sqlite3_reset(st);
			return cw_sq_fail(b, SQLITE_NOMEM);
		}
		c->reserved[c->n_reserved++] = (struct cw_sq_reserved){
			.addr = column_u32(st, 0),
			.psid = (uint16_t) sqlite3_column_int(st, 1),
			.damaged = sqlite3_column_int(st, 2) != 0,
		};
	}
	return r;
}

int cw_sq_cache_need(struct cw_backend *b)
{
	int r;

	if (b->cache)
		return 0;
	b->cache = cw_zalloc(1, sizeof *b->cache);
	if (!b->cache)
		return cw_sq_fail(b, SQLITE_NOMEM);
	r = load_pools(b, b->cache);
	if (r == 0)
		r = load_ranges(b, b->cache);
	if (r == 0)
		r = load_exclusions(b, b->cache);
	if (r == 0)
		r = load_unused(b, b->cache);
	if (r == 0)
		r = load_reserved(b, b->cache);
	if (r == 0)
		r = cw_sq_use_load(b);
	if (r < 0)
		cw_sq_cache_drop(b);
	return r;
}

/* ---- looking things up ---- */

struct cw_sq_pool *cw_sq_pool_by_id(const struct cw_backend *b, uint64_t id)
{
	size_t lo = 0, hi = b->cache->n_pools;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (b->cache->by_id[mid]->p.id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < b->cache->n_pools && b->cache->by_id[lo]->p.id == id ? b->cache->by_id[lo]
									 : NULL;
}

struct cw_sq_pool *cw_sq_pool_by_name(const struct cw_backend *b, const char *name)
{
	size_t lo = 0, hi = b->cache->n_pools;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int d = strcmp(b->cache->by_name[mid]->p.name, name);

		if (d == 0)
			return b->cache->by_name[mid];
		if (d < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

const struct cw_sq_range *cw_sq_range_of(const struct cw_backend *b, struct cw_addr4 a)
{
	const struct cw_sq_range *ranges = b->cache->ranges;
	size_t lo = 0, hi = b->cache->n_ranges;

	while (lo < hi) { /* the first with lo > a */
		size_t mid = lo + (hi - lo) / 2;

		if (ranges[mid].lo <= a.v)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo > 0 && ranges[lo - 1].hi >= a.v ? &ranges[lo - 1] : NULL;
}

static const struct cw_sq_excl *exclusion_of(const struct cw_sq_pool *p, uint32_t a)
{
	size_t lo = 0, hi = p->n_excl;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (p->excl[mid].lo <= a)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo > 0 && p->excl[lo - 1].hi >= a ? &p->excl[lo - 1] : NULL;
}

bool cw_sq_excluded(const struct cw_sq_pool *p, struct cw_addr4 a)
{
	return exclusion_of(p, a.v) != NULL;
}

bool cw_sq_reserved(const struct cw_backend *b, struct cw_addr4 a, uint16_t psid)
{
	const struct cw_sq_reserved *all = b->cache->reserved;
	uint64_t want = (uint64_t) a.v << 16 | psid;
	size_t lo = 0, hi = b->cache->n_reserved;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		uint64_t at = (uint64_t) all[mid].addr << 16 | all[mid].psid;

		if (at == want)
			return true;
		if (at < want)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

struct cw_portset cw_sq_ports(const struct cw_sq_pool *p, uint16_t psid)
{
	return (struct cw_portset){.offset = p->p.ps_offset, .len = p->p.ps_len, .psid = psid};
}

/* ---- never-used slots ---- */

static void set_next(struct cw_backend *b, struct cw_sq_unused *u, uint64_t next)
{
	u->next = next;
	if (u->dirty)
		return;
	u->dirty = true;
	u->next_dirty = b->cache->dirty;
	b->cache->dirty = u;
}

int cw_sq_unused_peek(
	struct cw_backend *b, struct cw_sq_pool *p, struct cw_addr4 *ret_addr, uint16_t *ret_psid)
{
	while (p->at < p->n_unused) {
		struct cw_sq_unused *u = &p->unused[p->at];
		uint32_t addr = u->lo + (uint32_t) (u->next / p->sets);
		uint16_t psid = (uint16_t) (u->next % p->sets);
		const struct cw_sq_excl *e;

		if (u->next > u->last) {
			p->at++;
			continue;
		}
		e = exclusion_of(p, addr);
		if (e) {
			uint64_t next = (e->hi - u->lo + (uint64_t) 1) * p->sets;

			set_next(b, u, next < u->last + 1 ? next : u->last + 1);
		} else if (psid < p->n_system) {
			uint64_t next = u->next + (p->n_system - psid);

			set_next(b, u, next < u->last + 1 ? next : u->last + 1);
		} else if (b->cache->n_reserved > 0 &&
			   cw_sq_reserved(b, (struct cw_addr4){addr}, psid)) {
			set_next(b, u, u->next + 1);
		} else {
			ret_addr->v = addr;
			*ret_psid = psid;
			return 1;
		}
	}
	return 0;
}

void cw_sq_unused_take(struct cw_backend *b, struct cw_sq_pool *p)
{
	struct cw_sq_unused *u = &p->unused[p->at];

	set_next(b, u, u->next + 1);
}

/* There are rows here: somebody named these addresses, or an exclusion came and went. Walks to the
 * end of the run. */
int cw_sq_unused_skip(struct cw_backend *b, struct cw_sq_pool *p)
{
	struct cw_sq_unused *u = &p->unused[p->at];
	sqlite3_stmt *st = b->st[CW_SQ_LEASE_NEXT];
	uint64_t next = u->next + 1;
	int r = 0;

	cw_sq_int(st, 1, u->lo + (int64_t) (u->next / p->sets));
	cw_sq_int(st, 2, u->hi);
	while (next <= u->last) {
		uint64_t slot;

		r = cw_sq_row(b, CW_SQ_LEASE_NEXT);
		if (r <= 0)
			break;
		slot = (uint64_t) (sqlite3_column_int64(st, 0) - u->lo) * p->sets +
		       (uint64_t) sqlite3_column_int64(st, 1);
		if (slot < next)
			continue;
		if (slot > next)
			break;
		next++;
	}
	(void) sqlite3_reset(st);
	if (r < 0)
		return r;
	set_next(b, u, next);
	return 0;
}

int cw_sq_cache_flush(struct cw_backend *b)
{
	struct cw_sq_unused *u;

	if (!b->cache)
		return 0;
	for (u = b->cache->dirty; u; u = u->next_dirty) {
		enum cw_sq_statement s = u->next > u->last ? CW_SQ_UNUSED_DEL : CW_SQ_UNUSED_SET;
		int r;

		cw_sq_int(b->st[s], 1, (int64_t) u->range);
		cw_sq_int(b->st[s], 2, (int64_t) u->last);
		if (s == CW_SQ_UNUSED_SET)
			cw_sq_int(b->st[s], 3, (int64_t) u->next);
		r = cw_sq_run(b, s);
		if (r < 0)
			return r;
		u->dirty = false;
	}
	b->cache->dirty = NULL;
	return cw_sq_use_flush(b);
}
