/* SPDX-License-Identifier: BSD-2-Clause */
/* Sends equal UDP packets as fast as one core can, for benchmarks of forwarding:
 *
 *	udpload plain SRC4 DST4 OCTETS SECONDS			as IPv4 packets
 *	udpload tunnel SRC4 DST4 OCTETS SECONDS FROM6 TEP6	inside IPv6
 *
 * OCTETS: payload of UDP. Prints how many packets were sent and in how many microseconds. */
#define _GNU_SOURCE

#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, PORT = 9 };

static int64_t now_us(void)
{
	struct timespec t;

	(void) clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t) t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t) (v >> 8);
	p[1] = (uint8_t) v;
}

/* An IPv4 packet with UDP, no UDP checksum. */
static size_t build(uint8_t *p, const char *src, const char *dst, size_t octets)
{
	unsigned long sum = 0;
	size_t n = 28 + octets;

	memset(p, 0, n);
	p[0] = 0x45;
	put16(p + 2, (unsigned) n);
	p[8] = 64;
	p[9] = 17;
	if (inet_pton(AF_INET, src, p + 12) != 1 || inet_pton(AF_INET, dst, p + 16) != 1)
		exit(2);
	for (int i = 0; i < 20; i += 2)
		sum += (unsigned long) p[i] << 8 | p[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	put16(p + 10, ~(unsigned) sum & 0xffff);
	put16(p + 20, 1000);
	put16(p + 22, PORT);
	put16(p + 24, (unsigned) (8 + octets));
	return n;
}

static int open_tunnel(const char *from, const char *tep)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6};
	int fd = socket(AF_INET6, SOCK_RAW, IPPROTO_IPIP);

	if (inet_pton(AF_INET6, from, &a.sin6_addr) != 1 ||
		bind(fd, (struct sockaddr *) &a, sizeof a) < 0 ||
		inet_pton(AF_INET6, tep, &a.sin6_addr) != 1 ||
		connect(fd, (struct sockaddr *) &a, sizeof a) < 0)
		return -1;
	return fd;
}

static int open_plain(const uint8_t *packet)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);

	memcpy(&a.sin_addr, packet + 16, 4);
	return connect(fd, (struct sockaddr *) &a, sizeof a) < 0 ? -1 : fd;
}

int main(int argc, char **argv)
{
	static uint8_t packet[65536];
	struct mmsghdr msgs[BATCH] = {0};
	struct iovec iov = {packet, 0};
	int64_t start, end;
	uint64_t sent = 0;
	int fd;

	if (argc < 6)
		return 2;
	iov.iov_len = build(packet, argv[2], argv[3], strtoul(argv[4], NULL, 10));
	fd = strcmp(argv[1], "tunnel") == 0 && argc > 7 ? open_tunnel(argv[6], argv[7])
							: open_plain(packet);
	if (fd < 0) {
		perror("udpload");
		return 1;
	}
	for (int i = 0; i < BATCH; i++) {
		msgs[i].msg_hdr.msg_iov = &iov;
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	start = now_us();
	end = start + (int64_t) strtoul(argv[5], NULL, 10) * 1000000;
	while (now_us() < end) {
		int n = sendmmsg(fd, msgs, BATCH, 0);

		sent += n > 0 ? (uint64_t) n : 0;
	}
	(void) printf("%llu %lld\n", (unsigned long long) sent, (long long) (now_us() - start));
	return 0;
}
