/* SPDX-License-Identifier: BSD-2-Clause */
/* See join.h. The rules are those of Linux's GRO for TCP, and stricter where that gives a packet
 * which is cut differently: RFC 9293 3.1, RFC 3168 6.1, RFC 6864. */
#include "config.h"

#include <string.h>

#include "schema/ipip/join.h"
#include "schema/ipip/octets.h"

enum {
	FIN = 0x01,
	PSH = 0x08,
	ACK = 0x10,
	ECE = 0x40,
	SEQ_AT = 4,
	ACK_AT = 8,
	OFFSET_AT = 12,
	FLAGS_AT = 13,
	WINDOW_AT = 14,
	SUM_AT = 16,
	URGENT_AT = 18,
	HEADER = 20, /* of both IPv4 and TCP, without options */
};

void cw_ipip_join_reset(struct cw_ipip_join *j)
{
	j->n_packets = j->n = j->n_open = 0;
}

/* IPv4 and TCP header, if this is data and nothing else; else 0. */
static size_t data_header(const struct cw_ipip_packet *ip)
{
	const uint8_t *tcp = ip->payload;
	size_t thl;

	if (ip->proto != CW_IPIP_TCP || ip->ihl != HEADER || ip->more || ip->frag_at ||
		ip->payload_n <= HEADER)
		return 0;
	thl = (size_t) (tcp[OFFSET_AT] >> 4) * 4;
	if (thl < HEADER || thl >= ip->payload_n)
		return 0;
	return (tcp[FLAGS_AT] | FIN | PSH | ECE) == (ACK | FIN | PSH | ECE) ? HEADER + thl : 0;
}

/* Both checksums must be the very numbers a cutter writes, not only right ones (0 and 0xffff). */
static bool sum_right(const struct cw_ipip_packet *ip)
{
	uint64_t sum = cw_ipip_sum(ip->start + 12, 8, cw_ipip_sum(ip->start, 10, 0));

	if (cw_ipip_fold(sum) + cw_get16(ip->start + 10) != UINT16_MAX)
		return false;
	sum = cw_ipip_pseudo_sum(ip, ip->payload_n);
	sum = cw_ipip_sum(ip->payload, SUM_AT, sum);
	sum = cw_ipip_sum(ip->payload + URGENT_AT, ip->payload_n - URGENT_AT, sum);
	return cw_ipip_fold(sum) + cw_get16(ip->payload + SUM_AT) == UINT16_MAX;
}

/* A packet of the same connection; one whose ports cannot be read is of all between its hosts. */
static bool related(const struct cw_ipip_joined *g, const struct cw_ipip_packet *ip)
{
	if (ip->proto != CW_IPIP_TCP || ip->src.v != g->packet.src.v ||
		ip->dst.v != g->packet.dst.v)
		return false;
	return ip->more || ip->frag_at || ip->payload_n < 4 ||
	       memcmp(ip->payload, g->packet.payload, 4) == 0;
}

/* All but the checksums. */
static bool follows(const struct cw_ipip_joined *g, const struct cw_ipip_packet *ip,
	const void *owner, size_t header)
{
	const struct cw_ipip_packet *first = &g->packet;
	const uint8_t *a = first->payload, *b = ip->payload;
	size_t n = ip->total - header;

	return owner == g->owner && header == g->header && n <= g->segment &&
	       g->total + n <= UINT16_MAX && ip->tos == first->tos && ip->ttl == first->ttl &&
	       memcmp(ip->start + 6, first->start + 6, 2) == 0 && /* DF, and the reserved bit */
	       ip->id == (uint16_t) (first->id + g->n) && cw_get32(b + SEQ_AT) == g->seq &&
	       memcmp(a + ACK_AT, b + ACK_AT, 5) == 0 && /* and offset, reserved bits */
	       ((b[FLAGS_AT] ^ a[FLAGS_AT]) | FIN | PSH) == (FIN | PSH) &&
	       memcmp(a + WINDOW_AT, b + WINDOW_AT, 2) == 0 &&
	       memcmp(a + URGENT_AT, b + URGENT_AT, header - HEADER - URGENT_AT) == 0;
}

static void append(
	struct cw_ipip_join *j, struct cw_ipip_joined *g, const struct cw_ipip_packet *ip)
{
	unsigned at = j->n_packets++;
	size_t n = ip->total - g->header;

