/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets at the ends of a tunnel against packets made and checked by hand, with slow and plain
 * arithmetic. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "schema/ipip/cut.h"
#include "schema/ipip/ipip.h"
#include "tests/lib/cw-cmocka.h"
#include "tests/lib/ip4-make.h"

static uint8_t whole[70000];

static void sums(void **state)
{
	(void) state;
	srand(7);
	for (size_t i = 0; i < sizeof buf; i++)
		buf[i] = (uint8_t) rand();
	for (size_t n = 0; n < 200; n++) {
		for (size_t at = 0; at < 9; at++)
			assert_int_equal(cw_ipip_fold(cw_ipip_sum(buf + at, n, 0)),
				slow_sum(buf + at, n, 0));
	}
	assert_int_equal(cw_ipip_fold(cw_ipip_sum(buf, 65535, 0)), slow_sum(buf, 65535, 0));
	memset(buf, 0xff, 65535);
	assert_int_equal(cw_ipip_fold(cw_ipip_sum(buf, 65535, 0)), slow_sum(buf, 65535, 0));
}

static void parses(void **state)
{
	struct cw_ipip_packet ip;
	size_t n = make(17, 20, 100, 0x4000);

	(void) state;
	assert_true(cw_ipip_parse(buf, n, &ip));
	assert_int_equal(ip.src.v, 0xc633640a);
	assert_int_equal(ip.dst.v, 0xcb007150);
	assert_int_equal(ip.payload_n, 100);
	assert_true(ip.df && !ip.more && ip.frag_at == 0 && ip.proto == 17 && ip.id == 77);
	assert_true(cw_ipip_parse(buf, n + 5, &ip)); /* what follows is left out */
	assert_int_equal(ip.total, n);
	for (size_t cut = 0; cut < n; cut++)
		assert_false(cw_ipip_parse(buf, cut, &ip));
	assert_true(cw_ipip_parse_quoted(buf, 40, &ip));
	assert_int_equal(ip.payload_n, 20);
	assert_false(cw_ipip_parse_quoted(buf, 19, &ip));
	buf[0] = 0x55;
	assert_false(cw_ipip_parse(buf, n, &ip));
	buf[0] = 0x44; /* header of 16 octets */
	fix();
	assert_false(cw_ipip_parse(buf, n, &ip));
	n = make(17, 60, 0, 0);
	assert_true(cw_ipip_parse(buf, n, &ip));
	put16(buf + 2, 59); /* total below header */
	fix();
	assert_false(cw_ipip_parse(buf, n, &ip));
	n = make(17, 20, 100, 0);
	buf[11] ^= 1;
	assert_false(cw_ipip_parse(buf, n, &ip));
	n = make(17, 20, 100, 0x1fff); /* ends behind 65535 */
	assert_false(cw_ipip_parse(buf, n, &ip));
	n = make(17, 20, 7, 0x1fff);
	assert_true(cw_ipip_parse(buf, n, &ip));
}

static enum cw_ipip_port port(size_t n, enum cw_ipip_side side, uint16_t *ret)
{
	struct cw_ipip_packet ip;

