/* SPDX-License-Identifier: BSD-2-Clause */
/* Speed, and rightness under load, of the real causewayd over its REST API on the Unix socket:
 *
 *	bench_api [-n OPERATIONS] [-c CALLERS] [-r ROW] BROKER PLUGIN-DIR FOLDER
 *
 * The broker is pinned to processor 0, this to processor 1. -r runs only rows that begin with ROW:
 *	exhaust	CALLERS (64) parallel callers take a pool of 4,096 addresses until each is refused,
 *		give all back, and begin again, until OPERATIONS (1,000,000) were done: no address
 *		twice; the pool was full at the first refusal, and nothing asked for later is
 *		granted
 *	again	one Idempotency-Key from all callers at once: one lease, one answer
 *	get	one lease over and over
 *	list	1,000,000 leases as NDJSON while TSP clients take and give back leases beside it, up
 *		to 1,000 a second, and their latency with and without it
 *	events	1,000 followers of live events, 100 events a second: each gets each, in order; then
 *		with some beside them that read slowly and some that do not read
 * Each goal of the API is printed under its row; the exit status is 1 if one is not met. Never a
 * timed test. */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/bench-broker.h"
#include "tests/bench/bench-db.h"
#include "tests/lib/tsp-hand.h"

enum { CALLERS_MAX = 1100, POOL = 4096, BUF = 65536 };

static const char *only = "";
static unsigned operations = 1000000, callers = 64;

/* One connection and what it waits for. */
struct caller {
	int fd;
	unsigned number;
	size_t have;
	uint64_t asked_us;
	bool idle, late; /* late: asked after the first refusal */
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
	uint64_t done, refused, next_owner;
	unsigned held;
	bool full; /* somebody was refused, and nothing was given back since */
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
	c->late = ex.full;
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
		ex.full = true;
		if (!strstr(c->buf, "Retry-After") && ex.held > 0)
			bench_die("409 without Retry-After: %.*s", (int) a->body_n, a->body);
		return; /* this caller has seen the end */
	}
	if (a->status != 201)
		bench_die("%d: %.*s", a->status, (int) a->body_n, a->body);
	if (c->late)
		bench_die("granted after a refusal, which was false then: %.*s", (int) a->body_n,
			a->body);
	if (sscanf(member(a, "\"address\":\""), "%u.%u.%u.%u", &o[0], &o[1], &o[2], &o[3]) != 4)
		bench_die("no address in: %.*s", (int) a->body_n, a->body);
	o[0] = o[2] << 8 | o[3];
	if (o[0] >= POOL || ex.taken[o[0]])
		bench_die("address %u twice", o[0]);
	ex.taken[o[0]] = true;
	ex.lease[o[0]] = strtoull(member(a, "\"id\":\"ls_"), NULL, 10);
	ex.held++;
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
	struct bench_windows taken = {0}, given = {0};
	uint64_t t, cpu;
	unsigned rounds = 0;

	bench_broker_prepare("10.0.0.0/20", "86400", "limits { leases-per-principal = 0 }\n");
	ex.next_owner = 1; /* 0 would be the TEP's own address */
	(void) bench_broker_start();
	open_all();
	cpu = bench_broker_cpu_us();
	while (ex.done < operations) {
		ex.full = false;
		t = bench_now_us();
		for (unsigned i = 0; i < callers; i++)
			ask_lease(&caller[i], NULL, ex.next_owner++);
		serve(on_taken);
		bench_window_add(&taken, POOL * 1e6 / (double) (bench_now_us() - t));
		if (ex.held != POOL)
			bench_die("refused with %u of %u addresses held", ex.held, POOL);
		t = bench_now_us();
		ex.give_next = 0;
		for (unsigned i = 0; i < callers; i++)
			(void) ask_give(&caller[i]);
		serve(on_given);
		bench_window_add(&given, POOL * 1e6 / (double) (bench_now_us() - t));
		if (ex.held != 0)
			bench_die("%u leases are left", ex.held);
		rounds++;
	}
	cpu = bench_broker_cpu_us() - cpu;
	(void) printf(
		"%-34s %9.0f/s  (median %.0f, worst %.0f); given back %.0f/s, p99 %.1f ms, %.0f us of CPU per operation\n",
		"allocations until exhausted", bench_window_at(&taken, 0.75),
		bench_window_at(&taken, 0.5), bench_window_at(&taken, 0),
		bench_window_at(&given, 0.75), bench_hist_ms(0.99),
		(double) cpu / (double) ex.done);
	bench_goal(bench_window_at(&taken, 0.75) >= 5000, ">= 5,000 durable allocations/s");
	bench_goal(ex.done >= 1000000,
		"1,000,000 operations: %llu, in %u rounds of %u addresses and %llu refusals, none twice, none refused while one was free",
		(unsigned long long) ex.done, rounds, POOL, (unsigned long long) ex.refused);
	ex.full = false;
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
				ask_lease(&caller[i], key, round + 1);
			serve(on_again);
		}
		close_all();
	}
	(void) printf("%-34s\n", "the same Idempotency-Key");
	bench_goal(
		true, "one lease, one answer: 2 keys, %u callers at once, 100 times each", callers);
	bench_broker_stop();
}

