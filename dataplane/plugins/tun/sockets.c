/* SPDX-License-Identifier: BSD-2-Clause */
/* See sockets.h. */
#include "dataplane/plugins/tun/sockets.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/icmpv6.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dataplane/plugins/common/options.h"

enum {
	BUFFER = 4 << 20,
	OTHERS_BUFFER = 1 << 20,
	/* More than the longest usual queue of a link holds (fq_codel: 10240 packets): a slow link
	 * must lose its own packets, not keep the buffer full for all. */
	SEND_BUFFER = 32 << 20,
};

/* One line about what went wrong, and its code. */
#define say(why, why_n, code, ...) ((void) snprintf(why, why_n, __VA_ARGS__), (code))

static int set_int(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof value) < 0 ? -errno : 0;
}

/* Larger than the limit for everybody where we may; the limit else. */
static void set_buffer(int fd, int name, int force, int size)
{
	if (set_int(fd, SOL_SOCKET, force, size) < 0)
		(void) set_int(fd, SOL_SOCKET, name, size);
}

/* Nothing is received: for sockets that only send. */
static int refuse_all(int fd)
{
	struct sock_filter code[] = {{BPF_RET | BPF_K, 0, 0, 0}};
	struct sock_fprog prog = {1, code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof prog) < 0 ? -errno : 0;
}

static int raw6(int protocol, const uint8_t tep[16])
{
	struct sockaddr_in6 at = {.sin6_family = AF_INET6};
	int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol), r;

	if (fd < 0)
		return -errno;
	memcpy(&at.sin6_addr, tep, 16);
	if (bind(fd, (struct sockaddr *) &at, sizeof at) < 0) {
		r = -errno;
		(void) close(fd);
		return r;
	}
	return fd;
}

static int load(const struct bpf_insn *code, unsigned n)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	attr.insn_cnt = n;
	attr.insns = (uint64_t) (uintptr_t) code;
	attr.license = (uint64_t) (uintptr_t) "Dual BSD/GPL";
	return (int) syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof attr);
}

static int attach(int fd, const struct bpf_insn *code, unsigned n)
{
	int prog = load(code, n), r = 0;

	if (prog < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, &prog, sizeof prog) < 0)
		r = -errno;
	(void) close(prog);
	return r;
}

#define INSN(c, d, s, o, i)                                                                 \
	(struct bpf_insn)                                                                   \
	{                                                                                   \
		.code = (c), .dst_reg = (d), .src_reg = (s), .off = (short) (o), .imm = (i) \
	}

static int make_map(void)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.map_type = BPF_MAP_TYPE_LRU_HASH;
	attr.key_size = 16;
	attr.value_size = 4;
	attr.max_entries = CW_TUN_KNOWN_MAX;
	return (int) syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof attr);
}

/* "return skb->gso_size || known(source) != wanted ? 0 : everything"; without a map all are known.
 */
static int refuse_merged(int fd, int map, bool wanted)
{
	const int found = wanted ? 0x7fffffff : 0, missing = wanted ? 0 : 0x7fffffff;
	const struct bpf_insn code[] = {
		INSN(BPF_LDX | BPF_MEM | BPF_W, 0, 1, offsetof(struct __sk_buff, gso_size), 0),
		INSN(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
		/* skb_load_bytes_relative(skb, 8, stack, 16, network header) */
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, 8),
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, 3, 10, 0, 0),
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, 3, 0, 0, -16),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 4, 0, 0, 16),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 5, 0, 0, BPF_HDR_START_NET),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_skb_load_bytes_relative),
		INSN(BPF_JMP | BPF_JNE | BPF_K, 0, 0, 8, 0),
		/* map_lookup_elem(map, stack) */
		INSN(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, map),
		INSN(0, 0, 0, 0, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, 2, 10, 0, 0),
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -16),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem),
		INSN(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, found),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, missing),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	/* The verifier takes no unreachable instructions. */
	const struct bpf_insn all[] = {code[0], code[1], code[2], code[3], code[17], code[18]};

	return map < 0 ? attach(fd, all, sizeof all / sizeof *all)
		       : attach(fd, code, sizeof code / sizeof *code);
}

