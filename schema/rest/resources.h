/* SPDX-License-Identifier: BSD-2-Clause */
/* What the REST API speaks of, as structs: one per schema of openapi.yaml, under its names (Lease is struct cw_rest_lease,
 * its table cw_rest_lease_object). Handlers fill them from the store's rows, or get them from a body or a query; the
 * tables do the rest (fields.h). Texts are borrowed: from the row when rendered, of the arena when read. Names and ids of
 * pools, TEPs and users are texts here, for the store tells what they stand for. Thread: the owner's. */
#pragma once

#include "schema/rest/fields.h"
#include "schema/rest/problem.h"

#define CW_REST_SEEN uint32_t seen

/* ---- pools ---- */

enum cw_rest_pool_kind { CW_REST_POOL_IPV4, CW_REST_POOL_IPV4_PORT };

struct cw_rest_pool {
	CW_REST_SEEN;
	uint64_t id;
	const char *name;
	uint8_t kind;
	struct cw_portset port_set;
	bool keep_system_ports;
	const char *tep;
	uint8_t state; /* as enum cw_pool_state */
	uint32_t lifetime_s, lifetime_min_s, lifetime_max_s;
	uint32_t quarantine_s, max_leases, retention_s, order;
	uint8_t low_percent;
	uint64_t version;
};
struct cw_rest_pool_create {
	CW_REST_SEEN;
	const char *name;
	struct cw_portset port_set;
	bool keep_system_ports;
	const char *tep;
	uint8_t state;
	uint32_t lifetime_s, lifetime_min_s, lifetime_max_s;
	uint32_t quarantine_s, max_leases, retention_s, order;
	uint8_t low_percent;
	struct cw_rest_array ranges, exclusions; /* struct cw_rest_range4 */
};
struct cw_rest_pool_patch {
	CW_REST_SEEN;
	const char *name;
	bool keep_system_ports;
	const char *tep;
	uint8_t state;
	uint32_t lifetime_s, lifetime_min_s, lifetime_max_s;
	uint32_t quarantine_s, max_leases, retention_s, order;
	uint8_t low_percent;
};
/* Range and Exclusion differ in their ids only. */
struct cw_rest_range {
	CW_REST_SEEN;
	uint64_t id;
	const char *pool;
	struct cw_addr4 first, last;
	uint64_t addresses;
};
struct cw_rest_range_create {
	CW_REST_SEEN;
	struct cw_rest_range4 range;
};
struct cw_rest_usage {
	CW_REST_SEEN;
	const char *pool;
	uint8_t unit; /* 0 address, 1 port-set */
	uint64_t total, available, active, ending, quarantined, reserved, excluded;
	uint8_t used_percent;
	uint8_t level; /* 0 ok, 1 low, 2 full */
};
struct cw_rest_sample {
	CW_REST_SEEN;
	int64_t at;
	uint64_t available, active, ending, quarantined;
};
struct cw_rest_samples {
	CW_REST_SEEN;
	const char *pool;
	int64_t from, to;
	uint32_t step_s;
	struct cw_rest_array items; /* struct cw_rest_sample */
	int64_t full_at;
};

/* ---- reservations ---- */

struct cw_rest_reservation {
	CW_REST_SEEN;
	uint64_t id;
	const char *pool;
	struct cw_addr4 address;
	uint64_t psid; /* CW_REST_NONE: a whole address */
	const char *owner;
	uint64_t version;
};
struct cw_rest_reservation_create {
	CW_REST_SEEN;
	const char *pool;
	struct cw_addr4 address;
	uint64_t psid;
	const char *owner;
};
struct cw_rest_reservation_patch {
	CW_REST_SEEN;
	const char *owner;
};

/* ---- leases ---- */

