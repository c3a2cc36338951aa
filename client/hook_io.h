/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs the operator's hook: one program at a time, in the order of what happened, each bounded in
 * time. No shell: one argument, facts in the environment (causeway(1), HOOKS). Thread: the loop's.
 */
#pragma once

#include <stdbool.h>

#include "base/defs.h"
#include "base/loop.h"
#include "client/keeper.h"

struct cw_hooks;

/* What a hook is told. Strings are borrowed for the call. */
struct cw_hook_facts {
	const char *event;  /* "up", "renew", "down", "expire" */
	const char *reason; /* for down and expire; else NULL */
	const char *device;
	const char *kind;
	unsigned mtu;
	const struct cw_keeper_lease *lease;
};

/* program NULL: no hook, and cw_hooks_run() does nothing. mark: in the file MARK.hook stands which
 * hook runs, for the client after one that was killed: it lets that hook end first, within the same
 * timeout. quiet: what hooks print goes nowhere, else to standard error. drained(arg) is called when
 * the last hook has ended (never from inside cw_hooks_run). Strings are borrowed. *ret: given. */
int cw_hooks_new(struct cw_loop *loop, const char *program, const char *mark, unsigned timeout_s,
	bool quiet, void (*drained)(void *arg), void *arg, struct cw_hooks **ret) CW_MUST_CHECK;
struct cw_hooks *cw_hooks_free(struct cw_hooks *h); /* kills what runs; returns NULL */
/* Queues a hook. When too many wait, what changes nothing is left out: a renewal that another one
 * follows, then an up together with the down of the same tunnel. A down alone never is. */
void cw_hooks_run(struct cw_hooks *h, const struct cw_hook_facts *facts);
bool cw_hooks_busy(const struct cw_hooks *h);
