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

enum { TAG_MAX = 72, WHY_MAX = 512 };

/* ---- lists ---- */

static int print_row(struct cw_ctl *c, const json_t *row, void *arg)
{
	(void) arg;
	return cw_ctl_failed(cw_ctl_out_row(&c->out, row), "output");
}

static int print_octets(void *arg, const char *p, size_t n)
{
	return fwrite(p, 1, n, arg) == n ? 0 : -errno;
}

/* The broker writes NDJSON and CSV itself: nothing of a million rows is held here. */
static int pass_on(struct cw_ctl *c, const char *path, const char *query, bool csv)
{
	const char *limit = cw_ctl_value(c->line, "limit");
	CW_CLEANUP(cw_freep) char *with = NULL;
	struct cw_ctl_request q = {
		.method = CW_REST_GET,
		.path = path,
		.query = query,
		.accept = csv ? "text/csv" : "application/x-ndjson",
		.sink = print_octets,
		.arg = c->out.f,
	};
	struct cw_ctl_answer a;
	int r;

	if (limit) {
		size_t n = strlen(query) + strlen(limit) + sizeof "&limit=";

		with = cw_zalloc(n, 1);
		if (!with)
			return cw_ctl_failed(-ENOMEM, path);
		(void) snprintf(with, n, "%s%slimit=%s", query, *query ? "&" : "", limit);
		q.query = with;
	}
	r = cw_ctl_do(c, &q, &a);
	if (r == CW_EXIT_OK)
		cw_ctl_answer_done(&a);
	return r;
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

static int rows(struct cw_ctl *c, const char *path, const char *query)
{
	const char *limit = cw_ctl_value(c->line, "limit"),
		   *columns = cw_ctl_value(c->line, "columns");
	const struct cw_ctl_command *cmd = c->line->command;
	json_t *page = NULL, *row;
	uint64_t most = 0;
	size_t i;
	int r, e;

	if (limit && cw_parse_u64(limit, strlen(limit), 1, INT64_MAX, &most) < 0)
		return cw_ctl_usage("--limit \"%s\" must be a number from 1 on", limit);
	if (cw_ctl_out_begin(&c->out, columns ? columns : cmd->columns) < 0)
		return cw_ctl_failed(-ENOMEM, "output");
	if (cmd->query)
		r = cw_ctl_each(c, path, query, most, print_row, NULL);
	else { /* all at once */
		r = cw_ctl_get(c, path, query, &page);
		json_array_foreach(json_object_get(page, "items"), i, row)
		{
			if (r == CW_EXIT_OK)
				r = print_row(c, row, NULL);
		}
		json_decref(page);
	}
	if (r != CW_EXIT_OK && c->out.format != CW_CTL_TABLE) {
		cw_ctl_out_done(&c->out);
		return r;
	}
	if (r != CW_EXIT_OK && !c->out.rows)
		return r;
	e = cw_ctl_failed(cw_ctl_out_end(&c->out), "output");
	return r != CW_EXIT_OK ? r : e;
}

int cw_ctl_run_list(struct cw_ctl *c)
{
	const struct cw_ctl_command *cmd = c->line->command;
	CW_CLEANUP(cw_freep) char *path = cw_ctl_own_path(c), *query = NULL;
	enum cw_ctl_format f = c->out.format;
	bool columns = cw_ctl_value(c->line, "columns");
	char why[WHY_MAX] = "";
	int r;

	if (!path)
		return CW_EXIT_FAILURE;
	r = cw_ctl_query(c->line, cmd->query, c->now_s, &query, why, sizeof why);
	if (r < 0)
		return r == -ENOMEM ? cw_ctl_failed(r, path) : cw_ctl_usage("%s", why);
	if (cw_ctl_is_on(c->line, "count"))
		return count(c, path, query);
	if (f == CW_CTL_NDJSON && strchr(cmd->streams, 'n'))
		return pass_on(c, path, query, false);
	if (f == CW_CTL_CSV && !columns && strchr(cmd->streams, 'c'))
		return pass_on(c, path, query, true);
	return rows(c, path, query);
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

/* The body with the password that --password-file names; body is taken. */
static int with_password(struct cw_ctl *c, json_t *body, char **ret)
{
	const char *file = cw_ctl_value(c->line, "password-file");
	char *password = NULL;
	size_t n = 0;
	int r = file ? cw_ctl_secret(file, &password, &n) : 0;

	*ret = NULL;
	if (r == 0 && password &&
		json_object_set_new(body, "password", json_stringn(password, n)) < 0) {
		cw_ctl_say("%s: the password is not UTF-8", file);
		r = CW_E_SYNTAX;
	} else if (r < 0)
		(void) cw_ctl_failed(r, file);
	if (password)
		password = cw_free_secret(password, n);
	if (r == 0 && !(*ret = cw_ctl_text(body)))
		r = -ENOMEM;
	json_decref(body);
	return r < 0 ? CW_EXIT_FAILURE : CW_EXIT_OK;
}

/* The command's body sent to a path; what comes back is printed. */
static int send_body(struct cw_ctl *c, const char *path, const char *if_match, const char *key)
{
	struct cw_ctl_request q = {
		.method = cw_rest_operation(c->line->command->op)->method,
		.path = path,
		.if_match = if_match,
		.key = key,
	};
	char why[WHY_MAX] = "", *text = NULL;
	struct cw_ctl_answer a;
	json_t *body = NULL, *v = NULL;
	int r = cw_ctl_body(c->line, c->now_s, &body, why, sizeof why);

	if (r < 0)
		return r == -ENOMEM ? cw_ctl_failed(r, path) : cw_ctl_usage("%s", why);
	r = with_password(c, body, &text);
	if (r != CW_EXIT_OK)
		return r;
	q.body = text;
	q.body_n = strlen(text);
	r = cw_ctl_do(c, &q, &a);
	text = cw_free_secret(text, q.body_n);
	if (r != CW_EXIT_OK)
		return r;
	v = a.body ? json_loadb(a.body, a.n, JSON_REJECT_DUPLICATES, NULL) : json_null();
	cw_ctl_answer_done(&a);
	if (!v)
		return cw_ctl_failed(CW_E_SYNTAX, "answer");
	r = cw_ctl_show(c, v);
	json_decref(v);
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
	char etag[TAG_MAX] = "";
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
		r = cw_ctl_etag(c, path, etag, sizeof etag);
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
	CW_CLEANUP(cw_freep) char *path = cw_ctl_path(cmd->op, params), *query = NULL, *at = NULL;
	struct cw_ctl_request q = {.method = CW_REST_DELETE, .path = path};
	char etag[TAG_MAX] = "", why[WHY_MAX] = "", *tail;
	struct cw_ctl_answer a;
	int r;

	at = path ? cw_strdup(path) : NULL;
	if (!at || cw_ctl_query(c->line, cmd->query, c->now_s, &query, why, sizeof why) < 0)
		return why[0] ? cw_ctl_usage("%s", why) : cw_ctl_failed(-ENOMEM, "path");
	/* Credentials have the version of their user. */
	tail = cmd->op == CW_OP_REST_deleteCredentials ? strrchr(at, '/') : NULL;
	if (tail)
		*tail = '\0';
	r = tagged ? cw_ctl_etag(c, at, etag, sizeof etag) : CW_EXIT_OK;
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
