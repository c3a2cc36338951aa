/* SPDX-License-Identifier: BSD-2-Clause */
/* Counters as OpenMetrics text (the specification's version 1.0; Prometheus reads it). Labels are
 * names of pools and TEPs, routes, words of ours: never a lease, a user or an address. What the loop
 * counts is copied there in one go, the rest is read here. */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "broker/jobs/jobs.h"
#include "broker/rest/handle.h"
#include "broker/rest/handlers.h"

enum { ROWS = 64, TEPS_MAX = 64, DUE_MAX = 1000000 };

struct counted {
	struct cw_engine_stats engine;
	struct cw_tsp_stats tsp;
	struct cw_jobs_state job[CW_JOBS_N];
	uint64_t busy_us;
	unsigned n_teps;
	struct cw_tep teps[TEPS_MAX];
	struct cw_engine_tep_status status[TEPS_MAX];
	struct cw_hist apply_us[TEPS_MAX];
	int known[TEPS_MAX];
	struct cw_pool pools[ROWS];
	struct cw_job past[CW_JOBS_N];
	struct cw_engine_failed *failed; /* of the arena */
	size_t n_failed;
};

static CW_PRINTF(2, 3) void put(struct cw_rest_request *q, const char *fmt, ...)
{
	char line[512];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(line, sizeof line, fmt, args);
	va_end(args);
	if (n > 0)
		cw_json_put_between(
			&q->out, line, (size_t) n < sizeof line ? (size_t) n : sizeof line - 1);
}

/* unit NULL: none. */
static void family(struct cw_rest_request *q, const char *name, const char *type, const char *unit,
	const char *help)
{
	put(q, "# TYPE %s %s\n", name, type);
	if (unit)
		put(q, "# UNIT %s %s\n", name, unit);
	put(q, "# HELP %s %s\n", name, help);
}

#define U(v) ((unsigned long long) (v))

/* labels: "" or "a=\"b\","; scale: 1e6 for microseconds. */
static void put_hist(struct cw_rest_request *q, const char *name, const char *labels,
	const struct cw_hist *h, const uint32_t *bounds, double scale)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < CW_HIST_BOUNDS; i++) {
		n += h->n[i];
		put(q, "%s_bucket{%sle=\"%g\"} %llu\n", name, labels, bounds[i] / scale, U(n));
	}
	n += h->n[CW_HIST_BOUNDS];
	put(q, "%s_bucket{%sle=\"+Inf\"} %llu\n", name, labels, U(n));
	if (labels[0]) {
		put(q, "%s_count{%.*s} %llu\n", name, (int) strlen(labels) - 1, labels, U(n));
		put(q, "%s_sum{%.*s} %.9g\n", name, (int) strlen(labels) - 1, labels,
			(double) h->sum / scale);
	} else {
		put(q, "%s_count %llu\n%s_sum %.9g\n", name, U(n), name, (double) h->sum / scale);
	}
}

/* ---- pools ---- */

static int put_pools(struct cw_rest_request *q, struct counted *c, bool shared)
{
	const char *name = shared ? "causeway_pool_port_blocks" : "causeway_pool_addresses";
	uint64_t after = 0;
	int n;

	family(q, name, "gauge", NULL,
		shared ? "Port sets of pools of shared addresses, by what they are."
		       : "Addresses of pools, by what they are.");
	while ((n = cw_read_pools(q->reader, after, c->pools, ROWS)) > 0) {
		for (int i = 0; i < n; i++) {
			const struct cw_pool *p = &c->pools[i];
			struct cw_usage u;
			int r = (p->ps_len > 0) == shared ? cw_read_usage(q->reader, p->id, &u) : 0;

			if (r < 0)
				return r;
			if (r == 0)
				continue;
			put(q,
				"%s{pool=\"%s\",state=\"total\"} %llu\n"
				"%s{pool=\"%s\",state=\"available\"} %llu\n"
				"%s{pool=\"%s\",state=\"active\"} %llu\n",
				name, p->name, U(u.total), name, p->name, U(u.available), name,
				p->name, U(u.active));
			put(q,
				"%s{pool=\"%s\",state=\"ending\"} %llu\n"
				"%s{pool=\"%s\",state=\"quarantined\"} %llu\n",
				name, p->name, U(u.ending), name, p->name, U(u.quarantined));
			put(q,
				"%s{pool=\"%s\",state=\"reserved\"} %llu\n"
				"%s{pool=\"%s\",state=\"excluded\"} %llu\n",
				name, p->name, U(u.reserved), name, p->name, U(u.excluded));
		}
		after = c->pools[n - 1].id;
	}
	return n;
}

