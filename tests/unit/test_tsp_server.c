/* SPDX-License-Identifier: BSD-2-Clause */
/* The server half of TSP over a stream: whole sessions, in any segmentation; logins; requests in
 * order; offers; pushed deletes; deadlines; every row of the wire guide's list of malformed input.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "tests/lib/cw-cmocka.h"
#include "tests/lib/tsp-samples.h"
#include "tests/lib/tsp-session.h"

/* ---- whole sessions ---- */

static void deployed_client(void **state)
{
	struct tsp_owner o;

	(void) state;
	tsp_owner_init(&o, "DIGEST-MD5 ANONYMOUS");
	start(&o);
	assert_int_equal(state_of(&o), CW_TSP_S_HELLO);
	say(&o, V2);
	assert_heard(&o, "<" CAPABILITY ">");
	assert_int_equal(state_of(&o), CW_TSP_S_AUTH);
	tsp_owner_input(&o, ANONYMOUS "\0", sizeof ANONYMOUS); /* the NUL of the deployed clients */
	assert_heard(&o, OK);
	assert_int_equal(state_of(&o), CW_TSP_S_COMMAND);
	say(&o, TSP_CREATE_DEPLOYED);
	assert_heard(&o, "<" TSP_INFO ">");
	assert_int_equal(state_of(&o), CW_TSP_S_OFFER);
	say(&o, TSP_ACCEPT);
	assert_heard(&o, "[offer accepted]");
	assert_int_equal(state_of(&o), CW_TSP_S_ESTAB);
	say(&o, TSP_RENEW);
	assert_heard(&o, "<" TSP_INFO ">");
	assert_int_equal(state_of(&o), CW_TSP_S_ESTAB);
	say(&o, TSP_QUERY);
	assert_heard(&o, "<" TSP_INFO ">");
	say(&o, TSP_DELETE);
	assert_heard(&o, "<" TSP_200 ">");
	cw_tsp_server_eof(o.server, o.now_ms);
	assert_heard(&o, "[close eof]");
	assert_int_equal(o.requests, 4);
	tsp_owner_done(&o);
}

static void dstm_client(void **state)
{
	struct tsp_owner o;

	(void) state;
	tsp_owner_init(&o, "DIGEST-MD5 ANONYMOUS");
	start(&o);
	assert_int_equal(cw_tsp_server_version(o.server), CW_TSP_V2);
	say(&o, V1 ANONYMOUS TSP_CREATE_DSTM);
	assert_heard(&o, "<" CAPABILITY ">" OK "<" TSP_INFO ">");
	assert_int_equal(cw_tsp_server_version(o.server), CW_TSP_V1);
	/* 1.x has no accept: established by info. */
	assert_int_equal(state_of(&o), CW_TSP_S_ESTAB);
	say(&o, TSP_ACCEPT);
	assert_heard(&o, "");
	assert_int_equal(cw_tsp_server_strays(o.server), 1);
	tsp_owner_done(&o);
}

/* The same whatever the segments: octet by octet, all at once, and cut in two at every place. */
static void any_segmentation(void **state)
{
	static const char text[] =
		"\0" V2
		"\0\0AUTHENTICATE PLAIN\n\0\0alice\0secret\r\n\0" TSP_CREATE_DEPLOYED TSP_REJECT
		"\r\n" TSP_CREATE_DSTM TSP_ACCEPT "\0" TSP_RENEW TSP_DELETE;
	static char want[8192];
	struct tsp_owner o;

	(void) state;
	tsp_owner_init(&o, "PLAIN");
	start(&o);
	tsp_owner_input(&o, text, sizeof text - 1);
	(void) snprintf(want, sizeof want, "%s",
		"<CAPABILITY TUNNEL=V4V6 AUTH=PLAIN\r\n>" OK "<" TSP_INFO
		">[offer rejected]<" TSP_INFO ">[offer accepted]<" TSP_INFO "><" TSP_200 ">");
	assert_heard(&o, want);
	start(&o);
	for (size_t i = 0; i < sizeof text - 1; i++)
		tsp_owner_input(&o, text + i, 1);
	assert_heard(&o, want);
	for (size_t cut = 1; cut < sizeof text - 1; cut++) {
		start(&o);
		tsp_owner_input(&o, text, cut);
		tsp_owner_input(&o, text + cut, sizeof text - 1 - cut);
		assert_heard(&o, want);
		assert_false(o.closed);
	}
	tsp_owner_done(&o);
}

