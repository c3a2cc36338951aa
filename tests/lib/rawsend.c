/* SPDX-License-Identifier: BSD-2-Clause */
/* Sends one crafted IPv4 packet, plain or inside a tunnel, for tests. Arguments are KEY=VALUE:
 *
 *	to6=TEP from6=ADDR	in a tunnel packet (without: plain IPv4, by the routing table)
 *	ext=encap|unknown	a destination option in front (RFC 2473 4.1.1; one to skip)
 *	class=N			outer traffic class
 *	partial=DEV/MAC		through a packet socket, checksum left unfinished as a local
 *				sender with offloads does
 *	src= dst= ttl= tos= id= df=1 mf=1 frag=OCTETS len=PAYLOAD proto=udp|tcp|icmp|N
 *	sport= dport=		of UDP and TCP
 *	type= code= ident=	of ICMP
 *	quote=SRC,DST,SPORT,DPORT	an ICMP error quotes such a UDP packet
 *	quoteid=SRC,DST,IDENT	... such an echo request
 *	break=version|ihl|long|short|sum	one malformed header
 *	icmp6=TYPE/CODE mtu=N about6=ADDR	instead: an ICMPv6 error to to6 about a tunnel
 *				packet from it to about6
 *	count=N */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static char **args;

/* The last one counts. */
static const char *text(const char *key)
{
	size_t n = strlen(key);
	const char *found = NULL;

	for (char **a = args; *a; a++) {
		if (strncmp(*a, key, n) == 0 && (*a)[n] == '=')
			found = *a + n + 1;
	}
	return found;
}

static unsigned number(const char *key, unsigned def)
{
	const char *s = text(key);

	return s ? (unsigned) strtoul(s, NULL, 0) : def;
}

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t) (v >> 8);
	p[1] = (uint8_t) v;
}

static unsigned sum(const uint8_t *p, size_t n, unsigned long s)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		s += (unsigned long) p[i] << 8 | p[i + 1];
	if (n & 1)
		s += (unsigned long) p[n - 1] << 8;
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (unsigned) s;
}

static void header(uint8_t *p, const char *src, const char *dst, unsigned proto, size_t total)
{
	memset(p, 0, 20);
	p[0] = 0x45;
	put16(p + 2, (unsigned) total);
	p[8] = 64;
	p[9] = (uint8_t) proto;
	if (inet_pton(AF_INET, src, p + 12) != 1 || inet_pton(AF_INET, dst, p + 16) != 1)
		exit(2);
	put16(p + 10, ~sum(p, 20, 0) & 0xffff);
}

/* The packet that an ICMP error is about; octets written. */
static size_t quote(uint8_t *p)
{
	char src[32], dst[32];
	int a, b;
	const char *s = text("quote");

	if (s) {
		if (sscanf(s, "%31[^,],%31[^,],%i,%i", src, dst, &a, &b) != 4)
			exit(2);
		header(p, src, dst, 17, 28);
		put16(p + 20, (unsigned) a);
		put16(p + 22, (unsigned) b);
		put16(p + 24, 8);
		put16(p + 26, 0);
		return 28;
	}
	s = text("quoteid");
	if (!s)
		return 0;
	if (sscanf(s, "%31[^,],%31[^,],%i", src, dst, &a) != 3)
		exit(2);
	header(p, src, dst, 1, 28);
	memset(p + 20, 0, 8);
	p[20] = 8;
	put16(p + 24, (unsigned) a);
	return 28;
}

/* Transport header and payload of len octets at l4; the checksum goes to the returned offset, 0:
 * none. */
