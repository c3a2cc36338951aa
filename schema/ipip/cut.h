/* SPDX-License-Identifier: BSD-2-Clause */
/* One IPv4 packet made into several: fragments (RFC 791), and the segments of a merged TCP packet.
 * Pure functions. Thread: any. */
#pragma once

#include "schema/ipip/ipip.h"

/* Cuts a packet without DF into fragments of at most mtu octets (>= 68) and calls emit for each;
 * the header of each lies in its own 60 octets, the payload in the packet. False: emit said so. */
struct cw_ipip_piece {
	uint8_t header[60];
	size_t header_n;
	uint8_t *payload;
	size_t payload_n;
};
bool cw_ipip_fragment(const struct cw_ipip_packet *ip, size_t mtu,
	bool (*emit)(void *arg, const struct cw_ipip_piece *piece), void *arg);

/* A merged TCP packet (from a TUN with offloads, from join.h): octets of the longest of its
 * segments, and how many they are. gso_size 0: it is not merged. */
size_t cw_ipip_segment_length(const struct cw_ipip_packet *ip, size_t gso_size);
size_t cw_ipip_segment_count(const struct cw_ipip_packet *ip, size_t gso_size);

/* Cuts it into segments of gso_size octets of payload, checksums finished. The header of each piece
 * holds IPv4 and TCP (up to 120 octets). False: not such a packet, or emit said so. */
struct cw_ipip_segment {
	uint8_t header[120];
	size_t header_n;
	uint8_t *payload;
	size_t payload_n;
};
bool cw_ipip_segment_tcp(const struct cw_ipip_packet *ip, size_t gso_size,
	bool (*emit)(void *arg, const struct cw_ipip_segment *segment), void *arg);
