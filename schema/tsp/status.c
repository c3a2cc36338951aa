/* SPDX-License-Identifier: BSD-2-Clause */
/* Status codes and their texts by version (RFC 5572 app. B; DSTM profile 5 for sessions that said
 * VERSION=1.x). The numbers are what clients compare; the texts are fixed, nothing of a peer's goes
 * into them. Thread: any, no state. */
#include "config.h"

#include "schema/tsp/tsp.h"

const struct cw_tsp_status CW_TSP_PUSH_STATUS = {200, "OK"};

/* One row per event: 1.x, then 2.x. 310 is the one code that means two things. */
static const struct cw_tsp_status table[CW_TSP_EVENTS][2] = {
	[CW_TSP_DONE] = {{200, "Success"}, {200, "Success"}},
	[CW_TSP_AUTH] = {{300, "Authentication failed"}, {300, "Authentication failed"}},
	[CW_TSP_POOL_EMPTY] = {{306, "Address Pool Exhausted"}, {301, "No more tunnels available"}},
	[CW_TSP_VERSION] = {{302, "Unsupported client version"},
		{302, "Unsupported client version"}},
	[CW_TSP_TYPE] = {{303, "Unsupported tunnel type"}, {303, "Unsupported tunnel type"}},
	[CW_TSP_TEP] = {{307, "Configuration Error at TEP"}, {307, "Configuration Error at TEP"}},
	[CW_TSP_ADDRESS] = {{308, "Requested Address Unavailable"},
		{308, "Requested Address Unavailable"}},
	[CW_TSP_BAD_V6] = {{309, "Invalid IPv6 address"}, {502, "Invalid IPv6 address"}},
	[CW_TSP_BAD_V4] = {{310, "IPv4 Invalid Address"}, {501, "Invalid IPv4 address"}},
	[CW_TSP_INTERNAL] = {{530, "Server too busy"}, {310, "Server side error"}},
	[CW_TSP_FORMAT] = {{500, "Invalid request format or specified length"},
		{500, "Invalid request format or specified length"}},
	[CW_TSP_PREFIX] = {{500, "Invalid request format or specified length"},
		{507, "Requested prefix length cannot be assigned"}},
	[CW_TSP_IN_PROGRESS] = {{521, "Request already in progress"},
		{521, "Request already in progress"}},
	[CW_TSP_OVERLOAD] = {{530, "Server too busy"}, {530, "Server too busy"}},
};

static unsigned column(enum cw_tsp_version v)
{
	return v == CW_TSP_V1 ? 0 : 1;
}

struct cw_tsp_status cw_tsp_status(enum cw_tsp_event ev, enum cw_tsp_version v, bool list)
{
	struct cw_tsp_status st = table[ev < CW_TSP_EVENTS ? ev : CW_TSP_INTERNAL][column(v)];

	if (list)
		st.code += 1000;
	return st;
}

enum cw_tsp_event cw_tsp_event_of(unsigned code, enum cw_tsp_version v)
{
	/* Codes that stand in two rows: the row listed first is meant, INTERNAL and PREFIX are
	 * skipped where they borrow. */
	static const enum cw_tsp_event order[] = {CW_TSP_DONE, CW_TSP_AUTH, CW_TSP_POOL_EMPTY,
		CW_TSP_VERSION, CW_TSP_TYPE, CW_TSP_TEP, CW_TSP_ADDRESS, CW_TSP_BAD_V6,
		CW_TSP_BAD_V4, CW_TSP_FORMAT, CW_TSP_IN_PROGRESS, CW_TSP_OVERLOAD, CW_TSP_INTERNAL,
		CW_TSP_PREFIX};

	if (code >= 1000)
		code -= 1000;
	for (unsigned i = 0; i < CW_ARRAY_LEN(order); i++)
		if (table[order[i]][column(v)].code == code)
			return order[i];
	return CW_TSP_EVENTS;
}
