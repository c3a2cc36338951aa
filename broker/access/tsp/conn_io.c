/* SPDX-License-Identifier: BSD-2-Clause */
/* TSP connections over TCP, TLS and Unix sockets. A connection is the socket, one timer and its
 * session; reading goes through one buffer for all, writing at once where the kernel takes it. It
 * ends as guide/tsp.md section 12 asks: what was said goes out, shutdown, then what still comes is
 * thrown away for a while, for an RST would destroy the answer. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/access/tsp/sockets_io.h"

struct conn {
	struct cw_list in_io;
	struct cw_tsp_io *io;
	union cw_tsp_stream h;
	uv_timer_t timer;
	uv_shutdown_t shutdown;
	int64_t armed_ms; /* INT64_MAX: the timer stands still */
	unsigned handles; /* stream and timer, not closed yet */
	size_t drained;
	bool reading, closing, shut, doomed, destroyed, eof, tls_named, entered;
	struct cw_tsp_session *session;
	struct cw_tls *tls;
	struct cw_tsp_tls *tls_ref;
	struct cw_source source;
	struct sockaddr_in6 peer; /* or an IPv4 one, which is smaller */
};

struct write {
	uv_write_t req;
	struct conn *conn;
	size_t n;
	char data[];
};

static int64_t now_ms(const struct conn *c)
{
	return cw_tsp_access_now_ms(c->io->access);
}

/* ---- end ---- */

static void on_handle_closed(uv_handle_t *h)
{
	struct conn *c = h->data;
	struct cw_tsp_io *io = c->io;

	if (--c->handles)
		return;
	(void) cw_tsp_session_free(c->session);
	(void) cw_tls_free(c->tls);
	(void) cw_tsp_tls_unref(c->tls_ref);
	if (c->entered)
		cw_limits_leave(io->access->limits, &c->source, now_ms(c));
	cw_list_remove(&c->in_io);
	(void) cw_free(c);
	cw_tsp_io_conn_gone(io);
}

static void conn_destroy(struct conn *c)
{
	if (c->destroyed)
		return;
	c->destroyed = true;
	if (!c->closing && c->session)
		cw_tsp_session_lost(c->session);
	uv_close(&c->h.handle, on_handle_closed);
	uv_close((uv_handle_t *) &c->timer, on_handle_closed);
}

/* ---- time and reading ---- */

static void on_timer(uv_timer_t *t);
static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf);
static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

static void arm(struct conn *c, int64_t at_ms)
{
	int64_t now = now_ms(c);

	/* A timer that is early costs one look; moving it for each message costs more. */
	if (at_ms >= c->armed_ms || at_ms == INT64_MAX)
		return;
	c->armed_ms = at_ms;
	(void) uv_timer_start(&c->timer, on_timer, at_ms > now ? (uint64_t) (at_ms - now) : 0, 0);
}

/* To be destroyed, but not now: we may be inside a call of the session. */
static void conn_doom(struct conn *c)
{
	c->doomed = true;
	if (!c->destroyed)
		arm(c, 0);
}

/* After whatever happened: does the session want to read, when does it want to be woken? */
static void conn_look(struct conn *c)
{
	bool want;

	if (c->destroyed || c->doomed)
		return;
	if (c->io->stopping && !c->closing && !cw_tsp_session_busy(c->session) &&
		uv_stream_get_write_queue_size(&c->h.stream) == 0) {
		conn_doom(c);
		return;
	}
	want = !c->eof && uv_stream_get_write_queue_size(&c->h.stream) <= CW_TSP_WRITE_PAUSE &&
	       (c->closing || cw_tsp_session_wants_input(c->session));
	if (want && !c->reading)
		c->reading = uv_read_start(&c->h.stream, on_alloc, on_read) == 0;
	else if (!want && c->reading) {
		(void) uv_read_stop(&c->h.stream);
		c->reading = false;
	}
	if (!c->closing)
		arm(c, cw_tsp_session_deadline(c->session));
}

static void on_timer(uv_timer_t *t)
{
	struct conn *c = t->data;

	c->armed_ms = INT64_MAX;
	if (c->closing || c->doomed) {
		conn_destroy(c);
		return;
	}
	cw_tsp_session_tick(c->session);
	conn_look(c);
}

/* ---- writing ---- */

static void on_written(uv_write_t *req, int status)
{
	struct write *w = cw_container_of(req, struct write, req);
	struct conn *c = w->conn;

	(void) cw_free(w);
	if (status < 0)
		conn_destroy(c);
	else
		conn_look(c);
}

