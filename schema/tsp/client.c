/* SPDX-License-Identifier: BSD-2-Clause */
/* The client half of one TSP session; see client.h. RFC 5572 4.4.1.2 (UDP), 4.4.2 (lines before
 * COMMAND), 4.4.3 (frames); DSTM profile 2 and 4; guide tsp.md. Owns the input buffer, the SASL
 * exchange and the queue of requests that wait for answers. Every answer is bounded; what does not
 * fit the protocol ends the session with one CLOSED event, never with anything worse. Thread: the
 * owner's. */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"
#include "schema/tsp/client.h"

enum {
	LOGIN_MS = 20000,
	ANSWER_MS = 30000,
	UDP_FIRST_MS = 1000, /* first retransmission, doubled each time (RFC 5572 4.4.1.2) */
	UDP_TRIES = 5,
	INPUT_MAX = CW_TSP_ANSWER_MAX + CW_TSP_LINE_MAX,
	ARENA_CAP = 64 * 1024,
};

struct pending {
	uint64_t token;
	enum cw_tsp_action action;
	int64_t deadline;
};

struct cw_tsp_client {
	const struct cw_tsp_client_conf *conf;
	const struct cw_tsp_client_ops *ops;
	void *arg;
	enum cw_tsp_client_state state;
	enum cw_tsp_version version;
	int mech;
	struct cw_sasl_client *sasl;
	struct cw_tsp_split split;
	struct cw_arena *arena;
	int64_t login_deadline;

	uint8_t in[INPUT_MAX];
	size_t in_n;
	bool eof;
	bool bare; /* a status line and a list that follows it, before COMMAND: read to the end */

	struct pending queue[CW_TSP_PIPELINE_MAX];
	unsigned first, count, limit;

	char ext[CW_TSP_EXTENSIONS_MAX][CW_TSP_EXTENSION_LEN];
	unsigned n_ext;

	/* UDP: what was sent last and waits for its one answer. */
	uint8_t datagram[CW_TSP_UDP_HEADER + CW_TSP_UDP_PAYLOAD_MAX];
	size_t datagram_n; /* 0: nothing outstanding */
	uint32_t sequence;
	unsigned tries;
	int64_t resend_at;
	bool fetching; /* the outstanding datagram's answer may be empty: an accept, or the fetch of
			  200 */
};

static const struct {
	const char *name, *text;
} whys[CW_TSP_WHYS] = {
	[CW_TSP_WHY_LOST] = {"lost", "the broker closed the connection"},
	[CW_TSP_WHY_TIMEOUT] = {"timeout", "the broker did not answer in time"},
	[CW_TSP_WHY_PROTOCOL] = {"protocol", "the broker sent what is not TSP"},
	[CW_TSP_WHY_VERSION] = {"version", "the broker does not speak this version of TSP"},
	[CW_TSP_WHY_AUTH] = {"auth", "the broker refused the login"},
	[CW_TSP_WHY_PROOF] = {"proof", "the broker did not prove that it knows the password"},
	[CW_TSP_WHY_MECHANISM] = {"mechanism",
		"the broker offers no login mechanism that is allowed here"},
	[CW_TSP_WHY_TYPE] = {"type", "the broker has no IPv4-in-IPv6 tunnels"},
	[CW_TSP_WHY_STATUS] = {"status", "the broker refused the session"},
	[CW_TSP_WHY_NOMEM] = {"nomem", "out of memory"},
};

const char *cw_tsp_why_name(enum cw_tsp_why why)
{
	return whys[why].name;
}

const char *cw_tsp_why_text(enum cw_tsp_why why)
{
	return whys[why].text;
}

/* ---- ends ---- */

static void wipe_input(struct cw_tsp_client *c)
{
	c->in_n = 0;
}

static void close_with(struct cw_tsp_client *c, struct cw_tsp_client_event *ev)
{
	if (c->state == CW_TSP_C_CLOSED)
		return;
	c->state = CW_TSP_C_CLOSED;
	c->sasl = cw_sasl_client_free(c->sasl);
	explicit_bzero(c->datagram, sizeof c->datagram);
	c->datagram_n = 0;
	ev->type = CW_TSP_EV_CLOSED;
	c->ops->event(c->arg, ev);
}