/* ---- get ---- */

static struct {
	uint64_t n, until_us, window_us, window_n;
	struct bench_windows rates; /* of each second */
	char path[64];
} get;

static void on_got(struct caller *c, const struct answer *a)
{
	if (a->status != 200)
		bench_die("%d: %.*s", a->status, (int) a->body_n, a->body);
	uint64_t now = bench_now_us();

	get.n++;
	if (now - get.window_us >= 1000000) {
		bench_window_add(&get.rates,
			(double) (get.n - get.window_n) * 1e6 / (double) (now - get.window_us));
		get.window_us = now;
		get.window_n = get.n;
	}
	if (now < get.until_us)
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
	get.window_us = t;
	get.until_us = t + 8500000;
	for (unsigned i = 0; i < callers; i++)
		ask(&caller[i], "GET", get.path, NULL, NULL);
	serve(on_got);
	t = bench_now_us() - t;
	cpu = bench_broker_cpu_us() - cpu;
	(void) printf(
		"%-34s %9.0f/s  (all %.0f) p50 %.2f ms, p99 %.2f ms, %.1f us of CPU each, broker %.0f %% busy\n",
		"GET of one lease, keep-alive", bench_window_at(&get.rates, 0.75),
		(double) get.n * 1e6 / (double) t, bench_hist_ms(0.5), bench_hist_ms(0.99),
		(double) cpu / (double) get.n, (double) cpu * 100 / (double) t);
	bench_goal(bench_window_at(&get.rates, 0.75) >= 30000, ">= 30,000/s on one core");
	close_all();
	bench_broker_stop();
}

/* ---- list ---- */

enum { LEASES = 1000000, TSP_CLIENTS = 4, TSP_EACH_US = 4000, LISTINGS = 5 };

static struct {
	pthread_t thread[TSP_CLIENTS];
	pthread_mutex_t lock; /* of the latencies */
	atomic_bool stop, heed;
	atomic_uint answered;
} tsp = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Every TSP_EACH_US something that is answered when it is on disk, over one connection: a lease for
 * a new client, which is given back next, for a session holds only so many. */
static void *tsp_main(void *arg)
{
	unsigned number = (unsigned) (uintptr_t) arg;
	struct hand h = {.fd = -1, .v4 = true};
	uint64_t due = bench_now_us();
	uint32_t held = 0;

	if (hand_login(&h, bench_broker_port()) < 0)
		hand_die("no TSP session");
	for (unsigned i = 0; !atomic_load(&tsp.stop); i++, due += TSP_EACH_US) {
		char ip6[48], req[1024], reply[4096];
		uint64_t now = bench_now_us();

		if (now < due)
			(void) nanosleep(
				&(struct timespec){.tv_nsec = (long) (due - now) * 1000}, NULL);
		else
			due = now; /* late: no burst */
		(void) snprintf(ip6, sizeof ip6, "2001:db8:ffff:%x::%x", number, i / 2 + 1);
		hand_request(req, sizeof req, held ? "delete" : "create", ip6, held);
		now = bench_now_us();
		if (hand_send(&h, req, strlen(req)) < 0 ||
			hand_reply(&h, reply, sizeof reply) != 200)
			hand_die("TSP: %.200s", reply);
		held = held ? 0 : hand_ipv4(reply);
		atomic_fetch_add(&tsp.answered, 1);
		if (!atomic_load(&tsp.heed))
			continue;
		(void) pthread_mutex_lock(&tsp.lock);
		bench_hist_add(bench_now_us() - now);
		(void) pthread_mutex_unlock(&tsp.lock);
	}
	hand_close(&h);
	return NULL;
}

