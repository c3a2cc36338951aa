/* SPDX-License-Identifier: BSD-2-Clause */
/* HTTP/1.1 by libmicrohttpd: head, body, suspension, answer. It accepts more than RFC 9112 does
 * (two lengths, a length beside a transfer coding, two Hosts, names that are empty): that is looked
 * for here, because what one parser reads in another way than the next is how requests are
 * smuggled. What is asked is rest.c's business.
 *
 * A request lives from uri_seen() to completed(). While it is suspended it belongs to the loop,
 * else to the thread of the server that has its connection. */
#include "config.h"

#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/rest/cert.h"
#include "broker/rest/server.h"
#include "broker/rest/tls.h"

enum {
	CONNECTION_MEMORY = 32768, /* head, and what is being sent */
	HEADERS_MAX = 64,
	HEAD_MAX = 16384,
	TARGET_MAX = 8192, /* RFC 9112 3: at least 8000 */
	STREAM_BLOCK = 65536,
};

#define TLS_VERSIONS "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

struct cw_rest_listener {
	struct cw_rest *rest;
	struct MHD_Daemon *daemon;
	bool is_unix, is_tls, asks_cert;
	int64_t receive_us; /* for a request to arrive */
	pthread_mutex_t lock;
	struct cw_list streams;     /* struct exchange */
	struct cw_list connections; /* struct connection */
};

/* libmicrohttpd counts silence only: who sends an octet now and then would stay for ever. */
struct connection {
	struct cw_list in_listener;
	int fd;
	_Atomic int64_t awaited_us; /* since when a request is awaited; 0: one is there */
};

struct exchange {
	struct cw_rest_request q; /* first */
	struct cw_rest_listener *listener;
	struct MHD_Connection *conn;
	struct connection *connection; /* NULL: there was no memory for it */
	struct cw_loop_task task;
	cw_rest_handler_t *on_loop;
	const struct cw_rest_stream *stream;
	struct cw_list in_streams;
	char *uri;
	char *body;
	size_t body_cap;
	enum { HEAD, BODY, RUNNING } state;
	bool too_big, answered, is_head;
};

static struct exchange *inside(struct cw_rest_request *q)
{
	return cw_container_of(q, struct exchange, q);
}

static int64_t now_us(const struct cw_rest_listener *l)
{
	return cw_clock_now(cw_loop_clock(cw_rest_loop(l->rest))).mono_us;
}

/* ---- connections ---- */

static void await_request(struct cw_rest_listener *l, struct connection *c)
{
	if (c)
		atomic_store(&c->awaited_us, now_us(l));
}

static void connected(void *arg, struct MHD_Connection *conn, void **mine,
	enum MHD_ConnectionNotificationCode how)
{
	struct cw_rest_listener *l = arg;
	struct connection *c = *mine;

	(void) pthread_mutex_lock(&l->lock);
	if (how == MHD_CONNECTION_NOTIFY_STARTED) {
		const union MHD_ConnectionInfo *info =
			MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD);

		*mine = c = info ? cw_zalloc(1, sizeof *c) : NULL;
		if (c) {
			c->fd = info->connect_fd;
			await_request(l, c);
			cw_list_append(&l->connections, &c->in_listener);
		}
	} else if (c) {
		cw_list_remove(&c->in_listener);
		*mine = cw_free(c);
	}
	(void) pthread_mutex_unlock(&l->lock);
}

void cw_rest_listener_sweep(struct cw_rest_listener *l)
{
	int64_t since = now_us(l) - 2 * l->receive_us;

	(void) pthread_mutex_lock(&l->lock);
	cw_list_for_each (it, &l->connections) {
		struct connection *c = cw_container_of(it, struct connection, in_listener);
		int64_t awaited = atomic_load(&c->awaited_us);

		if (awaited && awaited < since)
			(void) shutdown(c->fd, SHUT_RDWR);
	}
	(void) pthread_mutex_unlock(&l->lock);
}

/* ---- the head ---- */

struct head {
	unsigned headers, hosts, lengths, codings;
	size_t octets;
	bool bad_name, bad_value, bad_coding;
	unsigned seen; /* of those there may be one of */
	bool twice;
};

/* Two of them could be read as one or the other (Host and the framing have rules of their own). */
static const char *const single[] = {
	"Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID"};

