/* SPDX-License-Identifier: BSD-2-Clause */
/* A request with an Idempotency-Key is done once, whatever happens to the broker: many callers POST
 * leases, pools, ranges, exclusions, reservations, users and a TEP over the Unix socket, each key
 * from two of them at about the same time, and 64 at once send one key, while the broker is killed
 * with SIGKILL. After its restart every key is sent again: the answer is the one that anybody saw
 * before, octet by octet; another body is refused; the leases are as many as their keys. HTTP and
 * JSON are read by hand here: no code, and so no bug, is shared with the broker. Threads: the main
 * thread starts, kills and counts; callers live for one phase; an entry has a lock. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/crash-broker.h"
#include "tests/lib/tsp-hand.h"

enum { CALLERS = 16, BURST = 64, PER_ROUND = 2000, OLD = 200 };

enum kind { LEASE, POOL, RANGE, EXCLUSION, RESERVATION, USER, TEP, KINDS };
static const char *const kind_name[KINDS] = {
	"leases", "pools", "ranges", "exclusions", "reservations", "users", "TEPs"};

/* One key. */
struct entry {
	pthread_mutex_t lock; /* of all below */
	char *body;           /* of the first answer that came; NULL: none did */
	char location[80];
	unsigned answers;
	bool gone; /* a lease that was given back */
};

static struct entry *entries;
static unsigned n_entries;          /* those of earlier rounds and of this one */
static unsigned round_begin;        /* the first of this round */
static atomic_uint next_turn;       /* of a phase */
static atomic_bool dead;            /* the broker was killed */
static unsigned seen_before[KINDS]; /* answered before the kill; main thread, after a phase */
static unsigned long sent_again;

/* ---- what is asked ---- */

static enum kind kind_of(unsigned n)
{
	if (n % PER_ROUND == 0)
		return TEP;
	switch (n % 256) {
	case 2:
		return POOL;
	case 3:
		return RANGE;
	case 4:
		return EXCLUSION;
	default:
		return n % 16 == 5 ? USER : n % 16 == 6 ? RESERVATION : LEASE;
	}
}

static void render_addr(char to[20], uint32_t addr)
{
	snprintf(to, 20, "%u.%u.%u.%u", addr >> 24, addr >> 16 & 255, addr >> 8 & 255, addr & 255);
}

/* other: the same key, and not the same request. */
static const char *render_body(unsigned n, bool other, char to[256])
{
	char addr[20];

	switch (kind_of(n)) {
	case LEASE:
		snprintf(to, 256,
			"{\"pool\":\"default\",\"owner\":\"rest:key-%u\",\"ipv6\":\"2001:db8:%x:%x::1\"%s}",
			n, n >> 16 & 0xffff, n & 0xffff, other ? ",\"lifetime_s\":77" : "");
		return "/v1/leases";
	case POOL:
		snprintf(to, 256, "{\"name\":\"p%u\",\"tep\":\"edge1\"%s}", n,
			other ? ",\"order\":7" : "");
		return "/v1/pools";
	case RANGE:
		render_addr(addr, 0xac100000u + n / 256 * 8 + (other ? 4 : 0));
		snprintf(to, 256, "{\"range\":\"%s/30\"}", addr);
		return "/v1/pools/default/ranges";
	case EXCLUSION:
		render_addr(addr, 0x0a780000u + n / 256 * 8 + (other ? 4 : 0));
		snprintf(to, 256, "{\"range\":\"%s/30\"}", addr);
		return "/v1/pools/default/exclusions";
	case RESERVATION:
		render_addr(addr, 0x0a700000u + n);
		snprintf(to, 256, "{\"address\":\"%s\",\"owner\":\"user:%s\"}", addr,
			other ? "mallory" : "alice");
		return "/v1/reservations";
	case USER:
		/* A few with a password, which is costly. */
		snprintf(to, 256, "{\"name\":\"u%u\"%s%s}", n,
			n % 512 == 5 ? ",\"password\":\"as it was\"" : "",
			other ? ",\"max_leases\":3" : "");
		return "/v1/users";
	default:
		snprintf(to, 256, "{\"name\":\"edge2\",\"ipv6\":\"2001:db8::%s\"}",
			other ? "3" : "2");
		return "/v1/teps";
	}
}

