/* SPDX-License-Identifier: BSD-2-Clause */
/* The client's life as a machine; see keeper.h. DSTM profile 2 (renewal, end), guide tsp.md 6
 * (which codes are final), 8 and 11. Deadlines are on the boot clock: a lease runs out in suspend
 * too. Thread: the owner's. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/prog.h"
#include "client/exit.h"
#include "client/keeper.h"

static const char *const reasons[CW_DOWN_REASONS] = {
	[CW_DOWN_STOP] = "stop",
	[CW_DOWN_EXPIRED] = "expired",
	[CW_DOWN_DELETED] = "deleted",
	[CW_DOWN_GONE] = "gone",
	[CW_DOWN_MOVED] = "moved",
};

const char *cw_keeper_reason_name(enum cw_keeper_reason reason)
{
	return reasons[reason];
}

/* ---- actions ---- */

static struct cw_keeper_action *act(struct cw_keeper *k, enum cw_keeper_action_type type)
{
	static struct cw_keeper_action overflow;
	struct cw_keeper_action *a;

	/* No event makes more than a handful, and the owner empties the queue after each. */
	if (k->count == CW_KEEPER_ACTIONS_MAX)
		return &overflow;
	a = &k->queue[(k->first + k->count++) % CW_KEEPER_ACTIONS_MAX];
	*a = (struct cw_keeper_action){.type = type, .lease = k->lease};
	return a;
}

bool cw_keeper_next(struct cw_keeper *k, struct cw_keeper_action *ret)
{
	if (k->count == 0)
		return false;
	*ret = k->queue[k->first];
	k->first = (k->first + 1) % CW_KEEPER_ACTIONS_MAX;
	k->count--;
	return true;
}

static void finish(struct cw_keeper *k, int code)
{
	if (k->goal == CW_GOAL_DONE)
		return;
	k->goal = CW_GOAL_DONE;
	(void) act(k, CW_ACT_DISCONNECT);
	act(k, CW_ACT_EXIT)->code = k->end_code ? k->end_code : code;
	k->link = CW_LINK_OFF;
}

static void note(struct cw_keeper *k, int code, const char *text)
{
	/* Of several brokers the one that answered is the one to tell about. */
	if (code == CW_EXIT_UNREACHABLE && k->code && k->code != code)
		return;
	k->code = code;
	(void) snprintf(k->error, sizeof k->error, "%s", text);
}

/* ---- time ---- */

/* A moment in [from, to). */
static int64_t between(const struct cw_keeper *k, int64_t from, int64_t to)
{
	return to <= from
		       ? from
		       : from + (int64_t) (k->conf->random(k->conf->arg) % (uint64_t) (to - from));
}

/* Jittered exponential back-off: half of it fixed, half random. A held lease is asked about more
 * often as its end comes near. */
static int64_t delay(struct cw_keeper *k, struct cw_now now)
{
	int64_t min = k->conf->retry_min_ms ? k->conf->retry_min_ms : CW_KEEPER_RETRY_MIN_MS;
	int64_t max = k->conf->retry_max_ms ? k->conf->retry_max_ms : CW_KEEPER_RETRY_MAX_MS;
	int64_t d;

	if (k->calm_at && now.boot_ms >= k->calm_at)
		k->doublings = 0;
	k->calm_at = 0;
	d = min << (k->doublings < 20 ? k->doublings : 20);
	k->doublings++;
	k->attempt++;
	if (d > max)
		d = max;
	if (k->has_lease && d > (k->lease.expires_boot_ms - now.boot_ms) / 8)
		d = (k->lease.expires_boot_ms - now.boot_ms) / 8;
	if (d < min)
		d = min;
	return between(k, d / 2, d);
}

