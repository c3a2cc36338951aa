/* SPDX-License-Identifier: BSD-2-Clause */
/* A connection to a broker; see session_io.h. RFC 8305 (order and pace of attempts), RFC
 * 5572 4.4.1.1. Owns its handles: up to ATTEMPTS_MAX connections of which one wins, two timers; and
 * one lookup. It is freed when the last of them is closed. Thread: the loop's. */
#include "config.h"

#include <errno.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "client/resolve_io.h"
#include "client/session_io.h"

enum {
	ATTEMPTS_MAX = 32,      /* more than fit in an answer of DNS without TCP */
	ATTEMPT_DELAY_MS = 250, /* RFC 8305 section 8 */
	KEEPALIVE_S = 60,
	FLUSH_MS = 1000,
	READ_SIZE = 4096,
	UNREAD_MAX = 64 * 1024, /* octets: who reads none of this is not there any more */
	TEXT_MAX = 320,
};

struct attempt {
	uv_tcp_t tcp;
	uv_connect_t req;
	struct cw_session *session;
	struct sockaddr_storage to;
	bool open;
};

struct cw_session {
	struct cw_loop *loop;
	const struct cw_session_ops *ops;
	void *arg;
	struct cw_session_conf conf;
	char host[256];
	struct cw_resolve *resolver; /* NULL: the addresses are known */
	uv_timer_t pace;             /* next attempt */
	uv_timer_t clock; /* the connect timeout, then the TSP session's deadline, then the flush */
	struct attempt attempts[ATTEMPTS_MAX];
	unsigned n_addresses; /* attempts[] with an address */
	unsigned n_started, n_failed;
	struct attempt *winner;
	uv_shutdown_t shutdown;
	struct cw_tls_ctx *tls_ctx;
	struct cw_tls *tls;
	struct cw_tsp_client *tsp;
	char text[TEXT_MAX]; /* why the last attempt failed */
	bool tsp_started;
	bool closing;   /* by the owner: no more callbacks */
	bool ended;     /* the last callback was made */
	unsigned alive; /* handles and requests libuv has not let go of */
	char buffer[READ_SIZE];
};

struct write {
	uv_write_t req;
	size_t n;
	char data[];
};

static unsigned sessions_alive; /* loop thread only */

unsigned cw_sessions_alive(void)
{
	return sessions_alive;
}

static int64_t now_ms(const struct cw_session *s)
{
	return cw_clock_now(cw_loop_clock(s->loop)).mono_us / 1000;
}

/* ---- the end ---- */

static void release(struct cw_session *s)
{
	if (--s->alive)
		return;
	s->tsp = cw_tsp_client_free(s->tsp);
	s->tls = cw_tls_free(s->tls);
	s->tls_ctx = cw_tls_ctx_free(s->tls_ctx);
	sessions_alive--;
	(void) cw_free_secret(s, sizeof *s);
}

static void on_timer_closed(uv_handle_t *h)
{
	release(h->data);
}

static void on_tcp_closed(uv_handle_t *h)
{
	struct attempt *a = h->data;

	release(a->session);
}

static void close_attempt(struct attempt *a)
{
	if (!a->open)
		return;
	a->open = false;
	uv_close((uv_handle_t *) &a->tcp, on_tcp_closed);
}

static void close_all(struct cw_session *s)
{
	for (unsigned i = 0; i < s->n_addresses; i++)
		close_attempt(&s->attempts[i]);
	s->resolver = cw_resolve_cancel(s->resolver);
	if (!uv_is_closing((uv_handle_t *) &s->pace)) {
		uv_close((uv_handle_t *) &s->pace, on_timer_closed);
		uv_close((uv_handle_t *) &s->clock, on_timer_closed);
	}
}

static void on_flush_timeout(uv_timer_t *t)
{
	close_all(t->data);
}

static void on_shutdown(uv_shutdown_t *req, int status)
{
	struct cw_session *s = req->data;

	(void) status;
	close_all(s);
	release(s);
}

static void flush_tls(struct cw_session *s);

