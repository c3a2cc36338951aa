/* SPDX-License-Identifier: BSD-2-Clause */
/* TSP on the wire: where lines and frames end, and that what we say is the guide's samples octet by
 * octet, valid by the working DTD, and parsed back to the same message. */
#include "config.h"

#include <libxml/parser.h>
#include <libxml/valid.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "schema/tsp/tsp.h"
#include "tests/lib/addr-of.h"
#include "tests/lib/cw-cmocka.h"
#include "tests/lib/tsp-samples.h"

static const struct cw_tsp_status no_status;

static struct cw_tsp_msg full_msg(enum cw_tsp_action action)
{
	return (struct cw_tsp_msg){
		.action = action,
		.type = CW_TSP_V4V6,
		.server = {.present = true,
			.has_v4 = true,
			.v4 = four("192.0.2.1"),
			.has_v4_len = true,
			.v4_len = 30,
			.has_v6 = true,
			.v6 = six("2001:db8::2")},
		.client = {.present = true,
			.has_v4 = true,
			.v4 = four("192.0.2.10"),
			.has_v4_len = true,
			.v4_len = 32,
			.has_v6 = true,
			.v6 = six("2001:db8::1")},
	};
}

static struct cw_tsp_msg request(enum cw_tsp_action action)
{
	struct cw_tsp_msg m = full_msg(action);

	m.server = (struct cw_tsp_side){.present = false};
	return m;
}

static void assert_renders(
	const struct cw_tsp_status *st, const struct cw_tsp_msg *m, const char *want)
{
	char out[CW_TSP_REPLY_MAX + 1];
	const int n = cw_tsp_render(st, m, out, sizeof out - 1);

	assert_true(n > 0);
	out[n] = '\0';
	assert_string_equal(out, want);
}

/* ---- the guide's samples, section 5 ---- */

static void samples_out(void **state)
{
	const struct cw_tsp_broker brokers[] = {
		{CW_TSP_BROKER_V6, "[2001:db8::53]:3653"},
		{CW_TSP_BROKER_DN, "tsp2.example.net"},
	};
	const struct cw_tsp_msg list = {.action = CW_TSP_LIST,
		.type = CW_TSP_TYPE_BROKER,
		.brokers = brokers,
		.n_brokers = 2};
	const struct cw_tsp_msg accept = {.action = CW_TSP_ACCEPT},
				reject = {.action = CW_TSP_REJECT};
	struct cw_tsp_status st = cw_tsp_status(CW_TSP_DONE, CW_TSP_V2, false);
	struct cw_tsp_msg m = request(CW_TSP_CREATE);

	(void) state;
	assert_renders(&no_status, &m, TSP_RENEW);
	m.client.has_v4 = false;
	m.proxy_no = true;
	assert_renders(NULL, &m, TSP_CREATE_DEPLOYED);
	m.proxy_no = false;
	m.client.has_link_local = true;
	m.client.link_local = six("fe80::1");
	assert_renders(NULL, &m, TSP_CREATE_DSTM);
	assert_renders(NULL, &accept, TSP_ACCEPT);
	assert_renders(NULL, &reject, TSP_REJECT);
	m = request(CW_TSP_DELETE);
	m.client.has_v4_len = false;
	assert_renders(NULL, &m, TSP_DELETE);
	m.action = CW_TSP_INFO;
	assert_renders(NULL, &m, TSP_QUERY);
	m = full_msg(CW_TSP_INFO);
	m.has_lifetime = true;
	m.lifetime = 1440;
	assert_renders(&st, &m, TSP_INFO);
	assert_renders(&st, NULL, TSP_200);
	m = full_msg(CW_TSP_DELETE);
	assert_renders(&CW_TSP_PUSH_STATUS, &m, TSP_PUSH);
	assert_renders(&no_status, &m, TSP_TEP_DELETE);
	st = cw_tsp_status(CW_TSP_ADDRESS, CW_TSP_V1, false);
	assert_renders(&st, NULL, TSP_308);
	st = cw_tsp_status(CW_TSP_POOL_EMPTY, CW_TSP_V2, true);
	assert_renders(&st, &list, TSP_REDIRECT);
}

