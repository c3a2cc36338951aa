/* SPDX-License-Identifier: BSD-2-Clause */
/* Which operation a request is for: the table is made from openapi.yaml at build time, so that what is served and what
 * is documented cannot differ. Thread: any. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"
#include "base/defs.h"

enum cw_rest_op {
#define CW_OPERATION(name, method, path, scope, bits, repeats, locally, body) CW_OP_REST_##name,
#include "schema/rest/operations.def"
#undef CW_OPERATION
	CW_REST_OPS
};

enum cw_rest_method {
	CW_REST_GET,
	CW_REST_POST,
	CW_REST_PUT,
	CW_REST_PATCH,
	CW_REST_DELETE,
	CW_REST_METHODS
};
enum cw_rest_repeat { CW_REST_safe, CW_REST_natural, CW_REST_key, CW_REST_none };

struct cw_rest_operation {
	const char *name;  /* operationId */
	const char *path;  /* template, also the route label of metrics */
	const char *scope; /* x-scope as it is written */
	enum cw_rest_method method;
	enum cw_rest_repeat repeat;
	uint32_t scopes; /* all of these */
	bool open;       /* no credentials at all */
	bool open_locally;
	bool body; /* takes one */
};

const struct cw_rest_operation *cw_rest_operation(enum cw_rest_op op);
const char *cw_rest_method_name(enum cw_rest_method m);
/* By its method's name; HEAD counts as GET. CW_REST_METHODS: a method we do not know. */
enum cw_rest_method cw_rest_method_of(const char *name);

enum { CW_ROUTE_PARAMS_MAX = 2, CW_ROUTE_PARAM_MAX = 127 };

struct cw_route {
	enum cw_rest_op op;
	unsigned n;
	char param[CW_ROUTE_PARAMS_MAX]
		  [CW_ROUTE_PARAM_MAX + 1]; /* percent-decoded, in the order of the template */
	unsigned allowed;                   /* methods of this path, as bits: for Allow */
};

/* path: as it came, without the query. 0; -ENOENT: no such path (a segment that cannot be decoded, or is longer than
 * any id or name, is one); CW_E_POLICY: the path is known and the method is not: ret->allowed. */
int cw_route_find(
	enum cw_rest_method method, const char *path, size_t n, struct cw_route *ret) CW_MUST_CHECK;
