/* SPDX-License-Identifier: BSD-2-Clause */
/* The real causewayd on loopback against every line of guide/tsp.md section 12: the stated code or
 * a clean close, no new lease, and a fresh session is served afterwards. Over TCP, over UDP where
 * datagrams make sense. Row 19 (an octet per second) is in test_broker_session.c, where the clock
 * obeys. */
#include "config.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "schema/tsp/tsp.h"
#include "tests/lib/broker-proc.h"
#include "tests/lib/cw-cmocka.h"

#define CREATE(v6)                                                                   \
	"<tunnel action=\"create\" type=\"v4v6\"><client><address type=\"ipv6\">" v6 \
	"</address></client></tunnel>"
#define RENEW(v6, v4)                                                                \
	"<tunnel action=\"create\" type=\"v4v6\"><client><address type=\"ipv6\">" v6 \
	"</address><address type=\"ipv4\">" v4 "</address></client></tunnel>"
#define DELETE(v6, v4)                                                               \
	"<tunnel action=\"delete\" type=\"v4v6\"><client><address type=\"ipv6\">" v6 \
	"</address><address type=\"ipv4\">" v4 "</address></client></tunnel>"
#define BUSY_V4 "198.51.100.4" /* held by 2001:db8:5::5 all the time */

static struct proc p;
static struct link holder;

static int start(void **state)
{
	(void) state;
	proc_open(&p,
		"tsp { listen = { \"[::1]:0\" } mechanisms = { \"SCRAM-SHA-256\", \"PLAIN\", \"ANONYMOUS\" }\n"
		" plain-without-tls = yes }\n"
		"log { level = info }\n"
		"tep \"edge1\" { plugin = \"null\" ipv4 = \"192.0.2.1\" ipv6 = \"2001:db8::1\" }\n"
		"pool \"default\" { range = { \"198.51.100.0/24\" } exclude = { \"198.51.100.0/30\" } tep = \"edge1\"\n"
		" quarantine = 0 }\n"
		"user \"alice\" { password = \"secret\" }\n");
	proc_start(&p);
	link_tcp(&holder, p.port);
	link_login(&holder, "1.0");
	assert_non_null(strstr(link_ask(&holder, "create", "2001:db8:5::5", NULL), BUSY_V4));
	return 0;
}

/* Everything the rows did has left no lease but the holder's, no descriptor and no memory. */
static int stop(void **state)
{
	(void) state;
	assert_non_null(strstr(link_ask(&holder, "info", "2001:db8:5::5", NULL), BUSY_V4));
	link_close(&holder);
	assert_int_equal(proc_stop(&p), 0);
	assert_int_equal(proc_run(&p, "--check-db"), 0);
	assert_true(proc_log_has(&p, ": 1 active, 0 ending", 1000));
	proc_close(&p);
	return 0;
}

/* Somebody new is served, and nothing is left of it. */
static void fresh_session(void)
{
	struct link l;

	link_tcp(&l, p.port);
	link_login(&l, "1.0");
	assert_non_null(strstr(link_ask(&l, "create", "2001:db8:6::6", NULL), "\n200 Success"));
	assert_string_equal(link_ask(&l, "delete", "2001:db8:6::6", link_leased(l.in)),
		"Content-length: 13\r\n200 Success\r\n");
	link_close(&l);
}

enum stage { HELLO, AUTH, COMMAND };

struct row {
	const char *number;
	enum stage stage;
	bool framed; /* text is the body of a frame */
	const char *text;
	size_t n;            /* 0: strlen */
	const char *want[2]; /* in sessions of 1.x, 2.x; NULL[1]: the same; "": silence */
	bool closes;
};

#define HELLO_ROW(nr, t, w)                             \
	{                                               \
		nr, HELLO, false, t, 0, {w, NULL}, true \
	}
#define AUTH_ROW(nr, t, w)                             \
	{                                              \
		nr, AUTH, false, t, 0, {w, NULL}, true \
	}
#define HEADER_ROW(nr, t)                                        \
	{                                                        \
		nr, COMMAND, false, t, 0, {"\n500 ", NULL}, true \
	}
#define BODY_ROW(nr, t, one, two)                          \
	{                                                  \
		nr, COMMAND, true, t, 0, {one, two}, false \
	}

