/* SPDX-License-Identifier: BSD-2-Clause */
/* The client's life on a fake clock: getting a lease, renewing it in time, what every refusal,
 * delete, loss, move, suspend and wish of the user leads to, and in which order. Actions are
 * written down as words: what the owner would do is all that counts. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/prog.h"
#include "client/exit.h"
#include "client/keeper.h"
#include "tests/lib/addr-of.h"
#include "tests/lib/cw-cmocka.h"

struct rig {
	struct cw_fake_clock clock;
	struct cw_keeper_conf conf;
	struct cw_brokers brokers;
	struct cw_keeper k;
	uint32_t dice; /* what the jitter throws */
	char words[2048];
	int code;
};

static uint32_t throw(void *arg)
{
	return ((struct rig *) arg)->dice;
}

static struct cw_now now(struct rig *r)
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

/* What the keeper wants now. */
static void wants(struct rig *r, const char *text)
{
	struct cw_keeper_action a;

	r->words[0] = '\0';
	while (cw_keeper_next(&r->k, &a))
		note_action(r, &a);
	assert_string_equal(r->words, text);
}

static struct rig *rig_of(const char *const *brokers)
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

static const char *const one[] = {"a", NULL};
static const char *const two[] = {"a", "b", NULL};

static void start(struct rig *r)
{
	cw_keeper_start(&r->k, NULL, now(r));
}

static void done(struct rig *r)
{
	(void) cw_free(r);
}

static void wait_ms(struct rig *r, int64_t ms)
{
	cw_fake_clock_advance(&r->clock, ms);
	cw_keeper_tick(&r->k, now(r));
}

/* To the deadline and not a millisecond further: before it nothing may happen. Returns the time it
 * took. */
static int64_t to_deadline(struct rig *r)
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

static void heard_event(struct rig *r, struct cw_tsp_client_event ev)
{
	cw_keeper_event(&r->k, &ev, now(r));
}

static void is_ready(struct rig *r)
{
	heard_event(r, (struct cw_tsp_client_event){.type = CW_TSP_EV_READY});
}

