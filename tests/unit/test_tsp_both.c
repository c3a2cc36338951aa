/* SPDX-License-Identifier: BSD-2-Clause */
/* The two halves of TSP against each other in memory, with the real SASL on both sides: whole
 * conversations for every mechanism, both versions, TCP in pieces of any size, and UDP with losses;
 * wrong passwords; a broker that cannot prove itself. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "schema/sasl/sasl.h"
#include "schema/tsp/client.h"
#include "schema/tsp/server.h"
#include "schema/tsp/udp.h"
#include "tests/lib/addr-of.h"
#include "tests/lib/cw-cmocka.h"

#define ALL_MECHS "SCRAM-SHA-256 SCRAM-SHA-1 DIGEST-MD5 PLAIN ANONYMOUS"

enum { PIPE_MAX = 65536 };

/* What is on its way: pieces with their borders. */
struct pipe {
	char data[PIPE_MAX];
	size_t at, n;
	size_t piece[256];
	unsigned first, count;
};

struct rig {
	struct cw_tsp_client_conf client_conf;
	struct cw_tsp_server_conf server_conf;
	struct cw_tsp_client *client;
	struct cw_tsp_server *server; /* TCP */
	struct cw_tsp_udp *udp;
	struct cw_tsp_udp_peer *peer;
	struct cw_sasl_server *sasl;
	struct cw_tsp_udp_ops udp_ops;
	struct pipe to_client, to_server;
	int64_t now;
	size_t chunk;  /* TCP: octets handed over at a time */
	unsigned lose; /* UDP: every lose-th datagram is lost; 0: none */
	unsigned datagrams;
	const char *password; /* the broker's */
	enum cw_tsp_event answer;
	uint32_t lifetime;
	bool ready, closed, deleted, acked;
	enum cw_tsp_why why;
	unsigned replies;
	enum cw_tsp_event status;
	struct cw_tsp_lease lease;
	bool has_lease;
	enum cw_tsp_offer offer;
	bool offered;
	char user[CW_SASL_NAME_MAX];
	struct cw_tsp_msg last; /* what the server was asked */
};

static void put(struct pipe *p, const void *data, size_t n)
{
	assert_true(p->n + n <= PIPE_MAX && p->count < 256);
	memcpy(p->data + p->n, data, n);
	p->n += n;
	p->piece[(p->first + p->count++) % 256] = n;
}

static size_t take(struct pipe *p, char **ret, size_t max)
{
	size_t *piece = &p->piece[p->first];
	size_t n = max && max < *piece ? max : *piece;

	*ret = p->data + p->at;
	p->at += n;
	*piece -= n;
	if (*piece == 0) {
		p->first = (p->first + 1) % 256;
		p->count--;
	}
	return n;
}

/* ---- the broker's side ---- */

static int lookup(void *arg, const char *user, struct cw_sasl_verifier *to, size_t max)
{
	static const char *const kinds[] = {"SCRAM-SHA-256", "SCRAM-SHA-1", "DIGEST-MD5"};
	const struct rig *r = arg;

	if (strcmp(user, "alice") != 0)
		return 0;
	assert_true(max >= CW_ARRAY_LEN(kinds));
	for (size_t i = 0; i < CW_ARRAY_LEN(kinds); i++)
		assert_int_equal(cw_sasl_make_verifier(
					 kinds[i], user, "example.net", r->password, 0, &to[i]),
			0);
	return (int) CW_ARRAY_LEN(kinds);
}

static void on_send(void *arg, const void *p, size_t n)
{
	struct rig *r = arg;

	if (r->udp)
		cw_tsp_udp_answer(r->peer, p, n, r->now);
	else
		put(&r->to_client, p, n);
}

static void sasl_result(struct rig *r, enum cw_sasl_result result, const struct cw_sasl_out *out)
{
	static const enum cw_tsp_sasl_result map[] = {[CW_SASL_CONTINUE] = CW_TSP_SASL_CONTINUE,
		[CW_SASL_DONE] = CW_TSP_SASL_DONE,
		[CW_SASL_FAILED] = CW_TSP_SASL_FAILED,
		[CW_SASL_BUSY] = CW_TSP_SASL_BUSY};
	const char *user = r->sasl ? cw_sasl_server_user(r->sasl) : NULL;

	if (result == CW_SASL_DONE)
		(void) snprintf(r->user, sizeof r->user, "%s", user ? user : "");
	cw_tsp_server_sasl_result(r->server, map[result], out->data, out->n, 0, r->now);
}