static void redirect_before_command(void **state)
{
	const struct cw_tsp_broker b = {CW_TSP_BROKER_V4, "192.0.2.53"};
	const struct cw_tsp_msg list = {
		.action = CW_TSP_LIST, .type = CW_TSP_TYPE_BROKER, .brokers = &b, .n_brokers = 1};
	const struct cw_tsp_status st = cw_tsp_status(CW_TSP_VERSION, CW_TSP_V2, true);
	char out[512];
	const int n = cw_tsp_render_bare(&st, &list, out, sizeof out);

	(void) state;
	assert_true(n > 0);
	out[n] = '\0';
	assert_string_equal(out, "1302 Unsupported client version\r\n"
				 "<tunnel action=\"list\" type=\"broker\">\r\n"
				 " <broker>\r\n"
				 "  <address type=\"ipv4\">192.0.2.53</address>\r\n"
				 " </broker>\r\n"
				 "</tunnel>\r\n");
}

/* ---- what is rendered: valid, and the same when parsed back ---- */

static uint32_t seed = 1;

static uint32_t rnd(uint32_t below)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % below;
}

static void random_v6(struct cw_addr6 *a)
{
	memset(a, 0, sizeof *a);
	a->b[0] = 0x20;
	a->b[1] = (uint8_t) rnd(256);
	for (unsigned i = 2; i < 16; i++)
		a->b[i] = (uint8_t) (rnd(2) ? rnd(256) : 0);
}

static void random_side(struct cw_tsp_side *s, bool client)
{
	s->present = true;
	s->has_v6 = true;
	random_v6(&s->v6);
	s->has_v4 = rnd(2);
	if (s->has_v4) {
		s->v4.v = rnd(1 << 24) << 8 | rnd(256);
		s->has_v4_len = rnd(2);
		if (s->has_v4_len)
			s->v4_len = (uint8_t) rnd(33);
		if (client && rnd(3) == 0) {
			s->has_portset = true;
			s->portset = (struct cw_portset){
				.offset = (uint8_t) rnd(6), .len = (uint8_t) rnd(11)};
			s->portset.psid = (uint16_t) rnd(1u << s->portset.len);
			if (!s->portset.len) /* the whole address: nothing else is set */
				s->portset = CW_PORTSET_WHOLE;
		}
	}
	if (client && rnd(2)) {
		s->has_link_local = true;
		memset(&s->link_local, 0, sizeof s->link_local);
		s->link_local.b[0] = 0xfe;
		s->link_local.b[1] = 0x80;
		s->link_local.b[15] = (uint8_t) rnd(256);
	}
}

static struct cw_tsp_msg random_msg(bool from_server, const struct cw_tsp_broker *brokers)
{
	static const enum cw_tsp_action client[] = {
		CW_TSP_CREATE, CW_TSP_DELETE, CW_TSP_INFO, CW_TSP_ACCEPT, CW_TSP_REJECT};
	static const enum cw_tsp_action server[] = {CW_TSP_DELETE, CW_TSP_INFO, CW_TSP_LIST};
	struct cw_tsp_msg m = {.type = CW_TSP_V4V6};

	m.action = from_server ? server[rnd(3)] : client[rnd(5)];
	if (m.action == CW_TSP_LIST) {
		m.type = CW_TSP_TYPE_BROKER;
		m.n_brokers = rnd(21);
		m.brokers = m.n_brokers ? brokers : NULL;
		return m;
	}
	if (m.action != CW_TSP_CREATE && rnd(2))
		m.type = CW_TSP_TYPE_NONE;
	m.has_lifetime = rnd(2);
	if (m.has_lifetime)
		m.lifetime = rnd(1 << 24) * 256 + rnd(256);
	m.ports_min = rnd(2);
	m.proxy_no = rnd(2);
	if (m.action == CW_TSP_ACCEPT || m.action == CW_TSP_REJECT)
		return m;
	random_side(&m.client, true);
	if (rnd(2))
		random_side(&m.server, false);
	m.has_keepalive = rnd(2);
	if (m.has_keepalive) {
		m.keepalive_interval = rnd(100000);
		m.keepalive_has_v4 = rnd(2);
		if (m.keepalive_has_v4)
			m.keepalive_v4.v = rnd(1 << 24);
	}
	m.has_router = from_server && rnd(2);
	return m;
}

