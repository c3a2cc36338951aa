/* SPDX-License-Identifier: BSD-2-Clause */
/* What stands between HTTP (server_io.c) and what is asked (rest.c). */
#pragma once

#include <stdbool.h>

#include "broker/rest/request.h"

struct cw_rest_listener;

struct cw_rest_server_conf {
	int fd;               /* listening; the server's from now on, also on failure */
	bool is_unix, is_tls; /* by the certificate of tls.h */
	const char *tls_ca;   /* PEM text, or NULL: clients' certificates are not asked for */
	unsigned connections;
	unsigned receive_s; /* in which a request must have arrived */
	unsigned threads;
};

/* One listening socket and its threads. */
int cw_rest_listener_open(struct cw_rest *r, const struct cw_rest_server_conf *conf,
	struct cw_rest_listener **ret) CW_MUST_CHECK;
void cw_rest_listener_quiesce(struct cw_rest_listener *l); /* accepts no more */
/* Ends connections on which requests do not come to their end; now and then, on the loop. */
void cw_rest_listener_sweep(struct cw_rest_listener *l);
/* Ends the connections of streams whose readers do not read: any thread. */
void cw_rest_listener_cut(struct cw_rest_listener *l);
/* Nothing may be suspended. Joins the threads. NULL is fine. */
struct cw_rest_listener *cw_rest_listener_close(struct cw_rest_listener *l);

/* ---- rest.c, called by server_io.c on its threads ---- */

/* Who has connected: a Unix socket, or an address (NULL: unknown). */
void cw_rest_peer(struct cw_rest_request *q, int unix_fd, const struct sockaddr *sa);
/* A name that its verified client certificate is for. */
void cw_rest_peer_name(void *q, const char *name);
/* The head is there: who is it, is there such a thing, may it. false: q has its answer. */
bool cw_rest_admit(struct cw_rest_request *q, const char *method);
/* The body too. */
void cw_rest_run(struct cw_rest_request *q);
/* Begins and ends with each request. */
/* Gives back what a handler that waits must not keep from others. */
void cw_rest_waits(struct cw_rest_request *q);
void cw_rest_entered(struct cw_rest *r, struct cw_rest_request *q);
void cw_rest_left(struct cw_rest *r, struct cw_rest_request *q);
struct cw_loop *cw_rest_loop(struct cw_rest *r);
struct cw_engine *cw_rest_engine(struct cw_rest *r);
