/* SPDX-License-Identifier: BSD-2-Clause */
/* See jobs.h. A run is a chain of operations that the engine passes to the store, each as large as
 * others may wait for; a backup is one piece of work on libuv's pool. What a run did is written down
 * by CW_OP_JOB: of those that somebody asked for, and of backups, at the begin too. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/jobs/backup.h"
#include "broker/jobs/jobs.h"

enum {
	TICK_MS = 1000,
	BATCH = 256,
	SUMMARY_S = 60, /* what the engine's sweeps did is written down so often at most */
	SOON_S = 30,
	RESERVED_S = 30,
	LATE_S = 60,
	STUCK_S = 3600,
	SAMPLE_EVERY_S = 60,
	UPKEEP_EVERY_S = 3600,
	KEEP_SAMPLES_S = 31 * 86400,
	KEEP_EVENTS_S = 7 * 86400,
	KEEP_RUNS_S = 31 * 86400,
};

struct job {
	struct cw_jobs *jobs;
	struct cw_engine_req req; /* of what runs */
	bool running, begun;      /* begun: the store knows of this run */
	bool indexing;            /* upkeep: its second half */
	bool noting;              /* note is on its way */
	int64_t reserved_s;       /* steady; 0: it is not */
	int64_t started_s;
	int64_t every_s, next_s, due_s; /* due_s: when this run was */
	struct cw_job_run run;
	struct cw_engine_req note;
	int last_result;
	/* of the engine's sweeps */
	uint64_t told_leases, told_failures;
	int64_t told_wall_s;
	const char *told_ill;
};

struct cw_jobs {
	struct cw_loop *loop;
	struct cw_engine *engine;
	struct cw_store *store;
	const struct cw_config_backup *backup;
	struct cw_timer *timer;
	bool stopping;
	struct job job[CW_JOBS_N];
	/* the backup's */
	uv_work_t work;
	bool copying;
	struct cw_store_reader *reader;
	int64_t wall_s;
	int result;
	char name[CW_BACKUP_NAME_MAX];
};

static enum cw_rest_job_name which_of(const struct job *b)
{
	return (enum cw_rest_job_name)(b - b->jobs->job);
}

static bool is_sweep(enum cw_rest_job_name w)
{
	return w == CW_REST_JOB_EXPIRY || w == CW_REST_JOB_QUARANTINE || w == CW_REST_JOB_RETENTION;
}

static enum cw_engine_sweep sweep_of(enum cw_rest_job_name w)
{
	return w == CW_REST_JOB_EXPIRY       ? CW_SWEEP_EXPIRE
	       : w == CW_REST_JOB_QUARANTINE ? CW_SWEEP_FREE
					     : CW_SWEEP_PRUNE;
}

static void submit(struct job *b, struct cw_engine_req *req, void (*done)(struct cw_engine_req *))
{
	req->op.now = cw_engine_now(b->jobs->engine);
	req->done = done;
	cw_engine_submit(b->jobs->engine, req);
}

/* ---- what is written down ---- */

static void noted(struct cw_engine_req *req)
{
	cw_container_of(req, struct job, note)->noting = false;
}

/* One at a time: what comes meanwhile is in the next summary, or only in the log. */
static void note(struct job *b, const struct cw_job_run *run)
{
	if (b->noting)
		return;
	b->noting = true;
	b->note.op.kind = CW_OP_JOB;
	b->note.op.u.job.run = *run;
	submit(b, &b->note, noted);
}

static void ended(struct job *b, int r)
{
	struct cw_store_time now = cw_engine_now(b->jobs->engine);

	b->running = false;
	b->last_result = r < 0 ? r : 0;
	b->next_s = cw_schedule_next(now.steady_s, b->due_s, b->every_s);
	b->run.ended_wall_s = now.wall_s > 0 ? now.wall_s : 1;
	b->run.result = b->last_result;
	if (r < 0)
		cw_log(CW_LOG_ERR,
			CW_F(CW_F_EVENT("job.fail"), CW_F_STR("job", b->run.name), CW_F_ERR(r)),
			b->run.detail[0] ? b->run.detail : "a job failed");
	if (r != CW_E_SHUTDOWN)
		note(b, &b->run);
}

/* ---- runs ---- */

static void step(struct job *b);