/* ---- HTTP, as little as it takes ---- */

struct conn {
	int fd; /* -1: closed */
	char buf[16384];
	size_t have;
};

struct reply {
	int status;
	const char *body; /* ends with 0; good until the next request */
	char location[80], etag[32];
	bool replayed;
};

static bool conn_open(struct conn *c)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	const struct timeval limit = {.tv_sec = 20};

	c->have = 0;
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(sa.sun_path, sizeof sa.sun_path, "%s/state/api.sock", crash_broker.dir);
	if (c->fd < 0 || setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0)
		hand_die("socket: %s", strerror(errno));
	if (connect(c->fd, (struct sockaddr *) &sa, sizeof sa) == 0)
		return true;
	close(c->fd);
	c->fd = -1;
	return false;
}

static void conn_close(struct conn *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

static bool send_request(struct conn *c, const char *method, const char *path, const char *header,
	const char *value, const char *body)
{
	char out[1024];
	int n = snprintf(out, sizeof out,
		"%s %s HTTP/1.1\r\nHost: x\r\n%s%s%s%s%sContent-Length: %zu\r\n\r\n%s", method,
		path, body ? "Content-Type: application/json\r\n" : "", header ? header : "",
		header ? ": " : "", header ? value : "", header ? "\r\n" : "",
		body ? strlen(body) : 0, body ? body : "");

	return send(c->fd, out, (size_t) n, MSG_NOSIGNAL) == n;
}

static void take_header(const char *head, const char *name, char *to, size_t n)
{
	const char *p = strstr(head, name);
	size_t len;

	to[0] = 0;
	if (!p)
		return;
	p += strlen(name);
	len = strcspn(p, "\r");
	if (len >= n)
		hand_die("a long header: %.200s", p);
	memcpy(to, p, len);
	to[len] = 0;
}

/* One whole answer. false: the broker went away. */
static bool take_reply(struct conn *c, struct reply *ret)
{
	char *end = NULL, text[24];
	size_t want = 0;

	while (!end || c->have < want) {
		ssize_t n = recv(c->fd, c->buf + c->have, sizeof c->buf - 1 - c->have, 0);

		if (n < 0 && errno == EAGAIN)
			hand_die("no answer within 20 s");
		if (n <= 0)
			return false;
		c->have += (size_t) n;
		c->buf[c->have] = 0;
		if (!end && (end = strstr(c->buf, "\r\n\r\n")) != NULL) {
			end[2] = 0;
			take_header(c->buf, "Content-Length: ", text, sizeof text);
			want = (size_t) (end - c->buf) + 4 + strtoul(text, NULL, 10);
			if (want >= sizeof c->buf)
				hand_die("an answer of %zu octets", want);
		}
	}
	if (c->have != want)
		hand_die("octets after an answer: %s", end + 4);
	ret->status = atoi(c->buf + 9);
	ret->body = end + 4;
	take_header(c->buf, "Location: ", ret->location, sizeof ret->location);
	take_header(c->buf, "ETag: ", ret->etag, sizeof ret->etag);
	take_header(c->buf, "Idempotency-Replayed: ", text, sizeof text);
	ret->replayed = strcmp(text, "true") == 0;
	c->have = 0;
	return true;
}

/* A request that must be answered. */
static void call(struct conn *c, const char *method, const char *path, const char *header,
	const char *value, const char *body, struct reply *ret)
{
	if (!send_request(c, method, path, header, value, body) || !take_reply(c, ret))
		hand_die("%s %s: the broker closed", method, path);
}

static uint64_t number_after(const char *text, const char *name)
{
	const char *p = strstr(text, name);

	if (!p)
		hand_die("no %s in %s", name, text);
	return strtoull(p + strlen(name), NULL, 10);
}

/* ---- one key ---- */

static bool send_key(struct conn *c, unsigned n, bool other)
{
	char body[256], key[32];
	const char *path = render_body(n, other, body);

	snprintf(key, sizeof key, "\"crash-%u\"", n);
	return send_request(c, "POST", path, "Idempotency-Key", key, body);
}

/* What every answer to one key must be: the first one. */
static void note_reply(unsigned n, const struct reply *a)
{
	struct entry *e = &entries[n];

	pthread_mutex_lock(&e->lock);
	if (a->status != 201)
		hand_die("key %u (%s): %d %s; before: %s", n, kind_name[kind_of(n)], a->status,
			a->body, e->body ? e->body : "nothing");
	if (!e->body) {
		e->body = strdup(a->body);
		snprintf(e->location, sizeof e->location, "%s", a->location);
	} else if (strcmp(e->body, a->body) != 0 || strcmp(e->location, a->location) != 0) {
		hand_die("key %u has two answers:\n%s %s\n%s %s", n, e->location, e->body,
			a->location, a->body);
	}
	e->answers++;
	pthread_mutex_unlock(&e->lock);
}

static void repeat_key(struct conn *c, unsigned n)
{
	struct reply a;

	if (!send_key(c, n, false) || !take_reply(c, &a))
		hand_die("key %u: the broker closed", n);
	/* The configuration brings its TEP back at the start: then a key that was not executed
	 * comes too late. */
	if (kind_of(n) == TEP && !entries[n].body && a.status == 409)
		return;
	note_reply(n, &a);
	if (entries[n].answers > 1 && !a.replayed && kind_of(n) != TEP)
		hand_die("key %u: a repeated answer does not say so", n);
}

static void check_key(struct conn *c, unsigned n)
{
	struct reply a;

	repeat_key(c, n);
	repeat_key(c, n);
	if (!entries[n].body)
		return;
	if (!send_key(c, n, true) || !take_reply(c, &a))
		hand_die("key %u: the broker closed", n);
	if (a.status != 422 || !strstr(a.body, "\"key-reused\""))
		hand_die("key %u with another request: %d %s", n, a.status, a.body);
	if (kind_of(n) == LEASE && n % 4 != 0) {
		/* A lease that is gone is not granted again for an old key. */
		call(c, "DELETE", entries[n].location, NULL, NULL, NULL, &a);
		if (a.status != 204)
			hand_die("DELETE %s: %d %s", entries[n].location, a.status, a.body);
		entries[n].gone = true;
		repeat_key(c, n);
	}
}

/* ---- phases ---- */

/* Until the broker is killed: two turns for each key. */
static void *load_main(void *arg)
{
	struct conn *c = arg;
	struct reply a;

	while (!atomic_load(&dead)) {
		unsigned turn = atomic_fetch_add(&next_turn, 1);
		unsigned n = round_begin + turn / 2;

		if (turn >= 2 * (PER_ROUND - 1))
			break;
		if (c->fd < 0 && !conn_open(c))
			break;
		if (!send_key(c, n, false) || !take_reply(c, &a)) {
			if (!atomic_load(&dead))
				hand_die("key %u: the broker closed by itself", n);
			break;
		}
		note_reply(n, &a);
	}
	conn_close(c);
	return NULL;
}

static void *check_main(void *arg)
{
	struct conn *c = arg;

	if (!conn_open(c))
		hand_die("no connection after the restart: %s", strerror(errno));
	for (;;) {
		unsigned n = round_begin + atomic_fetch_add(&next_turn, 1);

		if (n >= n_entries)
			break;
		check_key(c, n);
	}
	conn_close(c);
	return NULL;
}

static struct conn conns[CALLERS], burst[BURST];
static pthread_t threads[CALLERS];

static void phase_begin(void *(*fn)(void *) )
{
	atomic_store(&next_turn, 0);
	for (unsigned i = 0; i < CALLERS; i++) {
		conns[i].fd = -1;
		if (pthread_create(&threads[i], NULL, fn, &conns[i]) != 0)
			hand_die("no thread");
	}
}

static void phase_end(void)
{
	for (unsigned i = 0; i < CALLERS; i++)
		pthread_join(threads[i], NULL);
}

/* BURST connections send one key at once. kill: the broker dies some moments later; what it could
 * still say counts. Returns the answers. */
static unsigned burst_key(unsigned n, int kill_after_us)
{
	unsigned got = 0;
	struct reply a;

	for (unsigned i = 0; i < BURST; i++)
		if (!conn_open(&burst[i]))
			hand_die("no connection: %s", strerror(errno));
	for (unsigned i = 0; i < BURST; i++)
		if (!send_key(&burst[i], n, false))
			hand_die("key %u: the broker closed by itself", n);
	if (kill_after_us >= 0) {
		const struct timespec pause = {.tv_nsec = kill_after_us * 1000L};

		nanosleep(&pause, NULL);
		atomic_store(&dead, true);
		crash_broker_end(SIGKILL);
	}
	for (unsigned i = 0; i < BURST; i++) {
		if (take_reply(&burst[i], &a)) {
			note_reply(n, &a);
			got++;
		}
		conn_close(&burst[i]);
	}
	return got;
}

/* ---- the whole ---- */

static bool ready(void)
{
	struct conn *c = &burst[0];
	struct reply a;
	bool is = conn_open(c) && send_request(c, "GET", "/healthz", NULL, NULL, NULL) &&
		  take_reply(c, &a) && a.status == 200;

	conn_close(c);
	return is;
}

/* Of this round there is a TEP to make. */
static void remove_tep(void)
{
	struct conn *c = &burst[0];
	struct reply a;

	if (!conn_open(c))
		hand_die("no connection: %s", strerror(errno));
	call(c, "GET", "/v1/teps/edge2", NULL, NULL, NULL, &a);
	if (a.status == 200) {
		char etag[32];

		memcpy(etag, a.etag, sizeof etag);
		call(c, "DELETE", "/v1/teps/edge2", "If-Match", etag, NULL, &a);
		if (a.status != 204)
			hand_die("DELETE of the TEP: %d %s", a.status, a.body);
	}
	conn_close(c);
}

static int compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;

	return x < y ? -1 : x > y;
}

