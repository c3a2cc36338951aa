/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON as it is read, see json_in.h. One scanner serves twice: before jansson it bounds the depth; after a failure it
 * walks to the place jansson names and tells it as a JSON pointer. It looks for brackets and texts only, so it must
 * come to an end on any octets. Thread: any. */
#include "config.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "schema/rest/json_in.h"

/* ---- memory ---- */

/* Before each block: its size, so that it can be overwritten. */
union head {
	size_t size;
	max_align_t align;
};

static void *take(size_t n)
{
	union head *h;
	size_t all;

	if (cw_add(n, sizeof *h, &all) < 0)
		return NULL;
	h = cw_zalloc(all, 1);
	if (!h)
		return NULL;
	h->size = all;
	return h + 1;
}

static void give_back(void *p)
{
	union head *h = p;

	if (h)
		(void) cw_free_secret(h - 1, h[-1].size);
}

void cw_json_init(void)
{
	json_set_alloc_funcs(take, give_back);
	json_object_seed(0);
}

/* ---- the scanner ---- */

struct level {
	bool object;
	size_t key, key_n; /* object: the last key, without its quotation marks */
	size_t index;      /* array */
};

struct scan {
	const char *p;
	size_t n, at;
	unsigned depth; /* may be more than `stack` has */
	struct level stack[CW_JSON_DEPTH_MAX];
};

/* The octet behind the text whose quotation mark is at `at`; n if it has no end. */
static size_t text_end(const struct scan *s, size_t at)
{
	for (at++; at < s->n && s->p[at] != '"'; at++)
		if (s->p[at] == '\\')
			at++;
	return at < s->n ? at + 1 : s->n;
}

static void open_level(struct scan *s, bool object)
{
	if (s->depth++ < CW_JSON_DEPTH_MAX)
		s->stack[s->depth - 1] = (struct level){.object = object};
}

/* One text, bracket, comma or other octet. */
static void step(struct scan *s)
{
	struct level *in =
		s->depth && s->depth <= CW_JSON_DEPTH_MAX ? &s->stack[s->depth - 1] : NULL;
	const size_t at = s->at++;

	switch (s->p[at]) {
	case '"':
		s->at = text_end(s, at);
		/* The first text of a member is its key; its value, if it is a text, follows a colon. */
		if (in && in->object && in->index == 0) {
			in->key = at + 1;
			in->key_n = s->at - at >= 2 ? s->at - at - 2 : 0;
			in->index = 1;
		}
		break;
	case '{':
	case '[':
		open_level(s, s->p[at] == '{');
		break;
	case '}':
	case ']':
		if (s->depth)
			s->depth--;
		break;
	case ',':
		if (in && in->object)
			in->index = 0;
		else if (in)
			in->index++;
		break;
	default:
		break;
	}
}

/* Where the scanner is. Keys are told as they are written: escapes in them stay. */
static void pointer_of(const struct scan *s, char *to, size_t cap)
{
	const unsigned depth = s->depth < CW_JSON_DEPTH_MAX ? s->depth : CW_JSON_DEPTH_MAX;
	char number[24];

	to[0] = '\0';
	for (unsigned i = 0; i < depth; i++) {
		const struct level *in = &s->stack[i];

		if (in->object && in->index == 0)
			break; /* before or between its members */
		if (in->object) {
			cw_rest_pointer_add(to, cap, s->p + in->key, in->key_n);
		} else {
			(void) snprintf(number, sizeof number, "%zu", in->index);
			cw_rest_pointer_add(to, cap, number, strlen(number));
		}
	}
}

/* Depth within the bound? If not the scanner stands at the bracket too many. */
static bool is_shallow(struct scan *s)
{
	while (s->at < s->n) {
		step(s);
		if (s->depth > CW_JSON_DEPTH_MAX)
			return false;
	}
	return true;
}

/* ---- parse ---- */

static int fail(struct scan *s, const json_error_t *e, struct cw_rest_errors *errs,
	enum cw_problem *ret_problem)
{
	const size_t place = e->position > 0 ? (size_t) e->position : 0;
	char pointer[sizeof errs->e[0].pointer];

	/* Where memory runs out jansson mostly says nothing at all. */
	if (json_error_code(e) == json_error_out_of_memory || !e->text[0]) {
		*ret_problem = CW_PROBLEM_INTERNAL;
		return -ENOMEM;
	}
	/* jansson's position is behind the token that does not fit. */
	while (s->at < s->n && s->at < place) {
		const struct scan before = *s;

		step(s);
		if (s->at > place || (s->at == place && strchr("}],", s->p[s->at - 1]))) {
			*s = before;
			break;
		}
	}
	pointer_of(s, pointer, sizeof pointer);
	*ret_problem = json_error_code(e) == json_error_numeric_overflow
			       ? CW_PROBLEM_INVALID_BODY
			       : CW_PROBLEM_MALFORMED_JSON;
	cw_rest_error_add(errs, CW_REST_IN_BODY, pointer, "line %d, column %d: %s", e->line,
		e->column, e->text);
	return CW_E_SYNTAX;
}

int cw_json_parse(const void *p, size_t n, size_t max, struct json_t **ret,
	struct cw_rest_errors *errs, enum cw_problem *ret_problem)
{
	struct scan s = {.p = p, .n = n};
	char pointer[sizeof errs->e[0].pointer];
	json_error_t e;
	json_t *j;

	if (n > max) {
		*ret_problem = CW_PROBLEM_BODY_TOO_LARGE;
		return CW_E_LIMIT;
	}
	if (!is_shallow(&s)) {
		pointer_of(&s, pointer, sizeof pointer);
		*ret_problem = CW_PROBLEM_MALFORMED_JSON;
		cw_rest_error_add(
			errs, CW_REST_IN_BODY, pointer, "deeper than %d", CW_JSON_DEPTH_MAX);
		return CW_E_SYNTAX;
	}
	j = json_loadb(p, n, JSON_REJECT_DUPLICATES, &e);
	if (!j) {
		s = (struct scan){.p = p, .n = n};
		return fail(&s, &e, errs, ret_problem);
	}
	*ret = j;
	return 0;
}

struct json_t *cw_json_free(struct json_t *j)
{
	json_decref(j);
	return NULL;
}

void cw_json_freep(struct json_t **j)
{
	*j = cw_json_free(*j);
}
