/* SPDX-License-Identifier: BSD-2-Clause */
/* A table of operations and the statuses the API knows; others count as 500. */
#include "config.h"

#include <errno.h>
#include <stdatomic.h>

#include "base/mem.h"
#include "broker/rest/counters.h"

static const uint16_t statuses[] = {200, 201, 202, 204, 304, 400, 401, 403, 404, 405, 406, 408, 409,
	412, 413, 414, 415, 421, 422, 428, 429, 431, 500, 502, 503, 507};
enum { STATUSES = CW_ARRAY_LEN(statuses) };

struct cw_rest_counters {
	_Atomic uint64_t n[CW_REST_OPS + 1][STATUSES];
};

int cw_rest_counters_new(struct cw_rest_counters **ret)
{
	struct cw_rest_counters *c = cw_zalloc(1, sizeof *c);

	if (!c)
		return -ENOMEM;
	*ret = c;
	return 0;
}

struct cw_rest_counters *cw_rest_counters_free(struct cw_rest_counters *c)
{
	return cw_free(c);
}

static unsigned place_of(unsigned status)
{
	unsigned other = 0;

	for (unsigned i = 0; i < STATUSES; i++) {
		if (statuses[i] == status)
			return i;
		if (statuses[i] == 500)
			other = i;
	}
	return other;
}

void cw_rest_counters_add(struct cw_rest_counters *c, const struct cw_rest_request *q)
{
	unsigned op = q->operation ? (unsigned) q->route.op : CW_REST_OPS;

	if (q->status)
		atomic_fetch_add_explicit(&c->n[op][place_of(q->status)], 1, memory_order_relaxed);
}

void cw_rest_counters_each(const struct cw_rest_counters *c,
	void (*fn)(
		void *arg, const struct cw_rest_operation *operation, unsigned status, uint64_t n),
	void *arg)
{
	for (unsigned op = 0; op <= CW_REST_OPS; op++)
		for (unsigned i = 0; i < STATUSES; i++) {
			uint64_t n = atomic_load_explicit(&c->n[op][i], memory_order_relaxed);

			if (n)
				fn(arg,
					op < CW_REST_OPS ? cw_rest_operation((enum cw_rest_op) op)
							 : NULL,
					statuses[i], n);
		}
}
