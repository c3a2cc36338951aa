/* SPDX-License-Identifier: BSD-2-Clause */
/* One request of an operator as its handler sees it. A handler runs on a thread of the server and
 * never blocks. Its last act is one of these:
 *
 *	cw_rest_answer(), cw_rest_stream()	the answer is there
 *	cw_rest_submit()			the engine does q->req.op; q->fn runs when it is done
 *	cw_rest_on_loop()			fn runs on the loop's thread, then q->fn here
 *
 * q->fn is a handler too. Everything a request has goes with it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/defs.h"
#include "broker/lease/engine.h"
#include "broker/rest/who.h"
#include "schema/rest/json_out.h"
#include "schema/rest/problem.h"
#include "schema/rest/route.h"

enum {
	CW_REST_HEADERS = 8,
	CW_REST_BODY_MAX = 1 << 20,
	CW_REST_ARENA_MAX = 8 << 20,
	CW_REST_ANSWER_MAX = 16 << 20,
};

struct cw_rest;
struct cw_rest_request;
typedef void cw_rest_handler_t(struct cw_rest_request *q);

struct cw_rest_request {
	struct cw_rest *rest;
	struct cw_route route;                     /* op: CW_REST_OPS until it is known */
	const struct cw_rest_operation *operation; /* NULL until then */
	const char *path;                          /* as it came, without the query; borrowed */
	const char *query; /* as it came, without "?"; "" if there is none */
	const char *body;
	size_t body_n;
	char id[33]; /* X-Request-Id */
	struct cw_rest_who who;
	struct cw_arena *arena; /* for whatever the handler needs until the answer is sent */
	bool secret;            /* the body has a password */
	int64_t begun_us;
	/* the answer */
	unsigned status;
	enum cw_problem problem; /* if it is one */
	const char *type;        /* of the body; constant */
	struct cw_json_out out;
	struct {
		const char *name;  /* constant */
		const char *value; /* of the arena */
	} header[CW_REST_HEADERS];
	unsigned n_headers;
	bool close; /* the connection with it */
	/* what is under way */
	struct cw_engine_req req;
	struct cw_op_cause cause;
	cw_rest_handler_t *fn;
	void *mine;                     /* the handler's own, from the arena */
	struct cw_store_reader *reader; /* see cw_rest_reader() */
	struct cw_rest_names *names;    /* handle.c's */
};

/* A header of the request, or NULL. Borrowed, until the answer. */
const char *cw_rest_header(const struct cw_rest_request *q, const char *name);
/* Adds one to the answer; name is constant, value is copied. */
void cw_rest_add_header(struct cw_rest_request *q, const char *name, const char *value);
/* q->out is the body. type NULL: there is none. */
void cw_rest_answer(struct cw_rest_request *q, unsigned status, const char *type);
void cw_rest_answer_json(struct cw_rest_request *q, unsigned status);
/* A problem instead: whatever was written of the answer is dropped. fmt may be NULL. */
void cw_rest_problem(struct cw_rest_request *q, enum cw_problem problem, const char *fmt, ...)
	CW_PRINTF(3, 4);
/* All of it but the request's id. */
void cw_rest_problem_text(struct cw_rest_request *q, const struct cw_problem_text *text);
/* All that is wrong with it. */
void cw_rest_problem_errors(
	struct cw_rest_request *q, enum cw_problem problem, const struct cw_rest_errors *errs);
/* For a code of the store or the engine that no handler has a better word for. */
void cw_rest_problem_code(struct cw_rest_request *q, int code);
/* q->req.op is filled but for its time; then comes fn. */
void cw_rest_submit(struct cw_rest_request *q, cw_rest_handler_t *fn);
/* on_loop runs on the loop's thread and must not answer; then comes fn. In pull() of a stream, which
 * returns 0 then, no fn but pull() comes again. */
void cw_rest_on_loop(struct cw_rest_request *q, cw_rest_handler_t *on_loop, cw_rest_handler_t *fn);

/* An answer of unknown length: pull gives the next octets (up to n): their number, 0: none yet (it
 * has called cw_rest_stream_wait()), -1: the end, -2: cut, something failed. free is called when it
 * is over. q lives as long. */
struct cw_rest_stream {
	ssize_t (*pull)(struct cw_rest_request *q, char *to, size_t n);
	void (*free)(struct cw_rest_request *q);
};
void cw_rest_stream(struct cw_rest_request *q, unsigned status, const char *type,
	const struct cw_rest_stream *stream);
void cw_rest_stream_wait(struct cw_rest_request *q);
void cw_rest_stream_wake(struct cw_rest_request *q); /* any thread; once for each wait */
