/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses, prefixes, endpoints and port sets: strict text in, canonical text out (RFC 5952), and
 * the tests of what an address is good for. Port sets: RFC 7597 5.1. No state. Thread: any. */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/addr.h"
#include "base/bytes.h"
#include "base/err.h"

const struct cw_portset CW_PORTSET_WHOLE = {0, 0, 0};

/* Decimal without leading zeros: "010" is 8 to some and 10 to others. */
static int parse_dec(const char *s, size_t n, unsigned max, unsigned *ret)
{
	uint64_t v;

	if ((n > 1 && s[0] == '0') || cw_parse_u64(s, n, 0, max, &v) < 0)
		return CW_E_SYNTAX;
	*ret = (unsigned) v;
	return 0;
}

/* inet_pton on a bounded copy; a NUL inside would end its view of the text early. */
static int pton(int family, const char *s, size_t n, void *to)
{
	char copy[CW_ADDR6_STRLEN];

	if (n >= sizeof copy || memchr(s, '\0', n))
		return CW_E_SYNTAX;
	memcpy(copy, s, n);
	copy[n] = '\0';
	return inet_pton(family, copy, to) == 1 ? 0 : CW_E_SYNTAX;
}

int cw_addr4_parse(const char *s, size_t n, struct cw_addr4 *ret)
{
	struct in_addr in;

	if (!n || pton(AF_INET, s, n, &in) < 0)
		return CW_E_SYNTAX;
	ret->v = ntohl(in.s_addr);
	return 0;
}

int cw_addr6_parse(const char *s, size_t n, struct cw_addr6 *ret)
{
	struct in6_addr in;

	if (!n || pton(AF_INET6, s, n, &in) < 0)
		return CW_E_SYNTAX;
	memcpy(ret->b, &in, sizeof ret->b);
	return 0;
}

/* Splits "ADDR/LEN"; *ret_len is max without "/LEN". */
static int split_prefix(const char *s, size_t n, unsigned max, size_t *ret_n, unsigned *ret_len)
{
	const char *slash = n ? memchr(s, '/', n) : NULL;

	*ret_n = slash ? (size_t) (slash - s) : n;
	*ret_len = max;
	return slash ? parse_dec(slash + 1, n - *ret_n - 1, max, ret_len) : 0;
}

static uint32_t mask4(unsigned len)
{
	return len ? UINT32_MAX << (32 - len) : 0;
}

/* a with its host bits cleared. */
static struct cw_addr6 masked6(const struct cw_addr6 *a, unsigned len)
{
	struct cw_addr6 r = *a;

	for (unsigned i = 0; i<16; i++, len = len> 8 ? len - 8 : 0)
		r.b[i] &= (uint8_t) (len >= 8 ? 0xff : 0xff00 >> len);
	return r;
}

int cw_prefix4_parse(const char *s, size_t n, struct cw_prefix4 *ret)
{
	struct cw_addr4 a;
	unsigned len;
	size_t addr_n;

	if (split_prefix(s, n, 32, &addr_n, &len) < 0 || cw_addr4_parse(s, addr_n, &a) < 0 ||
		(a.v & ~mask4(len)) != 0)
		return CW_E_SYNTAX;
	*ret = (struct cw_prefix4){.addr = a, .len = (uint8_t) len};
	return 0;
}

int cw_prefix6_parse(const char *s, size_t n, struct cw_prefix6 *ret)
{
	struct cw_addr6 a, net;
	unsigned len;
	size_t addr_n;

	if (split_prefix(s, n, 128, &addr_n, &len) < 0 || cw_addr6_parse(s, addr_n, &a) < 0)
		return CW_E_SYNTAX;
	net = masked6(&a, len);
	if (!cw_addr6_eq(&a, &net))
		return CW_E_SYNTAX;
	*ret = (struct cw_prefix6){.addr = a, .len = (uint8_t) len};
	return 0;
}

int cw_range4_parse(const char *s, size_t n, struct cw_addr4 *ret_lo, struct cw_addr4 *ret_hi)
{
	const char *dash = n ? memchr(s, '-', n) : NULL;
	struct cw_prefix4 p;
	struct cw_addr4 lo, hi;

	if (dash) {
		const size_t lo_n = (size_t) (dash - s);

		if (cw_addr4_parse(s, lo_n, &lo) < 0 ||
			cw_addr4_parse(dash + 1, n - lo_n - 1, &hi) < 0 || lo.v > hi.v)
			return CW_E_SYNTAX;
	} else {
		if (cw_prefix4_parse(s, n, &p) < 0)
			return CW_E_SYNTAX;
		lo = p.addr;
		hi.v = p.addr.v | ~mask4(p.len);
	}
	*ret_lo = lo;
	*ret_hi = hi;
	return 0;
}

