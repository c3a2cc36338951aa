/* SPDX-License-Identifier: BSD-2-Clause */
/* The tunnel interface of kind `tun`: a TUN device and a raw IPv6 socket for protocol 4, with a
 * thread of its own that carries packets between them in batches. Works on kernels without ip6tnl.
 * RFC 2473 (encapsulation, hop limit, class, ICMP), guide dataplane.md 1 and 5. Here: how it is set
 * up, its MTU, ICMPv6 errors, the thread; carry.c has the way of the packets.
 *
 * The socket is bound to this end of the tunnel and connected to the TEP, so the kernel
 * reassembles, removes extension headers and filters by both addresses before we look.
 *
 * Threads: open and close the owner's; everything from run() down is the packet thread's, which
 * also owns the netlink handle while it runs. Counters and the MTU are atomic. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/if_tun.h>
#include <linux/sock_diag.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "client/dti/dti.h"
#include "client/dti/netlink.h"
#include "client/dti/tun.h"

#ifndef IPV6_MTU
#define IPV6_MTU 24
#endif

enum {
	BUFFER_OCTETS = 4 * 1024 * 1024, /* socket buffers */
	ERRORS_PER_TURN = 64,
	RAISE_MS = 605 * 1000, /* the kernel forgets a learned path MTU after 600 s */
	OVER_MS = 100,         /* between looks whether a lease that is over goes on */
	LOOK_MS = 5000,        /* between looks at the path MTU that nobody tells us about */
	ERRORS_PER_S = 10,     /* ICMPv4 errors written to the host (RFC 7596 9: rate-limited) */
	UNBOUND_MS = 10 * 1000,
};

static int64_t now_ms(void)
{
	return cw_clock_now(&cw_system_clock).mono_us / 1000;
}

/* ---- MTU ---- */

/* What the kernel knows of the path to the TEP, less the overhead, within the bounds. */
static unsigned path_mtu(const struct tun *t)
{
	int value = 0;
	socklen_t n = sizeof value;

	if (getsockopt(t->raw, IPPROTO_IPV6, IPV6_MTU, &value, &n) < 0 || value <= 0)
		value = 1280;
	value -= CW_IPIP_OVERHEAD;
	return value < CW_IPIP_MTU_MIN   ? CW_IPIP_MTU_MIN
	       : value > CW_IPIP_MTU_MAX ? CW_IPIP_MTU_MAX
					 : (unsigned) value;
}

static void change_mtu(struct tun *t, unsigned mtu)
{
	if (mtu == atomic_load(&t->mtu) || cw_netlink_mtu(t->nl, t->index, mtu) < 0)
		return;
	atomic_store(&t->mtu, mtu);
	if (t->conf.event)
		t->conf.event(t->conf.arg, CW_DTI_EV_MTU, (int) mtu);
}

/* RFC 2473 7.2: packet too big about an outer packet. */
static void too_big(struct tun *t, unsigned outer_mtu)
{
	unsigned mtu = outer_mtu > CW_IPIP_MTU_MIN + CW_IPIP_OVERHEAD ? outer_mtu - CW_IPIP_OVERHEAD
								      : CW_IPIP_MTU_MIN;

	if (mtu >= atomic_load(&t->mtu))
		return;
	t->raise_at = now_ms() + RAISE_MS;
	change_mtu(t, mtu);
}

static void raise_mtu(struct tun *t)
{
	unsigned mtu = path_mtu(t);

	t->raise_at = INT64_MAX;
	if (mtu > t->mtu_top)
		mtu = t->mtu_top;
	if (mtu > atomic_load(&t->mtu))
		change_mtu(t, mtu);
}

/* When the host's own link shrinks no error comes: the kernel cuts the outer packets. */
static void look_at_path(struct tun *t)
{
	t->look_at = now_ms() + LOOK_MS;
	too_big(t, path_mtu(t) + CW_IPIP_OVERHEAD);
}

/* ---- ICMPv6 errors about what we sent ---- */

static bool error_allowed(struct tun *t)
{
	int64_t now = now_ms();

	if (now - t->errors_window >= 1000) {
		t->errors_window = now;
		t->errors_used = 0;
	}
	return t->errors_used++ < ERRORS_PER_S;
}

