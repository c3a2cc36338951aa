/* SPDX-License-Identifier: BSD-2-Clause */
/* Plugins a host must refuse, one per value of BAD; for the loader's tests. The last is only old,
 * and to be taken. */
#include "causeway-dataplane.h"

#if BAD > 1 && BAD < 4
static const struct cw_dp_ops no_ops;
#endif

#if BAD == 1
/* Another ABI: nothing behind abi may be looked at, so the rest would crash who does. */
const struct cw_dp_plugin cw_dataplane_plugin = {
	.abi = CW_DP_ABI + 1,
	.size = 8,
	.name = (const char *) 8,
	.ops = (const struct cw_dp_ops *) 8,
};
#elif BAD == 2 /* shorter than the first release */
const struct cw_dp_plugin cw_dataplane_plugin = {
	.abi = CW_DP_ABI,
	.size = 16,
	.name = (const char *) 8,
	.ops = &no_ops,
};
#elif BAD == 3 /* operations missing */
const struct cw_dp_plugin cw_dataplane_plugin = {
	.abi = CW_DP_ABI,
	.size = sizeof cw_dataplane_plugin,
	.name = "bad3",
	.version = "1",
	.help = "",
	.needs = "",
	.ops = &no_ops,
};
#elif BAD == 4
/* Its size ends before `check`: that is not looked at, it would crash who calls it. */
static const uintptr_t some_ops[sizeof(struct cw_dp_ops) / sizeof(uintptr_t)] = {
	8, 8, 8, 8, 8, 8, 8, 8};

const struct cw_dp_plugin cw_dataplane_plugin = {
	.abi = CW_DP_ABI,
	.size = offsetof(struct cw_dp_plugin, check),
	.name = "bad4",
	.version = "1",
	.help = "",
	.needs = "",
	.ops = (const struct cw_dp_ops *) some_ops,
	.check = (int (*)(const struct cw_dp_open *, char *, size_t)) 8,
};
#else
#error "BAD is 1, 2, 3 or 4"
#endif
