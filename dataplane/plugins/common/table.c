/* SPDX-License-Identifier: BSD-2-Clause */
/* Bindings in chunks of 4096 entries that never move; a hash index of 4-octet slots (8 bits of the
 * hash, 24 bits of entry number), linear probing, deletion by shifting back. A shared address has
 * one more entry, the marker, that says which offset and length its port sets have: a packet needs
 * at most two look-ups.
 *
 * Listing needs an order, forwarding does not, so the order is made when it is asked for: a sorted
 * array of keys plus the few keys added since (`recent`). Removed keys stay in it and are skipped.
 * After enough changes it is thrown away.
 *
 * The lock (CW_DPTAB_SHARED) is held for one item at a time, and a bigger index is filled before it
 * is swapped in, so that readers wait for less than a microsecond even while a million bindings
 * arrive. */
#include "dataplane/plugins/common/table.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	CHUNK_BITS = 12,
	CHUNK = 1 << CHUNK_BITS,
	CHUNKS = CW_DPTAB_MAX >> CHUNK_BITS,
	SLOTS_MIN = 256,
	NO_ENTRY = UINT32_MAX,
	KIND_FREE = 0,
	KIND_WHOLE = 1,
	KIND_PORTS = 2,
	KIND_MARKER = 3,
};

/* Third part of the hashed key: markers and whole addresses live apart from PSIDs. */
#define PSID_WHOLE 0x10000u

struct cw_dptab {
	unsigned flags;
	pthread_rwlock_t lock;
	uint64_t seed;
	uint32_t max, count, markers;
	uint32_t used;      /* entries ever handed out */
	uint32_t free_head; /* NO_ENTRY: none */
	uint32_t *slots;
	uint32_t mask;
	struct cw_dptab_entry *chunks[CHUNKS];
	struct cw_dptab_dyn *dyns[CHUNKS];

	uint64_t *order; /* sorted keys, NULL: not made */
	size_t order_n;
	uint64_t *recent; /* added since, sorted up to recent_sorted */
	size_t recent_n, recent_sorted, recent_cap, changes;
};

static struct cw_dptab_entry *entry_at(const struct cw_dptab *t, uint32_t i)
{
	return &t->chunks[i >> CHUNK_BITS][i & (CHUNK - 1)];
}

static struct cw_dptab_dyn *dyn_at(const struct cw_dptab *t, uint32_t i)
{
	return t->flags & CW_DPTAB_COUNTERS ? &t->dyns[i >> CHUNK_BITS][i & (CHUNK - 1)] : NULL;
}

static uint64_t hash(const struct cw_dptab *t, uint32_t ipv4, uint32_t psid)
{
	uint64_t x = (((uint64_t) psid << 32) | ipv4) ^ t->seed;

	x ^= x >> 32;
	x *= 0x9e3779b97f4a7c15u;
	x ^= x >> 29;
	x *= 0xbf58476d1ce4e5b9u;
	return x ^ (x >> 32);
}

static uint32_t key_psid(const struct cw_dptab_entry *e)
{
	return e->kind == KIND_PORTS ? e->psid : PSID_WHOLE;
}

static uint64_t row_key(uint32_t ipv4, uint16_t psid)
{
	return ((uint64_t) ipv4 << 16) | psid;
}

static void write_lock(struct cw_dptab *t)
{
	if (t->flags & CW_DPTAB_SHARED)
		(void) pthread_rwlock_wrlock(&t->lock);
}

static void write_unlock(struct cw_dptab *t)
{
	if (t->flags & CW_DPTAB_SHARED)
		(void) pthread_rwlock_unlock(&t->lock);
}

void cw_dptab_read_begin(struct cw_dptab *t)
{
	(void) pthread_rwlock_rdlock(&t->lock);
}

void cw_dptab_read_end(struct cw_dptab *t)
{
	(void) pthread_rwlock_unlock(&t->lock);
}

struct cw_dptab *cw_dptab_new(uint32_t max, unsigned flags)
{
	struct cw_dptab *t = calloc(1, sizeof *t);
	pthread_rwlockattr_t attr;
	struct timespec now;

