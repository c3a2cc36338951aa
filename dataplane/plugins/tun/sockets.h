/* SPDX-License-Identifier: BSD-2-Clause */
/* The plugin's sockets on the IPv6 side and for ICMP. Thread: made by the host's, used by the
 * forwarding threads.
 *
 * A raw socket for protocol 4 gets what the kernel's IPv6 layer accepted: extension headers done,
 * fragments reassembled, IPsec and the packet filter passed. But it also gets packets that GRO or a
 * local sender merged, without a word about where to cut them. So merged ones are refused there (a
 * filter of a few eBPF instructions, which see gso_size) and taken from a packet socket, which
 * tells gso_size in a virtio_net_hdr; that is handed on to the TUN.
 *
 * Two queues. A flood of packets that will be dropped fills a socket's buffer while its reader
 * waits for a processor, and what comes then is lost, whosever it is. So the filters also ask a map
 * for the outer source: packets of sources whose packets pass go to one socket, those of strangers
 * to another one, and the two are read in turn. The map is a hint, no permission: everything is
 * judged. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CW_TUN_KNOWN_MAX = 16384 }; /* then the least recently seen source is a stranger again */

struct cw_tun_sockets {
	int rx;     /* raw, protocol 4, bound to the TEP: receives */
	int others; /* the same for sources that are not in the map; -1: no map, rx has all */
	int known;  /* the map; -1: not permitted */
	int tx;     /* the same, receives nothing but errors (IPV6_RECVERR) */
	int merged; /* packet socket with virtio_net_hdr for merged packets; -1: not permitted */
	int icmp4;  /* raw ICMP, sends */
	int icmp6;  /* raw ICMPv6 bound to the TEP, sends */
};

/* Negative errno with one line in why. */
int cw_tun_sockets_open(const uint8_t tep[16], int hop_limit, bool pmtu, struct cw_tun_sockets *ret,
	char *why, size_t why_n);
void cw_tun_sockets_close(struct cw_tun_sockets *s);

/* A packet from there has passed, or nothing from there passes: the queue for what follows. */
void cw_tun_sockets_know(const struct cw_tun_sockets *s, const uint8_t source[16], bool known);
/* Packets that were lost because a socket's buffer was full. fd may be -1. */
uint32_t cw_tun_sockets_overrun(int fd);
