/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands that are more than one request, or print otherwise than as a list. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"
#include "client/ctl/run.h"
#include "client/ctl/value.h"

enum { WHY_MAX = 512, POLL_MS = 100, POLL_MAX_MS = 2000 };

int cw_ctl_run_drain(struct cw_ctl *c)
{
	CW_CLEANUP(cw_freep) char *path = cw_ctl_own_path(c);
	char etag[CW_CTL_ETAG_MAX] = "";
	int r = path ? cw_ctl_etag(c, path, etag) : CW_EXIT_FAILURE;

	if (r != CW_EXIT_OK)
		return r;
	return cw_ctl_submit(c, path, etag, NULL, json_pack("{s:s}", "state", "draining"));
}

int cw_ctl_run_tag(struct cw_ctl *c)
{
	CW_CLEANUP(cw_freep) char *path = cw_ctl_own_path(c);
	json_t *lease = NULL, *tags;
	char why[WHY_MAX] = "";
	int r = path ? cw_ctl_get(c, path, NULL, &lease) : CW_EXIT_FAILURE;

	if (r != CW_EXIT_OK)
		return r;
	tags = json_incref(json_object_get(lease, "tags"));
	json_decref(lease);
	if (!json_is_object(tags)) {
		json_decref(tags);
		tags = json_object();
	}
	for (size_t i = 1; tags && i < c->line->n_args; i++) {
		r = cw_ctl_tag(tags, c->line->args[i], why, sizeof why);
		if (r < 0) {
			json_decref(tags);
			return r == CW_E_SYNTAX ? cw_ctl_usage("%s", why) : cw_ctl_failed(r, "tag");
		}
	}
	return cw_ctl_submit(c, path, NULL, NULL, json_pack("{s:o}", "tags", tags));
}

int cw_ctl_run_passwd(struct cw_ctl *c)
{
	CW_CLEANUP(cw_freep) char *path = cw_ctl_own_path(c);
	const char *file = cw_ctl_value(c->line, "password-file");
	char etag[CW_CTL_ETAG_MAX] = "";
	json_t *body = NULL;
	int r = path ? cw_ctl_own_body(c, &body) : CW_EXIT_FAILURE;

	if (r == CW_EXIT_OK)
		r = cw_ctl_password(file ? file : "-", body);
	if (r == CW_EXIT_OK)
		r = cw_ctl_etag(c, path, etag);
	if (r == CW_EXIT_OK)
		return cw_ctl_submit(c, path, etag, NULL, body);
	json_decref(body);
	return r;
}

/* A new file, ours alone. It is made before the token, which nobody could get again if it failed. */
static int new_file(const char *path, int *ret_fd)
{
	*ret_fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	return *ret_fd < 0 ? cw_ctl_failed(-errno, path) : CW_EXIT_OK;
}

static int fill_file(const char *path, int fd, const char *token)
{
	size_t n = strlen(token);

	if (write(fd, token, n) == (ssize_t) n && write(fd, "\n", 1) == 1 && fsync(fd) == 0)
		return CW_EXIT_OK;
	return cw_ctl_failed(errno ? -errno : -ENOSPC, path);
}

/* The token alone, on standard output or in a file; what is known of it to programs. */
static int give_token(struct cw_ctl *c, const json_t *v, int fd)
{
	const char *token = json_string_value(json_object_get(v, "token"));

	if (!token)
		return cw_ctl_failed(CW_E_SYNTAX, "answer");
	if (fd >= 0)
		return fill_file(cw_ctl_value(c->line, "out"), fd, token);
	if (c->out.format != CW_CTL_TABLE)
		return cw_ctl_show(c, v);
	(void) fprintf(c->out.f, "%s\n", token);
	if (c->out.width && !c->out.quiet)
		cw_ctl_say("this is the only time it is shown; keep it in a file for --token-file");
	return CW_EXIT_OK;
}

int cw_ctl_run_token(struct cw_ctl *c)
{
	const char *file = cw_ctl_value(c->line, "out");
	CW_CLEANUP(cw_closep) int fd = -1;
	json_t *body = NULL, *v = NULL;
	int r = cw_ctl_own_body(c, &body);

	if (r == CW_EXIT_OK && !cw_ctl_value(c->line, "name") &&
		json_object_set_new(body, "name", json_string("causewayctl")) < 0)
		r = cw_ctl_failed(-ENOMEM, "token");
	if (r == CW_EXIT_OK && file)
		r = new_file(file, &fd);
	if (r != CW_EXIT_OK) {
		json_decref(body);
		return r;
	}
	r = cw_ctl_ask(c, CW_REST_POST, "/v1/tokens", NULL, body, &v);
	if (r == CW_EXIT_OK)
		r = give_token(c, v, fd);
	json_decref(v);
	if (r != CW_EXIT_OK && fd >= 0)
		(void) unlink(file);
	return r;
}

/* ---- runs of jobs ---- */

