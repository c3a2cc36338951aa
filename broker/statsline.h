/* SPDX-License-Identifier: BSD-2-Clause */
/* All counters as one log line, on SIGUSR1. Thread: the loop's. */
#pragma once

#include "broker/access/tsp/access.h"
#include "broker/lease/engine.h"
#include "db/store.h"

/* tsp may be NULL (not listening yet). */
void cw_stats_log(
	const struct cw_engine *e, const struct cw_tsp_access *tsp, struct cw_store *store);