/* p50 or p99 since tsp_heed(). */
static double tsp_heeded_ms(double part)
{
	atomic_store(&tsp.heed, false);
	(void) pthread_mutex_lock(&tsp.lock);
	double ms = bench_hist_ms(part);

	(void) pthread_mutex_unlock(&tsp.lock);
	return ms;
}

static void tsp_heed(void)
{
	(void) pthread_mutex_lock(&tsp.lock);
	bench_hist_clear();
	(void) pthread_mutex_unlock(&tsp.lock);
	atomic_store(&tsp.heed, true);
}

/* Reads the stream of caller 0 to its end. Rows. */
static uint64_t read_list(void)
{
	struct caller *c = &caller[0];
	static const char end[] = "\r\n0\r\n\r\n";
	char tail[sizeof end] = "";
	uint64_t rows = 0;

	ask(c, "GET", "/v1/leases", "Accept: application/x-ndjson\r\n", NULL);
	while (strcmp(tail, end) != 0) {
		ssize_t got = recv(c->fd, c->buf, BUF, 0);

		if (got <= 0)
			bench_die("the list was cut: %s", got < 0 ? strerror(errno) : "end");
		/* A row ends with "}\n", a chunk with "\r\n". */
		for (char *p = c->buf; (p = memchr(p, '\n', (size_t) (c->buf + got - p))); p++)
			rows += (p > c->buf ? p[-1] : tail[sizeof end - 2]) == '}';
		for (ssize_t i = got > 7 ? got - 7 : 0; i < got; i++) {
			memmove(tail, tail + 1, sizeof end - 2);
			tail[sizeof end - 2] = c->buf[i];
		}
	}
	c->idle = true;
	return rows;
}

static void row_list(void)
{
	struct bench_windows rate = {0}, alone = {0}, beside = {0};
	uint64_t t, rows, answered;
	double rss, most;

	bench_broker_prepare("10.0.0.0/8", "86400",
		"limits { leases-per-principal = 0 leases-per-network = 0 }\n");
	bench_db_fill(bench_broker.folder, LEASES, 86400, 0);
	(void) bench_broker_start();
	open_all();
	rss = bench_broker_rss_mib("VmRSS:");
	t = bench_now_us();
	rows = read_list();
	t = bench_now_us() - t;
	most = bench_broker_rss_mib("VmHWM:");
	(void) printf("%-34s %9.0f/s  %llu rows, resident %.0f MiB before, %.0f at most\n",
		"leases listed as NDJSON, alone", (double) rows * 1e6 / (double) t,
		(unsigned long long) rows, rss, most);
	bench_goal(rows == LEASES && most - rss <= 16, "1,000,000 rows in constant memory");
	hand_at_death = bench_broker_kill;
	t = bench_now_us();
	for (unsigned i = 0; i < TSP_CLIENTS; i++)
		if (pthread_create(&tsp.thread[i], NULL, tsp_main, (void *) (uintptr_t) i) != 0)
			bench_die("no thread");
	for (unsigned i = 0; i < LISTINGS; i++) {
		uint64_t begin;

		tsp_heed();
		(void) poll(NULL, 0, 3000);
		bench_window_add(&alone, tsp_heeded_ms(0.99));
		tsp_heed();
		begin = bench_now_us();
		rows = read_list();
		bench_window_add(&rate, (double) rows * 1e6 / (double) (bench_now_us() - begin));
		bench_window_add(&beside, tsp_heeded_ms(0.99));
		if (rows < LEASES)
			bench_die("%llu rows", (unsigned long long) rows);
	}
	atomic_store(&tsp.stop, true);
	for (unsigned i = 0; i < TSP_CLIENTS; i++)
		(void) pthread_join(tsp.thread[i], NULL);
	answered = atomic_load(&tsp.answered);
	(void) printf(
		"%-34s %9.0f/s  (median %.0f); TSP: %.0f requests/s, p99 %.1f ms alone, %.1f ms beside it\n",
		"the same, TSP clients beside it", bench_window_at(&rate, 0.75),
		bench_window_at(&rate, 0.5),
		(double) answered * 1e6 / (double) (bench_now_us() - t),
		bench_window_at(&alone, 0.5), bench_window_at(&beside, 0.5));
	bench_goal(bench_window_at(&rate, 0.75) >= 200000, ">= 200,000 rows/s");
	bench_goal(bench_window_at(&beside, 0.5) <= 2 * bench_window_at(&alone, 0.5),
		"p99 of TSP at most doubled");
	close_all();
	bench_broker_stop();
}

