/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/broker-proc.h"
#include "tests/lib/cw-cmocka.h"

#define START_MS 30000
#define STOP_MS  20000

static int64_t now_ms(void)
{
	struct timespec t;

	(void) clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static const char *build_dir(void)
{
	const char *b = getenv("CW_BUILDDIR");

	return b ? b : ".";
}

static void path_of(const struct proc *p, const char *file, char to[static 128])
{
	(void) snprintf(to, 128, "%s/%s", p->dir, file);
}

char *proc_log(const struct proc *p)
{
	char path[128], *text = calloc(1, 1 << 20);
	ssize_t n;
	int fd;

	assert_non_null(text);
	path_of(p, "log", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, text, (1 << 20) - 1);
	if (fd >= 0)
		(void) close(fd);
	text[n > 0 ? n : 0] = 0;
	return text;
}

bool proc_log_has(const struct proc *p, const char *want, unsigned ms)
{
	int64_t end = now_ms() + ms;
	bool has = false;

	do {
		char *text = proc_log(p);

		has = strstr(text, want) != NULL;
		free(text);
		if (!has)
			(void) poll(NULL, 0, 10);
	} while (!has && now_ms() < end);
	return has;
}

static pid_t spawn(struct proc *p, const char *option)
{
	char conf[128], log[128], program[512];
	pid_t pid;

	path_of(p, "conf", conf);
	path_of(p, "log", log);
	(void) snprintf(program, sizeof program, "%s/causewayd", build_dir());
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);

		(void) dup2(fd, 1);
		(void) dup2(fd, 2);
		(void) execl(program, "causewayd", "--config", conf, option, (char *) NULL);
		_exit(127);
	}
	return pid;
}

static int wait_end(pid_t pid, int64_t ms)
{
	int64_t end = now_ms() + ms;
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (now_ms() > end) {
			(void) kill(pid, SIGKILL);
			(void) waitpid(pid, &status, 0);
			fail_msg("causewayd had to be killed");
		}
		(void) poll(NULL, 0, 5);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static uint16_t port_after(const char *text, const char *key)
{
	const char *p = strstr(text, key);

	return p ? (uint16_t) strtoul(p + strlen(key), NULL, 10) : 0;
}

void proc_start(struct proc *p)
{
	char log[128];
	int64_t end = now_ms() + START_MS;
	char *text;

	path_of(p, "log", log);
	(void) unlink(log);
	p->pid = spawn(p, "--foreground");
	for (;;) {
		int status;
		const char *ready;

		text = proc_log(p);
		ready = strstr(text, "event=ready");
		if (ready) {
			p->port = port_after(ready, "tsp=[::1]:");
			p->port4 = port_after(ready, "127.0.0.1:");
			p->tls_port = port_after(ready, "tsps=[::1]:");
			free(text);
			return;
		}
		if (waitpid(p->pid, &status, WNOHANG) == p->pid || now_ms() > end)
			fail_msg("causewayd did not start: %s", text);
		free(text);
		(void) poll(NULL, 0, 5);
	}
}

void proc_open(struct proc *p, const char *conf)
{
	char path[128];
	FILE *f;

	memset(p, 0, sizeof *p);
	(void) snprintf(p->dir, sizeof p->dir, "/tmp/cw-proc-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	path_of(p, "conf", path);
	f = fopen(path, "w");
	assert_non_null(f);
	(void) fprintf(f,
		"state-dir = \"%s\"\nrun-dir = \"%s\"\nplugin-dir = \"%s/dataplane/plugins/null/.libs\"\n%s",
		p->dir, p->dir, build_dir(), conf);
	assert_int_equal(fclose(f), 0);
}

int proc_stop(struct proc *p)
{
	pid_t pid = p->pid;

	p->pid = 0;
	assert_int_equal(kill(pid, SIGTERM), 0);
	return wait_end(pid, STOP_MS);
}

void proc_kill(struct proc *p)
{
	assert_int_equal(kill(p->pid, SIGKILL), 0);
	assert_int_equal(wait_end(p->pid, STOP_MS), 128 + SIGKILL);
	p->pid = 0;
}

void proc_close(struct proc *p)
{
	int status = p->pid ? proc_stop(p) : 0;
	struct dirent *e;
	DIR *d;

	if (status != 0) {
		char *text = proc_log(p);

		fail_msg("causewayd ended with status %d: %s", status, text);
	}
	d = opendir(p->dir);
	while (d && (e = readdir(d)) != NULL)
		(void) unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		(void) closedir(d);
	(void) rmdir(p->dir);
}

int proc_run(struct proc *p, const char *option)
{
	return wait_end(spawn(p, option), STOP_MS);
}

double proc_rss_mib(const struct proc *p)
{
	char path[64], line[256];
	double kib = 0;
	FILE *f;

	(void) snprintf(path, sizeof path, "/proc/%d/status", (int) p->pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f))
		if (strncmp(line, "VmRSS:", 6) == 0)
			kib = strtod(line + 6, NULL);
	if (f)
		(void) fclose(f);
	return kib / 1024;
}

unsigned proc_fds(const struct proc *p)
{
	char path[64];
	unsigned n = 0;
	DIR *d;

	(void) snprintf(path, sizeof path, "/proc/%d/fd", (int) p->pid);
	d = opendir(path);
	while (d && readdir(d))
		n++;
	if (d)
		(void) closedir(d);
	return n;
}

/* ---- connections ---- */

static void link_new(struct link *l, int fd, const struct sockaddr *sa, socklen_t len)
{
	memset(l, 0, sizeof *l);
	l->fd = fd;
	assert_true(fd >= 0);
	if (connect(fd, sa, len) < 0)
		fail_msg("connect: %s", strerror(errno));
}

static void link_inet6(struct link *l, uint16_t port, int type)
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6,
		.sin6_port = htons(port),
		.sin6_addr = IN6ADDR_LOOPBACK_INIT};

	link_new(l, socket(AF_INET6, type | SOCK_CLOEXEC, 0), (struct sockaddr *) &to, sizeof to);
}

