/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a line or a frame ends, and what the lines before COMMAND say (RFC 5572 4.4.2, 4.4.3). The
 * caller keeps the octets that are not consumed and comes again with more; nothing is remembered
 * here but how much was skipped. Thread: any. */
#include "config.h"

#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "schema/tsp/tsp.h"

enum {
	BLANKS_MAX = 16, /* between two frames */
	DIGITS_MAX = 5,  /* of a Content-length */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static struct cw_slice trim(struct cw_slice s)
{
	while (s.n && is_blank(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

/* Cuts the literal off the front, in any case. */
static bool skip_word(struct cw_slice *s, const char *word)
{
	const size_t n = strlen(word);

	if (s->n < n || strncasecmp(s->p, word, n) != 0)
		return false;
	s->p += n;
	s->n -= n;
	return true;
}

/* A line within n octets: its length with its line end, 0: none yet, CW_E_LIMIT. */
static int find_line(const char *p, size_t n, size_t max)
{
	const char *lf = n ? memchr(p, '\n', n < max ? n : max) : NULL;

	if (lf)
		return (int) (lf - p) + 1;
	return n >= max ? CW_E_LIMIT : 0;
}

static struct cw_slice without_end(const char *p, size_t n)
{
	struct cw_slice line = {p, n - 1};

	if (line.n && p[line.n - 1] == '\r')
		line.n--;
	return line;
}

int cw_tsp_split_line(struct cw_tsp_split *s, const void *p, size_t n, size_t max,
	struct cw_slice *ret_line, size_t *ret_used)
{
	const char *c = p;
	size_t i = 0;
	int r;

	/* Deployed clients end some messages with a NUL, which then stands before the next one. */
	while (i < n && !c[i] && s->nuls < CW_TSP_NULS_MAX) {
		i++;
		s->nuls++;
	}
	*ret_used = i;
	r = find_line(c + i, n - i, max);
	if (r <= 0)
		return r;
	*ret_line = without_end(c + i, (size_t) r);
	*ret_used = i + (size_t) r;
	*s = (struct cw_tsp_split){0};
	return 1;
}

/* "Content-length: N", N of 1 to 5 digits and not 0; any case, blanks anywhere but within. */
static int parse_length(struct cw_slice line, size_t max, size_t *ret)
{
	size_t v = 0;

	line = trim(line);
	if (!skip_word(&line, "Content-length"))
		return CW_E_SYNTAX;
	line = trim(line);
	if (!skip_word(&line, ":"))
		return CW_E_SYNTAX;
	line = trim(line);
	if (!line.n || line.n > DIGITS_MAX)
		return CW_E_SYNTAX;
	for (size_t i = 0; i < line.n; i++) {
		if (!is_digit(line.p[i]))
			return CW_E_SYNTAX;
		v = v * 10 + (size_t) (line.p[i] - '0');
	}
	if (!v)
		return CW_E_SYNTAX;
	if (v > max)
		return CW_E_LIMIT;
	*ret = v;
	return 0;
}

int cw_tsp_split_frame(struct cw_tsp_split *s, const void *p, size_t n, size_t max,
	struct cw_slice *ret_payload, size_t *ret_used)
{
	const char *c = p;
	size_t i = 0, len = 0;
	int head, r;

	for (; i < n; i++) {
		if (!c[i] && s->nuls < CW_TSP_NULS_MAX)
			s->nuls++;
		else if ((is_blank(c[i]) || c[i] == '\r' || c[i] == '\n') && s->blanks < BLANKS_MAX)
			s->blanks++;
		else
			break;
	}
	*ret_used = i;
	head = find_line(c + i, n - i, CW_TSP_LINE_MAX);
	if (head <= 0)
		return head;
	r = parse_length(without_end(c + i, (size_t) head), max, &len);
	if (r < 0)
		return r;
	i += (size_t) head;
	if (n - i < len)
		return 0;
	*ret_payload = (struct cw_slice){c + i, len};
	*ret_used = i + len;
	*s = (struct cw_tsp_split){0};
	return 1;
}

/* num *("." num), at most three of them: the first two as numbers. */
static int parse_numbers(struct cw_slice s, unsigned *ret_major, unsigned *ret_minor)
{
	unsigned v[2] = {0, 0}, count = 0;
	size_t i = 0;

	while (i < s.n) {
		const size_t start = i;
		unsigned x = 0;

		while (i < s.n && is_digit(s.p[i])) {
			x = x < 1000 ? x * 10 + (unsigned) (s.p[i] - '0') : x;
			i++;
		}
		/* "1.00" is not 1.0. */
		if (i == start || (i - start > 1 && s.p[start] == '0' && count < 2))
			return CW_E_POLICY;
		if (count < 2)
			v[count] = x;
		if (++count > 3)
			return CW_E_POLICY;
		if (i == s.n)
			break;
		if (s.p[i++] != '.' || i == s.n)
			return CW_E_POLICY;
	}
	if (count < 2)
		return CW_E_POLICY;
	*ret_major = v[0];
	*ret_minor = v[1];
	return 0;
}

int cw_tsp_parse_version(struct cw_slice line, enum cw_tsp_version *ret)
{
	unsigned major, minor;
	int r;

	line = trim(line);
	if (!skip_word(&line, "VERSION="))
		return CW_E_SYNTAX;
	r = parse_numbers(line, &major, &minor);
	if (r < 0)
		return r;
	if ((major != 1 && major != 2) || minor != 0)
		return CW_E_POLICY;
	*ret = major == 1 ? CW_TSP_V1 : CW_TSP_V2;
	return 0;
}

/* The next word and what follows it. */
static struct cw_slice take_word(struct cw_slice *s)
{
	struct cw_slice w = {s->p, 0};

	while (w.n < s->n && !is_blank(s->p[w.n]))
		w.n++;
	s->p += w.n;
	s->n -= w.n;
	*s = trim(*s);
	return w;
}

int cw_tsp_parse_authenticate(
	struct cw_slice line, struct cw_slice *ret_mech, struct cw_slice *ret_initial)
{
	struct cw_slice mech, initial = {NULL, 0};

	line = trim(line);
	if (!skip_word(&line, "AUTHENTICATE") || !line.n || !is_blank(line.p[0]))
		return CW_E_SYNTAX;
	line = trim(line);
	mech = take_word(&line);
	if (!mech.n)
		return CW_E_SYNTAX;
	if (line.n)
		initial = take_word(&line);
	if (line.n)
		return CW_E_SYNTAX;
	*ret_mech = mech;
	*ret_initial = initial;
	return 0;
}

static struct cw_slice trim_xml(struct cw_slice s)
{
	while (s.n && (is_blank(s.p[0]) || s.p[0] == '\r' || s.p[0] == '\n')) {
		s.p++;
		s.n--;
	}
	while (s.n && (is_blank(s.p[s.n - 1]) || s.p[s.n - 1] == '\r' || s.p[s.n - 1] == '\n'))
		s.n--;
	return s;
}

/* Three or four digits, or "OK" (DSTM 4.1), then a blank or the end. Octets, or CW_E_SYNTAX. */
static int parse_code(struct cw_slice line, unsigned *ret)
{
	unsigned v = 0;
	size_t i = 0;

	if (line.n >= 2 && memcmp(line.p, "OK", 2) == 0) {
		v = 200;
		i = 2;
	} else {
		while (i < line.n && i < 5 && is_digit(line.p[i]))
			v = v * 10 + (unsigned) (line.p[i++] - '0');
		if (i < 3 || i > 4 || v < 100)
			return CW_E_SYNTAX;
	}
	if (i < line.n && !is_blank(line.p[i]))
		return CW_E_SYNTAX;
	*ret = v;
	return (int) i;
}

int cw_tsp_parse_reply(const void *p, size_t n, unsigned *ret_code, struct cw_slice *ret_text,
	struct cw_slice *ret_xml)
{
	struct cw_slice all = trim_xml((struct cw_slice){p, n}), line, xml = {NULL, 0};
	const char *lf;
	unsigned code;
	int r;

	if (!all.n)
		return CW_E_SYNTAX;
	if (all.p[0] == '<') { /* a delete from broker to tunnel end point */
		*ret_code = 0;
		*ret_text = (struct cw_slice){all.p, 0};
		*ret_xml = all;
		return 0;
	}
	lf = memchr(all.p, '\n', all.n);
	line = lf ? without_end(all.p, (size_t) (lf - all.p) + 1) : all;
	r = parse_code(line, &code);
	if (r < 0)
		return r;
	if (lf) {
		xml = trim_xml((struct cw_slice){lf + 1, all.n - (size_t) (lf + 1 - all.p)});
		if (xml.n && xml.p[0] != '<')
			return CW_E_SYNTAX;
	}
	*ret_code = code;
	*ret_text = trim((struct cw_slice){line.p + r, line.n - (size_t) r});
	*ret_xml = xml;
	return 0;
}