static void step_done(struct cw_engine_req *req)
{
	struct job *b = cw_container_of(req, struct job, req);
	const struct cw_op *op = &req->op;
	unsigned n = 0;

	if (op->result < 0) {
		ended(b, op->result);
		return;
	}
	if (op->kind == CW_OP_TIDY)
		n = op->u.tidy.count;
	else if (op->kind != CW_OP_SAMPLE)
		n = op->u.sweep.count;
	b->run.count += n;
	if (b->jobs->stopping)
		ended(b, 0);
	else if (op->kind == CW_OP_INDEX ? n > 0 : n == BATCH)
		step(b);
	else if (op->kind == CW_OP_TIDY) {
		b->indexing = true;
		step(b);
	} else
		ended(b, 0);
}

static void step(struct job *b)
{
	static const enum cw_op_kind kinds[CW_JOBS_N] = {
		[CW_REST_JOB_EXPIRY] = CW_OP_EXPIRE,
		[CW_REST_JOB_QUARANTINE] = CW_OP_FREE,
		[CW_REST_JOB_RETENTION] = CW_OP_PRUNE,
		[CW_REST_JOB_UPKEEP] = CW_OP_TIDY,
		[CW_REST_JOB_SAMPLES] = CW_OP_SAMPLE,
	};
	struct cw_op *op = &b->req.op;

	op->kind = b->indexing ? CW_OP_INDEX : kinds[which_of(b)];
	if (op->kind == CW_OP_TIDY)
		op->u.tidy = (struct cw_op_tidy){.limit = BATCH,
			.keep_events_s = KEEP_EVENTS_S,
			.keep_samples_s = KEEP_SAMPLES_S,
			.keep_job_runs_s = KEEP_RUNS_S};
	else
		op->u.sweep = (struct cw_op_sweep){.limit = BATCH};
	submit(b, &b->req, step_done);
}

static void copy(uv_work_t *work)
{
	struct cw_jobs *j = cw_container_of(work, struct cw_jobs, work);

	j->result = cw_backup_make(
		j->reader, j->backup->directory, j->backup->keep, j->wall_s, j->name);
}

static void copied(uv_work_t *work, int status)
{
	struct cw_jobs *j = cw_container_of(work, struct cw_jobs, work);
	struct job *b = &j->job[CW_REST_JOB_BACKUP];
	int r = status < 0 ? status : j->result;

	j->copying = false;
	j->reader = cw_store_reader_close(j->reader);
	b->run.count = r == 0;
	if (r == 0)
		(void) snprintf(b->run.detail, sizeof b->run.detail, "%s", j->name);
	else
		(void) snprintf(b->run.detail, sizeof b->run.detail, "%s: %s", j->backup->directory,
			cw_strerror(r));
	if (!j->stopping)
		ended(b, r);
}

static void begin_copy(struct cw_jobs *j)
{
	int r = cw_store_reader_open(j->store, &j->reader);

	j->wall_s = cw_engine_now(j->engine).wall_s;
	if (r == 0)
		r = uv_queue_work(cw_loop_uv(j->loop), &j->work, copy, copied);
	j->copying = r == 0;
	if (r == 0)
		return;
	j->reader = cw_store_reader_close(j->reader);
	ended(&j->job[CW_REST_JOB_BACKUP], r);
}

static void begin(struct job *b, uint64_t run)
{
	struct cw_store_time now = cw_engine_now(b->jobs->engine);

	b->running = true;
	b->indexing = false;
	b->reserved_s = 0;
	b->started_s = now.steady_s;
	b->due_s = b->next_s;
	b->run = (struct cw_job_run){.id = run, .started_wall_s = now.wall_s};
	(void) snprintf(b->run.name, sizeof b->run.name, "%s", cw_rest_job_names[which_of(b)]);
	if (which_of(b) == CW_REST_JOB_BACKUP)
		begin_copy(b->jobs);
	else
		step(b);
}

/* A backup takes its time: one that is cut short must be seen to have been one. */
static void backup_noted(struct cw_engine_req *req)
{
	struct job *b = cw_container_of(req, struct job, note);

	b->noting = false;
	b->reserved_s = 0;
	if (b->jobs->stopping)
		return;
	if (req->op.result < 0)
		begin(b, 0); /* it is all the more needed */
	else
		begin(b, req->op.u.job.run.id);
}

