/* SPDX-License-Identifier: BSD-2-Clause */
/* The plugins' binding table: its rules one by one, then random operations against a naive model,
 * then a million. */
#include "config.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/plugins/common/table.h"
#include "tests/lib/cw-cmocka.h"

static struct cw_dp_binding binding(uint32_t v4, uint8_t a, uint8_t k, uint16_t psid, uint64_t gen)
{
	struct cw_dp_binding b = {
		.ipv4 = {(uint8_t) (v4 >> 24), (uint8_t) (v4 >> 16), (uint8_t) (v4 >> 8),
			(uint8_t) v4},
		.ports = {a, k, psid},
		.ipv6 = {0x20, 0x01, 0x0d, 0xb8},
		.lease = v4,
		.generation = gen,
		.expires_boot_ms = CW_DP_NO_EXPIRY,
	};

	memcpy(b.ipv6 + 10, b.ipv4, 4);
	b.ipv6[15] = (uint8_t) psid;
	return b;
}

static struct cw_dp_removal removal(const struct cw_dp_binding *b, uint64_t gen)
{
	struct cw_dp_removal r = {.ports = b->ports, .lease = b->lease, .generation = gen};

	memcpy(r.ipv4, b->ipv4, 4);
	return r;
}

#define ADDR 0xc6336400u /* 198.51.100.0 */

static void rules(void **state)
{
	struct cw_dptab *t = cw_dptab_new(4, CW_DPTAB_COUNTERS);
	struct cw_dp_binding b = binding(ADDR + 1, 0, 0, 0, 5), p = binding(ADDR + 2, 0, 4, 3, 1),
			     x;
	struct cw_dp_counters c;
	struct cw_dp_removal r;
	const struct cw_dptab_entry *e;
	struct cw_dptab_dyn *d;

	(void) state;
	assert_int_equal(cw_dptab_apply(t, &b), CW_DP_OK);
	assert_int_equal(cw_dptab_apply(t, &b), CW_DP_OK);
	assert_int_equal(cw_dptab_count(t), 1);
	x = b;
	x.generation = 4;
	assert_int_equal(cw_dptab_apply(t, &x), CW_DP_STALE);
	/* Counters survive a renewal, not another lease. */
	assert_int_equal(cw_dptab_find(t, ADDR + 1, &e, &d), CW_DPTAB_WHOLE);
	d->counters.up_packets = 7;
	x = b;
	x.expires_boot_ms = 99;
	x.generation = 6;
	assert_int_equal(cw_dptab_apply(t, &x), CW_DP_OK);
	assert_int_equal(d->counters.up_packets, 7);
	assert_int_equal(e->expires_boot_ms, 99);
	x.lease++;
	assert_int_equal(cw_dptab_apply(t, &x), CW_DP_OK);
	assert_int_equal(d->counters.up_packets, 0);
	d->counters.drops = 3;
	/* Overlap in both directions, and another division of the same address. */
	x = binding(ADDR + 1, 0, 4, 1, 9);
	assert_int_equal(cw_dptab_apply(t, &x), CW_DP_EXISTS);
	assert_int_equal(cw_dptab_apply(t, &p), CW_DP_OK);
	x = binding(ADDR + 2, 0, 0, 0, 9);
	assert_int_equal(cw_dptab_apply(t, &x), CW_DP_EXISTS);
	x = binding(ADDR + 2, 0, 5, 3, 9);
	assert_int_equal(cw_dptab_apply(t, &x), CW_DP_EXISTS);
	x = binding(ADDR + 2, 4, 4, 3, 9);
	assert_int_equal(cw_dptab_apply(t, &x), CW_DP_EXISTS);
	/* Full, except for what is there. */
	x = binding(ADDR + 2, 0, 4, 4, 1);
	assert_int_equal(cw_dptab_apply(t, &x), CW_DP_OK);
	x = binding(ADDR + 2, 0, 4, 5, 1);
	assert_int_equal(cw_dptab_apply(t, &x), CW_DP_OK);
	x = binding(ADDR + 2, 0, 4, 6, 1);
	assert_int_equal(cw_dptab_would_apply(t, &x), CW_DP_FULL);
	assert_int_equal(cw_dptab_apply(t, &x), CW_DP_FULL);
	assert_int_equal(cw_dptab_apply(t, &p), CW_DP_OK);
	/* Removal: stale, of nothing, real, again. */
	r = removal(&b, 5);
	assert_int_equal(cw_dptab_would_remove(t, &r), CW_DP_STALE);
	assert_int_equal(cw_dptab_remove(t, &r, &c), CW_DP_STALE);
	assert_int_equal(cw_dptab_count(t), 4);
	r = removal(&b, 6);
	assert_int_equal(cw_dptab_remove(t, &r, &c), CW_DP_OK);
	assert_int_equal(c.drops, 3);
	assert_int_equal(cw_dptab_remove(t, &r, &c), CW_DP_OK);
	assert_int_equal(c.drops, 0);
	assert_int_equal(cw_dptab_find(t, ADDR + 1, &e, &d), CW_DPTAB_NONE);
	/* When its last port set is gone, an address may be divided otherwise. */
	for (uint16_t psid = 3; psid <= 5; psid++) {
		x = binding(ADDR + 2, 0, 4, psid, 1);
		r = removal(&x, 1);
		assert_int_equal(cw_dptab_remove(t, &r, NULL), CW_DP_OK);
	}
	x = binding(ADDR + 2, 0, 0, 0, 1);
	assert_int_equal(cw_dptab_apply(t, &x), CW_DP_OK);
	assert_null(cw_dptab_free(t));
}