int64_t cw_keeper_deadline(const struct cw_keeper *k)
{
	int64_t at = INT64_MAX;

	if (k->goal == CW_GOAL_DONE)
		return at;
	if (k->goal == CW_GOAL_STOP)
		return k->stop_at;
	if (k->has_lease)
		at = k->lease.expires_boot_ms;
	if (k->link == CW_LINK_WAIT || (k->link == CW_LINK_READY && !k->asked && !k->has_lease))
		at = k->wait_until < at ? k->wait_until : at;
	if (k->link == CW_LINK_READY && !k->asked && k->has_lease)
		at = k->renew_at < at ? k->renew_at : at;
	return at;
}

/* ---- the connection ---- */

static void connect_to(struct cw_keeper *k, const struct cw_broker *broker)
{
	struct cw_keeper_action *a = act(k, CW_ACT_CONNECT);

	a->broker = broker;
	a->version = k->version;
	k->link = CW_LINK_CONNECTING;
	k->asked = CW_TSP_ACTION_NONE;
}

/* The next broker of this round; false: the round is over. */
static bool connect_next(struct cw_keeper *k)
{
	const struct cw_broker *broker = cw_brokers_next(k->brokers);

	if (!broker)
		return false;
	k->version = broker->version ? broker->version : k->conf->version;
	connect_to(k, broker);
	return true;
}

static void begin_round(struct cw_keeper *k)
{
	cw_brokers_begin(k->brokers);
	k->code = 0;
	if (!connect_next(k)) {
		note(k, CW_EXIT_FAILURE, "no broker is configured");
		finish(k, CW_EXIT_FAILURE);
	}
}

static void drop_link(struct cw_keeper *k)
{
	if (k->link == CW_LINK_CONNECTING || k->link == CW_LINK_READY)
		(void) act(k, CW_ACT_DISCONNECT);
	k->link = CW_LINK_OFF;
	k->asked = CW_TSP_ACTION_NONE;
}

/* All brokers were tried. Before the first lease that is the end, unless told to persist. */
static void round_over(struct cw_keeper *k, struct cw_now now)
{
	drop_link(k);
	if (k->goal == CW_GOAL_STOP) {
		/* The lease ends by itself at its time; the broker is not there to be told. */
		finish(k, CW_EXIT_OK);
		return;
	}
	if (k->conf->once || (!k->had_lease && !k->conf->persist)) {
		finish(k, k->code ? k->code : CW_EXIT_FAILURE);
		return;
	}
	k->link = CW_LINK_WAIT;
	k->wait_until = now.boot_ms + delay(k, now);
}

/* While a lease has time left only the broker that gave it is asked: another one may not know it,
 * and its 308 would end what the first, a restart later, would have renewed. */
static bool faithful(const struct cw_keeper *k, struct cw_now now)
{
	return k->has_lease && k->brokers->home >= 0 && now.boot_ms < k->others_at;
}

/* This broker is of no use now: another one, or later. */
static void give_up_broker(struct cw_keeper *k, struct cw_now now)
{
	drop_link(k);
	if (faithful(k, now) || !connect_next(k))
		round_over(k, now);
}

/* ---- requests ---- */

static void request(struct cw_keeper *k, enum cw_tsp_action action, struct cw_addr4 ipv4)
{
	struct cw_keeper_action *a = act(k, CW_ACT_REQUEST);

	a->action = action;
	a->ipv4 = ipv4;
	k->asked = action;
	k->asked_named = ipv4.v != 0;
}

static void acquire(struct cw_keeper *k, struct cw_now now)
{
	k->asked_at = now.boot_ms;
	request(k, CW_TSP_CREATE, k->has_lease ? k->lease.tsp.ipv4 : k->hint);
}

static void ask_or_wait(struct cw_keeper *k, struct cw_now now)
{
	if (now.boot_ms >= k->wait_until)
		acquire(k, now);
}