	*ret = 0;
	fix();
	assert_true(cw_ipip_parse(buf, n, &ip));
	return cw_ipip_port_of(&ip, side, ret);
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
		assert_int_equal(port(n, CW_IPIP_UP, &p), CW_IPIP_PORT_IS);
		assert_int_equal(p, 4321);
		assert_int_equal(port(n, CW_IPIP_DOWN, &p), CW_IPIP_PORT_IS);
		assert_int_equal(p, 80);
		n = make(protocols[i], 20, 40, 0x0009);
		assert_int_equal(port(n, CW_IPIP_UP, &p), CW_IPIP_PORT_OF_FIRST);
		n = make(protocols[i], 20, protocols[i] == 6 ? 15 : 7, 0);
		assert_int_equal(port(n, CW_IPIP_UP, &p), CW_IPIP_PORT_SHORT);
	}
	n = make(6, 20, 40, 0x0001); /* RFC 1858 */
	assert_int_equal(port(n, CW_IPIP_UP, &p), CW_IPIP_PORT_SHORT);
	n = make(17, 20, 40, 0x0001);
	assert_int_equal(port(n, CW_IPIP_UP, &p), CW_IPIP_PORT_OF_FIRST);
	n = make(50, 20, 40, 0);
	assert_int_equal(port(n, CW_IPIP_UP, &p), CW_IPIP_PORT_NO_PROTOCOL);
	n = make(1, 20, 40, 0);
	buf[20] = 8;
	put16(buf + 24, 999);
	assert_int_equal(port(n, CW_IPIP_UP, &p), CW_IPIP_PORT_IS);
	assert_int_equal(p, 999);
	buf[20] = 13;
	assert_int_equal(port(n, CW_IPIP_UP, &p), CW_IPIP_PORT_BAD_ICMP);
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
	struct cw_ipip_packet ip;
	uint16_t p;
	size_t n;

	(void) state;
	for (size_t i = 0; i < sizeof types; i++) {
		/* Up: about a packet that the client (src here) received. */
		n = make_error(types[i], 17, peer, me, 0x4000);
		assert_int_equal(port(n, CW_IPIP_UP, &p), CW_IPIP_PORT_IS);
		assert_int_equal(p, 22);
		/* Down: about one that the client (dst here) sent. */
		n = make_error(types[i], 17, peer, me, 0x4000);
		assert_int_equal(port(n, CW_IPIP_DOWN, &p), CW_IPIP_PORT_IS);
		assert_int_equal(p, 11);
	}
	n = make_error(3, 1, peer, me, 0);
	assert_int_equal(port(n, CW_IPIP_UP, &p), CW_IPIP_PORT_IS);
	assert_int_equal(p, 33);
	n = make_error(3, 17, peer, other, 0);
	assert_int_equal(port(n, CW_IPIP_UP, &p), CW_IPIP_PORT_BAD_ICMP);
	assert_true(cw_ipip_parse(buf, n, &ip) && cw_ipip_icmp_forged(&ip, CW_IPIP_UP));
	n = make_error(3, 17, me, peer, 0);
	assert_int_equal(port(n, CW_IPIP_DOWN, &p), CW_IPIP_PORT_BAD_ICMP);
	n = make_error(3, 17, peer, me, 1); /* quoted later fragment */
	assert_int_equal(port(n, CW_IPIP_UP, &p), CW_IPIP_PORT_BAD_ICMP);
	n = make_error(3, 47, peer, me, 0);
	assert_int_equal(port(n, CW_IPIP_UP, &p), CW_IPIP_PORT_BAD_ICMP);
	n = make_error(5, 17, peer, me, 0);
	assert_int_equal(port(n, CW_IPIP_UP, &p), CW_IPIP_PORT_BAD_ICMP);
	assert_true(cw_ipip_parse(buf, n, &ip) && cw_ipip_icmp_forged(&ip, CW_IPIP_UP));
	assert_true(cw_ipip_icmp_forged(&ip, CW_IPIP_DOWN));
	n = make_error(3, 17, peer, me, 0);
	put16(buf + 2, 55); /* one octet short of the quoted ports' end */
	assert_int_equal(port(n, CW_IPIP_UP, &p), CW_IPIP_PORT_BAD_ICMP);
	n = make_error(3, 17, peer, me, 0);
	buf[28] = 0x4f; /* quoted header of 60 octets, 28 there */
	assert_int_equal(port(n, CW_IPIP_UP, &p), CW_IPIP_PORT_BAD_ICMP);
	n = make_error(3, 17, peer, me, 0);
	put16(buf + 6, 0x2000); /* a fragment itself */
	assert_int_equal(port(n, CW_IPIP_UP, &p), CW_IPIP_PORT_BAD_ICMP);
	n = make_error(3, 17, peer, me, 0);
	assert_int_equal(port(n, CW_IPIP_UP, &p), CW_IPIP_PORT_IS);
	assert_true(cw_ipip_parse(buf, n, &ip));
	assert_false(cw_ipip_icmp_forged(&ip, CW_IPIP_UP));
	assert_false(cw_ipip_may_complain(&ip));
}

static void ecn(void **state)
{
	/* RFC 6040 figure 4, rows inner Not-ECT, ECT(0), ECT(1), CE; columns outer the same. -1:
	 * drop. */
	static const int want[4][4] = {{0, 0, 0, -1}, {2, 2, 1, 3}, {1, 1, 1, 3}, {3, 3, 3, 3}};
	static const uint8_t codes[4] = {0, 2, 1, 3};

	(void) state;
	for (int i = 0; i < 16; i++) {
		int then = want[i / 4][i % 4];
		struct cw_ipip_packet ip;
		size_t n = make(17, 24, 8, 0);

		buf[1] = (uint8_t) (0x28 | codes[i / 4]);
		fix();
		assert_true(cw_ipip_parse(buf, n, &ip));
		assert_int_equal(
			cw_ipip_ecn_decap(&ip, (uint8_t) (0xb8 | codes[i % 4])), then >= 0);
		assert_true(cw_ipip_parse(buf, n, &ip)); /* the checksum holds */
		if (then >= 0)
			assert_int_equal(ip.tos, 0x28 | then);
	}
}

