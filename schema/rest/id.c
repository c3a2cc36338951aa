/* SPDX-License-Identifier: BSD-2-Clause */
/* Ids of the REST API, see id.h. Thread: any. */
#include "config.h"

#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "schema/rest/id.h"

enum { PREFIX = 3 };

static const char prefixes[CW_ID_KINDS][PREFIX + 1] = {
	[CW_ID_POOL] = "pl_",
	[CW_ID_RANGE] = "rg_",
	[CW_ID_EXCLUSION] = "ex_",
	[CW_ID_RESERVATION] = "rs_",
	[CW_ID_LEASE] = "ls_",
	[CW_ID_USER] = "us_",
	[CW_ID_TEP] = "tp_",
	[CW_ID_TOKEN] = "tk_",
	[CW_ID_SESSION] = "se_",
	[CW_ID_RUN] = "jr_",
};

char *cw_id_str(enum cw_id_kind kind, uint64_t id, char buf[static CW_ID_STRLEN])
{
	char digits[20];
	size_t n = 0;

	do {
		digits[n++] = (char) ('0' + id % 10);
		id /= 10;
	} while (id);
	memcpy(buf, prefixes[kind], PREFIX);
	for (size_t i = 0; i < n; i++)
		buf[PREFIX + i] = digits[n - 1 - i];
	buf[PREFIX + n] = '\0';
	return buf;
}

int cw_id_parse(enum cw_id_kind kind, const char *s, size_t n, uint64_t *ret)
{
	if (n <= PREFIX || memcmp(s, prefixes[kind], PREFIX) != 0 || s[PREFIX] == '0')
		return CW_E_SYNTAX;
	return cw_parse_u64(s + PREFIX, n - PREFIX, 1, INT64_MAX, ret) < 0 ? CW_E_SYNTAX : 0;
}

int cw_id_parse_any(const char *s, size_t n, enum cw_id_kind *ret_kind, uint64_t *ret)
{
	for (unsigned k = 0; k < CW_ID_KINDS; k++) {
		if (cw_id_parse((enum cw_id_kind) k, s, n, ret) == 0) {
			*ret_kind = (enum cw_id_kind) k;
			return 0;
		}
	}
	return CW_E_SYNTAX;
}