static void invalid(void **state)
{
	static const uint8_t v6[][16] = {{0}, {[15] = 1}, {0xff, 2}, {0xfe, 0x80}, {0xfe, 0xbf},
		{[10] = 0xff, [11] = 0xff, [12] = 1}};
	static const uint32_t v4[] = {0, 0x00000001, 0x7f000001, 0xe0000001, 0xffffffff};
	static const struct cw_dp_ports ports[] = {
		{1, 0, 0}, {0, 0, 1}, {0, 17, 0}, {16, 1, 0}, {8, 9, 0}, {0, 4, 16}};
	struct cw_dptab *t = cw_dptab_new(0, 0);
	struct cw_dp_binding b;

	(void) state;
	for (size_t i = 0; i < sizeof v6 / sizeof *v6; i++) {
		b = binding(ADDR, 0, 0, 0, 1);
		memcpy(b.ipv6, v6[i], 16);
		assert_int_equal(cw_dptab_apply(t, &b), CW_DP_INVALID);
	}
	for (size_t i = 0; i < sizeof v4 / sizeof *v4; i++) {
		b = binding(v4[i], 0, 0, 0, 1);
		assert_int_equal(cw_dptab_apply(t, &b), CW_DP_INVALID);
	}
	for (size_t i = 0; i < sizeof ports / sizeof *ports; i++) {
		struct cw_dp_removal r = {.generation = 1, .ports = ports[i]};

		b = binding(ADDR, 0, 0, 0, 1);
		b.ports = ports[i];
		assert_int_equal(cw_dptab_apply(t, &b), CW_DP_INVALID);
		assert_int_equal(cw_dptab_remove(t, &r, NULL), CW_DP_INVALID);
	}
	b = binding(ADDR, 0, 0, 0, 1);
	b.mtu = 67;
	assert_int_equal(cw_dptab_apply(t, &b), CW_DP_INVALID);
	b.mtu = 65536;
	assert_int_equal(cw_dptab_apply(t, &b), CW_DP_INVALID);
	assert_int_equal(cw_dptab_count(t), 0);
	(void) cw_dptab_free(t);
}