static const struct row rows[] = {
	HELLO_ROW("1", "VERSION=0.1\r\n", "302 "),
	HELLO_ROW("1", "VERSION=1.1\r\n", "302 "),
	HELLO_ROW("1", "VERSION=3.0\r\n", "302 "),
	HELLO_ROW("2", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "302 "),
	HELLO_ROW("2", "AUTHENTICATE ANONYMOUS\r\n", "302 "),
	AUTH_ROW("4", "AUTHENTICATE GSSAPI\r\n", "300 "),
	AUTH_ROW("4", "AUTHENTICATE DIGEST-MD5\r\n", "300 "),
	AUTH_ROW("4", "AUTHENTICATE EXTERNAL\r\n", "300 "),
	AUTH_ROW("5", "Content-length: 35\r\n<tunnel action=\"accept\"></tunnel>\r\n", "300 "),
	AUTH_ROW("6", "AUTHENTICATE PLAIN AGFsaWNlAHdyb25n\r\n", "300 "),     /* alice, wrong */
	AUTH_ROW("6", "AUTHENTICATE PLAIN AG1hbGxvcnkAc2VjcmV0\r\n", "300 "), /* mallory, secret */
	AUTH_ROW("6", "AUTHENTICATE PLAIN AAB4\r\n", "300 "),                 /* nobody, x */
	AUTH_ROW("6", "AUTHENTICATE PLAIN !!!!\r\n", "300 "),
	AUTH_ROW("6",
		"AUTHENTICATE SCRAM-SHA-256 biwsbj1hbGljZSxyPWE=\r\nYz1iaXdzLHI9Zm9yZWlnbixwPXg=\r\n",
		"300 "),
	AUTH_ROW("6", "AUTHENTICATE PLAIN\r\n*\r\n", "300 "),
	HEADER_ROW("7", "Content-length: abc\r\n"),
	HEADER_ROW("7", "Content-length: -5\r\n"),
	HEADER_ROW("7", "Content-length: +10\r\n"),
	HEADER_ROW("7", "Content-length: 0x40\r\n"),
	HEADER_ROW("7", "Content-length: \r\n"),
	HEADER_ROW("7", "Content-length: 10 10\r\n"),
	HEADER_ROW("7", "Content-length: 4294967296\r\n"),
	HEADER_ROW("7", "Content-length: 10000000000000000000000\r\n"),
	HEADER_ROW("7", "Content-length: 0\r\n"),
	HEADER_ROW("8", "Content-length: 20\r\n" CREATE("2001:db8::9") "\r\n"),
	HEADER_ROW("18", "Content-length: 1048576\r\n"),
	BODY_ROW("9", "<tunnel action=\"create\" type=\"v4v6\"><client>", "\n500 ", NULL),
	BODY_ROW("9", "<tunnel action=\"accept\"></tunnel><tunnel action=\"accept\"></tunnel>",
		"\n500 ", NULL),
	BODY_ROW("9", "<a/>", "\n500 ", NULL),
	BODY_ROW("9", "<tunnel/>", "\n500 ", NULL),
	BODY_ROW("9", "<tunnel action=\"info\" action=\"info\"/>", "\n500 ", NULL),
	BODY_ROW("10", "<!DOCTYPE t [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>" CREATE("&x;"),
		"\n500 ", NULL),
	BODY_ROW("10", "<!DOCTYPE t [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]>" CREATE("&b;"),
		"\n500 ", NULL),
	BODY_ROW("10", "<!DOCTYPE t SYSTEM \"http://192.0.2.1/x.dtd\">" CREATE("2001:db8::9"),
		"\n500 ", NULL),
	BODY_ROW("10",
		"<!DOCTYPE t [<!ENTITY % p SYSTEM \"http://192.0.2.1/x\"> %p;]>" CREATE(
			"2001:db8::9"),
		"\n500 ", NULL),
	BODY_ROW("11",
		"<tunnel action=\"create\" type=\"v6v4\"><client><address type=\"ipv4\">192.0.2.7</address></client></tunnel>",
		"\n303 ", NULL),
	BODY_ROW("11",
		"<tunnel action=\"create\" type=\"v6gre\"><client><address type=\"ipv6\">2001:db8::9</address></client></tunnel>",
		"\n303 ", NULL),
	BODY_ROW("11",
		"<tunnel action=\"create\" type=\"\"><client><address type=\"ipv6\">2001:db8::9</address></client></tunnel>",
		"\n500 ", NULL),
	BODY_ROW("11",
		"<tunnel action=\"create\"><client><address type=\"ipv6\">2001:db8::9</address></client></tunnel>",
		"\n500 ", NULL),
	BODY_ROW("12", "<tunnel action=\"destroy\" type=\"v4v6\"/>", "\n500 ", NULL),
	BODY_ROW("12", "<tunnel action=\"\" type=\"v4v6\"/>", "\n500 ", NULL),
	BODY_ROW("12", "<tunnel action=\"CREATE\" type=\"v4v6\"/>", "\n500 ", NULL),
	BODY_ROW("12", "<tunnel action=\"list\" type=\"broker\"/>", "\n500 ", NULL),
	BODY_ROW("13", "<tunnel action=\"accept\"></tunnel>", "", NULL),
	BODY_ROW("13", "<tunnel action=\"reject\"></tunnel>", "", NULL),
	BODY_ROW("14", CREATE("zzz"), "\n309 ", "\n502 "),
	BODY_ROW("14", CREATE("1.2.3.4"), "\n309 ", "\n502 "),
	BODY_ROW("14", CREATE(""), "\n309 ", "\n502 "),
	BODY_ROW("14", CREATE("::"), "\n309 ", "\n502 "),
	BODY_ROW("14", CREATE("ff02::1"), "\n309 ", "\n502 "),
	BODY_ROW("14", CREATE("fe80::1"), "\n309 ", "\n502 "),
	BODY_ROW("14", CREATE("2001:db8::9%eth0"), "\n309 ", "\n502 "),
	BODY_ROW("14", CREATE("2001:db8::/64"), "\n309 ", "\n502 "),
	BODY_ROW("14", CREATE(":::"), "\n309 ", "\n502 "),
	BODY_ROW("14", CREATE("::ffff:192.0.2.1"), "\n309 ", "\n502 "),
	BODY_ROW("14", CREATE("2001:db8::1"), "\n309 ", "\n502 "),
	BODY_ROW("14", CREATE("2001:db8::1&#60;x&#62;"), "\n309 ", "\n502 "),
	BODY_ROW("14", CREATE("2001:db8:c18:ffff::0000:0000:0000:0001"), "\n309 ", "\n502 "),
	BODY_ROW("15", RENEW("2001:db8::9", "999.1.1.1"), "\n310 ", "\n501 "),
	BODY_ROW("15", RENEW("2001:db8::9", "1.2.3"), "\n310 ", "\n501 "),
	BODY_ROW("15", RENEW("2001:db8::9", "0x7f.1"), "\n310 ", "\n501 "),
	BODY_ROW("15", RENEW("2001:db8::9", ""), "\n310 ", "\n501 "),
	BODY_ROW("15", RENEW("2001:db8::9", "::1"), "\n310 ", "\n501 "),
	BODY_ROW("16", RENEW("2001:db8::9", BUSY_V4), "\n308 ", NULL),
	BODY_ROW("16", RENEW("2001:db8::9", "198.51.100.77"), "\n308 ", NULL),
	BODY_ROW("16", RENEW("2001:db8::9", "203.0.113.1"), "\n308 ", NULL),
	BODY_ROW("16", DELETE("2001:db8::9", BUSY_V4), "\n308 ", NULL),
	BODY_ROW("16",
		"<tunnel action=\"info\" type=\"v4v6\"><client><address type=\"ipv6\">2001:db8::9</address>"
		"<address type=\"ipv4\">" BUSY_V4 "</address></client></tunnel>",
		"\n308 ", NULL),
	BODY_ROW("17", "<tunnel action=\"create\" type=\"v4v6\"></tunnel>", "\n500 ", NULL),
	BODY_ROW("17", "<tunnel action=\"create\" type=\"v4v6\"><client></client></tunnel>",
		"\n500 ", NULL),
	BODY_ROW("17",
		"<tunnel action=\"create\" type=\"v4v6\"><server><address type=\"ipv6\">2001:db8::9</address></server></tunnel>",
		"\n500 ", NULL),
	BODY_ROW("17",
		"<tunnel action=\"create\" type=\"v4v6\"><client><address>2001:db8::9</address></client></tunnel>",
		"\n500 ", NULL),
	BODY_ROW("22", "<?xml version=\"1.0\" encoding=\"martian\"?>" CREATE("2001:db8::9"),
		"\n500 ", NULL),
	BODY_ROW("22", "<?php x ?>" CREATE("2001:db8::9"), "\n500 ", NULL),
	BODY_ROW("22", CREATE("\xff\xfe"), "\n500 ", NULL),
	{"22", COMMAND, false, "Content-length: 12\r\n\xff\xfe<\0t\0u\0n\0n\0", 32,
		{"\n500 ", NULL}, false},
	{"9", COMMAND, false, "Content-length: 8\r\n\0\0\0\0\0\0\0\0", 27, {"\n500 ", NULL}, false},
};

