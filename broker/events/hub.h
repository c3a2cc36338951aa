/* SPDX-License-Identifier: BSD-2-Clause */
/* Live events: what the store reports after each commit, kept for a while in memory and handed to
 * whoever follows. Events have ids that grow in the order of commits, so a follower that is behind
 * what is kept reads the database up to it and misses nothing. Who follows is woken from the loop,
 * a few times per second at most, so that a thousand of them cost the store's writer nothing.
 * Threads: cw_hub_events() the store's writer; new and free the loop's; the rest any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/defs.h"
#include "base/list.h"
#include "base/loop.h"
#include "db/store.h"

enum { CW_HUB_WAKE_MS = 20 };

struct cw_hub;

/* Events kept; 0: 4096. loop NULL (tests): the writer wakes. */
int cw_hub_new(struct cw_loop *loop, size_t kept, struct cw_hub **ret) CW_MUST_CHECK;
struct cw_hub *cw_hub_free(struct cw_hub *h); /* nobody follows. NULL is fine */

/* The store's hook. arg is the hub. */
void cw_hub_events(void *arg, const struct cw_live_event *events, size_t n);

struct cw_hub_follower {
	struct cw_list in_hub; /* the hub's */
	bool follows, waits;   /* likewise */
	uint64_t after;        /* the last one it has got */
	bool replay; /* CW_HUB_BEHIND until its owner, who has read the database, says false */
	struct cw_event_filter filter; /* type and object; no time */
	/* Called once for each CW_HUB_WAIT, under the hub's lock: must not call the hub. */
	void (*wake)(struct cw_hub_follower *f);
	/* Called under the lock before CW_HUB_WAIT is returned. */
	void (*suspend)(struct cw_hub_follower *f);
	/* Gets the text of an event, under the lock. false: no room, it comes again. */
	bool (*take)(struct cw_hub_follower *f, const char *text, size_t n);
};

/* Follows what comes after f->after; without replay and with 0 what comes from now on. */
void cw_hub_follow(struct cw_hub *h, struct cw_hub_follower *f);
/* Also if it does not follow. wake() is not called any more. */
void cw_hub_leave(struct cw_hub *h, struct cw_hub_follower *f);

enum cw_hub_next {
	CW_HUB_TAKEN,  /* take() got at least one, and f->after has moved on */
	CW_HUB_RENDER, /* *ret has no text yet: make one, give it to cw_hub_rendered(), ask again */
	CW_HUB_BEHIND, /* the next ones are not kept any more: read the database, see below */
	CW_HUB_WAIT,   /* there is none; suspend() was called and wake() will be */
	CW_HUB_OVER,   /* cw_hub_close() */
};
/* What comes after f->after. BEHIND: *ret_limit is an id; who has read all that the database has
 * sets f->after to it, if it is greater than the last one read. */
enum cw_hub_next cw_hub_next(
	struct cw_hub *h, struct cw_hub_follower *f, struct cw_event *ret, uint64_t *ret_limit);
/* The text of an event, for all who follow: copied. Without memory it is asked for again. */
void cw_hub_rendered(struct cw_hub *h, uint64_t id, const char *text, size_t n);

void cw_hub_wake(struct cw_hub *h);  /* all who wait */
void cw_hub_close(struct cw_hub *h); /* for good: CW_HUB_OVER for everybody */
size_t cw_hub_followers(struct cw_hub *h);
