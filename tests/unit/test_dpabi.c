/* SPDX-License-Identifier: BSD-2-Clause */
/* The released layout of causeway-dataplane.h on 64-bit machines. A line here never changes while
 * CW_DP_ABI is 1: fields are appended. That this file compiles is the test. */
#include "config.h"

#include "causeway-dataplane.h"

#include "tests/lib/cw-cmocka.h"

#if UINTPTR_MAX == UINT64_MAX
#define AT(type, field, at) \
	_Static_assert(offsetof(struct type, field) == (at), #type "." #field " moved")
#define SIZE(type, n) _Static_assert(sizeof(struct type) == (n), "size of " #type)

AT(cw_dp_ports, offset, 0);
AT(cw_dp_ports, len, 1);
AT(cw_dp_ports, psid, 2);
SIZE(cw_dp_ports, 4);

AT(cw_dp_binding, ipv4, 0);
AT(cw_dp_binding, ports, 4);
AT(cw_dp_binding, ipv6, 8);
AT(cw_dp_binding, lease, 24);
AT(cw_dp_binding, generation, 32);
AT(cw_dp_binding, expires_boot_ms, 40);
AT(cw_dp_binding, mtu, 48);
AT(cw_dp_binding, reserved, 52);
SIZE(cw_dp_binding, 56);

AT(cw_dp_removal, ipv4, 0);
AT(cw_dp_removal, ports, 4);
AT(cw_dp_removal, lease, 8);
AT(cw_dp_removal, generation, 16);
SIZE(cw_dp_removal, 24);

AT(cw_dp_counters, up_packets, 0);
AT(cw_dp_counters, up_bytes, 8);
AT(cw_dp_counters, down_packets, 16);
AT(cw_dp_counters, down_bytes, 24);
AT(cw_dp_counters, drops, 32);
SIZE(cw_dp_counters, 40);

AT(cw_dp_result, status, 0);
AT(cw_dp_result, counters, 8);
SIZE(cw_dp_result, 48);

AT(cw_dp_row, binding, 0);
AT(cw_dp_row, counters, 56);
SIZE(cw_dp_row, 96);

AT(cw_dp_cursor, ipv4, 0);
AT(cw_dp_cursor, psid, 4);
AT(cw_dp_cursor, begin, 6);
SIZE(cw_dp_cursor, 8);

AT(cw_dp_stat, name, 0);
AT(cw_dp_stat, value, 8);
SIZE(cw_dp_stat, 16);

AT(cw_dp_host, size, 0);
AT(cw_dp_host, reserved, 4);
AT(cw_dp_host, ctx, 8);
AT(cw_dp_host, log, 16);
AT(cw_dp_host, now_boot_ms, 24);
AT(cw_dp_host, complete, 32);
AT(cw_dp_host, complete_list, 40);
AT(cw_dp_host, complete_stats, 48);
AT(cw_dp_host, probe_note, 56);
AT(cw_dp_host, timer_start, 64);
AT(cw_dp_host, timer_cancel, 72);
AT(cw_dp_host, watch, 80);
AT(cw_dp_host, unwatch, 88);

AT(cw_dp_caps, size, 0);
AT(cw_dp_caps, flags, 4);
AT(cw_dp_caps, ranges, 8);
AT(cw_dp_caps, frag_modes, 12);
AT(cw_dp_caps, max_bindings, 16);
AT(cw_dp_caps, deadline_ms, 24);
AT(cw_dp_caps, batch_max, 28);

AT(cw_dp_option, name, 0);
AT(cw_dp_option, def, 8);
AT(cw_dp_option, help, 16);
SIZE(cw_dp_option, 24);

AT(cw_dp_setting, name, 0);
AT(cw_dp_setting, value, 8);
SIZE(cw_dp_setting, 16);

AT(cw_dp_open, size, 0);
AT(cw_dp_open, n_settings, 4);
AT(cw_dp_open, tep, 8);
AT(cw_dp_open, ipv4, 16);
AT(cw_dp_open, ipv6, 20);
AT(cw_dp_open, settings, 40);

AT(cw_dp_ops, open, 0);
AT(cw_dp_ops, close, 8);
AT(cw_dp_ops, probe, 16);
AT(cw_dp_ops, apply, 24);
AT(cw_dp_ops, remove, 32);
AT(cw_dp_ops, list, 40);
AT(cw_dp_ops, stats, 48);
AT(cw_dp_ops, flush, 56);

AT(cw_dp_plugin, abi, 0);
AT(cw_dp_plugin, size, 4);
AT(cw_dp_plugin, name, 8);
AT(cw_dp_plugin, version, 16);
AT(cw_dp_plugin, help, 24);
AT(cw_dp_plugin, needs, 32);
AT(cw_dp_plugin, options, 40);
AT(cw_dp_plugin, ops, 48);
AT(cw_dp_plugin, check, 56);
#endif

_Static_assert(
	CW_DP_OK == 0 && CW_DP_TRANSIENT == 1 && CW_DP_INVALID == 2 && CW_DP_FULL == 3, "status");
_Static_assert(CW_DP_UNSUPPORTED == 4 && CW_DP_EXISTS == 5 && CW_DP_STALE == 6 && CW_DP_FAILED == 7,
	"status");
_Static_assert(CW_DP_READABLE == 1 && CW_DP_WRITABLE == 2, "events");
_Static_assert(CW_DP_RANGES_NONE == 0 && CW_DP_RANGES_ALIGNED_POW2 == 1 && CW_DP_RANGES_PSID == 2,
	"ranges");
_Static_assert(CW_DP_CAP_ANTI_SPOOF == 1 && CW_DP_CAP_EXPIRY == 2 && CW_DP_CAP_COUNTERS == 4 &&
		       CW_DP_CAP_HAIRPIN == 8 && CW_DP_CAP_FORWARDS == 16,
	"caps");

static void abi_is_one(void **state)
{
	(void) state;
	assert_int_equal(CW_DP_ABI, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(abi_is_one)};

	return cmocka_run_group_tests_name("dpabi", tests, NULL, NULL);
}
