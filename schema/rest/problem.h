/* SPDX-License-Identifier: BSD-2-Clause */
/* Problems: what the REST API answers when it does not do what it was asked (RFC 9457). problem.def is the closed
 * list. Here too: the list of all that is wrong with one request. Thread: the owner's. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"
#include "base/defs.h"

struct cw_json_out;

enum cw_problem {
#define CW_PROBLEM(name, code, status, general, title) CW_PROBLEM_##name,
#include "schema/rest/problem.def"
#undef CW_PROBLEM
	CW_PROBLEMS
};

const char *cw_problem_code(enum cw_problem p);  /* "pool-exhausted" */
const char *cw_problem_title(enum cw_problem p); /* one line, the same for each */
unsigned cw_problem_status(enum cw_problem p);   /* of HTTP */
bool cw_problem_is_general(enum cw_problem p);   /* may be answered by every operation */
/* By its code. CW_PROBLEMS: no such code. */
enum cw_problem cw_problem_of(const char *s, size_t n);

/* What a result code of the store or the engine becomes. CW_E_CONFLICT, CW_E_GONE, CW_E_NOT_YOURS and -ENOENT mean one
 * thing here and another there: the handler tells those that are not in-use, lease-ended, not-found, not-found. */
enum cw_problem cw_problem_of_code(int r);

/* ---- all that is wrong with a request ---- */

enum { CW_REST_ERRORS_MAX = 32 };

enum cw_rest_where { CW_REST_IN_BODY, CW_REST_IN_QUERY, CW_REST_IN_HEADER, CW_REST_IN_PATH };

struct cw_rest_error {
	enum cw_rest_where where;
	char pointer[160]; /* JSON pointer (RFC 6901); one that is longer is cut */
	char detail[160];
};

/* Zero n before use. What does not fit is counted only. */
struct cw_rest_errors {
	unsigned n;    /* of e */
	unsigned lost; /* that did not fit */
	struct cw_rest_error e[CW_REST_ERRORS_MAX];
};

/* One more; pointer is one, "" is the whole body. */
void cw_rest_error_add(struct cw_rest_errors *errs, enum cw_rest_where where, const char *pointer,
	const char *fmt, ...) CW_PRINTF(4, 5);
/* "/" and the name, escaped for a JSON pointer, behind what is in to; cut to cap. */
void cw_rest_pointer_add(char *to, size_t cap, const char *name, size_t n);

/* ---- as JSON ---- */

struct cw_problem_text {
	enum cw_problem problem;
	const char *detail;                /* NULL: from errs, else the title; borrowed */
	const char *request_id;            /* borrowed */
	uint32_t scope;                    /* INSUFFICIENT_SCOPE: the one that is missing */
	const struct cw_rest_errors *errs; /* may be NULL */
};
/* application/problem+json. */
void cw_problem_render(struct cw_json_out *o, const struct cw_problem_text *t);
