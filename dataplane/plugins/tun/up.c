/* SPDX-License-Identifier: BSD-2-Clause */
/* Out of the tunnel: raw socket (and packet socket for merged packets) -> judgement -> TUN, from
 * where the kernel routes IPv4, lowers the TTL and answers what it must. RFC 2473 3.3, RFC
 * 7596 6.2. Thread: its own. */
#define _GNU_SOURCE /* NOLINT(bugprone-reserved-identifier) */

#include <errno.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/plugins/tun/forward.h"
#include "schema/ipip/join.h"

/* virtio_net_hdr, IPv6 header and options, the largest IPv4 packet; whole pages */
enum {
	SLOT = 68 * 1024,
	CONTROL = CMSG_SPACE(sizeof(struct tpacket_auxdata)),
	GSO_UDP_L4 = 5,
	STREAM = 4, /* packets at once that are the sign of more */
};

/* A packet whose client is to be told that it is not what it says (ICMPv6 1/5). */
struct refusal {
	struct cw_ipip_packet ip;
	const uint8_t *client;
};

struct cw_tun_up {
	struct cw_tun *t;
	struct cw_tun_fragments *frags;
	struct cw_tun_limit limit;
	uint8_t *slots;
	struct mmsghdr *msgs;
	struct iovec *iov;
	struct sockaddr_in6 *from;
	uint8_t (*control)[CONTROL];
	struct refusal *refusals;
	/* What passes, and of each group what the TUN must know if it is a packet alone. */
	struct cw_ipip_join join;
	struct virtio_net_hdr vnet[CW_IPIP_JOIN_MAX];
	struct iovec pieces[1 + CW_IPIP_JOIN_MAX];
};

struct cw_tun_up *cw_tun_up_free(struct cw_tun_up *u)
{
	if (!u)
		return NULL;
	if (u->slots)
		(void) munmap(u->slots, (size_t) u->t->batch * SLOT);
	u->frags = cw_tun_fragments_free(u->frags);
	free(u->msgs);
	free(u->iov);
	free(u->from);
	free(u->control);
	free(u->refusals);
	free(u);
	return NULL;
}

struct cw_tun_up *cw_tun_up_new(struct cw_tun *t)
{
	struct cw_tun_up *u = calloc(1, sizeof *u);
	void *slots;

	if (!u)
		return NULL;
	u->t = t;
	u->limit.per_s = t->icmp_per_s;
	/* Mostly untouched: a slot costs what the packets in it are long. */
	slots = mmap(NULL, (size_t) t->batch * SLOT, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	u->slots = slots == MAP_FAILED ? NULL : slots;
	u->frags = cw_tun_fragments_new();
	u->msgs = calloc(t->batch, sizeof *u->msgs);
	u->iov = calloc(t->batch, sizeof *u->iov);
	u->from = calloc(t->batch, sizeof *u->from);
	u->control = calloc(t->batch, sizeof *u->control);
	u->refusals = calloc(t->batch, sizeof *u->refusals);
	if (!u->slots || !u->frags || !u->msgs || !u->iov || !u->from || !u->control ||
		!u->refusals)
		return cw_tun_up_free(u);
	for (unsigned i = 0; i < t->batch; i++) {
		u->iov[i] = (struct iovec){u->slots + (size_t) i * SLOT, SLOT};
		u->msgs[i].msg_hdr.msg_iov = &u->iov[i];
		u->msgs[i].msg_hdr.msg_iovlen = 1;
	}
	return u;
}

static uint8_t class_of(struct msghdr *m)
{
	int v = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS)
			memcpy(&v, CMSG_DATA(c), sizeof v);
	}
	return (uint8_t) v;
}

/* Where the packet socket says that the IPv6 header begins, behind the virtio_net_hdr. */
static size_t network_at(struct msghdr *m)
{
	struct tpacket_auxdata aux = {0};

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == SOL_PACKET && c->cmsg_type == PACKET_AUXDATA)
			memcpy(&aux, CMSG_DATA(c), sizeof aux);
	}
	return aux.tp_net;
}

