/* SPDX-License-Identifier: BSD-2-Clause */
/* What handlers have in common. Functions that return bool have answered with a problem when they
 * return false: the handler returns at once. */
#pragma once

#include "broker/rest/request.h"
#include "broker/rest/rest_int.h"
#include "schema/rest/cursor.h"
#include "schema/rest/fields.h"
#include "schema/rest/header.h"
#include "schema/rest/id.h"
#include "schema/rest/queries.h"
#include "schema/rest/render.h"
#include "schema/rest/resources.h"

/* ---- what came ---- */

/* The query into a zeroed struct of o; o NULL: there must be none. */
bool cw_rest_take_query(struct cw_rest_request *q, const struct cw_rest_object *o, void *to);
/* The body, JSON, into a zeroed struct of o. Texts are of q->arena. */
bool cw_rest_take_body(struct cw_rest_request *q, const struct cw_rest_object *o, void *to);
/* The path's parameter i as an id of this kind; what is no such id is not found. */
bool cw_rest_take_id(struct cw_rest_request *q, unsigned i, enum cw_id_kind kind, uint64_t *ret);
/* Pools, TEPs and users by id or, if it reads as none, by exact name. */
bool cw_rest_take_pool(struct cw_rest_request *q, struct cw_store_reader *r, const char *text,
	struct cw_pool *ret);
bool cw_rest_take_tep(
	struct cw_rest_request *q, struct cw_store_reader *r, const char *text, struct cw_tep *ret);
bool cw_rest_take_user(struct cw_rest_request *q, struct cw_store_reader *r, const char *text,
	struct cw_user *ret);

/* ---- reading ---- */

/* A reader until the handler answers or waits; the same one each time. NULL: answered. */
struct cw_store_reader *cw_rest_reader(struct cw_rest_request *q);
/* A steady deadline as wall time. */
int64_t cw_rest_wall_of(const struct cw_rest_request *q, int64_t steady_s);
int64_t cw_rest_now_wall_s(const struct cw_rest_request *q);
int64_t cw_rest_now_steady_s(const struct cw_rest_request *q);
int64_t cw_rest_now_us(const struct cw_rest_request *q); /* CLOCK_MONOTONIC: for durations */
/* The name of a pool or TEP, kept for the request: rows have ids. "" if it is gone. */
const char *cw_rest_pool_name(struct cw_rest_request *q, uint64_t id);
const char *cw_rest_tep_name(struct cw_rest_request *q, uint64_t id);
/* Looks them up again from here on. */
void cw_rest_forget_names(struct cw_rest_request *q);

/* ---- preconditions (RFC 9110 13) ---- */

/* The answer has this version: ETag. */
void cw_rest_etag(struct cw_rest_request *q, uint64_t version);
/* If-None-Match names it: answered 304. */
bool cw_rest_modified(struct cw_rest_request *q, uint64_t version);
/* If-Match must be there and name it: 428, 412; what is not one tag, "*" too: 400. */
bool cw_rest_if_match(struct cw_rest_request *q, uint64_t version);

/* ---- changing ---- */

/* Fills q->cause (verb is the operation) and hangs it on q->req.op: who it is, and the
 * Idempotency-Key if the operation takes one. object: what it is done to, "" if complete() says it
 * later; detail: JSON without secrets, or NULL. */
bool cw_rest_cause(struct cw_rest_request *q, const char *object, const char *detail);
/* For what changes nothing in the store: q->req.op writes down who asked for it, to be submitted
 * first. detail: JSON, or NULL. */
void cw_rest_audit(struct cw_rest_request *q, const char *object, const char *detail);
/* The body as the detail of a cause, in as far as it fits; NULL: none. Not for bodies with secrets. */
const char *cw_rest_body_detail(struct cw_rest_request *q);
/* After a submit: a replayed answer is given as it was. true: that has been done. */
bool cw_rest_replayed(struct cw_rest_request *q);
/* What is new has been made: 201 with the object, Location (base and id) and ETag (version; 0: it has
 * none); or as it was answered the first time. Ids come first in our objects. */
void cw_rest_created(struct cw_rest_request *q, const char *base, uint64_t version,
	const struct cw_rest_object *o, const void *p);
/* What q->cause.answer is for an object: its text, or a code. Thread: the writer's too. */
int cw_rest_record(const struct cw_rest_object *o, const void *p, char *to, size_t n);
/* The request whose operation this is. Its `mine` and `arena` are at rest while the operation runs. */
struct cw_rest_request *cw_rest_of_op(const struct cw_op *op);
/* For a query that names what is not there: invalid-query, and which key. */
void cw_rest_problem_query(struct cw_rest_request *q, const char *key, const char *detail);
/* For a body in which one member does not go with the rest. */
void cw_rest_problem_member(
	struct cw_rest_request *q, enum cw_problem problem, const char *member, const char *detail);
/* Not within what the caller may: insufficient-scope, naming the scope and the member. */
void cw_rest_problem_scope(
	struct cw_rest_request *q, uint32_t missing, const char *member, const char *detail);
enum { CW_PLACE_STRLEN = 32 };
/* An address for people, with its psid where addresses are shared. */
const char *cw_rest_place(
	struct cw_addr4 addr, const struct cw_portset *ports, char to[static CW_PLACE_STRLEN]);
/* The first leases of the pool that are not free within lo..hi, into errs: their number or a code.
 * Wants a reader. */
int cw_rest_name_leases(struct cw_rest_request *q, uint64_t pool, struct cw_addr4 lo,
	struct cw_addr4 hi, struct cw_rest_errors *errs);
/* An object as the answer. */
void cw_rest_show(
	struct cw_rest_request *q, unsigned status, const struct cw_rest_object *o, const void *p);

/* ---- lists ---- */

struct cw_rest_list {
	const struct cw_rest_object *row, *query;
	const void *asked;  /* the query's struct */
	uint32_t limit;     /* rows of a page, 0: 100 */
	const char *cursor; /* NULL: from the start */
	bool count;
	/* Calls cw_rest_row() for up to max rows behind *at, in order, and moves *at to the last.
	 * Their number, or a code; *ret_more: there may be more behind it. */
	int (*page)(struct cw_rest_request *q, struct cw_rest_list *l, struct cw_store_reader *r,
		struct cw_cursor *at, unsigned max, bool *ret_more);
	/* How many there are in all; NULL: pages are counted. */
	int (*total)(struct cw_rest_request *q, struct cw_rest_list *l, struct cw_store_reader *r,
		uint64_t *ret);
	/* Of lists that the loop has: on its thread, notes up to max rows behind l->at for the page()
	 * that follows, which gets no reader. Else NULL. */
	void (*collect)(struct cw_rest_request *q, struct cw_rest_list *l);
	void *mine; /* the handler's */
	/* the list's */
	unsigned max; /* of collect */
	struct cw_cursor at;
	bool more, counting;
	enum cw_media as;
};
/* A list of such rows, as the query asks, with `mine` octets of zero for the handler; all of it is of
 * the arena. The rest is the handler's to fill. NULL: answered. */
struct cw_rest_list *cw_rest_take_list(struct cw_rest_request *q, const struct cw_rest_object *row,
	const struct cw_rest_object *query, size_t mine);
/* Answers with a page, or all rows as NDJSON or CSV if that is what Accept asks for. */
void cw_rest_list(struct cw_rest_request *q, struct cw_rest_list *l);
void cw_rest_row(struct cw_rest_request *q, const struct cw_rest_list *l, const void *row);
