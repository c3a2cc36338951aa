/* SPDX-License-Identifier: BSD-2-Clause */
/* Queries of the operations, see queries.h. Each entry is a parameter of openapi.yaml; tests/unit/test_rest_schema.c compares
 * them. Thread: constant. */
#include "config.h"

#include "schema/rest/id.h"
#include "schema/rest/queries.h"
#include "schema/rest/table.h"

static const char *const pool_kinds[] = {"ipv4", "ipv4-port", NULL};
static const char *const pool_states[] = {"active", "draining", "disabled", NULL};
static const char *const accesses[] = {"tsp", "dhcp6", "rest", "gateway", NULL};
static const char *const lease_states[] = {"free", "active", "ending", "quarantined", NULL};
static const char *const tep_states[] = {"starting", "up", "syncing", "down", NULL};
static const char *const session_states[] = {"login", "ready", "busy", "closing", NULL};
static const char *const results[] = {"running", "ok", "failed", "lost", NULL};
static const char *const sorts[] = {"asc", "desc", NULL};
static const char *const count_words[] = {"exact", NULL};

static const struct cw_rest_field query_list_pools_fields[] = {
	FIELD(query_list_pools, state, WORDS, 0, .words = pool_states),
	FIELD(query_list_pools, kind, WORD, 0, .words = pool_kinds),
	FIELD(query_list_pools, tep, NAME, 0),
	FIELD(query_list_pools, name, NAME, 0),
	FIELD(query_list_pools, limit, NUM, CW_REST_PAGING, .min = 1, .max = 1000),
	FIELD(query_list_pools, cursor, TEXT, CW_REST_PAGING, .min = 1, .max = 512),
	FIELD(query_list_pools, count, WORD, CW_REST_PAGING, .words = count_words),
};
OBJECT(query_list_pools, query_list_pools, "listPools", 0);

static const struct cw_rest_field query_delete_pool_fields[] = {
	FIELD(query_delete_pool, drain, BOOL, 0),
};
OBJECT(query_delete_pool, query_delete_pool, "deletePool", 0);

static const struct cw_rest_field query_list_ranges_fields[] = {
	FIELD(query_list_ranges, limit, NUM, CW_REST_PAGING, .min = 1, .max = 1000),
	FIELD(query_list_ranges, cursor, TEXT, CW_REST_PAGING, .min = 1, .max = 512),
};
OBJECT(query_list_ranges, query_list_ranges, "listRanges", 0);

static const struct cw_rest_field query_list_exclusions_fields[] = {
	FIELD(query_list_exclusions, limit, NUM, CW_REST_PAGING, .min = 1, .max = 1000),
	FIELD(query_list_exclusions, cursor, TEXT, CW_REST_PAGING, .min = 1, .max = 512),
};
OBJECT(query_list_exclusions, query_list_exclusions, "listExclusions", 0);

static const struct cw_rest_field query_list_samples_fields[] = {
	FIELD(query_list_samples, from, TIME, 0),
	FIELD(query_list_samples, to, TIME, 0),
	FIELD(query_list_samples, step_s, NUM, 0, .min = 60, .max = 86400),
};
OBJECT(query_list_samples, query_list_samples, "listSamples", 0);

static const struct cw_rest_field query_list_usage_fields[] = {
	FIELD(query_list_usage, limit, NUM, CW_REST_PAGING, .min = 1, .max = 1000),
	FIELD(query_list_usage, cursor, TEXT, CW_REST_PAGING, .min = 1, .max = 512),
};
OBJECT(query_list_usage, query_list_usage, "listUsage", 0);

static const struct cw_rest_field query_list_reservations_fields[] = {
	FIELD(query_list_reservations, pool, NAME, 0),
	FIELD(query_list_reservations, owner, PRINCIPAL, 0),
	FIELD(query_list_reservations, user, NAME, 0),
	FIELD(query_list_reservations, ip, PREFIX4, 0),
	FIELD(query_list_reservations, limit, NUM, CW_REST_PAGING, .min = 1, .max = 1000),
	FIELD(query_list_reservations, cursor, TEXT, CW_REST_PAGING, .min = 1, .max = 512),
	FIELD(query_list_reservations, count, WORD, CW_REST_PAGING, .words = count_words),
};
OBJECT(query_list_reservations, query_list_reservations, "listReservations", 0);

static const struct cw_rest_field query_list_leases_fields[] = {
	FIELD(query_list_leases, state, WORDS, 0, .words = lease_states),
	FIELD(query_list_leases, access, WORDS, 0, .words = accesses, .base = 1),
	FIELD(query_list_leases, pool, NAME, 0),
	FIELD(query_list_leases, tep, NAME, 0),
	FIELD(query_list_leases, owner, PRINCIPAL, 0),
	FIELD(query_list_leases, user, NAME, 0),
	FIELD(query_list_leases, ip, PREFIX4, 0),
	FIELD(query_list_leases, expires_before, TIME, 0),
	FIELD(query_list_leases, q, TEXT, 0, .min = 1, .max = 127),
	FIELD(query_list_leases, limit, NUM, CW_REST_PAGING, .min = 1, .max = 1000),
	FIELD(query_list_leases, cursor, TEXT, CW_REST_PAGING, .min = 1, .max = 512),
	FIELD(query_list_leases, count, WORD, CW_REST_PAGING, .words = count_words),
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
	FIELD(query_list_history, limit, NUM, CW_REST_PAGING, .min = 1, .max = 1000),
	FIELD(query_list_history, cursor, TEXT, CW_REST_PAGING, .min = 1, .max = 512),
	FIELD(query_list_history, count, WORD, CW_REST_PAGING, .words = count_words),
};
OBJECT(query_list_history, query_list_history, "listHistory", 0);

