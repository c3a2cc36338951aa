/* SPDX-License-Identifier: BSD-2-Clause */
/* Queries, see query.h. Thread: any. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "schema/rest/json_out.h"
#include "schema/rest/query.h"
#include "schema/rest/read.h"

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int cw_percent_decode(const char *s, size_t n, bool plus, char *to)
{
	size_t len = 0;

	if (n > CW_QUERY_MAX)
		return CW_E_SYNTAX;
	for (size_t i = 0; i < n; i++) {
		char c = s[i];

		if (c == '%') {
			const int hi = n - i < 3 ? -1 : hex(s[i + 1]);
			const int lo = n - i < 3 ? -1 : hex(s[i + 2]);

			if (hi < 0 || lo < 0)
				return CW_E_SYNTAX;
			c = (char) (hi * 16 + lo);
			i += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		if ((uint8_t) c < 0x20 || c == 0x7f)
			return CW_E_SYNTAX;
		to[len++] = c;
	}
	for (size_t i = 0; i < len;) {
		const size_t one = cw_utf8_len(to + i, len - i);

		if (!one)
			return CW_E_SYNTAX;
		i += one;
	}
	to[len] = '\0';
	return (int) len;
}

struct taking {
	const struct cw_rest_object *o;
	struct cw_arena *arena;
	struct cw_rest_errors *errs;
	char *to;
	uint32_t seen;
};

static void wrong(struct taking *t, const char *key, size_t n, const char *detail)
{
	char pointer[sizeof t->errs->e[0].pointer] = "";

	cw_rest_pointer_add(pointer, sizeof pointer, key, n);
	cw_rest_error_add(t->errs, CW_REST_IN_QUERY, pointer, "%s", detail);
}

/* One "key=value", decoded. */
static int take(struct taking *t, const char *key, size_t key_n, const char *value, size_t value_n)
{
	const struct cw_rest_field *f;
	const char *why = "";
	unsigned i = 0;
	uint64_t bit;
	int r;

	while (t->o && i < t->o->n &&
		(strlen(t->o->fields[i].name) != key_n ||
			memcmp(t->o->fields[i].name, key, key_n) != 0))
		i++;
	if (!t->o || i == t->o->n) {
		wrong(t, key, key_n, "unknown parameter");
		return 0;
	}
	f = &t->o->fields[i];
	if ((t->seen >> i & 1) && f->kind != CW_REST_WORDS) {
		wrong(t, key, key_n, "given twice");
		return 0;
	}
	t->seen |= 1u << i;
	if (f->kind == CW_REST_WORDS) {
		uint64_t set;

		r = cw_rest_read_text(f, value, value_n, t->arena, &bit, &why);
		memcpy(&set, t->to + f->offset, sizeof set);
		if (r == 0 && (set & bit)) {
			wrong(t, key, key_n, "this value is there already");
		} else if (r == 0) {
			set |= bit;
			memcpy(t->to + f->offset, &set, sizeof set);
		}
	} else {
		r = cw_rest_read_text(f, value, value_n, t->arena, t->to + f->offset, &why);
	}
	if (r == CW_E_SYNTAX)
		wrong(t, key, key_n, why);
	return r == -ENOMEM ? r : 0;
}

static int take_pair(struct taking *t, const char *s, size_t n)
{
	const char *equals = memchr(s, '=', n);
	const size_t key_n = equals ? (size_t) (equals - s) : n;
	char *buf = cw_arena_alloc(t->arena, n + 2, 1);
	int key, value;

	if (!buf)
		return -ENOMEM;
	key = cw_percent_decode(s, key_n, true, buf);
	value = equals ? cw_percent_decode(equals + 1, n - key_n - 1, true, buf + key_n + 1)
		       : CW_E_SYNTAX;
	if (key <= 0)
		wrong(t, "", 0, n ? "a key that cannot be decoded" : "nothing between two &");
	else if (!equals)
		wrong(t, buf, (size_t) key, "has no value");
	else if (value < 0)
		wrong(t, buf, (size_t) key, "cannot be decoded");
	else
		return take(t, buf, (size_t) key, buf + key_n + 1, (size_t) value);
	return 0;
}

int cw_rest_query(const struct cw_rest_object *o, const char *raw, size_t n, struct cw_arena *arena,
	void *to, struct cw_rest_errors *errs)
{
	struct taking t = {.o = o, .arena = arena, .errs = errs, .to = to};
	const unsigned before = errs->n + errs->lost;
	unsigned pairs = 0;

	if (o)
		memset(to, 0, o->size);
	if (n > CW_QUERY_MAX) {
		wrong(&t, "", 0, "the query is too long");
		return CW_E_SYNTAX;
	}
	for (size_t at = 0; n && at <= n;) {
		const char *end = at < n ? memchr(raw + at, '&', n - at) : NULL;
		const size_t len = end ? (size_t) (end - raw) - at : n - at;
		int r;

		if (++pairs > CW_QUERY_PAIRS_MAX) {
			wrong(&t, "", 0, "too many parameters");
			break;
		}
		r = take_pair(&t, raw + at, len);
		if (r < 0)
			return r;
		at += len + 1;
		if (!end)
			break;
	}
	for (unsigned i = 0; o && i < o->n; i++)
		if ((o->fields[i].flags & CW_REST_REQUIRED) && !(t.seen >> i & 1))
			wrong(&t, o->fields[i].name, strlen(o->fields[i].name), "is missing");
	if (o)
		memcpy(to, &t.seen, sizeof t.seen);
	return errs->n + errs->lost > before ? CW_E_SYNTAX : 0;
}
