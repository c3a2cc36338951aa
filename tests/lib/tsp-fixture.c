/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "schema/sasl/sasl.h"
#include "tests/lib/tsp-fixture.h"

static void add_user(struct tx *t, const char *name)
{
	struct cw_credential cred[CW_AUTH_KINDS];
	struct cw_op op = {.kind = CW_OP_USER_ADD};
	int n = cw_auth_verifiers("SCRAM-SHA-256 DIGEST-MD5", name, "example.net", "secret", cred);

	assert_true(n == 2);
	(void) snprintf(op.u.user.user.name, sizeof op.u.user.user.name, "%s", name);
	op.u.user.credentials = cred;
	op.u.user.n_credentials = (size_t) n;
	assert_int_equal(cw_store_run(t->b.store, &op), 0);
}

void tx_open(struct tx *t, const struct bx_pool *pool, const char *tsp, const char *extra)
{
	static const struct cw_sasl_server_conf sasl = {.realm = "example.net"};
	char text[2048];

	memset(t, 0, sizeof *t);
	(void) snprintf(text, sizeof text,
		"state-dir = \"/nowhere\"\n"
		"tsp { mechanisms = { \"SCRAM-SHA-256\", \"DIGEST-MD5\", \"PLAIN\", \"ANONYMOUS\", \"EXTERNAL\" }\n"
		" realm = \"example.net\" plain-without-tls = yes %s }\n"
		"tls { cert = \"c\" key = \"k\" ca = \"a\" }\n%s\n",
		tsp ? tsp : "", extra ? extra : "");
	assert_int_equal(cw_config_parse("conf", text, strlen(text), stderr, &t->conf), 0);
	cw_tsp_init();
	assert_int_equal(cw_sasl_server_init(&sasl), 0);
	fake_tep_reset();
	bx_open(&t->b, false, pool);
	add_user(t, "alice");
	add_user(t, "bob");
	assert_int_equal(cw_auth_new(t->b.loop, t->b.store, &t->auth), 0);
	assert_int_equal(
		cw_tsp_access_new(t->b.loop, t->b.engine, t->auth, t->conf, &t->access), 0);
}

void tx_close(struct tx *t)
{
	bx_settle(&t->b);
	assert_int_equal(t->access->pending, 0);
	assert_int_equal(cw_map_count(t->access->offers), 0);
	assert_int_equal(bx_stats(&t->b).subscriptions, 0);
	t->access = cw_tsp_access_free(t->access);
	t->auth = cw_auth_free(t->auth);
	bx_close(&t->b);
	cw_sasl_server_done();
	t->conf = cw_config_free(t->conf);
}

/* ---- a transport that writes down ---- */

static void on_send(void *io, const void *p, size_t n)
{
	struct tx_session *c = io;

	assert_true(c->n + n < sizeof c->out);
	memcpy(c->out + c->n, p, n);
	c->n += n;
	c->out[c->n] = 0;
}

static void on_close(void *io, enum cw_tsp_close reason)
{
	struct tx_session *c = io;

	assert_false(c->closed);
	c->closed = true;
	c->reason = reason;
}

static void on_changed(void *io)
{
	(void) io;
}

static const struct cw_tsp_session_ops ops = {
	.send = on_send, .close = on_close, .changed = on_changed};

bool tx_try_connect(struct tx *t, struct tx_session *c, enum cw_tsp_transport transport, unsigned n)
{
	struct cw_addr6 from = bx_client(n);
	struct cw_tsp_peer peer = {.transport = transport};

	memset(c, 0, sizeof *c);
	c->tx = t;
	c->sa.sin6_family = AF_INET6;
	c->sa.sin6_port = htons(4000);
	if (n)
		memcpy(&c->sa.sin6_addr, from.b, 16);
	else
		c->sa.sin6_addr = in6addr_loopback;
	peer.sa = (const struct sockaddr *) &c->sa;
	peer.source = cw_source_of(peer.sa);
	return cw_tsp_session_new(t->access, &peer, &ops, c, &c->s) == 0;
}

