/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of host/ share. Thread: the loop's, except where said. */
#pragma once

#include <pthread.h>

#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "dataplane/host/host.h"
#include "dataplane/host/load.h"

enum cw_dpop {
	CW_DPOP_APPLY,
	CW_DPOP_REMOVE,
	CW_DPOP_LIST,
	CW_DPOP_STATS,
	CW_DPOP_PROBE,
	CW_DPOP_FLUSH
};

/* What a plugin said, copied, on its way to the loop thread. */
struct cw_dpmsg {
	struct cw_dpmsg *next;
	enum { CW_DPMSG_RESULTS, CW_DPMSG_ROWS, CW_DPMSG_STATS, CW_DPMSG_NOTE } kind;
	uint64_t token;
	enum cw_dp_status status;
	bool more;
	bool no_results; /* RESULTS: a NULL array */
	struct cw_dp_cursor cursor;
	size_t n;
	union {
		struct cw_dp_result results[0];
		struct cw_dp_row rows[0];
		struct cw_dp_stat stats[0];
		char text[0];
	} u;
};

struct cw_dphost {
	struct cw_loop *loop;
	pthread_t thread; /* the loop's */
	unsigned refs; /* 1 until close, 1 per running drain, 1 for a task still posted at close */
	bool closed, draining;
	unsigned depth; /* calls into the plugin that have not returned */

	void *handle;
	const struct cw_dp_plugin *plugin;
	void *self;
	char *tep;
	struct cw_dpsettings settings;
	struct cw_dp_host table;
	struct cw_dp_caps caps;

	uint64_t next_token;
	struct cw_map *calls;       /* token -> struct request */
	struct cw_list by_deadline; /* the same, oldest first */
	struct cw_timer *deadline;
	struct cw_list timers, watches;
	uint64_t expired[64]; /* tokens given up lately: their answers are late, not lies */
	unsigned expired_at;
	struct cw_dphost_faults faults;
	struct cw_log_limit limit;

	pthread_mutex_t lock; /* guards the rest, for complete() from any thread */
	struct cw_dpmsg *said, **said_tail;
	bool posted;
	struct cw_loop_task task;
};

/* Calls into the plugin happen between enter and leave; leave delivers what was completed inside.
 */
void cw_dphost_enter(struct cw_dphost *h);
void cw_dphost_leave(struct cw_dphost *h);

/* Fills the functions of h->table (host_io.c: watches; calls.c: the rest). */
void cw_dphost_table_init(struct cw_dphost *h);
struct cw_dp_watch *cw_dphost_watch(
	void *ctx, int fd, int events, void (*fn)(void *arg, int events), void *arg);
void cw_dphost_unwatch(void *ctx, struct cw_dp_watch *w);
/* Timers and watches a plugin left behind. */
void cw_dphost_drop_timers(struct cw_dphost *h);
void cw_dphost_drop_watches(struct cw_dphost *h);
/* The plugin broke the contract: counted, logged at a bounded rate. */
void cw_dphost_fault(struct cw_dphost *h, uint64_t *counter, const char *what, uint64_t token);
