/* SPDX-License-Identifier: BSD-2-Clause */
/* Hash map: a dense array of entries in order of arrival, and a table of 32-bit places into it,
 * probed linearly. A place taken out leaves a hole (value NULL) that the next growth closes, so a
 * visit by number survives the removal of what it visits; the table itself closes its gaps at once
 * (backward shift), so there are no tombstones. Keys up to 16 octets (integers, addresses) lie in
 * the entry, longer ones on the heap. Hash: SipHash-1-3 (Aumasson, Bernstein) with a key drawn once
 * per process. Thread: the owner's. */
#include "config.h"

#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"

#define INLINE_KEY 16
#define MIN_TABLE  ((size_t) 16)
#define MAX_TABLE  ((size_t) 1 << 31)
#define FREE_PLACE UINT32_MAX

struct entry {
	void *value; /* NULL: a hole */
	uint32_t hash;
	uint8_t n;
	union {
		uint8_t in[INLINE_KEY];
		uint8_t *out;
	} key;
};

struct cw_map {
	struct entry *entries; /* room for table_size * 3 / 4 */
	uint32_t *table;       /* table_size places, a power of two */
	size_t table_size;
	size_t used; /* entries in use, holes included */
	size_t count;
};

static uint64_t process_key[2];
static int process_key_state;
static pthread_once_t process_key_once = PTHREAD_ONCE_INIT;

static inline uint64_t rotl(uint64_t v, unsigned by)
{
	return v << by | v >> (64 - by);
}

static inline void sip_round(uint64_t v[static 4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] = rotl(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] = rotl(v[2], 32);
}

