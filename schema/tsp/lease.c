/* SPDX-License-Identifier: BSD-2-Clause */
/* What owners of TSP client sessions need besides: the next version, the lease in an info, the
 * requests about one; see client.h. RFC 5572 4.7, DSTM profile 2 and 3.2. Pure functions. Thread:
 * any. */
#include "config.h"

#include "base/err.h"
#include "schema/tsp/client.h"

enum { DTD_LIFETIME = 1440 }; /* RFC 5572 app. A, DSTM app. A */

const char *cw_tsp_version_next(const char *version)
{
	return version[0] == '2' ? "1.0" : NULL;
}

int cw_tsp_lease_of(const struct cw_tsp_msg *msg, bool minutes, struct cw_tsp_lease *ret)
{
	uint32_t lifetime = msg->has_lifetime ? msg->lifetime : DTD_LIFETIME;
	struct cw_tsp_lease l = {0};

	if (msg->action != CW_TSP_INFO ||
		(msg->type != CW_TSP_V4V6 && msg->type != CW_TSP_TYPE_NONE) || lifetime == 0)
		return CW_E_SYNTAX;
	if (!msg->client.has_v4 || !msg->client.has_v6 || !msg->server.has_v6)
		return CW_E_SYNTAX;
	if (!cw_addr4_is_unicast(msg->client.v4) || cw_addr6_eq(&msg->client.v6, &msg->server.v6))
		return CW_E_SYNTAX;
	l.ipv4 = msg->client.v4;
	l.ports = msg->client.has_portset ? msg->client.portset : CW_PORTSET_WHOLE;
	l.client6 = msg->client.v6;
	l.tep6 = msg->server.v6;
	if (msg->server.has_v4 && cw_addr4_is_unicast(msg->server.v4))
		l.tep4 = msg->server.v4;
	l.lifetime_s = !minutes                     ? lifetime
		       : lifetime > UINT32_MAX / 60 ? UINT32_MAX
						    : lifetime * 60;
	*ret = l;
	return 0;
}

void cw_tsp_msg_about(struct cw_tsp_msg *ret, enum cw_tsp_action action,
	const struct cw_addr6 *client6, const struct cw_addr4 *v4,
	const struct cw_addr6 *link_local)
{
	*ret = (struct cw_tsp_msg){.action = action, .type = CW_TSP_V4V6};
	ret->client.present = true;
	ret->client.has_v6 = true;
	ret->client.v6 = *client6;
	if (v4) {
		ret->client.has_v4 = true;
		ret->client.v4 = *v4;
		ret->client.has_v4_len = true;
		ret->client.v4_len = 32;
	}
	if (link_local) {
		ret->client.has_link_local = true;
		ret->client.link_local = *link_local;
	}
}