void cw_keeper_ready(struct cw_keeper *k, struct cw_now now)
{
	if (k->link != CW_LINK_CONNECTING || k->goal == CW_GOAL_DONE)
		return;
	k->link = CW_LINK_READY;
	k->brokers->list[k->brokers->current].version = k->version;
	if (k->goal == CW_GOAL_RUN) {
		/* A lease is renewed on every new connection: only then is it this connection's,
		 * and a delete can be pushed on it (guide tsp.md 8). */
		if (k->has_lease)
			acquire(k, now);
		else
			ask_or_wait(k, now);
	} else if (k->releasing) {
		k->stop_at = now.boot_ms + CW_KEEPER_STOP_MS;
		request(k, CW_TSP_DELETE, k->lease.tsp.ipv4);
	} else {
		finish(k, CW_EXIT_OK);
	}
}

/* ---- the lease ---- */

static void lose(struct cw_keeper *k, enum cw_keeper_reason reason, bool remember)
{
	struct cw_keeper_action *a;

	if (!k->has_lease)
		return;
	a = act(k, CW_ACT_DOWN);
	a->reason = reason;
	a->flag = remember;
	k->has_lease = false;
	/* An address that ran out may be ours again (sticky); one that was taken away is not asked
	 * for. */
	k->hint = reason == CW_DOWN_EXPIRED ? k->lease.tsp.ipv4 : (struct cw_addr4){0};
}

static bool same_tunnel(const struct cw_tsp_lease *a, const struct cw_tsp_lease *b)
{
	return a->ipv4.v == b->ipv4.v && cw_portset_eq(a->ports, b->ports) &&
	       cw_addr6_eq(&a->client6, &b->client6) && cw_addr6_eq(&a->tep6, &b->tep6) &&
	       a->tep4.v == b->tep4.v;
}

static void hold(struct cw_keeper *k, const struct cw_tsp_lease *lease, struct cw_now now)
{
	bool goes_on = k->has_lease && same_tunnel(lease, &k->lease.tsp);
	int64_t life_ms = (int64_t) lease->lifetime_s * 1000;
	/* The answer does not say when it was written, and it may be old: the network was slow, or
	 * we were stopped. The request surely was before it. */
	int64_t begun = k->asked_at;

	if (!goes_on)
		lose(k, CW_DOWN_MOVED, false);
	cw_brokers_settle(k->brokers);
	k->lease.tsp = *lease;
	k->lease.broker = k->brokers->list[k->brokers->current];
	k->lease.expires_boot_ms = begun + life_ms;
	k->lease.expires_wall_s = now.wall_s + lease->lifetime_s - (now.boot_ms - begun) / 1000;
	/* The first try between 1/2 and 5/8 of the lifetime leaves room for others before 7/8. */
	k->renew_at = begun + between(k, life_ms / 2, life_ms / 8 * 5);
	k->others_at = begun + life_ms / 8 * 7;
	k->renewals = goes_on ? k->renewals + 1 : 0;
	k->first_lease = !k->had_lease;
	k->has_lease = true;
	k->had_lease = true;
	k->attempt = 0;
	if (!k->calm_at)
		k->calm_at = now.boot_ms + CW_KEEPER_CALM_MS;
	k->busy = 0;
	k->wait_until = 0;
	k->code = 0;
	k->error[0] = '\0';
	act(k, CW_ACT_ACCEPT)->flag = true;
	(void) act(k, goes_on ? CW_ACT_RENEWED : CW_ACT_UP);
}

/* ---- answers ---- */

static int code_of(enum cw_tsp_event status)
{
	switch (status) {
	case CW_TSP_AUTH:
		return CW_EXIT_AUTH;
	case CW_TSP_POOL_EMPTY:
		return CW_EXIT_NO_ADDRESS;
	case CW_TSP_IN_PROGRESS:
	case CW_TSP_OVERLOAD:
		return CW_EXIT_BUSY;
	case CW_TSP_VERSION:
		return CW_EXIT_PROTOCOL;
	default:
		return CW_EXIT_REFUSED;
	}
}

/* The broker's words, made fit for a terminal. */
static char *plain(struct cw_slice words, char *to, size_t cap)
{
	size_t n = words.n < cap - 1 ? words.n : cap - 1;

	for (size_t i = 0; i < n; i++)
		to[i] = words.p[i] >= ' ' && words.p[i] < 0x7f ? words.p[i] : '?';
	to[n] = '\0';
	return to;
}