static int unix_endpoint(const char *path, size_t n, struct cw_endpoint *ret)
{
	struct cw_endpoint ep = {.kind = CW_EP_UNIX};

	if (!n || n >= sizeof ep.u.path || memchr(path, '\0', n))
		return CW_E_SYNTAX;
	memcpy(ep.u.path, path, n);
	*ret = ep;
	return 0;
}

/* What follows the address: nothing (then the default must exist) or ":PORT". */
static int endpoint_port(const char *s, size_t n, uint16_t default_port, in_port_t *ret)
{
	unsigned port = default_port;

	if (!n && !default_port)
		return CW_E_SYNTAX;
	if (n && (s[0] != ':' || parse_dec(s + 1, n - 1, UINT16_MAX, &port) < 0))
		return CW_E_SYNTAX;
	*ret = htons((uint16_t) port);
	return 0;
}

int cw_endpoint_parse(const char *s, size_t n, uint16_t default_port, struct cw_endpoint *ret)
{
	struct cw_endpoint ep = {.kind = CW_EP_INET};
	const char *end;

	if (!n)
		return CW_E_SYNTAX;
	if (n >= 5 && memcmp(s, "unix:", 5) == 0)
		return unix_endpoint(s + 5, n - 5, ret);
	if (s[0] == '[') {
		struct sockaddr_in6 in = {.sin6_family = AF_INET6};
		struct cw_addr6 a;

		end = memchr(s, ']', n);
		if (!end || cw_addr6_parse(s + 1, (size_t) (end - s) - 1, &a) < 0)
			return CW_E_SYNTAX;
		end++;
		if (endpoint_port(end, n - (size_t) (end - s), default_port, &in.sin6_port) < 0)
			return CW_E_SYNTAX;
		memcpy(&in.sin6_addr, a.b, sizeof a.b);
		memcpy(&ep.u.ss, &in, sizeof in);
	} else {
		struct sockaddr_in in = {.sin_family = AF_INET};
		struct cw_addr4 a;

		end = memchr(s, ':', n);
		if (!end)
			end = s + n;
		if (cw_addr4_parse(s, (size_t) (end - s), &a) < 0 ||
			endpoint_port(end, n - (size_t) (end - s), default_port, &in.sin_port) < 0)
			return CW_E_SYNTAX;
		in.sin_addr.s_addr = htonl(a.v);
		memcpy(&ep.u.ss, &in, sizeof in);
	}
	*ret = ep;
	return 0;
}

char *cw_addr4_str(struct cw_addr4 a, char buf[static CW_ADDR4_STRLEN])
{
	(void) snprintf(buf, CW_ADDR4_STRLEN, "%u.%u.%u.%u", a.v >> 24, a.v >> 16 & 255,
		a.v >> 8 & 255, a.v & 255);
	return buf;
}

/* First of the longest runs of at least two zero groups (RFC 5952 4.2.2, 4.2.3). */
static void longest_run(const uint16_t g[static 8], unsigned *ret_at, unsigned *ret_n)
{
	*ret_at = 8;
	*ret_n = 1;
	for (unsigned i = 0; i < 8; i++) {
		unsigned n = 0;

		while (i + n < 8 && g[i + n] == 0)
			n++;
		if (n > *ret_n) {
			*ret_at = i;
			*ret_n = n;
		}
	}
}

char *cw_addr6_str(const struct cw_addr6 *a, char buf[static CW_ADDR6_STRLEN])
{
	uint16_t g[8];
	unsigned run_at, run_n;
	size_t len = 0;

	if (cw_addr6_is_v4mapped(a)) { /* RFC 5952 5: a well-known prefix, mixed notation */
		(void) snprintf(buf, CW_ADDR6_STRLEN, "::ffff:%u.%u.%u.%u", a->b[12], a->b[13],
			a->b[14], a->b[15]);
		return buf;
	}
	for (unsigned i = 0; i < 8; i++)
		g[i] = (uint16_t) (a->b[i * 2UL] << 8 | a->b[i * 2UL + 1]);
	longest_run(g, &run_at, &run_n);
	for (unsigned i = 0; i < 8; i++) {
		if (i == run_at) {
			i += run_n - 1;
			len += (size_t) snprintf(
				buf + len, CW_ADDR6_STRLEN - len, i == 7 ? "::" : ":");
		} else {
			len += (size_t) snprintf(
				buf + len, CW_ADDR6_STRLEN - len, i ? ":%x" : "%x", g[i]);
		}
	}
	return buf;
}

