/* SPDX-License-Identifier: BSD-2-Clause */
/* Opens a tunnel interface as causeway does, or plays with raw packets of protocol 4, for dti.test.
 *
 * dti_probe tunnel DEVICE IPV4 PORTS|- LOCAL6 TEP6 TEP4|- MTU METRIC [PREFIX]...
 *
 * prints "ready DEVICE MTU", then the counters for each line of standard input, until its end.
 *
 * dti_probe send LOCAL6 PEER6 CLASS INNER-SOURCE INNER-DESTINATION TOS
 *
 * sends one UDP datagram to port 4000 in a tunnel packet of that traffic class.
 *
 * dti_probe receive LOCAL6 SECONDS
 *
 * prints what the next tunnel packet looks like.
 *
 * dti_probe serve IPV4 OCTETS
 *
 * gives the first who connects to TCP port 4000 that many octets, in a pattern.
 *
 * dti_probe fetch IPV4
 *
 * reads them and prints their number and whether the pattern is right. */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/err.h"
#include "client/dti/dti.h"
#include "schema/ipip/ipip.h"

static int usage(void)
{
	(void) fprintf(stderr, "usage: see dti_probe.c\n");
	return 2;
}

static struct cw_addr4 four(const char *s)
{
	struct cw_addr4 a = {0};

	if (cw_addr4_parse(s, strlen(s), &a) < 0)
		(void) fprintf(stderr, "not an IPv4 address: %s\n", s);
	return a;
}

static struct cw_addr6 six(const char *s)
{
	struct cw_addr6 a = {0};

	if (cw_addr6_parse(s, strlen(s), &a) < 0)
		(void) fprintf(stderr, "not an IPv6 address: %s\n", s);
	return a;
}

static unsigned long number(const char *s)
{
	return strtoul(s, NULL, 0);
}

static void on_event(void *arg, enum cw_dti_event event, int value)
{
	static const char *const names[] = {[CW_DTI_EV_MTU] = "mtu",
		[CW_DTI_EV_UNBOUND] = "unbound",
		[CW_DTI_EV_FAILED] = "failed"};

	(void) arg;
	(void) printf("event %s %d\n", names[event], value);
	(void) fflush(stdout);
}

static void print_stats(struct cw_dti *d)
{
	struct cw_dti_stats s;

	cw_dti_stats(d, &s);
	(void) printf(
		"up=%llu down=%llu source=%llu destination=%llu outer=%llu malformed=%llu ecn=%llu "
		"merged=%llu send=%llu offloaded=%llu joined=%llu cut=%llu errors=%llu mtu=%u\n",
		(unsigned long long) s.up_packets, (unsigned long long) s.down_packets,
		(unsigned long long) s.drop_source, (unsigned long long) s.drop_destination,
		(unsigned long long) s.drop_outer, (unsigned long long) s.drop_malformed,
		(unsigned long long) s.drop_ecn, (unsigned long long) s.drop_merged,
		(unsigned long long) s.drop_send, (unsigned long long) s.offloaded,
		(unsigned long long) s.joined, (unsigned long long) s.cut,
		(unsigned long long) s.icmp_errors, cw_dti_mtu(d));
	(void) fflush(stdout);
}

static int tunnel(int argc, char **argv)
{
	struct cw_prefix4 routes[16];
	struct cw_dti_conf conf = {
		.kind = CW_DTI_AUTO, .hop_limit = 64, .routes = routes, .event = on_event};
	const char *what = "";
	struct cw_dti *d;
	char line[64];
	int r;

	if (argc < 10 || argc > 10 + (int) CW_ARRAY_LEN(routes))
		return usage();
	conf.device = argv[2];
	conf.ipv4 = four(argv[3]);
	conf.ports = CW_PORTSET_WHOLE;
	if (strcmp(argv[4], "-") != 0 &&
		cw_portset_parse(argv[4], strlen(argv[4]), &conf.ports) < 0)
		return usage();
	conf.local = six(argv[5]);
	conf.tep = six(argv[6]);
	conf.has_tep4 = strcmp(argv[7], "-") != 0;
	conf.tep4 = conf.has_tep4 ? four(argv[7]) : (struct cw_addr4){0};
	conf.mtu = (unsigned) number(argv[8]);
	conf.metric = (unsigned) number(argv[9]);
	for (int i = 10; i < argc; i++)
		if (cw_prefix4_parse(argv[i], strlen(argv[i]), &routes[conf.n_routes++]) < 0)
			return usage();
	r = cw_dti_open(&conf, &d, &what);
	if (r < 0) {
		(void) printf("failed: %s: %s\n", what, cw_strerror(r));
		return 1;
	}
	(void) printf("ready %s %u\n", cw_dti_device(d), cw_dti_mtu(d));
	(void) fflush(stdout);
	while (fgets(line, sizeof line, stdin))
		print_stats(d);
	(void) cw_dti_close(d);
	return 0;
}

static int raw_socket(const char *local)
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6};
	struct cw_addr6 a = six(local);
	const int on = 1;
	int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_IPIP);

	memcpy(&to.sin6_addr, a.b, sizeof a.b);
	if (fd < 0 || bind(fd, (struct sockaddr *) &to, sizeof to) < 0 ||
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, &on, sizeof on) < 0 ||
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &on, sizeof on) < 0) {
		perror("raw socket");
		return -1;
	}
	return fd;
}

