/* SPDX-License-Identifier: BSD-2-Clause */
/* TSP over UDP (RFC 5572 4.4.1.2): the eight octets in front, and the table of peers. A peer is an
 * address and port; what it sent is known by (sequence, hash of the payload), because every client
 * process starts at the same sequence number. The last two answers are kept for 60 s: a repetition
 * gets the same octets with its own new timestamp.
 *
 * Peers stand in one of two lists, least recently heard first, so that the idle ones are found
 * without a search. Thread: the owner's. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "schema/tsp/udp.h"

enum {
	ANSWERS = 2,
	KEY_MAX = 64,
	DEFAULT_PEERS = 65536,
	DEFAULT_HALF_OPEN = 4096,
	DEFAULT_HALF_OPEN_MS = 30000,
	DEFAULT_IDLE_MS = 60000,
	DEFAULT_ANSWER_MS = 60000,
};

#define MARKER UINT32_C(0xf0000000)

int cw_tsp_udp_parse(
	const void *p, size_t n, struct cw_tsp_udp_header *ret, struct cw_slice *ret_payload)
{
	struct cw_reader r = cw_reader_of(p, n);
	const uint32_t first = cw_read_u32(&r), timestamp = cw_read_u32(&r);

	if (r.bad || (first & MARKER) != MARKER)
		return CW_E_SYNTAX;
	*ret = (struct cw_tsp_udp_header){.sequence = first & ~MARKER, .timestamp = timestamp};
	*ret_payload = (struct cw_slice){(const char *) r.pos, cw_read_left(&r)};
	return 0;
}

void cw_tsp_udp_render(const struct cw_tsp_udp_header *h, uint8_t to[static CW_TSP_UDP_HEADER])
{
	struct cw_writer w = cw_writer_of(to, CW_TSP_UDP_HEADER);

	cw_write_u32(&w, MARKER | (h->sequence & ~MARKER));
	cw_write_u32(&w, h->timestamp);
}

/* What a datagram was, apart from when. */
struct mark {
	uint32_t sequence;
	uint64_t hash;
};

struct answer {
	struct mark mark;
	int64_t at_ms;
	uint8_t *p; /* payload; NULL: no answer here */
	size_t n;
};

struct cw_tsp_udp_peer {
	struct cw_list link; /* in half_open or established */
	struct cw_tsp_udp *udp;
	void *session; /* the owner's; NULL: detached */
	int64_t heard_ms;
	struct answer answers[ANSWERS]; /* newest first */
	struct mark pending;
	uint32_t pending_timestamp;
	bool is_pending, established;
	uint8_t key_n;
	uint8_t key[];
};

struct cw_tsp_udp {
	struct cw_tsp_udp_conf conf;
	struct cw_tsp_udp_ops ops;
	void *arg;
	struct cw_map *peers;
	struct cw_list half_open, established;
	unsigned n_half_open;
};

static void set_default(uint32_t *v, uint32_t def)
{
	if (!*v)
		*v = def;
}

int cw_tsp_udp_new(const struct cw_tsp_udp_conf *conf, const struct cw_tsp_udp_ops *ops, void *arg,
	struct cw_tsp_udp **ret)
{
	struct cw_tsp_udp *u = cw_zalloc(1, sizeof *u);

	if (!u)
		return -ENOMEM;
	u->peers = cw_map_new();
	if (!u->peers) {
		(void) cw_free(u);
		return -ENOMEM;
	}
	u->conf = *conf;
	u->ops = *ops;
	u->arg = arg;
	set_default(&u->conf.max_peers, DEFAULT_PEERS);
	set_default(&u->conf.max_half_open, DEFAULT_HALF_OPEN);
	set_default(&u->conf.half_open_ms, DEFAULT_HALF_OPEN_MS);
	set_default(&u->conf.idle_ms, DEFAULT_IDLE_MS);
	set_default(&u->conf.answer_ms, DEFAULT_ANSWER_MS);
	cw_list_init(&u->half_open);
	cw_list_init(&u->established);
	*ret = u;
	return 0;
}

static void drop_answers(struct cw_tsp_udp_peer *peer)
{
	for (unsigned i = 0; i < ANSWERS; i++) {
		(void) cw_free(peer->answers[i].p);
		peer->answers[i] = (struct answer){.p = NULL};
	}
}

/* Ends the owner's session, keeps the peer. */
static void end_session(struct cw_tsp_udp_peer *peer)
{
	struct cw_tsp_udp *u = peer->udp;
	void *session = peer->session;

	peer->session = NULL;
	peer->is_pending = false;
	if (session)
		u->ops.close(u->arg, peer, session);
}

