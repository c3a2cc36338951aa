/* SPDX-License-Identifier: BSD-2-Clause */
/* The tun plugin's judgement of packets. */
#include "config.h"

#include <stdlib.h>

#include "dataplane/plugins/tun/decide.h"
#include "tests/lib/cw-cmocka.h"
#include "tests/lib/ip4-make.h"

static void judgement(void **state)
{
	static const uint8_t a6[16] = {0x20, 0x01, [15] = 0xa}, b6[16] = {0x20, 0x01, [15] = 0xb};
	struct cw_tun_rules rules = {
		.table = cw_dptab_new(0, CW_DPTAB_SHARED | CW_DPTAB_COUNTERS), .hairpin = false};
	struct cw_tun_fragments *f = cw_tun_fragments_new();
	struct cw_dp_binding b = {
		.ipv4 = {198, 51, 100, 10}, .generation = 1, .expires_boot_ms = 1000};
	struct cw_tun_owner o;
	struct cw_ipip_packet ip;
	size_t n;

	(void) state;
	memcpy(b.ipv6, a6, 16);
	assert_int_equal(cw_dptab_apply(rules.table, &b), CW_DP_OK);
	cw_dptab_read_begin(rules.table);
	n = make(17, 20, 40, 0);
	assert_true(cw_ipip_parse(buf, n, &ip));
	assert_int_equal(cw_tun_decide_up(&rules, f, a6, &ip, 999, &o), CW_TUN_PASS);
	assert_non_null(o.dyn);
	assert_int_equal(cw_tun_decide_up(&rules, f, a6, &ip, 1000, &o), CW_TUN_EXPIRED);
	assert_non_null(o.dyn); /* charged to its own binding */
	assert_int_equal(cw_tun_decide_up(&rules, f, b6, &ip, 999, &o), CW_TUN_SPOOF);
	assert_null(o.dyn); /* not to the one that was named */
	assert_int_equal(cw_tun_decide_down(&rules, f, &ip, 999, &o), CW_TUN_NO_BINDING);
	memcpy(buf + 16, "\306\063\144\012", 4); /* to itself: a hairpin, forbidden here */
	fix();
	assert_true(cw_ipip_parse(buf, n, &ip));
	assert_int_equal(cw_tun_decide_up(&rules, f, a6, &ip, 999, &o), CW_TUN_HAIRPIN);
	rules.hairpin = true;
	assert_int_equal(cw_tun_decide_up(&rules, f, a6, &ip, 999, &o), CW_TUN_PASS);
	assert_true(o.hairpin);
	cw_dptab_read_end(rules.table);
	(void) cw_tun_fragments_free(f);
	(void) cw_dptab_free(rules.table);
}

/* A tail passes only behind a head that passed, for a while, and not for others. */
static void fragment_memory(void **state)
{
	static const uint8_t a6[16] = {0x20, 0x01, [15] = 0xa}, b6[16] = {0x20, 0x01, [15] = 0xb};
	struct cw_tun_rules rules = {
		.table = cw_dptab_new(0, CW_DPTAB_SHARED | CW_DPTAB_COUNTERS), .hairpin = true};
	struct cw_tun_fragments *f = cw_tun_fragments_new();
	struct cw_dp_binding b = {.ipv4 = {198, 51, 100, 10},
		.ports = {0, 4, 1},
		.generation = 1,
		.expires_boot_ms = CW_DP_NO_EXPIRY};
	struct cw_ipip_packet head, tail;
	uint8_t tail_buf[100];
	struct cw_tun_owner o;
	size_t n, passed = 0;

	(void) state;
	memcpy(b.ipv6, a6, 16);
	assert_int_equal(cw_dptab_apply(rules.table, &b), CW_DP_OK);
	n = make(17, 20, 40, 0x0005);
	memcpy(tail_buf, buf, n);
	assert_true(cw_ipip_parse(tail_buf, n, &tail));
	n = make(17, 20, 40, 0x2000);
	put16(buf + 20, 0x1234);
	assert_true(cw_ipip_parse(buf, n, &head));
	assert_int_equal(cw_tun_decide_up(&rules, f, a6, &tail, 0, &o), CW_TUN_FRAGMENT);
	assert_int_equal(cw_tun_decide_up(&rules, f, a6, &head, 0, &o), CW_TUN_PASS);
	assert_int_equal(cw_tun_decide_up(&rules, f, a6, &tail, 29999, &o), CW_TUN_PASS);
	assert_int_equal(cw_tun_decide_up(&rules, f, b6, &tail, 29999, &o), CW_TUN_FRAGMENT);
	assert_int_equal(
		cw_tun_decide_up(&rules, f, a6, &tail, 29999 + 30000, &o), CW_TUN_FRAGMENT);
	/* A head with a port of somebody else under the same id takes the permission away. */
	assert_int_equal(cw_tun_decide_up(&rules, f, a6, &head, 0, &o), CW_TUN_PASS);
	put16(buf + 20, 0x2234);
	assert_int_equal(cw_tun_decide_up(&rules, f, a6, &head, 0, &o), CW_TUN_PORT);
	assert_int_equal(cw_tun_decide_up(&rules, f, a6, &tail, 0, &o), CW_TUN_FRAGMENT);
	/* Bounded: after very many heads most of the first ones are forgotten, none is confused. */
	put16(buf + 20, 0x1234);
	for (unsigned id = 0; id < 65536; id++) {
		head.id = (uint16_t) id;
		assert_int_equal(cw_tun_decide_up(&rules, f, a6, &head, 1, &o), CW_TUN_PASS);
	}
	for (unsigned id = 0; id < 65536; id++) {
		tail.id = (uint16_t) id;
		passed += cw_tun_decide_up(&rules, f, a6, &tail, 1, &o) == CW_TUN_PASS;
	}
	assert_true(passed > 2000 && passed <= 4096);
	(void) cw_tun_fragments_free(f);
	(void) cw_dptab_free(rules.table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(judgement),
		cmocka_unit_test(fragment_memory),
	};

	return cmocka_run_group_tests_name("tundecide", tests, NULL, NULL);
}
