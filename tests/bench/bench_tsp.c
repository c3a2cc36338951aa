/* SPDX-License-Identifier: BSD-2-Clause */
/* Speed of the real causewayd over TSP, as a table on standard output:
 *
 *	bench_tsp [-s SECONDS] [-c CONNECTIONS] [-p RATE] [-r ROW] BROKER PLUGIN-DIR FOLDER
 *
 * It starts BROKER with the null plugin and a database in FOLDER (emptied), pins it to processor 0
 * and itself to processor 1, and speaks TSP by hand. -r runs only rows that begin with ROW:
 *	sessions	connect, VERSION, ANONYMOUS, create, info, accept, close; each lease durable
 *			before its info
 *	paced		the same at RATE (4000) per second, arrivals by the clock
 *	renewals	on kept connections
 *	idle		10,000 connections with a lease each
 *	start		with 1,000,000 leases in the database
 *	expiry		100,000 leases ending in one second while others are granted
 * Never a timed test. */
#include "config.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/bench-db.h"

enum { CONNS_MAX = 12000, HIST = 200000, EVENTS = 256 };

static const char *broker_path, *plugin_dir, *folder, *only = "";
static unsigned seconds = 8, concurrency = 300, paced = 4000;
static pid_t broker_pid = -1;
static uint16_t port;
static char log_path[512];

static void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
static void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void) fputs("bench_tsp: ", stderr);
	(void) vfprintf(stderr, fmt, ap);
	(void) fputc('\n', stderr);
	va_end(ap);
	if (broker_pid > 0)
		(void) kill(broker_pid, SIGKILL);
	exit(1);
}

static uint64_t now_us(void)
{
	struct timespec t;

	(void) clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t) t.tv_sec * 1000000 + (uint64_t) t.tv_nsec / 1000;
}

/* ---- latencies ---- */

static struct {
	uint32_t in_10us[HIST];
	uint64_t n;
} hist;

static void hist_add(uint64_t us)
{
	uint64_t slot = us / 10;

	hist.in_10us[slot < HIST ? slot : HIST - 1]++;
	hist.n++;
}

static double hist_ms(double part)
{
	uint64_t want = (uint64_t) ((double) hist.n * part), seen = 0;

	for (unsigned i = 0; i < HIST; i++) {
		seen += hist.in_10us[i];
		if (seen > want)
			return i / 100.0;
	}
	return HIST / 100.0;
}

/* ---- the broker ---- */

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof set, &set) < 0)
		(void) fprintf(stderr, "bench_tsp: not pinned to processor %d: %s\n", cpu,
			strerror(errno));
}

static void write_config(const char *lifetime)
{
	char path[512];
	FILE *f;

	(void) snprintf(path, sizeof path, "%s/causewayd.conf", folder);
	f = fopen(path, "w");
	if (!f)
		die("%s: %s", path, strerror(errno));
	(void) fprintf(f,
		"state-dir = \"%s\"\nplugin-dir = \"%s\"\n"
		"tsp { listen = { \"127.0.0.1:0\" } udp = no mechanisms = { \"ANONYMOUS\" } }\n"
		"log { level = info format = logfmt }\n"
		"limits { connections = 20000 }\n"
		"tep \"edge1\" { plugin = \"null\"  ipv4 = \"192.0.2.1\"  ipv6 = \"2001:db8::1\" }\n"
		"pool \"default\" { range = { \"10.0.0.0/8\" } tep = \"edge1\" lifetime = %s quarantine = 0 }\n",
		folder, plugin_dir, lifetime);
	(void) fclose(f);
}

