/* SPDX-License-Identifier: BSD-2-Clause */
/* What TSP's XML says: the samples of the wire guide, the layout of the documents, everything that
 * must be refused and with which status, the limits, and every allocation of libxml2 failing once.
 */
#include "config.h"

#include <errno.h>
#include <libxml/parser.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "schema/tsp/tsp.h"
#include "tests/lib/cw-cmocka.h"
#include "tests/lib/tsp-samples.h"

/* The payload of a sample that has no status line. */
static int parse_sample(const char *frame, unsigned flags, struct cw_tsp_msg *ret)
{
	struct cw_tsp_split split = {0};
	struct cw_slice payload;
	enum cw_tsp_event ev;
	size_t used;

	assert_int_equal(cw_tsp_split_frame(
				 &split, frame, strlen(frame), CW_TSP_PAYLOAD_MAX, &payload, &used),
		1);
	assert_int_equal(used, strlen(frame));
	return cw_tsp_parse(payload.p, payload.n, flags, NULL, ret, &ev);
}

static void samples_in(void **state)
{
	struct cw_tsp_msg m;

	(void) state;
	assert_int_equal(parse_sample(TSP_CREATE_DEPLOYED, 0, &m), 0);
	assert_int_equal(m.action, CW_TSP_CREATE);
	assert_int_equal(m.type, CW_TSP_V4V6);
	assert_true(m.proxy_no && m.client.present && m.client.has_v6);
	assert_false(m.client.has_v4 || m.client.has_link_local || m.server.present);
	assert_int_equal(parse_sample(TSP_CREATE_DSTM, 0, &m), 0);
	assert_true(m.client.has_link_local && m.client.has_v6);
	assert_int_equal(parse_sample(TSP_RENEW, 0, &m), 0);
	assert_int_equal(m.client.v4.v, 0xc000020a);
	assert_int_equal(m.client.v4_len, 32);
	assert_int_equal(parse_sample(TSP_DELETE, 0, &m), 0);
	assert_int_equal(m.action, CW_TSP_DELETE);
	assert_false(m.client.has_v4_len);
	assert_int_equal(parse_sample(TSP_QUERY, 0, &m), 0);
	assert_int_equal(m.action, CW_TSP_INFO);
	assert_int_equal(parse_sample(TSP_ACCEPT, 0, &m), 0);
	assert_int_equal(m.action, CW_TSP_ACCEPT);
	assert_int_equal(parse_sample(TSP_REJECT, 0, &m), 0);
	assert_int_equal(m.action, CW_TSP_REJECT);
	assert_int_equal(parse_sample(TSP_TEP_DELETE, 0, &m), 0);
	assert_true(m.server.has_v4 && m.server.has_v6 && m.client.has_v4 && m.client.has_v6);
}

static void samples_from_server(void **state)
{
	struct cw_arena *arena = cw_arena_new(16384);
	struct cw_tsp_split split = {0};
	struct cw_slice payload, text, xml;
	struct cw_tsp_msg m;
	enum cw_tsp_event ev;
	unsigned code;
	size_t used;

	(void) state;
	assert_int_equal(
		cw_tsp_split_frame(&split, TSP_INFO, strlen(TSP_INFO), 8192, &payload, &used), 1);
	assert_int_equal(payload.n, 327);
	assert_int_equal(cw_tsp_parse_reply(payload.p, payload.n, &code, &text, &xml), 0);
	assert_int_equal(code, 200);
	assert_memory_equal(text.p, "Success", 7);
	assert_int_equal(cw_tsp_parse(xml.p, xml.n, CW_TSP_PARSE_SERVER, arena, &m, &ev), 0);
	assert_int_equal(m.lifetime, 1440);
	assert_int_equal(m.server.v4_len, 30);
	assert_int_equal(cw_tsp_split_frame(
				 &split, TSP_REDIRECT, strlen(TSP_REDIRECT), 8192, &payload, &used),
		1);
	assert_int_equal(cw_tsp_parse_reply(payload.p, payload.n, &code, &text, &xml), 0);
	assert_int_equal(code, 1301);
	assert_int_equal(cw_tsp_parse(xml.p, xml.n, CW_TSP_PARSE_SERVER, arena, &m, &ev), 0);
	assert_int_equal(m.action, CW_TSP_LIST);
	assert_int_equal(m.n_brokers, 2);
	assert_string_equal(m.brokers[0].text, "[2001:db8::53]:3653");
	assert_int_equal(m.brokers[1].kind, CW_TSP_BROKER_DN);
	/* Without an arena the list is passed over. */
	assert_int_equal(cw_tsp_parse(xml.p, xml.n, CW_TSP_PARSE_SERVER, NULL, &m, &ev), 0);
	assert_int_equal(m.n_brokers, 0);
	(void) cw_arena_free(arena);
}

