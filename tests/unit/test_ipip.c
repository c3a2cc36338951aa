/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv4 packets at the ends of a tunnel: bounds of headers, ports by which sharers are told apart,
 * ECN, ICMP errors, and what receive offload leaves behind. */
#include "config.h"

#include <netinet/in.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"
#include "schema/ipip/ipip.h"
#include "tests/lib/cw-cmocka.h"

static struct cw_addr4 four(const char *s)
{
	struct cw_addr4 a;

	assert_int_equal(cw_addr4_parse(s, strlen(s), &a), 0);
	return a;
}

/* A header for `n` octets of payload at p; returns the whole length. */
static size_t header(uint8_t *p, uint8_t proto, size_t n, const char *src, const char *dst)
{
	struct cw_writer w = cw_writer_of(p, 20);
	uint16_t sum;

	cw_write_u16(&w, 0x4500);
	cw_write_u16(&w, (uint16_t) (20 + n));
	cw_write_u32(&w, 0x4000); /* DF */
	cw_write_u16(&w, (uint16_t) (64 << 8 | proto));
	cw_write_u16(&w, 0);
	cw_write_u32(&w, four(src).v);
	cw_write_u32(&w, four(dst).v);
	sum = cw_ipip_checksum(p, 20, 0);
	p[10] = (uint8_t) (sum >> 8);
	p[11] = (uint8_t) sum;
	return 20 + n;
}

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t) (v >> 8);
	p[1] = (uint8_t) v;
}

static void parsing(void **state)
{
	uint8_t p[64] = {0};
	size_t n = header(p, IPPROTO_UDP, 12, "192.0.2.1", "198.51.100.2");
	struct cw_ipip_v4 h;

	(void) state;
	assert_int_equal(cw_ipip_v4_parse(p, n, &h), 0);
	assert_int_equal(h.header, 20);
	assert_int_equal(h.total, 32);
	assert_int_equal(h.ttl, 64);
	assert_int_equal(h.proto, IPPROTO_UDP);
	assert_int_equal(h.src.v, four("192.0.2.1").v);
	assert_int_equal(h.dst.v, four("198.51.100.2").v);
	assert_true(h.dont_fragment);
	assert_false(h.more_fragments);
	assert_int_equal(cw_ipip_v4_parse(p, sizeof p, &h), 0); /* padding */
	for (size_t cut = 0; cut < n; cut++)
		assert_int_equal(cw_ipip_v4_parse(p, cut, &h), CW_E_SYNTAX);
	p[0] = 0x44;
	assert_int_equal(cw_ipip_v4_parse(p, n, &h), CW_E_SYNTAX);
	p[0] = 0x65;
	assert_int_equal(cw_ipip_v4_parse(p, n, &h), CW_E_SYNTAX);
	p[0] = 0x4f; /* header of 60 octets in a packet of 32 */
	assert_int_equal(cw_ipip_v4_parse(p, n, &h), CW_E_SYNTAX);
	p[0] = 0x45;
	put16(p + 2, 19);
	assert_int_equal(cw_ipip_v4_parse(p, n, &h), CW_E_SYNTAX);
	put16(p + 2, 20);
	assert_int_equal(cw_ipip_v4_parse(p, n, &h), 0);
	put16(p + 6, 0x2001);
	assert_int_equal(cw_ipip_v4_parse(p, n, &h), 0);
	assert_true(h.more_fragments);
	assert_int_equal(h.frag_offset, 8);
}

static void ecn(void **state)
{
	/* RFC 6040 figure 4, rows inner Not-ECT, ECT(0), ECT(1), CE; columns outer the same. -1:
	 * drop. */
	static const int want[4][4] = {{0, 0, 0, -1}, {2, 2, 1, 3}, {1, 1, 1, 3}, {3, 3, 3, 3}};
	static const uint8_t codes[4] = {0, 2, 1, 3};

	(void) state;
	for (int i = 0; i < 4; i++)
		for (int o = 0; o < 4; o++) {
			int got = cw_ipip_ecn_decap(
				(uint8_t) (0xb8 | codes[o]), (uint8_t) (0x28 | codes[i]));

			assert_int_equal(got, want[i][o] < 0 ? -1 : 0x28 | want[i][o]);
		}
}