char *cw_sockaddr_str(const struct sockaddr *sa, char buf[static CW_ENDPOINT_STRLEN])
{
	if (sa && sa->sa_family == AF_INET) {
		struct sockaddr_in in;
		char addr[CW_ADDR4_STRLEN];

		memcpy(&in, sa, sizeof in);
		(void) cw_addr4_str((struct cw_addr4){ntohl(in.sin_addr.s_addr)}, addr);
		(void) snprintf(buf, CW_ENDPOINT_STRLEN, "%s:%u", addr, ntohs(in.sin_port));
	} else if (sa && sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in;
		struct cw_addr6 a;
		char addr[CW_ADDR6_STRLEN], zone[16] = "";

		memcpy(&in, sa, sizeof in);
		memcpy(a.b, &in.sin6_addr, sizeof a.b);
		if (in.sin6_scope_id)
			(void) snprintf(zone, sizeof zone, "%%%u", (unsigned) in.sin6_scope_id);
		(void) snprintf(buf, CW_ENDPOINT_STRLEN, "[%s%s]:%u", cw_addr6_str(&a, addr), zone,
			ntohs(in.sin6_port));
	} else if (sa && sa->sa_family == AF_UNIX) {
		/* The length of sa is not known here: an unnamed socket may end before its path. */
		(void) snprintf(buf, CW_ENDPOINT_STRLEN, "unix");
	} else {
		(void) snprintf(buf, CW_ENDPOINT_STRLEN, "unknown");
	}
	return buf;
}

char *cw_endpoint_str(const struct cw_endpoint *ep, char buf[static CW_ENDPOINT_STRLEN])
{
	if (ep->kind == CW_EP_INET)
		return cw_sockaddr_str((const struct sockaddr *) &ep->u.ss, buf);
	(void) snprintf(buf, CW_ENDPOINT_STRLEN, "unix:%.*s", (int) sizeof ep->u.path, ep->u.path);
	return buf;
}

bool cw_addr6_eq(const struct cw_addr6 *a, const struct cw_addr6 *b)
{
	return memcmp(a->b, b->b, sizeof a->b) == 0;
}

bool cw_prefix6_has(const struct cw_prefix6 *p, const struct cw_addr6 *a)
{
	const struct cw_addr6 net = masked6(a, p->len);

	return cw_addr6_eq(&net, &p->addr);
}

bool cw_prefix4_has(const struct cw_prefix4 *p, struct cw_addr4 a)
{
	return (a.v & mask4(p->len)) == p->addr.v;
}

/* The first n octets of a are zero. */
static bool zeros(const struct cw_addr6 *a, unsigned n)
{
	static const uint8_t zero[16];

	return memcmp(a->b, zero, n) == 0;
}

bool cw_addr6_is_unspecified(const struct cw_addr6 *a)
{
	return zeros(a, 16);
}

bool cw_addr6_is_loopback(const struct cw_addr6 *a)
{
	return zeros(a, 15) && a->b[15] == 1;
}

bool cw_addr6_is_multicast(const struct cw_addr6 *a)
{
	return a->b[0] == 0xff;
}

