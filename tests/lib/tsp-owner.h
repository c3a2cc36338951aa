/* SPDX-License-Identifier: BSD-2-Clause */
/* An owner of a TSP server session without network, store and SASL library: it writes down what the
 * session does as one text and answers by a few fixed rules, at once or when told. For tests and
 * fuzzers.
 *
 * The record: every write is "<" text ">", an empty datagram "<>"; other callbacks are words in
 * brackets. */
#pragma once

#include <stdbool.h>

#include "schema/tsp/server.h"

struct tsp_owner {
	struct cw_tsp_server_conf conf;
	struct cw_tsp_server *server;
	int64_t now_ms;
	bool hold; /* answers wait for tsp_owner_answer() */
	bool sasl_due, request_due;
	enum cw_tsp_sasl_result sasl_result;
	const char *sasl_data;
	enum cw_tsp_event event; /* what create is answered with */
	uint32_t fail_delay_ms;
	unsigned requests, writes;
	bool closed;
	enum cw_tsp_close reason;
	struct cw_tsp_msg msg; /* the last request */
	size_t n;
	char record[32768], heard[32768];
};

/* The rules: ANONYMOUS is let in; PLAIN and SCRAM-SHA-256 (client first) want "\0alice\0secret";
 * DIGEST-MD5 says "challenge", wants "response" and ends with "rspauth"; EXTERNAL is busy. create
 * offers 192.0.2.10 (a renewal is confirmed), delete is confirmed, info is answered. */
void tsp_owner_init(struct tsp_owner *o, const char *mechs);
/* Begins a session with o->conf. */
void tsp_owner_start(struct tsp_owner *o);
void tsp_owner_done(struct tsp_owner *o);
void tsp_owner_input(struct tsp_owner *o, const void *p, size_t n);
/* What was held back is answered now. */
void tsp_owner_answer(struct tsp_owner *o);
/* Moves the time and ticks at every deadline on the way. */
void tsp_owner_sleep(struct tsp_owner *o, int64_t ms);
/* The offer, renewal reply or push for 2001:db8::1 and 192.0.2.10. */
struct cw_tsp_msg tsp_owner_lease(enum cw_tsp_action action);
/* What was recorded since the last call; borrowed until the next call. */
const char *tsp_owner_record(struct tsp_owner *o);
