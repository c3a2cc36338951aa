/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv4 packets as the ends of an IPv4-in-IPv6 tunnel handle them (RFC 2473, RFC 6040, RFC 7596):
 * looking at headers, ECN across the tunnel, ICMPv4 errors for what happened to the outer packet,
 * and what offloads leave behind in packets that a raw socket receives. Pure: no sockets, no state.
 * Thread: any. */
#pragma once

#include <stdbool.h>

#include "base/addr.h"
#include "base/defs.h"

#define CW_IPIP_OVERHEAD 40 /* outer IPv6 header, no extension headers */
#define CW_IPIP_MTU_MIN \
	1240 /* of the tunnel: what IPv6 guarantees, less the overhead (RFC 8200 5) */
#define CW_IPIP_MTU_MAX 65495

/* The header of one IPv4 packet. */
struct cw_ipip_v4 {
	struct cw_addr4 src;
	struct cw_addr4 dst;
	uint16_t total;       /* octets, header included */
	uint16_t frag_offset; /* octets */
	uint8_t header;       /* octets */
	uint8_t tos;
	uint8_t ttl;
	uint8_t proto;
	bool more_fragments;
	bool dont_fragment;
};

/* Version, header length and total length must fit within the n octets at p (octets beyond the
 * total length are padding). Neither checksum is looked at. 0, CW_E_SYNTAX. */
int cw_ipip_v4_parse(const uint8_t *p, size_t n, struct cw_ipip_v4 *ret) CW_MUST_CHECK;

/* The port by which a shared address tells its holders apart (RFC 7597 5.1, RFC 7596 8.1): of TCP,
 * UDP, UDP-Lite, SCTP and DCCP; the identifier of ICMP echo; in an ICMP error that of the packet it
 * quotes, which must be one of the same holder. `source`: the packet's own source port (uplink),
 * else its destination port (downlink). false: there is none, and a packet of a shared address must
 * be dropped. */
bool cw_ipip_port(const uint8_t *p, const struct cw_ipip_v4 *h, bool source, uint16_t *ret);

/* RFC 6040 4.2: the ECN field of the inner TOS after the outer header is taken off. The new TOS, or
 * -1: drop (congestion was experienced, and the inner packet cannot say so). */
int cw_ipip_ecn_decap(uint8_t outer_class, uint8_t inner_tos) CW_PURE;

/* Writes a TOS into a packet with a parsed header and mends the header checksum (RFC 1624). */
void cw_ipip_set_tos(uint8_t *p, uint8_t tos);

/* What must be told to a TUN with IFF_VNET_HDR about a packet that came through a raw socket.
 * Receive offload (GRO) and local peers hand over TCP segments merged beyond the MTU and transport
 * checksums that hold only the pseudo-header's sum (guide dataplane.md 5). */
struct cw_ipip_offload {
	bool needs_csum; /* the checksum is to be finished, or trusted, by whoever takes the packet
			  */
	uint16_t csum_start; /* octets from the start of the IPv4 header */
	uint16_t csum_offset;
	bool merged_tcp;  /* several segments in one */
	uint16_t header;  /* IPv4 + TCP header, octets */
	uint16_t segment; /* payload octets a segment may have within the MTU */
};

enum cw_ipip_kind {
	CW_IPIP_PLAIN,     /* nothing to tell; *ret is all zero */
	CW_IPIP_OFFLOADED, /* *ret holds what to tell */
	CW_IPIP_UNUSABLE,  /* UDP datagrams merged in a way that cannot be undone from here: drop */
};

/* h was parsed from p, which holds all h->total octets. mtu: of the tunnel. */
enum cw_ipip_kind cw_ipip_offload(
	const uint8_t *p, const struct cw_ipip_v4 *h, unsigned mtu, struct cw_ipip_offload *ret);

#define CW_IPIP_ICMP_MAX (20 + 8 + 60 + 8)

/* The ICMPv4 error (RFC 2473 8.3) to the source of the packet whose first n octets are at `quoted`:
 * destination unreachable with `code`, next-hop MTU `mtu` (code 4 only, else 0), from address
 * `from`, into out. The octets written, or CW_E_SYNTAX: nobody may be told (RFC 1122 3.2.2: not a
 * packet, a later fragment, itself an ICMP error, not from a unicast address). */
int cw_ipip_unreachable(const uint8_t *quoted, size_t n, uint8_t code, uint16_t mtu,
	struct cw_addr4 from, uint8_t out[static CW_IPIP_ICMP_MAX]) CW_MUST_CHECK;

/* The Internet checksum of n octets, starting from `sum` (of other parts, not complemented). */
uint16_t cw_ipip_checksum(const uint8_t *p, size_t n, uint32_t sum) CW_PURE;
