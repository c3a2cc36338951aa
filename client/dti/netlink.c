/* SPDX-License-Identifier: BSD-2-Clause */
/* rtnetlink requests of the client; see netlink.h. One socket per handle, one request at a time,
 * each acknowledged by the kernel before the call returns. RFC 3549; rtnetlink(7). Thread: the
 * handle's owner. */
#include "config.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "client/dti/netlink.h"

#ifndef IN6_ADDR_GEN_MODE_NONE
#define IN6_ADDR_GEN_MODE_NONE 1
#endif

enum { REQUEST_MAX = 512, REPLY_MAX = 8192, REPLY_WAIT_S = 5 };

struct cw_netlink {
	int fd;
	uint32_t seq;
};

/* A request under construction. */
struct request {
	union {
		struct nlmsghdr head;
		uint8_t bytes[REQUEST_MAX];
	} u;
	bool full;
};

static void *append(struct request *q, size_t n)
{
	size_t at = NLMSG_ALIGN(q->u.head.nlmsg_len);

	if (q->full || at + NLMSG_ALIGN(n) > REQUEST_MAX) {
		q->full = true;
		return NULL;
	}
	q->u.head.nlmsg_len = (uint32_t) (at + n);
	return q->u.bytes + at;
}

static void begin(struct request *q, uint16_t type, uint16_t flags, const void *body, size_t n)
{
	void *to;

	memset(q, 0, sizeof *q);
	q->u.head.nlmsg_len = NLMSG_HDRLEN;
	q->u.head.nlmsg_type = type;
	q->u.head.nlmsg_flags = (uint16_t) (NLM_F_REQUEST | NLM_F_ACK | flags);
	to = append(q, n);
	if (to)
		memcpy(to, body, n);
}

static size_t attr(struct request *q, uint16_t type, const void *data, size_t n)
{
	struct rtattr head = {.rta_len = (unsigned short) RTA_LENGTH(n), .rta_type = type};
	uint8_t *to = append(q, RTA_LENGTH(n));

	if (!to)
		return 0;
	memcpy(to, &head, sizeof head);
	if (n)
		memcpy(to + RTA_LENGTH(0), data, n);
	return (size_t) (to - q->u.bytes);
}

static void attr_u32(struct request *q, uint16_t type, uint32_t v)
{
	(void) attr(q, type, &v, sizeof v);
}

static void attr_addr4(struct request *q, uint16_t type, struct cw_addr4 a)
{
	uint8_t b[4] = {
		(uint8_t) (a.v >> 24), (uint8_t) (a.v >> 16), (uint8_t) (a.v >> 8), (uint8_t) a.v};

	(void) attr(q, type, b, sizeof b);
}

/* Closes the nested attribute that starts at `at`. */
static void end_nest(struct request *q, size_t at)
{
	struct rtattr head;

	if (q->full)
		return;
	memcpy(&head, q->u.bytes + at, sizeof head);
	head.rta_len = (unsigned short) (q->u.head.nlmsg_len - at);
	memcpy(q->u.bytes + at, &head, sizeof head);
}

