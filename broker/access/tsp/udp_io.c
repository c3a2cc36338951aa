/* SPDX-License-Identifier: BSD-2-Clause */
/* TSP over UDP (RFC 5572 4.4.1.2). Own recvmsg and sendmsg instead of uv_udp_t: an answer must come
 * from the address the question was sent to, and libuv passes no packet information. Sessions and
 * repetitions are schema/tsp/udp.h's business. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "broker/access/tsp/sockets_io.h"

#define BUDGET       32 /* datagrams per callback */
#define DATAGRAM_MAX 2048

/* Who sent it, and to which of our addresses: the key of a session. No padding. */
struct key {
	uint8_t peer[16], local[16];
	uint32_t scope;
	uint32_t ifindex;
	uint16_t port; /* network order */
	uint16_t family;
};
_Static_assert(sizeof(struct key) <= 64 && sizeof(struct key) == 16 + 16 + 4 + 4 + 2 + 2,
	"fits, without padding");

struct udp_session {
	struct cw_tsp_udp_socket *socket;
	struct cw_tsp_udp_peer *peer; /* NULL: detached */
	struct cw_tsp_session *session;
	uv_timer_t timer;
	bool ended, freeing;
	unsigned depth; /* calls into the session we are inside of */
	struct sockaddr_in6 sa;
};

static int64_t now_ms(const struct cw_tsp_udp_socket *u)
{
	return cw_tsp_access_now_ms(u->io->access);
}

/* ---- sending ---- */

static void udp_send(void *arg, const struct cw_tsp_udp_peer *peer, const void *p, size_t n)
{
	const struct cw_tsp_udp_socket *u = arg;
	const union {
		const void *in;
		void *out; /* sendmsg only reads it */
	} data = {.in = p};
	struct iovec iov = {.iov_base = data.out, .iov_len = n};
	union {
		char room[CMSG_SPACE(sizeof(struct in6_pktinfo))];
		struct cmsghdr align;
	} control = {{0}};
	struct sockaddr_in6 to6 = {.sin6_family = AF_INET6};
	struct sockaddr_in to4 = {.sin_family = AF_INET};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room};
	struct cmsghdr *cm;
	struct key k;
	size_t key_n;

	memcpy(&k, cw_tsp_udp_key(peer, &key_n), sizeof k);
	if (u->family == AF_INET6) {
		struct in6_pktinfo info = {.ipi6_ifindex = k.scope ? k.ifindex : 0};

		memcpy(&to6.sin6_addr, k.peer, 16);
		memcpy(&info.ipi6_addr, k.local, 16);
		to6.sin6_port = k.port;
		to6.sin6_scope_id = k.scope;
		m.msg_name = &to6;
		m.msg_namelen = sizeof to6;
		m.msg_controllen = CMSG_SPACE(sizeof info);
		cm = CMSG_FIRSTHDR(&m);
		cm->cmsg_level = IPPROTO_IPV6;
		cm->cmsg_type = IPV6_PKTINFO;
		cm->cmsg_len = CMSG_LEN(sizeof info);
		memcpy(CMSG_DATA(cm), &info, sizeof info);
	} else {
		struct in_pktinfo info = {0};

		memcpy(&to4.sin_addr, k.peer, 4);
		memcpy(&info.ipi_spec_dst, k.local, 4);
		to4.sin_port = k.port;
		m.msg_name = &to4;
		m.msg_namelen = sizeof to4;
		m.msg_controllen = CMSG_SPACE(sizeof info);
		cm = CMSG_FIRSTHDR(&m);
		cm->cmsg_level = IPPROTO_IP;
		cm->cmsg_type = IP_PKTINFO;
		cm->cmsg_len = CMSG_LEN(sizeof info);
		memcpy(CMSG_DATA(cm), &info, sizeof info);
	}
	(void) sendmsg(u->fd, &m, MSG_DONTWAIT); /* lost like any datagram: the client asks again */
}

/* ---- sessions ---- */

static void on_session_timer_closed(uv_handle_t *h)
{
	struct udp_session *us = h->data;

	us->socket->io->n_handles--;
	cw_tsp_io_check_stopped(us->socket->io);
	(void) cw_free(us);
}

static void session_free(struct udp_session *us)
{
	if (us->freeing)
		return;
	us->freeing = true;
	us->session = cw_tsp_session_free(us->session);
	uv_close((uv_handle_t *) &us->timer, on_session_timer_closed);
}

static void look(struct udp_session *us);

static void on_session_timer(uv_timer_t *t)
{
	struct udp_session *us = t->data;

	us->depth++;
	cw_tsp_session_tick(us->session);
	us->depth--;
	look(us);
}

static void socket_look(struct cw_tsp_udp_socket *u);

