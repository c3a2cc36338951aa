/* SPDX-License-Identifier: BSD-2-Clause */
/* Prints every IPv4 packet that arrives at this network namespace, one line each, for tests to
 * grep:
 *
 *	198.51.100.10 > 203.0.113.80 proto 17 len 128 ttl 63 tos 0 id 7 frag 0 udp 5 > 9 sum ok
 *	203.0.113.1 > 198.51.100.10 proto 1 len 56 ... icmp 3/4 mtu 1460
 *		quote 198.51.100.10 > 203.0.113.80 (on the same line)
 *
 * "sum": of the transport; "unfinished" if the kernel says that hardware would have to do it.
 * Prints "ready" first. With a device name as argument, that device only. */
#include "config.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static unsigned get16(const uint8_t *p)
{
	return (unsigned) p[0] << 8 | p[1];
}

static const char *addr(const uint8_t *p, char *buf)
{
	(void) snprintf(buf, 16, "%u.%u.%u.%u", p[0], p[1], p[2], p[3]);
	return buf;
}

/* Bit by bit as in RFC 1071, on purpose not the plugin's own code. */
static unsigned sum(const uint8_t *p, size_t n, unsigned long s)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		s += get16(p + i);
	if (n & 1)
		s += (unsigned long) p[n - 1] << 8;
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (unsigned) s;
}

static void transport(const uint8_t *p, const uint8_t *l4, size_t n, bool unfinished)
{
	unsigned proto = p[9], pseudo = sum(p + 12, 8, proto + n);
	char a[16], b[16];

	if (proto == 1 && n >= 8) {
		(void) printf(
			" icmp %u/%u mtu %u id %u", l4[0], l4[1], get16(l4 + 6), get16(l4 + 4));
		if ((l4[0] == 3 || l4[0] == 11) && n >= 28)
			(void) printf(" quote %s > %s", addr(l4 + 20, a), addr(l4 + 24, b));
		(void) printf(" sum %s", unfinished                ? "unfinished"
					 : sum(l4, n, 0) == 0xffff ? "ok"
								   : "bad");
	} else if (proto == 6 && n >= 20) {
		(void) printf(" tcp %u > %u sum %s", get16(l4), get16(l4 + 2),
			unfinished                     ? "unfinished"
			: sum(l4, n, pseudo) == 0xffff ? "ok"
						       : "bad");
	} else if (proto == 17 && n >= 8) {
		(void) printf(" udp %u > %u sum %s", get16(l4), get16(l4 + 2),
			unfinished                     ? "unfinished"
			: get16(l4 + 6) == 0           ? "none"
			: sum(l4, n, pseudo) == 0xffff ? "ok"
						       : "bad");
	}
}

static void show(const uint8_t *p, size_t n, bool unfinished)
{
	char a[16], b[16];
	size_t ihl = (size_t) (p[0] & 15) * 4, total;
	unsigned frag;

	if (n < 20 || ihl < 20 || n < ihl)
		return;
	total = get16(p + 2) < n ? get16(p + 2) : n;
	frag = get16(p + 6);
	(void) printf("%s > %s proto %u len %zu ttl %u tos %u id %u frag %u%s%s", addr(p + 12, a),
		addr(p + 16, b), p[9], total, p[8], p[1], get16(p + 4), (frag & 0x1fff) * 8,
		frag & 0x2000 ? "+" : "", frag & 0x4000 ? " df" : "");
	if ((frag & 0x3fff) == 0)
		transport(p, p + ihl, total - ihl, unfinished);
	(void) printf("\n");
	(void) fflush(stdout);
}

int main(int argc, char **argv)
{
	static uint8_t buf[70000];
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP)};
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0), one = 1;

	if (argc > 1)
		at.sll_ifindex = (int) if_nametoindex(argv[1]);
	if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof one) < 0 ||
		bind(fd, (struct sockaddr *) &at, sizeof at) < 0) {
		perror("pktwatch");
		return 1;
	}
	(void) printf("ready\n");
	(void) fflush(stdout);
	for (;;) {
		_Alignas(struct cmsghdr) uint8_t control[128];
		struct sockaddr_ll from;
		struct iovec iov = {buf, sizeof buf};
		struct msghdr m = {.msg_name = &from,
			.msg_namelen = sizeof from,
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof control};
		ssize_t n = recvmsg(fd, &m, 0);
		bool unfinished = false;

		if (n < 0 || from.sll_pkttype == PACKET_OUTGOING)
			continue;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
			struct tpacket_auxdata aux;

			if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
				continue;
			memcpy(&aux, CMSG_DATA(c), sizeof aux);
			unfinished = aux.tp_status & TP_STATUS_CSUMNOTREADY;
		}
		show(buf, (size_t) n, unfinished);
	}
}
