/* SPDX-License-Identifier: BSD-2-Clause */
/* Asks a broker for leases and checks them later, for shell tests:
 *
 *	tsp-fill PORT until-refused
 *		"granted IP6 IP4" a line, until a request is refused: "refused CODE text"
 *	tsp-fill PORT grant N [FROM]
 *		N leases
 *	tsp-fill PORT verify FILE
 *		every "granted" line of FILE is still true; exit 1 if not
 *	tsp-fill PORT told
 *		the broker's answer to the first one's info, in one line */
#include "config.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/tsp-hand.h"

enum { FOR_EVER = 1000000 };

static struct hand conn = {.fd = -1};

static int ask(const char *action, const char *ip6, char *reply, size_t n)
{
	char req[1024];

	hand_request(req, sizeof req, action, ip6, 0);
	if (hand_send(&conn, req, strlen(req)) < 0)
		hand_die("the broker closed");
	int code = hand_reply(&conn, reply, n);

	if (code < 0)
		hand_die("the broker closed");
	return code;
}

static void grant(long from, long count)
{
	for (long i = from; i < from + count; i++) {
		char ip6[48], reply[4096], text[INET_ADDRSTRLEN];

		snprintf(
			ip6, sizeof ip6, "2001:db8:f::%lx:%lx", i >> 16 & 0xffff, (i & 0xffff) + 1);
		int code = ask("create", ip6, reply, sizeof reply);

		if (code != 200) {
			reply[strcspn(reply, "\r\n")] = 0;
			printf("refused %s\n", reply);
			return;
		}
		struct in_addr a = {.s_addr = htonl(hand_ipv4(reply))};

		if (a.s_addr == 0)
			hand_die("200 without an IPv4: %s", reply);
		printf("granted %s %s\n", ip6, inet_ntop(AF_INET, &a, text, sizeof text));
	}
}

static void verify(const char *path)
{
	char line[256], ip6[64], ip4[32], reply[4096];
	FILE *f = fopen(path, "r");
	long checked = 0;

	if (!f)
		hand_die("cannot read %s", path);
	while (fgets(line, sizeof line, f)) {
		struct in_addr a;

		if (sscanf(line, "granted %63s %31s", ip6, ip4) != 2 ||
			inet_pton(AF_INET, ip4, &a) != 1)
			continue;
		int code = ask("info", ip6, reply, sizeof reply);

		if (code != 200 || hand_ipv4(reply) != ntohl(a.s_addr))
			hand_die("%s had %s; now: %.80s", ip6, ip4, reply);
		checked++;
	}
	(void) fclose(f);
	printf("%ld leases are there\n", checked);
	if (checked == 0)
		hand_die("%s names no lease", path);
}

/* What the first client is told of its lease: the lifetime is in it. */
static void told(void)
{
	char reply[4096];

	if (ask("info", "2001:db8:f::0:1", reply, sizeof reply) != 200)
		hand_die("no lease: %.60s", reply);
	for (char *p = reply; *p; p++)
		if (*p == '\r' || *p == '\n' || *p == '"')
			*p = *p == '"' ? ' ' : ';';
	printf("%s\n", reply);
}

int main(int argc, char **argv)
{
	uint16_t port = argc > 1 ? (uint16_t) strtoul(argv[1], NULL, 10) : 0;

	if (argc < 3 || port == 0) {
		fputs("usage: tsp-fill PORT until-refused | grant N [FROM] | verify FILE | told\n",
			stderr);
		return 2;
	}
	if (hand_login(&conn, port) < 0)
		hand_die("no session on port %u", port);
	if (strcmp(argv[2], "until-refused") == 0)
		grant(0, FOR_EVER);
	else if (strcmp(argv[2], "grant") == 0 && argc > 3)
		grant(argc > 4 ? strtol(argv[4], NULL, 10) : 0, strtol(argv[3], NULL, 10));
	else if (strcmp(argv[2], "verify") == 0 && argc > 3)
		verify(argv[3]);
	else if (strcmp(argv[2], "told") == 0)
		told();
	else
		return 2;
	hand_close(&conn);
	return 0;
}
