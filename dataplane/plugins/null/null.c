/* SPDX-License-Identifier: BSD-2-Clause */
/* null: remembers bindings as a forwarding plugin would and carries nothing. For tests, for a
 * broker without a TEP of its own, and as the example of causeway-plugin(7): every operation is
 * answered inside its call. Everything runs in the host's thread. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "causeway-dataplane.h"

#include "dataplane/plugins/common/options.h"
#include "dataplane/plugins/common/table.h"

enum { BATCH_MAX = 1024, PAGE_MAX = 4096 };

struct null {
	const struct cw_dp_host *host;
	struct cw_dptab *table;
	uint64_t applied, removed, refused;
	struct cw_dp_result results[BATCH_MAX];
	struct cw_dp_row rows[PAGE_MAX];
};

static const struct cw_dp_option options[] = {
	{"max_bindings", "0", "refuse more bindings than this; 0 = bounded by memory only"},
	{NULL, NULL, NULL},
};

static bool parse_options(const struct cw_dp_open *open, uint64_t *ret_max, char *why, size_t why_n)
{
	return cw_dpopt_u64(open, "max_bindings", 0, CW_DPTAB_MAX, ret_max, why, why_n);
}

static int null_check(const struct cw_dp_open *open, char *why, size_t why_n)
{
	uint64_t max;

	return parse_options(open, &max, why, why_n) ? 0 : -EINVAL;
}

static int null_open(const struct cw_dp_host *host, const struct cw_dp_open *open,
	struct cw_dp_caps *ret_caps, void **ret_self, char *why, size_t why_n)
{
	struct null *self;
	uint64_t max;

	if (!parse_options(open, &max, why, why_n))
		return -EINVAL;
	self = calloc(1, sizeof *self);
	if (self)
		self->table = cw_dptab_new((uint32_t) max, CW_DPTAB_LOOPBACK);
	if (!self || !self->table) {
		free(self);
		(void) snprintf(why, why_n, "out of memory");
		return -ENOMEM;
	}
	self->host = host;
	ret_caps->flags = 0;
	ret_caps->ranges = CW_DP_RANGES_PSID;
	ret_caps->max_bindings = max;
	ret_caps->batch_max = BATCH_MAX;
	*ret_self = self;
	return 0;
}

static void null_close(void *p)
{
	struct null *self = p;

	self->table = cw_dptab_free(self->table);
	free(self);
}

static void null_probe(void *p, uint64_t token)
{
	struct null *self = p;

	self->host->probe_note(self->host->ctx, token, "null carries no packets");
	self->host->complete(self->host->ctx, token, CW_DP_OK, NULL, 0);
}

static void null_apply(void *p, uint64_t token, const struct cw_dp_binding *items, size_t n)
{
	struct null *self = p;

	if (n > BATCH_MAX) { /* a host that ignores batch_max */
		self->host->complete(self->host->ctx, token, CW_DP_UNSUPPORTED, NULL, 0);
		return;
	}
	memset(self->results, 0, n * sizeof *self->results);
	for (size_t i = 0; i < n; i++) {
		self->results[i].status = cw_dptab_apply(self->table, &items[i]);
		if (self->results[i].status == CW_DP_OK)
			self->applied++;
		else
			self->refused++;
	}
	self->host->complete(self->host->ctx, token, CW_DP_OK, self->results, n);
}

static void null_remove(void *p, uint64_t token, const struct cw_dp_removal *items, size_t n)
{
	struct null *self = p;

	if (n > BATCH_MAX) {
		self->host->complete(self->host->ctx, token, CW_DP_UNSUPPORTED, NULL, 0);
		return;
	}
	memset(self->results, 0, n * sizeof *self->results);
	for (size_t i = 0; i < n; i++) {
		self->results[i].status =
			cw_dptab_remove(self->table, &items[i], &self->results[i].counters);
		if (self->results[i].status == CW_DP_OK)
			self->removed++;
		else
			self->refused++;
	}
	self->host->complete(self->host->ctx, token, CW_DP_OK, self->results, n);
}

static void null_list(void *p, uint64_t token, struct cw_dp_cursor after, size_t max)
{
	struct null *self = p;
	struct cw_dp_cursor next;
	bool more;
	long n = cw_dptab_list(
		self->table, after, max < PAGE_MAX ? max : PAGE_MAX, self->rows, &more, &next);

	if (n < 0)
		self->host->complete_list(self->host->ctx, token, CW_DP_TRANSIENT, NULL, 0, NULL);
	else
		self->host->complete_list(self->host->ctx, token, CW_DP_OK, self->rows, (size_t) n,
			more ? &next : NULL);
}

static void null_stats(void *p, uint64_t token)
{
	struct null *self = p;
	const struct cw_dp_stat stats[] = {
		{"bindings", cw_dptab_count(self->table)},
		{"applied", self->applied},
		{"removed", self->removed},
		{"refused", self->refused},
	};

	self->host->complete_stats(self->host->ctx, token, stats, sizeof stats / sizeof *stats);
}

static void null_flush(void *p, uint64_t token)
{
	struct null *self = p;

	cw_dptab_flush(self->table);
	self->host->complete(self->host->ctx, token, CW_DP_OK, NULL, 0);
}

static const struct cw_dp_ops ops = {
	.open = null_open,
	.close = null_close,
	.probe = null_probe,
	.apply = null_apply,
	.remove = null_remove,
	.list = null_list,
	.stats = null_stats,
	.flush = null_flush,
};

const struct cw_dp_plugin cw_dataplane_plugin = {
	.abi = CW_DP_ABI,
	.size = sizeof cw_dataplane_plugin,
	.name = "null",
	.version = "1",
	.help = "Remembers bindings, forwards nothing.",
	.needs = "",
	.options = options,
	.ops = &ops,
	.check = null_check,
};