static void close_why(struct cw_tsp_client *c, enum cw_tsp_why why)
{
	struct cw_tsp_client_event ev = {.why = why, .status = CW_TSP_EVENTS};

	close_with(c, &ev);
}

/* ---- output ---- */

static void send_datagram(struct cw_tsp_client *c, int64_t now_ms)
{
	struct cw_tsp_udp_header h = {.sequence = c->sequence, .timestamp = (uint32_t) now_ms};

	cw_tsp_udp_render(&h, c->datagram);
	c->resend_at = now_ms + ((int64_t) UDP_FIRST_MS << c->tries);
	c->tries++;
	c->ops->send(c->arg, c->datagram, c->datagram_n);
}

/* One message of ours. UDP: numbered, kept until it is answered. */
static void transmit(
	struct cw_tsp_client *c, const void *p, size_t n, bool fetching, int64_t now_ms)
{
	if (!c->conf->udp) {
		c->ops->send(c->arg, p, n);
		return;
	}
	if (n > CW_TSP_UDP_PAYLOAD_MAX) {
		close_why(c, CW_TSP_WHY_PROTOCOL);
		return;
	}
	c->sequence = (c->sequence + 1) & 0xfffffff;
	c->tries = 0;
	c->fetching = fetching;
	if (n)
		memcpy(c->datagram + CW_TSP_UDP_HEADER, p, n);
	c->datagram_n = CW_TSP_UDP_HEADER + n;
	send_datagram(c, now_ms);
}

static void send_line(struct cw_tsp_client *c, struct cw_writer *w, int64_t now_ms)
{
	cw_write_str(w, "\r\n");
	if (w->bad)
		close_why(c, CW_TSP_WHY_PROTOCOL);
	else
		transmit(c, w->start, cw_write_len(w), false, now_ms);
}

/* ---- status lines before COMMAND ---- */

static enum cw_tsp_why why_of(enum cw_tsp_event status)
{
	switch (status) {
	case CW_TSP_AUTH:
		return CW_TSP_WHY_AUTH;
	case CW_TSP_VERSION:
		return CW_TSP_WHY_VERSION;
	default:
		return CW_TSP_WHY_STATUS;
	}
}

static unsigned parse_flags(const struct cw_tsp_client *c)
{
	return CW_TSP_PARSE_SERVER | (c->conf->loopback_ok ? CW_TSP_PARSE_LOOPBACK : 0);
}

/* A refusal (RFC 5572 4.4.2 figures 8 to 10): status line and perhaps a list, all there is. A list
 * that does not parse is no list. */
static void refused(struct cw_tsp_client *c, const void *p, size_t n)
{
	struct cw_tsp_client_event ev = {.status = CW_TSP_EVENTS};
	enum cw_tsp_event fault;
	struct cw_tsp_msg msg;
	struct cw_slice xml;

	if (cw_tsp_parse_reply(p, n, &ev.code, &ev.text, &xml) < 0 || ev.code == 0) {
		close_why(c, CW_TSP_WHY_PROTOCOL);
		return;
	}
	ev.status = cw_tsp_event_of(ev.code, c->version);
	ev.why = why_of(ev.status);
	cw_arena_reset(c->arena);
	if (xml.n && cw_tsp_parse(xml.p, xml.n, parse_flags(c), c->arena, &msg, &fault) == 0)
		ev.msg = &msg;
	close_with(c, &ev);
}

/* "NNN text", "NNNN text", the draft's "OK text", or three digits alone: no base64 line has a blank
 * or is three octets long. */
static bool is_status(struct cw_slice line)
{
	if (memchr(line.p, ' ', line.n))
		return true;
	return line.n == 3 && line.p[0] >= '1' && line.p[0] <= '9';
}

/* ---- login ---- */

static bool word_is(struct cw_slice w, const char *name, struct cw_slice *ret_value)
{
	size_t n = strlen(name);

	if (w.n <= n || strncasecmp(w.p, name, n) != 0)
		return false;
	*ret_value = (struct cw_slice){w.p + n, w.n - n};
	return true;
}

