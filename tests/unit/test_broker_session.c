/* SPDX-License-Identifier: BSD-2-Clause */
/* Policy of TSP sessions: whole exchanges with store, engine and SASL, without sockets
 * (guide/tsp.md sections 3 to 8). */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "tests/lib/tsp-fixture.h"

#define V4 "198.51.100.0"

static struct tx t;
static struct tx_session a, b;

static int open_plain(void **state)
{
	(void) state;
	tx_open(&t, NULL, NULL, NULL);
	return 0;
}

static int open_one(void **state)
{
	static const struct bx_pool pool = {.range = V4 "/32", .lifetime_s = 600};

	(void) state;
	tx_open(&t, &pool, NULL, NULL);
	return 0;
}

static int close_it(void **state)
{
	(void) state;
	if (a.s)
		tx_free(&a);
	if (b.s)
		tx_free(&b);
	memset(&a, 0, sizeof a);
	memset(&b, 0, sizeof b);
	tx_close(&t);
	return 0;
}

#define assert_has(text, part)                                            \
	do {                                                              \
		const char *has_text = (text);                            \
		if (!strstr(has_text, part))                              \
			fail_msg("\"%s\" is not in: %s", part, has_text); \
	} while (0)
#define assert_status(text, code) assert_has(text, "\n" code " ")

static bool held(unsigned n)
{
	char who[64], text[CW_ADDR6_STRLEN];
	struct cw_addr6 c = bx_client(n);

	(void) snprintf(who, sizeof who, "ip6:%s", cw_addr6_str(&c, text));
	return bx_find(&t.b, who, n, NULL) == 0;
}

static void rfc_exchange(void **state)
{
	(void) state;
	tx_connect(&t, &a, CW_TSP_ON_TCP, 1);
	assert_string_equal(tx_say(&a, "VERSION=2.0.0\r\n"),
		"CAPABILITY TUNNEL=V4V6 AUTH=SCRAM-SHA-256 AUTH=DIGEST-MD5 AUTH=PLAIN AUTH=ANONYMOUS\r\n");
	assert_string_equal(tx_say(&a, "AUTHENTICATE ANONYMOUS\r\n"), "200 Success\r\n");
	assert_string_equal(tx_ask(&a, "create", 1, NULL),
		"Content-length: 336\r\n200 Success\r\n"
		"<tunnel action=\"info\" type=\"v4v6\" lifetime=\"3600\">\r\n"
		" <server>\r\n"
		"  <address type=\"ipv4\" length=\"30\">192.0.2.1</address>\r\n"
		"  <address type=\"ipv6\">2001:db8:1::ffff</address>\r\n"
		" </server>\r\n"
		" <client>\r\n"
		"  <address type=\"ipv4\" length=\"32\">198.51.100.0</address>\r\n"
		"  <address type=\"ipv6\">2001:db8:1::1</address>\r\n"
		" </client>\r\n"
		"</tunnel>\r\n");
	assert_int_equal(cw_tsp_session_state(a.s), CW_TSP_S_OFFER);
	assert_string_equal(tx_frame(&a, "<tunnel action=\"accept\"></tunnel>"), "");
	assert_int_equal(cw_tsp_session_state(a.s), CW_TSP_S_ESTAB);
	tx_free(&a); /* closing does not end a lease */
	assert_true(held(1));
}

static void offer_not_taken_is_revoked(void **state)
{
	(void) state;
	/* rejected */
	tx_connect(&t, &a, CW_TSP_ON_TCP, 1);
	tx_anonymous(&a, "2.0.1");
	assert_status(tx_ask(&a, "create", 1, NULL), "200");
	assert_string_equal(tx_frame(&a, "<tunnel action=\"reject\"></tunnel>"), "");
	bx_settle(&t.b);
	assert_false(held(1));
	/* not answered in 30 s */
	assert_status(tx_ask(&a, "create", 1, NULL), "200");
	tx_sleep(&t, 29, &a, NULL);
	assert_true(held(1));
	tx_sleep(&t, 2, &a, NULL);
	assert_false(held(1));
	/* the connection closed before */
	assert_status(tx_ask(&a, "create", 1, NULL), "200");
	tx_free(&a);
	assert_false(held(1));
	assert_int_equal(bx_stats(&t.b).rejections, 3);
	assert_int_equal(fake_tep_count(), 0);
}

static void offer_another_session_got_is_kept(void **state)
{
	(void) state;
	tx_connect(&t, &a, CW_TSP_ON_TCP, 1);
	tx_anonymous(&a, "2.0.0");
	assert_status(tx_ask(&a, "create", 1, NULL), "200");
	/* The client has given that connection up and comes again; then the old one is noticed to
	 * be dead. */
	tx_connect(&t, &b, CW_TSP_ON_TCP, 1);
	tx_anonymous(&b, "2.0.0");
	assert_status(tx_ask(&b, "create", 1, NULL), "200");
	assert_int_equal(cw_tsp_session_state(b.s), CW_TSP_S_ESTAB);
	tx_free(&a);
	assert_true(held(1));
}

