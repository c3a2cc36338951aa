/* SPDX-License-Identifier: BSD-2-Clause */
/* CSV as it is read (RFC 4180; line ends of any kind). No I/O. Thread: the owner's. */
#pragma once

#include "base/defs.h"

struct json_t;

/* Of one text: what is left, and where it is for messages. */
struct cw_ctl_csv_in {
	char *at; /* the text is taken apart in place */
	unsigned line;
	unsigned began; /* the line where the last record begins; at the end, the line behind it */
};

enum { CW_CTL_CSV_FIELDS_MAX = 64 };

/* The next record that is not empty: its fields, borrowed from the text. 1; 0: the end; CW_E_SYNTAX: a quotation mark that
 * is not closed, or something behind one; CW_E_LIMIT: too many fields. */
int cw_ctl_csv_next(struct cw_ctl_csv_in *in, char *fields[static CW_CTL_CSV_FIELDS_MAX],
	unsigned *ret_n) CW_MUST_CHECK;
