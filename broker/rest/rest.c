/* SPDX-License-Identifier: BSD-2-Clause */
/* The API between its sockets and its handlers: start, who may do what, problems, stop. The order of
 * a request: is the head sound (server_io.c), is there such a resource and method, who asks, may
 * they, not too often; then the body is read and the handler runs. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/tls.h"
#include "broker/rest/assets.h"
#include "broker/rest/handlers.h"
#include "broker/rest/listen.h"
#include "broker/rest/origin.h"
#include "broker/rest/rest_int.h"
#include "broker/rest/tls.h"
#include "schema/rest/json_in.h"
#include "schema/rest/resources.h"
#include "schema/rest/scope.h"

#define STOP_LOOK_MS  20
#define CLOCK_LOOK_MS 1000
#define CUT_US        2000000 /* streams whose readers do not read, at the end */

/* ---- answers that are no handler's ---- */

void cw_rest_answer_json(struct cw_rest_request *q, unsigned status)
{
	cw_rest_answer(q, status, "application/json");
}

void cw_rest_problem_text(struct cw_rest_request *q, const struct cw_problem_text *text)
{
	struct cw_problem_text with_id = *text, *t = &with_id;

	t->request_id = q->id;
	cw_json_out_done(&q->out);
	cw_json_out_grow(&q->out, CW_REST_ANSWER_MAX);
	cw_problem_render(&q->out, t);
	q->problem = t->problem;
	cw_rest_answer(q, cw_problem_status(t->problem), "application/problem+json");
}

void cw_rest_problem(struct cw_rest_request *q, enum cw_problem problem, const char *fmt, ...)
{
	char detail[512];
	struct cw_problem_text t = {.problem = problem};
	va_list args;

	if (!fmt && problem == CW_PROBLEM_NOT_FOUND && q->route.n) {
		(void) snprintf(detail, sizeof detail, "there is no \"%s\"",
			q->route.param[q->route.n - 1]);
		t.detail = detail;
	} else if (fmt) {
		va_start(args, fmt);
		(void) vsnprintf(detail, sizeof detail, fmt, args);
		va_end(args);
		t.detail = detail;
	}
	cw_rest_problem_text(q, &t);
}

void cw_rest_problem_errors(
	struct cw_rest_request *q, enum cw_problem problem, const struct cw_rest_errors *errs)
{
	const struct cw_problem_text t = {.problem = problem, .errs = errs};

	cw_rest_problem_text(q, &t);
}

void cw_rest_problem_code(struct cw_rest_request *q, int code)
{
	enum cw_problem problem = cw_problem_of_code(code);

	cw_rest_problem(
		q, problem, problem == CW_PROBLEM_INTERNAL ? "%s" : NULL, cw_strerror(code));
}

/* ---- before the handler ---- */

void cw_rest_peer(struct cw_rest_request *q, int unix_fd, const struct sockaddr *sa)
{
	cw_rest_auth_peer(q->rest->auth, q, unix_fd, sa);
}

void cw_rest_peer_name(void *arg, const char *name)
{
	struct cw_rest_request *q = arg;

	cw_rest_auth_cert(q->rest->auth, q, name);
}

static void refuse_method(struct cw_rest_request *q)
{
	char allow[64] = "";

	for (int m = 0; m < CW_REST_METHODS; m++)
		if (q->route.allowed & 1u << m)
			(void) snprintf(allow + strlen(allow), sizeof allow - strlen(allow), "%s%s",
				allow[0] ? ", " : "", cw_rest_method_name((enum cw_rest_method) m));
	cw_rest_add_header(q, "Allow", allow);
	cw_rest_problem(q, CW_PROBLEM_METHOD_NOT_ALLOWED, "it has %s", allow);
}

/* x-scope of openapi.yaml. */
static bool may(struct cw_rest_request *q)
{
	const struct cw_rest_operation *o = q->operation;
	bool local = q->who.is_unix || q->who.source.exempt;
	uint32_t missing;

	if (o->open_locally && local)
		return true;
	/* Somebody of this host who has no role is nobody, too; a token helps. */
	if (!q->who.scopes) {
		cw_rest_add_header(q, "WWW-Authenticate", "Bearer realm=\"causeway\"");
		cw_rest_problem(q, CW_PROBLEM_UNAUTHENTICATED,
			"send a token: Authorization: Bearer cw_...");
		return false;
	}
	missing = cw_scope_missing(q->who.scopes, o->scopes);
	if (!missing)
		return true;
	cw_rest_problem_text(q, &(const struct cw_problem_text){
					.problem = CW_PROBLEM_INSUFFICIENT_SCOPE,
					.scope = missing,
				});
	return false;
}