/* ---- leases, store ---- */

static void put_failures(struct cw_rest_request *q, const struct counted *c)
{
	static const char *const reasons[CW_FAILURES] = {
		"pool-empty", "quota", "conflict", "tep", "store"};

	family(q, "causeway_alloc_failures", "counter", NULL,
		"Leases that were not granted, by the pool that was named; \"\": none was.");
	for (size_t i = 0; i < c->n_failed; i++)
		for (unsigned k = 0; k < CW_FAILURES; k++)
			put(q, "causeway_alloc_failures_total{pool=\"%s\",reason=\"%s\"} %llu\n",
				c->failed[i].pool, reasons[k], U(c->failed[i].n[k]));
}

static void put_leases(struct cw_rest_request *q, const struct counted *c)
{
	const struct cw_engine_stats *s = &c->engine;
	static const char *const events[CW_COUNTED] = {
		"grant", "renew", "release", "expire", "revoke", "refuse"};

	family(q, "causeway_leases", "counter", NULL, "What happened to leases.");
	for (unsigned e = 0; e < CW_COUNTED; e++)
		for (unsigned a = 1; a < CW_COUNT_ACCESSES; a++)
			put(q, "causeway_leases_total{event=\"%s\",access=\"%s\"} %llu\n",
				events[e], cw_access_name((enum cw_access) a),
				U(s->transitions[e][a]));
	put_failures(q, c);
	family(q, "causeway_alloc_duration_seconds", "histogram", "seconds",
		"From the request to the answer that it is granted and forwards, or not.");
	put_hist(q, "causeway_alloc_duration_seconds", "", &s->alloc_us, cw_hist_times_us, 1e6);
	family(q, "causeway_clock_jumps", "counter", NULL, "Times the wall clock was set.");
	put(q, "causeway_clock_jumps_total %llu\n", U(s->clock_jumps));
}

static void put_store(struct cw_rest_request *q)
{
	struct cw_store_stats s;
	struct stat st;

	cw_store_stats(q->rest->parts.store, &s);
	family(q, "causeway_commit_duration_seconds", "histogram", "seconds",
		"Transactions, until they were on disk.");
	put_hist(q, "causeway_commit_duration_seconds", "", &s.commit_us, cw_hist_times_us, 1e6);
	family(q, "causeway_commit_batch_leases", "histogram", NULL, "Operations per transaction.");
	put_hist(q, "causeway_commit_batch_leases", "", &s.batch, cw_hist_counts, 1);
	if (stat(q->rest->parts.config->store_path, &st) == 0) {
		family(q, "causeway_db_size_bytes", "gauge", "bytes", "The database file.");
		put(q, "causeway_db_size_bytes %llu\n", U(st.st_size));
	}
	family(q, "causeway_wal_size_bytes", "gauge", "bytes", "Its write-ahead log.");
	put(q, "causeway_wal_size_bytes %llu\n", U(s.wal_bytes));
}

/* ---- jobs ---- */

