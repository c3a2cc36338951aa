/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/tsp-hand.h"

void (*hand_at_death)(void);

void hand_die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("FAILED: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	if (hand_at_death)
		hand_at_death();
	exit(1);
}

static int hand_open(struct hand *h)
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6,
		.sin6_port = htons(h->port),
		.sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct timeval limit = {.tv_sec = 20};
	int one = 1;

	if (h->v4)
		inet_pton(AF_INET6, "::ffff:127.0.0.1", &to.sin6_addr);
	h->have = 0;
	h->fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (h->fd < 0)
		return -1;
	setsockopt(h->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	setsockopt(h->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (connect(h->fd, (struct sockaddr *) &to, sizeof to) < 0) {
		close(h->fd);
		h->fd = -1;
		return -1;
	}
	return 0;
}

void hand_close(struct hand *h)
{
	if (h->fd >= 0)
		close(h->fd);
	h->fd = -1;
}

int hand_send(struct hand *h, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t k = send(h->fd, p, n, MSG_NOSIGNAL);

		if (k <= 0)
			return -1;
		p += k;
		n -= (size_t) k;
	}
	return 0;
}

static int hand_more(struct hand *h)
{
	ssize_t k;

	if (h->have + 1 >= sizeof h->buf)
		return -1;
	k = recv(h->fd, h->buf + h->have, sizeof h->buf - 1 - h->have, 0);
	if (k < 0 && errno == EAGAIN)
		hand_die("no answer within 20 s from a live broker");
	if (k <= 0)
		return -1;
	h->have += (size_t) k;
	h->buf[h->have] = 0;
	return 0;
}

static void hand_eat(struct hand *h, size_t n)
{
	memmove(h->buf, h->buf + n, h->have - n);
	h->have -= n;
	h->buf[h->have] = 0;
}

/* One line without its end into to[n]. */
static int hand_line(struct hand *h, char *to, size_t n)
{
	char *lf;

	h->buf[h->have] = 0;
	while (!(lf = memchr(h->buf, '\n', h->have)))
		if (hand_more(h) < 0)
			return -1;
	size_t len = (size_t) (lf - h->buf);

	snprintf(to, n, "%.*s", (int) len, h->buf);
	to[strcspn(to, "\r")] = 0;
	hand_eat(h, len + 1);
	return 0;
}

/* One framed reply into to[n]; returns its status code. */
int hand_reply(struct hand *h, char *to, size_t n)
{
	char head[128];

	if (hand_line(h, head, sizeof head) < 0)
		return -1;
	if (strncmp(head, "Content-length: ", 16) != 0)
		hand_die("a frame was expected, got '%s'", head);
	size_t len = strtoul(head + 16, NULL, 10);

	if (len == 0 || len >= n || len >= sizeof h->buf)
		hand_die("impossible Content-length in '%s'", head);
	while (h->have < len)
		if (hand_more(h) < 0)
			return -1;
	memcpy(to, h->buf, len);
	to[len] = 0;
	hand_eat(h, len);
	return atoi(to);
}

int hand_login(struct hand *h, uint16_t port)
{
	char line[512];

	h->port = port;
	if (hand_open(h) < 0)
		return -1;
	if (hand_send(h, "VERSION=1.0\r\n", 13) < 0 || hand_line(h, line, sizeof line) < 0)
		return -1;
	if (strncmp(line, "CAPABILITY ", 11) != 0)
		hand_die("CAPABILITY was expected, got '%s'", line);
	if (hand_send(h, "AUTHENTICATE ANONYMOUS\r\n", 24) < 0 ||
		hand_line(h, line, sizeof line) < 0)
		return -1;
	if (strncmp(line, "200", 3) != 0)
		hand_die("login refused: '%s'", line);
	return 0;
}

void hand_request(char *to, size_t n, const char *action, const char *ip6, uint32_t v4)
{
	char named[96] = "", body[512];
	struct in_addr a = {.s_addr = htonl(v4)};

	if (v4)
		snprintf(named, sizeof named, "<address type=\"ipv4\">%s</address>", inet_ntoa(a));
	snprintf(body, sizeof body,
		"<tunnel action=\"%s\" type=\"v4v6\"><client><address type=\"ipv6\">%s</address>%s</client></tunnel>\r\n",
		action, ip6, named);
	snprintf(to, n, "Content-length: %zu\r\n%s", strlen(body), body);
}

uint32_t hand_ipv4(const char *reply)
{
	const char *client = strstr(reply, "<client>");
	const char *a = client ? strstr(client, "type=\"ipv4\"") : NULL;
	struct in_addr in;
	char text[32];

	a = a ? strchr(a, '>') : NULL;
	if (!a)
		return 0;
	snprintf(text, sizeof text, "%.*s", (int) strcspn(a + 1, "<"), a + 1);
	return inet_pton(AF_INET, text, &in) == 1 ? ntohl(in.s_addr) : 0;
}