/* RFC 2473 8.1, 8.3: unreachable, hop limit and parameter problem become ICMPv4 3/1 to the inner
 * source. */
static void tell_host(struct tun *t, const struct cw_ipip_packet *about)
{
	struct virtio_net_hdr head = {0};
	uint8_t icmp[CW_IPIP_ERROR_MAX];
	struct iovec iov[2] = {{&head, sizeof head}, {icmp, 0}};

	if (!t->conf.has_tep4 || !cw_ipip_may_complain(about) || !error_allowed(t))
		return;
	iov[1].iov_len = cw_ipip_error(about, 1, 0, t->conf.tep4, icmp);
	(void) !writev(t->tun, iov, 2);
}

static void one_error(struct tun *t, const struct sock_extended_err *ee,
	const struct sockaddr_in6 *offender, uint8_t *quoted, size_t n)
{
	struct cw_ipip_packet ip;
	struct cw_addr6 by;

	/* The kernel matched both outer addresses; the quote must be of our lease as well, or it is
	 * forged (guide dataplane.md 1). */
	if (!cw_ipip_parse_quoted(quoted, n, &ip) || ip.src.v != t->conf.ipv4.v)
		return;
	cw_dti_tun_count(t, CW_DTI_ICMP_ERRORS, 1);
	if (ee->ee_errno == EMSGSIZE) {
		too_big(t, ee->ee_info);
		return;
	}
	if (ee->ee_origin != SO_EE_ORIGIN_ICMP6)
		return;
	memcpy(by.b, &offender->sin6_addr, sizeof by.b);
	if (ee->ee_type == ICMP6_DST_UNREACH && ee->ee_code == 5 &&
		cw_addr6_eq(&by, &t->conf.tep) && now_ms() >= t->unbound_at && t->conf.event) {
		t->unbound_at = now_ms() + UNBOUND_MS;
		t->conf.event(t->conf.arg, CW_DTI_EV_UNBOUND, 0);
	}
	tell_host(t, &ip);
}

/* true: there was one. */
static bool read_error(struct tun *t)
{
	union {
		struct cmsghdr align;
		uint8_t room[512];
	} control;
	uint8_t quoted[1500];
	struct iovec iov = {quoted, sizeof quoted};
	struct msghdr m = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control};
	struct {
		struct sock_extended_err ee;
		struct sockaddr_in6 offender;
	} e;
	ssize_t n = recvmsg(t->raw, &m, MSG_ERRQUEUE | MSG_DONTWAIT);

	if (n < 0)
		return false;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_level != IPPROTO_IPV6 || c->cmsg_type != IPV6_RECVERR ||
			c->cmsg_len < CMSG_LEN(sizeof e))
			continue;
		memcpy(&e, CMSG_DATA(c), sizeof e);
		one_error(t, &e.ee, &e.offender, quoted, (size_t) n);
	}
	return true;
}

void cw_dti_tun_errors(struct tun *t)
{
	int value;
	socklen_t n = sizeof value;

	for (int i = 0; i < ERRORS_PER_TURN && read_error(t); i++)
		;
	/* The error is also left on the socket, where the next send would stumble over it. */
	(void) getsockopt(t->raw, SOL_SOCKET, SO_ERROR, &value, &n);
}

/* ---- the thread ---- */

static bool over(const struct tun *t)
{
	int64_t expires = atomic_load(&t->expires);

	return expires && cw_clock_now(&cw_system_clock).boot_ms >= expires;
}