static void remember_ext(struct cw_tsp_client *c, struct cw_slice name)
{
	if (c->n_ext == CW_TSP_EXTENSIONS_MAX || name.n >= CW_TSP_EXTENSION_LEN)
		return;
	memcpy(c->ext[c->n_ext], name.p, name.n);
	c->ext[c->n_ext++][name.n] = '\0';
}

/* CAPABILITY: the mechanisms offered as bits; false if it is none or has no v4v6 tunnels. Words
 * that are not known are skipped (guide tsp.md 9). */
static bool read_capability(struct cw_tsp_client *c, struct cw_slice line, unsigned *ret_mechs)
{
	struct cw_slice value = {0};
	struct cw_slice word;
	unsigned mechs = 0;
	bool v4v6 = false;
	bool first = true;

	for (size_t at = 0; at < line.n; at += word.n + 1) {
		const char *blank = memchr(line.p + at, ' ', line.n - at);
		int m;

		word = (struct cw_slice){
			line.p + at, blank ? (size_t) (blank - line.p) - at : line.n - at};
		if (first && (word.n != 10 || strncasecmp(word.p, "CAPABILITY", 10) != 0)) {
			close_why(c, CW_TSP_WHY_PROTOCOL);
			return false;
		}
		first = false;
		if (word_is(word, "TUNNEL=", &value)) {
			v4v6 = v4v6 || (value.n == 4 && strncasecmp(value.p, "V4V6", 4) == 0);
		} else if (word_is(word, "AUTH=", &value)) {
			m = cw_mech_of(value);
			if (m >= 0)
				mechs |= CW_MECH_BIT(m);
		} else if (word_is(word, "EXT=", &value)) {
			remember_ext(c, value);
		}
	}
	if (!v4v6) {
		close_why(c, first ? CW_TSP_WHY_PROTOCOL : CW_TSP_WHY_TYPE);
		return false;
	}
	*ret_mechs = mechs;
	return true;
}

static int begin_sasl(
	struct cw_tsp_client *c, enum cw_mech m, bool *ret_has, struct cw_slice *ret_initial)
{
	const struct cw_sasl_client_conf conf = {.mech = m,
		.user = c->conf->user,
		.password = c->conf->password,
		.host = c->conf->host};
	int r = cw_sasl_client_new(&conf, &c->sasl);

	if (r < 0)
		return r;
	r = cw_sasl_client_start(c->sasl, ret_has, ret_initial);
	if (r < 0)
		c->sasl = cw_sasl_client_free(c->sasl);
	return r;
}

static void write_base64(struct cw_writer *w, struct cw_slice data)
{
	int n = cw_base64_encode(data.p, data.n, (char *) w->pos, (size_t) (w->end - w->pos));

	if (n < 0)
		w->bad = true;
	else
		w->pos += n;
}

/* capability: the line that offers them. */
static void authenticate(
	struct cw_tsp_client *c, struct cw_slice capability, unsigned offered, int64_t now_ms)
{
	struct cw_tsp_client_event none = {
		.why = CW_TSP_WHY_MECHANISM, .status = CW_TSP_EVENTS, .text = capability};
	char buf[CW_TSP_SASL_LINE_MAX + 64];
	struct cw_writer w = cw_writer_of(buf, sizeof buf);
	struct cw_slice initial = {0};
	bool has = false;
	int r = -ENOSYS;

	for (int m = 0; m < CW_MECH_COUNT && r < 0; m++) {
		if (!(offered & c->conf->mechs & CW_MECH_BIT(m)))
			continue;
		r = begin_sasl(c, (enum cw_mech) m, &has, &initial);
		if (r == -ENOMEM)
			break;
		c->mech = m;
	}
	if (r < 0) {
		c->mech = -1;
		if (r == -ENOMEM)
			none = (struct cw_tsp_client_event){
				.why = CW_TSP_WHY_NOMEM, .status = CW_TSP_EVENTS};
		close_with(c, &none);
		return;
	}
	c->state = CW_TSP_C_SASL;
	cw_write_fmt(&w, "AUTHENTICATE %s", cw_mech_name((enum cw_mech) c->mech));
	if (has) {
		cw_write_str(&w, " ");
		if (initial.n)
			write_base64(&w, initial);
		else
			cw_write_str(&w, "="); /* RFC 4422 4: an empty response, not none */
	}
	send_line(c, &w, now_ms);
	explicit_bzero(buf, sizeof buf);
}