static enum MHD_Result look_at_header(void *arg, enum MHD_ValueKind kind, const char *name,
	size_t name_n, const char *value, size_t value_n)
{
	struct head *h = arg;

	(void) kind;
	h->headers++;
	for (unsigned i = 0; i < CW_ARRAY_LEN(single); i++) {
		if (strcasecmp(name, single[i]) != 0)
			continue;
		h->twice = h->twice || h->seen & 1u << i;
		h->seen |= 1u << i;
	}
	h->octets += name_n + value_n + 4;
	h->hosts += strcasecmp(name, "Host") == 0;
	h->lengths += strcasecmp(name, "Content-Length") == 0;
	if (strcasecmp(name, "Transfer-Encoding") == 0) {
		h->codings++;
		h->bad_coding = !value || strcasecmp(value, "chunked") != 0;
	}
	/* RFC 9110 5.5: a CR that is left in a value is where another parser sees a line end. */
	if (value && memchr(value, '\r', value_n))
		h->bad_value = true;
	if (name_n == 0)
		h->bad_name = true;
	for (size_t i = 0; i < name_n; i++)
		if (name[i] <= ' ' || name[i] == 127)
			h->bad_name = true;
	return MHD_YES;
}

/* RFC 9112 3.2, 6.1, 6.3. NULL: nothing is wrong with it. */
static const char *framing_fault(
	const struct exchange *x, const char *version, enum cw_problem *ret_problem, bool *ret_bare)
{
	struct head h = {0};

	(void) MHD_get_connection_values_n(x->conn, MHD_HEADER_KIND, look_at_header, &h);
	*ret_bare = !h.lengths && !h.codings;
	*ret_problem = CW_PROBLEM_URI_TOO_LONG;
	if (strlen(x->q.path) + strlen(x->q.query) >= TARGET_MAX)
		return "a target has 8 KiB at most";
	*ret_problem = CW_PROBLEM_HEADERS_TOO_LARGE;
	if (h.headers > HEADERS_MAX || h.octets > HEAD_MAX)
		return "more than 64 headers, or more than 16 KiB of them";
	*ret_problem = CW_PROBLEM_MALFORMED_REQUEST;
	if (h.twice)
		return "a header of which there may be one is there twice";
	if (h.bad_name)
		return "a header has no name, or one with blanks";
	if (h.bad_value)
		return "a header has a CR in its value";
	if (h.hosts > 1 || (h.hosts == 0 && strcmp(version, "HTTP/1.1") == 0))
		return "HTTP/1.1 wants one Host header";
	if (h.lengths > 1 || h.codings > 1 || (h.lengths && h.codings))
		return "more than one Content-Length or Transfer-Encoding";
	/* Any other coding would be taken for a body that lasts as long as the connection. */
	if (h.codings && (h.bad_coding || strcmp(version, "HTTP/1.0") == 0))
		return "the transfer coding is chunked, in HTTP/1.1, or there is none";
	return NULL;
}

/* ---- answers ---- */

const char *cw_rest_header(const struct cw_rest_request *q, const char *name)
{
	const struct exchange *x = (const struct exchange *) q; /* its first member */

	return MHD_lookup_connection_value(x->conn, MHD_HEADER_KIND, name);
}

void cw_rest_add_header(struct cw_rest_request *q, const char *name, const char *value)
{
	if (q->n_headers == CW_REST_HEADERS)
		return;
	q->header[q->n_headers].name = name;
	q->header[q->n_headers].value = cw_arena_strndup(q->arena, value, strlen(value));
	if (q->header[q->n_headers].value)
		q->n_headers++;
}

void cw_rest_answer(struct cw_rest_request *q, unsigned status, const char *type)
{
	q->status = status;
	q->type = type;
	if (q->out.err) { /* nothing to say it with */
		cw_json_out_done(&q->out);
		q->status = 503;
		q->type = NULL;
	}
	inside(q)->answered = true;
}

static ssize_t pull(void *arg, uint64_t pos, char *to, size_t n)
{
	struct exchange *x = arg;
	ssize_t r = x->stream->pull(&x->q, to, n);

	(void) pos;
	return r == -1 ? MHD_CONTENT_READER_END_OF_STREAM
	       : r < 0 ? MHD_CONTENT_READER_END_WITH_ERROR
		       : r;
}

void cw_rest_stream(struct cw_rest_request *q, unsigned status, const char *type,
	const struct cw_rest_stream *stream)
{
	struct exchange *x = inside(q);

	x->stream = stream;
	(void) pthread_mutex_lock(&x->listener->lock);
	cw_list_append(&x->listener->streams, &x->in_streams);
	(void) pthread_mutex_unlock(&x->listener->lock);
	cw_rest_answer(q, status, type);
}