static void empty_folder(void)
{
	DIR *d = opendir(folder);
	struct dirent *e;

	if (!d)
		die("%s: %s", folder, strerror(errno));
	while ((e = readdir(d)) != NULL)
		(void) unlinkat(dirfd(d), e->d_name, 0);
	(void) closedir(d);
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
static uint64_t broker_start(void)
{
	uint64_t start = now_us();

	(void) unlink(log_path);
	broker_pid = fork();
	if (broker_pid < 0)
		die("fork: %s", strerror(errno));
	if (broker_pid == 0) {
		char conf[512];
		int fd = open(log_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

		pin(0);
		(void) dup2(fd, 2);
		(void) snprintf(conf, sizeof conf, "%s/causewayd.conf", folder);
		(void) execl(
			broker_path, "causewayd", "--config", conf, "--foreground", (char *) NULL);
		_exit(127);
	}
	while ((port = read_port()) == 0) {
		int status;

		if (waitpid(broker_pid, &status, WNOHANG) == broker_pid)
			die("the broker ended at start; see %s", log_path);
		if (now_us() - start > 60000000)
			die("the broker was not ready in 60 s");
		(void) poll(NULL, 0, 1);
	}
	return now_us() - start;
}

static void broker_stop(void)
{
	int status;

	(void) kill(broker_pid, SIGTERM);
	if (waitpid(broker_pid, &status, 0) != broker_pid || !WIFEXITED(status) ||
		WEXITSTATUS(status) != 0)
		die("the broker did not end well: status %d", status);
	broker_pid = -1;
}

/* User and system time of the broker, microseconds. */
static uint64_t broker_cpu_us(void)
{
	unsigned long user = 0, sys = 0;
	char path[64], text[1024], *p;
	FILE *f;

	(void) snprintf(path, sizeof path, "/proc/%d/stat", (int) broker_pid);
	f = fopen(path, "r");
	if (!f || !fgets(text, sizeof text, f))
		die("%s: %s", path, strerror(errno));
	(void) fclose(f);
	p = strrchr(text, ')');
	if (!p || sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
			  &sys) != 2)
		die("%s: not understood", path);
	return (uint64_t) (user + sys) * 1000000 / (uint64_t) sysconf(_SC_CLK_TCK);
}

static double broker_rss_mib(const char *what)
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

/* ---- clients ---- */

enum step { FREE, CONNECTING, HELLO, AUTH, OFFER, RENEW, KEPT };

struct conn {
	int fd;
	enum step step;
	uint64_t born_us, asked_us;
	uint32_t client; /* makes its IPv6 */
	char addr4[16];
	size_t have;
	char buf[1024];
};

static struct conn conns[CONNS_MAX];
static int epfd;
static uint32_t next_client;
static struct {
	bool keep, renew, measure;
	uint64_t sessions, renewals, errors, open;
} work;

static void put(struct conn *c, const char *p, size_t n)
{
	if (send(c->fd, p, n, MSG_NOSIGNAL) != (ssize_t) n)
		die("send: %s", strerror(errno));
}

static void put_frame(struct conn *c, const char *body)
{
	char out[1024];
	int n = snprintf(out, sizeof out, "Content-length: %zu\r\n%s", strlen(body), body);

	put(c, out, (size_t) n);
}

static void ask(struct conn *c, bool name_v4)
{
	char body[512];

	(void) snprintf(body, sizeof body,
		"<tunnel action=\"create\" type=\"v4v6\"><client><address type=\"ipv6\">2001:db8:%x:%x::1</address>%s%s%s</client>"
		"</tunnel>\r\n",
		c->client >> 16, c->client & 0xffff, name_v4 ? "<address type=\"ipv4\">" : "",
		name_v4 ? c->addr4 : "", name_v4 ? "</address>" : "");
	c->asked_us = now_us();
	put_frame(c, body);
}

static void conn_open(struct conn *c)
{
	static uint32_t from = 1;
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in me = {.sin_family = AF_INET};
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
	int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		die("socket: %s", strerror(errno));
	/* Many sources, or the ports in TIME_WAIT run out. */
	from = from % 250 + 1;
	me.sin_addr.s_addr = htonl(0x7f000100u + from);
	(void) setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
	(void) setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	c->born_us = now_us();
	if (bind(c->fd, (struct sockaddr *) &me, sizeof me) < 0)
		die("bind: %s", strerror(errno));
	if (connect(c->fd, (struct sockaddr *) &to, sizeof to) < 0 && errno != EINPROGRESS)
		die("connect: %s", strerror(errno));
	c->have = 0;
	c->client = ++next_client;
	c->step = CONNECTING;
	ev.events = EPOLLOUT;
	if (epoll_ctl(epfd, EPOLL_CTL_ADD, c->fd, &ev) < 0)
		die("epoll: %s", strerror(errno));
	work.open++;
}

static void conn_close(struct conn *c)
{
	(void) close(c->fd);
	c->step = FREE;
	work.open--;
}

static void session_over(struct conn *c, bool reopen)
{
	conn_close(c);
	work.sessions++;
	if (work.measure)
		hist_add(now_us() - c->born_us);
	if (reopen)
		conn_open(c);
}

static void take_addr4(struct conn *c)
{
	const char *p = strstr(c->buf, "<client>");

	p = p ? strstr(p, "length=\"32\">") : NULL;
	if (!p)
		die("no address in: %s", c->buf);
	(void) snprintf(c->addr4, sizeof c->addr4, "%.*s", (int) strcspn(p + 12, "<"), p + 12);
}

/* A whole reply is in buf. */
static void on_reply(struct conn *c, bool reopen)
{
	switch (c->step) {
	case HELLO:
		c->step = AUTH;
		put(c, "AUTHENTICATE ANONYMOUS\r\n", 24);
		return;
	case AUTH:
		c->step = OFFER;
		ask(c, false);
		return;
	case OFFER:
		if (!strstr(c->buf, "\n200 ")) {
			work.errors++;
			conn_close(c);
			return;
		}
		take_addr4(c);
		put_frame(c, "<tunnel action=\"accept\"></tunnel>\r\n");
		if (!work.keep) {
			session_over(c, reopen);
			return;
		}
		c->step = KEPT;
		if (!work.renew)
			return;
		c->step = RENEW;
		ask(c, true);
		return;
	case RENEW:
		if (!strstr(c->buf, "\n200 "))
			die("a renewal was answered: %s", c->buf);
		work.renewals++;
		if (work.measure)
			hist_add(now_us() - c->asked_us);
		ask(c, true);
		return;
	default:
		die("an answer nobody asked for: %s", c->buf);
	}
}

static bool reply_is_whole(const struct conn *c)
{
	const char *lf = memchr(c->buf, '\n', c->have);

	if (!lf)
		return false;
	if (strncmp(c->buf, "Content-length: ", 16) != 0)
		return true;
	return c->have >= (size_t) (lf + 1 - c->buf) + strtoul(c->buf + 16, NULL, 10);
}

static void on_event(struct conn *c, uint32_t events, bool reopen)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
	ssize_t n;

	if (c->step == CONNECTING) {
		if (events & (EPOLLERR | EPOLLHUP))
			die("a connection was refused");
		(void) epoll_ctl(epfd, EPOLL_CTL_MOD, c->fd, &ev);
		c->step = HELLO;
		put(c, "VERSION=2.0.0\r\n", 15);
		return;
	}
	n = recv(c->fd, c->buf + c->have, sizeof c->buf - 1 - c->have, 0);
	if (n <= 0) {
		if (n < 0 && errno == EAGAIN)
			return;
		work.errors++;
		conn_close(c);
		return;
	}
	c->have += (size_t) n;
	c->buf[c->have] = 0;
	if (!reply_is_whole(c))
		return;
	c->have = 0;
	on_reply(c, reopen);
}