static void on_challenge(struct cw_tsp_client *c, struct cw_slice line, int64_t now_ms)
{
	char raw[CW_TSP_SASL_LINE_MAX];
	char buf[CW_TSP_SASL_LINE_MAX + 64];
	struct cw_writer w = cw_writer_of(buf, sizeof buf);
	struct cw_slice answer;
	int n = cw_base64_decode(line.p, line.n, raw, sizeof raw);
	int r;

	if (n < 0) {
		close_why(c, CW_TSP_WHY_PROTOCOL);
		return;
	}
	r = cw_sasl_client_step(c->sasl, (struct cw_slice){raw, (size_t) n}, &answer);
	if (r < 0) {
		close_why(c, r == -ENOMEM ? CW_TSP_WHY_NOMEM : CW_TSP_WHY_PROOF);
		return;
	}
	if (!answer.p) {
		/* That was the broker's proof; 200 follows by itself, over UDP it is fetched. */
		if (c->conf->udp)
			transmit(c, "", 0, true, now_ms);
		return;
	}
	write_base64(&w, answer);
	send_line(c, &w, now_ms);
	explicit_bzero(buf, sizeof buf);
}

static void on_verdict(struct cw_tsp_client *c)
{
	struct cw_tsp_client_event ev = {
		.type = CW_TSP_EV_READY, .status = CW_TSP_DONE, .code = 200};

	/* RFC 5802 3, RFC 2831 2.1.3: success without the broker's proof is somebody else's. */
	if (!cw_sasl_client_done(c->sasl)) {
		close_why(c, CW_TSP_WHY_PROOF);
		return;
	}
	c->sasl = cw_sasl_client_free(c->sasl);
	c->state = CW_TSP_C_READY;
	c->login_deadline = INT64_MAX;
	c->ops->event(c->arg, &ev);
}

static void on_line(struct cw_tsp_client *c, struct cw_slice line, int64_t now_ms)
{
	struct cw_slice text;
	struct cw_slice xml;
	unsigned offered;
	unsigned code;

	if (c->state == CW_TSP_C_VERSION) {
		if (read_capability(c, line, &offered))
			authenticate(c, line, offered, now_ms);
		return;
	}
	if (!is_status(line)) {
		on_challenge(c, line, now_ms);
		return;
	}
	if (cw_tsp_parse_reply(line.p, line.n, &code, &text, &xml) == 0 && code == 200)
		on_verdict(c);
	else
		refused(c, line.p, line.n);
}

/* ---- answers to requests ---- */

static void on_answer(struct cw_tsp_client *c, struct cw_tsp_client_event *ev)
{
	struct pending *q = &c->queue[c->first];
	bool wants_info = q->action == CW_TSP_CREATE || q->action == CW_TSP_INFO;

	/* 200 to a create or info without the tunnel's data is no answer at all. */
	if (ev->status == CW_TSP_DONE && wants_info &&
		(!ev->msg || ev->msg->action != CW_TSP_INFO)) {
		close_why(c, CW_TSP_WHY_PROTOCOL);
		return;
	}
	ev->type = CW_TSP_EV_REPLY;
	ev->token = q->token;
	ev->asked = q->action;
	c->first = (c->first + 1) % CW_TSP_PIPELINE_MAX;
	c->count--;
	c->ops->event(c->arg, ev);
}