static unsigned pseudo(size_t n)
{
	return slow_sum(buf + 12, 8, buf[9] + n);
}

static void unfinished(void **state)
{
	struct cw_ipip_packet ip;
	uint16_t start, offset;
	size_t n = make(6, 24, 100, 0);

	(void) state;
	put16(buf + 24 + 16, pseudo(100));
	assert_true(cw_ipip_parse(buf, n, &ip));
	assert_true(cw_ipip_checksum_unfinished(&ip, &start, &offset));
	assert_int_equal(start, 24);
	assert_int_equal(offset, 16);
	put16(buf + 24 + 16, 0);
	put16(buf + 24 + 16, ~slow_sum(buf + 24, 100, pseudo(100)) & 0xffff);
	assert_false(cw_ipip_checksum_unfinished(&ip, &start, &offset));
	n = make(17, 20, 50, 0);
	put16(buf + 26, pseudo(50));
	assert_true(cw_ipip_parse(buf, n, &ip));
	assert_true(cw_ipip_checksum_unfinished(&ip, &start, &offset));
	assert_int_equal(offset, 6);
	put16(buf + 26, 0); /* RFC 768: none */
	assert_false(cw_ipip_checksum_unfinished(&ip, &start, &offset));
	n = make(17, 20, 48, 0x2000);
	put16(buf + 26, pseudo(48));
	assert_true(cw_ipip_parse(buf, n, &ip));
	assert_false(cw_ipip_checksum_unfinished(&ip, &start, &offset));
}

static void offloads(void **state)
{
	struct cw_ipip_packet ip;
	struct cw_ipip_offload o;
	size_t n = make(6, 20, 5000, 0x4000);

	(void) state;
	buf[20 + 12] = 8 << 4; /* 32 octets of TCP header */
	put16(buf + 20 + 16, pseudo(5000));
	assert_true(cw_ipip_parse(buf, n, &ip));
	assert_int_equal(cw_ipip_offload(&ip, 1460, &o), CW_IPIP_OFFLOADED);
	assert_true(o.needs_csum);
	assert_int_equal(o.csum_start, 20);
	assert_int_equal(o.csum_offset, 16);
	assert_int_equal(o.header, 52);
	assert_int_equal(o.segment, 1460 - 52);
	/* Within the MTU: only the checksum. */
	assert_int_equal(cw_ipip_offload(&ip, 5020, &o), CW_IPIP_OFFLOADED);
	assert_true(o.needs_csum && !o.segment);
	/* A finished checksum, or a broken one: nothing to tell. */
	buf[20 + 16] ^= 1;
	assert_int_equal(cw_ipip_offload(&ip, 1460, &o), CW_IPIP_PLAIN);
	assert_false(o.needs_csum || o.segment);
	/* TCP headers that do not fit. */
	put16(buf + 20 + 16, pseudo(5000));
	buf[20 + 12] = 4 << 4;
	assert_int_equal(cw_ipip_offload(&ip, 1460, &o), CW_IPIP_OFFLOADED);
	assert_int_equal(o.segment, 0);
	buf[20 + 12] = 15 << 4;
	assert_int_equal(cw_ipip_offload(&ip, 60, &o), CW_IPIP_OFFLOADED);
	assert_int_equal(o.segment, 0); /* no room for payload at that MTU */
	n = make(17, 20, 100, 0x4000);
	put16(buf + 26, pseudo(100));
	assert_true(cw_ipip_parse(buf, n, &ip));
	assert_int_equal(cw_ipip_offload(&ip, 1460, &o), CW_IPIP_OFFLOADED);
	assert_int_equal(o.csum_offset, 6);
	n = make(17, 20, 3000, 0x4000);
	put16(buf + 26, pseudo(3000));
	assert_true(cw_ipip_parse(buf, n, &ip));
	assert_int_equal(cw_ipip_offload(&ip, 1460, &o), CW_IPIP_UNUSABLE);
	buf[27] ^= 1;
	assert_int_equal(cw_ipip_offload(&ip, 1460, &o), CW_IPIP_PLAIN); /* a fragmented one */
}