/* ---- events ---- */

/* Beside the followers: some that read little, some that do not read at all; then who asks. */
enum {
	FOLLOWERS = 1000,
	SLOW = 10,
	STOPPED = 10,
	ASKER = FOLLOWERS + SLOW + STOPPED,
	ASKERS = 16 /* an answer may take longer than 10 ms */,
	EVENTS_PER_S = 100,
	SLOW_OCTETS = 400 /* of 4,000 a second */
};

static struct {
	unsigned seen[ASKER];
	uint64_t last[ASKER];
	bool lagged[ASKER], ended[ASKER];
	struct bench_chunks chunks[ASKER];
} follow;

/* Takes what has come to one follower, at most n octets: "id: N" begins each event. */
static void take_events(unsigned f, struct caller *c, size_t n)
{
	static char raw[BUF / 2];
	ssize_t got = recv(c->fd, raw, n < sizeof raw ? n : sizeof raw, MSG_DONTWAIT);
	char *p, *line;

	if (got <= 0) {
		if (f < FOLLOWERS)
			bench_die("follower %u was cut: %s", f, got < 0 ? strerror(errno) : "end");
		follow.ended[f] |= got == 0 || errno != EAGAIN;
		return;
	}
	c->have += bench_chunks_take(
		&follow.chunks[f], raw, (size_t) got, c->buf + c->have, BUF - c->have);
	follow.lagged[f] |= strstr(c->buf, "event: lagged") != NULL;
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

/* So many seconds of EVENTS_PER_S events, and until a second is quiet. Events; and the p99 of the
 * allocations that caused them, window by window. */
static unsigned send_events(unsigned seconds, struct bench_windows *ret_p99)
{
	uint64_t begin = bench_now_us(), slow_us = begin, quiet_us = begin;
	unsigned sent = 0, want = seconds * EVENTS_PER_S;
	struct answer a;

	bench_hist_clear();
	while (sent < want || bench_now_us() - quiet_us < 1000000) {
		struct epoll_event ev[256];
		uint64_t now = bench_now_us();
		struct caller *asker = &caller[ASKER + sent % ASKERS];
		int n;

		if (asker->idle && sent < want && (now - begin) * EVENTS_PER_S / 1000000 > sent) {
			ask_lease(asker, NULL, ex.next_owner++);
			if (++sent % (3 * EVENTS_PER_S) == 0) {
				bench_window_add(ret_p99, bench_hist_ms(0.99));
				bench_hist_clear();
			}
		}
		for (unsigned i = FOLLOWERS; i < FOLLOWERS + SLOW && now - slow_us > 100000; i++)
			if (caller[i].buf)
				take_events(i, &caller[i], SLOW_OCTETS);
		if (now - slow_us > 100000)
			slow_us = now;
		n = epoll_wait(epfd, ev, 256, 2);
		quiet_us = n > 0 ? bench_now_us() : quiet_us;
		for (int i = 0; i < n; i++) {
			struct caller *c = ev[i].data.ptr;

			if (c < &caller[ASKER])
				take_events((unsigned) (c - caller), c, BUF);
			else if (take_answer(c, &a) && a.status != 201)
				bench_die("%d: %.*s", a.status, (int) a.body_n, a.body);
		}
	}
	return sent;
}

/* They are in when each has got its first comment. */
static void follow_events(unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		caller_open(&caller[i], i);
		ask(&caller[i], "GET", "/v1/events", "Accept: text/event-stream\r\n", NULL);
		if (i >= FOLLOWERS) /* these are not told when there is something to read */
			(void) epoll_ctl(epfd, EPOLL_CTL_DEL, caller[i].fd, NULL);
	}
	for (unsigned i = from; i < to; i++) {
		struct caller *c = &caller[i];

		const char *head = NULL;

		do {
			ssize_t n = recv(c->fd, c->buf + c->have, 1024, 0);

			if (n <= 0 || c->have > BUF / 2)
				bench_die("follower %u does not get in", i);
			c->have += (size_t) n;
			c->buf[c->have] = 0;
			head = strstr(c->buf, "\r\n\r\n");
		} while (!head || !strstr(head, "\r\n:\n\n"));
		head += 4;
		size_t n = c->have - (size_t) (head - c->buf);
		char first[2048];

		if (n > sizeof first)
			bench_die("follower %u: %zu octets at once", i, n);
		memcpy(first, head, n);
		c->have = 0;
		c->have = bench_chunks_take(&follow.chunks[i], first, n, c->buf, BUF);
	}
}

