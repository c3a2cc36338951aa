/* SPDX-License-Identifier: BSD-2-Clause */
/* TSP's XML parser, from a client and from a server: whatever is taken can be rendered, and what is
 * rendered is taken and rendered the same. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "schema/tsp/tsp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void try_parse(const uint8_t *data, size_t size, unsigned flags, struct cw_arena *arena)
{
	char once[CW_TSP_REPLY_MAX], twice[CW_TSP_REPLY_MAX];
	struct cw_tsp_msg m, again;
	enum cw_tsp_event ev = CW_TSP_EVENTS;
	int n;

	if (cw_tsp_parse(data, size, flags, arena, &m, &ev) < 0) {
		check(ev > CW_TSP_DONE && ev < CW_TSP_EVENTS);
		return;
	}
	check(m.n_brokers <= CW_TSP_BROKERS_MAX);
	/* A side without a usable address (from a server, or a TEP's delete) cannot be rendered,
	 * nor a long list. */
	n = cw_tsp_render_bare(NULL, &m, once, sizeof once);
	if (n < 0)
		return;
	check(cw_tsp_parse(once, (size_t) n, flags, arena, &again, &ev) == 0);
	check(cw_tsp_render_bare(NULL, &again, twice, sizeof twice) == n);
	check(memcmp(once, twice, (size_t) n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cw_arena *arena = cw_arena_new(65536);

	check(arena != NULL);
	cw_tsp_init();
	try_parse(data, size, 0, NULL);
	try_parse(data, size, CW_TSP_PARSE_LOOPBACK, arena);
	try_parse(data, size, CW_TSP_PARSE_SERVER, arena);
	(void) cw_arena_free(arena);
	return 0;
}
