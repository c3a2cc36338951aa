/* SPDX-License-Identifier: BSD-2-Clause */
/* See ipip.h. RFC 791, 792, 1122, 2473, 6040, 7596 8.1. Numbers are read octet by octet; nothing
 * is cast. Needs no other library of ours: plugins link it too. */
#include "config.h"

#include <string.h>

#include "schema/ipip/ipip.h"
#include "schema/ipip/octets.h"

enum {
	P_DCCP = 33,
	P_SCTP = 132,
	P_UDPLITE = 136,
	P6_HOPOPTS = 0,
	P6_ROUTING = 43,
	P6_DSTOPTS = 60,
	IP_DF = 0x4000,
	IP_MF = 0x2000,
	EXTENSION_HEADERS_MAX = 8,
};

uint64_t cw_ipip_sum(const uint8_t *p, size_t n, uint64_t sum)
{
	uint64_t a = 0, b = 0;

	/* Sums of 32-bit words in two lanes: the order of octets is put right in fold() (RFC 1071).
	 * Cannot wrap: less than 2^16 octets, and sums of sums stay far below 2^63. */
	for (; n >= 16; p += 16, n -= 16) {
		uint32_t w[4];

		memcpy(w, p, 16);
		a += (uint64_t) w[0] + w[1];
		b += (uint64_t) w[2] + w[3];
	}
	for (; n >= 4; p += 4, n -= 4) {
		uint32_t w;

		memcpy(&w, p, 4);
		a += w;
	}
	if (n) {
		uint8_t rest[4] = {0};
		uint32_t w;

		memcpy(rest, p, n);
		memcpy(&w, rest, 4);
		b += w;
	}
	return sum + a + b;
}

uint16_t cw_ipip_fold(uint64_t sum)
{
	uint8_t b[2];
	uint16_t v;

	sum = (sum & 0xffffffffu) + (sum >> 32);
	sum = (sum & 0xffffffffu) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	v = (uint16_t) sum;
	memcpy(b, &v, 2); /* as the words were: in the order of the wire */
	return cw_get16(b);
}

uint16_t cw_ipip_checksum(const uint8_t *p, size_t n)
{
	return (uint16_t) ~cw_ipip_fold(cw_ipip_sum(p, n, 0));
}

void cw_ipip_finish_header(uint8_t *p, size_t ihl)
{
	cw_put16(p + 10, 0);
	cw_put16(p + 10, cw_ipip_checksum(p, ihl));
}

void cw_ipip_finish_checksum(uint8_t *p, size_t n, size_t start, size_t offset)
{
	size_t at = start + offset;
	uint16_t sum;

	if (start >= n || at + 2 > n)
		return;
	sum = cw_ipip_checksum(p + start, n - start);
	cw_put16(p + at, sum ? sum : 0xffff); /* RFC 768; the same number for TCP */
}

static bool parse(uint8_t *p, size_t n, bool cut, struct cw_ipip_packet *ret)
{
	size_t ihl, total;
	uint16_t frag;

	if (n < 20 || p[0] >> 4 != 4)
		return false;
	ihl = (size_t) (p[0] & 15) * 4;
	total = cw_get16(p + 2);
	if (cut && total > n)
		total = n;
	if (ihl < 20 || total < ihl || total > n)
		return false;
	if (cw_ipip_fold(cw_ipip_sum(p, ihl, 0)) != 0xffff)
		return false;
	frag = cw_get16(p + 6);
	*ret = (struct cw_ipip_packet){
		.start = p,
		.total = total,
		.ihl = ihl,
		.payload = p + ihl,
		.payload_n = total - ihl,
		.src = {cw_get32(p + 12)},
		.dst = {cw_get32(p + 16)},
		.id = cw_get16(p + 4),
		.frag_at = (uint16_t) ((frag & 0x1fff) * 8),
		.more = frag & IP_MF,
		.df = frag & IP_DF,
		.tos = p[1],
		.ttl = p[8],
		.proto = p[9],
	};
	/* A fragment that would end behind the largest packet ("ping of death"). */
	return ret->frag_at + ret->payload_n <= 65535;
}

bool cw_ipip_parse(uint8_t *p, size_t n, struct cw_ipip_packet *ret)
{
	return parse(p, n, false, ret);
}

bool cw_ipip_parse_quoted(uint8_t *p, size_t n, struct cw_ipip_packet *ret)
{
	return parse(p, n, true, ret);
}

static bool has_ports(uint8_t proto)
{
	return proto == CW_IPIP_TCP || proto == CW_IPIP_UDP || proto == P_UDPLITE ||
	       proto == P_SCTP || proto == P_DCCP;
}

/* 3 unreachable, 4 source quench, 5 redirect, 11 time exceeded, 12 parameter problem */
static bool icmp_is_error(uint8_t type)
{
	return (type >= 3 && type <= 5) || type == 11 || type == 12;
}

static bool icmp_is_echo(uint8_t type)
{
	return type == 0 || type == 8;
}