/* A create that is not waited for. */
static void ask_only(struct tx_session *x, const char *more)
{
	char body[256], text[320];

	(void) snprintf(body, sizeof body,
		"<tunnel action=\"create\" type=\"v4v6\"><client><address type=\"ipv6\">2001:db8:1::1</address>%s</client></tunnel>\r\n",
		more);
	(void) snprintf(text, sizeof text, "Content-length: %zu\r\n%s", strlen(body), body);
	cw_tsp_session_input(x->s, text, strlen(text));
}

/* b's request is under way when the session that had the offer goes: what b is told must hold. */
static void offer_another_session_asks_for_is_kept(void **state)
{
	(void) state;
	for (unsigned i = 0; i < 2; i++) {
		tx_connect(&t, &a, CW_TSP_ON_TCP, 1);
		tx_anonymous(&a, "2.0.0");
		assert_status(tx_ask(&a, "create", 1, NULL), "200");
		tx_connect(&t, &b, CW_TSP_ON_TCP, 1);
		tx_anonymous(&b, "1.0");
		ask_only(&b, "");
		if (i)
			(void) tx_frame(&a, "<tunnel action=\"reject\"></tunnel>");
		tx_free(&a);
		assert_status(tx_heard(&b), "200");
		assert_true(held(1));
		assert_status(tx_ask(&b, "delete", 1, "198.51.100.0"), "200");
		tx_free(&b);
	}
	/* The heir asks for another address and is refused: the offer is given back all the same.
	 */
	tx_connect(&t, &a, CW_TSP_ON_TCP, 1);
	tx_anonymous(&a, "2.0.0");
	assert_status(tx_ask(&a, "create", 1, NULL), "200");
	tx_connect(&t, &b, CW_TSP_ON_TCP, 1);
	tx_anonymous(&b, "2.0.0");
	ask_only(&b, "<address type=\"ipv4\">198.51.100.99</address>");
	a.s = cw_tsp_session_free(a.s);
	assert_status(tx_say(&b, ""), "308");
	assert_false(held(1));
	/* Both go before anybody is told. */
	tx_connect(&t, &a, CW_TSP_ON_TCP, 1);
	tx_anonymous(&a, "2.0.0");
	assert_status(tx_ask(&a, "create", 1, NULL), "200");
	ask_only(&b, "");
	a.s = cw_tsp_session_free(a.s);
	b.s = cw_tsp_session_free(b.s);
	bx_settle(&t.b);
	assert_false(held(1));
}

static void dstm_profile_has_no_accept(void **state)
{
	(void) state;
	tx_connect(&t, &a, CW_TSP_ON_TCP, 1);
	tx_anonymous(&a, "1.0");
	assert_status(tx_ask(&a, "create", 1, NULL), "200");
	assert_int_equal(cw_tsp_session_state(a.s), CW_TSP_S_ESTAB);
	tx_free(&a);
	assert_true(held(1));
}

static void codes_by_version(void **state)
{
	(void) state;
	tx_connect(&t, &a, CW_TSP_ON_TCP, 1);
	tx_anonymous(&a, "1.0");
	assert_status(tx_ask(&a, "create", 1, NULL), "200");
	tx_connect(&t, &b, CW_TSP_ON_TCP, 2);
	tx_anonymous(&b, "1.0");
	assert_status(tx_ask(&b, "create", 2, NULL), "306"); /* the pool has one address */
	tx_free(&b);
	tx_connect(&t, &b, CW_TSP_ON_TCP, 2);
	tx_anonymous(&b, "2.0.0");
	assert_status(tx_ask(&b, "create", 2, NULL), "301");
	assert_status(tx_ask(&b, "create", 3, NULL), "502"); /* not where it comes from */
	assert_status(tx_ask(&b, "create", 2, V4), "308");
	assert_status(tx_ask(&b, "delete", 2, NULL), "501");
	assert_true(held(1));
}

