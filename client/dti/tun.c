/* SPDX-License-Identifier: BSD-2-Clause */
/* The tunnel interface of kind `tun`: a TUN device and a raw IPv6 socket for protocol 4, with a
 * thread of its own that carries packets between them in batches. Works on kernels without ip6tnl.
 * RFC 2473 (encapsulation, hop limit, class, ICMP), RFC 6040 (ECN), RFC 7596 5.2 (what a client
 * must not let in), guide dataplane.md 1 and 5.
 *
 * The socket is bound to this end of the tunnel and connected to the TEP, so the kernel
 * reassembles, removes extension headers and filters by both addresses before we look. It also
 * receives what offloads left behind: merged TCP segments and unfinished checksums, which go into
 * the TUN with a virtio header that says so.
 *
 * Threads: open and close the owner's; everything from run() down is the packet thread's, which
 * also owns the netlink handle while it runs. Counters and the MTU are atomic. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/if_tun.h>
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
#include "schema/ipip/ipip.h"

#ifndef IPV6_MTU
#define IPV6_MTU 24
#endif

enum {
	BATCH = 64,
	PACKET_MAX = 65536,
	BUFFER_OCTETS = 4 * 1024 * 1024, /* socket buffers */
	SEND_WAIT_MS = 10,
	RAISE_MS = 605 * 1000, /* the kernel forgets a learned path MTU after 600 s */
	LOOK_MS = 5000,        /* between looks at the path MTU that nobody tells us about */
	ERRORS_PER_S = 10,     /* ICMPv4 errors written to the host (RFC 7596 9: rate-limited) */
	UNBOUND_MS = 10 * 1000,
};

enum counter {
	UP_PACKETS,
	UP_BYTES,
	DOWN_PACKETS,
	DOWN_BYTES,
	DROP_SOURCE,
	DROP_DESTINATION,
	DROP_OUTER,
	DROP_MALFORMED,
	DROP_ECN,
	DROP_MERGED,
	DROP_SEND,
	OFFLOADED,
	ICMP_ERRORS,
	COUNTERS
};

union class_cmsg {
	struct cmsghdr align;
	uint8_t room[CMSG_SPACE(sizeof(int))];
};

struct tun {
	struct cw_dti dti;       /* first: see struct cw_dti */
	struct cw_dti_conf conf; /* device and routes are not kept */
	char device[IFNAMSIZ];
	int index;
	int tun;
	int raw;
	int stop;
	struct cw_netlink *nl;
	pthread_t thread;
	bool running;
	unsigned mtu_top; /* never above this */
	_Atomic unsigned mtu;
	_Atomic uint64_t counters[COUNTERS];

	/* packet thread */
	int64_t raise_at;
	int64_t look_at;
	int64_t unbound_at;
	int64_t errors_window;
	unsigned errors_used;
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH][2];
	struct sockaddr_in6 from[BATCH];
	union class_cmsg control[BATCH];
	struct virtio_net_hdr head[BATCH];
	uint8_t (*packets)[PACKET_MAX];
};

static void count(struct tun *t, enum counter c, uint64_t n)
{
	(void) atomic_fetch_add_explicit(&t->counters[c], n, memory_order_relaxed);
}

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
	count(t, ICMP_ERRORS, 1);
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

static void read_errors(struct tun *t)
{
	int value;
	socklen_t n = sizeof value;

	for (int i = 0; i < BATCH && read_error(t); i++)
		;
	/* The error is also left on the socket, where the next send would stumble over it. */
	(void) getsockopt(t->raw, SOL_SOCKET, SO_ERROR, &value, &n);
}

/* ---- up: host to TEP ---- */

static bool allowed(const struct tun *t, const struct cw_ipip_packet *ip, enum cw_ipip_side side)
{
	struct cw_addr4 ours = side == CW_IPIP_UP ? ip->src : ip->dst;
	uint16_t port;

	if (ours.v != t->conf.ipv4.v)
		return false;
	if (cw_portset_is_whole(t->conf.ports))
		return true;
	return cw_ipip_port_of(ip, side, &port) == CW_IPIP_PORT_IS &&
	       cw_portset_has(t->conf.ports, port);
}

static void set_class(union class_cmsg *c, int traffic_class)
{
	c->align = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)),
		.cmsg_level = IPPROTO_IPV6,
		.cmsg_type = IPV6_TCLASS};
	memcpy(CMSG_DATA(&c->align), &traffic_class, sizeof traffic_class);
}

