/* SPDX-License-Identifier: BSD-2-Clause */
/* What one source may take: connections per address and per network (IPv6 /64, IPv4 /24), requests
 * per second, and the delay of failing logins. TSP has one of these; REST has two, of which it uses
 * the requests only (a source may be a token there). Time is an argument. A source without
 * connections, debts or failures is forgotten; the number of sources remembered is bounded. Thread:
 * its owner's, one at a time: the loop's for TSP, whoever has the lock of broker/rest/auth.c. */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>

#include "base/addr.h"
#include "base/defs.h"

struct cw_limits;

struct cw_limits_config {
	unsigned per_source, per_network; /* connections */
	unsigned requests_per_s;          /* with a burst of twice that */
	unsigned backoff_ms, backoff_max_ms;
};

/* The address limits go by: IPv4 is v4-mapped. */
struct cw_source {
	struct cw_addr6 addr;
	bool exempt; /* loopback, Unix socket */
};

int cw_limits_new(
	const struct cw_limits_config *conf, struct cw_limits **ret) CW_MUST_CHECK; /* given */
struct cw_limits *cw_limits_free(struct cw_limits *l);
void cw_limits_configure(struct cw_limits *l, const struct cw_limits_config *conf);

struct cw_source cw_source_of(const struct sockaddr *sa);      /* NULL: Unix socket */
struct cw_source cw_source_network(const struct cw_source *s); /* the whole /64 or /24 as one */
/* true: it may come in, and cw_limits_leave() must follow. */
bool cw_limits_enter(struct cw_limits *l, const struct cw_source *s, int64_t now_ms) CW_MUST_CHECK;
void cw_limits_leave(struct cw_limits *l, const struct cw_source *s, int64_t now_ms);
/* One request. false: too many. */
bool cw_limits_request(
	struct cw_limits *l, const struct cw_source *s, int64_t now_ms) CW_MUST_CHECK;
/* A login failed: for how long the verdict is to be held back. The first is told at once. */
uint32_t cw_limits_login_failed(struct cw_limits *l, const struct cw_source *s, int64_t now_ms);
void cw_limits_login_good(struct cw_limits *l, const struct cw_source *s);
size_t cw_limits_count(const struct cw_limits *l); /* sources remembered */