static void renewal(void **state)
{
	(void) state;
	tx_connect(&t, &a, CW_TSP_ON_TCP, 1);
	tx_anonymous(&a, "2.0.0");
	assert_status(tx_ask(&a, "create", 1, NULL), "200");
	(void) tx_frame(&a, "<tunnel action=\"accept\"></tunnel>");
	tx_sleep(&t, 600, &a, NULL);
	assert_has(tx_ask(&a, "info", 1, V4), "lifetime=\"3000\"");
	assert_has(tx_ask(&a, "create", 1, V4), "lifetime=\"3600\"");
	assert_int_equal(cw_tsp_session_state(a.s), CW_TSP_S_ESTAB);
	/* create without an IPv4 by a holder is the same lease, and no offer */
	tx_sleep(&t, 600, &a, NULL);
	assert_has(tx_ask(&a, "create", 1, NULL), "lifetime=\"3600\"");
	assert_has(a.out, V4);
	assert_int_equal(cw_tsp_session_state(a.s), CW_TSP_S_ESTAB);
	tx_free(&a);
	assert_true(held(1));
}

static void lifetime_asked_for(void **state)
{
	(void) state;
	tx_connect(&t, &a, CW_TSP_ON_TCP, 1);
	tx_anonymous(&a, "1.0");
	assert_has(tx_frame(&a, "<tunnel action=\"create\" type=\"v4v6\" lifetime=\"120\"><client>"
				"<address type=\"ipv6\">2001:db8:1::1</address></client></tunnel>"),
		"lifetime=\"120\"");
	/* beyond the pool's bound */
	assert_has(
		tx_frame(&a, "<tunnel action=\"create\" type=\"v4v6\" lifetime=\"4000000\"><client>"
			     "<address type=\"ipv6\">2001:db8:1::1</address></client></tunnel>"),
		"lifetime=\"86400\"");
}

static int open_minutes(void **state)
{
	(void) state;
	tx_open(&t, NULL, "lifetime-unit = minutes", NULL);
	return 0;
}

static void minutes_in_2x_only(void **state)
{
	(void) state;
	tx_connect(&t, &a, CW_TSP_ON_TCP, 1);
	tx_anonymous(&a, "2.0.0");
	assert_has(tx_ask(&a, "create", 1, NULL), "lifetime=\"60\"");
	tx_connect(&t, &b, CW_TSP_ON_TCP, 2);
	tx_anonymous(&b, "1.0");
	assert_has(tx_ask(&b, "create", 2, NULL), "lifetime=\"3600\"");
}

static void client_delete_and_info(void **state)
{
	(void) state;
	tx_connect(&t, &a, CW_TSP_ON_TCP, 1);
	tx_anonymous(&a, "1.0");
	assert_status(tx_ask(&a, "info", 1, NULL), "308");
	assert_status(tx_ask(&a, "create", 1, NULL), "200");
	assert_has(tx_ask(&a, "info", 1, NULL), "198.51.100.0");
	/* somebody else */
	tx_connect(&t, &b, CW_TSP_ON_TCP, 2);
	tx_anonymous(&b, "2.0.0");
	assert_status(tx_ask(&b, "delete", 2, V4), "308");
	assert_status(tx_ask(&b, "delete", 1, V4), "308");
	assert_status(tx_ask(&b, "info", 1, V4), "308");
	assert_true(held(1));
	assert_string_equal(tx_ask(&a, "delete", 1, V4), "Content-length: 13\r\n200 Success\r\n");
	assert_int_equal(cw_tsp_session_state(a.s), CW_TSP_S_COMMAND);
	assert_false(held(1));
	assert_status(tx_ask(&a, "delete", 1, V4), "308");
	assert_int_equal(fake_tep_count(), 0);
}

static void addresses_that_are_refused(void **state)
{
	(void) state;
	tx_connect(&t, &a, CW_TSP_ON_TCP, 0); /* loopback: may name any */
	tx_anonymous(&a, "1.0");
	assert_status(tx_ask(&a, "create", 0xffff, NULL), "309"); /* the TEP's own */
	assert_status(tx_ask(&a, "create", 7, NULL), "200");
	assert_status(tx_ask(&a, "create", 0, NULL), "200"); /* ::1 from loopback */
	tx_connect(&t, &b, CW_TSP_ON_TCP, 2);
	tx_anonymous(&b, "1.0");
	assert_status(tx_ask(&b, "create", 0, NULL), "309"); /* ::1 from elsewhere */
	assert_status(tx_ask(&b, "create", 7, NULL), "309");
}

static int open_prefix(void **state)
{
	(void) state;
	tx_open(&t, NULL, "client-prefix = { \"2001:db8:2::/48\" }", NULL);
	return 0;
}

static void only_configured_prefixes(void **state)
{
	(void) state;
	tx_connect(&t, &a, CW_TSP_ON_TCP, 1);
	tx_anonymous(&a, "2.0.0");
	assert_status(tx_ask(&a, "create", 1, NULL), "502");
}