void link_tcp(struct link *l, uint16_t port)
{
	link_inet6(l, port, SOCK_STREAM);
}

void link_udp(struct link *l, uint16_t port)
{
	link_inet6(l, port, SOCK_DGRAM);
}

void link_tcp4(struct link *l, uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	link_new(l, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), (struct sockaddr *) &to,
		sizeof to);
}

void link_unix(struct link *l, const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};

	(void) snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
	link_new(l, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), (struct sockaddr *) &to,
		sizeof to);
}

static void raw_send(struct link *l, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t k = send(l->fd, p, n, MSG_NOSIGNAL);

		if (k < 0) {
			l->closed = true;
			return;
		}
		p += k;
		n -= (size_t) k;
	}
}

static void tls_flush(struct link *l)
{
	char out[4096];
	size_t n;

	while ((n = cw_tls_output(l->tls, out, sizeof out)) > 0)
		raw_send(l, out, n);
}

void link_send(struct link *l, const void *p, size_t n)
{
	if (!l->tls) {
		raw_send(l, p, n);
		return;
	}
	if (cw_tls_write(l->tls, p, n) < 0)
		l->closed = true;
	tls_flush(l);
}

void link_puts(struct link *l, const char *text)
{
	link_send(l, text, strlen(text));
}

/* One read from the socket; false: closed. */
static bool take(struct link *l)
{
	char raw[4096];
	ssize_t k = recv(l->fd, raw, sizeof raw, 0);
	int r = 0;

	if (k <= 0) {
		l->reset = k < 0;
		l->closed = true;
		return false;
	}
	if (!l->tls) {
		if (l->n + (size_t) k >= sizeof l->in)
			fail_msg("too much was answered");
		memcpy(l->in + l->n, raw, (size_t) k);
		l->n += (size_t) k;
	} else {
		r = cw_tls_feed(l->tls, raw, (size_t) k);
		tls_flush(l);
		while (r >= 0 &&
			(r = cw_tls_read(l->tls, l->in + l->n, sizeof l->in - 1 - l->n)) > 0)
			l->n += (size_t) r;
		if (r < 0)
			l->closed = true;
	}
	l->in[l->n] = 0;
	return r >= 0;
}