static size_t transport(const uint8_t *ip, uint8_t *l4, unsigned proto, size_t *n, int unfinished)
{
	size_t at = 0;
	unsigned long pseudo = 0;

	for (size_t i = 0; i < *n; i++)
		l4[i] = (uint8_t) i;
	if (number("frag", 0))
		return 0;
	if (proto == 1) {
		memset(l4, 0, *n < 8 ? *n : 8);
		l4[0] = (uint8_t) number("type", 8);
		l4[1] = (uint8_t) number("code", 0);
		put16(l4 + 4, number("ident", 1));
		if (l4[0] == 3 || l4[0] == 11 || l4[0] == 12 || l4[0] == 5)
			*n = 8 + quote(l4 + 8);
		at = 2;
	} else if (proto == 6 && *n >= 20) {
		memset(l4, 0, 20);
		l4[12] = 0x50;
		l4[13] = 0x02;
		at = 16;
	} else if (proto == 17 && *n >= 8) {
		put16(l4 + 4, (unsigned) *n);
		at = 6;
	}
	if (proto != 1 && *n >= 4) {
		put16(l4, number("sport", 1000));
		put16(l4 + 2, number("dport", 9));
	}
	if (!at || number("mf", 0))
		return 0;
	put16(l4 + at, 0);
	if (proto != 1)
		pseudo = sum(ip + 12, 8, proto + *n);
	put16(l4 + at, unfinished ? (unsigned) pseudo : ~sum(l4, *n, pseudo) & 0xffff);
	return at;
}

static size_t build(uint8_t *p, size_t *ret_sum_at, int unfinished)
{
	const char *proto = text("proto") ? text("proto") : "udp",
		   *broken = text("break") ? text("break") : "";
	unsigned number_of = strcmp(proto, "udp") == 0    ? 17
			     : strcmp(proto, "tcp") == 0  ? 6
			     : strcmp(proto, "icmp") == 0 ? 1
							  : (unsigned) strtoul(proto, NULL, 10);
	size_t n = number("len", 64), total;

	if (n > 60000)
		exit(2);
	header(p, text("src") ? text("src") : "0.0.0.0", text("dst") ? text("dst") : "0.0.0.0",
		number_of, 20 + n);
	*ret_sum_at = transport(p, p + 20, number_of, &n, unfinished);
	total = 20 + n;
	put16(p + 2, (unsigned) total);
	p[1] = (uint8_t) number("tos", 0);
	put16(p + 4, number("id", 1));
	put16(p + 6, number("frag", 0) / 8 | (number("df", 0) ? 0x4000 : 0) |
			     (number("mf", 0) ? 0x2000 : 0));
	p[8] = (uint8_t) number("ttl", 64);
	if (strcmp(broken, "version") == 0)
		p[0] = 0x65;
	if (strcmp(broken, "ihl") == 0)
		p[0] = 0x44;
	if (strcmp(broken, "long") == 0)
		put16(p + 2, (unsigned) total + 100);
	put16(p + 10, 0);
	put16(p + 10, ~sum(p, 20, 0) & 0xffff);
	if (strcmp(broken, "sum") == 0)
		p[10] ^= 0x55;
	return strcmp(broken, "short") == 0 ? 19 : total;
}

static int fail(const char *what)
{
	perror(what);
	return 1;
}

/* A whole IPv6 packet with a checksum to be finished at csum_start. */
static int send_partial(const uint8_t *inner, size_t n, size_t sum_at)
{
	uint8_t ip6[40] = {0x60, [6] = 4, [7] = 64};
	struct virtio_net_hdr h = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = 14 + 40 + 20,
		.csum_offset = (uint16_t) sum_at};
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IPV6)};
	uint8_t ether[14] = {[12] = 0x86, [13] = 0xdd};
	struct iovec iov[4] = {
		{&h, sizeof h}, {ether, 14}, {ip6, 40}, {(void *) (uintptr_t) inner, n}};
	struct msghdr m = {
		.msg_name = &to, .msg_namelen = sizeof to, .msg_iov = iov, .msg_iovlen = 4};
	char dev[IFNAMSIZ];
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), one = 1;

	if (sscanf(text("partial"), "%15[^/]/%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", dev, &ether[0],
		    &ether[1], &ether[2], &ether[3], &ether[4], &ether[5]) != 7 ||
		!text("from6") || inet_pton(AF_INET6, text("from6"), ip6 + 8) != 1 ||
		inet_pton(AF_INET6, text("to6"), ip6 + 24) != 1)
		return 2;
	put16(ip6 + 4, (unsigned) n);
	to.sll_ifindex = (int) if_nametoindex(dev);
	if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one) < 0)
		return fail("packet socket");
	return sendmsg(fd, &m, 0) < 0 ? fail("sendmsg") : 0;
}

