/* SPDX-License-Identifier: BSD-2-Clause */
/* See packet.h. RFC 791, 792, 1122, 2473, 6040, 7596 8.1. Numbers are read octet by octet; nothing
 * is cast. */
#include "dataplane/plugins/tun/packet.h"

#include <string.h>

enum {
	P_ICMP = 1,
	P_IPIP = 4,
	P_TCP = 6,
	P_UDP = 17,
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

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t) (p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16 | (uint32_t) p[2] << 8 | p[3];
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t) (v >> 8);
	p[1] = (uint8_t) v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, (uint16_t) (v >> 16));
	put16(p + 2, (uint16_t) v);
}

uint64_t cw_tun_sum(const uint8_t *p, size_t n, uint64_t sum)
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

uint16_t cw_tun_fold(uint64_t sum)
{
	uint8_t b[2];
	uint16_t v;

	sum = (sum & 0xffffffffu) + (sum >> 32);
	sum = (sum & 0xffffffffu) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	v = (uint16_t) sum;
	memcpy(b, &v, 2); /* as the words were: in the order of the wire */
	return get16(b);
}

static void ip4_checksum(uint8_t *p, size_t ihl)
{
	put16(p + 10, 0);
	put16(p + 10, (uint16_t) ~cw_tun_fold(cw_tun_sum(p, ihl, 0)));
}