static void run_row(const struct row *r, const char *version)
{
	const char *want = version[0] == '2' && r->want[1] ? r->want[1] : r->want[0];
	struct link l;

	link_tcp(&l, p.port);
	if (r->stage == COMMAND) {
		link_login(&l, version);
	} else if (r->stage == AUTH) {
		char hello[64];

		(void) snprintf(hello, sizeof hello, "VERSION=%s\r\n", version);
		link_puts(&l, hello);
		(void) link_read(&l, "\r\n", 5000);
	}
	if (r->framed)
		link_frame(&l, r->text);
	else
		link_send(&l, r->text, r->n ? r->n : strlen(r->text));
	if (!want[0]) {
		/* Silence; the next question is answered, so nothing is late. */
		assert_non_null(strstr(link_ask(&l, "info", "2001:db8::9", NULL), "\n308 "));
		assert_null(strstr(l.in, "200"));
	} else {
		(void) link_read(&l, want, 5000);
		/* Several challenges may come first; codes before COMMAND stand at the start of a
		 * line. */
		if (!strstr(l.in, want))
			fail_msg("row %s, VERSION=%s, \"%.60s\": answered \"%s\", wanted %s",
				r->number, version, r->text, l.in, want);
	}
	if (r->closes) {
		(void) link_read(&l, NULL, 5000);
		if (!l.closed || l.reset)
			fail_msg("row %s, \"%.60s\": %s", r->number, r->text,
				l.reset ? "reset" : "not closed");
	}
	link_close(&l);
}

