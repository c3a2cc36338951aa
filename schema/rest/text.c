/* SPDX-License-Identifier: BSD-2-Clause */
/* Values of the REST API from their texts, as they stand in JSON and in queries; see read.h. Thread: any. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "schema/rest/id.h"
#include "schema/rest/json_out.h"
#include "schema/rest/read.h"
#include "schema/rest/rfc3339.h"
#include "schema/rest/scope.h"
#include "schema/rest/value.h"

static bool name_ok(const char *s, size_t n)
{
	static const char marks[] = "._@-";

	for (size_t i = 0; i < n; i++)
		if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') ||
			    (s[i] >= '0' && s[i] <= '9') || memchr(marks, s[i], sizeof marks - 1)))
			return false;
	return n > 0 && n < 64;
}

static bool principal_ok(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] < '!' || s[i] > '~')
			return false;
	return n > 0 && n < 128;
}

/* Characters of the text, or -1: it is no UTF-8 or has control characters. */
static long count_characters(const char *s, size_t n)
{
	long count = 0;

	for (size_t i = 0; i < n; count++) {
		const size_t len = cw_utf8_len(s + i, n - i);

		if (!len || (uint8_t) s[i] < 0x20 || s[i] == 0x7f)
			return -1;
		i += len;
	}
	return count;
}

static int keep(const char *s, size_t n, struct cw_arena *arena, void *to)
{
	char *p = cw_arena_strndup(arena, s, n);

	if (!p)
		return -ENOMEM;
	memcpy(to, &p, sizeof p);
	return 0;
}

/* What would have been right; without memory less of it. */
static const char *name_words(const struct cw_rest_field *f, struct cw_arena *arena)
{
	char text[192] = "";
	size_t at = 0;
	const char *p;

	for (unsigned i = 0; f->words[i] && at < sizeof text; i++)
		at += (size_t) snprintf(
			text + at, sizeof text - at, "%s%s", i ? ", " : "not one of ", f->words[i]);
	p = cw_arena_strndup(arena, text, strlen(text));
	return p ? p : "not one of the words that are known here";
}

static int read_words(const struct cw_rest_field *f, const char *s, size_t n,
	struct cw_arena *arena, void *to, const char **ret_why)
{
	for (unsigned i = 0; f->words[i]; i++) {
		if (strlen(f->words[i]) == n && memcmp(f->words[i], s, n) == 0) {
			const uint8_t word = (uint8_t) (f->base + i);
			const uint64_t bit = UINT64_C(1) << (f->base + i);

			memcpy(to,
				f->kind == CW_REST_WORDS ? (const void *) &bit
							 : (const void *) &word,
				f->kind == CW_REST_WORDS ? sizeof bit : sizeof word);
			return 0;
		}
	}
	*ret_why = name_words(f, arena);
	return CW_E_SYNTAX;
}

static int read_addresses(
	const struct cw_rest_field *f, const char *s, size_t n, void *to, const char **ret_why)
{
	struct cw_rest_range4 range;
	struct cw_prefix4 prefix;
	struct cw_addr4 v4;
	struct cw_addr6 v6;

	if (f->kind == CW_REST_ADDR4) {
		*ret_why = "not an IPv4 address";
		if (cw_addr4_parse(s, n, &v4) < 0 || !v4.v)
			return CW_E_SYNTAX;
		memcpy(to, &v4, sizeof v4);
	} else if (f->kind == CW_REST_ADDR6) {
		*ret_why = "not an IPv6 address";
		if (cw_addr6_parse(s, n, &v6) < 0 || cw_addr6_is_unspecified(&v6))
			return CW_E_SYNTAX;
		memcpy(to, &v6, sizeof v6);
	} else if (f->kind == CW_REST_PREFIX4) {
		*ret_why = "not an IPv4 address or prefix";
		if (cw_prefix4_parse(s, n, &prefix) < 0)
			return CW_E_SYNTAX;
		memcpy(to, &prefix, sizeof prefix);
	} else {
		*ret_why = "not ADDR/LEN, FIRST-LAST or ADDR of hosts' addresses";
		if (cw_range4_parse(s, n, &range.lo, &range.hi) < 0 ||
			!cw_addr4_is_unicast(range.lo) || !cw_addr4_is_unicast(range.hi))
			return CW_E_SYNTAX;
		memcpy(to, &range, sizeof range);
	}
	return 0;
}

static int read_num(
	const struct cw_rest_field *f, const char *s, size_t n, void *to, const char **ret_why)
{
	uint64_t u64;

	*ret_why = "not a whole number within its bounds";
	if (cw_parse_u64(s, n, f->min, f->max, &u64) < 0)
		return CW_E_SYNTAX;
	cw_rest_put_num(f, u64, to);
	return 0;
}

