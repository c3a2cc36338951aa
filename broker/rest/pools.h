/* SPDX-License-Identifier: BSD-2-Clause */
/* What apply has in common with the handlers of pools and their ranges. Thread: any. */
#pragma once

#include "broker/rest/handle.h"

/* A new pool: what the body leaves out has its default. id, version and tep_id are 0. */
struct cw_pool cw_rest_new_pool(const struct cw_rest_pool_create *b);
/* Of struct cw_rest_range4; of the arena, NULL: no memory. */
struct cw_range *cw_rest_ranges_of(struct cw_arena *arena, const struct cw_rest_array *a);
/* What is wrong between the members of a pool, pointers under `at`: into errs. */
void cw_rest_check_pool(const struct cw_pool *p, const char *at, struct cw_rest_errors *errs);
/* Which ranges overlap those of a new pool or range (and exclusions each other): problem overlap.
 * pointers: of ranges and exclusions in the body. */
void cw_rest_problem_overlap(struct cw_rest_request *q, const struct cw_op_pool *p);
