/* SPDX-License-Identifier: BSD-2-Clause */
/* Who had an address, and who did what. Whoever looks into the history leaves a row in the audit
 * log, and gets an answer only if that row is on disk. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "broker/rest/events.h"
#include "broker/rest/handlers.h"

/* ---- history ---- */

struct past {
	struct cw_history_filter filter;
	char owner[CW_PRINCIPAL_MAX];
	bool newest; /* first */
	bool has_port, at_instant;
	uint16_t port;
	uint64_t lease; /* 0: by the filter */
	struct cw_tenure rows[128];
};

static bool wanted(const struct past *s, const struct cw_tenure *t)
{
	const struct cw_history_filter *f = &s->filter;

	if (s->has_port && !cw_portset_is_whole(t->ports) && !cw_portset_has(t->ports, s->port))
		return false;
	return !s->lease || ((!f->principal || strcmp(f->principal, t->principal) == 0) &&
				    (!f->pool_id || f->pool_id == t->pool_id) &&
				    (!f->prefix.len || cw_prefix4_has(&f->prefix, t->addr)));
}

/* Some rows of the filter into s->rows. */
static int some(struct past *s, struct cw_store_reader *r, struct cw_page *p, size_t max)
{
	int n;

	if (s->lease) {
		n = p->at ? 0 : cw_read_tenure(r, s->lease, s->rows);
		p->at = s->lease;
		p->more = false;
		return n;
	}
	if (s->at_instant && s->has_port && !s->filter.principal && !s->filter.pool_id) {
		n = p->at ? 0
			  : cw_read_who(r, s->filter.prefix.addr, s->port, s->filter.from_wall_s,
				    s->rows);
		p->at = 1;
		p->more = false;
		return n;
	}
	return cw_read_history_page(r, &s->filter, p, s->rows, max);
}

static int page(struct cw_rest_request *q, struct cw_rest_list *l, struct cw_store_reader *r,
	struct cw_cursor *at, unsigned max, bool *ret_more)
{
	struct past *s = l->mine;
	struct cw_page p = {.at = at->a, .newest = s->newest};
	size_t ask = max < CW_ARRAY_LEN(s->rows) ? max : CW_ARRAY_LEN(s->rows);
	int n = some(s, r, &p, ask), shown = 0;

	for (int i = 0; i < n; i++) {
		struct cw_rest_tenure t;

		if (!wanted(s, &s->rows[i]))
			continue;
		t = cw_rest_show_tenure(q, &s->rows[i]);
		cw_rest_row(q, l, &t);
		shown++;
	}
	at->a = p.at;
	*ret_more = p.more;
	return n < 0 ? n : shown;
}

/* NULL: the query makes sense. */
static const char *nonsense(const struct cw_rest_query_list_history *asked)
{
	const struct cw_rest_object *o = &cw_rest_query_list_history_object;
	bool at = CW_REST_HAS(o, asked, at), from = CW_REST_HAS(o, asked, from),
	     to = CW_REST_HAS(o, asked, to), ip = CW_REST_HAS(o, asked, ip);

	if (at && (from || to))
		return "at is one moment, from and to are many: one or the other";
	if (from && to && asked->to <= asked->from)
		return "to must be later than from";
	if (CW_REST_HAS(o, asked, port) && (!ip || asked->ip.len != 32))
		return "port is of one address: name it with ip";
	if (at && !ip && !asked->owner && !asked->user && !asked->pool && !asked->lease)
		return "at wants to know of whom: ip, owner, user, pool or lease";
	if (asked->owner && asked->user)
		return "owner or user, not both";
	return NULL;
}

static bool take_filter(
	struct cw_rest_request *q, const struct cw_rest_query_list_history *asked, struct past *s)
{
	const struct cw_rest_object *o = &cw_rest_query_list_history_object;
	const char *why = nonsense(asked);
	struct cw_pool pool;

	if (why) {
		cw_rest_problem(q, CW_PROBLEM_INVALID_QUERY, "%s", why);
		return false;
	}
	s->newest = asked->sort == 1;
	s->has_port = CW_REST_HAS(o, asked, port);
	s->port = (uint16_t) asked->port;
	s->lease = asked->lease;
	s->at_instant = CW_REST_HAS(o, asked, at);
	if (CW_REST_HAS(o, asked, ip))
		s->filter.prefix = asked->ip;
	if (s->at_instant) {
		s->filter.from_wall_s = asked->at;
		s->filter.to_wall_s = asked->at + 1;
	} else {
		s->filter.from_wall_s = CW_REST_HAS(o, asked, from) ? asked->from : 0;
		s->filter.to_wall_s = CW_REST_HAS(o, asked, to) ? asked->to : 0;
	}
	if (asked->owner || asked->user) {
		(void) snprintf(s->owner, sizeof s->owner, "%s%s",
			asked->owner ? "" : "user:", asked->owner ? asked->owner : asked->user);
		s->filter.principal = s->owner;
	}
	if (asked->pool) {
		struct cw_store_reader *r = cw_rest_reader(q);

		if (!r || !cw_rest_take_pool(q, r, asked->pool, &pool))
			return false;
		s->filter.pool_id = pool.id;
	}
	return true;
}

