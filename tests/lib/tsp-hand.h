/* SPDX-License-Identifier: BSD-2-Clause */
/* A TSP client made by hand on a blocking socket, for tests of the whole broker: it shares no code,
 * and so no bug, with schema/. Anything a broker must never send ends the test through hand_die().
 * Thread: a connection is its user's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hand {
	int fd; /* -1: closed */
	uint16_t port;
	bool v4; /* at 127.0.0.1 instead */
	char buf[8192];
	size_t have;
};

/* "FAILED: text" to stderr, hand_at_death (if set), exit 1. */
void hand_die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
extern void (*hand_at_death)(void);

/* Connects to [::1]:port (or where v4 says), says VERSION=1.0, logs in as ANONYMOUS. 0, or -1 if the broker is not
 * there or went away. */
int hand_login(struct hand *h, uint16_t port);
void hand_close(struct hand *h);
int hand_send(struct hand *h, const char *p, size_t n); /* 0, -1 */
/* One framed reply into to[n]: its status code, or -1 if the broker went away. */
int hand_reply(struct hand *h, char *to, size_t n);
/* A create, info or delete for ip6; v4 (host order) is named unless 0. */
void hand_request(char *to, size_t n, const char *action, const char *ip6, uint32_t v4);
/* The client's IPv4 of an info reply, host order; 0: none. */
uint32_t hand_ipv4(const char *reply);