static void begin_by_schedule(struct job *b)
{
	if (which_of(b) != CW_REST_JOB_BACKUP) {
		begin(b, 0);
		return;
	}
	if (b->noting)
		return;
	b->noting = true;
	b->reserved_s = cw_engine_now(b->jobs->engine).steady_s;
	b->note.op.kind = CW_OP_JOB;
	b->note.op.u.job.run =
		(struct cw_job_run){.started_wall_s = cw_engine_now(b->jobs->engine).wall_s};
	(void) snprintf(b->note.op.u.job.run.name, sizeof b->run.name, "%s",
		cw_rest_job_names[CW_REST_JOB_BACKUP]);
	submit(b, &b->note, backup_noted);
}

/* ---- the clock ---- */

static bool reserved(const struct job *b, int64_t now_s)
{
	return b->reserved_s && now_s - b->reserved_s < RESERVED_S;
}

/* What the engine swept by itself since it was told last. */
static void summarize(struct job *b, struct cw_store_time now)
{
	struct cw_engine_sweep_state s;

	cw_engine_sweep_state(b->jobs->engine, sweep_of(which_of(b)), &s);
	if (s.running || b->running || now.wall_s - b->told_wall_s < SUMMARY_S) {
		if (now.wall_s < b->told_wall_s) /* the clock was set back */
			b->told_wall_s = now.wall_s;
		return;
	}
	if (s.leases != b->told_leases || s.failures != b->told_failures) {
		struct cw_job_run run = {
			.started_wall_s = b->told_wall_s,
			.ended_wall_s = now.wall_s,
			.result = s.last_error,
			.count = s.leases - b->told_leases,
		};

		(void) snprintf(run.name, sizeof run.name, "%s", cw_rest_job_names[which_of(b)]);
		note(b, &run);
	}
	b->last_result = s.last_error;
	b->told_leases = s.leases;
	b->told_failures = s.failures;
	b->told_wall_s = now.wall_s;
}

static void tell_ill(struct job *b)
{
	struct cw_jobs_state s;
	char detail[64];

	cw_jobs_state(b->jobs, which_of(b), &s);
	if (s.ill && s.ill != b->told_ill && strcmp(s.ill, "failed") != 0) {
		(void) snprintf(detail, sizeof detail, "{\"why\":\"%s\",\"lag_s\":%lld}", s.ill,
			(long long) s.lag_s);
		cw_engine_event(
			b->jobs->engine, "job.late", 0, cw_rest_job_names[which_of(b)], detail);
		cw_log(CW_LOG_WARNING,
			CW_F(CW_F_EVENT("job.late"),
				CW_F_STR("job", cw_rest_job_names[which_of(b)]),
				CW_F_STR("why", s.ill), CW_F_INT("lag_s", s.lag_s)),
			"a job does not keep up");
	}
	b->told_ill = s.ill;
}

static void on_tick(void *arg)
{
	struct cw_jobs *j = arg;
	struct cw_store_time now = cw_engine_now(j->engine);

	if (j->stopping)
		return;
	for (unsigned i = 0; i < CW_JOBS_N; i++) {
		struct job *b = &j->job[i];

		if (is_sweep((enum cw_rest_job_name) i))
			summarize(b, now);
		else if (!b->running && !reserved(b, now.steady_s) && b->next_s <= now.steady_s)
			begin_by_schedule(b);
		tell_ill(b);
	}
	cw_timer_start(j->timer, TICK_MS);
}

/* ---- questions ---- */

void cw_jobs_state(const struct cw_jobs *j, enum cw_rest_job_name which, struct cw_jobs_state *ret)
{
	const struct job *b = &j->job[which];
	int64_t now_s = cw_engine_now(j->engine).steady_s;
	struct cw_schedule_facts f = {
		.last_result = b->last_result,
		.running = b->running,
		.running_s = now_s - b->started_s,
		.stuck_after_s = STUCK_S,
		.late_after_s = LATE_S,
	};
	struct cw_engine_sweep_state s;

	*ret = (struct cw_jobs_state){
		.every_s = b->every_s,
		.next_s = b->next_s,
		.running = b->running || reserved(b, now_s),
		.run = b->running || b->noting ? b->run.id : 0, /* until its end is written */
	};
	if (is_sweep(which)) {
		cw_engine_sweep_state(j->engine, sweep_of(which), &s);
		ret->next_s = s.due_s;
		ret->running = ret->running || s.running;
		if (!s.held && s.due_s < now_s)
			ret->lag_s = now_s - s.due_s;
		f.last_result = s.last_error ? s.last_error : b->last_result;
	} else if (!b->running && b->next_s < now_s) {
		ret->lag_s = now_s - b->next_s;
	}
	f.late_s = ret->lag_s;
	ret->ill = cw_schedule_ill(&f);
}

