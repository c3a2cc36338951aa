/* SPDX-License-Identifier: BSD-2-Clause */
/* What happened, oldest first: a list from the database. follow.c has the live ones. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "broker/rest/events.h"
#include "broker/rest/handlers.h"

struct cw_rest_tenure cw_rest_show_tenure(struct cw_rest_request *q, const struct cw_tenure *t)
{
	const char *pool = cw_rest_pool_name(q, t->pool_id);
	const char *tep = cw_rest_tep_name(q, t->tep_id);

	return (struct cw_rest_tenure){
		.lease = t->lease,
		.pool = pool[0] ? pool : NULL,
		.address = t->addr,
		.ports = t->ports,
		.ipv6 = t->client6,
		.owner = t->principal,
		.access = (uint8_t) t->access,
		.tep = tep[0] ? tep : NULL,
		.granted_at = t->started_wall_s,
		.ended_at = t->ended_wall_s,
		.end_reason = (uint8_t) t->reason,
		.moved_from = t->moved_from,
	};
}

/* What an event of this type is about. */
static bool kind_of(const char *type, enum cw_id_kind *ret)
{
	static const struct {
		const char *prefix;
		enum cw_id_kind kind;
	} kinds[] = {
		{"lease.", CW_ID_LEASE},
		{"pool.", CW_ID_POOL},
		{"tep.", CW_ID_TEP},
		{"user.", CW_ID_USER},
		{"token.", CW_ID_TOKEN},
		{"job.", CW_ID_RUN},
	};

	for (size_t i = 0; i < CW_ARRAY_LEN(kinds); i++) {
		if (strncmp(type, kinds[i].prefix, strlen(kinds[i].prefix)) == 0) {
			*ret = kinds[i].kind;
			return true;
		}
	}
	return false;
}

void cw_rest_show_event(
	struct cw_rest_request *q, const struct cw_event *e, struct cw_rest_shown_event *to)
{
	enum cw_id_kind kind;
	struct cw_json_out o;

	to->event = (struct cw_rest_event){
		.id = e->id,
		.at = e->wall_s,
		.type = e->type,
		.object = e->object_id && kind_of(e->type, &kind)
				  ? cw_id_str(kind, e->object_id, to->object)
				  : NULL,
		.name = e->object[0] ? e->object : NULL,
		.detail = e->detail[0] ? e->detail : NULL,
	};
	if (e->has_tenure) {
		struct cw_rest_tenure t = cw_rest_show_tenure(q, &e->tenure);

		cw_json_out_init(&o, to->detail, sizeof to->detail - 1);
		cw_rest_render(&o, &cw_rest_tenure_object, &t);
		to->detail[o.err ? 0 : o.len] = '\0';
		to->event.detail = o.err ? NULL : to->detail;
	}
}

bool cw_rest_event_filter(struct cw_rest_request *q, const struct cw_rest_query_list_events *asked,
	struct cw_event_filter *to)
{
	static const char *const types[CW_ID_KINDS] = {
		[CW_ID_POOL] = "pool",
		[CW_ID_LEASE] = "lease",
		[CW_ID_USER] = "user",
		[CW_ID_TEP] = "tep",
		[CW_ID_TOKEN] = "token",
		[CW_ID_RUN] = "job",
	};
	enum cw_id_kind kind;
	size_t n;

	to->type = asked->type;
	if (!asked->object)
		return true;
	if (cw_id_parse_any(asked->object, strlen(asked->object), &kind, &to->object_id) < 0 ||
		!types[kind]) {
		cw_rest_problem(q, CW_PROBLEM_INVALID_QUERY,
			"object is an id of a lease, pool, TEP, user, token or run");
		return false;
	}
	n = strlen(types[kind]);
	if (!to->type)
		to->type = types[kind];
	if (strncmp(to->type, types[kind], n) == 0 && (!to->type[n] || to->type[n] == '.'))
		return true;
	cw_rest_problem(q, CW_PROBLEM_INVALID_QUERY,
		"events of that type are about other things than that object");
	return false;
}

struct listing {
	bool newest; /* first */
	struct cw_event_filter filter;
	struct cw_event rows[64];
	struct cw_rest_shown_event shown;
};

static int page(struct cw_rest_request *q, struct cw_rest_list *l, struct cw_store_reader *r,
	struct cw_cursor *at, unsigned max, bool *ret_more)
{
	struct listing *s = l->mine;
	struct cw_page p = {.at = at->a, .newest = s->newest};
	size_t ask = max < CW_ARRAY_LEN(s->rows) ? max : CW_ARRAY_LEN(s->rows);
	int n = cw_read_events(r, &s->filter, &p, s->rows, ask);

	for (int i = 0; i < n; i++) {
		cw_rest_show_event(q, &s->rows[i], &s->shown);
		cw_rest_row(q, l, &s->shown.event);
	}
	at->a = p.at;
	*ret_more = p.more;
	return n;
}

/* Whether Accept asks for a stream first. */
static bool wants_stream(struct cw_rest_request *q)
{
	enum cw_media media;

	return cw_accept(cw_rest_header(q, "Accept"),
		       1u << CW_MEDIA_JSON | 1u << CW_MEDIA_NDJSON | 1u << CW_MEDIA_CSV |
			       1u << CW_MEDIA_EVENTS,
		       &media) == 0 &&
	       media == CW_MEDIA_EVENTS;
}

void cw_rest_do_listEvents(struct cw_rest_request *q)
{
	const struct cw_rest_object *o = &cw_rest_query_list_events_object;
	struct cw_rest_list *l =
		cw_rest_take_list(q, &cw_rest_event_object, o, sizeof(struct listing));
	const struct cw_rest_query_list_events *asked;
	struct listing *s;

	if (!l)
		return;
	asked = l->asked;
	if (wants_stream(q)) {
		cw_rest_follow(q, asked);
		return;
	}
	s = l->mine;
	if (!cw_rest_event_filter(q, asked, &s->filter))
		return;
	s->newest = asked->sort == 1;
	if (s->newest && CW_REST_HAS(o, asked, after)) {
		cw_rest_problem_query(q, "after", "the newest first end where there are no more");
		return;
	}
	s->filter.from_wall_s = CW_REST_HAS(o, asked, from) ? asked->from : 0;
	s->filter.to_wall_s = CW_REST_HAS(o, asked, to) ? asked->to : 0;
	l->page = page;
	l->at.a = asked->after;
	cw_rest_list(q, l);
}