static uint32_t address_of(const char *body)
{
	const char *p = strstr(body, "\"address\":\"");
	unsigned a, b, c, d;

	if (!p || sscanf(p + 11, "%u.%u.%u.%u", &a, &b, &c, &d) != 4)
		hand_die("no address in %s", body);
	return a << 24 | b << 16 | c << 8 | d;
}

/* As many leases are held, and were ever granted, as keys say; none is held twice. */
static void count_leases(unsigned round)
{
	struct conn *c = &burst[0];
	uint32_t *held = malloc(n_entries * sizeof *held);
	unsigned n_held = 0, granted = 0;
	struct reply a;

	if (!held || !conn_open(c))
		hand_die("no connection: %s", strerror(errno));
	for (unsigned n = 0; n < n_entries; n++) {
		if (kind_of(n) != LEASE || !entries[n].body)
			continue;
		granted++;
		if (!entries[n].gone)
			held[n_held++] = address_of(entries[n].body);
	}
	qsort(held, n_held, sizeof *held, compare_u32);
	for (unsigned i = 1; i < n_held; i++)
		if (held[i] == held[i - 1])
			hand_die("round %u: address %08x is held twice", round, held[i]);
	call(c, "GET", "/v1/leases?state=active&limit=1&count=exact", NULL, NULL, NULL, &a);
	if (a.status != 200 || number_after(a.body, "\"count\":") != n_held)
		hand_die("round %u: %u leases should be held: %s", round, n_held, a.body);
	call(c, "GET", "/v1/history?pool=default&limit=1&count=exact", NULL, NULL, NULL, &a);
	if (a.status != 200 || number_after(a.body, "\"count\":") != granted)
		hand_die(
			"round %u: %u leases should have been granted: %s", round, granted, a.body);
	conn_close(c);
	free(held);
}