/* After whatever happened to a session. */
static void look(struct udp_session *us)
{
	int64_t at_ms, now;

	if (us->depth || us->freeing)
		return;
	if (us->ended) {
		if (us->peer)
			cw_tsp_udp_detach(us->peer);
		us->peer = NULL;
		session_free(us);
		return;
	}
	if (us->peer)
		cw_tsp_udp_established(
			us->peer, cw_tsp_session_state(us->session) >= CW_TSP_S_COMMAND);
	at_ms = cw_tsp_session_deadline(us->session);
	now = now_ms(us->socket);
	if (at_ms == INT64_MAX)
		(void) uv_timer_stop(&us->timer);
	else
		(void) uv_timer_start(&us->timer, on_session_timer,
			at_ms > now ? (uint64_t) (at_ms - now) : 0, 0);
	socket_look(us->socket);
}

static void on_send(void *io, const void *p, size_t n)
{
	struct udp_session *us = io;

	if (us->peer)
		cw_tsp_udp_answer(us->peer, p, n, now_ms(us->socket));
}

static void on_close(void *io, enum cw_tsp_close reason)
{
	struct udp_session *us = io;

	(void) reason;
	us->ended = true;
}

static void on_changed(void *io)
{
	look(io);
}

static const struct cw_tsp_session_ops session_ops = {
	.send = on_send, .close = on_close, .changed = on_changed};

static void fill_sockaddr(const struct key *k, struct sockaddr_in6 *to)
{
	if (k->family == AF_INET6) {
		to->sin6_family = AF_INET6;
		to->sin6_port = k->port;
		to->sin6_scope_id = k->scope;
		memcpy(&to->sin6_addr, k->peer, 16);
	} else {
		struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = k->port};

		memcpy(&in.sin_addr, k->peer, 4);
		memcpy(to, &in, sizeof in);
	}
}

static void *udp_open(void *arg, struct cw_tsp_udp_peer *peer)
{
	struct cw_tsp_udp_socket *u = arg;
	struct udp_session *us = cw_zalloc(1, sizeof *us);
	struct cw_tsp_peer who = {.transport = CW_TSP_ON_UDP};
	struct key k;
	size_t n;

	if (!us)
		return NULL;
	us->socket = u;
	us->peer = peer;
	memcpy(&k, cw_tsp_udp_key(peer, &n), sizeof k);
	fill_sockaddr(&k, &us->sa);
	who.sa = (const struct sockaddr *) &us->sa;
	who.source = cw_source_of(who.sa);
	if (cw_tsp_session_new(u->io->access, &who, &session_ops, us, &us->session) < 0)
		return cw_free(us);
	(void) uv_timer_init(u->io->uv, &us->timer);
	us->timer.data = us;
	u->io->n_handles++;
	return us;
}

static void udp_deliver(
	void *arg, struct cw_tsp_udp_peer *peer, void *session, const void *p, size_t n)
{
	struct udp_session *us = session;

	(void) arg;
	(void) peer;
	us->depth++;
	cw_tsp_session_input(us->session, p, n);
	us->depth--;
	look(us);
}

static void udp_close(void *arg, struct cw_tsp_udp_peer *peer, void *session)
{
	struct udp_session *us = session;

	(void) arg;
	(void) peer;
	us->peer = NULL;
	session_free(us);
}

static const struct cw_tsp_udp_ops udp_ops = {
	.open = udp_open, .deliver = udp_deliver, .close = udp_close, .send = udp_send};

/* ---- receiving ---- */

static void local_of(struct msghdr *m, struct key *k)
{
	for (struct cmsghdr *cm = CMSG_FIRSTHDR(m); cm; cm = CMSG_NXTHDR(m, cm)) {
		if (cm->cmsg_level == IPPROTO_IPV6 && cm->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(cm), sizeof info);
			memcpy(k->local, &info.ipi6_addr, 16);
			k->ifindex = k->scope ? info.ipi6_ifindex : 0;
		} else if (cm->cmsg_level == IPPROTO_IP && cm->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(cm), sizeof info);
			memcpy(k->local, &info.ipi_addr, 4);
		}
	}
}

static void count(struct cw_tsp_stats *st, enum cw_tsp_udp_verdict v, size_t n)
{
	st->udp_datagrams++;
	switch (v) {
	case CW_TSP_UDP_NEW:
		break;
	case CW_TSP_UDP_REPLAYED:
	case CW_TSP_UDP_PENDING:
		st->udp_replayed++;
		break;
	case CW_TSP_UDP_MALFORMED:
		if (n < CW_TSP_UDP_HEADER)
			st->udp_short++;
		else
			st->udp_marker++;
		break;
	case CW_TSP_UDP_NO_SESSION:
		st->udp_early++;
		break;
	case CW_TSP_UDP_FULL:
		st->udp_full++;
		break;
	}
}

