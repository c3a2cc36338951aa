/* SPDX-License-Identifier: BSD-2-Clause */
/* Words of the tests that talk to a TSP server session: what clients say, what must be heard. */
#pragma once

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/cw-cmocka.h"
#include "tests/lib/tsp-owner.h"

#define MECHS      "SCRAM-SHA-256 DIGEST-MD5 PLAIN ANONYMOUS EXTERNAL"
#define CAPABILITY "CAPABILITY TUNNEL=V4V6 AUTH=DIGEST-MD5 AUTH=ANONYMOUS\r\n"
#define V1         "VERSION=1.0\r\n"
#define V2         "VERSION=2.0.0\r\n"
#define ANONYMOUS  "AUTHENTICATE ANONYMOUS\r\n"
#define LOGIN      V2 ANONYMOUS
#define OK         "<200 Success\r\n>"
#define E300       "<300 Authentication failed\r\n>[close auth]"
#define E302       "<302 Unsupported client version\r\n>[close version]"
#define E500       "<500 Invalid request format or specified length\r\n>[close format]"
#define F500       "<Content-length: 48\r\n500 Invalid request format or specified length\r\n>"
/* base64 of challenge, response, rspauth, \0alice\0secret and of the same with a wrong password */
#define B64_CHALLENGE "Y2hhbGxlbmdl\r\n"
#define B64_RESPONSE  "cmVzcG9uc2U=\r\n"
#define B64_RSPAUTH   "cnNwYXV0aA==\r\n"
#define B64_LOGIN     "AGFsaWNlAHNlY3JldA=="
#define B64_WRONG     "AGFsaWNlAHdyb25n"

#define F(n, text) "<Content-length: " #n "\r\n" text "\r\n>"
#define CLOSED     F500 "[close format]"
/* For say(): a frame whose N is counted there. */
#define FRAME(payload) "\1" payload
#define E303           F(29, "303 Unsupported tunnel type")

#define assert_heard(o, want) assert_string_equal(tsp_owner_record(o), want)

static inline void say(struct tsp_owner *o, const char *text)
{
	char head[64];

	if (*text == '\1') {
		text++;
		(void) snprintf(head, sizeof head, "Content-length: %zu\r\n", strlen(text));
		tsp_owner_input(o, head, strlen(head));
	}
	tsp_owner_input(o, text, strlen(text));
}

static inline void start(struct tsp_owner *o)
{
	tsp_owner_start(o);
	assert_non_null(o->server);
}

/* A session that has said `text`, what came before forgotten. */
static inline void start_with(struct tsp_owner *o, const char *text)
{
	start(o);
	say(o, text);
	(void) tsp_owner_record(o);
	assert_false(o->closed);
}

static inline enum cw_tsp_state state_of(const struct tsp_owner *o)
{
	return cw_tsp_server_state(o->server);
}

static inline int push_delete(struct tsp_owner *o)
{
	const struct cw_tsp_msg m = tsp_owner_lease(CW_TSP_DELETE);

	return cw_tsp_server_push_delete(o->server, &m);
}