static void assert_same_side(const struct cw_tsp_side *a, const struct cw_tsp_side *b)
{
	assert_int_equal(a->present, b->present);
	assert_int_equal(a->has_v4, b->has_v4);
	assert_int_equal(a->v4.v, b->v4.v);
	assert_int_equal(a->has_v4_len, b->has_v4_len);
	assert_int_equal(a->v4_len, b->v4_len);
	assert_int_equal(a->has_portset, b->has_portset);
	assert_true(cw_portset_eq(a->portset, b->portset));
	assert_int_equal(a->has_v6, b->has_v6);
	assert_true(cw_addr6_eq(&a->v6, &b->v6));
	assert_int_equal(a->has_link_local, b->has_link_local);
	assert_true(cw_addr6_eq(&a->link_local, &b->link_local));
}

static void assert_same(const struct cw_tsp_msg *a, const struct cw_tsp_msg *b)
{
	assert_int_equal(a->action, b->action);
	assert_int_equal(a->type, b->type);
	assert_int_equal(a->has_lifetime, b->has_lifetime);
	assert_int_equal(a->lifetime, b->lifetime);
	assert_int_equal(a->ports_min, b->ports_min);
	assert_int_equal(a->proxy_no, b->proxy_no);
	assert_int_equal(a->has_router, b->has_router);
	assert_int_equal(a->has_keepalive, b->has_keepalive);
	assert_int_equal(a->keepalive_interval, b->keepalive_interval);
	assert_int_equal(a->keepalive_has_v4, b->keepalive_has_v4);
	assert_int_equal(a->keepalive_v4.v, b->keepalive_v4.v);
	assert_same_side(&a->server, &b->server);
	assert_same_side(&a->client, &b->client);
	assert_int_equal(a->n_brokers, b->n_brokers);
	for (unsigned i = 0; i < a->n_brokers; i++) {
		assert_int_equal(a->brokers[i].kind, b->brokers[i].kind);
		assert_string_equal(a->brokers[i].text, b->brokers[i].text);
	}
}

static xmlDtdPtr load_dtd(void)
{
	const char *src = getenv("CW_SRCDIR"); /* NOLINT(concurrency-mt-unsafe): one thread */
	char path[4096];
	xmlDtdPtr dtd;

	(void) snprintf(path, sizeof path, "%s/tests/lib/tsp-working.dtd", src ? src : ".");
	dtd = xmlParseDTD(NULL, (const xmlChar *) path);
	assert_non_null(dtd);
	return dtd;
}

static bool dtd_valid(xmlDtdPtr dtd, struct cw_slice xml)
{
	xmlValidCtxtPtr v = xmlNewValidCtxt();
	xmlDocPtr doc = xmlReadMemory(xml.p, (int) xml.n, NULL, NULL, XML_PARSE_NONET);
	bool ok;

	assert_non_null(v);
	assert_non_null(doc);
	ok = xmlValidateDtd(v, doc, dtd) == 1;
	xmlFreeDoc(doc);
	xmlFreeValidCtxt(v);
	return ok;
}

