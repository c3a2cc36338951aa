/* SPDX-License-Identifier: BSD-2-Clause */
/* The tun plugin's packet code against packets made and checked by hand here, with slow and plain
 * arithmetic. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/plugins/tun/decide.h"
#include "tests/lib/cw-cmocka.h"

static uint8_t buf[70000];

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t) (v >> 8);
	p[1] = (uint8_t) v;
}

static unsigned get16(const uint8_t *p)
{
	return (unsigned) p[0] << 8 | p[1];
}

static unsigned slow_sum(const uint8_t *p, size_t n, unsigned long s)
{
	for (size_t i = 0; i < n; i++)
		s += (unsigned long) p[i] << (i % 2 ? 0 : 8);
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (unsigned) s;
}

/* A packet of n octets of payload at buf; returns its length. */
static size_t make(uint8_t proto, size_t ihl, size_t n, unsigned frag)
{
	memset(buf, 0, ihl);
	buf[0] = (uint8_t) (0x40 | ihl / 4);
	put16(buf + 2, (unsigned) (ihl + n));
	put16(buf + 4, 77);
	put16(buf + 6, frag);
	buf[8] = 64;
	buf[9] = proto;
	memcpy(buf + 12, "\306\063\144\012", 4); /* 198.51.100.10 */
	memcpy(buf + 16, "\313\000\161\120", 4); /* 203.0.113.80 */
	put16(buf + 10, ~slow_sum(buf, ihl, 0) & 0xffff);
	for (size_t i = 0; i < n; i++)
		buf[ihl + i] = (uint8_t) (i * 7 + 3);
	return ihl + n;
}

static void fix(void)
{
	size_t ihl = (size_t) (buf[0] & 15) * 4;

	put16(buf + 10, 0);
	put16(buf + 10, ~slow_sum(buf, ihl, 0) & 0xffff);
}

static void sums(void **state)
{
	(void) state;
	srand(7);
	for (size_t i = 0; i < sizeof buf; i++)
		buf[i] = (uint8_t) rand();
	for (size_t n = 0; n < 200; n++) {
		for (size_t at = 0; at < 9; at++)
			assert_int_equal(
				cw_tun_fold(cw_tun_sum(buf + at, n, 0)), slow_sum(buf + at, n, 0));
	}
	assert_int_equal(cw_tun_fold(cw_tun_sum(buf, 65535, 0)), slow_sum(buf, 65535, 0));
	memset(buf, 0xff, 65535);
	assert_int_equal(cw_tun_fold(cw_tun_sum(buf, 65535, 0)), slow_sum(buf, 65535, 0));
}

static void parses(void **state)
{
	struct cw_tun_ip4 ip;
	size_t n = make(17, 20, 100, 0x4000);

	(void) state;
	assert_true(cw_tun_ip4_parse(buf, n, &ip));
	assert_int_equal(ip.src, 0xc633640a);
	assert_int_equal(ip.dst, 0xcb007150);
	assert_int_equal(ip.payload_n, 100);
	assert_true(ip.df && !ip.more && ip.frag_at == 0 && ip.proto == 17 && ip.id == 77);
	assert_true(cw_tun_ip4_parse(buf, n + 5, &ip)); /* what follows is left out */
	assert_int_equal(ip.total, n);
	for (size_t cut = 0; cut < n; cut++)
		assert_false(cw_tun_ip4_parse(buf, cut, &ip));
	assert_true(cw_tun_ip4_parse_quoted(buf, 40, &ip));
	assert_int_equal(ip.payload_n, 20);
	assert_false(cw_tun_ip4_parse_quoted(buf, 19, &ip));
	buf[0] = 0x55;
	assert_false(cw_tun_ip4_parse(buf, n, &ip));
	buf[0] = 0x44; /* header of 16 octets */
	fix();
	assert_false(cw_tun_ip4_parse(buf, n, &ip));
	n = make(17, 60, 0, 0);
	assert_true(cw_tun_ip4_parse(buf, n, &ip));
	put16(buf + 2, 59); /* total below header */
	fix();
	assert_false(cw_tun_ip4_parse(buf, n, &ip));
	n = make(17, 20, 100, 0);
	buf[11] ^= 1;
	assert_false(cw_tun_ip4_parse(buf, n, &ip));
	n = make(17, 20, 100, 0x1fff); /* ends behind 65535 */
	assert_false(cw_tun_ip4_parse(buf, n, &ip));
	n = make(17, 20, 7, 0x1fff);
	assert_true(cw_tun_ip4_parse(buf, n, &ip));
}

