/* SPDX-License-Identifier: BSD-2-Clause */
/* See device.h. Netlink by hand: four kinds of request, each waited for (they are answered inside
 * sendto). */
#include "dataplane/plugins/tun/device.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#include "dataplane/plugins/common/options.h"

enum { TX_QUEUE = 1000 };

/* One line about what went wrong, and its code. */
#define say(why, why_n, code, ...) ((void) snprintf(why, why_n, __VA_ARGS__), (code))

bool cw_tun_device_name_ok(const char *name, char *why, size_t why_n)
{
	const char *percent = strchr(name, '%');

	/* The kernel's own rules (dev_valid_name), and what it takes for a format. */
	if (name[0] && strlen(name) < IFNAMSIZ && !strpbrk(name, "/: \t\n\v\f\r") &&
		strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
		(!percent || (percent[1] == 'd' && !strchr(percent + 1, '%'))))
		return true;
	(void) snprintf(why, why_n, "option dev: \"%.40s\" is not a device name", name);
	return false;
}

int cw_tun_device_open(const char *name, struct cw_tun_device *ret, char *why, size_t why_n)
{
	struct ifreq req = {.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR};
	struct cw_tun_device d = {.fd = -1};
	int r;

	(void) strncpy(req.ifr_name, name, IFNAMSIZ - 1);
	d.fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (d.fd < 0)
		return say(why, why_n, -errno, "/dev/net/tun: %s%s", cw_dpopt_errno(errno),
			errno == EACCES   ? " (its mode keeps the user of this process out)"
			: errno == ENOENT ? " (modprobe tun)"
					  : "");
	if (ioctl(d.fd, TUNSETIFF, &req) < 0) {
		r = -errno;
		(void) close(d.fd);
		return say(why, why_n, r, "cannot make the TUN device %s: %s%s", name,
			cw_dpopt_errno(-r),
			r == -EPERM    ? " (needs CAP_NET_ADMIN)"
			: r == -EBUSY  ? " (is another TEP using it?)"
			: r == -EINVAL ? " (is there another kind of device of that name?)"
				       : "");
	}
	/* Merged packets save system calls; a kernel that cannot is fine. */
	d.offloads = ioctl(d.fd, TUNSETOFFLOAD, (unsigned long) (TUN_F_CSUM | TUN_F_TSO4)) == 0;
	memcpy(d.name, req.ifr_name, IFNAMSIZ);
	d.name[IFNAMSIZ - 1] = '\0';
	d.index = if_nametoindex(d.name);
	*ret = d;
	return 0;
}

void cw_tun_device_close(struct cw_tun_device *d)
{
	if (d->fd >= 0)
		(void) close(d->fd);
	d->fd = -1;
}

/* --- netlink --- */

struct request {
	struct nlmsghdr h;
	union {
		struct ifinfomsg link;
		struct ifaddrmsg addr;
		struct rtmsg route;
	} u;
	char attributes[128];
};

static void attribute(struct request *q, unsigned short type, const void *data, size_t n)
{
	struct rtattr a = {.rta_len = (unsigned short) RTA_LENGTH(n), .rta_type = type};
	char *at = (char *) q + NLMSG_ALIGN(q->h.nlmsg_len);

	memcpy(at, &a, sizeof a);
	if (n)
		memcpy(at + RTA_LENGTH(0), data, n);
	q->h.nlmsg_len = NLMSG_ALIGN(q->h.nlmsg_len) + (uint32_t) RTA_SPACE(n);
}

/* Sends and reads the acknowledgement. */
static int ask(int fd, struct request *q)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	_Alignas(struct nlmsghdr) char buf[4096];
	struct nlmsghdr *h = (struct nlmsghdr *) (void *) buf;
	const struct nlmsgerr *e;
	ssize_t n;

	q->h.nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	if (sendto(fd, q, q->h.nlmsg_len, 0, (struct sockaddr *) &kernel, sizeof kernel) < 0)
		return -errno;
	n = recv(fd, buf, sizeof buf, 0);
	if (n < 0)
		return -errno;
	if ((size_t) n < NLMSG_LENGTH(sizeof *e) || h->nlmsg_type != NLMSG_ERROR)
		return -EPROTO;
	e = NLMSG_DATA(h);
	return e->error;
}

static int link_up(int fd, const struct cw_tun_device *d, unsigned mtu)
{
	uint32_t mtu32 = mtu, qlen = TX_QUEUE;
	struct request q = {
		.h = {.nlmsg_len = NLMSG_LENGTH(sizeof q.u.link), .nlmsg_type = RTM_NEWLINK},
		.u.link = {.ifi_index = (int) d->index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP},
	};

	attribute(&q, IFLA_MTU, &mtu32, sizeof mtu32);
	attribute(&q, IFLA_TXQLEN, &qlen, sizeof qlen);
	return ask(fd, &q);
}

static int add_address(int fd, const struct cw_tun_device *d, const uint8_t ipv4[4])
{
	struct request q = {
		.h = {.nlmsg_len = NLMSG_LENGTH(sizeof q.u.addr),
			.nlmsg_type = RTM_NEWADDR,
			.nlmsg_flags = NLM_F_CREATE | NLM_F_REPLACE},
		.u.addr = {.ifa_family = AF_INET, .ifa_prefixlen = 32, .ifa_index = d->index},
	};

	attribute(&q, IFA_LOCAL, ipv4, 4);
	return ask(fd, &q);
}

