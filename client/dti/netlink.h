/* SPDX-License-Identifier: BSD-2-Clause */
/* The little of rtnetlink the client needs: one device's MTU and state, an IPv4 address, routes,
 * and being told when an IPv6 address of the host goes. Every request is answered by the kernel
 * within the call. Thread: a handle is its owner's. */
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
/* Adds an address with a prefix length of 32; already there is success. */
int cw_netlink_addr4(struct cw_netlink *nl, int index, struct cw_addr4 addr) CW_MUST_CHECK;
/* Adds a route over the device to the main table, preferred source `src`. 0 or -errno; -EEXIST: the
 * table has a route with this destination and metric already. */
int cw_netlink_route4(struct cw_netlink *nl, int index, const struct cw_prefix4 *to,
	unsigned metric, struct cw_addr4 src) CW_MUST_CHECK;

/* A non-blocking socket that gets a message for every IPv6 address that comes or goes; -errno. */
int cw_netlink_watch(void) CW_MUST_CHECK;
/* Reads what is there. true: addresses went (the first CW_NETLINK_GONE_MAX of them are in gone,
 * *ret_n of them), or some messages were lost and *ret_n is 0. false: nothing of interest. */
#define CW_NETLINK_GONE_MAX 16
bool cw_netlink_watch_read(
	int fd, struct cw_addr6 gone[static CW_NETLINK_GONE_MAX], unsigned *ret_n);
