/* SPDX-License-Identifier: BSD-2-Clause */
/* Pools, rates and tunnel end points, again and again: what is asked for anyway (/v1/usage, /v1/teps, /metrics), painted over
 * the last picture with a few ANSI sequences. */
#include "config.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "client/ctl/run.h"
#include "client/ctl/value.h"
#include "schema/rest/rfc3339.h"

enum { INTERVAL_S = 2, INTERVAL_MAX_S = 3600, BAR = 20, ROWS_MAX = 1000 };

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

static void end_line(const struct cw_ctl *c)
{
	(void) fputs(c->out.width ? "\033[K\n" : "\n", c->out.f);
}

static void print_rates(
	const struct cw_ctl *c, const struct counters *old, const struct counters *now)
{
	double s = (double) (now->at_us - old->at_us) / 1e6;

	if (!now->there)
		return;
	for (unsigned i = 0; i < CW_ARRAY_LEN(events); i++) {
		if (old->there && s > 0)
			(void) fprintf(c->out.f, "%s%s %.1f/s", i ? "  " : "", events[i],
				(now->leases[i] - old->leases[i]) / s);
		else
			(void) fprintf(
				c->out.f, "%s%s %.0f", i ? "  " : "", events[i], now->leases[i]);
	}
	if (old->there && s > 0)
		(void) fprintf(c->out.f, "  refused %.1f/s", (now->failures - old->failures) / s);
	else
		(void) fprintf(c->out.f, "  refused %.0f", now->failures);
	(void) fprintf(c->out.f, "  sessions %.0f", now->sessions);
	end_line(c);
}

static json_int_t number(const json_t *row, const char *name)
{
	return json_integer_value(json_object_get(row, name));
}

static void print_pool(const struct cw_ctl *c, const json_t *row)
{
	CW_CLEANUP(cw_freep)
	char *pool = cw_ctl_cell(json_object_get(row, "pool")),
	     *level = cw_ctl_cell(json_object_get(row, "level"));
	json_int_t used = number(row, "used_percent");
	size_t w = pool ? strlen(pool) : 0;
	int full = (int) (used * BAR / 100);

	full = full < 0 ? 0 : full > BAR ? BAR : full;
	(void) fprintf(c->out.f,
		"%-20.*s %10" JSON_INTEGER_FORMAT " %10" JSON_INTEGER_FORMAT
		" %8" JSON_INTEGER_FORMAT " %8" JSON_INTEGER_FORMAT " %10" JSON_INTEGER_FORMAT
		" %3" JSON_INTEGER_FORMAT "%% ",
		(int) (w > 20 ? 20 : w), pool ? pool : "", number(row, "total"),
		number(row, "active"), number(row, "ending"), number(row, "quarantined"),
		number(row, "available"), used);
	for (int i = 0; c->out.width >= 110 && i < BAR; i++)
		(void) fputc(i < full ? '#' : '.', c->out.f);
	(void) fputs(c->out.width >= 110 ? " " : "", c->out.f);
	if (level)
		cw_ctl_out_word(&c->out, level, strlen(level));
	end_line(c);
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
	(void) fprintf(c->out.f,
		"%-20.20s %10" JSON_INTEGER_FORMAT " %10" JSON_INTEGER_FORMAT
		" %8" JSON_INTEGER_FORMAT " ",
		name, number(row, "bindings"), number(row, "waiting"), number(row, "drift"));
	cw_ctl_out_word(&c->out, state, strlen(state));
	(void) fprintf(c->out.f, "%s%s%.60s", draining ? " draining" : "",
		strcmp(error, "-") != 0 ? " " : "", strcmp(error, "-") != 0 ? error : "");
	end_line(c);
}

/* Lines that the terminal has left; without one all. */
static size_t lines_left(const struct cw_ctl *c, size_t used)
{
	struct winsize w;

	if (!c->out.width || ioctl(fileno(c->out.f), TIOCGWINSZ, &w) < 0 || w.ws_row == 0)
		return ROWS_MAX;
	return w.ws_row > used + 1 ? w.ws_row - used - 1 : 0;
}

static int picture(struct cw_ctl *c, struct counters *last)
{
	char time[CW_RFC3339_STRLEN];
	json_t *pools = NULL, *teps = NULL, *row;
	struct counters now;
	size_t i, room, tep_n;
	int r = cw_ctl_get(c, "/v1/usage", "limit=1000", &pools);

	if (r == CW_EXIT_OK)
		r = cw_ctl_get(c, "/v1/teps", "limit=100", &teps);
	if (r == CW_EXIT_OK)
		r = get_counters(c, &now);
	if (r != CW_EXIT_OK)
		goto out;
	tep_n = json_array_size(json_object_get(teps, "items"));
	(void) fputs(c->out.width ? "\033[H" : "", c->out.f);
	(void) fprintf(c->out.f, "causeway  %s",
		cw_rfc3339_str(cw_clock_now(&cw_system_clock).wall_s, time));
	end_line(c);
	print_rates(c, last, &now);
	end_line(c);
	(void) fprintf(c->out.f, "%-20s %10s %10s %8s %8s %10s %4s", "POOL", "TOTAL", "ACTIVE",
		"ENDING", "RESTING", "AVAILABLE", "USED");
	end_line(c);
	room = lines_left(c, 6 + tep_n);
	json_array_foreach(json_object_get(pools, "items"), i, row)
	{
		if (i < room)
			print_pool(c, row);
	}
	end_line(c);
	(void) fprintf(
		c->out.f, "%-20s %10s %10s %8s %s", "TEP", "BINDINGS", "WAITING", "DRIFT", "STATE");
	end_line(c);
	json_array_foreach(json_object_get(teps, "items"), i, row)
	{
		print_tep(c, row);
	}
	(void) fputs(c->out.width ? "\033[J" : "", c->out.f);
	(void) fflush(c->out.f);
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
	bool once = cw_ctl_is_on(c->line, "once");
	uint64_t s = INTERVAL_S;
	int r;

	if (text && (cw_ctl_duration(text, &s) < 0 || s == 0 || s > INTERVAL_MAX_S))
		return cw_ctl_usage("--interval \"%s\" must be a duration of 1s to 1h", text);
	if (once)
		c->out.width = 0; /* what is printed once is no picture to paint over */
	(void) fputs(c->out.width ? "\033[2J" : "", c->out.f);
	do
		r = picture(c, &last);
	while (r == CW_EXIT_OK && !once && !ferror(c->out.f) && cw_ctl_wait((unsigned) s * 1000));
	return r;
}
