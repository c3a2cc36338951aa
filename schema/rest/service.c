/* SPDX-License-Identifier: BSD-2-Clause */
/* What serves it, and its own affairs, see resources.h. Each entry is a property of openapi.yaml;
 * tests/unit/test_rest_schema.c compares them. Thread: constant. */
#include "config.h"

#include "schema/rest/id.h"
#include "schema/rest/resources.h"
#include "schema/rest/table.h"
#include "schema/rest/words.h"

const char *const cw_rest_job_names[] = {
	"expiry", "quarantine", "retention", "backup", "upkeep", "samples", NULL};
static const char *const drift_kinds[] = {"missing", "extra", "different", NULL};
static const char *const transports[] = {"tcp", "udp", "unix", NULL};
static const char *const vias[] = {"unix", "token", "certificate", "cookie", NULL};
static const char *const actions[] = {"create", "change", "delete", NULL};
static const char *const kinds[] = {
	"tep", "pool", "range", "exclusion", "reservation", "user", "credentials", NULL};
static const char *const healths[] = {"ok", NULL};
static const char *const programs[] = {"causewayd", NULL};
static const char *const apis[] = {"v1", NULL};

static const struct cw_rest_field tep_fields[] = {
	FIELD(tep, id, ID, CW_REST_REQUIRED, .base = CW_ID_TEP),
	FIELD(tep, name, NAME, CW_REST_REQUIRED),
	FIELD(tep, plugin, TEXT, CW_REST_REQUIRED, .max = 63),
	FIELD(tep, ipv4, ADDR4, CW_REST_NULLABLE | CW_REST_REQUIRED),
	FIELD(tep, ipv6, ADDR6, CW_REST_REQUIRED),
	FIELD(tep, draining, BOOL, CW_REST_REQUIRED),
	FIELD(tep, state, WORD, CW_REST_REQUIRED, .words = cw_rest_tep_states),
	FIELD(tep, required, BOOL, CW_REST_REQUIRED),
	FIELD(tep, bindings, NUM, CW_REST_REQUIRED, .max = INT64_MAX),
	FIELD(tep, waiting, NUM, CW_REST_REQUIRED, .max = INT64_MAX),
	FIELD(tep, drift, NUM, CW_REST_NULLABLE | CW_REST_REQUIRED, .max = INT64_MAX),
	FIELD(tep, compared_at, TIME, CW_REST_NULLABLE | CW_REST_REQUIRED),
	FIELD(tep, last_error, TEXT, CW_REST_NULLABLE | CW_REST_REQUIRED, .max = 255),
	FIELD(tep, version, NUM, CW_REST_REQUIRED, .min = 1, .max = INT64_MAX),
};
OBJECT(tep, tep, "Tep", 0);

static const struct cw_rest_field tep_create_fields[] = {
	FIELD(tep_create, name, NAME, CW_REST_REQUIRED),
	FIELD(tep_create, ipv4, ADDR4, CW_REST_NULLABLE),
	FIELD(tep_create, ipv6, ADDR6, CW_REST_REQUIRED),
	FIELD(tep_create, draining, BOOL, 0),
};
OBJECT(tep_create, tep_create, "TepCreate", 0);

static const struct cw_rest_field tep_patch_fields[] = {
	FIELD(tep_patch, ipv4, ADDR4, CW_REST_NULLABLE),
	FIELD(tep_patch, ipv6, ADDR6, 0),
	FIELD(tep_patch, draining, BOOL, 0),
};
OBJECT(tep_patch, tep_patch, "TepPatch", CW_REST_NONEMPTY);

static const struct cw_rest_field binding_fields[] = {
	FIELD(binding, address, ADDR4, CW_REST_REQUIRED),
	FIELD(binding, ports, PORTS, CW_REST_NULLABLE | CW_REST_REQUIRED),
	FIELD(binding, ipv6, ADDR6, CW_REST_REQUIRED),
	FIELD(binding, lease, ID, CW_REST_NULLABLE | CW_REST_REQUIRED, .base = CW_ID_LEASE),
};
OBJECT(binding, binding, "Binding", 0);

static const struct cw_rest_field drift_item_fields[] = {
	FIELD(drift_item, kind, WORD, CW_REST_REQUIRED, .words = drift_kinds),
	FIELD(drift_item, wanted, OBJECT, CW_REST_NULLABLE | CW_REST_REQUIRED,
		.object = &cw_rest_binding_object),
	FIELD(drift_item, actual, OBJECT, CW_REST_NULLABLE | CW_REST_REQUIRED,
		.object = &cw_rest_binding_object),
};
OBJECT(drift_item, drift_item, "DriftItem", 0);