static void round_trip(void **state)
{
	const struct cw_tsp_status st = cw_tsp_status(CW_TSP_DONE, CW_TSP_V2, false);
	struct cw_arena *arena = cw_arena_new(65536);
	struct cw_tsp_broker brokers[20];
	xmlDtdPtr dtd = load_dtd();
	char texts[20][40];

	(void) state;
	for (unsigned i = 0; i < 20; i++) {
		static const char *const forms[] = {
			"192.0.2.%u:3653", "[2001:db8::%u]:3653", "tsp%u.example.net"};

		brokers[i].kind = (enum cw_tsp_broker_kind)(i % 3);
		/* NOLINTNEXTLINE */
		(void) snprintf(texts[i], sizeof texts[i], "%s", forms[i % 3]);
		brokers[i].text = texts[i];
		memcpy(strchr(texts[i], '%'), "77", 2);
	}
	for (unsigned i = 0; i < 4000; i++) {
		const bool from_server = i & 1;
		const struct cw_tsp_msg m = random_msg(from_server, brokers);
		const unsigned flags = from_server ? CW_TSP_PARSE_SERVER : 0;
		struct cw_tsp_split split = {0};
		struct cw_slice payload, text, xml;
		char out[CW_TSP_REPLY_MAX];
		struct cw_tsp_msg back;
		enum cw_tsp_event ev;
		unsigned code;
		size_t used;
		const int n = cw_tsp_render(i & 2 ? &st : NULL, &m, out, sizeof out);

		assert_true(n > 0);
		assert_int_equal(
			cw_tsp_split_frame(&split, out, (size_t) n, 8192, &payload, &used), 1);
		assert_int_equal(used, n);
		assert_int_equal(cw_tsp_parse_reply(payload.p, payload.n, &code, &text, &xml), 0);
		assert_int_equal(code, i & 2 ? 200 : 0);
		assert_int_equal(cw_tsp_parse(xml.p, xml.n, flags, arena, &back, &ev), 0);
		assert_same(&m, &back);
		assert_true(dtd_valid(dtd, xml));
		cw_arena_reset(arena);
	}
	/* The check bites. */
	assert_false(
		dtd_valid(dtd, (struct cw_slice){"<tunnel action=\"info\"><x/></tunnel>", 35}));
	xmlFreeDtd(dtd);
	(void) cw_arena_free(arena);
}

