/* SPDX-License-Identifier: BSD-2-Clause */
/* Live events (text/event-stream, the WHATWG's server-sent events): first what the database has
 * after the id that was named, then what the hub has. It follows before it reads the database, and
 * ids only grow, so nothing is missed and nothing told twice.
 *
 * A reader that falls behind what the hub keeps is fed from the database again. One that is behind
 * for LAG_S, once it had been up to date, is told so and closed: it comes again with the last id it
 * has got. One that does not read at all is cut by the server (30 s without a byte taken).
 *
 * Locks: the hub's, then libmicrohttpd's in suspend and resume. It calls nothing of ours with its
 * own held. While the hub's lock is held a follower's connection cannot go away, for completed()
 * leaves the hub first. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "broker/rest/auth.h"
#include "broker/rest/events.h"

enum {
	LAG_S = 5,
	COMMENT_S = 10, /* and a tick is 5 s: a comment at least every 15 s */
	LOOK_S = 4,     /* likewise: whether it may go on is looked at with every tick */
	FILL = 16384,   /* octets handed on at once */
	ROWS = 32,
};

struct follow {
	struct cw_hub_follower in; /* first */
	struct cw_rest_request *q;
	size_t sent;       /* of q->out */
	bool live;         /* it has been up to date */
	bool gap;          /* some of what it asked for is missing */
	bool over;         /* what is in q->out is the last */
	int64_t behind_us; /* since when it is behind again; 0: it is not */
	int64_t said_us;   /* when it got something last */
	int64_t looked_us; /* whether it may go on */
	struct cw_event event;
	struct cw_event rows[ROWS];
	struct cw_rest_shown_event shown;
};

static void on_wake(struct cw_hub_follower *f)
{
	cw_rest_stream_wake(((struct follow *) f)->q);
}

static void on_suspend(struct cw_hub_follower *f)
{
	cw_rest_stream_wait(((struct follow *) f)->q);
}

static bool on_take(struct cw_hub_follower *f, const char *text, size_t n)
{
	struct cw_json_out *o = &((struct follow *) f)->q->out;

	if (o->len > 0 && o->len + n > FILL)
		return false;
	cw_json_put_between(o, text, n);
	return true;
}

static void say(struct follow *f, const char *text)
{
	cw_json_put_between(&f->q->out, text, strlen(text));
}

/* Names are looked up again for each batch: pools may be renamed. 0 or a code. */
static int with_reader(struct follow *f)
{
	struct cw_rest_request *q = f->q;

	cw_rest_forget_names(q);
	return q->reader ? 0 : cw_rest_readers_take(q->rest->readers, &q->reader);
}

static void put_event(struct follow *f, const struct cw_event *e)
{
	struct cw_json_out *o = &f->q->out;
	char head[64 + CW_TYPE_MAX];

	cw_rest_show_event(f->q, e, &f->shown);
	(void) snprintf(head, sizeof head,
		"id: %llu\nevent: %s\ndata: ", (unsigned long long) e->id, e->type);
	cw_json_put_between(o, head, strlen(head));
	cw_rest_render(o, &cw_rest_event_object, &f->shown.event);
	cw_json_put_between(o, "\n\n", 2);
}

/* One that nobody has come to yet. */
static int render(struct follow *f)
{
	struct cw_rest_request *q = f->q;
	size_t from = q->out.len;
	int r = with_reader(f);

	if (r < 0)
		return r;
	put_event(f, &f->event);
	cw_rest_waits(q);
	if (q->out.err)
		return q->out.err;
	cw_hub_rendered(q->rest->parts.hub, f->event.id, q->out.buf + from, q->out.len - from);
	f->in.after = f->event.id;
	return 0;
}

/* Some of what the database has. limit: as cw_hub_next() gave it. */
static int read_some(struct follow *f, uint64_t limit)
{
	struct cw_rest_request *q = f->q;
	struct cw_page p = {.at = f->in.after, .more = true};
	int r = with_reader(f);

	if (r < 0)
		return r;
	while (q->out.len < FILL / 2 && p.more) {
		r = cw_read_events(q->reader, &f->in.filter, &p, f->rows, ROWS);
		for (int i = 0; i < r; i++)
			put_event(f, &f->rows[i]);
		if (r < 0)
			break;
	}
	cw_rest_waits(q);
	f->in.after = p.at;
	if (r >= 0 && !p.more) {
		f->in.replay = false;
		if (f->in.after < limit)
			f->in.after = limit;
	}
	return r < 0 ? r : q->out.err;
}

static bool lags(struct follow *f, int64_t now)
{
	if (!f->live)
		return false; /* it reads what it asked for */
	if (!f->behind_us)
		f->behind_us = now;
	return now - f->behind_us > LAG_S * INT64_C(1000000);
}

/* What it came with may have been taken away since, or have expired. */
static bool may_go_on(struct follow *f, int64_t now)
{
	if (now - f->looked_us <= LOOK_S * INT64_C(1000000))
		return true;
	f->looked_us = now;
	return cw_rest_auth_lasts(f->q);
}

