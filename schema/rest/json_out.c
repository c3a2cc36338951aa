/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON as it is written, see json_out.h. Thread: the owner's. */
#include "config.h"

#include <errno.h>

#include "base/err.h"
#include "base/mem.h"
#include "schema/rest/json_out.h"
#include "schema/rest/rfc3339.h"

void cw_json_out_init(struct cw_json_out *o, char *buf, size_t cap)
{
	*o = (struct cw_json_out){.cap = cap};
	o->buf = buf;
}

void cw_json_out_grow(struct cw_json_out *o, size_t max)
{
	*o = (struct cw_json_out){.max = max};
}

void cw_json_out_done(struct cw_json_out *o)
{
	if (o->max)
		o->buf = cw_free(o->buf);
	*o = (struct cw_json_out){.max = o->max};
}

char *cw_json_out_take(struct cw_json_out *o, size_t *ret_n)
{
	char *p = o->err ? NULL : o->buf;

	if (!p)
		return NULL;
	*ret_n = o->len;
	*o = (struct cw_json_out){.max = o->max};
	return p;
}

/* Room for n more octets, or none at all. */
static bool grow(struct cw_json_out *o, size_t n)
{
	size_t want, cap;
	char *p;

	if (o->err)
		return false;
	if (!o->max || cw_add(o->len, n, &want) < 0 || want > o->max) {
		o->err = CW_E_LIMIT;
		return false;
	}
	cap = o->cap ? o->cap : 512;
	while (cap < want)
		cap *= 2;
	if (cap > o->max)
		cap = o->max;
	p = cw_realloc(o->buf, cap, 1);
	if (!p) {
		o->err = -ENOMEM;
		return false;
	}
	o->buf = p;
	o->cap = cap;
	return true;
}

static inline bool room(struct cw_json_out *o, size_t n)
{
	return (!o->err && o->cap - o->len >= n) || grow(o, n);
}

/* A value starts: the comma before it, and room for n octets of it. */
static inline bool start(struct cw_json_out *o, size_t n)
{
	if (!room(o, n + 1))
		return false;
	if (o->comma)
		o->buf[o->len++] = ',';
	o->comma = true;
	return true;
}

static void put_mark(struct cw_json_out *o, char mark, bool opens)
{
	if (opens ? !start(o, 1) : !room(o, 1))
		return;
	o->buf[o->len++] = mark;
	o->comma = !opens;
}

void cw_json_begin_object(struct cw_json_out *o)
{
	put_mark(o, '{', true);
}

void cw_json_end_object(struct cw_json_out *o)
{
	put_mark(o, '}', false);
}

void cw_json_begin_array(struct cw_json_out *o)
{
	put_mark(o, '[', true);
}

void cw_json_end_array(struct cw_json_out *o)
{
	put_mark(o, ']', false);
}

void cw_json_key(struct cw_json_out *o, const char *key, size_t n)
{
	char *p;

	if (!start(o, n + 3))
		return;
	p = o->buf + o->len;
	p[0] = '"';
	memcpy(p + 1, key, n);
	p[n + 1] = '"';
	p[n + 2] = ':';
	o->len += n + 3;
	o->comma = false;
}

/* 0: as it is; 'u': \u00XX; 0x80: part of a longer character; else the letter behind the backslash. */
static const uint8_t escapes[256] = {
	[0 ... 7] = 'u',
	['\b'] = 'b',
	['\t'] = 't',
	['\n'] = 'n',
	[0x0b] = 'u',
	['\f'] = 'f',
	['\r'] = 'r',
	[0x0e ... 0x1f] = 'u',
	['"'] = '"',
	['\\'] = '\\',
	[0x80 ... 0xff] = 0x80,
};

