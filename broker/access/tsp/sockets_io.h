/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the TSP sockets share. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <uv.h>

#include "base/list.h"
#include "base/tls.h"
#include "broker/access/tsp/access.h"
#include "broker/access/tsp/session.h"
#include "schema/tsp/udp.h"

enum {
	CW_TSP_READ_BUF = 16384,    /* shared by all connections: what is read is used at once */
	CW_TSP_WRITE_PAUSE = 16384, /* a peer that does not read is not read from beyond this */
	CW_TSP_WRITE_MAX = 262144,  /* and is cut off beyond this */
	CW_TSP_LINGER_MS = 2000,
	CW_TSP_LINGER_OCTETS = 65536,
	CW_TSP_LISTENERS_MAX = 64,
};

union cw_tsp_stream {
	uv_handle_t handle;
	uv_stream_t stream;
	uv_tcp_t tcp;
	uv_pipe_t pipe;
};

/* A context may still be used by connections after a reload. */
struct cw_tsp_tls {
	unsigned refs;
	struct cw_tls_ctx *ctx;
	int64_t cert_ends_s, ca_ends_s;
};

struct cw_tsp_listener {
	struct cw_tsp_io *io;
	union cw_tsp_stream h;
	bool tls, is_unix, open;
	bool paused; /* at the cap: one waits in libuv, the listener stands still */
	char name[CW_ENDPOINT_STRLEN];
};

struct cw_tsp_udp_socket {
	struct cw_tsp_io *io;
	uv_poll_t poll;
	uv_timer_t timer;
	unsigned handles; /* of the two, not closed yet */
	int fd, family;
	unsigned index;
	struct cw_tsp_udp *udp;
	char name[CW_ENDPOINT_STRLEN];
};

struct cw_tsp_io {
	struct cw_tsp_access *access;
	uv_loop_t *uv;
	struct cw_tsp_listener *listener[CW_TSP_LISTENERS_MAX];
	unsigned n_listeners;
	struct cw_tsp_udp_socket *udp[CW_TSP_LISTENERS_MAX];
	unsigned n_udp;
	struct cw_list conns;
	size_t n_conns, n_handles; /* handles: listeners and UDP, not closed yet */
	size_t cap;
	unsigned long nofile;
	struct cw_tsp_tls *tls; /* of new connections */
	bool stopping;
	void (*stopped)(void *arg);
	void *stopped_arg;
	char read_buf[CW_TSP_READ_BUF];
};

/* conn_io.c */
void cw_tsp_conn_accept(struct cw_tsp_listener *l);
void cw_tsp_conns_stop(struct cw_tsp_io *io, bool now);

/* listen_io.c */
void cw_tsp_io_conn_gone(struct cw_tsp_io *io);
void cw_tsp_io_check_stopped(struct cw_tsp_io *io);
struct cw_tsp_tls *cw_tsp_tls_unref(struct cw_tsp_tls *t);

/* udp_io.c: on the address a TCP listener got. */
int cw_tsp_udp_open(struct cw_tsp_io *io, const struct sockaddr *sa, bool only6,
	unsigned half_open_max, char *why, size_t why_n) CW_MUST_CHECK;
void cw_tsp_udp_stop(struct cw_tsp_udp_socket *u);
