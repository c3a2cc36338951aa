#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The tun plugin beside plain routing through the same namespaces: TCP (iperf3) and packets of 64 octets. Prints a
# table. Needs root and iperf3; ethtool for the rows that switch offloads. CW_BENCH_SECONDS (default 3) per figure.
#
# TCP goes through both ends of the tunnel and its two TCP stacks on this machine's cores, so read ratios. The packets are
# made by one process that fills a core; what arrives at the far end is counted there.
set -u
: "${CW_SRCDIR:=$(cd "$(dirname "$0")/../.." && pwd)}"
: "${CW_BUILDDIR:=$CW_SRCDIR}"
seconds=${CW_BENCH_SECONDS:-3}
# shellcheck source=tests/lib/tap.sh
. "$CW_SRCDIR/tests/lib/tap.sh"
# shellcheck source=tests/lib/topology.sh
. "$CW_SRCDIR/tests/lib/topology.sh"
why=$(topology_missing)
[ -n "$why" ] || command -v iperf3 >/dev/null || why="needs iperf3"
[ -z "$why" ] || { echo "tun: $why"; exit 77; }
make -s -C "$CW_BUILDDIR" tests/lib/dpdriver tests/lib/tunclient tests/bench/udpload >/dev/null || exit 1
# shellcheck source=tests/lib/dataplane.sh
. "$CW_SRCDIR/tests/lib/dataplane.sh"
trap 'dp_clean; topology_down' EXIT
trap 'exit 130' HUP INT TERM
udpload=$CW_BUILDDIR/tests/bench/udpload
A4=198.51.100.10
ROUTED4=198.51.100.200 # client A, when it is a plain IPv4 neighbour
FAR4=203.0.113.81      # nobody: packets end at the far interface
FAR6=2001:db8:a::99

topology_up
dp_wrap="ip netns exec $NS_TEP"
# shellcheck disable=SC2086 # options
dp_start tun "$TEP6" 192.0.2.1 routes=198.51.100.0/25 ${CW_BENCH_OPTIONS:-}
dp apply $A4 0/0/0 "$CLIENT_A6" 1 1 never >/dev/null
dp apply 198.51.100.11 0/0/0 $FAR6 2 1 never >/dev/null
background client ip netns exec "$NS_A" "$(tool tunclient)" dti "$CLIENT_A6" "$TEP6"
ip -n "$NS_A" link set dti mtu 1460 txqueuelen 2000 up
ip -n "$NS_A" addr add $A4/32 dev dti
# The same hosts without a tunnel: IPv4 on the links.
ip -n "$NS_TEP" addr add 198.51.100.129/32 dev toa
ip -n "$NS_TEP" route add $ROUTED4 dev toa
ip -n "$NS_A" addr add $ROUTED4/32 dev eth0
ip -n "$NS_A" route add 198.51.100.129 dev eth0
ip -n "$NS_A" route add "$SERVER4" via 198.51.100.129 dev eth0 src $ROUTED4
ip -n "$NS_A" route add 203.0.113.82 via 198.51.100.129 dev eth0 src $ROUTED4
# The second address of the server is reached through the tunnel.
ip -n "$NS_SERVER" addr add 203.0.113.83/24 dev eth0
ip -n "$NS_A" route add 203.0.113.83 dev dti src $A4
# Sinks: frames for an address of nobody end at the receiver's IP layer.
ip -n "$NS_TEP" neigh add $FAR4 lladdr "$(in_server cat /sys/class/net/eth0/address)" dev tos
ip -n "$NS_TEP" neigh add 198.51.100.201 lladdr "$(in_a cat /sys/class/net/eth0/address)" dev toa
ip -n "$NS_TEP" route add 198.51.100.201 dev toa
ip -n "$NS_TEP" -6 neigh add $FAR6 lladdr "$(in_a cat /sys/class/net/eth0/address)" dev toa
ip -n "$NS_A" route add $FAR4 via 198.51.100.129 dev eth0 src $ROUTED4

