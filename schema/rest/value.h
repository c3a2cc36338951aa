/* SPDX-License-Identifier: BSD-2-Clause */
/* Values in structs that tables describe. Private to schema/rest. Thread: any. */
#pragma once

#include <string.h>

#include "schema/rest/fields.h"

static inline bool cw_rest_value_bool(const void *value)
{
	bool v;

	memcpy(&v, value, sizeof v);
	return v;
}

static inline uint64_t cw_rest_value_u64(const void *value)
{
	uint64_t v;

	memcpy(&v, value, sizeof v);
	return v;
}

static inline int64_t cw_rest_value_time(const void *value)
{
	int64_t v;

	memcpy(&v, value, sizeof v);
	return v;
}

static inline struct cw_addr4 cw_rest_value_addr4(const void *value)
{
	struct cw_addr4 v;

	memcpy(&v, value, sizeof v);
	return v;
}

static inline struct cw_portset cw_rest_value_ports(const void *value)
{
	struct cw_portset v;

	memcpy(&v, value, sizeof v);
	return v;
}

/* A number of any width. */
uint64_t cw_rest_value_num(const struct cw_rest_field *f, const void *value);
void cw_rest_put_num(const struct cw_rest_field *f, uint64_t v, void *to);
/* Whether a value that may be null is. */
bool cw_rest_is_null(const struct cw_rest_field *f, const void *value);
