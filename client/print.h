/* SPDX-License-Identifier: BSD-2-Clause */
/* How a lease and the client's status look: for people, and as one line of JSON for programs
 * (causeway(1), OUTPUT). Thread: any. */
#pragma once

#include "base/bytes.h"
#include "client/dti/dti.h"
#include "client/keeper.h"

/* What print and status tell about a session; strings are borrowed. */
struct cw_print_facts {
	const struct cw_keeper_lease *lease; /* NULL: none */
	const char *version;                 /* of TSP; NULL: not known */
	const char *mechanism;               /* NULL: none */
	bool tls;
	int64_t left_ms; /* of the lease */
	/* status only */
	const char *state;
	const char *error;  /* NULL or empty: none */
	const char *device; /* NULL: no tunnel */
	const char *kind;
	unsigned mtu;
	int64_t renew_in_ms;
	unsigned renewals;
	unsigned failures;                /* in a row */
	int64_t next_try_in_ms;           /* < 0: none is waited for */
	const struct cw_dti_stats *stats; /* NULL: no tunnel */
};

void cw_print_lease(struct cw_writer *w, const struct cw_print_facts *f, bool json);
void cw_print_status(struct cw_writer *w, const struct cw_print_facts *f, bool json);
/* A JSON string with its quotes; NULL is null. */
void cw_print_json_str(struct cw_writer *w, const char *s);
