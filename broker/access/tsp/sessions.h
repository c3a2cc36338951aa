/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is connected over TSP: for those who look after the broker. Thread: the loop's. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "broker/access/tsp/access.h"

enum cw_tsp_session_is {
	CW_TSP_SESSION_LOGIN, /* not authenticated yet */
	CW_TSP_SESSION_READY,
	CW_TSP_SESSION_BUSY, /* an answer is due */
	CW_TSP_SESSION_CLOSING,
};

/* One session at one moment. */
struct cw_tsp_session_info {
	uint64_t id; /* grows; never given again by this process */
	enum cw_tsp_transport transport;
	bool is_unix;
	char peer[CW_ENDPOINT_STRLEN]; /* address and port; "unix" */
	/* "user:NAME"; of who is ANONYMOUS "ip6:ADDR" once it holds a lease here; else "" */
	char owner[CW_PRINCIPAL_MAX];
	char mechanism[24]; /* "": none yet */
	enum cw_tsp_session_is state;
	int64_t since_wall_s, last_wall_s; /* its begin; when its peer last sent something */
	unsigned leases;                   /* whose end it will be told of */
	uint64_t requests;
	uint64_t octets_in, octets_out; /* of TSP: without TLS, retransmissions and headers */
};

/* Shows the sessions with ids over `after`, in their order, until fn returns false. fn must not end
 * sessions. */
void cw_tsp_sessions(const struct cw_tsp_access *a, uint64_t after,
	bool (*fn)(void *arg, const struct cw_tsp_session_info *info), void *arg);
/* Ends it: what was said goes out, its offers are given back, its leases stay. -ENOENT: there is
 * none, or it ends already. */
int cw_tsp_sessions_end(struct cw_tsp_access *a, uint64_t id) CW_MUST_CHECK;