const char *link_read(struct link *l, const char *want, unsigned ms)
{
	int64_t end = now_ms() + ms;

	l->n = 0;
	l->in[0] = 0;
	while (!l->closed && !(want && strstr(l->in, want))) {
		struct pollfd pf = {.fd = l->fd, .events = POLLIN};
		int64_t left = end - now_ms();

		if (left <= 0 || poll(&pf, 1, (int) left) <= 0)
			break;
		if (!take(l))
			break;
	}
	return l->in;
}

void link_tls(struct link *l, uint16_t port, struct cw_tls_ctx *ctx)
{
	int64_t end = now_ms() + 5000;

	link_tcp(l, port);
	assert_int_equal(cw_tls_new(ctx, &l->tls), 0);
	assert_int_equal(cw_tls_start(l->tls), 0);
	tls_flush(l);
	while (!cw_tls_ready(l->tls) && !l->closed && now_ms() < end) {
		struct pollfd pf = {.fd = l->fd, .events = POLLIN};

		if (poll(&pf, 1, 1000) > 0)
			(void) take(l);
	}
	l->n = 0;
}

void link_half_close(struct link *l)
{
	(void) shutdown(l->fd, SHUT_WR);
}

void link_close(struct link *l)
{
	(void) close(l->fd);
	l->fd = -1;
	l->tls = cw_tls_free(l->tls);
}

void link_frame(struct link *l, const char *body)
{
	char text[4096];

	(void) snprintf(text, sizeof text, "Content-length: %zu\r\n%s\r\n", strlen(body) + 2, body);
	link_puts(l, text);
}

void link_login(struct link *l, const char *version)
{
	char text[64];

	(void) snprintf(text, sizeof text, "VERSION=%s\r\n", version);
	link_puts(l, text);
	assert_non_null(strstr(link_read(l, "\r\n", 5000), "CAPABILITY "));
	link_puts(l, "AUTHENTICATE ANONYMOUS\r\n");
	assert_string_equal(link_read(l, "\r\n", 5000), "200 Success\r\n");
}

/* A whole framed answer. */
static const char *read_frame(struct link *l)
{
	int64_t end = now_ms() + 10000;

	l->n = 0;
	l->in[0] = 0;
	while (!l->closed && now_ms() < end) {
		struct pollfd pf = {.fd = l->fd, .events = POLLIN};
		const char *lf = strchr(l->in, '\n');

		if (lf && l->n >= (size_t) (lf + 1 - l->in) + strtoul(l->in + 16, NULL, 10))
			break;
		if (poll(&pf, 1, 1000) > 0 && !take(l))
			break;
	}
	return l->in;
}

const char *link_ask(struct link *l, const char *action, const char *v6, const char *v4)
{
	char body[1024];

	(void) snprintf(body, sizeof body,
		"<tunnel action=\"%s\" type=\"v4v6\"><client><address type=\"ipv6\">%s</address>%s%s%s</client></tunnel>",
		action, v6, v4 ? "<address type=\"ipv4\">" : "", v4 ? v4 : "",
		v4 ? "</address>" : "");
	link_frame(l, body);
	return read_frame(l);
}

const char *link_leased(const char *answer)
{
	static char text[16];
	const char *at = strstr(answer, "length=\"32\">");

	if (!at)
		fail_msg("no address in \"%s\"", answer);
	(void) snprintf(text, sizeof text, "%.*s", (int) strcspn(at + 12, "<"), at + 12);
	return text;
}
