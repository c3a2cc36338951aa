/* SPDX-License-Identifier: BSD-2-Clause */
/* What is leased, to whom, see resources.h. Each entry is a property of openapi.yaml; tests/unit/test_rest_schema.c
 * compares them. Thread: constant. */
#include "config.h"

#include "schema/rest/id.h"
#include "schema/rest/resources.h"
#include "schema/rest/table.h"
#include "schema/rest/words.h"

static const char *const units[] = {"address", "port-set", NULL};
static const char *const levels[] = {"ok", "low", "full", NULL};
static const char *const end_reasons[] = {
	"release", "expire", "revoke", "tep", "reject", "move", NULL};
static const char *const mechanism_words[] = {"SCRAM-SHA-256", "SCRAM-SHA-1", "DIGEST-MD5", NULL};

static const struct cw_rest_field pool_fields[] = {
	FIELD(pool, id, ID, CW_REST_REQUIRED, .base = CW_ID_POOL),
	FIELD(pool, name, NAME, CW_REST_REQUIRED),
	FIELD(pool, kind, WORD, CW_REST_REQUIRED, .words = cw_rest_pool_kinds),
	FIELD(pool, port_set, SHAPE, CW_REST_NULLABLE | CW_REST_REQUIRED),
	FIELD(pool, keep_system_ports, BOOL, CW_REST_REQUIRED),
	FIELD(pool, tep, NAME, CW_REST_REQUIRED),
	FIELD(pool, state, WORD, CW_REST_REQUIRED, .words = cw_rest_pool_states),
	FIELD(pool, lifetime_s, NUM, CW_REST_REQUIRED, .min = 1, .max = UINT32_MAX),
	FIELD(pool, lifetime_min_s, NUM, CW_REST_REQUIRED, .min = 1, .max = UINT32_MAX),
	FIELD(pool, lifetime_max_s, NUM, CW_REST_REQUIRED, .min = 1, .max = UINT32_MAX),
	FIELD(pool, quarantine_s, NUM, CW_REST_REQUIRED, .max = UINT32_MAX),
	FIELD(pool, max_leases, NUM, CW_REST_REQUIRED, .max = UINT32_MAX),
	FIELD(pool, retention_s, NUM, CW_REST_REQUIRED, .max = UINT32_MAX),
	FIELD(pool, order, NUM, CW_REST_REQUIRED, .max = UINT32_MAX),
	FIELD(pool, low_percent, NUM, CW_REST_REQUIRED, .max = 100),
	FIELD(pool, version, NUM, CW_REST_REQUIRED, .min = 1, .max = INT64_MAX),
};
OBJECT(pool, pool, "Pool", 0);

static const struct cw_rest_field range_text = ITEM(struct cw_rest_range4, RANGE4);
static const struct cw_rest_field pool_create_fields[] = {
	FIELD(pool_create, name, NAME, CW_REST_REQUIRED),
	FIELD(pool_create, port_set, SHAPE, CW_REST_NULLABLE),
	FIELD(pool_create, keep_system_ports, BOOL, 0),
	FIELD(pool_create, tep, NAME, CW_REST_REQUIRED),
	FIELD(pool_create, state, WORD, 0, .words = cw_rest_pool_states),
	FIELD(pool_create, lifetime_s, NUM, 0, .min = 1, .max = UINT32_MAX),
	FIELD(pool_create, lifetime_min_s, NUM, 0, .min = 1, .max = UINT32_MAX),
	FIELD(pool_create, lifetime_max_s, NUM, 0, .min = 1, .max = UINT32_MAX),
	FIELD(pool_create, quarantine_s, NUM, 0, .max = UINT32_MAX),
	FIELD(pool_create, max_leases, NUM, 0, .max = UINT32_MAX),
	FIELD(pool_create, retention_s, NUM, 0, .max = UINT32_MAX),
	FIELD(pool_create, order, NUM, 0, .max = UINT32_MAX),
	FIELD(pool_create, low_percent, NUM, 0, .max = 100),
	FIELD(pool_create, ranges, ARRAY, 0, .max = 256, .item = &range_text),
	FIELD(pool_create, exclusions, ARRAY, 0, .max = 256, .item = &range_text),
};
OBJECT(pool_create, pool_create, "PoolCreate", 0);

