/* SPDX-License-Identifier: BSD-2-Clause */
/* Listeners of the TSP access and the set of its connections. Options that connections inherit from
 * the listening socket (TCP_NODELAY, keepalive) are set there once. */
#include "config.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/access/tsp/io.h"
#include "broker/access/tsp/sockets_io.h"

#define BACKLOG           4096
#define FILES_KEPT        96 /* database, listeners, plugins, log */
#define KEEPALIVE_S       60
#define KEEPALIVE_EVERY_S 20
#define KEEPALIVE_TRIES   3

struct cw_tsp_tls *cw_tsp_tls_unref(struct cw_tsp_tls *t)
{
	if (!t || --t->refs)
		return NULL;
	(void) cw_tls_ctx_free(t->ctx);
	return cw_free(t);
}

static int tls_new(const struct cw_config *conf, char *why, size_t why_n, struct cw_tsp_tls **ret)
{
	const struct cw_tls_config tc = {
		.server = true,
		.cert_file = conf->tls_cert,
		.key_file = conf->tls_key,
		.ca_file = conf->tls_ca,
		.require_peer = conf->tls_require_client_cert,
	};
	struct cw_tsp_tls *t = cw_zalloc(1, sizeof *t);
	int r;

	if (!t)
		return -ENOMEM;
	t->refs = 1;
	r = cw_tls_ctx_new(&tc, &t->ctx);
	if (r < 0) {
		(void) snprintf(why, why_n, "TLS certificate %s or key %s: %s", conf->tls_cert,
			conf->tls_key, cw_tls_error());
		(void) cw_free(t);
		return r;
	}
	/* They were read just now. Without their dates they are as good. */
	(void) !cw_tls_expiry(tc.cert_file, &t->cert_ends_s);
	(void) !(tc.ca_file && cw_tls_expiry(tc.ca_file, &t->ca_ends_s) == 0);
	*ret = t;
	return 0;
}

static void take_tls(struct cw_tsp_io *io, struct cw_tsp_tls *t)
{
	(void) cw_tsp_tls_unref(io->tls);
	io->tls = t;
	io->access->stats.cert_ends_s = t->cert_ends_s;
	io->access->stats.ca_ends_s = t->ca_ends_s;
}

/* ---- listeners ---- */

static void on_connection(uv_stream_t *stream, int status)
{
	struct cw_tsp_listener *l = stream->data;
	static struct cw_log_limit limit;

	if (status == 0) {
		cw_tsp_conn_accept(l);
		return;
	}
	/* Not out of descriptors: then libuv drops who comes and tells nobody, which io->cap
	 * prevents. */
	l->io->access->stats.refused_nofile++;
	if (cw_log_limit_ok(&limit, cw_clock_now(l->io->access->clock).mono_us, 1, 10000))
		cw_log(CW_LOG_WARNING,
			CW_F(CW_F_EVENT("accept.fail"), CW_F_STR("listener", l->name),
				CW_F_ERR(status)),
			"connections cannot be accepted");
}

static void on_listener_closed(uv_handle_t *h)
{
	struct cw_tsp_listener *l = h->data;

	l->open = false;
	l->io->n_handles--;
	cw_tsp_io_check_stopped(l->io);
}

static int set_inherited(const struct cw_tsp_listener *l)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{IPPROTO_TCP, TCP_NODELAY, 1},
		{SOL_SOCKET, SO_KEEPALIVE, 1},
		{IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_S},
		{IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_EVERY_S},
		{IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_TRIES},
	};
	uv_os_fd_t fd;
	int r = uv_fileno(&l->h.handle, &fd);

	for (size_t i = 0; i < CW_ARRAY_LEN(options) && r >= 0; i++)
		if (setsockopt(fd, options[i].level, options[i].name, &options[i].value,
			    sizeof options[i].value) < 0)
			r = -errno;
	return r < 0 ? r : 0;
}

/* "[::]:P" takes IPv4 along, unless the configuration has an IPv4 listener of its own on that port.
 */
static bool v6_only(const struct cw_endpoint *all, size_t n, const struct cw_endpoint *ep)
{
	const struct sockaddr *sa = (const struct sockaddr *) &ep->u.ss;

	for (size_t i = 0; i < n; i++) {
		const struct sockaddr *other = (const struct sockaddr *) &all[i].u.ss;

		if (all[i].kind == CW_EP_INET && other->sa_family == AF_INET &&
			cw_sockaddr_port(other) != 0 &&
			cw_sockaddr_port(other) == cw_sockaddr_port(sa))
			return true;
	}
	return false;
}