static void push_at_the_end(void **state)
{
	(void) state;
	tx_connect(&t, &a, CW_TSP_ON_TCP, 1);
	tx_anonymous(&a, "1.0");
	tx_connect(&t, &b, CW_TSP_ON_TCP, 1);
	tx_anonymous(&b, "2.0.0");
	assert_status(tx_ask(&a, "create", 1, NULL), "200");
	assert_status(tx_ask(&b, "info", 1, NULL), "200");
	a.n = b.n = 0;
	tx_sleep(&t, 601, &a, &b);
	assert_string_equal(tx_heard(&a),
		"Content-length: 317\r\n200 OK\r\n"
		"<tunnel action=\"delete\" type=\"v4v6\">\r\n"
		" <server>\r\n"
		"  <address type=\"ipv4\" length=\"30\">192.0.2.1</address>\r\n"
		"  <address type=\"ipv6\">2001:db8:1::ffff</address>\r\n"
		" </server>\r\n"
		" <client>\r\n"
		"  <address type=\"ipv4\" length=\"32\">198.51.100.0</address>\r\n"
		"  <address type=\"ipv6\">2001:db8:1::1</address>\r\n"
		" </client>\r\n"
		"</tunnel>\r\n");
	assert_string_equal(tx_heard(&b), a.out);
	assert_int_equal(cw_tsp_session_state(a.s), CW_TSP_S_COMMAND);
	/* the optional acknowledgement: no reply; then it is a question again */
	assert_string_equal(tx_ask(&a, "info", 1, V4), "");
	assert_status(tx_ask(&a, "info", 1, V4), "308");
	assert_int_equal(t.access->stats.delete_acks, 1);
	/* and the address is free again */
	assert_status(tx_ask(&b, "create", 1, NULL), "200");
}

static void revocation_is_pushed(void **state)
{
	struct cw_lease l;

	(void) state;
	tx_connect(&t, &a, CW_TSP_ON_TCP, 1);
	tx_anonymous(&a, "1.0");
	assert_status(tx_ask(&a, "create", 1, NULL), "200");
	assert_int_equal(bx_find(&t.b, "ip6:2001:db8:1::1", 1, &l), 0);
	a.n = 0;
	assert_int_equal(bx_end(&t.b, l.id, CW_END_REVOKE), 0);
	assert_has(tx_heard(&a), "action=\"delete\"");
	assert_has(tx_heard(&a), "\n200 OK\r\n");
}

static void no_push_over_udp(void **state)
{
	(void) state;
	tx_connect(&t, &a, CW_TSP_ON_UDP, 1);
	tx_anonymous(&a, "1.0");
	assert_status(tx_ask(&a, "create", 1, NULL), "200");
	a.n = 0;
	a.out[0] = 0;
	tx_sleep(&t, 601, NULL, NULL);
	assert_string_equal(tx_heard(&a), "");
	assert_false(held(1));
}

static void users_take_leases_along(void **state)
{
	(void) state;
	tx_connect(&t, &a, CW_TSP_ON_TCP, 1);
	tx_plain(&a, "2.0.0", "alice", "secret");
	assert_string_equal(a.out, "200 Success\r\n");
	assert_status(tx_ask(&a, "create", 1, NULL), "200");
	(void) tx_frame(&a, "<tunnel action=\"accept\"></tunnel>");
	/* the same user from elsewhere names it: moved, the old place hears of it */
	tx_connect(&t, &b, CW_TSP_ON_TCP, 2);
	tx_plain(&b, "2.0.0", "alice", "secret");
	a.n = 0;
	assert_status(tx_ask(&b, "create", 2, V4), "200");
	assert_has(b.out, "2001:db8:1::2");
	assert_has(tx_heard(&a), "action=\"delete\"");
	assert_has(a.out, "2001:db8:1::1");
	assert_memory_equal(fake_tep_get(0xc6336400)->ipv6, bx_client(2).b, 16);
	/* from the same connection: the reply is enough */
	assert_status(tx_ask(&b, "create", 3, V4), "200");
	assert_null(strstr(b.out, "delete"));
	/* another user may not */
	tx_free(&a);
	tx_connect(&t, &a, CW_TSP_ON_TCP, 1);
	tx_plain(&a, "2.0.0", "bob", "secret");
	assert_status(tx_ask(&a, "create", 3, V4), "308");
	assert_memory_equal(fake_tep_get(0xc6336400)->ipv6, bx_client(3).b, 16);
}

static void anonymous_may_not_move(void **state)
{
	(void) state;
	tx_connect(&t, &a, CW_TSP_ON_TCP, 1);
	tx_anonymous(&a, "1.0");
	assert_status(tx_ask(&a, "create", 1, NULL), "200");
	tx_connect(&t, &b, CW_TSP_ON_TCP, 2);
	tx_anonymous(&b, "1.0");
	assert_status(tx_ask(&b, "create", 2, V4), "308");
	assert_true(held(1));
}

