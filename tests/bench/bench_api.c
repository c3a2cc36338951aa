/* SPDX-License-Identifier: BSD-2-Clause */
/* Speed, and rightness under load, of the real causewayd over its REST API on the Unix socket:
 *
 *	bench_api [-n OPERATIONS] [-c CALLERS] [-r ROW] BROKER PLUGIN-DIR FOLDER
 *
 * The broker is pinned to processor 0, this to processor 1. -r runs only rows that begin with ROW:
 *	exhaust	CALLERS (64) parallel callers take a pool of 4,096 addresses until each is refused,
 *		give all back, and begin again, until OPERATIONS (1,000,000) were done: no address
 *		twice, none refused while one is free
 *	again	one Idempotency-Key from all callers at once: one lease, one answer
 *	get	one lease over and over
 *	list	1,000,000 leases as NDJSON, alone and with allocations beside it
 *	events	1,000 followers of live events, 100 events a second: each gets each, in order
 * Never a timed test. */
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/bench/bench-broker.h"
#include "tests/bench/bench-db.h"

enum { CALLERS_MAX = 1024, POOL = 4096, BUF = 65536 };

static const char *only = "";
static unsigned operations = 1000000, callers = 64;

/* One connection and what it waits for. */
struct caller {
	int fd;
	unsigned number;
	size_t have;
	uint64_t asked_us;
	bool idle;
	char *buf;
};

static struct caller caller[CALLERS_MAX];
static int epfd;

/* ---- HTTP, as little as it takes ---- */

struct answer {
	int status;
	const char *body;
	size_t body_n;
};

static void caller_open(struct caller *c, unsigned number)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};

	(void) snprintf(sa.sun_path, sizeof sa.sun_path, "%s/api.sock", bench_broker.folder);
	*c = (struct caller){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
		.number = number,
		.idle = true,
		.buf = malloc(BUF)};
	if (c->fd < 0 || !c->buf || connect(c->fd, (struct sockaddr *) &sa, sizeof sa) < 0 ||
		epoll_ctl(epfd, EPOLL_CTL_ADD, c->fd, &ev) < 0)
		bench_die("%s: %s", sa.sun_path, strerror(errno));
}

static void caller_close(struct caller *c)
{
	(void) close(c->fd);
	free(c->buf);
}

static void ask(
	struct caller *c, const char *method, const char *path, const char *extra, const char *body)
{
	char out[2048];
	int n = snprintf(out, sizeof out,
		"%s %s HTTP/1.1\r\nHost: x\r\n%s%s%sContent-Length: %zu\r\n\r\n%s", method, path,
		body ? "Content-Type: application/json\r\n" : "", extra ? extra : "", "",
		body ? strlen(body) : 0, body ? body : "");

	c->asked_us = bench_now_us();
	c->idle = false;
	if (send(c->fd, out, (size_t) n, MSG_NOSIGNAL) != n)
		bench_die("send: %s", strerror(errno));
}

/* Reads what is there. true: a whole answer, which stays until the next call. */
static bool take_answer(struct caller *c, struct answer *ret)
{
	ssize_t n = recv(c->fd, c->buf + c->have, BUF - 1 - c->have, MSG_DONTWAIT);
	const char *end, *len;
	size_t head, body = 0;

	if (n <= 0)
		bench_die("an answer was cut: %s", n < 0 ? strerror(errno) : "end");
	c->have += (size_t) n;
	c->buf[c->have] = 0;
	end = strstr(c->buf, "\r\n\r\n");
	if (!end)
		return false;
	head = (size_t) (end - c->buf) + 4;
	len = strstr(c->buf, "Content-Length: ");
	if (len && len < end)
		body = strtoul(len + 16, NULL, 10);
	if (c->have < head + body)
		return false;
	*ret = (struct answer){atoi(c->buf + 9), c->buf + head, body};
	c->have = 0;
	c->idle = true;
	bench_hist_add(bench_now_us() - c->asked_us);
	return true;
}