static void finished(void **state)
{
	size_t n = make(17, 20, 101, 0);

	(void) state;
	put16(buf + 26, pseudo(101));
	cw_ipip_finish_checksum(buf, n, 20, 6);
	assert_int_equal(slow_sum(buf + 20, 101, pseudo(101)), 0xffff);
	/* A sum of zero is sent as its other form: 0 means "none" (RFC 768). */
	put16(buf + 26, pseudo(101));
	put16(buf + 30, 0);
	put16(buf + 30, ~slow_sum(buf + 20, 101, 0) & 0xffff);
	cw_ipip_finish_checksum(buf, n, 20, 6);
	assert_int_equal(get16(buf + 26), 0xffff);
	memcpy(whole, buf, n);
	cw_ipip_finish_checksum(buf, n, n, 6); /* places outside */
	cw_ipip_finish_checksum(buf, n, n - 7, 6);
	cw_ipip_finish_checksum(buf, n, 65535, 65535);
	assert_memory_equal(whole, buf, n);
}

/* --- cutting --- */

static size_t got_n, got_count, got_mtu;

static bool take_piece(void *arg, const struct cw_ipip_piece *p)
{
	struct cw_ipip_packet ip;
	uint8_t one[70000];

	(void) arg;
	memcpy(one, p->header, p->header_n);
	memcpy(one + p->header_n, p->payload, p->payload_n);
	assert_true(p->header_n + p->payload_n <= got_mtu);
	assert_true(cw_ipip_parse(one, p->header_n + p->payload_n, &ip));
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
		struct cw_ipip_packet ip;
		size_t ihl = mtu % 2 ? 20 : 28, n = make(17, ihl, 1499, 0);

		if (ihl == 28)
			memcpy(buf + 20, "\x07\x07\x04\0\0\0\0\0", 8); /* record route */
		fix();
		assert_true(cw_ipip_parse(buf, n, &ip));
		got_n = got_count = 0;
		got_mtu = mtu;
		memset(whole, 0, 1500);
		assert_true(cw_ipip_fragment(&ip, mtu, take_piece, NULL));
		assert_int_equal(got_n, 1499);
		assert_memory_equal(whole, buf + ihl, 1499);
	}
}

static bool take_segment(void *arg, const struct cw_ipip_segment *s)
{
	struct cw_ipip_packet ip;
	uint8_t one[70000];
	size_t n = s->header_n + s->payload_n;
	uint32_t seq;

	(void) arg;
	memcpy(one, s->header, s->header_n);
	memcpy(one + s->header_n, s->payload, s->payload_n);
	assert_true(cw_ipip_parse(one, n, &ip));
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
		struct cw_ipip_packet ip;
		size_t n = make(6, 20, 32 + payloads[i], 0x4000);

		buf[20 + 12] = 0x80;
		buf[20 + 13] = 0x99;
		put16(buf + 24, 0xffff);
		put16(buf + 26, 0xfff0);
		assert_true(cw_ipip_parse(buf, n, &ip));
		got_n = got_count = 0;
		got_mtu = payloads[i];
		assert_true(cw_ipip_segment_tcp(&ip, 1400, take_segment, NULL));
		assert_int_equal(got_n, payloads[i]);
		assert_int_equal(got_count, (payloads[i] + 1399) / 1400);
		assert_memory_equal(whole, buf + 52, got_n);
		assert_false(cw_ipip_segment_tcp(&ip, 0, take_segment, NULL));
	}
}

/* --- ICMP that is sent, IPv6 that came --- */