/* The answers come as they are known; the order is that of the questions, whatever was sent ahead.
 */
static void answers_later(void **state)
{
	struct tsp_owner o;

	(void) state;
	tsp_owner_init(&o, "DIGEST-MD5 ANONYMOUS");
	o.hold = true;
	start(&o);
	say(&o, V2 ANONYMOUS TSP_CREATE_DEPLOYED TSP_REJECT TSP_CREATE_DSTM TSP_ACCEPT TSP_DELETE);
	assert_heard(&o, "<" CAPABILITY ">");
	assert_true(cw_tsp_server_busy(o.server));
	tsp_owner_answer(&o);
	assert_heard(&o, OK);
	assert_int_equal(o.requests, 1); /* row 23: the second create waits */
	tsp_owner_answer(&o);
	assert_heard(&o, "<" TSP_INFO ">[offer rejected]");
	assert_int_equal(o.requests, 2);
	tsp_owner_answer(&o);
	assert_heard(&o, "<" TSP_INFO ">[offer accepted]");
	tsp_owner_answer(&o);
	assert_heard(&o, "<" TSP_200 ">");
	assert_false(cw_tsp_server_busy(o.server));
	tsp_owner_done(&o);
}

static void stops_reading(void **state)
{
	struct tsp_owner o;

	(void) state;
	tsp_owner_init(&o, "ANONYMOUS");
	start_with(&o, LOGIN);
	o.hold = true;
	say(&o, TSP_RENEW);
	assert_true(cw_tsp_server_wants_input(o.server));
	for (unsigned i = 0; i < 6; i++)
		say(&o, TSP_RENEW);
	assert_false(cw_tsp_server_wants_input(o.server));
	o.hold = false;
	tsp_owner_answer(&o);
	assert_int_equal(o.requests, 7);
	assert_true(cw_tsp_server_wants_input(o.server));
	(void) tsp_owner_record(&o);
	/* Who goes on reading all the same is stopped, and no answer goes wrong. */
	o.hold = true;
	for (unsigned i = 0; i < 500 && !o.closed; i++)
		say(&o, TSP_RENEW);
	assert_true(o.closed);
	assert_heard(&o, "[close overrun]");
	tsp_owner_answer(&o);
	assert_heard(&o, "");
	tsp_owner_done(&o);
}

/* ---- logins, section 3 ---- */