static void render_refuses(void **state)
{
	struct cw_tsp_broker b = {CW_TSP_BROKER_DN, "a<b"};
	struct cw_tsp_msg m = {
		.action = CW_TSP_LIST, .type = CW_TSP_TYPE_BROKER, .brokers = &b, .n_brokers = 1};
	char out[CW_TSP_REPLY_MAX], big[CW_TSP_BROKER_TEXT_MAX + 2];
	struct cw_tsp_broker many[CW_TSP_BROKERS_MAX + 1];

	(void) state;
	assert_int_equal(cw_tsp_render(NULL, &m, out, sizeof out), CW_E_SYNTAX);
	b.text = "";
	assert_int_equal(cw_tsp_render(NULL, &m, out, sizeof out), CW_E_SYNTAX);
	b.text = "A-Z_az.09:[]";
	assert_true(cw_tsp_render(NULL, &m, out, sizeof out) > 0);
	b.text = NULL;
	assert_int_equal(cw_tsp_render(NULL, &m, out, sizeof out), CW_E_SYNTAX);
	memset(big, 'a', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	b.text = big;
	assert_int_equal(cw_tsp_render(NULL, &m, out, sizeof out), CW_E_SYNTAX);
	big[CW_TSP_BROKER_TEXT_MAX] = '\0';
	assert_true(cw_tsp_render(NULL, &m, out, sizeof out) > 0);
	for (unsigned i = 0; i < CW_ARRAY_LEN(many); i++)
		many[i] = b;
	m.brokers = many;
	m.n_brokers = 14; /* more than fits in 4000 octets */
	assert_int_equal(cw_tsp_render(NULL, &m, out, sizeof out), CW_E_LIMIT);
	m.n_brokers = CW_ARRAY_LEN(many);
	assert_int_equal(cw_tsp_render(NULL, &m, out, sizeof out), CW_E_LIMIT);
	m = request(CW_TSP_CREATE);
	m.type = CW_TSP_TYPE_OTHER;
	assert_int_equal(cw_tsp_render(NULL, &m, out, sizeof out), CW_E_SYNTAX);
	m = request(CW_TSP_CREATE);
	m.client.has_v4 = m.client.has_v6 = false;
	assert_int_equal(cw_tsp_render(NULL, &m, out, sizeof out), CW_E_SYNTAX);
	m = request(CW_TSP_CREATE);
	for (size_t cap = 0; cap < strlen(TSP_RENEW); cap++)
		assert_int_equal(cw_tsp_render(NULL, &m, out, cap), CW_E_LIMIT);
	assert_int_equal(cw_tsp_render(NULL, &m, out, strlen(TSP_RENEW)), strlen(TSP_RENEW));
}

static void capability(void **state)
{
	char out[256];
	int n = cw_tsp_render_capability("DIGEST-MD5 ANONYMOUS", NULL, out, sizeof out);

	(void) state;
	assert_true(n > 0);
	out[n] = '\0';
	assert_string_equal(out, "CAPABILITY TUNNEL=V4V6 AUTH=DIGEST-MD5 AUTH=ANONYMOUS\r\n");
	n = cw_tsp_render_capability("  SCRAM-SHA-256  ", "PORTSET", out, sizeof out);
	assert_true(n > 0);
	out[n] = '\0';
	assert_string_equal(out, "CAPABILITY TUNNEL=V4V6 AUTH=SCRAM-SHA-256 EXT=PORTSET\r\n");
	assert_int_equal(cw_tsp_render_capability("plain", NULL, out, sizeof out), CW_E_SYNTAX);
	assert_int_equal(cw_tsp_render_capability("A-VERY-LONG-MECHANISM", NULL, out, sizeof out),
		CW_E_SYNTAX);
	assert_true(cw_tsp_render_capability("A-MECHANISM-NAMED-20", NULL, out, sizeof out) > 0);
	assert_int_equal(cw_tsp_render_capability("PLAIN", NULL, out, 20), CW_E_LIMIT);
}

/* ---- status codes, section 6 ---- */

static void status_codes(void **state)
{
	static const struct {
		enum cw_tsp_event ev;
		unsigned v1, v2;
	} want[] = {
		{CW_TSP_DONE, 200, 200},
		{CW_TSP_AUTH, 300, 300},
		{CW_TSP_POOL_EMPTY, 306, 301},
		{CW_TSP_VERSION, 302, 302},
		{CW_TSP_TYPE, 303, 303},
		{CW_TSP_TEP, 307, 307},
		{CW_TSP_ADDRESS, 308, 308},
		{CW_TSP_BAD_V6, 309, 502},
		{CW_TSP_BAD_V4, 310, 501},
		{CW_TSP_INTERNAL, 530, 310},
		{CW_TSP_FORMAT, 500, 500},
		{CW_TSP_PREFIX, 500, 507},
		{CW_TSP_IN_PROGRESS, 521, 521},
		{CW_TSP_OVERLOAD, 530, 530},
	};

	(void) state;
	assert_int_equal(CW_ARRAY_LEN(want), CW_TSP_EVENTS);
	for (unsigned i = 0; i < CW_ARRAY_LEN(want); i++) {
		assert_int_equal(cw_tsp_status(want[i].ev, CW_TSP_V1, false).code, want[i].v1);
		assert_int_equal(cw_tsp_status(want[i].ev, CW_TSP_V2, false).code, want[i].v2);
		assert_int_equal(
			cw_tsp_status(want[i].ev, CW_TSP_V2, true).code, want[i].v2 + 1000);
		assert_int_equal(
			cw_tsp_status(cw_tsp_event_of(want[i].v1, CW_TSP_V1), CW_TSP_V1, false)
				.code,
			want[i].v1);
		assert_int_equal(cw_tsp_event_of(want[i].v2 + 1000, CW_TSP_V2), want[i].ev);
	}
	assert_int_equal(cw_tsp_event_of(310, CW_TSP_V1), CW_TSP_BAD_V4);
	assert_int_equal(cw_tsp_event_of(310, CW_TSP_V2), CW_TSP_INTERNAL);
	assert_int_equal(cw_tsp_event_of(530, CW_TSP_V1), CW_TSP_OVERLOAD);
	assert_int_equal(cw_tsp_event_of(500, CW_TSP_V1), CW_TSP_FORMAT);
	assert_int_equal(cw_tsp_event_of(299, CW_TSP_V1), CW_TSP_EVENTS);
}

/* ---- lines and frames ---- */

static void versions(void **state)
{
	static const struct {
		const char *line;
		int r;
		enum cw_tsp_version v;
	} lines[] = {
		{"VERSION=2.0.0", 0, CW_TSP_V2},
		{"VERSION=2.0", 0, CW_TSP_V2},
		{"VERSION=2.0.2", 0, CW_TSP_V2},
		{"VERSION=2.0.10", 0, CW_TSP_V2},
		{"VERSION=1.0", 0, CW_TSP_V1},
		{"VERSION=1.0.1", 0, CW_TSP_V1},
		{"VERSION=2.0.0 ", 0, CW_TSP_V2},
		{"VERSION=0.1", CW_E_POLICY, 0},
		{"VERSION=1.1", CW_E_POLICY, 0},
		{"VERSION=3.0", CW_E_POLICY, 0},
		{"VERSION=2.1.0", CW_E_POLICY, 0},
		{"VERSION=2", CW_E_POLICY, 0},
		{"VERSION=2.0.", CW_E_POLICY, 0},
		{"VERSION=.2.0", CW_E_POLICY, 0},
		{"VERSION=2..0", CW_E_POLICY, 0},
		{"VERSION=2.0.0.0", CW_E_POLICY, 0},
		{"VERSION=02.0", CW_E_POLICY, 0},
		{"VERSION=2.00", CW_E_POLICY, 0},
		{"VERSION=2.x", CW_E_POLICY, 0},
		{"VERSION=4294967298.0", CW_E_POLICY, 0},
		{"VERSION=", CW_E_POLICY, 0},
		{"GET / HTTP/1.1", CW_E_SYNTAX, 0},
		{"", CW_E_SYNTAX, 0},
	};

	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(lines); i++) {
		const struct cw_slice line = {lines[i].line, strlen(lines[i].line)};
		enum cw_tsp_version v = CW_TSP_V2;
		const int r = cw_tsp_parse_version(line, &v);

		if (r != lines[i].r)
			print_error("%s: %d\n", lines[i].line, r);
		assert_int_equal(r, lines[i].r);
		if (r == 0)
			assert_int_equal(v, lines[i].v);
	}
}

