/* SPDX-License-Identifier: BSD-2-Clause */
/* Many clients of a broker that may die, lie or run full, for shell tests. They remember what
 * they were answered in FILE, a line per client: "IP6 held IP4", "IP6 none -", "IP6 unknown -"
 * (it asked, and no answer came). Anything no broker may answer ends the program with status 1.
 *
 *	tsp-churn PORT FILE run [-t THREADS] [-i CLIENTS] [-m MS] [-n OPS] [-c CAPACITY]
 *			[-s SEED] [-d DELETES]
 *		create, renew and delete until MS passed, OPS were done, or the broker is gone.
 *		CLIENTS are per thread. CAPACITY is the number of addresses: a client told "full"
 *		while fewer than that were held or asked for all the time is a mistake.
 *		DELETES: per cent of what holders ask.
 *	tsp-churn PORT FILE verify
 *		every "held" is true, every "none" too, no address twice; resolves the unknown
 *		ones in FILE
 *
 * Threads: a client belongs to one thread while it runs; the books of `pool` are under its lock. */
#include "config.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/tsp-hand.h"

enum { CLIENTS_MAX = 65535, THREADS_MAX = 256, OPS_PER_CONNECTION = 25, TRIES = 60 };
enum belief { NONE, HELD, UNKNOWN };
static const char *const words[] = {"none", "held", "unknown"};

struct client {
	char ip6[48];
	enum belief belief;
	uint32_t addr;
};

struct worker {
	pthread_t thread;
	unsigned index, seed;
	bool asking;   /* a create is on its way, */
	unsigned peak; /* and most of the pool was in use so far (without it) */
};

static struct {
	uint16_t port;
	const char *path;
	unsigned threads, clients, ms, capacity, deletes;
	long ops;
} conf = {.threads = 4, .clients = 20, .ms = 2000, .deletes = 35, .ops = 1000000000};
static struct client clients[CLIENTS_MAX];
static unsigned n_clients;
static struct worker workers[THREADS_MAX];
static int64_t end_ms;
static atomic_long ops_left;
static atomic_long creates, renewals, deletes, full, refused, failed, lost, false_full;
static atomic_bool gone;
static struct {
	pthread_mutex_t lock;
	unsigned used; /* held, or asked for, or not yet known to be free */
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- the pool's books ---- */

static void pool_ask(struct worker *w)
{
	pthread_mutex_lock(&pool.lock);
	w->asking = true;
	w->peak = pool.used++;
	for (unsigned i = 0; i < conf.threads; i++)
		if (workers[i].asking && &workers[i] != w && workers[i].peak < pool.used - 1)
			workers[i].peak = pool.used - 1;
	pthread_mutex_unlock(&pool.lock);
}

/* granted: the address stays used. Returns the most that others used meanwhile. */
static unsigned pool_answered(struct worker *w, bool granted)
{
	pthread_mutex_lock(&pool.lock);
	unsigned peak = w->peak;

	w->asking = false;
	if (!granted)
		pool.used--;
	pthread_mutex_unlock(&pool.lock);
	return peak;
}

static void pool_free(void)
{
	pthread_mutex_lock(&pool.lock);
	pool.used--;
	pthread_mutex_unlock(&pool.lock);
}

/* ---- running ---- */

static void created(
	struct worker *w, struct client *c, enum belief before, int code, const char *reply)
{
	uint32_t addr = code == 200 ? hand_ipv4(reply) : 0;
	bool counted = before == NONE;
	unsigned peak = counted ? pool_answered(w, code == 200) : 0;

