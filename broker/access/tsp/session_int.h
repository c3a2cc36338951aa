/* SPDX-License-Identifier: BSD-2-Clause */
/* A session of TSP as the files of this folder see it. */
#pragma once

#include "base/list.h"
#include "broker/access/tsp/session.h"

struct request;

struct cw_tsp_session {
	struct cw_tsp_access *access;
	struct cw_tsp_profile *profile;
	const struct cw_tsp_session_ops *ops;
	void *io;
	struct cw_tsp_server *server;
	struct cw_tsp_peer peer;
	struct cw_auth_exchange *auth;
	char *external;
	uint64_t id; /* in the order they began; never given again */
	struct cw_list in_access;
	int64_t since_ms, last_ms; /* when it began, when its peer last sent something */
	uint64_t requests, octets_in, octets_out;
	bool authenticated, anonymous, closed;
	char *user;              /* authenticated and not anonymous */
	struct request *request; /* session.c's; NULL: none runs */
	struct cw_list holds;
	unsigned n_holds;
};

/* A lease this session's client knows of. */
struct cw_tsp_hold {
	struct cw_list in_session;
	struct cw_engine_sub sub;
	struct cw_tsp_session *session;
	uint64_t lease, tep;
	struct cw_addr4 addr;
	struct cw_portset ports;
	struct cw_addr6 client6;
	bool offered;
};