/* Waits for answers and hands each over, until nobody waits any more. */
static void serve(void (*fn)(struct caller *c, const struct answer *a))
{
	struct epoll_event ev[64];
	struct answer a;

	for (;;) {
		unsigned waiting = 0;
		int n;

		for (unsigned i = 0; i < callers; i++)
			waiting += !caller[i].idle;
		if (waiting == 0)
			return;
		n = epoll_wait(epfd, ev, 64, 20000);
		if (n <= 0)
			bench_die("no answer in 20 s");
		for (int i = 0; i < n; i++)
			if (take_answer(ev[i].data.ptr, &a))
				fn(ev[i].data.ptr, &a);
	}
}

static void open_all(void)
{
	epfd = epoll_create1(EPOLL_CLOEXEC);
	for (unsigned i = 0; i < callers; i++)
		caller_open(&caller[i], i);
}

static void close_all(void)
{
	for (unsigned i = 0; i < callers; i++)
		caller_close(&caller[i]);
	(void) close(epfd);
}

/* ---- exhaust ---- */

static struct {
	uint64_t done, granted, refused, next_owner;
	unsigned held;
	bool taken[POOL];
	uint64_t lease[POOL];
	unsigned give_next;
	unsigned keyed;
	char first[1024];
} ex;

static void ask_lease(struct caller *c, const char *extra, uint64_t owner)
{
	char body[256];

	(void) snprintf(body, sizeof body,
		"{\"pool\":\"default\",\"owner\":\"rest:host-%llu\",\"ipv6\":\"2001:db8:%x:%x::1\"}",
		(unsigned long long) owner, (unsigned) (owner >> 16 & 0xffff),
		(unsigned) (owner & 0xffff));
	ask(c, "POST", "/v1/leases", extra, body);
}

static const char *member(const struct answer *a, const char *name)
{
	const char *p = memmem(a->body, a->body_n, name, strlen(name));

	if (!p)
		bench_die("no %s in: %.*s", name, (int) a->body_n, a->body);
	return p + strlen(name);
}

static void on_taken(struct caller *c, const struct answer *a)
{
	unsigned o[4];

	ex.done++;
	if (a->status == 409) {
		ex.refused++;
		if (!strstr(c->buf, "Retry-After") && ex.held > 0)
			bench_die("409 without Retry-After: %.*s", (int) a->body_n, a->body);
		return; /* this caller has seen the end */
	}
	if (a->status != 201)
		bench_die("%d: %.*s", a->status, (int) a->body_n, a->body);
	if (sscanf(member(a, "\"address\":\""), "%u.%u.%u.%u", &o[0], &o[1], &o[2], &o[3]) != 4)
		bench_die("no address in: %.*s", (int) a->body_n, a->body);
	o[0] = o[2] << 8 | o[3];
	if (o[0] >= POOL || ex.taken[o[0]])
		bench_die("address %u twice", o[0]);
	ex.taken[o[0]] = true;
	ex.lease[o[0]] = strtoull(member(a, "\"id\":\"ls_"), NULL, 10);
	ex.held++;
	ex.granted++;
	ask_lease(c, NULL, ex.next_owner++);
}

static bool ask_give(struct caller *c)
{
	char path[64];

	while (ex.give_next < POOL && !ex.taken[ex.give_next])
		ex.give_next++;
	if (ex.give_next == POOL)
		return false;
	ex.taken[ex.give_next] = false;
	(void) snprintf(path, sizeof path, "/v1/leases/ls_%llu",
		(unsigned long long) ex.lease[ex.give_next]);
	ask(c, "DELETE", path, NULL, NULL);
	return true;
}

static void on_given(struct caller *c, const struct answer *a)
{
	ex.done++;
	if (a->status != 204)
		bench_die("%d: %.*s", a->status, (int) a->body_n, a->body);
	ex.held--;
	(void) ask_give(c);
}