static enum cw_tun_port port(size_t n, enum cw_tun_side side, uint16_t *ret)
{
	struct cw_tun_ip4 ip;

	*ret = 0;
	fix();
	assert_true(cw_tun_ip4_parse(buf, n, &ip));
	return cw_tun_port_of(&ip, side, ret);
}

static void ports(void **state)
{
	static const uint8_t protocols[] = {6, 17, 136, 132, 33};
	uint16_t p;
	size_t n;

	(void) state;
	for (size_t i = 0; i < sizeof protocols; i++) {
		n = make(protocols[i], 24, 40, 0);
		put16(buf + 24, 4321);
		put16(buf + 26, 80);
		assert_int_equal(port(n, CW_TUN_UP, &p), CW_TUN_PORT_IS);
		assert_int_equal(p, 4321);
		assert_int_equal(port(n, CW_TUN_DOWN, &p), CW_TUN_PORT_IS);
		assert_int_equal(p, 80);
		n = make(protocols[i], 20, 40, 0x0009);
		assert_int_equal(port(n, CW_TUN_UP, &p), CW_TUN_PORT_OF_FIRST);
		n = make(protocols[i], 20, protocols[i] == 6 ? 15 : 7, 0);
		assert_int_equal(port(n, CW_TUN_UP, &p), CW_TUN_PORT_SHORT);
	}
	n = make(6, 20, 40, 0x0001); /* RFC 1858 */
	assert_int_equal(port(n, CW_TUN_UP, &p), CW_TUN_PORT_SHORT);
	n = make(17, 20, 40, 0x0001);
	assert_int_equal(port(n, CW_TUN_UP, &p), CW_TUN_PORT_OF_FIRST);
	n = make(50, 20, 40, 0);
	assert_int_equal(port(n, CW_TUN_UP, &p), CW_TUN_PORT_NO_PROTOCOL);
	n = make(1, 20, 40, 0);
	buf[20] = 8;
	put16(buf + 24, 999);
	assert_int_equal(port(n, CW_TUN_UP, &p), CW_TUN_PORT_IS);
	assert_int_equal(p, 999);
	buf[20] = 13;
	assert_int_equal(port(n, CW_TUN_UP, &p), CW_TUN_PORT_BAD_ICMP);
}

/* An ICMP error at buf that quotes a packet of `proto` from src to dst with ports 11, 22. */
static size_t make_error(
	uint8_t type, uint8_t proto, const char *src, const char *dst, unsigned frag)
{
	size_t n = make(1, 20, 8 + 20 + 8, 0);
	uint8_t *q = buf + 28;

	memset(buf + 20, 0, 36);
	buf[20] = type;
	q[0] = 0x45;
	put16(q + 2, 1000); /* longer than what is quoted */
	put16(q + 6, frag);
	q[9] = proto;
	memcpy(q + 12, src, 4);
	memcpy(q + 16, dst, 4);
	put16(q + 20, 11);
	put16(q + 22, 22);
	if (proto == 1) {
		q[20] = 8;
		q[21] = 0;
		put16(q + 24, 33);
	}
	return n;
}