/* RFC 5572 and DSTM print addresses on lines of their own, and attributes too. */
static void documents_layout(void **state)
{
	static const char text[] =
		"<?xml version=\"1.0\"?>\n"
		"<tunnel action=\"create\" type=\"v4v6\">\n"
		"   <client>\n"
		"     <address\n type=\"ipv6\">\n"
		"       3ffe:0b00:0c18:ffff:0000:0000:0000:0001\n     </address>\n"
		"     <address type=\"ipv6\">fe80:0000::0001</address>\n"
		"     <address type=\"ipv4\" length=\"30\">206.123.31.1</address>\n"
		"     <keepalive interval=\"30\"></keepalive>\n"
		"     <unknown><address type=\"ipv6\">zzz</address></unknown>\n"
		"   </client>\n"
		"</tunnel>\n";
	struct cw_tsp_msg m;
	enum cw_tsp_event ev;
	char buf[CW_ADDR6_STRLEN];

	(void) state;
	assert_int_equal(cw_tsp_parse(text, sizeof text - 1, 0, NULL, &m, &ev), 0);
	assert_string_equal(cw_addr6_str(&m.client.v6, buf), "3ffe:b00:c18:ffff::1");
	assert_int_equal(m.client.v4_len, 30);
	assert_true(m.has_keepalive);
	assert_int_equal(m.keepalive_interval, 30);
	assert_false(m.keepalive_has_v4);
}

/* ---- what is refused, section 12 ---- */

struct bad {
	const char *xml;
	enum cw_tsp_event ev;
};

#define BAD_TYPE(t)                           \
	"<tunnel action=\"create\" type=\"" t \
	"\"><client>" TSP_V6("2001:db8::1") "</client></tunnel>"
#define ACTION(a) \
	"<tunnel action=\"" a "\" type=\"v4v6\"><client>" TSP_V6("2001:db8::1") "</client></tunnel>"
#define RENEW(t) TSP_CLIENT(TSP_V6("2001:db8::1") TSP_V4(t))

