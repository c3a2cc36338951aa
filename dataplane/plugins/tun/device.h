/* SPDX-License-Identifier: BSD-2-Clause */
/* The TUN device: made, configured through netlink, gone when its descriptor closes. Thread: the
 * host's. */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cw_tun_route {
	uint8_t addr[4];
	uint8_t len;
};

struct cw_tun_device {
	int fd; /* non-blocking, packets behind a struct virtio_net_hdr of 10 octets */
	char name[IFNAMSIZ];
	unsigned index;
	bool offloads; /* reads may give merged TCP packets */
};

/* Whether open can take this name, which may hold one %d; else one line in why. */
bool cw_tun_device_name_ok(const char *name, char *why, size_t why_n);
/* Negative errno with one line in why. */
int cw_tun_device_open(const char *name, struct cw_tun_device *ret, char *why, size_t why_n);
/* Up, with this MTU, without an IPv6 address; ipv4 (unless 0.0.0.0) becomes its address, the source
 * of the kernel's ICMP errors; routes point to it; again: one that is there already is fine.
 * Negative errno with one line in why. */
int cw_tun_device_up(const struct cw_tun_device *d, unsigned mtu, const uint8_t ipv4[4],
	const struct cw_tun_route *routes, size_t n, bool again, char *why, size_t why_n);
void cw_tun_device_close(struct cw_tun_device *d);

/* The MTU of the interface that has this address; 0: not found. A loopback interface counts as not
 * found. */
unsigned cw_tun_mtu_of(const uint8_t ipv6[16]);
/* A number in a file of /proc/sys/net; -1: cannot be read. */
long cw_tun_sysctl(const char *path);