static const struct cw_rest_field pool_patch_fields[] = {
	FIELD(pool_patch, name, NAME, 0),
	FIELD(pool_patch, keep_system_ports, BOOL, 0),
	FIELD(pool_patch, tep, NAME, 0),
	FIELD(pool_patch, state, WORD, 0, .words = cw_rest_pool_states),
	FIELD(pool_patch, lifetime_s, NUM, 0, .min = 1, .max = UINT32_MAX),
	FIELD(pool_patch, lifetime_min_s, NUM, 0, .min = 1, .max = UINT32_MAX),
	FIELD(pool_patch, lifetime_max_s, NUM, 0, .min = 1, .max = UINT32_MAX),
	FIELD(pool_patch, quarantine_s, NUM, 0, .max = UINT32_MAX),
	FIELD(pool_patch, max_leases, NUM, 0, .max = UINT32_MAX),
	FIELD(pool_patch, retention_s, NUM, 0, .max = UINT32_MAX),
	FIELD(pool_patch, order, NUM, 0, .max = UINT32_MAX),
	FIELD(pool_patch, low_percent, NUM, 0, .max = 100),
};
OBJECT(pool_patch, pool_patch, "PoolPatch", CW_REST_NONEMPTY);

static const struct cw_rest_field range_fields[] = {
	FIELD(range, id, ID, CW_REST_REQUIRED, .base = CW_ID_RANGE),
	FIELD(range, pool, NAME, CW_REST_REQUIRED),
	FIELD(range, first, ADDR4, CW_REST_REQUIRED),
	FIELD(range, last, ADDR4, CW_REST_REQUIRED),
	FIELD(range, addresses, NUM, CW_REST_REQUIRED, .min = 1, .max = UINT64_C(1) << 32),
};
OBJECT(range, range, "Range", 0);

static const struct cw_rest_field exclusion_fields[] = {
	FIELD(range, id, ID, CW_REST_REQUIRED, .base = CW_ID_EXCLUSION),
	FIELD(range, pool, NAME, CW_REST_REQUIRED),
	FIELD(range, first, ADDR4, CW_REST_REQUIRED),
	FIELD(range, last, ADDR4, CW_REST_REQUIRED),
	FIELD(range, addresses, NUM, CW_REST_REQUIRED, .min = 1, .max = UINT64_C(1) << 32),
};
OBJECT(range, exclusion, "Exclusion", 0);

static const struct cw_rest_field range_create_fields[] = {
	FIELD(range_create, range, RANGE4, CW_REST_REQUIRED),
};
OBJECT(range_create, range_create, "RangeCreate", 0);

static const struct cw_rest_field usage_fields[] = {
	FIELD(usage, pool, NAME, CW_REST_REQUIRED),
	FIELD(usage, unit, WORD, CW_REST_REQUIRED, .words = units),
	FIELD(usage, total, NUM, CW_REST_REQUIRED, .max = INT64_MAX),
	FIELD(usage, available, NUM, CW_REST_REQUIRED, .max = INT64_MAX),
	FIELD(usage, active, NUM, CW_REST_REQUIRED, .max = INT64_MAX),
	FIELD(usage, ending, NUM, CW_REST_REQUIRED, .max = INT64_MAX),
	FIELD(usage, quarantined, NUM, CW_REST_REQUIRED, .max = INT64_MAX),
	FIELD(usage, reserved, NUM, CW_REST_REQUIRED, .max = INT64_MAX),
	FIELD(usage, excluded, NUM, CW_REST_REQUIRED, .max = INT64_MAX),
	FIELD(usage, used_percent, NUM, CW_REST_REQUIRED, .max = 100),
	FIELD(usage, level, WORD, CW_REST_REQUIRED, .words = levels),
};
OBJECT(usage, usage, "Usage", 0);

static const struct cw_rest_field sample_fields[] = {
	FIELD(sample, at, TIME, CW_REST_REQUIRED),
	FIELD(sample, available, NUM, CW_REST_REQUIRED, .max = INT64_MAX),
	FIELD(sample, active, NUM, CW_REST_REQUIRED, .max = INT64_MAX),
	FIELD(sample, ending, NUM, CW_REST_REQUIRED, .max = INT64_MAX),
	FIELD(sample, quarantined, NUM, CW_REST_REQUIRED, .max = INT64_MAX),
};
OBJECT(sample, sample, "Sample", 0);

static const struct cw_rest_field sample_item =
	ITEM(struct cw_rest_sample, OBJECT, .object = &cw_rest_sample_object);
