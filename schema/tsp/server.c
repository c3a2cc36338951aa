/* SPDX-License-Identifier: BSD-2-Clause */
/* The server half of a TSP session (RFC 5572 4.4; DSTM profile 2 to 4; states as in server.h).
 *
 * One piece at a time: a line before COMMAND, a frame after it. While a SASL step, a held-back
 * verdict or a request is under way nothing further is looked at, so answers come in the order of
 * the questions. Octets that cannot be worked on yet are kept in `buf`, which is given back as soon
 * as it is empty: an idle session is its struct alone.
 *
 * On UDP a datagram is one piece and gets exactly one answer: `unanswered` is set when it comes,
 * and what has nothing to say answers with nothing. Thread: the owner's. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "schema/tsp/server_priv.h"

enum {
	INPUT_MAX = 65536,  /* kept for one session; more: the owner did not stop reading */
	INPUT_PAUSE = 1024, /* kept while busy before the owner shall stop reading */
	BUF_STEP = 512,
	BAD_CONTENT_MAX = 3, /* 500s for content that a connection survives */
	UDP_REPLY_MAX = CW_TSP_UDP_PAYLOAD_MAX,
};

/* ---- names, configuration ---- */

const char *cw_tsp_close_name(enum cw_tsp_close reason)
{
	static const char *const names[] = {
		[CW_TSP_CLOSE_EOF] = "eof",
		[CW_TSP_CLOSE_VERSION] = "version",
		[CW_TSP_CLOSE_AUTH] = "auth",
		[CW_TSP_CLOSE_FORMAT] = "format",
		[CW_TSP_CLOSE_TIMEOUT] = "timeout",
		[CW_TSP_CLOSE_OVERRUN] = "overrun",
		[CW_TSP_CLOSE_BUSY] = "busy",
		[CW_TSP_CLOSE_NOMEM] = "nomem",
	};

	return (unsigned) reason < CW_ARRAY_LEN(names) ? names[reason] : "unknown";
}

void cw_tsp_server_conf_init(struct cw_tsp_server_conf *conf)
{
	*conf = (struct cw_tsp_server_conf){
		.mechs = "",
		.auth_ms = 30000,
		.frame_ms = 10000,
		.idle_ms = 60000,
		.offer_ms = 30000,
		.verdict_ms = 50,
	};
}

static size_t reply_max(const struct cw_tsp_server_conf *conf)
{
	return conf->udp ? (size_t) UDP_REPLY_MAX : (size_t) CW_TSP_REPLY_MAX;
}

static struct cw_tsp_msg list_of(const struct cw_tsp_redirect *to)
{
	return (struct cw_tsp_msg){
		.action = CW_TSP_LIST,
		.type = CW_TSP_TYPE_BROKER,
		.brokers = to->brokers,
		.n_brokers = to->n,
	};
}

int cw_tsp_server_conf_check(const struct cw_tsp_server_conf *conf)
{
	char out[CW_TSP_REPLY_MAX];
	int r = cw_tsp_render_capability(conf->mechs, conf->ext, out, reply_max(conf));

	for (unsigned ev = 0; r >= 0 && ev < CW_TSP_EVENTS; ev++) {
		const struct cw_tsp_msg list = list_of(&conf->redirect[ev]);
		const struct cw_tsp_status st =
			cw_tsp_status((enum cw_tsp_event) ev, CW_TSP_V1, list.n_brokers > 0);

		if (list.n_brokers)
			r = cw_tsp_render(&st, &list, out, reply_max(conf));
	}
	return r < 0 ? r : 0;
}

/* ---- life ---- */

static int64_t after(int64_t now_ms, uint32_t ms)
{
	return ms ? now_ms + ms : CW_TSP_NEVER;
}

int cw_tsp_server_new(const struct cw_tsp_server_conf *conf, const struct cw_tsp_server_ops *ops,
	void *arg, int64_t now_ms, struct cw_tsp_server **ret)
{
	struct cw_tsp_server *s = cw_zalloc(1, sizeof *s);

	if (!s)
		return -ENOMEM;
	s->conf = conf;
	s->ops = ops;
	s->arg = arg;
	s->pushes_end = &s->pushes;
	s->sent_end = &s->sent;
	s->auth_at = after(now_ms, conf->auth_ms);
	s->frame_at = s->idle_at = s->offer_at = s->verdict_at = CW_TSP_NEVER;
	s->state = CW_TSP_S_HELLO;
	s->version = CW_TSP_V2;
	*ret = s;
	return 0;
}

