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
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "client/ctl/apply.h"
#include "client/ctl/rows.h"
#include "client/ctl/run.h"
#include "client/ctl/value.h"
#include "schema/rest/rfc3339.h"

enum { PROGRESS_EVERY = 100 };

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

/* ---- import ---- */

/* What the API has, and the words that apply takes for it: those are durations with units. */
static const struct cw_ctl_column pool_columns[] = {{"name", CW_CTL_COL_TEXT},
	{"tep", CW_CTL_COL_TEXT}, {"state", CW_CTL_COL_TEXT}, {"port_set", CW_CTL_COL_OBJECT},
	{"port_set_offset", CW_CTL_COL_NUMBER}, {"port_set_length", CW_CTL_COL_NUMBER},
	{"keep_system_ports", CW_CTL_COL_BOOL}, {"lifetime_s", CW_CTL_COL_NUMBER},
	{"lifetime_min_s", CW_CTL_COL_NUMBER}, {"lifetime_max_s", CW_CTL_COL_NUMBER},
	{"quarantine_s", CW_CTL_COL_NUMBER}, {"max_leases", CW_CTL_COL_NUMBER},
	{"retention_s", CW_CTL_COL_NUMBER}, {"order", CW_CTL_COL_NUMBER},
	{"low_percent", CW_CTL_COL_NUMBER}, {"ranges", CW_CTL_COL_LIST},
	{"exclusions", CW_CTL_COL_LIST}, {"range", CW_CTL_COL_LIST}, {"exclude", CW_CTL_COL_LIST},
	{"lifetime", CW_CTL_COL_TEXT}, {"lifetime_min", CW_CTL_COL_TEXT},
	{"lifetime_max", CW_CTL_COL_TEXT}, {"quarantine", CW_CTL_COL_TEXT},
	{"retention", CW_CTL_COL_TEXT}, {NULL, CW_CTL_COL_TEXT}};

/* Where the pools are in the file that a problem speaks of: its pointers are /pools/N. */
static void tell_places(const struct cw_ctl_answer *a, const struct cw_ctl_rows *f,
	const unsigned *places, size_t n)
{
	json_t *j = a->body ? json_loadb(a->body, a->n, JSON_REJECT_DUPLICATES, NULL) : NULL;
	json_t *error;
	size_t i;

	json_array_foreach(json_object_get(j, "errors"), i, error)
	{
		const char *p = json_string_value(json_object_get(error, "pointer"));
		char where[CW_CTL_WHERE_MAX];
		uint64_t at;

		if (!p || strncmp(p, "/pools/", 7) != 0 ||
			cw_parse_u64(p + 7, strcspn(p + 7, "/"), 0, n - 1, &at) < 0)
			continue;
		(void) fprintf(stderr, "  body/pools/%" PRIu64 " is %s\n", at,
			cw_ctl_rows_where(f, places[at], where));
	}
	json_decref(j);
}

/* Asks whether the broker would do it, so that what is wrong is told with its place in the file. */
static int pools_are_good(struct cw_ctl *c, const json_t *body, const struct cw_ctl_rows *f,
	const unsigned *places, size_t n)
{
	struct cw_ctl_request q = {
		.method = CW_REST_POST, .path = "/v1/apply", .query = "dry_run=true&prune=false"};
	struct cw_ctl_answer a;
	CW_CLEANUP(cw_freep) char *text = cw_ctl_text(body);
	int r;

	if (!text)
		return cw_ctl_failed(-ENOMEM, f->file);
	q.body = text;
	q.body_n = strlen(text);
	r = cw_ctl_try(c, &q, &a);
	if (r != CW_EXIT_OK)
		return r;
	if (a.status >= 300) {
		r = cw_ctl_problem(&a, f->file);
		tell_places(&a, f, places, n);
	}
	cw_ctl_answer_done(&a);
	return r;
}

