/* SPDX-License-Identifier: BSD-2-Clause */
/* Into the tunnel: TUN -> judgement -> raw socket, which makes the outer header (and cuts it where
 * that is the mode). Also the ICMPv6 errors that come back from inside the tunnel, made into ICMPv4
 * for the sender (RFC 2473 7.2, 8). Thread: its own. */
#define _GNU_SOURCE /* NOLINT(bugprone-reserved-identifier) */

#include <errno.h>
#include <linux/virtio_net.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* clang-format off */
#include <linux/errqueue.h> /* forgets <time.h> */
/* clang-format on */

#include "dataplane/plugins/tun/forward.h"
#include "schema/ipip/cut.h"

enum {
	SLOT = 68 * 1024,
	QUEUE = 512,
	CONTROL = CMSG_SPACE(sizeof(int)),
	ERRORS_PER_TURN = 64,
	PATH_MTU_S = 600, /* RFC 8201 5.4 */
};

struct cw_tun_down {
	struct cw_tun *t;
	struct cw_tun_fragments *frags;
	struct cw_tun_limit limit;
	uint8_t *slots;
	size_t *lengths;
	struct packet *packets;

	/* Messages on their way out; they point into slots. */
	unsigned queued;
	bool waited; /* for room, in this turn */
	struct mmsghdr msgs[QUEUE];
	struct iovec iov[QUEUE][2];
	struct sockaddr_in6 to[QUEUE];
	uint8_t headers[QUEUE][120];
	_Alignas(struct cmsghdr) uint8_t control[QUEUE][CONTROL];
	uint8_t segment[UINT16_MAX]; /* one that is cut once more */
};

/* What the judgement left of a packet. */
struct packet {
	enum cw_tun_verdict verdict;
	struct cw_ipip_packet ip;
	uint8_t client[16];
	size_t mtu;      /* of this client's tunnel */
	size_t gso_size; /* 0: not merged */
};

struct cw_tun_down *cw_tun_down_free(struct cw_tun_down *d)
{
	if (!d)
		return NULL;
	if (d->slots)
		(void) munmap(d->slots, (size_t) d->t->batch * SLOT);
	d->frags = cw_tun_fragments_free(d->frags);
	free(d->lengths);
	free(d->packets);
	free(d);
	return NULL;
}

struct cw_tun_down *cw_tun_down_new(struct cw_tun *t)
{
	struct cw_tun_down *d = calloc(1, sizeof *d);
	void *slots;