static void tos_keeps_the_checksum(void **state)
{
	uint8_t p[64] = {0};

	(void) state;
	(void) header(p, IPPROTO_UDP, 12, "192.0.2.1", "198.51.100.2");
	for (int tos = 255; tos >= 0; tos--) {
		cw_ipip_set_tos(p, (uint8_t) tos);
		assert_int_equal(p[1], tos);
		assert_int_equal(cw_ipip_checksum(p, 20, 0), 0);
	}
}

/* The sum over the pseudo-header alone, as the kernel leaves it in the field. */
static void leave_partial(uint8_t *p, size_t at)
{
	uint8_t pseudo[12];
	size_t n = (size_t) (p[2] << 8 | p[3]) - 20;

	memcpy(pseudo, p + 12, 8);
	put16(pseudo + 8, p[9]);
	put16(pseudo + 10, (unsigned) n);
	put16(p + at, (uint16_t) ~cw_ipip_checksum(pseudo, sizeof pseudo, 0));
}

static void offloads(void **state)
{
	uint8_t *p = cw_zalloc(1, 65536);
	struct cw_ipip_offload o;
	struct cw_ipip_v4 h;
	size_t n;

	(void) state;
	assert_non_null(p);
	n = header(p, IPPROTO_TCP, 5000, "192.0.2.1", "198.51.100.2");
	p[20 + 12] = 8 << 4; /* 32 octets of TCP header */
	leave_partial(p, 20 + 16);
	assert_int_equal(cw_ipip_v4_parse(p, n, &h), 0);
	assert_int_equal(cw_ipip_offload(p, &h, 1460, &o), CW_IPIP_OFFLOADED);
	assert_true(o.needs_csum && o.merged_tcp);
	assert_int_equal(o.csum_start, 20);
	assert_int_equal(o.csum_offset, 16);
	assert_int_equal(o.header, 52);
	assert_int_equal(o.segment, 1460 - 52);
	/* Within the MTU: only the checksum. */
	assert_int_equal(cw_ipip_offload(p, &h, 5020, &o), CW_IPIP_OFFLOADED);
	assert_true(o.needs_csum && !o.merged_tcp);
	/* A finished checksum, or a broken one: nothing to tell. */
	p[20 + 16] ^= 1;
	assert_int_equal(cw_ipip_offload(p, &h, 1460, &o), CW_IPIP_PLAIN);
	assert_false(o.needs_csum || o.merged_tcp);
	/* TCP headers that do not fit. */
	leave_partial(p, 20 + 16);
	p[20 + 12] = 4 << 4;
	assert_int_equal(cw_ipip_offload(p, &h, 1460, &o), CW_IPIP_PLAIN);
	p[20 + 12] = 15 << 4;
	assert_int_equal(cw_ipip_offload(p, &h, 60, &o), CW_IPIP_OFFLOADED);
	assert_false(o.merged_tcp); /* no room for payload at that MTU */
	n = header(p, IPPROTO_TCP, 24, "192.0.2.1", "198.51.100.2");
	leave_partial(p, 20 + 16);
	assert_int_equal(cw_ipip_v4_parse(p, n, &h), 0);
	assert_int_equal(cw_ipip_offload(p, &h, 1460, &o), CW_IPIP_PLAIN);
	/* Fragments have no transport header to speak of. */
	p[20 + 12] = 5 << 4;
	put16(p + 6, 0x2000);
	assert_int_equal(cw_ipip_v4_parse(p, n, &h), 0);
	assert_int_equal(cw_ipip_offload(p, &h, 1460, &o), CW_IPIP_PLAIN);

	n = header(p, IPPROTO_UDP, 100, "192.0.2.1", "198.51.100.2");
	leave_partial(p, 26);
	assert_int_equal(cw_ipip_v4_parse(p, n, &h), 0);
	assert_int_equal(cw_ipip_offload(p, &h, 1460, &o), CW_IPIP_OFFLOADED);
	assert_int_equal(o.csum_offset, 6);
	put16(p + 26, 0); /* no checksum */
	assert_int_equal(cw_ipip_offload(p, &h, 1460, &o), CW_IPIP_PLAIN);
	n = header(p, IPPROTO_UDP, 3000, "192.0.2.1", "198.51.100.2");
	leave_partial(p, 26);
	assert_int_equal(cw_ipip_v4_parse(p, n, &h), 0);
	assert_int_equal(cw_ipip_offload(p, &h, 1460, &o), CW_IPIP_UNUSABLE);
	p[27] ^= 1;
	assert_int_equal(cw_ipip_offload(p, &h, 1460, &o), CW_IPIP_PLAIN); /* a fragmented one */
	(void) cw_free(p);
}