static void row_exhaust(void)
{
	uint64_t taking = 0, giving = 0, granted = 0, t, cpu;
	unsigned rounds = 0;

	bench_broker_prepare("10.0.0.0/20", "86400", "limits { leases-per-principal = 0 }\n");
	ex.next_owner = 1; /* 0 would be the TEP's own address */
	(void) bench_broker_start();
	open_all();
	cpu = bench_broker_cpu_us();
	while (ex.done < operations) {
		t = bench_now_us();
		for (unsigned i = 0; i < callers; i++)
			ask_lease(&caller[i], NULL, ex.next_owner++);
		serve(on_taken);
		taking += bench_now_us() - t;
		if (ex.held != POOL)
			bench_die("refused with %u of %u addresses held", ex.held, POOL);
		granted += ex.held;
		t = bench_now_us();
		ex.give_next = 0;
		for (unsigned i = 0; i < callers; i++)
			(void) ask_give(&caller[i]);
		serve(on_given);
		giving += bench_now_us() - t;
		rounds++;
	}
	cpu = bench_broker_cpu_us() - cpu;
	(void) printf("%-34s %9.0f/s  given back %.0f/s, p99 %.1f ms, %.0f us of CPU per operation;"
		      " %u rounds of %u, none twice, none refused while one was free\n",
		"allocations until exhausted", (double) granted * 1e6 / (double) taking,
		(double) granted * 1e6 / (double) giving, bench_hist_ms(0.99),
		(double) cpu / (double) ex.done, rounds, POOL);
	close_all();
	bench_broker_stop();
}

/* ---- again ---- */

static void on_again(struct caller *c, const struct answer *a)
{
	(void) c;
	if (a->status != 201 || a->body_n >= sizeof ex.first)
		bench_die("%d: %.*s", a->status, (int) a->body_n, a->body);
	if (ex.keyed++ == 0) {
		memcpy(ex.first, a->body, a->body_n);
		ex.first[a->body_n] = 0;
	} else if (strncmp(ex.first, a->body, a->body_n) != 0) {
		bench_die("another answer for the same key: %.*s", (int) a->body_n, a->body);
	}
}

static void row_again(void)
{
	bench_broker_prepare("10.0.0.0/20", "86400", "");
	(void) bench_broker_start();
	for (unsigned round = 0; round < 2; round++) {
		open_all();
		for (unsigned k = 0; k < 100; k++) {
			char key[64];

			ex.keyed = 0;
			(void) snprintf(
				key, sizeof key, "Idempotency-Key: \"bench-%u\"\r\n", round);
			for (unsigned i = 0; i < callers; i++)
				ask_lease(&caller[i], key, round);
			serve(on_again);
		}
		close_all();
	}
	(void) printf("%-34s one lease and one answer each, %u callers at once, 100 times\n",
		"the same Idempotency-Key", callers);
	bench_broker_stop();
}

/* ---- get ---- */

static struct {
	uint64_t n, until_us;
	char path[64];
} get;

static void on_got(struct caller *c, const struct answer *a)
{
	if (a->status != 200)
		bench_die("%d: %.*s", a->status, (int) a->body_n, a->body);
	get.n++;
	if (bench_now_us() < get.until_us)
		ask(c, "GET", get.path, NULL, NULL);
}

static void on_one(struct caller *c, const struct answer *a)
{
	(void) c;
	(void) snprintf(get.path, sizeof get.path, "/v1/leases/ls_%llu",
		strtoull(member(a, "\"id\":\"ls_"), NULL, 10));
}

static void row_get(void)
{
	uint64_t t, cpu;

	bench_broker_prepare("10.0.0.0/20", "86400", "");
	(void) bench_broker_start();
	open_all();
	ask_lease(&caller[0], NULL, 1);
	serve(on_one);
	bench_hist_clear();
	t = bench_now_us();
	cpu = bench_broker_cpu_us();
	get.until_us = t + 8000000;
	for (unsigned i = 0; i < callers; i++)
		ask(&caller[i], "GET", get.path, NULL, NULL);
	serve(on_got);
	t = bench_now_us() - t;
	cpu = bench_broker_cpu_us() - cpu;
	(void) printf(
		"%-34s %9.0f/s  p50 %.2f ms, p99 %.2f ms, %.1f us of CPU each, broker %.0f %% busy\n",
		"GET of one lease, keep-alive", (double) get.n * 1e6 / (double) t,
		bench_hist_ms(0.5), bench_hist_ms(0.99), (double) cpu / (double) get.n,
		(double) cpu * 100 / (double) t);
	close_all();
	bench_broker_stop();
}