static struct cw_tsp_msg msg_of(
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

static void leased_at(struct rig *r, const char *v4, const char *v6, uint32_t lifetime)
{
	const struct cw_tsp_msg msg = msg_of(CW_TSP_INFO, v4, v6, lifetime);

	heard_event(r,
		(struct cw_tsp_client_event){
			.type = CW_TSP_EV_REPLY, .code = 200, .status = CW_TSP_DONE, .msg = &msg});
}

static void leased(struct rig *r, const char *v4, uint32_t lifetime)
{
	leased_at(r, v4, "2001:db8::1", lifetime);
}

static void replied(struct rig *r, unsigned code, enum cw_tsp_event status)
{
	heard_event(r,
		(struct cw_tsp_client_event){
			.type = CW_TSP_EV_REPLY, .code = code, .status = status, .text = {"x", 1}});
}

static void redirected(struct rig *r, unsigned code, enum cw_tsp_event status, const char *to)
{
	const struct cw_tsp_broker list[] = {{CW_TSP_BROKER_DN, to}};
	const struct cw_tsp_msg msg = {.action = CW_TSP_LIST, .brokers = list, .n_brokers = 1};

	heard_event(r, (struct cw_tsp_client_event){.type = CW_TSP_EV_REPLY,
			       .code = code,
			       .status = status,
			       .text = {"x", 1},
			       .msg = &msg});
}

static void closed(struct rig *r, enum cw_tsp_why why)
{
	heard_event(r, (struct cw_tsp_client_event){
			       .type = CW_TSP_EV_CLOSED, .why = why, .status = CW_TSP_EVENTS});
}

static void deleted(struct rig *r, const char *v4)
{
	const struct cw_tsp_msg msg = msg_of(CW_TSP_DELETE, v4, "2001:db8::1", 0);

	heard_event(r, (struct cw_tsp_client_event){.type = CW_TSP_EV_DELETED, .msg = &msg});
}

/* A client with one broker that holds 192.0.2.10 for `lifetime` seconds. */
static struct rig *holding(const char *const *brokers, uint32_t lifetime)
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

static void acquire_renew_release(void **state)
{
	struct rig *r = holding(one, 3600);

	(void) state;
	assert_string_equal(cw_keeper_state(&r->k), "held");
	assert_int_equal(r->k.lease.expires_wall_s, 1700000000 + 3600);
	assert_int_equal(to_deadline(r), 1800 * 1000);
	wants(r, "create(192.0.2.10)");
	assert_string_equal(cw_keeper_state(&r->k), "renewing");
	wait_ms(r, 20);
	leased(r, "192.0.2.10", 3600);
	wants(r, "accept RENEWED(192.0.2.10)");
	/* The other end of the dice: 5/8 of the lifetime, so there is room for more tries before
	 * 7/8. */
	r->dice = 3600 / 8 * 1000 - 1;
	/* counted from the request */
	assert_int_equal(to_deadline(r), 1800 * 1000 - 20);
	wants(r, "create(192.0.2.10)");
	leased(r, "192.0.2.10", 3600);
	wants(r, "accept RENEWED(192.0.2.10)");
	assert_int_equal(to_deadline(r), 3600 / 8 * 5 * 1000 - 1);
	wants(r, "create(192.0.2.10)");
	leased(r, "192.0.2.10", 3600);
	wants(r, "accept RENEWED(192.0.2.10)");
	cw_keeper_stop(&r->k, false, now(r));
	wants(r, "DOWN(stop) delete(192.0.2.10)");
	assert_string_equal(cw_keeper_state(&r->k), "releasing");
	replied(r, 200, CW_TSP_DONE);
	wants(r, "disconnect EXIT(0)");
	assert_int_equal(cw_keeper_deadline(&r->k), INT64_MAX);
	done(r);
}

static void once(void **state)
{
	struct rig *r = rig_of(one);

	(void) state;
	r->conf.once = true;
	start(r);
	wants(r, "connect(a:3653,2.0.0)");
	is_ready(r);
	wants(r, "create()");
	leased(r, "192.0.2.10", 60);
	wants(r, "accept UP(192.0.2.10) DOWN(stop,kept) disconnect EXIT(0)");
	done(r);
	r = rig_of(one);
	r->conf.once = r->conf.release = true;
	start(r);
	is_ready(r);
	wants(r, "connect(a:3653,2.0.0) create()");
	leased(r, "192.0.2.10", 60);
	wants(r, "accept UP(192.0.2.10) DOWN(stop) delete(192.0.2.10)");
	replied(r, 200, CW_TSP_DONE);
	wants(r, "disconnect EXIT(0)");
	done(r);
}

static void versions(void **state)
{
	struct rig *r = rig_of(one);

	(void) state;
	start(r);
	wants(r, "connect(a:3653,2.0.0)");
	closed(r, CW_TSP_WHY_VERSION);
	wants(r, "disconnect connect(a:3653,1.0)");
	is_ready(r);
	leased(r, "192.0.2.10", 60);
	wants(r, "create() accept UP(192.0.2.10)");
	/* What it took is remembered. */
	closed(r, CW_TSP_WHY_LOST);
	wants(r, "disconnect");
	(void) to_deadline(r);
	wants(r, "connect(a:3653,1.0)");
	done(r);
	r = rig_of(one);
	start(r);
	closed(r, CW_TSP_WHY_VERSION);
	closed(r, CW_TSP_WHY_VERSION);
	wants(r,
		"connect(a:3653,2.0.0) disconnect connect(a:3653,1.0) disconnect disconnect EXIT(8)");
	done(r);
}

static void refused_at_first(void **state)
{
	static const struct {
		unsigned code;
		enum cw_tsp_event status;
		const char *exit;
	} cases[] = {
		{301, CW_TSP_POOL_EMPTY, "3"},
		{300, CW_TSP_AUTH, "4"},
		{303, CW_TSP_TYPE, "6"},
		{307, CW_TSP_TEP, "6"},
		{308, CW_TSP_ADDRESS, "6"}, /* no address was named */
		{310, CW_TSP_INTERNAL, "6"},
		{502, CW_TSP_BAD_V6, "6"},
		{599, CW_TSP_EVENTS, "6"},
	};
	static const struct {
		enum cw_tsp_why why;
		const char *exit;
	} whys[] = {
		{CW_TSP_WHY_LOST, "5"},
		{CW_TSP_WHY_TIMEOUT, "5"},
		{CW_TSP_WHY_PROTOCOL, "8"},
		{CW_TSP_WHY_AUTH, "4"},
		{CW_TSP_WHY_PROOF, "4"},
		{CW_TSP_WHY_MECHANISM, "4"},
		{CW_TSP_WHY_TYPE, "6"},
		{CW_TSP_WHY_NOMEM, "1"},
	};
	char want[128];

	(void) state;
	for (size_t i = 0; i < CW_ARRAY_LEN(cases); i++) {
		struct rig *r = rig_of(two);

		start(r);
		is_ready(r);
		replied(r, cases[i].code, cases[i].status);
		wants(r, "connect(a:3653,2.0.0) create() disconnect connect(b:3653,2.0.0)");
		cw_keeper_unreachable(&r->k, CW_EXIT_UNREACHABLE, "gone", now(r));
		/* The answer counts, not the silence of the other. */
		(void) snprintf(want, sizeof want, "disconnect disconnect EXIT(%s)", cases[i].exit);
		wants(r, want);
		done(r);
	}
	for (size_t i = 0; i < CW_ARRAY_LEN(whys); i++) {
		struct rig *r = rig_of(one);

		start(r);
		closed(r, whys[i].why);
		(void) snprintf(want, sizeof want,
			"connect(a:3653,2.0.0) disconnect disconnect EXIT(%s)", whys[i].exit);
		wants(r, want);
		done(r);
	}
}

static void busy(void **state)
{
	struct rig *r = rig_of(one);

	(void) state;
	r->dice = 0;
	start(r);
	is_ready(r);
	wants(r, "connect(a:3653,2.0.0) create()");
	replied(r, 530, CW_TSP_OVERLOAD);
	wants(r, "");
	assert_string_equal(cw_keeper_state(&r->k), "waiting");
	assert_int_equal(to_deadline(r), 500); /* half of a second, then of two */
	wants(r, "create()");
	replied(r, 521, CW_TSP_IN_PROGRESS);
	assert_int_equal(to_deadline(r), 1000);
	wants(r, "create()");
	replied(r, 530, CW_TSP_OVERLOAD);
	wants(r, "disconnect disconnect EXIT(7)");
	done(r);
}

static void persistent(void **state)
{
	struct rig *r = rig_of(one);
	int64_t last = 0;

	(void) state;
	r->conf.persist = true;
	start(r);
	wants(r, "connect(a:3653,2.0.0)");
	/* Exponential up to the cap, for ever. */
	for (int i = 0; i < 20; i++) {
		cw_keeper_unreachable(&r->k, CW_EXIT_UNREACHABLE, "refused", now(r));
		wants(r, "disconnect");
		last = to_deadline(r);
		assert_int_equal(last, i < 9 ? 500 << i : 150 * 1000);
		wants(r, "connect(a:3653,2.0.0)");
	}
	/* With other dice the delay lies between half and all of it. */
	r->dice = 150 * 1000 - 1;
	cw_keeper_unreachable(&r->k, CW_EXIT_UNREACHABLE, "refused", now(r));
	wants(r, "disconnect");
	assert_int_equal(to_deadline(r), 300 * 1000 - 1);
	wants(r, "connect(a:3653,2.0.0)");
	is_ready(r);
	wants(r, "create()");
	for (int i = 0; i < 10; i++) {
		replied(r, 301, CW_TSP_POOL_EMPTY);
		wants(r, "disconnect");
		(void) to_deadline(r);
		wants(r, "connect(a:3653,2.0.0)");
		is_ready(r);
		wants(r, "create()");
	}
	done(r);
}

static void redirects(void **state)
{
	struct rig *r = rig_of(one);
	char to[8] = "b";
	char want[128];

	(void) state;
	start(r);
	wants(r, "connect(a:3653,2.0.0)");
	/* Five hops, no more. */
	for (int hop = 0; hop < 5; hop++, to[0]++) {
		is_ready(r);
		wants(r, "create()");
		redirected(r, 1301, CW_TSP_POOL_EMPTY, to);
		(void) snprintf(want, sizeof want, "disconnect connect(%s:3653,2.0.0)", to);
		wants(r, want);
	}
	is_ready(r);
	redirected(r, 1301, CW_TSP_POOL_EMPTY, "z");
	wants(r, "create() disconnect disconnect EXIT(3)");
	done(r);
	/* Never the same broker twice. */
	r = rig_of(one);
	start(r);
	is_ready(r);
	redirected(r, 1301, CW_TSP_POOL_EMPTY, "B.example:3653");
	wants(r, "connect(a:3653,2.0.0) create() disconnect connect(b.example:3653,2.0.0)");
	assert_true(r->brokers.list[r->brokers.current].exposed);
	is_ready(r);
	redirected(r, 1301, CW_TSP_POOL_EMPTY, "a");
	wants(r, "create() disconnect disconnect EXIT(3)");
	done(r);
	/* The one that gave the lease is asked first from then on. */
	r = rig_of(one);
	start(r);
	is_ready(r);
	redirected(r, 1301, CW_TSP_POOL_EMPTY, "b");
	is_ready(r);
	leased(r, "192.0.2.10", 3600);
	wants(r,
		"connect(a:3653,2.0.0) create() disconnect connect(b:3653,2.0.0) create() accept UP(192.0.2.10)");
	closed(r, CW_TSP_WHY_LOST);
	wants(r, "disconnect");
	(void) to_deadline(r);
	wants(r, "connect(b:3653,2.0.0)");
	done(r);
}

/* A broker's restart: the tunnel is not touched, and no other broker is asked, which might not know
 * the lease. */
static void broker_restart(void **state)
{
	struct rig *r = holding(two, 3600);

	(void) state;
	wait_ms(r, 1000);
	closed(r, CW_TSP_WHY_LOST);
	wants(r, "disconnect");
	assert_string_equal(cw_keeper_state(&r->k), "held-offline");
	assert_int_equal(to_deadline(r), 500);
	wants(r, "connect(a:3653,2.0.0)");
	cw_keeper_unreachable(&r->k, CW_EXIT_UNREACHABLE, "refused", now(r));
	wants(r, "disconnect");
	assert_int_equal(to_deadline(r), 1000);
	wants(r, "connect(a:3653,2.0.0)");
	is_ready(r);
	wants(r, "create(192.0.2.10)");
	leased(r, "192.0.2.10", 3600);
	wants(r, "accept RENEWED(192.0.2.10)");
	done(r);
}

/* The broker stays away: others from 7/8 on, the tunnel until the lease is over and not longer. */
static void broker_lost(void **state)
{
	struct rig *r = holding(two, 800);
	bool asked_b = false;
	int64_t begin = now(r).boot_ms;

	(void) state;
	closed(r, CW_TSP_WHY_LOST);
	wants(r, "disconnect");
	while (r->k.has_lease) {
		int64_t left = cw_keeper_deadline(&r->k) - now(r).boot_ms;

		assert_true(left > 0);
		wait_ms(r, left);
		if (!r->k.has_lease)
			break;
		wants(r, "connect(a:3653,2.0.0)");
		cw_keeper_unreachable(&r->k, CW_EXIT_UNREACHABLE, "refused", now(r));
		if (now(r).boot_ms - begin < 700 * 1000) {
			wants(r, "disconnect");
			continue;
		}
		wants(r, "disconnect connect(b:3653,2.0.0)");
		cw_keeper_unreachable(&r->k, CW_EXIT_UNREACHABLE, "refused", now(r));
		wants(r, "disconnect");
		asked_b = true;
	}
	assert_true(asked_b);
	assert_int_equal(now(r).boot_ms - begin, 800 * 1000);
	assert_memory_equal((wants(r, "DOWN(expired) connect(a:3653,2.0.0)"), r->words), "DOWN", 4);
	is_ready(r);
	wants(r, "create(192.0.2.10)"); /* it may still be free for us */
	replied(r, 308, CW_TSP_ADDRESS);
	wants(r, "create()");
	leased(r, "192.0.2.11", 800);
	wants(r, "accept UP(192.0.2.11)");
	done(r);
}

/* Failures while the lease lasted do not count once it is over: then each wait is without IPv4. */
static void expiry_begins_anew(void **state)
{
	struct rig *r = holding(one, 3600);

	(void) state;
	closed(r, CW_TSP_WHY_LOST);
	while (r->k.has_lease) {
		wait_ms(r, cw_keeper_deadline(&r->k) - now(r).boot_ms);
		if (r->k.has_lease)
			cw_keeper_unreachable(&r->k, CW_EXIT_UNREACHABLE, "refused", now(r));
	}
	assert_int_equal(r->k.attempt, 0);
	cw_keeper_unreachable(&r->k, CW_EXIT_UNREACHABLE, "refused", now(r));
	assert_true(cw_keeper_next_try(&r->k) <= now(r).boot_ms + CW_KEEPER_RETRY_MIN_MS);
	done(r);
}

static void renewal_refused(void **state)
{
	struct rig *r = holding(one, 3600);

	(void) state;
	/* 308: gone, at once; another one on the same connection (DSTM 2.2). */
	(void) to_deadline(r);
	wants(r, "create(192.0.2.10)");
	replied(r, 308, CW_TSP_ADDRESS);
	wants(r, "DOWN(gone) create()");
	leased(r, "192.0.2.77", 3600);
	wants(r, "accept UP(192.0.2.77)");
	/* Anything else: the lease is ours until its end; asked again, also when the pool is said
	 * to be empty. */
	(void) to_deadline(r);
	wants(r, "create(192.0.2.77)");
	replied(r, 301, CW_TSP_POOL_EMPTY);
	wants(r, "");
	(void) to_deadline(r);
	wants(r, "create(192.0.2.77)");
	replied(r, 530, CW_TSP_OVERLOAD);
	wants(r, "");
	(void) to_deadline(r);
	wants(r, "create(192.0.2.77)");
	leased(r, "192.0.2.77", 3600);
	wants(r, "accept RENEWED(192.0.2.77)");
	/* Login refused after a reconnect: likewise. */
	closed(r, CW_TSP_WHY_LOST);
	wants(r, "disconnect");
	(void) to_deadline(r);
	wants(r, "connect(a:3653,2.0.0)");
	closed(r, CW_TSP_WHY_AUTH);
	wants(r, "disconnect");
	assert_true(r->k.has_lease);
	assert_int_equal(r->k.code, CW_EXIT_AUTH);
	done(r);
}

static void deleted_by_the_broker(void **state)
{
	struct rig *r = holding(one, 3600);

	(void) state;
	deleted(r, "192.0.2.99"); /* not ours: a polite answer, nothing else */
	wants(r, "ack(192.0.2.99)");
	deleted(r, "192.0.2.10");
	wants(r, "DOWN(deleted) ack(192.0.2.10)"); /* first down, then the answer */
	assert_int_equal(to_deadline(r), 500);
	wants(r, "create()"); /* not the one that was taken away */
	leased(r, "192.0.2.11", 3600);
	wants(r, "accept UP(192.0.2.11)");
	/* In the middle of a renewal: its answer brings nothing back. */
	(void) to_deadline(r);
	wants(r, "create(192.0.2.11)");
	deleted(r, "192.0.2.11");
	wants(r,
		"DOWN(deleted)"); /* an info now could be a question about what the answer leases */
	replied(r, 308, CW_TSP_ADDRESS);
	wants(r, "");
	(void) to_deadline(r);
	wants(r, "create()");
	done(r);
	r = holding(one, 3600);
	r->conf.exit_on_delete = true;
	deleted(r, "192.0.2.10");
	wants(r, "DOWN(deleted) ack(192.0.2.10) disconnect EXIT(3)");
	done(r);
}

static void expiry(void **state)
{
	struct rig *r = holding(one, 8);

	(void) state;
	/* The renewal is asked for and never answered. */
	assert_int_equal(to_deadline(r), 4000);
	wants(r, "create(192.0.2.10)");
	assert_int_equal(to_deadline(r), 4000);
	wants(r, "DOWN(expired)");
	/* The late answer is as good as a new lease. */
	leased(r, "192.0.2.10", 8);
	wants(r, "accept UP(192.0.2.10)");
	done(r);
}

/* A lease is not longer than the broker counts, however late its answer comes. */
static void late_answers(void **state)
{
	struct rig *r = rig_of(one);

	(void) state;
	start(r);
	wants(r, "connect(a:3653,2.0.0)");
	is_ready(r);
	wants(r, "create()");
	wait_ms(r, 3000);
	leased(r, "192.0.2.10", 8);
	wants(r, "accept UP(192.0.2.10)");
	assert_int_equal(r->k.lease.expires_boot_ms, now(r).boot_ms + 5000);
	assert_int_equal(r->k.lease.expires_wall_s, now(r).wall_s + 5);
	assert_int_equal(to_deadline(r), 1000); /* half of the lifetime */
	wants(r, "create(192.0.2.10)");
	/* We are stopped; when we go on the answer is there, and the lease in it is over, too. */
	cw_fake_clock_advance(&r->clock, 8000);
	leased(r, "192.0.2.10", 8);
	wants(r, "accept create(192.0.2.10)");
	wait_ms(r, 0);
	wants(r, "DOWN(expired)");
	leased(r, "192.0.2.10", 8);
	wants(r, "accept UP(192.0.2.10)");
	done(r);
}

/* The wall clock's jumps mean nothing, boot time is what counts. */
static void clocks(void **state)
{
	struct rig *r = holding(one, 3600);

	(void) state;
	r->clock.at.wall_s += 86400 * 365;
	cw_keeper_tick(&r->k, now(r));
	wants(r, "");
	r->clock.at.wall_s -= 2 * 86400 * 365;
	cw_keeper_tick(&r->k, now(r));
	wants(r, "");
	/* Ten minutes of suspend: boot time runs, monotonic does not. The connection is taken for
	 * dead. */
	r->clock.at.boot_ms += 600 * 1000;
	cw_keeper_tick(&r->k, now(r));
	wants(r, "disconnect connect(a:3653,2.0.0)");
	is_ready(r);
	leased(r, "192.0.2.10", 3600);
	wants(r, "create(192.0.2.10) accept RENEWED(192.0.2.10)");
	/* Two hours: the lease is over at the moment of waking. */
	r->clock.at.boot_ms += 7200 * 1000;
	cw_keeper_tick(&r->k, now(r));
	wants(r, "DOWN(expired) disconnect connect(a:3653,2.0.0)");
	done(r);
}

static void moving(void **state)
{
	struct rig *r = holding(one, 3600);
	const struct cw_addr6 other = six("2001:db8::77");
	const struct cw_addr6 ours = six("2001:db8::1");

	(void) state;
	cw_keeper_source_gone(&r->k, &other, now(r));
	wants(r, "");
	cw_keeper_source_gone(&r->k, &ours, now(r));
	wants(r, "disconnect connect(a:3653,2.0.0)");
	cw_keeper_source_gone(&r->k, &ours, now(r));
	wants(r, "");
	is_ready(r);
	wants(r, "create(192.0.2.10)");
	leased_at(r, "192.0.2.10", "2001:db8::77", 3600);
	wants(r, "DOWN(moved) accept UP(192.0.2.10)");
	done(r);
}

static void unknown_at_the_tep(void **state)
{
	struct rig *r = holding(one, 3600);

	(void) state;
	cw_keeper_unbound(&r->k, now(r));
	wants(r, "create(192.0.2.10)");
	leased(r, "192.0.2.10", 3600);
	wants(r, "accept RENEWED(192.0.2.10)");
	cw_keeper_unbound(&r->k, now(r)); /* not in a loop */
	wants(r, "");
	wait_ms(r, 60 * 1000);
	cw_keeper_unbound(&r->k, now(r));
	wants(r, "create(192.0.2.10)");
	done(r);
}

static void wishes(void **state)
{
	struct rig *r = holding(one, 3600);

	(void) state;
	assert_true(cw_keeper_renew_now(&r->k, now(r)));
	wants(r, "create(192.0.2.10)");
	leased(r, "192.0.2.10", 3600);
	wants(r, "accept RENEWED(192.0.2.10)");
	cw_keeper_stop(&r->k, true, now(r));
	wants(r, "DOWN(stop,kept) disconnect EXIT(0)");
	cw_keeper_stop(&r->k, true, now(r));
	assert_false(cw_keeper_renew_now(&r->k, now(r)));
	wants(r, "");
	done(r);
	/* Stop while the broker is away: a short try to reach it. */
	r = holding(one, 3600);
	closed(r, CW_TSP_WHY_LOST);
	wants(r, "disconnect");
	cw_keeper_stop(&r->k, false, now(r));
	wants(r, "DOWN(stop) connect(a:3653,2.0.0)");
	assert_int_equal(to_deadline(r), 1500);
	wants(r, "disconnect EXIT(0)");
	done(r);
	r = holding(one, 3600);
	closed(r, CW_TSP_WHY_LOST);
	cw_keeper_stop(&r->k, false, now(r));
	is_ready(r);
	wants(r, "disconnect DOWN(stop) connect(a:3653,2.0.0) delete(192.0.2.10)");
	assert_int_equal(to_deadline(r), 5000); /* it is there: it may take its time */
	replied(r, 308, CW_TSP_ADDRESS);
	wants(r, "disconnect EXIT(0)");
	done(r);
	/* Stop while a renewal is under way: after its answer. */
	r = holding(one, 3600);
	(void) cw_keeper_renew_now(&r->k, now(r));
	cw_keeper_stop(&r->k, false, now(r));
	wants(r, "create(192.0.2.10) DOWN(stop)");
	leased(r, "192.0.2.10", 3600);
	wants(r, "delete(192.0.2.10)");
	done(r);
	/* Stop before there is anything. */
	r = rig_of(one);
	start(r);
	cw_keeper_stop(&r->k, false, now(r));
	wants(r, "connect(a:3653,2.0.0) disconnect EXIT(0)");
	done(r);
	/* "renew" while waiting: now. */
	r = rig_of(one);
	r->conf.persist = true;
	start(r);
	cw_keeper_unreachable(&r->k, CW_EXIT_UNREACHABLE, "refused", now(r));
	wants(r, "connect(a:3653,2.0.0) disconnect");
	assert_false(cw_keeper_renew_now(&r->k, now(r)));
	wants(r, "connect(a:3653,2.0.0)");
	done(r);
}

static void tunnel_trouble(void **state)
{
	struct rig *r = holding(one, 3600);

	(void) state;
	cw_keeper_tunnel_failed(&r->k, CW_EXIT_FAILURE, "no TUN", now(r));
	wants(r, "DOWN(stop) delete(192.0.2.10)");
	replied(r, 200, CW_TSP_DONE);
	wants(r, "disconnect EXIT(1)");
	assert_string_equal(r->k.error, "no TUN");
	done(r);
}

static void unusable_offers(void **state)
{
	struct rig *r = rig_of(one);
	struct cw_tsp_msg msg = msg_of(CW_TSP_INFO, NULL, "2001:db8::1", 60);

	(void) state;
	start(r);
	is_ready(r);
	wants(r, "connect(a:3653,2.0.0) create()");
	heard_event(r,
		(struct cw_tsp_client_event){
			.type = CW_TSP_EV_REPLY, .code = 200, .status = CW_TSP_DONE, .msg = &msg});
	wants(r, "reject disconnect disconnect EXIT(8)");
	done(r);
}

static void restored(void **state)
{
	struct rig *r = rig_of(one);
	const struct cw_addr4 old = four("192.0.2.10");

	(void) state;
	cw_keeper_start(&r->k, &old, now(r));
	is_ready(r);
	wants(r, "connect(a:3653,2.0.0) create(192.0.2.10)");
	leased(r, "192.0.2.10", 60);
	wants(r, "accept UP(192.0.2.10)");
	done(r);
	r = rig_of(one);
	cw_keeper_start(&r->k, &old, now(r));
	is_ready(r);
	replied(r, 308, CW_TSP_ADDRESS);
	wants(r, "connect(a:3653,2.0.0) create(192.0.2.10) create()");
	done(r);
}

/* Minutes only in 2.x, and only if told (guide tsp.md 8). */
static void minutes(void **state)
{
	struct rig *r = rig_of(one);

	(void) state;
	r->conf.minutes = true;
	start(r);
	is_ready(r);
	leased(r, "192.0.2.10", 10);
	assert_int_equal(r->k.lease.tsp.lifetime_s, 600);
	done(r);
	r = rig_of(one);
	r->conf.minutes = true;
	r->conf.version = "1.0";
	cw_keeper_init(&r->k, &r->conf, &r->brokers);
	start(r);
	is_ready(r);
	leased(r, "192.0.2.10", 10);
	assert_int_equal(r->k.lease.tsp.lifetime_s, 10);
	done(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(acquire_renew_release),
		cmocka_unit_test(once),
		cmocka_unit_test(versions),
		cmocka_unit_test(refused_at_first),
		cmocka_unit_test(busy),
		cmocka_unit_test(persistent),
		cmocka_unit_test(redirects),
		cmocka_unit_test(broker_restart),
		cmocka_unit_test(broker_lost),
		cmocka_unit_test(expiry_begins_anew),
		cmocka_unit_test(renewal_refused),
		cmocka_unit_test(deleted_by_the_broker),
		cmocka_unit_test(expiry),
		cmocka_unit_test(late_answers),
		cmocka_unit_test(clocks),
		cmocka_unit_test(moving),
		cmocka_unit_test(unknown_at_the_tep),
		cmocka_unit_test(wishes),
		cmocka_unit_test(tunnel_trouble),
		cmocka_unit_test(unusable_offers),
		cmocka_unit_test(restored),
		cmocka_unit_test(minutes),
	};

	return cmocka_run_group_tests_name("client keeper", tests, NULL, NULL);
}
