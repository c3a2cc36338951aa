/* SPDX-License-Identifier: BSD-2-Clause */
/* Pools, rates and tunnel end points, again and again: what is asked for anyway (/v1/usage, /v1/teps, /metrics). */
#include "config.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "client/ctl/run.h"
#include "client/ctl/value.h"
#include "schema/rest/rfc3339.h"

enum {
	INTERVAL_S = 2,
	INTERVAL_MAX_S = 3600,
	BAR = 20,
	BAR_FROM = 110,
	RATES_FROM = 16,
	OTHER_LINES = 5,
	ERROR_MAX = 60
};

static const char *const events[] = {"grant", "renew", "release", "expire", "revoke"};

struct counters {
	double leases[CW_ARRAY_LEN(events)], failures, sessions;
	bool there;
	int64_t at_us;
};

/* ---- the counters ---- */

bool cw_ctl_sample(const char *line, const char *name, const char *label, double *ret)
{
	size_t n = strlen(name), len = strcspn(line, "\n");
	const char *blank = memchr(line, ' ', len), *at;
	char *end;

	if (!blank || strncmp(line, name, n) != 0 || (line[n] != '{' && line[n] != ' '))
		return false;
	at = label ? strstr(line, label) : line;
	if (!at || at > blank)
		return false;
	*ret = strtod(blank + 1, &end);
	return end != blank + 1;
}

static void read_counters(const char *text, struct counters *ret)
{
	double v;

	for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		for (unsigned i = 0; i < CW_ARRAY_LEN(events); i++) {
			char label[32];

			(void) snprintf(label, sizeof label, "event=\"%s\"", events[i]);
			if (cw_ctl_sample(p, "causeway_leases_total", label, &v))
				ret->leases[i] += v;
		}
		if (cw_ctl_sample(p, "causeway_alloc_failures_total", NULL, &v))
			ret->failures += v;
		if (cw_ctl_sample(p, "causeway_sessions", NULL, &v))
			ret->sessions += v;
	}
	ret->there = true;
	ret->at_us = cw_clock_now(&cw_system_clock).mono_us;
}

/* What not everybody may see is left out. */
static int get_counters(struct cw_ctl *c, struct counters *ret)
{
	struct cw_ctl_request q = {.method = CW_REST_GET,
		.path = "/metrics",
		.accept = "application/openmetrics-text"};
	struct cw_ctl_answer a;
	int r = cw_ctl_try(c, &q, &a);

	*ret = (struct counters){.there = false};
	if (r != CW_EXIT_OK)
		return r;
	if (a.status == 200 && a.body)
		read_counters(a.body, ret);
	cw_ctl_answer_done(&a);
	return CW_EXIT_OK;
}

/* ---- the picture ---- */

/* What is left out where there is no room. */
static bool fits(const struct cw_ctl *c, size_t width)
{
	return !c->out.width || c->out.width >= width;
}

/* Gives the lines it has: one where a terminal has few. */
static size_t print_rates(
	const struct cw_ctl *c, const struct counters *old, const struct counters *now)
{
	double s = (double) (now->at_us - old->at_us) / 1e6;
	bool rates = old->there && s > 0;
	size_t at = 0, lines = now->there;

	for (unsigned i = 0; now->there && i <= CW_ARRAY_LEN(events) + 1; i++) {
		const char *name = i < CW_ARRAY_LEN(events)    ? events[i]
				   : i == CW_ARRAY_LEN(events) ? "refused"
							       : "sessions";
		double v = i < CW_ARRAY_LEN(events) ? now->leases[i] - (rates ? old->leases[i] : 0)
			   : i == CW_ARRAY_LEN(events) ? now->failures - (rates ? old->failures : 0)
						       : now->sessions;
		bool rate = rates && i <= CW_ARRAY_LEN(events);
		char text[64];
		int n = snprintf(
			text, sizeof text, rate ? "%s %.1f/s" : "%s %.0f", name, rate ? v / s : v);

		if (at && c->out.width && at + 2 + (size_t) n > c->out.width) {
			if (c->out.height && c->out.height < RATES_FROM)
				break;
			(void) fputc('\n', c->out.f);
			lines++;
			at = 0;
		}
		(void) fprintf(c->out.f, "%s%s", at ? "  " : "", text);
		at += (size_t) n + (at ? 2 : 0);
	}
	(void) fputs(now->there ? "\n" : "", c->out.f);
	return lines;
}