void cw_rest_stream_wait(struct cw_rest_request *q)
{
	MHD_suspend_connection(inside(q)->conn);
}

void cw_rest_stream_wake(struct cw_rest_request *q)
{
	MHD_resume_connection(inside(q)->conn);
}

static void free_body(void *body)
{
	(void) cw_free(body);
}

static enum MHD_Result send_answer(struct exchange *x)
{
	struct cw_rest_request *q = &x->q;
	struct MHD_Response *response;
	enum MHD_Result r = MHD_YES;

	if (x->stream) {
		response = MHD_create_response_from_callback(
			MHD_SIZE_UNKNOWN, STREAM_BLOCK, pull, x, NULL);
	} else {
		size_t n = 0;
		char *body = cw_json_out_take(&q->out, &n);

		response = MHD_create_response_from_buffer_with_free_callback(n, body, free_body);
	}
	if (!response)
		return MHD_NO;
	/* Else it sends a last chunk though HEAD has no body (RFC 9112 6.3), and the next answer begins
	 * with that. */
	if (x->stream && x->is_head)
		r = MHD_set_response_options(
			response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
	if (q->type && r == MHD_YES)
		r = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, q->type);
	for (unsigned i = 0; i < q->n_headers && r == MHD_YES; i++)
		r = MHD_add_response_header(response, q->header[i].name, q->header[i].value);
	if (r == MHD_YES)
		r = MHD_add_response_header(response, "X-Request-Id", q->id);
	if (r == MHD_YES && q->close)
		r = MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	if (r == MHD_YES)
		r = MHD_queue_response(x->conn, q->status, response);
	MHD_destroy_response(response);
	return r;
}

/* ---- meanwhile, on the loop ---- */

static void op_done(struct cw_engine_req *req)
{
	MHD_resume_connection(inside(cw_container_of(req, struct cw_rest_request, req))->conn);
}

static void submit_on_loop(struct cw_rest_request *q)
{
	struct cw_engine *e = cw_rest_engine(q->rest);

	q->req.op.now = cw_engine_now(e);
	q->req.done = op_done;
	cw_engine_submit(e, &q->req);
}

static void run_on_loop(struct cw_loop_task *task)
{
	struct exchange *x = cw_container_of(task, struct exchange, task);

	x->on_loop(&x->q);
	if (x->on_loop != submit_on_loop)
		MHD_resume_connection(x->conn);
}

void cw_rest_on_loop(struct cw_rest_request *q, cw_rest_handler_t *on_loop, cw_rest_handler_t *fn)
{
	struct exchange *x = inside(q);

	q->fn = fn;
	x->on_loop = on_loop;
	x->task.fn = run_on_loop;
	cw_rest_waits(q);
	/* Before anybody can resume it. */
	MHD_suspend_connection(x->conn);
	cw_loop_post(cw_rest_loop(q->rest), &x->task);
}

void cw_rest_submit(struct cw_rest_request *q, cw_rest_handler_t *fn)
{
	cw_rest_on_loop(q, submit_on_loop, fn);
}

/* ---- one request, as libmicrohttpd calls ---- */

static void *uri_seen(void *arg, const char *uri, struct MHD_Connection *conn)
{
	struct cw_rest_listener *l = arg;
	struct exchange *x = cw_zalloc(1, sizeof *x);
	char *query;

	if (!x)
		return NULL;
	x->listener = l;
	x->conn = conn;
	x->q.rest = l->rest;
	x->uri = cw_strdup(uri);
	x->q.arena = cw_arena_new(CW_REST_ARENA_MAX);
	cw_json_out_grow(&x->q.out, CW_REST_ANSWER_MAX);
	if (!x->uri || !x->q.arena) {
		(void) cw_arena_free(x->q.arena);
		(void) cw_free(x->uri);
		return cw_free(x);
	}
	query = strchr(x->uri, '?');
	if (query)
		*query++ = '\0';
	x->q.path = x->uri;
	x->q.query = query ? query : "";
	cw_rest_entered(l->rest, &x->q);
	return x;
}

