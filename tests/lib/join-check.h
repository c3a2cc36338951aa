/* SPDX-License-Identifier: BSD-2-Clause */
/* The law of joining: what is cut again is what was there. A batch is described by octets, twelve
 * for a packet, so that a fuzzer and a test can both write one:
 *
 *	0  connection (2 bits), owner (1), alone (1), fragment bits (2), IHL 24 (1), no TCP (1)
 *	1  TCP flags
 *	2  octets of data, times 8	3  what is added to that
 *	4  0: sequence number goes on, else it jumps by so much; 5 the same for the IPv4 id
 *	6  which octet of the header is changed, by exclusive or with 7; then
 *	8  bit 0: mend the TCP checksum, bit 1: that of IPv4
 *	9  TTL		10  TCP options, words		11  acknowledgement */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "schema/ipip/cut.h"
#include "schema/ipip/join.h"
#include "schema/ipip/octets.h"

enum { JOIN_CHECK_STEP = 12, JOIN_CHECK_SLOT = 4096 };

struct join_check {
	struct cw_ipip_join join;
	uint8_t slots[CW_IPIP_JOIN_MAX][JOIN_CHECK_SLOT]; /* given to join, changed */
	uint8_t was[CW_IPIP_JOIN_MAX][JOIN_CHECK_SLOT];
	struct cw_ipip_packet ip[CW_IPIP_JOIN_MAX]; /* of `was` */
	const void *owner[CW_IPIP_JOIN_MAX];
	bool seen[CW_IPIP_JOIN_MAX];
	unsigned n, joined, groups;
	/* of the group that is being cut */
	const void *group_owner;
	bool wrong;
};

static inline void join_check_sum(uint8_t *p, size_t ihl, size_t n)
{
	struct cw_ipip_packet ip = {.start = p, .proto = p[9]};

	cw_put16(p + ihl + 16, 0);
	cw_put16(p + ihl + 16, (uint16_t) ~cw_ipip_fold(cw_ipip_sum(
				       p + ihl, n - ihl, cw_ipip_pseudo_sum(&ip, n - ihl))));
}

/* One packet of a description; its length. */
static inline size_t join_check_make(const uint8_t *d, uint32_t *seq, uint16_t *id, uint8_t *p)
{
	size_t ihl = d[0] & 0x40 ? 24 : 20, thl = 20 + (size_t) (d[10] % 11) * 4;
	size_t n = ihl + thl + (size_t) (d[2] % 181) * 8 + d[3] % 8;

	*seq += d[4];
	*id = (uint16_t) (*id + d[5]);
	memset(p, 0, n);
	p[0] = (uint8_t) (0x40 | ihl / 4);
	cw_put16(p + 2, (uint16_t) n);
	cw_put16(p + 4, *id);
	cw_put16(p + 6, (d[0] & 0x10 ? 0x2000 : 0x4000) | (d[0] & 0x20 ? 3 : 0));
	p[8] = d[9];
	p[9] = d[0] & 0x80 ? CW_IPIP_UDP : CW_IPIP_TCP;
	cw_put32(p + 12, 0xc6336400u + (d[0] & 2));
	cw_put32(p + 16, 0xcb007150);
	memset(p + 20, 1, ihl - 20);
	cw_put16(p + ihl, (uint16_t) (1000 + (d[0] & 1)));
	cw_put16(p + ihl + 2, 80);
	cw_put32(p + ihl + 4, *seq);
	cw_put32(p + ihl + 8, d[11]);
	p[ihl + 12] = (uint8_t) (thl / 4 << 4);
	p[ihl + 13] = d[1];
	cw_put16(p + ihl + 14, 5000);
	memset(p + ihl + 20, 1, thl - 20);
	for (size_t i = ihl + thl; i < n; i++)
		p[i] = (uint8_t) (*seq + i * 7);
	*seq += (uint32_t) (n - ihl - thl);
	(*id)++;
	join_check_sum(p, ihl, n);
	cw_ipip_finish_header(p, ihl);
	p[d[6] % (ihl + thl)] ^= d[7];
	ihl = (size_t) (p[0] & 15) * 4;
	if (d[8] & 1 && ihl + 20 <= n)
		join_check_sum(p, ihl, n);
	if (d[8] & 2 && ihl >= 20 && ihl <= n)
		cw_ipip_finish_header(p, ihl);
	return n;
}