/* The wanted pools of a list, as the API takes them; *ret is given. where: of the list, for messages. */
static int wanted_pools(json_t *list, const char *where, json_t **ret)
{
	json_t *file = json_pack("{s:O}", "pools", list);
	char why[512] = "";
	int r = file ? cw_ctl_apply_body(file, ret, why, sizeof why) : -ENOMEM;

	json_decref(file);
	if (r != CW_E_SYNTAX)
		return cw_ctl_failed(r, where);
	cw_ctl_say("%s: %s", where, why);
	return CW_EXIT_USAGE;
}

/* That one row is one pool, so that a mistake has its place. */
static int row_is_good(const struct cw_ctl_rows *f, json_t *row)
{
	char where[CW_CTL_WHERE_MAX];
	json_t *list = json_pack("[O]", row), *body = NULL;
	int r = list ? wanted_pools(list, cw_ctl_rows_where(f, f->number, where), &body)
		     : cw_ctl_failed(-ENOMEM, f->file);

	json_decref(list);
	json_decref(body);
	return r;
}

static int read_pools(struct cw_ctl_rows *f, json_t *list, unsigned **places)
{
	size_t n;
	json_t *row;
	unsigned *grown;
	int r;

	for (;;) {
		row = cw_ctl_rows_next(f);
		if (!row)
			return CW_EXIT_USAGE;
		if (json_is_null(row))
			return CW_EXIT_OK;
		r = row_is_good(f, row);
		if (r != CW_EXIT_OK) {
			json_decref(row);
			return r;
		}
		n = json_array_size(list);
		grown = cw_realloc(*places, n + 1, sizeof **places);
		*places = grown ? grown : *places;
		if (json_array_append_new(list, row) < 0 || !grown)
			return cw_ctl_failed(-ENOMEM, f->file);
		grown[n] = f->number;
	}
}

int cw_ctl_run_import_pools(struct cw_ctl *c)
{
	const char *file = c->line->args[0];
	json_t *list = json_array(), *body = NULL;
	CW_CLEANUP(cw_freep) unsigned *places = NULL;
	struct cw_ctl_rows f;
	int r = cw_ctl_rows_open(&f, file, "pools", pool_columns);

	if (r == CW_EXIT_OK)
		r = list ? read_pools(&f, list, &places) : cw_ctl_failed(-ENOMEM, file);
	if (r == CW_EXIT_OK)
		r = wanted_pools(list, file, &body);
	if (r == CW_EXIT_OK)
		r = pools_are_good(c, body, &f, places, json_array_size(list));
	json_decref(list);
	cw_ctl_rows_close(&f);
	if (body && r == CW_EXIT_OK)
		return cw_ctl_apply(c, body, cw_ctl_is_on(c->line, "dry-run"), false);
	json_decref(body);
	return r;
}

/* What an export has; what is not asked for again (the lease's number, who asked, ...) may be there, too. */
static const struct cw_ctl_column lease_columns[] = {{"id", CW_CTL_COL_TEXT},
	{"pool", CW_CTL_COL_TEXT}, {"address", CW_CTL_COL_TEXT}, {"ports", CW_CTL_COL_OBJECT},
	{"port_set_offset", CW_CTL_COL_NUMBER}, {"port_set_length", CW_CTL_COL_NUMBER},
	{"psid", CW_CTL_COL_NUMBER}, {"ipv6", CW_CTL_COL_TEXT}, {"owner", CW_CTL_COL_TEXT},
	{"access", CW_CTL_COL_TEXT}, {"state", CW_CTL_COL_TEXT}, {"confirmed", CW_CTL_COL_BOOL},
	{"tep", CW_CTL_COL_TEXT}, {"granted_at", CW_CTL_COL_TEXT}, {"expires_at", CW_CTL_COL_TEXT},
	{"lifetime_s", CW_CTL_COL_NUMBER}, {"end_reason", CW_CTL_COL_TEXT},
	{"tags", CW_CTL_COL_OBJECT}, {NULL, CW_CTL_COL_TEXT}};