static int send_one(char **argv)
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6};
	struct cw_addr6 peer = six(argv[3]);
	const int class = (int) number(argv[4]);
	uint8_t p[32];
	struct cw_writer w = cw_writer_of(p, sizeof p);
	int fd = raw_socket(argv[2]);

	memcpy(&to.sin6_addr, peer.b, sizeof peer.b);
	cw_write_u8(&w, 0x45);
	cw_write_u8(&w, (uint8_t) number(argv[7]));
	cw_write_u16(&w, sizeof p);
	cw_write_u32(&w, 0);
	cw_write_u16(&w, 64 << 8 | IPPROTO_UDP);
	cw_write_u16(&w, 0);
	cw_write_u32(&w, four(argv[5]).v);
	cw_write_u32(&w, four(argv[6]).v);
	cw_write_u16(&w, 4001);
	cw_write_u16(&w, 4000);
	cw_write_u16(&w, 12);
	cw_write_u16(&w, 0);
	cw_write_str(&w, "ping");
	cw_ipip_finish_header(p, 20);
	if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &class, sizeof class) < 0 ||
		sendto(fd, p, sizeof p, 0, (struct sockaddr *) &to, sizeof to) != sizeof p) {
		perror("send");
		return 1;
	}
	return 0;
}

static int receive_one(char **argv)
{
	union {
		struct cmsghdr align;
		uint8_t room[256];
	} control;
	struct sockaddr_in6 from;
	uint8_t p[65536];
	struct iovec iov = {p, sizeof p};
	struct msghdr m = {.msg_name = &from,
		.msg_namelen = sizeof from,
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control};
	struct pollfd poll_for = {.fd = raw_socket(argv[2]), .events = POLLIN};
	char text[CW_ENDPOINT_STRLEN];
	char a[CW_ADDR4_STRLEN];
	char b[CW_ADDR4_STRLEN];
	struct cw_ipip_packet h;
	int class = -1;
	int hops = -1;
	ssize_t n;

	(void) printf("listening\n");
	(void) fflush(stdout);
	if (poll_for.fd < 0 || poll(&poll_for, 1, (int) number(argv[3]) * 1000) != 1) {
		(void) printf("nothing\n");
		return 1;
	}
	n = recvmsg(poll_for.fd, &m, 0);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_type == IPV6_TCLASS)
			memcpy(&class, CMSG_DATA(c), sizeof class);
		if (c->cmsg_type == IPV6_HOPLIMIT)
			memcpy(&hops, CMSG_DATA(c), sizeof hops);
	}
	if (n < 0 || !cw_ipip_parse(p, (size_t) n, &h)) {
		(void) printf("not IPv4\n");
		return 1;
	}
	(void) printf("outer %s class %#x hops %d inner %s -> %s tos %#x length %zu\n",
		cw_sockaddr_str((struct sockaddr *) &from, text), class, hops,
		cw_addr4_str(h.src, a), cw_addr4_str(h.dst, b), h.tos, h.total);
	return 0;
}

static uint8_t pattern(size_t i)
{
	return (uint8_t) ((uint32_t) i * 2654435761u >> 13);
}

static int tcp_socket(const char *address, struct sockaddr_in *to)
{
	*to = (struct sockaddr_in){.sin_family = AF_INET,
		.sin_port = htons(4000),
		.sin_addr.s_addr = htonl(four(address).v)};
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int serve(char **argv)
{
	size_t n = number(argv[3]);
	struct sockaddr_in to;
	uint8_t p[65536];
	const int on = 1;
	int fd = tcp_socket(argv[2], &to);
	int client;

	(void) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (fd < 0 || bind(fd, (struct sockaddr *) &to, sizeof to) < 0 || listen(fd, 1) < 0) {
		perror("serve");
		return 1;
	}
	(void) printf("listening\n");
	(void) fflush(stdout);
	client = accept(fd, NULL, NULL);
	for (size_t at = 0; client >= 0 && at < n;) {
		size_t some = n - at < sizeof p ? n - at : sizeof p;
		ssize_t sent;

		for (size_t i = 0; i < some; i++)
			p[i] = pattern(at + i);
		sent = send(client, p, some, MSG_NOSIGNAL);
		if (sent < 0)
			return 1;
		at += (size_t) sent;
	}
	return client < 0;
}

static int fetch(char **argv)
{
	struct sockaddr_in to;
	uint8_t p[65536];
	int fd = tcp_socket(argv[2], &to);
	bool right = true;
	size_t at = 0;
	ssize_t n;

	if (fd < 0 || connect(fd, (struct sockaddr *) &to, sizeof to) < 0) {
		perror("fetch");
		return 1;
	}
	while ((n = read(fd, p, sizeof p)) > 0)
		for (ssize_t i = 0; i < n; i++)
			right = (p[i] == pattern(at++)) && right;
	(void) printf("%zu %s\n", at, right ? "right" : "wrong");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "tunnel") == 0)
		return tunnel(argc, argv);
	if (argc == 8 && strcmp(argv[1], "send") == 0)
		return send_one(argv);
	if (argc == 4 && strcmp(argv[1], "receive") == 0)
		return receive_one(argv);
	if (argc == 4 && strcmp(argv[1], "serve") == 0)
		return serve(argv);
	if (argc == 3 && strcmp(argv[1], "fetch") == 0)
		return fetch(argv);
	return usage();
}
