/* SPDX-License-Identifier: BSD-2-Clause */
/* R5 of the reliability guide: a client logs in, takes a lease, renews it, gives it back and comes
 * again, and the k-th allocation of the whole process fails, for every k. Whatever it was told, the
 * broker lives, and once there is memory again the store, the TEP and a fresh client agree. Prints
 * the k of a failure; CW_OOM=K runs one. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/lib/tsp-fixture.h"

#define V4 "198.51.100.0"

static struct tx t;

/* One client's life; every answer may be an error or nothing. */
static void life(void)
{
	struct tx_session c;

	if (!tx_try_connect(&t, &c, CW_TSP_ON_TCP, 1))
		return;
	(void) tx_try_say(&c, "VERSION=2.0.0\r\n");
	(void) tx_try_say(&c, "AUTHENTICATE ANONYMOUS\r\n");
	(void) tx_try_ask(&c, "create", 1, NULL);
	(void) tx_try_say(&c, "Content-length: 35\r\n<tunnel action=\"accept\"></tunnel>\r\n");
	(void) tx_try_ask(&c, "create", 1, V4);
	(void) tx_try_ask(&c, "info", 1, V4);
	(void) tx_try_ask(&c, "delete", 1, V4);
	(void) tx_try_ask(&c, "create", 1, NULL);
	tx_free(&c); /* the offer is lost */
}

static unsigned active(void)
{
	const struct cw_lease_filter filter = {.states = 1u << CW_LEASE_ACTIVE};
	struct cw_store_reader *r;
	struct cw_lease l[16];
	int n;

	assert_int_equal(cw_store_reader_open(t.b.store, &r), 0);
	n = cw_read_leases(r, &filter, (struct cw_lease_key){.begin = true}, l, 16);
	(void) cw_store_reader_close(r);
	assert_true(n >= 0);
	return (unsigned) n;
}

static void one(unsigned long k)
{
	struct tx_session c;

	cw_mem_fail_at(k);
	life();
	bx_settle(&t.b);
	cw_mem_fail_at(0);
	/* Whatever was put off is done now. */
	for (unsigned i = 0; i < 4; i++)
		bx_advance(&t.b, 31);
	if (fake_tep_count() != active())
		fail_msg("k = %lu: %zu are forwarded, %u are held", k, fake_tep_count(), active());
	tx_connect(&t, &c, CW_TSP_ON_TCP, 2);
	tx_anonymous(&c, "1.0");
	if (!strstr(tx_ask(&c, "create", 2, NULL), "\n200 "))
		fail_msg("k = %lu: a fresh client was answered %s", k, c.out);
	tx_free(&c);
	/* All end, nothing is left over. */
	bx_advance(&t.b, 3600);
	bx_advance(&t.b, 2);
	if (active() != 0 || fake_tep_count() != 0)
		fail_msg("k = %lu: %u leases never end, %zu are forwarded", k, active(),
			fake_tep_count());
}

static void every_allocation(void **state)
{
	const char *only = getenv("CW_OOM");
	unsigned long before, n;

	(void) state;
	tx_open(&t, NULL, NULL, NULL);
	before = cw_mem_count();
	life();
	bx_settle(&t.b);
	n = cw_mem_count() - before;
	print_message("# %lu allocations\n", n);
	assert_true(n > 20);
	if (only) {
		one(strtoul(only, NULL, 10));
	} else {
		for (unsigned long k = 1; k <= n + 2; k++)
			one(k);
	}
	tx_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation)};

	return cmocka_run_group_tests_name("broker without memory", tests, NULL, NULL);
}