static void completed(
	void *arg, struct MHD_Connection *conn, void **mine, enum MHD_RequestTerminationCode how)
{
	struct exchange *x = *mine;

	(void) arg;
	(void) conn;
	(void) how;
	*mine = NULL;
	if (!x)
		return;
	await_request(x->listener, x->connection);
	if (x->stream) {
		(void) pthread_mutex_lock(&x->listener->lock);
		cw_list_remove(&x->in_streams);
		(void) pthread_mutex_unlock(&x->listener->lock);
		x->stream->free(&x->q);
	}
	cw_rest_left(x->q.rest, &x->q);
	(void) cw_arena_free(x->q.arena);
	cw_json_out_done(&x->q.out);
	if (x->body) /* it may have held a password */
		(void) cw_free_secret(x->body, x->body_cap);
	(void) cw_free(x->uri);
	(void) cw_free(x);
}

/* Who is at the other end; credentials are looked at later. */
static void find_peer(struct exchange *x)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		x->conn, x->listener->is_unix ? MHD_CONNECTION_INFO_CONNECTION_FD
					      : MHD_CONNECTION_INFO_CLIENT_ADDRESS);

	x->q.who.is_tls = x->listener->is_tls;
	if (x->listener->is_unix)
		cw_rest_peer(&x->q, info ? info->connect_fd : -1, NULL);
	else
		cw_rest_peer(&x->q, -1, info ? info->client_addr : NULL);
	if (!x->listener->asks_cert)
		return;
	info = MHD_get_connection_info(x->conn, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	if (info && info->tls_session)
		cw_rest_cert_names(info->tls_session, cw_rest_peer_name, &x->q);
}

static bool append_body(struct exchange *x, const char *p, size_t n)
{
	size_t want = x->q.body_n + n;

	if (want > CW_REST_BODY_MAX) {
		x->too_big = true;
		return true;
	}
	if (want > x->body_cap) {
		size_t cap = want < 4096                   ? 4096
			     : want > CW_REST_BODY_MAX / 2 ? CW_REST_BODY_MAX
							   : 2 * want;
		char *to = cw_zalloc(cap, 1);

		if (!to)
			return false;
		if (x->body) { /* it may hold a password */
			memcpy(to, x->body, x->q.body_n);
			(void) cw_free_secret(x->body, x->body_cap);
		}
		x->body = to;
		x->body_cap = cap;
	}
	memcpy(x->body + x->q.body_n, p, n);
	x->q.body_n = want;
	return true;
}

static enum MHD_Result on_head(struct exchange *x, const char *method, const char *version)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(x->conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	enum cw_problem problem;
	bool bare;
	const char *fault = framing_fault(x, version, &problem, &bare);

	x->connection = info ? info->socket_context : NULL;
	find_peer(x);
	x->state = BODY;
	x->is_head = strcmp(method, "HEAD") == 0;
	/* libmicrohttpd takes a header without a name for the end of the head, and what follows for
	 * the next request: where a body belongs and none was announced, nothing follows. */
	x->q.close = bare && method[0] == 'P';
	if (fault) {
		x->q.close = true;
		cw_rest_problem(&x->q, problem, "%s", fault);
	} else if (cw_rest_admit(&x->q, method)) {
		return MHD_YES;
	}
	return send_answer(x);
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *conn, const char *url,
	const char *method, const char *version, const char *data, size_t *data_n, void **mine)
{
	struct exchange *x = *mine;

	(void) arg;
	(void) conn;
	(void) url;
	if (!x)
		return MHD_NO; /* out of memory: the connection ends */
	if (x->state == HEAD)
		return on_head(x, method, version);
	if (x->state == BODY && *data_n > 0) {
		size_t n = *data_n;

		*data_n = 0;
		return x->too_big || append_body(x, data, n) ? MHD_YES : MHD_NO;
	}
	if (x->state == RUNNING) {
		x->q.fn(&x->q); /* it was suspended */
	} else {
		x->state = RUNNING;
		if (x->connection)
			atomic_store(&x->connection->awaited_us, 0);
		x->q.body = x->body;
		if (now_us(x->listener) - x->q.begun_us > x->listener->receive_us)
			cw_rest_problem(&x->q, CW_PROBLEM_REQUEST_TIMEOUT,
				"it was not there after %lld s",
				(long long) (x->listener->receive_us / 1000000));
		else if (x->too_big)
			cw_rest_problem(
				&x->q, CW_PROBLEM_BODY_TOO_LARGE, "a body has 1 MiB at most");
		else
			cw_rest_run(&x->q);
	}
	/* Nothing else is looked at: what was suspended is the loop's. */
	return x->answered ? send_answer(x) : MHD_YES;
}

