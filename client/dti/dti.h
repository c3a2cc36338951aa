/* SPDX-License-Identifier: BSD-2-Clause */
/* The dynamic tunnel interface (DSTM 5.2): the network device through which the host's IPv4 packets
 * reach the TEP. A kind is a way to make one; each fills struct cw_dti_ops. What a kind sets up on
 * the host is gone when it is closed, and after kill -9 too (the device belongs to the process).
 * Thread: calls come from one thread; a kind may have threads of its own and says so. */
#pragma once

#include <stdbool.h>

#include "base/addr.h"
#include "base/defs.h"

enum cw_dti_kind { CW_DTI_AUTO, CW_DTI_TUN };

/* What happened inside; told from any thread. */
enum cw_dti_event {
	CW_DTI_EV_MTU,     /* the device's MTU changed to `value` */
	CW_DTI_EV_UNBOUND, /* the TEP says it has no binding for us (ICMPv6 1/5, RFC 7596 5.1);
			      rate-limited */
	CW_DTI_EV_FAILED,  /* the device is of no use any more; value: -errno */
};

struct cw_dti_conf {
	enum cw_dti_kind kind;
	const char *device; /* name wanted; "%d" in it is replaced by a free number */
	struct cw_addr4 ipv4;
	struct cw_portset ports;
	struct cw_addr6 local; /* this end of the tunnel */
	struct cw_addr6 tep;   /* the other end */
	bool has_tep4;
	struct cw_addr4 tep4; /* speaks in ICMPv4 errors; without it ipv4 itself does */
	unsigned mtu;         /* 0: what the path has, less 40 */
	unsigned hop_limit;   /* of outer packets (RFC 2473 6.3); 0: the kernel's default */
	const struct cw_prefix4 *routes; /* borrowed until the end of the interface */
	unsigned n_routes;
	unsigned metric;
	int64_t expires_boot_ms; /* no packet after that, whatever the owner does; 0: never */
	void (*event)(void *arg, enum cw_dti_event event, int value); /* any thread */
	void *arg;
};

struct cw_dti_stats {
	uint64_t up_packets, up_bytes;     /* host to TEP, inner octets */
	uint64_t down_packets, down_bytes; /* TEP to host */
	uint64_t drop_source;              /* not from the leased address or port set */
	uint64_t drop_destination;         /* not to the leased address (RFC 7596 5.2) */
	uint64_t drop_outer;               /* not from the TEP */
	uint64_t drop_malformed;
	uint64_t drop_ecn;     /* RFC 6040 */
	uint64_t drop_merged;  /* merged UDP of a receive offload */
	uint64_t drop_overrun; /* came faster than they were taken */
	uint64_t drop_send;    /* the kernel took no more, or refused */
	uint64_t offloaded;    /* packets an offload had merged or left without checksum: mended */
	uint64_t joined;       /* packets written to the host as a part of another one */
	uint64_t cut;          /* merged packets of the host that were cut */
	uint64_t icmp_errors;  /* ICMPv6 errors about outer packets */
};

/* What cw_dti_repair() put back, or'ed. */
enum { CW_DTI_PUT_LINK = 1, CW_DTI_PUT_ADDRESS = 2, CW_DTI_PUT_ROUTES = 4 };

struct cw_dti;

/* Makes the device, gives it address, MTU and routes, and starts forwarding. *ret: given. -errno:
 * nothing is left behind; *ret_what (may be NULL) is a static text naming the step that failed. */
int cw_dti_open(
	const struct cw_dti_conf *conf, struct cw_dti **ret, const char **ret_what) CW_MUST_CHECK;
struct cw_dti *cw_dti_close(struct cw_dti *d);
const char *cw_dti_device(const struct cw_dti *d); /* borrowed */
const char *cw_dti_kind_name(const struct cw_dti *d);
int cw_dti_index(const struct cw_dti *d); /* of the device */
unsigned cw_dti_mtu(struct cw_dti *d);
void cw_dti_stats(struct cw_dti *d, struct cw_dti_stats *ret);
/* The lease goes on until then. A process that was stopped or slept past the end must not send what
 * had queued up, before it has looked at its timers. */
void cw_dti_extend(struct cw_dti *d, int64_t expires_boot_ms);
/* Looks whether the device is up and has its address and routes, and puts back what somebody took
 * away: CW_DTI_PUT_..., 0 if nothing was missing, -errno. A route in whose place there is another
 * one, with the same metric, is left alone. */
int cw_dti_repair(struct cw_dti *d) CW_MUST_CHECK;
int cw_dti_kind_parse(const char *s, enum cw_dti_kind *ret) CW_MUST_CHECK; /* CW_E_SYNTAX */

/* --- for the kinds --- */

struct cw_dti_ops {
	const char *name;
	enum cw_dti_kind kind;
	int (*open)(const struct cw_dti_conf *conf, struct cw_dti **ret, const char **ret_what);
	void (*close)(struct cw_dti *d); /* frees d */
	const char *(*device)(const struct cw_dti *d);
	int (*index)(const struct cw_dti *d);
	unsigned (*mtu)(struct cw_dti *d);
	void (*stats)(struct cw_dti *d, struct cw_dti_stats *ret);
	void (*extend)(struct cw_dti *d, int64_t expires_boot_ms);
	int (*repair)(struct cw_dti *d);
};

/* First member of every kind's struct. */
struct cw_dti {
	const struct cw_dti_ops *ops;
};

extern const struct cw_dti_ops cw_dti_tun;
