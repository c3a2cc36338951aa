/* SPDX-License-Identifier: BSD-2-Clause */
/* See tsp-owner.h. One thread. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "tests/lib/tsp-owner.h"

static void note(struct tsp_owner *o, const void *p, size_t n)
{
	if (n >= sizeof o->record - o->n)
		n = sizeof o->record - o->n - 1;
	if (n)
		memcpy(o->record + o->n, p, n);
	o->n += n;
	o->record[o->n] = '\0';
}

static void note_word(struct tsp_owner *o, const char *kind, const char *what)
{
	note(o, "[", 1);
	note(o, kind, strlen(kind));
	if (what) {
		note(o, " ", 1);
		note(o, what, strlen(what));
	}
	note(o, "]", 1);
}

static void on_send(void *arg, const void *p, size_t n)
{
	struct tsp_owner *o = arg;

	o->writes++;
	note(o, "<", 1);
	note(o, p, n);
	note(o, ">", 1);
}

static void answer_sasl(struct tsp_owner *o)
{
	const char *data = o->sasl_data;

	o->sasl_due = false;
	cw_tsp_server_sasl_result(o->server, o->sasl_result, data, data ? strlen(data) : 0,
		o->fail_delay_ms, o->now_ms);
}

static void decide_sasl(
	struct tsp_owner *o, const char *mech, const void *data, size_t n, bool first)
{
	static const char login[] = "\0alice\0secret";
	static const char login_as[] = "alice\0alice\0secret";

	o->sasl_data = NULL;
	o->sasl_result = CW_TSP_SASL_FAILED;
	if (strcmp(mech, "EXTERNAL") == 0) {
		o->sasl_result = CW_TSP_SASL_BUSY;
	} else if (strcmp(mech, "DIGEST-MD5") == 0) {
		o->sasl_result = first ? CW_TSP_SASL_CONTINUE : CW_TSP_SASL_FAILED;
		o->sasl_data = first ? "challenge" : NULL;
		if (!first && n == 8 && memcmp(data, "response", 8) == 0) {
			o->sasl_result = CW_TSP_SASL_DONE;
			o->sasl_data = "rspauth";
		}
	} else if (strcmp(mech, "ANONYMOUS") == 0 ||
		   (data && n == sizeof login - 1 && memcmp(data, login, n) == 0) ||
		   (data && n == sizeof login_as - 1 && memcmp(data, login_as, n) == 0)) {
		o->sasl_result = CW_TSP_SASL_DONE;
	} else if (!data) {
		o->sasl_result = CW_TSP_SASL_CONTINUE;
	}
	o->sasl_due = true;
	if (!o->hold)
		answer_sasl(o);
}

static void on_sasl_start(void *arg, const char *mech, const void *data, size_t n)
{
	decide_sasl(arg, mech, data, n, true);
}

static void on_sasl_step(void *arg, const void *data, size_t n)
{
	struct tsp_owner *o = arg;

	decide_sasl(o, cw_tsp_server_mech(o->server), n ? data : "", n, false);
}

static void on_sasl_abort(void *arg)
{
	note_word(arg, "sasl-abort", NULL);
}

struct cw_tsp_msg tsp_owner_lease(enum cw_tsp_action action)
{
	struct cw_tsp_msg m = {
		.action = action,
		.type = CW_TSP_V4V6,
		.has_lifetime = action == CW_TSP_INFO,
		.lifetime = 1440,
		.server = {.present = true,
			.has_v4 = true,
			.v4 = {0xc0000201},
			.has_v4_len = true,
			.v4_len = 30,
			.has_v6 = true},
		.client = {.present = true,
			.has_v4 = true,
			.v4 = {0xc000020a},
			.has_v4_len = true,
			.v4_len = 32,
			.has_v6 = true},
	};

	if (cw_addr6_parse("2001:db8::2", 11, &m.server.v6) < 0 ||
		cw_addr6_parse("2001:db8::1", 11, &m.client.v6) < 0)
		abort();
	return m;
}

static void answer_request(struct tsp_owner *o)
{
	struct cw_tsp_msg info = tsp_owner_lease(CW_TSP_INFO);

	o->request_due = false;
	info.client.v6 = o->msg.client.v6;
	if (o->event != CW_TSP_DONE)
		cw_tsp_server_reply(o->server, o->event, NULL, 0, o->now_ms);
	else if (o->msg.client.has_v4 && o->msg.client.v4.v != info.client.v4.v)
		cw_tsp_server_reply(o->server, CW_TSP_ADDRESS, NULL, 0, o->now_ms);
	else if (o->msg.action == CW_TSP_CREATE)
		cw_tsp_server_reply(o->server, CW_TSP_DONE, &info,
			o->msg.client.has_v4 ? CW_TSP_REPLY_LEASE : CW_TSP_REPLY_OFFER, o->now_ms);
	else
		cw_tsp_server_reply(o->server, CW_TSP_DONE,
			o->msg.action == CW_TSP_INFO ? &info : NULL, 0, o->now_ms);
}

static void on_request(void *arg, const struct cw_tsp_msg *msg)
{
	struct tsp_owner *o = arg;

	o->requests++;
	o->msg = *msg;
	o->request_due = true;
	if (!o->hold)
		answer_request(o);
}

static void on_offer(void *arg, enum cw_tsp_offer what)
{
	static const char *const words[] = {
		[CW_TSP_OFFER_ACCEPTED] = "accepted",
		[CW_TSP_OFFER_REJECTED] = "rejected",
		[CW_TSP_OFFER_TIMEOUT] = "timeout",
		[CW_TSP_OFFER_LOST] = "lost",
	};

	note_word(arg, "offer", words[what]);
}

static void on_delete_acked(void *arg, const struct cw_tsp_msg *msg)
{
	(void) msg;
	note_word(arg, "acked", NULL);
}

static void on_close(void *arg, enum cw_tsp_close reason)
{
	struct tsp_owner *o = arg;

	if (o->closed)
		abort(); /* twice */
	o->closed = true;
	o->reason = reason;
	note_word(o, "close", cw_tsp_close_name(reason));
}