	j->data[at] = (struct iovec){ip->start + g->header, n};
	j->next[g->last] = at;
	g->last = at;
	g->n++;
	g->total += n;
	g->seq += (uint32_t) n;
	/* The first one's flags become those of the whole; a cutter puts these on the last. */
	g->packet.payload[FLAGS_AT] |= ip->payload[FLAGS_AT] & (FIN | PSH);
}

static unsigned begin(
	struct cw_ipip_join *j, const struct cw_ipip_packet *ip, const void *owner, size_t header)
{
	struct cw_ipip_joined *g = &j->groups[j->n];
	unsigned at = j->n_packets++;

	*g = (struct cw_ipip_joined){
		.packet = *ip,
		.owner = owner,
		.n = 1,
		.first = at,
		.last = at,
		.total = ip->total,
		.header = (uint8_t) header,
	};
	j->data[at] = (struct iovec){ip->start, ip->total};
	if (header && !(ip->payload[FLAGS_AT] & (FIN | PSH))) {
		g->segment = (uint16_t) (ip->total - header);
		g->seq = cw_get32(ip->payload + SEQ_AT) + g->segment;
		j->open[j->n_open++] = j->n;
	}
	return j->n++;
}

/* true: ip became a part of the group. *ret_close: nothing more may. */
static bool grow(struct cw_ipip_join *j, struct cw_ipip_joined *g, const struct cw_ipip_packet *ip,
	const void *owner, size_t header, bool *ret_close)
{
	*ret_close = true;
	if (!header || !follows(g, ip, owner, header))
		return false;
	if (g->sum == CW_IPIP_SUM_UNKNOWN)
		g->sum = sum_right(&g->packet) ? CW_IPIP_SUM_RIGHT : CW_IPIP_SUM_WRONG;
	if (g->sum == CW_IPIP_SUM_WRONG || !sum_right(ip))
		return false;
	append(j, g, ip);
	*ret_close = ip->total - header < g->segment || (ip->payload[FLAGS_AT] & (FIN | PSH)) != 0;
	return true;
}

int cw_ipip_join_add(
	struct cw_ipip_join *j, const struct cw_ipip_packet *ip, const void *owner, bool alone)
{
	size_t header = alone ? 0 : data_header(ip);
	bool done = false;

	for (unsigned i = 0; i < j->n_open;) {
		struct cw_ipip_joined *g = &j->groups[j->open[i]];
		bool close = false;

		if (related(g, ip))
			done = grow(j, g, ip, owner, header, &close);
		if (close)
			j->open[i] = j->open[--j->n_open];
		else
			i++;
		if (done)
			return -1;
	}
	return (int) begin(j, ip, owner, header);
}

unsigned cw_ipip_join_end(struct cw_ipip_join *j, unsigned g, struct virtio_net_hdr *ret_vnet,
	struct iovec iov[static CW_IPIP_JOIN_MAX])
{
	struct cw_ipip_joined *to = &j->groups[g];
	struct cw_ipip_packet *p = &to->packet;
	unsigned at = to->first;

	for (unsigned i = 0; i < to->n; i++, at = j->next[at])
		iov[i] = j->data[at];
	*ret_vnet = (struct virtio_net_hdr){0};
	if (to->n == 1)
		return 1;
	cw_put16(p->start + 2, (uint16_t) to->total);
	cw_ipip_finish_header(p->start, p->ihl);
	/* Unfinished, as whoever cuts it expects. */
	cw_put16(p->payload + SUM_AT, cw_ipip_fold(cw_ipip_pseudo_sum(p, to->total - p->ihl)));
	*ret_vnet = cw_ipip_vnet(&(struct cw_ipip_offload){.needs_csum = true,
		.csum_start = (uint16_t) p->ihl,
		.csum_offset = SUM_AT,
		.header = to->header,
		.segment = to->segment});
	return to->n;
}

struct virtio_net_hdr cw_ipip_vnet(const struct cw_ipip_offload *o)
{
	struct virtio_net_hdr head = {0};

	if (o->needs_csum) {
		head.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		head.csum_start = o->csum_start;
		head.csum_offset = o->csum_offset;
	}
	if (o->segment) {
		head.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		head.hdr_len = o->header;
		head.gso_size = o->segment;
	}
	return head;
}
