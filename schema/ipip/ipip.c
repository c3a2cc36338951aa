/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv4 packets at the ends of an IPv4-in-IPv6 tunnel; see ipip.h. RFC 2473 section 8, RFC 6040
 * section 4.2, RFC 1071 and 1624 for checksums. Pure functions. Thread: any. */
#include "config.h"

#include <netinet/in.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "schema/ipip/ipip.h"

enum { ECN_MASK = 3, ECN_NOT_ECT = 0, ECN_ECT1 = 1, ECN_ECT0 = 2, ECN_CE = 3 };

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t) (p[0] << 8 | p[1]);
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t) (v >> 8);
	p[1] = (uint8_t) v;
}

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) sum;
}

uint16_t cw_ipip_checksum(const uint8_t *p, size_t n, uint32_t sum)
{
	uint64_t s = sum;

	for (; n >= 2; n -= 2, p += 2)
		s += get16(p);
	if (n)
		s += (uint64_t) p[0] << 8;
	return (uint16_t) ~fold(s);
}

int cw_ipip_v4_parse(const uint8_t *p, size_t n, struct cw_ipip_v4 *ret)
{
	struct cw_reader r = cw_reader_of(p, n);
	struct cw_ipip_v4 h = {0};
	uint8_t first = cw_read_u8(&r);
	uint16_t frag;

	h.header = (uint8_t) ((first & 15) * 4);
	h.tos = cw_read_u8(&r);
	h.total = cw_read_u16(&r);
	cw_read_skip(&r, 2);
	frag = cw_read_u16(&r);
	h.dont_fragment = frag & 0x4000;
	h.more_fragments = frag & 0x2000;
	h.frag_offset = (uint16_t) ((frag & 0x1fff) * 8);
	h.ttl = cw_read_u8(&r);
	h.proto = cw_read_u8(&r);
	cw_read_skip(&r, 2);
	h.src.v = cw_read_u32(&r);
	h.dst.v = cw_read_u32(&r);
	if (r.bad || first >> 4 != 4 || h.header < 20 || h.total < h.header || h.total > n)
		return CW_E_SYNTAX;
	*ret = h;
	return 0;
}

/* RFC 1122 3.2.2: errors are not answered with errors. */
static bool is_icmp_error(const uint8_t *l4)
{
	return l4[0] == 3 || l4[0] == 4 || l4[0] == 5 || l4[0] == 11 || l4[0] == 12;
}

static bool has_ports(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_UDPLITE ||
	       proto == IPPROTO_SCTP || proto == IPPROTO_DCCP;
}

/* Ports, or the identifier of an echo, at the start of a transport header of n octets. */
static bool plain_port(const uint8_t *l4, size_t n, uint8_t proto, bool source, uint16_t *ret)
{
	if (has_ports(proto) && n >= 4) {
		*ret = get16(l4 + (source ? 0 : 2));
		return true;
	}
	if (proto == IPPROTO_ICMP && n >= 8 && (l4[0] == 0 || l4[0] == 8)) {
		*ret = get16(l4 + 4);
		return true;
	}
	return false;
}

bool cw_ipip_port(const uint8_t *p, const struct cw_ipip_v4 *h, bool source, uint16_t *ret)
{
	const uint8_t *l4 = p + h->header;
	size_t left = (size_t) h->total - h->header;
	const uint8_t *inner = l4 + 8;
	size_t inner_header;
	uint32_t holder;

	if (h->frag_offset)
		return false;
	if (h->proto != IPPROTO_ICMP || left < 8 || !is_icmp_error(l4))
		return plain_port(l4, left, h->proto, source, ret);
	/* An error that goes up quotes what came down, and the other way round. */
	left -= 8;
	inner_header = left >= 20 ? (size_t) (inner[0] & 15) * 4 : 0;
	if (inner_header < 20 || left < inner_header + 8 || inner[0] >> 4 != 4 ||
		get16(inner + 6) & 0x1fff)
		return false;
	holder = source ? h->src.v : h->dst.v;
	if (((uint32_t) get16(inner + (source ? 16 : 12)) << 16 |
		    get16(inner + (source ? 18 : 14))) != holder)
		return false;
	return plain_port(inner + inner_header, left - inner_header, inner[9], !source, ret);
}

int cw_ipip_ecn_decap(uint8_t outer_class, uint8_t inner_tos)
{
	unsigned outer = outer_class & ECN_MASK;
	unsigned inner = inner_tos & ECN_MASK;

	if (outer == ECN_CE && inner == ECN_NOT_ECT)
		return -1;
	if (outer == ECN_CE || (outer == ECN_ECT1 && inner == ECN_ECT0))
		inner = outer;
	return (int) ((inner_tos & ~ECN_MASK) | inner);
}