size_t cw_utf8_len(const void *text, size_t n)
{
	const uint8_t *p = text;
	const uint8_t c = p[0];
	const size_t len = c < 0x80                 ? 1
			   : c >= 0xc2 && c <= 0xdf ? 2
			   : c >= 0xe0 && c <= 0xef ? 3
			   : c >= 0xf0 && c <= 0xf4 ? 4
						    : 0;

	if (!len || len > n)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* Too long for what they say, surrogates, beyond U+10FFFF. */
	if ((c == 0xe0 && p[1] < 0xa0) || (c == 0xed && p[1] > 0x9f) ||
		(c == 0xf0 && p[1] < 0x90) || (c == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

/* One octet of text that is not written as it is, and those that belong to it: how many were read. to has room for
 * six. */
static size_t put_odd(char **to, const uint8_t *p, size_t n)
{
	static const char hex[] = "0123456789abcdef";
	const uint8_t how = escapes[*p];
	size_t len = 1;
	char *t = *to;

	if (how == 0x80) {
		len = cw_utf8_len(p, n);
		memcpy(t, len ? (const void *) p : "\xef\xbf\xbd", len ? len : 3);
		*to = t + (len ? len : 3);
		return len ? len : 1;
	}
	*t++ = '\\';
	*t++ = (char) how;
	if (how == 'u') {
		*t++ = '0';
		*t++ = '0';
		*t++ = hex[*p >> 4];
		*t++ = hex[*p & 15];
	}
	*to = t;
	return len;
}

/* Text without its quotation marks. */
static void put_inside(struct cw_json_out *o, const char *text, size_t n)
{
	const uint8_t *p = (const uint8_t *) text, *end = p + n;

	while (p < end) {
		const uint8_t *plain = p;
		char *to;

		while (p < end && !escapes[*p])
			p++;
		if (!room(o, (size_t) (p - plain) + (p < end ? 6 : 0)))
			return;
		memcpy(o->buf + o->len, plain, (size_t) (p - plain));
		o->len += (size_t) (p - plain);
		if (p == end)
			return;
		to = o->buf + o->len;
		p += put_odd(&to, p, (size_t) (end - p));
		o->len = (size_t) (to - o->buf);
	}
}

static void put_quote(struct cw_json_out *o)
{
	if (room(o, 1))
		o->buf[o->len++] = '"';
}

void cw_json_put_text(struct cw_json_out *o, const char *p, size_t n)
{
	if (!start(o, 1))
		return;
	put_quote(o);
	put_inside(o, p, n);
	put_quote(o);
}

void cw_json_key_text(struct cw_json_out *o, const char *key, size_t n)
{
	cw_json_put_text(o, key, n);
	if (room(o, 1))
		o->buf[o->len++] = ':';
	o->comma = false;
}

void cw_json_put_str(struct cw_json_out *o, const char *s)
{
	if (s)
		cw_json_put_text(o, s, strlen(s));
	else
		cw_json_put_null(o);
}

void cw_json_put_strs(struct cw_json_out *o, const char *a, const char *b)
{
	if (!start(o, 1))
		return;
	put_quote(o);
	put_inside(o, a, strlen(a));
	put_inside(o, b, strlen(b));
	put_quote(o);
}

void cw_json_put_raw(struct cw_json_out *o, const char *p, size_t n)
{
	if (!start(o, n) || n == 0)
		return;
	memcpy(o->buf + o->len, p, n);
	o->len += n;
}

void cw_json_put_between(struct cw_json_out *o, const char *p, size_t n)
{
	if (n == 0 || !room(o, n)) /* an empty buffer has no place to copy to */
		return;
	memcpy(o->buf + o->len, p, n);
	o->len += n;
	o->comma = false;
}

/* Writes the digits of v, most significant first; how many. */
static size_t digits(uint64_t v, char to[static 20])
{
	char back[20];
	size_t n = 0;

	do {
		back[n++] = (char) ('0' + v % 10);
		v /= 10;
	} while (v);
	for (size_t i = 0; i < n; i++)
		to[i] = back[n - 1 - i];
	return n;
}

void cw_json_put_u64(struct cw_json_out *o, uint64_t v)
{
	char text[20];
	const size_t n = digits(v, text);

	cw_json_put_raw(o, text, n);
}

void cw_json_put_bool(struct cw_json_out *o, bool v)
{
	cw_json_put_raw(o, v ? "true" : "false", v ? 4 : 5);
}

void cw_json_put_null(struct cw_json_out *o)
{
	cw_json_put_raw(o, "null", 4);
}

void cw_json_put_addr4(struct cw_json_out *o, struct cw_addr4 a)
{
	char text[2 + 4 * 20], *t = text;

	*t++ = '"';
	for (int shift = 24; shift >= 0; shift -= 8) {
		t += digits(a.v >> shift & 0xff, t);
		*t++ = shift ? '.' : '"';
	}
	cw_json_put_raw(o, text, (size_t) (t - text));
}

void cw_json_put_addr6(struct cw_json_out *o, const struct cw_addr6 *a)
{
	char text[CW_ADDR6_STRLEN + 2];
	size_t n;

	text[0] = '"';
	n = strlen(cw_addr6_str(a, text + 1));
	text[n + 1] = '"';
	cw_json_put_raw(o, text, n + 2);
}

void cw_json_put_time(struct cw_json_out *o, int64_t wall_s)
{
	char text[CW_RFC3339_STRLEN + 1];

	text[0] = '"';
	(void) cw_rfc3339_str(wall_s, text + 1);
	text[CW_RFC3339_LEN + 1] = '"';
	cw_json_put_raw(o, text, CW_RFC3339_LEN + 2);
}