static void on_frame(struct cw_tsp_client *c, struct cw_slice payload)
{
	struct cw_tsp_client_event ev = {.status = CW_TSP_EVENTS};
	enum cw_tsp_event fault;
	struct cw_tsp_msg msg = {0};
	struct cw_slice xml;
	int r;

	if (cw_tsp_parse_reply(payload.p, payload.n, &ev.code, &ev.text, &xml) < 0) {
		close_why(c, CW_TSP_WHY_PROTOCOL);
		return;
	}
	ev.status = ev.code ? cw_tsp_event_of(ev.code, c->version) : CW_TSP_DONE;
	cw_arena_reset(c->arena);
	if (xml.n) {
		r = cw_tsp_parse(xml.p, xml.n, parse_flags(c), c->arena, &msg, &fault);
		if (r == 0)
			ev.msg = &msg;
		else if (r == -ENOMEM) {
			close_why(c, CW_TSP_WHY_NOMEM);
			return;
		}
	}
	/* Nobody answers a request with a delete: this one was pushed, whatever is outstanding
	 * (DSTM 4.3). */
	if (ev.msg && msg.action == CW_TSP_DELETE && ev.status == CW_TSP_DONE) {
		ev.type = CW_TSP_EV_DELETED;
		c->ops->event(c->arg, &ev);
		return;
	}
	if (c->count == 0 || ev.code == 0)
		close_why(c, CW_TSP_WHY_PROTOCOL);
	else
		on_answer(c, &ev);
}

/* ---- input ---- */

static void consume(struct cw_tsp_client *c, size_t n)
{
	memmove(c->in, c->in + n, c->in_n - n);
	c->in_n -= n;
}

/* Before COMMAND a refusal may carry a list behind its status line, unframed: it ends with
 * </tunnel> or with the connection. */
static bool bare_complete(const struct cw_tsp_client *c)
{
	static const char end[] = "</tunnel>";

	return c->eof || c->conf->udp || memmem(c->in, c->in_n, end, sizeof end - 1);
}

/* One line at the front of the input, before READY. false: more is needed, or it is over. */
static bool step_line(struct cw_tsp_client *c, int64_t now_ms)
{
	bool sasl = c->state == CW_TSP_C_SASL;
	struct cw_slice line;
	unsigned code = 0;
	struct cw_slice text;
	struct cw_slice xml;
	size_t used = 0;
	size_t offset;
	int r;

	if (c->bare) {
		if (!bare_complete(c))
			return false;
		refused(c, c->in, c->in_n);
		return false;
	}
	r = cw_tsp_split_line(&c->split, c->in, c->in_n,
		sasl ? CW_TSP_SASL_LINE_MAX : CW_TSP_LINE_MAX, &line, &used);
	if (r < 0) {
		close_why(c, CW_TSP_WHY_PROTOCOL);
		return false;
	}
	if (r == 0) {
		consume(c, used);
		return false;
	}
	if (is_status(line) && cw_tsp_parse_reply(line.p, line.n, &code, &text, &xml) == 0 &&
		code != 200) {
		offset = (size_t) ((const uint8_t *) line.p - c->in);
		if (code >= 1000 && code < 2000) {
			consume(c, offset);
			c->bare = true;
			return true;
		}
		refused(c, line.p, line.n);
		return false;
	}
	on_line(c, line, now_ms);
	consume(c, used);
	return c->state != CW_TSP_C_CLOSED;
}

static bool step_frame(struct cw_tsp_client *c)
{
	struct cw_slice payload;
	size_t used = 0;
	int r = cw_tsp_split_frame(&c->split, c->in, c->in_n, CW_TSP_ANSWER_MAX, &payload, &used);

	if (r < 0) {
		close_why(c, CW_TSP_WHY_PROTOCOL);
		return false;
	}
	if (r == 1)
		on_frame(c, payload);
	consume(c, used);
	return r == 1 && c->state != CW_TSP_C_CLOSED;
}

static void process(struct cw_tsp_client *c, int64_t now_ms)
{
	bool more = true;

	while (more && c->state != CW_TSP_C_CLOSED && (c->in_n || c->bare))
		more = c->state == CW_TSP_C_READY ? step_frame(c) : step_line(c, now_ms);
	if (c->state == CW_TSP_C_CLOSED)
		wipe_input(c);
}