static void free_peer(struct cw_tsp_udp_peer *peer)
{
	struct cw_tsp_udp *u = peer->udp;

	end_session(peer);
	(void) cw_map_take(u->peers, peer->key, peer->key_n);
	cw_list_remove(&peer->link);
	if (!peer->established)
		u->n_half_open--;
	drop_answers(peer);
	(void) cw_free(peer);
}

static struct cw_tsp_udp_peer *first_of(struct cw_list *l)
{
	return cw_list_empty(l) ? NULL : cw_container_of(l->next, struct cw_tsp_udp_peer, link);
}

struct cw_tsp_udp *cw_tsp_udp_free(struct cw_tsp_udp *u)
{
	struct cw_tsp_udp_peer *p;

	if (!u)
		return NULL;
	while ((p = first_of(&u->half_open)))
		free_peer(p);
	while ((p = first_of(&u->established)))
		free_peer(p);
	u->peers = cw_map_free(u->peers);
	return cw_free(u);
}

/* FNV-1a; tells a client's repetition from its next request. Who makes them collide fools himself
 * alone. */
static uint64_t hash_of(struct cw_slice s)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (uint8_t) s.p[i]) * UINT64_C(0x100000001b3);
	return h;
}

static bool same(const struct mark *a, const struct mark *b)
{
	return a->sequence == b->sequence && a->hash == b->hash;
}

static void send_answer(
	struct cw_tsp_udp_peer *peer, struct cw_tsp_udp_header h, const void *p, size_t n)
{
	uint8_t buf[CW_TSP_UDP_HEADER + CW_TSP_UDP_PAYLOAD_MAX];

	cw_tsp_udp_render(&h, buf);
	if (n)
		memcpy(buf + CW_TSP_UDP_HEADER, p, n);
	peer->udp->ops.send(peer->udp->arg, peer, buf, CW_TSP_UDP_HEADER + n);
}

static void heard(struct cw_tsp_udp_peer *peer, int64_t now_ms)
{
	struct cw_tsp_udp *u = peer->udp;

	peer->heard_ms = now_ms;
	cw_list_remove(&peer->link);
	cw_list_append(peer->established ? &u->established : &u->half_open, &peer->link);
}

static bool is_version(struct cw_slice s)
{
	static const char word[] = "VERSION=";

	while (s.n && !s.p[0]) {
		s.p++;
		s.n--;
	}
	return s.n >= sizeof word - 1 && memcmp(s.p, word, sizeof word - 1) == 0;
}

static const struct answer *find_answer(
	const struct cw_tsp_udp_peer *peer, const struct mark *mark, int64_t now_ms)
{
	for (unsigned i = 0; i < ANSWERS; i++) {
		const struct answer *a = &peer->answers[i];

		if (a->p && same(&a->mark, mark) && now_ms - a->at_ms <= peer->udp->conf.answer_ms)
			return a;
	}
	return NULL;
}

static struct cw_tsp_udp_peer *new_peer(struct cw_tsp_udp *u, const void *key, size_t key_n)
{
	struct cw_tsp_udp_peer *peer;

	if (cw_map_count(u->peers) >= u->conf.max_peers || u->n_half_open >= u->conf.max_half_open)
		return NULL;
	peer = cw_zalloc(1, sizeof *peer + key_n);
	if (!peer)
		return NULL;
	peer->udp = u;
	peer->key_n = (uint8_t) key_n;
	memcpy(peer->key, key, key_n);
	cw_list_init(&peer->link);
	if (cw_map_put(u->peers, key, key_n, peer, NULL) < 0)
		return cw_free(peer);
	u->n_half_open++;
	return peer;
}

/* Opens a session at the peer: new, or after a restart. */
static bool open_session(struct cw_tsp_udp_peer *peer)
{
	struct cw_tsp_udp *u = peer->udp;

	drop_answers(peer);
	cw_tsp_udp_established(peer, false);
	peer->session = u->ops.open(u->arg, peer);
	return peer->session != NULL;
}