static bool parse(uint8_t *p, size_t n, bool cut, struct cw_tun_ip4 *ret)
{
	size_t ihl, total;
	uint16_t frag;

	if (n < 20 || p[0] >> 4 != 4)
		return false;
	ihl = (size_t) (p[0] & 15) * 4;
	total = get16(p + 2);
	if (cut && total > n)
		total = n;
	if (ihl < 20 || total < ihl || total > n)
		return false;
	if (cw_tun_fold(cw_tun_sum(p, ihl, 0)) != 0xffff)
		return false;
	frag = get16(p + 6);
	*ret = (struct cw_tun_ip4){
		.start = p,
		.total = total,
		.ihl = ihl,
		.payload = p + ihl,
		.payload_n = total - ihl,
		.src = get32(p + 12),
		.dst = get32(p + 16),
		.id = get16(p + 4),
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

bool cw_tun_ip4_parse(uint8_t *p, size_t n, struct cw_tun_ip4 *ret)
{
	return parse(p, n, false, ret);
}

bool cw_tun_ip4_parse_quoted(uint8_t *p, size_t n, struct cw_tun_ip4 *ret)
{
	return parse(p, n, true, ret);
}

static bool has_ports(uint8_t proto)
{
	return proto == P_TCP || proto == P_UDP || proto == P_UDPLITE || proto == P_SCTP ||
	       proto == P_DCCP;
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
static enum cw_tun_port quoted_port(
	const struct cw_tun_ip4 *ip, enum cw_tun_side side, uint16_t *ret_port)
{
	const uint8_t *q = ip->payload + 8;
	size_t n = ip->payload_n < 8 ? 0 : ip->payload_n - 8, ihl;
	uint32_t client = side == CW_TUN_UP ? ip->src : ip->dst;

	if (n < 20 || q[0] >> 4 != 4)
		return CW_TUN_PORT_BAD_ICMP;
	ihl = (size_t) (q[0] & 15) * 4;
	if (ihl < 20 || n < ihl + 8)
		return CW_TUN_PORT_BAD_ICMP;
	/* A client reports about what it received, others about what it sent. */
	if (get32(q + (side == CW_TUN_UP ? 16 : 12)) != client)
		return CW_TUN_PORT_BAD_ICMP;
	if (get16(q + 6) & 0x1fff)
		return CW_TUN_PORT_BAD_ICMP;
	if (has_ports(q[9])) {
		*ret_port = get16(q + ihl + (side == CW_TUN_UP ? 2 : 0));
		return CW_TUN_PORT_IS;
	}
	if (q[9] == P_ICMP && icmp_is_echo(q[ihl])) {
		*ret_port = get16(q + ihl + 4);
		return CW_TUN_PORT_IS;
	}
	return CW_TUN_PORT_BAD_ICMP;
}

enum cw_tun_port cw_tun_port_of(
	const struct cw_tun_ip4 *ip, enum cw_tun_side side, uint16_t *ret_port)
{
	bool whole = !ip->more && !ip->frag_at;

	if (ip->proto != P_ICMP && !has_ports(ip->proto))
		return CW_TUN_PORT_NO_PROTOCOL;
	if (ip->frag_at) {
		/* RFC 1858: only an attack has a second fragment inside the TCP header. */
		if (ip->proto == P_TCP && ip->frag_at < 16)
			return CW_TUN_PORT_SHORT;
		return CW_TUN_PORT_OF_FIRST;
	}
	if (ip->payload_n < (ip->proto == P_TCP ? 16u : 8u))
		return CW_TUN_PORT_SHORT;
	if (ip->proto != P_ICMP) {
		*ret_port = get16(ip->payload + (side == CW_TUN_UP ? 0 : 2));
		return CW_TUN_PORT_IS;
	}
	if (icmp_is_echo(ip->payload[0])) {
		*ret_port = get16(ip->payload + 4);
		return CW_TUN_PORT_IS;
	}
	/* A later fragment could overwrite what is quoted, so errors come whole. */
	if (!icmp_is_error(ip->payload[0]) || ip->payload[0] == 5 || !whole)
		return CW_TUN_PORT_BAD_ICMP;
	return quoted_port(ip, side, ret_port);
}

bool cw_tun_icmp_forged(const struct cw_tun_ip4 *ip, enum cw_tun_side side)
{
	uint32_t client = side == CW_TUN_UP ? ip->src : ip->dst;
	const uint8_t *q;

	if (ip->proto != P_ICMP || ip->frag_at || ip->payload_n < 1 ||
		!icmp_is_error(ip->payload[0]))
		return false;
	if (ip->payload[0] == 5 || ip->more || ip->payload_n < 28)
		return true;
	q = ip->payload + 8;
	return q[0] >> 4 != 4 || get32(q + (side == CW_TUN_UP ? 16 : 12)) != client;
}

bool cw_tun_may_complain(const struct cw_tun_ip4 *ip)
{
	uint32_t net = ip->src >> 24, to = ip->dst >> 24;

	if (ip->frag_at || net == 0 || net == 127 || net >= 224 || to == 0 || to >= 224)
		return false;
	/* Of ICMP only what is known to be no error may be complained about. */
	return ip->proto != P_ICMP || (ip->payload_n && icmp_is_echo(ip->payload[0]));
}

bool cw_tun_ecn_decap(struct cw_tun_ip4 *ip, uint8_t outer_class)
{
	if ((outer_class & 3) != 3 || (ip->tos & 3) == 3)
		return true;
	if ((ip->tos & 3) == 0)
		return false;
	ip->tos |= 3;
	ip->start[1] = ip->tos;
	ip4_checksum(ip->start, ip->ihl);
	return true;
}

/* Sum of the pseudo-header for a transport packet of n octets. */
static uint64_t pseudo_sum(const struct cw_tun_ip4 *ip, size_t n)
{
	uint8_t b[4] = {0, ip->proto, (uint8_t) (n >> 8), (uint8_t) n};

	return cw_tun_sum(b, 4, cw_tun_sum(ip->start + 12, 8, 0));
}

bool cw_tun_checksum_unfinished(
	const struct cw_tun_ip4 *ip, uint16_t *ret_start, uint16_t *ret_offset)
{
	size_t at;

	if (ip->more || ip->frag_at)
		return false;
	if (ip->proto == P_TCP && ip->payload_n >= 20)
		at = 16;
	else if (ip->proto == P_UDP && ip->payload_n >= 8)
		at = 6;
	else
		return false;
	/* One finished packet in 65536 looks like this too; finishing it again changes nothing. */
	if (get16(ip->payload + at) != cw_tun_fold(pseudo_sum(ip, ip->payload_n)))
		return false;
	*ret_start = (uint16_t) ip->ihl;
	*ret_offset = (uint16_t) at;
	return true;
}

size_t cw_tun_icmp4_unreachable(
	const struct cw_tun_ip4 *about, uint8_t code, uint16_t next_hop_mtu, uint8_t *to)
{
	size_t n = about->total < CW_TUN_ICMP4_MAX - 8 ? about->total : CW_TUN_ICMP4_MAX - 8;

	memset(to, 0, 8);
	to[0] = 3;
	to[1] = code;
	put16(to + 6, next_hop_mtu);
	memcpy(to + 8, about->start, n);
	put16(to + 2, (uint16_t) ~cw_tun_fold(cw_tun_sum(to, 8 + n, 0)));
	return 8 + n;
}

size_t cw_tun_icmp6_refused(const uint8_t client[16], const uint8_t tep[16], const uint8_t *inner,
	size_t n, uint8_t *to)
{
	size_t quoted = n < CW_TUN_ICMP6_MAX - 48 ? n : CW_TUN_ICMP6_MAX - 48;

	memset(to, 0, 48);
	to[0] = 1;
	to[1] = 5;
	to[8] = 0x60;
	put16(to + 12, (uint16_t) n);
	to[14] = P_IPIP;
	to[15] = 64;
	memcpy(to + 16, client, 16);
	memcpy(to + 32, tep, 16);
	memcpy(to + 48, inner, quoted);
	return 48 + quoted;
}

/* RFC 791: options without the copied bit are in the first fragment only; Linux puts no-operations
 * there. */
static void blank_options(uint8_t *header, size_t n)
{
	for (size_t i = 20; i < n;) {
		size_t len = 1;

		if (header[i] == 0)
			return;
		if (header[i] != 1) {
			len = i + 1 < n ? header[i + 1] : 0;
			if (len < 2 || len > n - i)
				len = n - i;
		}
		if (!(header[i] & 0x80))
			memset(header + i, 1, len);
		i += len;
	}
}

bool cw_tun_fragment(const struct cw_tun_ip4 *ip, size_t mtu,
	bool (*emit)(void *arg, const struct cw_tun_piece *piece), void *arg)
{
	struct cw_tun_piece piece = {.header_n = ip->ihl};
	size_t room = (mtu - ip->ihl) & ~(size_t) 7;

	memcpy(piece.header, ip->start, ip->ihl);
	for (size_t at = 0; at < ip->payload_n; at += room) {
		bool last = ip->payload_n - at <= room;
		size_t n = last ? ip->payload_n - at : room;

		put16(piece.header + 2, (uint16_t) (ip->ihl + n));
		put16(piece.header + 6,
			(uint16_t) ((ip->frag_at + at) / 8 | (!last || ip->more ? IP_MF : 0)));
		ip4_checksum(piece.header, ip->ihl);
		piece.payload = ip->payload + at;
		piece.payload_n = n;
		if (!emit(arg, &piece))
			return false;
		blank_options(piece.header, ip->ihl);
	}
	return true;
}

bool cw_tun_segment_tcp(const struct cw_tun_ip4 *ip, size_t gso_size,
	bool (*emit)(void *arg, const struct cw_tun_segment *segment), void *arg)
{
	struct cw_tun_segment s;
	uint8_t *tcp = s.header + ip->ihl, flags;
	size_t thl, n;
	uint16_t id = ip->id;
	uint32_t seq;

	if (ip->proto != P_TCP || ip->more || ip->frag_at || ip->payload_n < 20 || gso_size == 0)
		return false;
	thl = (size_t) (ip->payload[12] >> 4) * 4;
	if (thl < 20 || thl > ip->payload_n)
		return false;
	s.header_n = ip->ihl + thl;
	memcpy(s.header, ip->start, s.header_n);
	flags = tcp[13];
	seq = get32(tcp + 4);
	n = ip->payload_n - thl;
	for (size_t at = 0; at < n || at == 0; at += gso_size) {
		size_t len = n - at < gso_size ? n - at : gso_size;
		uint64_t sum;

		s.payload = ip->payload + thl + at;
		s.payload_n = len;
		put16(s.header + 2, (uint16_t) (s.header_n + len));
		put16(s.header + 4, id++);
		ip4_checksum(s.header, ip->ihl);
		put32(tcp + 4, seq + (uint32_t) at);
		tcp[13] = flags;
		if (at + len < n)
			tcp[13] &= (uint8_t) ~0x09; /* FIN and PSH on the last */
		if (at)
			tcp[13] &= (uint8_t) ~0x80; /* CWR on the first (RFC 3168) */
		put16(tcp + 16, 0);
		/* A header of whole words: the payload's words fall as they are. */
		sum = cw_tun_sum(tcp, thl, pseudo_sum(ip, thl + len));
		sum = cw_tun_sum(s.payload, len, sum);
		put16(tcp + 16, (uint16_t) ~cw_tun_fold(sum));
		if (!emit(arg, &s))
			return false;
	}
	return true;
}

uint8_t *cw_tun_ip6_inner(uint8_t *p, size_t n, const uint8_t tep[16], size_t *ret_n)
{
	uint8_t next;
	size_t at = 40, end;

	if (n < 40 || p[0] >> 4 != 6 || memcmp(p + 24, tep, 16) != 0)
		return NULL;
	end = 40 + (size_t) get16(p + 4);
	if (end > n)
		return NULL;
	next = p[6];
	for (unsigned i = 0; next != P_IPIP; i++) {
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