/* A datagram that answers what is outstanding goes on as if its payload had arrived on a stream. */
static void input_datagram(struct cw_tsp_client *c, const void *p, size_t n, int64_t now_ms)
{
	struct cw_tsp_udp_header h;
	struct cw_slice payload;

	if (cw_tsp_udp_parse(p, n, &h, &payload) < 0 || !c->datagram_n || h.sequence != c->sequence)
		return; /* not for us, or an answer that was answered already */
	if (payload.n == 0 && !c->fetching)
		return; /* nothing yet: the retransmission asks again */
	c->datagram_n = 0;
	explicit_bzero(c->datagram, sizeof c->datagram);
	c->in_n = 0;
	c->split = (struct cw_tsp_split){0};
	if (payload.n > sizeof c->in) {
		close_why(c, CW_TSP_WHY_PROTOCOL);
		return;
	}
	memcpy(c->in, payload.p, payload.n);
	c->in_n = payload.n;
	process(c, now_ms);
	/* A datagram holds its message whole. */
	if (c->state != CW_TSP_C_CLOSED && c->in_n)
		close_why(c, CW_TSP_WHY_PROTOCOL);
}

void cw_tsp_client_input(struct cw_tsp_client *c, const void *p, size_t n, int64_t now_ms)
{
	const uint8_t *from = p;

	if (c->state == CW_TSP_C_CLOSED || c->eof)
		return;
	if (c->conf->udp) {
		input_datagram(c, p, n, now_ms);
		return;
	}
	while (n && c->state != CW_TSP_C_CLOSED) {
		size_t room = sizeof c->in - c->in_n;
		size_t take = n < room ? n : room;

		if (take == 0) {
			close_why(c, CW_TSP_WHY_PROTOCOL);
			break;
		}
		memcpy(c->in + c->in_n, from, take);
		c->in_n += take;
		from += take;
		n -= take;
		process(c, now_ms);
	}
}

void cw_tsp_client_eof(struct cw_tsp_client *c, int64_t now_ms)
{
	if (c->state == CW_TSP_C_CLOSED || c->eof)
		return;
	c->eof = true;
	process(c, now_ms);
	close_why(c, CW_TSP_WHY_LOST);
}

/* ---- requests ---- */

static int send_frame(
	struct cw_tsp_client *c, const struct cw_tsp_msg *msg, bool fetching, int64_t now_ms)
{
	char buf[CW_TSP_REPLY_MAX];
	int n;

	if (c->state != CW_TSP_C_READY)
		return -ENOTCONN;
	if (c->conf->udp && c->datagram_n)
		return -EBUSY;
	n = cw_tsp_render(NULL, msg, buf, sizeof buf);
	if (n < 0)
		return n;
	transmit(c, buf, (size_t) n, fetching, now_ms);
	return 0;
}

int cw_tsp_client_request(
	struct cw_tsp_client *c, const struct cw_tsp_msg *msg, uint64_t token, int64_t now_ms)
{
	uint32_t answer_ms = c->conf->answer_ms ? c->conf->answer_ms : ANSWER_MS;
	struct pending *q = &c->queue[(c->first + c->count) % CW_TSP_PIPELINE_MAX];
	int r;

	if (c->state != CW_TSP_C_READY)
		return -ENOTCONN;
	if (c->count >= c->limit)
		return -EBUSY;
	*q = (struct pending){
		.token = token, .action = msg->action, .deadline = now_ms + answer_ms};
	c->count++; /* before sending: the answer may come inside send() */
	r = send_frame(c, msg, false, now_ms);
	if (r < 0)
		c->count--;
	return r;
}

int cw_tsp_client_accept(struct cw_tsp_client *c, bool yes, int64_t now_ms)
{
	const struct cw_tsp_msg msg = {.action = yes ? CW_TSP_ACCEPT : CW_TSP_REJECT};

	if (c->state != CW_TSP_C_READY)
		return -ENOTCONN;
	return c->version == CW_TSP_V1 ? 0 : send_frame(c, &msg, true, now_ms);
}

int cw_tsp_client_ack(struct cw_tsp_client *c, const struct cw_tsp_msg *deleted, int64_t now_ms)
{
	struct cw_tsp_msg msg;

	cw_tsp_msg_about(&msg, CW_TSP_INFO, &deleted->client.v6,
		deleted->client.has_v4 ? &deleted->client.v4 : NULL, NULL);
	return send_frame(c, &msg, true, now_ms);
}

/* ---- time ---- */