void tx_connect(struct tx *t, struct tx_session *c, enum cw_tsp_transport transport, unsigned n)
{
	assert_true(tx_try_connect(t, c, transport, n));
}

/* SASL steps run on threads the engine does not know of, and the final verdict is held back. */
static void settle(struct tx_session *c)
{
	for (unsigned i = 0; i < 2000; i++) {
		if (cw_auth_running(c->tx->auth))
			bx_turn(&c->tx->b);
		bx_settle(&c->tx->b);
		cw_fake_clock_advance(&c->tx->b.clock, cw_tsp_session_busy(c->s) ? 0 : 60);
		if (!c->closed)
			cw_tsp_session_tick(c->s);
		if (!cw_auth_running(c->tx->auth) &&
			(!cw_tsp_session_busy(c->s) || fake_tep_held()))
			return;
	}
	fail_msg("the session never comes to rest");
}

const char *tx_say(struct tx_session *c, const char *text)
{
	c->n = 0;
	c->out[0] = 0;
	cw_tsp_session_input(c->s, text, strlen(text));
	settle(c);
	return c->out;
}

const char *tx_frame(struct tx_session *c, const char *body)
{
	char text[4096];

	(void) snprintf(text, sizeof text, "Content-length: %zu\r\n%s\r\n", strlen(body) + 2, body);
	return tx_say(c, text);
}

void tx_anonymous(struct tx_session *c, const char *version)
{
	char text[64];

	(void) snprintf(text, sizeof text, "VERSION=%s\r\n", version);
	assert_true(strncmp(tx_say(c, text), "CAPABILITY ", 11) == 0);
	assert_string_equal(tx_say(c, "AUTHENTICATE ANONYMOUS\r\n"), "200 Success\r\n");
}

void tx_plain(struct tx_session *c, const char *version, const char *user, const char *password)
{
	char raw[128], b64[256], text[512];
	int n = snprintf(raw, sizeof raw, "%c%s%c%s", 0, user, 0, password);

	assert_true(cw_base64_encode(raw, (size_t) n, b64, sizeof b64) > 0);
	(void) snprintf(text, sizeof text, "VERSION=%s\r\n", version);
	assert_true(strncmp(tx_say(c, text), "CAPABILITY ", 11) == 0);
	(void) snprintf(text, sizeof text, "AUTHENTICATE PLAIN %s\r\n", b64);
	(void) tx_say(c, text);
}

const char *tx_ask(struct tx_session *c, const char *action, unsigned n, const char *v4)
{
	struct cw_addr6 a = bx_client(n);
	char text[CW_ADDR6_STRLEN], body[512];

	(void) snprintf(body, sizeof body,
		"<tunnel action=\"%s\" type=\"v4v6\"><client><address type=\"ipv6\">%s</address>%s%s%s</client></tunnel>",
		action, n ? cw_addr6_str(&a, text) : "::1", v4 ? "<address type=\"ipv4\">" : "",
		v4 ? v4 : "", v4 ? "</address>" : "");
	return tx_frame(c, body);
}

const char *tx_heard(struct tx_session *c)
{
	bx_settle(&c->tx->b);
	return c->out;
}

void tx_free(struct tx_session *c)
{
	c->s = cw_tsp_session_free(c->s);
	bx_settle(&c->tx->b);
}

void tx_sleep(struct tx *t, int64_t s, struct tx_session *a, struct tx_session *b)
{
	bx_advance(&t->b, s);
	if (a && !a->closed)
		cw_tsp_session_tick(a->s);
	if (b && !b->closed)
		cw_tsp_session_tick(b->s);
	bx_settle(&t->b);
}

const char *tx_try_say(struct tx_session *c, const char *text)
{
	return c->closed ? "" : tx_say(c, text);
}

const char *tx_try_ask(struct tx_session *c, const char *action, unsigned n, const char *v4)
{
	return c->closed ? "" : tx_ask(c, action, n, v4);
}
