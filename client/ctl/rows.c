/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads files of rows. */
#include "config.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/conf.h"
#include "base/err.h"
#include "base/mem.h"
#include "client/ctl/rows.h"
#include "client/ctl/run.h"

enum { FILE_MAX = 512 * 1024 * 1024 };

const char *cw_ctl_rows_where(
	const struct cw_ctl_rows *f, unsigned number, char to[static CW_CTL_WHERE_MAX])
{
	(void) snprintf(to, CW_CTL_WHERE_MAX, f->list ? "%.200s: element %u" : "%.200s:%u", f->file,
		number);
	return to;
}

/* Tells what is wrong with the row that was read last. */
static void CW_PRINTF(2, 3) wrong(const struct cw_ctl_rows *f, const char *fmt, ...)
{
	char where[CW_CTL_WHERE_MAX], what[512];
	va_list ap;

	va_start(ap, fmt);
	(void) vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	cw_ctl_say("%s: %s", cw_ctl_rows_where(f, f->number, where), what);
}

/* As apply has it: - is as good as _. */
static bool same(const char *a, const char *b)
{
	while (*a && (*a == *b || (*a == '_' && *b == '-'))) {
		a++;
		b++;
	}
	return *a == *b;
}

static const struct cw_ctl_column *find(const struct cw_ctl_rows *f, const char *name)
{
	for (const struct cw_ctl_column *k = f->known; k->name; k++) {
		if (same(k->name, name))
			return k;
	}
	return NULL;
}

static void unknown(const struct cw_ctl_rows *f, const char *what, const char *name)
{
	const char *names[CW_CTL_KNOWN_MAX + 1], *near;
	size_t n = 0;

	for (const struct cw_ctl_column *k = f->known; k->name && n < CW_CTL_KNOWN_MAX; k++)
		names[n++] = k->name;
	names[n] = NULL;
	near = cw_conf_nearest(name, names);
	wrong(f, "there is no %s \"%.60s\"%s%s%s", what, name, near ? "; did you mean " : "",
		near ? near : "", near ? "?" : "");
}

/* ---- CSV ---- */

static void bad_csv(const struct cw_ctl_rows *f, int r)
{
	if (r == CW_E_LIMIT)
		wrong(f, "more than %d fields", CW_CTL_CSV_FIELDS_MAX);
	else
		wrong(f,
			"a quotation mark that is not closed, or text behind one; a field is written "
			"\"...\" as a whole, with \"\" for a quotation mark in it");
}

static int heading(struct cw_ctl_rows *f)
{
	char *names[CW_CTL_CSV_FIELDS_MAX];
	unsigned n;
	int r = cw_ctl_csv_next(&f->csv, names, &n);

	f->number = f->csv.began;
	if (r < 0)
		bad_csv(f, r);
	else if (r == 0)
		wrong(f, "neither JSON nor CSV with a heading");
	else if (n == 1 && strpbrk(names[0], ";\t"))
		wrong(f, "columns are separated by commas");
	if (r <= 0 || (n == 1 && strpbrk(names[0], ";\t")))
		return CW_EXIT_USAGE;
	for (unsigned i = 0; i < n; i++) {
		f->columns[i] = find(f, names[i]);
		if (!f->columns[i]) {
			unknown(f, "column", names[i]);
			return CW_EXIT_USAGE;
		}
		for (unsigned j = 0; j < i; j++) {
			if (f->columns[i] == f->columns[j]) {
				wrong(f, "the column %s is there twice", names[i]);
				return CW_EXIT_USAGE;
			}
		}
	}
	f->n_columns = n;
	return CW_EXIT_OK;
}

static json_t *words(char *text)
{
	json_t *list = json_array();

	text += strspn(text, " ");
	while (*text) {
		size_t n = strcspn(text, " ");

		if (json_array_append_new(list, json_stringn(text, n)) < 0) {
			json_decref(list);
			return NULL;
		}
		text += n;
		text += strspn(text, " ");
	}
	return list;
}

/* A field by its column's kind; a new reference. NULL: it is no such value; *want tells what is. */
static json_t *field(const struct cw_ctl_column *k, char *text, const char **want)
{
	json_t *v;
	uint64_t u;

	switch (k->kind) {
	case CW_CTL_COL_NUMBER:
		*want = "a number";
		return cw_parse_u64(text, strlen(text), 0, INT64_MAX, &u) < 0
			       ? NULL
			       : json_integer((json_int_t) u);
	case CW_CTL_COL_BOOL:
		*want = "true or false";
		return strcmp(text, "true") == 0    ? json_true()
		       : strcmp(text, "false") == 0 ? json_false()
						    : NULL;
	case CW_CTL_COL_OBJECT:
		*want = "an object like {\"key\":\"value\"}, its quotation marks doubled";
		v = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
		if (json_is_object(v))
			return v;
		json_decref(v);
		return NULL;
	case CW_CTL_COL_LIST:
		*want = "words with blanks between them, in UTF-8";
		return words(text);
	case CW_CTL_COL_TEXT:
		*want = "text in UTF-8";
		return json_string(text);
	}
	return NULL;
}