	if (code == 200) {
		if (!addr)
			hand_die("200 without a client IPv4: %s", reply);
		if (before == HELD && addr != c->addr)
			hand_die("renewal of %s changed its address", c->ip6);
		c->addr = addr;
		c->belief = HELD;
		atomic_fetch_add(before == HELD ? &renewals : &creates, 1);
		return;
	}
	if (before == HELD && (code == 308 || code == 306))
		hand_die("renewal of a held lease of %s answered: %.60s", c->ip6, reply);
	if (code == 306) {
		atomic_fetch_add(&full, 1);
		if (counted && conf.capacity && peak < conf.capacity) {
			atomic_fetch_add(&false_full, 1);
			printf("# full, but at most %u of %u were used\n", peak, conf.capacity);
		}
		c->belief = NONE;
	} else if (code == 307) {
		atomic_fetch_add(&refused, 1);
		c->belief = before; /* rolled back, or kept */
	} else {
		atomic_fetch_add(&failed, 1);
		c->belief = before == HELD ? HELD : UNKNOWN;
	}
}

static void deleted(struct client *c, int code, const char *reply)
{
	if (code == 200) {
		c->belief = NONE;
		atomic_fetch_add(&deletes, 1);
		pool_free();
		return;
	}
	if (code == 308)
		hand_die("delete of a held lease of %s answered: %.60s", c->ip6, reply);
	atomic_fetch_add(&failed, 1);
	c->belief = UNKNOWN;
}

/* One request and its answer. false: the connection is gone. */
static bool one_op(struct worker *w, struct hand *h, struct client *c)
{
	char req[1024], reply[4096];
	enum belief before = c->belief;
	bool del = before == HELD && (unsigned) rand_r(&w->seed) % 100 < conf.deletes;

	hand_request(
		req, sizeof req, del ? "delete" : "create", c->ip6, before == HELD ? c->addr : 0);
	if (del || before == NONE)
		c->belief = UNKNOWN;
	if (before == NONE)
		pool_ask(w);
	int code = hand_send(h, req, strlen(req)) < 0 ? -1 : hand_reply(h, reply, sizeof reply);

	if (code < 0) {
		if (before == NONE)
			(void) pool_answered(w, true);
		atomic_fetch_add(&lost, 1);
		return false;
	}
	if (del)
		deleted(c, code, reply);
	else
		created(w, c, before, code, reply);
	return true;
}

static bool go_on(void)
{
	return !atomic_load(&gone) && now_ms() < end_ms && atomic_fetch_sub(&ops_left, 1) > 0;
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	struct hand h = {.fd = -1};
	unsigned tries = 0, n = 0;

	while (go_on()) {
		if (h.fd < 0) {
			n = 0;
			if (hand_login(&h, conf.port) < 0) {
				hand_close(&h);
				if (++tries == TRIES)
					atomic_store(&gone, true);
				poll(NULL, 0, 5);
				continue;
			}
			tries = 0;
		}
		unsigned at = w->index * conf.clients + (unsigned) rand_r(&w->seed) % conf.clients;

		/* What is unknown stays so until somebody verifies. */
		if (clients[at].belief == UNKNOWN && conf.capacity)
			continue;
		if (!one_op(w, &h, &clients[at]) || ++n == OPS_PER_CONNECTION)
			hand_close(&h);
	}
	hand_close(&h);
	return NULL;
}

/* ---- the file ---- */

static void load(void)
{
	char line[160], word[16], ip4[32];
	FILE *f = fopen(conf.path, "r");

	while (f && n_clients < CLIENTS_MAX && fgets(line, sizeof line, f)) {
		struct client *c = &clients[n_clients];
		struct in_addr a = {0};

		if (sscanf(line, "%47s %15s %31s", c->ip6, word, ip4) != 3)
			hand_die("%s: '%s'", conf.path, line);
		c->belief = word[0] == 'h' ? HELD : word[0] == 'u' ? UNKNOWN : NONE;
		if (c->belief == HELD && inet_pton(AF_INET, ip4, &a) != 1)
			hand_die("%s: '%s'", conf.path, line);
		c->addr = ntohl(a.s_addr);
		pool.used += c->belief != NONE;
		n_clients++;
	}
	if (f)
		fclose(f);
}

static void save(void)
{
	FILE *f = fopen(conf.path, "w");

	if (!f)
		hand_die("cannot write %s", conf.path);
	for (unsigned i = 0; i < n_clients; i++) {
		const struct client *c = &clients[i];
		struct in_addr a = {.s_addr = htonl(c->addr)};

		fprintf(f, "%s %s %s\n", c->ip6, words[c->belief],
			c->belief == HELD ? inet_ntoa(a) : "-");
	}
	if (fclose(f) != 0)
		hand_die("cannot write %s", conf.path);
}

/* ---- the two commands ---- */

static void run(void)
{
	while (n_clients < conf.threads * conf.clients) {
		struct client *c = &clients[n_clients++];

		snprintf(c->ip6, sizeof c->ip6, "2001:db8:c::%x", n_clients);
	}
	end_ms = now_ms() + conf.ms;
	atomic_store(&ops_left, conf.ops);
	for (unsigned i = 0; i < conf.threads; i++) {
		workers[i].index = i;
		workers[i].seed += i * 7919;
		if (pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]) != 0)
			hand_die("no thread");
	}
	for (unsigned i = 0; i < conf.threads; i++)
		pthread_join(workers[i].thread, NULL);
	save();
	printf("create %ld renew %ld delete %ld full %ld tep %ld failed %ld lost %ld false-full %ld%s\n",
		creates, renewals, deletes, full, refused, failed, lost, false_full,
		atomic_load(&gone) ? " gone" : "");
	if (false_full)
		hand_die("%ld clients were told 'full' while there was room", (long) false_full);
}

