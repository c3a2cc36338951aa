/* SPDX-License-Identifier: BSD-2-Clause */
/* The control socket; see control_io.h. Owns the listening pipe and up to CLIENTS_MAX connections,
 * each with its own deadline. Thread: the loop's. */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/prog.h"
#include "client/control_io.h"
#include "client/exit.h"
#include "client/lock.h"
#include "client/print.h"

enum {
	LOCK_MS = 5000, /* for a killed client to be gone */
	CLIENTS_MAX = 16,
	CROWD_MAX = 64, /* with those that were just taken, and may be about to ask */
	SILENT_MS = 200,
	REQUEST_MAX = 128,
	REQUEST_MS = 5000,
	ANSWER_MS = 60000,
};

struct client {
	struct cw_list in_control;
	struct cw_control *control;
	uv_pipe_t pipe;
	uv_timer_t timer;
	uv_write_t write;
	char request[REQUEST_MAX];
	size_t n;
	bool json;
	bool waiting;
	bool answered;
	uint64_t since; /* uv_now() */
	bool late;      /* all others wait for an answer: this one may not */
	enum cw_control_command command;
	unsigned alive;
	char text[CW_CONTROL_TEXT_MAX];
};

struct cw_control {
	struct cw_loop *loop;
	const struct cw_control_ops *ops;
	void *arg;
	char path[CW_CONTROL_PATH_MAX + 1];
	int lock_fd; /* held as long as the process runs */
	uv_pipe_t pipe;
	struct cw_list clients;
	unsigned n_clients;
	bool freed;
	bool closed;
};

static unsigned controls_alive; /* loop thread only */

unsigned cw_controls_alive(void)
{
	return controls_alive;
}

static void maybe_free(struct cw_control *c)
{
	char lock[CW_CONTROL_PATH_MAX + 8];

	if (!c->freed || !c->closed || c->n_clients)
		return;
	(void) snprintf(lock, sizeof lock, "%s.lock", c->path);
	cw_lock_release(lock, &c->lock_fd);
	controls_alive--;
	(void) cw_free(c);
}

static void on_client_closed(uv_handle_t *h)
{
	struct client *l = h->data;
	struct cw_control *c = l->control;

	if (--l->alive)
		return;
	cw_list_remove(&l->in_control);
	c->n_clients--;
	(void) cw_free(l);
	maybe_free(c);
}

static void close_client(struct client *l)
{
	if (uv_is_closing((uv_handle_t *) &l->pipe))
		return;
	l->waiting = false;
	uv_close((uv_handle_t *) &l->pipe, on_client_closed);
	uv_close((uv_handle_t *) &l->timer, on_client_closed);
}

static void on_answered(uv_write_t *req, int status)
{
	(void) status;
	close_client(req->data);
}

static void on_client_timeout(uv_timer_t *t);

static void send_answer(struct client *l, size_t n)
{
	uv_buf_t buf = uv_buf_init(l->text, (unsigned) n);

	l->answered = true;
	l->waiting = false;
	l->write.data = l;
	(void) uv_timer_start(&l->timer, on_client_timeout, REQUEST_MS, 0);
	if (uv_write(&l->write, (uv_stream_t *) &l->pipe, &buf, 1, on_answered) < 0)
		close_client(l);
}

static void answer(struct client *l, int code, const char *text)
{
	struct cw_writer w = cw_writer_of(l->text, sizeof l->text);

	cw_write_fmt(&w, "%d\n", code);
	if (l->json) {
		cw_write_fmt(
			&w, "{\"ok\":%s,\"code\":%d,\"text\":", code == 0 ? "true" : "false", code);
		cw_print_json_str(&w, text);
		cw_write_str(&w, "}\n");
	} else {
		cw_write_fmt(&w, "%s\n", text);
	}
	send_answer(l, w.bad ? 0 : cw_write_len(&w));
}

static void on_client_timeout(uv_timer_t *t)
{
	struct client *l = t->data;

	/* A word about it: closed without one it would look like a caller who may not ask. */
	if (l->waiting)
		answer(l, CW_EXIT_FAILURE,
			l->command == CW_CONTROL_DOWN
				? "the client is not done yet, a hook runs; it ends when that is over"
				: "there is no answer yet; the client goes on trying, see 'causeway status'");
	else
		close_client(l);
}

void cw_control_done(
	struct cw_control *c, enum cw_control_command command, int code, const char *text)
{
	if (!c)
		return;
	cw_list_for_each_safe (it, tmp, &c->clients) {
		struct client *l = cw_container_of(it, struct client, in_control);

		if (l->waiting && l->command == command)
			answer(l, code, text);
	}
}

