/* SPDX-License-Identifier: BSD-2-Clause */
/* The TSP access: what all its sessions share. session.c decides what a message means for leases,
 * tsp_io.c and udp_io.c have the sockets. It holds no lease state: only which connection heard of
 * which lease. Thread: the loop's. */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/defs.h"
#include "base/list.h"
#include "base/loop.h"
#include "base/map.h"
#include "broker/access/tsp/netcount.h"
#include "broker/auth/auth.h"
#include "broker/auth/limits.h"
#include "broker/lease/engine.h"
#include "broker/settings.h"
#include "schema/tsp/server.h"

enum cw_tsp_transport { CW_TSP_ON_TCP, CW_TSP_ON_TLS, CW_TSP_ON_UDP, CW_TSP_TRANSPORTS };

/* What the configuration says, as sessions use it. Immutable; a reload makes a new one, old
 * sessions keep theirs. */
struct cw_tsp_profile {
	unsigned refs;
	struct cw_tsp_server_conf conf[CW_TSP_TRANSPORTS][2]; /* [][loopback] */
	char *mechs[CW_TSP_TRANSPORTS];
	struct cw_tsp_broker *brokers;
	char **broker_text;
	unsigned n_brokers;
	bool redirect_always, minutes, anonymous_source_check;
	struct cw_prefix6 *client_prefix;
	size_t n_client_prefix;
	unsigned leases_per_principal, leases_per_network, pending_max;
};

struct cw_tsp_stats {
	uint64_t sessions[CW_TSP_TRANSPORTS];
	uint64_t closes[CW_TSP_CLOSE_NOMEM + 1];
	uint64_t answers[CW_TSP_EVENTS];
	uint64_t logins, login_failures, login_busy;
	uint64_t failures_of[CW_CONFIG_MECHANISMS + 1]; /* the last: of no mechanism we know */
	uint64_t creates, deletes, infos, accepts, rejects, strays;
	uint64_t pushes, push_failures, delete_acks, offers_lost;
	uint64_t refused_full, refused_source, refused_nofile;
	uint64_t udp_datagrams, udp_short, udp_marker, udp_replayed, udp_full, udp_early;
	uint64_t tls_failures, write_overruns;
	size_t open[CW_TSP_TRANSPORTS]; /* now */
	int64_t cert_ends_s, ca_ends_s; /* certificates in force; 0: none */
};

struct cw_tsp_access {
	struct cw_loop *loop;
	const struct cw_clock *clock;
	struct cw_engine *engine;
	struct cw_auth *auth;
	struct cw_limits *limits;
	struct cw_netcount *networks;   /* leases of ANONYMOUS clients per network */
	struct cw_tsp_profile *profile; /* of new sessions */
	struct cw_map *offers;   /* lease -> the session's note of it, while nobody accepted */
	unsigned pending;        /* requests in the engine, */
	struct cw_list requests; /* and which */
	struct cw_list sessions; /* all there are, in the order of their ids */
	uint64_t session_ids;
	bool stopping;
	struct cw_tsp_stats stats;
	uint64_t failures_told; /* of the events */
	int64_t told_ms;
};

/* engine, auth: borrowed. *ret given. CW_E_SYNTAX, CW_E_LIMIT: redirects or mechanisms do not fit
 * the protocol. */
int cw_tsp_access_new(struct cw_loop *loop, struct cw_engine *engine, struct cw_auth *auth,
	const struct cw_config *conf, struct cw_tsp_access **ret) CW_MUST_CHECK;
/* Limits, redirects, mechanisms, policy for sessions from now on. On failure nothing changed. */
int cw_tsp_access_reload(struct cw_tsp_access *a, const struct cw_config *conf) CW_MUST_CHECK;
struct cw_tsp_access *cw_tsp_access_free(
	struct cw_tsp_access *a); /* no session is left. NULL is fine */
struct cw_tsp_profile *cw_tsp_profile_ref(struct cw_tsp_profile *p);
struct cw_tsp_profile *cw_tsp_profile_unref(struct cw_tsp_profile *p);
int64_t cw_tsp_access_now_ms(const struct cw_tsp_access *a);
/* Counts it, logs it and makes it an event, the last two not too often. mech, name: NULL if there
 * is none. */
void cw_tsp_access_login_failed(
	struct cw_tsp_access *a, const char *mech, const char *name, const struct sockaddr *from);
/* Every transition of a lease (CW_OUTBOX_*) passes here, for the counts per network. */
void cw_tsp_access_transition(struct cw_tsp_access *a, int what, const struct cw_lease *lease);
