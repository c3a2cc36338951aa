/* SPDX-License-Identifier: BSD-2-Clause */
/* Looks for what is wrong with the broker: can it be reached, is it ready, do the clocks agree, and its tunnel end points,
 * jobs, pools, backups, certificates and ports. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/timex.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "client/ctl/ports.h"
#include "client/ctl/run.h"
#include "client/ctl/value.h"
#include "schema/rest/rfc3339.h"

enum { QUERY_MAX = 544, SKEW_S = 2, BACKUP_AGE_S = 2 * 86400, CERT_LEFT_S = 21 * 86400 };

struct doctor {
	struct cw_ctl *c;
	unsigned bad;
	int r;
};

static void tell(struct doctor *d, const char *check, bool good, const char *fmt, ...)
	CW_PRINTF(4, 5);
static void tell(struct doctor *d, const char *check, bool good, const char *fmt, ...)
{
	char detail[512];
	json_t *row;
	va_list ap;
	int r;

	va_start(ap, fmt);
	(void) vsnprintf(detail, sizeof detail, fmt, ap);
	va_end(ap);
	d->bad += !good;
	if (good && d->c->out.quiet)
		return;
	cw_ctl_tame(detail); /* it may have been cut in the middle of a character */
	row = json_pack("{s:s, s:b, s:s}", "check", check, "ok", (int) good, "detail", detail);
	r = row ? cw_ctl_row(d->c, row) : cw_ctl_failed(-ENOMEM, "output");
	d->r = d->r ? d->r : r;
	json_decref(row);
}

static const char *text(const json_t *row, const char *name)
{
	const char *s = json_string_value(json_object_get(row, name));

	return s ? s : "";
}

/* GET without a word about its problem. NULL: *ret_status says it. */
static json_t *look(struct doctor *d, const char *path, const char *query, long *ret_status)
{
	struct cw_ctl_request q = {.method = CW_REST_GET, .path = path, .query = query};
	struct cw_ctl_answer a;
	json_t *j = NULL;
	int r = cw_ctl_try(d->c, &q, &a);

	*ret_status = 0;
	if (r != CW_EXIT_OK) {
		d->r = r;
		return NULL;
	}
	*ret_status = a.status;
	if (a.body)
		j = json_loadb(a.body, a.n, JSON_REJECT_DUPLICATES, NULL);
	if (j && a.date_s >= 0)
		(void) json_object_set_new(j, " date", json_integer(a.date_s));
	cw_ctl_answer_done(&a);
	return j;
}

static void cannot_look(struct doctor *d, const char *check, const json_t *problem, long status)
{
	const char *title = json_string_value(json_object_get(problem, "title"));

	if (status == 401 || status == 403)
		tell(d, check, true, "not looked at: these credentials may not");
	else
		tell(d, check, false, "%s", title ? title : "no answer");
}

/* All pages of a list as one; NULL: why it cannot be looked at has been told. */
static json_t *look_list(struct doctor *d, const char *check, const char *path)
{
	char query[QUERY_MAX] = "";
	json_t *all = NULL, *page;
	bool more = true;
	long status;

	while (more) {
		const char *next;

		page = look(d, path, query, &status);
		if (status != 200) {
			if (status)
				cannot_look(d, check, page, status);
			json_decref(page);
			json_decref(all);
			return NULL;
		}
		next = json_string_value(json_object_get(page, "next")); /* base64url */
		more = next && snprintf(query, sizeof query, "cursor=%s", next) < QUERY_MAX;
		if (!all)
			all = json_incref(page);
		else if (json_array_extend(
				 json_object_get(all, "items"), json_object_get(page, "items")) < 0)
			more = false;
		json_decref(page);
	}
	return all;
}

static void broker(struct doctor *d)
{
	struct timex t = {.modes = 0};
	long status;
	json_t *v = look(d, "/version", NULL, &status);
	int64_t now = cw_clock_now(&cw_system_clock).wall_s, skew;
	bool same = strcmp(text(v, "version"), PACKAGE_VERSION) == 0;
	const json_t *date = json_object_get(v, " date");

	if (status) {
		tell(d, "broker", status == 200, "%s %s answers%s%s", text(v, "name"),
			text(v, "version"), same ? "" : "; this is causewayctl ",
			same ? "" : PACKAGE_VERSION);
		skew = json_is_integer(date) ? now - json_integer_value(date) : 0;
		skew = skew < 0 ? -skew : skew;
		tell(d, "clock", skew <= SKEW_S,
			"%" PRId64 " s between the broker's clock and this one", skew);
	}
	json_decref(v);
	if (!d->r && !cw_ctl_value(d->c->line, "url") && adjtimex(&t) >= 0)
		tell(d, "time", !(t.status & STA_UNSYNC), "this host's clock is %s",
			t.status & STA_UNSYNC ? "not synchronised: is an NTP client running?"
					      : "synchronised");
}

