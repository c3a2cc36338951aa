/* SPDX-License-Identifier: BSD-2-Clause */
/* The way of the packets through the tunnel interface of kind `tun`: TUN to raw socket and back, in
 * batches. RFC 2473 (class), RFC 6040 (ECN), RFC 7596 5.2 (what a client must not let in), guide
 * dataplane.md 1 and 5. Up, the kernel's merged TCP packets are cut (cut.h) and sent in one call;
 * down, segments are joined (join.h) and written in one call. The socket also receives what
 * offloads left behind, merged segments and unfinished checksums, which go into the TUN with a
 * virtio header that says so. Thread: the packet thread. */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/uio.h>

#include "client/dti/tun.h"
#include "schema/ipip/cut.h"

enum { SEND_WAIT_MS = 10 };

static bool allowed(const struct tun *t, const struct cw_ipip_packet *ip, enum cw_ipip_side side)
{
	struct cw_addr4 ours = side == CW_IPIP_UP ? ip->src : ip->dst;
	uint16_t port;

	if (ours.v != t->conf.ipv4.v)
		return false;
	if (cw_portset_is_whole(t->conf.ports))
		return true;
	return cw_ipip_port_of(ip, side, &port) == CW_IPIP_PORT_IS &&
	       cw_portset_has(t->conf.ports, port);
}

/* ---- up: host to TEP ---- */

static bool wait_writable(const struct tun *t)
{
	struct pollfd p = {.fd = t->raw, .events = POLLOUT};

	return poll(&p, 1, SEND_WAIT_MS) == 1 && p.revents & POLLOUT;
}

static void flush(struct tun *t)
{
	unsigned at = 0;
	bool again = false; /* the message at `at` has had its second try */

	while (at < t->queued) {
		int sent = sendmmsg(t->raw, t->out + at, t->queued - at, 0);

		if (sent > 0) {
			for (unsigned i = at; i < at + (unsigned) sent; i++)
				cw_dti_tun_count(t, CW_DTI_UP_BYTES, t->out[i].msg_len);
			cw_dti_tun_count(t, CW_DTI_UP_PACKETS, (unsigned) sent);
			at += (unsigned) sent;
			again = false;
			continue;
		}
		if (errno == EINTR)
			continue;
		/* No room: wait a little. Anything else may be an earlier packet's ICMP error. */
		if (!again && (errno == EAGAIN ? wait_writable(t) : (cw_dti_tun_errors(t), true))) {
			again = true;
			continue;
		}
		cw_dti_tun_count(t, CW_DTI_DROP_SEND, 1);
		again = false;
		at++;
	}
	t->queued = 0;
}

/* RFC 7596 6.2 by way of RFC 2983: the class is copied, ECN with it (RFC 6040 4.1). The flow label
 * stays 0 (RFC 2473 6.5), the TTL was the kernel's business. */
static void set_class(struct msghdr *m, union cw_dti_class *c, int tos)
{
	if (tos == 0)
		return;
	c->align = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof tos),
		.cmsg_level = IPPROTO_IPV6,
		.cmsg_type = IPV6_TCLASS};
	memcpy(CMSG_DATA(&c->align), &tos, sizeof tos);
	m->msg_control = c;
	m->msg_controllen = sizeof *c;
}

/* Queues a header, which is copied, and octets that stay where they are. */
static void queue(
	struct tun *t, uint8_t tos, const uint8_t *header, size_t header_n, struct iovec payload)
{
	struct cw_dti_out *o;
	struct msghdr *m;

	if (t->queued == CW_DTI_QUEUE)
		flush(t);
	o = &t->outs[t->queued];
	m = &t->out[t->queued++].msg_hdr;
	memcpy(o->header, header, header_n);
	o->iov[0] = (struct iovec){o->header, header_n};
	o->iov[1] = payload;
	*m = (struct msghdr){.msg_iov = o->iov, .msg_iovlen = payload.iov_len ? 2 : 1};
	set_class(m, &o->control, tos);
}

struct cut {
	struct tun *t;
	uint8_t tos;
};

static bool queue_segment(void *arg, const struct cw_ipip_segment *s)
{
	const struct cut *c = arg;

	queue(c->t, c->tos, s->header, s->header_n, (struct iovec){s->payload, s->payload_n});
	return true;
}

/* One packet from the TUN: what counter it moves if it is dropped, else CW_DTI_UP_PACKETS. */
static enum cw_dti_counter take_up(
	struct tun *t, uint8_t *p, size_t n, const struct virtio_net_hdr *head)
{
	struct cw_ipip_packet ip;
	struct cut cut = {.t = t};