	if (!t)
		return NULL;
	t->flags = flags;
	t->max = max && max < CW_DPTAB_MAX ? max : CW_DPTAB_MAX;
	t->free_head = NO_ENTRY;
	t->mask = SLOTS_MIN - 1;
	t->slots = calloc(SLOTS_MIN, sizeof *t->slots);
	if (!t->slots) {
		free(t);
		return NULL;
	}
	/* Not a secret: keys are chosen by the broker, packets only look up. Two tables should
	 * differ, no more. */
	(void) clock_gettime(CLOCK_MONOTONIC, &now);
	t->seed = ((uint64_t) now.tv_nsec << 32) ^ (uint64_t) now.tv_sec ^ (uintptr_t) t;
	(void) pthread_rwlockattr_init(&attr);
	/* Readers come back every few microseconds; without this a writer could wait for ever. */
	(void) pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	(void) pthread_rwlock_init(&t->lock, &attr);
	(void) pthread_rwlockattr_destroy(&attr);
	return t;
}

static void order_drop(struct cw_dptab *t)
{
	free(t->order);
	free(t->recent);
	t->order = t->recent = NULL;
	t->order_n = t->recent_n = t->recent_sorted = t->recent_cap = t->changes = 0;
}

struct cw_dptab *cw_dptab_free(struct cw_dptab *t)
{
	if (!t)
		return NULL;
	for (size_t i = 0; i < CHUNKS; i++) {
		free(t->chunks[i]);
		free(t->dyns[i]);
	}
	order_drop(t);
	free(t->slots);
	(void) pthread_rwlock_destroy(&t->lock);
	free(t);
	return NULL;
}

size_t cw_dptab_count(const struct cw_dptab *t)
{
	return t->count;
}

size_t cw_dptab_max(const struct cw_dptab *t)
{
	return t->max;
}

/* --- the index --- */

/* Entry number of a key or NO_ENTRY; *ret_slot (may be NULL) is its slot or the empty one it would
 * take. */
static uint32_t find_key(const struct cw_dptab *t, uint32_t ipv4, uint32_t psid, uint32_t *ret_slot)
{
	uint64_t h = hash(t, ipv4, psid);
	uint32_t i = (uint32_t) h & t->mask, tag = (uint32_t) (h >> 56) << 24;

	for (; t->slots[i]; i = (i + 1) & t->mask) {
		uint32_t no = (t->slots[i] & 0xffffffu) - 1;

		if ((t->slots[i] & 0xff000000u) == tag) {
			const struct cw_dptab_entry *e = entry_at(t, no);

			if (e->ipv4 == ipv4 && key_psid(e) == psid) {
				if (ret_slot)
					*ret_slot = i;
				return no;
			}
		}
	}
	if (ret_slot)
		*ret_slot = i;
	return NO_ENTRY;
}

static void slot_put(uint32_t *slots, uint32_t mask, uint64_t h, uint32_t no)
{
	uint32_t i = (uint32_t) h & mask;

	while (slots[i])
		i = (i + 1) & mask;
	slots[i] = ((uint32_t) (h >> 56) << 24) | (no + 1);
}

/* Room for `more` further entries in the index; the new one is filled before readers see it. */
static bool index_reserve(struct cw_dptab *t, uint32_t more)
{
	uint64_t need = (uint64_t) t->count + t->markers + more, n = (uint64_t) t->mask + 1;
	uint32_t *slots, *old = t->slots;

	if (need * 10 <= n * 7)
		return true;
	while (need * 10 > n * 7)
		n *= 2;
	slots = calloc(n, sizeof *slots);
	if (!slots)
		return false;
	for (uint32_t i = 0; i < t->used; i++) {
		const struct cw_dptab_entry *e = entry_at(t, i);

		if (e->kind != KIND_FREE)
			slot_put(slots, (uint32_t) n - 1, hash(t, e->ipv4, key_psid(e)), i);
	}
	write_lock(t);
	t->slots = slots;
	t->mask = (uint32_t) n - 1;
	write_unlock(t);
	free(old);
	return true;
}