static int read_bool(const char *s, size_t n, void *to, const char **ret_why)
{
	const bool truth = n == 4 && memcmp(s, "true", 4) == 0;

	*ret_why = "not true or false";
	if (!truth && !(n == 5 && memcmp(s, "false", 5) == 0))
		return CW_E_SYNTAX;
	memcpy(to, &truth, sizeof truth);
	return 0;
}

static bool prefix_ok(const char *s, size_t n)
{
	struct cw_prefix4 v4;
	struct cw_prefix6 v6;

	return cw_prefix4_parse(s, n, &v4) == 0 || cw_prefix6_parse(s, n, &v6) == 0;
}

static int read_string(const struct cw_rest_field *f, const char *s, size_t n,
	struct cw_arena *arena, void *to, const char **ret_why)
{
	const long count = f->kind == CW_REST_TEXT ? count_characters(s, n) : 0;

	if (f->kind == CW_REST_NAME && !name_ok(s, n))
		*ret_why = "not a name: 1 to 63 of A-Z a-z 0-9 . _ @ -";
	else if (f->kind == CW_REST_PRINCIPAL && !principal_ok(s, n))
		*ret_why = "not a principal: 1 to 127 printable ASCII characters without blanks";
	else if (f->kind == CW_REST_PREFIX && !prefix_ok(s, n))
		*ret_why = "not an IPv4 or IPv6 prefix";
	else if (count < 0)
		*ret_why = "control characters";
	else if (f->kind == CW_REST_TEXT &&
		 ((uint64_t) count < f->min || (uint64_t) count > f->max))
		*ret_why = (uint64_t) count < f->min ? "too short" : "too long";
	else
		return keep(s, n, arena, to);
	return CW_E_SYNTAX;
}

int cw_rest_read_text(const struct cw_rest_field *f, const char *s, size_t n,
	struct cw_arena *arena, void *to, const char **ret_why)
{
	uint64_t id;
	int64_t time;
	uint32_t set;

	switch (f->kind) {
	case CW_REST_BOOL:
		return read_bool(s, n, to, ret_why);
	case CW_REST_NUM:
		return read_num(f, s, n, to, ret_why);
	case CW_REST_TEXT:
	case CW_REST_NAME:
	case CW_REST_PRINCIPAL:
	case CW_REST_PREFIX:
		return read_string(f, s, n, arena, to, ret_why);
	case CW_REST_ADDR4:
	case CW_REST_ADDR6:
	case CW_REST_PREFIX4:
	case CW_REST_RANGE4:
		return read_addresses(f, s, n, to, ret_why);
	case CW_REST_WORD:
	case CW_REST_WORDS:
		return read_words(f, s, n, arena, to, ret_why);
	case CW_REST_TIME:
		*ret_why = "not a time like 2026-03-01T10:00:00Z";
		if (cw_rfc3339_parse(s, n, &time) < 0)
			return CW_E_SYNTAX;
		memcpy(to, &time, sizeof time);
		return 0;
	case CW_REST_SCOPES:
		*ret_why =
			"not a scope: viewer, operator, admin, or one like pools:read, leases:write";
		if (cw_scope_parse(s, n, &set) < 0)
			return CW_E_SYNTAX;
		memcpy(to, &set, sizeof set);
		return 0;
	case CW_REST_ID:
		*ret_why = "not an id of this kind";
		if (cw_id_parse((enum cw_id_kind) f->base, s, n, &id) < 0)
			return CW_E_SYNTAX;
		memcpy(to, &id, sizeof id);
		return 0;
	case CW_REST_PORTS:
	case CW_REST_SHAPE:
	case CW_REST_TAGS:
	case CW_REST_RAW:
	case CW_REST_OBJECT:
	case CW_REST_ARRAY:
		break;
	}
	*ret_why = "has no text";
	return CW_E_SYNTAX;
}

static void wipe(const struct cw_rest_field *f, void *value)
{
	struct cw_rest_array list;
	char *text, *items;

	if (f->flags & CW_REST_SECRET) {
		memcpy(&text, value, sizeof text);
		if (text)
			explicit_bzero(text, strlen(text));
	} else if (f->kind == CW_REST_ARRAY && f->item->kind == CW_REST_OBJECT) {
		memcpy(&list, value, sizeof list);
		memcpy(&items, &list.items, sizeof items);
		for (size_t i = 0; i < list.n; i++)
			cw_rest_wipe(f->item->object, items + i * f->item->size);
	}
}

void cw_rest_wipe(const struct cw_rest_object *o, void *p)
{
	for (unsigned i = 0; i < o->n; i++)
		wipe(&o->fields[i], (char *) p + o->fields[i].offset);
}
