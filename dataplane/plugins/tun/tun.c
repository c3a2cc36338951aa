/* SPDX-License-Identifier: BSD-2-Clause */
/* tun: a tunnel end point in user space, for any kernel with TUN and raw sockets. The kernel
 * routes IPv4 between the TUN device and the rest of the host, so TTL, time exceeded and the
 * routing table are its own; this plugin judges and wraps.
 *
 *	client ==IPv6==> raw socket -> up.c: judge, unwrap -> TUN -> kernel -> IPv4 network
 *	client <==IPv6== raw socket <- down.c: judge, wrap <- TUN <- kernel <- IPv4 network
 *
 * Reading order: schema/ipip (octets), decide.c (whose packet is it), up.c, down.c (the two
 * threads), this file (the plugin's operations, in the host's thread). The device lives as long
 * as the instance: when its host ends, the tunnel ends. */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "causeway-dataplane.h"

#include "dataplane/plugins/common/options.h"
#include "dataplane/plugins/common/table.h"
#include "dataplane/plugins/tun/forward.h"
#include "dataplane/plugins/tun/guard.h"
#include "schema/ipip/join.h"

enum {
	BATCH_MAX = 1024,
	PAGE_MAX = 4096,
	ROUTES_MAX = 64,
	OWN_MAX = 64,
	PROBE_MS = 300,
	MTU_DEFAULT = 1460
};

struct tun {
	struct cw_tun t; /* what the threads see */
	struct cw_tun_guard guard;
	struct cw_tun_route routes[ROUTES_MAX];
	size_t n_routes;
	uint8_t own[OWN_MAX][16]; /* this node's addresses: no tunnel ends (RFC 2473 4.1.2) */
	size_t n_own;
	uint64_t probe_token; /* 0: none running */
	uint64_t probe_seen;
	struct cw_dp_timer *probe_timer;
	struct cw_dp_result results[BATCH_MAX];
	struct cw_dp_row rows[PAGE_MAX];
};

static const struct cw_dp_option options[] = {
	{"dev", "cwtep%d", "name of the TUN device; %d is replaced by a free number"},
	{"mtu", "auto",
		"MTU of the tunnel (auto: that of the interface with the TEP's IPv6 address, less 40)"},
	{"hop_limit", "64", "hop limit of tunnel packets"},
	{"tclass", "copy",
		"traffic class of tunnel packets: copy (from the inner packet) or a number"},
	{"routes", "",
		"IPv4 prefixes to route to the device, with commas; none: the operator does it"},
	{"fragment", "inner",
		"packets larger than the tunnel: inner, outer (RFC 2473 7.2) or outer-ignore-df (RFC 6333 5.3)"},
	{"pmtu", "learn", "learn from ICMPv6 packet too big, or ignore it (anycast TEP address)"},
	{"icmp_unreach", "no",
		"answer packets without a binding: ICMPv6 1/5 to clients, ICMPv4 3/1 to others"},
	{"icmp_rate", "100", "ICMP errors a second, in each direction"},
	{"hairpin", "yes", "forward between two clients"},
	{"batch", "64", "packets taken at once"},
	{"gather_us", "50",
		"while packets stream out of the tunnel, microseconds to wait for more to take at once; 0: never"},
	{"max_bindings", "0", "refuse more bindings than this; 0 = bounded by memory only"},
	{NULL, NULL, NULL},
};

/* --- open --- */

/* "A.B.C.D/LEN" */
static bool parse_prefix(const char *s, size_t n, struct cw_tun_route *ret)
{
	char text[20], *slash;
	uint32_t addr;
	unsigned len;

	if (n >= sizeof text)
		return false;
	memcpy(text, s, n);
	text[n] = '\0';
	slash = strchr(text, '/');
	if (!slash || !slash[1] || strlen(slash) > 3 ||
		strspn(slash + 1, "0123456789") != strlen(slash + 1))
		return false;
	*slash = '\0';
	len = (unsigned) strtoul(slash + 1, NULL, 10);
	if (len > 32 || inet_pton(AF_INET, text, ret->addr) != 1)
		return false;
	memcpy(&addr, ret->addr, 4);
	if (len < 32 && (ntohl(addr) & (0xffffffffu >> len)))
		return false;
	ret->len = (uint8_t) len;
	return true;
}