/* Takes a key out of the index and closes the gap, so that no probe ends too early. */
static void index_remove(struct cw_dptab *t, uint32_t ipv4, uint32_t psid)
{
	uint32_t gap, i;

	if (find_key(t, ipv4, psid, &gap) == NO_ENTRY)
		return;
	for (i = (gap + 1) & t->mask; t->slots[i]; i = (i + 1) & t->mask) {
		const struct cw_dptab_entry *e = entry_at(t, (t->slots[i] & 0xffffffu) - 1);
		uint32_t home = (uint32_t) hash(t, e->ipv4, key_psid(e)) & t->mask;

		/* Stays if its home lies behind the gap (cyclically). */
		if (((i - home) & t->mask) < ((i - gap) & t->mask))
			continue;
		t->slots[gap] = t->slots[i];
		gap = i;
	}
	t->slots[gap] = 0;
}

/* --- entries --- */

/* Makes sure that n entries can be taken without failing: OK, FULL, TRANSIENT. */
static enum cw_dp_status entries_reserve(struct cw_dptab *t, uint32_t n)
{
	uint32_t free_n = 0;

	for (uint32_t i = t->free_head; i != NO_ENTRY && free_n < n; i = entry_at(t, i)->link)
		free_n++;
	for (uint32_t end = t->used + (n - free_n); end > t->used; end--) {
		size_t c = (end - 1) >> CHUNK_BITS;

		if (c >= CHUNKS)
			return CW_DP_FULL;
		if (t->chunks[c])
			continue;
		if ((t->flags & CW_DPTAB_COUNTERS) && !t->dyns[c]) {
			t->dyns[c] = calloc(CHUNK, sizeof **t->dyns);
			if (!t->dyns[c])
				return CW_DP_TRANSIENT;
		}
		t->chunks[c] = calloc(CHUNK, sizeof **t->chunks);
		if (!t->chunks[c])
			return CW_DP_TRANSIENT;
	}
	return CW_DP_OK;
}

static uint32_t entry_take(struct cw_dptab *t)
{
	uint32_t no = t->free_head;

	if (no != NO_ENTRY)
		t->free_head = entry_at(t, no)->link;
	else
		no = t->used++;
	memset(entry_at(t, no), 0, sizeof(struct cw_dptab_entry));
	if (t->flags & CW_DPTAB_COUNTERS)
		memset(dyn_at(t, no), 0, sizeof(struct cw_dptab_dyn));
	return no;
}

static void entry_give(struct cw_dptab *t, uint32_t no)
{
	struct cw_dptab_entry *e = entry_at(t, no);

	e->kind = KIND_FREE;
	e->link = t->free_head;
	t->free_head = no;
}

static uint32_t be32(const uint8_t b[static 4])
{
	return (uint32_t) b[0] << 24 | (uint32_t) b[1] << 16 | (uint32_t) b[2] << 8 | b[3];
}

bool cw_dptab_ports_ok(struct cw_dp_ports p)
{
	if (p.len == 0)
		return p.offset == 0 && p.psid == 0;
	return p.offset <= 15 && p.len <= 16 && p.offset + p.len <= 16 &&
	       (uint32_t) p.psid < (1u << p.len);
}

enum cw_dp_status cw_dptab_check(const struct cw_dptab *t, const struct cw_dp_binding *b)
{
	static const uint8_t zero[16], mapped[12] = {[10] = 0xff, [11] = 0xff};
	uint8_t v4 = b->ipv4[0], v6 = b->ipv6[0];
	uint8_t last = t->flags & CW_DPTAB_LOOPBACK ? 0 : 1;
	bool loopback = memcmp(b->ipv6, zero, 15) == 0 && b->ipv6[15] <= last; /* and :: */

	if (!cw_dptab_ports_ok(b->ports) || b->mtu > 65535 || (b->mtu && b->mtu < 68))
		return CW_DP_INVALID;
	if (v4 == 0 || v4 == 127 || v4 >= 224)
		return CW_DP_INVALID;
	if (loopback || v6 == 0xff || (v6 == 0xfe && (b->ipv6[1] & 0xc0) == 0x80) ||
		memcmp(b->ipv6, mapped, sizeof mapped) == 0)
		return CW_DP_INVALID;
	return CW_DP_OK;
}