/* RFC 7597 5.1, against the definition bit by bit. */
static void ports(void **state)
{
	static const uint8_t ak[][2] = {
		{0, 1}, {0, 4}, {0, 8}, {0, 16}, {4, 8}, {6, 8}, {4, 4}, {8, 8}, {15, 1}};

	(void) state;
	for (size_t s = 0; s < sizeof ak / sizeof *ak; s++) {
		unsigned a = ak[s][0], k = ak[s][1], m = 16 - a - k;
		uint16_t psid = (uint16_t) ((1u << k) * 2 / 3);
		struct cw_dptab *t = cw_dptab_new(0, 0);
		struct cw_dp_binding b = binding(ADDR, (uint8_t) a, (uint8_t) k, psid, 1);
		const struct cw_dptab_entry *e;
		struct cw_dptab_dyn *d;

		assert_int_equal(cw_dptab_apply(t, &b), CW_DP_OK);
		assert_int_equal(cw_dptab_find(t, ADDR, &e, &d), CW_DPTAB_PORTS);
		for (uint32_t port = 0; port < 65536; port++) {
			uint32_t block = port / (1u << (16 - a)),
				 mine = port % (1u << (16 - a)) / (1u << m);
			bool want = mine == psid && (a == 0 || block > 0);

			if (a == 0)
				assert_int_equal(block, 0);
			if (cw_dptab_find_port(t, ADDR, (uint16_t) port, &e, &d) != want)
				fail_msg("a %u k %u port %u", a, k, port);
		}
		assert_false(cw_dptab_find_port(t, ADDR + 1, 5, &e, &d));
		(void) cw_dptab_free(t);
	}
}

/* --- model --- */

enum { ADDRS = 40, PSIDS = 4 };
struct model {
	bool there[ADDRS][PSIDS + 1]; /* the last: whole */
	uint64_t gen[ADDRS][PSIDS + 1];
};

static unsigned seed = 1;
static unsigned rnd(unsigned n)
{
	return (unsigned) rand_r(&seed) % n;
}

static enum cw_dp_status model_apply(struct model *m, unsigned a, unsigned p, uint64_t gen)
{
	bool shared = false;

	for (unsigned i = 0; i < PSIDS; i++)
		shared |= m->there[a][i];
	if (p == PSIDS ? shared : m->there[a][PSIDS])
		return CW_DP_EXISTS;
	if (m->there[a][p] && gen < m->gen[a][p])
		return CW_DP_STALE;
	m->there[a][p] = true;
	m->gen[a][p] = gen;
	return CW_DP_OK;
}

/* Pages through the table and compares with the model. */
static void compare(struct cw_dptab *t, const struct model *m)
{
	struct cw_dp_cursor at = {.begin = 1};
	struct cw_dp_row rows[7];
	size_t page = 1 + rnd(7), seen = 0, want = 0;
	uint64_t last = 0;
	bool more = true;

	for (unsigned a = 0; a < ADDRS; a++)
		for (unsigned p = 0; p <= PSIDS; p++)
			want += m->there[a][p];
	while (more) {
		struct cw_dp_cursor next = at;
		long n = cw_dptab_list(t, at, page, rows, &more, &next);

		assert_true(n >= 0 && (size_t) n <= page);
		for (long i = 0; i < n; i++) {
			const struct cw_dp_binding *b = &rows[i].binding;
			unsigned a = b->ipv4[3], p = b->ports.len ? b->ports.psid : PSIDS;
			uint64_t key = a * 65536u + b->ports.psid + 1;

			assert_true(key > last);
			last = key;
			assert_true(m->there[a][p]);
			assert_int_equal(m->gen[a][p], b->generation);
			seen++;
		}
		at = next;
	}
	assert_int_equal(seen, want);
	assert_int_equal(cw_dptab_count(t), want);
}