static int bind_inet(struct cw_tsp_listener *l, const struct cw_endpoint *ep, bool only6,
	struct sockaddr_storage *ret)
{
	const struct sockaddr *sa = (const struct sockaddr *) &ep->u.ss;
	int len = sizeof *ret;
	int r = uv_tcp_bind(
		&l->h.tcp, sa, only6 && sa->sa_family == AF_INET6 ? UV_TCP_IPV6ONLY : 0);

	if (r == 0)
		r = set_inherited(l);
	if (r == 0)
		r = uv_listen(&l->h.stream, BACKLOG, on_connection);
	if (r == 0)
		r = uv_tcp_getsockname(&l->h.tcp, (struct sockaddr *) ret, &len);
	if (r == 0)
		(void) cw_sockaddr_str((const struct sockaddr *) ret, l->name);
	return r;
}

/* A socket file that nobody listens on any more is in the way after a crash. */
static void remove_stale(const char *path)
{
	CW_CLEANUP(cw_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct stat st;

	if (fd < 0 || lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return;
	memcpy(un.sun_path, path, strnlen(path, sizeof un.sun_path - 1));
	if (connect(fd, (const struct sockaddr *) &un, sizeof un) < 0 && errno == ECONNREFUSED)
		(void) unlink(path);
}

static bool folder_is_there(const char *path)
{
	char folder[sizeof((struct sockaddr_un *) NULL)->sun_path];
	char *slash;

	(void) snprintf(folder, sizeof folder, "%s", path);
	slash = strrchr(folder, '/');
	if (!slash || slash == folder)
		return true;
	*slash = '\0';
	return access(folder, F_OK) == 0 || errno != ENOENT;
}

static int bind_unix(struct cw_tsp_listener *l, const struct cw_endpoint *ep)
{
	int r;

	remove_stale(ep->u.path);
	r = uv_pipe_bind(&l->h.pipe, ep->u.path);
	if (r == UV_EACCES && !folder_is_there(ep->u.path)) /* libuv's word for it, too */
		r = -ENOENT;
	if (r == 0 && chmod(ep->u.path, 0660) < 0)
		r = -errno;
	if (r == 0)
		r = uv_listen(&l->h.stream, BACKLOG, on_connection);
	(void) cw_endpoint_str(ep, l->name);
	return r;
}

static int listener_open(struct cw_tsp_io *io, const struct cw_endpoint *ep, bool tls, bool only6,
	struct sockaddr_storage *ret_bound, char *why, size_t why_n)
{
	char text[CW_ENDPOINT_STRLEN];
	struct cw_tsp_listener *l;
	int r;

	(void) snprintf(why, why_n, "cannot listen on %s: %s", cw_endpoint_str(ep, text),
		"too many listeners, or no memory");
	if (io->n_listeners == CW_TSP_LISTENERS_MAX)
		return CW_E_LIMIT;
	l = cw_zalloc(1, sizeof *l);
	if (!l)
		return -ENOMEM;
	l->io = io;
	l->tls = tls;
	l->is_unix = ep->kind == CW_EP_UNIX;
	r = l->is_unix ? uv_pipe_init(io->uv, &l->h.pipe, 0) : uv_tcp_init(io->uv, &l->h.tcp);
	if (r < 0) {
		(void) cw_free(l);
		return r;
	}
	l->h.handle.data = l;
	l->open = true;
	io->listener[io->n_listeners++] = l;
	io->n_handles++;
	r = l->is_unix ? bind_unix(l, ep) : bind_inet(l, ep, only6, ret_bound);
	if (r < 0)
		(void) snprintf(why, why_n, "cannot listen on %s: %s", text, cw_strerror(r));
	return r;
}

static int open_all(struct cw_tsp_io *io, const struct cw_config *conf, char *why, size_t why_n)
{
	struct sockaddr_storage bound;
	int r = 0;

	for (size_t i = 0; i < conf->n_listen && r == 0; i++) {
		const struct cw_endpoint *ep = &conf->listen[i];

		bool only6 = ep->kind == CW_EP_INET && v6_only(conf->listen, conf->n_listen, ep);

		r = listener_open(io, ep, false, only6, &bound, why, why_n);
		if (r == 0 && conf->udp && ep->kind == CW_EP_INET)
			r = cw_tsp_udp_open(io, (const struct sockaddr *) &bound, only6,
				conf->limits.udp_sessions, why, why_n);
	}
	for (size_t i = 0; i < conf->n_tls_listen && conf->tls && r == 0; i++)
		r = listener_open(io, &conf->tls_listen[i], true,
			v6_only(conf->tls_listen, conf->n_tls_listen, &conf->tls_listen[i]), &bound,
			why, why_n);
	return r;
}

/* ---- all of it ---- */

static void set_cap(struct cw_tsp_io *io, const struct cw_config *conf)
{
	size_t files =
		io->nofile > (size_t) 2 * FILES_KEPT ? io->nofile - FILES_KEPT : io->nofile / 2;

	io->cap = conf->limits.connections < files ? conf->limits.connections : files;
	if (io->cap < conf->limits.connections)
		cw_log(CW_LOG_WARNING,
			CW_F(CW_F_EVENT("limits.files"),
				CW_F_UINT("connections", conf->limits.connections),
				CW_F_UINT("cap", io->cap)),
			"fewer connections than configured: the limit of open files is lower");
}

int cw_tsp_io_new(struct cw_tsp_access *a, const struct cw_config *conf, unsigned long nofile,
	char *why, size_t why_n, struct cw_tsp_io **ret)
{
	struct cw_tsp_io *io = cw_zalloc(1, sizeof *io);
	struct cw_tsp_tls *t = NULL;
	int r = 0;

	(void) snprintf(why, why_n, "out of memory");
	if (!io)
		return -ENOMEM;
	io->access = a;
	io->uv = cw_loop_uv(a->loop);
	io->nofile = nofile;
	cw_list_init(&io->conns);
	set_cap(io, conf);
	if (conf->tls)
		r = tls_new(conf, why, why_n, &t);
	if (t)
		take_tls(io, t);
	if (r == 0)
		r = open_all(io, conf, why, why_n);
	*ret = io; /* also on failure: what is open must be closed by stop, the loop and free */
	return r;
}

int cw_tsp_io_reload(struct cw_tsp_io *io, const struct cw_config *conf, char *why, size_t why_n)
{
	struct cw_tsp_tls *t;
	int r;

	if (conf->tls && io->tls) {
		r = tls_new(conf, why, why_n, &t);
		if (r < 0)
			return r;
		take_tls(io, t);
	}
	set_cap(io, conf);
	return 0;
}

char *cw_tsp_io_bound(const struct cw_tsp_io *io, const char *kind, char *buf, size_t n)
{
	size_t used = 0;

	buf[0] = 0;
	for (unsigned i = 0; i < io->n_listeners; i++)
		if (strcmp(kind, io->listener[i]->tls ? "tsps" : "tsp") == 0 && used < n)
			used += (size_t) snprintf(buf + used, n - used, "%s%s", used ? "," : "",
				io->listener[i]->name);
	for (unsigned i = 0; i < io->n_udp; i++)
		if (strcmp(kind, "tsp-udp") == 0 && used < n)
			used += (size_t) snprintf(
				buf + used, n - used, "%s%s", used ? "," : "", io->udp[i]->name);
	return buf;
}

void cw_tsp_io_check_stopped(struct cw_tsp_io *io)
{
	void (*fn)(void *arg) = io->stopped;

	if (!io->stopping || !fn || cw_tsp_io_count(io))
		return;
	io->stopped = NULL;
	fn(io->stopped_arg);
}

void cw_tsp_io_conn_gone(struct cw_tsp_io *io)
{
	io->n_conns--;
	for (unsigned i = 0; i < io->n_listeners && !io->stopping; i++)
		if (io->listener[i]->paused && io->n_conns < io->cap)
			cw_tsp_conn_accept(io->listener[i]);
	cw_tsp_io_check_stopped(io);
}

void cw_tsp_io_stop(struct cw_tsp_io *io, void (*fn)(void *arg), void *arg)
{
	if (io->stopping)
		return;
	io->stopping = true;
	io->stopped = fn;
	io->stopped_arg = arg;
	for (unsigned i = 0; i < io->n_listeners; i++)
		uv_close(&io->listener[i]->h.handle, on_listener_closed);
	for (unsigned i = 0; i < io->n_udp; i++)
		cw_tsp_udp_stop(io->udp[i]);
	cw_tsp_conns_stop(io, false);
	cw_tsp_io_check_stopped(io);
}

void cw_tsp_io_abort(struct cw_tsp_io *io)
{
	cw_tsp_conns_stop(io, true);
}

size_t cw_tsp_io_count(const struct cw_tsp_io *io)
{
	return io->n_conns + io->n_handles;
}

struct cw_tsp_io *cw_tsp_io_free(struct cw_tsp_io *io)
{
	if (!io)
		return NULL;
	for (unsigned i = 0; i < io->n_listeners; i++)
		(void) cw_free(io->listener[i]);
	for (unsigned i = 0; i < io->n_udp; i++)
		(void) cw_free(io->udp[i]);
	(void) cw_tsp_tls_unref(io->tls);
	return cw_free(io);
}