int cw_jobs_reserve(struct cw_jobs *j, enum cw_rest_job_name which)
{
	struct job *b = &j->job[which];
	int64_t now_s = cw_engine_now(j->engine).steady_s;

	if (j->stopping)
		return CW_E_SHUTDOWN;
	if (which == CW_REST_JOB_BACKUP && !j->backup->directory)
		return -ENOENT;
	if (b->running || reserved(b, now_s))
		return -EBUSY;
	b->reserved_s = now_s > 0 ? now_s : 1;
	return 0;
}

void cw_jobs_release(struct cw_jobs *j, enum cw_rest_job_name which)
{
	j->job[which].reserved_s = 0;
}

void cw_jobs_begin(struct cw_jobs *j, enum cw_rest_job_name which, uint64_t run)
{
	if (!j->stopping && !j->job[which].running)
		begin(&j->job[which], run);
}

/* ---- life ---- */

static int read_past(struct cw_jobs *j, struct cw_job past[static CW_JOBS_N], int *ret_n)
{
	struct cw_store_reader *r;
	int e = cw_store_reader_open(j->store, &r);

	if (e < 0)
		return e;
	*ret_n = cw_read_jobs(r, "", past, CW_JOBS_N);
	(void) cw_store_reader_close(r);
	return *ret_n < 0 ? *ret_n : 0;
}

static void plan(struct cw_jobs *j, const struct cw_job *past, int n)
{
	struct cw_store_time now = cw_engine_now(j->engine);

	for (unsigned i = 0; i < CW_JOBS_N; i++) {
		struct job *b = &j->job[i];
		int64_t last_wall_s = 0;

		b->jobs = j;
		b->told_wall_s = now.wall_s;
		b->every_s = i == CW_REST_JOB_SAMPLES  ? SAMPLE_EVERY_S
			     : i == CW_REST_JOB_UPKEEP ? UPKEEP_EVERY_S
			     : i == CW_REST_JOB_BACKUP && j->backup->directory
				     ? (int64_t) j->backup->every_s
				     : 0;
		for (int k = 0; k < n; k++) {
			if (strcmp(past[k].name, cw_rest_job_names[i]) != 0)
				continue;
			last_wall_s = past[k].last.started_wall_s;
			/* Healthy again only by a run. */
			if (!is_sweep((enum cw_rest_job_name) i) && past[k].last.ended_wall_s)
				b->last_result = past[k].last.result;
		}
		b->next_s = cw_schedule_first(now.steady_s, now.wall_s, b->every_s, last_wall_s,
			i == CW_REST_JOB_SAMPLES ? 1 : SOON_S);
	}
}

int cw_jobs_new(struct cw_loop *loop, struct cw_engine *engine, struct cw_store *store,
	const struct cw_config *conf, struct cw_jobs **ret)
{
	struct cw_jobs *j = cw_zalloc(1, sizeof *j);
	struct cw_job past[CW_JOBS_N];
	int r, n = 0;

	if (!j)
		return -ENOMEM;
	j->loop = loop;
	j->engine = engine;
	j->store = store;
	j->backup = &conf->backup;
	r = read_past(j, past, &n);
	if (r == 0)
		r = cw_timer_new(loop, on_tick, j, &j->timer);
	if (r < 0)
		return (void) cw_free(j), r;
	plan(j, past, n);
	cw_timer_start(j->timer, TICK_MS);
	*ret = j;
	return 0;
}

void cw_jobs_stop(struct cw_jobs *j)
{
	if (!j)
		return;
	j->stopping = true;
	while (j->copying) /* with a reader of the store, which is closed next */
		(void) uv_run(cw_loop_uv(j->loop), UV_RUN_ONCE);
}

struct cw_jobs *cw_jobs_free(struct cw_jobs *j)
{
	if (!j)
		return NULL;
	j->timer = cw_timer_free(j->timer);
	return cw_free(j);
}
