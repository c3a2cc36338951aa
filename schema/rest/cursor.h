/* SPDX-License-Identifier: BSD-2-Clause */
/* Cursors of lists: where the next page starts, as opaque text that only this broker can make and that fits only the
 * list and the filter it was made for. HMAC-SHA256 cut to 128 bits; the key is one of this process, so cursors do not
 * outlive it. Thread: any. */
#pragma once

#include "base/bytes.h"
#include "base/defs.h"

struct cw_cursor_key {
	uint8_t octets[32]; /* from cw_random() */
};

/* A place in a list: what its order is by, most significant first. */
struct cw_cursor {
	uint64_t a, b;
};

#define CW_CURSOR_STRLEN 45 /* with NUL */

/* list: the operation; filter: the query as cw_rest_query() took it, without paging. */
int cw_cursor_make(const struct cw_cursor_key *key, const char *list, struct cw_slice filter,
	struct cw_cursor at,
	char to[static CW_CURSOR_STRLEN]) CW_MUST_CHECK; /* 0 or -ENOMEM (of the crypto library) */
/* 0; CW_E_SYNTAX: not made by us, for this list and this filter; -ENOMEM. */
int cw_cursor_open(const struct cw_cursor_key *key, const char *list, struct cw_slice filter,
	const char *s, size_t n, struct cw_cursor *ret) CW_MUST_CHECK;
