/* SPDX-License-Identifier: BSD-2-Clause */
/* Queries of the operations, see queries.h. Each entry is a parameter of openapi.yaml; tests/unit/test_rest_schema.c compares
 * them. Thread: constant. */
#include "config.h"

#include "schema/rest/id.h"
#include "schema/rest/queries.h"
#include "schema/rest/table.h"
#include "schema/rest/words.h"

static const char *const sorts[] = {"asc", "desc", NULL};
static const char *const count_words[] = {"exact", NULL};

/* What every list takes; some can be counted. */
/* clang-format off */
#define PAGED(type)                                                      \
	FIELD(type, limit, NUM, CW_REST_PAGING, .min = 1, .max = 1000), \
	FIELD(type, cursor, TEXT, CW_REST_PAGING, .min = 1, .max = 512)
#define PAGED_COUNTED(type) PAGED(type), FIELD(type, count, WORD, CW_REST_PAGING, .words = count_words)
/* clang-format on */

static const struct cw_rest_field query_list_pools_fields[] = {
	FIELD(query_list_pools, state, WORDS, 0, .words = cw_rest_pool_states),
	FIELD(query_list_pools, kind, WORD, 0, .words = cw_rest_pool_kinds),
	FIELD(query_list_pools, tep, NAME, 0),
	FIELD(query_list_pools, name, NAME, 0),
	PAGED_COUNTED(query_list_pools),
};
OBJECT(query_list_pools, query_list_pools, "listPools", 0);

static const struct cw_rest_field query_delete_pool_fields[] = {
	FIELD(query_delete_pool, drain, BOOL, 0),
};
OBJECT(query_delete_pool, query_delete_pool, "deletePool", 0);

static const struct cw_rest_field query_list_ranges_fields[] = {
	PAGED(query_list_ranges),
};
OBJECT(query_list_ranges, query_list_ranges, "listRanges", 0);

static const struct cw_rest_field query_list_exclusions_fields[] = {
	PAGED(query_list_exclusions),
};
OBJECT(query_list_exclusions, query_list_exclusions, "listExclusions", 0);

static const struct cw_rest_field query_list_samples_fields[] = {
	FIELD(query_list_samples, from, TIME, 0),
	FIELD(query_list_samples, to, TIME, 0),
	FIELD(query_list_samples, step_s, NUM, 0, .min = 60, .max = 86400),
};
OBJECT(query_list_samples, query_list_samples, "listSamples", 0);

static const struct cw_rest_field query_list_usage_fields[] = {
	PAGED(query_list_usage),
};
OBJECT(query_list_usage, query_list_usage, "listUsage", 0);

static const struct cw_rest_field query_list_reservations_fields[] = {
	FIELD(query_list_reservations, pool, NAME, 0),
	FIELD(query_list_reservations, owner, PRINCIPAL, 0),
	FIELD(query_list_reservations, user, NAME, 0),
	FIELD(query_list_reservations, ip, PREFIX4, 0),
	PAGED_COUNTED(query_list_reservations),
};
OBJECT(query_list_reservations, query_list_reservations, "listReservations", 0);

static const struct cw_rest_field query_list_leases_fields[] = {
	FIELD(query_list_leases, state, WORDS, 0, .words = cw_rest_lease_states),
	FIELD(query_list_leases, access, WORDS, 0, .words = cw_rest_accesses, .base = 1),
	FIELD(query_list_leases, pool, NAME, 0),
	FIELD(query_list_leases, tep, NAME, 0),
	FIELD(query_list_leases, owner, PRINCIPAL, 0),
	FIELD(query_list_leases, user, NAME, 0),
	FIELD(query_list_leases, ip, PREFIX4, 0),
	FIELD(query_list_leases, expires_before, TIME, 0),
	FIELD(query_list_leases, q, TEXT, 0, .min = 1, .max = 127),
	PAGED_COUNTED(query_list_leases),
};
OBJECT(query_list_leases, query_list_leases, "listLeases", 0);

static const struct cw_rest_field query_list_history_fields[] = {
	FIELD(query_list_history, ip, PREFIX4, 0),
	FIELD(query_list_history, port, NUM, 0, .max = UINT16_MAX),
	FIELD(query_list_history, at, TIME, 0),
	FIELD(query_list_history, from, TIME, 0),
	FIELD(query_list_history, to, TIME, 0),
	FIELD(query_list_history, owner, PRINCIPAL, 0),
	FIELD(query_list_history, user, NAME, 0),
	FIELD(query_list_history, pool, NAME, 0),
	FIELD(query_list_history, lease, ID, 0, .base = CW_ID_LEASE),
	FIELD(query_list_history, sort, WORD, 0, .words = sorts),
	PAGED_COUNTED(query_list_history),
};
OBJECT(query_list_history, query_list_history, "listHistory", 0);

