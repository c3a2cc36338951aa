/* SPDX-License-Identifier: BSD-2-Clause */
/* See child.h. */
#define _GNU_SOURCE /* NOLINT(bugprone-reserved-identifier) */

#include "dataplane/plugins/exec/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	GRACE_MS = 1000, /* between SIGTERM and SIGKILL */
	READS = 64,      /* of 4 KiB, in one call: a program that never stops must not stop us */
	REAP_MS = 1000,
};

/* Not in the C library of Debian 12. */
static int open_pidfd(pid_t pid)
{
	return (int) syscall(SYS_pidfd_open, pid, 0);
}

void cw_exec_child_init(struct cw_exec_child *c, const struct cw_dp_host *host,
	const struct cw_exec_child_ops *ops, void *arg)
{
	memset(c, 0, sizeof *c);
	c->host = host;
	c->ops = ops;
	c->arg = arg;
	c->pidfd = -1;
	c->keep = -1;
	for (int i = 0; i < 2; i++) {
		c->streams[i].fd = -1;
		c->streams[i].which = i;
		c->streams[i].child = c;
	}
}

static void stream_close(struct cw_exec_stream *s)
{
	s->child->host->unwatch(s->child->host->ctx, s->watch);
	s->watch = NULL;
	if (s->fd >= 0)
		(void) close(s->fd);
	s->fd = -1;
	s->n = 0;
	s->skipping = false;
}

static void clear(struct cw_exec_child *c)
{
	const struct cw_dp_host *h = c->host;

	stream_close(&c->streams[0]);
	stream_close(&c->streams[1]);
	h->unwatch(h->ctx, c->exit_watch);
	c->exit_watch = NULL;
	h->timer_cancel(h->ctx, c->timer);
	c->timer = NULL;
	if (c->pidfd >= 0)
		(void) close(c->pidfd);
	c->pidfd = -1;
	c->pid = 0;
}

static void give_line(struct cw_exec_stream *s)
{
	for (size_t i = 0; i < s->n; i++) {
		if ((unsigned char) s->line[i] < 0x20 && s->line[i] != '\t')
			s->line[i] = '?';
	}
	s->line[s->n] = '\0';
	s->n = 0;
	s->child->ops->line(s->child->arg, s->which, s->line);
}

static void take(struct cw_exec_stream *s, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\n') {
			if (!s->skipping)
				give_line(s);
			s->skipping = false;
		} else if (!s->skipping) {
			s->line[s->n++] = p[i];
			if (s->n == sizeof s->line - 1) {
				give_line(s);
				s->skipping = true;
			}
		}
	}
}

/* Reads what is there; at the end of the stream the last line may lack its newline. */
static void pull(struct cw_exec_stream *s, unsigned reads)
{
	char buf[4096];

	while (s->fd >= 0 && reads--) {
		ssize_t n = read(s->fd, buf, sizeof buf);

		if (n > 0) {
			take(s, buf, (size_t) n);
		} else if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			return;
		} else {
			if (s->n)
				give_line(s);
			stream_close(s);
		}
	}
}

static void on_output(void *arg, int events)
{
	(void) events;
	pull(arg, READS);
}

/* The program is gone; what it left in the pipes still counts, what its children write later does
 * not. */
static void on_exit(void *arg, int events)
{
	struct cw_exec_child *c = arg;
	bool timed_out = c->timed_out;
	int status = 0;
	pid_t r;

	(void) events;
	if (timed_out)
		(void) kill(-c->pid, SIGKILL); /* children of its own that did not listen */
	r = waitpid(c->pid, &status, WNOHANG);
	if (r == 0)
		return;
	if (r < 0)
		status = SIGKILL; /* somebody else took it: not an end that can be believed */
	for (int i = 0; i < 2; i++) {
		pull(&c->streams[i], READS);
		if (c->streams[i].n)
			give_line(&c->streams[i]);
	}
	clear(c);
	c->ops->end(c->arg, status, timed_out);
}

static void on_deadline(void *arg)
{
	struct cw_exec_child *c = arg;

	c->timer = NULL;
	(void) kill(-c->pid, c->timed_out ? SIGKILL : SIGTERM);
	if (c->timed_out)
		return; /* pidfd tells the rest */
	c->timed_out = true;
	c->timer = c->host->timer_start(c->host->ctx, GRACE_MS, on_deadline, c);
	if (!c->timer)
		(void) kill(-c->pid, SIGKILL);
}