static void logins(void **state)
{
	static const struct {
		const char *text;
		size_t n;
		const char *want;
	} cases[] = {
#define CASE(text, want) {text, sizeof(text) - 1, want}
		CASE("AUTHENTICATE PLAIN " B64_LOGIN "\r\n", OK),
		CASE("AUTHENTICATE plain " B64_LOGIN "\r\n", OK),
		CASE("AUTHENTICATE PLAIN\r\n" B64_LOGIN "\r\n", OK),
		CASE("AUTHENTICATE PLAIN\r\n\0\0alice\0secret\r\n", OK),
		CASE("AUTHENTICATE PLAIN\r\nalice\0secret\r\n", OK),
		CASE("AUTHENTICATE PLAIN\r\nalice\0secret\0\r\n", OK),
		CASE("AUTHENTICATE PLAIN\r\nalice\0alice\0secret\r\n", OK),
		CASE("AUTHENTICATE PLAIN\r\nbob\0alice\0secret\r\n", E300),
		CASE("AUTHENTICATE PLAIN\r\n\0alice\0wrong\r\n", E300),
		CASE("AUTHENTICATE PLAIN\r\n\0\0secret\r\n", "[sasl-abort]"),
		CASE("AUTHENTICATE PLAIN\r\nalice\0\r\n", "[sasl-abort]"),
		CASE("AUTHENTICATE PLAIN\r\na\0b\0c\0d\r\n", "[sasl-abort]"),
		CASE("AUTHENTICATE PLAIN =\r\n", E300),
		CASE("AUTHENTICATE PLAIN " B64_WRONG "\r\n", E300),
		CASE("AUTHENTICATE PLAIN\r\n*\r\n", "[sasl-abort]"),
		CASE("AUTHENTICATE PLAIN\r\n!!!\r\n", "[sasl-abort]"),
		CASE("AUTHENTICATE PLAIN !!!\r\n", E300),
		CASE("AUTHENTICATE DIGEST-MD5\r\n" B64_RESPONSE,
			"<" B64_CHALLENGE "><" B64_RSPAUTH ">"),
		CASE("AUTHENTICATE DIGEST-MD5\r\n\r\n", "<" B64_CHALLENGE ">" E300),
		CASE("AUTHENTICATE DIGEST-MD5\r\na\0b\r\n", "<" B64_CHALLENGE ">[sasl-abort]"),
		CASE("AUTHENTICATE SCRAM-SHA-256\r\n", ""), /* the client speaks first: silence */
		CASE("AUTHENTICATE EXTERNAL =\r\n", "<530 Server too busy\r\n>[close busy]"),
		CASE("AUTHENTICATE GSSAPI\r\n", E300), CASE("AUTHENTICATE SCRAM-SHA\r\n", E300),
		CASE("AUTHENTICATE\r\n", E300), CASE("AUTHENTICATE PLAIN a b\r\n", E300),
		CASE("PLAIN\r\n", E300), CASE("\r\n", E300),
		CASE(TSP_CREATE_DEPLOYED, E300), /* row 5 */
	};
	struct tsp_owner o;

	(void) state;
	tsp_owner_init(&o, MECHS);
	for (unsigned i = 0; i < CW_ARRAY_LEN(cases); i++) {
		const char *want = cases[i].want, *abort_at = strstr(want, "[sasl-abort]");
		char buf[256];

		start_with(&o, V2);
		tsp_owner_input(&o, cases[i].text, cases[i].n);
		/* An exchange that is given up: the status, then the owner hears of it. */
		if (abort_at) {
			(void) snprintf(buf, sizeof buf, "%.*s%s", (int) (abort_at - want), want,
				"<300 Authentication failed\r\n>[sasl-abort][close auth]");
			want = buf;
		}
		assert_heard(&o, want);
		assert_int_equal(o.requests, 0);
	}
	tsp_owner_done(&o);
}

/* rspauth and 200 are two writes, 50 ms apart; a request sent ahead waits. */
static void verdict_apart(void **state)
{
	struct tsp_owner o;

	(void) state;
	tsp_owner_init(&o, MECHS);
	start_with(&o, V2);
	say(&o, "AUTHENTICATE DIGEST-MD5\r\n" B64_RESPONSE TSP_CREATE_DEPLOYED);
	assert_heard(&o, "<" B64_CHALLENGE "><" B64_RSPAUTH ">");
	assert_int_equal(cw_tsp_server_deadline(o.server), o.now_ms + 50);
	tsp_owner_sleep(&o, 49);
	assert_heard(&o, "");
	tsp_owner_sleep(&o, 1);
	assert_heard(&o, OK "<" TSP_INFO ">");
	/* Without a final message the verdict waits for nothing. */
	start_with(&o, V2);
	say(&o, "AUTHENTICATE PLAIN " B64_LOGIN "\r\n");
	assert_heard(&o, OK);
	o.conf.verdict_ms = 0;
	start_with(&o, V2);
	say(&o, "AUTHENTICATE DIGEST-MD5\r\n" B64_RESPONSE);
	assert_heard(&o, "<" B64_CHALLENGE "><" B64_RSPAUTH ">" OK);
	tsp_owner_done(&o);
}