/* ---- list ---- */

/* Reads the stream of caller 0 to its end; the others go on allocating meanwhile if they are asked
 * to. Rows. */
static uint64_t read_list(unsigned beside)
{
	struct caller *c = &caller[0];
	struct epoll_event ev[64];
	struct answer a;
	uint64_t rows = 0;
	bool end = false;
	char tail[8] = "";

	ask(c, "GET", "/v1/leases", "Accept: application/x-ndjson\r\n", NULL);
	for (unsigned i = 1; i <= beside; i++)
		ask_lease(&caller[i], NULL, ex.next_owner++);
	while (!end) {
		int n = epoll_wait(epfd, ev, 64, 20000);

		if (n <= 0)
			bench_die("the list stood still for 20 s");
		for (int i = 0; i < n; i++) {
			struct caller *who = ev[i].data.ptr;
			ssize_t got;

			if (who != c) {
				if (take_answer(who, &a))
					ask_lease(who, NULL, ex.next_owner++);
				continue;
			}
			got = recv(c->fd, c->buf, BUF, MSG_DONTWAIT);
			if (got <= 0)
				bench_die(
					"the list was cut: %s", got < 0 ? strerror(errno) : "end");
			for (char *p = c->buf; (p = memchr(p, '\n', (size_t) (c->buf + got - p)));
				p++)
				rows += p > c->buf && p[-1] == '}';
			if (got >= 7)
				memcpy(tail, c->buf + got - 7, 7);
			end = strncmp(tail, "\r\n0\r\n\r\n", 7) == 0;
		}
	}
	c->idle = true;
	return rows;
}

static void on_nothing(struct caller *c, const struct answer *a)
{
	(void) c;
	(void) a;
}

static void row_list(void)
{
	uint64_t t, rows;
	double rss;

	bench_broker_prepare("10.0.0.0/8", "86400", "limits { leases-per-principal = 0 }\n");
	bench_db_fill(bench_broker.folder, 1000000, 86400, 0);
	(void) bench_broker_start();
	open_all();
	rss = bench_broker_rss_mib("VmRSS:");
	t = bench_now_us();
	rows = read_list(0);
	t = bench_now_us() - t;
	(void) printf("%-34s %9.0f/s  %llu rows, resident %.0f MiB before, %.0f at most\n",
		"leases listed as NDJSON", (double) rows * 1e6 / (double) t,
		(unsigned long long) rows, rss, bench_broker_rss_mib("VmHWM:"));
	bench_hist_clear();
	t = bench_now_us();
	rows = read_list(8);
	t = bench_now_us() - t;
	(void) printf("%-34s %9.0f/s  allocations beside it: p50 %.1f ms, p99 %.1f ms\n",
		"the same, 8 callers allocating", (double) rows * 1e6 / (double) t,
		bench_hist_ms(0.5), bench_hist_ms(0.99));
	serve(on_nothing);
	close_all();
	bench_broker_stop();
}

/* ---- events ---- */

enum { FOLLOWERS = 1000, EVENTS_S = 10, EVENTS_PER_S = 100 };

static struct {
	unsigned seen[FOLLOWERS];
	uint64_t last[FOLLOWERS];
} follow;

/* Takes what has come to one follower: "id: N" begins each event. */
static void take_events(unsigned f, struct caller *c)
{
	ssize_t n = recv(c->fd, c->buf + c->have, BUF - 1 - c->have, MSG_DONTWAIT);
	char *p, *line;

	if (n <= 0)
		bench_die("follower %u was cut: %s", f, n < 0 ? strerror(errno) : "end");
	c->have += (size_t) n;
	c->buf[c->have] = 0;
	for (p = c->buf; (line = strstr(p, "\nid: ")) && strchr(line + 1, '\n'); p = line + 1) {
		uint64_t id = strtoull(line + 5, NULL, 10);

		if (id <= follow.last[f])
			bench_die("follower %u: %llu after %llu", f, (unsigned long long) id,
				(unsigned long long) follow.last[f]);
		follow.last[f] = id;
		follow.seen[f]++;
	}
	/* A line that is not whole yet stays. */
	line = strrchr(p, '\n');
	line = line ? line : p;
	c->have -= (size_t) (line - c->buf);
	memmove(c->buf, line, c->have);
}