static void run_status(struct client *l)
{
	struct cw_writer w = cw_writer_of(l->text, sizeof l->text);

	cw_write_str(&w, "0\n");
	l->control->ops->status(l->control->arg, l->json, &w);
	send_answer(l, w.bad ? 0 : cw_write_len(&w));
}

static bool command_of(const char *word, enum cw_control_command *ret)
{
	static const char *const names[] = {[CW_CONTROL_STATUS] = "status",
		[CW_CONTROL_RENEW] = "renew",
		[CW_CONTROL_DOWN] = "down"};

	for (size_t i = 0; i < CW_ARRAY_LEN(names); i++)
		if (word && strcmp(word, names[i]) == 0) {
			*ret = (enum cw_control_command) i;
			return true;
		}
	return false;
}

/* "COMMAND json|text [keep]" */
static void run_request(struct client *l)
{
	char *save = NULL;
	char *word = strtok_r(l->request, " ", &save);
	char *format = strtok_r(NULL, " ", &save);
	char *option = strtok_r(NULL, " ", &save);

	if (!command_of(word, &l->command) || !format || (option && strcmp(option, "keep") != 0)) {
		answer(l, 2, "not a request");
		return;
	}
	l->json = strcmp(format, "json") == 0;
	if (l->command == CW_CONTROL_STATUS) {
		run_status(l);
		return;
	}
	if (l->late) {
		answer(l, CW_EXIT_BUSY, "the client is busy: too many wait for its answer");
		return;
	}
	l->waiting = true;
	(void) uv_timer_start(&l->timer, on_client_timeout, ANSWER_MS, 0);
	l->control->ops->command(l->control->arg, l->command, option != NULL);
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
	struct client *l = h->data;

	(void) suggested;
	*buf = uv_buf_init(l->request + l->n, (unsigned) (sizeof l->request - 1 - l->n));
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
	struct client *l = s->data;
	char *nl;

	(void) buf;
	if (n == 0)
		return;
	if (n < 0) {
		close_client(l);
		return;
	}
	if (l->waiting || l->answered)
		return;
	l->n += (size_t) n;
	nl = memchr(l->request, '\n', l->n);
	if (nl) {
		*nl = '\0';
		l->n = 0; /* whatever follows is read and ignored */
		run_request(l);
	} else if (l->n == sizeof l->request - 1) {
		close_client(l);
	}
}

/* Root and our own user. */
static bool may_ask(uv_pipe_t *pipe)
{
	struct ucred who;
	socklen_t n = sizeof who;
	uv_os_fd_t fd;

	return uv_fileno((uv_handle_t *) pipe, &fd) == 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 &&
	       (who.uid == 0 || who.uid == geteuid());
}

/* Room for a new one: of those that have asked nothing the oldest goes. false: all have asked, and
 * wait for their answers, or may be about to ask. */
static bool make_room(struct cw_control *c, const struct client *for_whom)
{
	cw_list_for_each_safe (it, tmp, &c->clients) {
		struct client *l = cw_container_of(it, struct client, in_control);

		if (for_whom->since - l->since < SILENT_MS || l->waiting || l->answered ||
			uv_is_closing((uv_handle_t *) &l->pipe))
			continue;
		close_client(l);
		return true;
	}
	return false;
}

static void on_connection(uv_stream_t *server, int status)
{
	struct cw_control *c = server->data;
	struct client *l;

	if (status < 0)
		return;
	l = cw_zalloc(1, sizeof *l);
	if (!l)
		return;
	l->control = c;
	(void) uv_pipe_init(cw_loop_uv(c->loop), &l->pipe, 0);
	(void) uv_timer_init(cw_loop_uv(c->loop), &l->timer);
	l->pipe.data = l->timer.data = l;
	l->alive = 2;
	l->since = uv_now(cw_loop_uv(c->loop));
	cw_list_append(&c->clients, &l->in_control);
	c->n_clients++;
	if (uv_accept(server, (uv_stream_t *) &l->pipe) < 0 || !may_ask(&l->pipe) ||
		c->n_clients > CROWD_MAX ||
		uv_read_start((uv_stream_t *) &l->pipe, on_alloc, on_read) < 0) {
		close_client(l);
		return;
	}
	l->late = c->n_clients > CLIENTS_MAX && !make_room(c, l);
	(void) uv_timer_start(&l->timer, on_client_timeout, REQUEST_MS, 0);
}