	if (!d)
		return NULL;
	d->t = t;
	d->limit.per_s = t->icmp_per_s;
	slots = mmap(NULL, (size_t) t->batch * SLOT, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	d->slots = slots == MAP_FAILED ? NULL : slots;
	d->frags = cw_tun_fragments_new();
	d->lengths = calloc(t->batch, sizeof *d->lengths);
	d->packets = calloc(t->batch, sizeof *d->packets);
	if (!d->slots || !d->frags || !d->lengths || !d->packets)
		return cw_tun_down_free(d);
	for (unsigned i = 0; i < QUEUE; i++) {
		d->to[i].sin6_family = AF_INET6;
		d->msgs[i].msg_hdr.msg_name = &d->to[i];
		d->msgs[i].msg_hdr.msg_namelen = sizeof d->to[i];
		d->msgs[i].msg_hdr.msg_iov = d->iov[i];
	}
	return d;
}

/* --- out --- */

/* Errors of earlier packets (IPV6_RECVERR) are reported by the next send, which was not tried then:
 * so again, once. A full buffer empties at the speed of the wire; a wait that did not help once is
 * not repeated in this turn, for the other clients and the plugin's operations wait with it. */
static void flush(struct cw_tun_down *d)
{
	struct cw_tun *t = d->t;
	unsigned at = 0, tries = 0;

	while (at < d->queued) {
		int n = sendmmsg(t->sockets.tx, d->msgs + at, d->queued - at, MSG_DONTWAIT);

		if (n > 0) {
			at += (unsigned) n;
			tries = 0;
		} else if (tries++ == 0) {
			struct pollfd full = {.fd = t->sockets.tx, .events = POLLOUT};

			if ((errno == EAGAIN || errno == ENOBUFS) && !d->waited)
				d->waited = poll(&full, 1, 5) == 0;
		} else {
			CW_TUN_COUNT(t->down_counts.verdicts[CW_TUN_OUTPUT], 1);
			at++;
			tries = 0;
		}
	}
	d->queued = 0;
}

/* RFC 2473 6.4, RFC 6333 7.1: copied by default; a set class carries no ECN (RFC 6040 compatibility
 * mode). */
static void set_class(struct cw_tun_down *d, struct msghdr *m, unsigned slot, uint8_t tos)
{
	int v = d->t->tclass < 0 ? tos : d->t->tclass;
	struct cmsghdr *c;

	m->msg_control = NULL;
	m->msg_controllen = 0;
	if (v == 0)
		return;
	m->msg_control = d->control[slot];
	m->msg_controllen = CONTROL;
	c = CMSG_FIRSTHDR(m);
	c->cmsg_level = IPPROTO_IPV6;
	c->cmsg_type = IPV6_TCLASS;
	c->cmsg_len = CMSG_LEN(sizeof v);
	memcpy(CMSG_DATA(c), &v, sizeof v);
}

/* Queues header (copied) + payload (stays where it is) to a client. */
static void queue(struct cw_tun_down *d, const struct packet *pk, const uint8_t *header,
	size_t header_n, struct iovec payload)
{
	unsigned i;

	if (d->queued == QUEUE)
		flush(d);
	i = d->queued++;
	memcpy(d->headers[i], header, header_n);
	d->iov[i][0] = (struct iovec){d->headers[i], header_n};
	d->iov[i][1] = payload;
	d->msgs[i].msg_hdr.msg_iovlen = payload.iov_len ? 2 : 1;
	memcpy(&d->to[i].sin6_addr, pk->client, 16);
	set_class(d, &d->msgs[i].msg_hdr, i, pk->ip.tos);
}

struct cut {
	struct cw_tun_down *d;
	const struct packet *pk;
};

static bool queue_piece(void *arg, const struct cw_ipip_piece *piece)
{
	const struct cut *c = arg;

	queue(c->d, c->pk, piece->header, piece->header_n,
		(struct iovec){piece->payload, piece->payload_n});
	return true;
}

/* Whether a packet of n octets is cut before it is wrapped; DF was judged before. */
static bool too_long(const struct cut *c, size_t n)
{
	return c->d->t->fragment == CW_TUN_FRAG_INNER && n > c->pk->mtu;
}

static bool queue_segment(void *arg, const struct cw_ipip_segment *s)
{
	const struct cut *c = arg;
	struct cw_tun_down *d = c->d;
	struct cw_ipip_packet ip;
	size_t n = s->header_n + s->payload_n;

	if (!too_long(c, n)) {
		queue(d, c->pk, s->header, s->header_n, (struct iovec){s->payload, s->payload_n});
		return true;
	}
	flush(d); /* its fragments lie where those of the last one did */
	memcpy(d->segment, s->header, s->header_n);
	memcpy(d->segment + s->header_n, s->payload, s->payload_n);
	CW_TUN_COUNT(d->t->down_counts.fragmented, 1);
	return cw_ipip_parse(d->segment, n, &ip) &&
	       cw_ipip_fragment(&ip, c->pk->mtu, queue_piece, arg);
}

/* An ICMPv4 type 3 to the sender of a packet; the kernel chooses the source by the route (RFC
 * 2473 8.3). */
static void complain(struct cw_tun_down *d, const struct cw_ipip_packet *about, uint8_t code,
	size_t mtu, int64_t now)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = {htonl(about->src.v)}};
	uint8_t body[CW_IPIP_ICMP4_MAX];
	size_t n;

	if (!cw_ipip_may_complain(about))
		return;
	if (!cw_tun_limit_ok(&d->limit, now)) {
		CW_TUN_COUNT(d->t->down_counts.icmp_limited, 1);
		return;
	}
	n = cw_ipip_icmp4_unreachable(about, code, code == 4 ? (uint16_t) mtu : 0, body);
	if (sendto(d->t->sockets.icmp4, body, n, MSG_DONTWAIT, (struct sockaddr *) &to, sizeof to) >
		0)
		CW_TUN_COUNT(d->t->down_counts.icmp_sent, 1);
}

/* --- judgement --- */

static size_t mtu_for(const struct cw_tun *t, const struct cw_tun_owner *o, int64_t now)
{
	size_t mtu = t->mtu;
	uint32_t learned = __atomic_load_n(&o->dyn->path_mtu, __ATOMIC_RELAXED);

	if (o->entry->mtu && o->entry->mtu < mtu)
		mtu = o->entry->mtu;
	if (learned && learned < mtu &&
		now / 1000 < (int64_t) __atomic_load_n(&o->dyn->path_mtu_until_s, __ATOMIC_RELAXED))
		mtu = learned;
	return mtu;
}