static const struct cw_rest_field samples_fields[] = {
	FIELD(samples, pool, NAME, CW_REST_REQUIRED),
	FIELD(samples, from, TIME, CW_REST_REQUIRED),
	FIELD(samples, to, TIME, CW_REST_REQUIRED),
	FIELD(samples, step_s, NUM, CW_REST_REQUIRED, .min = 60, .max = 86400),
	FIELD(samples, items, ARRAY, CW_REST_REQUIRED, .max = 2000, .item = &sample_item),
	FIELD(samples, full_at, TIME, CW_REST_NULLABLE | CW_REST_REQUIRED),
};
OBJECT(samples, samples, "Samples", 0);

static const struct cw_rest_field reservation_fields[] = {
	FIELD(reservation, id, ID, CW_REST_REQUIRED, .base = CW_ID_RESERVATION),
	FIELD(reservation, pool, NAME, CW_REST_REQUIRED),
	FIELD(reservation, address, ADDR4, CW_REST_REQUIRED),
	FIELD(reservation, psid, NUM, CW_REST_NULLABLE | CW_REST_REQUIRED, .max = UINT16_MAX),
	FIELD(reservation, owner, PRINCIPAL, CW_REST_REQUIRED),
	FIELD(reservation, version, NUM, CW_REST_REQUIRED, .min = 1, .max = INT64_MAX),
};
OBJECT(reservation, reservation, "Reservation", 0);

static const struct cw_rest_field reservation_create_fields[] = {
	FIELD(reservation_create, pool, NAME, 0),
	FIELD(reservation_create, address, ADDR4, CW_REST_REQUIRED),
	FIELD(reservation_create, psid, NUM, CW_REST_NULLABLE, .max = UINT16_MAX),
	FIELD(reservation_create, owner, PRINCIPAL, CW_REST_REQUIRED),
};
OBJECT(reservation_create, reservation_create, "ReservationCreate", 0);

static const struct cw_rest_field reservation_patch_fields[] = {
	FIELD(reservation_patch, owner, PRINCIPAL, CW_REST_REQUIRED),
};
OBJECT(reservation_patch, reservation_patch, "ReservationPatch", 0);

static const struct cw_rest_field lease_fields[] = {
	FIELD(lease, id, ID, CW_REST_REQUIRED, .base = CW_ID_LEASE),
	FIELD(lease, pool, NAME, CW_REST_REQUIRED),
	FIELD(lease, address, ADDR4, CW_REST_REQUIRED),
	FIELD(lease, ports, PORTS, CW_REST_NULLABLE | CW_REST_REQUIRED),
	FIELD(lease, ipv6, ADDR6, CW_REST_REQUIRED),
	FIELD(lease, owner, PRINCIPAL, CW_REST_REQUIRED),
	FIELD(lease, access, WORD, CW_REST_REQUIRED, .words = cw_rest_accesses, .base = 1),
	FIELD(lease, state, WORD, CW_REST_REQUIRED, .words = cw_rest_lease_states),
	FIELD(lease, confirmed, BOOL, CW_REST_REQUIRED),
	FIELD(lease, tep, NAME, CW_REST_REQUIRED),
	FIELD(lease, granted_at, TIME, CW_REST_REQUIRED),
	FIELD(lease, expires_at, TIME, CW_REST_REQUIRED),
	FIELD(lease, lifetime_s, NUM, CW_REST_REQUIRED, .min = 1, .max = UINT32_MAX),
	FIELD(lease, end_reason, WORD, CW_REST_NULLABLE | CW_REST_REQUIRED, .words = end_reasons,
		.base = 1),
	FIELD(lease, tags, TAGS, CW_REST_REQUIRED),
};
OBJECT(lease, lease, "Lease", 0);

static const struct cw_rest_field lease_create_fields[] = {
	FIELD(lease_create, pool, NAME, 0),
	FIELD(lease_create, owner, PRINCIPAL, 0),
	FIELD(lease_create, ipv6, ADDR6, CW_REST_REQUIRED),
	FIELD(lease_create, address, ADDR4, 0),
	FIELD(lease_create, psid, NUM, 0, .max = UINT16_MAX),
	FIELD(lease_create, ports_ok, BOOL, 0),
	FIELD(lease_create, ports_min, NUM, 0, .max = UINT16_MAX),
	FIELD(lease_create, lifetime_s, NUM, 0, .min = 1, .max = UINT32_MAX),
	FIELD(lease_create, tags, TAGS, 0),
};
OBJECT(lease_create, lease_create, "LeaseCreate", 0);