void cw_tun_sockets_know(const struct cw_tun_sockets *s, const uint8_t source[16], bool known)
{
	const uint32_t value = 1;
	union bpf_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.map_fd = (uint32_t) s->known;
	attr.key = (uint64_t) (uintptr_t) source;
	if (known) /* deletion refuses a value */
		attr.value = (uint64_t) (uintptr_t) &value;
	(void) syscall(
		SYS_bpf, known ? BPF_MAP_UPDATE_ELEM : BPF_MAP_DELETE_ELEM, &attr, sizeof attr);
}

uint32_t cw_tun_sockets_overrun(int fd)
{
	uint32_t info[SK_MEMINFO_VARS] = {0};
	socklen_t n = sizeof info;

	return fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &n) == 0
		       ? info[SK_MEMINFO_DROPS]
		       : 0;
}

/* "return skb->gso_size && skb->pkt_type == PACKET_HOST && destination == tep ? everything : 0" */
static int take_merged(int fd, const uint8_t tep[16])
{
	struct bpf_insn code[32];
	unsigned n = 0, jumps[8], j = 0;

	code[n++] = INSN(BPF_ALU64 | BPF_MOV | BPF_X, 6, 1, 0, 0);
	code[n++] = INSN(BPF_LDX | BPF_MEM | BPF_W, 0, 6, offsetof(struct __sk_buff, gso_size), 0);
	jumps[j++] = n;
	code[n++] = INSN(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 0, 0);
	code[n++] = INSN(BPF_LDX | BPF_MEM | BPF_W, 0, 6, offsetof(struct __sk_buff, pkt_type), 0);
	jumps[j++] = n;
	code[n++] = INSN(BPF_JMP | BPF_JNE | BPF_K, 0, 0, 0, PACKET_HOST);
	for (unsigned i = 0; i < 4; i++) {
		const uint8_t *w = tep + (size_t) i * 4;
		uint32_t v =
			(uint32_t) w[0] << 24 | (uint32_t) w[1] << 16 | (uint32_t) w[2] << 8 | w[3];

		/* loads in host order, zero-extended; compare 32 bits */
		code[n++] =
			INSN(BPF_LD | BPF_ABS | BPF_W, 0, 0, 0, SKF_NET_OFF + (int) (24 + i * 4));
		jumps[j++] = n;
		code[n++] = INSN(BPF_JMP32 | BPF_JNE | BPF_K, 0, 0, 0, (int) v);
	}
	code[n++] = INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0x7fffffff);
	code[n++] = INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	for (unsigned i = 0; i < j; i++)
		code[jumps[i]].off = (short) (n - jumps[i] - 1);
	code[n++] = INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0);
	code[n++] = INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	return attach(fd, code, n);
}

/* Both halves or none: a raw socket that refuses merged packets while nobody else takes them would
 * lose them. */
static int open_merged(int rx, const uint8_t tep[16])
{
	struct sockaddr_ll all = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IPV6)};
	/* SOCK_RAW, for only that tells gso_size: PACKET_AUXDATA says where its IPv6 header is. */
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r;

	if (fd < 0)
		return -errno;
	r = take_merged(fd, tep);
	if (r == 0)
		r = set_int(fd, SOL_PACKET, PACKET_VNET_HDR, 1);
	if (r == 0)
		r = set_int(fd, SOL_PACKET, PACKET_AUXDATA, 1);
	set_buffer(fd, SO_RCVBUF, SO_RCVBUFFORCE, BUFFER);
	if (r == 0 && bind(fd, (struct sockaddr *) &all, sizeof all) < 0)
		r = -errno;
	if (r == 0)
		r = refuse_merged(rx, -1, true);
	if (r < 0) {
		(void) close(fd);
		return r;
	}
	return fd;
}

