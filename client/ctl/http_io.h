/* SPDX-License-Identifier: BSD-2-Clause */
/* HTTP to the broker: over its Unix socket, or https, by libcurl. One request at a time on a connection that is kept.
 * Nothing of the environment (proxies, netrc) is heeded. Thread: the owner's. */
#pragma once

#include <stdbool.h>

#include "base/defs.h"
#include "schema/rest/route.h"

struct cw_ctl_http;

/* Who to ask, and as whom. All borrowed. */
struct cw_ctl_peer {
	const char *socket;          /* used without url */
	const char *url;             /* https://..., or http:// of a loopback address */
	const char *ca, *cert, *key; /* files, or NULL */
	const char *token;           /* or NULL */
	unsigned timeout_s;
};

/* Octets of a successful answer as they come. < 0 ends the request, which gives that code; 1: it is
 * enough, the rest is not fetched. */
typedef int cw_ctl_sink_t(void *arg, const char *p, size_t n);

struct cw_ctl_request {
	enum cw_rest_method method;
	const char *path, *query; /* query: NULL or "": none */
	const char *body;         /* JSON, or NULL */
	size_t body_n;
	const char *if_match; /* the tag with its quotes; or NULL */
	/* Idempotency-Key; or NULL. With one the request is repeated if the connection breaks. */
	const char *key;
	const char *accept;     /* NULL: JSON */
	const char *last_event; /* Last-Event-ID; or NULL */
	bool stream;            /* no end is expected; broken off after 45 s of silence */
	cw_ctl_sink_t *sink;    /* NULL: the answer's body is kept */
	void *arg;
};

enum { CW_CTL_ETAG_MAX = 72 }; /* with NUL */

struct cw_ctl_answer {
	long status;
	char *body; /* NUL-terminated; given; NULL: none */
	size_t n, cap;
	char type[64], etag[CW_CTL_ETAG_MAX], request_id[72];
	uint64_t retry_after_s; /* UINT64_MAX: none */
	int64_t date_s;         /* its Date; -1: none */
};

/* 0; CW_E_SYNTAX: *why tells what is wrong with the peer; -ENOMEM. */
int cw_ctl_http_open(const struct cw_ctl_peer *peer, struct cw_ctl_http **ret, char *why,
	size_t why_n) CW_MUST_CHECK;
struct cw_ctl_http *cw_ctl_http_close(struct cw_ctl_http *h); /* NULL is fine; returns NULL */

/* 0: there was an answer, whatever its status (free it with cw_ctl_answer_done). Else a code: -EACCES (the socket is not
 * ours to open), -ETIMEDOUT, -ECONNREFUSED and the like, CW_E_AUTH (TLS), -EINVAL (our own certificate, key or CA
 * file), CW_E_LIMIT (too long), CW_E_SYNTAX (with a sink: of another media type than asked for), the sink's; and
 * cw_ctl_http_why() says it. */
int cw_ctl_http_do(struct cw_ctl_http *h, const struct cw_ctl_request *q,
	struct cw_ctl_answer *ret) CW_MUST_CHECK;
void cw_ctl_answer_done(struct cw_ctl_answer *a);
const char *cw_ctl_http_why(const struct cw_ctl_http *h); /* borrowed until the next request */
/* What to do about it; NULL: nobody knows. */
const char *cw_ctl_http_remedy(const struct cw_ctl_http *h);
/* Whether an answer had begun when it failed. */
bool cw_ctl_http_began(const struct cw_ctl_http *h);

/* Waits. false: a signal came first. */
bool cw_ctl_wait(unsigned ms);
