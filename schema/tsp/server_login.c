/* SPDX-License-Identifier: BSD-2-Clause */
/* A server session up to the verdict: VERSION, AUTHENTICATE, the SASL exchange (RFC 5572 4.4.2, RFC
 * 4422). What every mechanism says stays with the owner; here are its lines: base64, the raw PLAIN
 * of deployed clients, `*`, and when the verdict goes out. Thread: the session's owner. */
#include "config.h"

#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "schema/tsp/server_priv.h"

enum {
	DECODED_MAX = CW_TSP_SASL_LINE_MAX / 4 * 3,
};

static bool starts_frame(struct cw_slice line)
{
	static const char word[] = "content-length";

	return line.n >= sizeof word - 1 && strncasecmp(line.p, word, sizeof word - 1) == 0;
}

void cw_tsp_s_on_hello(struct cw_tsp_server *s, struct cw_slice line)
{
	char out[CW_TSP_LINE_MAX];
	int n;

	if (starts_frame(line)) { /* a request before authentication */
		cw_tsp_s_refuse(s, CW_TSP_AUTH, CW_TSP_CLOSE_AUTH);
		return;
	}
	if (cw_tsp_parse_version(line, &s->version) < 0) {
		cw_tsp_s_refuse(s, CW_TSP_VERSION, CW_TSP_CLOSE_VERSION);
		return;
	}
	n = cw_tsp_render_capability(s->conf->mechs, s->conf->ext, out, sizeof out);
	if (n < 0) {
		cw_tsp_s_refuse(s, CW_TSP_INTERNAL, CW_TSP_CLOSE_BUSY);
		return;
	}
	s->state = CW_TSP_S_AUTH;
	cw_tsp_s_say(s, out, (size_t) n);
}

/* The mechanism as it is offered; false: it is not. */
static bool find_mech(struct cw_tsp_server *s, struct cw_slice name)
{
	for (const char *p = s->conf->mechs; *(p += strspn(p, " "));) {
		const size_t n = strcspn(p, " ");

		if (n == name.n && n < sizeof s->mech && strncasecmp(p, name.p, n) == 0) {
			memcpy(s->mech, p, n);
			s->mech[n] = '\0';
			return true;
		}
		p += n;
	}
	return false;
}

void cw_tsp_s_on_auth(struct cw_tsp_server *s, struct cw_slice line)
{
	struct cw_slice mech, initial;
	uint8_t data[CW_TSP_LINE_MAX];
	int n = 0;

	if (cw_tsp_parse_authenticate(line, &mech, &initial) < 0 || !find_mech(s, mech)) {
		cw_tsp_s_refuse(s, CW_TSP_AUTH, CW_TSP_CLOSE_AUTH);
		return;
	}
	if (initial.p && !(initial.n == 1 && initial.p[0] == '=')) /* "=": empty, but there */
		n = cw_base64_decode(initial.p, initial.n, data, sizeof data);
	if (n < 0) {
		cw_tsp_s_refuse(s, CW_TSP_AUTH, CW_TSP_CLOSE_AUTH);
		return;
	}
	s->state = CW_TSP_S_SASL;
	s->sasl_running = s->sasl_begun = true;
	s->ops->sasl_start(s->arg, s->mech, initial.p ? data : NULL, (size_t) n);
	explicit_bzero(data, (size_t) n);
}

/* The next piece between NULs that is not empty. */
static struct cw_slice next_part(struct cw_slice *s)
{
	struct cw_slice part;

	while (s->n && !s->p[0]) {
		s->p++;
		s->n--;
	}
	part.p = s->p;
	part.n = s->n ? strnlen(s->p, s->n) : 0;
	s->p += part.n;
	s->n -= part.n;
	return part;
}

/* PLAIN without base64, as deployed clients send it: the last two parts are user and password, one
 * before them is the authorization identity. Octets in `to`, or CW_E_SYNTAX. */
static int raw_plain(struct cw_slice line, uint8_t *to, size_t cap)
{
	struct cw_writer w = cw_writer_of(to, cap);
	struct cw_slice parts[3];
	unsigned count = 0;

	for (;;) {
		const struct cw_slice part = next_part(&line);

		if (!part.n)
			break;
		if (count == CW_ARRAY_LEN(parts))
			return CW_E_SYNTAX;
		parts[count++] = part;
	}
	if (count < 2)
		return CW_E_SYNTAX;
	if (count == 2) /* no authorization identity */
		cw_write_u8(&w, 0);
	for (unsigned i = 0; i < count; i++) {
		if (i)
			cw_write_u8(&w, 0);
		cw_write_bytes(&w, parts[i].p, parts[i].n);
	}
	return w.bad ? CW_E_SYNTAX : (int) cw_write_len(&w);
}

