/* SPDX-License-Identifier: BSD-2-Clause */
/* Counts of values by size, as metrics show them: adding one is a short search and two additions.
 * Thread: the owner's. */
#pragma once

#include <stdint.h>

#include "base/defs.h"

enum { CW_HIST_BOUNDS = 13 };
/* Upper ends, inclusive: of times in microseconds (100 us to 5 s), and of numbers (1 to 4096). */
extern const uint32_t cw_hist_times_us[CW_HIST_BOUNDS];
extern const uint32_t cw_hist_counts[CW_HIST_BOUNDS];

struct cw_hist {
	uint64_t n[CW_HIST_BOUNDS + 1]; /* the last: beyond every bound */
	uint64_t sum;
};
void cw_hist_add(struct cw_hist *h, const uint32_t bounds[static CW_HIST_BOUNDS], uint64_t v);
