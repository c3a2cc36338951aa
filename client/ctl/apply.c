/* SPDX-License-Identifier: BSD-2-Clause */
/* The wanted state in a file, and the difference that the broker finds. */
#include "config.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "client/ctl/apply.h"
#include "client/ctl/run.h"
#include "client/ctl/value.h"

enum { FILE_MAX = 16 * 1024 * 1024, MEMBER_MAX = 64 };

/* One JSON value in a file; *ret is given. The exit code; told. */
static int read_json(const char *file, json_t **ret)
{
	json_error_t e;
	char *text;
	size_t n;
	int r = cw_ctl_slurp(file, FILE_MAX, &text, &n);

	if (r < 0)
		return cw_ctl_failed(r, file);
	*ret = json_loadb(text, n, JSON_REJECT_DUPLICATES, &e);
	text = cw_free_secret(text, n);
	if (*ret)
		return CW_EXIT_OK;
	cw_ctl_say("%s:%d:%d: %s", file, e.line, e.column, e.text);
	return CW_EXIT_USAGE;
}

/* ---- names ---- */

static const char *const sections[][2] = {
	{"tep", "teps"}, {"pool", "pools"}, {"reservation", "reservations"}, {"user", "users"}};

static const char *const members[][2] = {{"range", "ranges"}, {"exclude", "exclusions"},
	{"lifetime", "lifetime_s"}, {"lifetime_min", "lifetime_min_s"},
	{"lifetime_max", "lifetime_max_s"}, {"quarantine", "quarantine_s"},
	{"retention", "retention_s"}};

static const char *mapped(const char *name, const char *const (*map)[2], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(name, map[i][0]) == 0)
			return map[i][1];
	}
	return name;
}

/* A member's value as the API has it; a new reference. NULL: *why, or out of memory. */
static json_t *value(const char *name, json_t *v, char *why, size_t why_n)
{
	size_t n = strlen(name);
	uint64_t s;

	if (json_is_string(v) && n > 2 && strcmp(name + n - 2, "_s") == 0) {
		if (cw_ctl_duration(json_string_value(v), &s) == 0)
			return json_integer((json_int_t) s);
		(void) snprintf(
			why, why_n, "%s \"%.100s\" is no duration", name, json_string_value(v));
		return NULL;
	}
	if (json_is_string(v) && (strcmp(name, "ranges") == 0 || strcmp(name, "exclusions") == 0))
		return json_pack("[O]", v);
	return json_incref(v);
}

/* port-set-offset and port-set-length are one member. */
static int join_port_set(json_t *item)
{
	json_t *a = json_object_get(item, "port_set_offset"),
	       *k = json_object_get(item, "port_set_length");
	json_t *set;

	if (!a && !k)
		return 0;
	if (json_is_integer(k) && json_integer_value(k) == 0)
		set = json_null();
	else
		set = json_pack("{s:o, s:o}", "offset", a ? json_incref(a) : json_integer(6),
			"length", k ? json_incref(k) : json_integer(0));
	if (json_object_set_new(item, "port_set", set) < 0)
		return -ENOMEM;
	(void) json_object_del(item, "port_set_offset");
	(void) json_object_del(item, "port_set_length");
	return 0;
}

static int one_item(json_t *list, const char *title, json_t *from, char *why, size_t why_n)
{
	json_t *item = json_object(), *v;
	const char *key, *name;
	char plain[MEMBER_MAX];
	int r = item ? 0 : -ENOMEM;

	if (r == 0 && title && json_object_set_new(item, "name", json_string(title)) < 0)
		r = -ENOMEM;
	if (r == 0 && !json_is_object(from)) {
		(void) snprintf(why, why_n, "%s must be an object", title ? title : "an element");
		r = CW_E_SYNTAX;
	}
	json_object_foreach(from, key, v)
	{
		json_t *to;

		if (r < 0)
			break;
		(void) snprintf(plain, sizeof plain, "%s", key);
		for (char *p = plain; *p; p++)
			*p = (char) (*p == '-' ? '_' : *p);
		name = mapped(plain, members, CW_ARRAY_LEN(members));
		to = value(name, v, why, why_n);
		if (!to)
			r = why[0] ? CW_E_SYNTAX : -ENOMEM;
		else if (json_object_get(item, name) && !json_equal(json_object_get(item, name),
								to)) { /* lifetime and lifetime_s */
			(void) snprintf(why, why_n, "%.60s is there twice", name);
			json_decref(to);
			r = CW_E_SYNTAX;
		} else if (json_object_set_new(item, name, to) < 0)
			r = -ENOMEM;
	}
	if (r == 0)
		r = join_port_set(item);
	if (r == 0)
		return json_array_append_new(list, item) < 0 ? -ENOMEM : 0;
	json_decref(item);
	return r;
}

static int one_section(json_t *body, const char *name, json_t *from, char *why, size_t why_n)
{
	json_t *list = json_object_get(body, name), *v;
	const char *title;
	size_t i;
	int r = 0;

	if (!list && json_object_set_new(body, name, list = json_array()) < 0)
		return -ENOMEM;
	if (!json_is_object(from) && !json_is_array(from)) {
		(void) snprintf(why, why_n, "%s must be a list, or an object of named ones", name);
		return CW_E_SYNTAX;
	}
	json_object_foreach(from, title, v)
	{
		if (r == 0)
			r = one_item(list, title, v, why, why_n);
	}
	json_array_foreach(from, i, v)
	{
		if (r == 0)
			r = one_item(list, NULL, v, why, why_n);
	}
	return r;
}

