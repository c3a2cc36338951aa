/* SPDX-License-Identifier: BSD-2-Clause */
/* The options of the exec plugin, made into values: for opening, and for looking whether opening
 * could take them. Touches nothing. Thread: any. */
#pragma once

#include <stdbool.h>

#include "causeway-dataplane.h"

struct cw_exec_settings {
	uint64_t deadline_ms, batch, max;
	uint32_t flags;        /* CW_DP_CAP_*, of guarantees */
	unsigned ranges, list; /* enum cw_dp_ranges; 1: the program is asked for its bindings */
};

/* Also looks at the program's file and the TEP's name. false: one line about it in why. */
bool cw_exec_settings_parse(
	const struct cw_dp_open *open, struct cw_exec_settings *ret, char *why, size_t why_n);
