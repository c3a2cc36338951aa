/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration: what is in force, what is wrong with the file now, and reading it again. All on
 * the loop's thread, whose it is. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "broker/rest/handle.h"
#include "broker/rest/handlers.h"

enum { FAULTS_MAX = 100, DETAIL_MAX = 1024 };

/* ---- show ---- */

static void render(struct cw_rest_request *q)
{
	const struct cw_reload *reload = q->rest->parts.reload;
	const struct cw_config *start = cw_reload_start(reload);
	const struct cw_config *now = cw_reload_in_force(reload);
	struct cw_rest_config_value *items =
		cw_arena_alloc(q->arena, start->n_values, sizeof *items);
	struct cw_rest_config c = {
		.sha256 = now->hash,
		.loaded_at = cw_reload_loaded_wall_s(reload),
		.items = {items, start->n_values},
	};

	q->mine = items;
	for (size_t i = 0; items && i < start->n_values; i++) {
		const struct cw_config_value *v = cw_config_value_in_force(start, now, i);

		items[i] = (struct cw_rest_config_value){
			.section = v->section,
			.title = v->title,
			.name = v->name,
			.value = v->value,
			.is_default = v->is_default,
			.reloadable = v->reloadable,
		};
	}
	if (items)
		cw_rest_render(&q->out, &cw_rest_config_object, &c);
}

static void rendered(struct cw_rest_request *q)
{
	if (q->mine)
		cw_rest_answer_json(q, 200);
	else
		cw_rest_problem_code(q, -ENOMEM);
}

void cw_rest_do_getConfig(struct cw_rest_request *q)
{
	if (cw_rest_take_query(q, NULL, NULL))
		cw_rest_on_loop(q, render, rendered);
}

/* ---- test, reload ---- */

/* One reading of the file, of the arena. */
struct reading {
	bool take_over;
	bool short_of; /* memory */
	int result;    /* problems, or a code */
	struct cw_rest_config_test found;
	struct cw_rest_config_fault fault[FAULTS_MAX];
	const char **changes, **restart;
	size_t room; /* of both */
};

/* "FILE:LINE: text", or "FILE: text"; a path with a colon in it is cut behind the right one. */
static struct cw_rest_config_fault fault_of(struct cw_arena *arena, const char *line, size_t n)
{
	struct cw_rest_config_fault f = {.line = CW_REST_NONE};
	const char *end = line + n;

	for (const char *p = line; p < end; p++) {
		char *after;
		unsigned long number;

		if (*p != ':' || p + 1 == end || p[1] < '1' || p[1] > '9')
			continue;
		number = strtoul(p + 1, &after, 10);
		if (after + 1 < end && after[0] == ':' && after[1] == ' ') {
			f.line = number;
			line = after + 2;
			break;
		}
	}
	n = (size_t) (end - line);
	f.detail = cw_arena_strndup(arena, line, n < DETAIL_MAX ? n : DETAIL_MAX - 1);
	return f;
}

static void note_faults(struct cw_rest_request *q, struct reading *r, const char *said)
{
	size_t n = 0;

	for (const char *p = said; *p && n < FAULTS_MAX; p += strcspn(p, "\n"), p += *p == '\n') {
		r->fault[n] = fault_of(q->arena, p, strcspn(p, "\n"));
		if (!r->fault[n++].detail)
			r->short_of = true;
	}
	r->found.faults = (struct cw_rest_array){r->fault, n};
}

static int note_change(void *arg, const char *name, bool restart)
{
	struct cw_rest_request *q = arg;
	struct reading *r = q->mine;
	const char *copy = cw_arena_strndup(q->arena, name, strlen(name));

	if (!copy || r->found.changes.n == r->room)
		return -ENOMEM;
	r->changes[r->found.changes.n++] = copy;
	if (restart)
		r->restart[r->found.restart.n++] = copy;
	return 0;
}

/* What the file would change; no memory for it is a result. */
static void note_changes(void *arg, const struct cw_config *fresh)
{
	struct cw_rest_request *q = arg;
	struct reading *r = q->mine;
	const struct cw_reload *reload = q->rest->parts.reload;
	const struct cw_config *start = cw_reload_start(reload);

	r->room = start->n_values + fresh->n_values;
	r->changes = cw_arena_alloc(q->arena, r->room, sizeof *r->changes);
	r->restart = cw_arena_alloc(q->arena, r->room, sizeof *r->restart);
	r->found.changes.items = r->changes;
	r->found.restart.items = r->restart;
	r->found.sha256 = cw_arena_strndup(q->arena, fresh->hash, strlen(fresh->hash));
	r->short_of =
		!r->changes || !r->restart || !r->found.sha256 ||
		cw_config_changes(start, cw_reload_in_force(reload), fresh, note_change, q) < 0;
}

static void read_again(struct cw_rest_request *q)
{
	struct reading *r = q->mine;
	struct cw_reload *reload = q->rest->parts.reload;
	struct cw_config *fresh = NULL;
	char *said = NULL;
	size_t said_n = 0;
	FILE *err = open_memstream(&said, &said_n);

	if (!err) {
		r->short_of = true;
		return;
	}
	if (r->take_over)
		r->result = cw_reload_now(reload, err, note_changes, q);
	else
		r->result = cw_reload_test(reload, err, &fresh);
	if (fresh)
		note_changes(q, fresh);
	(void) cw_config_free(fresh);
	(void) fclose(err);
	note_faults(q, r, said ? said : "");
	(void) cw_free(said);
	r->found.ok = r->result == 0;
}

static void tested(struct cw_rest_request *q)
{
	const struct reading *r = q->mine;

	if (r->short_of)
		cw_rest_problem_code(q, -ENOMEM);
	else
		cw_rest_show(q, 200, &cw_rest_config_test_object, &r->found);
}

/* The faults as the errors of a problem. */
static void reloaded(struct cw_rest_request *q)
{
	const struct reading *r = q->mine;
	struct cw_rest_errors errs = {.n = 0};

	if (r->result == 0 || r->short_of) {
		tested(q);
		return;
	}
	for (size_t i = 0; i < r->found.faults.n; i++) {
		const struct cw_rest_config_fault *f = &r->fault[i];
		char line[32] = "";

		if (f->line != CW_REST_NONE)
			(void) snprintf(
				line, sizeof line, "line %llu: ", (unsigned long long) f->line);
		cw_rest_error_add(&errs, CW_REST_IN_BODY, "", "%s%s", line, f->detail);
	}
	cw_rest_problem_errors(q, CW_PROBLEM_CONFIG_INVALID, &errs);
}

static struct reading *begin(struct cw_rest_request *q, bool take_over)
{
	struct reading *r = cw_arena_alloc(q->arena, 1, sizeof *r);

	if (!r) {
		cw_rest_problem_code(q, -ENOMEM);
		return NULL;
	}
	q->mine = r;
	r->take_over = take_over;
	return cw_rest_take_query(q, NULL, NULL) ? r : NULL;
}

void cw_rest_do_testConfig(struct cw_rest_request *q)
{
	if (begin(q, false))
		cw_rest_on_loop(q, read_again, tested);
}

/* Who asked for it is on disk before it is done. */
static void noted(struct cw_rest_request *q)
{
	if (q->req.op.result < 0)
		cw_rest_problem_code(q, q->req.op.result);
	else
		cw_rest_on_loop(q, read_again, reloaded);
}

void cw_rest_do_reloadConfig(struct cw_rest_request *q)
{
	if (!begin(q, true))
		return;
	cw_rest_audit(q, "", NULL);
	cw_rest_submit(q, noted);
}