/* What the user may do about a refusal. */
static const char *advice(enum cw_tsp_event status)
{
	switch (status) {
	case CW_TSP_AUTH:
		return "; check user and password-file";
	case CW_TSP_POOL_EMPTY:
		return "; try later, or another broker";
	case CW_TSP_VERSION:
		return "; it speaks neither TSP 2.0.0 nor 1.0";
	case CW_TSP_BAD_V6:
		return "; it does not take this end of the tunnel, name another IPv6 address of this "
		       "host with source, or --source";
	default:
		return "";
	}
}

static void note_status(struct cw_keeper *k, const struct cw_tsp_client_event *ev)
{
	char text[80];

	k->code = code_of(ev->status);
	(void) snprintf(k->error, sizeof k->error, "the broker answered %u %s%s", ev->code,
		plain(ev->text, text, sizeof text), advice(ev->status));
}

/* The broker named others: those are asked. Circles end here. */
static void follow(struct cw_keeper *k, const struct cw_tsp_msg *msg)
{
	size_t n = strlen(k->error);

	if (!msg || !msg->n_brokers || cw_brokers_redirect(k->brokers, msg))
		return;
	(void) snprintf(k->error + n, sizeof k->error - n,
		"; the brokers it names were asked already, or it is one redirect too many");
}

/* A refusal that is final here. A list names others; a lease that is held stays until its end. */
static void refused(struct cw_keeper *k, const struct cw_tsp_client_event *ev, struct cw_now now)
{
	follow(k, ev->msg);
	give_up_broker(k, now);
}

/* 521, 530: the same broker, later (guide tsp.md 6). */
static void busy(struct cw_keeper *k, const struct cw_tsp_client_event *ev, struct cw_now now)
{
	if (ev->msg && ev->msg->n_brokers && !faithful(k, now) &&
		cw_brokers_redirect(k->brokers, ev->msg)) {
		give_up_broker(k, now);
		return;
	}
	if (!k->had_lease && (!k->conf->persist || k->conf->once) &&
		++k->busy >= CW_KEEPER_BUSY_TRIES) {
		give_up_broker(k, now);
		return;
	}
	k->wait_until = now.boot_ms + delay(k, now);
	if (k->has_lease)
		k->renew_at = k->wait_until;
}

static void on_lease(struct cw_keeper *k, const struct cw_tsp_client_event *ev, struct cw_now now)
{
	struct cw_tsp_lease lease;
	bool minutes = k->conf->minutes && k->version[0] == '2';

	if (cw_tsp_lease_of(ev->msg, minutes, &lease) < 0) {
		act(k, CW_ACT_ACCEPT)->flag = false;
		note(k, CW_EXIT_PROTOCOL,
			"the broker's answer lacks an address or has an unusable one");
		give_up_broker(k, now);
		return;
	}
	if (k->asked_at + (int64_t) lease.lifetime_s * 1000 <= now.boot_ms) {
		/* The answer is older than its lease is long: what it leased may be another's. */
		act(k, CW_ACT_ACCEPT)->flag = true;
		acquire(k, now);
		return;
	}
	hold(k, &lease, now);
	if (!k->conf->once)
		return;
	cw_keeper_stop(k, !k->conf->release, now);
}

static void on_create(struct cw_keeper *k, const struct cw_tsp_client_event *ev, struct cw_now now)
{
	if (ev->status == CW_TSP_DONE) {
		on_lease(k, ev, now);
		return;
	}
	note_status(k, ev);
	if (ev->status == CW_TSP_IN_PROGRESS || ev->status == CW_TSP_OVERLOAD) {
		busy(k, ev, now);
	} else if (ev->status == CW_TSP_ADDRESS && k->asked_named) {
		/* The address is not ours (any more): another one will do (DSTM 2.2). */
		lose(k, CW_DOWN_GONE, false);
		k->hint.v = 0;
		ask_or_wait(k, now);
	} else if (faithful(k, now)) {
		/* Held until its end; asked again on this connection. */
		k->renew_at = now.boot_ms + delay(k, now);
	} else {
		refused(k, ev, now);
	}
}