static void quoted_ports(void **state)
{
	static const char me[] = "\306\063\144\012", peer[] = "\313\000\161\120",
			  other[] = "\306\063\144\013";
	static const uint8_t types[] = {3, 4, 11, 12};
	struct cw_tun_ip4 ip;
	uint16_t p;
	size_t n;

	(void) state;
	for (size_t i = 0; i < sizeof types; i++) {
		/* Up: about a packet that the client (src here) received. */
		n = make_error(types[i], 17, peer, me, 0x4000);
		assert_int_equal(port(n, CW_TUN_UP, &p), CW_TUN_PORT_IS);
		assert_int_equal(p, 22);
		/* Down: about one that the client (dst here) sent. */
		n = make_error(types[i], 17, peer, me, 0x4000);
		assert_int_equal(port(n, CW_TUN_DOWN, &p), CW_TUN_PORT_IS);
		assert_int_equal(p, 11);
	}
	n = make_error(3, 1, peer, me, 0);
	assert_int_equal(port(n, CW_TUN_UP, &p), CW_TUN_PORT_IS);
	assert_int_equal(p, 33);
	n = make_error(3, 17, peer, other, 0);
	assert_int_equal(port(n, CW_TUN_UP, &p), CW_TUN_PORT_BAD_ICMP);
	assert_true(cw_tun_ip4_parse(buf, n, &ip) && cw_tun_icmp_forged(&ip, CW_TUN_UP));
	n = make_error(3, 17, me, peer, 0);
	assert_int_equal(port(n, CW_TUN_DOWN, &p), CW_TUN_PORT_BAD_ICMP);
	n = make_error(3, 17, peer, me, 1); /* quoted later fragment */
	assert_int_equal(port(n, CW_TUN_UP, &p), CW_TUN_PORT_BAD_ICMP);
	n = make_error(3, 47, peer, me, 0);
	assert_int_equal(port(n, CW_TUN_UP, &p), CW_TUN_PORT_BAD_ICMP);
	n = make_error(5, 17, peer, me, 0);
	assert_int_equal(port(n, CW_TUN_UP, &p), CW_TUN_PORT_BAD_ICMP);
	assert_true(cw_tun_ip4_parse(buf, n, &ip) && cw_tun_icmp_forged(&ip, CW_TUN_UP));
	assert_true(cw_tun_icmp_forged(&ip, CW_TUN_DOWN));
	n = make_error(3, 17, peer, me, 0);
	put16(buf + 2, 55); /* one octet short of the quoted ports' end */
	assert_int_equal(port(n, CW_TUN_UP, &p), CW_TUN_PORT_BAD_ICMP);
	n = make_error(3, 17, peer, me, 0);
	buf[28] = 0x4f; /* quoted header of 60 octets, 28 there */
	assert_int_equal(port(n, CW_TUN_UP, &p), CW_TUN_PORT_BAD_ICMP);
	n = make_error(3, 17, peer, me, 0);
	put16(buf + 6, 0x2000); /* a fragment itself */
	assert_int_equal(port(n, CW_TUN_UP, &p), CW_TUN_PORT_BAD_ICMP);
	n = make_error(3, 17, peer, me, 0);
	assert_int_equal(port(n, CW_TUN_UP, &p), CW_TUN_PORT_IS);
	assert_true(cw_tun_ip4_parse(buf, n, &ip));
	assert_false(cw_tun_icmp_forged(&ip, CW_TUN_UP));
	assert_false(cw_tun_may_complain(&ip));
}

static void ecn(void **state)
{
	static const struct {
		uint8_t outer, inner;
		bool pass;
		uint8_t then;
	} cases[] = {{0, 0xb8, true, 0xb8}, {3, 0xb8, false, 0}, {3, 0xb9, true, 0xbb},
		{3, 2, true, 3}, {3, 3, true, 3}, {1, 2, true, 2}, {2, 0, true, 0}};

	(void) state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct cw_tun_ip4 ip;
		size_t n = make(17, 24, 8, 0);

		buf[1] = cases[i].inner;
		fix();
		assert_true(cw_tun_ip4_parse(buf, n, &ip));
		assert_int_equal(cw_tun_ecn_decap(&ip, cases[i].outer), cases[i].pass);
		if (cases[i].pass) {
			assert_true(cw_tun_ip4_parse(buf, n, &ip)); /* the checksum holds */
			assert_int_equal(ip.tos, cases[i].then);
		}
	}
}

