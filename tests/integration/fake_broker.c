/* SPDX-License-Identifier: BSD-2-Clause */
/* A broker that does what it is told, for tests of whole clients: it lends one address to everybody
 * who asks, refuses, pushes deletes, closes connections, and says what it hears.
 *
 * fake_broker IPV6 PORT TEP6
 *
 * listens there (port 0: picks one) and prints "listening PORT". Then a line of standard input is a
 * command:
 *
 * mode ok|full|busy|stranger|gone|auth|old|version|redirect|silent|garbage|flood (stranger: their
 * IPv6 address is not taken; gone: named addresses are not theirs; old: 1.0 only; version: none;
 * garbage: no TSP at all; flood: a create is answered with "busy" and 40 MB of deletes, and nothing
 * read meanwhile), or what becomes of the K-th answer of each connection: cutK (half of it, then the
 * end), slowK (an octet a second), hugeK (1 MB), bombK (entities in XML)
 *
 * address IPV4, client6 IPV6 (what all are told is their end), lifetime SECONDS, to HOST:PORT (for redirect), delete (pushes one to all), close
 * (all)
 *
 * Printed: connect, version V, create A|-, accept, reject, delete A, info A, bye. */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "schema/tsp/tsp.h"

enum { CLIENTS_MAX = 16, IN_MAX = 16384 };

struct client {
	int fd; /* -1: free */
	enum { WANT_VERSION, WANT_LOGIN, IN_COMMAND } state;
	struct cw_tsp_split split;
	enum cw_tsp_version version;
	struct cw_addr6 v6;
	bool has_lease;
	char in[IN_MAX];
	size_t n;
	int answers; /* sent so far */
};

static struct client clients[CLIENTS_MAX];
static char mode[16] = "ok";
static char redirect_to[64];
static struct cw_addr4 address = {0xc633640a}; /* 198.51.100.10 */
static uint32_t lifetime = 3600;
static struct cw_addr6 tep;
static struct cw_addr6 lie; /* if not "::" */

static void say(const char *what, const char *more)
{
	(void) printf("%s%s%s\n", what, more ? " " : "", more ? more : "");
	(void) fflush(stdout);
}

static void bye(struct client *c)
{
	(void) close(c->fd);
	c->fd = -1;
	say("bye", NULL);
}

/* One octet a second, until the peer goes or a command comes. */
static void send_slowly(const struct client *c, const char *text, size_t n)
{
	struct pollfd command = {.fd = STDIN_FILENO, .events = POLLIN};

	for (size_t i = 0; i < n && send(c->fd, text + i, 1, MSG_NOSIGNAL) == 1; i++)
		if (poll(&command, 1, 1000) != 0)
			return;
}

/* What a bad broker makes of its k-th answer on a connection. */
static void send_text(struct client *c, const char *text, size_t n)
{
	static const char bomb[] =
		"200 Success\r\n<!DOCTYPE t [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;\">"
		"<!ENTITY c \"&b;&b;&b;&b;&b;&b;\"><!ENTITY d \"&c;&c;&c;&c;&c;&c;\">"
		"<!ENTITY e \"&d;&d;&d;&d;&d;&d;\"><!ENTITY f \"&e;&e;&e;&e;&e;&e;\">]>"
		"<tunnel action=\"info\" type=\"v4v6\" lifetime=\"&f;\">&f;</tunnel>\r\n";
	static const char head[] = "Content-length: 1048576\r\n";
	static char huge[1 << 20];
	char frame[sizeof bomb + 40];
	int k = ++c->answers;

	if (sscanf(mode, "cut%d", &k) == 1 && k == c->answers) {
		(void) !send(c->fd, text, n / 2, MSG_NOSIGNAL);
		(void) shutdown(c->fd, SHUT_RDWR);
	} else if (sscanf(mode, "slow%d", &k) == 1 && k == c->answers) {
		send_slowly(c, text, n);
	} else if (sscanf(mode, "huge%d", &k) == 1 && k == c->answers) {
		memset(huge, 'x', sizeof huge);
		if (c->state == IN_COMMAND)
			(void) !send(c->fd, head, sizeof head - 1, MSG_NOSIGNAL);
		(void) !send(c->fd, huge, sizeof huge, MSG_NOSIGNAL);
	} else if (sscanf(mode, "bomb%d", &k) == 1 && k == c->answers) {
		(void) snprintf(
			frame, sizeof frame, "Content-length: %zu\r\n%s", sizeof bomb - 1, bomb);
		(void) !send(c->fd, frame, strlen(frame), MSG_NOSIGNAL);
	} else {
		(void) !send(c->fd, text, n, MSG_NOSIGNAL);
	}
}

static void send_status(struct client *c, enum cw_tsp_event ev, const struct cw_tsp_msg *msg)
{
	bool list = msg && msg->n_brokers;
	struct cw_tsp_status st = cw_tsp_status(ev, c->version, list);
	char text[CW_TSP_REPLY_MAX];
	int n = c->state == IN_COMMAND ? cw_tsp_render(&st, msg, text, sizeof text)
				       : cw_tsp_render_bare(&st, msg, text, sizeof text);

	if (n > 0)
		send_text(c, text, (size_t) n);
}

