/* SPDX-License-Identifier: BSD-2-Clause */
/* The plugin's sockets on the IPv6 side and for ICMP. Thread: made by the host's, used by the
 * forwarding threads.
 *
 * A raw socket for protocol 4 gets what the kernel's IPv6 layer accepted: extension headers done,
 * fragments reassembled, IPsec and the packet filter passed. But it also gets packets that GRO or a
 * local sender merged, without a word about where to cut them. So merged ones are refused there (a
 * filter of a few eBPF instructions, which see gso_size) and taken from a packet socket, which
 * tells gso_size in a virtio_net_hdr; that is handed on to the TUN. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cw_tun_sockets {
	int rx;     /* raw, protocol 4, bound to the TEP: receives */
	int tx;     /* the same, receives nothing but errors (IPV6_RECVERR) */
	int merged; /* packet socket with virtio_net_hdr for merged packets; -1: not permitted */
	int icmp4;  /* raw ICMP, sends */
	int icmp6;  /* raw ICMPv6 bound to the TEP, sends */
};

/* Negative errno with one line in why. */
int cw_tun_sockets_open(const uint8_t tep[16], int hop_limit, bool pmtu, struct cw_tun_sockets *ret,
	char *why, size_t why_n);
void cw_tun_sockets_close(struct cw_tun_sockets *s);
