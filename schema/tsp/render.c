/* SPDX-License-Identifier: BSD-2-Clause */
/* What we say, octet by octet: deployed clients compare more than an XML parser would (they lose
 * `<address` before a line end, do not trim, count N exactly), so there is one spelling. No prolog,
 * no entities: every value is a number, an address or a broker's name of harmless characters, so
 * nothing ever needs escaping. Thread: any. */
#include "config.h"

#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "schema/tsp/tsp.h"

static const char *action_name(enum cw_tsp_action a)
{
	switch (a) {
	case CW_TSP_CREATE:
		return "create";
	case CW_TSP_DELETE:
		return "delete";
	case CW_TSP_INFO:
		return "info";
	case CW_TSP_ACCEPT:
		return "accept";
	case CW_TSP_REJECT:
		return "reject";
	case CW_TSP_LIST:
		return "list";
	case CW_TSP_ACTION_NONE:
		break;
	}
	return NULL;
}

static void write_v4(struct cw_writer *w, const struct cw_tsp_side *s)
{
	char text[CW_ADDR4_STRLEN], ports[24];

	if (!s->has_v4)
		return;
	cw_write_str(w, "  <address type=\"ipv4\"");
	if (s->has_v4_len)
		cw_write_fmt(w, " length=\"%u\"", s->v4_len);
	if (s->has_portset)
		cw_write_fmt(w, " portset=\"%s\"", cw_portset_str(s->portset, ports));
	cw_write_fmt(w, ">%s</address>\r\n", cw_addr4_str(s->v4, text));
}

static void write_v6(struct cw_writer *w, bool has, const struct cw_addr6 *a)
{
	char text[CW_ADDR6_STRLEN];

	if (has)
		cw_write_fmt(w, "  <address type=\"ipv6\">%s</address>\r\n", cw_addr6_str(a, text));
}

/* Answers and deletes name IPv4 first, requests IPv6 first, as the samples do. */
static void write_addresses(struct cw_writer *w, const struct cw_tsp_side *s, bool v4_first)
{
	if (v4_first)
		write_v4(w, s);
	write_v6(w, s->has_link_local, &s->link_local);
	write_v6(w, s->has_v6, &s->v6);
	if (!v4_first)
		write_v4(w, s);
}

static void write_client(struct cw_writer *w, const struct cw_tsp_msg *m)
{
	char text[CW_ADDR4_STRLEN];

	cw_write_str(w, " <client>\r\n");
	write_addresses(w, &m->client, m->server.present);
	if (m->has_keepalive) {
		cw_write_fmt(w, "  <keepalive interval=\"%u\">", m->keepalive_interval);
		if (m->keepalive_has_v4)
			cw_write_fmt(w, "<address type=\"ipv4\">%s</address>",
				cw_addr4_str(m->keepalive_v4, text));
		cw_write_str(w, "</keepalive>\r\n");
	}
	if (m->has_router)
		cw_write_str(w, "  <router></router>\r\n");
	cw_write_str(w, " </client>\r\n");
}

/* Letters, digits and what addresses and ports need: no XML, no blanks. */
bool cw_tsp_broker_text_ok(const char *s, size_t n)
{
	static const char marks[] = ".:-_[]";

	for (size_t i = 0; i < n; i++)
		if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') ||
			    (s[i] >= '0' && s[i] <= '9') || memchr(marks, s[i], sizeof marks - 1)))
			return false;
	return n && n <= CW_TSP_BROKER_TEXT_MAX;
}

static int write_brokers(struct cw_writer *w, const struct cw_tsp_msg *m)
{
	static const char *const kinds[] = {
		[CW_TSP_BROKER_V4] = "ipv4",
		[CW_TSP_BROKER_V6] = "ipv6",
		[CW_TSP_BROKER_DN] = "dn",
	};

	if (m->n_brokers > CW_TSP_BROKERS_MAX)
		return CW_E_LIMIT;
	for (unsigned i = 0; i < m->n_brokers; i++) {
		const struct cw_tsp_broker *b = &m->brokers[i];

		if (!b->text || !cw_tsp_broker_text_ok(b->text, strlen(b->text)) ||
			(unsigned) b->kind >= CW_ARRAY_LEN(kinds))
			return CW_E_SYNTAX;
		cw_write_fmt(w,
			" <broker>\r\n  <address type=\"%s\">%s</address>\r\n </broker>\r\n",
			kinds[b->kind], b->text);
	}
	return 0;
}

