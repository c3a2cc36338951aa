/* SPDX-License-Identifier: BSD-2-Clause */
/* Layout of tables, and values as text. */
#include "config.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "client/ctl/table.h"
#include "schema/rest/json_out.h"

enum { CELL_MAX = 1024 * 1024, SHORTEST = 4 };

size_t cw_ctl_width(const char *s, size_t n)
{
	size_t w = 0;

	for (size_t i = 0; i < n; w++) {
		size_t k = cw_utf8_len(s + i, n - i);

		i += k ? k : 1;
	}
	return w;
}

size_t cw_ctl_fit(const char *s, size_t n, size_t width)
{
	size_t i = 0;

	for (size_t w = 0; i < n && w < width; w++) {
		size_t k = cw_utf8_len(s + i, n - i);

		i += k ? k : 1;
	}
	return i;
}

void cw_ctl_layout(
	const size_t *natural, const size_t *least, unsigned n, size_t terminal, size_t *ret_widths)
{
	size_t sum = n ? (n - 1) * CW_CTL_GAP : 0;

	for (unsigned i = 0; i < n; i++) {
		ret_widths[i] = natural[i];
		sum += natural[i];
	}
	for (int hard = 0; hard < 3; hard++) {
		while (terminal && sum > terminal) {
			unsigned widest = n;

			for (unsigned i = 0; i < n; i++) {
				size_t floor = hard == 2                     ? 1
					       : hard || least[i] < SHORTEST ? SHORTEST
									     : least[i];

				if (ret_widths[i] > floor &&
					(widest == n || ret_widths[i] > ret_widths[widest]))
					widest = i;
			}
			if (widest == n)
				break;
			ret_widths[widest]--;
			sum--;
		}
	}
}

/* U+2028 to U+202E and U+2066 to U+2069: ends of lines, and what makes text run the other way. */
static bool turns(const char *s)
{
	return memcmp(s, "\xe2\x80", 2) == 0
		       ? (unsigned char) s[2] >= 0xa8 && (unsigned char) s[2] <= 0xae
	       : memcmp(s, "\xe2\x81", 2) == 0
		       ? (unsigned char) s[2] >= 0xa6 && (unsigned char) s[2] <= 0xa9
		       : false;
}

void cw_ctl_tame(char *s)
{
	size_t n = strlen(s), k;

	for (size_t i = 0; i < n; i += k) {
		unsigned char c = (unsigned char) s[i], d;

		k = cw_utf8_len(s + i, n - i);
		d = k == 2 ? (unsigned char) s[i + 1] : 0;
		if (!k || c < 0x20 || c == 0x7f) {
			s[i] = '?';
			k = 1;
		} else if (c == 0xc2 && d < 0xa0) /* U+0080 to U+009F */
			s[i] = s[i + 1] = '?';
		else if (k == 3 && turns(s + i))
			s[i] = s[i + 1] = s[i + 2] = '?';
	}
}

/* ---- values ---- */

/* jansson's own texts can only be freed by jansson. */
char *cw_ctl_text(const json_t *v)
{
	size_t n = json_dumpb(v, NULL, 0, JSON_ENCODE_ANY | JSON_COMPACT);
	char *s = n ? cw_zalloc(n + 1, 1) : NULL;

	if (s && json_dumpb(v, s, n, JSON_ENCODE_ANY | JSON_COMPACT) != n)
		s = cw_free_secret(s, n);
	return s;
}

static void put(struct cw_json_out *o, const char *s)
{
	cw_json_put_between(o, s, strlen(s));
}

static void put_number(struct cw_json_out *o, const json_t *v)
{
	char buf[32];

	(void) snprintf(buf, sizeof buf, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	put(o, buf);
}

static void put_value(struct cw_json_out *o, const json_t *v, unsigned depth);

/* {offset, length, psid} as 6/4/5; other objects as KEY=VALUE. */
static void put_object(struct cw_json_out *o, const json_t *v, unsigned depth)
{
	const json_t *a = json_object_get(v, "offset"), *k = json_object_get(v, "length"),
		     *p = json_object_get(v, "psid");
	const char *key;
	json_t *member;
	bool more = false;

	if (json_is_integer(a) && json_is_integer(k)) {
		put_number(o, a);
		put(o, "/");
		put_number(o, k);
		if (p) {
			put(o, "/");
			put_number(o, p);
		}
		return;
	}
	/* jansson's iterators take no const; nothing is changed. */
	json_object_foreach(cw_ctl_mutable(v), key, member)
	{
		put(o, more ? "," : "");
		put(o, key);
		put(o, "=");
		put_value(o, member, depth + 1);
		more = true;
	}
	if (!more)
		put(o, "-");
}

static void put_value(struct cw_json_out *o, const json_t *v, unsigned depth)
{
	char *text;
	size_t i;
	json_t *item;

	if (!v || json_is_null(v) || depth > 4)
		put(o, "-");
	else if (json_is_string(v))
		put(o, json_string_value(v));
	else if (json_is_integer(v))
		put_number(o, v);
	else if (json_is_boolean(v))
		put(o, json_is_true(v) ? "yes" : "no");
	else if (json_is_object(v))
		put_object(o, v, depth);
	else if (json_is_array(v)) {
		json_array_foreach(v, i, item)
		{
			put(o, i ? "," : "");
			put_value(o, item, depth + 1);
		}
		if (json_array_size(v) == 0)
			put(o, "-");
	} else if ((text = cw_ctl_text(v))) {
		put(o, text);
		(void) cw_free(text);
	}
}

static char *take(struct cw_json_out *o)
{
	size_t n;
	char *s;

	cw_json_put_between(o, "", 1);
	s = cw_json_out_take(o, &n);
	cw_json_out_done(o);
	return s;
}

char *cw_ctl_cell(const json_t *v)
{
	struct cw_json_out o;
	char *s;

	cw_json_out_grow(&o, CELL_MAX);
	put_value(&o, v, 0);
	s = take(&o);
	if (s)
		cw_ctl_tame(s);
	return s;
}

char *cw_ctl_csv(const json_t *v)
{
	struct cw_json_out o;
	CW_CLEANUP(cw_freep) char *text = NULL;

	if (json_is_string(v))
		text = cw_strdup(json_string_value(v));
	else if (!v || json_is_null(v))
		text = cw_strdup("");
	else
		text = cw_ctl_text(v);
	if (!text)
		return NULL;
	if (strpbrk(text, ",\"\r\n")) {
		cw_json_out_grow(&o, CELL_MAX);
		put(&o, "\"");
		for (const char *p = text; *p; p++) {
			put(&o, *p == '"' ? "\"" : "");
			cw_json_put_between(&o, p, 1);
		}
		put(&o, "\"");
		return take(&o);
	}
	return CW_TAKE(text);
}
