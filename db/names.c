/* SPDX-License-Identifier: BSD-2-Clause */
/* Words for the enums of the lease store, and what events say: logs, APIs and files depend on them,
 * so they never change. */
#include "config.h"

#include <stdio.h>
#include <string.h>

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

const char *cw_end_event_name(enum cw_end_reason r)
{
	static const char *const words[] = {
		[CW_END_RELEASE] = "lease.release",
		[CW_END_EXPIRE] = "lease.expire",
		[CW_END_REVOKE] = "lease.revoke",
		[CW_END_TEP] = "lease.refuse",
		[CW_END_REJECT] = "lease.reject",
	};

	return word(words, CW_ARRAY_LEN(words), (unsigned) r);
}

void cw_live_event_fill(const struct cw_live_event *live, struct cw_event *ret)
{
	const struct cw_outbox_entry *e = live->lease;
	const struct cw_lease *l;
	bool begins;

	if (!e) {
		*ret = *live->event;
		return;
	}
	l = &e->lease;
	begins = e->what == CW_OUTBOX_APPLY;
	*ret = (struct cw_event){
		.id = live->id,
		.wall_s = e->wall_s,
		.object_id = l->id,
		.has_tenure = true,
		.tenure = {.lease = l->id,
			.pool_id = l->pool_id,
			.tep_id = l->tep_id,
			.addr = l->addr,
			.ports = l->ports,
			.client6 = l->client6,
			.access = l->access,
			.reason = begins ? CW_END_NONE : l->reason,
			.started_wall_s = l->granted_wall_s,
			.ended_wall_s = INT64_MAX,
			.moved_from = begins ? e->moved_from : 0,
			.end_id = begins ? 0 : live->id,
			.ending_wall_s = begins ? 0 : e->wall_s},
	};
	memcpy(ret->tenure.principal, l->principal, sizeof ret->tenure.principal);
	(void) snprintf(ret->type, sizeof ret->type, "%s",
		!begins         ? cw_end_event_name(l->reason)
		: e->moved_from ? "lease.move"
				: "lease.grant");
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
