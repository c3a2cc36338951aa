/* SPDX-License-Identifier: BSD-2-Clause */
/* Cursors over bytes, strict numbers and Base64 (RFC 4648 section 4). No state. */
#include "config.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"

struct cw_reader cw_reader_of(const void *p, size_t n)
{
	const uint8_t *start = p;

	return (struct cw_reader){.pos = start, .end = n ? start + n : start, .bad = false};
}

size_t cw_read_left(const struct cw_reader *r)
{
	return r->bad ? 0 : (size_t) (r->end - r->pos);
}

const uint8_t *cw_read_take(struct cw_reader *r, size_t n)
{
	const uint8_t *p = r->pos;

	if (r->bad || n > (size_t) (r->end - r->pos)) {
		r->bad = true;
		return NULL;
	}
	if (n)
		r->pos += n;
	return p;
}

static uint64_t read_be(struct cw_reader *r, size_t n)
{
	const uint8_t *p = cw_read_take(r, n);
	uint64_t v = 0;

	for (size_t i = 0; p && i < n; i++)
		v = v << 8 | p[i];
	return v;
}

uint8_t cw_read_u8(struct cw_reader *r)
{
	return (uint8_t) read_be(r, 1);
}

uint16_t cw_read_u16(struct cw_reader *r)
{
	return (uint16_t) read_be(r, 2);
}

uint32_t cw_read_u32(struct cw_reader *r)
{
	return (uint32_t) read_be(r, 4);
}

uint64_t cw_read_u64(struct cw_reader *r)
{
	return read_be(r, 8);
}

void cw_read_bytes(struct cw_reader *r, void *to, size_t n)
{
	const uint8_t *p = cw_read_take(r, n);

	if (!n)
		return;
	if (p)
		memcpy(to, p, n);
	else
		memset(to, 0, n);
}

void cw_read_skip(struct cw_reader *r, size_t n)
{
	(void) cw_read_take(r, n);
}

struct cw_reader cw_read_sub(struct cw_reader *r, size_t n)
{
	const uint8_t *p = cw_read_take(r, n);

	if (r->bad)
		return (struct cw_reader){.pos = r->end, .end = r->end, .bad = true};
	return cw_reader_of(p, n);
}

struct cw_writer cw_writer_of(void *p, size_t n)
{
	uint8_t *start = p;

	return (struct cw_writer){
		.start = start, .pos = start, .end = n ? start + n : start, .bad = false};
}

size_t cw_write_len(const struct cw_writer *w)
{
	return (size_t) (w->pos - w->start);
}

void cw_write_bytes(struct cw_writer *w, const void *p, size_t n)
{
	if (w->bad || n > (size_t) (w->end - w->pos)) {
		w->bad = true;
		return;
	}
	if (!n)
		return;
	memcpy(w->pos, p, n);
	w->pos += n;
}

static void write_be(struct cw_writer *w, uint64_t v, size_t n)
{
	uint8_t b[8];

	for (size_t i = n; i-- > 0; v >>= 8)
		b[i] = (uint8_t) v;
	cw_write_bytes(w, b, n);
}

void cw_write_u8(struct cw_writer *w, uint8_t v)
{
	write_be(w, v, 1);
}

void cw_write_u16(struct cw_writer *w, uint16_t v)
{
	write_be(w, v, 2);
}

void cw_write_u32(struct cw_writer *w, uint32_t v)
{
	write_be(w, v, 4);
}

void cw_write_u64(struct cw_writer *w, uint64_t v)
{
	write_be(w, v, 8);
}

void cw_write_str(struct cw_writer *w, const char *s)
{
	cw_write_bytes(w, s, strlen(s));
}

/* The text may end exactly at the end of the buffer, where vsnprintf would want one more octet for
 * its NUL: so format beside the buffer and copy. */
void cw_write_fmt(struct cw_writer *w, const char *fmt, ...)
{
	char small[512];
	va_list ap;
	int n;

	if (w->bad)
		return;
	va_start(ap, fmt);
	n = vsnprintf(small, sizeof small, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t) n > (size_t) (w->end - w->pos)) {
		w->bad = true;
	} else if ((size_t) n < sizeof small) {
		cw_write_bytes(w, small, (size_t) n);
	} else {
		CW_CLEANUP(cw_freep) char *big = cw_zalloc((size_t) n + 1, 1);

		if (!big) {
			w->bad = true;
			return;
		}
		va_start(ap, fmt);
		(void) vsnprintf(big, (size_t) n + 1, fmt, ap);
		va_end(ap);
		cw_write_bytes(w, big, (size_t) n);
	}
}

