/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of TSP's UDP peers: datagrams of a few peers in any order, repeated, answered at once,
 * later or never, with time going by. Input: records of one octet (bits 0-1 the peer, 2-4 what
 * happens, 5-7 how long the payload is) and the sequence's last octet; then the payload. A model of
 * two counters watches the table. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "schema/tsp/udp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PEERS = 4 };

struct table {
	struct cw_tsp_udp *udp;
	struct cw_tsp_udp_peer *peers[PEERS]; /* with an open session */
	unsigned open, sent;
	int64_t now_ms;
	bool hold, refuse;
};

static void check(bool ok)
{
	if (!ok)
		abort();
}

static unsigned number_of(const struct cw_tsp_udp_peer *peer)
{
	size_t n;
	const uint8_t *key = cw_tsp_udp_key(peer, &n);

	check(n == 1 && *key < PEERS);
	return *key;
}

static void *on_open(void *arg, struct cw_tsp_udp_peer *peer)
{
	struct table *t = arg;

	if (t->refuse)
		return NULL;
	check(!t->peers[number_of(peer)]);
	t->peers[number_of(peer)] = peer;
	t->open++;
	return t;
}

static void on_deliver(
	void *arg, struct cw_tsp_udp_peer *peer, void *session, const void *p, size_t n)
{
	struct table *t = arg;

	check(session == arg && t->peers[number_of(peer)] == peer);
	if (!t->hold)
		cw_tsp_udp_answer(peer, p, n, t->now_ms);
}

static void on_close(void *arg, struct cw_tsp_udp_peer *peer, void *session)
{
	struct table *t = arg;

	check(session == arg && t->peers[number_of(peer)] == peer);
	t->peers[number_of(peer)] = NULL;
	t->open--;
}

static void on_send(void *arg, const struct cw_tsp_udp_peer *peer, const void *p, size_t n)
{
	struct table *t = arg;
	struct cw_tsp_udp_header h;
	struct cw_slice payload;

	(void) peer;
	check(cw_tsp_udp_parse(p, n, &h, &payload) == 0 && payload.n <= CW_TSP_UDP_PAYLOAD_MAX);
	t->sent++;
}

/* What happens besides a datagram. */
static void event(struct table *t, unsigned what, unsigned number)
{
	struct cw_tsp_udp_peer *peer = t->peers[number];

	switch (what) {
	case 1:
		t->now_ms += 7000;
		cw_tsp_udp_tick(t->udp, t->now_ms);
		break;
	case 2:
		t->hold = !t->hold;
		break;
	case 3:
		if (peer)
			cw_tsp_udp_answer(peer, "late", 4, t->now_ms);
		break;
	case 4:
		if (peer)
			cw_tsp_udp_established(peer, t->now_ms & 1);
		break;
	case 5:
		if (peer) {
			cw_tsp_udp_detach(peer);
			t->peers[number] = NULL;
			t->open--;
		}
		break;
	case 6:
		t->refuse = !t->refuse;
		break;
	default:
		t->now_ms++;
		break;
	}
	check(cw_tsp_udp_deadline(t->udp) > t->now_ms || what != 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct cw_tsp_udp_conf conf = {.max_peers = 3, .max_half_open = 2};
	static const struct cw_tsp_udp_ops ops = {
		.open = on_open, .deliver = on_deliver, .close = on_close, .send = on_send};
	struct table t = {.now_ms = 1000};

	check(cw_tsp_udp_new(&conf, &ops, &t, &t.udp) == 0);
	while (size >= 2) {
		const uint8_t op = data[0], peer = op & 3;
		uint8_t datagram[CW_TSP_UDP_HEADER + 16] = {0xf0, 0, 0, data[1], 0, 0, 0, op};
		size_t n = (size_t) (op >> 5) * 2;
		const unsigned sent = t.sent;

		data += 2;
		size -= 2;
		n = n < size ? n : size;
		memcpy(datagram + CW_TSP_UDP_HEADER, data, n);
		data += n;
		size -= n;
		if ((op >> 2 & 7) != 0)
			event(&t, op >> 2 & 7, peer);
		else
			(void) cw_tsp_udp_receive(
				t.udp, &peer, 1, datagram, CW_TSP_UDP_HEADER + n, t.now_ms);
		check(t.sent <= sent + 1);
		check(cw_tsp_udp_peers(t.udp) <= 3 && t.open <= cw_tsp_udp_peers(t.udp));
		check(cw_tsp_udp_half_open(t.udp) <= cw_tsp_udp_peers(t.udp));
	}
	(void) cw_tsp_udp_free(t.udp);
	check(t.open == 0);
	return 0;
}
