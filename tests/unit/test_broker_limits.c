/* SPDX-License-Identifier: BSD-2-Clause */
/* What one session, or all together, may hold on to: leases of a session, requests in flight. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "tests/lib/broker-fixture.h"
#include "tests/lib/tsp-fixture.h"

enum { HOLDS = 1024 };

static struct tx t;
static struct tx_session a, b;

/* NULL: it has a lease; else what it was told. */
static const char *take(struct tx_session *c, unsigned n)
{
	const char *said = tx_ask(c, "create", n, NULL);

	if (!strstr(said, "200 Success"))
		return said;
	(void) tx_frame(c, "<tunnel action=\"accept\"></tunnel>");
	return NULL;
}

/* One connection takes leases for client after client: it ends at its bound, its clients keep what
 * they have, another connection goes on; and whoever may have only so many leases is told so first,
 * however many connections he has. */
static void leases_of_a_session_are_bounded(void **state)
{
	static const struct bx_pool pool = {.range = "198.18.0.0/15"};
	const char *said;

	(void) state;
	tx_open(&t, &pool, NULL, NULL);
	tx_connect(&t, &a, CW_TSP_ON_TCP, 0);
	tx_anonymous(&a, "2.0.0");
	for (unsigned i = 1; i <= HOLDS; i++)
		assert_null(take(&a, i));
	said = take(&a, HOLDS + 1);
	assert_non_null(said);
	assert_non_null(strstr(said, "301 "));
	assert_null(take(&a, 1)); /* the same again */
	tx_connect(&t, &b, CW_TSP_ON_TCP, 0);
	tx_anonymous(&b, "2.0.0");
	assert_null(take(&b, HOLDS + 1));
	assert_int_equal(bx_stats(&t.b).grants, HOLDS + 1);
	tx_free(&a);
	tx_free(&b);
	tx_close(&t);
}

static void leases_of_a_user_are_bounded_over_sessions(void **state)
{
	static const struct bx_pool pool = {.range = "198.18.0.0/15"};
	unsigned got = 0;

	(void) state;
	tx_open(&t, &pool, NULL, "limits { leases-per-principal = 3 }");
	for (unsigned i = 0; i < 6; i++) {
		tx_connect(&t, &a, CW_TSP_ON_TLS, 10 + i);
		tx_plain(&a, i % 2 ? "2.0.0" : "1.0", "alice", "secret");
		got += take(&a, 10 + i) == NULL;
		got += take(&a, 20 + i) == NULL;
		tx_free(&a);
	}
	assert_int_equal(got, 3);
	tx_close(&t);
}

/* Busy, and others are known: 1530 with their list. */
static void busy_broker_names_others(void **state)
{
	const char *said;

	(void) state;
	tx_open(&t, NULL, NULL,
		"limits { pending-requests = 1 }\nredirect { broker = { \"192.0.2.9\", \"tsp2.example.net\" } }");
	tx_connect(&t, &a, CW_TSP_ON_TCP, 1);
	tx_anonymous(&a, "2.0.0");
	tx_connect(&t, &b, CW_TSP_ON_TCP, 2);
	tx_anonymous(&b, "2.0.0");
	fake_tep.mode = FAKE_HOLD;
	(void) tx_ask(&a, "create", 1, NULL); /* its TEP thinks */
	said = tx_ask(&b, "create", 2, NULL);
	assert_non_null(strstr(said, "1530 "));
	assert_non_null(strstr(said, "<address type=\"ipv4\">192.0.2.9"));
	assert_non_null(strstr(said, "tsp2.example.net"));
	fake_tep.mode = FAKE_OK;
	fake_tep_answer(false);
	bx_settle(&t.b);
	assert_non_null(strstr(tx_heard(&a), "200 "));
	assert_non_null(strstr(tx_ask(&b, "create", 2, NULL), "200 "));
	tx_free(&a);
	tx_free(&b);
	tx_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leases_of_a_session_are_bounded),
		cmocka_unit_test(leases_of_a_user_are_bounded_over_sessions),
		cmocka_unit_test(busy_broker_names_others),
	};

	return cmocka_run_group_tests_name("broker limits", tests, NULL, NULL);
}