/* Puts something into q->out, or the stream waits. 1: something is there; 0: it waits; or a code. */
static int fill(struct follow *f)
{
	uint64_t limit = 0;
	int r = 0;

	while (f->q->out.len == 0 && !f->over && r == 0) {
		int64_t now = cw_rest_now_us(f->q);

		if (!may_go_on(f, now)) {
			f->over = true;
			break;
		}
		/* Before it waits: after that it is not this thread's any more. */
		if (now - f->said_us > COMMENT_S * INT64_C(1000000)) {
			say(f, ":\n\n");
			break;
		}
		switch (cw_hub_next(f->q->rest->parts.hub, &f->in, &f->event, &limit)) {
		case CW_HUB_TAKEN:
			f->live = true;
			f->behind_us = 0;
			break;
		case CW_HUB_RENDER:
			f->live = true;
			f->behind_us = 0;
			r = render(f);
			break;
		case CW_HUB_BEHIND:
			if (lags(f, now)) {
				say(f, "event: lagged\ndata: {}\n\n");
				f->over = true;
			} else {
				r = read_some(f, limit);
			}
			break;
		case CW_HUB_WAIT:
			return 0;
		case CW_HUB_OVER:
			f->over = true;
			break;
		}
	}
	return r < 0 ? r : 1;
}

static ssize_t pull(struct cw_rest_request *q, char *to, size_t n)
{
	struct follow *f = q->mine;

	if (f->sent == q->out.len) {
		int r;

		if (f->over)
			return -1;
		q->out.len = f->sent = 0;
		r = fill(f);
		if (r <= 0)
			return r < 0 ? -2 : 0;
		if (q->out.len == 0)
			return -1;
		f->said_us = cw_rest_now_us(q);
	}
	if (n > q->out.len - f->sent)
		n = q->out.len - f->sent;
	memcpy(to, q->out.buf + f->sent, n);
	f->sent += n;
	return (ssize_t) n;
}

static void pulled(struct cw_rest_request *q)
{
	struct follow *f = q->mine;

	cw_hub_leave(q->rest->parts.hub, &f->in);
	atomic_fetch_sub(&q->rest->streams, 1);
}

/* Last-Event-ID; the later word, so it wins over after. Empty it is none. */
static bool take_last_id(struct cw_rest_request *q, uint64_t *ret, bool *ret_named)
{
	const char *value = cw_rest_header(q, "Last-Event-ID");

	if (!value || !*value)
		return true;
	*ret_named = true;
	if ((value[0] != '0' || !value[1]) &&
		cw_parse_u64(value, strlen(value), 0, INT64_MAX, ret) == 0)
		return true;
	cw_rest_problem(q, CW_PROBLEM_INVALID_HEADER, "Last-Event-ID is the id of an event");
	return false;
}

static bool only_of_streams(
	struct cw_rest_request *q, const struct cw_rest_query_list_events *asked)
{
	const struct cw_rest_object *o = &cw_rest_query_list_events_object;

	if (!CW_REST_HAS(o, asked, from) && !CW_REST_HAS(o, asked, to) &&
		!CW_REST_HAS(o, asked, limit) && !CW_REST_HAS(o, asked, sort) && !asked->cursor)
		return true;
	cw_rest_problem(
		q, CW_PROBLEM_INVALID_QUERY, "a stream takes type, object and after, no other");
	return false;
}

/* Some events after a long ago id are deleted; an id that the database has not given out is one from
 * before it was restored. The reader is told. 0 or a code. */
static int find_gap(struct follow *f)
{
	uint64_t newest = 0, pruned = 0;
	int r = with_reader(f);

	if (r == 0)
		r = cw_read_event_bounds(f->q->reader, &newest, &pruned);
	if (r < 0)
		return r;
	f->gap = f->in.after < pruned || f->in.after > newest;
	if (f->in.after > newest)
		f->in.after = newest;
	return 0;
}

static void say_gap(struct follow *f)
{
	char text[80];

	(void) snprintf(text, sizeof text, "id: %llu\nevent: lagged\ndata: {\"missed\":true}\n\n",
		(unsigned long long) f->in.after);
	say(f, text);
}

/* Whether there was an id to go on after: 0 is one, and means everything. */
static bool begin(
	struct cw_rest_request *q, const struct cw_rest_query_list_events *asked, struct follow *f)
{
	bool named = CW_REST_HAS(&cw_rest_query_list_events_object, asked, after);
	int r;

	f->in.after = asked->after;
	if (!take_last_id(q, &f->in.after, &named))
		return false;
	f->live = !named;
	f->in.replay = named;
	r = f->in.after ? find_gap(f) : 0;
	if (r < 0)
		cw_rest_problem_code(q, r);
	return r == 0;
}

void cw_rest_follow(struct cw_rest_request *q, const struct cw_rest_query_list_events *asked)
{
	static const struct cw_rest_stream stream = {pull, pulled};
	struct follow *f = cw_arena_alloc(q->arena, 1, sizeof *f);

	if (!f) {
		cw_rest_problem_code(q, -ENOMEM);
		return;
	}
	f->q = q;
	f->in.wake = on_wake;
	f->in.suspend = on_suspend;
	f->in.take = on_take;
	if (!only_of_streams(q, asked) || !cw_rest_event_filter(q, asked, &f->in.filter) ||
		!begin(q, asked, f))
		return;
	if (atomic_fetch_add(&q->rest->streams, 1) >= q->rest->parts.config->rest.streams) {
		atomic_fetch_sub(&q->rest->streams, 1);
		cw_rest_add_header(q, "Retry-After", "10");
		cw_rest_problem(q, CW_PROBLEM_TOO_MANY_STREAMS, NULL);
		return;
	}
	cw_rest_waits(q);
	cw_json_out_done(&q->out);
	cw_json_out_grow(&q->out, 8 * FILL);
	q->mine = f;
	f->said_us = f->looked_us = cw_rest_now_us(q);
	cw_rest_add_header(q, "Cache-Control", "no-store");
	say(f, ":\n\n"); /* so that the head goes out */
	if (f->gap)
		say_gap(f);
	cw_hub_follow(q->rest->parts.hub, &f->in);
	cw_rest_stream(q, 200, "text/event-stream", &stream);
}