int cw_ctl_run_run(struct cw_ctl *c)
{
	CW_CLEANUP(cw_freep) char *path = cw_ctl_own_path(c), *at = NULL;
	const char *job, *id, *result;
	json_t *run = NULL, *more;
	unsigned wait_ms = POLL_MS;
	int r = path ? cw_ctl_ask(c, CW_REST_POST, path, NULL, NULL, &run) : CW_EXIT_FAILURE;

	if (r != CW_EXIT_OK)
		return r;
	job = json_string_value(json_object_get(run, "job"));
	id = json_string_value(json_object_get(run, "id"));
	if (job && id)
		at = cw_ctl_path(CW_OP_REST_getRun, (const char *const[]){job, id});
	while (r == CW_EXIT_OK && at && !cw_ctl_is_on(c->line, "no-wait")) {
		result = json_string_value(json_object_get(run, "result"));
		if (!result || strcmp(result, "running") != 0 || !cw_ctl_wait(wait_ms))
			break;
		wait_ms = wait_ms * 2 < POLL_MAX_MS ? wait_ms * 2 : POLL_MAX_MS;
		more = NULL;
		r = cw_ctl_get(c, at, NULL, &more);
		if (r == CW_EXIT_OK) {
			json_decref(run);
			run = more;
		}
	}
	if (r == CW_EXIT_OK)
		r = cw_ctl_show(c, run);
	result = json_string_value(json_object_get(run, "result"));
	if (r == CW_EXIT_OK && result &&
		(strcmp(result, "failed") == 0 || strcmp(result, "lost") == 0)) {
		cw_ctl_say("the run %s: %s",
			strcmp(result, "lost") == 0 ? "was cut short" : "failed",
			json_string_value(json_object_get(run, "detail")));
		r = CW_EXIT_FAILURE;
	}
	json_decref(run);
	return r;
}

/* ---- lists inside of one thing ---- */

static int show_rows(struct cw_ctl *c, const json_t *v, const char *name)
{
	json_t *list = NULL, *row;
	size_t i;
	int r = cw_ctl_rows(v, name, &list);

	if (r == CW_EXIT_OK && c->out.quiet)
		return r;
	if (r == CW_EXIT_OK)
		r = cw_ctl_begin(c);
	json_array_foreach(list, i, row)
	{
		if (r == CW_EXIT_OK)
			r = cw_ctl_row(c, row);
	}
	return r != CW_EXIT_OK ? r : cw_ctl_failed(cw_ctl_out_end(&c->out), "output");
}

/* As JSON it is what the broker says. */
static int show_items(struct cw_ctl *c, const json_t *v, const char *name)
{
	return c->out.format == CW_CTL_JSON ? cw_ctl_show(c, v) : show_rows(c, v, name);
}

int cw_ctl_run_items(struct cw_ctl *c)
{
	CW_CLEANUP(cw_freep) char *path = cw_ctl_own_path(c);
	json_t *v = NULL;
	int r = path ? cw_ctl_get(c, path, NULL, &v) : CW_EXIT_FAILURE;

	if (r == CW_EXIT_OK)
		r = show_items(c, v, "items");
	json_decref(v);
	return r;
}

int cw_ctl_run_samples(struct cw_ctl *c)
{
	CW_CLEANUP(cw_freep) char *path = cw_ctl_own_path(c), *query = NULL;
	json_t *v = NULL;
	int r = path ? cw_ctl_own_query(c, &query) : CW_EXIT_FAILURE;

	if (r == CW_EXIT_OK)
		r = cw_ctl_get(c, path, query, &v);
	if (r == CW_EXIT_OK)
		r = show_items(c, v, "items");
	if (r == CW_EXIT_OK && json_is_string(json_object_get(v, "full_at")) &&
		c->out.format == CW_CTL_TABLE && !c->out.quiet) {
		CW_CLEANUP(cw_freep) char *full = cw_ctl_cell(json_object_get(v, "full_at"));

		(void) fprintf(c->out.f, "At this rate it is full at %s.\n", full ? full : "-");
	}
	json_decref(v);
	return r;
}

int cw_ctl_run_drift(struct cw_ctl *c)
{
	CW_CLEANUP(cw_freep) char *path = cw_ctl_own_path(c), *at = NULL;
	json_t *v = NULL;
	int r = path ? cw_ctl_get(c, path, NULL, &v) : CW_EXIT_FAILURE;

	if (r != CW_EXIT_OK)
		return r;
	if (c->out.format == CW_CTL_TABLE) {
		at = cw_ctl_cell(json_object_get(v, "compared_at"));
		(void) fprintf(c->out.f,
			"compared at %s: %" JSON_INTEGER_FORMAT " wanted, %" JSON_INTEGER_FORMAT
			" there, %" JSON_INTEGER_FORMAT " differences\n",
			at ? at : "-", json_integer_value(json_object_get(v, "wanted")),
			json_integer_value(json_object_get(v, "actual")),
			json_integer_value(json_object_get(v, "differences")));
	}
	if (c->out.format != CW_CTL_TABLE || json_array_size(json_object_get(v, "items")))
		r = show_items(c, v, "items");
	json_decref(v);
	return r;
}

static int keep_row(struct cw_ctl *c, const json_t *row, void *arg)
{
	(void) c;
	return json_array_append(arg, cw_ctl_mutable(row)) < 0 ? cw_ctl_failed(-ENOMEM, "rows")
							       : CW_EXIT_OK;
}

