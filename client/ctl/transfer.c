/* SPDX-License-Identifier: BSD-2-Clause */
/* Pools and leases to files and back: CSV, JSON (a list, or apply's object for pools), NDJSON. What was written can be read
 * again: pools are one apply, so all or nothing; leases are asked for one by one, and asking twice changes nothing. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"
#include "client/ctl/apply.h"
#include "client/ctl/csv.h"
#include "client/ctl/run.h"
#include "client/ctl/value.h"
#include "schema/rest/resources.h"
#include "schema/rest/rfc3339.h"

enum { FILE_MAX = 512 * 1024 * 1024, PROGRESS_EVERY = 100 };

#define POOL_COLUMNS                                                                           \
	"name,tep,state,port_set_offset,port_set_length,keep_system_ports,lifetime_s,"         \
	"lifetime_min_s,lifetime_max_s,quarantine_s,max_leases,retention_s,order,low_percent," \
	"ranges,exclusions"

/* ---- export ---- */

static int add_range(struct cw_ctl *c, const json_t *row, void *arg)
{
	const char *first = json_string_value(json_object_get(row, "first")),
		   *last = json_string_value(json_object_get(row, "last"));
	char text[40];

	(void) c;
	(void) snprintf(text, sizeof text, "%s-%s", first ? first : "", last ? last : "");
	return json_array_append_new(arg, json_string(text)) < 0 ? cw_ctl_failed(-ENOMEM, "ranges")
								 : CW_EXIT_OK;
}

/* The texts of a list, separated by blanks: for CSV. */
static json_t *joined(const json_t *list)
{
	json_t *text = json_string(""), *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		json_t *more = json_sprintf(
			"%s%s%s", json_string_value(text), i ? " " : "", json_string_value(item));

		json_decref(text);
		text = more;
	}
	return text;
}

static int flatten(json_t *pool)
{
	const json_t *set = json_object_get(pool, "port_set");
	json_t *a = json_object_get(set, "offset"), *k = json_object_get(set, "length");

	if (json_object_set_new(pool, "port_set_offset", a ? json_incref(a) : json_null()) < 0 ||
		json_object_set_new(pool, "port_set_length", k ? json_incref(k) : json_null()) <
			0 ||
		json_object_set_new(pool, "ranges", joined(json_object_get(pool, "ranges"))) < 0 ||
		json_object_set_new(
			pool, "exclusions", joined(json_object_get(pool, "exclusions"))) < 0)
		return cw_ctl_failed(-ENOMEM, "pool");
	return CW_EXIT_OK;
}

static int export_pool(struct cw_ctl *c, const json_t *row, void *arg)
{
	static const char *const ours[] = {"id", "kind", "version"};
	const char *name = json_string_value(json_object_get(row, "name"));
	CW_CLEANUP(cw_freep) char *at = NULL, *not_at = NULL;
	json_t *pool = json_deep_copy(row), *ranges = json_array(), *exclusions = json_array();
	int r = CW_EXIT_OK;

	if (name) {
		at = cw_ctl_path(CW_OP_REST_listRanges, &name);
		not_at = cw_ctl_path(CW_OP_REST_listExclusions, &name);
	}
	if (!pool || !ranges || !exclusions || !at || !not_at)
		r = cw_ctl_failed(-ENOMEM, "pool");
	if (r == CW_EXIT_OK)
		r = cw_ctl_each(c, at, NULL, 0, add_range, ranges);
	if (r == CW_EXIT_OK)
		r = cw_ctl_each(c, not_at, NULL, 0, add_range, exclusions);
	for (size_t i = 0; i < CW_ARRAY_LEN(ours); i++)
		(void) json_object_del(pool, ours[i]);
	if (r == CW_EXIT_OK && (json_object_set(pool, "ranges", ranges) < 0 ||
				       json_object_set(pool, "exclusions", exclusions) < 0))
		r = cw_ctl_failed(-ENOMEM, "pool");
	if (r == CW_EXIT_OK && arg) /* JSON: a list for later */
		r = json_array_append(arg, pool) < 0 ? cw_ctl_failed(-ENOMEM, "pool") : CW_EXIT_OK;
	else if (r == CW_EXIT_OK) {
		r = c->out.format == CW_CTL_CSV ? flatten(pool) : CW_EXIT_OK;
		if (r == CW_EXIT_OK)
			r = cw_ctl_failed(cw_ctl_out_row(&c->out, pool), "output");
	}
	json_decref(pool);
	json_decref(ranges);
	json_decref(exclusions);
	return r;
}

