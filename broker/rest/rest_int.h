/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the API share. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "base/loop.h"
#include "broker/rest/auth.h"
#include "broker/rest/counters.h"
#include "broker/rest/readers.h"
#include "broker/rest/rest.h"
#include "broker/rest/roles.h"
#include "broker/rest/server.h"
#include "schema/rest/cursor.h"

enum { CW_REST_LISTENERS_MAX = 16, CW_REST_THREADS = 2, CW_REST_TICK_MS = 5000 };

struct cw_rest {
	struct cw_rest_parts parts;
	struct cw_rest_roles *roles;
	struct cw_rest_auth *auth;
	struct cw_rest_readers *readers;
	struct cw_rest_listener *listener[CW_REST_LISTENERS_MAX];
	unsigned n_listeners;
	char bound[1024];
	_Atomic int64_t cert_ends_s; /* certificates in force; 0: none */
	int64_t ca_ends_s;
	/* any thread */
	_Atomic bool stopping;
	_Atomic size_t active; /* requests that have begun and are not over */
	struct cw_rest_counters *counters;
	_Atomic int64_t wall_minus_steady_s;
	_Atomic unsigned streams;        /* of events */
	struct cw_cursor_key cursor_key; /* constant after the start */
	uint8_t session_key[32];         /* likewise: cookies end with the process */
	/* the loop's */
	struct cw_timer *clock_timer;
	uint64_t failures_told;      /* of wrong tokens */
	struct cw_timer *tick_timer; /* of event streams */
	struct cw_timer *stop_timer;
	int64_t cut_at_us;
	void (*stopped)(void *arg);
	void *stopped_arg;
};
