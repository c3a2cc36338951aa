/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/bench-broker.h"

struct bench_broker bench_broker;

enum { HIST = 200000 };

static pid_t broker_pid = -1;
static uint16_t port;
static char log_path[512];

void bench_die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void) fputs("bench: ", stderr);
	(void) vfprintf(stderr, fmt, ap);
	(void) fputc('\n', stderr);
	va_end(ap);
	bench_broker_kill();
	exit(1);
}

void bench_broker_kill(void)
{
	if (broker_pid > 0)
		(void) kill(broker_pid, SIGKILL);
}

/* ---- the broker ---- */

void bench_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof set, &set) < 0)
		(void) fprintf(
			stderr, "bench: not pinned to processor %d: %s\n", cpu, strerror(errno));
}

static void empty_folder(void)
{
	DIR *d = opendir(bench_broker.folder);
	struct dirent *e;

	if (!d)
		bench_die("%s: %s", bench_broker.folder, strerror(errno));
	while ((e = readdir(d)) != NULL)
		(void) unlinkat(dirfd(d), e->d_name, 0);
	(void) closedir(d);
}

void bench_broker_prepare(const char *range, const char *lifetime, const char *more)
{
	char path[512];
	FILE *f;

	empty_folder();
	(void) snprintf(path, sizeof path, "%s/causewayd.conf", bench_broker.folder);
	f = fopen(path, "w");
	if (!f)
		bench_die("%s: %s", path, strerror(errno));
	(void) fprintf(f,
		"state-dir = \"%s\"\nplugin-dir = \"%s\"\n"
		"tsp { listen = { \"127.0.0.1:0\" } udp = no mechanisms = { \"ANONYMOUS\" } }\n"
		"log { level = info format = logfmt }\n"
		"tep \"edge1\" { plugin = \"null\"  ipv4 = \"192.0.2.1\"  ipv6 = \"2001:db8::1\" }\n"
		"pool \"default\" { range = { \"%s\" } tep = \"edge1\" lifetime = %s quarantine = 0 }\n%s",
		bench_broker.folder, bench_broker.plugin_dir, range, lifetime, more);
	(void) fclose(f);
}

/* The port of the ready line; 0: not there yet. */
static uint16_t read_port(void)
{
	static char text[65536];
	int fd = open(log_path, O_RDONLY | O_CLOEXEC);
	const char *p;
	ssize_t n;

	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof text - 1);
	(void) close(fd);
	if (n <= 0)
		return 0;
	text[n] = 0;
	p = strstr(text, "event=ready tsp=127.0.0.1:");
	return p ? (uint16_t) strtoul(p + 26, NULL, 10) : 0;
}

/* Returns microseconds until it said it was ready. */
uint64_t bench_broker_start(void)
{
	uint64_t start = bench_now_us();

	(void) snprintf(log_path, sizeof log_path, "%s/causewayd.log", bench_broker.folder);
	(void) unlink(log_path);
	broker_pid = fork();
	if (broker_pid < 0)
		bench_die("fork: %s", strerror(errno));
	if (broker_pid == 0) {
		char conf[512];
		int fd = open(log_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

		bench_pin(0);
		(void) dup2(fd, 2);
		(void) snprintf(conf, sizeof conf, "%s/causewayd.conf", bench_broker.folder);
		(void) execl(bench_broker.program, "causewayd", "--config", conf, "--foreground",
			(char *) NULL);
		_exit(127);
	}
	while ((port = read_port()) == 0) {
		int status;

		if (waitpid(broker_pid, &status, WNOHANG) == broker_pid)
			bench_die("the broker ended at start; see %s", log_path);
		if (bench_now_us() - start > 60000000)
			bench_die("the broker was not ready in 60 s");
		(void) poll(NULL, 0, 1);
	}
	return bench_now_us() - start;
}

uint16_t bench_broker_port(void)
{
	return port;
}

void bench_broker_stop(void)
{
	int status;

	(void) kill(broker_pid, SIGTERM);
	if (waitpid(broker_pid, &status, 0) != broker_pid || !WIFEXITED(status) ||
		WEXITSTATUS(status) != 0)
		bench_die("the broker did not end well: status %d", status);
	broker_pid = -1;
}

/* User and system time of the broker, microseconds. */
uint64_t bench_broker_cpu_us(void)
{
	unsigned long user = 0, sys = 0;
	char path[64], text[1024], *p;
	FILE *f;

	(void) snprintf(path, sizeof path, "/proc/%d/stat", (int) broker_pid);
	f = fopen(path, "r");
	if (!f || !fgets(text, sizeof text, f))
		bench_die("%s: %s", path, strerror(errno));
	(void) fclose(f);
	p = strrchr(text, ')');
	if (!p || sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
			  &sys) != 2)
		bench_die("%s: not understood", path);
	return (uint64_t) (user + sys) * 1000000 / (uint64_t) sysconf(_SC_CLK_TCK);
}