/* What the TUN must know about a merged packet, from what the packet socket told. */
static bool merged_header(const struct virtio_net_hdr *told, const struct cw_ipip_packet *ip,
	struct virtio_net_hdr *ret)
{
	uint8_t type = told->gso_type & (uint8_t) ~VIRTIO_NET_HDR_GSO_ECN;

	if (ip->more || ip->frag_at || !told->gso_size)
		return false;
	*ret = *told;
	ret->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	ret->csum_start = (uint16_t) ip->ihl;
	if (type == VIRTIO_NET_HDR_GSO_TCPV4 && ip->proto == IPPROTO_TCP && ip->payload_n >= 20) {
		ret->csum_offset = 16;
		ret->hdr_len = (uint16_t) (ip->ihl + (size_t) (ip->payload[12] >> 4) * 4);
		return true;
	}
	if (type == GSO_UDP_L4 && ip->proto == IPPROTO_UDP && ip->payload_n >= 8) {
		ret->csum_offset = 6;
		ret->hdr_len = (uint16_t) (ip->ihl + 8);
		return true;
	}
	return false;
}

/* The same about a packet of the raw socket, which tells nothing. Where merged packets come this
 * way, for want of CAP_BPF, their segments are taken to be as long as the tunnel allows (ADR 7). */
static bool plain_header(
	const struct cw_tun *t, const struct cw_ipip_packet *ip, struct virtio_net_hdr *ret)
{
	unsigned mtu = t->sockets.merged < 0 ? t->mtu : UINT16_MAX;
	struct cw_ipip_offload o;

	if (cw_ipip_offload(ip, mtu, &o) == CW_IPIP_UNUSABLE)
		return false;
	*ret = cw_ipip_vnet(&o);
	return true;
}

/* How many packets a merged one was. */
static uint64_t pieces(const struct virtio_net_hdr *vnet, const struct cw_ipip_packet *ip)
{
	size_t n = ip->total > vnet->hdr_len ? ip->total - vnet->hdr_len : 0;

	return vnet->gso_type && vnet->gso_size ? (n + vnet->gso_size - 1) / vnet->gso_size : 1;
}

static bool is_cookie(const struct cw_tun *t, const uint8_t *p, size_t n)
{
	return n == 1 + sizeof t->cookie && p[0] == 0 &&
	       memcmp(p + 1, t->cookie, sizeof t->cookie) == 0;
}

/* A received packet of either socket, as far as it is known before the judgement. */
struct arrival {
	uint8_t *p; /* the inner packet */
	size_t n;
	const uint8_t *outer;
	uint8_t tclass;
	bool merged;
	struct virtio_net_hdr told; /* merged only */
};

/* Judges one packet and adds it to what passes. Holds the table. */
static enum cw_tun_verdict judge(
	struct cw_tun_up *u, const struct arrival *a, int64_t now, struct cw_ipip_packet *ret)
{
	struct cw_tun *t = u->t;
	struct virtio_net_hdr vnet = {0};
	struct cw_tun_owner owner;
	enum cw_tun_verdict v;
	uint64_t n;
	int group;

	if (!cw_ipip_parse(a->p, a->n, ret))
		return CW_TUN_MALFORMED;
	v = cw_tun_decide_up(&t->rules, u->frags, a->outer, ret, now, &owner);
	if (v == CW_TUN_PASS && !cw_ipip_ecn_decap(ret, a->tclass))
		v = CW_TUN_ECN;
	if (v == CW_TUN_PASS &&
		!(a->merged ? merged_header(&a->told, ret, &vnet) : plain_header(t, ret, &vnet)))
		v = CW_TUN_MERGED;
	if (v != CW_TUN_PASS) {
		if (owner.dyn)
			(void) __atomic_fetch_add(&owner.dyn->counters.drops, 1, __ATOMIC_RELAXED);
		return v;
	}
	n = pieces(&vnet, ret);
	group = cw_ipip_join_add(&u->join, ret, owner.entry, vnet.flags != 0);
	if (group < 0)
		CW_TUN_COUNT(t->up_counts.joined, 1);
	else
		u->vnet[group] = vnet;
	CW_TUN_COUNT(owner.dyn->counters.up_packets, n);
	CW_TUN_COUNT(owner.dyn->counters.up_bytes, ret->total);
	CW_TUN_COUNT(t->up_counts.packets, n);
	CW_TUN_COUNT(t->up_counts.bytes, ret->total);
	if (owner.hairpin)
		CW_TUN_COUNT(t->up_counts.hairpin, 1);
	return v;
}