/* Paths and queries stay as they came: schema/rest decodes them, and refuses what must not be. */
static size_t leave_escaped(void *arg, struct MHD_Connection *conn, char *s)
{
	(void) arg;
	(void) conn;
	return strlen(s);
}

static CW_PRINTF(2, 0) void log_fault(void *arg, const char *format, va_list args)
{
	char text[256];

	(void) arg;
	(void) vsnprintf(text, sizeof text, format, args);
	text[strcspn(text, "\r\n")] = '\0';
	cw_log(CW_LOG_DEBUG, CW_F(CW_F_EVENT("rest.http")), text);
}

/* ---- listeners ---- */

int cw_rest_listener_open(
	struct cw_rest *r, const struct cw_rest_server_conf *conf, struct cw_rest_listener **ret)
{
	struct cw_rest_listener *l = cw_zalloc(1, sizeof *l);
	unsigned flags =
		MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
	const union {
		gnutls_certificate_retrieve_function3 *fn;
		void *pointer; /* as the library takes it in a list */
	} retrieve = {.fn = cw_rest_tls_retrieve};
	struct MHD_OptionItem tls[] = {
		{MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, retrieve.pointer},
		{MHD_OPTION_HTTPS_PRIORITIES, 0, (void *) (uintptr_t) TLS_VERSIONS},
		{conf->tls_ca ? MHD_OPTION_HTTPS_MEM_TRUST : MHD_OPTION_END, 0,
			(void *) (uintptr_t) conf->tls_ca},
		{MHD_OPTION_END, 0, NULL},
	};

	if (!l) {
		(void) close(conf->fd);
		return -ENOMEM;
	}
	l->rest = r;
	cw_list_init(&l->streams);
	cw_list_init(&l->connections);
	l->receive_us = (int64_t) conf->receive_s * 1000000;
	(void) pthread_mutex_init(&l->lock, NULL);
	l->is_unix = conf->is_unix;
	l->is_tls = conf->is_tls;
	l->asks_cert = conf->tls_ca != NULL;
	if (conf->is_tls)
		flags |= MHD_USE_TLS;
	else
		tls[0].option = MHD_OPTION_END;
	errno = 0;
	l->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, l,
		MHD_OPTION_EXTERNAL_LOGGER, log_fault, NULL, MHD_OPTION_LISTEN_SOCKET,
		(MHD_socket) conf->fd, MHD_OPTION_THREAD_POOL_SIZE, conf->threads,
		MHD_OPTION_CONNECTION_LIMIT, conf->connections, MHD_OPTION_CONNECTION_TIMEOUT,
		conf->receive_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t) CONNECTION_MEMORY,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
		MHD_OPTION_URI_LOG_CALLBACK, uri_seen, l, MHD_OPTION_UNESCAPE_CALLBACK,
		leave_escaped, NULL, MHD_OPTION_NOTIFY_COMPLETED, completed, NULL,
		MHD_OPTION_NOTIFY_CONNECTION, connected, l, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
	if (!l->daemon) {
		int e = errno ? -errno : -EIO;

		(void) close(conf->fd);
		(void) pthread_mutex_destroy(&l->lock);
		(void) cw_free(l);
		return e;
	}
	*ret = l;
	return 0;
}

void cw_rest_listener_quiesce(struct cw_rest_listener *l)
{
	MHD_socket fd = MHD_quiesce_daemon(l->daemon);

	if (fd != MHD_INVALID_SOCKET)
		(void) close(fd);
}

/* A connection is not closed before completed() has taken it off the list. */
void cw_rest_listener_cut(struct cw_rest_listener *l)
{
	(void) pthread_mutex_lock(&l->lock);
	cw_list_for_each (it, &l->streams) {
		const struct exchange *x = cw_container_of(it, struct exchange, in_streams);
		const union MHD_ConnectionInfo *info =
			MHD_get_connection_info(x->conn, MHD_CONNECTION_INFO_CONNECTION_FD);

		if (info)
			(void) shutdown(info->connect_fd, SHUT_RDWR);
	}
	(void) pthread_mutex_unlock(&l->lock);
}

struct cw_rest_listener *cw_rest_listener_close(struct cw_rest_listener *l)
{
	if (!l)
		return NULL;
	MHD_stop_daemon(l->daemon);
	(void) pthread_mutex_destroy(&l->lock);
	return cw_free(l);
}