static void on_sasl_start(void *arg, const char *mech, const void *data, size_t n)
{
	struct rig *r = arg;
	const struct cw_sasl_params params = {
		.lookup = lookup, .arg = r, .external = "host.example.net"};
	struct cw_sasl_out out = {0};
	enum cw_sasl_result result = cw_sasl_server_start(&params, mech, data, n, &r->sasl, &out);

	sasl_result(r, result, &out);
}

static void on_sasl_step(void *arg, const void *data, size_t n)
{
	struct rig *r = arg;
	struct cw_sasl_out out = {0};
	enum cw_sasl_result result = cw_sasl_server_step(r->sasl, data, n, &out);

	sasl_result(r, result, &out);
}

static void on_sasl_abort(void *arg)
{
	struct rig *r = arg;

	r->sasl = cw_sasl_server_free(r->sasl);
}

static void on_request(void *arg, const struct cw_tsp_msg *msg)
{
	struct rig *r = arg;
	struct cw_tsp_msg info = {.action = CW_TSP_INFO,
		.type = CW_TSP_V4V6,
		.has_lifetime = true,
		.lifetime = r->lifetime};
	unsigned flags = msg->client.has_v4 ? CW_TSP_REPLY_LEASE : CW_TSP_REPLY_OFFER;

	r->last = *msg;
	info.server = (struct cw_tsp_side){.present = true,
		.has_v4 = true,
		.v4 = four("192.0.2.1"),
		.has_v6 = true,
		.v6 = six("2001:db8::2")};
	info.client = msg->client;
	info.client.has_link_local = false;
	info.client.has_v4 = true;
	info.client.v4 = four("192.0.2.10");
	if (r->answer != CW_TSP_DONE || msg->action == CW_TSP_DELETE)
		cw_tsp_server_reply(r->server, r->answer, NULL, 0, r->now);
	else
		cw_tsp_server_reply(r->server, CW_TSP_DONE, &info, flags, r->now);
}

static void on_offer(void *arg, enum cw_tsp_offer what)
{
	struct rig *r = arg;

	r->offered = true;
	r->offer = what;
}

static void on_acked(void *arg, const struct cw_tsp_msg *msg)
{
	struct rig *r = arg;

	assert_int_equal(msg->client.v4.v, four("192.0.2.10").v);
	r->acked = true;
}

static void on_server_close(void *arg, enum cw_tsp_close reason)
{
	(void) arg;
	(void) reason;
}

static const struct cw_tsp_server_ops server_ops = {.send = on_send,
	.sasl_start = on_sasl_start,
	.sasl_step = on_sasl_step,
	.sasl_abort = on_sasl_abort,
	.request = on_request,
	.offer = on_offer,
	.delete_acked = on_acked,
	.close = on_server_close};

/* UDP: the table of peers stands before the session. */
static void *on_udp_open(void *arg, struct cw_tsp_udp_peer *peer)
{
	struct rig *r = arg;

	r->peer = peer;
	assert_int_equal(cw_tsp_server_new(&r->server_conf, &server_ops, r, r->now, &r->server), 0);
	return r->server;
}

static void on_udp_deliver(
	void *arg, struct cw_tsp_udp_peer *peer, void *session, const void *p, size_t n)
{
	struct rig *r = arg;

	(void) peer;
	cw_tsp_server_input(session, p, n, r->now);
}

static void on_udp_close(void *arg, struct cw_tsp_udp_peer *peer, void *session)
{
	struct rig *r = arg;

	(void) peer;
	assert_ptr_equal(session, r->server);
	r->server = cw_tsp_server_free(r->server);
}

static void on_udp_send(void *arg, const struct cw_tsp_udp_peer *peer, const void *p, size_t n)
{
	struct rig *r = arg;

	(void) peer;
	put(&r->to_client, p, n);
}

/* ---- the client's side ---- */

static void on_client_send(void *arg, const void *p, size_t n)
{
	struct rig *r = arg;

	put(&r->to_server, p, n);
}