static unsigned followers_with(unsigned events)
{
	unsigned n = 0;

	for (unsigned i = 0; i < FOLLOWERS; i++)
		n += follow.seen[i] == events;
	return n;
}

/* Those that were slow read to the end now: all of it, or "lagged" and the end. */
static unsigned read_the_rest(unsigned events)
{
	uint64_t begin = bench_now_us();
	unsigned good = 0;

	while (bench_now_us() - begin < 3000000) {
		for (unsigned i = FOLLOWERS; i < ASKER; i++)
			if (!follow.ended[i])
				take_events(i, &caller[i], BUF);
		(void) poll(NULL, 0, 1);
	}
	for (unsigned i = FOLLOWERS; i < ASKER; i++)
		good += follow.seen[i] == events || follow.lagged[i];
	return good;
}

static void row_events(void)
{
	uint64_t begin, cpu;
	unsigned sent, more, all, told;
	struct bench_windows alone = {0}, beside = {0};
	double p99;

	bench_broker_prepare("10.0.0.0/8", "86400",
		"limits { leases-per-principal = 0 }\nrest { connections = 2000 event-streams = 1500 }\n");
	(void) bench_broker_start();
	epfd = epoll_create1(EPOLL_CLOEXEC);
	follow_events(0, FOLLOWERS);
	for (unsigned i = ASKER; i < ASKER + ASKERS; i++)
		caller_open(&caller[i], i);
	begin = bench_now_us();
	cpu = bench_broker_cpu_us();
	ex.next_owner = 1;
	sent = send_events(12, &alone);
	p99 = bench_window_at(&alone, 0.5);
	all = followers_with(sent);
	(void) printf(
		"%-34s %u events to each of %u followers: %u of them got every one, in order; allocations p99 %.1f ms, broker %.0f %% busy\n",
		"live events, 100 a second", sent, FOLLOWERS, all, p99,
		(double) (bench_broker_cpu_us() - cpu) * 100 / (double) (bench_now_us() - begin));
	bench_goal(all == FOLLOWERS, "1,000 subscribers, 100 events/s, nothing lost");
	follow_events(FOLLOWERS, ASKER);
	more = send_events(18, &beside);
	all = followers_with(sent + more);
	told = read_the_rest(more);
	(void) printf(
		"%-34s %u events: %u of %u followers got every one; allocations p99 %.1f ms; of the slow and the stopped %u of %u got all or were told\n",
		"with 10 slow and 10 stopped ones", more, all, FOLLOWERS,
		bench_window_at(&beside, 0.5), told, SLOW + STOPPED);
	bench_goal(all == FOLLOWERS && bench_window_at(&beside, 0.5) <= 2 * p99 + 5,
		"a slow one slows nobody: nothing lost by the others, p99 at most doubled and 5 ms");
	bench_goal(told == SLOW + STOPPED, "nothing lost, or the subscriber told so");
	for (unsigned i = 0; i < ASKER + ASKERS; i++)
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
	if (bench_goals_missed())
		(void) printf("%u goals were not met\n", bench_goals_missed());
	return bench_goals_missed() > 0;
}