static void drop_buffer(struct cw_tsp_server *s)
{
	/* It may hold a password. */
	s->buf = cw_free_secret(s->buf, s->cap);
	s->len = s->cap = 0;
}

struct cw_tsp_server *cw_tsp_server_free(struct cw_tsp_server *s)
{
	if (!s)
		return NULL;
	drop_buffer(s);
	cw_tsp_s_drop_pushes(s);
	return cw_free(s);
}

/* Nothing more will be worked on; the owner hears what became of what it gave. */
static void end(struct cw_tsp_server *s)
{
	const bool offered = s->state == CW_TSP_S_OFFER, exchange = s->sasl_begun;

	s->state = CW_TSP_S_CLOSED;
	s->sasl_begun = s->sasl_running = s->request_running = false;
	s->verdict = CW_TSP_VERDICT_NONE;
	s->auth_at = s->frame_at = s->idle_at = s->offer_at = s->verdict_at = CW_TSP_NEVER;
	cw_tsp_s_drop_pushes(s);
	if (exchange)
		s->ops->sasl_abort(s->arg);
	if (offered)
		s->ops->offer(s->arg, CW_TSP_OFFER_LOST);
}

static void close_session(struct cw_tsp_server *s, enum cw_tsp_close reason)
{
	if (s->state == CW_TSP_S_CLOSED)
		return;
	end(s);
	s->ops->close(s->arg, reason);
}

void cw_tsp_server_lost(struct cw_tsp_server *s)
{
	if (s->state == CW_TSP_S_CLOSED)
		return;
	end(s);
	drop_buffer(s);
}

/* ---- saying something ---- */

void cw_tsp_s_say(struct cw_tsp_server *s, const void *p, size_t n)
{
	s->unanswered = false;
	s->ops->send(s->arg, p, n);
}

bool cw_tsp_s_is_framed(const struct cw_tsp_server *s)
{
	return s->state >= CW_TSP_S_COMMAND;
}

/* The event's status, with the brokers that the configuration names for it. */
void cw_tsp_s_say_status(
	struct cw_tsp_server *s, enum cw_tsp_event ev, const struct cw_tsp_msg *msg)
{
	int (*const render)(const struct cw_tsp_status *, const struct cw_tsp_msg *, char *,
		size_t) = cw_tsp_s_is_framed(s) ? cw_tsp_render : cw_tsp_render_bare;
	const struct cw_tsp_redirect *to = &s->conf->redirect[ev];
	const struct cw_tsp_msg list = list_of(to);
	struct cw_tsp_status st = cw_tsp_status(ev, s->version, to->n > 0);
	char out[CW_TSP_REPLY_MAX];
	int n = render(&st, to->n ? &list : msg, out, reply_max(s->conf));

	if (n < 0) { /* nothing a peer can bring about; better a plain status than silence */
		st = cw_tsp_status(ev == CW_TSP_DONE ? CW_TSP_INTERNAL : ev, s->version, false);
		n = render(&st, NULL, out, reply_max(s->conf));
	}
	if (n > 0)
		cw_tsp_s_say(s, out, (size_t) n);
}

void cw_tsp_s_refuse(struct cw_tsp_server *s, enum cw_tsp_event ev, enum cw_tsp_close reason)
{
	cw_tsp_s_say_status(s, ev, NULL);
	close_session(s, reason);
}

void cw_tsp_s_enter_command(struct cw_tsp_server *s, int64_t now_ms)
{
	s->state = s->lease ? CW_TSP_S_ESTAB : CW_TSP_S_COMMAND;
	s->offer_at = CW_TSP_NEVER;
	s->idle_at = s->lease ? CW_TSP_NEVER : after(now_ms, s->conf->idle_ms);
}

/* ---- requests ---- */

static void say_bad(struct cw_tsp_server *s, enum cw_tsp_event ev, bool fatal)
{
	if (ev == CW_TSP_FORMAT && ++s->bad_content > BAD_CONTENT_MAX)
		fatal = true;
	cw_tsp_s_say_status(s, ev, NULL);
	if (fatal)
		close_session(s, CW_TSP_CLOSE_FORMAT);
}