static void run_for(uint64_t us, bool reopen, double per_s)
{
	uint64_t start = now_us(), opened = 0;
	struct epoll_event ev[EVENTS];

	for (uint64_t t = start; t - start < us; t = now_us()) {
		int n;

		/* Arrivals by the clock, whatever the broker does. */
		while (per_s > 0 && (double) opened < (double) (t - start) * per_s / 1e6) {
			struct conn *c = NULL;

			for (unsigned i = 0; i < CONNS_MAX && !c; i++)
				if (conns[i].step == FREE)
					c = &conns[i];
			if (!c)
				die("12,000 sessions at once: the broker does not keep up");
			conn_open(c);
			c->born_us = start + (uint64_t) ((double) opened * 1e6 / per_s);
			opened++;
		}
		n = epoll_wait(epfd, ev, EVENTS, per_s > 0 ? 0 : 10);
		for (int i = 0; i < n; i++)
			on_event(ev[i].data.ptr, ev[i].events, reopen);
	}
}

static void measure(bool on)
{
	memset(&hist, 0, sizeof hist);
	work.measure = on;
	work.sessions = work.renewals = work.errors = 0;
}

static void close_all(void)
{
	for (unsigned i = 0; i < CONNS_MAX; i++)
		if (conns[i].step != FREE)
			conn_close(&conns[i]);
}

