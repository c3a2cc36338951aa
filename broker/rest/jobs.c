/* SPDX-License-Identifier: BSD-2-Clause */
/* Jobs and their runs, and backups, which are runs of a job. When a job is due is the loop's
 * knowledge, what it did the database's. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "broker/jobs/backup.h"
#include "broker/jobs/jobs.h"
#include "broker/rest/handle.h"
#include "broker/rest/handlers.h"

enum { DUE_MAX = 1000000, BACKUPS_MAX = 1000 };

struct asked {
	enum cw_rest_job_name job; /* of one */
	bool one;
	struct cw_jobs_state state[CW_JOBS_N];
	int result; /* of the reservation */
	struct cw_job past[CW_JOBS_N];
	int n_past;
	struct cw_rest_job_run last[CW_JOBS_N];
	struct cw_job_run rows[64];
	unsigned results; /* bits of enum cw_rest_run_result */
};

static bool job_of(const char *name, enum cw_rest_job_name *ret)
{
	for (unsigned i = 0; i < CW_JOBS_N; i++) {
		if (strcmp(cw_rest_job_names[i], name) == 0) {
			*ret = (enum cw_rest_job_name) i;
			return true;
		}
	}
	return false;
}

static bool take_job(struct cw_rest_request *q, enum cw_rest_job_name *ret)
{
	if (job_of(q->route.param[0], ret))
		return true;
	cw_rest_problem(q, CW_PROBLEM_NOT_FOUND, "there is no job \"%s\"", q->route.param[0]);
	return false;
}

/* One that has no end and does not run was cut short. */
static struct cw_rest_job_run show_run(
	const struct cw_job_run *r, enum cw_rest_job_name job, const struct cw_jobs_state *state)
{
	return (struct cw_rest_job_run){
		.id = r->id,
		.job = (uint8_t) job,
		.started_at = r->started_wall_s,
		.ended_at = r->ended_wall_s ? r->ended_wall_s : CW_REST_NO_TIME,
		.result = (uint8_t) (r->ended_wall_s
					     ? r->result < 0 ? CW_REST_RUN_FAILED : CW_REST_RUN_OK
				     : state->run == r->id ? CW_REST_RUNNING
							   : CW_REST_RUN_LOST),
		.items = r->count,
		.detail = r->detail[0] || r->result >= 0 ? r->detail : cw_err_name(r->result),
	};
}

static void ask_states(struct cw_rest_request *q)
{
	struct asked *a = q->mine;

	for (unsigned i = 0; i < CW_JOBS_N; i++)
		cw_jobs_state(q->rest->parts.jobs, (enum cw_rest_job_name) i, &a->state[i]);
}

/* The states first, then fn. */
static void with_states(struct cw_rest_request *q, struct asked *a, cw_rest_handler_t *fn)
{
	q->mine = a;
	cw_rest_on_loop(q, ask_states, fn);
}

static struct asked *begin(struct cw_rest_request *q)
{
	struct asked *a = cw_arena_alloc(q->arena, 1, sizeof *a);

	if (!a)
		cw_rest_problem_code(q, -ENOMEM);
	return a;
}

/* ---- jobs ---- */

static int show_job(struct cw_rest_request *q, struct asked *a, enum cw_rest_job_name i,
	struct cw_rest_job *ret)
{
	const struct cw_jobs_state *s = &a->state[i];
	int64_t now_s = cw_rest_now_steady_s(q);
	int r = 0;

	*ret = (struct cw_rest_job){
		.name = (uint8_t) i,
		.every_s = s->every_s ? (uint64_t) s->every_s : CW_REST_NONE,
		.next_at = s->next_s == CW_SCHEDULE_NEVER ? CW_REST_NO_TIME
							  : cw_rest_wall_of(q, s->next_s),
		.running = s->running,
		.lag_s = (uint64_t) s->lag_s,
		.healthy = !s->ill,
		.ok_at = CW_REST_NO_TIME,
	};
	if (s->lag_s > 0 && (i == CW_REST_JOB_EXPIRY || i == CW_REST_JOB_QUARANTINE))
		r = cw_read_due(
			q->reader, i == CW_REST_JOB_QUARANTINE, now_s, DUE_MAX, &ret->backlog);
	for (int k = 0; k < a->n_past; k++) {
		const struct cw_job *p = &a->past[k];

		if (strcmp(p->name, cw_rest_job_names[i]) != 0)
			continue;
		a->last[i] = show_run(&p->last, i, s);
		ret->last = &a->last[i];
		ret->runs = p->runs;
		ret->failures = p->failures;
		ret->ok_at = p->ok_wall_s ? p->ok_wall_s : CW_REST_NO_TIME;
	}
	return r;
}

