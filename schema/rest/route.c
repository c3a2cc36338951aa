/* SPDX-License-Identifier: BSD-2-Clause */
/* Routes, see route.h. The templates are compared in turn: some 70 of them, most told apart by a few octets. Thread: any. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "schema/rest/query.h"
#include "schema/rest/route.h"
#include "schema/rest/scope.h"

static const struct cw_rest_operation operations[CW_REST_OPS] = {
#define CW_OPERATION(name_, method_, path_, scope_, bits, repeats, locally, body_) \
	[CW_OP_REST_##name_] = {                                                   \
		.name = #name_,                                                    \
		.path = (path_),                                                   \
		.scope = (scope_),                                                 \
		.method = CW_REST_##method_,                                       \
		.repeat = CW_REST_##repeats,                                       \
		.scopes = (bits),                                                  \
		.open = (scope_)[0] == 'n',                                        \
		.open_locally = (locally),                                         \
		.body = (body_),                                                   \
	},
#include "schema/rest/operations.def"
#undef CW_OPERATION
};

static const char *const methods[CW_REST_METHODS] = {"GET", "POST", "PUT", "PATCH", "DELETE"};

const struct cw_rest_operation *cw_rest_operation(enum cw_rest_op op)
{
	return &operations[op];
}

const char *cw_rest_method_name(enum cw_rest_method m)
{
	return methods[m];
}

enum cw_rest_method cw_rest_method_of(const char *name)
{
	unsigned i = 0;

	if (strcmp(name, "HEAD") == 0)
		return CW_REST_GET;
	while (i < CW_REST_METHODS && strcmp(name, methods[i]) != 0)
		i++;
	return (enum cw_rest_method) i;
}

/* A parameter reaches to the next "/" or ":" (":drain"), so neither can be in it; escaped they are part of it, and of no
 * name or id. */
static bool take_param(struct cw_slice value, struct cw_route *ret)
{
	if (!value.n || value.n > CW_ROUTE_PARAM_MAX || ret->n == CW_ROUTE_PARAMS_MAX ||
		cw_percent_decode(value.p, value.n, false, ret->param[ret->n]) <= 0)
		return false;
	ret->n++;
	return true;
}

static bool fits(const char *template, const char *path, size_t n, struct cw_route *ret)
{
	size_t at = 0;

	ret->n = 0;
	for (const char *t = template; *t; t++) {
		size_t from = at;

		if (*t != '{') {
			if (at == n || path[at++] != *t)
				return false;
			continue;
		}
		while (at < n && path[at] != '/' && path[at] != ':')
			at++;
		if (!take_param((struct cw_slice){path + from, at - from}, ret))
			return false;
		t = strchr(t, '}');
	}
	return at == n;
}

int cw_route_find(enum cw_rest_method method, const char *path, size_t n, struct cw_route *ret)
{
	struct cw_route found = {0}, try = {0};
	bool known = false;
	unsigned allowed = 0;

	for (unsigned i = 0; i < CW_REST_OPS; i++) {
		if (!fits(operations[i].path, path, n, &try))
			continue;
		allowed |= 1u << operations[i].method;
		if (operations[i].method == method && !known) {
			found = try;
			found.op = (enum cw_rest_op) i;
			known = true;
		}
	}
	if (!allowed)
		return -ENOENT;
	found.allowed = allowed;
	*ret = found;
	return known ? 0 : CW_E_POLICY;
}
