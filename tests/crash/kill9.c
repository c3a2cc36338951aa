/* SPDX-License-Identifier: BSD-2-Clause */
/* R1 of the promise: kill -9 of the broker at random moments under load loses no acknowledged lease
 * and gives no address to two. Starts the real causewayd, drives it with many TSP connections that
 * remember every answer, kills it, starts it again and asks for every lease by name. Threads: the
 * main thread starts, kills and checks; workers own their identities and only run between. */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/crash-broker.h"
#include "tests/lib/tsp-hand.h"

enum { WORKERS = 12, IDENTITIES = 250, OPS_PER_CONNECTION = 40 };

/* What a client may rightly believe about its lease. UNKNOWN: the broker died while a request was
 * in flight. */
enum belief { NONE, HELD, UNKNOWN };

struct identity {
	char ip6[48];
	enum belief belief;
	uint32_t addr; /* HELD; host order */
	long answered; /* answers seen, for the report */
};

struct worker {
	pthread_t thread;
	unsigned index;
	unsigned seed;
	struct identity id[IDENTITIES];
	long creates, renews, deletes, refused;
};

static struct worker workers[WORKERS];
static uint16_t port;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_changed = PTHREAD_COND_INITIALIZER;
static bool running, quitting;
static unsigned active;
/* ---- workers ---- */

/* One request and its answer. false: the connection is gone (and the identity's belief says so). */
static bool worker_op(struct worker *w, struct hand *c, struct identity *id)
{
	char req[1024], reply[4096];
	unsigned dice = (unsigned) rand_r(&w->seed) % 100;
	const char *action = "create";
	bool named = false;

	if (id->belief == HELD && dice < 35) {
		action = "delete";
		named = true;
	} else if (id->belief == HELD) {
		named = true; /* renewal */
	}
	enum belief before = id->belief;

	hand_request(req, sizeof req, action, id->ip6, named ? id->addr : 0);
	/* Until the answer is here a renewal or a create cannot have taken a held lease away, but a
	 * delete may have. */
	if (action[0] == 'd' || before == NONE)
		id->belief = UNKNOWN;
	if (hand_send(c, req, strlen(req)) < 0)
		return false;
	int code = hand_reply(c, reply, sizeof reply);

	if (code < 0)
		return false;
	id->answered++;
	if (action[0] == 'd') {
		if (code != 200 && before == HELD)
			hand_die("delete of a held lease of %s answered: %.40s", id->ip6, reply);
		id->belief = NONE;
		w->deletes++;
		return true;
	}
	if (code != 200) {
		if (before == HELD)
			hand_die("renewal of a held lease of %s answered: %.40s", id->ip6, reply);
		id->belief = NONE;
		w->refused++;
		return true;
	}
	uint32_t addr = hand_ipv4(reply);

	if (!addr)
		hand_die("200 without a client IPv4: %s", reply);
	if (before == HELD && addr != id->addr)
		hand_die("renewal of %s changed its address", id->ip6);
	id->addr = addr;
	id->belief = HELD;
	before == HELD ? w->renews++ : w->creates++;
	return true;
}

static void worker_round(struct worker *w)
{
	struct hand c = {.fd = -1};

	for (;;) {
		pthread_mutex_lock(&gate);
		bool go = running;

		pthread_mutex_unlock(&gate);
		if (!go)
			return;
		if (hand_login(&c, port) < 0) {
			hand_close(&c);
			poll(NULL, 0, 2); /* the broker is down; the main thread ends the round */
			continue;
		}
		for (unsigned i = 0; i < OPS_PER_CONNECTION; i++)
			if (!worker_op(w, &c, &w->id[(unsigned) rand_r(&w->seed) % IDENTITIES]))
				break;
		hand_close(&c);
	}
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	for (;;) {
		pthread_mutex_lock(&gate);
		while (!running && !quitting)
			pthread_cond_wait(&gate_changed, &gate);
		if (quitting) {
			pthread_mutex_unlock(&gate);
			return NULL;
		}
		active++;
		pthread_mutex_unlock(&gate);
		worker_round(w);
		pthread_mutex_lock(&gate);
		active--;
		pthread_cond_broadcast(&gate_changed);
		pthread_mutex_unlock(&gate);
	}
}

static void gate_set(bool run)
{
	pthread_mutex_lock(&gate);
	running = run;
	pthread_cond_broadcast(&gate_changed);
	while (!run && active > 0)
		pthread_cond_wait(&gate_changed, &gate);
	pthread_mutex_unlock(&gate);
}

/* ---- the broker ---- */

static bool ready(void)
{
	struct hand c = {.fd = -1};
	int r = hand_login(&c, port);

	hand_close(&c);
	return r == 0;
}

/* ---- the check ---- */

static int compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;

	return x < y ? -1 : x > y;
}

/* Asks the broker about every identity: what was acknowledged must be there, unchanged; nothing
 * twice. */