static void complaints(void **state)
{
	struct cw_ipip_packet ip;
	uint8_t to[CW_IPIP_ICMP6_MAX];
	size_t n = make(17, 20, 1400, 0x4000), k;

	(void) state;
	assert_true(cw_ipip_parse(buf, n, &ip));
	assert_true(cw_ipip_may_complain(&ip));
	k = cw_ipip_icmp4_unreachable(&ip, 4, 1260, to);
	assert_int_equal(k, CW_IPIP_ICMP4_MAX);
	assert_int_equal(to[0] << 8 | to[1], 0x0304);
	assert_int_equal(get16(to + 6), 1260);
	assert_int_equal(slow_sum(to, k, 0), 0xffff);
	assert_memory_equal(to + 8, buf, k - 8);
	k = cw_ipip_icmp6_refused((const uint8_t *) "CCCCCCCCCCCCCCCC",
		(const uint8_t *) "TTTTTTTTTTTTTTTT", buf, n, to);
	assert_int_equal(k, CW_IPIP_ICMP6_MAX);
	assert_int_equal(to[0] << 8 | to[1], 0x0105);
	assert_int_equal(get16(to + 12), n);
	assert_memory_equal(to + 16, "CCCCCCCCCCCCCCCCTTTTTTTTTTTTTTTT", 32);
	assert_memory_equal(to + 48, buf, k - 48);
	n = make(17, 20, 1400, 0x0001);
	assert_true(cw_ipip_parse(buf, n, &ip));
	assert_false(cw_ipip_may_complain(&ip)); /* later fragment */
	n = make(17, 20, 14, 0);
	memcpy(buf + 12, "\340\0\0\1", 4);
	fix();
	assert_true(cw_ipip_parse(buf, n, &ip));
	assert_false(cw_ipip_may_complain(&ip)); /* multicast source */
}

static void errors(void **state)
{
	static const struct cw_addr4 tep = {0xc0000201};
	uint8_t to[CW_IPIP_ERROR_MAX];
	struct cw_ipip_packet ip, error;
	size_t n = make(17, 28, 1400, 0x4000), k;

	(void) state;
	assert_true(cw_ipip_parse_quoted(buf, 40, &ip)); /* cut, as a router quotes */
	k = cw_ipip_error(&ip, 1, 0, tep, to);
	assert_int_equal(k, 20 + 8 + 40);
	assert_true(cw_ipip_parse(to, k, &error));
	assert_int_equal(error.src.v, tep.v);
	assert_int_equal(error.dst.v, ip.src.v);
	assert_int_equal(error.tos, 0xc0);
	assert_int_equal(error.proto, 1);
	assert_int_equal(slow_sum(to + 20, k - 20, 0), 0xffff);
	assert_memory_equal(to + 28, buf, 40);
	assert_true(cw_ipip_parse(buf, n, &ip));
	k = cw_ipip_error(&ip, 4, 1400, tep, to);
	assert_int_equal(k, 576); /* RFC 1812 4.3.2.3 */
	assert_true(cw_ipip_parse(to, k, &error));
	assert_int_equal(get16(to + 26), 1400);
	n = make(1, 20, 1400, 0);
	for (unsigned type = 0; type < 256; type++) {
		buf[20] = (uint8_t) type;
		assert_true(cw_ipip_parse(buf, n, &ip));
		assert_int_equal(cw_ipip_may_complain(&ip), type == 0 || type == 8);
	}
	memset(buf + 12, 0, 4);
	fix();
	assert_true(cw_ipip_parse(buf, n, &ip));
	assert_false(cw_ipip_may_complain(&ip)); /* from nobody */
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
	assert_ptr_equal(cw_ipip_ip6_inner(p, 140, tep, &n), p + 48);
	assert_int_equal(n, 92);
	assert_ptr_equal(cw_ipip_ip6_inner(p, 150, tep, &n), p + 48); /* padding behind */
	assert_int_equal(n, 92);
	assert_null(cw_ipip_ip6_inner(p, 139, tep, &n));
	p[41] = 20; /* longer than the packet */
	assert_null(cw_ipip_ip6_inner(p, 140, tep, &n));
	p[41] = 0;
	p[40] = 44;
	assert_null(cw_ipip_ip6_inner(p, 140, tep, &n)); /* a fragment */
	p[40] = 43;
	p[48] = 4;
	assert_ptr_equal(cw_ipip_ip6_inner(p, 140, tep, &n), p + 56);
	p[51] = 1; /* segments left */
	assert_null(cw_ipip_ip6_inner(p, 140, tep, &n));
	p[6] = 4;
	assert_ptr_equal(cw_ipip_ip6_inner(p, 140, tep, &n), p + 40);
	p[39] = 2;
	assert_null(cw_ipip_ip6_inner(p, 140, tep, &n));
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
		cmocka_unit_test(offloads),
		cmocka_unit_test(finished),
		cmocka_unit_test(fragments),
		cmocka_unit_test(segments),
		cmocka_unit_test(complaints),
		cmocka_unit_test(errors),
		cmocka_unit_test(outer),
	};

	return cmocka_run_group_tests_name("ipip", tests, NULL, NULL);
}