static const struct bad bad_requests[] = {
	/* 9 */
	{"<tunnel action=\"create\" type=\"v4v6\"><client>", CW_TSP_FORMAT},
	{BAD_TYPE("v4v6") BAD_TYPE("v4v6"), CW_TSP_FORMAT},
	{"<a/>", CW_TSP_FORMAT},
	{"<tunnel/>", CW_TSP_FORMAT},
	{"<tunnel action=\"create\" action=\"create\" type=\"v4v6\"></tunnel>", CW_TSP_FORMAT},
	{"", CW_TSP_FORMAT},
	{"   \r\n", CW_TSP_FORMAT},
	{"tunnel", CW_TSP_FORMAT},
	{"<", CW_TSP_FORMAT},
	{"<x:tunnel xmlns:x=\"u\" action=\"accept\"/>", CW_TSP_FORMAT},
	/* 10 */
	{"<!DOCTYPE t [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>" TSP_CLIENT(TSP_V6("&x;")),
		CW_TSP_FORMAT},
	{"<!DOCTYPE t SYSTEM \"http://192.0.2.1/x.dtd\">" ACTION("create"), CW_TSP_FORMAT},
	{"<!DOCTYPE t [<!ENTITY % p SYSTEM \"http://192.0.2.1/x\"> %p;]>" ACTION("create"),
		CW_TSP_FORMAT},
	{TSP_CLIENT(TSP_V6("&lol;")), CW_TSP_FORMAT},
	{TSP_CLIENT("<![CDATA[x]]>"), CW_TSP_FORMAT},
	{TSP_CLIENT("<!-- x -->"), CW_TSP_FORMAT},
	/* 11 */
	{BAD_TYPE("v6v4"), CW_TSP_TYPE},
	{BAD_TYPE("v6gre"), CW_TSP_TYPE},
	{BAD_TYPE("broker"), CW_TSP_TYPE},
	{BAD_TYPE(""), CW_TSP_FORMAT},
	{"<tunnel action=\"create\"><client>" TSP_V6("2001:db8::1") "</client></tunnel>",
		CW_TSP_FORMAT},
	/* 12 */
	{ACTION("frob"), CW_TSP_FORMAT},
	{ACTION(""), CW_TSP_FORMAT},
	{ACTION("CREATE"), CW_TSP_FORMAT},
	{ACTION("list"), CW_TSP_FORMAT},
	{"<tunnel type=\"v4v6\"><client>" TSP_V6("2001:db8::1") "</client></tunnel>",
		CW_TSP_FORMAT},
	/* 14 */
	{TSP_CLIENT(TSP_V6("zzz")), CW_TSP_BAD_V6},
	{TSP_CLIENT(TSP_V6("1.2.3.4")), CW_TSP_BAD_V6},
	{TSP_CLIENT(TSP_V6("")), CW_TSP_BAD_V6},
	{TSP_CLIENT(TSP_V6("::")), CW_TSP_BAD_V6},
	{TSP_CLIENT(TSP_V6("::1")), CW_TSP_BAD_V6},
	{TSP_CLIENT(TSP_V6("2001:db8::<b/>7")), CW_TSP_BAD_V6},
	{TSP_CLIENT(TSP_V6("2001:db8::7<b>8</b>")), CW_TSP_BAD_V6},
	{TSP_CLIENT(TSP_V6("64:ff9b::1.2.3.4")), CW_TSP_BAD_V6},
	{TSP_CLIENT(TSP_V6("ff02::1")), CW_TSP_BAD_V6},
	{TSP_CLIENT(TSP_V6("fe80::1")), CW_TSP_BAD_V6},
	{TSP_CLIENT(TSP_V6("fe80::1%eth0")), CW_TSP_BAD_V6},
	{TSP_CLIENT(TSP_V6("2001:db8::1%eth0")), CW_TSP_BAD_V6},
	{TSP_CLIENT(TSP_V6("2001:db8::1/64")), CW_TSP_BAD_V6},
	{TSP_CLIENT(TSP_V6(":::")), CW_TSP_BAD_V6},
	{TSP_CLIENT(TSP_V6("::ffff:192.0.2.1")), CW_TSP_BAD_V6},
	{TSP_CLIENT(TSP_V6("2001:db8:c18:ffff::0000:0000:0000:0001")), CW_TSP_BAD_V6},
	{TSP_CLIENT(TSP_V6("2001:db8::1&#60;x&#62;")), CW_TSP_BAD_V6},
	{TSP_CLIENT(TSP_V6("2001:db8::1") TSP_V6("2001:db8::2")), CW_TSP_BAD_V6},
	{TSP_CLIENT(TSP_V6("2001:db8::1") TSP_V6("zzz")), CW_TSP_BAD_V6},
	{TSP_CLIENT(TSP_V4("192.0.2.10")), CW_TSP_BAD_V6},
	/* 15 */
	{RENEW("999.1.1.1"), CW_TSP_BAD_V4},
	{RENEW("1.2.3"), CW_TSP_BAD_V4},
	{RENEW("0x7f.1"), CW_TSP_BAD_V4},
	{RENEW("01.2.3.4"), CW_TSP_BAD_V4},
	{RENEW(""), CW_TSP_BAD_V4},
	{RENEW("::1"), CW_TSP_BAD_V4},
	{RENEW("192.0.2.10") "<!-- -->", CW_TSP_FORMAT},
	{TSP_CLIENT(TSP_V6("2001:db8::1") TSP_V4("192.0.2.1") TSP_V4("192.0.2.2")), CW_TSP_BAD_V4},
	{TSP_CLIENT(
		 TSP_V6("2001:db8::1") "<address type=\"ipv4\" length=\"33\">192.0.2.1</address>"),
		CW_TSP_BAD_V4},
	{TSP_CLIENT(TSP_V6(
		 "2001:db8::1") "<address type=\"ipv4\" portset=\"9/9/1\">192.0.2.1</address>"),
		CW_TSP_BAD_V4},
	/* 17 */
	{"<tunnel action=\"create\" type=\"v4v6\"></tunnel>", CW_TSP_FORMAT},
	{TSP_CLIENT(""), CW_TSP_FORMAT},
	{"<tunnel action=\"create\" type=\"v4v6\"><server>" TSP_V6(
		 "2001:db8::1") "</server></tunnel>",
		CW_TSP_FORMAT},
	{TSP_CLIENT("<address>2001:db8::1</address>"), CW_TSP_FORMAT},
	{TSP_CLIENT("<address type=\"ipx\">2001:db8::1</address>"), CW_TSP_FORMAT},
	{"<tunnel action=\"create\" type=\"v4v6\"><client>" TSP_V6(
		 "2001:db8::1") "</client><client>" TSP_V6("2001:db8::1") "</client></tunnel>",
		CW_TSP_FORMAT},
	/* 22 */
	{"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>" ACTION("create"), CW_TSP_FORMAT},
	{"<?xml version=\"1.0\" encoding=\"frob\"?>" ACTION("create"), CW_TSP_FORMAT},
	{"<?xml version=\"1.0\" encoding=\"UTF-16\"?>" ACTION("create"), CW_TSP_FORMAT},
	{"<?xml version=\"1.0\" encoding=\"UTF-8?>" ACTION("create"), CW_TSP_FORMAT},
	{"<?xml version=\"1.0\" encoding?>" ACTION("create"), CW_TSP_FORMAT},
	{"<?xml version=\"1.0\"", CW_TSP_FORMAT},
	{"<?php x?>" ACTION("create"), CW_TSP_FORMAT},
	{TSP_CLIENT(TSP_V6("2001:db8::1") "<?x y?>"), CW_TSP_FORMAT},
	{TSP_CLIENT(TSP_V6("2001:db8::1\xff")), CW_TSP_FORMAT},
	{TSP_CLIENT(TSP_V6("2001:db8::1\xc0\xaf")), CW_TSP_FORMAT},
	/* a prefix, a lifetime and a keepalive that are no numbers */
	{TSP_CLIENT(TSP_V6("2001:db8::1") "<router><prefix length=\"48\"/></router>"),
		CW_TSP_PREFIX},
	{"<tunnel action=\"create\" type=\"v4v6\" lifetime=\"x\"><client>" TSP_V6(
		 "2001:db8::1") "</client></tunnel>",
		CW_TSP_FORMAT},
	{TSP_CLIENT(TSP_V6("2001:db8::1") "<keepalive/>"), CW_TSP_FORMAT},
	{TSP_CLIENT(TSP_V6("2001:db8::1") "<keepalive interval=\"-1\"/>"), CW_TSP_FORMAT},
};

