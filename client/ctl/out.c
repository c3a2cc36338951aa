/* SPDX-License-Identifier: BSD-2-Clause */
/* How answers are printed. */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"
#include "client/ctl/commands.h"
#include "client/ctl/out.h"

enum {
	HELD_MAX = 1000, /* rows, of a table with all its columns */
	READABLE = 8,    /* letters of a cell */
	NAME_WHOLE = 32,
};

bool cw_ctl_format_of(const char *name, enum cw_ctl_format *ret)
{
	static const char *const names[] = {"table", "json", "ndjson", "csv", "name"};

	for (unsigned i = 0; i < CW_ARRAY_LEN(names); i++) {
		if (strcmp(names[i], name) == 0) {
			*ret = (enum cw_ctl_format) i;
			return true;
		}
	}
	return false;
}

void cw_ctl_out_init(struct cw_ctl_out *o, FILE *f, enum cw_ctl_format format)
{
	/* One thread: NOLINTNEXTLINE(concurrency-mt-unsafe) */
	const char *no_colour = getenv("NO_COLOR");
	const char *term = getenv("TERM"); /* NOLINT(concurrency-mt-unsafe) */
	struct winsize w;

	*o = (struct cw_ctl_out){.f = f, .format = format};
	if (!isatty(fileno(f)))
		return;
	o->width = 80;
	if (ioctl(fileno(f), TIOCGWINSZ, &w) == 0 && w.ws_col > 0)
		o->width = w.ws_col;
	o->colour = !(no_colour && *no_colour) && term && strcmp(term, "dumb") != 0;
}

int cw_ctl_out_failed(FILE *f)
{
	int e = errno;
	struct pollfd p = {.fd = fileno(f), .events = POLLOUT};

	if (!ferror(f))
		return 0;
	if (poll(&p, 1, 0) == 1 && (p.revents & POLLERR)) {
		(void) signal(SIGPIPE, SIG_DFL);
		(void) raise(SIGPIPE);
	}
	return e ? -e : -EIO;
}

static void drop_cells(struct cw_ctl_out *o)
{
	for (size_t i = 0; i < o->n_cells; i++)
		o->cells[i] = cw_free(o->cells[i]);
	o->n_cells = 0;
}

void cw_ctl_out_done(struct cw_ctl_out *o)
{
	drop_cells(o);
	o->cells = cw_free(o->cells);
	o->cap_cells = 0;
	for (unsigned i = 0; i < o->n_names; i++)
		o->names[i] = cw_free(o->names[i]);
	o->names = cw_free(o->names);
	o->n_names = 0;
	o->asked = false;
}

/* ---- words and lines of tables ---- */

static const char *colour_of(const char *s, size_t n)
{
	if (cw_ctl_has_word("down failed full lost no delete", s, n))
		return "31";
	if (cw_ctl_has_word(
		    "low draining syncing ending starting quarantined disabled change", s, n))
		return "33";
	if (cw_ctl_has_word("up ok active create", s, n))
		return "32";
	return NULL;
}

void cw_ctl_out_word(const struct cw_ctl_out *o, const char *s, size_t n)
{
	const char *colour = o->colour ? colour_of(s, n) : NULL;

	if (colour)
		(void) fprintf(o->f, "\033[%sm%.*s\033[0m", colour, (int) n, s);
	else
		(void) fwrite(s, 1, n, o->f);
}

static void pad(const struct cw_ctl_out *o, size_t n)
{
	(void) fprintf(o->f, "%*s", (int) n, "");
}

static void print_line(const struct cw_ctl_out *o, char *const *cells, bool head)
{
	for (unsigned i = 0; i < o->n_shown; i++) {
		size_t n = strlen(cells[i]), w = cw_ctl_width(cells[i], n), fits = o->widths[i];
		bool last = i + 1 == o->n_shown, cut = w > fits;

		if (cut) {
			n = cw_ctl_fit(cells[i], n, fits - 1);
			w = fits;
		}
		if (head && o->colour)
			(void) fprintf(o->f, "\033[1m%.*s\033[0m", (int) n, cells[i]);
		else
			cw_ctl_out_word(o, cells[i], n);
		if (cut)
			(void) fputs("\u2026", o->f);
		if (!last)
			pad(o, fits - w + CW_CTL_GAP);
	}
	(void) fputc('\n', o->f);
}