static bool parse_routes(struct tun *self, const char *s, char *why, size_t why_n)
{
	while (*s) {
		size_t n = strcspn(s, ",");

		if (self->n_routes == ROUTES_MAX ||
			!parse_prefix(s, n, &self->routes[self->n_routes])) {
			(void) snprintf(why, why_n,
				"option routes: no prefix, or host bits set, or too many, at \"%.40s\"",
				s);
			return false;
		}
		self->n_routes++;
		s += n + (s[n] == ',');
	}
	return true;
}

static bool parse_mtu(struct tun *self, const struct cw_dp_open *open, char *why, size_t why_n)
{
	uint64_t v;

	if (strcmp(cw_dpopt_get(open, "mtu"), "auto") == 0) {
		unsigned path = cw_tun_mtu_of(open->ipv6);

		self->t.mtu = path >= 1280 && path <= 65535 ? path - CW_IPIP_OVERHEAD : MTU_DEFAULT;
		return true;
	}
	if (!cw_dpopt_u64(open, "mtu", CW_IPIP_MTU_MIN, CW_IPIP_MTU_MAX, &v, why, why_n))
		return false;
	self->t.mtu = (unsigned) v;
	return true;
}

static bool parse_yes(
	const struct cw_dp_open *open, const char *name, bool *ret, char *why, size_t why_n)
{
	static const char *const words[] = {"no", "yes", NULL};
	unsigned i;

	if (!cw_dpopt_word(open, name, words, &i, why, why_n))
		return false;
	*ret = i == 1;
	return true;
}

/* ret: hop limit and largest number of bindings, which the threads do not need. */
static bool parse_options(struct tun *self, const struct cw_dp_open *open, uint64_t *ret_hops,
	uint64_t *ret_max, char *why, size_t why_n)
{
	static const char *const modes[] = {"inner", "outer", "outer-ignore-df", NULL};
	static const char *const pmtu[] = {"ignore", "learn", NULL};
	unsigned mode, learn;
	uint64_t tclass = 0, rate, batch, gather;
	bool copy = strcmp(cw_dpopt_get(open, "tclass"), "copy") == 0;

	if (!cw_tun_device_name_ok(cw_dpopt_get(open, "dev"), why, why_n) ||
		!parse_mtu(self, open, why, why_n) ||
		!cw_dpopt_u64(open, "hop_limit", 1, 255, ret_hops, why, why_n) ||
		(!copy && !cw_dpopt_u64(open, "tclass", 0, 255, &tclass, why, why_n)) ||
		!parse_routes(self, cw_dpopt_get(open, "routes"), why, why_n) ||
		!cw_dpopt_word(open, "fragment", modes, &mode, why, why_n) ||
		!cw_dpopt_word(open, "pmtu", pmtu, &learn, why, why_n) ||
		!parse_yes(open, "icmp_unreach", &self->t.icmp_unreach, why, why_n) ||
		!parse_yes(open, "hairpin", &self->t.rules.hairpin, why, why_n) ||
		!cw_dpopt_u64(open, "icmp_rate", 0, 100000, &rate, why, why_n) ||
		!cw_dpopt_u64(open, "batch", 1, CW_IPIP_JOIN_MAX, &batch, why, why_n) ||
		!cw_dpopt_u64(open, "gather_us", 0, 1000, &gather, why, why_n) ||
		!cw_dpopt_u64(open, "max_bindings", 0, CW_DPTAB_MAX, ret_max, why, why_n))
		return false;
	self->t.tclass = copy ? -1 : (int) tclass;
	self->t.fragment = (enum cw_tun_frag_mode) mode;
	self->t.pmtu = learn == 1;
	self->t.icmp_per_s = (uint32_t) rate;
	self->t.batch = (unsigned) batch;
	self->t.gather_us = (unsigned) gather;
	return true;
}