/* Keys of earlier rounds. */
static void check_old(unsigned *seed)
{
	struct conn *c = &burst[0];

	if (!conn_open(c))
		hand_die("no connection: %s", strerror(errno));
	for (unsigned i = 0; i < OLD && round_begin > 0; i++) {
		unsigned n = (unsigned) rand_r(seed) % round_begin;

		if (entries[n].body) {
			repeat_key(c, n);
			sent_again++;
		}
	}
	conn_close(c);
}

struct tally {
	int64_t slowest;
	unsigned long keys, unseen, cut;
};

static void one_round(unsigned round, unsigned *seed, struct tally *t)
{
	unsigned dice = (unsigned) rand_r(seed), at_once = round_begin + PER_ROUND - 1, got, turns;
	int after_ms = 1 + (int) (dice % 250);

	remove_tep();
	atomic_store(&dead, false);
	phase_begin(load_main);
	poll(NULL, 0, after_ms);
	got = burst_key(at_once, (int) (dice / 256 % 12000));
	phase_end();
	turns = atomic_load(&next_turn);
	n_entries = round_begin + PER_ROUND;
	for (unsigned n = round_begin; n < n_entries; n++) {
		t->unseen += turns / 2 > n - round_begin && !entries[n].body;
		if (entries[n].body) {
			seen_before[kind_of(n)]++;
			t->keys++;
		}
	}
	t->cut += got < BURST;
	int64_t took = crash_broker_start(ready);

	t->slowest = took > t->slowest ? took : t->slowest;
	(void) burst_key(at_once, -1);
	/* Only those that were sent, by and large: the rest is for the next rounds' numbers. */
	n_entries = round_begin + (turns / 2 + 1 < PER_ROUND ? turns / 2 + 1 : PER_ROUND);
	phase_begin(check_main);
	phase_end();
	n_entries = round_begin + PER_ROUND;
	check_old(seed);
	count_leases(round);
	round_begin = n_entries;
	if (round % 10 == 9)
		printf("# round %u: killed after %d ms with %u of %d answers of one key said; back in %" PRId64
		       " ms\n",
			round + 1, after_ms, got, BURST, took);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct tally t = {0};

	if (argc < 5) {
		puts("usage: kill9_keys BROKER PLUGIN-DIR STATE-DIR ROUNDS [SEED]\n"
		     "Kills the broker ROUNDS times under requests with Idempotency-Keys; each is done once.");
		return 2;
	}
	crash_broker = (struct crash_broker){argv[1], argv[2], argv[3], 0};
	unsigned rounds = (unsigned) strtoul(argv[4], NULL, 10);
	unsigned seed = argc > 5 ? (unsigned) strtoul(argv[5], NULL, 10) : (unsigned) time(NULL);

	printf("# seed %u, %u rounds\n", seed, rounds);
	fflush(stdout);
	signal(SIGPIPE, SIG_IGN);
	entries = calloc((size_t) rounds * PER_ROUND + 1, sizeof *entries);
	if (!entries)
		hand_die("no memory");
	for (unsigned n = 0; n < rounds * PER_ROUND; n++)
		pthread_mutex_init(&entries[n].lock, NULL);
	crash_broker_configure("limits { leases-per-principal = 0 }\n"
			       "tep \"edge1\" { plugin = \"null\"  ipv6 = \"2001:db8::1\" }\n"
			       "tep \"edge2\" { plugin = \"null\"  ipv6 = \"2001:db8::2\" }\n"
			       "pool \"default\" { range = { \"10.64.0.0/10\" }  tep = \"edge1\""
			       "  lifetime = 86400  quarantine = 0 }\n");
	(void) crash_broker_start(ready);
	for (unsigned r = 0; r < rounds; r++)
		one_round(r, &seed, &t);
	crash_broker_end(SIGTERM);
	crash_broker_check_db();
	printf("# %lu keys answered before a kill, %lu sent and not answered, %lu old ones sent again; "
	       "one key from 64 callers was cut short %lu times; slowest restart %" PRId64 " ms\n#",
		t.keys, t.unseen, sent_again, t.cut, t.slowest);
	for (unsigned k = 0; k < KINDS; k++)
		printf(" %u %s", seen_before[k], kind_name[k]);
	putchar('\n');
	if (seen_before[LEASE] < rounds * 10 || seen_before[USER] == 0 || t.unseen == 0)
		hand_die("hardly any load: the test proves nothing");
	if (t.slowest > 2000)
		hand_die("a restart took %" PRId64 " ms, 2000 are promised", t.slowest);
	for (unsigned n = 0; n < rounds * PER_ROUND; n++)
		free(entries[n].body);
	free(entries);
	return 0;
}
