/* SPDX-License-Identifier: BSD-2-Clause */
/* The language between the exec plugin and the operator's program: see causeway-plugin(7), section
 * "The exec plugin". Every line is made from numbers that were parsed before, so nothing a client
 * sent can reach the program. Pure functions. Thread: any. */
#pragma once

#include <stdbool.h>

#include "causeway-dataplane.h"

enum { CW_EXEC_LINE_MAX = 256 };

/* "INDEX IPV4 A/K/PSID LO-HI IPV6 LEASE GENERATION LIFETIME MTU\n"; octets written without the NUL.
 * LO-HI is "-" for port sets of several ranges, LIFETIME seconds (rounded up) or "never". */
size_t cw_exec_line_apply(char to[static CW_EXEC_LINE_MAX], size_t index,
	const struct cw_dp_binding *b, int64_t now_boot_ms);
/* "INDEX IPV4 A/K/PSID LO-HI IPV6 LEASE GENERATION\n"; ipv6 NULL (not known any more): "::". */
size_t cw_exec_line_remove(char to[static CW_EXEC_LINE_MAX], size_t index,
	const struct cw_dp_removal *r, const uint8_t *ipv6);

/* What a program may say, one line without its newline. "INDEX STATUS" with STATUS as in the
 * header, lower case. */
bool cw_exec_parse_result(
	const char *line, size_t n_items, size_t *ret_index, enum cw_dp_status *ret_status);
/* A line of "list": "IPV4 A/K/PSID IPV6 LEASE GENERATION LIFETIME". */
bool cw_exec_parse_row(const char *line, int64_t now_boot_ms, struct cw_dp_binding *ret);