/* What is asked for to get the lease of a row again: its address, its owner, its end. NULL: out of memory. */
static json_t *request_of(const json_t *row, int64_t now_s, int64_t until_s)
{
	static const char *const same[] = {"pool", "owner", "ipv6", "address", "tags"};
	const json_t *ports = json_object_get(row, "ports");
	json_t *psid = json_object_get(json_is_object(ports) ? ports : row, "psid");
	json_t *body = json_object(), *lifetime = json_object_get(row, "lifetime_s");
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
	if (until_s)
		r |= json_object_set_new(body, "lifetime_s", json_integer(until_s - now_s));
	else if (lifetime && !json_is_null(lifetime))
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

/* Whether there is something to ask for: 1, 0 (it is over), or a code with what is wrong told. *ret_until_s: 0: any time. */
static int still_wanted(const json_t *row, const char *where, int64_t now_s, int64_t *ret_until_s)
{
	const char *state = json_string_value(json_object_get(row, "state"));
	const json_t *end = json_object_get(row, "expires_at");
	const char *text = json_string_value(end);

	*ret_until_s = 0;
	if (state && strcmp(state, "active") != 0) {
		if (strcmp(state, "free") == 0 || strcmp(state, "ending") == 0 ||
			strcmp(state, "quarantined") == 0)
			return 0;
		cw_ctl_say("%s: state: \"%.60s\" is none of free, active, ending, quarantined",
			where, state);
		return CW_E_SYNTAX;
	}
	if (!end || json_is_null(end))
		return 1;
	if (!text || cw_rfc3339_parse(text, strlen(text), ret_until_s) < 0) {
		cw_ctl_say("%s: expires_at: \"%.60s\" is no time like 2026-03-01T10:00:00Z", where,
			text ? text : "");
		return CW_E_SYNTAX;
	}
	return *ret_until_s > now_s;
}

static int import_lease(struct cw_ctl *c, const json_t *row, const char *where, struct tally *t)
{
	struct cw_ctl_request q = {.method = CW_REST_POST, .path = "/v1/leases"};
	int64_t now_s = cw_clock_now(&cw_system_clock).wall_s, until_s;
	const char *key = NULL;
	char random[40], *text;
	struct cw_ctl_answer a;
	json_t *body;
	int r = still_wanted(row, where, now_s, &until_s);

	if (r <= 0) {
		*(r == 0 ? &t->skipped : &t->failed) += 1;
		return CW_EXIT_OK;
	}
	body = request_of(row, now_s, until_s);
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
	if (a.status < 300)
		t->done++;
	else {
		t->failed++;
		r = cw_ctl_problem(&a, where);
	}
	cw_ctl_answer_done(&a);
	/* Without permission or with a full disk the next ones fare no better. */
	return r == CW_CTL_NOT_ALLOWED || r == CW_EXIT_FAILURE ? r : CW_EXIT_OK;
}

int cw_ctl_run_import_leases(struct cw_ctl *c)
{
	const char *file = c->line->args[0];
	struct tally t = {.progress = isatty(STDERR_FILENO) && !c->out.quiet};
	char where[CW_CTL_WHERE_MAX];
	struct cw_ctl_rows f;
	json_t *row;
	int r = cw_ctl_rows_open(&f, file, "items", lease_columns);

	if (r != CW_EXIT_OK) {
		cw_ctl_rows_close(&f);
		return r;
	}
	while (r == CW_EXIT_OK) {
		row = cw_ctl_rows_next(&f);
		if (!row)
			r = CW_EXIT_USAGE;
		else if (json_is_null(row))
			break;
		else
			r = import_lease(c, row, cw_ctl_rows_where(&f, f.number, where), &t);
		json_decref(row);
		progress(&t, false);
	}
	progress(&t, true);
	cw_ctl_rows_close(&f);
	if (!c->out.quiet)
		cw_ctl_say("%" PRIu64 " leases %s, %" PRIu64 " skipped (over), %" PRIu64 " refused",
			t.done, cw_ctl_is_on(c->line, "dry-run") ? "to import" : "imported",
			t.skipped, t.failed);
	return r != CW_EXIT_OK ? r : t.failed ? CW_CTL_CONFLICT : CW_EXIT_OK;
}