static int open6(struct sockaddr_in6 *to)
{
	static const uint8_t encap[8] = {0, 0, 4, 1, 4, 1, 1, 0},
			     unknown[8] = {0, 0, 0x1e, 4, 1, 2, 3, 4};
	struct sockaddr_in6 from = {.sin6_family = AF_INET6};
	int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_IPIP),
	    class = (int) number("class", 0);
	const char *ext = text("ext");

	to->sin6_family = AF_INET6;
	if (fd < 0 || inet_pton(AF_INET6, text("to6"), &to->sin6_addr) != 1)
		return -1;
	if (text("from6") && (inet_pton(AF_INET6, text("from6"), &from.sin6_addr) != 1 ||
				     bind(fd, (struct sockaddr *) &from, sizeof from) < 0))
		return -1;
	if (class && setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &class, sizeof class) < 0)
		return -1;
	if (ext && setsockopt(fd, IPPROTO_IPV6, IPV6_DSTOPTS,
			   strcmp(ext, "encap") == 0 ? encap : unknown, 8) < 0)
		return -1;
	return fd;
}

/* What a router inside the tunnel would say about a packet of the TEP. */
static int send_icmp6(const uint8_t *inner, size_t n)
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6}, from = {.sin6_family = AF_INET6};
	uint8_t body[1240] = {0}, *ip6 = body + 8;
	unsigned type, code;
	int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6);

	if (n > sizeof body - 48)
		n = sizeof body - 48;
	if (sscanf(text("icmp6"), "%u/%u", &type, &code) != 2 ||
		inet_pton(AF_INET6, text("to6"), &to.sin6_addr) != 1 || !text("about6") ||
		inet_pton(AF_INET6, text("about6"), ip6 + 24) != 1 || !text("from6") ||
		inet_pton(AF_INET6, text("from6"), &from.sin6_addr) != 1)
		return 2;
	body[0] = (uint8_t) type;
	body[1] = (uint8_t) code;
	put16(body + 6, number("mtu", 0));
	ip6[0] = 0x60;
	put16(ip6 + 4, (unsigned) n);
	ip6[6] = 4;
	ip6[7] = 60;
	memcpy(ip6 + 8, &to.sin6_addr, 16);
	memcpy(ip6 + 40, inner, n);
	if (fd < 0 || bind(fd, (struct sockaddr *) &from, sizeof from) < 0)
		return fail("ICMPv6 socket");
	return sendto(fd, body, 48 + n, 0, (struct sockaddr *) &to, sizeof to) < 0 ? fail("sendto")
										   : 0;
}

int main(int argc, char **argv)
{
	static uint8_t packet[65536];
	struct sockaddr_in6 to6 = {0};
	struct sockaddr_in to4 = {.sin_family = AF_INET};
	size_t n, sum_at;
	int fd, one = 1;

	(void) argc;
	args = argv + 1;
	n = build(packet, &sum_at, text("partial") != NULL);
	if (text("partial"))
		return send_partial(packet, n, sum_at);
	if (text("icmp6"))
		return send_icmp6(packet, n);
	if (text("to6")) {
		fd = open6(&to6);
	} else {
		fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
		(void) setsockopt(fd, IPPROTO_IP, IP_HDRINCL, &one, sizeof one);
		memcpy(&to4.sin_addr, packet + 16, 4);
	}
	if (fd < 0)
		return fail("socket");
	for (unsigned i = 0; i < number("count", 1); i++) {
		ssize_t r =
			text("to6")
				? sendto(fd, packet, n, 0, (struct sockaddr *) &to6, sizeof to6)
				: sendto(fd, packet, n, 0, (struct sockaddr *) &to4, sizeof to4);

		if (r < 0)
			return fail("sendto");
	}
	return 0;
}