static void authenticate(void **state)
{
	static const struct {
		const char *line;
		int r;
		const char *mech, *initial;
	} lines[] = {
		{"AUTHENTICATE ANONYMOUS", 0, "ANONYMOUS", NULL},
		{"AUTHENTICATE PLAIN =", 0, "PLAIN", "="},
		{"AUTHENTICATE  PLAIN  AGEAYg==  ", 0, "PLAIN", "AGEAYg=="},
		{"AUTHENTICATE PLAIN a b", CW_E_SYNTAX, NULL, NULL},
		{"AUTHENTICATE", CW_E_SYNTAX, NULL, NULL},
		{"AUTHENTICATE ", CW_E_SYNTAX, NULL, NULL},
		{"AUTHENTICATEX PLAIN", CW_E_SYNTAX, NULL, NULL},
		{"VERSION=2.0.0", CW_E_SYNTAX, NULL, NULL},
		{"", CW_E_SYNTAX, NULL, NULL},
	};

	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(lines); i++) {
		const struct cw_slice line = {lines[i].line, strlen(lines[i].line)};
		struct cw_slice mech = {NULL, 0}, initial = {NULL, 0};

		assert_int_equal(cw_tsp_parse_authenticate(line, &mech, &initial), lines[i].r);
		if (lines[i].r < 0)
			continue;
		assert_int_equal(mech.n, strlen(lines[i].mech));
		assert_memory_equal(mech.p, lines[i].mech, mech.n);
		assert_int_equal(initial.p != NULL, lines[i].initial != NULL);
		if (initial.p)
			assert_memory_equal(initial.p, lines[i].initial, initial.n);
	}
}

