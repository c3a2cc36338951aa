/* SPDX-License-Identifier: BSD-2-Clause */
/* The form of a configuration file. libconfuse stops at the first mistake, takes the end of the
 * file for any number of "}", lets the last of two equal options win, skips characters it does
 * not know and reads "${" past the end of its string; so every file comes through here first:
 *
 *	file  = { item }
 *	item  = NAME "=" value | NAME [ STRING ] "{" { item } "}"
 *	value = STRING | WORD | "{" [ value { "," value } [ "," ] ] "}"
 *
 * Comments are # and // to the end of the line, and C's. Each mistake is noted with its line,
 * and the scan goes on where the next item seems to begin. What is well-formed is kept; conf.c
 * has it decoded. */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/conf_impl.h"
#include "base/map.h"
#include "base/mem.h"

#define TITLE_MAX 130 /* with its quotes */
#define KIND_MAX  64  /* of the schema: names of sections */

enum token_type { T_END, T_WORD, T_STRING, T_OPEN, T_CLOSE, T_EQUAL, T_COMMA, T_OTHER };

struct token {
	enum token_type type;
	const char *p;
	size_t n;
	int line;
	bool broken; /* a string with a mistake inside, already reported */
};

struct scan {
	struct cw_conf *conf;
	const char *pos;
	const char *end;
	int line;
	bool quiet; /* looking ahead: report nothing */
	struct token token;
	struct cw_conf_section *section; /* the open one */
	struct cw_map *seen;             /* "KIND=TITLE" to its first section */
	int stray_line;                  /* of the last "unexpected": one report a line will do */
};

void cw_conf_problem(struct cw_conf *c, int line, const char *fmt, ...)
{
	char text[768];
	struct cw_conf_problem *more;
	va_list ap;

	va_start(ap, fmt);
	(void) vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (c->problem_count >= CW_CONF_MAX_PROBLEMS) {
		c->problem_count++;
		return;
	}
	if (c->problem_count % 16 == 0) {
		more = cw_realloc(c->problems, c->problem_count + 16, sizeof *more);
		if (!more) {
			c->no_memory = true;
			return;
		}
		c->problems = more;
	}
	more = &c->problems[c->problem_count];
	*more = (struct cw_conf_problem){line, c->problem_count, cw_strdup(text)};
	if (!more->text) {
		c->no_memory = true;
		return;
	}
	c->problem_count++;
}

char *cw_conf_show(const char *p, size_t n, char buf[static CW_CONF_SHOWN])
{
	const size_t most = CW_CONF_SHOWN - 4;
	size_t i;

	for (i = 0; i < n && i < most; i++)
		buf[i] = (char) (p[i] >= ' ' && p[i] <= '~' ? p[i] : '?');
	(void) snprintf(buf + i, CW_CONF_SHOWN - i, "%s", n > most ? "..." : "");
	return buf;
}

/* --- tokens --- */

static bool is_word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("_-.:/@%*", c));
}

static bool starts(const struct scan *s, const char *p, const char *what)
{
	const size_t n = strlen(what);

	return (size_t) (s->end - p) >= n && memcmp(p, what, n) == 0;
}

/* Blanks and comments; counts lines. */
static void skip_blank(struct scan *s)
{
	while (s->pos < s->end) {
		const char c = *s->pos;

		if (c == '\n') {
			s->line++;
			s->pos++;
		} else if (c == ' ' || c == '\t' || c == '\r') {
			s->pos++;
		} else if (c == '#' || starts(s, s->pos, "//")) {
			while (s->pos < s->end && *s->pos != '\n')
				s->pos++;
		} else if (starts(s, s->pos, "/*")) {
			const int line = s->line;

			for (s->pos += 2; s->pos < s->end && !starts(s, s->pos, "*/"); s->pos++)
				s->line += *s->pos == '\n';
			if (s->pos < s->end)
				s->pos += 2;
			else if (!s->quiet)
				cw_conf_problem(s->conf, line,
					"the comment opened here is not closed; \"*/\" is missing");
		} else {
			return;
		}
	}
}