static const struct cw_rest_field drift_item_item =
	ITEM(struct cw_rest_drift_item, OBJECT, .object = &cw_rest_drift_item_object);
static const struct cw_rest_field drift_fields[] = {
	FIELD(drift, tep, NAME, CW_REST_REQUIRED),
	FIELD(drift, compared_at, TIME, CW_REST_NULLABLE | CW_REST_REQUIRED),
	FIELD(drift, wanted, NUM, CW_REST_REQUIRED, .max = INT64_MAX),
	FIELD(drift, actual, NUM, CW_REST_REQUIRED, .max = INT64_MAX),
	FIELD(drift, differences, NUM, CW_REST_REQUIRED, .max = INT64_MAX),
	FIELD(drift, items, ARRAY, CW_REST_REQUIRED, .max = 100, .item = &drift_item_item),
};
OBJECT(drift, drift, "Drift", 0);

static const struct cw_rest_field session_fields[] = {
	FIELD(session, id, ID, CW_REST_REQUIRED, .base = CW_ID_SESSION),
	FIELD(session, access, WORD, CW_REST_REQUIRED, .words = cw_rest_accesses, .base = 1),
	FIELD(session, peer, TEXT, CW_REST_REQUIRED, .max = 127),
	FIELD(session, owner, PRINCIPAL, CW_REST_NULLABLE | CW_REST_REQUIRED),
	FIELD(session, mechanism, TEXT, CW_REST_NULLABLE | CW_REST_REQUIRED, .max = 23),
	FIELD(session, tls, BOOL, CW_REST_REQUIRED),
	FIELD(session, transport, WORD, CW_REST_REQUIRED, .words = transports),
	FIELD(session, state, WORD, CW_REST_REQUIRED, .words = cw_rest_session_states),
	FIELD(session, since_at, TIME, CW_REST_REQUIRED),
	FIELD(session, last_at, TIME, CW_REST_REQUIRED),
	FIELD(session, leases, NUM, CW_REST_REQUIRED, .max = INT64_MAX),
	FIELD(session, requests, NUM, CW_REST_REQUIRED, .max = INT64_MAX),
	FIELD(session, octets_in, NUM, CW_REST_REQUIRED, .max = INT64_MAX),
	FIELD(session, octets_out, NUM, CW_REST_REQUIRED, .max = INT64_MAX),
};
OBJECT(session, session, "Session", 0);

static const struct cw_rest_field event_fields[] = {
	FIELD(event, id, NUM, CW_REST_REQUIRED, .min = 1, .max = INT64_MAX),
	FIELD(event, at, TIME, CW_REST_REQUIRED),
	FIELD(event, type, TEXT, CW_REST_REQUIRED, .min = 1, .max = 31),
	FIELD(event, object, TEXT, CW_REST_NULLABLE | CW_REST_REQUIRED, .max = 24),
	FIELD(event, name, TEXT, CW_REST_NULLABLE | CW_REST_REQUIRED, .max = 127),
	FIELD(event, detail, RAW, CW_REST_REQUIRED),
};
OBJECT(event, event, "Event", 0);

static const struct cw_rest_field job_run_fields[] = {
	FIELD(job_run, id, ID, CW_REST_REQUIRED, .base = CW_ID_RUN),
	FIELD(job_run, job, WORD, CW_REST_REQUIRED, .words = cw_rest_job_names),
	FIELD(job_run, started_at, TIME, CW_REST_REQUIRED),
	FIELD(job_run, ended_at, TIME, CW_REST_NULLABLE | CW_REST_REQUIRED),
	FIELD(job_run, result, WORD, CW_REST_REQUIRED, .words = cw_rest_results),
	FIELD(job_run, items, NUM, CW_REST_REQUIRED, .max = INT64_MAX),
	FIELD(job_run, detail, TEXT, CW_REST_REQUIRED, .max = 1023),
};
OBJECT(job_run, job_run, "JobRun", 0);

static const struct cw_rest_field job_fields[] = {
	FIELD(job, name, WORD, CW_REST_REQUIRED, .words = cw_rest_job_names),
	FIELD(job, every_s, NUM, CW_REST_NULLABLE | CW_REST_REQUIRED, .min = 1, .max = UINT32_MAX),
	FIELD(job, next_at, TIME, CW_REST_NULLABLE | CW_REST_REQUIRED),
	FIELD(job, running, BOOL, CW_REST_REQUIRED),
	FIELD(job, last, OBJECT, CW_REST_NULLABLE | CW_REST_REQUIRED,
		.object = &cw_rest_job_run_object),
	FIELD(job, backlog, NUM, CW_REST_REQUIRED, .max = INT64_MAX),
	FIELD(job, lag_s, NUM, CW_REST_REQUIRED, .max = INT64_MAX),
	FIELD(job, healthy, BOOL, CW_REST_REQUIRED),
	FIELD(job, runs, NUM, CW_REST_REQUIRED, .max = INT64_MAX),
	FIELD(job, failures, NUM, CW_REST_REQUIRED, .max = INT64_MAX),
	FIELD(job, ok_at, TIME, CW_REST_NULLABLE | CW_REST_REQUIRED),
};
OBJECT(job, job, "Job", 0);