static void on_reply(struct cw_keeper *k, const struct cw_tsp_client_event *ev, struct cw_now now)
{
	enum cw_tsp_action asked = k->asked;

	k->asked = CW_TSP_ACTION_NONE;
	if (k->goal == CW_GOAL_STOP) {
		if (asked == CW_TSP_DELETE || !k->releasing)
			finish(k, CW_EXIT_OK);
		else
			request(k, CW_TSP_DELETE, k->lease.tsp.ipv4);
		return;
	}
	if (asked == CW_TSP_CREATE)
		on_create(k, ev, now);
}

static void on_deleted(struct cw_keeper *k, const struct cw_tsp_client_event *ev, struct cw_now now)
{
	const struct cw_tsp_side *c = &ev->msg->client;
	bool ours = k->has_lease && c->has_v4 && c->v4.v == k->lease.tsp.ipv4.v;
	struct cw_keeper_action *a;

	if (ours) /* first of all: no packet after this (DSTM 2.3) */
		lose(k, CW_DOWN_DELETED, false);
	/* Optional (DSTM 2.3), and an info: while a create is on its way, whose answer may lease
	 * this very pair anew, the broker would take it for a question, and its answer for
	 * another's. */
	if (c->has_v4 && c->has_v6 && !k->asked) {
		a = act(k, CW_ACT_ACK);
		a->lease.tsp.ipv4 = c->v4;
		a->lease.tsp.client6 = c->v6;
	}
	if (!ours || k->goal != CW_GOAL_RUN)
		return;
	note(k, CW_EXIT_NO_ADDRESS, "the broker ended the lease");
	if (k->conf->exit_on_delete)
		finish(k, CW_EXIT_NO_ADDRESS);
	else
		k->wait_until = now.boot_ms + delay(k, now);
}

static int code_of_why(const struct cw_tsp_client_event *ev)
{
	switch (ev->why) {
	case CW_TSP_WHY_LOST:
	case CW_TSP_WHY_TIMEOUT:
		return CW_EXIT_UNREACHABLE;
	case CW_TSP_WHY_AUTH:
	case CW_TSP_WHY_PROOF:
	case CW_TSP_WHY_MECHANISM:
		return CW_EXIT_AUTH;
	case CW_TSP_WHY_PROTOCOL:
	case CW_TSP_WHY_VERSION:
		return CW_EXIT_PROTOCOL;
	case CW_TSP_WHY_STATUS:
		return code_of(ev->status);
	case CW_TSP_WHY_NOMEM:
		return CW_EXIT_FAILURE;
	default:
		return CW_EXIT_REFUSED;
	}
}

/* What the user may look at; ends where the broker's own words belong. */
static const char *advice_why(enum cw_tsp_why why)
{
	switch (why) {
	case CW_TSP_WHY_MECHANISM:
		return " (see user, password-file, mechanisms, tls, allow-plain); it says: ";
	case CW_TSP_WHY_PROOF:
		return "; somebody else may answer in its place";
	case CW_TSP_WHY_PROTOCOL:
		return "; is it a TSP broker, and does this port want TLS?";
	default:
		return "";
	}
}