int cw_ctl_run_export_pools(struct cw_ctl *c)
{
	json_t *pools = NULL, *all;
	int r;

	if (c->out.format == CW_CTL_TABLE)
		c->out.format = CW_CTL_JSON;
	if (c->out.format == CW_CTL_JSON) {
		pools = json_array();
		r = pools ? cw_ctl_each(c, "/v1/pools", NULL, 0, export_pool, pools)
			  : cw_ctl_failed(-ENOMEM, "pools");
		all = r == CW_EXIT_OK ? json_pack("{s:O}", "pools", pools) : NULL;
		if (all)
			r = cw_ctl_show(c, all);
		json_decref(all);
		json_decref(pools);
		return r;
	}
	if (cw_ctl_out_begin(&c->out, c->out.format == CW_CTL_CSV ? POOL_COLUMNS : "name") < 0)
		return cw_ctl_failed(-ENOMEM, "output");
	r = cw_ctl_each(c, "/v1/pools", NULL, 0, export_pool, NULL);
	return r != CW_EXIT_OK ? r : cw_ctl_failed(cw_ctl_out_end(&c->out), "output");
}

int cw_ctl_run_export_leases(struct cw_ctl *c)
{
	if (c->out.format == CW_CTL_TABLE)
		c->out.format = CW_CTL_NDJSON;
	return cw_ctl_run_list(c);
}

/* ---- files of rows ---- */

struct rows {
	char *text;
	size_t n;
	json_t *list; /* JSON: read as a whole */
	size_t at;
	struct cw_ctl_csv_in csv;
	char *columns[CW_CTL_CSV_FIELDS_MAX];
	unsigned n_columns; /* not 0: CSV */
	char *line;
	unsigned number; /* for messages */
};

/* By its first octet: a list, objects line by line, or CSV with its heading. */
static int open_rows(struct rows *f, const char *file, const char *member)
{
	json_error_t e;
	json_t *inner, *all;
	size_t skip;
	int r = cw_ctl_slurp(file, FILE_MAX, &f->text, &f->n);

	if (r < 0)
		return cw_ctl_failed(r, file);
	skip = strspn(f->text, " \t\r\n");
	f->line = f->text + skip;
	f->csv = (struct cw_ctl_csv_in){.at = f->line, .line = 1};
	if (f->text[skip] == '[' || f->text[skip] == '{') {
		all = json_loadb(f->text, f->n, JSON_REJECT_DUPLICATES, &e);
		if (!all && f->text[skip] == '{')
			return CW_EXIT_OK; /* NDJSON */
		if (!all) {
			cw_ctl_say("%s:%d:%d: %s", file, e.line, e.column, e.text);
			return CW_EXIT_USAGE;
		}
		inner = json_object_get(all, member);
		f->list = json_is_array(all)     ? json_incref(all)
			  : json_is_array(inner) ? json_incref(inner)
						 : json_pack("[O]", all);
		json_decref(all);
		return CW_EXIT_OK;
	}
	r = cw_ctl_csv_next(&f->csv, f->columns, &f->n_columns);
	if (r == 1)
		return CW_EXIT_OK;
	cw_ctl_say("%s: neither JSON nor CSV with a heading", file);
	return CW_EXIT_USAGE;
}

static void close_rows(struct rows *f)
{
	json_decref(f->list);
	if (f->text)
		f->text = cw_free_secret(f->text, f->n);
}