static void readiness(struct doctor *d)
{
	long status;
	json_t *v = look(d, "/readyz", NULL, &status), *check;
	char name[80];
	size_t i;

	json_array_foreach(json_object_get(v, "checks"), i, check)
	{
		(void) snprintf(name, sizeof name, "ready: %s", text(check, "name"));
		tell(d, name, json_is_true(json_object_get(check, "ok")), "%s",
			text(check, "detail"));
	}
	if (status && status != 200)
		tell(d, "ready", false, "%s", text(v, "title"));
	json_array_foreach(json_object_get(v, "errors"), i, check)
	{
		(void) snprintf(name, sizeof name, "ready: %s", text(check, "pointer"));
		tell(d, name, false, "%s", text(check, "detail"));
	}
	json_decref(v);
}

static void teps(struct doctor *d)
{
	json_t *v = look_list(d, "teps", "/v1/teps"), *row;
	char name[80];
	size_t i;

	json_array_foreach(json_object_get(v, "items"), i, row)
	{
		json_int_t drift = json_integer_value(json_object_get(row, "drift"));

		(void) snprintf(name, sizeof name, "tep %s", text(row, "name"));
		tell(d, name, strcmp(text(row, "state"), "up") == 0 && drift == 0,
			"%s, drift %" JSON_INTEGER_FORMAT "%s%s", text(row, "state"), drift,
			*text(row, "last_error") ? ", " : "", text(row, "last_error"));
	}
	json_decref(v);
}

static void pools(struct doctor *d)
{
	json_t *v = look_list(d, "pools", "/v1/usage"), *row;
	char name[80];
	size_t i;

	json_array_foreach(json_object_get(v, "items"), i, row)
	{
		(void) snprintf(name, sizeof name, "pool %s", text(row, "pool"));
		tell(d, name, strcmp(text(row, "level"), "ok") == 0,
			"%" JSON_INTEGER_FORMAT " %% used, %" JSON_INTEGER_FORMAT " available",
			json_integer_value(json_object_get(row, "used_percent")),
			json_integer_value(json_object_get(row, "available")));
	}
	json_decref(v);
}

static void jobs(struct doctor *d)
{
	json_t *v = look_list(d, "jobs", "/v1/jobs"), *row;
	char name[80];
	size_t i;

	json_array_foreach(json_object_get(v, "items"), i, row)
	{
		const json_t *last = json_object_get(row, "last");

		(void) snprintf(name, sizeof name, "job %s", text(row, "name"));
		tell(d, name, json_is_true(json_object_get(row, "healthy")),
			"backlog %" JSON_INTEGER_FORMAT ", lag %" JSON_INTEGER_FORMAT " s%s%s",
			json_integer_value(json_object_get(row, "backlog")),
			json_integer_value(json_object_get(row, "lag_s")),
			*text(last, "detail") ? ", " : "", text(last, "detail"));
	}
	json_decref(v);
}

static void backups(struct doctor *d, uint64_t most_s)
{
	json_t *v = look_list(d, "backups", "/v1/backup");
	const json_t *newest = json_array_get(json_object_get(v, "items"), 0);
	const char *at = text(newest, "created_at");
	int64_t created;

	if (v && !newest)
		tell(d, "backups", false,
			"there is none: name a folder in backup { directory = ... } of the broker's file, then causewayctl backup create");
	else if (v && cw_rfc3339_parse(at, strlen(at), &created) == 0)
		tell(d, "backups", d->c->now_s - created <= (int64_t) most_s, "%s is of %s",
			text(newest, "name"), at);
	json_decref(v);
}

/* The next text in quotes of a value such as `{ "a", "b" }`; false: there is none. */
static bool next_quoted(const char **at, const char **ret, size_t *ret_n)
{
	const char *open = strchr(*at, '"'), *close = open ? strchr(open + 1, '"') : NULL;

	if (!close)
		return false;
	*ret = open + 1;
	*ret_n = (size_t) (close - open - 1);
	*at = close + 1;
	return true;
}

static void knock(
	struct doctor *d, const char *section, const char *where, size_t n, const char *run_dir)
{
	struct cw_endpoint ep;
	char name[160];
	int r;

