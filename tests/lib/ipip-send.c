/* SPDX-License-Identifier: BSD-2-Clause */
/* Sends hand-made IPv4-in-IPv6 packets (RFC 2473, next header 4), as a cheat or a client whose
 * lease ended would:
 *
 *	ipip-send TEP6 SOURCE4 DESTINATION4 COUNT [SOURCE6]
 *
 * Each carries a UDP datagram to port 9. Needs CAP_NET_RAW. */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct packet {
	struct iphdr ip;
	struct udphdr udp;
	char text[8];
};

static uint16_t ip_checksum(const struct iphdr *ip)
{
	uint16_t words[10];
	uint32_t sum = 0;

	memcpy(words, ip, sizeof words);
	for (unsigned i = 0; i < 10; i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~(sum + (sum >> 16));
}

int main(int argc, char **argv)
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6}, from = {.sin6_family = AF_INET6};
	struct packet p = {.text = "cheat!!"};
	long count, sent = 0;

	if (argc < 5 || inet_pton(AF_INET6, argv[1], &to.sin6_addr) != 1 ||
		inet_pton(AF_INET, argv[2], &p.ip.saddr) != 1 ||
		inet_pton(AF_INET, argv[3], &p.ip.daddr) != 1 ||
		(argc > 5 && inet_pton(AF_INET6, argv[5], &from.sin6_addr) != 1)) {
		fputs("usage: ipip-send TEP6 SOURCE4 DESTINATION4 COUNT [SOURCE6]\n", stderr);
		return 2;
	}
	count = strtol(argv[4], NULL, 10);
	int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_IPIP);

	if (fd < 0 || (argc > 5 && bind(fd, (struct sockaddr *) &from, sizeof from) < 0)) {
		fprintf(stderr, "ipip-send: %s\n", strerror(errno));
		return 1;
	}
	p.ip.version = 4;
	p.ip.ihl = 5;
	p.ip.ttl = 64;
	p.ip.protocol = IPPROTO_UDP;
	p.ip.tot_len = htons(sizeof p);
	p.udp.source = htons(40000);
	p.udp.dest = htons(9);
	p.udp.len = htons(sizeof p.udp + sizeof p.text);
	for (long i = 0; i < count; i++) {
		p.ip.id = htons((uint16_t) i);
		p.ip.check = 0;
		p.ip.check = ip_checksum(&p.ip);
		if (sendto(fd, &p, sizeof p, 0, (struct sockaddr *) &to, sizeof to) ==
			(ssize_t) sizeof p)
			sent++;
	}
	close(fd);
	printf("%ld packets sent\n", sent);
	return sent == count ? 0 : 1;
}
