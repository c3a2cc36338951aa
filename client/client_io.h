/* SPDX-License-Identifier: BSD-2-Clause */
/* The client at work: keeper, session, tunnel, hooks and control socket around one loop. Thread:
 * the caller's. */
#pragma once

#include <stdbool.h>

#include "base/defs.h"
#include "client/conf.h"

struct cw_client_opts {
	const struct cw_client_conf *conf;
	const char *password; /* NULL: none */
	bool once;            /* get a lease, print it, change nothing on the host */
	bool release;         /* once: give it back */
	bool json;            /* once: print JSON */
	bool background;      /* hooks print nothing: who started us may wait for the end of it */
	/* Called once: when the first lease holds (text: the lease as text) or when the client
	 * gives up (text: why). May be NULL. */
	void (*verdict)(void *arg, int code, const char *text);
	void *arg;
};

/* Runs until the end; the exit code. */
int cw_client_run(const struct cw_client_opts *opts);
