/* SPDX-License-Identifier: BSD-2-Clause */
/* Live events: what the store reports after each commit, kept for a while in memory and handed to
 * whoever follows. Events have ids that grow in the order of commits, so a follower that is behind
 * what is kept reads the database up to it and misses nothing. Threads: cw_hub_events() the store's
 * writer; the rest any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/defs.h"
#include "base/list.h"
#include "db/store.h"

struct cw_hub;

/* Events kept; 0: 4096. */
int cw_hub_new(size_t kept, struct cw_hub **ret) CW_MUST_CHECK;
struct cw_hub *cw_hub_free(struct cw_hub *h); /* nobody follows. NULL is fine */

/* The store's hook. arg is the hub. */
void cw_hub_events(void *arg, const struct cw_live_event *events, size_t n);

struct cw_hub_follower {
	struct cw_list in_hub; /* the hub's */
	uint64_t after;        /* the last one it has got */
	bool waits;            /* the hub's */
	/* Called once for each CW_HUB_WAIT, under the hub's lock: must not call the hub. */
	void (*wake)(struct cw_hub_follower *f);
};

/* Follows from what comes now (after 0), or after an id. */
void cw_hub_follow(struct cw_hub *h, struct cw_hub_follower *f, uint64_t after);
void cw_hub_leave(struct cw_hub *h, struct cw_hub_follower *f); /* also if it does not follow */

/* The next event after f->after, which moves on: CW_HUB_EVENT and *ret; CW_HUB_BEHIND: it is not
 * kept any more, read the database and set f->after; CW_HUB_WAIT: there is none, suspend(f) was
 * called under the lock and wake() will be. */
enum cw_hub_next { CW_HUB_EVENT, CW_HUB_BEHIND, CW_HUB_WAIT };
enum cw_hub_next cw_hub_next(struct cw_hub *h, struct cw_hub_follower *f,
	void (*suspend)(struct cw_hub_follower *f), struct cw_event *ret);
/* Wakes all who wait, for good or because time has passed. */
void cw_hub_wake(struct cw_hub *h);
size_t cw_hub_followers(struct cw_hub *h);
/* The newest id seen. */
uint64_t cw_hub_newest(struct cw_hub *h);