/* A field of CSV by the member's kind; a new reference, NULL: it is no such value. */
static json_t *field(const struct cw_rest_object *o, const char *name, char *text)
{
	const struct cw_rest_field *f = cw_ctl_field(o, name, strlen(name));
	bool port = strncmp(name, "port_set_", 9) == 0 || strcmp(name, "psid") == 0;
	json_t *list, *v;
	uint64_t u;

	if (port || (f && f->kind == CW_REST_NUM))
		return cw_parse_u64(text, strlen(text), 0, INT64_MAX, &u) < 0
			       ? NULL
			       : json_integer((json_int_t) u);
	if (f && f->kind == CW_REST_BOOL)
		return strcmp(text, "true") == 0    ? json_true()
		       : strcmp(text, "false") == 0 ? json_false()
						    : NULL;
	if (f && f->kind == CW_REST_TAGS) {
		v = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
		return json_is_object(v) ? v : NULL;
	}
	if (f && f->kind == CW_REST_ARRAY) {
		list = json_array();
		while (*text) {
			size_t n = strcspn(text, " ");

			(void) json_array_append_new(list, json_stringn(text, n));
			text += n;
			text += strspn(text, " ");
		}
		return list;
	}
	return json_string(text);
}

static json_t *csv_row(struct rows *f, const struct cw_rest_object *o)
{
	char *fields[CW_CTL_CSV_FIELDS_MAX];
	json_t *row, *v;
	unsigned n;

	f->number = f->csv.line;
	switch (cw_ctl_csv_next(&f->csv, fields, &n)) {
	case 1:
		break;
	case 0:
		return json_null();
	default:
		return NULL;
	}
	row = n == f->n_columns ? json_object() : NULL;
	for (unsigned i = 0; row && i < n; i++) {
		if (!f->columns[i] || !fields[i][0]) /* null */
			continue;
		v = field(o, f->columns[i], fields[i]);
		if (json_object_set_new(row, f->columns[i], v) < 0) {
			json_decref(row);
			return NULL;
		}
	}
	return row;
}

/* The next row; a new reference. null: the end; NULL: it cannot be read (`number` tells which). */
static json_t *next_row(struct rows *f, const struct cw_rest_object *o)
{
	char *line = f->line, *end;

	if (f->n_columns)
		return csv_row(f, o);
	f->number++;
	if (f->list)
		return f->at < json_array_size(f->list)
			       ? json_incref(json_array_get(f->list, f->at++))
			       : json_null();
	line += strspn(line, " \t\r\n");
	if (!*line)
		return json_null();
	end = line + strcspn(line, "\n");
	f->line = end;
	return json_loadb(line, (size_t) (end - line), JSON_REJECT_DUPLICATES, NULL);
}

/* ---- import ---- */

int cw_ctl_run_import_pools(struct cw_ctl *c)
{
	const char *file = c->line->args[0];
	json_t *list = json_array(), *row, *wanted, *body = NULL;
	struct rows f = {.text = NULL};
	char why[512] = "";
	int r = list ? open_rows(&f, file, "pools") : cw_ctl_failed(-ENOMEM, file);

	while (r == CW_EXIT_OK) {
		row = next_row(&f, &cw_rest_pool_create_object);
		if (!row) {
			cw_ctl_say("%s: row %u cannot be read", file, f.number);
			r = CW_EXIT_USAGE;
		} else if (json_is_null(row))
			break;
		else if (json_array_append_new(list, row) < 0)
			r = cw_ctl_failed(-ENOMEM, file);
	}
	close_rows(&f);
	wanted = r == CW_EXIT_OK ? json_pack("{s:O}", "pools", list) : NULL;
	json_decref(list);
	if (!wanted)
		return r;
	r = cw_ctl_apply_body(wanted, &body, why, sizeof why);
	json_decref(wanted);
	if (r == CW_E_SYNTAX) {
		cw_ctl_say("%s: %s", file, why);
		return CW_EXIT_USAGE;
	}
	return r < 0 ? cw_ctl_failed(r, file)
		     : cw_ctl_apply(c, body, cw_ctl_is_on(c->line, "dry-run"), false);
}

