/* SPDX-License-Identifier: BSD-2-Clause */
/* What bench_tsp needs of the lease store: a database full of leases, and a look into one that is
 * in use. Dies on failure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The machine, in a line. */
void bench_facts(const char *folder);
/* FOLDER/causeway.db with TEP edge1, pool default (10.0.0.0/8) and n confirmed leases of
 * lifetime_s; end_in_s > 0: they end so many seconds from now, all in the same one. */
void bench_db_fill(const char *folder, unsigned n, unsigned lifetime_s, unsigned end_in_s);
/* Is there a lease that should have ended? Cheap. */
bool bench_db_due(const char *folder);
/* How many are ending, their TEP not yet done. Reads every lease. */
unsigned bench_db_left(const char *folder);