struct cw_session *cw_session_close(struct cw_session *s)
{
	if (!s || s->closing)
		return NULL;
	s->closing = true;
	s->ended = true;
	(void) uv_timer_stop(&s->pace);
	if (s->winner && s->winner->open) {
		(void) uv_read_stop((uv_stream_t *) &s->winner->tcp);
		if (s->tls && cw_tls_ready(s->tls)) {
			cw_tls_close(s->tls);
			flush_tls(s);
		}
		s->shutdown.data = s;
		if (uv_shutdown(&s->shutdown, (uv_stream_t *) &s->winner->tcp, on_shutdown) == 0) {
			s->alive++;
			(void) uv_timer_start(&s->clock, on_flush_timeout, FLUSH_MS, 0);
			return NULL;
		}
	}
	close_all(s);
	return NULL;
}

static void unreachable(struct cw_session *s, const char *text)
{
	if (s->ended)
		return;
	s->ended = true;
	s->ops->unreachable(s->arg, text);
}

/* ---- output ---- */

static void on_written(uv_write_t *req, int status)
{
	struct write *w = cw_container_of(req, struct write, req);

	(void) status; /* a broken connection shows itself to the reader */
	(void) cw_free_secret(w, sizeof *w + w->n);
}

static void write_out(struct cw_session *s, const void *p, size_t n)
{
	struct write *w = cw_zalloc(1, sizeof *w + n);
	uv_buf_t buf;

	if (!w)
		return; /* the answer will be missing, which its deadline finds */
	w->n = n;
	memcpy(w->data, p, n);
	buf = uv_buf_init(w->data, (unsigned) n);
	if (uv_write(&w->req, (uv_stream_t *) &s->winner->tcp, &buf, 1, on_written) < 0)
		(void) cw_free_secret(w, sizeof *w + n);
}

static void flush_tls(struct cw_session *s)
{
	char buf[4096];
	size_t n;

	while ((n = cw_tls_output(s->tls, buf, sizeof buf)) > 0)
		write_out(s, buf, n);
}

static void on_send(void *arg, const void *p, size_t n)
{
	struct cw_session *s = arg;

	if (!s->winner || !s->winner->open)
		return;
	if (!s->tls) {
		write_out(s, p, n);
		return;
	}
	if (cw_tls_write(s->tls, p, n) == 0)
		flush_tls(s);
}

/* ---- the TSP session ---- */

static void on_deadline(uv_timer_t *t)
{
	struct cw_session *s = t->data;

	if (s->ended)
		return;
	cw_tsp_client_tick(s->tsp, now_ms(s));
	cw_session_touch(s);
}

void cw_session_touch(struct cw_session *s)
{
	int64_t at = cw_tsp_client_deadline(s->tsp);
	int64_t left = at - now_ms(s);

	if (s->closing || !s->tsp_started)
		return;
	if (at == INT64_MAX)
		(void) uv_timer_stop(&s->clock);
	else
		(void) uv_timer_start(&s->clock, on_deadline, left > 0 ? (uint64_t) left : 0, 0);
}

static void on_event(void *arg, const struct cw_tsp_client_event *ev)
{
	struct cw_session *s = arg;

	if (s->ended)
		return;
	s->ended = ev->type == CW_TSP_EV_CLOSED;
	s->ops->event(s->arg, ev);
}

static const struct cw_tsp_client_ops tsp_ops = {.send = on_send, .event = on_event};

static void start_tsp(struct cw_session *s)
{
	s->tsp_started = true;
	cw_tsp_client_start(s->tsp, now_ms(s));
	cw_session_touch(s);
}

/* ---- input ---- */

static void broken(struct cw_session *s, const char *text)
{
	if (s->tsp_started)
		cw_tsp_client_eof(s->tsp, now_ms(s));
	else
		unreachable(s, text);
}