static void lines_split(void **state)
{
	static const char text[] = "\0\0one\r\ntwo\n\0\0\0\0\0three\r\n";
	struct cw_tsp_split s = {0};
	struct cw_slice line;
	size_t at = 0, used;
	char longline[64];

	(void) state;
	assert_int_equal(cw_tsp_split_line(&s, text, sizeof text - 1, 64, &line, &used), 1);
	assert_int_equal(line.n, 3);
	assert_memory_equal(line.p, "one", 3);
	at += used;
	assert_int_equal(
		cw_tsp_split_line(&s, text + at, sizeof text - 1 - at, 64, &line, &used), 1);
	assert_memory_equal(line.p, "two", 3);
	at += used;
	/* Four NULs are stripped, the fifth belongs to the line. */
	assert_int_equal(
		cw_tsp_split_line(&s, text + at, sizeof text - 1 - at, 64, &line, &used), 1);
	assert_int_equal(line.n, 6);
	assert_memory_equal(line.p, "\0three", 6);
	assert_int_equal(at + used, sizeof text - 1);
	/* NULs that come one by one are counted together. */
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(cw_tsp_split_line(&s, "", 1, 64, &line, &used), 0);
		assert_int_equal(used, i < CW_TSP_NULS_MAX ? 1 : 0);
	}
	/* The limit counts the line end. */
	memset(longline, 'x', sizeof longline);
	s = (struct cw_tsp_split){0};
	assert_int_equal(cw_tsp_split_line(&s, longline, 63, 64, &line, &used), 0);
	assert_int_equal(cw_tsp_split_line(&s, longline, 64, 64, &line, &used), CW_E_LIMIT);
	longline[63] = '\n';
	assert_int_equal(cw_tsp_split_line(&s, longline, 64, 64, &line, &used), 1);
	assert_int_equal(cw_tsp_split_line(&s, longline, 64, 63, &line, &used), CW_E_LIMIT);
	assert_int_equal(cw_tsp_split_line(&s, "", 0, 63, &line, &used), 0);
}

static void frame_headers(void **state)
{
	static const struct {
		const char *head;
		int r;
	} heads[] = {
		{"Content-length: 4\r\n", 1},
		{"content-LENGTH:4\n", 1},
		{"Content-length :\t 00004 \r\n", 1},
		{"\r\n \t\r\nContent-length: 4\r\n", 1},
		{"Content-length: abc\r\n", CW_E_SYNTAX},
		{"Content-length: -5\r\n", CW_E_SYNTAX},
		{"Content-length: +10\r\n", CW_E_SYNTAX},
		{"Content-length: 0x40\r\n", CW_E_SYNTAX},
		{"Content-length: \r\n", CW_E_SYNTAX},
		{"Content-length:\r\n", CW_E_SYNTAX},
		{"Content-length\r\n", CW_E_SYNTAX},
		{"Content-length 4\r\n", CW_E_SYNTAX},
		{"Content-length: 10 10\r\n", CW_E_SYNTAX},
		{"Content-length: 4294967296\r\n", CW_E_SYNTAX},
		{"Content-length: 10000000000000000000000\r\n", CW_E_SYNTAX},
		{"Content-length: 000004\r\n", CW_E_SYNTAX},
		{"Content-length: 0\r\n", CW_E_SYNTAX},
		{"Content-length: 8192\r\n", 0},
		{"Content-length: 8193\r\n", CW_E_LIMIT},
		{"Content-length: 99999\r\n", CW_E_LIMIT},
		{"AUTHENTICATE ANONYMOUS\r\n", CW_E_SYNTAX},
		{"<tunnel/>\r\n", CW_E_SYNTAX},
	};

	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(heads); i++) {
		struct cw_tsp_split s = {0};
		struct cw_slice payload;
		char text[128];
		size_t used;
		const int n = snprintf(text, sizeof text, "%sabcd", heads[i].head);

		assert_int_equal(cw_tsp_split_frame(
					 &s, text, (size_t) n, CW_TSP_PAYLOAD_MAX, &payload, &used),
			heads[i].r);
		if (heads[i].r == 1) {
			assert_int_equal(used, n);
			assert_int_equal(payload.n, 4);
			assert_memory_equal(payload.p, "abcd", 4);
		}
	}
}