static json_int_t number(const json_t *row, const char *name)
{
	return json_integer_value(json_object_get(row, name));
}

static int by_fullness(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *) a, *y = *(json_t *const *) b;
	json_int_t by = number(y, "used_percent") - number(x, "used_percent");

	by = by ? by : number(x, "available") - number(y, "available");
	return by < 0 ? -1 : by > 0;
}

/* Fullness changes all the time, so the broker's pages are in another order. */
int cw_ctl_usages(struct cw_ctl *c, json_t **ret)
{
	CW_CLEANUP(cw_freep) json_t **rows = NULL;
	json_t *all = json_array(), *sorted = json_array(), *row;
	size_t n, i;
	int r = all && sorted ? cw_ctl_each(c, "/v1/usage", NULL, 0, keep_row, all)
			      : cw_ctl_failed(-ENOMEM, "rows");

	n = json_array_size(all);
	if (r == CW_EXIT_OK && n && !(rows = cw_zalloc(n, sizeof *rows)))
		r = cw_ctl_failed(-ENOMEM, "rows");
	json_array_foreach(all, i, row)
	{
		if (rows)
			rows[i] = row;
	}
	if (rows)
		qsort(rows, n, sizeof *rows, by_fullness);
	for (i = 0; rows && i < n && r == CW_EXIT_OK; i++)
		r = keep_row(c, rows[i], sorted);
	json_decref(all);
	if (r == CW_EXIT_OK)
		*ret = sorted;
	else
		json_decref(sorted);
	return r;
}

static int usage_of_all(struct cw_ctl *c)
{
	json_t *rows = NULL, *v = NULL;
	uint64_t most = 0;
	int r = cw_ctl_limit(c, &most);

	if (r == CW_EXIT_OK)
		r = cw_ctl_usages(c, &rows);
	while (most && json_array_size(rows) > most)
		(void) json_array_remove(rows, json_array_size(rows) - 1);
	if (r == CW_EXIT_OK && !(v = json_pack("{s:O}", "items", rows)))
		r = cw_ctl_failed(-ENOMEM, "rows");
	if (r == CW_EXIT_OK)
		r = show_rows(c, v, "items");
	json_decref(v);
	json_decref(rows);
	return r;
}

int cw_ctl_run_usage(struct cw_ctl *c)
{
	CW_CLEANUP(cw_freep) char *path = NULL;
	json_t *v = NULL;
	int r;

	if (c->line->n_args == 0)
		return usage_of_all(c);
	path = cw_ctl_path(CW_OP_REST_getUsage, c->line->args);
	r = path ? cw_ctl_get(c, path, NULL, &v) : cw_ctl_failed(-ENOMEM, "path");
	if (r == CW_EXIT_OK)
		r = cw_ctl_show(c, v);
	json_decref(v);
	return r;
}

/* ---- the configuration, the broker ---- */

static void tell_names(const struct cw_ctl *c, const json_t *v, const char *name, const char *what)
{
	json_t *item;
	size_t i;

	json_array_foreach(json_object_get(v, name), i, item)
	{
		CW_CLEANUP(cw_freep) char *s = cw_ctl_cell(item);

		if (s)
			(void) fprintf(c->out.f, "%s %s\n", what, s);
	}
}

int cw_ctl_run_config(struct cw_ctl *c)
{
	CW_CLEANUP(cw_freep) char *path = cw_ctl_own_path(c);
	json_t *v = NULL, *fault;
	bool good;
	size_t i;
	int r = path ? cw_ctl_ask(c, CW_REST_POST, path, NULL, NULL, &v) : CW_EXIT_FAILURE;

	if (r != CW_EXIT_OK)
		return r;
	good = json_is_true(json_object_get(v, "ok"));
	if (c->out.format != CW_CTL_TABLE)
		r = cw_ctl_show(c, v);
	else if (!c->out.quiet) {
		json_array_foreach(json_object_get(v, "faults"), i, fault)
		{
			CW_CLEANUP(cw_freep)
			char *text = cw_ctl_cell(json_object_get(fault, "detail"));

			(void) fprintf(c->out.f, "line %" JSON_INTEGER_FORMAT ": %s\n",
				json_integer_value(json_object_get(fault, "line")),
				text ? text : "");
		}
		tell_names(c, v, "changes", "changes:");
		tell_names(c, v, "restart", "needs a restart:");
		if (good)
			(void) fprintf(c->out.f, "the file is good\n");
	}
	json_decref(v);
	return r != CW_EXIT_OK ? r : good ? CW_EXIT_OK : CW_EXIT_FAILURE;
}

int cw_ctl_run_status(struct cw_ctl *c)
{
	json_t *v = NULL;
	int r = cw_ctl_get(c, "/readyz", NULL, &v);

	if (r == CW_EXIT_OK)
		r = show_items(c, v, "checks");
	json_decref(v);
	return r;
}

int cw_ctl_run_metrics(struct cw_ctl *c)
{
	return cw_ctl_pass_on(c, "/metrics", NULL, "application/openmetrics-text", 0);
}
