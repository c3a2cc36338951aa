/* SPDX-License-Identifier: BSD-2-Clause */
/* TSP over UDP: the table of peers with its repetitions, restarts and caps, and whole sessions in
 * which every datagram gets exactly one answer. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "schema/tsp/udp.h"
#include "tests/lib/tsp-samples.h"
#include "tests/lib/tsp-session.h"

/* ---- sessions: what each datagram is answered with ---- */

static void assert_answers(struct tsp_owner *o, const char *datagram, size_t n, const char *want)
{
	const unsigned before = o->writes;

	tsp_owner_input(o, datagram, n);
	assert_int_equal(o->writes, before + 1);
	assert_heard(o, want);
}

#define ANSWERS(o, datagram, want) assert_answers(o, datagram, sizeof(datagram) - 1, want)

/* A session that has heard the CAPABILITY line, in place of an earlier one. */
static void start_udp(struct tsp_owner *o)
{
	tsp_owner_done(o);
	tsp_owner_init(o, "DIGEST-MD5 PLAIN ANONYMOUS");
	o->conf.udp = true;
	start(o);
	ANSWERS(o, "VERSION=2.0.2\r\n",
		"<CAPABILITY TUNNEL=V4V6 AUTH=DIGEST-MD5 AUTH=PLAIN AUTH=ANONYMOUS\r\n>");
}

static void anonymous(void **state)
{
	struct tsp_owner o = {.server = NULL};

	(void) state;
	start_udp(&o);
	ANSWERS(&o, "AUTHENTICATE ANONYMOUS\r\n\0", OK);
	ANSWERS(&o, TSP_CREATE_DEPLOYED, "<" TSP_INFO ">");
	ANSWERS(&o, TSP_ACCEPT, "[offer accepted]<>");
	ANSWERS(&o, TSP_ACCEPT, "<>"); /* without an offer */
	ANSWERS(&o, TSP_RENEW, "<" TSP_INFO ">");
	ANSWERS(&o, TSP_DELETE, "<" TSP_200 ">");
	ANSWERS(&o, "", "<>");
	ANSWERS(&o, "\r\n", "<>");
	/* One datagram is one message: what follows is not looked at. */
	ANSWERS(&o, TSP_DELETE TSP_DELETE, "<" TSP_200 ">");
	ANSWERS(&o, "Content-length: 35\r\n<tunnel", F500 "[close format]");
	tsp_owner_done(&o);
}

/* Six exchanges: VERSION, AUTHENTICATE, response, the empty one that fetches the verdict, create,
 * accept. */
static void digest(void **state)
{
	struct tsp_owner o = {.server = NULL};

	(void) state;
	start_udp(&o);
	ANSWERS(&o, "AUTHENTICATE DIGEST-MD5\r\n\0", "<" B64_CHALLENGE ">");
	ANSWERS(&o, B64_RESPONSE, "<" B64_RSPAUTH ">");
	ANSWERS(&o, "", OK);
	ANSWERS(&o, TSP_CREATE_DEPLOYED, "<" TSP_INFO ">");
	ANSWERS(&o, TSP_ACCEPT, "[offer accepted]<>");
	/* A client that does not fetch is taken at its word as well. */
	tsp_owner_done(&o);
	start_udp(&o);
	ANSWERS(&o, "AUTHENTICATE DIGEST-MD5", "<" B64_CHALLENGE ">"); /* no line end either */
	ANSWERS(&o, B64_RESPONSE, "<" B64_RSPAUTH ">");
	ANSWERS(&o, TSP_CREATE_DEPLOYED, "<" TSP_INFO ">");
	assert_int_equal(push_delete(&o), -ENOTCONN);
	tsp_owner_done(&o);
}

static void plain(void **state)
{
	struct tsp_owner o = {.server = NULL};

	(void) state;
	start_udp(&o);
	ANSWERS(&o, "AUTHENTICATE PLAIN\r\n\0", "<>");
	ANSWERS(&o, "\0alice\0secret\r\n\0", OK);
	tsp_owner_done(&o);
	start_udp(&o);
	ANSWERS(&o, "AUTHENTICATE PLAIN\r\n", "<>");
	ANSWERS(&o, B64_WRONG "\r\n", E300);
	tsp_owner_done(&o);
	start_udp(&o);
	ANSWERS(&o, "nonsense", E300);
	tsp_owner_done(&o);
}