/* A cookie goes with every request a browser makes for whomever: what changes something must bring
 * what only our own pages can know. */
static bool is_ours(struct cw_rest_request *q)
{
	const char *sent = cw_rest_header(q, "X-CSRF-Token");

	if (q->who.via != CW_REST_VIA_COOKIE || q->operation->method == CW_REST_GET)
		return true;
	if (sent && strlen(sent) == strlen(q->who.csrf) &&
		CRYPTO_memcmp(sent, q->who.csrf, strlen(sent)) == 0)
		return true;
	cw_rest_problem(
		q, CW_PROBLEM_CSRF_REQUIRED, "send X-CSRF-Token: GET /v1/session tells what it is");
	return false;
}

/* Before anything is told: pages of strangers ask by names of theirs. Who has the socket is no
 * browser, and TLS has looked at the name. */
static bool is_meant(struct cw_rest_request *q, enum cw_rest_method m)
{
	const char *host = cw_rest_header(q, "Host"), *origin = cw_rest_header(q, "Origin");

	if (q->who.is_unix)
		return true;
	if (host && !q->who.is_tls &&
		!cw_rest_host_is_ours(host, q->rest->parts.config->rest.names)) {
		q->close = true;
		cw_rest_problem(q, CW_PROBLEM_MISDIRECTED,
			"ask by address or localhost, or by a name that section rest has in names");
		return false;
	}
	if (origin && m != CW_REST_GET && !cw_rest_origin_is_ours(origin, host ? host : "")) {
		cw_rest_problem(q, CW_PROBLEM_FOREIGN_ORIGIN,
			"Origin is another one than Host; only the broker's own pages may do this");
		return false;
	}
	return true;
}

static bool identify(struct cw_rest_request *q)
{
	int r = cw_rest_auth_credentials(q->rest->auth, q);

	if (r == CW_E_AUTH) {
		cw_rest_add_header(q, "WWW-Authenticate",
			"Bearer realm=\"causeway\", error=\"invalid_token\"");
		cw_rest_problem(q, CW_PROBLEM_UNAUTHENTICATED,
			"the token is unknown, has expired, or is not good for this address");
	} else if (r == CW_E_LIMIT || (r == 0 && !cw_rest_auth_rate(q->rest->auth, q))) {
		cw_rest_add_header(q, "Retry-After", "1");
		cw_rest_problem(q, CW_PROBLEM_RATE_LIMITED, NULL);
		r = CW_E_LIMIT;
	} else if (r < 0) {
		cw_rest_problem_code(q, r);
	}
	return r == 0;
}

bool cw_rest_admit(struct cw_rest_request *q, const char *method)
{
	enum cw_rest_method m = cw_rest_method_of(method);
	int r;

	if (atomic_load(&q->rest->stopping)) {
		q->close = true;
		cw_rest_problem(q, CW_PROBLEM_SHUTTING_DOWN, NULL);
		return false;
	}
	if (!is_meant(q, m))
		return false;
	if (cw_rest_is_asset(q)) {
		if (m == CW_REST_GET)
			return true;
		q->route.allowed = 1u << CW_REST_GET;
		refuse_method(q);
		return false;
	}
	r = cw_route_find(m, q->path, strlen(q->path), &q->route);
	if (r == CW_E_POLICY)
		refuse_method(q);
	else if (r < 0)
		cw_rest_problem(q, CW_PROBLEM_NOT_FOUND, "there is no such resource");
	if (r < 0)
		return false;
	q->operation = cw_rest_operation(q->route.op);
	/* What is open to everybody asks nobody, or an old token would keep from the login. */
	return q->operation->open || (identify(q) && may(q) && is_ours(q));
}

void cw_rest_run(struct cw_rest_request *q)
{
	if (!q->operation)
		cw_rest_asset(q);
	else if (q->body_n && !q->operation->body)
		cw_rest_problem(
			q, CW_PROBLEM_MALFORMED_REQUEST, "%s takes no body", q->operation->name);
	else
		cw_rest_handlers[q->route.op](q);
}

/* ---- life ---- */

struct cw_loop *cw_rest_loop(struct cw_rest *r)
{
	return r->parts.loop;
}

struct cw_engine *cw_rest_engine(struct cw_rest *r)
{
	return r->parts.engine;
}

void cw_rest_entered(struct cw_rest *r, struct cw_rest_request *q)
{
	static _Atomic uint64_t serial;
	struct cw_now now = cw_clock_now(cw_loop_clock(r->parts.loop));

	atomic_fetch_add(&r->active, 1);
	q->begun_us = now.mono_us;
	(void) snprintf(q->id, sizeof q->id, "%08llx%08llx",
		(unsigned long long) now.wall_s & 0xffffffff,
		(unsigned long long) atomic_fetch_add(&serial, 1) & 0xffffffff);
}

