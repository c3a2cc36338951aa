/* SPDX-License-Identifier: BSD-2-Clause */
/* See hist.h. */
#include "config.h"

#include "base/hist.h"

const uint32_t cw_hist_times_us[CW_HIST_BOUNDS] = {
	100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 500000, 1000000, 5000000};
const uint32_t cw_hist_counts[CW_HIST_BOUNDS] = {
	1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096};

void cw_hist_add(struct cw_hist *h, const uint32_t bounds[static CW_HIST_BOUNDS], uint64_t v)
{
	unsigned i = 0;

	while (i < CW_HIST_BOUNDS && v > bounds[i])
		i++;
	h->n[i]++;
	h->sum += v;
}