static json_t *csv_row(struct cw_ctl_rows *f)
{
	char *fields[CW_CTL_CSV_FIELDS_MAX];
	const char *want = "";
	json_t *row, *v;
	unsigned n;
	int r;

	r = cw_ctl_csv_next(&f->csv, fields, &n);
	f->number = f->csv.began;
	if (r == 0)
		return json_null();
	if (r < 0) {
		bad_csv(f, r);
		return NULL;
	}
	if (n != f->n_columns) {
		wrong(f,
			"%u fields, and the heading has %u; a field with a comma in it is written "
			"\"...\"",
			n, f->n_columns);
		return NULL;
	}
	row = json_object();
	for (unsigned i = 0; row && i < n; i++) {
		if (!fields[i][0]) /* null */
			continue;
		v = field(f->columns[i], fields[i], &want);
		if (!v)
			wrong(f, "%s: \"%.60s\" is not %s", f->columns[i]->name, fields[i], want);
		if (json_object_set_new(row, f->columns[i]->name, v) < 0) {
			json_decref(row);
			return NULL;
		}
	}
	return row;
}

/* ---- JSON ---- */

static json_t *known_row(const struct cw_ctl_rows *f, json_t *row)
{
	const char *name;
	json_t *v;

	if (!json_is_object(row)) {
		wrong(f, "a row is an object, as in {\"pool\": \"default\"}");
		json_decref(row);
		return NULL;
	}
	json_object_foreach(row, name, v)
	{
		if (!find(f, name)) {
			unknown(f, "member", name);
			json_decref(row);
			return NULL;
		}
	}
	return row;
}

static json_t *ndjson_row(struct cw_ctl_rows *f)
{
	char *end;
	json_error_t e;
	json_t *row;
	size_t n;

	for (;; f->line = end + 1, f->number++) {
		end = f->line + strcspn(f->line, "\n");
		n = (size_t) (end - f->line);
		if (strspn(f->line, " \t\r") < n)
			break;
		if (!*end)
			return json_null();
	}
	f->number++;
	row = json_loadb(f->line, n, JSON_REJECT_DUPLICATES, &e);
	f->line = *end ? end + 1 : end;
	if (row)
		return known_row(f, row);
	wrong(f, "column %d: %s; one JSON object a line is wanted", e.column, e.text);
	return NULL;
}

/* ---- both ---- */

/* A list, an object with one, or an object that is a row; else NDJSON. */
static int open_json(struct cw_ctl_rows *f, const char *member, char *from)
{
	json_error_t e;
	json_t *inner, *all = json_loads(f->text + f->skip, JSON_REJECT_DUPLICATES, &e), *first;

	if (!all && *from == '{') {
		first = json_loadb(from, strcspn(from, "\n"), JSON_REJECT_DUPLICATES, NULL);
		json_decref(first);
		f->line = first ? f->text + f->skip : NULL;
	}
	if (f->line)
		return CW_EXIT_OK;
	if (!all) {
		cw_ctl_say("%s:%d:%d: %s", f->file, e.line, e.column, e.text);
		return CW_EXIT_USAGE;
	}
	inner = json_object_get(all, member);
	f->list = json_is_array(all)     ? json_incref(all)
		  : json_is_array(inner) ? json_incref(inner)
					 : json_pack("[O]", all);
	json_decref(all);
	return f->list ? CW_EXIT_OK : cw_ctl_failed(-ENOMEM, f->file);
}

int cw_ctl_rows_open(struct cw_ctl_rows *f, const char *file, const char *member,
	const struct cw_ctl_column *known)
{
	char *from;
	int r;

	*f = (struct cw_ctl_rows){.file = file, .known = known};
	r = cw_ctl_slurp(file, FILE_MAX, &f->text, &f->n);
	if (r < 0)
		return cw_ctl_failed(r, file);
	if (strlen(f->text) != f->n) {
		cw_ctl_say("%s: a NUL octet at %zu; UTF-8 is wanted", file, strlen(f->text));
		return CW_EXIT_USAGE;
	}
	f->skip = strncmp(f->text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0; /* a spreadsheet's mark */
	f->csv = (struct cw_ctl_csv_in){.at = f->text + f->skip, .line = 1};
	from = f->csv.at + strspn(f->csv.at, " \t\r\n");
	if (*from == '[' || *from == '{')
		return open_json(f, member, from);
	return heading(f);
}

json_t *cw_ctl_rows_next(struct cw_ctl_rows *f)
{
	if (f->n_columns)
		return csv_row(f);
	if (!f->list)
		return ndjson_row(f);
	if (f->at == json_array_size(f->list))
		return json_null();
	f->number = (unsigned) ++f->at;
	return known_row(f, json_incref(json_array_get(f->list, f->at - 1)));
}

void cw_ctl_rows_close(struct cw_ctl_rows *f)
{
	json_decref(f->list);
	f->list = NULL;
	if (f->text)
		f->text = cw_free_secret(f->text, f->n);
}