struct cw_rest_lease {
	CW_REST_SEEN;
	uint64_t id;
	const char *pool;
	struct cw_addr4 address;
	struct cw_portset ports;
	struct cw_addr6 ipv6;
	const char *owner;
	uint8_t access; /* as enum cw_access */
	uint8_t state;  /* as enum cw_lease_state */
	bool confirmed;
	const char *tep;
	int64_t granted_at, expires_at;
	uint32_t lifetime_s;
	uint8_t end_reason; /* as enum cw_end_reason; 0 is null */
	const char *tags;   /* JSON; NULL: none */
};
struct cw_rest_lease_create {
	CW_REST_SEEN;
	const char *pool, *owner;
	struct cw_addr6 ipv6;
	struct cw_addr4 address;
	uint32_t psid;
	bool ports_ok;
	uint32_t ports_min;
	uint32_t lifetime_s;
	const char *tags;
};
struct cw_rest_lease_patch {
	CW_REST_SEEN;
	uint32_t lifetime_s;
	const char *tags;
};
struct cw_rest_tenure {
	CW_REST_SEEN;
	uint64_t lease;
	const char *pool;
	struct cw_addr4 address;
	struct cw_portset ports;
	struct cw_addr6 ipv6;
	const char *owner;
	uint8_t access;
	const char *tep;
	int64_t granted_at, ended_at;
	uint8_t end_reason;
	uint64_t moved_from;
};

/* ---- users ---- */

struct cw_rest_user {
	CW_REST_SEEN;
	uint64_t id;
	const char *name;
	bool disabled;
	uint32_t max_leases;
	const char *pool;
	uint64_t version;
};
/* Bits of `mechanisms`. */
enum { CW_REST_SCRAM_SHA_256 = 1 << 0, CW_REST_SCRAM_SHA_1 = 1 << 1, CW_REST_DIGEST_MD5 = 1 << 2 };
struct cw_rest_user_create {
	CW_REST_SEEN;
	const char *name;
	bool disabled;
	uint32_t max_leases;
	const char *pool;
	const char *password; /* cw_rest_wipe() */
	uint64_t mechanisms;
	bool allow_password_equivalent;
};
struct cw_rest_user_patch {
	CW_REST_SEEN;
	bool disabled;
	uint32_t max_leases;
	const char *pool;
};
struct cw_rest_credentials_set {
	CW_REST_SEEN;
	const char *password; /* cw_rest_wipe() */
	uint64_t mechanisms;
	bool allow_password_equivalent;
};
struct cw_rest_credentials {
	CW_REST_SEEN;
	const char *user;
	uint64_t mechanisms;
};

/* ---- TEPs, sessions ---- */

enum cw_rest_tep_state {
	CW_REST_TEP_STARTING,
	CW_REST_TEP_UP,
	CW_REST_TEP_SYNCING,
	CW_REST_TEP_DOWN
};

struct cw_rest_tep {
	CW_REST_SEEN;
	uint64_t id;
	const char *name, *plugin;
	struct cw_addr4 ipv4;
	struct cw_addr6 ipv6;
	bool draining;
	uint8_t state;
	bool required;
	uint64_t bindings, waiting, drift;
	int64_t compared_at;
	const char *last_error;
	uint64_t version;
};
struct cw_rest_tep_create {
	CW_REST_SEEN;
	const char *name;
	struct cw_addr4 ipv4;
	struct cw_addr6 ipv6;
	bool draining;
};
struct cw_rest_tep_patch {
	CW_REST_SEEN;
	struct cw_addr4 ipv4;
	struct cw_addr6 ipv6;
	bool draining;
};
struct cw_rest_binding {
	CW_REST_SEEN;
	struct cw_addr4 address;
	struct cw_portset ports;
	struct cw_addr6 ipv6;
	uint64_t lease;
};
enum cw_rest_drift_kind { CW_REST_DRIFT_MISSING, CW_REST_DRIFT_EXTRA, CW_REST_DRIFT_DIFFERENT };
struct cw_rest_drift_item {
	CW_REST_SEEN;
	uint8_t kind;
	const struct cw_rest_binding *wanted, *actual;
};
struct cw_rest_drift {
	CW_REST_SEEN;
	const char *tep;
	int64_t compared_at;
	uint64_t wanted, actual, differences;
	struct cw_rest_array items; /* struct cw_rest_drift_item */
};
enum cw_rest_transport { CW_REST_TCP, CW_REST_UDP, CW_REST_UNIX };
enum cw_rest_session_state { CW_REST_LOGIN, CW_REST_READY, CW_REST_BUSY, CW_REST_CLOSING };
struct cw_rest_session {
	CW_REST_SEEN;
	uint64_t id;
	uint8_t access;
	const char *peer, *owner, *mechanism;
	bool tls;
	uint8_t transport;
	uint8_t state;
	int64_t since_at, last_at;
	uint64_t leases, requests, octets_in, octets_out;
};