bool cw_addr6_is_link_local(const struct cw_addr6 *a)
{
	return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

bool cw_addr6_is_v4mapped(const struct cw_addr6 *a)
{
	return zeros(a, 10) && a->b[10] == 0xff && a->b[11] == 0xff;
}

bool cw_addr6_is_tunnel_end(const struct cw_addr6 *a)
{
	static const uint8_t discard[8] = {0x01}, nat64[12] = {0x00, 0x64, 0xff, 0x9b};

	/* The first 96 bits are 0: unspecified, loopback, and what RFC 4291 2.5.5.1 gave up. */
	return !zeros(a, 12) && !cw_addr6_is_multicast(a) && !cw_addr6_is_link_local(a) &&
	       !cw_addr6_is_v4mapped(a) && memcmp(a->b, discard, sizeof discard) != 0 &&
	       memcmp(a->b, nat64, sizeof nat64) != 0;
}

bool cw_addr4_is_unicast(struct cw_addr4 a)
{
	const uint32_t first = a.v >> 24;

	return first != 0 && first != 127 && first < 224;
}

bool cw_sockaddr_addr6(const struct sockaddr *sa, struct cw_addr6 *ret)
{
	struct sockaddr_in6 in;

	if (sa->sa_family != AF_INET6)
		return false;
	memcpy(&in, sa, sizeof in);
	memcpy(ret->b, &in.sin6_addr, sizeof ret->b);
	return true;
}

bool cw_sockaddr_is_loopback(const struct sockaddr *sa)
{
	struct cw_addr6 a;
	struct sockaddr_in in;

	if (cw_sockaddr_addr6(sa, &a))
		return cw_addr6_is_loopback(&a) || (cw_addr6_is_v4mapped(&a) && a.b[12] == 127);
	if (sa->sa_family != AF_INET)
		return false;
	memcpy(&in, sa, sizeof in);
	return ntohl(in.sin_addr.s_addr) >> 24 == 127;
}

uint16_t cw_sockaddr_port(const struct sockaddr *sa)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (sa->sa_family == AF_INET) {
		memcpy(&in, sa, sizeof in);
		return ntohs(in.sin_port);
	}
	if (sa->sa_family == AF_INET6) {
		memcpy(&in6, sa, sizeof in6);
		return ntohs(in6.sin6_port);
	}
	return 0;
}

bool cw_portset_valid(struct cw_portset ps)
{
	if (ps.offset > 15 || ps.len > 16 || ps.offset + ps.len > 16)
		return false;
	if (ps.len == 0)
		return ps.offset == 0 && ps.psid == 0;
	return ps.psid >> ps.len == 0;
}

bool cw_portset_is_whole(struct cw_portset ps)
{
	return ps.len == 0;
}

bool cw_portset_eq(struct cw_portset a, struct cw_portset b)
{
	return a.offset == b.offset && a.len == b.len && a.psid == b.psid;
}

int cw_portset_psid_of(struct cw_portset ps, uint16_t port)
{
	/* RFC 7597 5.1, from the left: A (a bits), PSID (k bits), M (the rest) */
	if (!cw_portset_valid(ps) || (ps.offset && port >> (16 - ps.offset) == 0))
		return -1;
	return port >> (16 - ps.offset - ps.len) & ((1 << ps.len) - 1);
}

bool cw_portset_has(struct cw_portset ps, uint16_t port)
{
	return cw_portset_psid_of(ps, port) == ps.psid;
}

unsigned cw_portset_ranges(struct cw_portset ps)
{
	if (!cw_portset_valid(ps))
		return 0;
	return ps.offset ? (1U << ps.offset) - 1 : 1;
}

bool cw_portset_range(struct cw_portset ps, unsigned i, uint16_t *ret_lo, uint16_t *ret_hi)
{
	const unsigned m = 16U - ps.offset - ps.len;
	unsigned lo;

	if (i >= cw_portset_ranges(ps))
		return false;
	lo = (unsigned) ps.psid << m;
	if (ps.offset)
		lo |= (i + 1) << (16 - ps.offset);
	*ret_lo = (uint16_t) lo;
	*ret_hi = (uint16_t) (lo + (1U << m) - 1);
	return true;
}

int cw_portset_parse(const char *s, size_t n, struct cw_portset *ret)
{
	unsigned part[3];
	struct cw_portset ps;

	for (unsigned i = 0; i < 3; i++) {
		const char *slash = n && i < 2 ? memchr(s, '/', n) : NULL;
		const size_t len = slash ? (size_t) (slash - s) : n;

		if ((i < 2 && !slash) || parse_dec(s, len, UINT16_MAX, &part[i]) < 0)
			return CW_E_SYNTAX;
		s += slash ? len + 1 : len;
		n -= slash ? len + 1 : len;
	}
	if (part[0] > 15 || part[1] > 16)
		return CW_E_SYNTAX;
	ps = (struct cw_portset){
		.offset = (uint8_t) part[0], .len = (uint8_t) part[1], .psid = (uint16_t) part[2]};
	if (!cw_portset_valid(ps))
		return CW_E_SYNTAX;
	*ret = ps;
	return 0;
}

char *cw_portset_str(struct cw_portset ps, char buf[static 24])
{
	(void) snprintf(buf, 24, "%u/%u/%u", ps.offset, ps.len, ps.psid);
	return buf;
}