int cw_ctl_apply_body(json_t *file, json_t **ret, char *why, size_t why_n)
{
	json_t *body = json_object(), *v;
	const char *key, *name;
	int r = body ? 0 : -ENOMEM;

	why[0] = '\0';
	if (r == 0 && !json_is_object(file)) {
		(void) snprintf(
			why, why_n, "an object with teps, pools, reservations, users is wanted");
		r = CW_E_SYNTAX;
	}
	json_object_foreach(file, key, v)
	{
		if (r < 0)
			break;
		name = mapped(key, sections, CW_ARRAY_LEN(sections));
		for (size_t i = 0; i <= CW_ARRAY_LEN(sections); i++) {
			if (i == CW_ARRAY_LEN(sections)) {
				(void) snprintf(why, why_n,
					"\"%.60s\" is none of tep, pool, reservation, user", key);
				r = CW_E_SYNTAX;
			} else if (strcmp(name, sections[i][1]) == 0) {
				r = one_section(body, name, v, why, why_n);
				break;
			}
		}
	}
	if (r < 0) {
		json_decref(body);
		return r;
	}
	*ret = body;
	return 0;
}

/* ---- the difference ---- */

static void print_change(const struct cw_ctl *c, const json_t *change, const char *note)
{
	CW_CLEANUP(cw_freep)
	char *action = cw_ctl_cell(json_object_get(change, "action")),
	     *kind = cw_ctl_cell(json_object_get(change, "kind")),
	     *name = cw_ctl_cell(json_object_get(change, "name")),
	     *list = cw_ctl_cell(json_object_get(change, "members"));

	if (!action || !kind || !name || !list)
		return;
	if (note)
		(void) fprintf(c->out.f, "%s %s %s\n", note, kind, name);
	else {
		cw_ctl_out_word(&c->out, action, strlen(action));
		(void) fprintf(c->out.f, " %s %s%s%s\n", kind, name,
			strcmp(list, "-") != 0 ? ": " : "", strcmp(list, "-") != 0 ? list : "");
	}
}

static void print_result(const struct cw_ctl *c, const json_t *result)
{
	json_t *change;
	size_t i;

	json_array_foreach(json_object_get(result, "changes"), i, change)
	{
		print_change(c, change, NULL);
	}
	json_array_foreach(json_object_get(result, "left"), i, change)
	{
		print_change(c, change, "not in the file, left (--prune deletes it):");
	}
}

static int ask(struct cw_ctl *c, json_t *body, bool dry, bool prune, json_t **ret)
{
	char query[48];

	(void) snprintf(query, sizeof query, "dry_run=%s&prune=%s", dry ? "true" : "false",
		prune ? "true" : "false");
	return cw_ctl_ask(c, CW_REST_POST, "/v1/apply", query, json_incref(body), ret);
}

int cw_ctl_apply(struct cw_ctl *c, json_t *body, bool dry, bool prune)
{
	bool people = c->out.format == CW_CTL_TABLE && !c->out.quiet, changed = false;
	json_t *result = NULL;
	int r = CW_EXIT_OK;

	/* People see what will happen before it does; programs get what happened. */
	if (people || dry) {
		r = ask(c, body, true, prune, &result);
		changed = json_is_true(json_object_get(result, "changed"));
		if (r == CW_EXIT_OK && people)
			print_result(c, result);
		if (r == CW_EXIT_OK && people && (dry || !changed))
			(void) fprintf(c->out.f, "%s\n",
				changed ? "nothing was changed: a dry run" : "nothing to do");
		(void) fflush(c->out.f);
	}
	if (r == CW_EXIT_OK && !dry && (changed || !people)) {
		json_decref(result);
		result = NULL;
		r = ask(c, body, false, prune, &result);
		if (r == CW_EXIT_OK && people)
			(void) fprintf(c->out.f, "applied: %zu changes\n",
				json_array_size(json_object_get(result, "changes")));
	}
	if (r == CW_EXIT_OK && !people)
		r = cw_ctl_show(c, result);
	json_decref(result);
	json_decref(body);
	return r;
}

int cw_ctl_run_apply(struct cw_ctl *c)
{
	const char *file = cw_ctl_value(c->line, "file");
	json_t *j = NULL, *body = NULL;
	char why[512] = "";
	int r;

	if (c->line->n_args && file)
		return cw_ctl_usage("apply takes one file");
	if (c->line->n_args)
		file = c->line->args[0];
	if (!file)
		return cw_ctl_usage("apply needs -f FILE; - is standard input");
	r = read_json(file, &j);
	if (r != CW_EXIT_OK)
		return r;
	r = cw_ctl_apply_body(j, &body, why, sizeof why);
	json_decref(j);
	if (r == CW_E_SYNTAX) {
		cw_ctl_say("%s: %s", file, why);
		return CW_EXIT_USAGE;
	}
	return r < 0 ? cw_ctl_failed(r, file)
		     : cw_ctl_apply(c, body, cw_ctl_is_on(c->line, "dry-run"),
			       cw_ctl_is_on(c->line, "prune"));
}