/* Reads one packet into slot i: 1 to be sent, 0 dropped, -1 no more. */
static int read_up(struct tun *t, int i)
{
	uint8_t *p = t->packets[i];
	struct iovec iov[2] = {{&t->head[i], sizeof t->head[i]}, {p, PACKET_MAX}};
	ssize_t n = readv(t->tun, iov, 2);
	struct cw_ipip_packet ip;

	if (n < 0)
		return -1;
	n -= (ssize_t) sizeof t->head[i];
	if (n <= 0 || !cw_ipip_parse(p, (size_t) n, &ip)) {
		count(t, DROP_MALFORMED, 1);
		return 0;
	}
	if (!allowed(t, &ip, CW_IPIP_UP)) {
		count(t, DROP_SOURCE, 1);
		return 0;
	}
	t->iov[i][0] = (struct iovec){p, ip.total};
	/* RFC 7596 6.2 by way of RFC 2983: the class is copied, ECN with it (RFC 6040 4.1). The
	 * flow label stays 0 (RFC 2473 6.5), the TTL was the kernel's business. */
	set_class(&t->control[i], ip.tos);
	t->msgs[i].msg_hdr = (struct msghdr){.msg_iov = t->iov[i],
		.msg_iovlen = 1,
		.msg_control = &t->control[i],
		.msg_controllen = sizeof t->control[i]};
	return 1;
}

static bool wait_writable(const struct tun *t)
{
	struct pollfd p = {.fd = t->raw, .events = POLLOUT};

	return poll(&p, 1, SEND_WAIT_MS) == 1 && p.revents & POLLOUT;
}

static void send_up(struct tun *t, unsigned n)
{
	unsigned at = 0;
	bool again = false; /* the message at `at` has had its second try */

	while (at < n) {
		int sent = sendmmsg(t->raw, t->msgs + at, n - at, 0);

		if (sent > 0) {
			for (unsigned i = at; i < at + (unsigned) sent; i++)
				count(t, UP_BYTES, t->iov[i][0].iov_len);
			count(t, UP_PACKETS, (unsigned) sent);
			at += (unsigned) sent;
			again = false;
			continue;
		}
		if (errno == EINTR)
			continue;
		/* No room: wait a little. Anything else may be an earlier packet's ICMP error. */
		if (!again && (errno == EAGAIN ? wait_writable(t) : (read_errors(t), true))) {
			again = true;
			continue;
		}
		count(t, DROP_SEND, 1);
		again = false;
		at++;
	}
}

/* true: there may be more. */
static bool up(struct tun *t)
{
	unsigned n = 0;
	int r = 1;

	for (int tries = 0; tries < BATCH && r >= 0; tries++) {
		r = read_up(t, (int) n);
		if (r > 0)
			n++;
	}
	send_up(t, n);
	return r >= 0;
}

/* ---- down: TEP to host ---- */

static int class_of(struct msghdr *m)
{
	int value = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS)
			memcpy(&value, CMSG_DATA(c), sizeof value);
	return value;
}

static void describe(struct virtio_net_hdr *head, const struct cw_ipip_offload *o)
{
	*head = (struct virtio_net_hdr){0};
	if (o->needs_csum) {
		head->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		head->csum_start = o->csum_start;
		head->csum_offset = o->csum_offset;
	}
	if (o->segment) {
		head->gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		head->hdr_len = o->header;
		head->gso_size = o->segment;
	}
}

/* Checks one packet that came from the tunnel: UP_PACKETS (no counter of a drop) if it may pass. */
static enum counter check_down(
	struct tun *t, int i, struct cw_ipip_packet *ip, struct cw_ipip_offload *o)
{
	struct msghdr *m = &t->msgs[i].msg_hdr;
	struct cw_addr6 by;

	memcpy(by.b, &t->from[i].sin6_addr, sizeof by.b);
	if (!cw_addr6_eq(&by, &t->conf.tep))
		return DROP_OUTER;
	if (m->msg_flags & MSG_TRUNC || !cw_ipip_parse(t->packets[i], t->msgs[i].msg_len, ip))
		return DROP_MALFORMED;
	if (!allowed(t, ip, CW_IPIP_DOWN))
		return DROP_DESTINATION;
	if (!cw_ipip_ecn_decap(ip, (uint8_t) class_of(m)))
		return DROP_ECN;
	if (cw_ipip_offload(ip, atomic_load_explicit(&t->mtu, memory_order_relaxed), o) ==
		CW_IPIP_UNUSABLE)
		return DROP_MERGED;
	return UP_PACKETS;
}