static void input_tls(struct cw_session *s, const void *p, size_t n)
{
	char clear[READ_SIZE];
	int r = cw_tls_feed(s->tls, p, n);
	int got = 0;

	flush_tls(s);
	if (r < 0 && !s->tsp_started) {
		(void) snprintf(s->text, sizeof s->text, "%s%s; %s", r == CW_E_AUTH ? "TLS: " : "",
			cw_tls_error(),
			r == CW_E_AUTH ? "check ca and server-name"
				       : "does the broker speak TLS at this port?");
		unreachable(s, s->text);
		return;
	}
	if (!s->tsp_started && cw_tls_ready(s->tls))
		start_tsp(s);
	while (!s->ended && (got = cw_tls_read(s->tls, clear, sizeof clear)) > 0)
		if (s->tsp_started)
			cw_tsp_client_input(s->tsp, clear, (size_t) got, now_ms(s));
	if (!s->ended && (r < 0 || got < 0))
		broken(s, "TLS: the broker closed the connection");
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
	struct attempt *a = h->data;

	(void) suggested;
	*buf = uv_buf_init(a->session->buffer, sizeof a->session->buffer);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct attempt *a = stream->data;
	struct cw_session *s = a->session;

	if (s->ended || n == 0)
		return;
	if (n < 0)
		broken(s, "the broker closed the connection");
	else if (s->tls)
		input_tls(s, buf->base, (size_t) n);
	else
		cw_tsp_client_input(s->tsp, buf->base, (size_t) n, now_ms(s));
	/* What it says is answered, and all answers it does not read would be kept here. */
	if (!s->ended && uv_stream_get_write_queue_size(stream) > UNREAD_MAX)
		broken(s, "the broker does not read");
	if (!s->closing)
		cw_session_touch(s);
}

/* ---- connecting ---- */

static void start_next(struct cw_session *s);

static void won(struct cw_session *s, struct attempt *a)
{
	s->winner = a;
	for (unsigned i = 0; i < s->n_addresses; i++)
		if (&s->attempts[i] != a)
			close_attempt(&s->attempts[i]);
	(void) uv_timer_stop(&s->pace);
	(void) uv_tcp_nodelay(&a->tcp, 1);
	(void) uv_tcp_keepalive(&a->tcp, 1, KEEPALIVE_S);
	/* The machine looks at its configuration when answers come: ::1 may be an end only here. */
	s->conf.tsp.loopback_ok = cw_sockaddr_is_loopback((const struct sockaddr *) &a->to);
	if (uv_read_start((uv_stream_t *) &a->tcp, on_alloc, on_read) < 0) {
		unreachable(s, "cannot read from the connection");
		return;
	}
	if (!s->tls) {
		start_tsp(s);
		return;
	}
	if (cw_tls_start(s->tls) < 0)
		unreachable(s, cw_tls_error());
	else
		flush_tls(s);
}

/* What the user may look at. */
static const char *advice(int status)
{
	switch (status) {
	case UV_ECONNREFUSED:
		return "; no broker listens there, check host and port";
	case UV_ENETUNREACH:
	case UV_EHOSTUNREACH:
		return "; this host has no route to it";
	case UV_EINVAL:
		return "; a link-local address has its interface behind it, as in fe80::1%eth0";
	default:
		return "";
	}
}

static void note_failure(struct cw_session *s, const struct attempt *a, int status)
{
	char where[CW_ENDPOINT_STRLEN];

	s->n_failed++;
	(void) snprintf(s->text, sizeof s->text, "%s: %s%s",
		cw_sockaddr_str((const struct sockaddr *) &a->to, where), uv_strerror(status),
		advice(status));
}

static void failed(struct cw_session *s, const struct attempt *a, int status)
{
	note_failure(s, a, status);
	if (s->n_failed == s->n_addresses)
		unreachable(s, s->text);
	else if (s->n_started == s->n_failed)
		start_next(s); /* nothing is under way: no need to keep the pace */
}

static void on_connect(uv_connect_t *req, int status)
{
	struct attempt *a = req->data;
	struct cw_session *s = a->session;

	if (s->ended || s->winner || status == UV_ECANCELED)
		return;
	if (status == 0) {
		won(s, a);
		return;
	}
	close_attempt(a);
	failed(s, a, status);
}