/* The packet quoted in an ICMP error, if it is the client's. Its port goes to *ret_port. */
static enum cw_ipip_port quoted_port(
	const struct cw_ipip_packet *ip, enum cw_ipip_side side, uint16_t *ret_port)
{
	const uint8_t *q = ip->payload + 8;
	size_t n = ip->payload_n < 8 ? 0 : ip->payload_n - 8, ihl;
	uint32_t client = side == CW_IPIP_UP ? ip->src.v : ip->dst.v;

	if (n < 20 || q[0] >> 4 != 4)
		return CW_IPIP_PORT_BAD_ICMP;
	ihl = (size_t) (q[0] & 15) * 4;
	if (ihl < 20 || n < ihl + 8)
		return CW_IPIP_PORT_BAD_ICMP;
	/* A client reports about what it received, others about what it sent. */
	if (cw_get32(q + (side == CW_IPIP_UP ? 16 : 12)) != client)
		return CW_IPIP_PORT_BAD_ICMP;
	if (cw_get16(q + 6) & 0x1fff)
		return CW_IPIP_PORT_BAD_ICMP;
	if (has_ports(q[9])) {
		*ret_port = cw_get16(q + ihl + (side == CW_IPIP_UP ? 2 : 0));
		return CW_IPIP_PORT_IS;
	}
	if (q[9] == CW_IPIP_ICMP && icmp_is_echo(q[ihl])) {
		*ret_port = cw_get16(q + ihl + 4);
		return CW_IPIP_PORT_IS;
	}
	return CW_IPIP_PORT_BAD_ICMP;
}

enum cw_ipip_port cw_ipip_port_of(
	const struct cw_ipip_packet *ip, enum cw_ipip_side side, uint16_t *ret_port)
{
	bool whole = !ip->more && !ip->frag_at;

	if (ip->proto != CW_IPIP_ICMP && !has_ports(ip->proto))
		return CW_IPIP_PORT_NO_PROTOCOL;
	if (ip->frag_at) {
		/* RFC 1858: only an attack has a second fragment inside the TCP header. */
		if (ip->proto == CW_IPIP_TCP && ip->frag_at < 16)
			return CW_IPIP_PORT_SHORT;
		return CW_IPIP_PORT_OF_FIRST;
	}
	if (ip->payload_n < (ip->proto == CW_IPIP_TCP ? 16u : 8u))
		return CW_IPIP_PORT_SHORT;
	if (ip->proto != CW_IPIP_ICMP) {
		*ret_port = cw_get16(ip->payload + (side == CW_IPIP_UP ? 0 : 2));
		return CW_IPIP_PORT_IS;
	}
	if (icmp_is_echo(ip->payload[0])) {
		*ret_port = cw_get16(ip->payload + 4);
		return CW_IPIP_PORT_IS;
	}
	/* A later fragment could overwrite what is quoted, so errors come whole. */
	if (!icmp_is_error(ip->payload[0]) || ip->payload[0] == 5 || !whole)
		return CW_IPIP_PORT_BAD_ICMP;
	return quoted_port(ip, side, ret_port);
}

bool cw_ipip_icmp_forged(const struct cw_ipip_packet *ip, enum cw_ipip_side side)
{
	uint32_t client = side == CW_IPIP_UP ? ip->src.v : ip->dst.v;
	const uint8_t *q;

	if (ip->proto != CW_IPIP_ICMP || ip->frag_at || ip->payload_n < 1 ||
		!icmp_is_error(ip->payload[0]))
		return false;
	if (ip->payload[0] == 5 || ip->more || ip->payload_n < 28)
		return true;
	q = ip->payload + 8;
	return q[0] >> 4 != 4 || cw_get32(q + (side == CW_IPIP_UP ? 16 : 12)) != client;
}

bool cw_ipip_may_complain(const struct cw_ipip_packet *ip)
{
	uint32_t net = ip->src.v >> 24, to = ip->dst.v >> 24;

	if (ip->frag_at || net == 0 || net == 127 || net >= 224 || to == 0 || to >= 224)
		return false;
	/* Of ICMP only what is known to be no error may be complained about. */
	return ip->proto != CW_IPIP_ICMP || (ip->payload_n && icmp_is_echo(ip->payload[0]));
}

bool cw_ipip_ecn_decap(struct cw_ipip_packet *ip, uint8_t outer_class)
{
	enum { MASK = 3, NOT_ECT = 0, ECT1 = 1, ECT0 = 2, CE = 3 };
	unsigned outer = outer_class & MASK, inner = ip->tos & MASK;

	if (outer == CE && inner == NOT_ECT)
		return false;
	if ((outer == CE && inner != CE) || (outer == ECT1 && inner == ECT0)) {
		ip->tos = (uint8_t) ((ip->tos & ~MASK) | outer);
		ip->start[1] = ip->tos;
		cw_ipip_finish_header(ip->start, ip->ihl);
	}
	return true;
}

uint64_t cw_ipip_pseudo_sum(const struct cw_ipip_packet *ip, size_t n)
{
	uint8_t b[4] = {0, ip->proto, (uint8_t) (n >> 8), (uint8_t) n};

	return cw_ipip_sum(b, 4, cw_ipip_sum(ip->start + 12, 8, 0));
}