static void order_added(struct cw_dptab *t, uint64_t key)
{
	if (!t->order)
		return;
	if (++t->changes > 16384 + t->count / 64) {
		order_drop(t);
		return;
	}
	if (t->recent_n == t->recent_cap) {
		size_t cap = t->recent_cap ? t->recent_cap * 2 : 256;
		uint64_t *p = reallocarray(t->recent, cap, sizeof *p);

		if (!p) {
			order_drop(t); /* made again by the next listing */
			return;
		}
		t->recent = p;
		t->recent_cap = cap;
	}
	t->recent[t->recent_n++] = key;
}

static uint32_t find_exact(
	const struct cw_dptab *t, uint32_t ipv4, struct cw_dp_ports p, enum cw_dp_status *ret)
{
	uint32_t no = find_key(t, ipv4, PSID_WHOLE, NULL);
	const struct cw_dptab_entry *e;

	*ret = CW_DP_OK;
	if (no == NO_ENTRY)
		return NO_ENTRY;
	e = entry_at(t, no);
	if (e->kind == KIND_WHOLE) {
		if (p.len)
			*ret = CW_DP_EXISTS;
		return p.len ? NO_ENTRY : no;
	}
	if (e->len != p.len || e->offset != p.offset) { /* RFC 7597 5.1: one (a, k) per address */
		*ret = CW_DP_EXISTS;
		return NO_ENTRY;
	}
	return find_key(t, ipv4, p.psid, NULL);
}

enum cw_dp_status cw_dptab_would_apply(const struct cw_dptab *t, const struct cw_dp_binding *b)
{
	enum cw_dp_status status = cw_dptab_check(t, b);
	uint32_t no;

	if (status != CW_DP_OK)
		return status;
	no = find_exact(t, be32(b->ipv4), b->ports, &status);
	if (status != CW_DP_OK)
		return status;
	if (no == NO_ENTRY)
		return t->count >= t->max ? CW_DP_FULL : CW_DP_OK;
	return b->generation < entry_at(t, no)->generation ? CW_DP_STALE : CW_DP_OK;
}

static void entry_fill(struct cw_dptab_entry *e, const struct cw_dp_binding *b)
{
	memcpy(e->ipv6, b->ipv6, 16);
	e->lease = b->lease;
	e->generation = b->generation;
	e->expires_boot_ms = b->expires_boot_ms;
	e->mtu = (uint16_t) b->mtu;
	e->ipv4 = be32(b->ipv4);
	e->psid = b->ports.psid;
	e->offset = b->ports.offset;
	e->len = b->ports.len;
	e->kind = b->ports.len ? KIND_PORTS : KIND_WHOLE;
}

static void replace(struct cw_dptab *t, uint32_t no, const struct cw_dp_binding *b)
{
	struct cw_dptab_entry *e = entry_at(t, no);
	bool other = e->lease != b->lease || memcmp(e->ipv6, b->ipv6, 16) != 0;

	write_lock(t);
	entry_fill(e, b);
	if (other && (t->flags & CW_DPTAB_COUNTERS))
		memset(dyn_at(t, no), 0, sizeof(struct cw_dptab_dyn));
	write_unlock(t);
}

/* The marker of a shared address, made if it is the first port set. Called with the lock and room
 * for it. */
static void marker_count(struct cw_dptab *t, uint32_t ipv4, struct cw_dp_ports p)
{
	uint32_t no = find_key(t, ipv4, PSID_WHOLE, NULL);

	if (no == NO_ENTRY) {
		struct cw_dptab_entry *m;

		no = entry_take(t);
		m = entry_at(t, no);
		m->kind = KIND_MARKER;
		m->ipv4 = ipv4;
		m->offset = p.offset;
		m->len = p.len;
		slot_put(t->slots, t->mask, hash(t, ipv4, PSID_WHOLE), no);
		t->markers++;
	}
	entry_at(t, no)->link++;
}

enum cw_dp_status cw_dptab_apply(struct cw_dptab *t, const struct cw_dp_binding *b)
{
	enum cw_dp_status status = cw_dptab_check(t, b);
	uint32_t no, ipv4 = be32(b->ipv4);

