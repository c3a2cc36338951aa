/* SPDX-License-Identifier: BSD-2-Clause */
/* From JSON and from texts to our structs, by the tables of fields.h. All that is wrong with a request is found, not the
 * first thing only. Thread: any. */
#pragma once

#include "base/arena.h"
#include "schema/rest/fields.h"
#include "schema/rest/json_in.h"
#include "schema/rest/problem.h"

/* The body of a request, n octets, into the struct `to` of object o; texts and lists are of the arena. 0; or a code,
 * then *ret_problem is set: CW_E_LIMIT, CW_E_SYNTAX (errs has at least one), -ENOMEM. On failure nothing of `to` may be
 * used. */
int cw_rest_read_body(const struct cw_rest_object *o, const void *p, size_t n,
	struct cw_arena *arena, void *to, struct cw_rest_errors *errs,
	enum cw_problem *ret_problem) CW_MUST_CHECK;
/* The same from jansson's tree. 0, CW_E_SYNTAX, -ENOMEM. */
int cw_rest_read(const struct cw_rest_object *o, struct json_t *j, struct cw_arena *arena, void *to,
	struct cw_rest_errors *errs) CW_MUST_CHECK;
/* Overwrites the secrets of a struct that was read. */
void cw_rest_wipe(const struct cw_rest_object *o, void *p);

/* One value of a field from its text, into the struct `to`. 0; CW_E_SYNTAX: *ret_why says what it should be; -ENOMEM.
 * Lists, objects and port sets have no text: CW_E_SYNTAX. */
int cw_rest_read_text(const struct cw_rest_field *f, const char *s, size_t n,
	struct cw_arena *arena, void *to, const char **ret_why) CW_MUST_CHECK;
