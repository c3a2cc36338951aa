/* SPDX-License-Identifier: BSD-2-Clause */
/* Who has or had an address: the question of the abuse desk, answered in a sentence. */
#include "config.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"
#include "client/ctl/run.h"
#include "client/ctl/value.h"
#include "schema/rest/rfc3339.h"

enum { QUERY_MAX = 256 };

/* "ADDRESS" or "ADDRESS:PORT", and the time, as a query. */
static int question(struct cw_ctl *c, char to[static QUERY_MAX], int64_t *ret_at)
{
	const char *what = c->line->args[0], *colon = strchr(what, ':'),
		   *at = cw_ctl_value(c->line, "at");
	size_t n = colon ? (size_t) (colon - what) : strlen(what);
	char addr[CW_ADDR4_STRLEN], time[CW_RFC3339_STRLEN], port[16] = "";
	struct cw_addr4 a;
	uint64_t p;

	if (cw_addr4_parse(what, n, &a) < 0 ||
		(colon && cw_parse_u64(colon + 1, strlen(colon + 1), 0, UINT16_MAX, &p) < 0))
		return cw_ctl_usage("\"%s\" must be an IPv4 address, or ADDRESS:PORT", what);
	*ret_at = c->now_s;
	if (at && cw_ctl_time(at, c->now_s, ret_at) < 0)
		return cw_ctl_usage(
			"--at \"%s\" must be a time: 2026-03-01T10:00Z, \"2026-03-01 10:00\" (local), -2h",
			at);
	if (colon)
		(void) snprintf(port, sizeof port, "&port=%u", (unsigned) p);
	(void) snprintf(to, QUERY_MAX, "ip=%s%s&at=%s", cw_addr4_str(a, addr), port,
		cw_rfc3339_str(*ret_at, time));
	return CW_EXIT_OK;
}

static void sentence(const struct cw_ctl *c, const json_t *row)
{
	CW_CLEANUP(cw_freep)
	char *owner = cw_ctl_cell(json_object_get(row, "owner")),
	     *address = cw_ctl_cell(json_object_get(row, "address")),
	     *ports = cw_ctl_cell(json_object_get(row, "ports")),
	     *ipv6 = cw_ctl_cell(json_object_get(row, "ipv6")),
	     *from = cw_ctl_cell(json_object_get(row, "granted_at")),
	     *to = cw_ctl_cell(json_object_get(row, "ended_at")),
	     *why = cw_ctl_cell(json_object_get(row, "end_reason")),
	     *lease = cw_ctl_cell(json_object_get(row, "lease"));
	bool ended = to && strcmp(to, "-") != 0, shared = ports && strcmp(ports, "-") != 0;

	if (!owner || !address || !ports || !ipv6 || !from || !to || !why || !lease)
		return;
	(void) fprintf(c->out.f, "%s %s %s%s%s%s %s %s%s%s%s%s%s; lease %s, at %s\n", owner,
		ended ? "had" : "has", address, shared ? " (port set " : "", shared ? ports : "",
		shared ? ")" : "", ended ? "from" : "since", from, ended ? " to " : "",
		ended ? to : "", ended ? " (" : "", ended ? why : "", ended ? ")" : "", lease,
		ipv6);
}

static int print(struct cw_ctl *c, const json_t *row, void *arg)
{
	size_t *n = arg;

	++*n;
	if (c->out.format != CW_CTL_TABLE)
		return cw_ctl_row(c, row);
	if (!c->out.quiet)
		sentence(c, row);
	return CW_EXIT_OK;
}

int cw_ctl_run_who(struct cw_ctl *c)
{
	char query[QUERY_MAX], time[CW_RFC3339_STRLEN];
	bool rows = c->out.format != CW_CTL_TABLE;
	size_t n = 0;
	int64_t at = 0;
	int r = question(c, query, &at), e;

	if (r != CW_EXIT_OK)
		return r;
	if (rows)
		r = cw_ctl_begin(c);
	if (r == CW_EXIT_OK)
		r = cw_ctl_each(c, "/v1/history", query, 0, print, &n);
	e = rows && r == CW_EXIT_OK ? cw_ctl_failed(cw_ctl_out_end(&c->out), "output") : CW_EXIT_OK;
	if (r != CW_EXIT_OK || n)
		return r != CW_EXIT_OK ? r : e;
	cw_ctl_say("nobody had %s at %s, as far as is remembered", c->line->args[0],
		cw_rfc3339_str(at, time));
	return CW_CTL_NOT_FOUND;
}