static void tep_failure_is_307(void **state)
{
	(void) state;
	tx_connect(&t, &a, CW_TSP_ON_TCP, 1);
	tx_anonymous(&a, "2.0.0");
	fake_tep.mode = FAKE_REFUSE;
	assert_status(tx_ask(&a, "create", 1, NULL), "307");
	fake_tep.mode = FAKE_OK;
	assert_status(tx_ask(&a, "create", 1, NULL), "200");
	assert_int_equal(cw_tsp_session_state(a.s), CW_TSP_S_OFFER);
}

static void a_grant_nobody_hears(void **state)
{
	(void) state;
	/* 2.x: an offer that could not be made is revoked */
	tx_connect(&t, &a, CW_TSP_ON_TCP, 1);
	tx_anonymous(&a, "2.0.0");
	fake_tep.mode = FAKE_HOLD;
	(void) tx_ask(&a, "create", 1, NULL);
	a.s = cw_tsp_session_free(a.s);
	fake_tep.mode = FAKE_OK;
	fake_tep_answer(false);
	bx_settle(&t.b);
	assert_false(held(1));
	/* 1.x: the client comes again and gets the same */
	tx_connect(&t, &a, CW_TSP_ON_TCP, 1);
	tx_anonymous(&a, "1.0");
	fake_tep.mode = FAKE_HOLD;
	(void) tx_ask(&a, "create", 1, NULL);
	a.s = cw_tsp_session_free(a.s);
	fake_tep.mode = FAKE_OK;
	fake_tep_answer(false);
	bx_settle(&t.b);
	assert_true(held(1));
}

static void a_second_that_begins_meanwhile(void **state)
{
	(void) state;
	tx_connect(&t, &a, CW_TSP_ON_TCP, 1);
	tx_anonymous(&a, "2.0.0");
	fake_tep.mode = FAKE_HOLD;
	(void) tx_ask(&a, "create", 1, NULL);
	cw_fake_clock_advance(&t.b.clock, 1000);
	fake_tep.mode = FAKE_OK;
	fake_tep_answer(false);
	bx_settle(&t.b);
	assert_has(tx_heard(&a), "lifetime=\"3600\"");
	/* Later it counts. */
	(void) tx_frame(&a, "<tunnel action=\"accept\"></tunnel>");
	assert_has(tx_ask(&a, "info", 1, NULL), "lifetime=\"3599\"");
}

static int open_limits(void **state)
{
	static const struct bx_pool pool = {.range = "10.0.0.0/24"};

	(void) state;
	tx_open(&t, &pool, NULL,
		"limits { requests-per-source = 2 login-backoff-ms = 1000 login-backoff-max-ms = 3000 leases-per-principal = 2\n"
		" leases-per-network = 3 connections-per-source = 2 connections-per-network = 3 }");
	return 0;
}

static void request_rate(void **state)
{
	(void) state;
	tx_connect(&t, &a, CW_TSP_ON_TCP, 1);
	tx_anonymous(&a, "2.0.0");
	t.b.clock.at.mono_us += 10 * 1000000;
	/* The clock moves 60 ms per exchange: four requests of burst, then 2 per second. */
	for (unsigned i = 0; i < 4; i++)
		assert_status(tx_ask(&a, "info", 1, NULL), "308");
	assert_status(tx_ask(&a, "info", 1, NULL), "530");
	tx_sleep(&t, 1, &a, NULL);
	assert_status(tx_ask(&a, "info", 1, NULL), "308");
}

static void user_quota(void **state)
{
	(void) state;
	tx_connect(&t, &a, CW_TSP_ON_TCP, 0);
	tx_plain(&a, "1.0", "alice", "secret");
	assert_status(tx_ask(&a, "create", 1, NULL), "200");
	assert_status(tx_ask(&a, "create", 2, NULL), "200");
	assert_status(tx_ask(&a, "create", 3, NULL), "306");
	assert_status(tx_ask(&a, "create", 1, NULL), "200"); /* held already */
}

static void network_quota(void **state)
{
	(void) state;
	/* One host, many addresses of its /64. */
	for (unsigned i = 1; i <= 4; i++) {
		tx_connect(&t, &a, CW_TSP_ON_TCP, i);
		tx_anonymous(&a, "1.0");
		(void) tx_ask(&a, "create", i, NULL);
		/* The engine's transitions reach the counter through the daemon; here by hand. */
		if (strstr(a.out, "\n200 ")) {
			struct cw_lease l = {.client6 = bx_client(i), .principal = "ip6:x"};

			cw_tsp_access_transition(t.access, CW_OUTBOX_APPLY, &l);
		}
		if (i <= 3)
			assert_status(a.out, "200");
		else
			assert_status(a.out, "306");
		tx_free(&a);
	}
	/* A holder that creates anew, as deployed clients do, has its lease restarted all the same.
	 */
	tx_connect(&t, &a, CW_TSP_ON_TCP, 2);
	tx_anonymous(&a, "2.0.0");
	assert_status(tx_ask(&a, "create", 2, NULL), "200");
	assert_int_equal(cw_tsp_session_state(a.s), CW_TSP_S_ESTAB);
	/* and gets nothing once it has given that back */
	assert_status(tx_ask(&a, "delete", 2, "10.0.0.1"), "200");
	assert_status(tx_ask(&a, "create", 2, NULL), "301");
}

