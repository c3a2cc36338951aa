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
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/bench-broker.h"
#include "tests/bench/bench-db.h"

enum { CONNS_MAX = 12000, EVENTS = 256 };

static const char *only = "";
static unsigned seconds = 8, concurrency = 300, paced = 4000;
static uint16_t port;

#define MORE "limits { connections = 20000 }\n"

static uint64_t broker_start(void)
{
	uint64_t us = bench_broker_start();

	port = bench_broker_port();
	return us;
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
		bench_die("send: %s", strerror(errno));
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
	c->asked_us = bench_now_us();
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
		bench_die("socket: %s", strerror(errno));
	/* Many sources, or the ports in TIME_WAIT run out. */
	from = from % 250 + 1;
	me.sin_addr.s_addr = htonl(0x7f000100u + from);
	(void) setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
	(void) setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	c->born_us = bench_now_us();
	if (bind(c->fd, (struct sockaddr *) &me, sizeof me) < 0)
		bench_die("bind: %s", strerror(errno));
	if (connect(c->fd, (struct sockaddr *) &to, sizeof to) < 0 && errno != EINPROGRESS)
		bench_die("connect: %s", strerror(errno));
	c->have = 0;
	c->client = ++next_client;
	c->step = CONNECTING;
	ev.events = EPOLLOUT;
	if (epoll_ctl(epfd, EPOLL_CTL_ADD, c->fd, &ev) < 0)
		bench_die("epoll: %s", strerror(errno));
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
		bench_hist_add(bench_now_us() - c->born_us);
	if (reopen)
		conn_open(c);
}