static void back_off(void **state)
{
	struct tsp_owner o;

	(void) state;
	tsp_owner_init(&o, MECHS);
	o.fail_delay_ms = 4000;
	start_with(&o, V2);
	say(&o, "AUTHENTICATE PLAIN " B64_WRONG "\r\n");
	tsp_owner_sleep(&o, 3999);
	assert_heard(&o, "");
	tsp_owner_sleep(&o, 1);
	assert_heard(&o, E300);
	/* A good login is not held back; a longer delay ends with the time for logging in. */
	start_with(&o, V2);
	say(&o, "AUTHENTICATE PLAIN " B64_LOGIN "\r\n");
	assert_heard(&o, OK);
	o.fail_delay_ms = 60000;
	start_with(&o, V2);
	say(&o, "AUTHENTICATE PLAIN " B64_WRONG "\r\n");
	tsp_owner_sleep(&o, 60000);
	assert_heard(&o, "[close timeout]");
	tsp_owner_done(&o);
}

/* A second AUTHENTICATE: one authentication per connection. */
static void authenticate_again(void **state)
{
	struct tsp_owner o;

	(void) state;
	tsp_owner_init(&o, MECHS);
	start_with(&o, LOGIN);
	say(&o, ANONYMOUS);
	assert_heard(&o, F500 "[close format]");
	tsp_owner_done(&o);
}

/* A result that comes after the end moves nothing. */
static void late_results(void **state)
{
	struct tsp_owner o;

	(void) state;
	tsp_owner_init(&o, MECHS);
	o.hold = true;
	start_with(&o, V2 ANONYMOUS);
	assert_true(o.sasl_due);
	tsp_owner_sleep(&o, 30000);
	assert_heard(&o, "[sasl-abort][close timeout]");
	tsp_owner_answer(&o);
	assert_heard(&o, "");
	o.hold = false;
	start_with(&o, LOGIN);
	o.hold = true;
	say(&o, TSP_CREATE_DSTM);
	cw_tsp_server_lost(o.server);
	tsp_owner_answer(&o);
	assert_heard(&o, "");
	assert_false(o.closed);
	tsp_owner_done(&o);
}

/* ---- codes and other brokers ---- */

static void create_refused(void **state)
{
	static const struct {
		enum cw_tsp_event ev;
		const char *v1, *v2;
	} cases[] = {
		{CW_TSP_POOL_EMPTY, F(28, "306 Address Pool Exhausted"),
			F(31, "301 No more tunnels available")},
		{CW_TSP_TEP, F(32, "307 Configuration Error at TEP"),
			F(32, "307 Configuration Error at TEP")},
		{CW_TSP_INTERNAL, F(21, "530 Server too busy"), F(23, "310 Server side error")},
		{CW_TSP_IN_PROGRESS, F(33, "521 Request already in progress"),
			F(33, "521 Request already in progress")},
		{CW_TSP_OVERLOAD, F(21, "530 Server too busy"), F(21, "530 Server too busy")},
	};
	struct tsp_owner o;

	(void) state;
	tsp_owner_init(&o, MECHS);
	for (unsigned i = 0; i < CW_ARRAY_LEN(cases); i++) {
		o.event = cases[i].ev;
		start_with(&o, V1 ANONYMOUS);
		say(&o, TSP_CREATE_DSTM);
		assert_heard(&o, cases[i].v1);
		assert_int_equal(state_of(&o), CW_TSP_S_COMMAND);
		start_with(&o, V2 ANONYMOUS);
		say(&o, TSP_CREATE_DSTM);
		assert_heard(&o, cases[i].v2);
		assert_int_equal(state_of(&o), CW_TSP_S_COMMAND);
	}
	tsp_owner_done(&o);
}