static unsigned pseudo(size_t n)
{
	return slow_sum(buf + 12, 8, buf[9] + n);
}

static void unfinished(void **state)
{
	struct cw_tun_ip4 ip;
	uint16_t start, offset;
	size_t n = make(6, 24, 100, 0);

	(void) state;
	put16(buf + 24 + 16, pseudo(100));
	assert_true(cw_tun_ip4_parse(buf, n, &ip));
	assert_true(cw_tun_checksum_unfinished(&ip, &start, &offset));
	assert_int_equal(start, 24);
	assert_int_equal(offset, 16);
	put16(buf + 24 + 16, 0);
	put16(buf + 24 + 16, ~slow_sum(buf + 24, 100, pseudo(100)) & 0xffff);
	assert_false(cw_tun_checksum_unfinished(&ip, &start, &offset));
	n = make(17, 20, 50, 0);
	put16(buf + 26, pseudo(50));
	assert_true(cw_tun_ip4_parse(buf, n, &ip));
	assert_true(cw_tun_checksum_unfinished(&ip, &start, &offset));
	assert_int_equal(offset, 6);
	put16(buf + 26, 0); /* RFC 768: none */
	assert_false(cw_tun_checksum_unfinished(&ip, &start, &offset));
	n = make(17, 20, 48, 0x2000);
	put16(buf + 26, pseudo(48));
	assert_true(cw_tun_ip4_parse(buf, n, &ip));
	assert_false(cw_tun_checksum_unfinished(&ip, &start, &offset));
}

/* --- cutting --- */

static uint8_t whole[70000];
static size_t got_n, got_count, got_mtu;

static bool take_piece(void *arg, const struct cw_tun_piece *p)
{
	struct cw_tun_ip4 ip;
	uint8_t one[70000];

	(void) arg;
	memcpy(one, p->header, p->header_n);
	memcpy(one + p->header_n, p->payload, p->payload_n);
	assert_true(p->header_n + p->payload_n <= got_mtu);
	assert_true(cw_tun_ip4_parse(one, p->header_n + p->payload_n, &ip));
	assert_int_equal(ip.id, 77);
	memcpy(whole + ip.frag_at, p->payload, p->payload_n);
	got_n += p->payload_n;
	got_count++;
	if (got_count > 1)
		assert_int_equal(one[20],
			ip.ihl > 20 ? 1 : one[20]); /* the option without copy bit is gone */
	return true;
}

static void fragments(void **state)
{
	(void) state;
	for (size_t mtu = 68; mtu < 1500; mtu += 13) {
		struct cw_tun_ip4 ip;
		size_t ihl = mtu % 2 ? 20 : 28, n = make(17, ihl, 1499, 0);

		if (ihl == 28)
			memcpy(buf + 20, "\x07\x07\x04\0\0\0\0\0", 8); /* record route */
		fix();
		assert_true(cw_tun_ip4_parse(buf, n, &ip));
		got_n = got_count = 0;
		got_mtu = mtu;
		memset(whole, 0, 1500);
		assert_true(cw_tun_fragment(&ip, mtu, take_piece, NULL));
		assert_int_equal(got_n, 1499);
		assert_memory_equal(whole, buf + ihl, 1499);
	}
}