static void take_addr4(struct conn *c)
{
	const char *p = strstr(c->buf, "<client>");

	p = p ? strstr(p, "length=\"32\">") : NULL;
	if (!p)
		bench_die("no address in: %s", c->buf);
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
			bench_die("a renewal was answered: %s", c->buf);
		work.renewals++;
		if (work.measure)
			bench_hist_add(bench_now_us() - c->asked_us);
		ask(c, true);
		return;
	default:
		bench_die("an answer nobody asked for: %s", c->buf);
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
			bench_die("a connection was refused");
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
	uint64_t start = bench_now_us(), opened = 0;
	struct epoll_event ev[EVENTS];

	for (uint64_t t = start; t - start < us; t = bench_now_us()) {
		int n;

		/* Arrivals by the clock, whatever the broker does. */
		while (per_s > 0 && (double) opened < (double) (t - start) * per_s / 1e6) {
			struct conn *c = NULL;

			for (unsigned i = 0; i < CONNS_MAX && !c; i++)
				if (conns[i].step == FREE)
					c = &conns[i];
			if (!c)
				bench_die("12,000 sessions at once: the broker does not keep up");
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
	bench_hist_clear();
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
	bench_broker_prepare("10.0.0.0/8", lifetime, MORE);
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
	t = bench_now_us();
	cpu = bench_broker_cpu_us();
	run_for((uint64_t) seconds * 1000000, per_s <= 0, per_s);
	t = bench_now_us() - t;
	cpu = bench_broker_cpu_us() - cpu;
	rate = (double) work.sessions * 1e6 / (double) t;
	printf("| %-32s | %8.0f /s | p50 %6.2f ms, p99 %6.2f ms | broker %5.1f us CPU each, %3.0f %% busy | %llu errors |\n",
		per_s > 0 ? "sessions arriving by the clock" : "full sessions", rate,
		bench_hist_ms(0.5), bench_hist_ms(0.99), (double) cpu / (double) work.sessions,
		100.0 * (double) cpu / (double) t, (unsigned long long) work.errors);
	close_all();
	bench_broker_stop();
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
	t = bench_now_us();
	cpu = bench_broker_cpu_us();
	run_for((uint64_t) seconds * 1000000, true, 0);
	t = bench_now_us() - t;
	cpu = bench_broker_cpu_us() - cpu;
	printf("| %-32s | %8.0f /s | p50 %6.2f ms, p99 %6.2f ms | broker %5.1f us CPU each, %3.0f %% busy | %llu errors |\n",
		"renewals on kept connections", (double) work.renewals * 1e6 / (double) t,
		bench_hist_ms(0.5), bench_hist_ms(0.99), (double) cpu / (double) work.renewals,
		100.0 * (double) cpu / (double) t, (unsigned long long) work.errors);
	close_all();
	bench_broker_stop();
}

static void row_idle(void)
{
	double before, after;

	fresh("3600");
	before = bench_broker_rss_mib("VmRSS:");
	work.keep = true;
	work.renew = false;
	measure(false);
	for (unsigned i = 0; i < 10000; i += 100) {
		for (unsigned k = 0; k < 100; k++)
			conn_open(&conns[i + k]);
		run_for(20000, true, 0);
	}
	run_for(3000000, true, 0);
	after = bench_broker_rss_mib("VmRSS:");
	for (unsigned i = 0; i < 10000; i++)
		if (conns[i].step != KEPT)
			bench_die("connection %u is not held", i);
	printf("| %-32s | %8.1f MiB | %.1f KiB each; empty %.1f MiB | | |\n",
		"10,000 idle connections, leased", after, (after - before) * 1024 / 10000, before);
	close_all();
	bench_broker_stop();
}

static void row_start(void)
{
	uint64_t us;

	bench_broker_prepare("10.0.0.0/8", "86400", MORE);
	bench_db_fill(bench_broker.folder, 1000000, 86400, 0);
	us = broker_start();
	printf("| %-32s | %8.2f s | RSS %.1f MiB, peak %.1f MiB | | |\n",
		"start with 1,000,000 leases", (double) us / 1e6, bench_broker_rss_mib("VmRSS:"),
		bench_broker_rss_mib("VmHWM:"));
	bench_broker_stop();
}

static void row_expiry(void)
{
	uint64_t begin, over, ended, measured;
	unsigned left = 0;
	double p50, p99;

	bench_broker_prepare("10.0.0.0/8", "86400", MORE);
	bench_db_fill(bench_broker.folder, 100000, 86400, 12); /* all end 12 s from now */
	begin = bench_now_us();
	(void) broker_start();
	work.keep = work.renew = false;
	for (unsigned i = 0; i < 16; i++)
		conn_open(&conns[i]);
	run_for(2000000, true, 0);
	measure(true);
	run_for(4000000, true, 0);
	printf("| %-32s | %8.0f /s | p50 %6.2f ms, p99 %6.2f ms | | |\n",
		"16 clients before the expiry", (double) work.sessions / 4, bench_hist_ms(0.5),
		bench_hist_ms(0.99));
	while (bench_now_us() - begin < 12000000)
		run_for(10000, true, 0);
	measure(true);
	over = bench_now_us();
	do
		run_for(20000, true, 0);
	while (bench_db_due(bench_broker.folder) && bench_now_us() - over < 60000000);
	measured = work.sessions;
	p50 = bench_hist_ms(0.5);
	p99 = bench_hist_ms(0.99);
	ended = bench_now_us() - over;
	while ((left = bench_db_left(bench_broker.folder)) > 0 && bench_now_us() - over < 60000000)
		run_for(20000, true, 0);
	over = bench_now_us() - over;
	printf("| %-32s | %8.2f s | p50 %6.2f ms, p99 %6.2f ms | all free after %.2f s; %.0f sessions/s meanwhile | %u left |\n",
		"100,000 leases end in one second", (double) ended / 1e6, p50, p99,
		(double) over / 1e6, (double) measured * 1e6 / (double) ended, left);
	close_all();
	bench_broker_stop();
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
	bench_broker = (struct bench_broker){argv[optind], argv[optind + 1], argv[optind + 2]};
	(void) setrlimit(RLIMIT_NOFILE, &files);
	(void) setvbuf(stdout, NULL, _IOLBF, 0);
	bench_pin(1);
	epfd = epoll_create1(EPOLL_CLOEXEC);
	bench_facts(bench_broker.folder);
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