/* Answers that come later are one datagram as well; what arrives meanwhile is dropped. */
static void later(void **state)
{
	struct tsp_owner o = {.server = NULL};

	(void) state;
	start_udp(&o);
	o.hold = true;
	say(&o, "AUTHENTICATE PLAIN\r\n");
	say(&o, "AUTHENTICATE PLAIN\r\n");
	assert_heard(&o, "");
	tsp_owner_answer(&o);
	assert_heard(&o, "<>");
	say(&o, B64_LOGIN "\r\n");
	tsp_owner_answer(&o);
	assert_heard(&o, OK);
	say(&o, TSP_CREATE_DEPLOYED);
	tsp_owner_answer(&o);
	assert_heard(&o, "<" TSP_INFO ">");
	assert_int_equal(o.writes, 4);
	tsp_owner_done(&o);
}

static void long_lines(void **state)
{
	static char text[6000];
	struct tsp_owner o = {.server = NULL};

	(void) state;
	memset(text, 'A', sizeof text);
	for (size_t n = 1000; n <= sizeof text; n += 500) {
		start_udp(&o);
		assert_answers(&o, text, n, n < CW_TSP_LINE_MAX ? E300 : E500);
		tsp_owner_done(&o);
	}
}

/* ---- the table ---- */

struct table {
	struct cw_tsp_udp *udp;
	struct cw_tsp_udp_peer *peer; /* of the last delivery */
	int64_t now_ms;
	bool refuse, hold, detach;
	unsigned opened, closed, delivered;
	uint8_t sent[2048];
	size_t sent_n;
	int session;
};

static void *on_open(void *arg, struct cw_tsp_udp_peer *peer)
{
	struct table *t = arg;

	(void) peer;
	if (t->refuse)
		return NULL;
	t->opened++;
	return &t->session;
}

static void on_deliver(
	void *arg, struct cw_tsp_udp_peer *peer, void *session, const void *p, size_t n)
{
	struct table *t = arg;
	char text[64];

	assert_ptr_equal(session, &t->session);
	(void) p;
	t->delivered++;
	t->peer = peer;
	if (t->hold)
		return;
	(void) snprintf(text, sizeof text, "answer %u to %zu", t->delivered, n);
	cw_tsp_udp_answer(peer, text, strlen(text), t->now_ms);
	if (t->detach)
		cw_tsp_udp_detach(peer);
}

static void on_close(void *arg, struct cw_tsp_udp_peer *peer, void *session)
{
	struct table *t = arg;

	(void) peer;
	assert_ptr_equal(session, &t->session);
	t->closed++;
}

static void on_send(void *arg, const struct cw_tsp_udp_peer *peer, const void *p, size_t n)
{
	struct table *t = arg;
	size_t key_n;

	assert_non_null(cw_tsp_udp_key(peer, &key_n));
	assert_true(key_n > 0 && n <= sizeof t->sent);
	memcpy(t->sent, p, n);
	t->sent_n = n;
}

static void table_init(struct table *t, const struct cw_tsp_udp_conf *conf)
{
	static const struct cw_tsp_udp_ops ops = {
		.open = on_open, .deliver = on_deliver, .close = on_close, .send = on_send};

	memset(t, 0, sizeof *t);
	t->now_ms = 5000;
	assert_int_equal(cw_tsp_udp_new(conf, &ops, t, &t->udp), 0);
}

/* A datagram of this sequence, timestamp and text from this peer. */
static enum cw_tsp_udp_verdict from(
	struct table *t, const char *peer, uint32_t seq, uint32_t ts, const char *text)
{
	const struct cw_tsp_udp_header h = {seq, ts};
	uint8_t buf[256];
	const size_t n = strlen(text);

	cw_tsp_udp_render(&h, buf);
	for (size_t i = 0; i < n; i++)
		buf[CW_TSP_UDP_HEADER + i] = (uint8_t) text[i];
	t->sent_n = 0;
	return cw_tsp_udp_receive(
		t->udp, peer, strlen(peer), buf, CW_TSP_UDP_HEADER + n, t->now_ms);
}

static void assert_sent(struct table *t, uint32_t seq, uint32_t ts, const char *text)
{
	struct cw_tsp_udp_header h;
	struct cw_slice payload;

	assert_int_equal(cw_tsp_udp_parse(t->sent, t->sent_n, &h, &payload), 0);
	assert_int_equal(h.sequence, seq);
	assert_int_equal(h.timestamp, ts);
	assert_int_equal(payload.n, strlen(text));
	assert_memory_equal(payload.p, text, payload.n);
}

