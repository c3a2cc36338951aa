/* SPDX-License-Identifier: BSD-2-Clause */
/* The binding table that the in-tree plugins share: what a plugin must remember to follow the rules
 * of causeway-dataplane.h (generations, overlap, idempotence, ordered listing), in about 64 octets
 * a binding. Needs the ABI header and libc only; linked statically, so that a plugin built outside
 * the tree can copy it.
 *
 * Thread: one writer (the host's thread) calls everything. With CW_DPTAB_SHARED other threads may
 * call cw_dptab_find() between cw_dptab_read_begin() and cw_dptab_read_end(), and write into `dyn`
 * with atomics. */
#pragma once

#include <stdbool.h>

#include "causeway-dataplane.h"

enum {
	CW_DPTAB_SHARED = 1u << 0,   /* other threads read: mutations take a lock */
	CW_DPTAB_COUNTERS = 1u << 1, /* keep a cw_dptab_dyn per binding */
	CW_DPTAB_LOOPBACK =
		1u << 2,           /* ::1 may be a tunnel end: for plugins that carry no packets */
	CW_DPTAB_MAX = 4095 << 12, /* the index has 24 bits for an entry */
};

/* A binding as kept: 56 octets. Borrowed from the table; constant for readers while they hold the
 * lock. */
struct cw_dptab_entry {
	uint8_t ipv6[16];
	uint64_t lease;
	uint64_t generation;
	int64_t expires_boot_ms;
	uint32_t ipv4; /* host order */
	uint32_t link; /* marker: number of port sets; free: next free */
	uint16_t psid;
	uint16_t mtu;
	uint8_t offset;
	uint8_t len;
	uint8_t kind; /* the table's own */
	uint8_t reserved;
};

/* What forwarding threads change; relaxed atomics only. */
struct cw_dptab_dyn {
	struct cw_dp_counters counters;
	uint32_t path_mtu;         /* learned for the client, 0 = none */
	uint32_t path_mtu_until_s; /* CLOCK_BOOTTIME seconds */
};

struct cw_dptab;

/* An empty table for at most max bindings (0 or more than CW_DPTAB_MAX: CW_DPTAB_MAX). NULL: out of
 * memory. Given. */
struct cw_dptab *cw_dptab_new(uint32_t max, unsigned flags);
struct cw_dptab *cw_dptab_free(struct cw_dptab *t); /* NULL is fine; returns NULL */
size_t cw_dptab_count(const struct cw_dptab *t);
size_t cw_dptab_max(const struct cw_dptab *t);

/* May this binding work at all? CW_DP_OK or CW_DP_INVALID: port set out of its model, no unicast
 * IPv4, an IPv6 address that cannot be a tunnel end (RFC 2473 6.2, 4.1.2: unspecified, loopback,
 * multicast, link-local, v4-mapped). */
enum cw_dp_status cw_dptab_check(const struct cw_dptab *t, const struct cw_dp_binding *b);
bool cw_dptab_ports_ok(struct cw_dp_ports p);

/* Adds or replaces. OK, INVALID, EXISTS (overlaps, or another offset/len than the other port sets
 * of the address: RFC 7597 5.1), STALE, FULL, TRANSIENT (no memory). Counters restart when lease or
 * client change. */
enum cw_dp_status cw_dptab_apply(struct cw_dptab *t, const struct cw_dp_binding *b);
/* What apply would say, without doing it (except TRANSIENT). */
enum cw_dp_status cw_dptab_would_apply(const struct cw_dptab *t, const struct cw_dp_binding *b);
/* OK (also when nothing was there), INVALID, STALE. ret_counters: the final ones or zero; may be
 * NULL. */
enum cw_dp_status cw_dptab_remove(
	struct cw_dptab *t, const struct cw_dp_removal *r, struct cw_dp_counters *ret_counters);
/* What remove would say, without doing it. */
enum cw_dp_status cw_dptab_would_remove(const struct cw_dptab *t, const struct cw_dp_removal *r);
void cw_dptab_flush(struct cw_dptab *t);
/* The binding with this key, if there is one. */
bool cw_dptab_get(const struct cw_dptab *t, const uint8_t ipv4[4], struct cw_dp_ports ports,
	struct cw_dp_row *ret);

/* Up to max rows behind the cursor in order of (ipv4, psid); returns how many. *ret_more says
 * whether rows follow; then *ret_next is the cursor for them. -1: out of memory. */
long cw_dptab_list(struct cw_dptab *t, struct cw_dp_cursor after, size_t max,
	struct cw_dp_row *rows, bool *ret_more, struct cw_dp_cursor *ret_next);
/* The binding with the earliest expiry above `from` is not indexed: visits all bindings whose
 * expiry is <= now, calls fn for at most max of them, returns the earliest expiry of the others
 * (CW_DP_NO_EXPIRY: none). */
int64_t cw_dptab_expired(const struct cw_dptab *t, int64_t now_boot_ms, size_t max,
	void (*fn)(void *arg, const struct cw_dptab_entry *e), void *arg);

/* Look-up for packets. sharing: what the address is. */
enum cw_dptab_sharing { CW_DPTAB_NONE, CW_DPTAB_WHOLE, CW_DPTAB_PORTS };
void cw_dptab_read_begin(struct cw_dptab *t);
void cw_dptab_read_end(struct cw_dptab *t);
/* Is the address bound, and how? WHOLE: *ret_entry and *ret_dyn (NULL without CW_DPTAB_COUNTERS)
 * are its binding. PORTS: ask cw_dptab_find_port() next. */
enum cw_dptab_sharing cw_dptab_find(const struct cw_dptab *t, uint32_t ipv4,
	const struct cw_dptab_entry **ret_entry, struct cw_dptab_dyn **ret_dyn);
/* The binding that owns `port` (host order) of a shared address, or false. */
bool cw_dptab_find_port(const struct cw_dptab *t, uint32_t ipv4, uint16_t port,
	const struct cw_dptab_entry **ret_entry, struct cw_dptab_dyn **ret_dyn);