static const struct cw_tsp_server_ops ops = {
	.send = on_send,
	.sasl_start = on_sasl_start,
	.sasl_step = on_sasl_step,
	.sasl_abort = on_sasl_abort,
	.request = on_request,
	.offer = on_offer,
	.delete_acked = on_delete_acked,
	.close = on_close,
};

void tsp_owner_init(struct tsp_owner *o, const char *mechs)
{
	memset(o, 0, sizeof *o);
	cw_tsp_server_conf_init(&o->conf);
	o->conf.mechs = mechs;
	o->now_ms = 1000000;
	o->event = CW_TSP_DONE;
}

void tsp_owner_start(struct tsp_owner *o)
{
	o->closed = false;
	o->requests = o->writes = 0;
	o->sasl_due = o->request_due = false;
	o->n = 0;
	o->record[0] = '\0';
	o->server = cw_tsp_server_free(o->server);
	if (cw_tsp_server_new(&o->conf, &ops, o, o->now_ms, &o->server) < 0)
		o->server = NULL;
}

void tsp_owner_done(struct tsp_owner *o)
{
	o->server = cw_tsp_server_free(o->server);
}

void tsp_owner_input(struct tsp_owner *o, const void *p, size_t n)
{
	cw_tsp_server_input(o->server, p, n, o->now_ms);
}

void tsp_owner_answer(struct tsp_owner *o)
{
	if (o->sasl_due)
		answer_sasl(o);
	else if (o->request_due)
		answer_request(o);
}

void tsp_owner_sleep(struct tsp_owner *o, int64_t ms)
{
	const int64_t until = o->now_ms + ms;

	for (;;) {
		const int64_t at = cw_tsp_server_deadline(o->server);

		if (at > until)
			break;
		if (at > o->now_ms)
			o->now_ms = at;
		cw_tsp_server_tick(o->server, o->now_ms);
	}
	o->now_ms = until;
}

const char *tsp_owner_record(struct tsp_owner *o)
{
	memcpy(o->heard, o->record, o->n + 1);
	o->n = 0;
	o->record[0] = '\0';
	return o->heard;
}