/* The queue for strangers; without it rx has all. */
static void open_others(struct cw_tun_sockets *s, const uint8_t tep[16])
{
	int map = make_map(), fd = map < 0 ? -1 : raw6(IPPROTO_IPIP, tep);

	if (fd >= 0 && set_int(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1) == 0 &&
		refuse_merged(fd, map, false) == 0 && refuse_merged(s->rx, map, true) == 0) {
		set_buffer(fd, SO_RCVBUF, SO_RCVBUFFORCE, OTHERS_BUFFER);
		s->others = fd;
		s->known = map;
		return;
	}
	if (fd >= 0)
		(void) close(fd);
	if (map >= 0)
		(void) close(map);
}

void cw_tun_sockets_close(struct cw_tun_sockets *s)
{
	int *all[] = {&s->rx, &s->others, &s->known, &s->tx, &s->merged, &s->icmp4, &s->icmp6};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		if (*all[i] >= 0)
			(void) close(*all[i]);
		*all[i] = -1;
	}
}

static int set_up(struct cw_tun_sockets *s, int hop_limit, bool pmtu)
{
	int r = set_int(s->rx, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);

	if (r == 0)
		r = refuse_all(s->tx);
	if (r == 0)
		r = set_int(s->tx, IPPROTO_IPV6, IPV6_RECVERR, 1);
	if (r == 0)
		r = set_int(s->tx, IPPROTO_IPV6, IPV6_UNICAST_HOPS, hop_limit);
	/* RFC 2473 6.5: a preset flow label, 0. */
	if (r == 0)
		r = set_int(s->tx, IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, 0);
	/* OMIT: the interface's MTU alone counts, and what exceeds it is cut. */
	if (r == 0)
		r = set_int(s->tx, IPPROTO_IPV6, IPV6_MTU_DISCOVER,
			pmtu ? IPV6_PMTUDISC_WANT : IPV6_PMTUDISC_OMIT);
	if (r == 0)
		r = refuse_all(s->icmp4);
	if (r == 0)
		r = refuse_all(s->icmp6);
	set_buffer(s->rx, SO_RCVBUF, SO_RCVBUFFORCE, BUFFER);
	set_buffer(s->tx, SO_SNDBUF, SO_SNDBUFFORCE, SEND_BUFFER);
	return r;
}

int cw_tun_sockets_open(const uint8_t tep[16], int hop_limit, bool pmtu, struct cw_tun_sockets *ret,
	char *why, size_t why_n)
{
	struct cw_tun_sockets s = {-1, -1, -1, -1, -1, -1, -1};
	int r;

	s.rx = raw6(IPPROTO_IPIP, tep);
	if (s.rx < 0)
		return say(why, why_n, s.rx, "raw IPv6 socket on the TEP's address: %s%s",
			cw_dpopt_errno(-s.rx),
			s.rx == -EPERM ? " (needs CAP_NET_RAW)"
			: s.rx == -EADDRNOTAVAIL
				? " (the TEP's IPv6 address is not one of this host's)"
				: "");
	s.tx = raw6(IPPROTO_IPIP, tep);
	s.icmp6 = raw6(IPPROTO_ICMPV6, tep);
	s.icmp4 = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMP);
	if (s.icmp4 < 0)
		s.icmp4 = -errno;
	r = s.tx < 0 ? s.tx : s.icmp6 < 0 ? s.icmp6 : s.icmp4;
	if (r < 0) {
		cw_tun_sockets_close(&s);
		return say(why, why_n, r, "raw socket: %s", cw_dpopt_errno(-r));
	}
	r = set_up(&s, hop_limit, pmtu);
	if (r < 0) {
		cw_tun_sockets_close(&s);
		return say(why, why_n, r, "raw socket option: %s", cw_dpopt_errno(-r));
	}
	s.merged = open_merged(s.rx, tep);
	if (s.merged < 0)
		s.merged = -1;
	else
		open_others(&s, tep);
	*ret = s;
	return 0;
}
