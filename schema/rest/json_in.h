/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON as it is read: strangers' octets to jansson's tree, under bounds, or to what is wrong with them and where.
 * jansson is strict about UTF-8, NUL, duplicate keys and 64-bit integers; depth and length are bounded here before it
 * sees the text. Thread: any; cw_json_init() once before threads. */
#pragma once

#include "base/defs.h"
#include "schema/rest/problem.h"

enum {
	CW_JSON_DEPTH_MAX = 32,
	CW_JSON_BODY_MAX = 1048576, /* 1 MiB */
};

struct json_t; /* of <jansson.h> */

/* jansson's memory comes from base/mem, and is overwritten when it is freed: it held passwords. Safe to repeat. */
void cw_json_init(void);

/* An object or array of n octets, at most max. *ret is given (cw_json_free). 0; or a code, then *ret_problem is set:
 * CW_E_LIMIT (too long), CW_E_SYNTAX (no JSON, too deep, duplicate keys, bad UTF-8: one error with its pointer in errs;
 * INVALID_BODY for a number beyond 64 bits), -ENOMEM. */
int cw_json_parse(const void *p, size_t n, size_t max, struct json_t **ret,
	struct cw_rest_errors *errs, enum cw_problem *ret_problem) CW_MUST_CHECK;
struct json_t *cw_json_free(struct json_t *j); /* NULL is fine; returns NULL */
void cw_json_freep(struct json_t **j);
