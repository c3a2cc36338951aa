/* SPDX-License-Identifier: BSD-2-Clause */
/* The keeper's rig; see keeper-rig.h. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "tests/lib/addr-of.h"
#include "tests/lib/keeper-rig.h"

static uint32_t throw(void *arg)
{
	return ((struct rig *) arg)->dice;
}

struct cw_now now(struct rig *r)
{
	return cw_clock_now(&r->clock.clock);
}

/* "name", "name(a)" or "name(a,b)" */
static void word(struct rig *r, const char *name, const char *a, const char *b)
{
	size_t n = strlen(r->words);

	(void) snprintf(r->words + n, sizeof r->words - n, "%s%s%s%s%s%s%s", n ? " " : "", name,
		a ? "(" : "", a ? a : "", b ? "," : "", b ? b : "", a ? ")" : "");
}

static void note_action(struct rig *r, const struct cw_keeper_action *a)
{
	static const char *const requests[] = {
		[CW_TSP_CREATE] = "create", [CW_TSP_DELETE] = "delete", [CW_TSP_INFO] = "info"};
	char a4[CW_ADDR4_STRLEN];
	char broker[CW_BROKER_STRLEN];
	char code[16];

	(void) cw_addr4_str(a->lease.tsp.ipv4, a4);
	switch (a->type) {
	case CW_ACT_CONNECT:
		word(r, "connect", cw_broker_str(a->broker, broker), a->version);
		break;
	case CW_ACT_DISCONNECT:
		word(r, "disconnect", NULL, NULL);
		break;
	case CW_ACT_REQUEST:
		word(r, requests[a->action], a->ipv4.v ? cw_addr4_str(a->ipv4, a4) : "", NULL);
		break;
	case CW_ACT_ACCEPT:
		word(r, a->flag ? "accept" : "reject", NULL, NULL);
		break;
	case CW_ACT_ACK:
		word(r, "ack", a4, NULL);
		break;
	case CW_ACT_UP:
		word(r, "UP", a4, NULL);
		break;
	case CW_ACT_RENEWED:
		word(r, "RENEWED", a4, NULL);
		break;
	case CW_ACT_DOWN:
		word(r, "DOWN", cw_keeper_reason_name(a->reason), a->flag ? "kept" : NULL);
		break;
	case CW_ACT_EXIT:
		(void) snprintf(code, sizeof code, "%d", a->code);
		word(r, "EXIT", code, NULL);
		break;
	}
}

void wants(struct rig *r, const char *text)
{
	struct cw_keeper_action a;

	r->words[0] = '\0';
	while (cw_keeper_next(&r->k, &a))
		note_action(r, &a);
	assert_string_equal(r->words, text);
}

struct rig *rig_of(const char *const *brokers)
{
	struct rig *r = cw_zalloc(1, sizeof *r);

	assert_non_null(r);
	cw_fake_clock_init(&r->clock, 1700000000);
	r->conf = (struct cw_keeper_conf){.version = "2.0.0", .random = throw, .arg = r};
	cw_brokers_init(&r->brokers, false);
	for (; *brokers; brokers++)
		assert_int_equal(cw_brokers_add(&r->brokers, *brokers), 0);
	cw_keeper_init(&r->k, &r->conf, &r->brokers);
	return r;
}

const char *const one[] = {"a", NULL};
const char *const two[] = {"a", "b", NULL};

void start(struct rig *r)
{
	cw_keeper_start(&r->k, NULL, now(r));
}

void done(struct rig *r)
{
	(void) cw_free(r);
}

void wait_ms(struct rig *r, int64_t ms)
{
	cw_fake_clock_advance(&r->clock, ms);
	cw_keeper_tick(&r->k, now(r));
}

int64_t to_deadline(struct rig *r)
{
	int64_t left = cw_keeper_deadline(&r->k) - now(r).boot_ms;

	assert_true(cw_keeper_deadline(&r->k) != INT64_MAX);
	if (left > 1) {
		wait_ms(r, left - 1);
		wants(r, "");
		wait_ms(r, 1);
	} else if (left > 0) {
		wait_ms(r, left);
	} else {
		cw_keeper_tick(&r->k, now(r));
	}
	return left;
}

void heard_event(struct rig *r, struct cw_tsp_client_event ev)
{
	cw_keeper_event(&r->k, &ev, now(r));
}

void is_ready(struct rig *r)
{
	heard_event(r, (struct cw_tsp_client_event){.type = CW_TSP_EV_READY});
}

struct cw_tsp_msg msg_of(
	enum cw_tsp_action action, const char *v4, const char *v6, uint32_t lifetime)
{
	return (struct cw_tsp_msg){.action = action,
		.type = CW_TSP_V4V6,
		.has_lifetime = true,
		.lifetime = lifetime,
		.server = {.present = true, .has_v6 = true, .v6 = six("2001:db8::2")},
		.client = {.present = true,
			.has_v6 = true,
			.v6 = six(v6),
			.has_v4 = v4 != NULL,
			.v4 = v4 ? four(v4) : (struct cw_addr4){0}}};
}

void leased_at(struct rig *r, const char *v4, const char *v6, uint32_t lifetime)
{
	const struct cw_tsp_msg msg = msg_of(CW_TSP_INFO, v4, v6, lifetime);

	heard_event(r,
		(struct cw_tsp_client_event){
			.type = CW_TSP_EV_REPLY, .code = 200, .status = CW_TSP_DONE, .msg = &msg});
}

void leased(struct rig *r, const char *v4, uint32_t lifetime)
{
	leased_at(r, v4, "2001:db8::1", lifetime);
}

void replied(struct rig *r, unsigned code, enum cw_tsp_event status)
{
	heard_event(r,
		(struct cw_tsp_client_event){
			.type = CW_TSP_EV_REPLY, .code = code, .status = status, .text = {"x", 1}});
}

void redirected(struct rig *r, unsigned code, enum cw_tsp_event status, const char *to)
{
	const struct cw_tsp_broker list[] = {{CW_TSP_BROKER_DN, to}};
	const struct cw_tsp_msg msg = {.action = CW_TSP_LIST, .brokers = list, .n_brokers = 1};

	heard_event(r, (struct cw_tsp_client_event){.type = CW_TSP_EV_REPLY,
			       .code = code,
			       .status = status,
			       .text = {"x", 1},
			       .msg = &msg});
}

void closed(struct rig *r, enum cw_tsp_why why)
{
	heard_event(r, (struct cw_tsp_client_event){
			       .type = CW_TSP_EV_CLOSED, .why = why, .status = CW_TSP_EVENTS});
}

void deleted(struct rig *r, const char *v4)
{
	const struct cw_tsp_msg msg = msg_of(CW_TSP_DELETE, v4, "2001:db8::1", 0);

	heard_event(r, (struct cw_tsp_client_event){.type = CW_TSP_EV_DELETED, .msg = &msg});
}

struct rig *holding(const char *const *brokers, uint32_t lifetime)
{
	struct rig *r = rig_of(brokers);

	start(r);
	wants(r, "connect(a:3653,2.0.0)");
	is_ready(r);
	wants(r, "create()");
	leased(r, "192.0.2.10", lifetime);
	wants(r, "accept UP(192.0.2.10)");
	return r;
}
