/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "tests/lib/fake-dphost.h"

enum { MAX = 16384, HELD_MAX = 64 };

struct cw_dphost {
	struct cw_dp_caps caps;
	bool closed;
};

struct held {
	bool removes;
	struct cw_dp_binding *b;
	struct cw_dp_removal *r;
	size_t n;
	cw_dphost_results_t *fn;
	void *arg;
};

struct fake_tep fake_tep;
static struct cw_dp_row table[MAX];
static size_t count;
static struct held held[HELD_MAX];
static size_t n_held;

static uint64_t key(const uint8_t ipv4[4], uint16_t psid)
{
	return ((uint64_t) ipv4[0] << 24 | (uint64_t) ipv4[1] << 16 | (uint64_t) ipv4[2] << 8 |
		       ipv4[3])
		       << 16 |
	       psid;
}

/* Where a key is, or would be: the table is sorted, as list answers must be. */
static size_t place_of(uint64_t k)
{
	size_t lo = 0, hi = count;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (key(table[mid].binding.ipv4, table[mid].binding.ports.psid) < k)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct cw_dp_row *find(const uint8_t ipv4[4], uint16_t psid)
{
	size_t i = place_of(key(ipv4, psid));

	if (i == count ||
		key(table[i].binding.ipv4, table[i].binding.ports.psid) != key(ipv4, psid))
		return NULL;
	return &table[i];
}

static int apply_one(const struct cw_dp_binding *b)
{
	struct cw_dp_row *row = find(b->ipv4, b->ports.psid);

	if (row && row->binding.generation > b->generation)
		return CW_E_STALE;
	if (!row) {
		size_t i = place_of(key(b->ipv4, b->ports.psid));

		if (count == MAX)
			abort();
		/* Not memmove(): Valgrind may take the fortified one for memcpy(). */
		for (size_t k = count; k > i; k--)
			table[k] = table[k - 1];
		count++;
		row = &table[i];
		memset(row, 0, sizeof *row);
	}
	row->binding = *b;
	fake_tep.items_applied++;
	return 0;
}

static int remove_one(const struct cw_dp_removal *r)
{
	struct cw_dp_row *row = find(r->ipv4, r->ports.psid);

	if (!row)
		return 0;
	if (row->binding.generation > r->generation)
		return CW_E_STALE;
	count--;
	for (; row < table + count; row++)
		*row = row[1];
	fake_tep.items_removed++;
	return 0;
}

void fake_tep_reset(void)
{
	memset(&fake_tep, 0, sizeof fake_tep);
	count = 0;
	n_held = 0;
}

size_t fake_tep_count(void)
{
	return count;
}

const struct cw_dp_binding *fake_tep_get(uint32_t addr)
{
	const uint8_t ipv4[4] = {(uint8_t) (addr >> 24), (uint8_t) (addr >> 16),
		(uint8_t) (addr >> 8), (uint8_t) addr};
	struct cw_dp_row *row = find(ipv4, 0);

	return row ? &row->binding : NULL;
}

void fake_tep_drop(uint32_t addr)
{
	struct cw_dp_removal r = {.generation = UINT64_MAX};

	for (unsigned i = 0; i < 4; i++)
		r.ipv4[i] = (uint8_t) (addr >> (24 - 8 * i));
	(void) remove_one(&r);
}

void fake_tep_put(const struct cw_dp_binding *b)
{
	if (apply_one(b) != 0)
		abort();
}

size_t fake_tep_held(void)
{
	return n_held;
}

static void answer(struct held *h, bool dropped)
{
	int *items = calloc(h->n, sizeof *items);
	bool dead = dropped || fake_tep.mode == FAKE_DEAD || fake_tep.mode == FAKE_DEAD_DONE;
	int result = dead ? CW_E_TEP : 0;

	for (size_t i = 0; i < h->n; i++) {
		bool refused = h->removes ? fake_tep.mode == FAKE_REFUSE_REMOVE
					  : fake_tep.mode == FAKE_REFUSE;

		if (fake_tep.mode == FAKE_AGAIN)
			items[i] = -EAGAIN;
		else if (refused || fake_tep.mode == FAKE_DEAD || dropped)
			items[i] = CW_E_TEP;
		else
			items[i] = h->removes ? remove_one(&h->r[i]) : apply_one(&h->b[i]);
		if (dead)
			items[i] = CW_E_TEP;
	}
	h->fn(h->arg, result, items, NULL, h->n);
	free(items);
	free(h->b);
	free(h->r);
}

void fake_tep_answer(bool dropped)
{
	struct held now[HELD_MAX];
	size_t n = n_held;

	memcpy(now, held, n * sizeof *now);
	n_held = 0;
	for (size_t i = 0; i < n; i++)
		answer(&now[i], dropped);
}

static void ask(struct held *h)
{
	if (fake_tep.mode != FAKE_HOLD) {
		answer(h, false);
		return;
	}
	if (n_held == HELD_MAX)
		abort();
	held[n_held++] = *h;
}

int cw_dphost_open(struct cw_loop *loop, const struct cw_dphost_config *conf, char *why,
	size_t why_n, struct cw_dphost **ret)
{
	(void) loop;
	(void) conf;
	(void) why;
	(void) why_n;
	fake_tep.opens++;
	*ret = calloc(1, sizeof **ret);
	return 0;
}

int cw_dphost_check(const struct cw_dphost_config *conf, char *why, size_t why_n)
{
	(void) conf;
	(void) why;
	(void) why_n;
	return 0;
}

struct cw_dphost *cw_dphost_close(struct cw_dphost *h)
{
	/* What was on its way was not done; the test does it before if it wants. */
	while (h && n_held) {
		struct held last = held[--n_held];

		last.fn(last.arg, CW_E_SHUTDOWN, NULL, NULL, 0);
		free(last.b);
		free(last.r);
	}
	free(h);
	return NULL;
}

const struct cw_dp_caps *cw_dphost_caps(const struct cw_dphost *h)
{
	return &h->caps;
}

void cw_dphost_apply(struct cw_dphost *h, const struct cw_dp_binding *b, size_t n,
	cw_dphost_results_t *fn, void *arg)
{
	struct held it = {.n = n, .fn = fn, .arg = arg, .b = calloc(n, sizeof *b)};

	(void) h;
	memcpy(it.b, b, n * sizeof *b);
	fake_tep.applies++;
	ask(&it);
}

void cw_dphost_remove(struct cw_dphost *h, const struct cw_dp_removal *r, size_t n,
	cw_dphost_results_t *fn, void *arg)
{
	struct held it = {.removes = true, .n = n, .fn = fn, .arg = arg, .r = calloc(n, sizeof *r)};

	(void) h;
	memcpy(it.r, r, n * sizeof *r);
	fake_tep.removes++;
	ask(&it);
}

void cw_dphost_list(
	struct cw_dphost *h, struct cw_dp_cursor after, size_t max, cw_dphost_rows_t *fn, void *arg)
{
	struct cw_dp_cursor next = {0};
	size_t from = 0, n;

	(void) h;
	fake_tep.lists++;
	if (fake_tep.mode == FAKE_DEAD || fake_tep.mode == FAKE_DEAD_DONE) {
		fn(arg, CW_E_TEP, NULL, 0, NULL);
		return;
	}
	while (!after.begin && from < count &&
		key(table[from].binding.ipv4, table[from].binding.ports.psid) <=
			key(after.ipv4, after.psid))
		from++;
	n = count - from;
	if (n > max)
		n = max;
	if (fake_tep.page && n > fake_tep.page)
		n = fake_tep.page;
	if (from + n < count) {
		memcpy(next.ipv4, table[from + n - 1].binding.ipv4, 4);
		next.psid = table[from + n - 1].binding.ports.psid;
	}
	fn(arg, 0, table + from, n, from + n < count ? &next : NULL);
}

struct cw_dp_ports cw_dp_ports_of(struct cw_portset ps)
{
	return (struct cw_dp_ports){ps.offset, ps.len, ps.psid};
}

struct cw_portset cw_portset_of_dp(struct cw_dp_ports p)
{
	return (struct cw_portset){p.offset, p.len, p.psid};
}