static unsigned check_all(unsigned round)
{
	static uint32_t seen[WORKERS * IDENTITIES];
	unsigned held = 0;
	struct hand c = {.fd = -1};

	if (hand_login(&c, port) < 0)
		hand_die("round %u: no session after the restart", round);
	for (unsigned w = 0; w < WORKERS; w++) {
		for (unsigned i = 0; i < IDENTITIES; i++) {
			struct identity *id = &workers[w].id[i];
			char req[1024], reply[4096];

			hand_request(req, sizeof req, "info", id->ip6, 0);
			if (hand_send(&c, req, strlen(req)) < 0)
				hand_die("round %u: the broker closed during the check", round);
			int code = hand_reply(&c, reply, sizeof reply);

			if (code < 0)
				hand_die("round %u: the broker closed during the check", round);
			uint32_t addr = code == 200 ? hand_ipv4(reply) : 0;

			if (id->belief == HELD && addr != id->addr)
				hand_die(
					"round %u: acknowledged lease of %s lost: had %08x, now '%.60s'",
					round, id->ip6, id->addr, reply);
			if (id->belief == NONE && addr)
				hand_die("round %u: %s released its lease, and it is back", round,
					id->ip6);
			id->belief = addr ? HELD : NONE;
			id->addr = addr;
			if (addr)
				seen[held++] = addr;
		}
	}
	hand_close(&c);
	qsort(seen, held, sizeof seen[0], compare_u32);
	for (unsigned i = 1; i < held; i++)
		if (seen[i] == seen[i - 1])
			hand_die("round %u: address %08x is held twice", round, seen[i]);
	return held;
}

static void pick_port(void)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	socklen_t len = sizeof a;
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *) &a, sizeof a) < 0 ||
		getsockname(fd, (struct sockaddr *) &a, &len) < 0)
		hand_die("no port: %s", strerror(errno));
	port = ntohs(a.sin6_port);
	close(fd);
}

static void usage(void)
{
	puts("usage: kill9 BROKER PLUGIN-DIR STATE-DIR ROUNDS [SEED]\n"
	     "Kills the broker ROUNDS times under load and checks that no acknowledged lease is lost.");
}

int main(int argc, char **argv)
{
	long total[4] = {0};
	int64_t slowest = 0;

	if (argc < 5) {
		usage();
		return 2;
	}
	crash_broker = (struct crash_broker){argv[1], argv[2], argv[3], 0};
	unsigned rounds = (unsigned) strtoul(argv[4], NULL, 10);
	unsigned seed = argc > 5 ? (unsigned) strtoul(argv[5], NULL, 10) : (unsigned) time(NULL);

	printf("# seed %u, %u rounds\n", seed, rounds);
	fflush(stdout);
	signal(SIGPIPE, SIG_IGN);
	pick_port();
	crash_broker_configure(
		"tsp { listen = { \"[::1]:%u\" }  mechanisms = { \"ANONYMOUS\" }  realm = \"crash.example\" }\n"
		"tep \"edge1\" { plugin = \"null\"  ipv4 = \"192.0.2.1\"  ipv6 = \"2001:db8::1\" }\n"
		/* Small enough that addresses are reused all the time, without quarantine. */
		"pool \"default\" { range = { \"10.64.0.0/21\" }  exclude = { \"10.64.0.0/30\" }  tep = \"edge1\""
		"  lifetime = 3600  quarantine = 0 }\n",
		port);
	for (unsigned w = 0; w < WORKERS; w++) {
		workers[w].index = w;
		workers[w].seed = seed * 31 + w;
		for (unsigned i = 0; i < IDENTITIES; i++)
			snprintf(workers[w].id[i].ip6, sizeof workers[w].id[i].ip6,
				"2001:db8:1:%x::%x", w + 1, i + 1);
		if (pthread_create(&workers[w].thread, NULL, worker_main, &workers[w]) != 0)
			hand_die("no thread");
	}
	crash_broker_start(ready);
	for (unsigned r = 0; r < rounds; r++) {
		/* Mostly early, sometimes late: 1..2000 ms. */
		unsigned dice = (unsigned) rand_r(&seed);
		int after = dice % 4 ? 1 + (int) (dice / 4 % 400) : 1 + (int) (dice / 4 % 2000);

		gate_set(true);
		poll(NULL, 0, after);
		crash_broker_end(SIGKILL);
		gate_set(false);
		int64_t took = crash_broker_start(ready);
		unsigned held = check_all(r);

		if (took > slowest)
			slowest = took;
		if (r % 10 == 9 || r + 1 == rounds) {
			printf("# round %u: killed after %d ms, back in %lld ms, %u leases checked\n",
				r + 1, after, (long long) took, held);
			fflush(stdout);
		}
	}
	crash_broker_end(SIGTERM);
	crash_broker_check_db();
	pthread_mutex_lock(&gate);
	quitting = true;
	pthread_cond_broadcast(&gate_changed);
	pthread_mutex_unlock(&gate);
	for (unsigned w = 0; w < WORKERS; w++) {
		pthread_join(workers[w].thread, NULL);
		total[0] += workers[w].creates;
		total[1] += workers[w].renews;
		total[2] += workers[w].deletes;
		total[3] += workers[w].refused;
	}
	printf("# %ld creates, %ld renewals, %ld deletes acknowledged, %ld refused; slowest restart %lld ms\n",
		total[0], total[1], total[2], total[3], (long long) slowest);
	if (total[0] < (long) rounds || total[2] == 0)
		hand_die("hardly any load: the test proves nothing");
	if (slowest > 2000)
		hand_die("a restart took %lld ms, 2000 are promised", (long long) slowest);
	return 0;
}
