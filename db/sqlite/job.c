/* SPDX-License-Identifier: BSD-2-Clause */
/* What the broker's scheduled jobs leave behind: their runs, and the deletion of what is too old.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "db/sqlite/sqlite.h"

/* The job's own row: one more run, ended or not. */
static int count_run(struct cw_backend *b, const struct cw_job_run *run)
{
	sqlite3_stmt *st = b->st[CW_SQ_JOB_GET];
	int64_t runs = 0, failures = 0, ok = 0;
	int r;

	cw_sq_text(st, 1, run->name);
	r = cw_sq_row(b, CW_SQ_JOB_GET);
	if (r < 0)
		return r;
	if (r > 0) {
		runs = sqlite3_column_int64(st, 0);
		failures = sqlite3_column_int64(st, 1);
		ok = sqlite3_column_int64(st, 2);
		(void) sqlite3_reset(st);
	}
	if (run->ended_wall_s > 0) {
		runs++;
		failures += run->result < 0;
		ok = run->result < 0 ? ok : run->ended_wall_s;
	}
	st = b->st[CW_SQ_JOB_PUT];
	cw_sq_text(st, 1, run->name);
	cw_sq_int(st, 2, runs);
	cw_sq_int(st, 3, failures);
	cw_sq_int(st, 4, ok);
	cw_sq_int(st, 5, (int64_t) run->id);
	r = cw_sq_run(b, CW_SQ_JOB_PUT);
	(void) sqlite3_clear_bindings(st);
	(void) sqlite3_clear_bindings(b->st[CW_SQ_JOB_GET]);
	return r;
}

static int run_begin(struct cw_backend *b, struct cw_job_run *run)
{
	sqlite3_stmt *st = b->st[CW_SQ_RUN_ADD];
	int r = 0;

	cw_sq_text(st, 1, run->name);
	cw_sq_int(st, 2, run->started_wall_s);
	cw_sq_int(st, 3, run->ended_wall_s);
	cw_sq_int(st, 4, run->result);
	cw_sq_int(st, 5, (int64_t) run->count);
	cw_sq_text(st, 6, run->detail);
	r = cw_sq_run(b, CW_SQ_RUN_ADD);
	(void) sqlite3_clear_bindings(st);
	if (r == 0)
		run->id = (uint64_t) sqlite3_last_insert_rowid(b->db);
	return r;
}

/* A run that began before: name and begin are its own. */
static int run_end(struct cw_backend *b, struct cw_job_run *run)
{
	sqlite3_stmt *st = b->st[CW_SQ_RUN_GET];
	bool ok, over;
	int r;

	cw_sq_int(st, 1, (int64_t) run->id);
	r = cw_sq_row(b, CW_SQ_RUN_GET);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	ok = cw_sq_copy(st, 0, run->name, sizeof run->name);
	run->started_wall_s = sqlite3_column_int64(st, 1);
	over = sqlite3_column_int64(st, 2) > 0;
	(void) sqlite3_reset(st);
	if (!ok)
		return cw_sq_fail(b, SQLITE_CORRUPT);
	if (over)
		return CW_E_GONE;
	st = b->st[CW_SQ_RUN_SET];
	cw_sq_int(st, 1, (int64_t) run->id);
	cw_sq_int(st, 2, run->ended_wall_s);
	cw_sq_int(st, 3, run->result);
	cw_sq_int(st, 4, (int64_t) run->count);
	cw_sq_text(st, 5, run->detail);
	r = cw_sq_run(b, CW_SQ_RUN_SET);
	(void) sqlite3_clear_bindings(st);
	return r;
}

int cw_sq_job(struct cw_backend *b, struct cw_op *op, struct cw_batch *batch)
{
	struct cw_job_run *run = &op->u.job.run;
	char detail[64];
	int r;

	if (!memchr(run->detail, 0, sizeof run->detail) || run->count > INT64_MAX ||
		run->id > INT64_MAX || run->ended_wall_s < 0 ||
		(run->id > 0 ? run->ended_wall_s == 0
			     : !cw_sq_name_ok(run->name, sizeof run->name)))
		return -EINVAL;
	r = run->id > 0 ? run_end(b, run) : run_begin(b, run);
	if (r == 0)
		r = count_run(b, run);
	if (r < 0 || run->ended_wall_s == 0 || run->result >= 0)
		return r;
	(void) snprintf(detail, sizeof detail, "{\"result\":\"%s\"}", cw_err_name(run->result));
	return cw_sq_event(b, batch, "job.fail", run->id, run->name, detail);
}