static void raw_send(struct conn *c, const void *p, size_t n)
{
	const union {
		const void *in;
		char *out; /* libuv only reads it */
	} data = {.in = p};
	uv_buf_t buf = uv_buf_init(data.out, (unsigned) n);
	struct write *w;
	int r = 0;

	if (c->destroyed || c->doomed || n == 0)
		return;
	if (uv_stream_get_write_queue_size(&c->h.stream) == 0) {
		r = uv_try_write(&c->h.stream, &buf, 1);
		if (r == (int) n)
			return;
		if (r < 0 && r != UV_EAGAIN) {
			conn_doom(c);
			return;
		}
	}
	r = r < 0 ? 0 : r;
	if (uv_stream_get_write_queue_size(&c->h.stream) + n > CW_TSP_WRITE_MAX) {
		c->io->access->stats.write_overruns++;
		conn_doom(c);
		return;
	}
	w = cw_zalloc(1, sizeof *w + n - (size_t) r);
	if (!w) {
		conn_doom(c);
		return;
	}
	w->conn = c;
	w->n = n - (size_t) r;
	memcpy(w->data, (const char *) p + r, w->n);
	buf = uv_buf_init(w->data, (unsigned) w->n);
	if (uv_write(&w->req, &c->h.stream, &buf, 1, on_written) < 0) {
		(void) cw_free(w);
		conn_doom(c);
	}
}

static void tls_flush(struct conn *c)
{
	char out[4096];
	size_t n;

	while ((n = cw_tls_output(c->tls, out, sizeof out)) > 0)
		raw_send(c, out, n);
}

static void conn_send(void *io, const void *p, size_t n)
{
	struct conn *c = io;

	if (!c->tls) {
		raw_send(c, p, n);
		return;
	}
	if (cw_tls_write(c->tls, p, n) < 0)
		conn_doom(c);
	else
		tls_flush(c);
}

/* ---- closing in peace ---- */

static void on_shutdown(uv_shutdown_t *req, int status)
{
	struct conn *c = req->data;

	c->shut = true;
	if (status < 0 || c->eof)
		conn_destroy(c);
}

static void conn_close(void *io, enum cw_tsp_close reason)
{
	struct conn *c = io;

	(void) reason;
	if (c->destroyed || c->doomed || c->closing)
		return;
	c->closing = true;
	if (c->tls) {
		cw_tls_close(c->tls);
		tls_flush(c);
	}
	/* It has closed, we have read it all, nothing is left to say: no RST can come of closing.
	 */
	if (c->eof && uv_stream_get_write_queue_size(&c->h.stream) == 0) {
		conn_destroy(c);
		return;
	}
	c->shutdown.data = c;
	if (c->doomed || uv_shutdown(&c->shutdown, &c->h.stream, on_shutdown) < 0) {
		conn_destroy(c);
		return;
	}
	c->armed_ms = INT64_MAX;
	arm(c, now_ms(c) + CW_TSP_LINGER_MS);
}

static void conn_changed(void *io)
{
	conn_look(io);
}

static const struct cw_tsp_session_ops session_ops = {
	.send = conn_send, .close = conn_close, .changed = conn_changed};

/* ---- reading ---- */

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
	struct conn *c = h->data;

	(void) suggested;
	*buf = uv_buf_init(c->io->read_buf, sizeof c->io->read_buf);
}

static void tls_input(struct conn *c, const void *p, size_t n)
{
	char clear[4096];
	int r = cw_tls_feed(c->tls, p, n);
	int k = 0;

	tls_flush(c);
	if (r == 0 && !c->tls_named && cw_tls_ready(c->tls)) {
		const char *name = cw_tls_peer_name(c->tls);

		c->tls_named = true;
		if (name && cw_tsp_session_set_external(c->session, name) < 0)
			r = -ENOMEM;
	}
	while (r == 0 && !c->doomed && !c->closing &&
		(k = cw_tls_read(c->tls, clear, sizeof clear)) > 0)
		cw_tsp_session_input(c->session, clear, (size_t) k);
	explicit_bzero(clear, sizeof clear);
	if (r == 0 && k >= 0)
		return;
	if (r == 0 && k == -ENODATA) {
		cw_tsp_session_eof(c->session);
		return;
	}
	c->io->access->stats.tls_failures++;
	cw_log(CW_LOG_DEBUG,
		CW_F(CW_F_EVENT("tls.fail"), CW_F_PEER((struct sockaddr *) &c->peer),
			CW_F_ERR(r < 0 ? r : k)),
		"TLS with a client failed");
	if (!c->closing) {
		cw_tsp_session_lost(c->session);
		conn_close(c, CW_TSP_CLOSE_EOF); /* the alert still goes out */
	}
}

