/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of rows, as import reads them: CSV with a heading, a JSON list, NDJSON; which of them its first octet tells. Every
 * mistake is told with the file and its line, with what is wrong and what would be right; nothing that is not understood
 * is passed over. Thread: one. */
#pragma once

#include "client/ctl/csv.h"

struct json_t;

enum cw_ctl_column_kind {
	CW_CTL_COL_TEXT,
	CW_CTL_COL_NUMBER,
	CW_CTL_COL_BOOL,
	CW_CTL_COL_LIST,   /* words with blanks between them */
	CW_CTL_COL_OBJECT, /* JSON */
};

/* What a row may have: members of JSON and columns of CSV alike. */
struct cw_ctl_column {
	const char *name; /* NULL ends the table */
	enum cw_ctl_column_kind kind;
};

enum { CW_CTL_KNOWN_MAX = 32 };

struct cw_ctl_rows {
	const char *file; /* borrowed */
	const struct cw_ctl_column *known;
	char *text;
	size_t n, skip;      /* skip: octets that are no text */
	struct json_t *list; /* JSON: read as a whole */
	size_t at;
	struct cw_ctl_csv_in csv;
	const struct cw_ctl_column *columns[CW_CTL_CSV_FIELDS_MAX];
	unsigned n_columns; /* not 0: CSV */
	char *line;         /* NDJSON: what is left */
	/* Of the row that was read: its line; of a JSON list its place, from 1 on. */
	unsigned number;
};

enum { CW_CTL_WHERE_MAX = 256 };

/* member: of a JSON object that has the list. known: borrowed. The exit code; a mistake has been told. Close it in any case. */
int cw_ctl_rows_open(struct cw_ctl_rows *f, const char *file, const char *member,
	const struct cw_ctl_column *known) CW_MUST_CHECK;
/* The next row: an object whose members are all known; a new reference. null: the end. NULL: it cannot be read; told. */
struct json_t *cw_ctl_rows_next(struct cw_ctl_rows *f);
/* "FILE:LINE", or "FILE: element 3". */
const char *cw_ctl_rows_where(
	const struct cw_ctl_rows *f, unsigned number, char to[static CW_CTL_WHERE_MAX]);
void cw_ctl_rows_close(struct cw_ctl_rows *f);