static void wrong_passwords_are_slowed_down(void **state)
{
	(void) state;
	/* The first is told at once. */
	tx_connect(&t, &a, CW_TSP_ON_TCP, 1);
	tx_plain(&a, "2.0.0", "alice", "wrong");
	assert_string_equal(a.out, "300 Authentication failed\r\n");
	assert_true(a.closed);
	tx_free(&a);
	/* The second waits; an unknown user no less than a wrong password. */
	tx_connect(&t, &a, CW_TSP_ON_TCP, 1);
	tx_plain(&a, "2.0.0", "mallory", "wrong");
	assert_string_equal(a.out, "");
	tx_sleep(&t, 1, &a, NULL);
	assert_string_equal(tx_heard(&a), "300 Authentication failed\r\n");
	tx_free(&a);
	/* From another source, and the right password from this one: at once. */
	tx_connect(&t, &a, CW_TSP_ON_TCP, 1);
	tx_plain(&a, "2.0.0", "alice", "secret");
	assert_string_equal(a.out, "200 Success\r\n");
	tx_connect(&t, &b, CW_TSP_ON_TCP, 2);
	tx_plain(&b, "2.0.0", "alice", "wrong");
	assert_string_equal(b.out, "300 Authentication failed\r\n");
}

static void sources_are_counted(void **state)
{
	struct cw_source one, two, far, v4;
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = 0x0100007f};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	struct cw_addr6 c = bx_client(1);

	(void) state;
	memcpy(&in6.sin6_addr, c.b, 16);
	one = cw_source_of((struct sockaddr *) &in6);
	in6.sin6_addr.s6_addr[15] = 2;
	two = cw_source_of((struct sockaddr *) &in6);
	in6.sin6_addr.s6_addr[7] = 9;
	far = cw_source_of((struct sockaddr *) &in6);
	v4 = cw_source_of((struct sockaddr *) &in);
	assert_true(v4.exempt);
	assert_true(cw_source_of(NULL).exempt);
	assert_false(one.exempt);
	assert_true(cw_limits_enter(t.access->limits, &one, 0));
	assert_true(cw_limits_enter(t.access->limits, &one, 0));
	assert_false(cw_limits_enter(t.access->limits, &one, 0)); /* two per address */
	assert_true(cw_limits_enter(t.access->limits, &two, 0));
	assert_false(cw_limits_enter(t.access->limits, &two, 0)); /* three per /64 */
	assert_true(cw_limits_enter(t.access->limits, &far, 0));
	for (unsigned i = 0; i < 100; i++)
		assert_true(cw_limits_enter(t.access->limits, &v4, 0));
	cw_limits_leave(t.access->limits, &one, 0);
	assert_true(cw_limits_enter(t.access->limits, &two, 0));
	assert_false(cw_limits_enter(t.access->limits, &one, 0));
	cw_limits_leave(t.access->limits, &one, 0);
	cw_limits_leave(t.access->limits, &two, 0);
	cw_limits_leave(t.access->limits, &two, 0);
	cw_limits_leave(t.access->limits, &far, 0);
	assert_int_equal(cw_limits_count(t.access->limits), 0);
}

static void mechanisms_by_transport(void **state)
{
	(void) state;
	tx_connect(&t, &a, CW_TSP_ON_TLS, 1);
	assert_has(tx_say(&a, "VERSION=2.0.0\r\n"), "AUTH=EXTERNAL");
	assert_int_equal(cw_tsp_session_set_external(a.s, "host1.example.net"), 0);
	assert_string_equal(tx_say(&a, "AUTHENTICATE EXTERNAL =\r\n"), "200 Success\r\n");
	assert_status(tx_ask(&a, "create", 1, NULL), "200");
	assert_int_equal(bx_find(&t.b, "user:host1.example.net", 1, NULL), 0);
	/* without a certificate */
	tx_connect(&t, &b, CW_TSP_ON_TLS, 2);
	(void) tx_say(&b, "VERSION=2.0.0\r\n");
	assert_has(tx_say(&b, "AUTHENTICATE EXTERNAL =\r\n"), "300 ");
	tx_free(&b);
	tx_connect(&t, &b, CW_TSP_ON_TCP, 2);
	assert_null(strstr(tx_say(&b, "VERSION=2.0.0\r\n"), "EXTERNAL"));
	assert_has(tx_say(&b, "AUTHENTICATE EXTERNAL =\r\n"), "300 ");
}