/* ---- rows ---- */

static bool wanted(const char *row)
{
	return strncmp(row, only, strlen(only)) == 0;
}

static void fresh(const char *lifetime)
{
	empty_folder();
	write_config(lifetime);
	(void) broker_start();
}

static void row_sessions(double per_s)
{
	uint64_t t, cpu;
	double rate;

	fresh("3600");
	work.keep = work.renew = false;
	for (unsigned i = 0; per_s <= 0 && i < concurrency; i++)
		conn_open(&conns[i]);
	run_for(1000000, per_s <= 0, per_s);
	measure(true);
	t = now_us();
	cpu = broker_cpu_us();
	run_for((uint64_t) seconds * 1000000, per_s <= 0, per_s);
	t = now_us() - t;
	cpu = broker_cpu_us() - cpu;
	rate = (double) work.sessions * 1e6 / (double) t;
	printf("| %-32s | %8.0f /s | p50 %6.2f ms, p99 %6.2f ms | broker %5.1f us CPU each, %3.0f %% busy | %llu errors |\n",
		per_s > 0 ? "sessions arriving by the clock" : "full sessions", rate, hist_ms(0.5),
		hist_ms(0.99), (double) cpu / (double) work.sessions,
		100.0 * (double) cpu / (double) t, (unsigned long long) work.errors);
	close_all();
	broker_stop();
}

static void row_renewals(void)
{
	uint64_t t, cpu;

	fresh("3600");
	work.keep = work.renew = true;
	for (unsigned i = 0; i < concurrency * 2; i++)
		conn_open(&conns[i]);
	run_for(1000000, true, 0);
	measure(true);
	t = now_us();
	cpu = broker_cpu_us();
	run_for((uint64_t) seconds * 1000000, true, 0);
	t = now_us() - t;
	cpu = broker_cpu_us() - cpu;
	printf("| %-32s | %8.0f /s | p50 %6.2f ms, p99 %6.2f ms | broker %5.1f us CPU each, %3.0f %% busy | %llu errors |\n",
		"renewals on kept connections", (double) work.renewals * 1e6 / (double) t,
		hist_ms(0.5), hist_ms(0.99), (double) cpu / (double) work.renewals,
		100.0 * (double) cpu / (double) t, (unsigned long long) work.errors);
	close_all();
	broker_stop();
}

static void row_idle(void)
{
	double before, after;

	fresh("3600");
	before = broker_rss_mib("VmRSS:");
	work.keep = true;
	work.renew = false;
	measure(false);
	for (unsigned i = 0; i < 10000; i += 100) {
		for (unsigned k = 0; k < 100; k++)
			conn_open(&conns[i + k]);
		run_for(20000, true, 0);
	}
	run_for(3000000, true, 0);
	after = broker_rss_mib("VmRSS:");
	for (unsigned i = 0; i < 10000; i++)
		if (conns[i].step != KEPT)
			die("connection %u is not held", i);
	printf("| %-32s | %8.1f MiB | %.1f KiB each; empty %.1f MiB | | |\n",
		"10,000 idle connections, leased", after, (after - before) * 1024 / 10000, before);
	close_all();
	broker_stop();
}

