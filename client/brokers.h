/* SPDX-License-Identifier: BSD-2-Clause */
/* Which broker to ask next: the configured ones in their order, lists that brokers redirect to, the
 * one that gave the lease. A round visits each at most once and follows at most CW_BROKER_HOPS
 * redirects in a row (guide tsp.md 11). Thread: the owner's. */
#pragma once

#include <stdbool.h>

#include "base/defs.h"
#include "schema/tsp/tsp.h"

enum {
	CW_BROKER_HOPS = 5,
	CW_BROKERS_MAX = 64,      /* known at a time */
	CW_BROKER_HOST_MAX = 256, /* with NUL */
	CW_BROKER_PORT = 3653,
	CW_BROKER_TLS_PORT = 3654,
};

struct cw_broker {
	char host[CW_BROKER_HOST_MAX]; /* name or address without brackets, lower case */
	uint16_t port;
	uint8_t hops; /* redirects that led here; 0: configured */
	bool exposed; /* learned over a connection without TLS: no PLAIN there (guide tsp.md 11) */
	bool visited; /* in this round */
	const char *version; /* of TSP that it took; NULL: not known. Static */
};

struct cw_brokers {
	struct cw_broker list[CW_BROKERS_MAX];
	unsigned n;
	unsigned n_configured; /* the first of them */
	int current;           /* -1: none */
	int home;              /* gave the lease; -1: none */
	bool tls;
};

/* "host", "host:port", "[v6]", "[v6]:port", or a bare IPv6 address. 0, CW_E_SYNTAX. */
int cw_broker_parse(const char *text, uint16_t default_port, struct cw_broker *ret) CW_MUST_CHECK;
/* "host:port" or "[v6]:port". */
#define CW_BROKER_STRLEN (CW_BROKER_HOST_MAX + 8)
char *cw_broker_str(const struct cw_broker *b, char buf[static CW_BROKER_STRLEN]);

void cw_brokers_init(struct cw_brokers *b, bool tls);
/* A configured broker. 0, CW_E_SYNTAX, CW_E_LIMIT. */
int cw_brokers_add(struct cw_brokers *b, const char *text) CW_MUST_CHECK;
/* Starts a round: nobody is visited; what was learned is forgotten, but not the home. */
void cw_brokers_begin(struct cw_brokers *b);
/* The next one of this round (home first, then what the last redirect named, then the configured),
 * visited from now on; NULL: the round is over. Borrowed until the next call of begin. */
const struct cw_broker *cw_brokers_next(struct cw_brokers *b);
/* There is one left to visit in this round. */
bool cw_brokers_left(const struct cw_brokers *b);
/* The current broker named others: those not known yet are tried next. How many were taken; 0: none
 * (too many hops, all known, or not usable). */
unsigned cw_brokers_redirect(struct cw_brokers *b, const struct cw_tsp_msg *msg);
/* The current broker is the home from now on. */
void cw_brokers_settle(struct cw_brokers *b);
