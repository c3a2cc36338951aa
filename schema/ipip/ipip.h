/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv4 packets as both ends of an IPv4-in-IPv6 tunnel see them (RFC 2473, RFC 6040, RFC 7596): what
 * a header says, which port tells holders of a shared address apart, ECN, ICMP errors, checksums,
 * and what offloads leave behind in packets that a raw socket receives. Cutting and joining of
 * packets: cut.h, join.h. Pure functions over octets: no sockets, no state; nothing here believes a
 * length it did not check. Thread: any. */
#pragma once

#include <stdbool.h>

#include "base/addr.h"
#include "base/defs.h"

#define CW_IPIP_OVERHEAD 40 /* outer IPv6 header, no extension headers */
#define CW_IPIP_MTU_MIN \
	1240 /* of the tunnel: what IPv6 guarantees, less the overhead (RFC 8200 5) */
#define CW_IPIP_MTU_MAX 65495

enum { CW_IPIP_ICMP = 1, CW_IPIP_IPIP = 4, CW_IPIP_TCP = 6, CW_IPIP_UDP = 17 };

/* An IPv4 packet taken apart. Points into the octets given. */
struct cw_ipip_packet {
	uint8_t *start;
	size_t total; /* the packet without what follows it */
	size_t ihl;   /* header octets */
	uint8_t *payload;
	size_t payload_n;
	struct cw_addr4 src, dst;
	uint16_t id;
	uint16_t frag_at; /* offset of this fragment in octets */
	bool more, df;
	uint8_t tos, ttl, proto;
};

/* False: not a whole IPv4 packet (version, header length, total length, header checksum). Octets
 * behind the total length are left out. */
bool cw_ipip_parse(uint8_t *p, size_t n, struct cw_ipip_packet *ret);
/* The same for a packet quoted in an error, which may be cut: total and payload are what is there.
 */
bool cw_ipip_parse_quoted(uint8_t *p, size_t n, struct cw_ipip_packet *ret);

/* Which end of the packet belongs to the client. */
enum cw_ipip_side { CW_IPIP_UP, CW_IPIP_DOWN };

/* What tells the port of the client's end (RFC 7596 8.1, RFC 5508 REQ-3). */
enum cw_ipip_port {
	CW_IPIP_PORT_IS,          /* *ret_port */
	CW_IPIP_PORT_OF_FIRST,    /* a later fragment: ask what the first one said */
	CW_IPIP_PORT_NO_PROTOCOL, /* the protocol has none */
	CW_IPIP_PORT_BAD_ICMP, /* ICMP that has none, or whose quoted packet is not the client's */
	CW_IPIP_PORT_SHORT,    /* too short to tell (RFC 1858, 3128) */
};
enum cw_ipip_port cw_ipip_port_of(
	const struct cw_ipip_packet *ip, enum cw_ipip_side side, uint16_t *ret_port);

/* Is it an ICMP error whose quoted packet is not one that the client's end sent (DOWN) or received
 * (UP)? Errors about a neighbour's traffic are forged. Also true for redirects, which have no place
 * in a tunnel. */
bool cw_ipip_icmp_forged(const struct cw_ipip_packet *ip, enum cw_ipip_side side);

/* RFC 6040 4.2: carries the outer header's ECN field to the inner one; false: drop (congestion was
 * experienced, and the inner packet cannot say so). */
bool cw_ipip_ecn_decap(struct cw_ipip_packet *ip, uint8_t outer_class);

/* A transport checksum that the sender left to hardware: only the pseudo-header is summed. Then
 * where the checksum starts and where it goes, from the start of the packet. Linux hands such
 * packets to sockets (guide dataplane.md 5). */
bool cw_ipip_checksum_unfinished(
	const struct cw_ipip_packet *ip, uint16_t *ret_start, uint16_t *ret_offset);

