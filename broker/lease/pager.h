/* SPDX-License-Identifier: BSD-2-Clause */
/* Pages of leases read on a thread of its own, with a store reader of its own, so that the loop
 * never waits for a query. Thread: the loop's; `done` runs there. */
#pragma once

#include "base/defs.h"
#include "base/loop.h"
#include "base/queue.h"
#include "db/store.h"

struct cw_pager;

/* One page. The caller's until read, then the pager's until done ran. */
struct cw_pager_job {
	struct cw_lease_filter filter;
	struct cw_lease_key after;
	struct cw_lease *to; /* the caller's */
	size_t max;
	int result; /* number of leases, or a code */
	void (*done)(struct cw_pager_job *job);
	/* the pager's */
	struct cw_qnode node;
	struct cw_loop_task task;
	struct cw_pager *pager;
};

int cw_pager_new(struct cw_loop *loop, struct cw_store *store,
	struct cw_pager **ret) CW_MUST_CHECK; /* given */
void cw_pager_read(struct cw_pager *p, struct cw_pager_job *job);
size_t cw_pager_outstanding(const struct cw_pager *p);
/* Ends the thread after what it is doing and closes its reader. Jobs already read are still
 * reported by the loop. */
void cw_pager_stop(struct cw_pager *p);
struct cw_pager *cw_pager_free(struct cw_pager *p); /* stopped, nothing outstanding. NULL is fine */
