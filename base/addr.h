/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses, prefixes, endpoints and port sets as the project passes them around. IPv4 is kept in
 * host order (ranges are arithmetic), IPv6 as its 16 octets. Thread: any. */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>

#include "base/defs.h"

struct cw_addr4 {
	uint32_t v; /* host order */
};

struct cw_addr6 {
	uint8_t b[16]; /* network order */
};

struct cw_prefix4 {
	struct cw_addr4 addr; /* host bits are zero */
	uint8_t len;          /* 0..32 */
};

struct cw_prefix6 {
	struct cw_addr6 addr; /* host bits are zero */
	uint8_t len;          /* 0..128 */
};

/* A port set in the model of RFC 7597 5.1: offset a, PSID length k, PSID. k == 0 is the whole
 * address (then offset and psid are 0). */
struct cw_portset {
	uint8_t offset; /* a, 0..15 */
	uint8_t len;    /* k, 0..16, a + k <= 16 */
	uint16_t psid;  /* < 2^k */
};

/* Where a listener or peer is. */
struct cw_endpoint {
	enum { CW_EP_INET, CW_EP_UNIX } kind;
	union {
		struct sockaddr_storage ss; /* CW_EP_INET: sockaddr_in or sockaddr_in6 */
		char path[108];             /* CW_EP_UNIX */
	} u;
};

#define CW_ADDR4_STRLEN    16 /* with NUL */
#define CW_ADDR6_STRLEN    46
#define CW_ENDPOINT_STRLEN 128

/* Strict text forms (inet_pton rules: no leading zeros trickery, no blanks). n octets at s.
 * 0 or CW_E_SYNTAX. */
int cw_addr4_parse(const char *s, size_t n, struct cw_addr4 *ret) CW_MUST_CHECK;
int cw_addr6_parse(const char *s, size_t n, struct cw_addr6 *ret) CW_MUST_CHECK;
/* "ADDR/LEN"; a missing "/LEN" means a full-length prefix; host bits set: CW_E_SYNTAX. */
int cw_prefix4_parse(const char *s, size_t n, struct cw_prefix4 *ret) CW_MUST_CHECK;
int cw_prefix6_parse(const char *s, size_t n, struct cw_prefix6 *ret) CW_MUST_CHECK;
/* "ADDR/LEN", "ADDR" or "LO-HI" to an inclusive range. 0, CW_E_SYNTAX. */
int cw_range4_parse(
	const char *s, size_t n, struct cw_addr4 *ret_lo, struct cw_addr4 *ret_hi) CW_MUST_CHECK;
/* "1.2.3.4:80", "[::1]:80", "unix:PATH"; port 0 allowed; default_port (host order) is used when the
 * text has no port and is not 0, else the port must be there. Never resolves names. */
int cw_endpoint_parse(
	const char *s, size_t n, uint16_t default_port, struct cw_endpoint *ret) CW_MUST_CHECK;

/* Write the text form (IPv6 per RFC 5952, lower case) with NUL; returns buf. */
char *cw_addr4_str(struct cw_addr4 a, char buf[static CW_ADDR4_STRLEN]);
char *cw_addr6_str(const struct cw_addr6 *a, char buf[static CW_ADDR6_STRLEN]);
char *cw_sockaddr_str(const struct sockaddr *sa, char buf[static CW_ENDPOINT_STRLEN]);
char *cw_endpoint_str(const struct cw_endpoint *ep, char buf[static CW_ENDPOINT_STRLEN]);

bool cw_addr6_eq(const struct cw_addr6 *a, const struct cw_addr6 *b) CW_PURE;
bool cw_prefix6_has(const struct cw_prefix6 *p, const struct cw_addr6 *a) CW_PURE;
bool cw_prefix4_has(const struct cw_prefix4 *p, struct cw_addr4 a) CW_PURE;
bool cw_addr6_is_unspecified(const struct cw_addr6 *a) CW_PURE;
bool cw_addr6_is_loopback(const struct cw_addr6 *a) CW_PURE;
bool cw_addr6_is_multicast(const struct cw_addr6 *a) CW_PURE;
bool cw_addr6_is_link_local(const struct cw_addr6 *a) CW_PURE;
bool cw_addr6_is_v4mapped(const struct cw_addr6 *a) CW_PURE;
/* May be a tunnel end (RFC 2473 6.2, guide): not unspecified, loopback, multicast, link-local,
 * v4-mapped or v4-compatible, discarded (100::/64, RFC 6666) or a NAT64's (64:ff9b::/96). */
bool cw_addr6_is_tunnel_end(const struct cw_addr6 *a) CW_PURE;
bool cw_addr4_is_unicast(struct cw_addr4 a) CW_PURE; /* not 0/8, 127/8, 224/3 */

/* The IPv6 address of a peer; v4-mapped stays v4-mapped. false if sa is not AF_INET6. */
bool cw_sockaddr_addr6(const struct sockaddr *sa, struct cw_addr6 *ret);
bool cw_sockaddr_is_loopback(const struct sockaddr *sa);
uint16_t cw_sockaddr_port(const struct sockaddr *sa); /* host order, 0 for other families */

extern const struct cw_portset CW_PORTSET_WHOLE;
bool cw_portset_valid(struct cw_portset ps) CW_PURE;
bool cw_portset_is_whole(struct cw_portset ps) CW_PURE;
bool cw_portset_eq(struct cw_portset a, struct cw_portset b) CW_PURE;
/* RFC 7597 5.1: with a > 0 the block A = 0 belongs to no set. */
bool cw_portset_has(struct cw_portset ps, uint16_t port) CW_PURE;
/* PSID of a port under (a, k) of ps; -1 if the port is in no set. */
int cw_portset_psid_of(struct cw_portset ps, uint16_t port) CW_PURE;
/* The i-th contiguous range of the set; number of ranges is cw_portset_ranges(). false past the
 * end. */
unsigned cw_portset_ranges(struct cw_portset ps) CW_PURE;
bool cw_portset_range(struct cw_portset ps, unsigned i, uint16_t *ret_lo, uint16_t *ret_hi);
/* "a/k/psid" in decimal (EXT=PORTSET, tsp.md 7). 0, CW_E_SYNTAX. */
int cw_portset_parse(const char *s, size_t n, struct cw_portset *ret) CW_MUST_CHECK;
char *cw_portset_str(struct cw_portset ps, char buf[static 24]);