static int put_jobs(struct cw_rest_request *q, struct counted *c)
{
	uint64_t backlog = 0;
	int n = cw_read_jobs(q->reader, "", c->past, CW_JOBS_N), r = n;

	if (r >= 0 && c->job[CW_REST_JOB_EXPIRY].lag_s > 0)
		r = cw_read_due(q->reader, false, cw_rest_now_steady_s(q), DUE_MAX, &backlog);
	family(q, "causeway_expiry_backlog", "gauge", NULL,
		"Leases that are over and not ended yet.");
	put(q, "causeway_expiry_backlog %llu\n", U(backlog));
	family(q, "causeway_expiry_lag_seconds", "gauge", "seconds",
		"How long the oldest of them has been over.");
	put(q, "causeway_expiry_lag_seconds %lld\n", (long long) c->job[CW_REST_JOB_EXPIRY].lag_s);
	family(q, "causeway_job_healthy", "gauge", NULL, "Neither failing nor stuck nor late.");
	for (unsigned i = 0; i < CW_JOBS_N; i++)
		put(q, "causeway_job_healthy{job=\"%s\"} %d\n", cw_rest_job_names[i],
			!c->job[i].ill);
	family(q, "causeway_job_runs", "counter", NULL, "Runs that ended.");
	for (int i = 0; i < n; i++)
		put(q,
			"causeway_job_runs_total{job=\"%s\",result=\"ok\"} %llu\n"
			"causeway_job_runs_total{job=\"%s\",result=\"failed\"} %llu\n",
			c->past[i].name, U(c->past[i].runs - c->past[i].failures), c->past[i].name,
			U(c->past[i].failures));
	family(q, "causeway_job_last_success_timestamp_seconds", "gauge", "seconds",
		"End of the last run without a failure.");
	for (int i = 0; i < n; i++)
		put(q, "causeway_job_last_success_timestamp_seconds{job=\"%s\"} %lld\n",
			c->past[i].name, (long long) c->past[i].ok_wall_s);
	return r < 0 ? r : 0;
}

/* ---- TEPs, accesses ---- */

static void put_teps(struct cw_rest_request *q, const struct counted *c)
{
	family(q, "causeway_tep_up", "gauge", NULL, "It takes bindings.");
	for (unsigned i = 0; i < c->n_teps; i++)
		put(q, "causeway_tep_up{tep=\"%s\"} %d\n", c->teps[i].name,
			c->known[i] == 0 && c->status[i].state != CW_TEP_IS_DOWN);
	family(q, "causeway_tep_drift", "gauge", NULL,
		"Unexpected differences from the database that the last comparison found and put right.");
	for (unsigned i = 0; i < c->n_teps; i++)
		if (c->known[i] == 0 && c->status[i].compared)
			put(q, "causeway_tep_drift{tep=\"%s\"} %llu\n", c->teps[i].name,
				U(c->status[i].drift));
	family(q, "causeway_tep_apply_duration_seconds", "histogram", "seconds",
		"Batches of bindings, until it answered.");
	for (unsigned i = 0; i < c->n_teps; i++) {
		char label[CW_NAME_MAX + 8];

		(void) snprintf(label, sizeof label, "tep=\"%s\",", c->teps[i].name);
		if (c->known[i] == 0)
			put_hist(q, "causeway_tep_apply_duration_seconds", label, &c->apply_us[i],
				cw_hist_times_us, 1e6);
	}
}

static void put_access(struct cw_rest_request *q, const struct cw_tsp_stats *s)
{
	family(q, "causeway_sessions", "gauge", NULL, "Connections of clients.");
	put(q, "causeway_sessions{access=\"tsp\"} %llu\n",
		U(s->open[CW_TSP_ON_TCP] + s->open[CW_TSP_ON_TLS] + s->open[CW_TSP_ON_UDP]));
	family(q, "causeway_auth_failures", "counter", NULL, "Logins that failed.");
	for (unsigned i = 0; i <= CW_CONFIG_MECHANISMS; i++)
		put(q, "causeway_auth_failures_total{mech=\"%s\"} %llu\n",
			i < CW_CONFIG_MECHANISMS ? cw_config_mechanisms[i] : "other",
			U(s->failures_of[i]));
	put(q, "causeway_auth_failures_total{mech=\"token\"} %llu\n",
		U(cw_rest_auth_failures(q->rest->auth)));
	family(q, "causeway_packets_dropped", "counter", NULL, "Datagrams that were not answered.");
	put(q,
		"causeway_packets_dropped_total{access=\"tsp\",reason=\"malformed\"} %llu\n"
		"causeway_packets_dropped_total{access=\"tsp\",reason=\"replayed\"} %llu\n"
		"causeway_packets_dropped_total{access=\"tsp\",reason=\"full\"} %llu\n",
		U(s->udp_short + s->udp_marker), U(s->udp_replayed), U(s->udp_full + s->udp_early));
}

static void put_request(
	void *arg, const struct cw_rest_operation *operation, unsigned status, uint64_t n)
{
	put(arg, "causeway_http_requests_total{method=\"%s\",route=\"%s\",code=\"%u\"} %llu\n",
		operation ? cw_rest_method_name(operation->method) : "other",
		operation ? operation->path : "other", status, U(n));
}

