/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether clients may be sent here: the store takes what is written, every TEP that takes leases
 * does what the store wants, no job is ill. Each is a check with a name, told whether it fails or
 * not. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "broker/jobs/jobs.h"
#include "broker/rest/handle.h"
#include "broker/rest/handlers.h"

enum { TEPS_MAX = 48, CHECKS_MAX = TEPS_MAX + 2 };

struct looked {
	int store;
	struct cw_jobs_state job[CW_JOBS_N];
	unsigned n_teps;
	struct cw_tep teps[TEPS_MAX];
	struct cw_engine_tep_status status[TEPS_MAX];
	int known[TEPS_MAX];
	/* the answer */
	unsigned n;
	struct cw_rest_check check[CHECKS_MAX];
	char name[CHECKS_MAX][CW_NAME_MAX + 8];
	char detail[CHECKS_MAX][128];
};

static void look(struct cw_rest_request *q)
{
	struct looked *l = q->mine;
	const struct cw_rest_parts *p = &q->rest->parts;

	l->store = cw_engine_store_health(p->engine);
	for (unsigned i = 0; i < CW_JOBS_N; i++)
		cw_jobs_state(p->jobs, (enum cw_rest_job_name) i, &l->job[i]);
	for (unsigned i = 0; i < l->n_teps; i++)
		l->known[i] = cw_engine_tep_status(p->engine, l->teps[i].id, &l->status[i]);
}

static void add(struct looked *l, const char *kind, const char *name, bool ok, const char *detail)
{
	struct cw_rest_check *c = &l->check[l->n];

	(void) snprintf(l->name[l->n], sizeof l->name[0], "%s%s%s", kind, name ? ":" : "",
		name ? name : "");
	(void) snprintf(l->detail[l->n], sizeof l->detail[0], "%s", detail);
	*c = (struct cw_rest_check){.name = l->name[l->n], .ok = ok, .detail = l->detail[l->n]};
	l->n++;
}

static void check_tep(struct looked *l, unsigned i)
{
	static const char *const states[] = {
		[CW_TEP_IS_STARTING] = "is compared with the database for the first time",
		[CW_TEP_IS_UP] = "does what the database wants",
		[CW_TEP_IS_SYNCING] = "is compared with the database",
		[CW_TEP_IS_DOWN] = "does not work",
	};
	const struct cw_engine_tep_status *s = &l->status[i];
	bool up = l->known[i] == 0 &&
		  (s->state == CW_TEP_IS_UP || (s->state == CW_TEP_IS_SYNCING && s->compared));

	if (l->teps[i].draining)
		add(l, "tep", l->teps[i].name, true, "gives no new leases");
	else
		add(l, "tep", l->teps[i].name, up,
			l->known[i] < 0 ? "is not loaded" : states[s->state]);
}

static void check_jobs(struct looked *l)
{
	char detail[128] = "all are well";
	bool ok = true;

	for (unsigned i = 0; i < CW_JOBS_N; i++) {
		if (l->job[i].ill && ok)
			(void) snprintf(detail, sizeof detail, "%s: %s", cw_rest_job_names[i],
				l->job[i].ill);
		ok = ok && !l->job[i].ill;
	}
	add(l, "jobs", NULL, ok, detail);
}

static void answer(struct cw_rest_request *q)
{
	struct looked *l = q->mine;
	struct cw_rest_errors *errs = cw_arena_alloc(q->arena, 1, sizeof *errs);
	struct cw_rest_ready ready = {.ready = true};
	char pointer[CW_NAME_MAX + 16];

	if (!errs) {
		cw_rest_problem_code(q, -ENOMEM);
		return;
	}
	add(l, "store", NULL, l->store == 0, l->store ? cw_strerror(l->store) : "is writable");
	for (unsigned i = 0; i < l->n_teps; i++)
		check_tep(l, i);
	check_jobs(l);
	for (unsigned i = 0; i < l->n; i++) {
		if (l->check[i].ok)
			continue;
		ready.ready = false;
		(void) snprintf(pointer, sizeof pointer, "/%s", l->check[i].name);
		cw_rest_error_add(errs, CW_REST_IN_BODY, pointer, "%s", l->check[i].detail);
	}
	ready.checks = (struct cw_rest_array){l->check, l->n};
	if (ready.ready)
		cw_rest_show(q, 200, &cw_rest_ready_object, &ready);
	else
		cw_rest_problem_errors(q, CW_PROBLEM_NOT_READY, errs);
}

void cw_rest_do_getReady(struct cw_rest_request *q)
{
	struct looked *l = cw_arena_alloc(q->arena, 1, sizeof *l);
	struct cw_store_reader *r;
	int n;

	if (!l) {
		cw_rest_problem_code(q, -ENOMEM);
		return;
	}
	if (!cw_rest_take_query(q, NULL, NULL) || !(r = cw_rest_reader(q)))
		return;
	n = cw_read_teps(r, 0, l->teps, TEPS_MAX);
	if (n < 0) {
		cw_rest_problem_code(q, n);
		return;
	}
	l->n_teps = (unsigned) n;
	q->mine = l;
	cw_rest_on_loop(q, look, answer);
}