void cw_rest_waits(struct cw_rest_request *q)
{
	if (q->reader)
		cw_rest_readers_give(q->rest->readers, q->reader);
	q->reader = NULL;
}

void cw_rest_left(struct cw_rest *r, struct cw_rest_request *q)
{
	cw_rest_waits(q);
	cw_rest_counters_add(r->counters, q);
	atomic_fetch_sub(&r->active, 1);
}

int cw_rest_reload(struct cw_rest *r)
{
	const struct cw_config_rest *conf = &r->parts.config->rest;
	int64_t ends_s;
	int e;

	if (!conf->cert)
		return 0;
	e = cw_tls_expiry(conf->cert, &ends_s);
	if (e == 0)
		e = cw_rest_tls_load(conf->cert, conf->key);
	if (e == 0)
		atomic_store(&r->cert_ends_s, ends_s);
	return e;
}

/* The listener that speaks TLS: clients are known by their certificates if there is a CA. */
static int open_tls(struct cw_rest *r, struct cw_rest_server_conf *sc)
{
	const char *path = r->parts.config->rest.ca;
	char *ca = NULL;
	int e = path ? cw_rest_read_pem(path, &ca) : 0;

	if (e == 0 && path)
		e = cw_tls_expiry(path, &r->ca_ends_s);
	sc->is_tls = true;
	sc->tls_ca = ca;
	if (e == 0)
		e = cw_rest_listener_open(r, sc, &r->listener[r->n_listeners]);
	else
		(void) close(sc->fd);
	(void) cw_free(ca);
	return e;
}

static int open_listener(
	struct cw_rest *r, int fd, bool is_unix, const char *name, char *why, size_t why_n)
{
	const struct cw_config_rest *conf = &r->parts.config->rest;
	struct cw_rest_server_conf sc = {
		.fd = fd,
		.is_unix = is_unix,
		.connections = conf->connections,
		.receive_s = conf->receive_s,
		.threads = CW_REST_THREADS,
	};
	int e = fd;

	if (fd >= 0)
		e = conf->cert && !is_unix
			    ? open_tls(r, &sc)
			    : cw_rest_listener_open(r, &sc, &r->listener[r->n_listeners]);
	if (e < 0) {
		(void) snprintf(why, why_n, "the API cannot listen on %s: %s%s", name,
			cw_strerror(e), e == -EBUSY ? "; another broker answers there" : "");
		return e;
	}
	r->n_listeners++;
	(void) snprintf(r->bound + strlen(r->bound), sizeof r->bound - strlen(r->bound), "%s%s%s",
		r->bound[0] ? " " : "", is_unix ? "unix:" : "", name);
	return 0;
}

static int load_certificate(struct cw_rest *r, char *why, size_t why_n)
{
	int e = cw_rest_reload(r);

	if (e < 0)
		(void) snprintf(why, why_n, "the API's certificate %s with its key: %s",
			r->parts.config->rest.cert, cw_strerror(e));
	return e;
}

static int open_listeners(struct cw_rest *r, char *why, size_t why_n)
{
	const struct cw_config_rest *conf = &r->parts.config->rest;
	char name[CW_ENDPOINT_STRLEN];
	int e = 0;

	if (conf->socket)
		e = open_listener(
			r, cw_rest_listen_unix(conf->socket), true, conf->socket, why, why_n);
	for (size_t i = 0; i < conf->n_listen && e == 0; i++) {
		int fd;

		if (r->n_listeners == CW_REST_LISTENERS_MAX) {
			(void) snprintf(why, why_n, "the API has %d listeners at most",
				CW_REST_LISTENERS_MAX);
			return -E2BIG;
		}
		(void) cw_endpoint_str(&conf->listen[i], name);
		fd = cw_rest_listen_inet(&conf->listen[i], name);
		e = open_listener(r, fd, false, name, why, why_n);
	}
	return e;
}

/* Requests end by themselves: the engine answers each, streams see that it is over. */
static void on_stop_timer(void *arg)
{
	struct cw_rest *r = arg;

	if (atomic_load(&r->active) > 0) {
		if (cw_clock_now(cw_loop_clock(r->parts.loop)).mono_us >= r->cut_at_us)
			for (unsigned i = 0; i < r->n_listeners; i++)
				cw_rest_listener_cut(r->listener[i]);
		cw_timer_start(r->stop_timer, STOP_LOOK_MS);
		return;
	}
	r->stopped(r->stopped_arg);
}

size_t cw_rest_active(const struct cw_rest *r)
{
	return atomic_load(&r->active);
}

