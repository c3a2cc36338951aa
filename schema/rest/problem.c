/* SPDX-License-Identifier: BSD-2-Clause */
/* Problems, see problem.h. Thread: the owner's. */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "schema/rest/json_out.h"
#include "schema/rest/problem.h"
#include "schema/rest/scope.h"

static const struct {
	const char *code, *title;
	unsigned status;
	bool general;
} problems[CW_PROBLEMS] = {
#define CW_PROBLEM(name, code_, status_, general_, title_) \
	[CW_PROBLEM_##name] = {                            \
		.code = (code_), .title = (title_), .status = (status_), .general = (general_)},
#include "schema/rest/problem.def"
#undef CW_PROBLEM
};

const char *cw_problem_code(enum cw_problem p)
{
	return problems[p].code;
}

const char *cw_problem_title(enum cw_problem p)
{
	return problems[p].title;
}

unsigned cw_problem_status(enum cw_problem p)
{
	return problems[p].status;
}

bool cw_problem_is_general(enum cw_problem p)
{
	return problems[p].general;
}

enum cw_problem cw_problem_of(const char *s, size_t n)
{
	unsigned i = 0;

	while (i < CW_PROBLEMS &&
		(strlen(problems[i].code) != n || memcmp(problems[i].code, s, n) != 0))
		i++;
	return (enum cw_problem) i;
}

enum cw_problem cw_problem_of_code(int r)
{
	static const struct {
		int code;
		enum cw_problem problem;
	} codes[] = {
		{CW_E_POOL_EMPTY, CW_PROBLEM_POOL_EXHAUSTED},
		{CW_E_QUOTA, CW_PROBLEM_QUOTA_EXCEEDED},
		{CW_E_NOT_YOURS, CW_PROBLEM_NOT_FOUND},
		{CW_E_GONE, CW_PROBLEM_LEASE_ENDED},
		{CW_E_TEP, CW_PROBLEM_TEP_FAILED},
		{CW_E_BUSY, CW_PROBLEM_OVERLOADED},
		{CW_E_STORE_FULL, CW_PROBLEM_STORE_FULL},
		{CW_E_STORE_IO, CW_PROBLEM_STORE_UNAVAILABLE},
		{CW_E_STORE_CORRUPT, CW_PROBLEM_STORE_UNAVAILABLE},
		{CW_E_CONFLICT, CW_PROBLEM_IN_USE},
		{CW_E_STALE, CW_PROBLEM_STALE},
		{CW_E_POLICY, CW_PROBLEM_POLICY},
		{CW_E_AUTH, CW_PROBLEM_UNAUTHENTICATED},
		{CW_E_SHUTDOWN, CW_PROBLEM_SHUTTING_DOWN},
		{CW_E_KEY_REUSED, CW_PROBLEM_KEY_REUSED},
		{-ENOENT, CW_PROBLEM_NOT_FOUND},
		{-EEXIST, CW_PROBLEM_EXISTS},
		{-EINVAL, CW_PROBLEM_INVALID_BODY},
	};

	for (size_t i = 0; i < CW_ARRAY_LEN(codes); i++)
		if (codes[i].code == r)
			return codes[i].problem;
	return CW_PROBLEM_INTERNAL;
}

void cw_rest_error_add(struct cw_rest_errors *errs, enum cw_rest_where where, const char *pointer,
	const char *fmt, ...)
{
	struct cw_rest_error *e;
	va_list ap;

	if (errs->n == CW_REST_ERRORS_MAX) {
		errs->lost++;
		return;
	}
	e = &errs->e[errs->n++];
	e->where = where;
	(void) snprintf(e->pointer, sizeof e->pointer, "%s", pointer);
	va_start(ap, fmt);
	(void) vsnprintf(e->detail, sizeof e->detail, fmt, ap);
	va_end(ap);
}

void cw_rest_pointer_add(char *to, size_t cap, const char *name, size_t n)
{
	size_t at = strlen(to);

	if (at + 2 > cap)
		return;
	to[at++] = '/';
	/* RFC 6901 3 */
	for (size_t i = 0; i < n && at + 3 <= cap; i++) {
		if (name[i] == '~' || name[i] == '/') {
			to[at++] = '~';
			to[at++] = name[i] == '~' ? '0' : '1';
		} else {
			to[at++] = name[i];
		}
	}
	to[at] = '\0';
}

static void render_errors(struct cw_json_out *o, const struct cw_rest_errors *errs)
{
	static const char *const where[] = {
		[CW_REST_IN_BODY] = "body",
		[CW_REST_IN_QUERY] = "query",
		[CW_REST_IN_HEADER] = "header",
		[CW_REST_IN_PATH] = "path",
	};

	CW_JSON_KEY(o, "errors");
	cw_json_begin_array(o);
	for (unsigned i = 0; i < errs->n; i++) {
		cw_json_begin_object(o);
		CW_JSON_KEY(o, "in");
		cw_json_put_str(o, where[errs->e[i].where]);
		CW_JSON_KEY(o, "pointer");
		cw_json_put_str(o, errs->e[i].pointer);
		CW_JSON_KEY(o, "detail");
		cw_json_put_str(o, errs->e[i].detail);
		cw_json_end_object(o);
	}
	cw_json_end_array(o);
}

void cw_problem_render(struct cw_json_out *o, const struct cw_problem_text *t)
{
	char text[192];
	const char *detail = t->detail;

	if (!detail && t->errs && t->errs->n == 1) {
		detail = t->errs->e[0].detail;
	} else if (!detail && t->errs && t->errs->n) {
		(void) snprintf(
			text, sizeof text, "%u things are wrong", t->errs->n + t->errs->lost);
		detail = text;
	} else if (!detail) {
		detail = cw_problem_title(t->problem);
	}
	cw_json_begin_object(o);
	CW_JSON_KEY(o, "type");
	cw_json_put_strs(o, "/problems/", cw_problem_code(t->problem));
	CW_JSON_KEY(o, "title");
	cw_json_put_str(o, cw_problem_title(t->problem));
	CW_JSON_KEY(o, "status");
	cw_json_put_u64(o, cw_problem_status(t->problem));
	CW_JSON_KEY(o, "detail");
	cw_json_put_str(o, detail);
	CW_JSON_KEY(o, "instance");
	cw_json_put_strs(o, "/requests/", t->request_id);
	CW_JSON_KEY(o, "code");
	cw_json_put_str(o, cw_problem_code(t->problem));
	if (t->problem == CW_PROBLEM_INSUFFICIENT_SCOPE) {
		CW_JSON_KEY(o, "scope");
		cw_json_put_str(o, cw_scope_name(t->scope));
	}
	if (t->errs && t->errs->n)
		render_errors(o, t->errs);
	cw_json_end_object(o);
}