gbits() { # iperf3's "bits_per_second" at the receiver
	awk -F'[:,]' '/"sum_received"/ {on = 1} on && /bits_per_second/ {printf "%.2f", $2 / 1e9; exit}'
}
tcp() { # ADDRESS [-R]
	in_server iperf3 -s -1 -D >/dev/null 2>&1 3>&- 4<&-
	wait_for 3 in_server sh -c 'grep -q ":1451 " /proc/net/tcp6 /proc/net/tcp'
	in_a iperf3 -J -c "$1" -t "$seconds" ${2:+"$2"} 2>/dev/null | gbits
}
# packets WHERE-SENT WHERE-COUNTED COMMAND...: thousands a second that arrive
packets() {
	from=$1 at=$2
	shift 2
	count=/sys/class/net/eth0/statistics/rx_packets
	before=$(ip netns exec "$at" cat $count)
	took=$(ip netns exec "$from" "$udpload" "$@" | awk '{print $2}')
	after=$(ip netns exec "$at" cat $count)
	awk -v n=$((after - before)) -v us="$took" 'BEGIN {printf "%.0f", n * 1000 / us}'
}
row() { # NAME ROUTING TUN
	awk -v name="$1" -v r="$2" -v t="$3" 'BEGIN {printf "%-34s %10s %10s %8.2f\n", name, r, t, (r > 0 ? t / r : 0)}'
}
offloads() { # on|off
	for ns in "$NS_A" "$NS_SERVER"; do
		ip netns exec "$ns" ethtool -K eth0 tso "$1" gso "$1" >/dev/null 2>&1
	done
}
merging() { # on|off: GRO at the TEP, with the delay a real network card's interrupts have
	for dev in toa tos; do
		in_tep ethtool -K $dev gro "$1" >/dev/null 2>&1
		in_tep sh -c "echo $([ "$1" = on ] && echo 100000 || echo 0) >/sys/class/net/$dev/gro_flush_timeout
			echo $([ "$1" = on ] && echo 2 || echo 0) >/sys/class/net/$dev/napi_defer_hard_irqs"
	done
}

printf '%-34s %10s %10s %8s\n' "" routing tun ratio
row "TCP up, offloads on, Gbit/s" "$(tcp "$SERVER4")" "$(tcp 203.0.113.83)"
row "TCP down, offloads on, Gbit/s" "$(tcp "$SERVER4" -R)" "$(tcp 203.0.113.83 -R)"
if command -v ethtool >/dev/null; then
	offloads off
	row "TCP up, offloads off, Gbit/s" "$(tcp "$SERVER4")" "$(tcp 203.0.113.83)"
	row "TCP down, offloads off, Gbit/s" "$(tcp "$SERVER4" -R)" "$(tcp 203.0.113.83 -R)"
	merging on
	row "TCP up, merged (GRO), Gbit/s" "$(tcp "$SERVER4")" "$(tcp 203.0.113.83)"
	row "TCP down, merged (GRO), Gbit/s" "$(tcp "$SERVER4" -R)" "$(tcp 203.0.113.83 -R)"
	merging off
	offloads on
fi
up=$(packets "$NS_A" "$NS_SERVER" tunnel $A4 $FAR4 64 "$seconds" "$CLIENT_A6" "$TEP6")
row "UDP 64 octets up, kpackets/s" "$(packets "$NS_A" "$NS_SERVER" plain $ROUTED4 $FAR4 64 "$seconds")" "$up"
down=$(packets "$NS_SERVER" "$NS_A" plain "$SERVER4" 198.51.100.11 64 "$seconds")
row "UDP 64 octets down, kpackets/s" "$(packets "$NS_SERVER" "$NS_A" plain "$SERVER4" 198.51.100.201 64 "$seconds")" "$down"
dp stats | awk '$1 ~ /^drop/ && $2 > 0 {printf "%s %s  ", $1, $2} END {print ""}'
dp many 1000000 10.0.0.0 1 | sed 's/^= ok/a million bindings applied:/'
