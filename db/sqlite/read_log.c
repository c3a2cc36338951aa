/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading what happened: history by page, events, the audit log. Events are three lists in the order
 * of one number space, merged: begins of tenures, their ends, and all others. */
#include "config.h"

#include <string.h>

#include "base/err.h"
#include "db/sqlite/reader.h"

/* ---- history ---- */

#define CW_SQ_NARROW 24 /* a prefix as long as this is looked up by its addresses */

static bool wants_tenure(const void *item, const void *filter)
{
	const struct cw_history_filter *f = filter;
	const struct cw_tenure *t = item;

	return (!f->principal || strcmp(f->principal, t->principal) == 0) &&
	       (f->pool_id == 0 || f->pool_id == t->pool_id) &&
	       (f->prefix.len == 0 || cw_prefix4_has(&f->prefix, t->addr)) &&
	       cw_sq_tenure_reaches(t, f->from_wall_s) &&
	       (f->to_wall_s == 0 || t->started_wall_s < f->to_wall_s);
}

/* Up to which id tenures are sorted by principal. */
static int sorted_upto(struct cw_sq_reader *r, uint64_t *ret)
{
	int got = cw_sq_step(r, CW_SQ_READ_HISTORY_TAIL);

	if (got > 0)
		*ret = (uint64_t) sqlite3_column_int64(r->st[CW_SQ_READ_HISTORY_TAIL], 0);
	(void) sqlite3_reset(r->st[CW_SQ_READ_HISTORY_TAIL]);
	return got < 0 ? got : 0;
}

static int walk_all(struct cw_sq_reader *r, const struct cw_history_filter *f, struct cw_page *page,
	struct cw_tenure *to, size_t max)
{
	return cw_sq_walk(r, CW_SQ_READ_HISTORY, CW_SQ_READ_HISTORY_DOWN, page, to, sizeof *to, max,
		cw_sq_tenure_row, wants_tenure, f);
}

/* From the newest, as far as they are not sorted. */
static int walk_tail_down(struct cw_sq_reader *r, const struct cw_history_filter *f,
	struct cw_page *page, uint64_t upto, struct cw_tenure *to, size_t max)
{
	int n;

	cw_sq_int(r->st[CW_SQ_READ_HISTORY_DOWN], 2, (int64_t) upto);
	n = walk_all(r, f, page, to, max);
	cw_sq_int(r->st[CW_SQ_READ_HISTORY_DOWN], 2, 0);
	return n;
}

static int walk_sorted(struct cw_sq_reader *r, const struct cw_history_filter *f,
	struct cw_page *page, struct cw_tenure *to, size_t max)
{
	enum cw_sq_read up = CW_SQ_READ_HISTORY_OF, down = CW_SQ_READ_HISTORY_OF_DOWN;
	sqlite3_stmt *st = r->st[page->newest ? down : up];
	int n;

	cw_sq_text(st, 2, f->principal);
	n = cw_sq_walk(r, up, down, page, to, sizeof *to, max, cw_sq_tenure_row, wants_tenure, f);
	(void) sqlite3_clear_bindings(st);
	return n;
}

/* The sorted ones first, or, from the newest, those that are not. Within a transaction. */
static int history_of(struct cw_sq_reader *r, const struct cw_history_filter *f,
	struct cw_page *page, struct cw_tenure *to, size_t max)
{
	uint64_t upto = 0;
	int n = 0, more, ret = sorted_upto(r, &upto);

	if (ret < 0)
		return ret;
	if (!page->newest && page->at < upto) {
		n = walk_sorted(r, f, page, to, max);
		if (n < 0 || page->more)
			return n;
		page->at = upto;
	} else if (page->newest && (page->at == 0 || page->at > upto + 1)) {
		n = walk_tail_down(r, f, page, upto, to, max);
		if (n < 0 || page->more)
			return n;
		page->at = upto + 1;
	}
	more = page->newest ? walk_sorted(r, f, page, to + n, max - (size_t) n)
			    : walk_all(r, f, page, to + n, max - (size_t) n);
	return more < 0 ? more : n + more;
}

int cw_sq_read_history_page(struct cw_store_reader *base, const struct cw_history_filter *f,
	struct cw_page *page, struct cw_tenure *to, size_t max)
{
	struct cw_sq_reader *r = cw_sq_inside(base);
	enum cw_sq_read up = CW_SQ_READ_HISTORY_ON, down = CW_SQ_READ_HISTORY_ON_DOWN;
	sqlite3_stmt *st = r->st[page->newest ? down : up];
	int ret;