	if (!cw_ipip_parse(p, n, &ip))
		return CW_DTI_DROP_MALFORMED;
	if (!allowed(t, &ip, CW_IPIP_UP))
		return CW_DTI_DROP_SOURCE;
	if (head->gso_type != VIRTIO_NET_HDR_GSO_NONE) {
		cut.tos = ip.tos;
		if (!cw_ipip_segment_tcp(&ip, head->gso_size, queue_segment, &cut))
			return CW_DTI_DROP_MALFORMED;
		cw_dti_tun_count(t, CW_DTI_CUT, 1);
		return CW_DTI_UP_PACKETS;
	}
	if (head->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		cw_ipip_finish_checksum(p, ip.total, head->csum_start, head->csum_offset);
	queue(t, ip.tos, ip.start, ip.ihl, (struct iovec){ip.payload, ip.payload_n});
	return CW_DTI_UP_PACKETS;
}

bool cw_dti_tun_up(struct tun *t)
{
	unsigned n = 0, cut = 0;
	ssize_t got = 0;

	/* Merged packets are many: the other direction must not wait for too long. */
	for (; n < CW_DTI_BATCH && cut < CW_DTI_QUEUE; n++) {
		uint8_t *p = t->slots + (size_t) n * CW_DTI_SLOT;
		struct virtio_net_hdr head;
		struct iovec iov[2] = {{&head, sizeof head}, {p, CW_DTI_PACKET_MAX}};
		enum cw_dti_counter to;

		got = readv(t->tun, iov, 2);
		if (got < (ssize_t) sizeof head)
			break;
		to = take_up(t, p, (size_t) got - sizeof head, &head);
		if (to != CW_DTI_UP_PACKETS)
			cw_dti_tun_count(t, to, 1);
		cut += 1 + (unsigned) got / 1500;
	}
	flush(t);
	return got >= (ssize_t) sizeof(struct virtio_net_hdr);
}

/* ---- down: TEP to host ---- */

static int class_of(struct msghdr *m)
{
	int value = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS)
			memcpy(&value, CMSG_DATA(c), sizeof value);
	return value;
}

/* One packet from the tunnel: as take_up(). */
static enum cw_dti_counter take_down(struct tun *t, unsigned i)
{
	struct msghdr *m = &t->in[i].msg_hdr;
	struct cw_ipip_offload o;
	struct cw_ipip_packet ip;
	struct cw_addr6 by;
	int group;

	memcpy(by.b, &t->from[i].sin6_addr, sizeof by.b);
	if (!cw_addr6_eq(&by, &t->conf.tep))
		return CW_DTI_DROP_OUTER;
	if (m->msg_flags & MSG_TRUNC ||
		!cw_ipip_parse(t->in_iov[i].iov_base, t->in[i].msg_len, &ip))
		return CW_DTI_DROP_MALFORMED;
	if (!allowed(t, &ip, CW_IPIP_DOWN))
		return CW_DTI_DROP_DESTINATION;
	if (!cw_ipip_ecn_decap(&ip, (uint8_t) class_of(m)))
		return CW_DTI_DROP_ECN;
	if (cw_ipip_offload(&ip, atomic_load_explicit(&t->mtu, memory_order_relaxed), &o) ==
		CW_IPIP_UNUSABLE)
		return CW_DTI_DROP_MERGED;
	group = cw_ipip_join_add(&t->join, &ip, t, o.needs_csum);
	if (group >= 0)
		t->vnet[group] = cw_ipip_vnet(&o);
	return CW_DTI_DOWN_PACKETS;
}

static void deliver(struct tun *t, unsigned group)
{
	struct virtio_net_hdr head;
	unsigned n = cw_ipip_join_end(&t->join, group, &head, t->pieces + 1);

	if (n == 1)
		head = t->vnet[group];
	t->pieces[0] = (struct iovec){&head, sizeof head};
	if (writev(t->tun, t->pieces, (int) n + 1) < 0) {
		cw_dti_tun_count(t, errno == EINVAL ? CW_DTI_DROP_MALFORMED : CW_DTI_DROP_SEND, n);
		return;
	}
	cw_dti_tun_count(t, CW_DTI_DOWN_PACKETS, n);
	cw_dti_tun_count(t, CW_DTI_DOWN_BYTES, t->join.groups[group].total);
	cw_dti_tun_count(t, CW_DTI_JOINED, n - 1);
	if (n == 1 && head.flags)
		cw_dti_tun_count(t, CW_DTI_OFFLOADED, 1);
}

bool cw_dti_tun_down(struct tun *t)
{
	int n;

	for (unsigned i = 0; i < CW_DTI_BATCH; i++) {
		t->in_iov[i] =
			(struct iovec){t->slots + (size_t) i * CW_DTI_SLOT, CW_DTI_PACKET_MAX};
		t->in[i].msg_hdr = (struct msghdr){.msg_name = &t->from[i],
			.msg_namelen = sizeof t->from[i],
			.msg_iov = &t->in_iov[i],
			.msg_iovlen = 1,
			.msg_control = &t->control[i],
			.msg_controllen = sizeof t->control[i]};
	}
	n = recvmmsg(t->raw, t->in, CW_DTI_BATCH, MSG_DONTWAIT, NULL);
	cw_ipip_join_reset(&t->join);
	for (int i = 0; i < n; i++) {
		enum cw_dti_counter to = take_down(t, (unsigned) i);

		if (to != CW_DTI_DOWN_PACKETS)
			cw_dti_tun_count(t, to, 1);
	}
	for (unsigned g = 0; g < t->join.n; g++)
		deliver(t, g);
	return n == CW_DTI_BATCH;
}