static void on_closed(struct cw_keeper *k, const struct cw_tsp_client_event *ev, struct cw_now now)
{
	const char *next;
	char text[300];
	char words[120];

	k->link = CW_LINK_OFF;
	k->asked = CW_TSP_ACTION_NONE;
	(void) act(k, CW_ACT_DISCONNECT);
	if (ev->code) {
		note_status(k, ev);
		k->code = code_of_why(ev);
	} else {
		(void) snprintf(text, sizeof text, "%s%s%s", cw_tsp_why_text(ev->why),
			advice_why(ev->why), plain(ev->text, words, sizeof words));
		note(k, code_of_why(ev), text);
	}
	follow(k, ev->msg);
	/* RFC 5572 4.4.2: another version on a new connection to the same broker. */
	next = ev->why == CW_TSP_WHY_VERSION ? cw_tsp_version_next(k->version) : NULL;
	if (next && k->brokers->current >= 0) {
		k->version = next;
		connect_to(k, &k->brokers->list[k->brokers->current]);
		return;
	}
	/* With a lease: a restart, most likely. The same broker, in a moment, and not all of its
	 * clients in the same one. */
	give_up_broker(k, now);
}

void cw_keeper_event(struct cw_keeper *k, const struct cw_tsp_client_event *ev, struct cw_now now)
{
	if (k->goal == CW_GOAL_DONE)
		return;
	switch (ev->type) {
	case CW_TSP_EV_READY:
		cw_keeper_ready(k, now);
		break;
	case CW_TSP_EV_REPLY:
		on_reply(k, ev, now);
		break;
	case CW_TSP_EV_DELETED:
		on_deleted(k, ev, now);
		break;
	case CW_TSP_EV_CLOSED:
		on_closed(k, ev, now);
		break;
	}
}

void cw_keeper_unreachable(struct cw_keeper *k, int code, const char *text, struct cw_now now)
{
	if (k->goal == CW_GOAL_DONE || k->link != CW_LINK_CONNECTING)
		return;
	note(k, code, text);
	give_up_broker(k, now);
}

void cw_keeper_unsent(struct cw_keeper *k, const char *text, struct cw_now now)
{
	if (k->goal == CW_GOAL_DONE)
		return;
	note(k, CW_EXIT_FAILURE, text);
	give_up_broker(k, now);
}

/* ---- what the user and the host want ---- */

void cw_keeper_init(
	struct cw_keeper *k, const struct cw_keeper_conf *conf, struct cw_brokers *brokers)
{
	*k = (struct cw_keeper){
		.conf = conf, .brokers = brokers, .version = conf->version, .stop_at = INT64_MAX};
}

void cw_keeper_start(struct cw_keeper *k, const struct cw_addr4 *restored, struct cw_now now)
{
	k->drift_ms = now.boot_ms - now.mono_us / 1000;
	if (restored)
		k->hint = *restored;
	begin_round(k);
}

void cw_keeper_stop(struct cw_keeper *k, bool keep, struct cw_now now)
{
	bool had = k->has_lease;

	if (k->goal != CW_GOAL_RUN)
		return;
	k->goal = CW_GOAL_STOP;
	k->keep = keep;
	k->stop_at = now.boot_ms +
		     (k->link == CW_LINK_READY ? CW_KEEPER_STOP_MS : CW_KEEPER_STOP_REACH_MS);
	/* Nothing is forwarded any more when the address is given back (DESIGN.md 4). */
	if (had) {
		lose(k, CW_DOWN_STOP, keep);
		k->releasing = !keep;
	}
	if (!k->releasing) {
		finish(k, CW_EXIT_OK);
	} else if (k->link == CW_LINK_READY) {
		if (!k->asked)
			request(k, CW_TSP_DELETE, k->lease.tsp.ipv4);
	} else if (k->link != CW_LINK_CONNECTING) {
		begin_round(k);
	}
}

bool cw_keeper_renew_now(struct cw_keeper *k, struct cw_now now)
{
	bool had = k->has_lease;

	if (k->goal != CW_GOAL_RUN)
		return false;
	k->wait_until = now.boot_ms;
	if (had)
		k->renew_at = now.boot_ms;
	cw_keeper_tick(k, now);
	return had;
}

/* The connection may be dead without telling: a new one, at once. */
static void reconnect(struct cw_keeper *k)
{
	drop_link(k);
	begin_round(k);
}