/* What must be told to a TUN with IFF_VNET_HDR about a packet that came through a raw socket that
 * does not tell it: receive offload (GRO) and local peers hand over TCP segments merged beyond the
 * MTU, and unfinished checksums. */
struct cw_ipip_offload {
	bool needs_csum; /* to be finished, or trusted, by whoever takes the packet */
	uint16_t csum_start, csum_offset;
	uint16_t header;  /* IPv4 + TCP header, octets */
	uint16_t segment; /* payload octets of one segment of several merged ones; else 0 */
};

enum cw_ipip_kind {
	CW_IPIP_PLAIN,     /* nothing to tell; *ret is all zero */
	CW_IPIP_OFFLOADED, /* *ret holds what to tell */
	CW_IPIP_UNUSABLE,  /* UDP datagrams merged in a way that cannot be undone from here: drop */
};
/* mtu: of the tunnel. */
enum cw_ipip_kind cw_ipip_offload(
	const struct cw_ipip_packet *ip, unsigned mtu, struct cw_ipip_offload *ret);

/* May an ICMP error be sent about it (RFC 1122 3.2.2)? */
bool cw_ipip_may_complain(const struct cw_ipip_packet *ip);
/* An ICMPv4 error (type 3) about a packet: header and as much of it as RFC 1812 4.3.2.3 wants, 576
 * octets with an IPv4 header. next_hop_mtu for code 4, else 0. Octets written; cap >=
 * CW_IPIP_ICMP4_MAX. */
enum { CW_IPIP_ICMP4_MAX = 556 };
size_t cw_ipip_icmp4_unreachable(const struct cw_ipip_packet *about, uint8_t code,
	uint16_t next_hop_mtu, uint8_t to[static CW_IPIP_ICMP4_MAX]);
/* The same as a whole IPv4 packet from `from` to the source of what it is about. */
enum { CW_IPIP_ERROR_MAX = 20 + CW_IPIP_ICMP4_MAX };
size_t cw_ipip_error(const struct cw_ipip_packet *about, uint8_t code, uint16_t next_hop_mtu,
	struct cw_addr4 from, uint8_t to[static CW_IPIP_ERROR_MAX]);
/* An ICMPv6 type 1 code 5 body without checksum (the kernel's job); the outer header is made up
 * again, for a raw socket does not show it. With its IPv6 header not above 1280 octets. */
enum { CW_IPIP_ICMP6_MAX = 1240 };
size_t cw_ipip_icmp6_refused(const uint8_t client[16], const uint8_t tep[16], const uint8_t *inner,
	size_t n, uint8_t to[static CW_IPIP_ICMP6_MAX]);

/* The inner packet of a whole IPv6 packet as it came from the wire: walks hop-by-hop, destination
 * and routing headers (RFC 2473 3.3: left to right). NULL: none of ours (another destination,
 * protocol, a fragment, cut). */
uint8_t *cw_ipip_ip6_inner(uint8_t *p, size_t n, const uint8_t tep[16], size_t *ret_n);

/* The Internet checksum (RFC 1071) in parts: the sum over n octets, added to another one (which
 * covered an even number of octets); its end, not complemented; both, and complemented. */
uint64_t cw_ipip_sum(const uint8_t *p, size_t n, uint64_t sum) CW_PURE;
uint16_t cw_ipip_fold(uint64_t sum);
uint16_t cw_ipip_checksum(const uint8_t *p, size_t n) CW_PURE;
/* Writes the header checksum of the IPv4 header at p. */
void cw_ipip_finish_header(uint8_t *p, size_t ihl);
/* The sum of the pseudo-header for a transport packet of n octets: folded, it is what an unfinished
 * checksum field holds. */
uint64_t cw_ipip_pseudo_sum(const struct cw_ipip_packet *ip, size_t n) CW_PURE;
/* Finishes the transport checksum at start + offset of the packet of n octets at p; a place outside
 * of it is left alone. */
void cw_ipip_finish_checksum(uint8_t *p, size_t n, size_t start, size_t offset);