static int compare(const void *a, const void *b)
{
	const struct client *x = *(struct client *const *) a, *y = *(struct client *const *) b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static void verify(void)
{
	static struct client *held[CLIENTS_MAX];
	struct hand h = {.fd = -1};
	unsigned n = 0, was = 0, unknown = 0;

	if (hand_login(&h, conf.port) < 0)
		hand_die("no session on port %u", conf.port);
	for (unsigned i = 0; i < n_clients; i++) {
		struct client *c = &clients[i];
		char req[1024], reply[4096];

		hand_request(req, sizeof req, "info", c->ip6, 0);
		int code = hand_send(&h, req, strlen(req)) < 0
				   ? -1
				   : hand_reply(&h, reply, sizeof reply);

		if (code != 200 && code != 308)
			hand_die("info of %s: %d", c->ip6, code);
		uint32_t addr = code == 200 ? hand_ipv4(reply) : 0;

		if (c->belief == HELD && addr != c->addr)
			hand_die("acknowledged lease of %s lost: had %08x, now '%.60s'", c->ip6,
				c->addr, reply);
		if (c->belief == NONE && addr)
			hand_die("%s has no lease by what it was told, and one by the broker",
				c->ip6);
		was += c->belief == HELD;
		unknown += c->belief == UNKNOWN;
		c->belief = addr ? HELD : NONE;
		c->addr = addr;
		if (addr)
			held[n++] = c;
	}
	hand_close(&h);
	qsort(held, n, sizeof held[0], compare);
	for (unsigned i = 1; i < n; i++)
		if (held[i]->addr == held[i - 1]->addr)
			hand_die("%08x is held by %s and %s", held[i]->addr, held[i]->ip6,
				held[i - 1]->ip6);
	save();
	printf("%u held as acknowledged, %u of %u unknown hold one\n", was, n - was, unknown);
}

static int usage(void)
{
	fputs("usage: tsp-churn PORT FILE run [-t N] [-i N] [-m MS] [-n OPS] [-c N] [-s SEED] [-d PERCENT]\n"
	      "       tsp-churn PORT FILE verify\n",
		stderr);
	return 2;
}

int main(int argc, char **argv)
{
	unsigned seed = (unsigned) time(NULL);
	int c;

	if (argc < 4)
		return usage();
	conf.port = (uint16_t) strtoul(argv[1], NULL, 10);
	conf.path = argv[2];
	optind = 4;
	while ((c = getopt(argc, argv, "t:i:m:n:c:s:d:")) != -1) {
		unsigned v = c == '?' ? 0 : (unsigned) strtoul(optarg, NULL, 10);

		switch (c) {
		case 't':
			conf.threads = v < THREADS_MAX ? v : THREADS_MAX;
			break;
		case 'i':
			conf.clients = v;
			break;
		case 'm':
			conf.ms = v;
			break;
		case 'n':
			conf.ops = (long) v;
			break;
		case 'c':
			conf.capacity = v;
			break;
		case 's':
			seed = v;
			break;
		case 'd':
			conf.deletes = v;
			break;
		default:
			return usage();
		}
	}
	if (!conf.port || !conf.clients || conf.threads * conf.clients > CLIENTS_MAX)
		return usage();
	signal(SIGPIPE, SIG_IGN);
	for (unsigned i = 0; i < conf.threads; i++)
		workers[i].seed = seed;
	load();
	if (strcmp(argv[3], "run") == 0)
		run();
	else if (strcmp(argv[3], "verify") == 0)
		verify();
	else
		return usage();
	return 0;
}
