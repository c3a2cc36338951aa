/* SPDX-License-Identifier: BSD-2-Clause */
/* What each operation takes in its query, as structs for cw_rest_query(): the parameters of openapi.yaml under their names.
 * CW_REST_HAS() tells which of them were given; what may be repeated is bits. Thread: the owner's. */
#pragma once

#include "schema/rest/fields.h"
#include "schema/rest/resources.h"

struct cw_rest_query_list_pools {
	CW_REST_SEEN;
	uint64_t state;
	uint8_t kind;
	const char *tep;
	const char *name;
	uint32_t limit;
	const char *cursor;
	uint8_t count;
};
struct cw_rest_query_delete_pool {
	CW_REST_SEEN;
	bool drain;
};
struct cw_rest_query_list_ranges {
	CW_REST_SEEN;
	uint32_t limit;
	const char *cursor;
};
struct cw_rest_query_list_exclusions {
	CW_REST_SEEN;
	uint32_t limit;
	const char *cursor;
};
struct cw_rest_query_list_samples {
	CW_REST_SEEN;
	int64_t from;
	int64_t to;
	uint32_t step_s;
};
struct cw_rest_query_list_usage {
	CW_REST_SEEN;
	uint32_t limit;
	const char *cursor;
};
struct cw_rest_query_list_reservations {
	CW_REST_SEEN;
	const char *pool;
	const char *owner;
	const char *user;
	struct cw_prefix4 ip;
	uint32_t limit;
	const char *cursor;
	uint8_t count;
};
struct cw_rest_query_list_leases {
	CW_REST_SEEN;
	uint64_t state;
	uint64_t access;
	const char *pool;
	const char *tep;
	const char *owner;
	const char *user;
	struct cw_prefix4 ip;
	int64_t expires_before;
	const char *q;
	uint32_t limit;
	const char *cursor;
	uint8_t count;
};
struct cw_rest_query_list_history {
	CW_REST_SEEN;
	struct cw_prefix4 ip;
	uint32_t port;
	int64_t at;
	int64_t from;
	int64_t to;
	const char *owner;
	const char *user;
	const char *pool;
	uint64_t lease;
	uint8_t sort; /* 1: desc */
	uint32_t limit;
	const char *cursor;
	uint8_t count;
};
struct cw_rest_query_list_users {
	CW_REST_SEEN;
	const char *name;
	bool disabled;
	const char *pool;
	uint32_t limit;
	const char *cursor;
	uint8_t count;
};
struct cw_rest_query_list_teps {
	CW_REST_SEEN;
	const char *name;
	uint64_t state;
	uint32_t limit;
	const char *cursor;
	uint8_t count;
};
struct cw_rest_query_list_sessions {
	CW_REST_SEEN;
	uint64_t access;
	const char *owner;
	const char *user;
	uint64_t state;
	uint32_t limit;
	const char *cursor;
};
struct cw_rest_query_list_events {
	CW_REST_SEEN;
	const char *type;
	const char *object;
	uint64_t after;
	int64_t from;
	int64_t to;
	uint8_t sort; /* 1: desc */
	uint32_t limit;
	const char *cursor;
};
struct cw_rest_query_list_runs {
	CW_REST_SEEN;
	uint64_t result;
	uint32_t limit;
	const char *cursor;
};
struct cw_rest_query_list_audit {
	CW_REST_SEEN;
	const char *actor;
	const char *verb;
	const char *object;
	int64_t from;
	int64_t to;
	uint8_t sort; /* 1: desc */
	uint32_t limit;
	const char *cursor;
};
struct cw_rest_query_list_tokens {
	CW_REST_SEEN;
	uint32_t limit;
	const char *cursor;
	uint8_t count;
};
struct cw_rest_query_apply {
	CW_REST_SEEN;
	bool dry_run;
	bool prune;
};

#define CW_REST_TABLE(name) extern const struct cw_rest_object cw_rest_query_##name##_object
CW_REST_TABLE(list_pools);
CW_REST_TABLE(delete_pool);
CW_REST_TABLE(list_ranges);
CW_REST_TABLE(list_exclusions);
CW_REST_TABLE(list_samples);
CW_REST_TABLE(list_usage);
CW_REST_TABLE(list_reservations);
CW_REST_TABLE(list_leases);
CW_REST_TABLE(list_history);
CW_REST_TABLE(list_users);
CW_REST_TABLE(list_teps);
CW_REST_TABLE(list_sessions);
CW_REST_TABLE(list_events);
CW_REST_TABLE(list_runs);
CW_REST_TABLE(list_audit);
CW_REST_TABLE(list_tokens);
CW_REST_TABLE(apply);
#undef CW_REST_TABLE

/* All of them, NULL-ended. */
extern const struct cw_rest_object *const cw_rest_queries[];