/* ---- events, jobs, backups ---- */

struct cw_rest_event {
	CW_REST_SEEN;
	uint64_t id;
	int64_t at;
	const char *type;
	const char *object; /* id */
	const char *name;
	const char *detail; /* JSON */
};

enum cw_rest_job_name {
	CW_REST_JOB_EXPIRY,
	CW_REST_JOB_QUARANTINE,
	CW_REST_JOB_RETENTION,
	CW_REST_JOB_BACKUP,
	CW_REST_JOB_UPKEEP,
	CW_REST_JOB_SAMPLES,
};
extern const char *const cw_rest_job_names[]; /* NULL-ended */
enum cw_rest_run_result { CW_REST_RUNNING, CW_REST_RUN_OK, CW_REST_RUN_FAILED, CW_REST_RUN_LOST };
struct cw_rest_job_run {
	CW_REST_SEEN;
	uint64_t id;
	uint8_t job;
	int64_t started_at, ended_at;
	uint8_t result;
	uint64_t items;
	const char *detail;
};
struct cw_rest_job {
	CW_REST_SEEN;
	uint8_t name;
	uint64_t every_s; /* CW_REST_NONE: as work falls due */
	int64_t next_at;
	bool running;
	const struct cw_rest_job_run *last;
	uint64_t backlog, lag_s;
	bool healthy;
	uint64_t runs, failures;
	int64_t ok_at;
};
struct cw_rest_backup_entry {
	CW_REST_SEEN;
	const char *name;
	int64_t created_at;
	uint64_t octets;
	const char *sha256;
	uint32_t schema;
};

/* ---- configuration, audit, tokens, login ---- */

struct cw_rest_config_value {
	CW_REST_SEEN;
	const char *section, *title, *name, *value;
	bool is_default, reloadable;
};
struct cw_rest_config {
	CW_REST_SEEN;
	const char *sha256;
	int64_t loaded_at;
	struct cw_rest_array items; /* struct cw_rest_config_value */
};
struct cw_rest_config_fault {
	CW_REST_SEEN;
	uint64_t line;
	const char *detail;
};
struct cw_rest_config_test {
	CW_REST_SEEN;
	bool ok;
	const char *sha256;
	struct cw_rest_array faults;           /* struct cw_rest_config_fault */
	struct cw_rest_array changes, restart; /* const char * */
};
struct cw_rest_audit_entry {
	CW_REST_SEEN;
	uint64_t id;
	int64_t at;
	const char *actor, *peer, *verb, *object;
	const char *detail; /* JSON */
	const char *hash;
};
struct cw_rest_token {
	CW_REST_SEEN;
	uint64_t id;
	const char *name, *hint;
	uint32_t scopes;
	struct cw_rest_array prefixes; /* const char * */
	int64_t created_at, expires_at, last_used_at;
};
struct cw_rest_token_create {
	CW_REST_SEEN;
	const char *name;
	uint32_t scopes;
	struct cw_rest_array prefixes; /* const char * */
	uint32_t lifetime_s;
};
struct cw_rest_token_created {
	CW_REST_SEEN;
	const char *token; /* cw_rest_wipe() */
	struct cw_rest_token info;
};
struct cw_rest_login {
	CW_REST_SEEN;
	const char *token; /* cw_rest_wipe() */
};
enum cw_rest_via {
	CW_REST_VIA_UNIX,
	CW_REST_VIA_TOKEN,
	CW_REST_VIA_CERTIFICATE,
	CW_REST_VIA_COOKIE
};
struct cw_rest_whoami {
	CW_REST_SEEN;
	const char *actor;
	uint8_t via;
	uint32_t scopes;
	const char *csrf_token;
	int64_t expires_at;
};

