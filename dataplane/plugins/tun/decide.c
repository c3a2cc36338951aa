/* SPDX-License-Identifier: BSD-2-Clause */
/* See decide.h. */
#include "dataplane/plugins/tun/decide.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { SETS = 1024, WAYS = 4, FRAGMENT_MS = 30000 };

/* Where a first fragment went: what a later one has in common with it, and the port it told. */
struct fragment {
	uint8_t outer[16]; /* zero on the way down */
	uint32_t src, dst;
	int64_t until_ms; /* 0: empty */
	uint16_t id, port;
	uint8_t proto;
};

struct cw_tun_fragments {
	uint64_t seed;
	struct fragment sets[SETS][WAYS];
};

static const char *const names[CW_TUN_VERDICTS] = {
	[CW_TUN_PASS] = "none",
	[CW_TUN_MALFORMED] = "drop.malformed",
	[CW_TUN_NO_BINDING] = "drop.no_binding",
	[CW_TUN_SPOOF] = "drop.spoof",
	[CW_TUN_PORT] = "drop.port",
	[CW_TUN_EXPIRED] = "drop.expired",
	[CW_TUN_PROTOCOL] = "drop.protocol",
	[CW_TUN_ICMP] = "drop.icmp",
	[CW_TUN_FRAGMENT] = "drop.fragment",
	[CW_TUN_MARTIAN] = "drop.martian",
	[CW_TUN_ECN] = "drop.ecn",
	[CW_TUN_HAIRPIN] = "drop.hairpin",
	[CW_TUN_TOO_BIG] = "drop.too_big",
	[CW_TUN_MERGED] = "drop.merged",
	[CW_TUN_OUTPUT] = "drop.output",
};

const char *cw_tun_verdict_name(enum cw_tun_verdict v)
{
	return names[v];
}

struct cw_tun_fragments *cw_tun_fragments_new(void)
{
	struct cw_tun_fragments *f = calloc(1, sizeof *f);

	/* Without a secret an attacker could aim at one set; with a poor one it takes longer. */
	if (f && getrandom(&f->seed, sizeof f->seed, GRND_NONBLOCK) != sizeof f->seed)
		f->seed = (uintptr_t) f;
	return f;
}

struct cw_tun_fragments *cw_tun_fragments_free(struct cw_tun_fragments *f)
{
	free(f);
	return NULL;
}

static struct fragment *fragment_set(struct cw_tun_fragments *f, const struct fragment *key)
{
	uint64_t h = f->seed, w[2];

	memcpy(w, key->outer, 16);
	h = (h ^ w[0]) * 0x9e3779b97f4a7c15u;
	h = ((h >> 31) ^ h ^ w[1]) * 0xbf58476d1ce4e5b9u;
	h = ((h >> 29) ^ h ^ ((uint64_t) key->src << 32 | key->dst)) * 0x94d049bb133111ebu;
	h = ((h >> 31) ^ h ^ ((uint64_t) key->id << 8 | key->proto)) * 0x9e3779b97f4a7c15u;
	return f->sets[(h >> 40) % SETS];
}

static bool same(const struct fragment *a, const struct fragment *b)
{
	return a->src == b->src && a->dst == b->dst && a->id == b->id && a->proto == b->proto &&
	       memcmp(a->outer, b->outer, 16) == 0;
}

static struct fragment fragment_key(const uint8_t *outer, const struct cw_ipip_packet *ip)
{
	struct fragment key = {
		.src = ip->src.v, .dst = ip->dst.v, .id = ip->id, .proto = ip->proto};

	if (outer)
		memcpy(key.outer, outer, 16);
	return key;
}

static void fragment_remember(struct cw_tun_fragments *f, const uint8_t *outer,
	const struct cw_ipip_packet *ip, uint16_t port, int64_t now)
{
	struct fragment key = fragment_key(outer, ip), *set = fragment_set(f, &key), *at = set;

	for (unsigned i = 0; i < WAYS; i++) {
		if (same(&set[i], &key)) {
			at = &set[i];
			break;
		}
		if (set[i].until_ms < at->until_ms)
			at = &set[i];
	}
	*at = key;
	at->port = port;
	at->until_ms = now + FRAGMENT_MS;
}

static bool fragment_recall(struct cw_tun_fragments *f, const uint8_t *outer,
	const struct cw_ipip_packet *ip, int64_t now, uint16_t *ret_port)
{
	struct fragment key = fragment_key(outer, ip), *set = fragment_set(f, &key);

	for (unsigned i = 0; i < WAYS; i++) {
		if (set[i].until_ms > now && same(&set[i], &key)) {
			set[i].until_ms = now + FRAGMENT_MS;
			*ret_port = set[i].port;
			return true;
		}
	}
	return false;
}

