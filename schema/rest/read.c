/* SPDX-License-Identifier: BSD-2-Clause */
/* From jansson's tree to our structs, see read.h. Texts of values are read in text.c. Thread: any. */
#include "config.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "schema/rest/json_out.h"
#include "schema/rest/read.h"
#include "schema/rest/value.h"

enum {
	TAGS_MAX = 16,
	TAG_NAME_MAX = 32,
	TAG_MAX = 128,
	TAGS_TEXT_MAX = 1024,
	RAW_TEXT_MAX = 65536
};

/* Where in the body we are, from the inside out. */
struct path {
	const struct path *up;
	const char *name; /* NULL: an item of a list */
	size_t n, index;
};

struct reading {
	struct cw_arena *arena;
	struct cw_rest_errors *errs;
	bool no_memory;
};

static void pointer_of(const struct path *at, char *to, size_t cap)
{
	char number[24];

	if (!at)
		return;
	pointer_of(at->up, to, cap);
	if (at->name) {
		cw_rest_pointer_add(to, cap, at->name, at->n);
	} else {
		(void) snprintf(number, sizeof number, "%zu", at->index);
		cw_rest_pointer_add(to, cap, number, strlen(number));
	}
}

CW_PRINTF(3, 4) static void wrong(struct reading *r, const struct path *at, const char *fmt, ...)
{
	char pointer[sizeof r->errs->e[0].pointer] = "", detail[sizeof r->errs->e[0].detail];
	va_list ap;

	va_start(ap, fmt);
	(void) vsnprintf(detail, sizeof detail, fmt, ap);
	va_end(ap);
	pointer_of(at, pointer, sizeof pointer);
	cw_rest_error_add(r->errs, CW_REST_IN_BODY, pointer, "%s", detail);
}

static void *take(struct reading *r, size_t n, size_t size)
{
	void *p = cw_arena_alloc(r->arena, n ? n : 1, size);

	if (!p)
		r->no_memory = true;
	return p;
}

static void read_object(struct reading *r, const struct path *at, const struct cw_rest_object *o,
	json_t *j, void *to);

static void read_num(struct reading *r, const struct path *at, const struct cw_rest_field *f,
	json_t *j, void *to)
{
	const json_int_t v = json_integer_value(j);

	/* 1.0 is a number and not an integer (guide section 7). */
	if (!json_is_integer(j)) {
		wrong(r, at, "not an integer");
	} else if (v < 0 || (uint64_t) v < f->min || (uint64_t) v > f->max) {
		wrong(r, at, "not between %llu and %llu", (unsigned long long) f->min,
			(unsigned long long) f->max);
	} else {
		cw_rest_put_num(f, (uint64_t) v, to);
	}
}

static void read_text(struct reading *r, const struct path *at, const struct cw_rest_field *f,
	json_t *j, void *to)
{
	const char *why;
	int e;

	if (!json_is_string(j)) {
		wrong(r, at, "not a text");
		return;
	}
	e = cw_rest_read_text(f, json_string_value(j), json_string_length(j), r->arena, to, &why);
	if (e == -ENOMEM)
		r->no_memory = true;
	else if (e < 0)
		wrong(r, at, "%s", why);
}

/* A list of words, none twice, as bits. */
static void read_words(struct reading *r, const struct path *at, const struct cw_rest_field *f,
	json_t *j, void *to)
{
	uint64_t set = 0, one;
	json_t *item;
	size_t i;

	if (!json_is_array(j)) {
		wrong(r, at, "not a list");
		return;
	}
	if (json_array_size(j) < f->min || json_array_size(j) > f->max) {
		wrong(r, at, "not between %llu and %llu items", (unsigned long long) f->min,
			(unsigned long long) f->max);
		return;
	}
	json_array_foreach(j, i, item)
	{
		const struct path in = {.up = at, .index = i};
		size_t k = 0;

		one = 0;
		read_text(r, &in, f, item, &one);
		set |= cw_rest_value_num(f, &one);
		while (k < i && !json_equal(json_array_get(j, k), item))
			k++;
		if (k < i)
			wrong(r, &in, "there already");
	}
	cw_rest_put_num(f, set, to);
}

static bool member_u(struct reading *r, const struct path *at, json_t *j, const char *name,
	uint64_t max, uint64_t *ret)
{
	const struct path in = {.up = at, .name = name, .n = strlen(name)};
	const struct cw_rest_field f = {.size = sizeof *ret, .max = max};
	const unsigned before = r->errs->n + r->errs->lost;
	json_t *m = json_object_get(j, name);

	if (!m)
		wrong(r, &in, "is missing");
	else
		read_num(r, &in, &f, m, ret);
	return r->errs->n + r->errs->lost == before;
}