static const struct cw_tsp_udp_conf defaults;

static void repetitions(void **state)
{
	struct table t;

	(void) state;
	table_init(&t, &defaults);
	assert_int_equal(from(&t, "a", 240, 1, "VERSION=2.0.2"), CW_TSP_UDP_NEW);
	assert_sent(&t, 240, 1, "answer 1 to 13");
	/* Row 24: the cached answer, with the new timestamp. */
	t.now_ms += 2000;
	assert_int_equal(from(&t, "a", 240, 2, "VERSION=2.0.2"), CW_TSP_UDP_REPLAYED);
	assert_sent(&t, 240, 2, "answer 1 to 13");
	assert_int_equal(from(&t, "a", 241, 3, "two"), CW_TSP_UDP_NEW);
	assert_int_equal(from(&t, "a", 242, 4, "three"), CW_TSP_UDP_NEW);
	assert_sent(&t, 242, 4, "answer 3 to 5");
	assert_int_equal(from(&t, "a", 241, 5, "two"), CW_TSP_UDP_REPLAYED);
	assert_sent(&t, 241, 5, "answer 2 to 3");
	/* The same sequence with another payload is no repetition. */
	assert_int_equal(from(&t, "a", 242, 6, "four"), CW_TSP_UDP_NEW);
	assert_int_equal(t.delivered, 4);
	assert_int_equal(t.opened, 1);
	/* A client process began anew: same sequence and text as the first datagram, not cached any
	 * more. */
	assert_int_equal(from(&t, "a", 240, 7, "VERSION=2.0.2"), CW_TSP_UDP_NEW);
	assert_int_equal(t.closed, 1);
	assert_int_equal(t.opened, 2);
	/* Nothing of the old session is repeated. */
	assert_int_equal(from(&t, "a", 242, 8, "four"), CW_TSP_UDP_NEW);
	/* After 60 s an answer is not repeated. */
	cw_tsp_udp_established(t.peer, true);
	t.now_ms += 59000;
	assert_int_equal(from(&t, "a", 242, 9, "four"), CW_TSP_UDP_REPLAYED);
	t.now_ms += 2000;
	assert_int_equal(from(&t, "a", 242, 9, "four"), CW_TSP_UDP_NEW);
	t.udp = cw_tsp_udp_free(t.udp);
	assert_int_equal(t.closed, 2);
}

static void no_answer_yet(void **state)
{
	struct table t;

	(void) state;
	table_init(&t, &defaults);
	t.hold = true;
	assert_int_equal(from(&t, "a", 240, 1, "VERSION=2.0.2"), CW_TSP_UDP_NEW);
	assert_int_equal(from(&t, "a", 240, 2, "VERSION=2.0.2"), CW_TSP_UDP_PENDING);
	assert_int_equal(from(&t, "a", 241, 2, "next"), CW_TSP_UDP_PENDING);
	cw_tsp_udp_answer(t.peer, "x", 1, t.now_ms);
	assert_sent(&t, 240, 1, "x");
	t.sent_n = 0;
	cw_tsp_udp_answer(t.peer, "y", 1, t.now_ms); /* a second answer is none */
	assert_int_equal(t.sent_n, 0);
	/* A new VERSION does not wait for an old answer. */
	assert_int_equal(from(&t, "a", 241, 3, "next"), CW_TSP_UDP_NEW);
	assert_int_equal(from(&t, "a", 240, 4, "VERSION=2.0.1"), CW_TSP_UDP_NEW);
	assert_int_equal(t.closed, 1);
	t.udp = cw_tsp_udp_free(t.udp);
}

static void dropped(void **state)
{
	struct table t;

	(void) state;
	table_init(&t, &defaults);
	assert_int_equal(cw_tsp_udp_receive(t.udp, "a", 1, "\xf0\0\0\xf0\0\0\0", 7, 0),
		CW_TSP_UDP_MALFORMED);
	assert_int_equal(cw_tsp_udp_receive(t.udp, "a", 1, "\x60\0\0\xf0\0\0\0\0V", 9, 0),
		CW_TSP_UDP_MALFORMED);
	assert_int_equal(from(&t, "a", 1, 1, "AUTHENTICATE ANONYMOUS"), CW_TSP_UDP_NO_SESSION);
	assert_int_equal(cw_tsp_udp_peers(t.udp), 0);
	t.refuse = true;
	assert_int_equal(from(&t, "a", 1, 1, "VERSION=1.0"), CW_TSP_UDP_FULL);
	assert_int_equal(cw_tsp_udp_peers(t.udp), 0);
	/* An ended session is no session, but its last answer is still there. */
	t.refuse = false;
	t.detach = true;
	assert_int_equal(from(&t, "a", 1, 1, "VERSION=9"), CW_TSP_UDP_NEW);
	assert_int_equal(from(&t, "a", 1, 2, "VERSION=9"), CW_TSP_UDP_REPLAYED);
	assert_int_equal(from(&t, "a", 2, 2, "x"), CW_TSP_UDP_NO_SESSION);
	assert_int_equal(from(&t, "a", 2, 3, "VERSION=2.0.2"), CW_TSP_UDP_NEW);
	t.udp = cw_tsp_udp_free(t.udp);
	assert_int_equal(t.closed, 0); /* detached: the owner knows */
}