static void bad_input(void **state)
{
	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(bad_requests); i++) {
		const struct bad *b = &bad_requests[i];
		struct cw_tsp_msg m = {.action = CW_TSP_LIST};
		enum cw_tsp_event ev = CW_TSP_DONE;
		const int r = cw_tsp_parse(b->xml, strlen(b->xml), 0, NULL, &m, &ev);

		if (r != CW_E_SYNTAX || ev != b->ev)
			print_error("%s: %d, event %d\n", b->xml, r, (int) ev);
		assert_int_equal(r, CW_E_SYNTAX);
		assert_int_equal(ev, b->ev);
		assert_int_equal(m.action, CW_TSP_LIST); /* untouched */
	}
}

static void bad_bytes(void **state)
{
	static const char utf16[] = "<\0t\0u\0n\0n\0e\0l\0/\0>\0";
	static const char utf16_bom[] = "\xff\xfe<\0t\0u\0n\0n\0e\0l\0/\0>\0";
	static const char nuls[64];
	char text[1024];
	struct cw_tsp_msg m;
	enum cw_tsp_event ev;
	int n;

	(void) state;
	assert_int_equal(cw_tsp_parse(utf16, sizeof utf16 - 1, 0, NULL, &m, &ev), CW_E_SYNTAX);
	assert_int_equal(
		cw_tsp_parse(utf16_bom, sizeof utf16_bom - 1, 0, NULL, &m, &ev), CW_E_SYNTAX);
	assert_int_equal(cw_tsp_parse(nuls, sizeof nuls, 0, NULL, &m, &ev), CW_E_SYNTAX);
	n = snprintf(text, sizeof text, TSP_CLIENT(TSP_V6("%0500d")), 1);
	assert_int_equal(cw_tsp_parse(text, (size_t) n, 0, NULL, &m, &ev), CW_E_SYNTAX);
	assert_int_equal(ev, CW_TSP_BAD_V6);
	/* Blanks before a value use up no room; a value that is cut is no value. */
	n = snprintf(text, sizeof text, TSP_CLIENT(TSP_V6("%500s2001:db8::1")), "");
	assert_int_equal(cw_tsp_parse(text, (size_t) n, 0, NULL, &m, &ev), 0);
	n = snprintf(text, sizeof text, TSP_CLIENT(TSP_V6("2001:db8::1%500sx")), "");
	assert_int_equal(cw_tsp_parse(text, (size_t) n, 0, NULL, &m, &ev), CW_E_SYNTAX);
}

