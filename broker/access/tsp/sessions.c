/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "broker/access/tsp/session_int.h"
#include "broker/access/tsp/sessions.h"

static struct cw_tsp_session *session_of(struct cw_list *it)
{
	return cw_container_of(it, struct cw_tsp_session, in_access);
}

static void say_owner(const struct cw_tsp_session *s, char to[static CW_PRINCIPAL_MAX])
{
	char addr[CW_ADDR6_STRLEN];

	to[0] = '\0';
	if (s->user)
		(void) snprintf(to, CW_PRINCIPAL_MAX, "user:%s", s->user);
	else if (s->anonymous && !cw_list_empty(&s->holds))
		(void) snprintf(to, CW_PRINCIPAL_MAX, "ip6:%s",
			cw_addr6_str(&cw_container_of(s->holds.next, struct cw_tsp_hold, in_session)
					      ->client6,
				addr));
}

static enum cw_tsp_session_is state_of(const struct cw_tsp_session *s)
{
	if (s->closed)
		return CW_TSP_SESSION_CLOSING;
	if (!s->authenticated)
		return CW_TSP_SESSION_LOGIN;
	return cw_tsp_session_busy(s) ? CW_TSP_SESSION_BUSY : CW_TSP_SESSION_READY;
}

static void show(const struct cw_tsp_session *s, struct cw_tsp_session_info *to)
{
	struct cw_now now = cw_clock_now(s->access->clock);
	int64_t now_ms = cw_tsp_access_now_ms(s->access);
	const char *mech = cw_tsp_server_mech(s->server);

	*to = (struct cw_tsp_session_info){
		.id = s->id,
		.transport = s->peer.transport,
		.is_unix = !s->peer.sa,
		.state = state_of(s),
		.since_wall_s = now.wall_s - (now_ms - s->since_ms) / 1000,
		.last_wall_s = now.wall_s - (now_ms - s->last_ms) / 1000,
		.leases = s->n_holds,
		.requests = s->requests,
		.octets_in = s->octets_in,
		.octets_out = s->octets_out,
	};
	if (s->peer.sa)
		(void) cw_sockaddr_str(s->peer.sa, to->peer);
	else
		(void) snprintf(to->peer, sizeof to->peer, "unix");
	(void) snprintf(to->mechanism, sizeof to->mechanism, "%s", mech ? mech : "");
	say_owner(s, to->owner);
}

void cw_tsp_sessions(const struct cw_tsp_access *a, uint64_t after,
	bool (*fn)(void *arg, const struct cw_tsp_session_info *info), void *arg)
{
	cw_list_for_each (it, &a->sessions) {
		const struct cw_tsp_session *s = session_of(it);
		struct cw_tsp_session_info info;

		if (s->id <= after)
			continue;
		show(s, &info);
		if (!fn(arg, &info))
			return;
	}
}

int cw_tsp_sessions_end(struct cw_tsp_access *a, uint64_t id)
{
	cw_list_for_each (it, &a->sessions) {
		struct cw_tsp_session *s = session_of(it);

		if (s->id == id && !s->closed) {
			cw_tsp_session_refuse(s);
			return 0;
		}
	}
	return -ENOENT;
}