enum cw_tsp_udp_verdict cw_tsp_udp_receive(struct cw_tsp_udp *u, const void *key, size_t key_n,
	const void *p, size_t n, int64_t now_ms)
{
	struct cw_tsp_udp_peer *peer;
	struct cw_tsp_udp_header h;
	struct cw_slice payload;
	const struct answer *a;
	struct mark mark;
	bool version;

	if (!key_n || key_n > KEY_MAX || cw_tsp_udp_parse(p, n, &h, &payload) < 0)
		return CW_TSP_UDP_MALFORMED;
	mark = (struct mark){.sequence = h.sequence, .hash = hash_of(payload)};
	version = is_version(payload);
	peer = cw_map_get(u->peers, key, key_n);
	if (!peer && !version)
		return CW_TSP_UDP_NO_SESSION;
	if (!peer) {
		peer = new_peer(u, key, key_n);
		if (!peer)
			return CW_TSP_UDP_FULL;
	} else {
		a = find_answer(peer, &mark, now_ms);
		if (a) {
			send_answer(peer, h, a->p, a->n);
			return CW_TSP_UDP_REPLAYED;
		}
		if (peer->is_pending && (!version || same(&peer->pending, &mark)))
			return CW_TSP_UDP_PENDING;
		if (!version && !peer->session)
			return CW_TSP_UDP_NO_SESSION;
	}
	/* A VERSION that is no repetition: the client began anew. */
	if (version) {
		end_session(peer);
		if (!open_session(peer)) {
			free_peer(peer);
			return CW_TSP_UDP_FULL;
		}
	}
	heard(peer, now_ms);
	peer->is_pending = true;
	peer->pending = mark;
	peer->pending_timestamp = h.timestamp;
	u->ops.deliver(u->arg, peer, peer->session, payload.p, payload.n);
	return CW_TSP_UDP_NEW;
}

void cw_tsp_udp_answer(struct cw_tsp_udp_peer *peer, const void *p, size_t n, int64_t now_ms)
{
	const struct cw_tsp_udp_header h = {peer->pending.sequence, peer->pending_timestamp};
	struct answer *oldest = &peer->answers[ANSWERS - 1];
	uint8_t *copy;

	if (!peer->is_pending || n > CW_TSP_UDP_PAYLOAD_MAX)
		return;
	peer->is_pending = false;
	/* Without memory the answer goes out all the same; a repetition will then be worked on
	 * again. */
	copy = cw_zalloc(n + 1, 1);
	if (copy) {
		if (n)
			memcpy(copy, p, n);
		(void) cw_free(oldest->p);
		for (unsigned i = ANSWERS - 1; i; i--)
			peer->answers[i] = peer->answers[i - 1];
		peer->answers[0] = (struct answer){peer->pending, now_ms, copy, n};
	}
	send_answer(peer, h, p, n);
}

void cw_tsp_udp_established(struct cw_tsp_udp_peer *peer, bool yes)
{
	struct cw_tsp_udp *u = peer->udp;

	if (peer->established == yes)
		return;
	peer->established = yes;
	if (yes)
		u->n_half_open--;
	else
		u->n_half_open++;
	cw_list_remove(&peer->link);
	cw_list_append(yes ? &u->established : &u->half_open, &peer->link);
}

void cw_tsp_udp_detach(struct cw_tsp_udp_peer *peer)
{
	peer->session = NULL;
	peer->is_pending = false;
}

const void *cw_tsp_udp_key(const struct cw_tsp_udp_peer *peer, size_t *ret_n)
{
	*ret_n = peer->key_n;
	return peer->key;
}

static int64_t due(const struct cw_list *l, uint32_t idle_ms)
{
	if (cw_list_empty(l))
		return INT64_MAX;
	return cw_container_of(l->next, struct cw_tsp_udp_peer, link)->heard_ms + idle_ms;
}

/* The one heard longest ago, if that is too long ago. */
static struct cw_tsp_udp_peer *overdue(struct cw_list *l, uint32_t idle_ms, int64_t now_ms)
{
	struct cw_tsp_udp_peer *p = first_of(l);

	return p && p->heard_ms + idle_ms <= now_ms ? p : NULL;
}

void cw_tsp_udp_tick(struct cw_tsp_udp *u, int64_t now_ms)
{
	struct cw_tsp_udp_peer *p;

	while ((p = overdue(&u->half_open, u->conf.half_open_ms, now_ms)))
		free_peer(p);
	while ((p = overdue(&u->established, u->conf.idle_ms, now_ms)))
		free_peer(p);
}

int64_t cw_tsp_udp_deadline(const struct cw_tsp_udp *u)
{
	const int64_t a = due(&u->half_open, u->conf.half_open_ms),
		      b = due(&u->established, u->conf.idle_ms);

	return a < b ? a : b;
}

unsigned cw_tsp_udp_peers(const struct cw_tsp_udp *u)
{
	return (unsigned) cw_map_count(u->peers);
}

unsigned cw_tsp_udp_half_open(const struct cw_tsp_udp *u)
{
	return u->n_half_open;
}