int64_t cw_tsp_client_deadline(const struct cw_tsp_client *c)
{
	int64_t at = INT64_MAX;

	if (c->state == CW_TSP_C_CLOSED)
		return at;
	at = c->login_deadline;
	if (c->count && c->queue[c->first].deadline < at)
		at = c->queue[c->first].deadline;
	if (c->datagram_n && c->resend_at < at)
		at = c->resend_at;
	return at;
}

void cw_tsp_client_tick(struct cw_tsp_client *c, int64_t now_ms)
{
	if (c->state == CW_TSP_C_CLOSED)
		return;
	if (now_ms >= c->login_deadline || (c->count && now_ms >= c->queue[c->first].deadline)) {
		if (c->bare) /* a code that promised a list, but no end of the list: the code counts
			      */
			refused(c, c->in, c->in_n);
		else
			close_why(c, CW_TSP_WHY_TIMEOUT);
		return;
	}
	if (!c->datagram_n || now_ms < c->resend_at)
		return;
	if (c->tries >= UDP_TRIES)
		close_why(c, CW_TSP_WHY_TIMEOUT);
	else
		send_datagram(c, now_ms);
}

/* ---- life ---- */

int cw_tsp_client_new(const struct cw_tsp_client_conf *conf, const struct cw_tsp_client_ops *ops,
	void *arg, struct cw_tsp_client **ret)
{
	const struct cw_slice line = {conf->version, conf->version ? strlen(conf->version) : 0};
	char text[32] = "VERSION=";
	enum cw_tsp_version version;
	struct cw_tsp_client *c;

	if (line.n == 0 || line.n > sizeof text - 9 || conf->mechs == 0 ||
		conf->pipeline > CW_TSP_PIPELINE_MAX)
		return -EINVAL;
	memcpy(text + 8, line.p, line.n);
	if (cw_tsp_parse_version((struct cw_slice){text, 8 + line.n}, &version) < 0)
		return -EINVAL;
	c = cw_zalloc(1, sizeof *c);
	if (!c)
		return -ENOMEM;
	c->arena = cw_arena_new(ARENA_CAP);
	if (!c->arena) {
		(void) cw_free(c);
		return -ENOMEM;
	}
	c->conf = conf;
	c->ops = ops;
	c->arg = arg;
	c->version = version;
	c->mech = -1;
	c->limit = conf->pipeline ? conf->pipeline : 1;
	c->login_deadline = INT64_MAX;
	*ret = c;
	return 0;
}

struct cw_tsp_client *cw_tsp_client_free(struct cw_tsp_client *c)
{
	if (!c)
		return NULL;
	c->sasl = cw_sasl_client_free(c->sasl);
	c->arena = cw_arena_free(c->arena);
	return cw_free_secret(c, sizeof *c); /* a datagram may hold a password */
}

void cw_tsp_client_start(struct cw_tsp_client *c, int64_t now_ms)
{
	char buf[64];
	struct cw_writer w = cw_writer_of(buf, sizeof buf);
	uint32_t seed;

	/* Where a sequence starts does not matter; not the same for every process, as deployed
	 * clients do. */
	c->sequence = cw_random(&seed, sizeof seed) == 0 ? seed & 0xfffffff : 0;
	c->login_deadline = now_ms + (c->conf->login_ms ? c->conf->login_ms : LOGIN_MS);
	cw_write_fmt(&w, "VERSION=%s", c->conf->version);
	send_line(c, &w, now_ms);
}

enum cw_tsp_client_state cw_tsp_client_state(const struct cw_tsp_client *c)
{
	return c->state;
}

enum cw_tsp_version cw_tsp_client_version(const struct cw_tsp_client *c)
{
	return c->version;
}

int cw_tsp_client_mech(const struct cw_tsp_client *c)
{
	return c->mech;
}

unsigned cw_tsp_client_outstanding(const struct cw_tsp_client *c)
{
	return c->count;
}

bool cw_tsp_client_has_ext(const struct cw_tsp_client *c, const char *name)
{
	for (unsigned i = 0; i < c->n_ext; i++)
		if (strcasecmp(c->ext[i], name) == 0)
			return true;
	return false;
}
