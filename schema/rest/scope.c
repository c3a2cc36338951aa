/* SPDX-License-Identifier: BSD-2-Clause */
/* Scopes, see scope.h. Thread: any. */
#include "config.h"

#include <string.h>

#include "base/err.h"
#include "schema/rest/scope.h"

/* In the order of the bits: even ones read, odd ones write. */
static const char *const names[CW_SCOPE_BITS] = {
	"pools:read",
	"pools:write",
	"leases:read",
	"leases:write",
	"users:read",
	"users:write",
	"teps:read",
	"teps:write",
	"history:read",
	"history:write",
	"audit:read",
	"audit:write",
	"admin:read",
	"admin:write",
};

static bool is(const char *s, size_t n, const char *name)
{
	return strlen(name) == n && memcmp(s, name, n) == 0;
}

int cw_scope_parse(const char *s, size_t n, uint32_t *ret)
{
	for (unsigned i = 0; i < CW_SCOPE_BITS; i++) {
		if (is(s, n, names[i])) {
			*ret = i % 2 ? 3u << (i - 1) : 1u << i;
			return 0;
		}
	}
	if (is(s, n, "viewer"))
		*ret = CW_SCOPES_VIEWER;
	else if (is(s, n, "operator"))
		*ret = CW_SCOPES_OPERATOR;
	else if (is(s, n, "admin"))
		*ret = CW_SCOPES_ADMIN;
	else
		return CW_E_SYNTAX;
	return 0;
}

int cw_scopes_parse(const char *s, size_t n, uint32_t *ret)
{
	uint32_t set = 0, one;

	if (is(s, n, "any") || is(s, n, "none")) {
		*ret = 0;
		return 0;
	}
	for (size_t at = 0;;) {
		const char *blank = memchr(s + at, ' ', n - at);
		const size_t len = blank ? (size_t) (blank - s) - at : n - at;

		if (cw_scope_parse(s + at, len, &one) < 0)
			return CW_E_SYNTAX;
		set |= one;
		at += len + 1;
		if (!blank)
			break;
	}
	*ret = set;
	return 0;
}

const char *cw_scope_name(uint32_t set)
{
	const unsigned bit = set ? (unsigned) __builtin_ctz(set) : CW_SCOPE_BITS;

	return bit < CW_SCOPE_BITS ? names[bit] : "";
}

uint32_t cw_scope_missing(uint32_t have, uint32_t need)
{
	const uint32_t missing = need & ~have;

	return missing & (~missing + 1);
}