/* The row is on disk. */
static void audited(struct cw_rest_request *q)
{
	int r = q->req.op.result;

	if (r == CW_E_STORE_FULL)
		cw_rest_problem(q, CW_PROBLEM_STORE_UNAVAILABLE,
			"what is asked cannot be written down, and is not answered without that");
	else if (r < 0)
		cw_rest_problem_code(q, r);
	else
		cw_rest_list(q, q->mine);
}

static void audit(struct cw_rest_request *q, const struct cw_rest_query_list_history *asked)
{
	char addr[CW_ADDR4_STRLEN], object[CW_ID_STRLEN + CW_ADDR4_STRLEN] = "";
	char detail[sizeof q->req.op.u.audit.detail];
	struct cw_json_out o;

	if (asked->lease)
		(void) cw_id_str(CW_ID_LEASE, asked->lease, object);
	else if (CW_REST_HAS(&cw_rest_query_list_history_object, asked, ip))
		(void) snprintf(object, sizeof object, "%s/%u", cw_addr4_str(asked->ip.addr, addr),
			asked->ip.len);
	cw_json_out_init(&o, detail, sizeof detail - 1);
	cw_rest_render_filter(&o, &cw_rest_query_list_history_object, asked);
	detail[o.err ? 0 : o.len] = '\0';
	cw_rest_audit(q, object, o.err ? NULL : detail);
	cw_rest_submit(q, audited);
}

void cw_rest_do_listHistory(struct cw_rest_request *q)
{
	struct cw_rest_list *l = cw_rest_take_list(
		q, &cw_rest_tenure_object, &cw_rest_query_list_history_object, sizeof(struct past));

	if (!l || !take_filter(q, l->asked, l->mine))
		return;
	l->page = page;
	q->mine = l;
	audit(q, l->asked);
}

/* ---- audit ---- */

struct log {
	bool newest; /* first */
	struct cw_audit_filter filter;
	struct cw_audit_row rows[64];
};

static int audit_page(struct cw_rest_request *q, struct cw_rest_list *l, struct cw_store_reader *r,
	struct cw_cursor *at, unsigned max, bool *ret_more)
{
	struct log *s = l->mine;
	struct cw_page p = {.at = at->a, .newest = s->newest};
	size_t ask = max < CW_ARRAY_LEN(s->rows) ? max : CW_ARRAY_LEN(s->rows);
	int n = cw_read_audit(r, &s->filter, &p, s->rows, ask);

	for (int i = 0; i < n; i++) {
		const struct cw_audit_row *row = &s->rows[i];
		char hash[2 * CW_HASH_LEN + 1];
		const struct cw_rest_audit_entry e = {
			.id = row->id,
			.at = row->wall_s,
			.actor = row->actor,
			.peer = row->peer,
			.verb = row->verb,
			.object = row->object,
			.detail = row->detail[0] == '{' ? row->detail : NULL,
			.hash = hash,
		};

		for (unsigned k = 0; k < CW_HASH_LEN; k++)
			(void) snprintf(hash + (size_t) 2 * k, 3, "%02x", row->hash[k]);
		cw_rest_row(q, l, &e);
	}
	at->a = p.at;
	*ret_more = p.more;
	return n;
}

void cw_rest_do_listAudit(struct cw_rest_request *q)
{
	const struct cw_rest_object *o = &cw_rest_query_list_audit_object;
	struct cw_rest_list *l =
		cw_rest_take_list(q, &cw_rest_audit_entry_object, o, sizeof(struct log));
	const struct cw_rest_query_list_audit *asked;
	struct log *s;

	if (!l)
		return;
	asked = l->asked;
	s = l->mine;
	s->newest = asked->sort == 1;
	s->filter = (struct cw_audit_filter){
		.actor = asked->actor,
		.verb = asked->verb,
		.object = asked->object,
		.from_wall_s = CW_REST_HAS(o, asked, from) ? asked->from : 0,
		.to_wall_s = CW_REST_HAS(o, asked, to) ? asked->to : 0,
	};
	l->page = audit_page;
	cw_rest_list(q, l);
}
