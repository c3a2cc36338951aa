/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers as tables, JSON, NDJSON, CSV or names on standard output. Rows of a table are held back until there are enough
 * to know how wide its columns are; all else is written as it comes. Thread: the owner's. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/defs.h"
#include "client/ctl/table.h"

struct json_t;

enum cw_ctl_format { CW_CTL_TABLE, CW_CTL_JSON, CW_CTL_NDJSON, CW_CTL_CSV, CW_CTL_NAME };

struct cw_ctl_out {
	FILE *f;
	enum cw_ctl_format format;
	size_t height; /* lines of the terminal, if a picture of them is painted; 0: as many as there are */
	size_t width; /* columns of the terminal; 0: it is none, nothing is cut */
	bool colour, quiet;
	/* Of the list that is written. */
	char **names; /* columns */
	unsigned n_names;
	/* Of a table; those there is no room for are left out, unless they were asked for. */
	unsigned n_shown;
	char **cells; /* rows held back */
	size_t n_cells, cap_cells;
	size_t widths[CW_CTL_COLUMNS_MAX];
	bool laid_out;
	bool asked;  /* the columns are somebody's words: those that rows do not have are refused */
	size_t rows; /* written or held */
};

/* By the name of a format. false: there is none such. */
bool cw_ctl_format_of(const char *name, enum cw_ctl_format *ret);
/* Looks at f: a terminal, how wide, colours or not (NO_COLOR). */
void cw_ctl_out_init(struct cw_ctl_out *o, FILE *f, enum cw_ctl_format format);
void cw_ctl_out_done(struct cw_ctl_out *o);

/* A list. columns: names, separated by commas, that rows have. Nothing is written before the first row or the end, so that
 * a failure leaves nothing behind: then cw_ctl_out_done(). -ENOMEM; rows and the end: -errno of a file that takes nothing
 * more; CW_E_SYNTAX: o->asked, and there is no such column. */
int cw_ctl_out_begin(struct cw_ctl_out *o, const char *columns) CW_MUST_CHECK;
int cw_ctl_out_row(struct cw_ctl_out *o, const struct json_t *row) CW_MUST_CHECK;
int cw_ctl_out_end(struct cw_ctl_out *o) CW_MUST_CHECK;
/* The first column that a row does not have; NULL: it has all. Borrowed. */
const char *cw_ctl_out_missing(const struct cw_ctl_out *o, const struct json_t *row);
/* 0, or -errno if f has not taken what was written. Whose reader has gone away ends as other programs do: by SIGPIPE. */
int cw_ctl_out_failed(FILE *f);
/* One thing: its members one below the other. name: the column that stands for it. */
int cw_ctl_out_one(struct cw_ctl_out *o, const struct json_t *v, const char *columns) CW_MUST_CHECK;
/* A text, with its colour if it is one of the words that say how something is. */
void cw_ctl_out_word(const struct cw_ctl_out *o, const char *s, size_t n);