static void answer_jobs(struct cw_rest_request *q)
{
	struct asked *a = q->mine;
	struct cw_store_reader *r = cw_rest_reader(q);
	struct cw_rest_job job;
	int e;

	if (!r)
		return;
	e = a->n_past = cw_read_jobs(r, "", a->past, CW_JOBS_N);
	if (e >= 0 && a->one) {
		e = show_job(q, a, a->job, &job);
		if (e >= 0)
			cw_rest_show(q, 200, &cw_rest_job_object, &job);
	} else if (e >= 0) {
		cw_json_begin_object(&q->out);
		CW_JSON_KEY(&q->out, "items");
		cw_json_begin_array(&q->out);
		for (unsigned i = 0; i < CW_JOBS_N && e >= 0; i++) {
			e = show_job(q, a, (enum cw_rest_job_name) i, &job);
			cw_rest_render(&q->out, &cw_rest_job_object, &job);
		}
		cw_json_end_array(&q->out);
		cw_json_end_object(&q->out);
		if (e >= 0)
			cw_rest_answer_json(q, 200);
	}
	if (e < 0)
		cw_rest_problem_code(q, e);
}

void cw_rest_do_listJobs(struct cw_rest_request *q)
{
	struct asked *a = begin(q);

	if (a && cw_rest_take_query(q, NULL, NULL))
		with_states(q, a, answer_jobs);
}

void cw_rest_do_getJob(struct cw_rest_request *q)
{
	struct asked *a = begin(q);

	if (!a || !cw_rest_take_query(q, NULL, NULL) || !take_job(q, &a->job))
		return;
	a->one = true;
	with_states(q, a, answer_jobs);
}

/* ---- runs ---- */

static int runs_page(struct cw_rest_request *q, struct cw_rest_list *l, struct cw_store_reader *r,
	struct cw_cursor *at, unsigned max, bool *ret_more)
{
	struct asked *a = l->mine;
	struct cw_page p = {.at = at->a, .newest = true};
	size_t ask = max < CW_ARRAY_LEN(a->rows) ? max : CW_ARRAY_LEN(a->rows);
	int n = cw_read_job_runs(r, cw_rest_job_names[a->job], &p, a->rows, ask), shown = 0;

	for (int i = 0; i < n; i++) {
		struct cw_rest_job_run run = show_run(&a->rows[i], a->job, &a->state[a->job]);

		if (a->results && !(a->results & 1u << run.result))
			continue;
		cw_rest_row(q, l, &run);
		shown++;
	}
	at->a = p.at;
	*ret_more = p.more;
	return n < 0 ? n : shown;
}

static void answer_runs(struct cw_rest_request *q)
{
	struct asked *a = q->mine;
	struct cw_rest_list *l =
		cw_rest_take_list(q, &cw_rest_job_run_object, &cw_rest_query_list_runs_object, 0);
	const struct cw_rest_query_list_runs *asked;

	if (!l)
		return;
	asked = l->asked;
	a->results = (unsigned) asked->result;
	l->page = runs_page;
	l->mine = a;
	cw_rest_list(q, l);
}

void cw_rest_do_listRuns(struct cw_rest_request *q)
{
	struct asked *a = begin(q);

	if (a && take_job(q, &a->job))
		with_states(q, a, answer_runs);
}

static void answer_run(struct cw_rest_request *q)
{
	struct asked *a = q->mine;
	struct cw_store_reader *r = cw_rest_reader(q);
	uint64_t id;
	struct cw_page p = {0};
	int n;

	if (!r || !cw_rest_take_id(q, 1, CW_ID_RUN, &id))
		return;
	p.at = id - 1;
	n = cw_read_job_runs(r, cw_rest_job_names[a->job], &p, a->rows, 1);
	if (n < 0) {
		cw_rest_problem_code(q, n);
	} else if (n == 0 || a->rows[0].id != id) {
		cw_rest_problem(q, CW_PROBLEM_NOT_FOUND, NULL);
	} else {
		struct cw_rest_job_run run = show_run(&a->rows[0], a->job, &a->state[a->job]);

		cw_rest_show(q, 200, &cw_rest_job_run_object, &run);
	}
}

void cw_rest_do_getRun(struct cw_rest_request *q)
{
	struct asked *a = begin(q);

	if (a && cw_rest_take_query(q, NULL, NULL) && take_job(q, &a->job))
		with_states(q, a, answer_run);
}

/* ---- run it now ---- */

static void reserve(struct cw_rest_request *q)
{
	struct asked *a = q->mine;

	a->result = cw_jobs_reserve(q->rest->parts.jobs, a->job);
}

