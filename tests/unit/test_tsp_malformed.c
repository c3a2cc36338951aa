/* SPDX-License-Identifier: BSD-2-Clause */
/* The wire guide's list of malformed input (section 12) against a server session on a stream: for
 * every row and both versions the stated answer, no lease, and what survives still serves. */
#include "config.h"

#include <string.h>

#include "tests/lib/tsp-samples.h"
#include "tests/lib/tsp-session.h"

struct row {
	unsigned row;
	const char *text, *v1, *v2; /* after LOGIN; the answers by version */
};

#define BAD6_1 F(26, "309 Invalid IPv6 address")
#define BAD6_2 F(26, "502 Invalid IPv6 address")
#define BAD4_1 F(26, "310 IPv4 Invalid Address")
#define BAD4_2 F(26, "501 Invalid IPv4 address")

static const struct row rows[] = {
	{7, "Content-length: abc\r\n", CLOSED, CLOSED},
	{7, "Content-length: -5\r\n", CLOSED, CLOSED},
	{7, "Content-length: +10\r\n", CLOSED, CLOSED},
	{7, "Content-length: 0x40\r\n", CLOSED, CLOSED},
	{7, "Content-length:\r\n", CLOSED, CLOSED},
	{7, "Content-length: 10 10\r\n", CLOSED, CLOSED},
	{7, "Content-length: 4294967296\r\n", CLOSED, CLOSED},
	{7, "Content-length: 10000000000000000000000\r\n", CLOSED, CLOSED},
	{7, "Content-length: 0\r\n", CLOSED, CLOSED},
	{8, "Content-length: 12\r\n<tunnel action=\"accept\"></tunnel>\r\n", F500 CLOSED,
		F500 CLOSED},
	{9, FRAME("<tunnel "), F500, F500},
	{9, FRAME("<a/>"), F500, F500},
	{9, FRAME("<tunnel/>"), F500, F500},
	{9, FRAME("<tunnel action=\"accept\"/>\r\n<tunnel action=\"accept\"/>\r\n"), F500, F500},
	{9, FRAME("<tunnel action=\"accept\" action=\"accept\"/>"), F500, F500},
	{10,
		FRAME("<!DOCTYPE x [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><tunnel "
		      "action=\"&a;\"/>"),
		F500, F500},
	{11, FRAME("<tunnel action=\"create\" type=\"v6v4\"/>  "), E303, E303},
	{11, FRAME("<tunnel action=\"create\" type=\"v6gre\"/> "), E303, E303},
	{11, FRAME("<tunnel action=\"create\" type=\"\"/>      "), F500, F500},
	{11, FRAME("<tunnel action=\"create\"/>              "), F500, F500},
	{12, FRAME("<tunnel action=\"CREATE\" type=\"v4v6\"/>  "), F500, F500},
	{12, FRAME("<tunnel action=\"\" type=\"v4v6\"/>        "), F500, F500},
	{12, FRAME("<tunnel action=\"list\" type=\"broker\"/>  "), F500, F500},
	{13, TSP_ACCEPT, "", ""},
	{13, TSP_REJECT, "", ""},
	{14, FRAME(TSP_CLIENT(TSP_V6("zzz"))), BAD6_1, BAD6_2},
	{14, FRAME(TSP_CLIENT(TSP_V6("::1"))), BAD6_1, BAD6_2},
	{14, FRAME(TSP_CLIENT(TSP_V6("fe80::1"))), BAD6_1, BAD6_2},
	{15, FRAME(TSP_CLIENT(TSP_V6("2001:db8::1") TSP_V4("1.2.3"))), BAD4_1, BAD4_2},
	{16, FRAME(TSP_CLIENT(TSP_V6("2001:db8::1") TSP_V4("192.0.2.99"))), "<" TSP_308 ">",
		"<" TSP_308 ">"},
	{17, FRAME("<tunnel action=\"create\" type=\"v4v6\"><client></client></tunnel>      "),
		F500, F500},
	{18, "Content-length: 99999\r\n", CLOSED, CLOSED},
	{18, "Content-length: 1048576\r\n", CLOSED, CLOSED},
	{18, FRAME("<a><a><a><a><a><a><a><a><a><a><a><a></a></a></a></a></a></a></a></a></a></a></a></a>"),
		CLOSED, CLOSED},
	{22, FRAME("<?xml version=\"1.0\" encoding=\"UTF-16\"?><tunnel action=\"accept\"/>  "),
		F500, F500},
};