static void on_end_of_input(struct conn *c)
{
	c->eof = true;
	(void) uv_read_stop(&c->h.stream);
	c->reading = false;
	if (c->closing) {
		if (c->shut || uv_stream_get_write_queue_size(&c->h.stream) == 0)
			conn_destroy(c);
		return;
	}
	cw_tsp_session_eof(c->session);
	conn_look(c);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct conn *c = stream->data;

	if (n == 0 || c->doomed)
		return;
	if (n == UV_EOF) {
		on_end_of_input(c);
		return;
	}
	if (n < 0) {
		conn_destroy(c);
		return;
	}
	if (c->closing) {
		c->drained += (size_t) n;
		if (c->drained > CW_TSP_LINGER_OCTETS)
			conn_destroy(c);
		return;
	}
	if (c->tls)
		tls_input(c, buf->base, (size_t) n);
	else
		cw_tsp_session_input(c->session, buf->base, (size_t) n);
	explicit_bzero(buf->base, (size_t) n); /* it may have been a password */
	conn_look(c);
}

/* ---- beginning ---- */

/* Takes the waiting one and closes it: no memory, or its source has too many. */
static void refuse(struct conn *c, bool say)
{
	const struct cw_tsp_status st = cw_tsp_status(CW_TSP_OVERLOAD, CW_TSP_V2, false);
	char line[128];
	int n = say ? cw_tsp_render_bare(&st, NULL, line, sizeof line) : 0;
	uv_buf_t buf = uv_buf_init(line, n > 0 ? (unsigned) n : 0);

	if (n > 0 && !c->tls)
		(void) uv_try_write(&c->h.stream, &buf, 1);
	conn_destroy(c);
}

static struct conn *conn_new(struct cw_tsp_listener *l)
{
	struct conn *c = cw_zalloc(1, sizeof *c);
	int r;

	if (!c)
		return NULL;
	c->io = l->io;
	c->armed_ms = INT64_MAX;
	r = l->is_unix ? uv_pipe_init(l->io->uv, &c->h.pipe, 0) : uv_tcp_init(l->io->uv, &c->h.tcp);
	if (r < 0)
		return cw_free(c);
	(void) uv_timer_init(l->io->uv, &c->timer); /* cannot fail */
	c->h.handle.data = c->timer.data = c;
	c->handles = 2;
	cw_list_append(&l->io->conns, &c->in_io);
	l->io->n_conns++;
	return c;
}

static int conn_start(struct conn *c, struct cw_tsp_listener *l)
{
	struct cw_tsp_io *io = l->io;
	struct cw_tsp_peer peer = {.transport = l->tls ? CW_TSP_ON_TLS : CW_TSP_ON_TCP};
	struct sockaddr_storage ss;
	int len = sizeof ss, r;

	if (!l->is_unix) {
		r = uv_tcp_getpeername(&c->h.tcp, (struct sockaddr *) &ss, &len);
		if (r < 0)
			return r;
		memcpy(&c->peer, &ss, sizeof c->peer);
		peer.sa = (struct sockaddr *) &c->peer;
	}
	c->source = peer.source = cw_source_of(peer.sa);
	if (!cw_limits_enter(io->access->limits, &c->source, now_ms(c)))
		return CW_E_LIMIT;
	c->entered = true;
	r = cw_tsp_session_new(io->access, &peer, &session_ops, c, &c->session);
	if (r < 0 || !l->tls)
		return r;
	c->tls_ref = io->tls;
	c->tls_ref->refs++;
	return cw_tls_new(c->tls_ref->ctx, &c->tls);
}

void cw_tsp_conn_accept(struct cw_tsp_listener *l)
{
	struct cw_tsp_io *io = l->io;
	struct conn *c;
	int r;

	if (io->stopping)
		return;
	/* Past the cap the waiting one stays in libuv and the listener stands still, instead of
	 * being accepted and closed without a word. */
	c = io->n_conns < io->cap ? conn_new(l) : NULL;
	l->paused = !c;
	if (!c) {
		io->access->stats.refused_full++;
		return;
	}
	r = uv_accept(&l->h.stream, &c->h.stream);
	if (r == 0)
		r = conn_start(c, l);
	if (r < 0) {
		if (r == CW_E_LIMIT)
			io->access->stats.refused_source++;
		refuse(c, r == CW_E_LIMIT);
		return;
	}
	conn_look(c);
}

void cw_tsp_conns_stop(struct cw_tsp_io *io, bool now)
{
	cw_list_for_each_safe (it, tmp, &io->conns) {
		struct conn *c = cw_container_of(it, struct conn, in_io);

		if (now || c->closing)
			conn_destroy(c);
		else
			conn_look(c);
	}
}