static void start(struct cw_rest_request *q)
{
	const struct asked *a = q->mine;

	if (q->req.op.result == 0)
		cw_jobs_begin(q->rest->parts.jobs, a->job, q->req.op.u.job.run.id);
	else
		cw_jobs_release(q->rest->parts.jobs, a->job);
}

static void started(struct cw_rest_request *q)
{
	const struct asked *a = q->mine;
	const struct cw_job_run *run = &q->req.op.u.job.run;
	const struct cw_jobs_state state = {.run = run->id};
	struct cw_rest_job_run shown;
	char id[CW_ID_STRLEN], path[96];

	if (q->req.op.result < 0) {
		cw_rest_problem_code(q, q->req.op.result);
		return;
	}
	(void) snprintf(path, sizeof path, "/v1/jobs/%s/runs/%s", cw_rest_job_names[a->job],
		cw_id_str(CW_ID_RUN, run->id, id));
	cw_rest_add_header(q, "Location", path);
	shown = show_run(run, a->job, &state);
	cw_rest_show(q, 202, &cw_rest_job_run_object, &shown);
}

static void noted(struct cw_rest_request *q)
{
	cw_rest_on_loop(q, start, started);
}

static void complete_run(struct cw_op *op)
{
	(void) cw_id_str(CW_ID_RUN, op->u.job.run.id, op->cause->object);
}

static void reserved(struct cw_rest_request *q)
{
	const struct asked *a = q->mine;
	struct cw_job_run *run = &q->req.op.u.job.run;
	char detail[CW_NAME_MAX + 16];

	if (a->result == -EBUSY) {
		cw_rest_problem(q, CW_PROBLEM_JOB_RUNNING, NULL);
	} else if (a->result == -ENOENT) {
		cw_rest_problem(q, CW_PROBLEM_NOT_CONFIGURED,
			"the configuration names no folder for backups: backup { directory = ... }");
	} else if (a->result < 0) {
		cw_rest_problem_code(q, a->result);
	} else {
		q->req.op.kind = CW_OP_JOB;
		run->started_wall_s = cw_rest_now_wall_s(q);
		(void) snprintf(run->name, sizeof run->name, "%s", cw_rest_job_names[a->job]);
		(void) snprintf(detail, sizeof detail, "{\"job\":\"%s\"}", run->name);
		(void) cw_rest_cause(q, "", detail); /* there is no key */
		q->cause.complete = complete_run;
		cw_rest_submit(q, noted);
	}
}

static void run_now(struct cw_rest_request *q, struct asked *a)
{
	q->mine = a;
	cw_rest_on_loop(q, reserve, reserved);
}

void cw_rest_do_runJob(struct cw_rest_request *q)
{
	struct asked *a = begin(q);

	if (!a || !cw_rest_take_query(q, NULL, NULL) || !take_job(q, &a->job))
		return;
	if (a->job == CW_REST_JOB_BACKUP && !q->rest->parts.config->backup.directory)
		cw_rest_problem(
			q, CW_PROBLEM_NOT_FOUND, "the configuration names no folder for backups");
	else
		run_now(q, a);
}

/* ---- backups ---- */

void cw_rest_do_createBackup(struct cw_rest_request *q)
{
	struct asked *a = begin(q);

	if (!a || !cw_rest_take_query(q, NULL, NULL))
		return;
	a->job = CW_REST_JOB_BACKUP;
	run_now(q, a);
}

void cw_rest_do_listBackups(struct cw_rest_request *q)
{
	const char *dir = q->rest->parts.config->backup.directory;
	struct cw_backup_entry *v;
	int n;

	if (!cw_rest_take_query(q, NULL, NULL))
		return;
	v = cw_arena_alloc(q->arena, BACKUPS_MAX, sizeof *v);
	n = !v ? -ENOMEM : dir ? cw_backup_list(dir, v, BACKUPS_MAX) : 0;
	if (n < 0) {
		cw_rest_problem_code(q, n);
		return;
	}
	cw_json_begin_object(&q->out);
	CW_JSON_KEY(&q->out, "items");
	cw_json_begin_array(&q->out);
	for (int i = 0; i < n; i++) {
		const struct cw_rest_backup_entry e = {
			.name = v[i].name,
			.created_at = v[i].created_wall_s,
			.octets = v[i].octets,
			.sha256 = v[i].sha256,
			.schema = v[i].schema,
		};

		cw_rest_render(&q->out, &cw_rest_backup_entry_object, &e);
	}
	cw_json_end_array(&q->out);
	cw_json_end_object(&q->out);
	cw_rest_answer_json(q, 200);
}