static int open_redirect(void **state)
{
	static const struct bx_pool pool = {.range = V4 "/32"};

	(void) state;
	tx_open(&t, &pool, NULL,
		"redirect { broker = { \"[2001:db8::53]:3653\", \"192.0.2.9\", \"tsp2.example.net\" } }");
	return 0;
}

static void full_broker_names_others(void **state)
{
	(void) state;
	tx_connect(&t, &a, CW_TSP_ON_TCP, 1);
	tx_anonymous(&a, "2.0.0");
	assert_status(tx_ask(&a, "create", 1, NULL), "200");
	tx_connect(&t, &b, CW_TSP_ON_TCP, 2);
	tx_anonymous(&b, "2.0.0");
	assert_string_equal(tx_ask(&b, "create", 2, NULL),
		"Content-length: 297\r\n1301 No more tunnels available\r\n"
		"<tunnel action=\"list\" type=\"broker\">\r\n"
		" <broker>\r\n  <address type=\"ipv6\">[2001:db8::53]:3653</address>\r\n </broker>\r\n"
		" <broker>\r\n  <address type=\"ipv4\">192.0.2.9</address>\r\n </broker>\r\n"
		" <broker>\r\n  <address type=\"dn\">tsp2.example.net</address>\r\n </broker>\r\n"
		"</tunnel>\r\n");
	tx_free(&b);
	tx_connect(&t, &b, CW_TSP_ON_TCP, 2);
	assert_has(tx_say(&b, "VERSION=3.0\r\n"), "1302 ");
	assert_true(b.closed);
}

static int open_elsewhere(void **state)
{
	(void) state;
	tx_open(&t, NULL, NULL, "redirect { broker = { \"192.0.2.9\" } when = always }");
	return 0;
}

static void redirect_by_configuration(void **state)
{
	(void) state;
	tx_connect(&t, &a, CW_TSP_ON_TCP, 1);
	tx_anonymous(&a, "1.0");
	assert_status(tx_ask(&a, "create", 1, NULL), "1306");
	assert_has(a.out, "192.0.2.9");
	assert_int_equal(fake_tep_count(), 0);
	tx_free(&a);
	tx_connect(&t, &a, CW_TSP_ON_TCP, 1);
	(void) tx_say(&a, "VERSION=2.0.0\r\n");
	assert_has(tx_say(&a, "AUTHENTICATE GSSAPI\r\n"), "1300 Authentication failed\r\n<tunnel");
}

static void reload_is_for_new_sessions(void **state)
{
	struct cw_config *fresh;
	static const char text[] =
		"tsp { mechanisms = { \"ANONYMOUS\" } }\nredirect { broker = { \"192.0.2.9\" } when = always }\n";

	(void) state;
	tx_connect(&t, &a, CW_TSP_ON_TCP, 1);
	tx_anonymous(&a, "1.0");
	assert_int_equal(cw_config_parse("fresh", text, sizeof text - 1, stderr, &fresh), 0);
	assert_int_equal(cw_tsp_access_reload(t.access, fresh), 0);
	(void) cw_config_free(fresh);
	tx_connect(&t, &b, CW_TSP_ON_TCP, 2);
	assert_string_equal(
		tx_say(&b, "VERSION=1.0\r\n"), "CAPABILITY TUNNEL=V4V6 AUTH=ANONYMOUS\r\n");
	assert_string_equal(tx_say(&b, "AUTHENTICATE ANONYMOUS\r\n"), "200 Success\r\n");
	assert_status(tx_ask(&b, "create", 2, NULL), "1306");
	assert_status(tx_ask(&a, "create", 1, NULL), "200");
}

static void pipelined_requests_keep_their_order(void **state)
{
	static const char text[] =
		"VERSION=2.0.0\r\nAUTHENTICATE ANONYMOUS\r\n"
		"Content-length: 108\r\n<tunnel action=\"create\" type=\"v4v6\"><client><address type=\"ipv6\">2001:db8:1::1"
		"</address></client></tunnel>\r\n"
		"Content-length: 35\r\n<tunnel action=\"reject\"></tunnel>\r\n";
	const char *out;

	(void) state;
	tx_connect(&t, &a, CW_TSP_ON_TCP, 1);
	out = tx_say(&a, text);
	assert_true(strncmp(out, "CAPABILITY ", 11) == 0);
	assert_has(out, "\r\n200 Success\r\nContent-length: 3");
	bx_settle(&t.b);
	assert_false(held(1));
	assert_int_equal(t.access->stats.rejects, 1);
}