static const struct cw_rest_field backup_entry_fields[] = {
	FIELD(backup_entry, name, TEXT, CW_REST_REQUIRED, .min = 1, .max = 127),
	FIELD(backup_entry, created_at, TIME, CW_REST_REQUIRED),
	FIELD(backup_entry, octets, NUM, CW_REST_REQUIRED, .max = INT64_MAX),
	FIELD(backup_entry, sha256, TEXT, CW_REST_REQUIRED, .min = 64, .max = 64),
	FIELD(backup_entry, schema, NUM, CW_REST_REQUIRED, .min = 1, .max = UINT32_MAX),
};
OBJECT(backup_entry, backup_entry, "BackupEntry", 0);

static const struct cw_rest_field config_value_fields[] = {
	FIELD(config_value, section, TEXT, CW_REST_NULLABLE | CW_REST_REQUIRED, .max = 63),
	FIELD(config_value, title, TEXT, CW_REST_NULLABLE | CW_REST_REQUIRED, .max = 63),
	FIELD(config_value, name, TEXT, CW_REST_REQUIRED, .max = 63),
	FIELD(config_value, value, TEXT, CW_REST_REQUIRED, .max = UINT16_MAX),
	FIELD_AS(config_value, is_default, "default", BOOL, CW_REST_REQUIRED),
	FIELD(config_value, reloadable, BOOL, CW_REST_REQUIRED),
};
OBJECT(config_value, config_value, "ConfigValue", 0);

static const struct cw_rest_field config_value_item =
	ITEM(struct cw_rest_config_value, OBJECT, .object = &cw_rest_config_value_object);
static const struct cw_rest_field config_fields[] = {
	FIELD(config, sha256, TEXT, CW_REST_REQUIRED, .min = 64, .max = 64),
	FIELD(config, loaded_at, TIME, CW_REST_REQUIRED),
	FIELD(config, items, ARRAY, CW_REST_REQUIRED, .max = UINT16_MAX,
		.item = &config_value_item),
};
OBJECT(config, config, "Config", 0);

static const struct cw_rest_field config_fault_fields[] = {
	FIELD(config_fault, line, NUM, CW_REST_NULLABLE | CW_REST_REQUIRED, .min = 1,
		.max = UINT32_MAX),
	FIELD(config_fault, detail, TEXT, CW_REST_REQUIRED, .max = 1023),
};
OBJECT(config_fault, config_fault, "ConfigFault", 0);

static const struct cw_rest_field config_fault_item =
	ITEM(struct cw_rest_config_fault, OBJECT, .object = &cw_rest_config_fault_object);
static const struct cw_rest_field option_name = ITEM(const char *, TEXT, .max = 127);
static const struct cw_rest_field config_test_fields[] = {
	FIELD(config_test, ok, BOOL, CW_REST_REQUIRED),
	FIELD(config_test, sha256, TEXT, CW_REST_NULLABLE | CW_REST_REQUIRED, .min = 64, .max = 64),
	FIELD(config_test, faults, ARRAY, CW_REST_REQUIRED, .max = 100, .item = &config_fault_item),
	FIELD(config_test, changes, ARRAY, CW_REST_REQUIRED, .max = UINT16_MAX,
		.item = &option_name),
	FIELD(config_test, restart, ARRAY, CW_REST_REQUIRED, .max = UINT16_MAX,
		.item = &option_name),
};
OBJECT(config_test, config_test, "ConfigTest", 0);

static const struct cw_rest_field audit_entry_fields[] = {
	FIELD(audit_entry, id, NUM, CW_REST_REQUIRED, .min = 1, .max = INT64_MAX),
	FIELD(audit_entry, at, TIME, CW_REST_REQUIRED),
	FIELD(audit_entry, actor, TEXT, CW_REST_REQUIRED, .max = 127),
	FIELD(audit_entry, peer, TEXT, CW_REST_REQUIRED, .max = 127),
	FIELD(audit_entry, verb, TEXT, CW_REST_REQUIRED, .max = 63),
	FIELD(audit_entry, object, TEXT, CW_REST_REQUIRED, .max = 127),
	FIELD(audit_entry, detail, RAW, CW_REST_REQUIRED),
	FIELD(audit_entry, hash, TEXT, CW_REST_REQUIRED, .min = 64, .max = 64),
};
OBJECT(audit_entry, audit_entry, "AuditEntry", 0);