/* What is asked for to get the lease of a row again: its address, its owner, its end. NULL: out of memory. */
static json_t *request_of(const struct cw_ctl *c, const json_t *row)
{
	static const char *const same[] = {"pool", "owner", "ipv6", "address", "tags"};
	const json_t *ports = json_object_get(row, "ports");
	json_t *psid = json_object_get(json_is_object(ports) ? ports : row, "psid");
	const char *end = json_string_value(json_object_get(row, "expires_at"));
	json_t *body = json_object(), *lifetime = json_object_get(row, "lifetime_s");
	int64_t until;
	int r = 0;

	for (size_t i = 0; i < CW_ARRAY_LEN(same); i++) {
		json_t *v = json_object_get(row, same[i]);

		if (v && !json_is_null(v))
			r |= json_object_set(body, same[i], v);
	}
	if (json_is_integer(psid)) {
		r |= json_object_set(body, "psid", psid);
		r |= json_object_set_new(body, "ports_ok", json_true());
	}
	if (end && cw_rfc3339_parse(end, strlen(end), &until) == 0 && until > c->now_s)
		r |= json_object_set_new(body, "lifetime_s", json_integer(until - c->now_s));
	else if (lifetime)
		r |= json_object_set(body, "lifetime_s", lifetime);
	if (r == 0)
		return body;
	json_decref(body);
	return NULL;
}

struct tally {
	uint64_t done, skipped, failed;
	bool progress;
};

static void progress(const struct tally *t, bool end)
{
	uint64_t n = t->done + t->skipped + t->failed;

	if (t->progress && (end || n % PROGRESS_EVERY == 0))
		(void) fprintf(stderr, "\r%" PRIu64 " leases%s", n, end ? "\n" : "");
}

static int import_lease(struct cw_ctl *c, const json_t *row, unsigned number, struct tally *t)
{
	const char *state = json_string_value(json_object_get(row, "state")), *key = NULL;
	struct cw_ctl_request q = {.method = CW_REST_POST, .path = "/v1/leases"};
	char random[40], *text, about[64];
	struct cw_ctl_answer a;
	json_t *body;
	int r;

	if (state && strcmp(state, "active") != 0) {
		t->skipped++;
		return CW_EXIT_OK;
	}
	body = request_of(c, row);
	text = body ? cw_ctl_text(body) : NULL;
	json_decref(body);
	r = text ? cw_ctl_key(c, &key, random, sizeof random) : cw_ctl_failed(-ENOMEM, "lease");
	q.body = text;
	q.body_n = text ? strlen(text) : 0;
	q.key = key;
	if (r == CW_EXIT_OK && cw_ctl_is_on(c->line, "dry-run")) {
		(void) fprintf(c->out.f, "%s\n", text);
		t->done++;
		(void) cw_free(text);
		return CW_EXIT_OK;
	}
	if (r == CW_EXIT_OK)
		r = cw_ctl_try(c, &q, &a);
	(void) cw_free(text);
	if (r != CW_EXIT_OK)
		return r;
	(void) snprintf(about, sizeof about, "row %u", number);
	if (a.status < 300)
		t->done++;
	else {
		t->failed++;
		r = cw_ctl_problem(&a, about);
	}
	cw_ctl_answer_done(&a);
	/* Without permission or with a full disk the next ones fare no better. */
	return r == CW_CTL_NOT_ALLOWED || r == CW_EXIT_FAILURE ? r : CW_EXIT_OK;
}

int cw_ctl_run_import_leases(struct cw_ctl *c)
{
	const char *file = c->line->args[0];
	struct tally t = {.progress = isatty(STDERR_FILENO) && !c->out.quiet};
	struct rows f = {.text = NULL};
	json_t *row;
	int r = open_rows(&f, file, "items");

	while (r == CW_EXIT_OK) {
		row = next_row(&f, &cw_rest_lease_create_object);
		if (!row) {
			cw_ctl_say("%s: row %u cannot be read", file, f.number);
			r = CW_EXIT_USAGE;
		} else if (json_is_null(row))
			break;
		else
			r = import_lease(c, row, f.number, &t);
		json_decref(row);
		progress(&t, false);
	}
	progress(&t, true);
	close_rows(&f);
	if (!c->out.quiet)
		cw_ctl_say("%" PRIu64 " leases %s, %" PRIu64 " skipped (not active), %" PRIu64
			   " refused",
			t.done, cw_ctl_is_on(c->line, "dry-run") ? "to import" : "imported",
			t.skipped, t.failed);
	return r != CW_EXIT_OK ? r : t.failed ? CW_CTL_CONFLICT : CW_EXIT_OK;
}
