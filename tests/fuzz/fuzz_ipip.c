/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets of strangers as the client's end of the tunnel sees them (schema/ipip); the plugin's
 * judgement has fuzz_tun_packet. First octet: the traffic class of the outer header, second: how
 * far the MTU is above its minimum; then the packet. Beyond "no crash": what is told about a packet
 * lies within it, an error about it is a packet with right sums to whom it came from, and nobody
 * may complain about that one. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "schema/ipip/ipip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
	if (!good)
		abort();
}

static void look_at_offload(const struct cw_ipip_packet *ip, unsigned mtu)
{
	struct cw_ipip_offload o;
	const enum cw_ipip_kind kind = cw_ipip_offload(ip, mtu, &o);
	uint8_t *copy;

	if (kind != CW_IPIP_OFFLOADED) {
		must(kind == CW_IPIP_PLAIN || ip->total > mtu);
		return;
	}
	must(o.needs_csum && o.csum_start == ip->ihl);
	must((size_t) o.csum_start + o.csum_offset + 2 <= ip->total);
	if (o.segment)
		must(o.header <= ip->total && (unsigned) o.header + o.segment <= mtu);
	copy = malloc(ip->total);
	must(copy != NULL);
	memcpy(copy, ip->start, ip->total);
	cw_ipip_finish_checksum(copy, ip->total, o.csum_start, o.csum_offset);
	must(memcmp(copy, ip->start, ip->ihl) == 0);
	free(copy);
}

/* The error about a packet, and what the other end makes of it: the quote is cut. */
static void complain(const struct cw_ipip_packet *ip, uint8_t code)
{
	const struct cw_addr4 from = {0xc0000201};
	uint8_t error[CW_IPIP_ERROR_MAX];
	struct cw_ipip_packet e, quoted;
	size_t n;

	if (!cw_ipip_may_complain(ip))
		return;
	n = cw_ipip_error(ip, code, 1280, from, error);
	must(n <= sizeof error && cw_ipip_parse(error, n, &e));
	must(e.total == n && e.proto == CW_IPIP_ICMP && e.src.v == from.v && e.dst.v == ip->src.v);
	must(cw_ipip_checksum(e.payload, e.payload_n) == 0);
	must(cw_ipip_parse_quoted(e.payload + 8, e.payload_n - 8, &quoted));
	must(quoted.src.v == ip->src.v && quoted.dst.v == ip->dst.v && quoted.proto == ip->proto);
	must(!cw_ipip_may_complain(&e));
	/* It goes to the host that sent what it quotes. */
	must(!cw_ipip_icmp_forged(&e, CW_IPIP_DOWN));
}

static void change_ecn(struct cw_ipip_packet *ip, uint8_t class)
{
	const uint8_t dscp = ip->start[1] & 0xfc;

	if (!cw_ipip_ecn_decap(ip, class)) {
		must((class & 3) == 3 && (ip->tos & 3) == 0);
		return;
	}
	must((ip->start[1] & 0xfc) == dscp); /* the sender's */
	must(cw_ipip_checksum(ip->start, ip->ihl) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cw_ipip_packet ip;
	uint16_t port;
	uint8_t *p;
	size_t n;

	if (size < 2)
		return 0;
	n = size - 2;
	p = malloc(n ? n : 1);
	must(p != NULL);
	memcpy(p, data + 2, n);
	if (cw_ipip_parse_quoted(p, n, &ip))
		must(ip.ihl <= n && ip.total <= n && ip.payload + ip.payload_n == p + ip.total);
	if (cw_ipip_parse(p, n, &ip)) {
		must(ip.ihl >= 20 && ip.ihl <= ip.total && ip.total <= n);
		(void) cw_ipip_port_of(&ip, CW_IPIP_UP, &port);
		(void) cw_ipip_port_of(&ip, CW_IPIP_DOWN, &port);
		(void) cw_ipip_icmp_forged(&ip, CW_IPIP_UP);
		look_at_offload(&ip, CW_IPIP_MTU_MIN + data[1]);
		complain(&ip, data[0] & 15);
		change_ecn(&ip, data[0]);
	}
	free(p);
	return 0;
}