static void on_event(void *arg, const struct cw_tsp_client_event *ev)
{
	struct rig *r = arg;

	switch (ev->type) {
	case CW_TSP_EV_READY:
		r->ready = true;
		break;
	case CW_TSP_EV_REPLY:
		r->replies++;
		r->status = ev->status;
		r->has_lease = ev->msg && cw_tsp_lease_of(ev->msg, false, &r->lease) == 0;
		break;
	case CW_TSP_EV_DELETED:
		r->deleted = true;
		assert_int_equal(cw_tsp_client_ack(r->client, ev->msg, r->now), 0);
		break;
	case CW_TSP_EV_CLOSED:
		r->closed = true;
		r->why = ev->why;
		break;
	}
}

static const struct cw_tsp_client_ops client_ops = {.send = on_client_send, .event = on_event};

/* ---- both ---- */

static bool lost(struct rig *r)
{
	r->datagrams++;
	return r->udp && r->lose && r->datagrams % r->lose == 0;
}

/* Carries what is under way until all is quiet; then time passes to the next deadline below
 * `until`. */
static void run(struct rig *r, int64_t until)
{
	char *p;
	size_t n;

	for (int rounds = 0; rounds < 10000; rounds++) {
		int64_t next = INT64_MAX;

		while (r->to_server.count || r->to_client.count) {
			if (r->to_server.count) {
				n = take(&r->to_server, &p, r->udp ? 0 : r->chunk);
				if (r->udp && !lost(r))
					(void) cw_tsp_udp_receive(r->udp, "peer", 4, p, n, r->now);
				else if (!r->udp)
					cw_tsp_server_input(r->server, p, n, r->now);
			}
			if (r->to_client.count) {
				n = take(&r->to_client, &p, r->udp ? 0 : r->chunk);
				if (!lost(r))
					cw_tsp_client_input(r->client, p, n, r->now);
			}
		}
		if (cw_tsp_client_deadline(r->client) < next)
			next = cw_tsp_client_deadline(r->client);
		if (r->server && cw_tsp_server_deadline(r->server) < next)
			next = cw_tsp_server_deadline(r->server);
		if (next > until)
			return;
		r->now = next > r->now ? next : r->now;
		cw_tsp_client_tick(r->client, r->now);
		if (r->server)
			cw_tsp_server_tick(r->server, r->now);
	}
	fail_msg("it never ends");
}

static struct rig *rig_of(const char *version, const char *offered, unsigned mechs, bool udp)
{
	struct rig *r = cw_zalloc(1, sizeof *r);

	assert_non_null(r);
	cw_tsp_server_conf_init(&r->server_conf);
	r->server_conf.mechs = offered;
	r->server_conf.udp = udp;
	r->client_conf = (struct cw_tsp_client_conf){.version = version,
		.mechs = mechs,
		.user = "alice",
		.password = "secret",
		.host = "tsp.example.net",
		.udp = udp};
	r->password = "secret";
	r->answer = CW_TSP_DONE;
	r->lifetime = 3600;
	r->now = 1000;
	r->udp_ops = (struct cw_tsp_udp_ops){.open = on_udp_open,
		.deliver = on_udp_deliver,
		.close = on_udp_close,
		.send = on_udp_send};
	return r;
}

static void begin(struct rig *r)
{
	static const struct cw_tsp_udp_conf udp_conf;

	if (r->server_conf.udp)
		assert_int_equal(cw_tsp_udp_new(&udp_conf, &r->udp_ops, r, &r->udp), 0);
	else
		assert_int_equal(
			cw_tsp_server_new(&r->server_conf, &server_ops, r, r->now, &r->server), 0);
	assert_int_equal(cw_tsp_client_new(&r->client_conf, &client_ops, r, &r->client), 0);
	cw_tsp_client_start(r->client, r->now);
}

static void done(struct rig *r)
{
	r->client = cw_tsp_client_free(r->client);
	r->udp = cw_tsp_udp_free(r->udp);
	r->server = cw_tsp_server_free(r->server);
	r->sasl = cw_sasl_server_free(r->sasl);
	(void) cw_free(r);
}