/* Port sets and their shapes. `ranges` follows from the rest and is not looked at. */
static void read_ports(struct reading *r, const struct path *at, const struct cw_rest_field *f,
	json_t *j, void *to)
{
	const bool shape = f->kind == CW_REST_SHAPE;
	uint64_t offset = 0, length = 0, psid = 0;
	struct cw_portset ps;
	const char *name;
	json_t *m;
	bool good;

	if (!json_is_object(j)) {
		wrong(r, at, "not an object");
		return;
	}
	json_object_foreach(j, name, m)
	{
		const struct path in = {.up = at, .name = name, .n = strlen(name)};

		if (strcmp(name, "offset") != 0 && strcmp(name, "length") != 0 &&
			(shape || (strcmp(name, "psid") != 0 && strcmp(name, "ranges") != 0)))
			wrong(r, &in, "unknown member");
	}
	good = member_u(r, at, j, "offset", 15, &offset);
	good = member_u(r, at, j, "length", 16, &length) && good;
	if (!shape)
		good = member_u(r, at, j, "psid", UINT16_MAX, &psid) && good;
	if (!good)
		return;
	ps = (struct cw_portset){(uint8_t) offset, (uint8_t) length, (uint16_t) psid};
	if (!length || !cw_portset_valid(ps))
		wrong(r, at, "no port set has this shape (RFC 7597 5.1)");
	else
		memcpy(to, &ps, sizeof ps);
}

static bool tag_name_ok(const char *s)
{
	const size_t n =
		strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

	return n && n <= TAG_NAME_MAX && !s[n];
}

static void read_tags(struct reading *r, const struct path *at, json_t *j, void *to)
{
	static const struct cw_rest_field text = {.kind = CW_REST_TEXT, .max = TAG_MAX};
	struct cw_json_out out;
	const char *name, *value;
	json_t *m;
	char *p;

	if (!json_is_object(j)) {
		wrong(r, at, "not an object");
		return;
	}
	if (json_object_size(j) > TAGS_MAX)
		wrong(r, at, "more than %d members", TAGS_MAX);
	p = take(r, TAGS_TEXT_MAX + 1, 1);
	if (!p)
		return;
	cw_json_out_init(&out, p, TAGS_TEXT_MAX);
	cw_json_begin_object(&out);
	json_object_foreach(j, name, m)
	{
		const struct path in = {.up = at, .name = name, .n = strlen(name)};

		if (!tag_name_ok(name))
			wrong(r, &in, "not 1 to %d of A-Z a-z 0-9 . _ -", TAG_NAME_MAX);
		value = "";
		read_text(r, &in, &text, m, &value);
		cw_json_key_text(&out, name, strlen(name));
		cw_json_put_str(&out, value);
	}
	cw_json_end_object(&out);
	if (out.err)
		wrong(r, at, "longer than %d octets", TAGS_TEXT_MAX);
	memcpy(to, &p, sizeof p);
}

static void read_raw(struct reading *r, const struct path *at, json_t *j, void *to)
{
	size_t n;
	char *p;

	if (!json_is_object(j)) {
		wrong(r, at, "not an object");
		return;
	}
	n = json_dumpb(j, NULL, 0, JSON_COMPACT);
	if (n > RAW_TEXT_MAX) {
		wrong(r, at, "longer than %d octets", RAW_TEXT_MAX);
		return;
	}
	p = take(r, n + 1, 1);
	if (!p)
		return;
	(void) json_dumpb(j, p, n, JSON_COMPACT);
	memcpy(to, &p, sizeof p);
}

static void read_value(struct reading *r, const struct path *at, const struct cw_rest_field *f,
	json_t *j, void *to);

static void read_array(struct reading *r, const struct path *at, const struct cw_rest_field *f,
	json_t *j, void *to)
{
	struct cw_rest_array list = {0};
	json_t *item;
	char *items;
	size_t i;

	if (!json_is_array(j)) {
		wrong(r, at, "not a list");
		return;
	}
	list.n = json_array_size(j);
	if (list.n < f->min || list.n > f->max) {
		wrong(r, at, "not between %llu and %llu items", (unsigned long long) f->min,
			(unsigned long long) f->max);
		return;
	}
	items = take(r, list.n, f->item->size);
	if (!items)
		return;
	list.items = items;
	json_array_foreach(j, i, item)
	{
		const struct path in = {.up = at, .index = i};

		read_value(r, &in, f->item, item, items + i * f->item->size);
	}
	memcpy(to, &list, sizeof list);
}