/* On a narrow terminal a few columns that can be read are better than all of them as a few letters. */
static unsigned room_for(const struct cw_ctl_out *o, const size_t *natural, const size_t *least)
{
	size_t sum = 0;
	unsigned n = 0;

	if (!o->width || o->asked)
		return o->n_names;
	for (; n < o->n_names; n++) {
		/* The first one is the name, which is of no use in part. */
		size_t some = n == 0 ? NAME_WHOLE : least[n] > READABLE ? least[n] : READABLE;

		sum += (natural[n] < some ? natural[n] : some) + (n ? CW_CTL_GAP : 0);
		if (sum > o->width)
			break;
	}
	return n ? n : 1;
}

/* With the rows that are there: how wide, and the heading. */
static int lay_out(struct cw_ctl_out *o)
{
	size_t natural[CW_CTL_COLUMNS_MAX], least[CW_CTL_COLUMNS_MAX];
	char *heads[CW_CTL_COLUMNS_MAX] = {NULL};
	int r = 0;

	for (unsigned i = 0; i < o->n_names; i++) {
		heads[i] = cw_strdup(o->names[i]);
		if (!heads[i]) {
			r = -ENOMEM;
			break;
		}
		for (char *p = heads[i]; *p; p++)
			*p = (char) (*p == '_' ? ' ' : toupper((unsigned char) *p));
		natural[i] = least[i] = strlen(heads[i]);
		for (size_t k = i; k < o->n_cells; k += o->n_names) {
			size_t w = cw_ctl_width(o->cells[k], strlen(o->cells[k]));

			natural[i] = w > natural[i] ? w : natural[i];
		}
	}
	if (r == 0) {
		o->n_shown = room_for(o, natural, least);
		cw_ctl_layout(natural, least, o->n_shown, o->width, o->widths);
		print_line(o, heads, true);
		o->laid_out = true;
	}
	for (unsigned i = 0; i < o->n_names; i++)
		heads[i] = cw_free(heads[i]);
	return r;
}

/* Rows that come later may be wider than the columns: where nothing is cut they push the rest aside. */
static void widen(struct cw_ctl_out *o, char *const *cells)
{
	for (unsigned i = 0; !o->width && i < o->n_names; i++) {
		size_t w = cw_ctl_width(cells[i], strlen(cells[i]));

		o->widths[i] = w > o->widths[i] ? w : o->widths[i];
	}
}

static int release(struct cw_ctl_out *o)
{
	int r = o->laid_out ? 0 : lay_out(o);

	for (size_t i = 0; r == 0 && i < o->n_cells; i += o->n_names) {
		widen(o, o->cells + i);
		print_line(o, o->cells + i, false);
	}
	drop_cells(o);
	return r;
}

static int hold(struct cw_ctl_out *o, const json_t *row)
{
	if (o->n_cells + o->n_names > o->cap_cells) {
		size_t cap = o->cap_cells * 2 + o->n_names;
		char **grown = cw_realloc(o->cells, cap, sizeof *grown);

		if (!grown)
			return -ENOMEM;
		o->cells = grown;
		o->cap_cells = cap;
	}
	for (unsigned i = 0; i < o->n_names; i++) {
		char *cell = cw_ctl_cell(json_object_get(row, o->names[i]));

		if (!cell)
			return -ENOMEM;
		o->cells[o->n_cells++] = cell;
	}
	return o->laid_out || o->n_cells >= (size_t) HELD_MAX * CW_CTL_COLUMNS_MAX ? release(o) : 0;
}

/* ---- lists ---- */

static int set_names(struct cw_ctl_out *o, const char *columns)
{
	o->names = cw_zalloc(CW_CTL_COLUMNS_MAX, sizeof *o->names);
	if (!o->names)
		return -ENOMEM;
	while (*columns && o->n_names < CW_CTL_COLUMNS_MAX) {
		size_t n = strcspn(columns, ",");

		if (n && !(o->names[o->n_names++] = cw_strndup(columns, n)))
			return -ENOMEM;
		columns += n + (columns[n] == ',');
	}
	return 0;
}

int cw_ctl_out_begin(struct cw_ctl_out *o, const char *columns)
{
	cw_ctl_out_done(o);
	o->laid_out = false;
	o->rows = 0;
	if (set_names(o, columns) < 0)
		return -ENOMEM;
	return 0;
}

/* A terminal gets what might steer it as \u escapes. */
static int dump(const struct cw_ctl_out *o, const json_t *v, size_t flags)
{
	if (o->width)
		flags |= JSON_ENSURE_ASCII;
	return json_dumpf(v, o->f, JSON_ENCODE_ANY | flags) < 0 && !ferror(o->f) ? -ENOMEM : 0;
}

static void csv_head(const struct cw_ctl_out *o)
{
	for (unsigned i = 0; i < o->n_names; i++)
		(void) fprintf(o->f, "%s%s", i ? "," : "", o->names[i]);
	(void) fputs("\r\n", o->f);
}

