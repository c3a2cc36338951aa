/* SPDX-License-Identifier: BSD-2-Clause */
/* Two maps of the same kind of entry, by address and by network. Entries that hold nothing any more
 * are swept when the map has grown to its bound; if nothing can be swept, newcomers are refused,
 * those inside are not. */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "broker/auth/limits.h"

#define SOURCES_MAX     65536
#define FAILURE_KEEP_MS 600000 /* a failure is forgotten after so long without another */
#define BURST_S         2

struct entry {
	struct cw_addr6 key;
	unsigned connections;
	unsigned failures;
	int64_t failed_ms;
	int64_t tokens_milli; /* thousandths of a request */
	int64_t filled_ms;
};

struct cw_limits {
	struct cw_limits_config conf;
	struct cw_map *source, *network;
};

struct cw_source cw_source_of(const struct sockaddr *sa)
{
	struct cw_source s = {.exempt = true};

	if (!sa || (sa->sa_family != AF_INET && sa->sa_family != AF_INET6))
		return s;
	s.exempt = cw_sockaddr_is_loopback(sa);
	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *) (const void *) sa;

		s.addr.b[10] = s.addr.b[11] = 0xff;
		memcpy(&s.addr.b[12], &in->sin_addr, 4);
	} else {
		(void) cw_sockaddr_addr6(sa, &s.addr);
	}
	return s;
}

static struct cw_addr6 network_of(const struct cw_addr6 *a)
{
	struct cw_addr6 n = *a;
	unsigned keep = cw_addr6_is_v4mapped(a) ? 15 : 8;

	memset(&n.b[keep], 0, sizeof n.b - keep);
	return n;
}

struct cw_source cw_source_network(const struct cw_source *s)
{
	return (struct cw_source){.addr = network_of(&s->addr), .exempt = s->exempt};
}

static bool is_idle(const struct cw_limits *l, const struct entry *en, int64_t now_ms)
{
	if (en->connections || (en->failures && now_ms - en->failed_ms < FAILURE_KEEP_MS))
		return false;
	/* A full bucket is the same as a new one. */
	return en->tokens_milli + (now_ms - en->filled_ms) * l->conf.requests_per_s >=
	       (int64_t) l->conf.requests_per_s * BURST_S * 1000;
}

static void sweep(struct cw_limits *l, struct cw_map *m, int64_t now_ms)
{
	size_t iter = 0;
	struct entry *en;

	while ((en = cw_map_next(m, &iter)) != NULL) {
		if (!is_idle(l, en, now_ms))
			continue;
		(void) cw_map_take(m, en->key.b, sizeof en->key.b);
		(void) cw_free(en);
	}
}

/* NULL: no room. */
static struct entry *get(
	struct cw_limits *l, struct cw_map *m, const struct cw_addr6 *key, int64_t now_ms)
{
	struct entry *en = cw_map_get(m, key->b, sizeof key->b);

	if (en)
		return en;
	if (cw_map_count(m) >= SOURCES_MAX)
		sweep(l, m, now_ms);
	if (cw_map_count(m) >= SOURCES_MAX)
		return NULL;
	en = cw_zalloc(1, sizeof *en);
	if (!en)
		return NULL;
	en->key = *key;
	en->tokens_milli = (int64_t) l->conf.requests_per_s * BURST_S * 1000;
	en->filled_ms = now_ms;
	if (cw_map_put(m, key->b, sizeof key->b, en, NULL) < 0)
		return cw_free(en);
	return en;
}

bool cw_limits_enter(struct cw_limits *l, const struct cw_source *s, int64_t now_ms)
{
	struct cw_addr6 net = network_of(&s->addr);
	struct entry *a, *n;

	if (s->exempt)
		return true;
	a = get(l, l->source, &s->addr, now_ms);
	n = get(l, l->network, &net, now_ms);
	if (!a || !n || a->connections >= l->conf.per_source ||
		n->connections >= l->conf.per_network)
		return false;
	a->connections++;
	n->connections++;
	return true;
}