static void on_offer_answer(struct cw_tsp_server *s, bool accepted, int64_t now_ms)
{
	if (s->state != CW_TSP_S_OFFER) { /* silence; never a lease */
		s->strays++;
		return;
	}
	s->lease = s->lease || accepted;
	cw_tsp_s_enter_command(s, now_ms);
	s->ops->offer(s->arg, accepted ? CW_TSP_OFFER_ACCEPTED : CW_TSP_OFFER_REJECTED);
}

static void on_frame(struct cw_tsp_server *s, struct cw_slice payload, int64_t now_ms)
{
	const unsigned flags = s->conf->loopback_ok ? CW_TSP_PARSE_LOOPBACK : 0;
	enum cw_tsp_event ev;
	struct cw_tsp_msg msg;
	const int r = cw_tsp_parse(payload.p, payload.n, flags, NULL, &msg, &ev);

	if (s->state == CW_TSP_S_COMMAND)
		s->idle_at = after(now_ms, s->conf->idle_ms);
	if (r < 0) {
		say_bad(s, ev, r == CW_E_LIMIT);
	} else if (msg.action == CW_TSP_ACCEPT || msg.action == CW_TSP_REJECT) {
		on_offer_answer(s, msg.action == CW_TSP_ACCEPT, now_ms);
	} else if (msg.action == CW_TSP_INFO && cw_tsp_s_take_sent(s, &msg.client)) { /* DSTM 2.3 */
		if (s->ops->delete_acked)
			s->ops->delete_acked(s->arg, &msg);
	} else {
		s->request_running = true;
		s->ops->request(s->arg, &msg);
	}
}

/* ---- input ---- */

static bool is_waiting(const struct cw_tsp_server *s)
{
	return s->sasl_running || s->request_running ||
	       (s->verdict != CW_TSP_VERDICT_NONE && s->verdict != CW_TSP_VERDICT_FETCH);
}

/* One piece of what is there. 1: worked on; 0: more is needed. */
static int step(
	struct cw_tsp_server *s, const uint8_t *p, size_t n, size_t *ret_used, int64_t now_ms)
{
	const size_t max = s->state == CW_TSP_S_SASL ? CW_TSP_SASL_LINE_MAX : CW_TSP_LINE_MAX;
	struct cw_slice piece;
	int r;

	*ret_used = 0;
	if (cw_tsp_s_is_framed(s))
		r = cw_tsp_split_frame(&s->split, p, n, CW_TSP_PAYLOAD_MAX, &piece, ret_used);
	else
		r = cw_tsp_split_line(&s->split, p, n, max, &piece, ret_used);
	if (r == 0)
		return 0;
	if (r < 0) {
		cw_tsp_s_refuse(s, CW_TSP_FORMAT, CW_TSP_CLOSE_FORMAT);
		return 1;
	}
	switch (s->state) {
	case CW_TSP_S_HELLO:
		cw_tsp_s_on_hello(s, piece);
		break;
	case CW_TSP_S_AUTH:
		cw_tsp_s_on_auth(s, piece);
		break;
	case CW_TSP_S_SASL:
		cw_tsp_s_on_sasl(s, piece);
		break;
	case CW_TSP_S_COMMAND:
	case CW_TSP_S_OFFER:
	case CW_TSP_S_ESTAB:
		on_frame(s, piece, now_ms);
		break;
	case CW_TSP_S_CLOSED:
		break;
	}
	return 1;
}

/* Works off n octets at p as far as that goes; octets used. */
static size_t work(struct cw_tsp_server *s, const uint8_t *p, size_t n, int64_t now_ms)
{
	size_t used = 0, step_used = 0;
	bool any = false;

	s->in_run = true;
	while (s->state != CW_TSP_S_CLOSED && !is_waiting(s) && used < n) {
		const int r = step(s, p + used, n - used, &step_used, now_ms);

		used += step_used;
		if (r == 0)
			break;
		any = true;
	}
	s->in_run = false;
	if (!cw_tsp_s_is_framed(s) || is_waiting(s) || used == n || s->state == CW_TSP_S_CLOSED)
		s->frame_at = CW_TSP_NEVER;
	else if (any || s->frame_at == CW_TSP_NEVER)
		s->frame_at = after(now_ms, s->conf->frame_ms);
	return used;
}