static int add_route(int fd, const struct cw_tun_device *d, const struct cw_tun_route *route)
{
	uint32_t index = d->index;
	struct request q = {
		.h = {.nlmsg_len = NLMSG_LENGTH(sizeof q.u.route),
			.nlmsg_type = RTM_NEWROUTE,
			.nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL},
		.u.route = {.rtm_family = AF_INET,
			.rtm_dst_len = route->len,
			.rtm_table = RT_TABLE_MAIN,
			.rtm_protocol = RTPROT_STATIC,
			.rtm_scope = RT_SCOPE_LINK,
			.rtm_type = RTN_UNICAST},
	};

	attribute(&q, RTA_DST, route->addr, 4);
	attribute(&q, RTA_OIF, &index, sizeof index);
	return ask(fd, &q);
}

/* Opens a nested attribute; returns where, for end_nest(). */
static size_t nest(struct request *q, unsigned short type)
{
	size_t at = q->h.nlmsg_len;

	attribute(q, type, NULL, 0);
	return at;
}

static void end_nest(struct request *q, size_t at)
{
	struct rtattr a;

	memcpy(&a, (char *) q + at, sizeof a);
	a.rta_len = (unsigned short) (q->h.nlmsg_len - at);
	memcpy((char *) q + at, &a, sizeof a);
}

/* What sysctl could set as well, but a sandbox keeps /proc/sys read-only. Best effort: probe tells
 * what is missing. */
static void set_ipv4(int fd, const struct cw_tun_device *d, unsigned short which, uint32_t value)
{
	struct request q = {
		.h = {.nlmsg_len = NLMSG_LENGTH(sizeof q.u.link), .nlmsg_type = RTM_NEWLINK},
		.u.link = {.ifi_index = (int) d->index},
	};
	size_t spec = nest(&q, IFLA_AF_SPEC), family = nest(&q, AF_INET),
	       conf = nest(&q, IFLA_INET_CONF);

	attribute(&q, which, &value, sizeof value);
	end_nest(&q, conf);
	end_nest(&q, family);
	end_nest(&q, spec);
	(void) ask(fd, &q);
}

/* No link-local address: nothing of IPv6 is said on the device. */
static void no_ipv6(int fd, const struct cw_tun_device *d)
{
	const uint8_t mode = IN6_ADDR_GEN_MODE_NONE;
	struct request q = {
		.h = {.nlmsg_len = NLMSG_LENGTH(sizeof q.u.link), .nlmsg_type = RTM_NEWLINK},
		.u.link = {.ifi_index = (int) d->index},
	};
	size_t spec = nest(&q, IFLA_AF_SPEC), family = nest(&q, AF_INET6);

	attribute(&q, IFLA_INET6_ADDR_GEN_MODE, &mode, sizeof mode);
	end_nest(&q, family);
	end_nest(&q, spec);
	(void) ask(fd, &q);
}

int cw_tun_device_up(const struct cw_tun_device *d, unsigned mtu, const uint8_t ipv4[4],
	const struct cw_tun_route *routes, size_t n, bool again, char *why, size_t why_n)
{
	static const uint8_t none[4];
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), r;

	if (fd < 0)
		return say(why, why_n, -errno, "netlink: %s", cw_dpopt_errno(errno));
	no_ipv6(fd, d);
	set_ipv4(fd, d, IPV4_DEVCONF_RP_FILTER, 0);
	set_ipv4(fd, d, IPV4_DEVCONF_SEND_REDIRECTS, 0);
	r = link_up(fd, d, mtu);
	if (r < 0)
		(void) say(why, why_n, r, "cannot bring up %s with MTU %u: %s", d->name, mtu,
			cw_dpopt_errno(-r));
	if (r == 0 && memcmp(ipv4, none, 4) != 0) {
		r = add_address(fd, d, ipv4);
		if (r < 0)
			(void) say(why, why_n, r, "cannot give %s its address: %s", d->name,
				cw_dpopt_errno(-r));
	}
	for (size_t i = 0; r == 0 && i < n; i++) {
		const uint8_t *a = routes[i].addr;

		r = add_route(fd, d, &routes[i]);
		if (r == -EEXIST && again)
			r = 0;
		if (r < 0)
			(void) say(why, why_n, r, "cannot route %u.%u.%u.%u/%u to %s: %s", a[0],
				a[1], a[2], a[3], routes[i].len, d->name, cw_dpopt_errno(-r));
	}
	(void) close(fd);
	return r;
}

unsigned cw_tun_mtu_of(const uint8_t ipv6[16])
{
	struct ifaddrs *list, *a;
	struct ifreq req = {0};
	unsigned mtu = 0;
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return 0;
	if (getifaddrs(&list) == 0) {
		for (a = list; a; a = a->ifa_next) {
			struct sockaddr_in6 sin6;

			if (!a->ifa_addr || a->ifa_addr->sa_family != AF_INET6 ||
				(a->ifa_flags & IFF_LOOPBACK))
				continue;
			memcpy(&sin6, a->ifa_addr, sizeof sin6);
			if (memcmp(&sin6.sin6_addr, ipv6, 16) != 0)
				continue;
			(void) strncpy(req.ifr_name, a->ifa_name, IFNAMSIZ - 1);
			if (ioctl(fd, SIOCGIFMTU, &req) == 0)
				mtu = (unsigned) req.ifr_mtu;
			break;
		}
		freeifaddrs(list);
	}
	(void) close(fd);
	return mtu;
}

long cw_tun_sysctl(const char *path)
{
	char buf[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, buf, sizeof buf - 1);
	(void) close(fd);
	return n > 0 ? strtol(buf, NULL, 10) : -1;
}