double bench_broker_rss_mib(const char *what)
{
	char path[64], line[256];
	double kib = 0;
	FILE *f;

	(void) snprintf(path, sizeof path, "/proc/%d/status", (int) broker_pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f))
		if (strncmp(line, what, strlen(what)) == 0)
			kib = strtod(line + strlen(what), NULL);
	if (f)
		(void) fclose(f);
	return kib / 1024;
}

size_t bench_chunks_take(struct bench_chunks *c, const char *p, size_t n, char *to, size_t room)
{
	const char *end = p + n;
	size_t got = 0;

	while (p < end) {
		size_t some = c->left < (size_t) (end - p) ? c->left : (size_t) (end - p);

		if (c->left == 0) {
			if (*p == '\n')
				c->left = c->size + 2;
			else if (*p != '\r')
				c->size = c->size * 16 +
					  (size_t) (*p <= '9' ? *p - '0' : (*p | 32) - 'a' + 10);
			p++;
			continue;
		}
		if (c->left > 2) {
			some = some < c->left - 2 ? some : c->left - 2;
			if (some >= room - got)
				bench_die("a chunk has no room in %zu octets", room);
			memcpy(to + got, p, some);
			got += some;
		}
		p += some;
		c->left -= some;
		if (c->left == 0)
			c->size = 0;
	}
	to[got] = 0;
	return got;
}

/* ---- latencies ---- */

static struct {
	uint32_t in_10us[HIST];
	uint64_t n;
} hist;

void bench_hist_add(uint64_t us)
{
	uint64_t slot = us / 10;

	hist.in_10us[slot < HIST ? slot : HIST - 1]++;
	hist.n++;
}

double bench_hist_ms(double part)
{
	uint64_t want = (uint64_t) ((double) hist.n * part), seen = 0;

	for (unsigned i = 0; i < HIST; i++) {
		seen += hist.in_10us[i];
		if (seen > want)
			return i / 100.0;
	}
	return HIST / 100.0;
}

uint64_t bench_now_us(void)
{
	struct timespec t;

	(void) clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t) t.tv_sec * 1000000 + (uint64_t) t.tv_nsec / 1000;
}

void bench_hist_clear(void)
{
	memset(&hist, 0, sizeof hist);
}

/* ---- windows and goals ---- */

static unsigned missed;

void bench_window_add(struct bench_windows *w, double v)
{
	if (w->n < sizeof w->v / sizeof w->v[0])
		w->v[w->n++] = v;
}

static int compare_double(const void *a, const void *b)
{
	double x = *(const double *) a, y = *(const double *) b;

	return x < y ? -1 : x > y;
}

double bench_window_at(struct bench_windows *w, double part)
{
	qsort(w->v, w->n, sizeof w->v[0], compare_double);
	return w->n ? w->v[(unsigned) ((double) (w->n - 1) * part + 0.5)] : 0;
}

void bench_goal(bool met, const char *fmt, ...)
{
	va_list ap;

	missed += !met;
	(void) fputs("  goal: ", stdout);
	va_start(ap, fmt);
	(void) vprintf(fmt, ap);
	va_end(ap);
	(void) puts(met ? "  [met]" : "  [NOT MET]");
	(void) fflush(stdout);
}

unsigned bench_goals_missed(void)
{
	return missed;
}