static void ports(void **state)
{
	static const uint8_t protos[] = {
		IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDPLITE, IPPROTO_SCTP, IPPROTO_DCCP};
	uint8_t p[128] = {0};
	struct cw_ipip_v4 h;
	uint16_t port = 0;
	size_t n;

	(void) state;
	for (size_t i = 0; i < CW_ARRAY_LEN(protos); i++) {
		n = header(p, protos[i], 20, "192.0.2.1", "198.51.100.2");
		put16(p + 20, 1111);
		put16(p + 22, 2222);
		assert_int_equal(cw_ipip_v4_parse(p, n, &h), 0);
		assert_true(cw_ipip_port(p, &h, true, &port));
		assert_int_equal(port, 1111);
		assert_true(cw_ipip_port(p, &h, false, &port));
		assert_int_equal(port, 2222);
	}
	n = header(p, 47, 20, "192.0.2.1", "198.51.100.2"); /* GRE */
	assert_int_equal(cw_ipip_v4_parse(p, n, &h), 0);
	assert_false(cw_ipip_port(p, &h, true, &port));
	n = header(p, IPPROTO_TCP, 3, "192.0.2.1", "198.51.100.2");
	assert_int_equal(cw_ipip_v4_parse(p, n, &h), 0);
	assert_false(cw_ipip_port(p, &h, true, &port));
	n = header(p, IPPROTO_TCP, 20, "192.0.2.1", "198.51.100.2");
	put16(p + 6, 1); /* a later fragment */
	assert_int_equal(cw_ipip_v4_parse(p, n, &h), 0);
	assert_false(cw_ipip_port(p, &h, true, &port));

	n = header(p, IPPROTO_ICMP, 8, "192.0.2.1", "198.51.100.2");
	p[20] = 8;
	put16(p + 24, 777);
	assert_int_equal(cw_ipip_v4_parse(p, n, &h), 0);
	assert_true(cw_ipip_port(p, &h, true, &port));
	assert_int_equal(port, 777);
	p[20] = 13; /* timestamp */
	assert_false(cw_ipip_port(p, &h, true, &port));
}

static void ports_in_errors(void **state)
{
	uint8_t p[128] = {0};
	struct cw_ipip_v4 h;
	uint16_t port = 0;
	size_t n;

	(void) state;
	/* Down: an error about what 198.51.100.2 sent from port 1111. */
	(void) header(p + 28, IPPROTO_UDP, 500, "198.51.100.2", "203.0.113.9");
	put16(p + 48, 1111);
	put16(p + 50, 53);
	n = header(p, IPPROTO_ICMP, 8 + 28, "203.0.113.1", "198.51.100.2");
	p[20] = 3;
	assert_int_equal(cw_ipip_v4_parse(p, n, &h), 0);
	assert_true(cw_ipip_port(p, &h, false, &port));
	assert_int_equal(port, 1111);
	/* About somebody else's packet: forged. */
	p[28 + 15] = 3;
	assert_false(cw_ipip_port(p, &h, false, &port));
	p[28 + 15] = 2;
	/* Cut, a fragment, not IPv4. */
	n = header(p, IPPROTO_ICMP, 8 + 27, "203.0.113.1", "198.51.100.2");
	assert_int_equal(cw_ipip_v4_parse(p, n, &h), 0);
	assert_false(cw_ipip_port(p, &h, false, &port));
	n = header(p, IPPROTO_ICMP, 8 + 28, "203.0.113.1", "198.51.100.2");
	assert_int_equal(cw_ipip_v4_parse(p, n, &h), 0);
	put16(p + 28 + 6, 1);
	assert_false(cw_ipip_port(p, &h, false, &port));
	put16(p + 28 + 6, 0);
	p[28] = 0x65;
	assert_false(cw_ipip_port(p, &h, false, &port));
	p[28] = 0x4f;
	assert_false(cw_ipip_port(p, &h, false, &port));
	/* Up: an error about what 198.51.100.2 received on port 53. */
	(void) header(p + 28, IPPROTO_UDP, 500, "203.0.113.9", "198.51.100.2");
	put16(p + 48, 1111);
	put16(p + 50, 53);
	n = header(p, IPPROTO_ICMP, 8 + 28, "198.51.100.2", "203.0.113.9");
	assert_int_equal(cw_ipip_v4_parse(p, n, &h), 0);
	assert_true(cw_ipip_port(p, &h, true, &port));
	assert_int_equal(port, 53);
}