static void ask(struct rig *r, enum cw_tsp_action action, const char *v4)
{
	const struct cw_addr6 a6 = six("2001:db8::1");
	struct cw_addr4 a4 = v4 ? four(v4) : (struct cw_addr4){0};
	struct cw_tsp_msg msg;

	cw_tsp_msg_about(&msg, action, &a6, v4 ? &a4 : NULL, NULL);
	assert_int_equal(cw_tsp_client_request(r->client, &msg, 1, r->now), 0);
}

/* Login, create, accept, renew, info, pushed delete (TCP), delete. */
static void converse(struct rig *r, int mech, const char *user)
{
	struct cw_tsp_msg deleted = {.action = CW_TSP_DELETE, .type = CW_TSP_V4V6};
	bool v2 = r->client_conf.version[0] == '2';

	begin(r);
	run(r, r->now + 15000);
	assert_true(r->ready);
	assert_int_equal(cw_tsp_client_mech(r->client), mech);
	assert_string_equal(r->user, user);
	ask(r, CW_TSP_CREATE, NULL);
	run(r, r->now + 15000);
	assert_int_equal(r->replies, 1);
	assert_true(r->has_lease);
	assert_int_equal(r->lease.ipv4.v, four("192.0.2.10").v);
	assert_int_equal(r->lease.lifetime_s, 3600);
	assert_int_equal(cw_tsp_client_accept(r->client, true, r->now), 0);
	run(r, r->now + 15000);
	assert_int_equal(r->offered, v2);
	assert_int_equal(r->offer, CW_TSP_OFFER_ACCEPTED);
	assert_int_equal(cw_tsp_server_state(r->server), CW_TSP_S_ESTAB);
	ask(r, CW_TSP_CREATE, "192.0.2.10");
	run(r, r->now + 15000);
	assert_true(r->last.client.has_v4);
	assert_int_equal(r->replies, 2);
	ask(r, CW_TSP_INFO, "192.0.2.10");
	run(r, r->now + 15000);
	assert_int_equal(r->replies, 3);
	assert_true(r->has_lease);
	if (!r->udp) {
		deleted.client = r->last.client;
		deleted.server = (struct cw_tsp_side){
			.present = true, .has_v6 = true, .v6 = six("2001:db8::2")};
		assert_int_equal(cw_tsp_server_push_delete(r->server, &deleted), 0);
		run(r, r->now + 1000);
		assert_true(r->deleted);
		assert_true(r->acked);
		assert_int_equal(r->replies, 3); /* the acknowledgement is not answered */
	}
	ask(r, CW_TSP_DELETE, "192.0.2.10");
	run(r, r->now + 15000);
	assert_int_equal(r->replies, 4);
	assert_int_equal(r->status, CW_TSP_DONE);
	assert_false(r->closed);
	done(r);
}

static void every_mechanism(void **state)
{
	static const char *const versions[] = {"2.0.0", "2.0.1", "1.0", "1.0.0"};
	static const size_t chunks[] = {0, 1, 7};

	(void) state;
	for (size_t v = 0; v < CW_ARRAY_LEN(versions); v++)
		for (int m = 0; m < CW_MECH_COUNT; m++)
			for (size_t i = 0; i < CW_ARRAY_LEN(chunks); i++) {
				struct rig *r = rig_of(versions[v],
					m == CW_MECH_EXTERNAL ? ALL_MECHS " EXTERNAL" : ALL_MECHS,
					CW_MECH_BIT(m), false);

				r->chunk = chunks[i];
				converse(r, m,
					m == CW_MECH_ANONYMOUS  ? ""
					: m == CW_MECH_EXTERNAL ? "host.example.net"
								: "alice");
			}
}

static void every_mechanism_over_udp(void **state)
{
	/* Not every second one: request and answer take turns, so it would always be the answer. */
	static const unsigned lose[] = {0, 3, 4, 5, 7};

	(void) state;
	for (int m = CW_MECH_SCRAM_SHA_256; m < CW_MECH_COUNT; m++)
		for (size_t i = 0; i < CW_ARRAY_LEN(lose); i++) {
			struct rig *r = rig_of("2.0.0", ALL_MECHS, CW_MECH_BIT(m), true);

			r->lose = lose[i];
			converse(r, m, m == CW_MECH_ANONYMOUS ? "" : "alice");
		}
}

