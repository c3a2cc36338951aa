/* SPDX-License-Identifier: BSD-2-Clause */
/* Four rows of 64-bit multiply-shift hashes with random odd factors: a peer cannot aim at a cell. 2
 * MiB. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "broker/access/tsp/netcount.h"

enum { ROWS = 4, CELL_BITS = 18 };

struct cw_netcount {
	uint64_t factor[ROWS];
	uint16_t cell[ROWS][1u << CELL_BITS];
};

static size_t cell_of(const struct cw_netcount *n, unsigned row, const struct cw_addr6 *a)
{
	uint64_t net;

	memcpy(&net, a->b, sizeof net);
	net ^= net >> 32;
	return (size_t) ((net * n->factor[row]) >> (64 - CELL_BITS));
}

int cw_netcount_new(struct cw_netcount **ret)
{
	struct cw_netcount *n = cw_zalloc(1, sizeof *n);
	int r;

	if (!n)
		return -ENOMEM;
	r = cw_random(n->factor, sizeof n->factor);
	if (r < 0) {
		(void) cw_free(n);
		return r;
	}
	for (unsigned i = 0; i < ROWS; i++)
		n->factor[i] |= 1;
	*ret = n;
	return 0;
}

struct cw_netcount *cw_netcount_free(struct cw_netcount *n)
{
	return cw_free(n);
}

void cw_netcount_add(struct cw_netcount *n, const struct cw_addr6 *a)
{
	for (unsigned i = 0; i < ROWS; i++) {
		uint16_t *c = &n->cell[i][cell_of(n, i, a)];

		if (*c < UINT16_MAX)
			(*c)++;
	}
}

void cw_netcount_sub(struct cw_netcount *n, const struct cw_addr6 *a)
{
	for (unsigned i = 0; i < ROWS; i++) {
		uint16_t *c = &n->cell[i][cell_of(n, i, a)];

		/* A cell that was full has lost count and stays full until the next start. */
		if (*c > 0 && *c < UINT16_MAX)
			(*c)--;
	}
}

unsigned cw_netcount_get(const struct cw_netcount *n, const struct cw_addr6 *a)
{
	unsigned least = UINT16_MAX;

	for (unsigned i = 0; i < ROWS; i++) {
		unsigned c = n->cell[i][cell_of(n, i, a)];

		least = c < least ? c : least;
	}
	return least;
}