static int tun_check(const struct cw_dp_open *open, char *why, size_t why_n)
{
	struct tun *self = calloc(1, sizeof *self);
	uint64_t hops, max;
	bool ok;

	if (!self) {
		(void) snprintf(why, why_n, "out of memory");
		return -ENOMEM;
	}
	ok = parse_options(self, open, &hops, &max, why, why_n);
	free(self);
	return ok ? 0 : -EINVAL;
}

static void note_own_addresses(struct tun *self)
{
	struct ifaddrs *list;

	memcpy(self->own[self->n_own++], self->t.tep6, 16);
	if (getifaddrs(&list) < 0)
		return;
	for (const struct ifaddrs *a = list; a && self->n_own < OWN_MAX; a = a->ifa_next) {
		struct sockaddr_in6 sin6;

		if (!a->ifa_addr || a->ifa_addr->sa_family != AF_INET6)
			continue;
		memcpy(&sin6, a->ifa_addr, sizeof sin6);
		memcpy(self->own[self->n_own++], &sin6.sin6_addr, 16);
	}
	freeifaddrs(list);
}

static void tun_close(void *p)
{
	struct tun *self = p;

	if (self->probe_timer)
		self->t.host->timer_cancel(self->t.host->ctx, self->probe_timer);
	cw_tun_guard_stop(&self->guard);
	cw_tun_forward_stop(&self->t);
	cw_tun_sockets_close(&self->t.sockets);
	cw_tun_device_close(&self->t.device);
	self->t.rules.table = cw_dptab_free(self->t.rules.table);
	free(self);
}

/* Takes the device into use. again: it was before. */
static int raise_device(struct tun *self, bool again, char *why, size_t why_n)
{
	struct cw_tun *t = &self->t;
	/* Where the outer packet is cut, the device must not be the bottleneck. */
	unsigned mtu = t->fragment == CW_TUN_FRAG_INNER ? t->mtu : 65535;
	int r = cw_tun_device_up(
		&t->device, mtu, t->tep4, self->routes, self->n_routes, again, why, why_n);

	if (r < 0 || t->running)
		return r;
	r = cw_tun_forward_start(t);
	if (r < 0)
		(void) snprintf(
			why, why_n, "cannot start the forwarding threads: %s", cw_dpopt_errno(-r));
	return r;
}

static void on_harm(void *arg);

static void listen_for_harm(struct tun *self)
{
	const struct cw_dp_host *h = self->t.host;

	if (cw_tun_guard_start(&self->guard, h, self->t.device.index, on_harm, self) < 0)
		h->log(h->ctx, CW_DP_LOG_WARNING,
			"cannot hear of what others do to the device: it is not put right");
}

/* The device was deleted: a new one of that name. */
static int make_again(struct tun *self, char *why, size_t why_n)
{
	char name[IFNAMSIZ];
	int r;

	cw_tun_guard_stop(&self->guard);
	cw_tun_forward_stop(&self->t);
	cw_tun_device_close(&self->t.device);
	memcpy(name, self->t.device.name, sizeof name);
	r = cw_tun_device_open(name, &self->t.device, why, why_n);
	if (r == 0)
		r = raise_device(self, true, why, why_n);
	listen_for_harm(self);
	return r;
}

static void on_harm(void *arg)
{
	struct tun *self = arg;
	const struct cw_dp_host *h = self->t.host;
	char name[IFNAMSIZ], why[200] = "", text[300];
	bool there = self->t.device.fd >= 0 && if_indextoname(self->t.device.index, name);
	int r = there ? raise_device(self, true, why, sizeof why)
		      : make_again(self, why, sizeof why);

	(void) snprintf(text, sizeof text, "somebody %s %s: %s%s", there ? "changed" : "deleted",
		self->t.device.name, r < 0 ? "nothing is forwarded: " : "put right", why);
	h->log(h->ctx, r < 0 ? CW_DP_LOG_ERR : CW_DP_LOG_WARNING, text);
	if (r < 0)
		cw_tun_guard_again(&self->guard);
}

