/* SPDX-License-Identifier: BSD-2-Clause */
/* Scopes: what credentials are good for. A set is one word of bits, kept with each token. To write includes to
 * read, so a set with a write bit has the read bit too. Thread: any. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"
#include "base/defs.h"

enum cw_scope {
	CW_SCOPE_POOLS_READ = 1 << 0,
	CW_SCOPE_POOLS_WRITE = 1 << 1,
	CW_SCOPE_LEASES_READ = 1 << 2,
	CW_SCOPE_LEASES_WRITE = 1 << 3,
	CW_SCOPE_USERS_READ = 1 << 4,
	CW_SCOPE_USERS_WRITE = 1 << 5,
	CW_SCOPE_TEPS_READ = 1 << 6,
	CW_SCOPE_TEPS_WRITE = 1 << 7,
	CW_SCOPE_HISTORY_READ = 1 << 8,
	CW_SCOPE_HISTORY_WRITE = 1 << 9,
	CW_SCOPE_AUDIT_READ = 1 << 10,
	CW_SCOPE_AUDIT_WRITE = 1 << 11,
	CW_SCOPE_ADMIN_READ = 1 << 12,
	CW_SCOPE_ADMIN_WRITE = 1 << 13,
};

enum { CW_SCOPE_BITS = 14 };

/* Bundles, known by these names wherever a scope is. */
#define CW_SCOPES_VIEWER                                                                \
	((uint32_t) (CW_SCOPE_POOLS_READ | CW_SCOPE_LEASES_READ | CW_SCOPE_USERS_READ | \
		     CW_SCOPE_TEPS_READ))
#define CW_SCOPES_OPERATOR                                                                        \
	(CW_SCOPES_VIEWER |                                                                       \
		(uint32_t) (CW_SCOPE_POOLS_WRITE | CW_SCOPE_LEASES_WRITE | CW_SCOPE_USERS_WRITE | \
			    CW_SCOPE_TEPS_WRITE | CW_SCOPE_HISTORY_READ))
#define CW_SCOPES_ADMIN ((uint32_t) ((1 << CW_SCOPE_BITS) - 1))

/* One scope or bundle to its bits, what it includes among them. 0 or CW_E_SYNTAX. */
int cw_scope_parse(const char *s, size_t n, uint32_t *ret) CW_MUST_CHECK;
/* Several, separated by single blanks: x-scope of openapi.yaml. "any" and "none" are the empty set. 0 or
 * CW_E_SYNTAX. */
int cw_scopes_parse(const char *s, size_t n, uint32_t *ret) CW_MUST_CHECK;
/* The name of the lowest bit of a set, "pools:read"; "" of an empty one. Static. */
const char *cw_scope_name(uint32_t set);
/* The lowest bit of need that have lacks, 0: none is missing. */
uint32_t cw_scope_missing(uint32_t have, uint32_t need) CW_PURE;