static void rows_over_tcp(void **state)
{
	static const char *const versions[] = {"1.0", "2.0.0"};

	(void) state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		for (unsigned v = 0; v < 2; v++)
			run_row(&rows[i], versions[v]);
		fresh_session();
	}
}

static void a_line_without_end(void **state)
{
	char text[1024];
	struct link l;

	(void) state;
	memset(text, 'x', sizeof text);
	link_tcp(&l, p.port);
	for (unsigned i = 0; i < 64 && !l.closed; i++)
		link_send(&l, text, sizeof text);
	assert_non_null(strstr(link_read(&l, "500 ", 5000), "500 "));
	(void) link_read(&l, NULL, 5000);
	assert_true(l.closed);
	link_close(&l);
	fresh_session();
}

static void a_frame_that_never_comes(void **state)
{
	struct link l;

	(void) state;
	/* N too long, then half-closed. */
	link_tcp(&l, p.port);
	link_login(&l, "2.0.0");
	link_puts(&l, "Content-length: 500\r\n" CREATE("2001:db8::9") "\r\n");
	link_half_close(&l);
	(void) link_read(&l, NULL, 5000);
	assert_true(l.closed);
	assert_null(strstr(l.in, "200"));
	link_close(&l);
	fresh_session();
}

static void too_deep(void **state)
{
	char *text = malloc(120000), *at = text;
	struct link l;

	(void) state;
	assert_non_null(text);
	/* Within the size, far beyond the depth. */
	for (unsigned i = 0; i < 2000; i++) {
		memcpy(at, "<a>", 3);
		at += 3;
	}
	*at = 0;
	link_tcp(&l, p.port);
	link_login(&l, "2.0.0");
	at = malloc(130000);
	(void) snprintf(at, 130000, "Content-length: %zu\r\n%s", strlen(text), text);
	link_puts(&l, at);
	assert_non_null(strstr(link_read(&l, "\n500 ", 5000), "\n500 "));
	(void) link_read(&l, NULL, 5000);
	assert_true(l.closed);
	link_close(&l);
	free(text);
	free(at);
	fresh_session();
}

