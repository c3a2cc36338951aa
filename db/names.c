/* SPDX-License-Identifier: BSD-2-Clause */
/* Words for the enums of the lease store: logs, APIs and files depend on them, so they never
 * change. */
#include "config.h"

#include "db/store.h"

static const char *word(const char *const *words, size_t n, unsigned i)
{
	return i < n && words[i] ? words[i] : "unknown";
}

const char *cw_lease_state_name(enum cw_lease_state s)
{
	static const char *const words[] = {
		[CW_LEASE_FREE] = "free",
		[CW_LEASE_ACTIVE] = "active",
		[CW_LEASE_ENDING] = "ending",
		[CW_LEASE_QUARANTINED] = "quarantined",
	};

	return word(words, CW_ARRAY_LEN(words), (unsigned) s);
}

const char *cw_end_reason_name(enum cw_end_reason r)
{
	static const char *const words[] = {
		[CW_END_NONE] = "none",
		[CW_END_RELEASE] = "release",
		[CW_END_EXPIRE] = "expire",
		[CW_END_REVOKE] = "revoke",
		[CW_END_TEP] = "tep",
		[CW_END_REJECT] = "reject",
		[CW_END_MOVE] = "move",
	};

	return word(words, CW_ARRAY_LEN(words), (unsigned) r);
}

const char *cw_access_name(enum cw_access a)
{
	static const char *const words[] = {
		[CW_ACCESS_TSP] = "tsp",
		[CW_ACCESS_DHCP6] = "dhcp6",
		[CW_ACCESS_REST] = "rest",
		[CW_ACCESS_GATEWAY] = "gateway",
	};

	return word(words, CW_ARRAY_LEN(words), (unsigned) a);
}