/* RFC 7596 6.2: ICMPv6 1/5 MAY be sent to a client that is not what it says. */
static void refuse(struct cw_tun_up *u, const struct refusal *r, int64_t now)
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6};
	uint8_t body[CW_IPIP_ICMP6_MAX];
	size_t n;

	if (r->ip.frag_at)
		return;
	if (!cw_tun_limit_ok(&u->limit, now)) {
		CW_TUN_COUNT(u->t->up_counts.icmp_limited, 1);
		return;
	}
	n = cw_ipip_icmp6_refused(r->client, u->t->tep6, r->ip.start, r->ip.total, body);
	memcpy(&to.sin6_addr, r->client, 16);
	if (sendto(u->t->sockets.icmp6, body, n, MSG_DONTWAIT, (struct sockaddr *) &to, sizeof to) >
		0)
		CW_TUN_COUNT(u->t->up_counts.icmp_sent, 1);
}

static void deliver(struct cw_tun_up *u)
{
	struct cw_tun *t = u->t;

	for (unsigned g = 0; g < u->join.n; g++) {
		struct virtio_net_hdr vnet;
		unsigned n = cw_ipip_join_end(&u->join, g, &vnet, u->pieces + 1);

		if (n == 1)
			vnet = u->vnet[g];
		u->pieces[0] = (struct iovec){&vnet, sizeof vnet};
		if (writev(t->device.fd, u->pieces, (int) n + 1) < 0)
			CW_TUN_COUNT(t->up_counts.verdicts[vnet.gso_type && errno == EINVAL
								   ? CW_TUN_MERGED
								   : CW_TUN_OUTPUT],
				n);
	}
}

static bool worth_refusing(enum cw_tun_verdict v)
{
	return v == CW_TUN_NO_BINDING || v == CW_TUN_SPOOF || v == CW_TUN_PORT ||
	       v == CW_TUN_EXPIRED;
}

/* Which queue its source's next packets shall take. */
static void learn(const struct cw_tun *t, int fd, const uint8_t *outer, enum cw_tun_verdict v)
{
	if (t->sockets.others < 0)
		return;
	if (fd == t->sockets.others && v == CW_TUN_PASS)
		cw_tun_sockets_know(&t->sockets, outer, true);
	else if (fd == t->sockets.rx &&
		 (v == CW_TUN_MALFORMED || v == CW_TUN_NO_BINDING || v == CW_TUN_SPOOF))
		cw_tun_sockets_know(&t->sockets, outer, false);
}

static int receive(struct cw_tun_up *u, int fd, bool merged)
{
	for (unsigned i = 0; i < u->t->batch; i++) {
		struct msghdr *m = &u->msgs[i].msg_hdr;

		m->msg_name = merged ? NULL : &u->from[i];
		m->msg_namelen = merged ? 0 : sizeof u->from[i];
		m->msg_control = u->control[i];
		m->msg_controllen = CONTROL;
		m->msg_flags = 0;
	}
	return recvmmsg(fd, u->msgs, u->t->batch, MSG_DONTWAIT, NULL);
}