static void five_hundred_characters(void **state)
{
	char body[1200], address[501];
	struct link l;

	(void) state;
	memset(address, '1', 500);
	address[500] = 0;
	(void) snprintf(body, sizeof body,
		"<tunnel action=\"create\" type=\"v4v6\"><client><address type=\"ipv6\">%s</address></client></tunnel>",
		address);
	link_tcp(&l, p.port);
	link_login(&l, "2.0.0");
	link_frame(&l, body);
	assert_non_null(strstr(link_read(&l, "\n502 ", 5000), "\n502 "));
	link_close(&l);
	fresh_session();
}

static void bad_content_three_times(void **state)
{
	struct link l;

	(void) state;
	link_tcp(&l, p.port);
	link_login(&l, "2.0.0");
	for (unsigned i = 0; i < 3; i++) {
		link_frame(&l, "<a/>");
		assert_non_null(strstr(link_read(&l, "\n500 ", 5000), "\n500 "));
		assert_false(l.closed);
	}
	link_frame(&l, "<a/>");
	(void) link_read(&l, NULL, 5000);
	assert_non_null(strstr(l.in, "\n500 "));
	assert_true(l.closed);
	link_close(&l);
	fresh_session();
}

static void octet_by_octet(void **state)
{
	static const char text[] = "VERSION=2.0.0\r\nAUTHENTICATE ANONYMOUS\r\n";
	char frame[512];
	struct link l;

	(void) state;
	link_tcp(&l, p.port);
	for (size_t i = 0; i < sizeof text - 1; i++)
		link_send(&l, text + i, 1);
	assert_non_null(strstr(link_read(&l, "200 Success\r\n", 5000), "200 Success\r\n"));
	(void) snprintf(frame, sizeof frame, "Content-length: %zu\r\n%s\r\n",
		strlen(CREATE("2001:db8:7::7")) + 2, CREATE("2001:db8:7::7"));
	for (size_t i = 0; i < strlen(frame); i++)
		link_send(&l, frame + i, 1);
	assert_non_null(strstr(link_read(&l, "</tunnel>", 5000), "\n200 "));
	link_frame(&l, "<tunnel action=\"reject\"></tunnel>");
	assert_non_null(strstr(link_ask(&l, "info", "2001:db8:7::7", NULL), "\n308 "));
	link_close(&l);
	fresh_session();
}

static void all_in_one_segment(void **state)
{
	struct link l;
	char text[1024];

	(void) state;
	(void) snprintf(text, sizeof text,
		"VERSION=2.0.0\r\nAUTHENTICATE ANONYMOUS\r\nContent-length: %zu\r\n%s\r\n"
		"Content-length: 35\r\n<tunnel action=\"reject\"></tunnel>\r\n",
		strlen(CREATE("2001:db8:7::7")) + 2, CREATE("2001:db8:7::7"));
	link_tcp(&l, p.port);
	link_puts(&l, text);
	assert_non_null(strstr(link_read(&l, "</tunnel>", 5000), "\n200 "));
	assert_non_null(strstr(link_ask(&l, "info", "2001:db8:7::7", NULL), "\n308 "));
	link_close(&l);
	fresh_session();
}

static void nuls_and_bare_line_ends(void **state)
{
	static const char text[] = "VERSION=2.0.0\n\0AUTHENTICATE ANONYMOUS\n\0";
	char frame[512];
	int n;
	struct link l;

	(void) state;
	link_tcp(&l, p.port);
	link_send(&l, text, sizeof text - 1);
	assert_non_null(strstr(link_read(&l, "200 Success\r\n", 5000), "200 Success\r\n"));
	n = snprintf(frame, sizeof frame, "%ccontent-LENGTH:  %zu\n%s\n", 0,
		strlen(CREATE("2001:db8:7::7")) + 1, CREATE("2001:db8:7::7"));
	link_send(&l, frame, (size_t) n);
	assert_non_null(strstr(link_read(&l, "</tunnel>", 5000), "\n200 "));
	link_close(&l);
	/* The offer is lost with its connection. */
	for (unsigned i = 0; i < 100; i++) {
		link_tcp(&l, p.port);
		link_login(&l, "2.0.0");
		if (strstr(link_ask(&l, "info", "2001:db8:7::7", NULL), "\n308 ")) {
			link_close(&l);
			break;
		}
		link_close(&l);
		assert_true(i < 99);
		(void) poll(NULL, 0, 10);
	}
	fresh_session();
}

