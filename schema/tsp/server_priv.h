/* SPDX-License-Identifier: BSD-2-Clause */
/* The inside of a server session, shared by server.c (life, input, time, requests), server_login.c
 * (up to the verdict) and server_push.c (deletes nobody asked for). For these three files only. */
#pragma once

#include <stdbool.h>

#include "schema/tsp/server.h"

#define CW_TSP_MECH_MAX 21 /* RFC 4422 3.1, with NUL */
#define CW_TSP_NEVER    INT64_MAX

struct cw_tsp_push; /* a delete that waits for a running request's answer */
struct cw_tsp_sent; /* a delete that was sent and not acknowledged */

enum cw_tsp_verdict {
	CW_TSP_VERDICT_NONE,
	CW_TSP_VERDICT_OK,
	CW_TSP_VERDICT_FETCH,
	CW_TSP_VERDICT_FAILED,
	CW_TSP_VERDICT_BUSY
};

struct cw_tsp_server {
	const struct cw_tsp_server_conf *conf;
	const struct cw_tsp_server_ops *ops;
	void *arg;
	uint8_t *buf; /* octets not worked on */
	size_t len, cap;
	struct cw_tsp_push *pushes, **pushes_end;
	struct cw_tsp_sent *sent, **sent_end;
	int64_t auth_at, frame_at, idle_at, offer_at, verdict_at;
	unsigned strays;
	unsigned n_pushes, n_sent;
	struct cw_tsp_split split;
	uint8_t bad_content;
	enum cw_tsp_state state;
	enum cw_tsp_version version;
	enum cw_tsp_verdict verdict; /* decided, not sent yet */
	bool sasl_running;           /* a step is at the owner's */
	bool sasl_begun;             /* an exchange that has not come to its end */
	bool request_running;
	bool in_run, eof, lease, unanswered;
	char mech[CW_TSP_MECH_MAX];
};

/* server.c */
bool cw_tsp_s_is_framed(const struct cw_tsp_server *s); /* everything is, from COMMAND on */
/* One write; on UDP the answer. */
void cw_tsp_s_say(struct cw_tsp_server *s, const void *p, size_t n);
/* The event's status, framed or bare, with msg (borrowed, NULL: none) or the brokers configured for
 * it. */
void cw_tsp_s_say_status(
	struct cw_tsp_server *s, enum cw_tsp_event ev, const struct cw_tsp_msg *msg);
/* The status, then the end. */
void cw_tsp_s_refuse(struct cw_tsp_server *s, enum cw_tsp_event ev, enum cw_tsp_close reason);
/* COMMAND, or ESTAB if there is a lease. */
void cw_tsp_s_enter_command(struct cw_tsp_server *s, int64_t now_ms);
/* Goes on with what was kept. */
void cw_tsp_s_run(struct cw_tsp_server *s, int64_t now_ms);

/* server_login.c */
void cw_tsp_s_on_hello(struct cw_tsp_server *s, struct cw_slice line);
void cw_tsp_s_on_auth(struct cw_tsp_server *s, struct cw_slice line);
void cw_tsp_s_on_sasl(struct cw_tsp_server *s, struct cw_slice line);
void cw_tsp_s_give_verdict(struct cw_tsp_server *s, int64_t now_ms);

/* server_push.c */
void cw_tsp_s_flush_pushes(struct cw_tsp_server *s);
void cw_tsp_s_drop_pushes(struct cw_tsp_server *s);
/* Octets that wait to be pushed or acknowledged. */
size_t cw_tsp_s_pushes_memory(const struct cw_tsp_server *s);
/* Takes the record of a delete of that pair out; false: none was sent. */
bool cw_tsp_s_take_sent(struct cw_tsp_server *s, const struct cw_tsp_side *client);
/* Once the pair is leased anew, an info about it is a question again. */
void cw_tsp_s_forget_sent(struct cw_tsp_server *s, const struct cw_tsp_msg *msg);