/* ---- what is too old ---- */

/* Runs statement s (bound but for its limit at ?at): 0 or the fault. */
static int prune(struct cw_backend *b, enum cw_sq_statement s, int at, struct cw_op_tidy *t)
{
	int r;

	cw_sq_int(b->st[s], at, t->limit - t->count);
	r = cw_sq_run(b, s);
	if (r == 0)
		t->count += (unsigned) sqlite3_changes(b->db);
	return r;
}

static int prune_samples(struct cw_backend *b, const struct cw_op *op, struct cw_op_tidy *t)
{
	int r = 0;

	for (size_t i = 0; i < b->cache->n_pools && r == 0 && t->count < t->limit; i++) {
		cw_sq_int(b->st[CW_SQ_SAMPLE_PRUNE], 1, (int64_t) b->cache->pools[i].p.id);
		cw_sq_int(b->st[CW_SQ_SAMPLE_PRUNE], 2, op->now.wall_s - t->keep_samples_s);
		r = prune(b, CW_SQ_SAMPLE_PRUNE, 3, t);
	}
	return r;
}

int cw_sq_tidy(struct cw_backend *b, struct cw_op *op)
{
	struct cw_op_tidy *t = &op->u.tidy;
	unsigned n = 0;
	int r;

	t->count = 0;
	cw_sq_int(b->st[CW_SQ_KEY_PRUNE], 1, op->now.steady_s - CW_SQ_KEY_KEPT_S);
	r = prune(b, CW_SQ_KEY_PRUNE, 2, t);
	if (r == 0 && t->keep_events_s > 0) {
		cw_sq_int(b->st[CW_SQ_EVENT_PRUNE], 1, op->now.wall_s - t->keep_events_s);
		cw_sq_int(b->st[CW_SQ_EVENT_PRUNE], 2, t->limit - t->count);
		r = cw_sq_events_prune(b, CW_SQ_EVENT_PRUNE, &n);
		t->count += n;
	}
	if (r == 0 && t->keep_samples_s > 0)
		r = prune_samples(b, op, t);
	if (r == 0 && t->count < t->limit) { /* one run of tenures that are all gone */
		r = cw_sq_run(b, CW_SQ_RUN_EMPTY);
		if (r == 0)
			t->count += (unsigned) sqlite3_changes(b->db);
	}
	if (r == 0 && t->keep_job_runs_s > 0) {
		cw_sq_int(b->st[CW_SQ_RUN_PRUNE], 1, op->now.wall_s - t->keep_job_runs_s);
		r = prune(b, CW_SQ_RUN_PRUNE, 2, t);
	}
	return r;
}

/* ---- whose tenures ---- */

int cw_sq_index(struct cw_backend *b, struct cw_op *op)
{
	sqlite3_stmt *st = b->st[CW_SQ_RUN_NEXT];
	int64_t n, first, last;
	int r;

	op->u.sweep.count = 0;
	cw_sq_int(st, 1, b->run_rows);
	r = cw_sq_row(b, CW_SQ_RUN_NEXT);
	if (r < 0)
		return r;
	n = sqlite3_column_int64(st, 0);
	first = sqlite3_column_int64(st, 1);
	last = sqlite3_column_int64(st, 2);
	(void) sqlite3_reset(st);
	if (n < b->run_rows)
		return 0;
	cw_sq_int(b->st[CW_SQ_RUN_NEW], 1, last);
	cw_sq_int(b->st[CW_SQ_RUN_NEW], 2, first);
	r = cw_sq_run(b, CW_SQ_RUN_NEW);
	cw_sq_int(b->st[CW_SQ_RUN_FILL], 1, last);
	cw_sq_int(b->st[CW_SQ_RUN_FILL], 2, first);
	if (r == 0)
		r = cw_sq_run(b, CW_SQ_RUN_FILL);
	if (r == 0)
		op->u.sweep.count = (unsigned) n;
	return r;
}