static const struct cw_rest_field query_list_users_fields[] = {
	FIELD(query_list_users, name, NAME, 0),
	FIELD(query_list_users, disabled, BOOL, 0),
	FIELD(query_list_users, pool, NAME, 0),
	PAGED_COUNTED(query_list_users),
};
OBJECT(query_list_users, query_list_users, "listUsers", 0);

static const struct cw_rest_field query_list_teps_fields[] = {
	FIELD(query_list_teps, name, NAME, 0),
	FIELD(query_list_teps, state, WORDS, 0, .words = cw_rest_tep_states),
	PAGED_COUNTED(query_list_teps),
};
OBJECT(query_list_teps, query_list_teps, "listTeps", 0);

static const struct cw_rest_field query_list_sessions_fields[] = {
	FIELD(query_list_sessions, access, WORDS, 0, .words = cw_rest_accesses, .base = 1),
	FIELD(query_list_sessions, owner, PRINCIPAL, 0),
	FIELD(query_list_sessions, user, NAME, 0),
	FIELD(query_list_sessions, state, WORDS, 0, .words = cw_rest_session_states),
	PAGED(query_list_sessions),
};
OBJECT(query_list_sessions, query_list_sessions, "listSessions", 0);

static const struct cw_rest_field query_list_events_fields[] = {
	FIELD(query_list_events, type, TEXT, 0, .min = 1, .max = 31),
	FIELD(query_list_events, object, TEXT, 0, .min = 1, .max = 127),
	FIELD(query_list_events, after, NUM, 0, .max = INT64_MAX),
	FIELD(query_list_events, from, TIME, 0),
	FIELD(query_list_events, to, TIME, 0),
	FIELD(query_list_events, sort, WORD, 0, .words = sorts),
	PAGED(query_list_events),
};
OBJECT(query_list_events, query_list_events, "listEvents", 0);

static const struct cw_rest_field query_list_runs_fields[] = {
	FIELD(query_list_runs, result, WORDS, 0, .words = cw_rest_results),
	PAGED(query_list_runs),
};
OBJECT(query_list_runs, query_list_runs, "listRuns", 0);

static const struct cw_rest_field query_list_audit_fields[] = {
	FIELD(query_list_audit, actor, TEXT, 0, .min = 1, .max = 127),
	FIELD(query_list_audit, verb, TEXT, 0, .min = 1, .max = 63),
	FIELD(query_list_audit, object, TEXT, 0, .min = 1, .max = 127),
	FIELD(query_list_audit, from, TIME, 0),
	FIELD(query_list_audit, to, TIME, 0),
	FIELD(query_list_audit, sort, WORD, 0, .words = sorts),
	PAGED(query_list_audit),
};
OBJECT(query_list_audit, query_list_audit, "listAudit", 0);

static const struct cw_rest_field query_list_tokens_fields[] = {
	PAGED_COUNTED(query_list_tokens),
};
OBJECT(query_list_tokens, query_list_tokens, "listTokens", 0);

static const struct cw_rest_field query_apply_fields[] = {
	FIELD(query_apply, dry_run, BOOL, 0),
	FIELD(query_apply, prune, BOOL, 0),
};
OBJECT(query_apply, query_apply, "apply", 0);

const struct cw_rest_object *const cw_rest_queries[] = {
	&cw_rest_query_list_pools_object,
	&cw_rest_query_delete_pool_object,
	&cw_rest_query_list_ranges_object,
	&cw_rest_query_list_exclusions_object,
	&cw_rest_query_list_samples_object,
	&cw_rest_query_list_usage_object,
	&cw_rest_query_list_reservations_object,
	&cw_rest_query_list_leases_object,
	&cw_rest_query_list_history_object,
	&cw_rest_query_list_users_object,
	&cw_rest_query_list_teps_object,
	&cw_rest_query_list_sessions_object,
	&cw_rest_query_list_events_object,
	&cw_rest_query_list_runs_object,
	&cw_rest_query_list_audit_object,
	&cw_rest_query_list_tokens_object,
	&cw_rest_query_apply_object,
	NULL,
};