/* The DTD wants an address in either. */
static bool side_ok(const struct cw_tsp_side *s)
{
	return !s->present || s->has_v4 || s->has_v6 || s->has_link_local;
}

static int write_msg(struct cw_writer *w, const struct cw_tsp_msg *m)
{
	static const char *const types[] = {
		[CW_TSP_V4V6] = "v4v6",
		[CW_TSP_TYPE_BROKER] = "broker",
	};
	const char *action = action_name(m->action);
	int r = 0;

	if (!action || m->type == CW_TSP_TYPE_OTHER || !side_ok(&m->server) || !side_ok(&m->client))
		return CW_E_SYNTAX;
	cw_write_fmt(w, "<tunnel action=\"%s\"", action);
	if (m->type != CW_TSP_TYPE_NONE)
		cw_write_fmt(w, " type=\"%s\"", types[m->type]);
	if (m->has_lifetime)
		cw_write_fmt(w, " lifetime=\"%u\"", m->lifetime);
	if (m->proxy_no)
		cw_write_str(w, " proxy=\"no\"");
	if (m->ports_min)
		cw_write_str(w, " ports=\"MIN\"");
	cw_write_str(w, ">");
	if (m->server.present || m->client.present || m->n_brokers)
		cw_write_str(w, "\r\n");
	if (m->server.present) {
		cw_write_str(w, " <server>\r\n");
		write_addresses(w, &m->server, true);
		cw_write_str(w, " </server>\r\n");
	}
	if (m->client.present)
		write_client(w, m);
	if (m->n_brokers)
		r = write_brokers(w, m);
	cw_write_str(w, "</tunnel>\r\n");
	return r;
}

int cw_tsp_render_bare(
	const struct cw_tsp_status *st, const struct cw_tsp_msg *msg, char *to, size_t cap)
{
	struct cw_writer w = cw_writer_of(to, cap < CW_TSP_REPLY_MAX ? cap : CW_TSP_REPLY_MAX);
	int r;

	if (st && st->code)
		cw_write_fmt(&w, "%u %s\r\n", st->code, st->text);
	if (msg && msg->action != CW_TSP_ACTION_NONE) {
		r = write_msg(&w, msg);
		if (r < 0)
			return r;
	}
	return w.bad ? CW_E_LIMIT : (int) cw_write_len(&w);
}

int cw_tsp_render(
	const struct cw_tsp_status *st, const struct cw_tsp_msg *msg, char *to, size_t cap)
{
	char body[CW_TSP_REPLY_MAX];
	struct cw_writer w = cw_writer_of(to, cap < CW_TSP_REPLY_MAX ? cap : CW_TSP_REPLY_MAX);
	const int n = cw_tsp_render_bare(st, msg, body, sizeof body);

	if (n < 0)
		return n;
	/* N counts from the first digit of the status to the last octet sent (guide, section 2). */
	cw_write_fmt(&w, "Content-length: %d\r\n", n);
	cw_write_bytes(&w, body, (size_t) n);
	return w.bad ? CW_E_LIMIT : (int) cw_write_len(&w);
}

/* RFC 4422 3.1: upper case, digits, - and _, 1 to 20 characters. */
static size_t name_len(const char *s)
{
	const size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");

	return n <= 20 && (s[n] == ' ' || !s[n]) ? n : 0;
}

static int write_names(struct cw_writer *w, const char *key, const char *names)
{
	for (const char *s = names; s && *(s += strspn(s, " "));) {
		const size_t n = name_len(s);

		if (!n)
			return CW_E_SYNTAX;
		cw_write_fmt(w, " %s=%.*s", key, (int) n, s);
		s += n;
	}
	return 0;
}

int cw_tsp_render_capability(const char *mechs, const char *ext, char *to, size_t cap)
{
	struct cw_writer w = cw_writer_of(to, cap < CW_TSP_LINE_MAX ? cap : CW_TSP_LINE_MAX);

	/* One blank between words and none at the end: deployed clients lose the next word or read
	 * past their buffer otherwise (guide, section 9). */
	cw_write_str(&w, "CAPABILITY TUNNEL=V4V6");
	if (write_names(&w, "AUTH", mechs) < 0 || write_names(&w, "EXT", ext) < 0)
		return CW_E_SYNTAX;
	cw_write_str(&w, "\r\n");
	return w.bad ? CW_E_LIMIT : (int) cw_write_len(&w);
}