static void put_null(const struct cw_rest_field *f, void *to)
{
	static const uint64_t none = CW_REST_NONE;
	static const int64_t no_time = CW_REST_NO_TIME;
	static const uint8_t no_word = CW_REST_NO_WORD;

	if (f->kind == CW_REST_NUM)
		memcpy(to, &none, sizeof none);
	else if (f->kind == CW_REST_TIME)
		memcpy(to, &no_time, sizeof no_time);
	else if (f->kind == CW_REST_WORD)
		memcpy(to, &no_word, sizeof no_word);
	else
		memset(to, 0, f->size);
}

static void read_inner(struct reading *r, const struct path *at, const struct cw_rest_field *f,
	json_t *j, void *to)
{
	void *p = to;

	if (f->flags & CW_REST_NULLABLE) {
		p = take(r, 1, f->object->size);
		if (!p)
			return;
		memcpy(to, &p, sizeof p);
	}
	read_object(r, at, f->object, j, p);
}

static void read_value(struct reading *r, const struct path *at, const struct cw_rest_field *f,
	json_t *j, void *to)
{
	bool truth;

	if (json_is_null(j)) {
		if (f->flags & CW_REST_NULLABLE)
			put_null(f, to);
		else
			wrong(r, at, "null is no value here");
		return;
	}
	switch (f->kind) {
	case CW_REST_BOOL:
		truth = json_is_true(j);
		if (json_is_boolean(j))
			memcpy(to, &truth, sizeof truth);
		else
			wrong(r, at, "not true or false");
		break;
	case CW_REST_NUM:
		read_num(r, at, f, j, to);
		break;
	case CW_REST_WORDS:
	case CW_REST_SCOPES:
		read_words(r, at, f, j, to);
		break;
	case CW_REST_PORTS:
	case CW_REST_SHAPE:
		read_ports(r, at, f, j, to);
		break;
	case CW_REST_TAGS:
		read_tags(r, at, j, to);
		break;
	case CW_REST_RAW:
		read_raw(r, at, j, to);
		break;
	case CW_REST_OBJECT:
		read_inner(r, at, f, j, to);
		break;
	case CW_REST_ARRAY:
		read_array(r, at, f, j, to);
		break;
	default:
		read_text(r, at, f, j, to);
		break;
	}
}

static unsigned find(const struct cw_rest_object *o, const char *name)
{
	unsigned i = 0;

	while (i < o->n && strcmp(o->fields[i].name, name) != 0)
		i++;
	return i;
}

static void read_object(struct reading *r, const struct path *at, const struct cw_rest_object *o,
	json_t *j, void *to)
{
	const char *name;
	uint32_t seen = 0;
	json_t *m;

	if (!json_is_object(j)) {
		wrong(r, at, "not an object");
		return;
	}
	json_object_foreach(j, name, m)
	{
		const struct path in = {.up = at, .name = name, .n = strlen(name)};
		const unsigned i = find(o, name);

		if (i == o->n) {
			wrong(r, &in, "unknown member");
			continue;
		}
		seen |= 1u << i;
		read_value(r, &in, &o->fields[i], m, (char *) to + o->fields[i].offset);
	}
	for (unsigned i = 0; i < o->n; i++) {
		const struct path in = {
			.up = at, .name = o->fields[i].name, .n = strlen(o->fields[i].name)};

		if ((o->fields[i].flags & CW_REST_REQUIRED) && !(seen & 1u << i))
			wrong(r, &in, "is missing");
	}
	if ((o->flags & CW_REST_NONEMPTY) && !json_object_size(j))
		wrong(r, at, "at least one member is needed");
	memcpy(to, &seen, sizeof seen);
}

int cw_rest_read(const struct cw_rest_object *o, struct json_t *j, struct cw_arena *arena, void *to,
	struct cw_rest_errors *errs)
{
	struct reading r = {.arena = arena, .errs = errs};
	const unsigned before = errs->n + errs->lost;

	memset(to, 0, o->size);
	read_object(&r, NULL, o, j, to);
	if (r.no_memory)
		return -ENOMEM;
	return errs->n + errs->lost > before ? CW_E_SYNTAX : 0;
}

int cw_rest_read_body(const struct cw_rest_object *o, const void *p, size_t n,
	struct cw_arena *arena, void *to, struct cw_rest_errors *errs, enum cw_problem *ret_problem)
{
	CW_CLEANUP(cw_json_freep) struct json_t *j = NULL;
	int r = cw_json_parse(p, n, CW_JSON_BODY_MAX, &j, errs, ret_problem);

	if (r < 0)
		return r;
	r = cw_rest_read(o, j, arena, to, errs);
	if (r < 0)
		*ret_problem = r == -ENOMEM ? CW_PROBLEM_INTERNAL : CW_PROBLEM_INVALID_BODY;
	return r;
}