	if (status != CW_DP_OK)
		return status;
	no = find_exact(t, ipv4, b->ports, &status);
	if (status != CW_DP_OK)
		return status;
	if (no != NO_ENTRY) {
		if (b->generation < entry_at(t, no)->generation)
			return CW_DP_STALE;
		replace(t, no, b);
		return CW_DP_OK;
	}
	if (t->count >= t->max)
		return CW_DP_FULL;
	status = entries_reserve(t, 2);
	if (status != CW_DP_OK)
		return status;
	if (!index_reserve(t, 2))
		return CW_DP_TRANSIENT;
	write_lock(t);
	if (b->ports.len)
		marker_count(t, ipv4, b->ports);
	no = entry_take(t);
	entry_fill(entry_at(t, no), b);
	slot_put(t->slots, t->mask, hash(t, ipv4, key_psid(entry_at(t, no))), no);
	t->count++;
	write_unlock(t);
	order_added(t, row_key(ipv4, b->ports.psid));
	return CW_DP_OK;
}

static void counters_load(const struct cw_dptab *t, uint32_t no, struct cw_dp_counters *ret)
{
	struct cw_dptab_dyn *d = dyn_at(t, no);

	memset(ret, 0, sizeof *ret);
	if (!d)
		return;
	ret->up_packets = __atomic_load_n(&d->counters.up_packets, __ATOMIC_RELAXED);
	ret->up_bytes = __atomic_load_n(&d->counters.up_bytes, __ATOMIC_RELAXED);
	ret->down_packets = __atomic_load_n(&d->counters.down_packets, __ATOMIC_RELAXED);
	ret->down_bytes = __atomic_load_n(&d->counters.down_bytes, __ATOMIC_RELAXED);
	ret->drops = __atomic_load_n(&d->counters.drops, __ATOMIC_RELAXED);
}

/* Entry to remove, or NO_ENTRY with what to answer. */
static uint32_t find_removal(
	const struct cw_dptab *t, const struct cw_dp_removal *r, enum cw_dp_status *ret)
{
	enum cw_dp_status overlap;
	uint32_t no;

	*ret = CW_DP_INVALID;
	if (!cw_dptab_ports_ok(r->ports))
		return NO_ENTRY;
	no = find_exact(t, be32(r->ipv4), r->ports, &overlap);
	*ret = CW_DP_OK; /* that key is not there, whatever else is */
	if (no != NO_ENTRY && r->generation < entry_at(t, no)->generation) {
		*ret = CW_DP_STALE;
		return NO_ENTRY;
	}
	return no;
}

enum cw_dp_status cw_dptab_would_remove(const struct cw_dptab *t, const struct cw_dp_removal *r)
{
	enum cw_dp_status status;

	(void) find_removal(t, r, &status);
	return status;
}

enum cw_dp_status cw_dptab_remove(
	struct cw_dptab *t, const struct cw_dp_removal *r, struct cw_dp_counters *ret_counters)
{
	struct cw_dp_counters c = {0};
	enum cw_dp_status status;
	uint32_t ipv4 = be32(r->ipv4), no = find_removal(t, r, &status);

	if (no != NO_ENTRY) {
		write_lock(t);
		/* Readers are out now, so these are the last values. */
		counters_load(t, no, &c);
		index_remove(t, ipv4, key_psid(entry_at(t, no)));
		entry_give(t, no);
		t->count--;
		if (r->ports.len) {
			uint32_t m = find_key(t, ipv4, PSID_WHOLE, NULL);

			if (--entry_at(t, m)->link == 0) {
				index_remove(t, ipv4, PSID_WHOLE);
				entry_give(t, m);
				t->markers--;
			}
		}
		write_unlock(t);
		if (t->order && ++t->changes > 16384 + t->count / 64)
			order_drop(t);
	}
	if (ret_counters)
		*ret_counters = c;
	return status;
}

void cw_dptab_flush(struct cw_dptab *t)
{
	write_lock(t);
	memset(t->slots, 0, ((size_t) t->mask + 1) * sizeof *t->slots);
	for (size_t i = 0; i < CHUNKS; i++) {
		free(t->chunks[i]);
		free(t->dyns[i]);
		t->chunks[i] = NULL;
		t->dyns[i] = NULL;
	}
	t->used = t->count = t->markers = 0;
	t->free_head = NO_ENTRY;
	write_unlock(t);
	order_drop(t);
}