static int csv_row(const struct cw_ctl_out *o, const json_t *row)
{
	for (unsigned i = 0; i < o->n_names; i++) {
		CW_CLEANUP(cw_freep) char *s = cw_ctl_csv(json_object_get(row, o->names[i]));

		if (!s)
			return -ENOMEM;
		if (o->width)
			cw_ctl_tame(s);
		(void) fprintf(o->f, "%s%s", i ? "," : "", s);
	}
	(void) fputs("\r\n", o->f);
	return 0;
}

static int name_of(const struct cw_ctl_out *o, const json_t *row, const char *name, size_t n)
{
	CW_CLEANUP(cw_freep) char *key = cw_strndup(name, n), *s = NULL;

	if (key)
		s = cw_ctl_cell(json_object_get(row, key));
	if (!s)
		return -ENOMEM;
	(void) fprintf(o->f, "%s\n", s);
	return 0;
}

const char *cw_ctl_out_missing(const struct cw_ctl_out *o, const json_t *row)
{
	for (unsigned i = 0; i < o->n_names; i++) {
		if (!json_object_get(row, o->names[i]))
			return o->names[i];
	}
	return NULL;
}

static int put_row(struct cw_ctl_out *o, const json_t *row)
{
	int r;

	switch (o->format) {
	case CW_CTL_TABLE:
		return hold(o, row);
	case CW_CTL_CSV:
		if (o->rows == 1)
			csv_head(o);
		return csv_row(o, row);
	case CW_CTL_NAME:
		return name_of(o, row, o->names[0], strlen(o->names[0]));
	case CW_CTL_JSON:
		(void) fputs(o->rows > 1 ? ",\n" : "[\n", o->f);
		return dump(o, row, JSON_COMPACT);
	default:
		r = dump(o, row, JSON_COMPACT);
		(void) fputc('\n', o->f);
		return r;
	}
}

int cw_ctl_out_row(struct cw_ctl_out *o, const json_t *row)
{
	int r;

	if (o->asked && !o->rows && cw_ctl_out_missing(o, row))
		return CW_E_SYNTAX;
	o->rows++;
	r = put_row(o, row);
	return r < 0 ? r : cw_ctl_out_failed(o->f);
}

int cw_ctl_out_end(struct cw_ctl_out *o)
{
	int r = 0;

	if (o->format == CW_CTL_TABLE)
		r = release(o);
	else if (o->format == CW_CTL_CSV && !o->rows)
		csv_head(o);
	else if (o->format == CW_CTL_JSON)
		(void) fputs(o->rows ? "\n]\n" : "[]\n", o->f);
	cw_ctl_out_done(o);
	return r < 0 ? r : cw_ctl_out_failed(o->f);
}

/* ---- one thing ---- */

static int members(const struct cw_ctl_out *o, const json_t *v)
{
	const char *key;
	json_t *member;
	size_t widest = 0;

	/* jansson's iterators take no const; nothing is changed. */
	json_object_foreach(cw_ctl_mutable(v), key, member)
	{
		widest = strlen(key) > widest ? strlen(key) : widest;
	}
	json_object_foreach(cw_ctl_mutable(v), key, member)
	{
		CW_CLEANUP(cw_freep) char *cell = cw_ctl_cell(member);

		if (!cell)
			return -ENOMEM;
		(void) fprintf(o->f, "%-*s  ", (int) widest, key);
		cw_ctl_out_word(o, cell, strlen(cell));
		(void) fputc('\n', o->f);
	}
	return 0;
}

int cw_ctl_out_one(struct cw_ctl_out *o, const json_t *v, const char *columns)
{
	char all[1024] = "";
	const char *key;
	json_t *member;
	int r = 0;

	switch (o->format) {
	case CW_CTL_TABLE:
		return members(o, v);
	case CW_CTL_NAME:
		return name_of(o, v, columns, strcspn(columns, ","));
	case CW_CTL_CSV:
		json_object_foreach(cw_ctl_mutable(v), key, member)
		{
			size_t n = strlen(all);

			(void) snprintf(all + n, sizeof all - n, "%s%s", n ? "," : "", key);
		}
		r = cw_ctl_out_begin(o, all);
		if (r == 0)
			r = cw_ctl_out_row(o, v);
		return r < 0 ? r : cw_ctl_out_end(o);
	default:
		r = dump(
			o, v, o->width && o->format == CW_CTL_JSON ? JSON_INDENT(2) : JSON_COMPACT);
		(void) fputc('\n', o->f);
		return r;
	}
}