static void *run(void *arg)
{
	struct tun *t = arg;
	struct pollfd p[3] = {{.fd = t->tun, .events = POLLIN}, {.fd = t->raw, .events = POLLIN},
		{.fd = t->stop, .events = POLLIN}};
	bool more = false;

	for (;;) {
		int64_t left = t->raise_at == INT64_MAX ? -1 : t->raise_at - now_ms();
		int wait = more              ? 0
			   : left < 0        ? (t->raise_at == INT64_MAX ? -1 : 0)
			   : left > RAISE_MS ? RAISE_MS
					     : (int) left;

		if (poll(p, CW_ARRAY_LEN(p), wait) < 0 && errno != EINTR)
			break;
		if (p[2].revents)
			return NULL;
		if (over(t)) {
			/* The owner closes us, or has a renewal to tell. */
			(void) poll(&p[2], 1, OVER_MS);
			continue;
		}
		if (t->raise_at <= now_ms())
			raise_mtu(t);
		if (p[1].revents & POLLERR)
			cw_dti_tun_errors(t);
		more = false;
		if (p[1].revents & POLLIN)
			more = cw_dti_tun_down(t);
		if (p[0].revents & POLLIN) {
			if (now_ms() >= t->look_at)
				look_at_path(t);
			more = cw_dti_tun_up(t) || more;
		}
		/* The device was deleted under us. */
		if (p[0].revents & (POLLERR | POLLHUP | POLLNVAL))
			break;
	}
	if (t->conf.event)
		t->conf.event(t->conf.arg, CW_DTI_EV_FAILED, -EIO);
	return NULL;
}

static int start_thread(struct tun *t)
{
	sigset_t all;
	sigset_t old;
	int r;

	/* Signals are the main loop's. */
	(void) sigfillset(&all);
	(void) pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&t->thread, NULL, run, t);
	(void) pthread_sigmask(SIG_SETMASK, &old, NULL);
	t->running = r == 0;
	return -r;
}

/* ---- open and close ---- */

static int open_device(struct tun *t, const char *name)
{
	struct ifreq req = {
		.ifr_flags = (short) (IFF_TUN | IFF_TUN_EXCL | IFF_NO_PI | IFF_VNET_HDR)};
	size_t n = strlen(name);

	if (n >= sizeof req.ifr_name)
		return -ENAMETOOLONG;
	memcpy(req.ifr_name, name, n);
	t->tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (t->tun < 0)
		return -errno;
	/* What the host sends arrives in TCP packets of up to 64 KB, to be cut here: one system
	 * call, and one way through the kernel's stack, for forty. */
	if (ioctl(t->tun, TUNSETIFF, &req) < 0 ||
		ioctl(t->tun, TUNSETOFFLOAD, (unsigned long) (TUN_F_CSUM | TUN_F_TSO4)) < 0)
		return -errno;
	memcpy(t->device, req.ifr_name, sizeof t->device);
	t->device[sizeof t->device - 1] = '\0';
	t->index = cw_netlink_index(t->device);
	return t->index < 0 ? t->index : 0;
}

static int open_raw(struct tun *t)
{
	struct sockaddr_in6 local = {.sin6_family = AF_INET6};
	struct sockaddr_in6 tep = {.sin6_family = AF_INET6};
	const int on = 1;
	const int octets = BUFFER_OCTETS;
	const int hops = t->conf.hop_limit ? (int) t->conf.hop_limit : -1;

	memcpy(&local.sin6_addr, t->conf.local.b, sizeof t->conf.local.b);
	memcpy(&tep.sin6_addr, t->conf.tep.b, sizeof t->conf.tep.b);
	t->raw = socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_IPIP);
	if (t->raw < 0)
		return -errno;
	(void) setsockopt(t->raw, SOL_SOCKET, SO_RCVBUFFORCE, &octets, sizeof octets);
	(void) setsockopt(t->raw, SOL_SOCKET, SO_SNDBUFFORCE, &octets, sizeof octets);
	if (setsockopt(t->raw, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof on) < 0 ||
		setsockopt(t->raw, IPPROTO_IPV6, IPV6_RECVTCLASS, &on, sizeof on) < 0 ||
		setsockopt(t->raw, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, sizeof hops) < 0 ||
		bind(t->raw, (struct sockaddr *) &local, sizeof local) < 0 ||
		connect(t->raw, (struct sockaddr *) &tep, sizeof tep) < 0)
		return -errno;
	return 0;
}