bool cw_ipip_checksum_unfinished(
	const struct cw_ipip_packet *ip, uint16_t *ret_start, uint16_t *ret_offset)
{
	size_t at;

	if (ip->more || ip->frag_at)
		return false;
	if (ip->proto == CW_IPIP_TCP && ip->payload_n >= 20)
		at = 16;
	else if (ip->proto == CW_IPIP_UDP && ip->payload_n >= 8)
		at = 6;
	else
		return false;
	/* One finished packet in 65536 looks like this too; finishing it again changes nothing. */
	if (cw_get16(ip->payload + at) != cw_ipip_fold(cw_ipip_pseudo_sum(ip, ip->payload_n)))
		return false;
	*ret_start = (uint16_t) ip->ihl;
	*ret_offset = (uint16_t) at;
	return true;
}

enum cw_ipip_kind cw_ipip_offload(
	const struct cw_ipip_packet *ip, unsigned mtu, struct cw_ipip_offload *ret)
{
	size_t headers;

	*ret = (struct cw_ipip_offload){0};
	if (!cw_ipip_checksum_unfinished(ip, &ret->csum_start, &ret->csum_offset))
		return CW_IPIP_PLAIN;
	ret->needs_csum = true;
	if (ip->total <= mtu)
		return CW_IPIP_OFFLOADED;
	/* Only segmentation offload makes an unfinished datagram longer than the MTU (a sender that
	 * fragments finishes the checksum first), and the size of its pieces is lost. */
	if (ip->proto == CW_IPIP_UDP)
		return CW_IPIP_UNUSABLE;
	headers = ip->ihl + (size_t) (ip->payload[12] >> 4) * 4;
	if (headers >= ip->ihl + 20 && headers < ip->total && headers < mtu) {
		ret->header = (uint16_t) headers;
		ret->segment = (uint16_t) (mtu - headers);
	}
	return CW_IPIP_OFFLOADED;
}

size_t cw_ipip_icmp4_unreachable(const struct cw_ipip_packet *about, uint8_t code,
	uint16_t next_hop_mtu, uint8_t to[static CW_IPIP_ICMP4_MAX])
{
	size_t n = about->total < CW_IPIP_ICMP4_MAX - 8 ? about->total : CW_IPIP_ICMP4_MAX - 8;

	memset(to, 0, 8);
	to[0] = 3;
	to[1] = code;
	cw_put16(to + 6, next_hop_mtu);
	memcpy(to + 8, about->start, n);
	cw_put16(to + 2, cw_ipip_checksum(to, 8 + n));
	return 8 + n;
}

size_t cw_ipip_error(const struct cw_ipip_packet *about, uint8_t code, uint16_t next_hop_mtu,
	struct cw_addr4 from, uint8_t to[static CW_IPIP_ERROR_MAX])
{
	size_t n = 20 + cw_ipip_icmp4_unreachable(about, code, next_hop_mtu, to + 20);

	memset(to, 0, 20);
	to[0] = 0x45;
	to[1] = 0xc0; /* RFC 1812 4.3.2.5: precedence of network control */
	cw_put16(to + 2, (uint16_t) n);
	to[8] = 64;
	to[9] = CW_IPIP_ICMP;
	cw_put32(to + 12, from.v);
	cw_put32(to + 16, about->src.v);
	cw_ipip_finish_header(to, 20);
	return n;
}

size_t cw_ipip_icmp6_refused(const uint8_t client[16], const uint8_t tep[16], const uint8_t *inner,
	size_t n, uint8_t to[static CW_IPIP_ICMP6_MAX])
{
	size_t quoted = n < CW_IPIP_ICMP6_MAX - 48 ? n : CW_IPIP_ICMP6_MAX - 48;

	memset(to, 0, 48);
	to[0] = 1;
	to[1] = 5;
	to[8] = 0x60;
	cw_put16(to + 12, (uint16_t) n);
	to[14] = CW_IPIP_IPIP;
	to[15] = 64;
	memcpy(to + 16, client, 16);
	memcpy(to + 32, tep, 16);
	memcpy(to + 48, inner, quoted);
	return 48 + quoted;
}

uint8_t *cw_ipip_ip6_inner(uint8_t *p, size_t n, const uint8_t tep[16], size_t *ret_n)
{
	uint8_t next;
	size_t at = 40, end;

	if (n < 40 || p[0] >> 4 != 6 || memcmp(p + 24, tep, 16) != 0)
		return NULL;
	end = 40 + (size_t) cw_get16(p + 4);
	if (end > n)
		return NULL;
	next = p[6];
	for (unsigned i = 0; next != CW_IPIP_IPIP; i++) {
		size_t len;

		if (i == EXTENSION_HEADERS_MAX || end - at < 8)
			return NULL;
		if (next == P6_ROUTING && p[at + 3] != 0)
			return NULL; /* segments left: not for us */
		if (next != P6_HOPOPTS && next != P6_DSTOPTS && next != P6_ROUTING)
			return NULL;
		len = ((size_t) p[at + 1] + 1) * 8;
		if (len > end - at)
			return NULL;
		next = p[at];
		at += len;
	}
	*ret_n = end - at;
	return p + at;
}