	(void) snprintf(name, sizeof name, "port %s %.*s", section, (int) n, where);
	if (cw_endpoint_parse(where, n, 0, &ep) < 0)
		return;
	r = cw_ctl_knock(&ep, run_dir);
	if (r == -EDESTADDRREQ)
		tell(d, name, true, "not asked: the broker picked the port, its log has it");
	else
		tell(d, name, r == 0, "%s", r == 0 ? "answers" : cw_strerror(r));
}

/* The value of an option of the configuration; "": none. */
static const char *option(const json_t *items, const char *section, const char *name)
{
	json_t *row;
	size_t i;

	json_array_foreach(
		items, i, row) if (strcmp(text(row, "section"), section) == 0 &&
				   strcmp(text(row, "name"), name) == 0) return text(row, "value");
	return "";
}

/* Of what is in force, so that a restart that is due does not mislead. */
static void ports(struct doctor *d)
{
	json_t *v = look_list(d, "ports", "/v1/config"), *row;
	const json_t *items = json_object_get(v, "items");
	const char *run_dir = option(items, "", "run-dir"), *at, *where;
	bool tls = *option(items, "tls", "cert");
	size_t i, n;

	json_array_foreach(items, i, row)
	{
		const char *section = text(row, "section");

		if (strcmp(text(row, "name"), "listen") != 0 ||
			(strcmp(section, "tls") == 0 && !tls))
			continue;
		at = text(row, "value");
		while (next_quoted(&at, &where, &n))
			knock(d, section, where, n, run_dir);
	}
	json_decref(v);
}

/* The certificates that are in force: a file that was renewed and not taken over yet is no help. */
static void certificates(struct doctor *d)
{
	static const char name[] = "causeway_cert_not_after_timestamp_seconds";
	struct cw_ctl_request q = {.method = CW_REST_GET,
		.path = "/metrics",
		.accept = "application/openmetrics-text"};
	char check[80], section[16], which[16], at[CW_RFC3339_STRLEN];
	struct cw_ctl_answer a;
	double end;
	int r = cw_ctl_try(d->c, &q, &a);

	if (r != CW_EXIT_OK) {
		d->r = r;
		return;
	}
	if (a.status != 200)
		tell(d, "certificates", a.status == 401 || a.status == 403,
			"not looked at: the metrics give HTTP status %ld", a.status);
	for (const char *p = a.status == 200 && a.body ? a.body : ""; *p;
		p += strcspn(p, "\n"), p += *p == '\n') {
		/* NOLINTNEXTLINE(cert-err34-c): no numbers */
		if (!cw_ctl_sample(p, name, NULL, &end) ||
			sscanf(p + sizeof name - 1,
				"{section=\"%15[^\"]\",certificate=\"%15[^\"]\"}", section,
				which) != 2 ||
			!(end > 0 && end <= CW_RFC3339_MAX))
			continue;
		(void) snprintf(check, sizeof check, "certificate %s %s", section, which);
		tell(d, check, (int64_t) end - d->c->now_s > CERT_LEFT_S, "ends at %s%s",
			cw_rfc3339_str((int64_t) end, at),
			(int64_t) end <= d->c->now_s ? ": it is over" : "");
	}
	cw_ctl_answer_done(&a);
}

int cw_ctl_run_doctor(struct cw_ctl *c)
{
	const char *age = cw_ctl_value(c->line, "backup-age");
	struct doctor d = {.c = c};
	uint64_t most_s = BACKUP_AGE_S;
	int r;

	if (age && cw_ctl_duration(age, &most_s) < 0)
		return cw_ctl_usage("--backup-age \"%s\" must be a duration", age);
	r = cw_ctl_begin(c);
	if (r != CW_EXIT_OK)
		return r;
	broker(&d);
	if (!d.r)
		readiness(&d);
	if (!d.r)
		teps(&d);
	if (!d.r)
		pools(&d);
	if (!d.r)
		jobs(&d);
	if (!d.r)
		backups(&d, most_s);
	if (!d.r)
		certificates(&d);
	if (!d.r && !cw_ctl_value(c->line, "url"))
		ports(&d);
	if (d.r && !c->out.rows) {
		cw_ctl_out_done(&c->out);
		return d.r;
	}
	r = cw_ctl_failed(cw_ctl_out_end(&c->out), "output");
	if (d.bad && !c->out.quiet)
		cw_ctl_say("%u of these need a look", d.bad);
	return r ? r : d.r ? d.r : d.bad ? CW_EXIT_FAILURE : CW_EXIT_OK;
}