static void frames_in_pieces(void **state)
{
	static const char text[] = "\0\r\nContent-length: 3\r\nabc";
	struct cw_tsp_split s = {0};
	struct cw_slice payload;
	char header[CW_TSP_LINE_MAX + 1];
	size_t used, start = 0;

	(void) state;
	for (size_t n = 1; n < sizeof text - 1; n++) {
		assert_int_equal(
			cw_tsp_split_frame(&s, text + start, n - start, 8192, &payload, &used), 0);
		start += used;
	}
	assert_int_equal(start, 3);
	assert_int_equal(cw_tsp_split_frame(
				 &s, text + start, sizeof text - 1 - start, 8192, &payload, &used),
		1);
	assert_memory_equal(payload.p, "abc", 3);
	/* A header line without end; blanks without end. */
	memset(header, 'C', sizeof header);
	assert_int_equal(
		cw_tsp_split_frame(&s, header, CW_TSP_LINE_MAX - 1, 8192, &payload, &used), 0);
	assert_int_equal(
		cw_tsp_split_frame(&s, header, CW_TSP_LINE_MAX, 8192, &payload, &used), CW_E_LIMIT);
	memset(header, '\n', sizeof header);
	s = (struct cw_tsp_split){0};
	assert_int_equal(cw_tsp_split_frame(&s, header, 17, 8192, &payload, &used), CW_E_SYNTAX);
}

static void replies(void **state)
{
	static const struct {
		const char *text;
		int r;
		unsigned code;
		size_t text_n, xml_n;
	} cases[] = {
		{"200 Success\r\n", 0, 200, 7, 0},
		{"200", 0, 200, 0, 0},
		{"1302 x\r\n<a/>\r\n", 0, 1302, 1, 4},
		{"OK Authentication successful\r\n", 0, 200, 25, 0},
		{"<a/>", 0, 0, 0, 4},
		{"\r\n200 x\n\n <a/>", 0, 200, 1, 4},
		{"200Success", CW_E_SYNTAX, 0, 0, 0},
		{"20 x", CW_E_SYNTAX, 0, 0, 0},
		{"20000 x", CW_E_SYNTAX, 0, 0, 0},
		{"099 x", CW_E_SYNTAX, 0, 0, 0},
		{"OKAY", CW_E_SYNTAX, 0, 0, 0},
		{"200 x\r\ngarbage", CW_E_SYNTAX, 0, 0, 0},
		{"", CW_E_SYNTAX, 0, 0, 0},
	};

	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(cases); i++) {
		struct cw_slice text, xml;
		unsigned code;

		assert_int_equal(cw_tsp_parse_reply(
					 cases[i].text, strlen(cases[i].text), &code, &text, &xml),
			cases[i].r);
		if (cases[i].r < 0)
			continue;
		assert_int_equal(code, cases[i].code);
		assert_int_equal(text.n, cases[i].text_n);
		assert_int_equal(xml.n, cases[i].xml_n);
	}
}

static void udp_header(void **state)
{
	static const uint8_t first[] = {0xf0, 0, 0, 0xf0, 1, 2, 3, 4, 'V'};
	struct cw_tsp_udp_header h;
	struct cw_slice payload;
	uint8_t out[CW_TSP_UDP_HEADER];

	(void) state;
	assert_int_equal(cw_tsp_udp_parse(first, sizeof first, &h, &payload), 0);
	assert_int_equal(h.sequence, 240);
	assert_int_equal(h.timestamp, 0x01020304);
	assert_int_equal(payload.n, 1);
	cw_tsp_udp_render(&h, out);
	assert_memory_equal(out, first, sizeof out);
	assert_int_equal(cw_tsp_udp_parse(first, 8, &h, &payload), 0);
	assert_int_equal(payload.n, 0);
	assert_int_equal(cw_tsp_udp_parse(first, 7, &h, &payload), CW_E_SYNTAX);
	assert_int_equal(cw_tsp_udp_parse("\x70\0\0\xf0\0\0\0\0", 8, &h, &payload), CW_E_SYNTAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_out),
		cmocka_unit_test(redirect_before_command),
		cmocka_unit_test(round_trip),
		cmocka_unit_test(render_refuses),
		cmocka_unit_test(capability),
		cmocka_unit_test(status_codes),
		cmocka_unit_test(versions),
		cmocka_unit_test(authenticate),
		cmocka_unit_test(lines_split),
		cmocka_unit_test(frame_headers),
		cmocka_unit_test(frames_in_pieces),
		cmocka_unit_test(replies),
		cmocka_unit_test(udp_header),
	};

	return cmocka_run_group_tests_name("tsp wire", tests, tsp_set_up, NULL);
}