	if (f->prefix.len >= CW_SQ_NARROW) {
		cw_sq_int(st, 2, f->prefix.addr.v);
		cw_sq_int(
			st, 3, f->prefix.addr.v | ~(uint32_t) (UINT64_MAX << (32 - f->prefix.len)));
		cw_sq_int(st, 4, CW_SQ_LOOK + 1);
		return cw_sq_walk(
			r, up, down, page, to, sizeof *to, max, cw_sq_tenure_row, wants_tenure, f);
	}
	if (!f->principal)
		return walk_all(r, f, page, to, max);
	ret = cw_sq_begin_read(r);
	if (ret < 0)
		return ret;
	ret = history_of(r, f, page, to, max);
	cw_sq_end_read(r);
	return ret;
}

int cw_sq_read_tenure(struct cw_store_reader *base, uint64_t lease, struct cw_tenure *ret)
{
	struct cw_sq_reader *r = cw_sq_inside(base);

	cw_sq_int(r->st[CW_SQ_READ_TENURE], 1, (int64_t) lease);
	return cw_sq_one_row(r, CW_SQ_READ_TENURE, ret, sizeof *ret, cw_sq_tenure_row);
}

/* ---- events ---- */

static bool is_type(const char *want, const char *type)
{
	size_t n = strlen(want);

	return strncmp(want, type, n) == 0 && (type[n] == '\0' || type[n] == '.');
}

static bool wants_event(const struct cw_event_filter *f, const struct cw_event *e)
{
	return (!f->type || is_type(f->type, e->type)) &&
	       (f->object_id == 0 || f->object_id == e->object_id) &&
	       cw_sq_when(e->wall_s, f->from_wall_s, f->to_wall_s);
}

static bool decode_begin(sqlite3_stmt *st, struct cw_event *e)
{
	struct cw_tenure *t = &e->tenure;

	*e = (struct cw_event){.has_tenure = true};
	if (!cw_sq_tenure_row(st, t))
		return false;
	e->id = e->object_id = t->lease;
	e->wall_s = t->started_wall_s;
	memcpy(e->type, t->moved_from ? "lease.move" : "lease.grant",
		t->moved_from ? sizeof "lease.move" : sizeof "lease.grant");
	/* As it was then. */
	t->reason = CW_END_NONE;
	t->ended_wall_s = INT64_MAX;
	t->end_id = 0;
	t->ending_wall_s = 0;
	return true;
}

static bool decode_end(sqlite3_stmt *st, struct cw_event *e)
{
	struct cw_tenure *t = &e->tenure;
	const char *type;

	*e = (struct cw_event){.has_tenure = true};
	if (!cw_sq_tenure_row(st, t))
		return false;
	e->id = t->end_id;
	e->object_id = t->lease;
	e->wall_s = t->ending_wall_s;
	type = cw_end_event_name(t->reason);
	memcpy(e->type, type, strnlen(type, sizeof e->type - 1));
	t->ended_wall_s = INT64_MAX;
	t->moved_from = 0;
	return true;
}

static bool decode_other(sqlite3_stmt *st, struct cw_event *e)
{
	*e = (struct cw_event){
		.id = (uint64_t) sqlite3_column_int64(st, 0),
		.wall_s = sqlite3_column_int64(st, 1),
		.object_id = (uint64_t) sqlite3_column_int64(st, 3),
	};
	return cw_sq_copy(st, 2, e->type, sizeof e->type) &&
	       cw_sq_copy(st, 4, e->object, sizeof e->object) &&
	       cw_sq_copy(st, 5, e->detail, sizeof e->detail);
}

/* One of the three lists. */
struct source {
	enum cw_sq_read what;
	int id_column;
	bool (*decode)(sqlite3_stmt *st, struct cw_event *e);
	uint64_t id; /* of its next row; 0: at its end */
};

static int advance(struct cw_sq_reader *r, struct source *s)
{
	int got = cw_sq_step(r, s->what);

	s->id = got > 0 ? (uint64_t) sqlite3_column_int64(r->st[s->what], s->id_column) : 0;
	return got < 0 ? got : 0;
}

/* The one whose row comes next, or NULL. */
static struct source *next_of(struct source *all, size_t n, bool newest)
{
	struct source *best = NULL;

	for (size_t i = 0; i < n; i++) {
		if (all[i].id != 0 && (!best || (all[i].id < best->id) != newest))
			best = &all[i];
	}
	return best;
}