static struct cw_tsp_msg tunnel_msg(enum cw_tsp_action action, const struct cw_addr6 *v6)
{
	return (struct cw_tsp_msg){.action = action,
		.type = CW_TSP_V4V6,
		.has_lifetime = action == CW_TSP_INFO,
		.lifetime = lifetime,
		.server = {.present = true,
			.has_v4 = true,
			.v4 = {0xc0000201},
			.has_v6 = true,
			.v6 = tep},
		.client = {
			.present = true, .has_v4 = true, .v4 = address, .has_v6 = true, .v6 = *v6}};
}

static void push_deletes(void)
{
	char text[CW_TSP_REPLY_MAX];

	for (int i = 0; i < CLIENTS_MAX; i++) {
		struct cw_tsp_msg msg = tunnel_msg(CW_TSP_DELETE, &clients[i].v6);
		int n = cw_tsp_render(&CW_TSP_PUSH_STATUS, &msg, text, sizeof text);

		if (clients[i].fd < 0 || !clients[i].has_lease || n < 0)
			continue;
		clients[i].has_lease = false;
		send_text(&clients[i], text, (size_t) n);
	}
}

/* Deletes, each of which the client may want to acknowledge, until it has enough of it. */
static void flood(const struct client *c)
{
	struct cw_tsp_msg msg = tunnel_msg(CW_TSP_DELETE, &c->v6);
	char text[CW_TSP_REPLY_MAX];
	int n = cw_tsp_render(&CW_TSP_PUSH_STATUS, &msg, text, sizeof text);
	int left = 40 << 20;

	while (n > 0 && left > 0 && send(c->fd, text, (size_t) n, MSG_NOSIGNAL) == n)
		left -= n;
	say("flooded", NULL);
}

static void on_create(struct client *c, const struct cw_tsp_msg *msg)
{
	const struct cw_tsp_broker others[] = {{CW_TSP_BROKER_V6, redirect_to}};
	const struct cw_tsp_msg list = {.action = CW_TSP_LIST,
		.type = CW_TSP_TYPE_BROKER,
		.brokers = others,
		.n_brokers = 1};
	struct cw_tsp_msg info;

	c->v6 = msg->client.v6;
	if (strcmp(mode, "full") == 0)
		send_status(c, CW_TSP_POOL_EMPTY, NULL);
	else if (strcmp(mode, "busy") == 0)
		send_status(c, CW_TSP_OVERLOAD, NULL);
	else if (strcmp(mode, "stranger") == 0)
		send_status(c, CW_TSP_BAD_V6, NULL);
	else if (strcmp(mode, "flood") == 0) {
		send_status(c, CW_TSP_OVERLOAD, NULL);
		flood(c);
	} else if (strcmp(mode, "redirect") == 0)
		send_status(c, CW_TSP_POOL_EMPTY, &list);
	else if (strcmp(mode, "gone") == 0 && msg->client.has_v4)
		send_status(c, CW_TSP_ADDRESS, NULL);
	else if (strcmp(mode, "silent") != 0) {
		c->has_lease = true;
		info = tunnel_msg(CW_TSP_INFO, cw_addr6_is_unspecified(&lie) ? &c->v6 : &lie);
		send_status(c, CW_TSP_DONE, &info);
	}
}

static void on_message(struct client *c, struct cw_slice payload)
{
	static const char *const names[] = {[CW_TSP_CREATE] = "create",
		[CW_TSP_DELETE] = "delete",
		[CW_TSP_INFO] = "info",
		[CW_TSP_ACCEPT] = "accept",
		[CW_TSP_REJECT] = "reject",
		[CW_TSP_LIST] = "list",
		[CW_TSP_ACTION_NONE] = "nothing"};
	char a4[CW_ADDR4_STRLEN] = "-";
	enum cw_tsp_event fault;
	struct cw_tsp_msg msg;

	if (cw_tsp_parse(payload.p, payload.n, CW_TSP_PARSE_LOOPBACK, NULL, &msg, &fault) < 0) {
		send_status(c, fault, NULL);
		return;
	}
	if (msg.client.has_v4)
		(void) cw_addr4_str(msg.client.v4, a4);
	say(names[msg.action],
		msg.action == CW_TSP_ACCEPT || msg.action == CW_TSP_REJECT ? NULL : a4);
	if (msg.action == CW_TSP_CREATE)
		on_create(c, &msg);
	else if (msg.action == CW_TSP_DELETE)
		send_status(c, CW_TSP_DONE, NULL);
}

static void on_line(struct client *c, struct cw_slice line)
{
	char text[64];

	(void) snprintf(text, sizeof text, "%.*s", (int) line.n, line.p);
	if (c->state == WANT_VERSION) {
		say("version", line.n > 8 ? text + 8 : text);
		if (cw_tsp_parse_version(line, &c->version) < 0 || strcmp(mode, "version") == 0 ||
			(strcmp(mode, "old") == 0 && c->version == CW_TSP_V2)) {
			send_status(c, CW_TSP_VERSION, NULL);
			bye(c);
			return;
		}
		if (strcmp(mode, "garbage") == 0)
			send_text(c, "HTTP/1.1 400 Bad Request\r\n", 26);
		else
			send_text(c, "CAPABILITY TUNNEL=V4V6 AUTH=ANONYMOUS\r\n", 39);
		c->state = WANT_LOGIN;
	} else if (strcmp(mode, "auth") == 0) {
		send_status(c, CW_TSP_AUTH, NULL);
		bye(c);
	} else {
		send_status(c, CW_TSP_DONE, NULL);
		c->state = IN_COMMAND;
	}
}

