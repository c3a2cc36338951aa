/* SPDX-License-Identifier: BSD-2-Clause */
/* What most resources have in common: list, show, make, change, delete. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"
#include "client/ctl/run.h"
#include "client/ctl/value.h"

enum { LIMIT_MAX = 48 };

/* ---- lists ---- */

static int print_row(struct cw_ctl *c, const json_t *row, void *arg)
{
	(void) arg;
	return c->out.quiet ? CW_EXIT_OK : cw_ctl_row(c, row);
}

static int count(struct cw_ctl *c, const char *path, const char *query)
{
	CW_CLEANUP(cw_freep) char *q = cw_zalloc(strlen(query) + 32, 1);
	json_t *page = NULL;
	int r;

	if (!q)
		return cw_ctl_failed(-ENOMEM, path);
	(void) snprintf(q, strlen(query) + 32, "%s%slimit=1&count=exact", query, *query ? "&" : "");
	r = cw_ctl_get(c, path, q, &page);
	if (r != CW_EXIT_OK)
		return r;
	(void) fprintf(c->out.f, "%" JSON_INTEGER_FORMAT "\n",
		json_integer_value(json_object_get(page, "count")));
	json_decref(page);
	return CW_EXIT_OK;
}

static int rows(struct cw_ctl *c, const char *path, const char *query, uint64_t most)
{
	json_t *page = NULL, *items = NULL, *row;
	size_t i;
	int r = cw_ctl_begin(c), e;

	if (r != CW_EXIT_OK)
		return r;
	if (c->line->command->query)
		r = cw_ctl_each(c, path, query, most, print_row, NULL);
	else { /* all at once */
		r = cw_ctl_get(c, path, query, &page);
		if (r == CW_EXIT_OK)
			r = cw_ctl_rows(page, "items", &items);
		json_array_foreach(items, i, row)
		{
			if (r == CW_EXIT_OK)
				r = print_row(c, row, NULL);
		}
		json_decref(page);
	}
	/* Half a table is better than none, half of what a program reads is not. */
	if (c->out.quiet || (r != CW_EXIT_OK && (c->out.format != CW_CTL_TABLE || !c->out.rows))) {
		cw_ctl_out_done(&c->out);
		return r;
	}
	e = cw_ctl_failed(cw_ctl_out_end(&c->out), "output");
	return r != CW_EXIT_OK ? r : e;
}

int cw_ctl_run_list(struct cw_ctl *c)
{
	const struct cw_ctl_command *cmd = c->line->command;
	CW_CLEANUP(cw_freep) char *path = cw_ctl_own_path(c), *query = NULL, *with = NULL;
	enum cw_ctl_format f = c->out.format;
	char stream = '\0';
	uint64_t most = 0;
	int r = path ? cw_ctl_limit(c, &most) : CW_EXIT_FAILURE;

	if (r == CW_EXIT_OK)
		r = cw_ctl_own_query(c, &query);
	if (r != CW_EXIT_OK)
		return r;
	if (cw_ctl_is_on(c->line, "count"))
		return count(c, path, query);
	if (f == CW_CTL_NDJSON)
		stream = 'n';
	else if (f == CW_CTL_CSV && !cw_ctl_value(c->line, "columns"))
		stream = 'c';
	/* What the broker writes itself is passed on, but not to a terminal: it may not be safe for one. */
	if (!stream || !strchr(cmd->streams, stream) || c->out.width || c->out.quiet)
		return rows(c, path, query, most);
	with = cw_zalloc(strlen(query) + LIMIT_MAX, 1);
	if (!with)
		return cw_ctl_failed(-ENOMEM, path);
	/* The broker has a bound for it; more than that is counted here. CSV has a heading. */
	(void) snprintf(with, strlen(query) + LIMIT_MAX, "%s", query);
	if (most && most <= CW_CTL_PAGE)
		(void) snprintf(with + strlen(with), LIMIT_MAX, "%slimit=%" PRIu64,
			*query ? "&" : "", most);
	return cw_ctl_pass_on(c, path, with, stream == 'c' ? "text/csv" : "application/x-ndjson",
		most ? most + (stream == 'c') : 0);
}

/* ---- one thing ---- */

int cw_ctl_run_show(struct cw_ctl *c)
{
	CW_CLEANUP(cw_freep) char *path = cw_ctl_own_path(c);
	json_t *v = NULL;
	int r = path ? cw_ctl_get(c, path, NULL, &v) : CW_EXIT_FAILURE;

	if (r == CW_EXIT_OK)
		r = cw_ctl_show(c, v);
	json_decref(v);
	return r;
}

int cw_ctl_run_post(struct cw_ctl *c)
{
	CW_CLEANUP(cw_freep) char *path = cw_ctl_own_path(c);
	json_t *v = NULL;
	int r = path ? cw_ctl_ask(c, CW_REST_POST, path, NULL, NULL, &v) : CW_EXIT_FAILURE;

	if (r == CW_EXIT_OK)
		r = cw_ctl_show(c, v);
	json_decref(v);
	return r;
}

/* The command's body sent to a path; what comes back is printed. */
static int send_body(struct cw_ctl *c, const char *path, const char *if_match, const char *key)
{
	const char *file = cw_ctl_value(c->line, "password-file");
	json_t *body = NULL;
	int r = cw_ctl_own_body(c, &body);

	if (r == CW_EXIT_OK && file)
		r = cw_ctl_password(file, body);
	if (r == CW_EXIT_OK)
		return cw_ctl_submit(c, path, if_match, key, body);
	json_decref(body);
	return r;
}

