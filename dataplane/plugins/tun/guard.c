/* SPDX-License-Identifier: BSD-2-Clause */
/* See guard.h. rtnetlink(7). */
#include "dataplane/plugins/tun/guard.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/plugins/tun/forward.h"

enum {
	MOMENT_MS = 50, /* what belongs together comes together */
	MINUTE_MS = 60000,
	TIMES = 5,           /* a minute */
	MESSAGES = 64,       /* of one turn */
	MESSAGE_MAX = 32768, /* as much as the kernel puts into one */
};

/* The device that a route leads to; 0: none. (Not const: the macros of netlink cast it away.) */
static unsigned route_to(struct nlmsghdr *h)
{
	struct rtmsg *m = NLMSG_DATA(h);
	unsigned left = (unsigned) RTM_PAYLOAD(h), index;

	for (struct rtattr *a = RTM_RTA(m); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == RTA_OIF && RTA_PAYLOAD(a) >= sizeof index) {
			memcpy(&index, RTA_DATA(a), sizeof index);
			return index;
		}
	}
	return 0;
}

static bool harmful(const struct cw_tun_guard *g, struct nlmsghdr *h)
{
	const struct ifinfomsg *link = NLMSG_DATA(h);
	const struct ifaddrmsg *addr = NLMSG_DATA(h);

	switch (h->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return h->nlmsg_len >= NLMSG_LENGTH(sizeof *link) &&
		       (unsigned) link->ifi_index == g->index &&
		       (h->nlmsg_type == RTM_DELLINK || !(link->ifi_flags & IFF_UP));
	case RTM_DELADDR:
		return h->nlmsg_len >= NLMSG_LENGTH(sizeof *addr) && addr->ifa_index == g->index;
	case RTM_DELROUTE:
		return h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct rtmsg)) &&
		       route_to(h) == g->index;
	default:
		return false;
	}
}

static void on_time(void *arg)
{
	struct cw_tun_guard *g = arg;

	g->timer = NULL;
	g->said++;
	g->fn(g->arg);
}

void cw_tun_guard_again(struct cw_tun_guard *g)
{
	int64_t now = g->host->now_boot_ms(g->host->ctx), wait;

	if (g->timer)
		return;
	if (g->said == 0 || now - g->minute >= MINUTE_MS) {
		g->minute = now;
		g->said = 0;
	}
	wait = g->said < TIMES ? MOMENT_MS << g->said : g->minute + MINUTE_MS - now;
	g->timer = g->host->timer_start(g->host->ctx, (uint64_t) wait, on_time, g);
}

static void on_message(void *arg, int events)
{
	struct cw_tun_guard *g = arg;
	static _Alignas(struct nlmsghdr) char buf[MESSAGE_MAX];
	bool heard = false;

	(void) events;
	for (unsigned i = 0; i < MESSAGES; i++) {
		ssize_t n = recv(g->fd, buf, sizeof buf, MSG_DONTWAIT);
		unsigned left = n > 0 ? (unsigned) n : 0;

		if (n < 0 && errno == ENOBUFS) /* nobody knows what was lost */
			heard = true;
		else if (n <= 0)
			break;
		for (struct nlmsghdr *h = (void *) buf; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left))
			if (harmful(g, h)) {
				heard = true;
				g->gone = g->gone || h->nlmsg_type == RTM_DELLINK;
			}
	}
	if (heard)
		cw_tun_guard_again(g);
}

int cw_tun_guard_start(struct cw_tun_guard *g, const struct cw_dp_host *host, unsigned index,
	void (*fn)(void *arg), void *arg)
{
	struct sockaddr_nl groups = {.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE), r;

	g->host = host;
	g->index = index;
	g->gone = false;
	g->fn = fn;
	g->arg = arg;
	if (fd < 0)
		return -errno;
	r = bind(fd, (struct sockaddr *) &groups, sizeof groups) < 0 ? -errno : 0;
	if (r == 0) {
		g->watch = host->watch(host->ctx, fd, CW_DP_READABLE, on_message, g);
		r = g->watch ? 0 : -ENOMEM;
	}
	if (r < 0)
		(void) close(fd);
	else
		g->fd = fd;
	return r;
}

void cw_tun_guard_stop(struct cw_tun_guard *g)
{
	if (g->timer)
		g->host->timer_cancel(g->host->ctx, g->timer);
	g->timer = NULL;
	if (g->watch)
		g->host->unwatch(g->host->ctx, g->watch);
	g->watch = NULL;
	if (g->fd >= 0)
		(void) close(g->fd);
	g->fd = -1;
}