void cw_tsp_s_on_sasl(struct cw_tsp_server *s, struct cw_slice line)
{
	uint8_t data[CW_TSP_SASL_LINE_MAX];
	int n = CW_E_SYNTAX;

	if (line.n && memchr(line.p, 0, line.n)) {
		if (strcmp(s->mech, "PLAIN") == 0)
			n = raw_plain(line, data, sizeof data);
	} else if (!(line.n == 1 && line.p[0] == '*')) { /* RFC 4422 4 (5): cancel */
		n = cw_base64_decode(line.p, line.n, data, DECODED_MAX);
	}
	if (n < 0) {
		cw_tsp_s_refuse(s, CW_TSP_AUTH, CW_TSP_CLOSE_AUTH);
		return;
	}
	s->sasl_running = true;
	s->ops->sasl_step(s->arg, data, (size_t) n);
	explicit_bzero(data, (size_t) n);
}

void cw_tsp_s_give_verdict(struct cw_tsp_server *s, int64_t now_ms)
{
	const enum cw_tsp_verdict v = s->verdict;

	s->verdict = CW_TSP_VERDICT_NONE;
	s->verdict_at = CW_TSP_NEVER;
	if (v == CW_TSP_VERDICT_OK || v == CW_TSP_VERDICT_FETCH) {
		const struct cw_tsp_status st = cw_tsp_status(CW_TSP_DONE, s->version, false);
		char out[64];
		const int n = cw_tsp_render_bare(&st, NULL, out, sizeof out);

		if (n > 0)
			cw_tsp_s_say(s, out, (size_t) n);
		s->auth_at = CW_TSP_NEVER;
		cw_tsp_s_enter_command(s, now_ms);
	} else if (v == CW_TSP_VERDICT_FAILED) {
		cw_tsp_s_refuse(s, CW_TSP_AUTH, CW_TSP_CLOSE_AUTH);
	} else if (v == CW_TSP_VERDICT_BUSY) {
		cw_tsp_s_refuse(s, CW_TSP_OVERLOAD, CW_TSP_CLOSE_BUSY);
	}
}

/* A challenge or the final message as a line of its own. */
static bool say_base64(struct cw_tsp_server *s, const void *data, size_t n)
{
	char out[CW_TSP_SASL_LINE_MAX];
	const int len = cw_base64_encode(data, n, out, sizeof out - 2);

	if (len < 0)
		return false;
	out[len] = '\r';
	out[len + 1] = '\n';
	cw_tsp_s_say(s, out, (size_t) len + 2);
	return true;
}

static void decide(
	struct cw_tsp_server *s, enum cw_tsp_verdict v, uint32_t delay_ms, int64_t now_ms)
{
	s->verdict = v;
	s->sasl_begun = false;
	if (v == CW_TSP_VERDICT_FETCH)
		return;
	if (delay_ms)
		s->verdict_at = now_ms + delay_ms;
	else
		cw_tsp_s_give_verdict(s, now_ms);
}

void cw_tsp_server_sasl_result(struct cw_tsp_server *s, enum cw_tsp_sasl_result result,
	const void *data, size_t n, uint32_t delay_ms, int64_t now_ms)
{
	if (!s->sasl_running)
		return;
	s->sasl_running = false;
	/* An empty line would be taken for the verdict, so an empty challenge is silence (UDP: a
	 * bare header). */
	if ((result == CW_TSP_SASL_CONTINUE || result == CW_TSP_SASL_DONE) && n &&
		!say_base64(s, data, n))
		result = CW_TSP_SASL_BUSY;
	switch (result) {
	case CW_TSP_SASL_CONTINUE:
		if (s->unanswered && !s->in_run)
			cw_tsp_s_say(s, NULL, 0);
		break;
	case CW_TSP_SASL_DONE: /* the verdict never shares a segment with the final message (guide,
				  section 9) */
		if (n && s->conf->udp)
			decide(s, CW_TSP_VERDICT_FETCH, 0, now_ms);
		else
			decide(s, CW_TSP_VERDICT_OK, n ? s->conf->verdict_ms : 0, now_ms);
		break;
	case CW_TSP_SASL_FAILED:
		decide(s, CW_TSP_VERDICT_FAILED, delay_ms, now_ms);
		break;
	case CW_TSP_SASL_BUSY:
		decide(s, CW_TSP_VERDICT_BUSY, delay_ms, now_ms);
		break;
	}
	cw_tsp_s_run(s, now_ms);
}