/* After a FIN: what is still unfinished will never be whole. */
static void finish_eof(struct cw_tsp_server *s)
{
	if (!s->eof || is_waiting(s) || s->state == CW_TSP_S_CLOSED)
		return;
	if (cw_tsp_s_is_framed(s) && s->len)
		cw_tsp_s_refuse(s, CW_TSP_FORMAT, CW_TSP_CLOSE_FORMAT);
	else
		close_session(s, CW_TSP_CLOSE_EOF);
}

/* Goes on with what was kept. */
void cw_tsp_s_run(struct cw_tsp_server *s, int64_t now_ms)
{
	if (s->in_run)
		return;
	if (s->len) {
		const size_t used = work(s, s->buf, s->len, now_ms);

		memmove(s->buf, s->buf + used, s->len - used);
		s->len -= used;
	}
	finish_eof(s);
	if (!s->len || s->state == CW_TSP_S_CLOSED)
		drop_buffer(s);
}

static int keep(struct cw_tsp_server *s, const uint8_t *p, size_t n)
{
	const size_t need = s->len + n;

	if (need > s->cap) {
		const size_t cap = (need + BUF_STEP - 1) / BUF_STEP * BUF_STEP;
		uint8_t *bigger = cw_zalloc(cap, 1);

		if (!bigger)
			return -ENOMEM;
		if (s->len)
			memcpy(bigger, s->buf, s->len);
		(void) cw_free_secret(s->buf, s->cap);
		s->buf = bigger;
		s->cap = cap;
	}
	memcpy(s->buf + s->len, p, n);
	s->len = need;
	return 0;
}

/* One datagram: one piece, whose line end may be missing; NULs at its end mean nothing before
 * COMMAND. */
static void datagram(struct cw_tsp_server *s, const uint8_t *p, size_t n, int64_t now_ms)
{
	uint8_t line[CW_TSP_SASL_LINE_MAX + 1];
	size_t used;

	s->unanswered = true;
	s->in_run = true;
	s->split = (struct cw_tsp_split){0};
	if (!cw_tsp_s_is_framed(s)) {
		while (n && !p[n - 1])
			n--;
		if (s->verdict == CW_TSP_VERDICT_FETCH && n <= 2 && (!n || p[n - 1] == '\n')) {
			cw_tsp_s_give_verdict(s, now_ms);
			n = 0;
		} else if (s->verdict == CW_TSP_VERDICT_FETCH) {
			/* It did not wait for the verdict. */
			s->verdict = CW_TSP_VERDICT_NONE;
			s->auth_at = CW_TSP_NEVER;
			cw_tsp_s_enter_command(s, now_ms);
		}
	}
	if (!cw_tsp_s_is_framed(s) && n && n < sizeof line && !memchr(p, '\n', n)) {
		memcpy(line, p, n);
		line[n] = '\n';
		(void) step(s, line, n + 1, &used, now_ms);
		explicit_bzero(line, n);
	} else if (n && step(s, p, n, &used, now_ms) == 0 && used < n) {
		cw_tsp_s_refuse(s, CW_TSP_FORMAT, CW_TSP_CLOSE_FORMAT);
	}
	s->in_run = false;
	if (s->unanswered && !is_waiting(s))
		cw_tsp_s_say(s, NULL, 0);
}

void cw_tsp_server_input(struct cw_tsp_server *s, const void *p, size_t n, int64_t now_ms)
{
	const bool kept = s->len > 0;
	size_t used = 0;

	if (s->state == CW_TSP_S_CLOSED || s->eof)
		return;
	if (s->conf->udp) {
		if (!is_waiting(s))
			datagram(s, p, n, now_ms);
		return;
	}
	if (!n)
		return;
	/* Mostly nothing is kept: work on the caller's octets and keep what is left. */
	if (!kept) {
		used = work(s, p, n, now_ms);
		if (used == n || s->state == CW_TSP_S_CLOSED)
			return;
	} else if (s->len + n > INPUT_MAX) {
		close_session(s, CW_TSP_CLOSE_OVERRUN);
		drop_buffer(s);
		return;
	}
	if (keep(s, (const uint8_t *) p + used, n - used) < 0) {
		close_session(s, CW_TSP_CLOSE_NOMEM);
		drop_buffer(s);
		return;
	}
	if (kept)
		cw_tsp_s_run(s, now_ms);
}

void cw_tsp_server_eof(struct cw_tsp_server *s, int64_t now_ms)
{
	s->eof = true;
	cw_tsp_s_run(s, now_ms);
}