/* ---- apply ---- */

struct cw_rest_apply_request {
	CW_REST_SEEN;
	struct cw_rest_array teps;         /* struct cw_rest_tep_create */
	struct cw_rest_array pools;        /* struct cw_rest_pool_create */
	struct cw_rest_array reservations; /* struct cw_rest_reservation_create */
	struct cw_rest_array users;        /* struct cw_rest_user_create */
};
enum cw_rest_apply_action { CW_REST_CREATE, CW_REST_CHANGE, CW_REST_REMOVE };
enum cw_rest_apply_kind {
	CW_REST_KIND_TEP,
	CW_REST_KIND_POOL,
	CW_REST_KIND_RANGE,
	CW_REST_KIND_EXCLUSION,
	CW_REST_KIND_RESERVATION,
	CW_REST_KIND_USER,
	CW_REST_KIND_CREDENTIALS,
};
struct cw_rest_apply_change {
	CW_REST_SEEN;
	uint8_t action, kind;
	const char *name, *id;
	struct cw_rest_array members; /* const char * */
};
struct cw_rest_apply_result {
	CW_REST_SEEN;
	bool dry_run, changed;
	struct cw_rest_array changes, left; /* struct cw_rest_apply_change */
};

/* ---- the broker itself ---- */

struct cw_rest_health {
	CW_REST_SEEN;
	uint8_t status; /* 0 ok */
};
struct cw_rest_check {
	CW_REST_SEEN;
	const char *name;
	bool ok;
	const char *detail;
};
struct cw_rest_ready {
	CW_REST_SEEN;
	bool ready;
	struct cw_rest_array checks; /* struct cw_rest_check */
};
struct cw_rest_version {
	CW_REST_SEEN;
	uint8_t name; /* 0 causewayd */
	const char *version;
	uint8_t api; /* 0 v1 */
	uint32_t schema;
};

#define CW_REST_TABLE(name) extern const struct cw_rest_object cw_rest_##name##_object
CW_REST_TABLE(pool);
CW_REST_TABLE(pool_create);
CW_REST_TABLE(pool_patch);
CW_REST_TABLE(range);
CW_REST_TABLE(exclusion); /* struct cw_rest_range */
CW_REST_TABLE(range_create);
CW_REST_TABLE(usage);
CW_REST_TABLE(sample);
CW_REST_TABLE(samples);
CW_REST_TABLE(reservation);
CW_REST_TABLE(reservation_create);
CW_REST_TABLE(reservation_patch);
CW_REST_TABLE(lease);
CW_REST_TABLE(lease_create);
CW_REST_TABLE(lease_patch);
CW_REST_TABLE(tenure);
CW_REST_TABLE(user);
CW_REST_TABLE(user_create);
CW_REST_TABLE(user_patch);
CW_REST_TABLE(credentials_set);
CW_REST_TABLE(credentials);
CW_REST_TABLE(tep);
CW_REST_TABLE(tep_create);
CW_REST_TABLE(tep_patch);
CW_REST_TABLE(binding);
CW_REST_TABLE(drift_item);
CW_REST_TABLE(drift);
CW_REST_TABLE(session);
CW_REST_TABLE(event);
CW_REST_TABLE(job_run);
CW_REST_TABLE(job);
CW_REST_TABLE(backup_entry);
CW_REST_TABLE(config_value);
CW_REST_TABLE(config);
CW_REST_TABLE(config_fault);
CW_REST_TABLE(config_test);
CW_REST_TABLE(audit_entry);
CW_REST_TABLE(token);
CW_REST_TABLE(token_create);
CW_REST_TABLE(token_created);
CW_REST_TABLE(login);
CW_REST_TABLE(whoami);
CW_REST_TABLE(apply_request);
CW_REST_TABLE(apply_change);
CW_REST_TABLE(apply_result);
CW_REST_TABLE(health);
CW_REST_TABLE(check);
CW_REST_TABLE(ready);
CW_REST_TABLE(version);
#undef CW_REST_TABLE

/* All of them, NULL-ended. */
extern const struct cw_rest_object *const cw_rest_objects[];
