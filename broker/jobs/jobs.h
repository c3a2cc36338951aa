/* SPDX-License-Identifier: BSD-2-Clause */
/* What the broker does by itself, on a schedule or when asked. Expiry, end of quarantine and the
 * deletion of old history are the engine's business, as work falls due; here they can be asked for,
 * and what they did is written down, a line a minute at most. Samples, upkeep and backups are done
 * here. The names are those of the API (cw_rest_job_names). Thread: the loop's; backups are copied
 * on libuv's pool. */
#pragma once

#include <stdbool.h>

#include "base/defs.h"
#include "base/loop.h"
#include "broker/jobs/schedule.h"
#include "broker/lease/engine.h"
#include "broker/settings.h"
#include "schema/rest/resources.h"

enum { CW_JOBS_N = CW_REST_JOB_SAMPLES + 1 };

struct cw_jobs;

/* All borrowed. The engine is ready. *ret given. */
int cw_jobs_new(struct cw_loop *loop, struct cw_engine *engine, struct cw_store *store,
	const struct cw_config *conf, struct cw_jobs **ret) CW_MUST_CHECK;
/* The loop has stopped: begins no more runs, waits for a backup that is under way. NULL is fine. */
void cw_jobs_stop(struct cw_jobs *j);
/* The engine has nothing outstanding. NULL is fine. */
struct cw_jobs *cw_jobs_free(struct cw_jobs *j);

struct cw_jobs_state {
	int64_t every_s; /* 0: as work falls due, or only when asked */
	int64_t next_s;  /* steady; CW_SCHEDULE_NEVER */
	bool running;
	uint64_t run; /* its id, 0: none yet */
	int64_t lag_s;
	const char *ill; /* see cw_schedule_ill() */
};
void cw_jobs_state(const struct cw_jobs *j, enum cw_rest_job_name which, struct cw_jobs_state *ret);

/* To run one now: reserve, write down that it begins (CW_OP_JOB), begin with the id that got, or
 * release. A reservation lapses after half a minute. 0, -EBUSY: it runs; -ENOENT: it is not
 * configured; CW_E_SHUTDOWN. */
int cw_jobs_reserve(struct cw_jobs *j, enum cw_rest_job_name which) CW_MUST_CHECK;
void cw_jobs_release(struct cw_jobs *j, enum cw_rest_job_name which);
void cw_jobs_begin(struct cw_jobs *j, enum cw_rest_job_name which, uint64_t run);