/* false: nothing is there. */
static bool receive_one(struct cw_tsp_udp_socket *u)
{
	char data[DATAGRAM_MAX];
	struct iovec iov = {.iov_base = data, .iov_len = sizeof data};
	union {
		char room[256];
		struct cmsghdr align;
	} control;
	struct sockaddr_in6 from = {0};
	struct msghdr m = {.msg_name = &from,
		.msg_namelen = sizeof from,
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof control.room};
	struct key k = {0};
	ssize_t n = recvmsg(u->fd, &m, MSG_DONTWAIT);

	if (n < 0)
		return errno == EINTR; /* ICMP errors and the like: the next event tells */
	k.family = from.sin6_family;
	if (from.sin6_family == AF_INET6) {
		memcpy(k.peer, &from.sin6_addr, 16);
		k.port = from.sin6_port;
		k.scope = from.sin6_scope_id;
	} else {
		struct sockaddr_in in;

		memcpy(&in, &from, sizeof in);
		memcpy(k.peer, &in.sin_addr, 4);
		k.port = in.sin_port;
	}
	local_of(&m, &k);
	/* Cut by our buffer: larger than anything TSP has. */
	if (m.msg_flags & MSG_TRUNC)
		u->io->access->stats.udp_short++;
	else
		count(&u->io->access->stats,
			cw_tsp_udp_receive(u->udp, &k, sizeof k, data, (size_t) n, now_ms(u)),
			(size_t) n);
	explicit_bzero(data, (size_t) n);
	return true;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct cw_tsp_udp_socket *u = poll->data;

	(void) events;
	for (unsigned i = 0; status == 0 && i < BUDGET && receive_one(u); i++) {
	}
	socket_look(u);
}

static void on_socket_timer(uv_timer_t *t)
{
	struct cw_tsp_udp_socket *u = t->data;

	cw_tsp_udp_tick(u->udp, now_ms(u));
	socket_look(u);
}

static void socket_look(struct cw_tsp_udp_socket *u)
{
	int64_t at_ms = u->udp ? cw_tsp_udp_deadline(u->udp) : INT64_MAX, now = now_ms(u);

	if (u->io->stopping || at_ms == INT64_MAX || uv_is_active((uv_handle_t *) &u->timer))
		return; /* a timer that is early looks again */
	(void) uv_timer_start(
		&u->timer, on_socket_timer, at_ms > now ? (uint64_t) (at_ms - now) : 0, 0);
}

/* ---- life ---- */

static int socket_open(struct cw_tsp_udp_socket *u, const struct sockaddr *sa, int only6)
{
	struct sockaddr_storage ss;
	socklen_t len = sa->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
						  : sizeof(struct sockaddr_in);
	int one = 1, r;

	u->family = sa->sa_family;
	u->fd = socket(sa->sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (u->fd < 0)
		return -errno;
	if (sa->sa_family == AF_INET6) {
		r = setsockopt(u->fd, IPPROTO_IPV6, IPV6_V6ONLY, &only6, sizeof only6);
		if (r == 0)
			r = setsockopt(u->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof one);
	} else {
		r = setsockopt(u->fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof one);
	}
	if (r < 0 || bind(u->fd, sa, len) < 0)
		return -errno;
	len = sizeof ss;
	if (getsockname(u->fd, (struct sockaddr *) &ss, &len) < 0)
		return -errno;
	(void) cw_sockaddr_str((const struct sockaddr *) &ss, u->name);
	return 0;
}

int cw_tsp_udp_open(struct cw_tsp_io *io, const struct sockaddr *sa, bool only6,
	unsigned half_open_max, char *why, size_t why_n)
{
	const struct cw_tsp_udp_conf conf = {
		.max_peers = half_open_max * 4, .max_half_open = half_open_max};
	struct cw_tsp_udp_socket *u = cw_zalloc(1, sizeof *u);
	char text[CW_ENDPOINT_STRLEN];
	int r;

	if (!u)
		return -ENOMEM;
	u->io = io;
	u->index = io->n_udp;
	r = socket_open(u, sa, only6);
	if (r == 0)
		r = cw_tsp_udp_new(&conf, &udp_ops, u, &u->udp);
	if (r == 0)
		r = uv_poll_init(io->uv, &u->poll, u->fd);
	if (r < 0) {
		(void) snprintf(why, why_n, "cannot serve UDP on %s: %s", cw_sockaddr_str(sa, text),
			cw_strerror(r));
		(void) cw_tsp_udp_free(u->udp);
		cw_closep(&u->fd);
		(void) cw_free(u);
		return r;
	}
	(void) uv_timer_init(io->uv, &u->timer);
	u->poll.data = u->timer.data = u;
	u->handles = 2;
	io->n_handles++;
	io->udp[io->n_udp++] = u;
	return uv_poll_start(&u->poll, UV_READABLE, on_readable);
}

static void on_socket_closed(uv_handle_t *h)
{
	struct cw_tsp_udp_socket *u = h->data;

	if (--u->handles)
		return;
	cw_closep(&u->fd);
	u->io->n_handles--;
	cw_tsp_io_check_stopped(u->io);
}

void cw_tsp_udp_stop(struct cw_tsp_udp_socket *u)
{
	u->udp = cw_tsp_udp_free(u->udp); /* its sessions end with it */
	uv_close((uv_handle_t *) &u->poll, on_socket_closed);
	uv_close((uv_handle_t *) &u->timer, on_socket_closed);
}