static void deliver(struct tun *t, int i)
{
	struct cw_ipip_offload o;
	struct virtio_net_hdr head;
	struct cw_ipip_packet ip;
	struct iovec iov[2] = {{&head, sizeof head}, {t->packets[i], 0}};
	enum counter drop = check_down(t, i, &ip, &o);

	if (drop != UP_PACKETS) {
		count(t, drop, 1);
		return;
	}
	describe(&head, &o);
	iov[1].iov_len = ip.total;
	if (writev(t->tun, iov, 2) < 0) {
		count(t, errno == EINVAL ? DROP_MALFORMED : DROP_SEND, 1);
		return;
	}
	count(t, DOWN_PACKETS, 1);
	count(t, DOWN_BYTES, ip.total);
	if (o.needs_csum)
		count(t, OFFLOADED, 1);
}

static bool down(struct tun *t)
{
	int n;

	for (int i = 0; i < BATCH; i++) {
		t->iov[i][0] = (struct iovec){t->packets[i], PACKET_MAX};
		t->msgs[i].msg_hdr = (struct msghdr){.msg_name = &t->from[i],
			.msg_namelen = sizeof t->from[i],
			.msg_iov = t->iov[i],
			.msg_iovlen = 1,
			.msg_control = &t->control[i],
			.msg_controllen = sizeof t->control[i]};
	}
	n = recvmmsg(t->raw, t->msgs, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++)
		deliver(t, i);
	return n == BATCH;
}

/* ---- the thread ---- */

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
		if (t->raise_at <= now_ms())
			raise_mtu(t);
		if (p[1].revents & POLLERR)
			read_errors(t);
		more = false;
		if (p[1].revents & POLLIN)
			more = down(t);
		if (p[0].revents & POLLIN) {
			if (now_ms() >= t->look_at)
				look_at_path(t);
			more = up(t) || more;
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
	/* No offload towards us: what the host sends arrives in single packets with finished
	 * checksums. */
	if (ioctl(t->tun, TUNSETIFF, &req) < 0 || ioctl(t->tun, TUNSETOFFLOAD, 0) < 0)
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
	t->packets = cw_free(t->packets);
	(void) cw_free(t);
}

static int tun_set_up(struct tun *t, const struct cw_dti_conf *conf, const char **ret_what)
{
	int r;

	*ret_what = "an end of the tunnel is not a global IPv6 address";
	if (!cw_addr6_is_tunnel_end(&conf->local) || !cw_addr6_is_tunnel_end(&conf->tep) ||
		cw_addr6_eq(&conf->local, &conf->tep))
		return -EADDRNOTAVAIL;
	*ret_what = "cannot make room for packets";
	t->packets = cw_zalloc(BATCH, sizeof *t->packets);
	t->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!t->packets || t->stop < 0)
		return -ENOMEM;
	*ret_what =
		"cannot open a raw socket between the ends of the tunnel (CAP_NET_RAW, and the address is ours?)";
	r = open_raw(t);
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
	t->conf.routes = NULL;
	t->tun = t->raw = t->stop = -1;
	t->raise_at = INT64_MAX;
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

static unsigned tun_mtu(struct cw_dti *d)
{
	return atomic_load(&cw_container_of(d, struct tun, dti)->mtu);
}

static void tun_stats(struct cw_dti *d, struct cw_dti_stats *ret)
{
	struct tun *t = cw_container_of(d, struct tun, dti);
	uint64_t v[COUNTERS];

	for (int i = 0; i < COUNTERS; i++)
		v[i] = atomic_load_explicit(&t->counters[i], memory_order_relaxed);
	*ret = (struct cw_dti_stats){.up_packets = v[UP_PACKETS],
		.up_bytes = v[UP_BYTES],
		.down_packets = v[DOWN_PACKETS],
		.down_bytes = v[DOWN_BYTES],
		.drop_source = v[DROP_SOURCE],
		.drop_destination = v[DROP_DESTINATION],
		.drop_outer = v[DROP_OUTER],
		.drop_malformed = v[DROP_MALFORMED],
		.drop_ecn = v[DROP_ECN],
		.drop_merged = v[DROP_MERGED],
		.drop_send = v[DROP_SEND],
		.offloaded = v[OFFLOADED],
		.icmp_errors = v[ICMP_ERRORS]};
}

const struct cw_dti_ops cw_dti_tun = {
	.name = "tun",
	.kind = CW_DTI_TUN,
	.open = tun_open,
	.close = tun_close,
	.device = tun_device,
	.mtu = tun_mtu,
	.stats = tun_stats,
};