void cw_keeper_source_gone(struct cw_keeper *k, const struct cw_addr6 *gone, struct cw_now now)
{
	(void) now;
	if (k->goal == CW_GOAL_RUN && k->has_lease && k->link != CW_LINK_CONNECTING &&
		cw_addr6_eq(gone, &k->lease.tsp.client6))
		reconnect(k);
}

void cw_keeper_unbound(struct cw_keeper *k, struct cw_now now)
{
	/* A renewal makes the broker look at the TEP again. Not more often, or we would be a part
	 * of its trouble. */
	if (!k->has_lease || k->link != CW_LINK_READY || k->asked || now.boot_ms < k->unbound_at)
		return;
	k->unbound_at = now.boot_ms + CW_KEEPER_UNBOUND_MS;
	(void) cw_keeper_renew_now(k, now);
}

void cw_keeper_tunnel_failed(struct cw_keeper *k, int code, const char *text, struct cw_now now)
{
	if (k->goal != CW_GOAL_RUN)
		return;
	k->end_code = code;
	note(k, code, text);
	cw_keeper_stop(k, false, now);
}

void cw_keeper_unfit(struct cw_keeper *k, const char *text, struct cw_now now)
{
	if (k->goal != CW_GOAL_RUN)
		return;
	if (k->first_lease && !k->conf->persist && !cw_brokers_left(k->brokers)) {
		cw_keeper_tunnel_failed(k, CW_EXIT_FAILURE, text, now);
		return;
	}
	note(k, CW_EXIT_FAILURE, text);
	lose(k, CW_DOWN_GONE, false);
	if (k->first_lease)
		k->had_lease = false;
	give_up_broker(k, now);
}

/* ---- tick ---- */

static bool resumed(struct cw_keeper *k, struct cw_now now)
{
	int64_t drift = now.boot_ms - now.mono_us / 1000;
	bool jumped = drift - k->drift_ms >= CW_KEEPER_RESUME_MS;

	k->drift_ms = drift;
	return jumped;
}

/* What failed so far says nothing about the next try. */
static void start_over(struct cw_keeper *k)
{
	k->attempt = 0;
	k->doublings = 0;
}

void cw_keeper_tick(struct cw_keeper *k, struct cw_now now)
{
	bool woke = resumed(k, now);

	if (k->goal == CW_GOAL_DONE)
		return;
	if (k->goal == CW_GOAL_STOP) {
		if (now.boot_ms >= k->stop_at)
			finish(k, CW_EXIT_OK);
		return;
	}
	if (k->has_lease && now.boot_ms >= k->lease.expires_boot_ms) {
		lose(k, CW_DOWN_EXPIRED, false);
		k->wait_until = now.boot_ms;
		/* Failures so far cost nothing; from here on each wait is time without IPv4. */
		start_over(k);
	}
	if (woke) {
		start_over(k);
		reconnect(k);
	} else if (k->link == CW_LINK_WAIT && now.boot_ms >= k->wait_until) {
		begin_round(k);
	} else if (k->link == CW_LINK_READY && !k->asked) {
		if (k->has_lease ? now.boot_ms >= k->renew_at : now.boot_ms >= k->wait_until)
			acquire(k, now);
	}
}

int64_t cw_keeper_next_try(const struct cw_keeper *k)
{
	if (k->goal != CW_GOAL_RUN || k->attempt == 0)
		return INT64_MAX;
	if (k->link == CW_LINK_WAIT || (k->link == CW_LINK_READY && !k->asked && !k->has_lease))
		return k->wait_until;
	return k->link == CW_LINK_READY && !k->asked ? k->renew_at : INT64_MAX;
}

const char *cw_keeper_state(const struct cw_keeper *k)
{
	if (k->goal == CW_GOAL_DONE)
		return "ended";
	if (k->goal == CW_GOAL_STOP)
		return "releasing";
	if (k->has_lease)
		return k->asked ? "renewing" : k->link == CW_LINK_READY ? "held" : "held-offline";
	if (k->link == CW_LINK_WAIT || (k->link == CW_LINK_READY && !k->asked))
		return "waiting";
	return "acquiring";
}
