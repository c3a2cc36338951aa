/* SPDX-License-Identifier: BSD-2-Clause */
/* The smallest client of a tunnel end point: a TUN device and a raw socket, for tests of the TEP
 * alone (the real one is client/dti). Usage: tunclient DEV LOCAL6 TEP6 [encap | mess]
 *	encap adds a tunnel encapsulation limit option (RFC 2473 4.1.1)
 *	mess of packets into the tunnel that carry something, some are damaged (and their checksums
 *	left), some overtake the one before, some come twice, some have met congestion (RFC 6040)
 * Prints "ready" when packets may flow; ends with its parent's kill. */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int tun_open(const char *name)
{
	struct ifreq req = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	(void) snprintf(req.ifr_name, sizeof req.ifr_name, "%s", name);
	return fd >= 0 && ioctl(fd, TUNSETIFF, &req) == 0 ? fd : -1;
}

static void to_tunnel(int raw, const uint8_t *p, size_t n)
{
	if (send(raw, p, n, 0) < 0)
		(void) send(raw, p, n, 0); /* the first may have been an old ICMP error */
}

static void to_tunnel_messed(int raw, uint8_t *p, size_t n)
{
	static uint8_t held[65536];
	static size_t held_n;
	static unsigned count;
	int ce = 3, none = 0;

	if (n < 200) {
		to_tunnel(raw, p, n);
		return;
	}
	count++;
	if (count % 97 == 13)
		p[n - 3] ^= 0x20;
	if (count % 23 == 5) {
		memcpy(held, p, n);
		held_n = n;
		return;
	}
	if (count % 40 == 9)
		(void) setsockopt(raw, IPPROTO_IPV6, IPV6_TCLASS, &ce, sizeof ce);
	to_tunnel(raw, p, n);
	if (count % 40 == 9)
		(void) setsockopt(raw, IPPROTO_IPV6, IPV6_TCLASS, &none, sizeof none);
	if (count % 61 == 7)
		to_tunnel(raw, p, n);
	if (held_n)
		to_tunnel(raw, held, held_n);
	held_n = 0;
}

/* Everything one side has, as single packets. */
static void pump_up(int tun, int raw, int mess)
{
	static uint8_t buf[65536];
	ssize_t n;

	for (int i = 0; i < 64 && (n = read(tun, buf, sizeof buf)) > 0; i++) {
		if (mess)
			to_tunnel_messed(raw, buf, (size_t) n);
		else
			to_tunnel(raw, buf, (size_t) n);
	}
}

static void pump_down(int tun, int raw)
{
	static uint8_t buf[65536];
	ssize_t n;

	for (int i = 0; i < 64 && (n = recv(raw, buf, sizeof buf, MSG_DONTWAIT)) > 0; i++)
		(void) !write(tun, buf, (size_t) n);
}

int main(int argc, char **argv)
{
	static const uint8_t limit[8] = {0, 0, 4, 1, 4, 1, 1, 0};
	struct sockaddr_in6 local = {.sin6_family = AF_INET6}, tep = {.sin6_family = AF_INET6};
	struct pollfd fds[2];
	int tun, raw, big = 4 << 20;

	if (argc < 4 || inet_pton(AF_INET6, argv[2], &local.sin6_addr) != 1 ||
		inet_pton(AF_INET6, argv[3], &tep.sin6_addr) != 1)
		return 2;
	tun = tun_open(argv[1]);
	raw = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_IPIP);
	if (tun < 0 || raw < 0 || bind(raw, (struct sockaddr *) &local, sizeof local) < 0 ||
		connect(raw, (struct sockaddr *) &tep, sizeof tep) < 0) {
		perror("tunclient");
		return 1;
	}
	(void) setsockopt(raw, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof big);
	if (argc > 4 && strcmp(argv[4], "encap") == 0 &&
		setsockopt(raw, IPPROTO_IPV6, IPV6_DSTOPTS, limit, sizeof limit) < 0)
		return 1;
	(void) printf("ready\n");
	(void) fflush(stdout);
	fds[0] = (struct pollfd){.fd = tun, .events = POLLIN};
	fds[1] = (struct pollfd){.fd = raw, .events = POLLIN};
	for (;;) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents)
			pump_up(tun, raw, argc > 4 && strcmp(argv[4], "mess") == 0);
		if (fds[1].revents)
			pump_down(tun, raw);
	}
}
