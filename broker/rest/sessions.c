/* SPDX-License-Identifier: BSD-2-Clause */
/* Live sessions of clients. They are the loop's: it notes what a page shows. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "broker/access/tsp/sessions.h"
#include "broker/rest/handle.h"
#include "broker/rest/handlers.h"

enum { ROWS_MAX = 1000 };

static struct cw_rest_session shown(const struct cw_tsp_session_info *s)
{
	static const uint8_t states[] = {
		[CW_TSP_SESSION_LOGIN] = CW_REST_LOGIN,
		[CW_TSP_SESSION_READY] = CW_REST_READY,
		[CW_TSP_SESSION_BUSY] = CW_REST_BUSY,
		[CW_TSP_SESSION_CLOSING] = CW_REST_CLOSING,
	};

	return (struct cw_rest_session){
		.id = s->id,
		.access = CW_ACCESS_TSP,
		.peer = s->peer,
		.owner = s->owner[0] ? s->owner : NULL,
		.mechanism = s->mechanism[0] ? s->mechanism : NULL,
		.tls = s->transport == CW_TSP_ON_TLS,
		.transport = s->is_unix                      ? CW_REST_UNIX
			     : s->transport == CW_TSP_ON_UDP ? CW_REST_UDP
							     : CW_REST_TCP,
		.state = states[s->state],
		.since_at = s->since_wall_s,
		.last_at = s->last_wall_s,
		.leases = s->leases,
		.requests = s->requests,
		.octets_in = s->octets_in,
		.octets_out = s->octets_out,
	};
}

/* ---- list ---- */

struct listing {
	const struct cw_rest_query_list_sessions *asked;
	struct cw_tsp_session_info row[ROWS_MAX];
	unsigned n, room;
	bool more; /* behind the last row */
};

static bool wanted(const struct cw_rest_query_list_sessions *asked, const struct cw_rest_session *s)
{
	const char *user = asked->user;

	return (!asked->access || asked->access & 1u << s->access) &&
	       (!asked->state || asked->state & 1u << s->state) &&
	       (!asked->owner || (s->owner && strcmp(asked->owner, s->owner) == 0)) &&
	       (!user || (s->owner && strncmp(s->owner, "user:", 5) == 0 &&
				 strcmp(s->owner + 5, user) == 0));
}

static bool note(void *arg, const struct cw_tsp_session_info *info)
{
	struct listing *s = arg;
	const struct cw_rest_session row = shown(info);

	if (!wanted(s->asked, &row))
		return true;
	s->more = s->n == s->room;
	if (!s->more)
		s->row[s->n++] = *info;
	return !s->more;
}

static void collect(struct cw_rest_request *q, struct cw_rest_list *l)
{
	struct listing *s = l->mine;

	s->n = 0;
	s->more = false;
	s->room = l->max < ROWS_MAX ? l->max : ROWS_MAX;
	cw_tsp_sessions(q->rest->parts.tsp, l->at.a, note, s);
}

static int page(struct cw_rest_request *q, struct cw_rest_list *l, struct cw_store_reader *r,
	struct cw_cursor *at, unsigned max, bool *ret_more)
{
	const struct listing *s = l->mine;

	(void) r;
	(void) max; /* collect() knew */
	for (unsigned i = 0; i < s->n; i++) {
		const struct cw_rest_session row = shown(&s->row[i]);

		cw_rest_row(q, l, &row);
		at->a = row.id;
	}
	*ret_more = s->more;
	return (int) s->n;
}

void cw_rest_do_listSessions(struct cw_rest_request *q)
{
	struct cw_rest_list *l = cw_rest_take_list(q, &cw_rest_session_object,
		&cw_rest_query_list_sessions_object, sizeof(struct listing));
	struct listing *s = l ? l->mine : NULL;

	if (!l)
		return;
	s->asked = l->asked;
	l->page = page;
	l->collect = collect;
	cw_rest_list(q, l);
}

/* ---- one ---- */

/* Of the arena. */
struct one {
	uint64_t id;
	struct cw_tsp_session_info info; /* id 0: there is none */
	int result;
};

static bool found(void *arg, const struct cw_tsp_session_info *info)
{
	struct one *one = arg;

	if (info->id == one->id)
		one->info = *info;
	return false;
}

static void find(struct cw_rest_request *q)
{
	struct one *one = q->mine;

	cw_tsp_sessions(q->rest->parts.tsp, one->id - 1, found, one);
}

static void show(struct cw_rest_request *q)
{
	const struct one *one = q->mine;
	struct cw_rest_session s;

	if (!one->info.id) {
		cw_rest_problem(q, CW_PROBLEM_NOT_FOUND, NULL);
		return;
	}
	s = shown(&one->info);
	cw_rest_show(q, 200, &cw_rest_session_object, &s);
}

/* The session of the path. NULL: answered. */
static struct one *take_one(struct cw_rest_request *q)
{
	struct one *one = cw_arena_alloc(q->arena, 1, sizeof *one);

	if (!one) {
		cw_rest_problem_code(q, -ENOMEM);
		return NULL;
	}
	q->mine = one;
	return cw_rest_take_query(q, NULL, NULL) && cw_rest_take_id(q, 0, CW_ID_SESSION, &one->id)
		       ? one
		       : NULL;
}

void cw_rest_do_getClientSession(struct cw_rest_request *q)
{
	if (take_one(q))
		cw_rest_on_loop(q, find, show);
}

static void end(struct cw_rest_request *q)
{
	struct one *one = q->mine;

	one->result = cw_tsp_sessions_end(q->rest->parts.tsp, one->id);
}

static void ended(struct cw_rest_request *q)
{
	const struct one *one = q->mine;

	if (one->result < 0)
		cw_rest_problem(q, CW_PROBLEM_NOT_FOUND, NULL); /* it has ended by itself */
	else
		cw_rest_answer(q, 204, NULL);
}

/* Who asked for it is on disk before it is done. */
static void noted(struct cw_rest_request *q)
{
	if (q->req.op.result < 0)
		cw_rest_problem_code(q, q->req.op.result);
	else
		cw_rest_on_loop(q, end, ended);
}

static void note_end(struct cw_rest_request *q)
{
	const struct one *one = q->mine;
	char object[CW_ID_STRLEN];

	if (!one->info.id || one->info.state == CW_TSP_SESSION_CLOSING) {
		cw_rest_problem(q, CW_PROBLEM_NOT_FOUND, NULL);
		return;
	}
	cw_rest_audit(q, cw_id_str(CW_ID_SESSION, one->id, object), NULL);
	cw_rest_submit(q, noted);
}

void cw_rest_do_deleteSession(struct cw_rest_request *q)
{
	if (take_one(q))
		cw_rest_on_loop(q, find, note_end);
}