static const struct cw_rest_field query_list_users_fields[] = {
	FIELD(query_list_users, name, NAME, 0),
	FIELD(query_list_users, disabled, BOOL, 0),
	FIELD(query_list_users, pool, NAME, 0),
	FIELD(query_list_users, limit, NUM, CW_REST_PAGING, .min = 1, .max = 1000),
	FIELD(query_list_users, cursor, TEXT, CW_REST_PAGING, .min = 1, .max = 512),
	FIELD(query_list_users, count, WORD, CW_REST_PAGING, .words = count_words),
};
OBJECT(query_list_users, query_list_users, "listUsers", 0);

static const struct cw_rest_field query_list_teps_fields[] = {
	FIELD(query_list_teps, name, NAME, 0),
	FIELD(query_list_teps, state, WORDS, 0, .words = tep_states),
	FIELD(query_list_teps, limit, NUM, CW_REST_PAGING, .min = 1, .max = 1000),
	FIELD(query_list_teps, cursor, TEXT, CW_REST_PAGING, .min = 1, .max = 512),
	FIELD(query_list_teps, count, WORD, CW_REST_PAGING, .words = count_words),
};
OBJECT(query_list_teps, query_list_teps, "listTeps", 0);

static const struct cw_rest_field query_list_sessions_fields[] = {
	FIELD(query_list_sessions, access, WORDS, 0, .words = accesses, .base = 1),
	FIELD(query_list_sessions, owner, PRINCIPAL, 0),
	FIELD(query_list_sessions, user, NAME, 0),
	FIELD(query_list_sessions, state, WORDS, 0, .words = session_states),
	FIELD(query_list_sessions, limit, NUM, CW_REST_PAGING, .min = 1, .max = 1000),
	FIELD(query_list_sessions, cursor, TEXT, CW_REST_PAGING, .min = 1, .max = 512),
};
OBJECT(query_list_sessions, query_list_sessions, "listSessions", 0);

static const struct cw_rest_field query_list_events_fields[] = {
	FIELD(query_list_events, type, TEXT, 0, .min = 1, .max = 31),
	FIELD(query_list_events, object, TEXT, 0, .min = 1, .max = 127),
	FIELD(query_list_events, after, NUM, 0, .max = INT64_MAX),
	FIELD(query_list_events, from, TIME, 0),
	FIELD(query_list_events, to, TIME, 0),
	FIELD(query_list_events, sort, WORD, 0, .words = sorts),
	FIELD(query_list_events, limit, NUM, CW_REST_PAGING, .min = 1, .max = 1000),
	FIELD(query_list_events, cursor, TEXT, CW_REST_PAGING, .min = 1, .max = 512),
};
OBJECT(query_list_events, query_list_events, "listEvents", 0);

static const struct cw_rest_field query_list_runs_fields[] = {
	FIELD(query_list_runs, result, WORDS, 0, .words = results),
	FIELD(query_list_runs, limit, NUM, CW_REST_PAGING, .min = 1, .max = 1000),
	FIELD(query_list_runs, cursor, TEXT, CW_REST_PAGING, .min = 1, .max = 512),
};
OBJECT(query_list_runs, query_list_runs, "listRuns", 0);

static const struct cw_rest_field query_list_audit_fields[] = {
	FIELD(query_list_audit, actor, TEXT, 0, .min = 1, .max = 127),
	FIELD(query_list_audit, verb, TEXT, 0, .min = 1, .max = 63),
	FIELD(query_list_audit, object, TEXT, 0, .min = 1, .max = 127),
	FIELD(query_list_audit, from, TIME, 0),
	FIELD(query_list_audit, to, TIME, 0),
	FIELD(query_list_audit, sort, WORD, 0, .words = sorts),
	FIELD(query_list_audit, limit, NUM, CW_REST_PAGING, .min = 1, .max = 1000),
	FIELD(query_list_audit, cursor, TEXT, CW_REST_PAGING, .min = 1, .max = 512),
};
OBJECT(query_list_audit, query_list_audit, "listAudit", 0);

static const struct cw_rest_field query_list_tokens_fields[] = {
	FIELD(query_list_tokens, limit, NUM, CW_REST_PAGING, .min = 1, .max = 1000),
	FIELD(query_list_tokens, cursor, TEXT, CW_REST_PAGING, .min = 1, .max = 512),
	FIELD(query_list_tokens, count, WORD, CW_REST_PAGING, .words = count_words),
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
