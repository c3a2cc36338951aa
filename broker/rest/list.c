/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists: a page as JSON with a cursor to the next one, or all rows as lines. Each page is one short
 * read transaction, so that no client holds the WAL. */
#include "config.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "base/err.h"
#include "broker/rest/auth.h"
#include "broker/rest/handle.h"

enum {
	LIMIT = 100,
	STREAM_ROWS = 256,
	LOOK_S = 4,           /* whether a stream may go on is looked at so often */
	STREAM_MAX = 8 << 20, /* octets of STREAM_ROWS rows, far from it */
};

static bool take_accept(struct cw_rest_request *q, struct cw_rest_list *l)
{
	if (cw_accept(cw_rest_header(q, "Accept"),
		    1u << CW_MEDIA_JSON | 1u << CW_MEDIA_NDJSON | 1u << CW_MEDIA_CSV, &l->as) == 0)
		return true;
	cw_rest_problem(q, CW_PROBLEM_NOT_ACCEPTABLE,
		"application/json, application/x-ndjson and text/csv can be given");
	return false;
}

/* Copies the query's member of this name, if it has one and it was asked for. */
static bool asked_for(const struct cw_rest_list *l, const char *name, void *to, size_t n)
{
	for (unsigned i = 0; i < l->query->n; i++) {
		const struct cw_rest_field *f = &l->query->fields[i];

		if (strcmp(f->name, name) != 0 || f->size != n ||
			!cw_rest_has(l->query, l->asked, f->offset))
			continue;
		memcpy(to, (const char *) l->asked + f->offset, n);
		return true;
	}
	return false;
}

struct cw_rest_list *cw_rest_take_list(struct cw_rest_request *q, const struct cw_rest_object *row,
	const struct cw_rest_object *query, size_t mine)
{
	struct cw_rest_list *l = cw_arena_alloc(q->arena, 1, sizeof *l);
	void *asked = cw_arena_alloc(q->arena, 1, query->size);
	void *own = cw_arena_alloc(q->arena, 1, mine ? mine : 1);
	uint8_t exact;

	if (!l || !asked || !own) {
		cw_rest_problem_code(q, -ENOMEM);
		return NULL;
	}
	if (!cw_rest_take_query(q, query, asked))
		return NULL;
	*l = (struct cw_rest_list){.row = row, .query = query, .asked = asked, .mine = own};
	(void) asked_for(l, "limit", &l->limit, sizeof l->limit);
	(void) asked_for(l, "cursor", &l->cursor, sizeof l->cursor);
	l->count = asked_for(l, "count", &exact, sizeof exact);
	return l;
}

/* What a cursor is bound to. */
static struct cw_slice filter_of(struct cw_rest_request *q, const struct cw_rest_list *l)
{
	struct cw_json_out o;
	struct cw_slice s = {"", 0};
	char *copy;

	cw_json_out_grow(&o, 1 << 16);
	if (l->query)
		cw_rest_render_filter(&o, l->query, l->asked);
	copy = o.err || !o.len ? NULL : cw_arena_strndup(q->arena, o.buf, o.len);
	if (copy)
		s = (struct cw_slice){copy, o.len};
	cw_json_out_done(&o);
	return s;
}

static bool take_cursor(struct cw_rest_request *q, struct cw_rest_list *l)
{
	int r;

	if (!l->cursor)
		return true;
	r = cw_cursor_open(&q->rest->cursor_key, q->operation->name, filter_of(q, l), l->cursor,
		strlen(l->cursor), &l->at);
	if (r == CW_E_SYNTAX)
		cw_rest_problem(q, CW_PROBLEM_INVALID_CURSOR,
			"a cursor is good for the list, the filter and the run of the broker it was made for");
	else if (r < 0)
		cw_rest_problem_code(q, r);
	return r == 0;
}

void cw_rest_row(struct cw_rest_request *q, const struct cw_rest_list *l, const void *row)
{
	if (l->counting)
		return;
	if (l->as == CW_MEDIA_JSON)
		cw_rest_render(&q->out, l->row, row);
	else if (l->as == CW_MEDIA_NDJSON)
		cw_rest_render_line(&q->out, l->row, row);
	else
		cw_rest_csv_row(&q->out, l->row, row);
}

/* Rows may be fewer than were asked for though there are more. */
static int fill_page(struct cw_rest_request *q, struct cw_rest_list *l, unsigned max)
{
	unsigned n = 0;

	l->more = true;
	while (n < max && l->more) {
		int r = l->page(q, l, q->reader, &l->at, max - n, &l->more);

		if (r < 0)
			return r;
		n += (unsigned) r;
	}
	return 0;
}

static int count_rows(struct cw_rest_request *q, struct cw_rest_list *l, uint64_t *ret)
{
	struct cw_cursor from_start = {0};
	int r = 0;

	*ret = 0;
	l->counting = true;
	l->more = true;
	while (r >= 0 && l->more) {
		r = l->page(q, l, q->reader, &from_start, STREAM_ROWS, &l->more);
		*ret += r > 0 ? (uint64_t) r : 0;
	}
	l->counting = false;
	return r < 0 ? r : 0;
}

static unsigned rows_of_page(const struct cw_rest_list *l)
{
	return l->limit ? l->limit : LIMIT;
}