static void leave(struct cw_limits *l, struct cw_map *m, const struct cw_addr6 *key, int64_t now_ms)
{
	struct entry *en = cw_map_get(m, key->b, sizeof key->b);

	if (!en || !en->connections)
		return;
	if (--en->connections == 0 && is_idle(l, en, now_ms)) {
		(void) cw_map_take(m, key->b, sizeof key->b);
		(void) cw_free(en);
	}
}

void cw_limits_leave(struct cw_limits *l, const struct cw_source *s, int64_t now_ms)
{
	struct cw_addr6 net = network_of(&s->addr);

	if (s->exempt)
		return;
	leave(l, l->source, &s->addr, now_ms);
	leave(l, l->network, &net, now_ms);
}

bool cw_limits_request(struct cw_limits *l, const struct cw_source *s, int64_t now_ms)
{
	int64_t full = (int64_t) l->conf.requests_per_s * BURST_S * 1000;
	struct entry *en;

	if (s->exempt)
		return true;
	en = get(l, l->source, &s->addr, now_ms);
	if (!en)
		return false;
	if (now_ms > en->filled_ms) {
		en->tokens_milli += (now_ms - en->filled_ms) * l->conf.requests_per_s;
		en->filled_ms = now_ms;
	}
	if (en->tokens_milli > full)
		en->tokens_milli = full;
	if (en->tokens_milli < 1000)
		return false;
	en->tokens_milli -= 1000;
	return true;
}

uint32_t cw_limits_login_failed(struct cw_limits *l, const struct cw_source *s, int64_t now_ms)
{
	struct entry *en = s->exempt ? NULL : get(l, l->source, &s->addr, now_ms);
	uint64_t delay_ms = l->conf.backoff_ms;

	if (s->exempt)
		return 0;
	if (!en)
		return l->conf.backoff_max_ms;
	if (en->failures && now_ms - en->failed_ms >= FAILURE_KEEP_MS)
		en->failures = 0;
	en->failed_ms = now_ms;
	if (en->failures++ == 0)
		return 0;
	for (unsigned i = 2; i < en->failures && delay_ms < l->conf.backoff_max_ms; i++)
		delay_ms *= 2;
	return delay_ms < l->conf.backoff_max_ms ? (uint32_t) delay_ms : l->conf.backoff_max_ms;
}

void cw_limits_login_good(struct cw_limits *l, const struct cw_source *s)
{
	struct entry *en = s->exempt ? NULL : cw_map_get(l->source, s->addr.b, sizeof s->addr.b);

	/* Shared addresses: one who knows his password does not clear the others' failures at once.
	 */
	if (en && en->failures)
		en->failures--;
}

size_t cw_limits_count(const struct cw_limits *l)
{
	return cw_map_count(l->source);
}

void cw_limits_configure(struct cw_limits *l, const struct cw_limits_config *conf)
{
	l->conf = *conf;
}

int cw_limits_new(const struct cw_limits_config *conf, struct cw_limits **ret)
{
	struct cw_limits *l = cw_zalloc(1, sizeof *l);

	if (!l)
		return -ENOMEM;
	l->conf = *conf;
	l->source = cw_map_new();
	l->network = cw_map_new();
	if (!l->source || !l->network) {
		(void) cw_limits_free(l);
		return -ENOMEM;
	}
	*ret = l;
	return 0;
}

static void map_free(struct cw_map *m)
{
	size_t iter = 0;
	void *en;

	while (m && (en = cw_map_next(m, &iter)) != NULL)
		(void) cw_free(en);
	(void) cw_map_free(m);
}

struct cw_limits *cw_limits_free(struct cw_limits *l)
{
	if (!l)
		return NULL;
	map_free(l->source);
	map_free(l->network);
	return cw_free(l);
}