static void put_cert(
	struct cw_rest_request *q, const char *section, const char *which, int64_t ends_s)
{
	if (ends_s)
		put(q, "causeway_cert_not_after_timestamp_seconds{section=\"%s\",certificate=\"%s\"} %lld\n",
			section, which, (long long) ends_s);
}

static void put_certs(struct cw_rest_request *q, const struct counted *c)
{
	family(q, "causeway_cert_not_after_timestamp_seconds", "gauge", "seconds",
		"When the first certificate ends that the broker shows, or knows clients by.");
	put_cert(q, "rest", "server", atomic_load(&q->rest->cert_ends_s));
	put_cert(q, "rest", "client-ca", q->rest->ca_ends_s);
	put_cert(q, "tls", "server", c->tsp.cert_ends_s);
	put_cert(q, "tls", "client-ca", c->tsp.ca_ends_s);
}

static void put_server(struct cw_rest_request *q, const struct counted *c)
{
	family(q, "causeway_http_requests", "counter", NULL,
		"Requests of the API that were answered.");
	cw_rest_counters_each(q->rest->counters, put_request, q);
	family(q, "causeway_event_streams", "gauge", NULL, "Listeners to live events.");
	put(q, "causeway_event_streams %u\n", atomic_load(&q->rest->streams));
	family(q, "causeway_loop_busy_seconds", "counter", "seconds",
		"Time the main loop did not wait.");
	put(q, "causeway_loop_busy_seconds_total %.6f\n", (double) c->busy_us / 1e6);
	family(q, "causeway_build", "info", NULL, "This program.");
	put(q, "causeway_build_info{version=\"%s\"} 1\n", PACKAGE_VERSION);
}

/* ---- */

static void count(struct cw_rest_request *q)
{
	const struct cw_rest_parts *p = &q->rest->parts;
	struct counted *c = q->mine;

	cw_engine_stats(p->engine, &c->engine);
	c->n_failed = cw_engine_failed(p->engine, NULL, 0);
	c->failed = cw_arena_alloc(q->arena, c->n_failed, sizeof *c->failed);
	c->n_failed = c->failed ? cw_engine_failed(p->engine, c->failed, c->n_failed) : 0;
	c->tsp = p->tsp->stats;
	c->busy_us = cw_loop_busy_us(p->loop);
	for (unsigned i = 0; i < CW_JOBS_N; i++)
		cw_jobs_state(p->jobs, (enum cw_rest_job_name) i, &c->job[i]);
	for (unsigned i = 0; i < c->n_teps; i++) {
		c->known[i] = cw_engine_tep_status(p->engine, c->teps[i].id, &c->status[i]);
		if (c->known[i] == 0)
			c->known[i] =
				cw_engine_tep_apply_us(p->engine, c->teps[i].id, &c->apply_us[i]);
	}
}

static void answer(struct cw_rest_request *q)
{
	struct counted *c = q->mine;
	int r;

	if (!cw_rest_reader(q))
		return;
	r = put_pools(q, c, false);
	if (r >= 0)
		r = put_pools(q, c, true);
	if (r >= 0)
		r = put_jobs(q, c);
	if (r < 0) {
		cw_rest_problem_code(q, r);
		return;
	}
	put_leases(q, c);
	put_store(q);
	put_teps(q, c);
	put_access(q, &c->tsp);
	put_certs(q, c);
	put_server(q, c);
	put(q, "# EOF\n");
	cw_rest_answer(q, 200, "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

void cw_rest_do_getMetrics(struct cw_rest_request *q)
{
	struct counted *c = cw_arena_alloc(q->arena, 1, sizeof *c);
	struct cw_store_reader *r;
	int n;

	if (!c) {
		cw_rest_problem_code(q, -ENOMEM);
		return;
	}
	if (!cw_rest_take_query(q, NULL, NULL) || !(r = cw_rest_reader(q)))
		return;
	n = cw_read_teps(r, 0, c->teps, TEPS_MAX);
	if (n < 0) {
		cw_rest_problem_code(q, n);
		return;
	}
	c->n_teps = (unsigned) n;
	q->mine = c;
	cw_rest_on_loop(q, count, answer);
}