static void two_creates_at_once(void **state)
{
	char text[1024];
	struct link l;

	(void) state;
	(void) snprintf(text, sizeof text,
		"Content-length: %zu\r\n%s\r\nContent-length: %zu\r\n%s\r\n",
		strlen(CREATE("2001:db8:7::7")) + 2, CREATE("2001:db8:7::7"),
		strlen(CREATE("2001:db8:7::7")) + 2, CREATE("2001:db8:7::7"));
	link_tcp(&l, p.port);
	link_login(&l, "1.0");
	link_puts(&l, text);
	assert_non_null(strstr(link_read(&l, "</tunnel>", 5000), "\n200 "));
	if (!strstr(strstr(l.in, "</tunnel>") + 9, "</tunnel>"))
		assert_non_null(strstr(link_read(&l, "</tunnel>", 5000), "\n200 "));
	assert_non_null(
		strstr(link_ask(&l, "delete", "2001:db8:7::7", link_leased(l.in)), "\n200 "));
	link_close(&l);
	fresh_session();
}

/* ---- UDP ---- */

static uint32_t udp_sequence = 0x0f0;

static void udp_put(struct link *l, const void *payload, size_t n, uint32_t sequence, uint32_t time)
{
	const struct cw_tsp_udp_header h = {.sequence = sequence, .timestamp = time};
	uint8_t text[2048];

	cw_tsp_udp_render(&h, text);
	memcpy(text + CW_TSP_UDP_HEADER, payload, n);
	link_send(l, text, n + CW_TSP_UDP_HEADER);
}

/* One datagram's payload; NULL: none within ms. */
static const char *udp_get(struct link *l, unsigned ms, uint32_t sequence, uint32_t time)
{
	struct cw_tsp_udp_header h;
	struct cw_slice payload;
	static char text[2048];
	char raw[2048];
	ssize_t n;
	struct pollfd pf = {.fd = l->fd, .events = POLLIN};

	if (poll(&pf, 1, (int) ms) <= 0)
		return NULL;
	n = recv(l->fd, raw, sizeof raw, 0);
	assert_true(n >= 0);
	assert_int_equal(cw_tsp_udp_parse(raw, (size_t) n, &h, &payload), 0);
	assert_int_equal(h.sequence, sequence);
	assert_int_equal(h.timestamp, time);
	memcpy(text, payload.p, payload.n);
	text[payload.n] = 0;
	return text;
}

static const char *udp_say(struct link *l, const char *payload)
{
	const char *got;

	udp_put(l, payload, strlen(payload), udp_sequence, 77);
	got = udp_get(l, 5000, udp_sequence, 77);
	udp_sequence++;
	assert_non_null(got);
	return got;
}

static const char *udp_frame(struct link *l, const char *body)
{
	char text[1500];

	(void) snprintf(text, sizeof text, "Content-length: %zu\r\n%s\r\n", strlen(body) + 2, body);
	return udp_say(l, text);
}

static void udp_login(struct link *l, const char *version)
{
	char text[64];

	link_udp(l, p.port);
	(void) snprintf(text, sizeof text, "VERSION=%s\r\n", version);
	assert_non_null(strstr(udp_say(l, text), "CAPABILITY "));
	assert_string_equal(udp_say(l, "AUTHENTICATE ANONYMOUS\r\n"), "200 Success\r\n");
}