void cw_ipip_set_tos(uint8_t *p, uint8_t tos)
{
	uint16_t old = get16(p);
	uint16_t new = (uint16_t) ((old & 0xff00) | tos);
	uint16_t sum = get16(p + 10);

	/* RFC 1624 eqn. 3: HC' = ~(~HC + ~m + m') */
	put16(p + 10, (uint16_t) ~fold((uint64_t) (uint16_t) ~sum + (uint16_t) ~old + new));
	p[1] = tos;
}

/* The pseudo-header's sum, not complemented: what an unfinished checksum field holds. */
static uint16_t pseudo_sum(const uint8_t *p, const struct cw_ipip_v4 *h)
{
	uint64_t s = 0;

	for (int i = 12; i < 20; i += 2)
		s += get16(p + i);
	return fold(s + h->proto + h->total - h->header);
}

enum cw_ipip_kind cw_ipip_offload(
	const uint8_t *p, const struct cw_ipip_v4 *h, unsigned mtu, struct cw_ipip_offload *ret)
{
	const uint8_t *l4 = p + h->header;
	size_t left = (size_t) h->total - h->header;
	bool partial;

	*ret = (struct cw_ipip_offload){0};
	if (h->more_fragments || h->frag_offset)
		return CW_IPIP_PLAIN;
	if (h->proto == IPPROTO_TCP && left >= 20) {
		size_t headers = (size_t) h->header + (size_t) (l4[12] >> 4) * 4;

		if (headers < h->header + 20u || headers > h->total)
			return CW_IPIP_PLAIN;
		/* A finished checksum that happens to equal the pseudo-header's sum belongs to data
		 * that sums up to zero; finishing it once more gives the same field. */
		partial = get16(l4 + 16) == pseudo_sum(p, h);
		if (!partial && h->total <= mtu)
			return CW_IPIP_PLAIN;
		ret->needs_csum = partial;
		ret->csum_start = h->header;
		ret->csum_offset = 16;
		if (h->total > mtu && partial && mtu > headers) {
			ret->merged_tcp = true;
			ret->header = (uint16_t) headers;
			ret->segment = (uint16_t) (mtu - headers);
		}
		return partial ? CW_IPIP_OFFLOADED : CW_IPIP_PLAIN;
	}
	if (h->proto == IPPROTO_UDP && left >= 8) {
		partial = get16(l4 + 6) != 0 && get16(l4 + 6) == pseudo_sum(p, h);
		if (!partial)
			return CW_IPIP_PLAIN;
		/* Only segmentation offload makes an unfinished datagram longer than the MTU (a
		 * sender that fragments finishes the checksum first), and the size of its pieces is
		 * lost. */
		if (h->total > mtu)
			return CW_IPIP_UNUSABLE;
		*ret = (struct cw_ipip_offload){
			.needs_csum = true, .csum_start = h->header, .csum_offset = 6};
		return CW_IPIP_OFFLOADED;
	}
	return CW_IPIP_PLAIN;
}

int cw_ipip_unreachable(const uint8_t *quoted, size_t n, uint8_t code, uint16_t mtu,
	struct cw_addr4 from, uint8_t out[static CW_IPIP_ICMP_MAX])
{
	uint8_t copy[60 + 8];
	struct cw_ipip_v4 h;
	struct cw_writer w;
	size_t quote;
	size_t header;

	if (n < 28)
		return CW_E_SYNTAX;
	header = (size_t) (quoted[0] & 15) * 4;
	quote = header + 8;
	if (header < 20 || quote > n)
		return CW_E_SYNTAX;
	/* The quote is cut, its total length is not: parse a copy that says what is there. */
	memcpy(copy, quoted, quote);
	put16(copy + 2, (uint16_t) quote);
	if (cw_ipip_v4_parse(copy, quote, &h) < 0 || h.frag_offset || !cw_addr4_is_unicast(h.src) ||
		(h.proto == IPPROTO_ICMP && is_icmp_error(copy + header)))
		return CW_E_SYNTAX;
	w = cw_writer_of(out, CW_IPIP_ICMP_MAX);
	cw_write_u16(&w, 0x45c0); /* RFC 1812 4.3.2.5: precedence of network control */
	cw_write_u16(&w, (uint16_t) (28 + quote));
	cw_write_u32(&w, 0);
	cw_write_u16(&w, 64 << 8 | IPPROTO_ICMP);
	cw_write_u16(&w, 0);
	cw_write_u32(&w, from.v);
	cw_write_u32(&w, h.src.v);
	put16(out + 10, cw_ipip_checksum(out, 20, 0));
	cw_write_u16(&w, (uint16_t) (3 << 8 | code));
	cw_write_u16(&w, 0);
	cw_write_u16(&w, 0);
	cw_write_u16(&w, mtu);
	cw_write_bytes(&w, quoted, quote);
	put16(out + 22, cw_ipip_checksum(out + 20, 8 + quote, 0));
	return w.bad ? CW_E_SYNTAX : (int) cw_write_len(&w);
}
