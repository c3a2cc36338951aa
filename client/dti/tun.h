/* SPDX-License-Identifier: BSD-2-Clause */
/* What the two halves of the tunnel interface of kind `tun` share: tun.c and carry.c. */
#pragma once

#include <linux/virtio_net.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "client/dti/dti.h"
#include "client/dti/netlink.h"
#include "schema/ipip/join.h"

enum {
	CW_DTI_BATCH = 64,
	CW_DTI_PACKET_MAX = 65536,
	/* Not a power of two: the starts of all packets would share a few lines of the caches. */
	CW_DTI_SLOT = CW_DTI_PACKET_MAX + 33 * 64,
	CW_DTI_QUEUE = 256, /* packets on their way into the tunnel */
	CW_DTI_CLASS_SPACE = CMSG_SPACE(sizeof(int)),
};

enum cw_dti_counter {
	CW_DTI_UP_PACKETS,
	CW_DTI_UP_BYTES,
	CW_DTI_DOWN_PACKETS,
	CW_DTI_DOWN_BYTES,
	CW_DTI_DROP_SOURCE,
	CW_DTI_DROP_DESTINATION,
	CW_DTI_DROP_OUTER,
	CW_DTI_DROP_MALFORMED,
	CW_DTI_DROP_ECN,
	CW_DTI_DROP_MERGED,
	CW_DTI_DROP_SEND,
	CW_DTI_OFFLOADED,
	CW_DTI_JOINED,
	CW_DTI_CUT,
	CW_DTI_ICMP_ERRORS,
	CW_DTI_COUNTERS
};

union cw_dti_class {
	struct cmsghdr align;
	uint8_t room[CW_DTI_CLASS_SPACE];
};

/* A packet on its way into the tunnel: it points into slots and its own header. */
struct cw_dti_out {
	struct iovec iov[2];
	uint8_t header[120];
	union cw_dti_class control;
};

struct tun {
	struct cw_dti dti;       /* first: see struct cw_dti */
	struct cw_dti_conf conf; /* device is not kept */
	char device[IFNAMSIZ];
	int index;
	int tun;
	int raw;
	int stop;
	struct cw_netlink *nl;
	pthread_t thread;
	bool running;
	unsigned mtu_top; /* never above this */
	_Atomic unsigned mtu;
	_Atomic int64_t expires; /* boot ms; 0: never */
	_Atomic uint64_t counters[CW_DTI_COUNTERS];

	/* packet thread */
	int64_t raise_at;
	int64_t look_at;
	int64_t unbound_at;
	int64_t errors_window;
	unsigned errors_used;
	uint8_t *slots; /* CW_DTI_BATCH of CW_DTI_SLOT octets, used by one direction at a time */

	/* up */
	unsigned queued;
	struct mmsghdr out[CW_DTI_QUEUE];
	struct cw_dti_out outs[CW_DTI_QUEUE];

	/* down */
	struct mmsghdr in[CW_DTI_BATCH];
	struct iovec in_iov[CW_DTI_BATCH];
	struct sockaddr_in6 from[CW_DTI_BATCH];
	union cw_dti_class control[CW_DTI_BATCH];
	struct cw_ipip_join join;
	struct virtio_net_hdr vnet[CW_IPIP_JOIN_MAX]; /* of each group, if it is a packet alone */
	struct iovec pieces[1 + CW_IPIP_JOIN_MAX];
};

static inline void cw_dti_tun_count(struct tun *t, enum cw_dti_counter c, uint64_t n)
{
	(void) atomic_fetch_add_explicit(&t->counters[c], n, memory_order_relaxed);
}

/* One turn of each direction; true: there may be more. */
bool cw_dti_tun_up(struct tun *t);
bool cw_dti_tun_down(struct tun *t);
/* Takes the ICMPv6 errors that wait at the socket. */
void cw_dti_tun_errors(struct tun *t);
