/* SPDX-License-Identifier: BSD-2-Clause */
/* The little of rtnetlink the client needs: one device's MTU and state, an IPv4 address, routes,
 * and being told when an IPv6 address of the host goes or somebody changes the device. Every
 * request is answered by the kernel within the call. Thread: a handle is its owner's. */
#pragma once

#include <stdbool.h>

#include "base/addr.h"
#include "base/defs.h"

struct cw_netlink;

int cw_netlink_open(struct cw_netlink **ret) CW_MUST_CHECK; /* given; -errno */
struct cw_netlink *cw_netlink_close(struct cw_netlink *nl);

/* Index of the device in this network namespace; -ENODEV. */
int cw_netlink_index(const char *device) CW_MUST_CHECK;
/* Sets the MTU and brings the device up, without an IPv6 address of its own. 0 or -errno. */
int cw_netlink_up(struct cw_netlink *nl, int index, unsigned mtu) CW_MUST_CHECK;
int cw_netlink_mtu(struct cw_netlink *nl, int index, unsigned mtu) CW_MUST_CHECK;
/* 1: the device is up, 0: it is not; -errno. */
int cw_netlink_is_up(int index) CW_MUST_CHECK;
/* Adds an address with a prefix length of 32. 0 or -errno; -EEXIST: it is there already. */
int cw_netlink_addr4(struct cw_netlink *nl, int index, struct cw_addr4 addr) CW_MUST_CHECK;
/* Adds a route over the device to the main table, preferred source `src`. 0 or -errno; -EEXIST: the
 * table has a route with this destination and metric already. */
int cw_netlink_route4(struct cw_netlink *nl, int index, const struct cw_prefix4 *to,
	unsigned metric, struct cw_addr4 src) CW_MUST_CHECK;

/* What a watch has heard. */
enum { CW_NETLINK_GONE_MAX = 16 };
struct cw_netlink_news {
	struct cw_addr6 gone[CW_NETLINK_GONE_MAX]; /* IPv6 addresses the host has lost */
	unsigned n_gone;
	bool device; /* state, address or routes of the device may be others now */
};

/* A non-blocking socket that gets a message when a link, an address or an IPv4 route changes;
 * -errno. */
int cw_netlink_watch(void) CW_MUST_CHECK;
/* Reads what is there, with an eye on the device `index` (0: on none). When messages were lost no
 * address is told, and the device is. */
void cw_netlink_watch_read(int fd, int index, struct cw_netlink_news *ret);