/* --- listing --- */

/* Sorts n keys of 48 bits: three passes over 16 bits when there are many. */
static bool sort_keys(uint64_t *keys, size_t n)
{
	uint64_t *from = keys, *to = calloc(n ? n : 1, sizeof *to);
	uint32_t *counts = calloc(65536, sizeof *counts);

	if (!to || !counts) {
		free(to);
		free(counts);
		return false;
	}
	for (unsigned shift = 0; shift < 48; shift += 16) {
		uint64_t *const spare = from;
		uint32_t sum = 0;

		memset(counts, 0, 65536 * sizeof *counts);
		for (size_t i = 0; i < n; i++)
			counts[(from[i] >> shift) & 0xffff]++;
		for (size_t i = 0; i < 65536; i++) {
			uint32_t c = counts[i];

			counts[i] = sum;
			sum += c;
		}
		for (size_t i = 0; i < n; i++)
			to[counts[(from[i] >> shift) & 0xffff]++] = from[i];
		from = to;
		to = spare;
	}
	/* Three passes end in the other array. */
	memcpy(keys, from, n * sizeof *keys);
	free(from);
	free(counts);
	return true;
}

static int key_cmp(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

	return (x > y) - (x < y);
}

static bool order_make(struct cw_dptab *t)
{
	size_t n = 0;

	if (t->order) {
		if (t->recent_sorted < t->recent_n) {
			qsort(t->recent, t->recent_n, sizeof *t->recent, key_cmp);
			t->recent_sorted = t->recent_n;
		}
		return true;
	}
	t->order = calloc(t->count ? t->count : 1, sizeof *t->order);
	if (!t->order)
		return false;
	for (uint32_t i = 0; i < t->used; i++) {
		const struct cw_dptab_entry *e = entry_at(t, i);

		if (e->kind == KIND_WHOLE || e->kind == KIND_PORTS)
			t->order[n++] = row_key(e->ipv4, e->psid);
	}
	t->order_n = n;
	if (n > 4096) {
		if (sort_keys(t->order, n))
			return true;
		order_drop(t);
		return false;
	}
	qsort(t->order, n, sizeof *t->order, key_cmp);
	return true;
}