/* What the filter cannot want is not looked at. */
static size_t choose(const struct cw_event_filter *f, bool newest, struct source to[static 3])
{
	bool leases = !f->type || strcmp(f->type, "lease") == 0;
	bool begins =
		leases || strcmp(f->type, "lease.grant") == 0 || strcmp(f->type, "lease.move") == 0;
	bool ends = leases || (!begins && strncmp(f->type, "lease.", 6) == 0);
	size_t n = 0;

	if (begins)
		to[n++] = (struct source){
			.what = newest ? CW_SQ_READ_HISTORY_DOWN : CW_SQ_READ_HISTORY,
			.decode = decode_begin};
	if (ends)
		to[n++] = (struct source){
			.what = newest ? CW_SQ_READ_HISTORY_END_DOWN : CW_SQ_READ_HISTORY_END,
			.id_column = 14,
			.decode = decode_end};
	if (!f->type || (!begins && !ends))
		to[n++] =
			(struct source){.what = newest ? CW_SQ_READ_EVENTS_DOWN : CW_SQ_READ_EVENTS,
				.decode = decode_other};
	return n;
}

static int merge(struct cw_sq_reader *r, const struct cw_event_filter *f, struct cw_page *page,
	struct cw_event *to, size_t max)
{
	struct source all[3], *s;
	size_t n_all = choose(f, page->newest, all), n = 0, looked = 0;
	int ret = 0;

	page->more = false;
	for (size_t i = 0; i < n_all && ret == 0; i++) {
		cw_sq_int(r->st[all[i].what], 1,
			page->newest && page->at == 0 ? INT64_MAX : (int64_t) page->at);
		ret = advance(r, &all[i]);
	}
	while (ret == 0 && (s = next_of(all, n_all, page->newest))) {
		page->more = n == max || looked++ == CW_SQ_LOOK;
		if (page->more)
			break;
		page->at = s->id;
		if (!s->decode(r->st[s->what], &to[n]))
			atomic_fetch_add(&r->errors->corrupt, 1);
		else if (wants_event(f, &to[n]))
			n++;
		ret = advance(r, s);
	}
	for (size_t i = 0; i < n_all; i++)
		(void) sqlite3_reset(r->st[all[i].what]);
	return ret < 0 ? ret : (int) n;
}

int cw_sq_read_events(struct cw_store_reader *base, const struct cw_event_filter *f,
	struct cw_page *page, struct cw_event *to, size_t max)
{
	struct cw_sq_reader *r = cw_sq_inside(base);
	int ret = cw_sq_begin_read(r);

	if (ret < 0)
		return ret;
	ret = merge(r, f, page, to, max);
	cw_sq_end_read(r);
	return ret;
}

int cw_sq_read_event_bounds(
	struct cw_store_reader *base, uint64_t *ret_newest, uint64_t *ret_pruned)
{
	struct cw_sq_reader *r = cw_sq_inside(base);
	sqlite3_stmt *st = r->st[CW_SQ_READ_EVENT_BOUNDS];
	int got = cw_sq_step(r, CW_SQ_READ_EVENT_BOUNDS);

	if (got > 0) {
		*ret_newest = (uint64_t) sqlite3_column_int64(st, 0);
		*ret_pruned = (uint64_t) sqlite3_column_int64(st, 1);
	}
	(void) sqlite3_reset(st);
	return got < 0 ? got : got == 0 ? CW_E_STORE_CORRUPT : 0;
}

/* ---- audit ---- */

static bool decode_audit(sqlite3_stmt *st, void *item)
{
	struct cw_audit_row *a = item;
	const void *hash = sqlite3_column_blob(st, 7);

	*a = (struct cw_audit_row){
		.id = (uint64_t) sqlite3_column_int64(st, 0),
		.wall_s = sqlite3_column_int64(st, 1),
	};
	if (hash && sqlite3_column_bytes(st, 7) == CW_HASH_LEN)
		memcpy(a->hash, hash, CW_HASH_LEN);
	return cw_sq_copy(st, 2, a->actor, sizeof a->actor) &&
	       cw_sq_copy(st, 3, a->peer, sizeof a->peer) &&
	       cw_sq_copy(st, 4, a->verb, sizeof a->verb) &&
	       cw_sq_copy(st, 5, a->object, sizeof a->object) &&
	       cw_sq_copy(st, 6, a->detail, sizeof a->detail);
}

static bool wants_audit(const void *item, const void *filter)
{
	const struct cw_audit_filter *f = filter;
	const struct cw_audit_row *a = item;

	return (!f->actor || strcmp(f->actor, a->actor) == 0) &&
	       (!f->verb || strcmp(f->verb, a->verb) == 0) &&
	       (!f->object || strcmp(f->object, a->object) == 0) &&
	       cw_sq_when(a->wall_s, f->from_wall_s, f->to_wall_s);
}

int cw_sq_read_audit(struct cw_store_reader *base, const struct cw_audit_filter *f,
	struct cw_page *page, struct cw_audit_row *to, size_t max)
{
	return cw_sq_walk(cw_sq_inside(base), CW_SQ_READ_AUDIT, CW_SQ_READ_AUDIT_DOWN, page, to,
		sizeof *to, max, decode_audit, wants_audit, f);
}