int cw_ctl_run_create(struct cw_ctl *c)
{
	CW_CLEANUP(cw_freep) char *path = cw_ctl_own_path(c);
	const char *key = NULL;
	char random[40];
	int r = path ? CW_EXIT_OK : CW_EXIT_FAILURE;

	if (r == CW_EXIT_OK && cw_rest_operation(c->line->command->op)->repeat == CW_REST_key)
		r = cw_ctl_key(c, &key, random, sizeof random);
	return r == CW_EXIT_OK ? send_body(c, path, NULL, key) : r;
}

int cw_ctl_run_set(struct cw_ctl *c)
{
	CW_CLEANUP(cw_freep) char *path = cw_ctl_own_path(c);
	bool tagged = cw_ctl_has_word(c->line->command->flags, "if-match", 8);
	char etag[CW_CTL_ETAG_MAX] = "";
	int r = path ? CW_EXIT_OK : CW_EXIT_FAILURE;

	for (size_t i = 0; r == CW_EXIT_OK; i++) {
		if (i == c->line->n_values)
			return cw_ctl_usage(
				"%s %s needs a flag that says what to change; --help names them",
				c->line->noun, c->line->verb);
		if (c->line->values[i].flag->member)
			break;
	}
	if (r == CW_EXIT_OK && tagged)
		r = cw_ctl_etag(c, path, etag);
	return r == CW_EXIT_OK ? send_body(c, path, tagged ? etag : NULL, NULL) : r;
}

/* ---- deleting ---- */

struct wanted {
	struct cw_addr4 lo, hi;
	char id[32];
};

static int same_range(struct cw_ctl *c, const json_t *row, void *arg)
{
	const char *lo = json_string_value(json_object_get(row, "first")),
		   *hi = json_string_value(json_object_get(row, "last")),
		   *id = json_string_value(json_object_get(row, "id"));
	struct wanted *w = arg;
	struct cw_addr4 a, b;

	(void) c;
	if (lo && hi && id && cw_addr4_parse(lo, strlen(lo), &a) == 0 &&
		cw_addr4_parse(hi, strlen(hi), &b) == 0 && a.v == w->lo.v && b.v == w->hi.v)
		(void) snprintf(w->id, sizeof w->id, "%s", id);
	return CW_EXIT_OK;
}

/* A range that is named as it was added: its id. */
static int find_range(struct cw_ctl *c, struct wanted *w)
{
	const char *text = c->line->args[1];
	CW_CLEANUP(cw_freep)
	char *path = cw_ctl_path(c->line->command->op == CW_OP_REST_deleteRange
					 ? CW_OP_REST_listRanges
					 : CW_OP_REST_listExclusions,
		c->line->args);
	int r;

	if (cw_range4_parse(text, strlen(text), &w->lo, &w->hi) < 0) {
		(void) snprintf(w->id, sizeof w->id, "%s", text);
		return CW_EXIT_OK;
	}
	if (!path)
		return cw_ctl_failed(-ENOMEM, "path");
	r = cw_ctl_each(c, path, NULL, 0, same_range, w);
	if (r != CW_EXIT_OK || w->id[0])
		return r;
	cw_ctl_say("%s has no %s %s", c->line->args[0], c->line->noun, text);
	return CW_CTL_NOT_FOUND;
}

static int delete_one(struct cw_ctl *c, const char *const *params)
{
	const struct cw_ctl_command *cmd = c->line->command;
	bool tagged = cw_ctl_has_word(cmd->flags, "if-match", 8);
	CW_CLEANUP(cw_freep) char *path = cw_ctl_path(cmd->op, params), *query = NULL;
	struct cw_ctl_request q = {.method = CW_REST_DELETE, .path = path};
	char etag[CW_CTL_ETAG_MAX] = "";
	struct cw_ctl_answer a;
	int r = path ? cw_ctl_own_query(c, &query) : cw_ctl_failed(-ENOMEM, "path");

	if (r == CW_EXIT_OK && tagged)
		r = cw_ctl_etag(c, path, etag);
	if (r != CW_EXIT_OK)
		return r;
	q.query = query;
	q.if_match = tagged ? etag : NULL;
	r = cw_ctl_do(c, &q, &a);
	if (r != CW_EXIT_OK)
		return r;
	if (a.status == 202 && !c->out.quiet)
		cw_ctl_say(
			"leases live there: it is draining now; delete it again when they are gone");
	cw_ctl_answer_done(&a);
	return CW_EXIT_OK;
}

int cw_ctl_run_delete(struct cw_ctl *c)
{
	const struct cw_ctl_line *l = c->line;
	struct wanted w = {.id = ""};
	const char *params[2] = {l->args[0], NULL};
	int r, worst = CW_EXIT_OK;

	if (cw_ctl_path_params(l->command->op) == 2) {
		r = find_range(c, &w);
		params[1] = w.id;
		return r == CW_EXIT_OK ? delete_one(c, params) : r;
	}
	for (size_t i = 0; i < l->n_args; i++) {
		r = delete_one(c, &l->args[i]);
		if (r != CW_EXIT_OK && l->n_args > 1)
			cw_ctl_say("that was %s", l->args[i]);
		if (r == CW_CTL_UNREACHABLE || r == CW_CTL_NOT_ALLOWED)
			return r;
		worst = r != CW_EXIT_OK ? r : worst;
	}
	return worst;
}