static const struct cw_rest_field prefix_text = ITEM(const char *, PREFIX);
static const struct cw_rest_field token_fields[] = {
	FIELD(token, id, ID, CW_REST_REQUIRED, .base = CW_ID_TOKEN),
	FIELD(token, name, NAME, CW_REST_REQUIRED),
	FIELD(token, hint, TEXT, CW_REST_REQUIRED, .max = 12),
	FIELD(token, scopes, SCOPES, CW_REST_REQUIRED, .max = 17),
	FIELD(token, prefixes, ARRAY, CW_REST_REQUIRED, .max = 10, .item = &prefix_text),
	FIELD(token, created_at, TIME, CW_REST_REQUIRED),
	FIELD(token, expires_at, TIME, CW_REST_NULLABLE | CW_REST_REQUIRED),
	FIELD(token, last_used_at, TIME, CW_REST_NULLABLE | CW_REST_REQUIRED),
};
OBJECT(token, token, "Token", 0);

static const struct cw_rest_field token_create_fields[] = {
	FIELD(token_create, name, NAME, CW_REST_REQUIRED),
	FIELD(token_create, scopes, SCOPES, CW_REST_REQUIRED, .min = 1, .max = 17),
	FIELD(token_create, prefixes, ARRAY, 0, .max = 10, .item = &prefix_text),
	FIELD(token_create, lifetime_s, NUM, 0, .min = 60, .max = 315360000),
};
OBJECT(token_create, token_create, "TokenCreate", 0);

static const struct cw_rest_field token_created_fields[] = {
	FIELD(token_created, token, TEXT, CW_REST_SECRET | CW_REST_REQUIRED, .min = 46, .max = 46),
	FIELD(token_created, info, OBJECT, CW_REST_REQUIRED, .object = &cw_rest_token_object),
};
OBJECT(token_created, token_created, "TokenCreated", 0);

static const struct cw_rest_field login_fields[] = {
	FIELD(login, token, TEXT, CW_REST_SECRET | CW_REST_REQUIRED, .min = 1, .max = 128),
};
OBJECT(login, login, "Login", 0);

static const struct cw_rest_field whoami_fields[] = {
	FIELD(whoami, actor, TEXT, CW_REST_REQUIRED, .max = 127),
	FIELD(whoami, via, WORD, CW_REST_REQUIRED, .words = vias),
	FIELD(whoami, scopes, SCOPES, CW_REST_REQUIRED, .max = 17),
	FIELD(whoami, csrf_token, TEXT, CW_REST_NULLABLE | CW_REST_REQUIRED, .min = 43, .max = 43),
	FIELD(whoami, expires_at, TIME, CW_REST_NULLABLE | CW_REST_REQUIRED),
};
OBJECT(whoami, whoami, "Whoami", 0);

static const struct cw_rest_field tep_create_item =
	ITEM(struct cw_rest_tep_create, OBJECT, .object = &cw_rest_tep_create_object);
static const struct cw_rest_field pool_create_item =
	ITEM(struct cw_rest_pool_create, OBJECT, .object = &cw_rest_pool_create_object);
static const struct cw_rest_field reservation_create_item = ITEM(
	struct cw_rest_reservation_create, OBJECT, .object = &cw_rest_reservation_create_object);
static const struct cw_rest_field user_create_item =
	ITEM(struct cw_rest_user_create, OBJECT, .object = &cw_rest_user_create_object);
static const struct cw_rest_field apply_request_fields[] = {
	FIELD(apply_request, teps, ARRAY, 0, .max = 256, .item = &tep_create_item),
	FIELD(apply_request, pools, ARRAY, 0, .max = 1024, .item = &pool_create_item),
	FIELD(apply_request, reservations, ARRAY, 0, .max = 8192, .item = &reservation_create_item),
	FIELD(apply_request, users, ARRAY, 0, .max = 8192, .item = &user_create_item),
};
OBJECT(apply_request, apply_request, "ApplyRequest", 0);