static int configure(struct tun *t, const struct cw_dti_conf *conf, const char **ret_what)
{
	unsigned mtu = path_mtu(t);
	int r;

	t->mtu_top = conf->mtu ? conf->mtu : CW_IPIP_MTU_MAX;
	if (mtu > t->mtu_top)
		mtu = t->mtu_top;
	*ret_what = "cannot talk to the kernel about network devices";
	r = cw_netlink_open(&t->nl);
	if (r < 0)
		return r;
	*ret_what = "cannot set MTU and state of the device";
	r = cw_netlink_up(t->nl, t->index, mtu);
	if (r < 0)
		return r;
	atomic_store(&t->mtu, mtu);
	*ret_what = "cannot give the device its address";
	r = cw_netlink_addr4(t->nl, t->index, conf->ipv4);
	r = r == -EEXIST ? 0 : r;
	*ret_what = r < 0 ? *ret_what : "cannot add a route (is there one with the same metric?)";
	for (unsigned i = 0; r == 0 && i < conf->n_routes; i++)
		r = cw_netlink_route4(t->nl, t->index, &conf->routes[i], conf->metric, conf->ipv4);
	return r;
}

static void tun_close(struct cw_dti *d)
{
	struct tun *t = cw_container_of(d, struct tun, dti);
	const uint64_t one = 1;

	if (t->running) {
		(void) !write(t->stop, &one, sizeof one);
		(void) pthread_join(t->thread, NULL);
	}
	/* The device goes with its descriptor; address and routes go with the device. */
	cw_closep(&t->tun);
	cw_closep(&t->raw);
	cw_closep(&t->stop);
	t->nl = cw_netlink_close(t->nl);
	t->slots = cw_free(t->slots);
	(void) cw_free(t);
}

/* NULL: there can be a tunnel between them. */
static const char *wrong_ends(const struct cw_dti_conf *conf)
{
	if (!cw_addr6_is_tunnel_end(&conf->local))
		return "this end of the tunnel is not a global IPv6 address; name one with source, or --source";
	if (!cw_addr6_is_tunnel_end(&conf->tep))
		return "the broker's end of the tunnel is not a global IPv6 address";
	return cw_addr6_eq(&conf->local, &conf->tep) ? "both ends of the tunnel are one address"
						     : NULL;
}

static const char *why_no_raw(int r)
{
	switch (r) {
	case -EADDRNOTAVAIL:
		return "cannot open a raw socket: this end of the tunnel is not an address of this host; "
		       "name one with source, or --source";
	case -ENETUNREACH:
	case -EHOSTUNREACH:
		return "cannot open a raw socket: this host has no route to the TEP's IPv6 address";
	default:
		return "cannot open a raw socket for the tunnel (CAP_NET_RAW?)";
	}
}

static int tun_set_up(struct tun *t, const struct cw_dti_conf *conf, const char **ret_what)
{
	int r;

	*ret_what = wrong_ends(conf);
	if (*ret_what)
		return -EADDRNOTAVAIL;
	*ret_what = "cannot make room for packets";
	t->slots = cw_zalloc(CW_DTI_BATCH, CW_DTI_SLOT);
	t->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!t->slots || t->stop < 0)
		return -ENOMEM;
	r = open_raw(t);
	*ret_what = why_no_raw(r);
	if (r < 0)
		return r;
	*ret_what =
		"cannot make the TUN device (CAP_NET_ADMIN, /dev/net/tun, and the name is free?)";
	r = open_device(t, conf->device);
	if (r < 0)
		return r;
	r = configure(t, conf, ret_what);
	if (r < 0)
		return r;
	*ret_what = "cannot start the packet thread";
	return start_thread(t);
}

static int tun_open(const struct cw_dti_conf *conf, struct cw_dti **ret, const char **ret_what)
{
	struct tun *t = cw_zalloc(1, sizeof *t);
	int r;

	if (!t)
		return -ENOMEM;
	t->dti.ops = &cw_dti_tun;
	t->conf = *conf;
	t->conf.device = NULL;
	t->tun = t->raw = t->stop = -1;
	t->raise_at = INT64_MAX;
	atomic_store(&t->expires, conf->expires_boot_ms);
	r = tun_set_up(t, conf, ret_what);
	if (r < 0) {
		tun_close(&t->dti);
		return r;
	}
	*ret = &t->dti;
	return 0;
}