/* The two time lines drift apart only when somebody sets the clock. */
static void on_clock_timer(void *arg)
{
	struct cw_rest *r = arg;
	struct cw_store_time now = cw_engine_now(r->parts.engine);

	int64_t gap = now.wall_s - now.steady_s;
	int64_t old = atomic_load(&r->wall_minus_steady_s);

	/* Both are cut to seconds: one more or less is no news. */
	if (gap > old + 1 || gap < old - 1)
		atomic_store(&r->wall_minus_steady_s, gap);
	cw_timer_start(r->clock_timer, CLOCK_LOOK_MS);
}

/* Of guesses there may be very many: one event for all since the last. */
static void tell_failures(struct cw_rest *r)
{
	uint64_t failures = cw_rest_auth_failures(r->auth);
	char detail[64];

	if (failures == r->failures_told)
		return;
	(void) snprintf(detail, sizeof detail, "{\"access\":\"rest\",\"failures\":%llu}",
		(unsigned long long) (failures - r->failures_told));
	r->failures_told = failures;
	cw_engine_event(r->parts.engine, "auth.fail", 0, NULL, detail);
}

/* Who waits for an event looks whether it is time for a comment. */
static void on_tick_timer(void *arg)
{
	struct cw_rest *r = arg;

	tell_failures(r);
	cw_hub_wake(r->parts.hub);
	for (unsigned i = 0; i < r->n_listeners; i++)
		cw_rest_listener_sweep(r->listener[i]);
	cw_timer_start(r->tick_timer, CW_REST_TICK_MS);
}

int cw_rest_new(const struct cw_rest_parts *parts, char *why, size_t why_n, struct cw_rest **ret)
{
	struct cw_rest *r = cw_zalloc(1, sizeof *r);
	int e;

	if (!r)
		return -ENOMEM;
	r->parts = *parts;
	cw_json_init();
	(void) cw_config_ref(r->parts.config);
	e = cw_rest_roles_new(&r->parts.config->rest, why, why_n, &r->roles);
	if (e == 0)
		e = cw_rest_auth_new(r->roles, r->parts.config->rest.requests_per_token, &r->auth);
	if (e == 0)
		e = cw_rest_readers_new(r->parts.store, &r->readers);
	if (e == 0)
		e = cw_rest_counters_new(&r->counters);
	if (e == 0)
		e = cw_timer_new(r->parts.loop, on_stop_timer, r, &r->stop_timer);
	if (e == 0)
		e = cw_timer_new(r->parts.loop, on_clock_timer, r, &r->clock_timer);
	if (e == 0)
		e = cw_timer_new(r->parts.loop, on_tick_timer, r, &r->tick_timer);
	if (e == 0) {
		on_clock_timer(r);
		on_tick_timer(r);
	}
	if (e == 0)
		e = cw_random(r->cursor_key.octets, sizeof r->cursor_key.octets);
	if (e == 0)
		e = cw_random(r->session_key, sizeof r->session_key);
	if (e == 0)
		e = load_certificate(r, why, why_n);
	if (e == 0)
		e = open_listeners(r, why, why_n);
	if (e < 0) {
		(void) cw_rest_free(r);
		return e;
	}
	*ret = r;
	return 0;
}

const char *cw_rest_bound(const struct cw_rest *r, char *to, size_t n)
{
	(void) snprintf(to, n, "%s", r->bound);
	return to;
}

void cw_rest_stop(struct cw_rest *r, void (*done)(void *arg), void *arg)
{
	r->stopped = done;
	r->stopped_arg = arg;
	atomic_store(&r->stopping, true);
	for (unsigned i = 0; i < r->n_listeners; i++)
		cw_rest_listener_quiesce(r->listener[i]);
	cw_hub_close(r->parts.hub);
	r->cut_at_us = cw_clock_now(cw_loop_clock(r->parts.loop)).mono_us + CUT_US;
	cw_timer_start(r->stop_timer, 0);
}

struct cw_rest *cw_rest_free(struct cw_rest *r)
{
	if (!r)
		return NULL;
	for (unsigned i = 0; i < r->n_listeners; i++)
		(void) cw_rest_listener_close(r->listener[i]);
	cw_rest_tls_forget();
	if (r->n_listeners && r->parts.config->rest.socket)
		(void) unlink(r->parts.config->rest.socket);
	r->stop_timer = cw_timer_free(r->stop_timer);
	r->clock_timer = cw_timer_free(r->clock_timer);
	r->tick_timer = cw_timer_free(r->tick_timer);
	(void) cw_rest_readers_free(r->readers);
	(void) cw_rest_auth_free(r->auth);
	(void) cw_rest_roles_free(r->roles);
	(void) cw_rest_counters_free(r->counters);
	(void) cw_config_free(r->parts.config);
	return cw_free(r);
}