static const struct cw_rest_field member_name = ITEM(const char *, TEXT, .max = 32);
static const struct cw_rest_field apply_change_fields[] = {
	FIELD(apply_change, action, WORD, CW_REST_REQUIRED, .words = actions),
	FIELD(apply_change, kind, WORD, CW_REST_REQUIRED, .words = kinds),
	FIELD(apply_change, name, TEXT, CW_REST_REQUIRED, .max = 160),
	FIELD(apply_change, id, TEXT, CW_REST_NULLABLE | CW_REST_REQUIRED, .max = 24),
	FIELD(apply_change, members, ARRAY, CW_REST_REQUIRED, .max = 32, .item = &member_name),
};
OBJECT(apply_change, apply_change, "ApplyChange", 0);

static const struct cw_rest_field apply_change_item =
	ITEM(struct cw_rest_apply_change, OBJECT, .object = &cw_rest_apply_change_object);
static const struct cw_rest_field apply_result_fields[] = {
	FIELD(apply_result, dry_run, BOOL, CW_REST_REQUIRED),
	FIELD(apply_result, changed, BOOL, CW_REST_REQUIRED),
	FIELD(apply_result, changes, ARRAY, CW_REST_REQUIRED, .max = UINT16_MAX,
		.item = &apply_change_item),
	FIELD(apply_result, left, ARRAY, CW_REST_REQUIRED, .max = UINT16_MAX,
		.item = &apply_change_item),
};
OBJECT(apply_result, apply_result, "ApplyResult", 0);

static const struct cw_rest_field health_fields[] = {
	FIELD(health, status, WORD, CW_REST_REQUIRED, .words = healths),
};
OBJECT(health, health, "Health", 0);

static const struct cw_rest_field check_fields[] = {
	FIELD(check, name, TEXT, CW_REST_REQUIRED, .max = 63),
	FIELD(check, ok, BOOL, CW_REST_REQUIRED),
	FIELD(check, detail, TEXT, CW_REST_REQUIRED, .max = 255),
};
OBJECT(check, check, "Check", 0);

static const struct cw_rest_field check_item =
	ITEM(struct cw_rest_check, OBJECT, .object = &cw_rest_check_object);
static const struct cw_rest_field ready_fields[] = {
	FIELD(ready, ready, BOOL, CW_REST_REQUIRED),
	FIELD(ready, checks, ARRAY, CW_REST_REQUIRED, .max = 64, .item = &check_item),
};
OBJECT(ready, ready, "Ready", 0);

static const struct cw_rest_field version_fields[] = {
	FIELD(version, name, WORD, CW_REST_REQUIRED, .words = programs),
	FIELD(version, version, TEXT, CW_REST_REQUIRED, .max = 31),
	FIELD(version, api, WORD, CW_REST_REQUIRED, .words = apis),
	FIELD(version, schema, NUM, CW_REST_REQUIRED, .min = 1, .max = UINT32_MAX),
};
OBJECT(version, version, "Version", 0);

const struct cw_rest_object *const cw_rest_objects[] = {
	&cw_rest_pool_object,
	&cw_rest_pool_create_object,
	&cw_rest_pool_patch_object,
	&cw_rest_range_object,
	&cw_rest_exclusion_object,
	&cw_rest_range_create_object,
	&cw_rest_usage_object,
	&cw_rest_sample_object,
	&cw_rest_samples_object,
	&cw_rest_reservation_object,
	&cw_rest_reservation_create_object,
	&cw_rest_reservation_patch_object,
	&cw_rest_lease_object,
	&cw_rest_lease_create_object,
	&cw_rest_lease_patch_object,
	&cw_rest_tenure_object,
	&cw_rest_user_object,
	&cw_rest_user_create_object,
	&cw_rest_user_patch_object,
	&cw_rest_credentials_set_object,
	&cw_rest_credentials_object,
	&cw_rest_tep_object,
	&cw_rest_tep_create_object,
	&cw_rest_tep_patch_object,
	&cw_rest_binding_object,
	&cw_rest_drift_item_object,
	&cw_rest_drift_object,
	&cw_rest_session_object,
	&cw_rest_event_object,
	&cw_rest_job_run_object,
	&cw_rest_job_object,
	&cw_rest_backup_entry_object,
	&cw_rest_config_value_object,
	&cw_rest_config_object,
	&cw_rest_config_fault_object,
	&cw_rest_config_test_object,
	&cw_rest_audit_entry_object,
	&cw_rest_token_object,
	&cw_rest_token_create_object,
	&cw_rest_token_created_object,
	&cw_rest_login_object,
	&cw_rest_whoami_object,
	&cw_rest_apply_request_object,
	&cw_rest_apply_change_object,
	&cw_rest_apply_result_object,
	&cw_rest_health_object,
	&cw_rest_check_object,
	&cw_rest_ready_object,
	&cw_rest_version_object,
	NULL,
};