static void malformed(void **state)
{
	struct tsp_owner o;

	(void) state;
	tsp_owner_init(&o, MECHS);
	for (unsigned i = 0; i < CW_ARRAY_LEN(rows); i++) {
		for (unsigned v = 0; v < 2; v++) {
			const char *want = v ? rows[i].v2 : rows[i].v1;

			start_with(&o, v ? V2 ANONYMOUS : V1 ANONYMOUS);
			say(&o, rows[i].text);
			if (strcmp(o.record, want) != 0)
				print_error("row %u: %s", rows[i].row, rows[i].text);
			assert_heard(&o, want);
			assert_int_equal(o.closed, strstr(want, "[close") != NULL);
			/* What survives still serves. */
			if (o.closed)
				continue;
			say(&o, TSP_CREATE_DSTM);
			assert_heard(&o, "<" TSP_INFO ">");
		}
	}
	tsp_owner_done(&o);
}

static void malformed_hello(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"VERSION=0.1\r\n", E302},
		{"VERSION=1.1\r\n", E302},
		{"VERSION=3.0\r\n", E302},
		{"GET / HTTP/1.1\r\n", E302},
		{ANONYMOUS, E302},
		{"\n", E302},
		{TSP_CREATE_DEPLOYED, E300},
	};
	static char flood[65536];
	struct tsp_owner o;

	(void) state;
	tsp_owner_init(&o, MECHS);
	for (unsigned i = 0; i < CW_ARRAY_LEN(cases); i++) {
		start(&o);
		say(&o, cases[i].text);
		assert_heard(&o, cases[i].want);
	}
	/* Row 3. */
	memset(flood, 'A', sizeof flood);
	start(&o);
	tsp_owner_input(&o, flood, CW_TSP_LINE_MAX - 1);
	assert_heard(&o, "");
	tsp_owner_input(&o, flood, 1);
	assert_heard(&o, E500);
	start(&o);
	tsp_owner_input(&o, flood, sizeof flood);
	assert_heard(&o, E500);
	tsp_owner_input(&o, flood, sizeof flood);
	assert_heard(&o, "");
	/* A SASL line may be four times as long. */
	start_with(&o, V2 "AUTHENTICATE PLAIN\r\n");
	tsp_owner_input(&o, flood, CW_TSP_SASL_LINE_MAX - 1);
	assert_heard(&o, "");
	tsp_owner_input(&o, flood, 1);
	assert_heard(&o,
		"<500 Invalid request format or specified length\r\n>[sasl-abort][close format]");
	tsp_owner_done(&o);
}

/* Rows 9 and 22 with octets that are no C strings; row 8's N too long. */
static void malformed_octets(void **state)
{
	static const char nuls[] = "Content-length: 8\r\n\0\0\0\0\0\0\0\0";
	struct tsp_owner o;

	(void) state;
	tsp_owner_init(&o, MECHS);
	start_with(&o, LOGIN);
	tsp_owner_input(&o, nuls, sizeof nuls - 1);
	assert_heard(&o, F500);
	start_with(&o, LOGIN);
	say(&o, "Content-length: 99\r\n<tunnel action=\"accept\"></tunnel>\r\n");
	assert_heard(&o, "");
	cw_tsp_server_eof(o.server, o.now_ms);
	assert_heard(&o, F500 "[close format]");
	assert_int_equal(o.requests, 0);
	tsp_owner_done(&o);
}

static void content_errors(void **state)
{
	struct tsp_owner o;

	(void) state;
	tsp_owner_init(&o, MECHS);
	start_with(&o, LOGIN);
	for (unsigned i = 0; i < 3; i++) {
		say(&o, FRAME("<a/>"));
		assert_heard(&o, F500);
	}
	for (unsigned i = 0; i < 20; i++) { /* other refusals count for nothing */
		say(&o, FRAME("<tunnel action=\"create\" type=\"v6v4\"/>  "));
		assert_heard(&o, E303);
	}
	say(&o, FRAME("<a/>"));
	assert_heard(&o, CLOSED);
	tsp_owner_done(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(malformed),
		cmocka_unit_test(malformed_hello),
		cmocka_unit_test(malformed_octets),
		cmocka_unit_test(content_errors),
	};

	return cmocka_run_group_tests_name("tsp malformed", tests, tsp_set_up, NULL);
}