static void row_start(void)
{
	uint64_t us;

	empty_folder();
	write_config("86400");
	bench_db_fill(folder, 1000000, 86400, 0);
	us = broker_start();
	printf("| %-32s | %8.2f s | RSS %.1f MiB, peak %.1f MiB | | |\n",
		"start with 1,000,000 leases", (double) us / 1e6, broker_rss_mib("VmRSS:"),
		broker_rss_mib("VmHWM:"));
	broker_stop();
}

static void row_expiry(void)
{
	uint64_t begin, over, ended, measured;
	unsigned left = 0;
	double p50, p99;

	empty_folder();
	write_config("86400");
	bench_db_fill(folder, 100000, 86400, 12); /* all end 12 s from now */
	begin = now_us();
	(void) broker_start();
	work.keep = work.renew = false;
	for (unsigned i = 0; i < 16; i++)
		conn_open(&conns[i]);
	run_for(2000000, true, 0);
	measure(true);
	run_for(4000000, true, 0);
	printf("| %-32s | %8.0f /s | p50 %6.2f ms, p99 %6.2f ms | | |\n",
		"16 clients before the expiry", (double) work.sessions / 4, hist_ms(0.5),
		hist_ms(0.99));
	while (now_us() - begin < 12000000)
		run_for(10000, true, 0);
	measure(true);
	over = now_us();
	do
		run_for(20000, true, 0);
	while (bench_db_due(folder) && now_us() - over < 60000000);
	measured = work.sessions;
	p50 = hist_ms(0.5);
	p99 = hist_ms(0.99);
	ended = now_us() - over;
	while ((left = bench_db_left(folder)) > 0 && now_us() - over < 60000000)
		run_for(20000, true, 0);
	over = now_us() - over;
	printf("| %-32s | %8.2f s | p50 %6.2f ms, p99 %6.2f ms | all free after %.2f s; %.0f sessions/s meanwhile | %u left |\n",
		"100,000 leases end in one second", (double) ended / 1e6, p50, p99,
		(double) over / 1e6, (double) measured * 1e6 / (double) ended, left);
	close_all();
	broker_stop();
}

static void usage(void)
{
	(void) puts(
		"usage: bench_tsp [-s SECONDS] [-c CONNECTIONS] [-p RATE] [-r ROW] BROKER PLUGIN-DIR FOLDER\n"
		"rows: sessions, paced, renewals, idle, start, expiry");
}

int main(int argc, char **argv)
{
	struct rlimit files = {65536, 65536};
	int c;

	while ((c = getopt(argc, argv, "s:c:p:r:")) != -1) {
		if (c == 's')
			seconds = (unsigned) strtoul(optarg, NULL, 10);
		else if (c == 'c')
			concurrency = (unsigned) strtoul(optarg, NULL, 10);
		else if (c == 'p')
			paced = (unsigned) strtoul(optarg, NULL, 10);
		else if (c == 'r')
			only = optarg;
		else
			return usage(), 2;
	}
	if (argc - optind != 3 || !seconds || !concurrency || concurrency > 1000)
		return usage(), 2;
	broker_path = argv[optind];
	plugin_dir = argv[optind + 1];
	folder = argv[optind + 2];
	(void) snprintf(log_path, sizeof log_path, "%s/causewayd.log", folder);
	(void) setrlimit(RLIMIT_NOFILE, &files);
	(void) setvbuf(stdout, NULL, _IOLBF, 0);
	pin(1);
	epfd = epoll_create1(EPOLL_CLOEXEC);
	bench_facts(folder);
	if (wanted("sessions"))
		row_sessions(0);
	if (wanted("paced"))
		row_sessions(paced);
	if (wanted("renewals"))
		row_renewals();
	if (wanted("idle"))
		row_idle();
	if (wanted("start"))
		row_start();
	if (wanted("expiry"))
		row_expiry();
	return 0;
}