static void on_pace(uv_timer_t *t)
{
	struct cw_session *s = t->data;

	if (!s->ended && !s->winner)
		start_next(s);
}

/* One attempt's socket; < 0: it cannot be made. */
static int start_attempt(struct cw_session *s, struct attempt *a)
{
	struct sockaddr_in6 source = {.sin6_family = AF_INET6};
	int r = uv_tcp_init(cw_loop_uv(s->loop), &a->tcp);

	if (r < 0)
		return r;
	a->tcp.data = a;
	a->req.data = a;
	a->open = true;
	s->alive++;
	/* A hint, not a condition: the address may be meant for the tunnel only, or not be here
	 * yet, which the broker and the tunnel will find. */
	if (s->conf.has_source && a->to.ss_family == AF_INET6 &&
		!cw_sockaddr_is_loopback((const struct sockaddr *) &a->to)) {
		memcpy(&source.sin6_addr, s->conf.source.b, sizeof s->conf.source.b);
		(void) uv_tcp_bind(&a->tcp, (const struct sockaddr *) &source, 0);
	}
	return uv_tcp_connect(&a->req, &a->tcp, (const struct sockaddr *) &a->to, on_connect);
}

static void start_next(struct cw_session *s)
{
	struct attempt *a;
	int r;

	while (s->n_started < s->n_addresses) {
		a = &s->attempts[s->n_started++];
		r = start_attempt(s, a);
		if (r == 0) {
			if (s->n_started < s->n_addresses)
				(void) uv_timer_start(&s->pace, on_pace, ATTEMPT_DELAY_MS, 0);
			return;
		}
		close_attempt(a);
		note_failure(s, a, r);
	}
	if (s->n_failed == s->n_addresses)
		unreachable(s, s->text);
}

static bool add_address(struct cw_session *s, const struct addrinfo *ai)
{
	struct attempt *a = &s->attempts[s->n_addresses];

	if (s->n_addresses == ATTEMPTS_MAX || ai->ai_addrlen > sizeof a->to)
		return false;
	memcpy(&a->to, ai->ai_addr, ai->ai_addrlen);
	a->session = s;
	s->n_addresses++;
	return true;
}

static const struct addrinfo *next_of(const struct addrinfo *ai, int family)
{
	while (ai && ai->ai_family != family)
		ai = ai->ai_next;
	return ai;
}

/* RFC 8305 section 4: the families take turns, IPv6 first, each in the resolver's order (RFC 6724).
 */
static void order_addresses(struct cw_session *s, const struct addrinfo *all)
{
	const struct addrinfo *six = next_of(all, AF_INET6);
	const struct addrinfo *four = next_of(all, AF_INET);

	while (six || four) {
		if (six && !add_address(s, six))
			return;
		six = six ? next_of(six->ai_next, AF_INET6) : NULL;
		if (four && !add_address(s, four))
			return;
		four = four ? next_of(four->ai_next, AF_INET) : NULL;
	}
}

static void on_resolved(void *arg, int status, const struct addrinfo *addresses)
{
	struct cw_session *s = arg;

	s->resolver = NULL;
	if (s->ended)
		return;
	if (status) {
		(void) snprintf(s->text, sizeof s->text,
			"the name %.60s cannot be resolved: %s; check its spelling and this host's DNS",
			s->host, gai_strerror(status));
		unreachable(s, s->text);
		return;
	}
	order_addresses(s, addresses);
	if (s->n_addresses)
		start_next(s);
	else
		unreachable(s, "the broker's name has no address");
}

static void on_connect_timeout(uv_timer_t *t)
{
	struct cw_session *s = t->data;

	if (s->resolver)
		(void) snprintf(s->text, sizeof s->text,
			"the name %.60s was not resolved in time; check this host's DNS, or connect-timeout",
			s->host);
	else
		(void) snprintf(s->text, sizeof s->text,
			s->winner
				? "the broker's TLS did not answer in time"
				: "the broker did not answer in time; check host, port and connect-timeout");
	unreachable(s, s->text);
}