static void on_input(struct client *c)
{
	ssize_t n = read(c->fd, c->in + c->n, sizeof c->in - c->n);
	struct cw_slice what;
	size_t used;
	int r = 1;

	if (n <= 0) {
		bye(c);
		return;
	}
	c->n += (size_t) n;
	while (c->fd >= 0 && r == 1) {
		used = 0;
		r = c->state == IN_COMMAND
			    ? cw_tsp_split_frame(&c->split, c->in, c->n, 8192, &what, &used)
			    : cw_tsp_split_line(&c->split, c->in, c->n, 1024, &what, &used);
		if (r == 1 && c->state == IN_COMMAND)
			on_message(c, what);
		else if (r == 1)
			on_line(c, what);
		memmove(c->in, c->in + used, c->n - used);
		c->n -= used;
	}
	if (c->fd >= 0 && r < 0)
		bye(c);
}

static void on_connection(int listener)
{
	int fd = accept(listener, NULL, NULL);

	for (int i = 0; fd >= 0 && i < CLIENTS_MAX; i++)
		if (clients[i].fd < 0) {
			clients[i] = (struct client){.fd = fd, .version = CW_TSP_V2};
			say("connect", NULL);
			return;
		}
	if (fd >= 0)
		(void) close(fd);
}

/* false: the end. */
static bool on_command(void)
{
	char line[128];
	char *value;
	ssize_t n = 0;

	/* Octet by octet: stdio would swallow lines that poll() then does not announce. */
	while ((size_t) n < sizeof line - 1 && read(STDIN_FILENO, line + n, 1) == 1 &&
		line[n] != '\n')
		n++;
	if (n == 0)
		return false;
	line[n] = '\0';
	value = strchr(line, ' ');
	if (value)
		*value++ = '\0';
	if (strcmp(line, "delete") == 0)
		push_deletes();
	for (int i = 0; strcmp(line, "close") == 0 && i < CLIENTS_MAX; i++)
		if (clients[i].fd >= 0)
			bye(&clients[i]);
	if (value && strcmp(line, "mode") == 0)
		(void) snprintf(mode, sizeof mode, "%s", value);
	if (value && strcmp(line, "to") == 0)
		(void) snprintf(redirect_to, sizeof redirect_to, "%s", value);
	if (value && strcmp(line, "lifetime") == 0)
		lifetime = (uint32_t) strtoul(value, NULL, 10);
	if (value && strcmp(line, "address") == 0)
		(void) !cw_addr4_parse(value, strlen(value), &address);
	if (value && strcmp(line, "client6") == 0)
		(void) !cw_addr6_parse(value, strlen(value), &lie);
	return true;
}

static int listen_on(const char *ip, const char *port)
{
	struct sockaddr_in6 at = {
		.sin6_family = AF_INET6, .sin6_port = htons((uint16_t) atoi(port))};
	socklen_t n = sizeof at;
	struct cw_addr6 a;
	const int on = 1;
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (cw_addr6_parse(ip, strlen(ip), &a) < 0)
		return -1;
	memcpy(&at.sin6_addr, a.b, sizeof a.b);
	(void) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (fd < 0 || bind(fd, (struct sockaddr *) &at, sizeof at) < 0 || listen(fd, 16) < 0 ||
		getsockname(fd, (struct sockaddr *) &at, &n) < 0)
		return -1;
	(void) printf("listening %u\n", ntohs(at.sin6_port));
	(void) fflush(stdout);
	return fd;
}

int main(int argc, char **argv)
{
	int listener;

	if (argc != 4 || cw_addr6_parse(argv[3], strlen(argv[3]), &tep) < 0)
		return 2;
	cw_tsp_init();
	for (int i = 0; i < CLIENTS_MAX; i++)
		clients[i].fd = -1;
	listener = listen_on(argv[1], argv[2]);
	if (listener < 0) {
		perror("listen");
		return 1;
	}
	for (;;) {
		struct pollfd p[CLIENTS_MAX + 2] = {
			{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = listener, .events = POLLIN}};

		for (int i = 0; i < CLIENTS_MAX; i++)
			p[i + 2] = (struct pollfd){.fd = clients[i].fd, .events = POLLIN};
		if (poll(p, CW_ARRAY_LEN(p), -1) < 0 && errno != EINTR)
			return 1;
		for (int i = 0; i < CLIENTS_MAX; i++)
			if (p[i + 2].revents && clients[i].fd == p[i + 2].fd)
				on_input(&clients[i]);
		if (p[1].revents)
			on_connection(listener);
		if (p[0].revents && !on_command())
			return 0;
	}
}
