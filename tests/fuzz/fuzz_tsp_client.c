/* SPDX-License-Identifier: BSD-2-Clause */
/* A hostile broker: the client half of a TSP session under any octets, in pieces of any length, and
 * the client's whole life (keeper) driven by what the session makes of them. The first octet
 * chooses version, mechanisms and transport, the second the length of the pieces. Before a piece,
 * an octet 0xff lets time pass. Datagrams have their length in front (16 bits); with its highest
 * bit set they answer what was asked last. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "client/keeper.h"
#include "schema/tsp/client.h"
#include "schema/tsp/udp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
const char *__lsan_default_suppressions(void);

/* Cyrus 2.1.28's DIGEST-MD5 client loses a few octets of a challenge it refuses. */
const char *__lsan_default_suppressions(void)
{
	return "leak:libdigestmd5";
}

struct rig {
	struct cw_fake_clock clock;
	struct cw_tsp_client *client;
	struct cw_keeper_conf keeper_conf;
	struct cw_brokers brokers;
	struct cw_keeper keeper;
	unsigned actions;
	bool udp;
	uint8_t sequence[4]; /* of the last datagram that was sent */
};

static struct cw_now now(const struct rig *r)
{
	return r->clock.at;
}

static int64_t now_ms(const struct rig *r)
{
	return r->clock.at.mono_us / 1000;
}

static uint32_t dice(void *arg)
{
	(void) arg;
	return 12345;
}

/* Whatever is sent must be there to be read. */
static void on_send(void *arg, const void *p, size_t n)
{
	volatile uint8_t sum = 0;
	struct rig *r = arg;

	for (size_t i = 0; i < n; i++)
		sum = (uint8_t) (sum + ((const uint8_t *) p)[i]);
	if (!r->udp)
		return;
	if (n < CW_TSP_UDP_HEADER)
		abort();
	memcpy(r->sequence, p, sizeof r->sequence);
}

static void carry_out(struct rig *r, const struct cw_keeper_action *a)
{
	static const struct cw_addr6 us = {{0x20, 0x01, 0x0d, 0xb8, [15] = 1}};
	struct cw_tsp_msg msg;

	if (++r->actions > 10000)
		abort(); /* it turns in circles */
	switch (a->type) {
	case CW_ACT_REQUEST:
		cw_tsp_msg_about(&msg, a->action, &us, a->ipv4.v ? &a->ipv4 : NULL, NULL);
		if (cw_tsp_client_request(r->client, &msg, 1, now_ms(r)) < 0)
			cw_keeper_unsent(&r->keeper, "cannot", now(r));
		break;
	case CW_ACT_ACCEPT:
		(void) !cw_tsp_client_accept(r->client, a->flag, now_ms(r));
		break;
	case CW_ACT_ACK:
		cw_tsp_msg_about(
			&msg, CW_TSP_DELETE, &a->lease.tsp.client6, &a->lease.tsp.ipv4, NULL);
		(void) !cw_tsp_client_ack(r->client, &msg, now_ms(r));
		break;
	case CW_ACT_UP:
	case CW_ACT_RENEWED:
		/* What a lease promises to the tunnel. */
		if (!cw_addr4_is_unicast(a->lease.tsp.ipv4) || a->lease.tsp.lifetime_s == 0 ||
			!cw_portset_valid(a->lease.tsp.ports))
			abort();
		break;
	default:
		break;
	}
}

static void on_event(void *arg, const struct cw_tsp_client_event *ev)
{
	struct cw_keeper_action a;
	struct rig *r = arg;

	cw_keeper_event(&r->keeper, ev, now(r));
	while (cw_keeper_next(&r->keeper, &a))
		carry_out(r, &a);
}

static const struct cw_tsp_client_ops ops = {.send = on_send, .event = on_event};

static void begin_keeper(struct rig *r)
{
	struct cw_keeper_action a;

	cw_fake_clock_init(&r->clock, 1700000000);
	r->keeper_conf =
		(struct cw_keeper_conf){.version = "2.0.0", .persist = true, .random = dice};
	cw_brokers_init(&r->brokers, false);
	(void) !cw_brokers_add(&r->brokers, "a.example.net");
	cw_keeper_init(&r->keeper, &r->keeper_conf, &r->brokers);
	cw_keeper_start(&r->keeper, NULL, now(r));
	while (cw_keeper_next(&r->keeper, &a))
		;
}

static void pass_time(struct rig *r)
{
	cw_fake_clock_advance(&r->clock, 5000);
	cw_tsp_client_tick(r->client, now_ms(r));
	cw_keeper_tick(&r->keeper, now(r));
}

/* One datagram from the n octets at p; how many of them it took. */
static size_t datagram(struct rig *r, const uint8_t *p, size_t n)
{
	static uint8_t buf[0x2000];
	size_t some;

	if (n < 2)
		return n;
	some = (size_t) (p[0] << 8 | p[1]) & (sizeof buf - 1);
	if (some > n - 2)
		some = n - 2;
	memcpy(buf, p + 2, some);
	if (p[0] & 0x80 && some >= sizeof r->sequence)
		memcpy(buf, r->sequence, sizeof r->sequence);
	cw_tsp_client_input(r->client, buf, some, now_ms(r));
	return 2 + some;
}

static void converse(struct rig *r, const uint8_t *p, size_t n, size_t piece, unsigned pipeline)
{
	for (size_t at = 0; at < n;) {
		size_t some = n - at < piece ? n - at : piece;

		if (p[at] == 0xff) {
			pass_time(r);
			at++;
			continue;
		}
		if (r->udp)
			some = datagram(r, p + at, n - at);
		else
			cw_tsp_client_input(r->client, p + at, some, now_ms(r));
		at += some;
		/* It waits for no more than it may, and not for ever. */
		if (cw_tsp_client_outstanding(r->client) > pipeline)
			abort();
		if (cw_tsp_client_state(r->client) != CW_TSP_C_CLOSED &&
			cw_tsp_client_outstanding(r->client) &&
			cw_tsp_client_deadline(r->client) == INT64_MAX)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const unsigned mechs[] = {CW_MECH_BIT(CW_MECH_ANONYMOUS), CW_MECH_PASSWORDS,
		CW_MECH_BIT(CW_MECH_DIGEST_MD5), CW_MECH_BIT(CW_MECH_SCRAM_SHA_1)};
	struct cw_tsp_client_conf conf = {
		.user = "alice", .password = "secret", .host = "a.example.net", .pipeline = 4};
	struct rig *r;
	size_t piece;

	if (n < 2)
		return 0;
	cw_tsp_init();
	r = cw_zalloc(1, sizeof *r);
	if (!r)
		return 0;
	conf.version = data[0] & 1 ? "1.0" : "2.0.0";
	conf.udp = data[0] & 2;
	conf.loopback_ok = data[0] & 4;
	conf.mechs = mechs[data[0] >> 3 & 3];
	piece = data[1] ? data[1] : n;
	r->udp = conf.udp;
	begin_keeper(r);
	if (cw_tsp_client_new(&conf, &ops, r, &r->client) == 0) {
		cw_tsp_client_start(r->client, now_ms(r));
		converse(r, data + 2, n - 2, piece, conf.pipeline);
		cw_tsp_client_eof(r->client, now_ms(r));
		/* However it went: it is over. */
		if (cw_tsp_client_state(r->client) != CW_TSP_C_CLOSED ||
			cw_tsp_client_deadline(r->client) != INT64_MAX)
			abort();
	}
	r->client = cw_tsp_client_free(r->client);
	(void) cw_free(r);
	return 0;
}