static void row_events(void)
{
	uint64_t begin, cpu;
	unsigned sent = 0, want = EVENTS_S * EVENTS_PER_S, total = 0, least = UINT32_MAX;
	struct caller *asker = &caller[FOLLOWERS];
	struct answer a;

	bench_broker_prepare("10.0.0.0/8", "86400",
		"limits { leases-per-principal = 0 }\nrest { connections = 2000 event-streams = 1500 }\n");
	(void) bench_broker_start();
	epfd = epoll_create1(EPOLL_CLOEXEC);
	for (unsigned i = 0; i <= FOLLOWERS; i++)
		caller_open(&caller[i], i);
	for (unsigned i = 0; i < FOLLOWERS; i++)
		ask(&caller[i], "GET", "/v1/events", "Accept: text/event-stream\r\n", NULL);
	begin = bench_now_us();
	cpu = bench_broker_cpu_us();
	ex.next_owner = 1;
	while (bench_now_us() - begin < (EVENTS_S + 4) * 1000000ull) {
		struct epoll_event ev[256];
		uint64_t now = bench_now_us();
		int n;

		/* The first second is for the followers to come in. */
		if (asker->idle && sent < want && now - begin > 1000000 &&
			(now - begin - 1000000) * EVENTS_PER_S / 1000000 > sent) {
			ask_lease(asker, NULL, ex.next_owner++);
			sent++;
		}
		n = epoll_wait(epfd, ev, 256, 2);
		for (int i = 0; i < n; i++) {
			struct caller *c = ev[i].data.ptr;

			if (c != asker) {
				take_events((unsigned) (c - caller), c);
			} else if (take_answer(c, &a) && a.status != 201) {
				bench_die("%d: %.*s", a.status, (int) a.body_n, a.body);
			}
		}
	}
	cpu = bench_broker_cpu_us() - cpu;
	for (unsigned i = 0; i < FOLLOWERS; i++) {
		total += follow.seen[i] == sent;
		least = follow.seen[i] < least ? follow.seen[i] : least;
	}
	(void) printf(
		"%-34s %u events to each of %u followers: %u of them got every one (the least %u), in order; broker %.0f %% busy\n",
		"live events, 100 a second", sent, FOLLOWERS, total, least,
		(double) cpu * 100 / (double) (bench_now_us() - begin));
	for (unsigned i = 0; i <= FOLLOWERS; i++)
		caller_close(&caller[i]);
	(void) close(epfd);
	bench_broker_stop();
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} rows[] = {{"exhaust", row_exhaust}, {"again", row_again}, {"get", row_get},
		{"list", row_list}, {"events", row_events}};
	int opt;

	while ((opt = getopt(argc, argv, "n:c:r:")) != -1) {
		unsigned v = optarg ? (unsigned) strtoul(optarg, NULL, 10) : 0;

		if (opt == 'n' && v > 0)
			operations = v;
		else if (opt == 'c' && v > 8 && v <= CALLERS_MAX)
			callers = v;
		else if (opt == 'r')
			only = optarg;
		else
			return 2;
	}
	if (argc - optind != 3)
		bench_die(
			"bench_api [-n OPERATIONS] [-c CALLERS] [-r ROW] BROKER PLUGIN-DIR FOLDER");
	bench_broker = (struct bench_broker){argv[optind], argv[optind + 1], argv[optind + 2]};
	bench_pin(1);
	bench_facts(bench_broker.folder);
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (strncmp(rows[i].name, only, strlen(only)) != 0)
			continue;
		bench_hist_clear();
		rows[i].run();
	}
	return 0;
}