static void redirects(void **state)
{
	static const struct cw_tsp_broker two[] = {
		{CW_TSP_BROKER_V6, "[2001:db8::53]:3653"},
		{CW_TSP_BROKER_DN, "tsp2.example.net"},
	};
	const struct cw_tsp_redirect to = {two, 2};
	struct cw_tsp_broker many[CW_TSP_BROKERS_MAX];
	char name[CW_TSP_BROKER_TEXT_MAX + 1];
	struct tsp_owner o;

	(void) state;
	tsp_owner_init(&o, "ANONYMOUS");
	o.conf.redirect[CW_TSP_VERSION] = o.conf.redirect[CW_TSP_AUTH] = to;
	o.conf.redirect[CW_TSP_POOL_EMPTY] = o.conf.redirect[CW_TSP_TYPE] = to;
	assert_int_equal(cw_tsp_server_conf_check(&o.conf), 0);
	start(&o);
	say(&o, "VERSION=1.1\r\n");
	assert_heard(&o, "<1302 Unsupported client version\r\n" TSP_LIST_BODY ">[close version]");
	start(&o);
	say(&o, V2 "AUTHENTICATE PLAIN\r\n");
	assert_heard(&o, "<CAPABILITY TUNNEL=V4V6 AUTH=ANONYMOUS\r\n>"
			 "<1300 Authentication failed\r\n" TSP_LIST_BODY ">[close auth]");
	start_with(&o, LOGIN);
	o.event = CW_TSP_POOL_EMPTY;
	say(&o, TSP_CREATE_DSTM);
	assert_heard(&o, "<" TSP_REDIRECT ">");
	say(&o, FRAME("<tunnel action=\"create\" type=\"v6v4\"/>  "));
	assert_heard(
		&o, "<Content-length: 228\r\n1303 Unsupported tunnel type\r\n" TSP_LIST_BODY ">");
	start_with(&o, V1 ANONYMOUS);
	say(&o, TSP_CREATE_DSTM);
	assert_heard(
		&o, "<Content-length: 227\r\n1306 Address Pool Exhausted\r\n" TSP_LIST_BODY ">");
	/* A list that no client could read is refused before it is used; were it used, the plain
	 * status goes out. */
	memset(name, 'a', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	for (unsigned i = 0; i < CW_ARRAY_LEN(many); i++)
		many[i] = (struct cw_tsp_broker){CW_TSP_BROKER_DN, name};
	o.conf.redirect[CW_TSP_POOL_EMPTY] = (struct cw_tsp_redirect){many, CW_TSP_BROKERS_MAX};
	assert_int_equal(cw_tsp_server_conf_check(&o.conf), CW_E_LIMIT);
	start_with(&o, LOGIN);
	say(&o, TSP_CREATE_DSTM);
	assert_heard(&o, F(31, "301 No more tunnels available"));
	many[0].text = "<";
	assert_int_equal(cw_tsp_server_conf_check(&o.conf), CW_E_SYNTAX);
	tsp_owner_done(&o);
}

/* ---- offers ---- */

static void offers(void **state)
{
	struct tsp_owner o;

	(void) state;
	tsp_owner_init(&o, MECHS);
	start_with(&o, LOGIN TSP_CREATE_DSTM);
	tsp_owner_sleep(&o, 29999);
	assert_heard(&o, "");
	tsp_owner_sleep(&o, 1);
	assert_heard(&o, "[offer timeout]");
	assert_int_equal(state_of(&o), CW_TSP_S_COMMAND);
	say(&o, TSP_ACCEPT); /* too late */
	assert_heard(&o, "");
	tsp_owner_sleep(&o, 60000);
	assert_heard(&o, "[close timeout]");
	/* Ends of the connection revoke the offer. */
	start_with(&o, LOGIN TSP_CREATE_DSTM);
	cw_tsp_server_eof(o.server, o.now_ms);
	assert_heard(&o, "[offer lost][close eof]");
	start_with(&o, LOGIN TSP_CREATE_DSTM);
	cw_tsp_server_lost(o.server);
	assert_heard(&o, "[offer lost]");
	start_with(&o, LOGIN TSP_CREATE_DSTM);
	say(&o, "nonsense\r\n");
	assert_heard(&o, F500 "[offer lost][close format]");
	start_with(&o, LOGIN TSP_CREATE_DSTM);
	cw_tsp_server_refuse(o.server, CW_TSP_OVERLOAD);
	assert_heard(&o, F(21, "530 Server too busy") "[offer lost][close busy]");
	cw_tsp_server_refuse(o.server, CW_TSP_OVERLOAD);
	assert_heard(&o, "");
	/* One that the owner took back is none any more. */
	start_with(&o, LOGIN TSP_CREATE_DSTM);
	cw_tsp_server_set_lease(o.server, false, o.now_ms);
	assert_int_equal(state_of(&o), CW_TSP_S_COMMAND);
	say(&o, TSP_ACCEPT);
	assert_heard(&o, "");
	/* A second create while the offer stands: offered anew, with the whole time. */
	start_with(&o, LOGIN TSP_CREATE_DSTM);
	tsp_owner_sleep(&o, 20000);
	say(&o, TSP_CREATE_DSTM);
	assert_heard(&o, "<" TSP_INFO ">");
	tsp_owner_sleep(&o, 29999);
	say(&o, TSP_ACCEPT);
	assert_heard(&o, "[offer accepted]");
	/* A lease of the session survives the rejection of another offer. */
	say(&o, TSP_CREATE_DEPLOYED TSP_REJECT);
	assert_heard(&o, "<" TSP_INFO ">[offer rejected]");
	assert_int_equal(state_of(&o), CW_TSP_S_ESTAB);
	cw_tsp_server_set_lease(o.server, false, o.now_ms);
	assert_int_equal(state_of(&o), CW_TSP_S_COMMAND);
	cw_tsp_server_set_lease(o.server, true, o.now_ms);
	assert_int_equal(state_of(&o), CW_TSP_S_ESTAB);
	tsp_owner_done(&o);
}

/* ---- deletes nobody asked for ---- */

static void pushed_deletes(void **state)
{
	struct tsp_owner o;
	int r = 0;

	(void) state;
	tsp_owner_init(&o, MECHS);
	start_with(&o, V2);
	assert_int_equal(push_delete(&o), -ENOTCONN);
	start_with(&o, LOGIN TSP_RENEW);
	assert_int_equal(push_delete(&o), 0);
	assert_heard(&o, "<" TSP_PUSH ">");
	/* An info for that pair is the acknowledgement, the next one a question. */
	say(&o, TSP_QUERY);
	assert_heard(&o, "[acked]");
	say(&o, TSP_QUERY);
	assert_heard(&o, "<" TSP_INFO ">");
	/* Another address, or another end, is another pair: questions. */
	assert_int_equal(push_delete(&o), 0);
	(void) tsp_owner_record(&o);
	say(&o, FRAME("<tunnel action=\"info\" type=\"v4v6\"><client>" TSP_V6("2001:db8::1")
				TSP_V4("192.0.2.11") "</client></tunnel>"));
	assert_heard(&o, "<" TSP_308 ">");
	say(&o, FRAME("<tunnel action=\"info\" type=\"v4v6\"><client>" TSP_V6("2001:db8::9")
				TSP_V4("192.0.2.10") "</client></tunnel>"));
	assert_int_equal(strncmp(tsp_owner_record(&o), "<Content-length: 327", 20), 0);
	say(&o, FRAME("<tunnel action=\"info\" type=\"v4v6\"><client>" TSP_V6(
			"2001:db8::1") "</client></tunnel>"));
	assert_heard(&o, "<" TSP_INFO ">");
	assert_int_equal(push_delete(&o), 0);
	say(&o, TSP_QUERY);
	assert_heard(&o, "<" TSP_PUSH ">[acked]");
	/* Never between a question and its answer. */
	o.hold = true;
	say(&o, TSP_DELETE);
	assert_int_equal(push_delete(&o), 0);
	assert_int_equal(push_delete(&o), 0);
	assert_heard(&o, "");
	o.hold = false;
	tsp_owner_answer(&o);
	assert_heard(&o, "<" TSP_200 "><" TSP_PUSH "><" TSP_PUSH ">");
	say(&o, TSP_QUERY TSP_QUERY);
	assert_heard(&o, "[acked][acked]");
	/* Leased anew: an info is a question again, though the delete was never acknowledged. */
	assert_int_equal(push_delete(&o), 0);
	say(&o, TSP_RENEW);
	(void) tsp_owner_record(&o);
	say(&o, TSP_QUERY);
	assert_heard(&o, "<" TSP_INFO ">");
	/* A client that acknowledges nothing costs no more and more memory. */
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(push_delete(&o), 0);
	assert_true(cw_tsp_server_memory(o.server) < 4096);
	o.hold = true;
	say(&o, TSP_RENEW);
	for (unsigned i = 0; i < 100 && r == 0; i++)
		r = push_delete(&o);
	assert_int_equal(r, CW_E_LIMIT);
	cw_tsp_server_lost(o.server);
	assert_int_equal(push_delete(&o), -ENOTCONN);
	tsp_owner_done(&o);
}

/* ---- deadlines ---- */

static void deadlines(void **state)
{
	struct tsp_owner o;

	(void) state;
	tsp_owner_init(&o, MECHS);
	/* Row 19: 30 s in total, whatever trickles in. */
	start(&o);
	for (unsigned i = 0; i < 29; i++) {
		tsp_owner_sleep(&o, 1000);
		tsp_owner_input(&o, &V2[i % 8], 1);
	}
	assert_false(o.closed);
	tsp_owner_sleep(&o, 1000);
	assert_heard(&o, "[close timeout]");
	assert_int_equal(cw_tsp_server_deadline(o.server), INT64_MAX);
	/* A started frame: 10 s. */
	start_with(&o, LOGIN);
	tsp_owner_sleep(&o, 50000);
	say(&o, "Content-length: 35\r\n<tunnel");
	tsp_owner_sleep(&o, 5000);
	say(&o, " action");
	tsp_owner_sleep(&o, 4999);
	assert_heard(&o, "");
	tsp_owner_sleep(&o, 1);
	assert_heard(&o, F500 "[close timeout]");
	/* Also with a lease, where nothing else ends; blanks and NULs start no frame. */
	start_with(&o, LOGIN TSP_RENEW);
	assert_int_equal(cw_tsp_server_deadline(o.server), INT64_MAX);
	tsp_owner_input(&o, "\0\r\n", 3);
	assert_int_equal(cw_tsp_server_deadline(o.server), INT64_MAX);
	say(&o, "C");
	assert_int_equal(cw_tsp_server_deadline(o.server), o.now_ms + 10000);
	/* The next frame has its own ten seconds. */
	tsp_owner_sleep(&o, 9000);
	say(&o, &(TSP_RENEW "C")[1]);
	assert_int_equal(cw_tsp_server_deadline(o.server), o.now_ms + 10000);
	/* 60 s idle without a lease; any frame is life, a running request is not idle. */
	start_with(&o, LOGIN);
	assert_int_equal(cw_tsp_server_deadline(o.server), o.now_ms + 60000);
	tsp_owner_sleep(&o, 59000);
	say(&o, TSP_ACCEPT);
	tsp_owner_sleep(&o, 59000);
	o.hold = true;
	say(&o, TSP_CREATE_DSTM);
	tsp_owner_sleep(&o, 100000);
	assert_heard(&o, "");
	o.event = CW_TSP_TEP;
	tsp_owner_answer(&o);
	(void) tsp_owner_record(&o);
	tsp_owner_sleep(&o, 59999);
	assert_heard(&o, "");
	tsp_owner_sleep(&o, 1);
	assert_heard(&o, "[close timeout]");
	tsp_owner_done(&o);
}

/* ---- half-close ---- */

static void half_close(void **state)
{
	struct tsp_owner o;

	(void) state;
	tsp_owner_init(&o, "ANONYMOUS");
	o.hold = true;
	start(&o);
	say(&o, LOGIN TSP_RENEW);
	cw_tsp_server_eof(o.server, o.now_ms);
	assert_false(cw_tsp_server_wants_input(o.server));
	tsp_owner_answer(&o);
	assert_false(o.closed);
	(void) tsp_owner_record(&o);
	tsp_owner_answer(&o);
	assert_heard(&o, "<" TSP_INFO ">[close eof]");
	say(&o, TSP_RENEW); /* after the end: nothing */
	assert_heard(&o, "");
	o.hold = false;
	start(&o);
	say(&o, "VERS");
	cw_tsp_server_eof(o.server, o.now_ms);
	assert_heard(&o, "[close eof]");
	tsp_owner_done(&o);
}

/* ---- memory ---- */

static void small(void **state)
{
	struct tsp_owner o;

	(void) state;
	tsp_owner_init(&o, MECHS);
	start_with(&o, LOGIN TSP_RENEW);
	assert_int_equal(state_of(&o), CW_TSP_S_ESTAB);
	print_message(
		"# an established session takes %zu octets\n", cw_tsp_server_memory(o.server));
	assert_true(cw_tsp_server_memory(o.server) <= 512);
	say(&o, "Content-length: 35\r\n");
	assert_true(cw_tsp_server_memory(o.server) <= 1024);
	say(&o, "<tunnel action=\"accept\"></tunnel>\r\n");
	assert_true(cw_tsp_server_memory(o.server) <= 512);
	tsp_owner_done(&o);
}

/* Every allocation fails once: the session goes on or ends, and says only what it may. */
static void out_of_memory(void **state)
{
	static const char text[] = LOGIN TSP_CREATE_DEPLOYED TSP_ACCEPT TSP_RENEW;
	struct tsp_owner o;

	(void) state;
	tsp_owner_init(&o, "ANONYMOUS");
	for (unsigned long k = 1;; k++) {
		unsigned long before = cw_mem_count(), used;

		cw_mem_fail_at(k);
		tsp_owner_start(&o);
		for (size_t i = 0; o.server && i < sizeof text - 1; i += 7)
			tsp_owner_input(
				&o, text + i, sizeof text - 1 - i < 7 ? sizeof text - 1 - i : 7);
		if (o.server && !o.closed)
			(void) push_delete(&o);
		cw_mem_fail_at(0);
		used = cw_mem_count() - before;
		tsp_owner_done(&o);
		if (used < k)
			break;
		assert_true(k < 1000);
	}
	assert_false(o.closed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deployed_client),
		cmocka_unit_test(dstm_client),
		cmocka_unit_test(any_segmentation),
		cmocka_unit_test(answers_later),
		cmocka_unit_test(stops_reading),
		cmocka_unit_test(logins),
		cmocka_unit_test(verdict_apart),
		cmocka_unit_test(back_off),
		cmocka_unit_test(authenticate_again),
		cmocka_unit_test(late_results),
		cmocka_unit_test(create_refused),
		cmocka_unit_test(redirects),
		cmocka_unit_test(offers),
		cmocka_unit_test(pushed_deletes),
		cmocka_unit_test(deadlines),
		cmocka_unit_test(half_close),
		cmocka_unit_test(small),
		cmocka_unit_test(out_of_memory),
	};

	return cmocka_run_group_tests_name("tsp server", tests, tsp_set_up, NULL);
}
