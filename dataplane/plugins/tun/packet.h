/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tun plugin reads from and writes into packets: pure functions over octets, no state, no
 * sockets. Nothing here believes a length it did not check. Thread: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An IPv4 packet taken apart. Addresses are in host order. Points into the octets given. */
struct cw_tun_ip4 {
	uint8_t *start;
	size_t total; /* the packet without what follows it */
	size_t ihl;   /* header octets */
	uint8_t *payload;
	size_t payload_n;
	uint32_t src, dst;
	uint16_t id;
	uint16_t frag_at; /* offset of this fragment in octets */
	bool more, df;
	uint8_t tos, ttl, proto;
};

/* False: not a whole IPv4 packet (version, header length, total length, header checksum). Octets
 * behind the total length are left out. */
bool cw_tun_ip4_parse(uint8_t *p, size_t n, struct cw_tun_ip4 *ret);
/* The same for a packet quoted in an error, which may be cut: total and payload are what is there.
 */
bool cw_tun_ip4_parse_quoted(uint8_t *p, size_t n, struct cw_tun_ip4 *ret);

/* Which end of the packet belongs to the client. */
enum cw_tun_side { CW_TUN_UP, CW_TUN_DOWN };

/* What tells the port of the client's end (RFC 7596 8.1, RFC 5508 REQ-3). */
enum cw_tun_port {
	CW_TUN_PORT_IS,          /* *ret_port */
	CW_TUN_PORT_OF_FIRST,    /* a later fragment: ask what the first one said */
	CW_TUN_PORT_NO_PROTOCOL, /* the protocol has none */
	CW_TUN_PORT_BAD_ICMP, /* ICMP that has none, or whose quoted packet is not the client's */
	CW_TUN_PORT_SHORT,    /* too short to tell (RFC 1858, 3128) */
};
enum cw_tun_port cw_tun_port_of(
	const struct cw_tun_ip4 *ip, enum cw_tun_side side, uint16_t *ret_port);

/* Is it an ICMP error whose quoted packet is not one that the client's end sent (DOWN) or received
 * (UP)? Errors about a neighbour's traffic are forged. Also true for redirects, which have no place
 * in a tunnel. */
bool cw_tun_icmp_forged(const struct cw_tun_ip4 *ip, enum cw_tun_side side);

/* May an ICMP error be sent about it (RFC 1122 3.2.2)? */
bool cw_tun_may_complain(const struct cw_tun_ip4 *ip);
/* RFC 6040 on decapsulation: carries an outer CE mark to the inner header; false: drop (CE on a
 * not-ECT packet). */
bool cw_tun_ecn_decap(struct cw_tun_ip4 *ip, uint8_t outer_class);

/* A transport checksum that the sender left to hardware: only the pseudo-header is summed. Then
 * where the checksum starts and where it goes, from the start of the packet. Linux hands such
 * packets to sockets (guide section 5). */
bool cw_tun_checksum_unfinished(
	const struct cw_tun_ip4 *ip, uint16_t *ret_start, uint16_t *ret_offset);

/* An ICMPv4 error (type 3) about a packet: header and as much of it as RFC 1812 4.3.2.3 wants, 576
 * octets with an IPv4 header. next_hop_mtu for code 4, else 0. Octets written; cap >=
 * CW_TUN_ICMP4_MAX. */
enum { CW_TUN_ICMP4_MAX = 556 };
size_t cw_tun_icmp4_unreachable(
	const struct cw_tun_ip4 *about, uint8_t code, uint16_t next_hop_mtu, uint8_t *to);
/* An ICMPv6 type 1 code 5 body without checksum (the kernel's job); the outer header is made up
 * again, for a raw socket does not show it. cap >= CW_TUN_ICMP6_MAX: with its IPv6 header not above
 * 1280. */
enum { CW_TUN_ICMP6_MAX = 1240 };
size_t cw_tun_icmp6_refused(const uint8_t client[16], const uint8_t tep[16], const uint8_t *inner,
	size_t n, uint8_t *to);

/* Cuts a packet without DF into fragments of at most mtu octets (>= 68) and calls emit for each;
 * the header of each lies in its own 60 octets, the payload in the packet. */
struct cw_tun_piece {
	uint8_t header[60];
	size_t header_n;
	uint8_t *payload;
	size_t payload_n;
};
bool cw_tun_fragment(const struct cw_tun_ip4 *ip, size_t mtu,
	bool (*emit)(void *arg, const struct cw_tun_piece *piece), void *arg);

/* Cuts a merged TCP packet (from a TUN with offloads) into segments of gso_size octets of payload,
 * checksums finished. The header of each piece holds IPv4 and TCP (up to 120 octets). False: not
 * such a packet. */
struct cw_tun_segment {
	uint8_t header[120];
	size_t header_n;
	uint8_t *payload;
	size_t payload_n;
};
bool cw_tun_segment_tcp(const struct cw_tun_ip4 *ip, size_t gso_size,
	bool (*emit)(void *arg, const struct cw_tun_segment *segment), void *arg);

/* The inner packet of a whole IPv6 packet as it came from the wire: walks hop-by-hop, destination
 * and routing headers (RFC 2473 3.3: left to right). NULL: none of ours (another destination,
 * protocol, a fragment, cut). */
uint8_t *cw_tun_ip6_inner(uint8_t *p, size_t n, const uint8_t tep[16], size_t *ret_n);

/* The Internet checksum's sum over n octets, and its end. */
uint64_t cw_tun_sum(const uint8_t *p, size_t n, uint64_t sum);
uint16_t cw_tun_fold(uint64_t sum);