static void preference(void **state)
{
	struct rig *r = rig_of("2.0.0", "ANONYMOUS PLAIN DIGEST-MD5 SCRAM-SHA-1 SCRAM-SHA-256",
		CW_MECH_PASSWORDS, false);

	(void) state;
	converse(r, CW_MECH_SCRAM_SHA_256, "alice");
	r = rig_of("2.0.0", "ANONYMOUS PLAIN DIGEST-MD5", CW_MECH_PASSWORDS, false);
	converse(r, CW_MECH_DIGEST_MD5, "alice");
}

static void wrong_passwords(void **state)
{
	(void) state;
	for (int m = CW_MECH_SCRAM_SHA_256; m <= CW_MECH_PLAIN; m++)
		for (int user = 0; user < 2; user++) {
			struct rig *r = rig_of("2.0.0", ALL_MECHS, CW_MECH_BIT(m), false);

			if (user)
				r->client_conf.user = "mallory";
			else
				r->client_conf.password = "guess";
			begin(r);
			run(r, r->now + 15000);
			assert_false(r->ready);
			assert_true(r->closed);
			assert_int_equal(r->why, CW_TSP_WHY_AUTH);
			done(r);
		}
}

static void refusals(void **state)
{
	static const enum cw_tsp_event events[] = {CW_TSP_POOL_EMPTY, CW_TSP_TYPE, CW_TSP_TEP,
		CW_TSP_ADDRESS, CW_TSP_BAD_V6, CW_TSP_BAD_V4, CW_TSP_FORMAT, CW_TSP_IN_PROGRESS,
		CW_TSP_OVERLOAD};
	static const char *const versions[] = {"2.0.0", "1.0"};

	(void) state;
	for (size_t v = 0; v < CW_ARRAY_LEN(versions); v++)
		for (size_t i = 0; i < CW_ARRAY_LEN(events); i++) {
			struct rig *r = rig_of(
				versions[v], ALL_MECHS, CW_MECH_BIT(CW_MECH_ANONYMOUS), false);

			r->answer = events[i];
			begin(r);
			run(r, r->now + 1000);
			ask(r, CW_TSP_CREATE, NULL);
			run(r, r->now + 1000);
			assert_int_equal(r->replies, 1);
			assert_int_equal(r->status, events[i]);
			assert_false(r->has_lease);
			done(r);
		}
}

static void rejecting(void **state)
{
	struct rig *r = rig_of("2.0.0", ALL_MECHS, CW_MECH_BIT(CW_MECH_ANONYMOUS), false);

	(void) state;
	begin(r);
	run(r, r->now + 1000);
	ask(r, CW_TSP_CREATE, NULL);
	run(r, r->now + 1000);
	assert_int_equal(cw_tsp_client_accept(r->client, false, r->now), 0);
	run(r, r->now + 1000);
	assert_true(r->offered);
	assert_int_equal(r->offer, CW_TSP_OFFER_REJECTED);
	done(r);
}

static void version_refused(void **state)
{
	static const struct cw_tsp_broker others[] = {{CW_TSP_BROKER_DN, "tsp2.example.net"}};
	struct rig *r = rig_of("2.0.0", ALL_MECHS, CW_MECH_BIT(CW_MECH_DIGEST_MD5), false);

	(void) state;
	/* A list before COMMAND: with the login's refusal. */
	r->server_conf.redirect[CW_TSP_AUTH] = (struct cw_tsp_redirect){others, 1};
	r->client_conf.password = "guess";
	begin(r);
	run(r, r->now + 15000);
	assert_true(r->closed);
	assert_int_equal(r->why, CW_TSP_WHY_AUTH);
	done(r);
}

int main(void)
{
	const struct cw_sasl_server_conf conf = {.realm = "example.net"};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_mechanism),
		cmocka_unit_test(every_mechanism_over_udp),
		cmocka_unit_test(preference),
		cmocka_unit_test(wrong_passwords),
		cmocka_unit_test(refusals),
		cmocka_unit_test(rejecting),
		cmocka_unit_test(version_refused),
	};
	int failed;

	cw_tsp_init();
	if (cw_sasl_server_init(&conf) < 0)
		return 1;
	failed = cmocka_run_group_tests_name("tsp both halves", tests, NULL, NULL);
	cw_sasl_server_done();
	return failed;
}