static void rows_over_udp(void **state)
{
	(void) state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *r = &rows[i];
		const char *got;
		struct link l;

		if (r->n || strstr(r->text, "\r\nYz1") || strstr(r->text, "\r\n*"))
			continue; /* several messages in one datagram are none */
		if (r->stage == HELLO)
			link_udp(&l, p.port);
		else if (r->stage == COMMAND)
			udp_login(&l, "1.0");
		if (r->stage == AUTH) {
			link_udp(&l, p.port);
			(void) udp_say(&l, "VERSION=1.0\r\n");
		}
		if (r->stage == HELLO && strncmp(r->text, "VERSION", 7) != 0) {
			/* no session and not a VERSION: dropped, the source may be forged */
			udp_put(&l, r->text, strlen(r->text), udp_sequence++, 1);
			assert_null(udp_get(&l, 50, 0, 0));
			link_close(&l);
			continue;
		}
		got = r->framed ? udp_frame(&l, r->text) : udp_say(&l, r->text);
		if (r->want[0][0] ? !strstr(got, r->want[0]) : got[0] != 0)
			fail_msg("row %s over UDP, \"%.60s\": answered \"%s\"", r->number, r->text,
				got);
		link_close(&l);
	}
	fresh_session();
}

static void udp_datagrams(void **state)
{
	static const uint8_t wrong_marker[] = "\x10\0\0\xf0\0\0\0\1VERSION=2.0.0\r\n";
	struct link l;
	const char *first;
	char copy[2048], create[512];

	(void) state;
	/* 24: wrong marker and seven octets are dropped, repetitions get the same answer with their
	 * own time. */
	link_udp(&l, p.port);
	link_send(&l, wrong_marker, sizeof wrong_marker - 1);
	link_send(&l, "\xf0\0\0\xf0\0\0\0", 7);
	assert_null(udp_get(&l, 50, 0, 0));
	link_close(&l);

	udp_login(&l, "1.0");
	(void) snprintf(create, sizeof create, "Content-length: %zu\r\n%s\r\n",
		strlen(CREATE("2001:db8:8::8")) + 2, CREATE("2001:db8:8::8"));
	udp_put(&l, create, strlen(create), 0x222, 5);
	first = udp_get(&l, 5000, 0x222, 5);
	assert_non_null(strstr(first, "\n200 "));
	(void) snprintf(copy, sizeof copy, "%s", first);
	udp_put(&l, create, strlen(create), 0x222, 6);
	assert_string_equal(udp_get(&l, 5000, 0x222, 6), copy);
	(void) snprintf(create, sizeof create,
		"<tunnel action=\"delete\" type=\"v4v6\"><client><address type=\"ipv6\">2001:db8:8::8</address>"
		"<address type=\"ipv4\">%s</address></client></tunnel>",
		link_leased(copy));
	assert_non_null(strstr(udp_frame(&l, create), "\n200 "));
	/* accept gets an empty datagram */
	assert_string_equal(udp_frame(&l, "<tunnel action=\"accept\"></tunnel>"), "");
	link_close(&l);
	fresh_session();
}

#ifndef __has_feature
#define __has_feature(x) 0
#endif
/* AddressSanitizer keeps what was freed for a while. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
	__has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define GROWTH_MIB 256
#else
#define GROWTH_MIB 4
#endif

static void memory_stays_flat(void **state)
{
	double before = proc_rss_mib(&p), after;
	unsigned fds = proc_fds(&p);

	(void) state;
	for (unsigned round = 0; round < 10; round++)
		for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
			run_row(&rows[i], "2.0.0");
	after = proc_rss_mib(&p);
	if (after > before + GROWTH_MIB)
		fail_msg("%.1f MiB before, %.1f MiB after", before, after);
	for (unsigned i = 0; i < 300 && proc_fds(&p) > fds; i++)
		(void) poll(NULL, 0, 10);
	assert_true(proc_fds(&p) <= fds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_over_tcp),
		cmocka_unit_test(a_line_without_end),
		cmocka_unit_test(a_frame_that_never_comes),
		cmocka_unit_test(too_deep),
		cmocka_unit_test(five_hundred_characters),
		cmocka_unit_test(bad_content_three_times),
		cmocka_unit_test(octet_by_octet),
		cmocka_unit_test(all_in_one_segment),
		cmocka_unit_test(nuls_and_bare_line_ends),
		cmocka_unit_test(two_creates_at_once),
		cmocka_unit_test(rows_over_udp),
		cmocka_unit_test(udp_datagrams),
		cmocka_unit_test(memory_stays_flat),
	};

	return cmocka_run_group_tests_name("broker on the wire", tests, start, stop);
}
