/* SPDX-License-Identifier: BSD-2-Clause */
/* About how many leases the ANONYMOUS clients of one IPv6 /64 hold. One host owns a whole /64, so a
 * limit per address is none. A count-min sketch of fixed size: never too low, and too high only
 * where millions of networks meet; no state per lease, nothing in the database. Thread: the loop's.
 */
#pragma once

#include "base/addr.h"
#include "base/defs.h"

struct cw_netcount;

int cw_netcount_new(struct cw_netcount **ret) CW_MUST_CHECK; /* given */
struct cw_netcount *cw_netcount_free(struct cw_netcount *n);
void cw_netcount_add(struct cw_netcount *n, const struct cw_addr6 *a);
void cw_netcount_sub(struct cw_netcount *n, const struct cw_addr6 *a);
unsigned cw_netcount_get(const struct cw_netcount *n, const struct cw_addr6 *a);