static int bring_up(struct tun *self, const struct cw_dp_open *open, uint64_t hops, uint64_t max,
	char *why, size_t why_n)
{
	struct cw_tun *t = &self->t;
	int r;

	(void) snprintf(why, why_n, "out of memory");
	t->rules.table = cw_dptab_new((uint32_t) max, CW_DPTAB_SHARED | CW_DPTAB_COUNTERS);
	if (!t->rules.table)
		return -ENOMEM;
	r = cw_tun_sockets_open(t->tep6, (int) hops, t->pmtu, &t->sockets, why, why_n);
	if (r < 0)
		return r;
	r = cw_tun_device_open(cw_dpopt_get(open, "dev"), &t->device, why, why_n);
	if (r < 0)
		return r;
	r = raise_device(self, false, why, why_n);
	if (r == 0)
		listen_for_harm(self);
	return r;
}

static int tun_open(const struct cw_dp_host *host, const struct cw_dp_open *open,
	struct cw_dp_caps *ret_caps, void **ret_self, char *why, size_t why_n)
{
	static const uint32_t modes[] = {
		CW_DP_FRAG_INNER, CW_DP_FRAG_OUTER, CW_DP_FRAG_OUTER_IGNORE_DF};
	struct tun *self = calloc(1, sizeof *self);
	uint64_t hops, max;
	char text[128];
	int r;

	if (!self) {
		(void) snprintf(why, why_n, "out of memory");
		return -ENOMEM;
	}
	self->t.host = host;
	self->t.stop = self->t.device.fd = self->guard.fd = -1;
	self->t.sockets = (struct cw_tun_sockets){-1, -1, -1, -1, -1, -1, -1};
	memcpy(self->t.tep6, open->ipv6, 16);
	memcpy(self->t.tep4, open->ipv4, 4);
	if (getrandom(self->t.cookie, sizeof self->t.cookie, 0) != sizeof self->t.cookie)
		memset(self->t.cookie, 0x5a, sizeof self->t.cookie);
	r = parse_options(self, open, &hops, &max, why, why_n)
		    ? bring_up(self, open, hops, max, why, why_n)
		    : -EINVAL;
	if (r < 0) {
		tun_close(self);
		return r;
	}
	note_own_addresses(self);
	ret_caps->flags = CW_DP_CAP_ANTI_SPOOF | CW_DP_CAP_EXPIRY | CW_DP_CAP_COUNTERS |
			  CW_DP_CAP_FORWARDS | (self->t.rules.hairpin ? CW_DP_CAP_HAIRPIN : 0);
	ret_caps->ranges = CW_DP_RANGES_PSID;
	ret_caps->frag_modes = modes[self->t.fragment];
	ret_caps->max_bindings = cw_dptab_max(self->t.rules.table);
	ret_caps->batch_max = BATCH_MAX;
	(void) snprintf(text, sizeof text, "forwarding through %s, tunnel MTU %u%s",
		self->t.device.name, self->t.mtu,
		self->t.sockets.merged < 0 ? ", merged packets will be cut by a guess (no BPF)"
					   : "");
	host->log(host->ctx, self->t.sockets.merged < 0 ? CW_DP_LOG_WARNING : CW_DP_LOG_INFO, text);
	*ret_self = self;
	return 0;
}

/* --- operations --- */

static void note(struct tun *self, const char *text)
{
	self->t.host->probe_note(self->t.host->ctx, self->probe_token, text);
}

static void probe_end(void *p)
{
	struct tun *self = p;
	uint64_t token = self->probe_token;
	bool arrived = __atomic_load_n(&self->t.cookies_seen, __ATOMIC_RELAXED) > self->probe_seen;

	if (!arrived)
		note(self,
			"a trial packet (IPv6, next header 4) from the TEP to itself did not arrive: allow protocol 4 in "
			"the packet filter");
	self->probe_token = 0;
	self->probe_timer = NULL;
	self->t.host->complete(
		self->t.host->ctx, token, arrived ? CW_DP_OK : CW_DP_FAILED, NULL, 0);
}

/* False until there is a device again. */
static bool forwards(const struct tun *self)
{
	return self->t.running && !self->guard.gone;
}