static bool take_segment(void *arg, const struct cw_tun_segment *s)
{
	struct cw_tun_ip4 ip;
	uint8_t one[70000];
	size_t n = s->header_n + s->payload_n;
	uint32_t seq;

	(void) arg;
	memcpy(one, s->header, s->header_n);
	memcpy(one + s->header_n, s->payload, s->payload_n);
	assert_true(cw_tun_ip4_parse(one, n, &ip));
	assert_int_equal(ip.id, (uint16_t) (77 + got_count));
	assert_int_equal(
		slow_sum(ip.payload, ip.payload_n, slow_sum(one + 12, 8, 6 + ip.payload_n)),
		0xffff);
	seq = (uint32_t) get16(ip.payload + 4) << 16 | get16(ip.payload + 6);
	assert_int_equal(seq, (uint32_t) (0xfffffff0u + got_n));
	memcpy(whole + got_n, s->payload, s->payload_n);
	got_n += s->payload_n;
	/* FIN and PSH on the last, CWR on the first, the rest on all */
	assert_int_equal(ip.payload[13] & 0x80, got_count == 0 ? 0x80 : 0);
	assert_int_equal(ip.payload[13] & 0x09, got_n == got_mtu ? 0x09 : 0);
	assert_int_equal(ip.payload[13] & 0x10, 0x10);
	got_count++;
	return true;
}

static void segments(void **state)
{
	static const size_t payloads[] = {1, 1000, 1399, 1400, 1401, 40000, 65000};

	(void) state;
	for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
		struct cw_tun_ip4 ip;
		size_t n = make(6, 20, 32 + payloads[i], 0x4000);

		buf[20 + 12] = 0x80;
		buf[20 + 13] = 0x99;
		put16(buf + 24, 0xffff);
		put16(buf + 26, 0xfff0);
		assert_true(cw_tun_ip4_parse(buf, n, &ip));
		got_n = got_count = 0;
		got_mtu = payloads[i];
		assert_true(cw_tun_segment_tcp(&ip, 1400, take_segment, NULL));
		assert_int_equal(got_n, payloads[i]);
		assert_int_equal(got_count, (payloads[i] + 1399) / 1400);
		assert_memory_equal(whole, buf + 52, got_n);
		assert_false(cw_tun_segment_tcp(&ip, 0, take_segment, NULL));
	}
}

/* --- ICMP that is sent, IPv6 that came --- */

static void complaints(void **state)
{
	struct cw_tun_ip4 ip;
	uint8_t to[CW_TUN_ICMP6_MAX];
	size_t n = make(17, 20, 1400, 0x4000), k;

	(void) state;
	assert_true(cw_tun_ip4_parse(buf, n, &ip));
	assert_true(cw_tun_may_complain(&ip));
	k = cw_tun_icmp4_unreachable(&ip, 4, 1260, to);
	assert_int_equal(k, CW_TUN_ICMP4_MAX);
	assert_int_equal(to[0] << 8 | to[1], 0x0304);
	assert_int_equal(get16(to + 6), 1260);
	assert_int_equal(slow_sum(to, k, 0), 0xffff);
	assert_memory_equal(to + 8, buf, k - 8);
	k = cw_tun_icmp6_refused((const uint8_t *) "CCCCCCCCCCCCCCCC",
		(const uint8_t *) "TTTTTTTTTTTTTTTT", buf, n, to);
	assert_int_equal(k, CW_TUN_ICMP6_MAX);
	assert_int_equal(to[0] << 8 | to[1], 0x0105);
	assert_int_equal(get16(to + 12), n);
	assert_memory_equal(to + 16, "CCCCCCCCCCCCCCCCTTTTTTTTTTTTTTTT", 32);
	assert_memory_equal(to + 48, buf, k - 48);
	n = make(17, 20, 1400, 0x0001);
	assert_true(cw_tun_ip4_parse(buf, n, &ip));
	assert_false(cw_tun_may_complain(&ip)); /* later fragment */
	n = make(17, 20, 14, 0);
	memcpy(buf + 12, "\340\0\0\1", 4);
	fix();
	assert_true(cw_tun_ip4_parse(buf, n, &ip));
	assert_false(cw_tun_may_complain(&ip)); /* multicast source */
}

