/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of brokers and the order of visits; see brokers.h. RFC 5572 4.4.2 (lists), guide
 * tsp.md 11. Owns no memory beyond the caller's struct. Thread: the owner's. */
#include "config.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "client/brokers.h"

/* What may be a host name or an address; names go to the resolver and into logs. */
static bool host_ok(const char *s, size_t n)
{
	if (n == 0 || n >= CW_BROKER_HOST_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char) s[i]) && (!s[i] || !strchr(".-_:%", s[i])))
			return false;
	return s[0] != '-';
}

int cw_broker_parse(const char *text, uint16_t default_port, struct cw_broker *ret)
{
	struct cw_broker b = {.port = default_port};
	const char *host = text;
	const char *end;
	const char *port = NULL;
	uint64_t value;
	size_t n;

	if (text[0] == '[') {
		host = text + 1;
		end = strchr(host, ']');
		if (!end || !memchr(host, ':', (size_t) (end - host)) ||
			(end[1] != '\0' && end[1] != ':'))
			return CW_E_SYNTAX;
		port = end[1] == ':' ? end + 2 : NULL;
	} else {
		end = strchr(text, ':');
		if (end && strchr(end + 1, ':'))
			end = NULL; /* several: a bare IPv6 address */
		port = end ? end + 1 : NULL;
		if (!end)
			end = text + strlen(text);
	}
	n = (size_t) (end - host);
	if (!host_ok(host, n))
		return CW_E_SYNTAX;
	if (port) {
		if (cw_parse_u64(port, strlen(port), 1, 65535, &value) < 0)
			return CW_E_SYNTAX;
		b.port = (uint16_t) value;
	}
	for (size_t i = 0; i < n; i++)
		b.host[i] = (char) tolower((unsigned char) host[i]);
	*ret = b;
	return 0;
}

char *cw_broker_str(const struct cw_broker *b, char buf[static CW_BROKER_STRLEN])
{
	(void) snprintf(buf, CW_BROKER_STRLEN, strchr(b->host, ':') ? "[%s]:%u" : "%s:%u", b->host,
		b->port);
	return buf;
}

static bool same(const struct cw_broker *a, const struct cw_broker *b)
{
	return a->port == b->port && strcmp(a->host, b->host) == 0;
}

static bool known(const struct cw_brokers *b, const struct cw_broker *one)
{
	for (unsigned i = 0; i < b->n; i++)
		if (same(&b->list[i], one))
			return true;
	return false;
}

static uint16_t default_port(const struct cw_brokers *b)
{
	return b->tls ? CW_BROKER_TLS_PORT : CW_BROKER_PORT;
}

void cw_brokers_init(struct cw_brokers *b, bool tls)
{
	*b = (struct cw_brokers){.current = -1, .home = -1, .tls = tls};
}

int cw_brokers_add(struct cw_brokers *b, const char *text)
{
	struct cw_broker one;

	if (cw_broker_parse(text, default_port(b), &one) < 0)
		return CW_E_SYNTAX;
	if (known(b, &one))
		return 0;
	if (b->n == CW_BROKERS_MAX / 2) /* leaves room for lists */
		return CW_E_LIMIT;
	b->list[b->n++] = one;
	b->n_configured = b->n;
	return 0;
}

void cw_brokers_begin(struct cw_brokers *b)
{
	struct cw_broker home = {0};
	bool keep = b->home >= (int) b->n_configured;

	if (keep)
		home = b->list[b->home];
	b->n = b->n_configured;
	if (keep) {
		/* Where it came from does not count any more: it gave a lease. */
		home.hops = 0;
		b->home = (int) b->n;
		b->list[b->n++] = home;
	}
	for (unsigned i = 0; i < b->n; i++)
		b->list[i].visited = false;
	b->current = -1;
}

static int choose(const struct cw_brokers *b)
{
	if (b->home >= 0 && !b->list[b->home].visited)
		return b->home;
	/* Learned ones first, the latest list before older ones, each list in its order. */
	for (int hops = CW_BROKER_HOPS; hops > 0; hops--)
		for (unsigned i = b->n_configured; i < b->n; i++)
			if (!b->list[i].visited && b->list[i].hops == hops)
				return (int) i;
	for (unsigned i = 0; i < b->n; i++)
		if (!b->list[i].visited)
			return (int) i;
	return -1;
}

const struct cw_broker *cw_brokers_next(struct cw_brokers *b)
{
	b->current = choose(b);
	if (b->current < 0)
		return NULL;
	b->list[b->current].visited = true;
	return &b->list[b->current];
}

bool cw_brokers_left(const struct cw_brokers *b)
{
	return choose(b) >= 0;
}

unsigned cw_brokers_redirect(struct cw_brokers *b, const struct cw_tsp_msg *msg)
{
	unsigned taken = 0;

	if (b->current < 0 || b->list[b->current].hops >= CW_BROKER_HOPS)
		return 0;
	for (unsigned i = 0; i < msg->n_brokers && b->n < CW_BROKERS_MAX; i++) {
		struct cw_broker one;

		if (cw_broker_parse(msg->brokers[i].text, default_port(b), &one) < 0 ||
			known(b, &one))
			continue;
		one.hops = (uint8_t) (b->list[b->current].hops + 1);
		one.exposed = !b->tls;
		b->list[b->n++] = one;
		taken++;
	}
	return taken;
}

void cw_brokers_settle(struct cw_brokers *b)
{
	b->home = b->current;
}