static const struct cw_rest_field lease_patch_fields[] = {
	FIELD(lease_patch, lifetime_s, NUM, 0, .min = 1, .max = UINT32_MAX),
	FIELD(lease_patch, tags, TAGS, 0),
};
OBJECT(lease_patch, lease_patch, "LeasePatch", CW_REST_NONEMPTY);

static const struct cw_rest_field tenure_fields[] = {
	FIELD(tenure, lease, ID, CW_REST_REQUIRED, .base = CW_ID_LEASE),
	FIELD(tenure, pool, NAME, CW_REST_NULLABLE | CW_REST_REQUIRED),
	FIELD(tenure, address, ADDR4, CW_REST_REQUIRED),
	FIELD(tenure, ports, PORTS, CW_REST_NULLABLE | CW_REST_REQUIRED),
	FIELD(tenure, ipv6, ADDR6, CW_REST_REQUIRED),
	FIELD(tenure, owner, PRINCIPAL, CW_REST_REQUIRED),
	FIELD(tenure, access, WORD, CW_REST_REQUIRED, .words = cw_rest_accesses, .base = 1),
	FIELD(tenure, tep, NAME, CW_REST_NULLABLE | CW_REST_REQUIRED),
	FIELD(tenure, granted_at, TIME, CW_REST_REQUIRED),
	FIELD(tenure, ended_at, TIME, CW_REST_NULLABLE | CW_REST_REQUIRED),
	FIELD(tenure, end_reason, WORD, CW_REST_NULLABLE | CW_REST_REQUIRED, .words = end_reasons,
		.base = 1),
	FIELD(tenure, moved_from, ID, CW_REST_NULLABLE | CW_REST_REQUIRED, .base = CW_ID_LEASE),
};
OBJECT(tenure, tenure, "Tenure", 0);

static const struct cw_rest_field user_fields[] = {
	FIELD(user, id, ID, CW_REST_REQUIRED, .base = CW_ID_USER),
	FIELD(user, name, NAME, CW_REST_REQUIRED),
	FIELD(user, disabled, BOOL, CW_REST_REQUIRED),
	FIELD(user, max_leases, NUM, CW_REST_REQUIRED, .max = UINT32_MAX),
	FIELD(user, pool, NAME, CW_REST_NULLABLE | CW_REST_REQUIRED),
	FIELD(user, version, NUM, CW_REST_REQUIRED, .min = 1, .max = INT64_MAX),
};
OBJECT(user, user, "User", 0);

static const struct cw_rest_field user_create_fields[] = {
	FIELD(user_create, name, NAME, CW_REST_REQUIRED),
	FIELD(user_create, disabled, BOOL, 0),
	FIELD(user_create, max_leases, NUM, 0, .max = UINT32_MAX),
	FIELD(user_create, pool, NAME, CW_REST_NULLABLE),
	FIELD(user_create, password, TEXT, CW_REST_SECRET, .min = 1, .max = 255),
	FIELD(user_create, mechanisms, WORDS, 0, .words = mechanism_words, .min = 1, .max = 3),
	FIELD(user_create, allow_password_equivalent, BOOL, 0),
};
OBJECT(user_create, user_create, "UserCreate", 0);

static const struct cw_rest_field user_patch_fields[] = {
	FIELD(user_patch, disabled, BOOL, 0),
	FIELD(user_patch, max_leases, NUM, 0, .max = UINT32_MAX),
	FIELD(user_patch, pool, NAME, CW_REST_NULLABLE),
};
OBJECT(user_patch, user_patch, "UserPatch", CW_REST_NONEMPTY);

static const struct cw_rest_field credentials_set_fields[] = {
	FIELD(credentials_set, password, TEXT, CW_REST_SECRET | CW_REST_REQUIRED, .min = 1,
		.max = 255),
	FIELD(credentials_set, mechanisms, WORDS, 0, .words = mechanism_words, .min = 1, .max = 3),
	FIELD(credentials_set, allow_password_equivalent, BOOL, 0),
};
OBJECT(credentials_set, credentials_set, "CredentialsSet", 0);

static const struct cw_rest_field credentials_fields[] = {
	FIELD(credentials, user, NAME, CW_REST_REQUIRED),
	FIELD(credentials, mechanisms, WORDS, CW_REST_REQUIRED, .words = mechanism_words, .max = 3),
};
OBJECT(credentials, credentials, "Credentials", 0);
