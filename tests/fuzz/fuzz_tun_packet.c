/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets from anybody into the tun plugin's judgement. First octet: which way; then the packet.
 * Beyond "no crash": what passes up has a source that is bound to the outer address, what is cut
 * comes out complete. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/plugins/tun/decide.h"
#include "schema/ipip/cut.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t tep[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1},
		     client[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 0xa};
static struct cw_tun_rules rules;
static struct cw_tun_fragments *up, *down;

static void bind_it(uint8_t last, struct cw_dp_ports ports)
{
	struct cw_dp_binding b = {.ipv4 = {198, 51, 100, last},
		.ports = ports,
		.generation = 1,
		.expires_boot_ms = CW_DP_NO_EXPIRY};

	memcpy(b.ipv6, client, 16);
	if (cw_dptab_apply(rules.table, &b) != CW_DP_OK)
		abort();
}

static void set_up(void)
{
	rules.table = cw_dptab_new(0, CW_DPTAB_SHARED | CW_DPTAB_COUNTERS);
	rules.hairpin = true;
	up = cw_tun_fragments_new();
	down = cw_tun_fragments_new();
	if (!rules.table || !up || !down)
		abort();
	bind_it(10, (struct cw_dp_ports){0, 0, 0});
	bind_it(20, (struct cw_dp_ports){0, 4, 1});
	bind_it(21, (struct cw_dp_ports){4, 4, 1});
}

static bool add(void *arg, const struct cw_ipip_piece *p)
{
	*(size_t *) arg += p->payload_n;
	return true;
}

struct tally {
	size_t octets, longest, n;
};

static bool add_segment(void *arg, const struct cw_ipip_segment *s)
{
	struct tally *t = arg;

	t->octets += s->payload_n;
	t->n++;
	if (s->header_n + s->payload_n > t->longest)
		t->longest = s->header_n + s->payload_n;
	return true;
}

/* The segments are as many, and as long, as was said before. */
static void cut_segments(const struct cw_ipip_packet *ip, size_t gso_size)
{
	struct tally t = {0};

	if (!cw_ipip_segment_tcp(ip, gso_size, add_segment, &t))
		return;
	if (t.octets > ip->payload_n || t.n != cw_ipip_segment_count(ip, gso_size) ||
		t.longest != cw_ipip_segment_length(ip, gso_size))
		abort();
}

static void judge(uint8_t *p, size_t n, bool is_up)
{
	struct cw_tun_owner o;
	struct cw_ipip_packet ip;
	enum cw_tun_verdict v;
	uint8_t to[CW_IPIP_ICMP6_MAX];
	uint16_t start, offset;
	size_t sum = 0;

	if (!cw_ipip_parse(p, n, &ip))
		return;
	if (ip.total > n || ip.payload + ip.payload_n != p + ip.total)
		abort();
	v = is_up ? cw_tun_decide_up(&rules, up, client, &ip, 1, &o)
		  : cw_tun_decide_down(&rules, down, &ip, 1, &o);
	if (v == CW_TUN_PASS && (!o.entry || o.entry->ipv4 != (is_up ? ip.src.v : ip.dst.v)))
		abort();
	if (cw_ipip_checksum_unfinished(&ip, &start, &offset) &&
		(size_t) start + offset + 2 > ip.total)
		abort();
	(void) cw_ipip_may_complain(&ip);
	if (cw_ipip_icmp4_unreachable(&ip, 4, 1000, to) > CW_IPIP_ICMP4_MAX)
		abort();
	if (cw_ipip_icmp6_refused(client, tep, p, ip.total, to) > CW_IPIP_ICMP6_MAX)
		abort();
	if (!cw_ipip_fragment(&ip, 68 + ip.id % 1400, add, &sum) || sum != ip.payload_n)
		abort();
	cut_segments(&ip, 1 + ip.id % 1400);
	if (is_up)
		(void) cw_ipip_ecn_decap(&ip, (uint8_t) v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cw_ipip_packet ip;
	uint8_t *p, *inner;
	size_t n;

	if (!rules.table)
		set_up();
	if (size < 1 || size > 65536)
		return 0;
	n = size - 1;
	p = malloc(n ? n : 1); /* of its own, so that a sanitizer sees its end */
	if (!p)
		return 0;
	memcpy(p, data + 1, n);
	cw_dptab_read_begin(rules.table);
	switch (data[0] % 4) {
	case 0:
		judge(p, n, true);
		break;
	case 1:
		judge(p, n, false);
		break;
	case 2:
		inner = cw_ipip_ip6_inner(p, n, tep, &n);
		if (inner)
			judge(inner, n, true);
		break;
	case 3:
		if (cw_ipip_parse_quoted(p, n, &ip) && ip.total > n)
			abort();
		break;
	}
	cw_dptab_read_end(rules.table);
	free(p);
	return 0;
}