/* A request with `extra` more elements beside the address, one in the other or one after the other.
 */
static size_t with_elements(char *to, size_t cap, unsigned extra, bool nested)
{
	struct cw_writer w = cw_writer_of(to, cap);

	cw_write_str(&w, "<tunnel action=\"create\" type=\"v4v6\"><client>" TSP_V6("2001:db8::1"));
	for (unsigned i = 0; i < extra; i++)
		cw_write_str(&w, nested ? "<a>" : "<a/>");
	for (unsigned i = 0; i < extra && nested; i++)
		cw_write_str(&w, "</a>");
	cw_write_str(&w, "</client></tunnel>");
	assert_false(w.bad);
	return cw_write_len(&w);
}

static void limits(void **state)
{
	static char text[2 * CW_TSP_PAYLOAD_MAX];
	struct cw_tsp_msg m;
	enum cw_tsp_event ev;
	size_t n;

	(void) state;
	/* Depth 8 is the last that is taken: tunnel, client, then six more. */
	n = with_elements(text, sizeof text, 6, true);
	assert_int_equal(cw_tsp_parse(text, n, 0, NULL, &m, &ev), 0);
	n = with_elements(text, sizeof text, 7, true);
	assert_int_equal(cw_tsp_parse(text, n, 0, NULL, &m, &ev), CW_E_LIMIT);
	/* 64 elements: tunnel, client, address and 61 more. */
	n = with_elements(text, sizeof text, 61, false);
	assert_int_equal(cw_tsp_parse(text, n, 0, NULL, &m, &ev), 0);
	n = with_elements(text, sizeof text, 62, false);
	assert_int_equal(cw_tsp_parse(text, n, 0, NULL, &m, &ev), CW_E_LIMIT);
	/* Trailing blanks up to the largest payload. */
	n = (size_t) snprintf(text, sizeof text, "%s", ACTION("create"));
	memset(text + n, ' ', sizeof text - n);
	assert_int_equal(cw_tsp_parse(text, CW_TSP_PAYLOAD_MAX, 0, NULL, &m, &ev), 0);
	assert_int_equal(cw_tsp_parse(text, CW_TSP_PAYLOAD_MAX + 1, 0, NULL, &m, &ev), CW_E_LIMIT);
	assert_int_equal(ev, CW_TSP_FORMAT);
}

