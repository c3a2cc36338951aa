/* SPDX-License-Identifier: BSD-2-Clause */
/* The judgement on a packet: which binding it belongs to, and whether it may pass (RFC 7596 6.2,
 * RFC 2473 3). Works on the binding table and on memory of first fragments; no sockets. Thread: one
 * direction's; the caller holds the table for reading. */
#pragma once

#include "dataplane/plugins/common/table.h"
#include "schema/ipip/ipip.h"

/* PASS, or the reason of a drop; each has a counter "drop.NAME" (cw_tun_verdict_name). */
enum cw_tun_verdict {
	CW_TUN_PASS,
	CW_TUN_MALFORMED,  /* no whole IPv4 packet inside */
	CW_TUN_NO_BINDING, /* the IPv4 address is nobody's */
	CW_TUN_SPOOF,      /* it is bound to another IPv6 address */
	CW_TUN_PORT,       /* nobody's port of a shared address, or too short to have one */
	CW_TUN_EXPIRED,
	CW_TUN_PROTOCOL, /* without ports, on a shared address */
	CW_TUN_ICMP, /* errors about packets of others, redirects, other ICMP on a shared address */
	CW_TUN_FRAGMENT, /* later fragment whose first one was not seen or did not pass */
	CW_TUN_MARTIAN,  /* inner destination that is no unicast address */
	CW_TUN_ECN,      /* congestion marked on a packet that cannot carry the mark */
	CW_TUN_HAIRPIN,  /* to another client, forbidden by option */
	CW_TUN_TOO_BIG,  /* larger than the tunnel, must not be fragmented */
	CW_TUN_MERGED,   /* merged by the kernel, and cannot be taken apart here */
	CW_TUN_OUTPUT,   /* the kernel refused to send it */
	CW_TUN_VERDICTS,
};
const char *cw_tun_verdict_name(enum cw_tun_verdict v);

/* First fragments that passed on shared addresses: 4096 of them, the least recently used of four
 * goes (RFC 7597 8.3.2). One per direction. */
struct cw_tun_fragments;
struct cw_tun_fragments *cw_tun_fragments_new(void); /* NULL: out of memory. Given. */
struct cw_tun_fragments *cw_tun_fragments_free(struct cw_tun_fragments *f);

struct cw_tun_rules {
	struct cw_dptab *table;
	bool hairpin; /* clients may talk to each other */
};

struct cw_tun_owner {
	const struct cw_dptab_entry
		*entry; /* also for drops that can be charged to a binding; else NULL */
	struct cw_dptab_dyn *dyn;
	bool hairpin; /* UP: the destination is bound too */
};

/* A packet out of the tunnel from `outer`. */
enum cw_tun_verdict cw_tun_decide_up(const struct cw_tun_rules *rules,
	struct cw_tun_fragments *frags, const uint8_t outer[16], const struct cw_ipip_packet *ip,
	int64_t now_boot_ms, struct cw_tun_owner *ret);
/* A packet on its way into the tunnel; ret->entry->ipv6 is where to. */
enum cw_tun_verdict cw_tun_decide_down(const struct cw_tun_rules *rules,
	struct cw_tun_fragments *frags, const struct cw_ipip_packet *ip, int64_t now_boot_ms,
	struct cw_tun_owner *ret);