static const char control_problem[] = "a string has a control character; write it as \\xHH";

static void string_problem(struct scan *s, struct token *t, const char *what)
{
	if (!s->quiet && !t->broken)
		cw_conf_problem(s->conf, t->line, "%s", what);
	t->broken = true;
}

/* "${NAME}" or "${NAME:-text}" at p, as libconfuse replaces them; gives what follows. */
static const char *check_variable(struct scan *s, struct token *t, const char *p)
{
	const char *start = p + 2;
	char name[CW_CONF_SHOWN];
	size_t n = 0;
	bool has_default;

	for (p = start; p < s->end && *p != '}'; p++) {
		if ((uint8_t) *p < ' ' && *p != '\n')
			string_problem(s, t, control_problem);
		if (*p == '"' || *p == '\n' || *p == '\\') {
			string_problem(s, t,
				"\"${\" in a string starts a variable, and its \"}\" is missing; write "
				"\"\\${\" for the characters themselves");
			return p;
		}
	}
	if (p == s->end)
		return p;
	while (start + n < p && is_word_char(start[n]) && start[n] != ':')
		n++;
	has_default = start[n] == ':' && start[n + 1] == '-';
	if (!n || n >= sizeof name || (start + n != p && !has_default)) {
		string_problem(s, t, "a variable in a string is \"${NAME}\" or \"${NAME:-text}\"");
		return p;
	}
	memcpy(name, start, n);
	name[n] = '\0';
	if (!has_default && !secure_getenv(name) && !s->quiet && !t->broken) {
		cw_conf_problem(s->conf, t->line,
			"the environment variable \"%s\" is not set; set it, or write "
			"\"${%s:-text}\" with what to use instead",
			name, name);
		t->broken = true;
	}
	return p + 1;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* A backslash at p in a double-quoted string; gives what follows the escape. */
static const char *check_escape(struct scan *s, struct token *t, const char *p)
{
	const char c = p + 1 < s->end ? p[1] : '\n';

	if (c == '\n')
		return p + 1; /* the line ends: the caller reports that */
	if (c == 'x' && s->end - p >= 4 && is_hex(p[2]) && is_hex(p[3]) &&
		!(p[2] == '0' && p[3] == '0'))
		return p + 4;
	if (!strchr("\"\\'$nrt", c) || c == '\0')
		string_problem(s, t,
			"unknown \"\\\" escape in a string; there are \\\" \\\\ \\$ \\n \\r \\t and \\xHH "
			"(not \\x00)");
	return p + 2;
}

static void take_string(struct scan *s, struct token *t)
{
	const char quote = *s->pos;
	const char *p = s->pos + 1;

	t->type = T_STRING;
	while (p < s->end && *p != quote && *p != '\n') {
		if ((uint8_t) *p < ' ' && *p != '\t') {
			string_problem(s, t, control_problem);
			p++;
		} else if (quote == '\'') {
			p += *p == '\\' && p + 1 < s->end && (p[1] == '\'' || p[1] == '\\') ? 2 : 1;
		} else if (*p == '\\') {
			p = check_escape(s, t, p);
		} else if (starts(s, p, "${")) {
			p = check_variable(s, t, p);
		} else {
			p++;
		}
	}
	if (p < s->end && *p == quote)
		p++;
	else
		string_problem(s, t,
			"a string is not closed at the end of its line; the quote is missing");
	t->p = s->pos;
	t->n = (size_t) (p - s->pos);
	s->pos = p;
}

static void take_word(struct scan *s, struct token *t)
{
	const char *p = s->pos;

	while (p < s->end && is_word_char(*p) && !starts(s, p, "//") && !starts(s, p, "/*"))
		p++;
	t->type = T_WORD;
	t->n = (size_t) (p - s->pos);
	s->pos = p;
}

static struct token next_token(struct scan *s)
{
	static const char signs[] = "{}=,";
	static const enum token_type types[] = {T_OPEN, T_CLOSE, T_EQUAL, T_COMMA};
	struct token t = {.type = T_END};
	const char *sign;

	skip_blank(s);
	t.p = s->pos;
	t.line = s->line;
	if (s->pos == s->end)
		return t;
	if (*s->pos == '"' || *s->pos == '\'') {
		take_string(s, &t);
	} else if (is_word_char(*s->pos)) {
		take_word(s, &t);
	} else if (starts(s, s->pos, "+=")) { /* libconfuse appends with it */
		t.type = T_EQUAL;
		t.n = 2;
		s->pos += 2;
	} else {
		sign = *s->pos ? strchr(signs, *s->pos) : NULL;
		t.type = sign ? types[sign - signs] : T_OTHER;
		t.n = 1;
		s->pos++;
	}
	return t;
}

static void advance(struct scan *s)
{
	s->token = next_token(s);
}

/* The type of the n-th token after the current one. */
static enum token_type peek(const struct scan *s, unsigned n)
{
	struct scan ahead = *s;
	enum token_type type = T_END;

	ahead.quiet = true;
	while (n--)
		type = next_token(&ahead).type;
	return type;
}

static void unexpected(struct scan *s, const char *wanted)
{
	char shown[CW_CONF_SHOWN];

	if (s->stray_line == s->token.line)
		return;
	s->stray_line = s->token.line;
	if (s->token.n == 1 && ((uint8_t) *s->token.p < ' ' || (uint8_t) *s->token.p >= 0x7f))
		cw_conf_problem(s->conf, s->token.line, "unexpected octet 0x%02x; %s",
			(uint8_t) *s->token.p, wanted);
	else
		cw_conf_problem(s->conf, s->token.line, "unexpected \"%s\"; %s",
			cw_conf_show(s->token.p, s->token.n, shown), wanted);
}

/* --- names --- */

static bool token_is(const struct token *t, const char *name)
{
	return strlen(name) == t->n && memcmp(name, t->p, t->n) == 0;
}

static const struct cw_conf_opt *find_opt(const struct scan *s)
{
	const struct cw_conf_opt *o;
	unsigned i = 0;

	while ((o = cw_conf_kind_opt(s->conf->schema, s->section->kind, i)) != NULL &&
		!token_is(&s->token, o->name))
		i++;
	return o;
}

static const struct cw_conf_section_kind *find_kind(const struct scan *s)
{
	for (const struct cw_conf_section_kind *k = s->conf->schema->sections; k && k->name; k++)
		if (token_is(&s->token, k->name))
			return k;
	return NULL;
}

/* --- items --- */

static bool no_memory(struct scan *s)
{
	s->conf->no_memory = true;
	return false;
}

static void keep_value(struct scan *s, struct cw_conf_item *item)
{
	struct cw_conf_value *more;

	if (s->token.broken)
		item->broken = true;
	if (item->count % 8 == 0) {
		more = cw_realloc(item->values, item->count + 8, sizeof *more);
		if (!more) {
			(void) no_memory(s);
			return;
		}
		item->values = more;
	}
	item->values[item->count++] = (struct cw_conf_value){s->token.p, s->token.n, s->token.line};
}

static bool is_value(const struct scan *s)
{
	return s->token.type == T_STRING || s->token.type == T_WORD;
}

/* The current token begins another item: a word before "=", or a section's name before "{". */
static bool begins_item(const struct scan *s)
{
	const enum token_type after = s->token.type == T_WORD ? peek(s, 1) : T_END;

	return after == T_EQUAL || after == T_OPEN ||
	       (after == T_STRING && find_kind(s) && find_kind(s)->titled);
}

/* From the token after "{" to the one after "}". */
static void scan_list(struct scan *s, struct cw_conf_item *item, const char *name, int open_line)
{
	bool need_comma = false;

	for (; s->token.type != T_CLOSE; advance(s)) {
		if (s->token.type == T_END || s->token.type == T_EQUAL || begins_item(s)) {
			cw_conf_problem(s->conf, open_line,
				"the list of option \"%s\" opened here is not closed; \"}\" is missing",
				name);
			item->broken = true;
			return;
		}
		if (s->token.type == T_COMMA && need_comma) {
			need_comma = false;
		} else if (is_value(s)) {
			if (need_comma) {
				cw_conf_problem(s->conf, s->token.line,
					"two values of option \"%s\" without a \",\" between them",
					name);
				item->broken = true;
			}
			keep_value(s, item);
			need_comma = true;
		} else {
			unexpected(s, "a list is { \"value\", \"value\" }");
			item->broken = true;
		}
	}
	advance(s);
}

/* From the token after "=" to the one after the value. item gets the values. */
static void scan_value(struct scan *s, struct cw_conf_item *item, const char *name)
{
	const int line = s->token.line;

	if (s->token.type == T_OPEN) {
		if (item->opt && item->opt->type != CW_CONF_LIST) {
			cw_conf_problem(s->conf, line,
				"option \"%s\" takes one value, not a list; write it without braces",
				name);
			item->broken = true;
		}
		advance(s);
		scan_list(s, item, name, line);
	} else if (is_value(s) && !(s->token.type == T_WORD && peek(s, 1) == T_EQUAL)) {
		keep_value(s, item);
		advance(s);
		if (s->token.type == T_COMMA) {
			cw_conf_problem(s->conf, s->token.line,
				"several values of option \"%s\" without braces; a list is { \"value\", "
				"\"value\" }",
				name);
			item->broken = true;
			while (s->token.type == T_COMMA || (is_value(s) && !begins_item(s)))
				advance(s);
		}
	} else {
		cw_conf_problem(
			s->conf, item->line, "option \"%s\" has no value after \"=\"", name);
		item->broken = true;
	}
}

static void done_item(struct cw_conf_item *item)
{
	item->values = cw_free(item->values);
}

static void keep_item(struct scan *s, struct cw_conf_item *item)
{
	struct cw_conf_section *sec = s->section;
	struct cw_conf_item *more;

	for (unsigned i = 0; i < sec->count; i++) {
		if (sec->items[i].opt == item->opt) {
			cw_conf_problem(s->conf, item->line,
				"option \"%s\" again; it is set in line %d already, remove one",
				item->opt->name, sec->items[i].line);
			done_item(item);
			return;
		}
	}
	more = cw_realloc(sec->items, sec->count + 1, sizeof *more);
	if (!more) {
		(void) no_memory(s);
		done_item(item);
		return;
	}
	sec->items = more;
	sec->items[sec->count++] = *item;
}

/* NAME "=" value, from NAME. */
static void scan_assignment(struct scan *s)
{
	struct cw_conf_item item = {.opt = find_opt(s), .line = s->token.line};
	char name[CW_CONF_SHOWN];

	(void) cw_conf_show(s->token.p, s->token.n, name);
	if (!item.opt)
		cw_conf_unknown_option(s->conf, s->section, s->token.p, s->token.n, s->token.line);
	advance(s);
	if (s->token.type == T_EQUAL) {
		if (s->token.n != 1) {
			cw_conf_problem(s->conf, s->token.line,
				"\"+=\" after option \"%s\"; write all values in one list after \"=\"",
				name);
			item.broken = true;
		}
		advance(s);
		scan_value(s, &item, name);
	} else if (s->token.type == T_OPEN) {
		cw_conf_problem(
			s->conf, s->token.line, "\"=\" is missing after option \"%s\"", name);
		item.broken = true;
		scan_value(s, &item, name);
	} else {
		if (item.opt)
			cw_conf_problem(s->conf, item.line,
				"option \"%s\" has no value; write %s = VALUE", name, name);
		item.broken = true;
		if (is_value(s) && s->token.line == item.line && !begins_item(s))
			advance(s);
	}
	if (item.opt)
		keep_item(s, &item);
	else
		done_item(&item);
}

static struct cw_conf_section *new_section(
	struct cw_conf *c, const struct cw_conf_section_kind *kind, int line)
{
	struct cw_conf_section *sec = cw_zalloc(1, sizeof *sec);
	struct cw_conf_section **more;

	more = sec ? cw_realloc(c->sections, c->count + 1, sizeof(struct cw_conf_section *)) : NULL;
	if (!more) {
		c->no_memory = true;
		return cw_free(sec);
	}
	sec->conf = c;
	sec->kind = kind;
	sec->line = line;
	c->sections = more;
	c->sections[c->count++] = sec;
	return sec;
}

/* Whether a section of the same kind (and title) came before `sec`, which then is a repetition. */
static void check_repeated(struct scan *s, struct cw_conf_section *sec)
{
	char key[KIND_MAX + TITLE_MAX + 2], shown[CW_CONF_SHOWN];
	const struct cw_conf_section *first;
	const int n =
		snprintf(key, sizeof key, "%s=%s", sec->kind->name, sec->title ? sec->title : "");

	if (sec->dropped || s->conf->no_memory)
		return;
	first = cw_map_get(s->seen, key, (size_t) n);
	if (!first) {
		if (cw_map_put(s->seen, key, (size_t) n, sec, NULL) < 0)
			(void) no_memory(s);
		return;
	}
	sec->dropped = true;
	if (sec->title)
		cw_conf_problem(s->conf, sec->line,
			"section \"%s\" with the title \"%s\" again; it is in line %d already",
			sec->kind->name, cw_conf_show(sec->title, strlen(sec->title), shown),
			first->line);
	else
		cw_conf_problem(s->conf, sec->line,
			"section \"%s\" again; it is in line %d already, write all options there",
			sec->kind->name, first->line);
}

/* The title, if the current token is one; what libconfuse would decode in it is not allowed. */
static void scan_title(struct scan *s, struct cw_conf_section *sec)
{
	const struct token *t = &s->token;

	if (t->type != T_STRING && t->type != T_WORD) {
		if (sec->kind->titled) {
			cw_conf_problem(s->conf, t->line,
				"section \"%s\" has no title; write %s \"NAME\" {", sec->kind->name,
				sec->kind->name);
			sec->dropped = true;
		}
		return;
	}
	if (!sec->kind->titled) {
		cw_conf_problem(s->conf, t->line, "section \"%s\" takes no title; write %s {",
			sec->kind->name, sec->kind->name);
	} else if (t->broken || t->n > TITLE_MAX ||
		   (t->type == T_STRING &&
			   (t->n <= 2 || memchr(t->p, '\\', t->n) || memchr(t->p, '$', t->n)))) {
		if (!t->broken)
			cw_conf_problem(s->conf, t->line,
				"the title of section \"%s\" is empty, over %d octets or has a \"\\\" or \"$\"; write a "
				"plain name",
				sec->kind->name, TITLE_MAX - 2);
		sec->dropped = true;
	} else {
		sec->title =
			t->type == T_WORD ? cw_strndup(t->p, t->n) : cw_strndup(t->p + 1, t->n - 2);
		if (!sec->title)
			(void) no_memory(s);
	}
	advance(s);
}

/* NAME [ STRING ] "{", from NAME. The section is open afterwards. */
static void open_section(struct scan *s, const struct cw_conf_section_kind *kind)
{
	struct cw_conf_section *sec = new_section(s->conf, kind, s->token.line);

	advance(s);
	if (!sec)
		return;
	scan_title(s, sec);
	check_repeated(s, sec);
	if (s->token.type == T_OPEN)
		advance(s);
	else
		cw_conf_problem(
			s->conf, sec->line, "\"{\" is missing after section \"%s\"", kind->name);
	s->section = sec;
}

/* The block of an unknown section: to the token after its "}". */
static void skip_block(struct scan *s, int line)
{
	unsigned depth = 0;

	do {
		if (s->token.type == T_OPEN)
			depth++;
		else if (s->token.type == T_CLOSE)
			depth--;
		else if (s->token.type == T_END) {
			cw_conf_problem(s->conf, line,
				"the section opened here is not closed; \"}\" is missing");
			return;
		}
		advance(s);
	} while (depth);
}

/* From the name of an unknown section to the token after its "}". */
static void skip_section(struct scan *s)
{
	const int line = s->token.line;

	cw_conf_unknown_section(s->conf, s->token.p, s->token.n, line);
	advance(s);
	if (is_value(s))
		advance(s);
	if (s->token.type == T_OPEN)
		skip_block(s, line);
}

static void scan_name(struct scan *s)
{
	const struct cw_conf_section_kind *kind = find_kind(s);
	const enum token_type after = peek(s, 1);
	/* what looks like `name {` or `name "title" {` is a section, even where an option has the
	 * name */
	const bool block =
		after == T_OPEN || ((after == T_STRING || after == T_WORD) && peek(s, 2) == T_OPEN);

	if (after != T_EQUAL && kind && (block || !find_opt(s))) {
		if (s->section->kind) /* sections do not nest: the open one was to end before this
				       */
			cw_conf_problem(s->conf, s->token.line,
				"section \"%s\" begins inside section \"%s\" of line %d; a \"}\" is "
				"missing before it",
				kind->name, s->section->kind->name, s->section->line);
		open_section(s, kind);
	} else if (after != T_EQUAL && !find_opt(s) && (block || after == T_STRING)) {
		skip_section(s);
	} else {
		scan_assignment(s); /* also of what is neither, to say so */
	}
}

/* What some editors put before a text. What follows can be read if it is UTF-8. */
static void skip_order_mark(struct scan *s)
{
	if (starts(s, s->pos, "\xef\xbb\xbf")) {
		cw_conf_problem(s->conf, 1,
			"the file begins with a byte order mark; save it as UTF-8 without one");
		s->pos += 3;
	} else if (starts(s, s->pos, "\xff\xfe") || starts(s, s->pos, "\xfe\xff")) {
		cw_conf_problem(s->conf, 1, "the file is UTF-16; save it as UTF-8");
		s->pos = s->end;
	}
}

void cw_conf_scan(struct cw_conf *c, const char *text, size_t n)
{
	struct scan s = {.conf = c, .pos = text, .end = text + n, .line = 1};
	struct cw_conf_section *top = new_section(c, NULL, 1);

	s.seen = cw_map_new();
	if (!top || !s.seen) {
		c->no_memory = true;
		(void) cw_map_free(s.seen);
		return;
	}
	s.section = top;
	skip_order_mark(&s);
	advance(&s);
	while (s.token.type != T_END && !c->no_memory) {
		if (s.token.type == T_WORD) {
			scan_name(&s);
		} else if (s.token.type == T_CLOSE && s.section != top) {
			s.section = top;
			advance(&s);
		} else {
			unexpected(&s, s.token.type == T_CLOSE
					       ? "no section is open here"
					       : "the name of an option or section belongs here");
			advance(&s);
		}
	}
	(void) cw_map_free(s.seen);
	if (s.section != top)
		cw_conf_problem(c, s.section->line,
			"section \"%s\" opened here is not closed; \"}\" is missing",
			s.section->kind->name);
	for (const struct cw_conf_section_kind *k = c->schema->sections; k && k->name; k++) {
		bool found = k->titled;

		for (unsigned i = 0; i < c->count && !found; i++)
			found = c->sections[i]->kind == k;
		if (!found)
			(void) new_section(c, k, 0);
	}
}
