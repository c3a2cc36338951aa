/* SPDX-License-Identifier: BSD-2-Clause */
/* What people type, as the API wants it: times, durations, and a member of a body or query from its text by the tables
 * of schema/rest. No I/O. Thread: any. */
#pragma once

#include "base/defs.h"
#include "client/ctl/commands.h"

struct json_t;

/* "3600", "90s", "5m", "1h30m", "2d", "1w" in seconds. 0, CW_E_SYNTAX, CW_E_LIMIT (beyond 32 bits). */
int cw_ctl_duration(const char *s, uint64_t *ret_s) CW_MUST_CHECK;
/* RFC 3339 with any zone, with or without seconds, "T" or a blank, or the date alone (without a zone: local time); "now";
 * "-2h", "+30m" from now. 0 or CW_E_SYNTAX. */
int cw_ctl_time(const char *s, int64_t now_s, int64_t *ret_wall_s) CW_MUST_CHECK;

/* The body of a command from its arguments (from the first that is no path parameter on) and flags. *ret is given, NULL if
 * it has none. 0; CW_E_SYNTAX: *why tells; -ENOMEM. Secrets are left out: the caller adds them. */
int cw_ctl_body(const struct cw_ctl_line *l, int64_t now_s, struct json_t **ret, char *why,
	size_t why_n) CW_MUST_CHECK;
/* "key=value&..." of its query, without limit and count; given. Likewise. */
int cw_ctl_query(const struct cw_ctl_line *l, const struct cw_rest_object *q, int64_t now_s,
	char **ret, char *why, size_t why_n) CW_MUST_CHECK;
/* KEY=VALUE into an object of tags; "KEY=" takes it away. 0, CW_E_SYNTAX, -ENOMEM. */
int cw_ctl_tag(struct json_t *tags, const char *text, char *why, size_t why_n) CW_MUST_CHECK;
/* Number of an operation's path parameters. */
unsigned cw_ctl_path_params(enum cw_rest_op op) CW_PURE;
/* Its path with the parameters filled in, percent-encoded; given. NULL: out of memory. */
char *cw_ctl_path(enum cw_rest_op op, const char *const *params) CW_MUST_CHECK;
/* n octets at s, percent-encoded; given. */
char *cw_ctl_escape(const char *s, size_t n) CW_MUST_CHECK;