static int connect_unix(const char *path, unsigned timeout_s)
{
	/* A client that hangs does not take connections, and a full queue of them makes callers
	 * wait. */
	const struct timeval patience = {.tv_sec = (time_t) timeout_s};
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd;
	int r;

	if (strlen(path) >= sizeof to.sun_path)
		return -ENAMETOOLONG;
	memcpy(to.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	(void) setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	if (connect(fd, (struct sockaddr *) &to, sizeof to) < 0) {
		r = errno == EAGAIN ? -ETIMEDOUT : -errno;
		(void) close(fd);
		return r;
	}
	return fd;
}

static void on_server_closed(uv_handle_t *h)
{
	struct cw_control *c = h->data;

	c->closed = true;
	maybe_free(c);
}

static int listen_at(struct cw_control *c, pid_t *ret_owner)
{
	char lock[CW_CONTROL_PATH_MAX + 8];
	struct stat st;
	mode_t old;
	int r;

	(void) snprintf(lock, sizeof lock, "%s.lock", c->path);
	r = cw_lock_take(lock, LOCK_MS, &c->lock_fd, ret_owner);
	if (r < 0)
		return r;
	/* With the lock in hand, whose socket this was is dead. */
	if (lstat(c->path, &st) == 0 && S_ISSOCK(st.st_mode))
		(void) unlink(c->path);
	old = umask(0177);
	r = uv_pipe_bind(&c->pipe, c->path);
	(void) umask(old);
	if (r == UV_EADDRINUSE) /* by no socket: nobody to be taken for another client */
		return -EEXIST;
	return r < 0 ? r : uv_listen((uv_stream_t *) &c->pipe, CLIENTS_MAX, on_connection);
}

int cw_control_new(struct cw_loop *loop, const char *path, const struct cw_control_ops *ops,
	void *arg, struct cw_control **ret, pid_t *ret_owner)
{
	struct cw_control *c;
	int r;

	*ret_owner = 0;
	if (strlen(path) >= sizeof c->path)
		return -ENAMETOOLONG;
	c = cw_zalloc(1, sizeof *c);
	if (!c)
		return -ENOMEM;
	controls_alive++;
	c->lock_fd = -1;
	c->loop = loop;
	c->ops = ops;
	c->arg = arg;
	cw_list_init(&c->clients);
	memcpy(c->path, path, strlen(path) + 1);
	(void) uv_pipe_init(cw_loop_uv(loop), &c->pipe, 0);
	c->pipe.data = c;
	r = listen_at(c, ret_owner);
	if (r < 0) {
		c->freed = true;
		uv_close((uv_handle_t *) &c->pipe, on_server_closed);
		return r;
	}
	*ret = c;
	return 0;
}

struct cw_control *cw_control_free(struct cw_control *c)
{
	if (!c)
		return NULL;
	c->freed = true;
	/* libuv removes the socket's file with the pipe. */
	uv_close((uv_handle_t *) &c->pipe, on_server_closed);
	cw_list_for_each_safe (it, tmp, &c->clients) {
		struct client *l = cw_container_of(it, struct client, in_control);

		if (!l->answered)
			close_client(l);
	}
	return NULL;
}

/* ---- the other end ---- */

/* Reads to the end; octets, or -errno. */
static ssize_t read_all(int fd, char *to, size_t cap, unsigned timeout_s)
{
	int64_t until = cw_clock_now(&cw_system_clock).mono_us / 1000 + (int64_t) timeout_s * 1000;
	size_t n = 0;

	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int64_t left = until - cw_clock_now(&cw_system_clock).mono_us / 1000;
		ssize_t r;

		if (left <= 0 || poll(&p, 1, (int) left) == 0)
			return -ETIMEDOUT;
		r = read(fd, to + n, cap - n);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0)
			return (ssize_t) n;
		n += (size_t) r;
		if (n == cap)
			return -EBADMSG;
	}
}

int cw_control_ask(const char *path, const char *request, unsigned timeout_s,
	char text[static CW_CONTROL_TEXT_MAX])
{
	CW_CLEANUP(cw_closep) int fd = connect_unix(path, timeout_s);
	char line[REQUEST_MAX];
	uint64_t code;
	ssize_t n;
	char *nl;

	if (fd < 0)
		return fd;
	n = snprintf(line, sizeof line, "%s\n", request);
	if (n < 0 || (size_t) n >= sizeof line)
		return -EINVAL;
	if (send(fd, line, (size_t) n, MSG_NOSIGNAL) != n)
		return -EPERM; /* closed already, without a word: we may not ask */
	n = read_all(fd, text, CW_CONTROL_TEXT_MAX - 1, timeout_s);
	if (n == -ECONNRESET) /* closed with our request unread */
		n = 0;
	if (n < 0)
		return (int) n;
	text[n] = '\0';
	nl = strchr(text, '\n');
	if (!nl || cw_parse_u64(text, (size_t) (nl - text), 0, 255, &code) < 0)
		return n == 0 ? -EPERM : -EBADMSG; /* closed without a word: we may not ask */
	memmove(text, nl + 1, strlen(nl + 1) + 1);
	return (int) code;
}