static void errors(void **state)
{
	uint8_t p[128] = {0};
	uint8_t out[CW_IPIP_ICMP_MAX];
	struct cw_ipip_v4 h;
	int n;

	(void) state;
	(void) header(p, IPPROTO_UDP, 1000, "198.51.100.2", "203.0.113.9");
	n = cw_ipip_unreachable(p, 48, 1, 0, four("192.0.2.1"), out);
	assert_int_equal(n, 20 + 8 + 28);
	assert_int_equal(cw_ipip_v4_parse(out, (size_t) n, &h), 0);
	assert_int_equal(h.src.v, four("192.0.2.1").v);
	assert_int_equal(h.dst.v, four("198.51.100.2").v);
	assert_int_equal(h.total, n);
	assert_int_equal(cw_ipip_checksum(out, 20, 0), 0);
	assert_int_equal(cw_ipip_checksum(out + 20, (size_t) n - 20, 0), 0);
	assert_int_equal(out[20], 3);
	assert_int_equal(out[21], 1);
	assert_memory_equal(out + 28, p, 28);
	n = cw_ipip_unreachable(p, 28, 4, 1400, four("192.0.2.1"), out);
	assert_int_equal(out[26] << 8 | out[27], 1400);
	/* Nobody to tell. */
	assert_int_equal(cw_ipip_unreachable(p, 27, 1, 0, four("192.0.2.1"), out), CW_E_SYNTAX);
	put16(p + 6, 1);
	assert_int_equal(cw_ipip_unreachable(p, 48, 1, 0, four("192.0.2.1"), out), CW_E_SYNTAX);
	(void) header(p, IPPROTO_ICMP, 1000, "198.51.100.2", "203.0.113.9");
	p[20] = 11;
	assert_int_equal(cw_ipip_unreachable(p, 48, 1, 0, four("192.0.2.1"), out), CW_E_SYNTAX);
	p[20] = 8;
	assert_true(cw_ipip_unreachable(p, 48, 1, 0, four("192.0.2.1"), out) > 0);
	(void) header(p, IPPROTO_UDP, 1000, "0.0.0.0", "203.0.113.9");
	assert_int_equal(cw_ipip_unreachable(p, 48, 1, 0, four("192.0.2.1"), out), CW_E_SYNTAX);
	/* The longest quote there can be fits. */
	(void) header(p, IPPROTO_UDP, 1000, "198.51.100.2", "203.0.113.9");
	p[0] = 0x4f;
	assert_int_equal(
		cw_ipip_unreachable(p, sizeof p, 1, 0, four("192.0.2.1"), out), 20 + 8 + 68);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parsing),
		cmocka_unit_test(ecn),
		cmocka_unit_test(tos_keeps_the_checksum),
		cmocka_unit_test(offloads),
		cmocka_unit_test(ports),
		cmocka_unit_test(ports_in_errors),
		cmocka_unit_test(errors),
	};

	return cmocka_run_group_tests_name("ipip", tests, NULL, NULL);
}