/* A packet that comes out: is it the next one of its connection and owner that went in? */
static inline bool join_check_out(struct join_check *c, const uint8_t *p, size_t n)
{
	for (unsigned i = 0; i < c->n; i++) {
		if (c->seen[i])
			continue;
		if (c->ip[i].total == n && c->owner[i] == c->group_owner &&
			memcmp(c->was[i], p, n) == 0) {
			c->seen[i] = true;
			return true;
		}
		/* Only packets of others may be overtaken. */
		if (memcmp(c->was[i] + 12, p + 12, 8) == 0 && c->was[i][9] == CW_IPIP_TCP &&
			p[9] == CW_IPIP_TCP &&
			memcmp(c->ip[i].payload, p + (size_t) (p[0] & 15) * 4, 4) == 0)
			return false;
	}
	return false;
}

static inline bool join_check_segment(void *arg, const struct cw_ipip_segment *s)
{
	struct join_check *c = arg;
	uint8_t p[JOIN_CHECK_SLOT];

	memcpy(p, s->header, s->header_n);
	memcpy(p + s->header_n, s->payload, s->payload_n);
	c->wrong = c->wrong || !join_check_out(c, p, s->header_n + s->payload_n);
	return true;
}

/* What a group says, gathered as the kernel does, and cut. */
static inline void join_check_group(struct join_check *c, unsigned g)
{
	static uint8_t whole[65536];
	const struct cw_ipip_joined *j = &c->join.groups[g];
	struct virtio_net_hdr vnet;
	struct iovec iov[CW_IPIP_JOIN_MAX];
	struct cw_ipip_packet ip;
	unsigned pieces = cw_ipip_join_end(&c->join, g, &vnet, iov);
	size_t n = 0;

	c->group_owner = j->owner;
	for (unsigned i = 0; i < pieces; i++) {
		if (n + iov[i].iov_len > 65535)
			abort();
		memcpy(whole + n, iov[i].iov_base, iov[i].iov_len);
		n += iov[i].iov_len;
	}
	if (pieces == 1) {
		c->wrong = c->wrong || vnet.flags || vnet.gso_type || !join_check_out(c, whole, n);
		return;
	}
	c->joined += pieces;
	c->groups++;
	if (!cw_ipip_parse(whole, n, &ip) || ip.total != n || n != j->total ||
		vnet.flags != VIRTIO_NET_HDR_F_NEEDS_CSUM ||
		vnet.gso_type != VIRTIO_NET_HDR_GSO_TCPV4 || vnet.csum_start != ip.ihl ||
		vnet.csum_offset != 16 || vnet.hdr_len >= n ||
		cw_ipip_segment_count(&ip, vnet.gso_size) != pieces ||
		cw_get16(ip.payload + 16) != cw_ipip_fold(cw_ipip_pseudo_sum(&ip, n - ip.ihl)) ||
		!cw_ipip_segment_tcp(&ip, vnet.gso_size, join_check_segment, c))
		c->wrong = true;
}

/* false: the law is broken. Descriptions of packets that are none are left out. */
static inline bool join_check(struct join_check *c, const uint8_t *d, size_t n)
{
	static const char owners[2];
	uint32_t seq[4] = {0xfffff000u, 5, 0, 100};
	uint16_t id[4] = {0xfff0, 1, 2, 3};

	memset(c->seen, 0, sizeof c->seen);
	c->n = c->joined = c->groups = 0;
	c->wrong = false;
	cw_ipip_join_reset(&c->join);
	for (; n >= JOIN_CHECK_STEP && c->n < CW_IPIP_JOIN_MAX;
		d += JOIN_CHECK_STEP, n -= JOIN_CHECK_STEP) {
		uint8_t *p = c->slots[c->n];
		size_t len = join_check_make(d, &seq[d[0] & 3], &id[d[0] & 3], p);
		struct cw_ipip_packet ip;

		memcpy(c->was[c->n], p, len);
		if (!cw_ipip_parse(p, len, &ip) || !cw_ipip_parse(c->was[c->n], len, &c->ip[c->n]))
			continue;
		c->owner[c->n] = &owners[d[0] >> 2 & 1];
		(void) cw_ipip_join_add(&c->join, &ip, c->owner[c->n], d[0] & 8);
		c->n++;
	}
	for (unsigned g = 0; g < c->join.n; g++)
		join_check_group(c, g);
	for (unsigned i = 0; i < c->n; i++)
		c->wrong = c->wrong || !c->seen[i];
	return !c->wrong;
}