static void against_model(void **state)
{
	struct cw_dptab *t = cw_dptab_new(0, CW_DPTAB_COUNTERS);
	struct model m = {0};

	(void) state;
	for (unsigned step = 0; step < 60000; step++) {
		unsigned a = rnd(ADDRS), p = rnd(PSIDS + 1), gen = rnd(50);
		struct cw_dp_binding b = binding(
			ADDR + a, 0, p == PSIDS ? 0 : 2, p == PSIDS ? 0 : (uint16_t) p, gen);

		if (rnd(5) < 3) {
			enum cw_dp_status would = cw_dptab_would_apply(t, &b),
					  want = model_apply(&m, a, p, gen);

			assert_int_equal(would, want);
			assert_int_equal(cw_dptab_apply(t, &b), want);
		} else {
			struct cw_dp_removal r = removal(&b, gen);
			bool stale = m.there[a][p] && gen < m.gen[a][p];

			assert_int_equal(
				cw_dptab_remove(t, &r, NULL), stale ? CW_DP_STALE : CW_DP_OK);
			if (!stale)
				m.there[a][p] = false;
		}
		if (step % 37 == 0)
			compare(t, &m);
		if (step % 20000 == 19999) {
			cw_dptab_flush(t);
			memset(&m, 0, sizeof m);
			compare(t, &m);
		}
	}
	(void) cw_dptab_free(t);
}

static void count_expired(void *arg, const struct cw_dptab_entry *e)
{
	assert_true(e->expires_boot_ms <= 100);
	(*(unsigned *) arg)++;
}

static void expiry(void **state)
{
	struct cw_dptab *t = cw_dptab_new(0, 0);
	unsigned n = 0;

	(void) state;
	for (unsigned i = 0; i < 20; i++) {
		struct cw_dp_binding b = binding(ADDR + i, 0, 0, 0, 1);

		b.expires_boot_ms = i * 10;
		assert_int_equal(cw_dptab_apply(t, &b), CW_DP_OK);
	}
	assert_int_equal(cw_dptab_expired(t, 100, 100, count_expired, &n), 110);
	assert_int_equal(n, 11);
	n = 0;
	assert_int_equal(cw_dptab_expired(t, 100, 3, count_expired, &n), 30);
	assert_int_equal(n, 3);
	(void) cw_dptab_free(t);
}

/* A million bindings, half of them port sets: memory, and that every one is found and listed in
 * order. */
static void a_million(void **state)
{
	const uint32_t n = 1000000;
	size_t before = mallinfo2().uordblks + mallinfo2().hblkhd, used, seen = 0;
	struct cw_dptab *t = cw_dptab_new(0, 0);
	struct cw_dp_cursor at = {.begin = 1};
	struct cw_dp_row *rows = calloc(1024, sizeof *rows);
	bool more = true;

	(void) state;
	for (uint32_t i = 0; i < n; i++) {
		/* In an order with no pattern: 7919 has no factor in common with n. */
		uint32_t j = (uint32_t) ((uint64_t) i * 7919 % n);
		struct cw_dp_binding b = j < n / 2 ? binding(0x0a000000 + j, 0, 0, 0, 1)
						   : binding(0x0b000000 + j / 64, 0, 6, j % 64, 1);

		assert_int_equal(cw_dptab_apply(t, &b), CW_DP_OK);
	}
	while (more) {
		long k = cw_dptab_list(t, at, 1024, rows, &more, &at);

		assert_true(k > 0);
		seen += (size_t) k;
	}
	assert_int_equal(seen, n);
	used = mallinfo2().uordblks + mallinfo2().hblkhd - before;
	print_message("# %u bindings: %.1f MB\n", n, (double) used / 1e6);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	/* Valgrind's heap has no statistics. */
	if (!getenv("CW_TEST_VALGRIND"))
		assert_true(used > 56000000 && used < 80000000);
#endif
	free(rows);
	(void) cw_dptab_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules),
		cmocka_unit_test(invalid),
		cmocka_unit_test(ports),
		cmocka_unit_test(against_model),
		cmocka_unit_test(expiry),
		cmocka_unit_test(a_million),
	};

	return cmocka_run_group_tests_name("dptable", tests, NULL, NULL);
}