static void tun_probe(void *p, uint64_t token)
{
	struct tun *self = p;
	struct cw_tun *t = &self->t;
	struct sockaddr_in6 to = {.sin6_family = AF_INET6};
	uint8_t trial[1 + sizeof t->cookie] = {0};

	if (self->probe_token) {
		t->host->complete(t->host->ctx, token, CW_DP_TRANSIENT, NULL, 0);
		return;
	}
	self->probe_token = token;
	if (!forwards(self)) {
		note(self, "the TUN device is gone and not made again yet: see the log");
		self->probe_token = 0;
		t->host->complete(t->host->ctx, token, CW_DP_FAILED, NULL, 0);
		return;
	}
	if (cw_tun_sysctl("/proc/sys/net/ipv4/ip_forward") == 0)
		note(self, "IPv4 forwarding is off: sysctl -w net.ipv4.ip_forward=1");
	if (cw_tun_sysctl("/proc/sys/net/ipv4/conf/all/rp_filter") == 1)
		note(self,
			"strict reverse path filtering: packets pass only if the pools are routed to the TUN device "
			"(sysctl net.ipv4.conf.all.rp_filter=2 or 0)");
	if (t->sockets.merged < 0)
		note(self,
			"the kernel refused a BPF socket filter, so how packets were merged (GRO, a local peer) is not known: TCP "
			"is cut at the tunnel's MTU, which fails on paths with a smaller one, and merged UDP is lost; grant CAP_BPF, "
			"or switch merging off (ethtool -K DEVICE gro off)");
	if (self->n_routes == 0)
		note(self,
			"no option routes: the pools must be routed to the TUN device by the operator");
	memcpy(trial + 1, t->cookie, sizeof t->cookie);
	memcpy(&to.sin6_addr, t->tep6, 16);
	self->probe_seen = __atomic_load_n(&t->cookies_seen, __ATOMIC_RELAXED);
	(void) sendto(t->sockets.tx, trial, sizeof trial, MSG_DONTWAIT, (struct sockaddr *) &to,
		sizeof to);
	self->probe_timer = t->host->timer_start(t->host->ctx, PROBE_MS, probe_end, self);
	if (!self->probe_timer) {
		self->probe_token = 0;
		t->host->complete(t->host->ctx, token, CW_DP_TRANSIENT, NULL, 0);
	}
}

static bool is_own(const struct tun *self, const uint8_t ipv6[16])
{
	for (size_t i = 0; i < self->n_own; i++) {
		if (memcmp(self->own[i], ipv6, 16) == 0)
			return true;
	}
	return false;
}

static void answer(struct tun *self, uint64_t token, size_t n)
{
	/* Confirmed means: no packet still uses what was there before. */
	cw_tun_forward_settle(&self->t);
	self->t.host->complete(self->t.host->ctx, token, CW_DP_OK, self->results, n);
}

static enum cw_dp_status apply_one(struct tun *self, const struct cw_dp_binding *b)
{
	if (is_own(self, b->ipv6))
		return CW_DP_INVALID;
	if (!forwards(self))
		return CW_DP_TRANSIENT;
	return cw_dptab_apply(self->t.rules.table, b);
}

static void tun_apply(void *p, uint64_t token, const struct cw_dp_binding *items, size_t n)
{
	struct tun *self = p;

	if (n > BATCH_MAX) { /* a host that ignores batch_max */
		self->t.host->complete(self->t.host->ctx, token, CW_DP_UNSUPPORTED, NULL, 0);
		return;
	}
	memset(self->results, 0, n * sizeof *self->results);
	for (size_t i = 0; i < n; i++)
		self->results[i].status = apply_one(self, &items[i]);
	/* The first packet of a new client shall not queue among strangers. */
	if (self->t.sockets.others >= 0 && cw_dptab_count(self->t.rules.table) <= CW_TUN_KNOWN_MAX)
		for (size_t i = 0; i < n; i++)
			if (self->results[i].status == CW_DP_OK)
				cw_tun_sockets_know(&self->t.sockets, items[i].ipv6, true);
	answer(self, token, n);
}