/* ---- life ---- */

static int prepare(struct cw_session *s, const struct cw_session_conf *conf)
{
	struct cw_tls_config tls = conf->tls;
	int r;

	if (strlen(conf->host) >= sizeof s->host)
		return -ENAMETOOLONG;
	memcpy(s->host, conf->host, strlen(conf->host) + 1);
	s->conf = *conf;
	s->conf.host = s->host;
	s->conf.tsp.host = s->host;
	if (conf->with_tls) {
		tls.server = false;
		if (!tls.server_name)
			tls.server_name = s->host;
		r = cw_tls_ctx_new(&tls, &s->tls_ctx);
		if (r == 0)
			r = cw_tls_new(s->tls_ctx, &s->tls);
		if (r < 0)
			return r;
	}
	return cw_tsp_client_new(&s->conf.tsp, &tsp_ops, s, &s->tsp);
}

int cw_session_open(struct cw_loop *loop, const struct cw_session_conf *conf,
	const struct cw_session_ops *ops, void *arg, struct cw_session **ret)
{
	struct cw_session *s = cw_zalloc(1, sizeof *s);
	int r;

	if (!s)
		return -ENOMEM;
	s->loop = loop;
	s->ops = ops;
	s->arg = arg;
	sessions_alive++;
	s->alive = 1; /* released below if nothing else holds the session */
	r = prepare(s, conf);
	if (r < 0) {
		release(s);
		return r;
	}
	(void) uv_timer_init(cw_loop_uv(loop), &s->pace);
	(void) uv_timer_init(cw_loop_uv(loop), &s->clock);
	s->pace.data = s->clock.data = s;
	s->alive = 2;
	r = cw_resolve_start(loop, s->host, conf->port, on_resolved, s, &s->resolver);
	if (r < 0) {
		(void) cw_session_close(s);
		return r;
	}
	(void) uv_timer_start(&s->clock, on_connect_timeout, conf->connect_timeout_ms, 0);
	*ret = s;
	return 0;
}

struct cw_tsp_client *cw_session_tsp(struct cw_session *s)
{
	return s->tsp;
}

bool cw_session_source(const struct cw_session *s, struct cw_addr6 *ret)
{
	struct sockaddr_storage ss;
	int n = sizeof ss;
	struct cw_addr6 a;

	if (!s->winner || uv_tcp_getsockname(&s->winner->tcp, (struct sockaddr *) &ss, &n) < 0)
		return false;
	if (!cw_sockaddr_addr6((const struct sockaddr *) &ss, &a) || cw_addr6_is_v4mapped(&a))
		return false;
	if (!cw_addr6_is_tunnel_end(&a) && !cw_addr6_is_loopback(&a))
		return false;
	*ret = a;
	return true;
}

static const struct ifaddrs *owner_of(const struct ifaddrs *all, const struct cw_addr6 *source)
{
	struct cw_addr6 a;

	for (const struct ifaddrs *i = all; i; i = i->ifa_next)
		if (i->ifa_addr && cw_sockaddr_addr6(i->ifa_addr, &a) && cw_addr6_eq(&a, source))
			return i;
	return NULL;
}

bool cw_session_link_local(const struct cw_addr6 *source, struct cw_addr6 *ret)
{
	struct ifaddrs *all;
	const struct ifaddrs *owner;
	struct cw_addr6 a;
	bool found = false;

	if (getifaddrs(&all) < 0)
		return false;
	owner = owner_of(all, source);
	for (const struct ifaddrs *i = all; owner && i && !found; i = i->ifa_next) {
		if (!i->ifa_addr || strcmp(i->ifa_name, owner->ifa_name) != 0 ||
			!cw_sockaddr_addr6(i->ifa_addr, &a) || !cw_addr6_is_link_local(&a))
			continue;
		*ret = a;
		found = true;
	}
	freeifaddrs(all);
	return found;
}