static void caps_and_idleness(void **state)
{
	const struct cw_tsp_udp_conf conf = {.max_half_open = 2, .max_peers = 3};
	struct table t;

	(void) state;
	table_init(&t, &conf);
	assert_int_equal(cw_tsp_udp_deadline(t.udp), INT64_MAX);
	assert_int_equal(from(&t, "a", 1, 1, "VERSION=1.0"), CW_TSP_UDP_NEW);
	cw_tsp_udp_established(t.peer, true);
	assert_int_equal(from(&t, "b", 1, 1, "VERSION=1.0"), CW_TSP_UDP_NEW);
	t.now_ms += 1000;
	assert_int_equal(from(&t, "c", 1, 1, "VERSION=1.0"), CW_TSP_UDP_NEW);
	assert_int_equal(cw_tsp_udp_half_open(t.udp), 2);
	assert_int_equal(from(&t, "d", 1, 1, "VERSION=1.0"), CW_TSP_UDP_FULL);
	cw_tsp_udp_established(t.peer, true);
	assert_int_equal(cw_tsp_udp_half_open(t.udp), 1);
	assert_int_equal(from(&t, "d", 1, 1, "VERSION=1.0"), CW_TSP_UDP_FULL); /* three peers */
	/* b goes after 30 s, a after 60 s, c a second later. */
	assert_int_equal(cw_tsp_udp_deadline(t.udp), 35000);
	cw_tsp_udp_tick(t.udp, 34999);
	assert_int_equal(cw_tsp_udp_peers(t.udp), 3);
	cw_tsp_udp_tick(t.udp, 35000);
	assert_int_equal(cw_tsp_udp_peers(t.udp), 2);
	assert_int_equal(cw_tsp_udp_deadline(t.udp), 65000);
	/* Who is heard stays. */
	t.now_ms = 60000;
	assert_int_equal(from(&t, "a", 2, 1, "x"), CW_TSP_UDP_NEW);
	cw_tsp_udp_tick(t.udp, 66000);
	assert_int_equal(cw_tsp_udp_peers(t.udp), 1);
	assert_int_equal(t.closed, 2);
	cw_tsp_udp_tick(t.udp, 120000);
	assert_int_equal(cw_tsp_udp_peers(t.udp), 0);
	assert_int_equal(t.closed, 3);
	t.udp = cw_tsp_udp_free(t.udp);
}

static void out_of_memory(void **state)
{
	struct table t;

	(void) state;
	for (unsigned long k = 1; k < 6; k++) {
		enum cw_tsp_udp_verdict v;

		table_init(&t, &defaults);
		cw_mem_fail_at(k);
		v = from(&t, "a", 1, 1, "VERSION=1.0");
		cw_mem_fail_at(0);
		assert_true(v == CW_TSP_UDP_NEW || v == CW_TSP_UDP_FULL);
		/* Whatever failed, the next try is served. */
		assert_true(from(&t, "a", 2, 1, "VERSION=1.0") == CW_TSP_UDP_NEW);
		t.udp = cw_tsp_udp_free(t.udp);
		assert_int_equal(t.opened, t.closed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(anonymous),
		cmocka_unit_test(digest),
		cmocka_unit_test(plain),
		cmocka_unit_test(later),
		cmocka_unit_test(long_lines),
		cmocka_unit_test(repetitions),
		cmocka_unit_test(no_answer_yet),
		cmocka_unit_test(dropped),
		cmocka_unit_test(caps_and_idleness),
		cmocka_unit_test(out_of_memory),
	};

	return cmocka_run_group_tests_name("tsp udp", tests, tsp_set_up, NULL);
}
