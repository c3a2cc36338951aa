/* SPDX-License-Identifier: BSD-2-Clause */
/* The tep, pool and user sections of the configuration, brought into the database: created if
 * absent; after that the database is the truth, except for a TEP's plugin and options, which no API
 * may set. Thread: the main one, before the store's writer starts or instead of it. */
#pragma once

#include "base/defs.h"
#include "broker/settings.h"
#include "db/store.h"

/* wall_s: for the audit log. 0, or a code with one line in why. */
int cw_seed(struct cw_store *store, const struct cw_config *conf, int64_t wall_s, char *why,
	size_t why_n) CW_MUST_CHECK;