/* First place in a sorted array that is > key. */
static size_t upper(const uint64_t *a, size_t n, uint64_t key)
{
	size_t lo = 0;

	while (lo < n) {
		size_t mid = lo + (n - lo) / 2;

		if (a[mid] > key)
			n = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

static uint32_t find_row(const struct cw_dptab *t, uint64_t key)
{
	uint32_t ipv4 = (uint32_t) (key >> 16), psid = (uint32_t) key & 0xffff;
	uint32_t no = find_key(t, ipv4, PSID_WHOLE, NULL);

	if (no == NO_ENTRY)
		return NO_ENTRY;
	if (entry_at(t, no)->kind == KIND_WHOLE)
		return psid == 0 ? no : NO_ENTRY;
	return find_key(t, ipv4, psid, NULL);
}

static void row_of(const struct cw_dptab *t, uint32_t no, struct cw_dp_row *ret)
{
	const struct cw_dptab_entry *e = entry_at(t, no);

	memset(ret, 0, sizeof *ret);
	for (int i = 0; i < 4; i++)
		ret->binding.ipv4[i] = (uint8_t) (e->ipv4 >> (24 - 8 * i));
	ret->binding.ports =
		(struct cw_dp_ports){.offset = e->offset, .len = e->len, .psid = e->psid};
	memcpy(ret->binding.ipv6, e->ipv6, 16);
	ret->binding.lease = e->lease;
	ret->binding.generation = e->generation;
	ret->binding.expires_boot_ms = e->expires_boot_ms;
	ret->binding.mtu = e->mtu;
	counters_load(t, no, &ret->counters);
}

bool cw_dptab_get(const struct cw_dptab *t, const uint8_t ipv4[4], struct cw_dp_ports ports,
	struct cw_dp_row *ret)
{
	enum cw_dp_status overlap;
	uint32_t no =
		cw_dptab_ports_ok(ports) ? find_exact(t, be32(ipv4), ports, &overlap) : NO_ENTRY;

	if (no == NO_ENTRY)
		return false;
	row_of(t, no, ret);
	return true;
}

long cw_dptab_list(struct cw_dptab *t, struct cw_dp_cursor after, size_t max,
	struct cw_dp_row *rows, bool *ret_more, struct cw_dp_cursor *ret_next)
{
	size_t i = 0, r = 0, n = 0;

	*ret_more = false;
	if (max > LONG_MAX)
		max = LONG_MAX;
	if (!order_make(t))
		return -1;
	if (!after.begin) {
		uint64_t key = row_key(be32(after.ipv4), after.psid);

		i = upper(t->order, t->order_n, key);
		r = upper(t->recent, t->recent_n, key);
	}
	while (i < t->order_n || r < t->recent_n) {
		bool recent = i >= t->order_n || (r < t->recent_n && t->recent[r] < t->order[i]);
		uint64_t key = recent ? t->recent[r] : t->order[i];
		uint32_t no = find_row(t, key);

		while (i < t->order_n && t->order[i] == key)
			i++;
		while (r < t->recent_n && t->recent[r] == key)
			r++;
		if (no == NO_ENTRY)
			continue;
		if (n == max) {
			*ret_more = true;
			break;
		}
		row_of(t, no, &rows[n++]);
	}
	if (*ret_more) {
		*ret_next = after;
		if (n) {
			memcpy(ret_next->ipv4, rows[n - 1].binding.ipv4, 4);
			ret_next->psid = rows[n - 1].binding.ports.psid;
			ret_next->begin = 0;
		}
	}
	return (long) n;
}

int64_t cw_dptab_expired(const struct cw_dptab *t, int64_t now_boot_ms, size_t max,
	void (*fn)(void *arg, const struct cw_dptab_entry *e), void *arg)
{
	int64_t next = CW_DP_NO_EXPIRY;

	for (uint32_t i = 0; i < t->used; i++) {
		const struct cw_dptab_entry *e = entry_at(t, i);

		if (e->kind != KIND_WHOLE && e->kind != KIND_PORTS)
			continue;
		if (e->expires_boot_ms <= now_boot_ms && max) {
			max--;
			fn(arg, e);
		} else if (e->expires_boot_ms < next) {
			next = e->expires_boot_ms;
		}
	}
	return next;
}

/* --- packets --- */

enum cw_dptab_sharing cw_dptab_find(const struct cw_dptab *t, uint32_t ipv4,
	const struct cw_dptab_entry **ret_entry, struct cw_dptab_dyn **ret_dyn)
{
	uint32_t no = find_key(t, ipv4, PSID_WHOLE, NULL);

	if (no == NO_ENTRY)
		return CW_DPTAB_NONE;
	*ret_entry = entry_at(t, no);
	*ret_dyn = dyn_at(t, no);
	return (*ret_entry)->kind == KIND_WHOLE ? CW_DPTAB_WHOLE : CW_DPTAB_PORTS;
}

bool cw_dptab_find_port(const struct cw_dptab *t, uint32_t ipv4, uint16_t port,
	const struct cw_dptab_entry **ret_entry, struct cw_dptab_dyn **ret_dyn)
{
	uint32_t no = find_key(t, ipv4, PSID_WHOLE, NULL), psid;
	const struct cw_dptab_entry *m;

	if (no == NO_ENTRY)
		return false;
	m = entry_at(t, no);
	if (m->kind != KIND_MARKER)
		return false;
	/* RFC 7597 5.1: port = A (a bits) . PSID (k) . rest; with a > 0 the block A = 0 belongs to
	 * nobody. */
	if (m->offset && port >> (16 - m->offset) == 0)
		return false;
	psid = ((uint32_t) port >> (16 - m->offset - m->len)) & ((1u << m->len) - 1);
	no = find_key(t, ipv4, psid, NULL);
	if (no == NO_ENTRY)
		return false;
	*ret_entry = entry_at(t, no);
	*ret_dyn = dyn_at(t, no);
	return true;
}
