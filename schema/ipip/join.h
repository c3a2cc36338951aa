/* SPDX-License-Identifier: BSD-2-Clause */
/* Consecutive segments of a TCP connection, received in one batch, joined to one packet that a TUN
 * with IFF_VNET_HDR takes whole: what GRO does, for packets out of a tunnel. Most of what a packet
 * costs is its way through the kernel behind the TUN, and that is then gone once, not forty times.
 *
 * What is joined can be cut again (cut.h) into exactly the same octets: so only segments are joined
 * that agree in everything a cutter copies (addresses, TOS, TTL, DF, ports, acknowledgement,
 * window, flags, TCP options), whose sequence numbers and IPv4 identifications follow, which carry
 * data of one length but for a shorter last one, and whose checksums are right. PSH and FIN end a
 * group; SYN, RST, URG, CWR, IPv4 options, fragments and pure acknowledgements are never joined.
 * The packets of one connection keep their order, and so do those of one fragmented packet.
 *
 * No sockets; the state is a batch's. Thread: the owner's. */
#pragma once

#include <linux/virtio_net.h>
#include <sys/uio.h>

#include "schema/ipip/ipip.h"

enum { CW_IPIP_JOIN_MAX = 256 }; /* packets of one batch */

struct cw_ipip_joined {
	struct cw_ipip_packet packet; /* the first; whole, if n == 1 */
	const void *owner;
	unsigned n;           /* packets in it */
	unsigned first, last; /* numbers of packets: see next */
	uint32_t seq;         /* expected next */
	size_t total;         /* octets of the joined packet */
	uint16_t segment;     /* octets of data in each but the last */
	uint8_t header;       /* IPv4 and TCP */
	enum { CW_IPIP_SUM_UNKNOWN, CW_IPIP_SUM_RIGHT, CW_IPIP_SUM_WRONG } sum; /* of the first */
};

struct cw_ipip_join {
	unsigned n_packets, n, n_open;
	struct cw_ipip_joined groups[CW_IPIP_JOIN_MAX];
	unsigned open[CW_IPIP_JOIN_MAX]; /* groups that may still grow */
	struct iovec data[CW_IPIP_JOIN_MAX];
	unsigned next[CW_IPIP_JOIN_MAX]; /* the packet behind this one in its group */
};

/* Begins a batch. */
void cw_ipip_join_reset(struct cw_ipip_join *j);
/* Adds a packet, which must stay where it is; at most CW_IPIP_JOIN_MAX. Only packets of one owner
 * (compared as a pointer: a binding) are joined. alone: it must not be, for its checksum is
 * unfinished or it was merged before. The number of the group it began, or -1: it joined one. */
int cw_ipip_join_add(
	struct cw_ipip_join *j, const struct cw_ipip_packet *ip, const void *owner, bool alone);
/* Ends group g: writes the header of a joined packet (nothing if n == 1) and says what to write to
 * the TUN. iov has room for n pieces; the number of them used. *ret_vnet is all zero for n == 1. */
unsigned cw_ipip_join_end(struct cw_ipip_join *j, unsigned g, struct virtio_net_hdr *ret_vnet,
	struct iovec iov[static CW_IPIP_JOIN_MAX]);

/* What the TUN is told about a packet. */
struct virtio_net_hdr cw_ipip_vnet(const struct cw_ipip_offload *o);