static void an_octet_per_second(void **state)
{
	static const char text[] = "VERSION=2.0.0\r\nAUTHENTICATE SCRAM-SHA-256 ";
	unsigned seconds = 0;

	(void) state;
	tx_connect(&t, &a, CW_TSP_ON_TCP, 1);
	for (; !a.closed && seconds < sizeof text - 1; seconds++) {
		cw_tsp_session_input(a.s, text + seconds, 1);
		tx_sleep(&t, 1, &a, NULL);
		if (seconds == 20) { /* others are served meanwhile */
			tx_connect(&t, &b, CW_TSP_ON_TCP, 2);
			tx_anonymous(&b, "2.0.0");
		}
	}
	assert_in_range(seconds, 29, 31);
	assert_int_equal(a.reason, CW_TSP_CLOSE_TIMEOUT);
}

static void shared_addresses(void **state)
{
	(void) state;
	tx_connect(&t, &a, CW_TSP_ON_TCP, 1);
	tx_anonymous(&a, "1.0");
	/* Whoever does not say that ports will do gets no shared address. */
	assert_status(tx_ask(&a, "create", 1, NULL), "306");
	assert_has(tx_frame(&a, "<tunnel action=\"create\" type=\"v4v6\" ports=\"MIN\"><client>"
				"<address type=\"ipv6\">2001:db8:1::1</address></client></tunnel>"),
		"portset=\"0/2/0\"");
	tx_connect(&t, &b, CW_TSP_ON_TCP, 2);
	tx_anonymous(&b, "1.0");
	assert_has(tx_frame(&b, "<tunnel action=\"create\" type=\"v4v6\" ports=\"MIN\"><client>"
				"<address type=\"ipv6\">2001:db8:1::2</address></client></tunnel>"),
		"portset=\"0/2/1\"");
	assert_has(b.out, V4);
	assert_status(
		tx_frame(&b,
			"<tunnel action=\"delete\" type=\"v4v6\"><client><address type=\"ipv6\">2001:db8:1::2</address>"
			"<address type=\"ipv4\" portset=\"0/2/0\">" V4
			"</address></client></tunnel>"),
		"308");
	assert_status(
		tx_frame(&b,
			"<tunnel action=\"delete\" type=\"v4v6\"><client><address type=\"ipv6\">2001:db8:1::2</address>"
			"<address type=\"ipv4\" portset=\"0/2/1\">" V4
			"</address></client></tunnel>"),
		"200");
}

static int open_shared(void **state)
{
	static const struct bx_pool pool = {.range = V4 "/32", .shape = {.offset = 0, .len = 2}};

	(void) state;
	tx_open(&t, &pool, NULL, NULL);
	return 0;
}

#define CASE(fn, setup) cmocka_unit_test_setup_teardown(fn, setup, close_it)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(rfc_exchange, open_plain),
		CASE(offer_not_taken_is_revoked, open_plain),
		CASE(offer_another_session_asks_for_is_kept, open_plain),
		CASE(offer_another_session_got_is_kept, open_plain),
		CASE(dstm_profile_has_no_accept, open_plain),
		CASE(codes_by_version, open_one),
		CASE(renewal, open_plain),
		CASE(lifetime_asked_for, open_plain),
		CASE(minutes_in_2x_only, open_minutes),
		CASE(client_delete_and_info, open_plain),
		CASE(addresses_that_are_refused, open_plain),
		CASE(only_configured_prefixes, open_prefix),
		CASE(push_at_the_end, open_one),
		CASE(revocation_is_pushed, open_plain),
		CASE(no_push_over_udp, open_one),
		CASE(users_take_leases_along, open_plain),
		CASE(anonymous_may_not_move, open_plain),
		CASE(tep_failure_is_307, open_plain),
		CASE(a_second_that_begins_meanwhile, open_plain),
		CASE(a_grant_nobody_hears, open_plain),
		CASE(request_rate, open_limits),
		CASE(user_quota, open_limits),
		CASE(network_quota, open_limits),
		CASE(wrong_passwords_are_slowed_down, open_limits),
		CASE(sources_are_counted, open_limits),
		CASE(mechanisms_by_transport, open_plain),
		CASE(full_broker_names_others, open_redirect),
		CASE(redirect_by_configuration, open_elsewhere),
		CASE(reload_is_for_new_sessions, open_plain),
		CASE(pipelined_requests_keep_their_order, open_plain),
		CASE(an_octet_per_second, open_plain),
		CASE(shared_addresses, open_shared),
	};

	return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
