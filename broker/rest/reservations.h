/* SPDX-License-Identifier: BSD-2-Clause */
/* What apply has in common with the handlers of reservations. Thread: any. */
#pragma once

#include "broker/rest/handle.h"

/* The pool whose ranges have the address: 1 and *ret, 0 or a code. */
int cw_rest_find_pool(
	struct cw_store_reader *r, struct cw_addr4 addr, struct cw_pool *ret) CW_MUST_CHECK;
/* What is wrong with a PSID (CW_REST_NONE: there is none) in that pool; NULL: nothing. */
const char *cw_rest_check_psid(const struct cw_pool *p, uint64_t psid) CW_PURE;