static const char *tun_device(const struct cw_dti *d)
{
	return ((const struct tun *) (const void *) d)->device;
}

static int tun_index(const struct cw_dti *d)
{
	return ((const struct tun *) (const void *) d)->index;
}

static unsigned tun_mtu(struct cw_dti *d)
{
	return atomic_load(&cw_container_of(d, struct tun, dti)->mtu);
}

static void tun_stats(struct cw_dti *d, struct cw_dti_stats *ret)
{
	struct tun *t = cw_container_of(d, struct tun, dti);
	uint64_t v[CW_DTI_COUNTERS];
	uint32_t info[SK_MEMINFO_VARS] = {0};
	socklen_t n = sizeof info;

	for (int i = 0; i < CW_DTI_COUNTERS; i++)
		v[i] = atomic_load_explicit(&t->counters[i], memory_order_relaxed);
	(void) getsockopt(t->raw, SOL_SOCKET, SO_MEMINFO, info, &n);
	*ret = (struct cw_dti_stats){.up_packets = v[CW_DTI_UP_PACKETS],
		.up_bytes = v[CW_DTI_UP_BYTES],
		.down_packets = v[CW_DTI_DOWN_PACKETS],
		.down_bytes = v[CW_DTI_DOWN_BYTES],
		.drop_source = v[CW_DTI_DROP_SOURCE],
		.drop_destination = v[CW_DTI_DROP_DESTINATION],
		.drop_outer = v[CW_DTI_DROP_OUTER],
		.drop_malformed = v[CW_DTI_DROP_MALFORMED],
		.drop_ecn = v[CW_DTI_DROP_ECN],
		.drop_merged = v[CW_DTI_DROP_MERGED],
		.drop_overrun = info[SK_MEMINFO_DROPS],
		.drop_send = v[CW_DTI_DROP_SEND],
		.offloaded = v[CW_DTI_OFFLOADED],
		.joined = v[CW_DTI_JOINED],
		.cut = v[CW_DTI_CUT],
		.icmp_errors = v[CW_DTI_ICMP_ERRORS]};
}

static void tun_extend(struct cw_dti *d, int64_t expires_boot_ms)
{
	struct tun *t = cw_container_of(d, struct tun, dti);

	atomic_store(&t->expires, expires_boot_ms);
}

/* Each step is for what may be there already. */
static int put_back(struct tun *t, struct cw_netlink *nl)
{
	const struct cw_dti_conf *conf = &t->conf;
	int r = cw_netlink_is_up(t->index);
	int put = 0;

	if (r == 0) {
		r = cw_netlink_up(nl, t->index, atomic_load(&t->mtu));
		put |= CW_DTI_PUT_LINK;
	}
	if (r < 0)
		return r;
	r = cw_netlink_addr4(nl, t->index, conf->ipv4);
	if (r < 0 && r != -EEXIST)
		return r;
	put |= r == 0 ? CW_DTI_PUT_ADDRESS : 0;
	for (unsigned i = 0; i < conf->n_routes; i++) {
		r = cw_netlink_route4(nl, t->index, &conf->routes[i], conf->metric, conf->ipv4);
		if (r < 0 && r != -EEXIST)
			return r;
		put |= r == 0 ? CW_DTI_PUT_ROUTES : 0;
	}
	return put;
}

/* The owner's thread: with a handle of its own, for the other is the packet thread's. */
static int tun_repair(struct cw_dti *d)
{
	struct tun *t = cw_container_of(d, struct tun, dti);
	struct cw_netlink *nl;
	int r = cw_netlink_open(&nl);

	if (r < 0)
		return r;
	r = put_back(t, nl);
	(void) cw_netlink_close(nl);
	return r;
}

const struct cw_dti_ops cw_dti_tun = {
	.name = "tun",
	.kind = CW_DTI_TUN,
	.open = tun_open,
	.close = tun_close,
	.device = tun_device,
	.index = tun_index,
	.mtu = tun_mtu,
	.stats = tun_stats,
	.extend = tun_extend,
	.repair = tun_repair,
};
