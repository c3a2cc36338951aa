# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# The network every demo and whole-program test runs in, made of namespaces that are ours alone:
#
#	client A  2001:db8:a::2 --+
#	                          +-- tep (broker and TEP, 2001:db8::1) -- 203.0.113.1 --- 203.0.113.80 server
#	client B  2001:db8:b::2 --+                                            (IPv4 only)
#	          (IPv6 only)
#
# The names of the namespaces are $NS_A, $NS_B, $NS_TEP, $NS_SERVER. Needs root, iproute2, TUN.
topology_tag=cw$$
NS_A=$topology_tag-a
NS_B=$topology_tag-b
NS_TEP=$topology_tag-tep
NS_SERVER=$topology_tag-srv
TEP6=2001:db8::1
CLIENT_A6=2001:db8:a::2
CLIENT_B6=2001:db8:b::2
SERVER4=203.0.113.80
export NS_A NS_B NS_TEP NS_SERVER TEP6 CLIENT_A6 CLIENT_B6 SERVER4

# Why this machine cannot do it, on stdout; nothing if it can.
topology_missing() {
	[ "$(id -u)" = 0 ] || { echo "needs root"; return; }
	command -v ip >/dev/null || { echo "needs iproute2"; return; }
	[ -c /dev/net/tun ] || { echo "needs /dev/net/tun"; return; }
	ip netns add "$topology_tag-try" 2>/dev/null || { echo "cannot make network namespaces"; return; }
	ip netns exec "$topology_tag-try" true 2>/dev/null || echo "cannot run programs in network namespaces"
	ip netns del "$topology_tag-try"
}

# topology_link NS6 ADDRESS-PREFIX: an IPv6-only host behind the TEP.
topology_host6() {
	ip netns add "$1"
	ip -n "$1" link set lo up
	ip link add "$2" netns "$NS_TEP" type veth peer name eth0 netns "$1"
	ip netns exec "$1" sh -c 'echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad'
	ip netns exec "$NS_TEP" sh -c "echo 0 >/proc/sys/net/ipv6/conf/$2/accept_dad"
	ip -n "$NS_TEP" addr add "$3::1/64" dev "$2" nodad
	ip -n "$NS_TEP" link set "$2" up
	ip -n "$1" addr add "$3::2/64" dev eth0 nodad
	ip -n "$1" link set eth0 up
	ip -n "$1" route add default via "$3::1"
}

topology_up() {
	ip netns add "$NS_TEP"
	ip -n "$NS_TEP" link set lo up
	ip -n "$NS_TEP" addr add "$TEP6/128" dev lo nodad
	ip netns exec "$NS_TEP" sh -c 'echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
		echo 1 >/proc/sys/net/ipv4/ip_forward'
	topology_host6 "$NS_A" toa 2001:db8:a
	topology_host6 "$NS_B" tob 2001:db8:b
	ip netns add "$NS_SERVER"
	ip -n "$NS_SERVER" link set lo up
	ip link add tos netns "$NS_TEP" type veth peer name eth0 netns "$NS_SERVER"
	ip -n "$NS_TEP" addr add 203.0.113.1/24 dev tos
	ip -n "$NS_TEP" link set tos up
	ip -n "$NS_SERVER" addr add "$SERVER4/24" dev eth0
	ip -n "$NS_SERVER" link set eth0 up
	ip -n "$NS_SERVER" route add default via 203.0.113.1
}

# Ends what still runs inside, by process id, then the namespaces.
topology_down() {
	for topology_ns in "$NS_A" "$NS_B" "$NS_TEP" "$NS_SERVER"; do
		ip netns list 2>/dev/null | grep -q "^$topology_ns\\b" || continue
		# shellcheck disable=SC2046
		kill -9 $(ip netns pids "$topology_ns") 2>/dev/null || :
		ip netns del "$topology_ns" 2>/dev/null || :
	done
}

in_a() { ip netns exec "$NS_A" "$@"; }
in_b() { ip netns exec "$NS_B" "$@"; }
in_tep() { ip netns exec "$NS_TEP" "$@"; }
in_server() { ip netns exec "$NS_SERVER" "$@"; }