static void odd_but_good(void **state)
{
	static const char *const good[] = {
		"<?xml version=\"1.0\" encoding=\"utf-8\"?>" ACTION("create"),
		"<?xml version='1.0' encoding = 'UTF-8' standalone='yes'?>\n" ACTION("create"),
		"\xef\xbb\xbf" ACTION("create"),
		"\r\n " ACTION("create") "\r\n",
		"<tunnel mtu='1280' action='create' type='v4v6' x='&lt;'><client x=''>" TSP_V6(
			"2001:DB8::1") "</client></tunnel>",
		TSP_CLIENT(TSP_V6("2001:db8::1") TSP_V6("2001:db8:0::1") TSP_V6("fe80::1")
				TSP_V6("fe80::2")),
		TSP_CLIENT(TSP_V6("&#x32;001:db8::1")),
		TSP_CLIENT(TSP_V6("2001:db8::1") "<address type=\"dn\">host.example.net</address>"),
		TSP_CLIENT("<address type=\"ipv4\" length=\"\">192.0.2.1</address>" TSP_V6(
			"2001:db8::1")),
		TSP_CLIENT(TSP_V6("2001:db8::1") "<keepalive interval=\"30\">" TSP_V4(
			"127.0.0.1") "</keepalive>"),
		TSP_CLIENT(TSP_V6("2001:db8::1") "<keepalive interval=\"30\">" TSP_V6(
			"zzz") "</keepalive>"),
		"<tunnel action=\"accept\"/>",
		"<tunnel action=\"accept\" type=\"v4v6\"><client><address>x</address></client></tunnel>",
		"<tunnel action=\"delete\"><client>" TSP_V6("2001:db8::1") "</client></tunnel>",
		"<tunnel action=\"delete\" type=\"v4v6\"><client>" TSP_V6(
			"2001:db8::1") "</client><server><address type=\"x\"/>" TSP_V4("x")
			TSP_V6("y") "</server></tunnel>",
	};
	struct cw_tsp_msg m;
	enum cw_tsp_event ev;

	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(good); i++) {
		const int r = cw_tsp_parse(good[i], strlen(good[i]), 0, NULL, &m, &ev);

		if (r < 0)
			print_error("%s: %d, event %d\n", good[i], r, (int) ev);
		assert_int_equal(r, 0);
	}
	/* ::1 only where the peer is the same host. */
	assert_int_equal(cw_tsp_parse(TSP_CLIENT(TSP_V6("::1")), strlen(TSP_CLIENT(TSP_V6("::1"))),
				 CW_TSP_PARSE_LOOPBACK, NULL, &m, &ev),
		0);
}

static void from_server_refused(void **state)
{
	static const struct bad bad[] = {
		{ACTION("create"), CW_TSP_FORMAT},
		{ACTION("accept"), CW_TSP_FORMAT},
		{"<tunnel action=\"info\" type=\"v6v4\"></tunnel>", CW_TSP_TYPE},
		{"<tunnel action=\"info\" type=\"v4v6\"><server>" TSP_V4("x") "</server></tunnel>",
			CW_TSP_BAD_V4},
		{"<tunnel action=\"info\" type=\"v4v6\"><server>" TSP_V6("::") "</server></tunnel>",
			CW_TSP_BAD_V6},
		{"<tunnel action=\"info\" type=\"v4v6\"><server><address type=\"x\"/></server></tunnel>",
			CW_TSP_FORMAT},
		{"<tunnel action=\"info\" type=\"v4v6\"><server/><server/></tunnel>",
			CW_TSP_FORMAT},
	};
	struct cw_tsp_msg m;
	enum cw_tsp_event ev;

	(void) state;
	for (unsigned i = 0; i < CW_ARRAY_LEN(bad); i++) {
		assert_int_equal(cw_tsp_parse(bad[i].xml, strlen(bad[i].xml), CW_TSP_PARSE_SERVER,
					 NULL, &m, &ev),
			CW_E_SYNTAX);
		assert_int_equal(ev, bad[i].ev);
	}
}

static void broker_lists(void **state)
{
	static const char odd[] =
		"<tunnel action=\"list\" type=\"broker\"><broker><address>a</address>"
		"<address type=\"dn\">a b</address><address type=\"dn\"></address>"
		"<address type=\"x\">a</address><address type=\"ipv4\"> 192.0.2.1 </address>"
		"<address type=\"dn\">a&lt;b</address></broker></tunnel>";
	static char text[CW_TSP_PAYLOAD_MAX];
	struct cw_writer w = cw_writer_of(text, sizeof text);
	struct cw_arena *arena = cw_arena_new(65536);
	struct cw_tsp_msg m;
	enum cw_tsp_event ev;

	(void) state;
	cw_write_str(&w, "<tunnel action=\"list\" type=\"broker\">");
	for (unsigned i = 0; i < 60; i++)
		cw_write_str(&w, "<broker><address type=\"dn\">b.example.net</address></broker>");
	cw_write_str(&w, "</tunnel>");
	assert_false(w.bad);
	/* 121 elements are allowed, 50 brokers are kept. */
	assert_int_equal(
		cw_tsp_parse(text, cw_write_len(&w), CW_TSP_PARSE_SERVER, arena, &m, &ev), 0);
	assert_int_equal(m.n_brokers, CW_TSP_BROKERS_MAX);
	/* What cannot be an address is passed over. */
	assert_int_equal(cw_tsp_parse(odd, sizeof odd - 1, CW_TSP_PARSE_SERVER, arena, &m, &ev), 0);
	assert_int_equal(m.n_brokers, 1);
	assert_string_equal(m.brokers[0].text, "192.0.2.1");
	/* An arena that is too small is no crash. */
	(void) cw_arena_free(arena);
	arena = cw_arena_new(64);
	assert_int_equal(
		cw_tsp_parse(odd, sizeof odd - 1, CW_TSP_PARSE_SERVER, arena, &m, &ev), -ENOMEM);
	assert_int_equal(ev, CW_TSP_INTERNAL);
	(void) cw_arena_free(arena);
}

