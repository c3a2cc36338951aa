/* SPDX-License-Identifier: BSD-2-Clause */
/* How many requests of each operation were answered how, for the metrics. Thread: any. */
#pragma once

#include "broker/rest/request.h"

struct cw_rest_counters;

int cw_rest_counters_new(struct cw_rest_counters **ret) CW_MUST_CHECK;
struct cw_rest_counters *cw_rest_counters_free(struct cw_rest_counters *c); /* NULL is fine */
/* One is over; a status of 0 is one that was not answered. */
void cw_rest_counters_add(struct cw_rest_counters *c, const struct cw_rest_request *q);
/* Calls fn for each number that is not 0. operation NULL: no such path. */
void cw_rest_counters_each(const struct cw_rest_counters *c,
	void (*fn)(
		void *arg, const struct cw_rest_operation *operation, unsigned status, uint64_t n),
	void *arg);