/* Holds the table. */
static void judge(struct cw_tun_down *d, uint8_t *p, size_t n, int64_t now, struct packet *pk)
{
	struct cw_tun *t = d->t;
	struct virtio_net_hdr vnet;
	struct cw_tun_owner owner;

	pk->verdict = CW_TUN_MALFORMED;
	if (n < sizeof vnet)
		return;
	memcpy(&vnet, p, sizeof vnet);
	if (!cw_ipip_parse(p + sizeof vnet, n - sizeof vnet, &pk->ip))
		return;
	pk->gso_size = vnet.gso_type ? vnet.gso_size : 0;
	pk->verdict = cw_tun_decide_down(&t->rules, d->frags, &pk->ip, now, &owner);
	if (pk->verdict != CW_TUN_PASS) {
		if (owner.dyn)
			(void) __atomic_fetch_add(&owner.dyn->counters.drops, 1, __ATOMIC_RELAXED);
		return;
	}
	memcpy(pk->client, owner.entry->ipv6, 16);
	pk->mtu = mtu_for(t, &owner, now);
	if (cw_ipip_segment_length(&pk->ip, pk->gso_size) > pk->mtu &&
		t->fragment != CW_TUN_FRAG_OUTER_IGNORE_DF && pk->ip.df) {
		pk->verdict = CW_TUN_TOO_BIG;
		(void) __atomic_fetch_add(&owner.dyn->counters.drops, 1, __ATOMIC_RELAXED);
		return;
	}
	if (!pk->gso_size && (vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		cw_ipip_finish_checksum(
			pk->ip.start, pk->ip.total, vnet.csum_start, vnet.csum_offset);
	CW_TUN_COUNT(
		owner.dyn->counters.down_packets, cw_ipip_segment_count(&pk->ip, pk->gso_size));
	CW_TUN_COUNT(owner.dyn->counters.down_bytes, pk->ip.total);
	CW_TUN_COUNT(t->down_counts.packets, cw_ipip_segment_count(&pk->ip, pk->gso_size));
	CW_TUN_COUNT(t->down_counts.bytes, pk->ip.total);
}

static void send_on(struct cw_tun_down *d, struct packet *pk, int64_t now)
{
	struct cw_tun *t = d->t;
	struct cut cut = {d, pk};

	switch (pk->verdict) {
	case CW_TUN_PASS:
		break;
	case CW_TUN_TOO_BIG:
		complain(d, &pk->ip, 4, pk->mtu, now);
		break;
	case CW_TUN_NO_BINDING:
	case CW_TUN_PORT:
	case CW_TUN_EXPIRED: /* RFC 7596 6.2: 3/1 MAY be sent */
		if (t->icmp_unreach)
			complain(d, &pk->ip, 1, 0, now);
		break;
	default:
		break;
	}
	if (pk->verdict != CW_TUN_PASS) {
		CW_TUN_COUNT(t->down_counts.verdicts[pk->verdict], 1);
		return;
	}
	if (pk->gso_size) {
		CW_TUN_COUNT(t->down_counts.merged, 1);
		if (!cw_ipip_segment_tcp(&pk->ip, pk->gso_size, queue_segment, &cut))
			CW_TUN_COUNT(t->down_counts.verdicts[CW_TUN_MERGED], 1);
	} else if (!too_long(&cut, pk->ip.total)) {
		queue(d, pk, pk->ip.start, pk->ip.ihl,
			(struct iovec){pk->ip.payload, pk->ip.payload_n});
	} else {
		CW_TUN_COUNT(t->down_counts.fragmented, 1);
		(void) cw_ipip_fragment(&pk->ip, pk->mtu, queue_piece, &cut);
	}
}

/* Takes a batch from the TUN. */
static void turn(struct cw_tun_down *d)
{
	struct cw_tun *t = d->t;
	unsigned n = 0;
	int64_t now;

	while (n < t->batch) {
		ssize_t len = read(t->device.fd, d->slots + (size_t) n * SLOT, SLOT);

		if (len <= 0)
			break;
		d->lengths[n++] = (size_t) len;
	}
	if (n == 0)
		return;
	now = cw_tun_now_ms();
	d->waited = false;
	(void) __atomic_add_fetch(&t->down_counts.batches, 1, __ATOMIC_ACQ_REL);
	cw_dptab_read_begin(t->rules.table);
	for (unsigned i = 0; i < n; i++)
		judge(d, d->slots + (size_t) i * SLOT, d->lengths[i], now, &d->packets[i]);
	cw_dptab_read_end(t->rules.table);
	for (unsigned i = 0; i < n; i++)
		send_on(d, &d->packets[i], now);
	flush(d);
	(void) __atomic_add_fetch(&t->down_counts.batches, 1, __ATOMIC_ACQ_REL);
}

/* --- errors from inside the tunnel (RFC 2473 8) --- */

/* The quoted inner packet went to a client of ours, at that address, whose binding lives. */
static bool is_ours(struct cw_tun_down *d, const struct cw_ipip_packet *ip,
	const uint8_t client[16], uint32_t path_mtu, int64_t now)
{
	struct cw_tun *t = d->t;
	struct cw_tun_owner owner;
	bool ours;

	cw_dptab_read_begin(t->rules.table);
	ours = cw_tun_decide_down(&t->rules, d->frags, ip, now, &owner) == CW_TUN_PASS &&
	       memcmp(owner.entry->ipv6, client, 16) == 0;
	if (ours && path_mtu && t->pmtu) {
		__atomic_store_n(&owner.dyn->path_mtu, path_mtu, __ATOMIC_RELAXED);
		__atomic_store_n(&owner.dyn->path_mtu_until_s, (uint32_t) (now / 1000 + PATH_MTU_S),
			__ATOMIC_RELAXED);
	}
	cw_dptab_read_end(t->rules.table);
	return ours;
}

static void on_error(struct cw_tun_down *d, const struct sock_extended_err *e,
	const struct sockaddr_in6 *to, uint8_t *p, size_t n, int64_t now)
{
	struct cw_ipip_packet ip;
	uint32_t mtu = 0;

	if (e->ee_origin != SO_EE_ORIGIN_ICMP6)
		return;
	CW_TUN_COUNT(d->t->down_counts.errors, 1);
	if (!cw_ipip_parse_quoted(p, n, &ip))
		return;
	if (e->ee_type == ICMP6_PACKET_TOO_BIG) /* RFC 8200 5: no path below 1280 */
		mtu = (e->ee_info < 1280 ? 1280 : e->ee_info) - CW_IPIP_OVERHEAD;
	if (mtu >= d->t->mtu && mtu)
		return; /* nothing new: the packet was not larger than that */
	if (!is_ours(d, &ip, to->sin6_addr.s6_addr, mtu, now))
		return;
	switch (e->ee_type) {
	case ICMP6_PACKET_TOO_BIG:
		if (ip.df && d->t->fragment != CW_TUN_FRAG_OUTER_IGNORE_DF && d->t->pmtu)
			complain(d, &ip, 4, mtu, now);
		break;
	case ICMP6_DST_UNREACH:
	case ICMP6_TIME_EXCEEDED:
		complain(d, &ip, 1, 0, now);
		break;
	default: /* we send no encapsulation limit that a parameter problem could point at */
		break;
	}
}

static void take_errors(struct cw_tun_down *d)
{
	for (unsigned i = 0; i < ERRORS_PER_TURN; i++) {
		struct sockaddr_in6 to;
		_Alignas(struct cmsghdr) uint8_t control[512];
		struct iovec iov = {d->slots, SLOT};
		struct msghdr m = {
			.msg_name = &to,
			.msg_namelen = sizeof to,
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof control,
		};
		ssize_t n = recvmsg(d->t->sockets.tx, &m, MSG_ERRQUEUE | MSG_DONTWAIT);

		if (n < 0)
			return;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
			struct sock_extended_err e;

			if (c->cmsg_level != IPPROTO_IPV6 || c->cmsg_type != IPV6_RECVERR ||
				m.msg_namelen < sizeof to)
				continue;
			memcpy(&e, CMSG_DATA(c), sizeof e);
			on_error(d, &e, &to, d->slots, (size_t) n, cw_tun_now_ms());
		}
	}
}

void *cw_tun_down_run(void *arg)
{
	struct cw_tun_down *d = arg;
	struct pollfd fds[] = {{.fd = d->t->stop, .events = POLLIN},
		{.fd = d->t->device.fd, .events = POLLIN}, {.fd = d->t->sockets.tx, .events = 0}};

	for (;;) {
		if (poll(fds, 3, -1) < 0)
			continue; /* EINTR */
		if (fds[0].revents)
			return NULL;
		if (fds[2].revents)
			take_errors(d);
		if (fds[1].revents & POLLERR)
			fds[1].fd = -1; /* deleted, for ever: guard.h */
		else if (fds[1].revents)
			turn(d);
	}
}