/* ---- memory ---- */

static unsigned long xml_calls, xml_fail_at;

static bool xml_fails(void)
{
	return ++xml_calls == xml_fail_at;
}

static void *xml_malloc(size_t n)
{
	return xml_fails() ? NULL : test_malloc(n);
}

static void *xml_realloc(void *p, size_t n)
{
	return xml_fails() ? NULL : test_realloc(p, n);
}

static char *xml_strdup(const char *s)
{
	const size_t n = strlen(s) + 1;
	char *p = xml_malloc(n);

	return p ? memcpy(p, s, n) : NULL;
}

static void xml_free(void *p)
{
	test_free(p);
}

static void assert_same_text(const struct cw_tsp_msg *a, const struct cw_tsp_msg *b)
{
	char text[2][CW_TSP_REPLY_MAX];
	const int n = cw_tsp_render(NULL, a, text[0], sizeof text[0]);

	assert_true(n > 0);
	assert_int_equal(cw_tsp_render(NULL, b, text[1], sizeof text[1]), n);
	assert_memory_equal(text[0], text[1], n);
}

/* Each allocation of libxml2 fails once: no crash, no leak (cmocka counts), nothing but success,
 * refusal or -ENOMEM. */
static void out_of_memory(void **state)
{
	struct cw_arena *arena = cw_arena_new(16384);
	const char *const texts[] = {ACTION("create"), TSP_LIST_BODY, "<tunnel"};
	unsigned refused = 0;

	(void) state;
	for (unsigned t = 0; t < CW_ARRAY_LEN(texts); t++) {
		const unsigned flags = t == 1 ? CW_TSP_PARSE_SERVER : 0;
		const int good = t == 2 ? CW_E_SYNTAX : 0;
		struct cw_tsp_msg want = {.action = CW_TSP_ACTION_NONE};
		enum cw_tsp_event ev;

		assert_int_equal(
			cw_tsp_parse(texts[t], strlen(texts[t]), flags, arena, &want, &ev), good);
		for (unsigned long k = 1;; k++) {
			struct cw_tsp_msg m;
			int r;

			xml_calls = 0;
			xml_fail_at = k;
			r = cw_tsp_parse(texts[t], strlen(texts[t]), flags, arena, &m, &ev);
			xml_fail_at = 0;
			assert_true(r == good || r == -ENOMEM);
			if (r == 0)
				assert_same_text(&want, &m);
			if (r == -ENOMEM)
				assert_int_equal(ev, CW_TSP_INTERNAL);
			refused += r == -ENOMEM;
			if (xml_calls < k)
				break;
		}
	}
	assert_true(refused > 10);
	(void) cw_arena_free(arena);
}

static int xml_with_hooks(void **state)
{
	(void) state;
	xmlCleanupParser();
	if (xmlMemSetup(xml_free, xml_malloc, xml_realloc, xml_strdup) != 0)
		return -1;
	cw_tsp_init();
	return 0;
}

static int xml_without_hooks(void **state)
{
	(void) state;
	xmlCleanupParser();
	return xmlMemSetup(free, malloc, realloc, strdup);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_in),
		cmocka_unit_test(samples_from_server),
		cmocka_unit_test(documents_layout),
		cmocka_unit_test(bad_input),
		cmocka_unit_test(bad_bytes),
		cmocka_unit_test(limits),
		cmocka_unit_test(odd_but_good),
		cmocka_unit_test(from_server_refused),
		cmocka_unit_test(broker_lists),
		cmocka_unit_test_setup_teardown(out_of_memory, xml_with_hooks, xml_without_hooks),
	};

	return cmocka_run_group_tests_name("tsp xml", tests, tsp_set_up, NULL);
}