static inline __attribute__((always_inline)) uint64_t siphash(
	unsigned c, unsigned d, const uint64_t key[static 2], const void *p, size_t n)
{
	const uint8_t *in = p;
	uint64_t v[4] = {key[0] ^ UINT64_C(0x736f6d6570736575),
		key[1] ^ UINT64_C(0x646f72616e646f6d), key[0] ^ UINT64_C(0x6c7967656e657261),
		key[1] ^ UINT64_C(0x7465646279746573)};
	uint64_t m;
	size_t i = 0;

	for (; n - i >= 8; i += 8) {
		memcpy(&m, in + i, 8);
		m = le64toh(m);
		v[3] ^= m;
		for (unsigned k = 0; k < c; k++)
			sip_round(v);
		v[0] ^= m;
	}
	m = (uint64_t) n << 56;
	for (unsigned k = 0; i + k < n; k++)
		m |= (uint64_t) in[i + k] << (8 * k);
	v[3] ^= m;
	for (unsigned k = 0; k < c; k++)
		sip_round(v);
	v[0] ^= m;
	v[2] ^= 0xff;
	for (unsigned k = 0; k < d; k++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t cw_siphash(unsigned c, unsigned d, const uint64_t key[static 2], const void *p, size_t n)
{
	return siphash(c, d, key, p, n);
}

static void draw_process_key(void)
{
	process_key_state = cw_random(process_key, sizeof process_key);
}

static uint32_t hash_of(const void *key, size_t n)
{
	return (uint32_t) siphash(1, 3, process_key, key, n);
}

static const uint8_t *key_of(const struct entry *e)
{
	return e->n <= INLINE_KEY ? e->key.in : e->key.out;
}

static void drop_key(struct entry *e)
{
	if (e->n > INLINE_KEY)
		e->key.out = cw_free(e->key.out);
}

static size_t room_of(size_t table_size)
{
	return table_size / 4 * 3;
}

struct cw_map *cw_map_new(void)
{
	struct cw_map *m;

	(void) pthread_once(&process_key_once, draw_process_key);
	if (process_key_state < 0)
		return NULL;
	m = cw_zalloc(1, sizeof *m);
	return m;
}

struct cw_map *cw_map_free(struct cw_map *m)
{
	if (!m)
		return NULL;
	for (size_t i = 0; i < m->used; i++)
		if (m->entries[i].value)
			drop_key(&m->entries[i]);
	(void) cw_free(m->entries);
	(void) cw_free(m->table);
	return cw_free(m);
}

size_t cw_map_count(const struct cw_map *m)
{
	return m->count;
}

/* The table's place of a key; FREE_PLACE is never returned for a key that is there. */
static bool find(
	const struct cw_map *m, const void *key, size_t n, uint32_t hash, size_t *ret_place)
{
	const size_t mask = m->table_size - 1;

	if (!m->count || n > UINT8_MAX)
		return false;
	for (size_t i = hash & mask; m->table[i] != FREE_PLACE; i = (i + 1) & mask) {
		const struct entry *e = &m->entries[m->table[i]];

		if (e->hash == hash && e->n == n && (!n || memcmp(key_of(e), key, n) == 0)) {
			*ret_place = i;
			return true;
		}
	}
	return false;
}

static void table_add(struct cw_map *m, uint32_t hash, size_t number)
{
	const size_t mask = m->table_size - 1;
	size_t i = hash & mask;

	while (m->table[i] != FREE_PLACE)
		i = (i + 1) & mask;
	m->table[i] = (uint32_t) number;
}

/* Closes the holes and fills the (new or cleared) table. */
static void rebuild(struct cw_map *m)
{
	size_t to = 0;

	memset(m->table, 0xff, m->table_size * sizeof *m->table);
	for (size_t i = 0; i < m->used; i++) {
		if (!m->entries[i].value)
			continue;
		if (to != i)
			m->entries[to] = m->entries[i];
		table_add(m, m->entries[to].hash, to);
		to++;
	}
	m->used = to;
}

/* Makes room for one more entry. At least a quarter of the room was put or taken since the last
 * time, so the cost of moving everything is shared among as many calls. */
static int make_room(struct cw_map *m)
{
	size_t size = m->table_size ? m->table_size : MIN_TABLE;
	struct entry *entries;
	uint32_t *table;

	if (m->table_size && m->used < room_of(m->table_size))
		return 0;
	if (m->table_size && m->count >= room_of(m->table_size) / 4 * 3)
		size *= 2;
	if (size > MAX_TABLE)
		return -ENOMEM;
	if (size != m->table_size) {
		entries = cw_realloc(m->entries, room_of(size), sizeof *entries);
		if (!entries)
			return -ENOMEM;
		m->entries =
			entries; /* larger than the table says: harmless if the next step fails */
		table = cw_zalloc(size, sizeof *table);
		if (!table)
			return -ENOMEM;
		(void) cw_free(m->table);
		m->table = table;
		m->table_size = size;
	}
	rebuild(m);
	return 0;
}

void *cw_map_get(const struct cw_map *m, const void *key, size_t n)
{
	size_t place;

	if (!m->count || n > UINT8_MAX || !find(m, key, n, hash_of(key, n), &place))
		return NULL;
	return m->entries[m->table[place]].value;
}

int cw_map_put(struct cw_map *m, const void *key, size_t n, void *value, void **ret_old)
{
	uint32_t hash;
	uint8_t *out = NULL;
	struct entry *e;
	size_t place;

	if (n > UINT8_MAX)
		return CW_E_LIMIT;
	hash = hash_of(key, n);
	if (find(m, key, n, hash, &place)) {
		e = &m->entries[m->table[place]];
		if (ret_old)
			*ret_old = e->value;
		e->value = value;
		return 0;
	}
	if (make_room(m) < 0)
		return -ENOMEM;
	if (n > INLINE_KEY) {
		out = cw_memdup(key, n);
		if (!out)
			return -ENOMEM;
	}
	e = &m->entries[m->used];
	*e = (struct entry){.value = value, .hash = hash, .n = (uint8_t) n};
	if (out)
		e->key.out = out;
	else if (n)
		memcpy(e->key.in, key, n);
	table_add(m, hash, m->used);
	m->used++;
	m->count++;
	if (ret_old)
		*ret_old = NULL;
	return 0;
}

/* Empties a place and moves later ones of the same run back, so that no search stops short. */
static void table_remove(struct cw_map *m, size_t hole)
{
	const size_t mask = m->table_size - 1;

	for (size_t i = (hole + 1) & mask; m->table[i] != FREE_PLACE; i = (i + 1) & mask) {
		const size_t home = m->entries[m->table[i]].hash & mask;

		if (((i - home) & mask) >= ((i - hole) & mask)) {
			m->table[hole] = m->table[i];
			hole = i;
		}
	}
	m->table[hole] = FREE_PLACE;
}

void *cw_map_take(struct cw_map *m, const void *key, size_t n)
{
	struct entry *e;
	size_t place;
	void *value;

	if (!m->count || n > UINT8_MAX || !find(m, key, n, hash_of(key, n), &place))
		return NULL;
	e = &m->entries[m->table[place]];
	value = e->value;
	table_remove(m, place);
	drop_key(e);
	e->value = NULL;
	m->count--;
	if (!m->count)
		m->used = 0;
	return value;
}

void *cw_map_get_u64(const struct cw_map *m, uint64_t key)
{
	return cw_map_get(m, &key, sizeof key);
}

int cw_map_put_u64(struct cw_map *m, uint64_t key, void *value, void **ret_old)
{
	return cw_map_put(m, &key, sizeof key, value, ret_old);
}

void *cw_map_take_u64(struct cw_map *m, uint64_t key)
{
	return cw_map_take(m, &key, sizeof key);
}

void *cw_map_next(const struct cw_map *m, size_t *iter)
{
	while (*iter < m->used) {
		void *value = m->entries[(*iter)++].value;

		if (value)
			return value;
	}
	return NULL;
}