static void outer(void **state)
{
	static const uint8_t tep[16] = {0x20, 0x01, [15] = 1};
	uint8_t p[200] = {0x60, [6] = 60};
	size_t n;

	(void) state;
	memcpy(p + 24, tep, 16);
	put16(p + 4, 100);
	p[40] = 4; /* destination options of 8 octets, then IPv4 */
	assert_ptr_equal(cw_tun_ip6_inner(p, 140, tep, &n), p + 48);
	assert_int_equal(n, 92);
	assert_ptr_equal(cw_tun_ip6_inner(p, 150, tep, &n), p + 48); /* padding behind */
	assert_int_equal(n, 92);
	assert_null(cw_tun_ip6_inner(p, 139, tep, &n));
	p[41] = 20; /* longer than the packet */
	assert_null(cw_tun_ip6_inner(p, 140, tep, &n));
	p[41] = 0;
	p[40] = 44;
	assert_null(cw_tun_ip6_inner(p, 140, tep, &n)); /* a fragment */
	p[40] = 43;
	p[48] = 4;
	assert_ptr_equal(cw_tun_ip6_inner(p, 140, tep, &n), p + 56);
	p[51] = 1; /* segments left */
	assert_null(cw_tun_ip6_inner(p, 140, tep, &n));
	p[6] = 4;
	assert_ptr_equal(cw_tun_ip6_inner(p, 140, tep, &n), p + 40);
	p[39] = 2;
	assert_null(cw_tun_ip6_inner(p, 140, tep, &n));
}

/* --- the judgement --- */

static void judgement(void **state)
{
	static const uint8_t a6[16] = {0x20, 0x01, [15] = 0xa}, b6[16] = {0x20, 0x01, [15] = 0xb};
	struct cw_tun_rules rules = {
		.table = cw_dptab_new(0, CW_DPTAB_SHARED | CW_DPTAB_COUNTERS), .hairpin = false};
	struct cw_tun_fragments *f = cw_tun_fragments_new();
	struct cw_dp_binding b = {
		.ipv4 = {198, 51, 100, 10}, .generation = 1, .expires_boot_ms = 1000};
	struct cw_tun_owner o;
	struct cw_tun_ip4 ip;
	size_t n;

	(void) state;
	memcpy(b.ipv6, a6, 16);
	assert_int_equal(cw_dptab_apply(rules.table, &b), CW_DP_OK);
	cw_dptab_read_begin(rules.table);
	n = make(17, 20, 40, 0);
	assert_true(cw_tun_ip4_parse(buf, n, &ip));
	assert_int_equal(cw_tun_decide_up(&rules, f, a6, &ip, 999, &o), CW_TUN_PASS);
	assert_non_null(o.dyn);
	assert_int_equal(cw_tun_decide_up(&rules, f, a6, &ip, 1000, &o), CW_TUN_EXPIRED);
	assert_non_null(o.dyn); /* charged to its own binding */
	assert_int_equal(cw_tun_decide_up(&rules, f, b6, &ip, 999, &o), CW_TUN_SPOOF);
	assert_null(o.dyn); /* not to the one that was named */
	assert_int_equal(cw_tun_decide_down(&rules, f, &ip, 999, &o), CW_TUN_NO_BINDING);
	memcpy(buf + 16, "\306\063\144\012", 4); /* to itself: a hairpin, forbidden here */
	fix();
	assert_true(cw_tun_ip4_parse(buf, n, &ip));
	assert_int_equal(cw_tun_decide_up(&rules, f, a6, &ip, 999, &o), CW_TUN_HAIRPIN);
	rules.hairpin = true;
	assert_int_equal(cw_tun_decide_up(&rules, f, a6, &ip, 999, &o), CW_TUN_PASS);
	assert_true(o.hairpin);
	cw_dptab_read_end(rules.table);
	(void) cw_tun_fragments_free(f);
	(void) cw_dptab_free(rules.table);
}