/* Columns of numbers; from: the terminal's width from which on they are there. */
struct column {
	const char *title, *member;
	int width;
	size_t from;
};

static const struct column pool_columns[] = {{"TOTAL", "total", 10, 64},
	{"ACTIVE", "active", 10, 0}, {"ENDING", "ending", 8, 80}, {"RESTING", "quarantined", 8, 80},
	{"AVAILABLE", "available", 10, 50}};
static const struct column tep_columns[] = {
	{"BINDINGS", "bindings", 10, 0}, {"WAITING", "waiting", 10, 50}, {"DRIFT", "drift", 8, 60}};

/* The first column has what the others and rest leave, 20 at most. */
static void print_name(const struct cw_ctl *c, const char *name, const struct column *columns,
	unsigned n, size_t rest)
{
	size_t width = 20, len = strlen(name);

	for (unsigned i = 0; i < n; i++)
		rest += fits(c, columns[i].from) ? (size_t) columns[i].width + 1 : 0;
	if (c->out.width)
		width = c->out.width < rest + 4    ? 4
			: c->out.width - rest < 20 ? c->out.width - rest
						   : 20;
	len = cw_ctl_fit(name, len, width);
	(void) fprintf(
		c->out.f, "%.*s%*s", (int) len, name, (int) (width - cw_ctl_width(name, len)), "");
}

/* row NULL: the titles. */
static void print_numbers(
	const struct cw_ctl *c, const json_t *row, const struct column *columns, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (!fits(c, columns[i].from))
			continue;
		if (row)
			(void) fprintf(c->out.f, " %*" JSON_INTEGER_FORMAT, columns[i].width,
				json_integer_value(json_object_get(row, columns[i].member)));
		else
			(void) fprintf(c->out.f, " %*s", columns[i].width, columns[i].title);
	}
}

enum { POOL_REST = 10, TEP_REST = 9 }; /* " 100% full", " draining" */

static void print_pool(const struct cw_ctl *c, const json_t *row)
{
	CW_CLEANUP(cw_freep)
	char *pool = cw_ctl_cell(json_object_get(row, "pool")),
	     *level = cw_ctl_cell(json_object_get(row, "level"));
	json_int_t used = json_integer_value(json_object_get(row, "used_percent"));
	int full = (int) (used * BAR / 100);

	if (!pool || !level)
		return;
	print_name(c, pool, pool_columns, CW_ARRAY_LEN(pool_columns), POOL_REST);
	print_numbers(c, row, pool_columns, CW_ARRAY_LEN(pool_columns));
	(void) fprintf(c->out.f, " %3" JSON_INTEGER_FORMAT "%% ", used);
	for (int i = 0; c->out.width >= BAR_FROM && i < BAR; i++)
		(void) fputc(i < full ? '#' : '.', c->out.f);
	(void) fputs(c->out.width >= BAR_FROM ? " " : "", c->out.f);
	cw_ctl_out_word(&c->out, level, strlen(level));
	(void) fputc('\n', c->out.f);
}

static void print_tep(const struct cw_ctl *c, const json_t *row)
{
	CW_CLEANUP(cw_freep)
	char *name = cw_ctl_cell(json_object_get(row, "name")),
	     *state = cw_ctl_cell(json_object_get(row, "state")),
	     *error = cw_ctl_cell(json_object_get(row, "last_error"));
	bool draining = json_is_true(json_object_get(row, "draining"));

	if (!name || !state || !error)
		return;
	print_name(c, name, tep_columns, CW_ARRAY_LEN(tep_columns), TEP_REST);
	print_numbers(c, row, tep_columns, CW_ARRAY_LEN(tep_columns));
	(void) fputc(' ', c->out.f);
	cw_ctl_out_word(&c->out, state, strlen(state));
	(void) fprintf(c->out.f, "%s%s%.*s\n", draining ? " draining" : "",
		strcmp(error, "-") != 0 ? " " : "",
		strcmp(error, "-") != 0 ? (int) cw_ctl_fit(error, strlen(error), ERROR_MAX) : 0,
		error);
}