/* The same request with another cursor (RFC 8288). */
static void add_link(struct cw_rest_request *q, const char *cursor)
{
	size_t room = strlen(q->path) + strlen(q->query) + CW_CURSOR_STRLEN + 32;
	char *link = cw_arena_alloc(q->arena, room, 1), *end;

	if (!link)
		return; /* the body has the cursor too */
	end = link + snprintf(link, room, "<%s?", q->path);
	for (const char *p = q->query; *p; p += strcspn(p, "&"), p += *p == '&') {
		size_t n = strcspn(p, "&");

		if (n == 0 || strncmp(p, "cursor=", 7) == 0)
			continue;
		memcpy(end, p, n);
		end += n;
		*end++ = '&';
	}
	(void) snprintf(end, room - (size_t) (end - link), "cursor=%s>; rel=\"next\"", cursor);
	cw_rest_add_header(q, "Link", link);
}

static void put_page(struct cw_rest_request *q, struct cw_rest_list *l)
{
	char next[CW_CURSOR_STRLEN];
	uint64_t total = 0;
	bool more;
	int r;

	cw_rest_list_begin(&q->out);
	r = fill_page(q, l, rows_of_page(l));
	more = l->more;
	if (r == 0 && more)
		r = cw_cursor_make(
			&q->rest->cursor_key, q->operation->name, filter_of(q, l), l->at, next);
	if (r == 0 && l->count)
		r = l->total ? l->total(q, l, q->reader, &total) : count_rows(q, l, &total);
	if (r < 0) {
		cw_rest_problem_code(q, r);
		return;
	}
	if (more)
		add_link(q, next);
	cw_rest_list_end(&q->out, more ? next : NULL, l->count ? &total : NULL);
	cw_rest_answer_json(q, 200);
}

static void collect_page(struct cw_rest_request *q)
{
	struct cw_rest_list *l = q->mine;

	l->collect(q, l);
}

static void collected_page(struct cw_rest_request *q)
{
	put_page(q, q->mine);
}

static void answer_page(struct cw_rest_request *q, struct cw_rest_list *l)
{
	if (!l->collect) {
		put_page(q, l);
		return;
	}
	l->max = rows_of_page(l);
	q->mine = l;
	cw_rest_on_loop(q, collect_page, collected_page);
}

/* ---- all of it ---- */

struct stream {
	struct cw_rest_list *l;
	bool collected; /* what the loop has: the next page of it is there */
	size_t sent;    /* of q->out */
	int64_t looked_us;
	unsigned left; /* rows that were asked for; without a limit never less than STREAM_ROWS */
};

static void collect_some(struct cw_rest_request *q)
{
	struct stream *s = q->mine;

	s->l->collect(q, s->l);
}

/* Who reads slowly may have lost the right to the rest. */
static bool may_go_on(struct cw_rest_request *q, struct stream *s)
{
	int64_t now = cw_rest_now_us(q);

	if (now - s->looked_us <= LOOK_S * INT64_C(1000000))
		return true;
	s->looked_us = now;
	return cw_rest_auth_lasts(q);
}

/* The next rows into q->out. Who reads slowly holds no reader meanwhile: each is an open database. */
static int fill_some(struct cw_rest_request *q, struct cw_rest_list *l, unsigned rows)
{
	int r = l->collect ? 0 : cw_rest_readers_take(q->rest->readers, &q->reader);

	if (r == 0)
		r = fill_page(q, l, rows);
	cw_rest_waits(q);
	return r < 0 ? r : q->out.err;
}

static ssize_t pull(struct cw_rest_request *q, char *to, size_t n)
{
	struct stream *s = q->mine;

	if (s->sent == q->out.len) {
		unsigned rows = s->left < STREAM_ROWS ? s->left : STREAM_ROWS;
		int r;

		if (rows == 0)
			return -1;
		if (!s->l->more)
			return -1;
		if (atomic_load(&q->rest->stopping) || !may_go_on(q, s))
			return -2;
		if (s->l->collect && !s->collected) {
			s->collected = true;
			s->l->max = rows;
			cw_rest_on_loop(q, collect_some, NULL);
			return 0;
		}
		s->collected = false;
		/* Where processors are few the loop and the store go first: a list can wait. */
		(void) sched_yield();
		q->out.len = s->sent = 0;
		r = fill_some(q, s->l, rows);
		if (s->l->limit)
			s->left -= rows;
		if (r < 0)
			return -2; /* half a list is not taken for a whole one */
		if (q->out.len == 0)
			return -1;
	}
	if (n > q->out.len - s->sent)
		n = q->out.len - s->sent;
	memcpy(to, q->out.buf + s->sent, n);
	s->sent += n;
	return (ssize_t) n;
}

static void pulled(struct cw_rest_request *q)
{
	cw_json_out_done(&q->out);
}

static void answer_all(struct cw_rest_request *q, struct cw_rest_list *l)
{
	static const struct cw_rest_stream stream = {pull, pulled};
	struct stream *s = cw_arena_alloc(q->arena, 1, sizeof *s);

	if (!s) {
		cw_rest_problem_code(q, -ENOMEM);
		return;
	}
	cw_rest_waits(q);
	cw_json_out_done(&q->out);
	cw_json_out_grow(&q->out, STREAM_MAX);
	s->l = l;
	s->looked_us = cw_rest_now_us(q);
	l->more = true;
	s->left = l->limit ? l->limit : STREAM_ROWS;
	q->mine = s;
	if (l->as == CW_MEDIA_CSV)
		cw_rest_csv_head(&q->out, l->row);
	cw_rest_stream(q, 200,
		l->as == CW_MEDIA_CSV ? "text/csv; charset=utf-8; header=present"
				      : cw_media_name(CW_MEDIA_NDJSON),
		&stream);
}

void cw_rest_list(struct cw_rest_request *q, struct cw_rest_list *l)
{
	if (!take_accept(q, l) || !take_cursor(q, l) || (!l->collect && !cw_rest_reader(q)))
		return;
	if (l->as == CW_MEDIA_JSON)
		answer_page(q, l);
	else
		answer_all(q, l);
}