static void tun_remove(void *p, uint64_t token, const struct cw_dp_removal *items, size_t n)
{
	struct tun *self = p;

	if (n > BATCH_MAX) {
		self->t.host->complete(self->t.host->ctx, token, CW_DP_UNSUPPORTED, NULL, 0);
		return;
	}
	memset(self->results, 0, n * sizeof *self->results);
	for (size_t i = 0; i < n; i++)
		self->results[i].status =
			cw_dptab_remove(self->t.rules.table, &items[i], &self->results[i].counters);
	answer(self, token, n);
}

static void tun_list(void *p, uint64_t token, struct cw_dp_cursor after, size_t max)
{
	struct tun *self = p;
	const struct cw_dp_host *h = self->t.host;
	struct cw_dp_cursor next;
	bool more;
	long n = cw_dptab_list(self->t.rules.table, after, max < PAGE_MAX ? max : PAGE_MAX,
		self->rows, &more, &next);

	if (n < 0)
		h->complete_list(h->ctx, token, CW_DP_TRANSIENT, NULL, 0, NULL);
	else
		h->complete_list(
			h->ctx, token, CW_DP_OK, self->rows, (size_t) n, more ? &next : NULL);
}

static void tun_stats(void *p, uint64_t token)
{
	struct tun *self = p;
	const struct cw_tun_counts *up = &self->t.up_counts, *down = &self->t.down_counts;
	struct cw_dp_stat s[20 + CW_TUN_VERDICTS] = {
		{"bindings", cw_dptab_count(self->t.rules.table)},
		{"up.packets", CW_TUN_READ(up->packets)},
		{"up.bytes", CW_TUN_READ(up->bytes)},
		{"up.merged", CW_TUN_READ(up->merged)},
		{"up.joined", CW_TUN_READ(up->joined)},
		{"up.hairpin", CW_TUN_READ(up->hairpin)},
		{"down.packets", CW_TUN_READ(down->packets)},
		{"down.bytes", CW_TUN_READ(down->bytes)},
		{"down.merged", CW_TUN_READ(down->merged)},
		{"down.fragmented", CW_TUN_READ(down->fragmented)},
		{"icmp4.sent", CW_TUN_READ(down->icmp_sent)},
		{"icmp6.sent", CW_TUN_READ(up->icmp_sent)},
		{"icmp6.received", CW_TUN_READ(down->errors)},
		{"drop.overrun", cw_tun_sockets_overrun(self->t.sockets.rx) +
					 cw_tun_sockets_overrun(self->t.sockets.merged)},
		{"drop.overrun_strangers", cw_tun_sockets_overrun(self->t.sockets.others)},
		{"icmp.limited", CW_TUN_READ(up->icmp_limited) + CW_TUN_READ(down->icmp_limited)},
	};
	size_t n = 16;

	for (unsigned v = CW_TUN_PASS + 1; v < CW_TUN_VERDICTS; v++)
		s[n++] = (struct cw_dp_stat){cw_tun_verdict_name((enum cw_tun_verdict) v),
			CW_TUN_READ(up->verdicts[v]) + CW_TUN_READ(down->verdicts[v])};
	self->t.host->complete_stats(self->t.host->ctx, token, s, n);
}

static void tun_flush(void *p, uint64_t token)
{
	struct tun *self = p;

	cw_dptab_flush(self->t.rules.table);
	cw_tun_forward_settle(&self->t);
	self->t.host->complete(self->t.host->ctx, token, CW_DP_OK, NULL, 0);
}

static const struct cw_dp_ops ops = {
	.open = tun_open,
	.close = tun_close,
	.probe = tun_probe,
	.apply = tun_apply,
	.remove = tun_remove,
	.list = tun_list,
	.stats = tun_stats,
	.flush = tun_flush,
};

const struct cw_dp_plugin cw_dataplane_plugin = {
	.abi = CW_DP_ABI,
	.size = sizeof cw_dataplane_plugin,
	.name = "tun",
	.version = "1",
	.help = "A tunnel end point in user space: TUN device and raw IPv6 socket.",
	.needs = "CAP_NET_ADMIN CAP_NET_RAW CAP_BPF",
	.options = options,
	.ops = &ops,
	.check = tun_check,
};