/* A first fragment that no longer passes must not open the way for its tail. */
static void fragment_forget(
	struct cw_tun_fragments *f, const uint8_t *outer, const struct cw_ipip_packet *ip)
{
	struct fragment key = fragment_key(outer, ip), *set = fragment_set(f, &key);

	for (unsigned i = 0; i < WAYS; i++) {
		if (same(&set[i], &key))
			set[i].until_ms = 0;
	}
}

/* The binding of the client's end on a shared address. */
static enum cw_tun_verdict find_shared(const struct cw_tun_rules *rules,
	struct cw_tun_fragments *frags, enum cw_ipip_side side, const uint8_t *outer,
	const struct cw_ipip_packet *ip, int64_t now, uint16_t *ret_port, struct cw_tun_owner *ret)
{
	uint32_t addr = side == CW_IPIP_UP ? ip->src.v : ip->dst.v;

	switch (cw_ipip_port_of(ip, side, ret_port)) {
	case CW_IPIP_PORT_IS:
		break;
	case CW_IPIP_PORT_OF_FIRST:
		if (!fragment_recall(frags, outer, ip, now, ret_port))
			return CW_TUN_FRAGMENT;
		break;
	case CW_IPIP_PORT_NO_PROTOCOL:
		return CW_TUN_PROTOCOL;
	case CW_IPIP_PORT_BAD_ICMP:
		return CW_TUN_ICMP;
	case CW_IPIP_PORT_SHORT:
		return CW_TUN_PORT;
	}
	return cw_dptab_find_port(rules->table, addr, *ret_port, &ret->entry, &ret->dyn)
		       ? CW_TUN_PASS
		       : CW_TUN_PORT;
}

/* The checks of both directions. */
static enum cw_tun_verdict decide(const struct cw_tun_rules *rules, struct cw_tun_fragments *frags,
	enum cw_ipip_side side, const uint8_t *outer, const struct cw_ipip_packet *ip, int64_t now,
	struct cw_tun_owner *ret)
{
	uint32_t addr = side == CW_IPIP_UP ? ip->src.v : ip->dst.v;
	bool first = ip->more && !ip->frag_at, shared = false;
	enum cw_tun_verdict v = CW_TUN_PASS;
	uint16_t port = 0;

	*ret = (struct cw_tun_owner){0};
	switch (cw_dptab_find(rules->table, addr, &ret->entry, &ret->dyn)) {
	case CW_DPTAB_NONE:
		return CW_TUN_NO_BINDING;
	case CW_DPTAB_WHOLE:
		if (cw_ipip_icmp_forged(ip, side))
			v = CW_TUN_ICMP;
		break;
	case CW_DPTAB_PORTS:
		shared = true;
		ret->entry = NULL; /* the marker is nobody's binding */
		ret->dyn = NULL;
		v = find_shared(rules, frags, side, outer, ip, now, &port, ret);
		break;
	}
	/* The address says more than what else is wrong: charge nobody for a stranger's packet. */
	if (outer && ret->entry && memcmp(ret->entry->ipv6, outer, 16) != 0) {
		ret->entry = NULL;
		ret->dyn = NULL;
		v = CW_TUN_SPOOF;
	}
	if (v == CW_TUN_PASS && (!ret->entry || ret->entry->expires_boot_ms <= now))
		v = CW_TUN_EXPIRED;
	if (shared && first) {
		if (v == CW_TUN_PASS)
			fragment_remember(frags, outer, ip, port, now);
		else
			fragment_forget(frags, outer, ip);
	}
	return v;
}

enum cw_tun_verdict cw_tun_decide_up(const struct cw_tun_rules *rules,
	struct cw_tun_fragments *frags, const uint8_t outer[16], const struct cw_ipip_packet *ip,
	int64_t now_boot_ms, struct cw_tun_owner *ret)
{
	enum cw_tun_verdict v = decide(rules, frags, CW_IPIP_UP, outer, ip, now_boot_ms, ret);
	const struct cw_dptab_entry *other;
	struct cw_dptab_dyn *dyn;
	uint32_t to = ip->dst.v >> 24;

	if (v != CW_TUN_PASS)
		return v;
	if (to == 0 || to == 127 || to >= 224)
		return CW_TUN_MARTIAN;
	ret->hairpin = cw_dptab_find(rules->table, ip->dst.v, &other, &dyn) != CW_DPTAB_NONE;
	return ret->hairpin && !rules->hairpin ? CW_TUN_HAIRPIN : CW_TUN_PASS;
}

enum cw_tun_verdict cw_tun_decide_down(const struct cw_tun_rules *rules,
	struct cw_tun_fragments *frags, const struct cw_ipip_packet *ip, int64_t now_boot_ms,
	struct cw_tun_owner *ret)
{
	return decide(rules, frags, CW_IPIP_DOWN, NULL, ip, now_boot_ms, ret);
}