bool cw_tsp_server_wants_input(const struct cw_tsp_server *s)
{
	return s->state != CW_TSP_S_CLOSED && !s->eof && !(is_waiting(s) && s->len >= INPUT_PAUSE);
}

/* ---- time ---- */

/* A request that is worked on or arriving is no idleness. */
static int64_t idle_at(const struct cw_tsp_server *s)
{
	return is_waiting(s) || s->frame_at != CW_TSP_NEVER ? CW_TSP_NEVER : s->idle_at;
}

void cw_tsp_server_tick(struct cw_tsp_server *s, int64_t now_ms)
{
	if (s->verdict_at <= now_ms) {
		cw_tsp_s_give_verdict(s, now_ms);
		cw_tsp_s_run(s, now_ms);
	}
	if (s->auth_at <= now_ms || idle_at(s) <= now_ms) {
		close_session(s, CW_TSP_CLOSE_TIMEOUT);
	} else if (s->frame_at <= now_ms) {
		cw_tsp_s_refuse(s, CW_TSP_FORMAT, CW_TSP_CLOSE_TIMEOUT);
	} else if (s->offer_at <= now_ms) {
		cw_tsp_s_enter_command(s, now_ms);
		s->ops->offer(s->arg, CW_TSP_OFFER_TIMEOUT);
	}
	if (s->state == CW_TSP_S_CLOSED)
		drop_buffer(s);
}

int64_t cw_tsp_server_deadline(const struct cw_tsp_server *s)
{
	const int64_t all[] = {s->auth_at, s->frame_at, s->offer_at, s->verdict_at, idle_at(s)};
	int64_t first = CW_TSP_NEVER;

	for (unsigned i = 0; i < CW_ARRAY_LEN(all); i++)
		if (all[i] < first)
			first = all[i];
	return first;
}

/* ---- the owner's answers ---- */

void cw_tsp_server_reply(struct cw_tsp_server *s, enum cw_tsp_event ev,
	const struct cw_tsp_msg *msg, unsigned flags, int64_t now_ms)
{
	if (!s->request_running)
		return;
	s->request_running = false;
	if (ev == CW_TSP_DONE) {
		cw_tsp_s_forget_sent(s, msg);
		if (flags & CW_TSP_REPLY_OFFER && s->version == CW_TSP_V2) {
			s->state = CW_TSP_S_OFFER;
			s->offer_at = after(now_ms, s->conf->offer_ms);
		} else if (flags & (CW_TSP_REPLY_OFFER | CW_TSP_REPLY_LEASE)) {
			s->lease = true;
		}
	}
	if (s->state != CW_TSP_S_OFFER)
		cw_tsp_s_enter_command(s, now_ms);
	cw_tsp_s_say_status(s, ev, msg);
	cw_tsp_s_flush_pushes(s);
	cw_tsp_s_run(s, now_ms);
}

void cw_tsp_server_set_lease(struct cw_tsp_server *s, bool lease, int64_t now_ms)
{
	s->lease = lease;
	if (s->state == CW_TSP_S_OFFER && lease) /* the offer is another one's business */
		return;
	if (s->state == CW_TSP_S_COMMAND || s->state == CW_TSP_S_OFFER ||
		s->state == CW_TSP_S_ESTAB)
		cw_tsp_s_enter_command(s, now_ms);
}

void cw_tsp_server_refuse(struct cw_tsp_server *s, enum cw_tsp_event ev)
{
	if (s->state == CW_TSP_S_CLOSED)
		return;
	cw_tsp_s_refuse(s, ev, CW_TSP_CLOSE_BUSY);
	drop_buffer(s);
}

/* ---- what it looks like ---- */

enum cw_tsp_state cw_tsp_server_state(const struct cw_tsp_server *s)
{
	return s->state;
}

enum cw_tsp_version cw_tsp_server_version(const struct cw_tsp_server *s)
{
	return s->version;
}

const char *cw_tsp_server_mech(const struct cw_tsp_server *s)
{
	return s->mech[0] ? s->mech : NULL;
}

bool cw_tsp_server_busy(const struct cw_tsp_server *s)
{
	return s->sasl_running || s->request_running;
}

unsigned cw_tsp_server_strays(const struct cw_tsp_server *s)
{
	return s->strays;
}

size_t cw_tsp_server_memory(const struct cw_tsp_server *s)
{
	return sizeof *s + s->cap + cw_tsp_s_pushes_memory(s);
}