uint8_t *cw_write_begin16(struct cw_writer *w)
{
	uint8_t *mark = w->pos;

	cw_write_u16(w, 0);
	return w->bad ? NULL : mark;
}

void cw_write_end16(struct cw_writer *w, uint8_t *mark)
{
	size_t n;

	if (w->bad || !mark)
		return;
	n = (size_t) (w->pos - mark) - 2;
	if (n > UINT16_MAX) {
		w->bad = true;
		return;
	}
	mark[0] = (uint8_t) (n >> 8);
	mark[1] = (uint8_t) n;
}

int cw_parse_u64(const char *s, size_t n, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;
	bool over = false;

	if (!n)
		return CW_E_SYNTAX;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return CW_E_SYNTAX;
		over = over || __builtin_mul_overflow(v, (uint64_t) 10, &v) ||
		       __builtin_add_overflow(v, (uint64_t) (s[i] - '0'), &v);
	}
	if (over || v < min || v > max)
		return CW_E_LIMIT;
	*ret = v;
	return 0;
}

/* last: the two characters in which the alphabets differ (RFC 4648 4, 5). */
static int base64_value(char c, const char *last)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == last[0] ? 62 : c == last[1] ? 63 : -1;
}

/* Without padding. */
static int base64_read(const char *s, size_t n, const char *last, void *to, size_t cap)
{
	uint8_t *out = to;
	size_t len = 0;
	uint32_t bits = 0;

	if (n % 4 == 1)
		return CW_E_SYNTAX;
	if (n > INT_MAX)
		return CW_E_LIMIT;
	for (size_t i = 0; i < n; i++)
		if (base64_value(s[i], last) < 0)
			return CW_E_SYNTAX;
	/* RFC 4648 3.5: the bits that are left over are zero, or two texts would mean one value */
	if (n % 4 && (base64_value(s[n - 1], last) & (n % 4 == 2 ? 0xf : 0x3)) != 0)
		return CW_E_SYNTAX;
	if (n / 4 * 3 + (n % 4 ? n % 4 - 1 : 0) > cap)
		return CW_E_LIMIT;
	for (size_t i = 0; i < n; i++) {
		bits = bits << 6 | (uint32_t) base64_value(s[i], last);
		if (i % 4 != 0)
			out[len++] = (uint8_t) (bits >> (6 - 2 * (i % 4)));
	}
	return (int) len;
}

/* Without padding; to has room for four characters per three octets. */
static size_t base64_write(const uint8_t *in, size_t n, const char *last, char *to)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	size_t len = 0;
	uint32_t bits = 0;
	unsigned have = 0;

	for (size_t i = 0; i < n; i++) {
		bits = bits << 8 | in[i];
		have += 8;
		if (i + 1 == n && have % 6) { /* filled up with zeros */
			bits <<= 6 - have % 6;
			have += 6 - have % 6;
		}
		for (; have >= 6; have -= 6) {
			const uint32_t v = bits >> (have - 6) & 63;

			to[len++] = v < 62 ? alphabet[v] : last[v - 62];
		}
	}
	return len;
}

int cw_base64_decode(const char *s, size_t n, void *to, size_t cap)
{
	size_t pad = 0;

	if (n % 4 != 0)
		return CW_E_SYNTAX;
	if (n && s[n - 1] == '=')
		pad = s[n - 2] == '=' ? 2 : 1;
	return base64_read(s, n - pad, "+/", to, cap);
}

int cw_base64_encode(const void *p, size_t n, char *to, size_t cap)
{
	size_t len;

	if (n > INT_MAX / 4 * 3 - 3 || cap < 1 || (n + 2) / 3 * 4 > cap - 1)
		return CW_E_LIMIT;
	len = base64_write(p, n, "+/", to);
	while (len % 4)
		to[len++] = '=';
	to[len] = '\0';
	return (int) len;
}

int cw_base64url_decode(const char *s, size_t n, void *to, size_t cap)
{
	return base64_read(s, n, "-_", to, cap);
}

int cw_base64url_encode(const void *p, size_t n, char *to, size_t cap)
{
	size_t len;

	if (n > INT_MAX / 4 * 3 - 3 || cap < 1 || (n * 8 + 5) / 6 > cap - 1)
		return CW_E_LIMIT;
	len = base64_write(p, n, "-_", to);
	to[len] = '\0';
	return (int) len;
}