/* An anonymous file: the program may read it as it likes, and nobody has to feed a pipe. */
static int input_file(const char *input, size_t n)
{
	int fd = memfd_create("causeway-batch", MFD_CLOEXEC), r;

	if (fd < 0)
		return -errno;
	for (size_t at = 0; at < n;) {
		ssize_t k = write(fd, input + at, n - at);

		if (k < 0) {
			r = -errno;
			(void) close(fd);
			return r;
		}
		at += (size_t) k;
	}
	(void) lseek(fd, 0, SEEK_SET);
	return fd;
}

static int spawn(
	pid_t *ret, char *const argv[], char *const env[], int in, int out, int err, int keep)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int r;

	if (posix_spawn_file_actions_init(&files) != 0)
		return -ENOMEM;
	if (posix_spawnattr_init(&attr) != 0) {
		(void) posix_spawn_file_actions_destroy(&files);
		return -ENOMEM;
	}
	(void) sigemptyset(&none);
	(void) sigfillset(&all);
	(void) sigdelset(&all, SIGKILL);
	(void) sigdelset(&all, SIGSTOP);
	r = posix_spawn_file_actions_adddup2(&files, in, 0);
	r = r ? r : posix_spawn_file_actions_adddup2(&files, out, 1);
	r = r ? r : posix_spawn_file_actions_adddup2(&files, err, 2);
	if (keep >= 0)
		r = r ? r : posix_spawn_file_actions_adddup2(&files, keep, 3);
	r = r ? r : posix_spawn_file_actions_addchdir_np(&files, "/");
	r = r ? r : posix_spawnattr_setpgroup(&attr, 0);
	r = r ? r : posix_spawnattr_setsigmask(&attr, &none);
	r = r ? r : posix_spawnattr_setsigdefault(&attr, &all);
	r = r ? r
	      : posix_spawnattr_setflags(&attr,
			POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	r = r ? r : posix_spawn(ret, argv[0], &files, &attr, argv, env);
	(void) posix_spawnattr_destroy(&attr);
	(void) posix_spawn_file_actions_destroy(&files);
	return -r;
}

/* A pipe whose reading end never blocks; the program's end is an ordinary one. */
static int make_pipe(struct cw_exec_stream *s, int *ret_write)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	(void) fcntl(fds[0], F_SETFL, O_NONBLOCK);
	s->fd = fds[0];
	*ret_write = fds[1];
	return 0;
}

static int observe(struct cw_exec_child *c, uint64_t deadline_ms)
{
	const struct cw_dp_host *h = c->host;

	c->pidfd = open_pidfd(c->pid);
	if (c->pidfd < 0)
		return -errno;
	c->exit_watch = h->watch(h->ctx, c->pidfd, CW_DP_READABLE, on_exit, c);
	for (int i = 0; i < 2; i++)
		c->streams[i].watch = h->watch(
			h->ctx, c->streams[i].fd, CW_DP_READABLE, on_output, &c->streams[i]);
	c->timer = h->timer_start(h->ctx, deadline_ms, on_deadline, c);
	return c->exit_watch && c->streams[0].watch && c->streams[1].watch && c->timer ? 0
										       : -ENOMEM;
}

int cw_exec_child_start(struct cw_exec_child *c, char *const argv[], char *const env[],
	const char *input, size_t n, uint64_t deadline_ms)
{
	int in = input_file(input, n), out = -1, err = -1, r = in < 0 ? in : 0;

	c->timed_out = false;
	if (r == 0)
		r = make_pipe(&c->streams[CW_EXEC_OUT], &out);
	if (r == 0)
		r = make_pipe(&c->streams[CW_EXEC_ERR], &err);
	if (r == 0)
		r = spawn(&c->pid, argv, env, in, out, err, c->keep);
	if (r < 0)
		c->pid = 0;
	if (in >= 0)
		(void) close(in);
	if (out >= 0)
		(void) close(out);
	if (err >= 0)
		(void) close(err);
	if (r == 0)
		r = observe(c, deadline_ms);
	if (r < 0)
		cw_exec_child_stop(c);
	return r;
}

void cw_exec_child_stop(struct cw_exec_child *c)
{
	if (c->pid) {
		struct pollfd gone = {.fd = c->pidfd, .events = POLLIN};

		(void) kill(-c->pid, SIGKILL);
		/* Dies within microseconds; one that hangs in the kernel is left to init. */
		if (c->pidfd >= 0)
			(void) poll(&gone, 1, REAP_MS);
		(void) waitpid(c->pid, NULL, WNOHANG);
	}
	clear(c);
}
