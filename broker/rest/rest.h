/* SPDX-License-Identifier: BSD-2-Clause */
/* The operators' API: HTTP/1.1 on a Unix socket and, if configured, on TCP (schema/rest/openapi.yaml
 * says what it speaks). Threads: libmicrohttpd's own run the handlers; they read through readers of
 * their own and hand what changes something to the loop, which submits it to the engine. The
 * functions here are the loop's. */
#pragma once

#include <stddef.h>

#include "base/defs.h"
#include "base/loop.h"
#include "broker/access/tsp/access.h"
#include "broker/events/hub.h"
#include "broker/jobs/jobs.h"
#include "broker/lease/engine.h"
#include "broker/reload.h"
#include "broker/settings.h"
#include "db/store.h"

struct cw_rest;

struct cw_rest_parts {
	struct cw_loop *loop; /* all borrowed */
	struct cw_engine *engine;
	struct cw_store *store;
	struct cw_hub *hub;
	struct cw_jobs *jobs;
	struct cw_tsp_access *tsp;
	struct cw_reload *reload;
	struct cw_config *config; /* referenced */
};

/* Opens the sockets and serves. 0, or a code with one line in why. *ret given. */
int cw_rest_new(const struct cw_rest_parts *parts, char *why, size_t why_n,
	struct cw_rest **ret) CW_MUST_CHECK;
/* Where it listens, blank-separated: "unix:PATH", "127.0.0.1:8653". Returns to. */
const char *cw_rest_bound(const struct cw_rest *r, char *to, size_t n);
/* Reads the certificate and key of TLS again, from where they were at the start; for connections from
 * now on. On failure nothing changed. */
int cw_rest_reload(struct cw_rest *r) CW_MUST_CHECK;
/* Takes no new requests, ends streams, and calls done when no request is under way. */
void cw_rest_stop(struct cw_rest *r, void (*done)(void *arg), void *arg);
size_t cw_rest_active(const struct cw_rest *r); /* requests that are not over */
/* Nothing is active. Joins the threads. NULL is fine. */
struct cw_rest *cw_rest_free(struct cw_rest *r);
