/* SPDX-License-Identifier: BSD-2-Clause */
/* The reader of CSV. */
#include "config.h"

#include <string.h>

#include "base/err.h"
#include "client/ctl/csv.h"

/* A field in quotation marks; *to is where its text goes. NULL: not closed. */
static char *quoted(struct cw_ctl_csv_in *in, char *to)
{
	for (in->at++;; in->at++) {
		if (*in->at == '\0')
			return NULL;
		if (*in->at == '"') {
			in->at++;
			if (*in->at != '"')
				return to;
		}
		if (*in->at == '\n')
			in->line++;
		*to++ = *in->at;
	}
}

static void skip_line_end(struct cw_ctl_csv_in *in)
{
	if (*in->at == '\r')
		in->at++;
	if (*in->at == '\n')
		in->at++;
	in->line++;
}

int cw_ctl_csv_next(
	struct cw_ctl_csv_in *in, char *fields[static CW_CTL_CSV_FIELDS_MAX], unsigned *ret_n)
{
	unsigned n = 0;

	while (*in->at == '\r' || *in->at == '\n')
		skip_line_end(in);
	in->began = in->line;
	if (*in->at == '\0')
		return 0;
	for (;;) {
		char *end, stop;

		if (n == CW_CTL_CSV_FIELDS_MAX)
			return CW_E_LIMIT;
		fields[n++] = in->at;
		if (*in->at == '"') {
			end = quoted(in, in->at);
			if (!end || !strchr(",\r\n", *in->at))
				return CW_E_SYNTAX;
		} else {
			in->at += strcspn(in->at, ",\r\n");
			end = in->at;
		}
		stop = *in->at;
		if (stop == ',')
			in->at++;
		else if (stop)
			skip_line_end(in);
		*end = '\0';
		if (stop != ',') {
			*ret_n = n;
			return 1;
		}
	}
}
