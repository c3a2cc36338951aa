/* SPDX-License-Identifier: BSD-2-Clause */
/* Live events: a stream that is taken up again where it broke off. */
#include "config.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"
#include "client/ctl/run.h"
#include "client/ctl/sse.h"
#include "client/ctl/value.h"
#include "schema/rest/rfc3339.h"

enum { WAIT_MS = 250, WAIT_MAX_MS = 8000, QUERY_MAX = 1024 };

struct watch {
	struct cw_ctl *c;
	struct cw_ctl_sse sse;
	bool any; /* something came on this connection */
};

/* One line an event: what people look for first. */
static void print_line(const struct cw_ctl *c, const json_t *event)
{
	static const char *const names[] = {"id", "at", "type", "object", "name", "detail"};

	for (unsigned i = 0; i < CW_ARRAY_LEN(names); i++) {
		const json_t *v = json_object_get(event, names[i]);
		CW_CLEANUP(cw_freep) char *cell = cw_ctl_cell(v);

		if (!cell || (i > 2 && strcmp(cell, "-") == 0))
			continue;
		(void) fprintf(c->out.f, "%s", i ? " " : "");
		cw_ctl_out_word(&c->out, cell, strlen(cell));
	}
	(void) fputc('\n', c->out.f);
}

static int on_event(void *arg, const char *type, const char *data)
{
	struct watch *w = arg;
	struct cw_ctl *c = w->c;
	json_t *event;
	int r = 0;

	w->any = true;
	if (strcmp(type, "lagged") == 0)
		return 0; /* the broker closes; the next request has the id */
	event = json_loads(data, JSON_REJECT_DUPLICATES, NULL);
	if (!event)
		return 0;
	if (c->out.format == CW_CTL_TABLE)
		print_line(c, event);
	else
		r = cw_ctl_out_row(&c->out, event);
	json_decref(event);
	(void) fflush(c->out.f);
	return r < 0 ? r : cw_ctl_out_failed(c->out.f);
}

static int sink(void *arg, const char *p, size_t n)
{
	struct watch *w = arg;

	w->any = true;
	return cw_ctl_sse_feed(&w->sse, p, n);
}

static int query(const struct cw_ctl *c, char to[static QUERY_MAX])
{
	static const char *const names[] = {"type", "object", "after"};
	size_t n = 0;

	to[0] = '\0';
	for (unsigned i = 0; i < CW_ARRAY_LEN(names); i++) {
		const char *v = cw_ctl_value(c->line, names[i]);
		CW_CLEANUP(cw_freep) char *e = v ? cw_ctl_escape(v, strlen(v)) : NULL;

		if (!v)
			continue;
		if (!e || n + strlen(names[i]) + strlen(e) + 3 > QUERY_MAX)
			return cw_ctl_usage("--%s is too long", names[i]);
		n += (size_t) snprintf(to + n, QUERY_MAX - n, "%s%s=%s", n ? "&" : "", names[i], e);
	}
	return CW_EXIT_OK;
}

/* Where to go on if the connection broke before the first event: before the first that has happened since we began. */
static int resume_point(struct watch *w)
{
	char from[CW_RFC3339_STRLEN], q[QUERY_MAX];
	json_t *page = NULL;
	json_int_t id;
	int r;

	(void) snprintf(q, sizeof q, "limit=1&from=%s", cw_rfc3339_str(w->c->now_s, from));
	r = cw_ctl_get(w->c, "/v1/events", q, &page);
	id = json_integer_value(
		json_object_get(json_array_get(json_object_get(page, "items"), 0), "id"));
	if (id > 0)
		(void) snprintf(
			w->sse.last_id, sizeof w->sse.last_id, "%" JSON_INTEGER_FORMAT, id - 1);
	json_decref(page);
	return r;
}

/* One connection, to its end. CW_EXIT_OK: another is worth a try. */
static int follow(struct watch *w, const char *q)
{
	struct cw_ctl_request request = {
		.method = CW_REST_GET,
		.path = "/v1/events",
		.query = q,
		.accept = "text/event-stream",
		.last_event = w->sse.last_id[0] ? w->sse.last_id : NULL,
		.stream = true,
		.sink = sink,
		.arg = w,
	};
	struct cw_ctl_answer a;
	int r;

	cw_ctl_sse_restart(&w->sse);
	r = cw_ctl_do(w->c, &request, &a);
	if (r == CW_EXIT_OK)
		cw_ctl_answer_done(&a);
	return r;
}

int cw_ctl_run_watch(struct cw_ctl *c)
{
	struct watch w = {.c = c};
	unsigned wait_ms = WAIT_MS;
	char q[QUERY_MAX];
	bool first = true;
	int r = query(c, q);

	if (r != CW_EXIT_OK)
		return r;
	if (c->out.format == CW_CTL_JSON) /* a list without end is no JSON */
		c->out.format = CW_CTL_NDJSON;
	if (c->out.format != CW_CTL_TABLE)
		r = cw_ctl_begin(c);
	if (r != CW_EXIT_OK)
		return r;
	cw_ctl_sse_init(&w.sse, on_event, &w);
	for (;;) {
		w.any = false;
		r = first || w.sse.last_id[0] || cw_ctl_value(c->line, "after") ? CW_EXIT_OK
										: resume_point(&w);
		if (r == CW_EXIT_OK)
			r = follow(&w, q);
		/* What will not get better by itself ends it: at the start everything. */
		if (ferror(c->out.f) || r == CW_EXIT_USAGE || r == CW_CTL_NOT_ALLOWED ||
			(r != CW_EXIT_OK && first && !w.any))
			break;
		first = false;
		wait_ms = w.any ? WAIT_MS : wait_ms * 2 < WAIT_MAX_MS ? wait_ms * 2 : WAIT_MAX_MS;
		if (!cw_ctl_wait(wait_ms))
			break;
	}
	cw_ctl_sse_done(&w.sse);
	return r;
}

int cw_ctl_run_events(struct cw_ctl *c)
{
	static const char *const others[] = {"from", "to", "limit", "count"};

	if (!cw_ctl_is_on(c->line, "follow"))
		return cw_ctl_run_list(c);
	for (unsigned i = 0; i < CW_ARRAY_LEN(others); i++) {
		if (cw_ctl_value(c->line, others[i]) || cw_ctl_is_on(c->line, others[i]))
			return cw_ctl_usage("--follow and --%s do not go together", others[i]);
	}
	return cw_ctl_run_watch(c);
}