/* As many rows as there is room for; the last line tells how many more there are. */
static void print_rows(const struct cw_ctl *c, const json_t *list, size_t room,
	void (*print)(const struct cw_ctl *c, const json_t *row))
{
	size_t n = json_array_size(list), shown = n <= room ? n : room ? room - 1 : 0;

	for (size_t i = 0; i < shown; i++)
		print(c, json_array_get(list, i));
	if (shown < n && room)
		(void) fprintf(c->out.f, "and %zu more\n", n - shown);
}

/* How the lines of a terminal that are left are shared: TEPs are few and say whether it works at all. */
static void share(const struct cw_ctl *c, size_t used, size_t pools, size_t teps, size_t *ret_pools,
	size_t *ret_teps)
{
	size_t room = c->out.height > used + 1 ? c->out.height - used : 2;

	*ret_pools = pools;
	*ret_teps = teps;
	if (!c->out.height || pools + teps <= room)
		return;
	if (*ret_teps > room / 3)
		*ret_teps = room / 3 > 2 ? room / 3 : room > 3 && teps > 1 ? 2 : 1;
	*ret_pools = room - *ret_teps;
}

static int picture(struct cw_ctl *c, void *arg)
{
	struct counters *last = arg, now;
	char time[CW_RFC3339_STRLEN];
	json_t *pools = NULL, *teps = NULL, *tep_list = NULL;
	size_t pool_room, tep_room, lines;
	int r = cw_ctl_usages(c, &pools);

	if (r == CW_EXIT_OK)
		r = cw_ctl_get(c, "/v1/teps", "limit=1000", &teps);
	if (r == CW_EXIT_OK)
		r = cw_ctl_rows(teps, "items", &tep_list);
	if (r == CW_EXIT_OK)
		r = get_counters(c, &now);
	if (r != CW_EXIT_OK)
		goto out;
	(void) fprintf(c->out.f, "causeway  %s\n", cw_rfc3339_str(c->now_s, time));
	lines = print_rates(c, last, &now);
	share(c, lines + OTHER_LINES, json_array_size(pools), json_array_size(tep_list), &pool_room,
		&tep_room);
	(void) fputc('\n', c->out.f);
	print_name(c, "POOL", pool_columns, CW_ARRAY_LEN(pool_columns), POOL_REST);
	print_numbers(c, NULL, pool_columns, CW_ARRAY_LEN(pool_columns));
	(void) fputs(" USED\n", c->out.f);
	print_rows(c, pools, pool_room, print_pool);
	(void) fputc('\n', c->out.f);
	print_name(c, "TEP", tep_columns, CW_ARRAY_LEN(tep_columns), TEP_REST);
	print_numbers(c, NULL, tep_columns, CW_ARRAY_LEN(tep_columns));
	(void) fputs(" STATE\n", c->out.f);
	print_rows(c, tep_list, tep_room, print_tep);
	*last = now;
out:
	json_decref(pools);
	json_decref(teps);
	return r;
}

int cw_ctl_run_top(struct cw_ctl *c)
{
	const char *text = cw_ctl_value(c->line, "interval");
	struct counters last = {.there = false};
	uint64_t s = INTERVAL_S;

	if (text && (cw_ctl_duration(text, &s) < 0 || s == 0 || s > INTERVAL_MAX_S))
		return cw_ctl_usage("--interval \"%s\" must be a duration of 1s to 1h", text);
	if (!cw_ctl_is_on(c->line, "once"))
		return cw_ctl_again(c, s, picture, &last);
	c->out.width = 0; /* what is printed once is cut nowhere */
	return picture(c, &last);
}