/* False: nothing to judge (a probe, or a merged packet of somebody else). */
static bool arrived(struct cw_tun_up *u, unsigned i, bool merged, struct arrival *ret)
{
	uint8_t *p = u->slots + (size_t) i * SLOT, *ip6;
	size_t n = u->msgs[i].msg_len, at;

	ret->merged = merged;
	if (!merged) {
		if (is_cookie(u->t, p, n)) {
			(void) __atomic_fetch_add(&u->t->cookies_seen, 1, __ATOMIC_RELAXED);
			return false;
		}
		ret->p = p;
		ret->n = n;
		ret->outer = u->from[i].sin6_addr.s6_addr;
		ret->tclass = class_of(&u->msgs[i].msg_hdr);
		return true;
	}
	at = sizeof ret->told + network_at(&u->msgs[i].msg_hdr);
	if (n < at + 40)
		return false;
	memcpy(&ret->told, p, sizeof ret->told);
	ip6 = p + at;
	ret->outer = ip6 + 8;
	ret->tclass = (uint8_t) (ip6[0] << 4 | ip6[1] >> 4);
	ret->p = cw_ipip_ip6_inner(ip6, n - at, u->t->tep6, &ret->n);
	if (!ret->p)
		return false;
	CW_TUN_COUNT(u->t->up_counts.merged, 1);
	return true;
}

/* Takes what one of the sockets has, at most a batch: how many packets. */
static int turn(struct cw_tun_up *u, int fd, bool merged)
{
	struct cw_tun *t = u->t;
	int n = receive(u, fd, merged);
	unsigned refused = 0;
	int64_t now;

	if (n <= 0)
		return 0;
	now = cw_tun_now_ms();
	cw_ipip_join_reset(&u->join);
	(void) __atomic_add_fetch(&t->up_counts.batches, 1, __ATOMIC_ACQ_REL);
	cw_dptab_read_begin(t->rules.table);
	for (unsigned i = 0; i < (unsigned) n; i++) {
		struct refusal *r = &u->refusals[refused];
		struct arrival a;
		enum cw_tun_verdict v;

		if (!arrived(u, i, merged, &a))
			continue;
		v = judge(u, &a, now, &r->ip);
		learn(t, fd, a.outer, v);
		if (v == CW_TUN_PASS)
			continue;
		CW_TUN_COUNT(t->up_counts.verdicts[v], 1);
		r->client = a.outer;
		refused += t->icmp_unreach && worth_refusing(v);
	}
	cw_dptab_read_end(t->rules.table);
	deliver(u);
	for (unsigned i = 0; i < refused; i++)
		refuse(u, &u->refusals[i], now);
	(void) __atomic_add_fetch(&t->up_counts.batches, 1, __ATOMIC_ACQ_REL);
	return n;
}

/* While packets stream, a batch that is taken at once has few of them: what is behind the TUN costs
 * less if they come together. A lone packet never waits. */
static void gather(const struct cw_tun *t, int last)
{
	const struct timespec pause = {.tv_nsec = (long) t->gather_us * 1000};

	if (t->gather_us && last >= STREAM && last < (int) t->batch - (int) t->batch / 4)
		(void) nanosleep(&pause, NULL);
}

void *cw_tun_up_run(void *arg)
{
	struct cw_tun_up *u = arg;
	int last = 0;
	const struct cw_tun_sockets *s = &u->t->sockets;
	struct pollfd fds[] = {{.fd = u->t->stop, .events = POLLIN},
		{.fd = s->rx, .events = POLLIN}, {.fd = s->merged, .events = POLLIN},
		{.fd = s->others, .events = POLLIN}};

	(void) prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	for (;;) {
		if (poll(fds, 4, -1) < 0)
			continue; /* EINTR; nothing else can happen to these */
		if (fds[0].revents)
			return NULL;
		gather(u->t, last);
		last = 0;
		if (fds[1].revents)
			last = turn(u, s->rx, false);
		if (fds[2].revents)
			(void) turn(u, s->merged, true);
		if (fds[3].revents)
			(void) turn(u, s->others, false);
	}
}