static int receive_ack(struct cw_netlink *nl)
{
	uint8_t buf[REPLY_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr head;
	struct nlmsgerr err;
	ssize_t n;

	for (;;) {
		n = recv(nl->fd, buf, sizeof buf, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if ((size_t) n < sizeof head + sizeof err)
			continue;
		memcpy(&head, buf, sizeof head);
		if (head.nlmsg_seq != nl->seq || head.nlmsg_type != NLMSG_ERROR)
			continue;
		memcpy(&err, buf + NLMSG_HDRLEN, sizeof err);
		return err.error;
	}
}

/* Sends the request and waits for the verdict: 0 or -errno. */
static int request(struct cw_netlink *nl, struct request *q)
{
	ssize_t n;

	if (q->full)
		return -EMSGSIZE;
	q->u.head.nlmsg_seq = ++nl->seq;
	do
		n = send(nl->fd, q->u.bytes, q->u.head.nlmsg_len, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return receive_ack(nl);
}

int cw_netlink_open(struct cw_netlink **ret)
{
	const struct timeval wait = {.tv_sec = REPLY_WAIT_S};
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	struct cw_netlink *nl = cw_zalloc(1, sizeof *nl);
	int r;

	if (!nl)
		return -ENOMEM;
	nl->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	/* Connected to the kernel: other processes cannot answer in its place. */
	if (nl->fd < 0 || connect(nl->fd, (struct sockaddr *) &kernel, sizeof kernel) < 0 ||
		setsockopt(nl->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) < 0) {
		r = -errno;
		(void) cw_netlink_close(nl);
		return r;
	}
	*ret = nl;
	return 0;
}

struct cw_netlink *cw_netlink_close(struct cw_netlink *nl)
{
	if (nl)
		cw_closep(&nl->fd);
	return cw_free(nl);
}

int cw_netlink_index(const char *device)
{
	unsigned i = if_nametoindex(device);

	return i ? (int) i : -ENODEV;
}

int cw_netlink_up(struct cw_netlink *nl, int index, unsigned mtu)
{
	struct ifinfomsg link = {.ifi_family = AF_UNSPEC, .ifi_index = index};
	const uint8_t mode = IN6_ADDR_GEN_MODE_NONE;
	struct request q;
	size_t af;
	size_t inet6;
	int r;

	/* Without this the kernel gives the device a link-local address and sends router
	 * solicitations and multicast reports into the tunnel. Kernels without IPv6 on the device
	 * refuse it: no harm. */
	begin(&q, RTM_NEWLINK, 0, &link, sizeof link);
	af = attr(&q, IFLA_AF_SPEC | NLA_F_NESTED, NULL, 0);
	inet6 = attr(&q, AF_INET6 | NLA_F_NESTED, NULL, 0);
	(void) attr(&q, IFLA_INET6_ADDR_GEN_MODE, &mode, sizeof mode);
	end_nest(&q, inet6);
	end_nest(&q, af);
	(void) request(nl, &q);

	r = cw_netlink_mtu(nl, index, mtu);
	if (r < 0)
		return r;
	link.ifi_flags = IFF_UP;
	link.ifi_change = IFF_UP;
	begin(&q, RTM_NEWLINK, 0, &link, sizeof link);
	return request(nl, &q);
}

int cw_netlink_mtu(struct cw_netlink *nl, int index, unsigned mtu)
{
	const struct ifinfomsg link = {.ifi_family = AF_UNSPEC, .ifi_index = index};
	struct request q;

	begin(&q, RTM_NEWLINK, 0, &link, sizeof link);
	attr_u32(&q, IFLA_MTU, mtu);
	return request(nl, &q);
}

int cw_netlink_is_up(int index)
{
	CW_CLEANUP(cw_closep) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq req = {0};

	if (fd < 0 || !if_indextoname((unsigned) index, req.ifr_name) ||
		ioctl(fd, SIOCGIFFLAGS, &req) < 0)
		return -errno;
	return (req.ifr_flags & IFF_UP) != 0;
}

int cw_netlink_addr4(struct cw_netlink *nl, int index, struct cw_addr4 addr)
{
	const struct ifaddrmsg body = {
		.ifa_family = AF_INET, .ifa_prefixlen = 32, .ifa_index = (unsigned) index};
	struct request q;

	begin(&q, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &body, sizeof body);
	attr_addr4(&q, IFA_LOCAL, addr);
	attr_addr4(&q, IFA_ADDRESS, addr);
	return request(nl, &q);
}

int cw_netlink_route4(struct cw_netlink *nl, int index, const struct cw_prefix4 *to,
	unsigned metric, struct cw_addr4 src)
{
	const struct rtmsg body = {.rtm_family = AF_INET,
		.rtm_dst_len = to->len,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_STATIC,
		.rtm_scope = RT_SCOPE_LINK,
		.rtm_type = RTN_UNICAST};
	struct request q;

	begin(&q, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &body, sizeof body);
	if (to->len)
		attr_addr4(&q, RTA_DST, to->addr);
	attr_addr4(&q, RTA_PREFSRC, src);
	attr_u32(&q, RTA_OIF, (uint32_t) index);
	if (metric)
		attr_u32(&q, RTA_PRIORITY, metric);
	return request(nl, &q);
}

int cw_netlink_watch(void)
{
	struct sockaddr_nl local = {.nl_family = AF_NETLINK,
		.nl_groups =
			RTMGRP_IPV6_IFADDR | RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	int r;

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *) &local, sizeof local) < 0) {
		r = -errno;
		(void) close(fd);
		return r;
	}
	return fd;
}

/* One message: n octets, of which the header was looked at. */
struct message {
	const uint8_t *p;
	size_t n;
};

/* Copies the fixed part after the header. false: there is none. */
static bool body_of(const struct message *m, void *to, size_t n)
{
	if (m->n < NLMSG_HDRLEN + n)
		return false;
	memcpy(to, m->p + NLMSG_HDRLEN, n);
	return true;
}

/* Copies the value of an attribute after a fixed part of `body` octets. false: it is not there, or
 * not of this length. */
static bool value_of(const struct message *m, size_t body, uint16_t type, void *to, size_t n)
{
	size_t at = NLMSG_HDRLEN + NLMSG_ALIGN(body);
	struct rtattr a;

	while (at + sizeof a <= m->n) {
		memcpy(&a, m->p + at, sizeof a);
		if (a.rta_len < sizeof a || a.rta_len > m->n - at)
			return false;
		if (a.rta_type == type && a.rta_len == RTA_LENGTH(n)) {
			memcpy(to, m->p + at + RTA_LENGTH(0), n);
			return true;
		}
		at += RTA_ALIGN(a.rta_len);
	}
	return false;
}

/* false: there was no room for it. */
static bool addr_went(const struct message *m, int index, struct cw_netlink_news *news)
{
	struct ifaddrmsg a;
	struct cw_addr6 gone;

	if (!body_of(m, &a, sizeof a))
		return true;
	if (a.ifa_family == AF_INET) {
		news->device = news->device || (int) a.ifa_index == index;
		return true;
	}
	if (a.ifa_family != AF_INET6 || !value_of(m, sizeof a, IFA_ADDRESS, gone.b, sizeof gone.b))
		return true;
	if (news->n_gone == CW_NETLINK_GONE_MAX)
		return false;
	news->gone[news->n_gone++] = gone;
	return true;
}

/* false: as above. */
static bool hear(const struct message *m, uint16_t type, int index, struct cw_netlink_news *news)
{
	struct ifinfomsg link;
	struct rtmsg route;
	uint32_t oif;

	switch (type) {
	case RTM_DELADDR:
		return addr_went(m, index, news);
	case RTM_NEWLINK: /* IPv4 routes that go with a link's state are not told one by one */
		if (body_of(m, &link, sizeof link) && link.ifi_index == index)
			news->device = true;
		return true;
	case RTM_DELROUTE:
		if (body_of(m, &route, sizeof route) && route.rtm_family == AF_INET &&
			value_of(m, sizeof route, RTA_OIF, &oif, sizeof oif) && (int) oif == index)
			news->device = true;
		return true;
	default:
		return true;
	}
}

void cw_netlink_watch_read(int fd, int index, struct cw_netlink_news *ret)
{
	uint8_t buf[REPLY_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));
	bool lost = false;

	ret->n_gone = 0;
	ret->device = false;
	for (int rounds = 0; rounds < 32; rounds++) {
		struct sockaddr_nl from = {0};
		socklen_t from_len = sizeof from;
		ssize_t got =
			recvfrom(fd, buf, sizeof buf, 0, (struct sockaddr *) &from, &from_len);
		struct nlmsghdr head;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			lost = lost || errno == ENOBUFS;
			break;
		}
		if (from.nl_pid != 0) /* not the kernel */
			continue;
		for (size_t at = 0; at + sizeof head <= (size_t) got;
			at += NLMSG_ALIGN(head.nlmsg_len)) {
			struct message m = {buf + at, 0};

			memcpy(&head, buf + at, sizeof head);
			if (head.nlmsg_len < sizeof head || head.nlmsg_len > (size_t) got - at)
				break;
			m.n = head.nlmsg_len;
			if (!hear(&m, head.nlmsg_type, index, ret))
				lost = true;
		}
	}
	if (!lost)
		return;
	ret->n_gone = 0;
	ret->device = true;
}
