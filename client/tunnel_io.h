/* SPDX-License-Identifier: BSD-2-Clause */
/* The client's tunnel as its loop sees it: the interface of a lease, and what its packet thread
 * reports, brought to the loop's thread. What other programs do to the device is put right, a few
 * times a minute. Thread: the loop's. */
#pragma once

#include <stdatomic.h>

#include "base/loop.h"
#include "client/conf.h"
#include "client/dti/dti.h"
#include "client/keeper.h"

/* Look at `dti`, NULL while there is no tunnel; the rest is its own. */
struct cw_tunnel {
	struct cw_dti *dti;
	struct cw_loop *loop;
	void (*unbound)(void *arg); /* the TEP does not know the lease */
	void (*failed)(void *arg);  /* the device is of no use any more */
	void *arg;
	struct cw_loop_task task;
	_Atomic bool posted;
	_Atomic bool is_unbound;
	_Atomic int new_mtu, failure; /* 0: none */
	struct cw_timer *look;        /* at the device; NULL: nobody looks */
	bool looking;                 /* the timer runs */
	unsigned repairs;             /* since `repairs_at`, monotonic ms */
	int64_t repairs_at;
};

void cw_tunnel_init(struct cw_tunnel *t, struct cw_loop *loop, void (*unbound)(void *arg),
	void (*failed)(void *arg), void *arg);
/* Makes the interface of the lease. 0, or as cw_dti_open(). */
int cw_tunnel_open(struct cw_tunnel *t, const struct cw_client_conf *conf,
	const struct cw_keeper_lease *lease, const char **ret_what) CW_MUST_CHECK;
/* The lease was renewed. */
void cw_tunnel_extend(struct cw_tunnel *t, const struct cw_keeper_lease *lease);
/* Somebody may have changed the device: it is looked at in a moment, and put right. */
void cw_tunnel_changed(struct cw_tunnel *t);
/* No callback after this; without a tunnel nothing. */
void cw_tunnel_close(struct cw_tunnel *t);