/* A tail passes only behind a head that passed, for a while, and not for others. */
static void fragment_memory(void **state)
{
	static const uint8_t a6[16] = {0x20, 0x01, [15] = 0xa}, b6[16] = {0x20, 0x01, [15] = 0xb};
	struct cw_tun_rules rules = {
		.table = cw_dptab_new(0, CW_DPTAB_SHARED | CW_DPTAB_COUNTERS), .hairpin = true};
	struct cw_tun_fragments *f = cw_tun_fragments_new();
	struct cw_dp_binding b = {.ipv4 = {198, 51, 100, 10},
		.ports = {0, 4, 1},
		.generation = 1,
		.expires_boot_ms = CW_DP_NO_EXPIRY};
	struct cw_tun_ip4 head, tail;
	uint8_t tail_buf[100];
	struct cw_tun_owner o;
	size_t n, passed = 0;

	(void) state;
	memcpy(b.ipv6, a6, 16);
	assert_int_equal(cw_dptab_apply(rules.table, &b), CW_DP_OK);
	n = make(17, 20, 40, 0x0005);
	memcpy(tail_buf, buf, n);
	assert_true(cw_tun_ip4_parse(tail_buf, n, &tail));
	n = make(17, 20, 40, 0x2000);
	put16(buf + 20, 0x1234);
	assert_true(cw_tun_ip4_parse(buf, n, &head));
	assert_int_equal(cw_tun_decide_up(&rules, f, a6, &tail, 0, &o), CW_TUN_FRAGMENT);
	assert_int_equal(cw_tun_decide_up(&rules, f, a6, &head, 0, &o), CW_TUN_PASS);
	assert_int_equal(cw_tun_decide_up(&rules, f, a6, &tail, 29999, &o), CW_TUN_PASS);
	assert_int_equal(cw_tun_decide_up(&rules, f, b6, &tail, 29999, &o), CW_TUN_FRAGMENT);
	assert_int_equal(
		cw_tun_decide_up(&rules, f, a6, &tail, 29999 + 30000, &o), CW_TUN_FRAGMENT);
	/* A head with a port of somebody else under the same id takes the permission away. */
	assert_int_equal(cw_tun_decide_up(&rules, f, a6, &head, 0, &o), CW_TUN_PASS);
	put16(buf + 20, 0x2234);
	assert_int_equal(cw_tun_decide_up(&rules, f, a6, &head, 0, &o), CW_TUN_PORT);
	assert_int_equal(cw_tun_decide_up(&rules, f, a6, &tail, 0, &o), CW_TUN_FRAGMENT);
	/* Bounded: after very many heads most of the first ones are forgotten, none is confused. */
	put16(buf + 20, 0x1234);
	for (unsigned id = 0; id < 65536; id++) {
		head.id = (uint16_t) id;
		assert_int_equal(cw_tun_decide_up(&rules, f, a6, &head, 1, &o), CW_TUN_PASS);
	}
	for (unsigned id = 0; id < 65536; id++) {
		tail.id = (uint16_t) id;
		passed += cw_tun_decide_up(&rules, f, a6, &tail, 1, &o) == CW_TUN_PASS;
	}
	assert_true(passed > 2000 && passed <= 4096);
	(void) cw_tun_fragments_free(f);
	(void) cw_dptab_free(rules.table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums),
		cmocka_unit_test(parses),
		cmocka_unit_test(ports),
		cmocka_unit_test(quoted_ports),
		cmocka_unit_test(ecn),
		cmocka_unit_test(unfinished),
		cmocka_unit_test(fragments),
		cmocka_unit_test(segments),
		cmocka_unit_test(complaints),
		cmocka_unit_test(outer),
		cmocka_unit_test(judgement),
		cmocka_unit_test(fragment_memory),
	};

	return cmocka_run_group_tests_name("tunpacket", tests, NULL, NULL);
}
