#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The tun plugin beside plain routing through the same namespaces: TCP (iperf3) and packets of 64 octets. Prints a
# table. Needs root and iperf3; ethtool for the rows that switch offloads. CW_BENCH_SECONDS (default 3) per figure.
#
# TCP goes through both ends of the tunnel (the client's is the one of causeway(1)) and its two TCP stacks on this machine's
# cores, so read ratios. The packets are made by one process that fills a core; what arrives at the far end is counted there.
# CPU is the user and system time of the plugin's process and of the client's, per Gbit or per million packets that arrived:
# other work on the machine changes it less than it changes the rates.
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
make -s -C "$CW_BUILDDIR" tests/lib/dpdriver tests/integration/dti_probe tests/bench/udpload >/dev/null || exit 1
# shellcheck source=tests/lib/dataplane.sh
. "$CW_SRCDIR/tests/lib/dataplane.sh"
client_pid=
# shellcheck disable=SC2317 # called by trap
clean() {
	exec 5>&-
	[ -z "$client_pid" ] || wait "$client_pid"
	dp_clean
	topology_down
}
trap clean EXIT
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
mkfifo "$dp_tmp/client.in"
ip netns exec "$NS_A" "$CW_BUILDDIR/tests/integration/dti_probe" tunnel dti $A4 - "$CLIENT_A6" "$TEP6" 192.0.2.1 0 0 203.0.113.83/32 \
	<"$dp_tmp/client.in" >"$dp_tmp/client" 2>&1 3>&- 4<&- &
client_pid=$!
exec 5>"$dp_tmp/client.in" # it ends with its input
wait_for 5 grep -q '^ready' "$dp_tmp/client" || { cat "$dp_tmp/client"; exit 1; }
# The same hosts without a tunnel: IPv4 on the links.
ip -n "$NS_TEP" addr add 198.51.100.129/32 dev toa
ip -n "$NS_TEP" route add $ROUTED4 dev toa
ip -n "$NS_A" addr add $ROUTED4/32 dev eth0
ip -n "$NS_A" route add 198.51.100.129 dev eth0
ip -n "$NS_A" route add "$SERVER4" via 198.51.100.129 dev eth0 src $ROUTED4
ip -n "$NS_A" route add 203.0.113.82 via 198.51.100.129 dev eth0 src $ROUTED4
# The second address of the server is reached through the tunnel (the client's route).
ip -n "$NS_SERVER" addr add 203.0.113.83/24 dev eth0
# Sinks: frames for an address of nobody end at the receiver's IP layer.
ip -n "$NS_TEP" neigh add $FAR4 lladdr "$(in_server cat /sys/class/net/eth0/address)" dev tos
ip -n "$NS_TEP" neigh add 198.51.100.201 lladdr "$(in_a cat /sys/class/net/eth0/address)" dev toa
ip -n "$NS_TEP" route add 198.51.100.201 dev toa
ip -n "$NS_TEP" -6 neigh add $FAR6 lladdr "$(in_a cat /sys/class/net/eth0/address)" dev toa
ip -n "$NS_A" route add $FAR4 via 198.51.100.129 dev eth0 src $ROUTED4

cpu() { # seconds of user and system time of both ends so far: "TEP CLIENT"
	for pid in "$dp_pid" "$client_pid"; do
		awk -v hz="$(getconf CLK_TCK)" '{sub(/.*\) /, ""); printf "%.2f ", ($12 + $13) / hz}' "/proc/$pid/stat"
	done
}
# "GBIT/S GBIT TEP CLIENT": iperf3's rate and sum at the receiver, seconds of CPU of both ends
tcp() { # ADDRESS [-R]
	in_server iperf3 -s -1 -D >/dev/null 2>&1 3>&- 4<&- 5>&-
	wait_for 3 in_server sh -c 'grep -q ":1451 " /proc/net/tcp6 /proc/net/tcp'
	before=$(cpu)
	got=$(in_a iperf3 -J -c "$1" -t "$seconds" ${2:+"$2"} 2>/dev/null | awk -F'[:,]' '/"sum_received"/ {on = 1}
		on && /"bytes"/ {bytes = $2} on && /bits_per_second/ {printf "%.3f %.3f", $2 / 1e9, bytes * 8 / 1e9; exit}')
	echo "${got:-0 0} $before $(cpu)" | awk '{print $1, $2, $5 - $3, $6 - $4}'
}
# packets WHERE-SENT WHERE-COUNTED COMMAND...: thousands a second that arrive, millions, CPU as above
packets() {
	from=$1 at=$2
	shift 2
	count=/sys/class/net/eth0/statistics/rx_packets
	before=$(ip netns exec "$at" cat $count) was=$(cpu)
	took=$(ip netns exec "$from" "$udpload" "$@" | awk '{print $2}')
	echo "$(ip netns exec "$at" cat $count) $before $took $was $(cpu)" |
		awk '{print ($1 - $2) * 1000 / $3, ($1 - $2) / 1e6, $6 - $4, $7 - $5}'
}
row() { # NAME ROUTING TUN: each as above
	echo "$2 $3" | awk -v name="$1" '{printf "%-32s %9.2f %9.2f %6.2f %10.3f %10.3f\n",
		name, $1, $5, ($1 > 0 ? $5 / $1 : 0), ($6 > 0 ? $7 / $6 : 0), ($6 > 0 ? $8 / $6 : 0)}'
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

printf '%-32s %9s %9s %6s %10s %10s\n' "" routing tun ratio "TEP CPU" "client CPU"
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
row "UDP 64 octets up, kpackets/s" "$(packets "$NS_A" "$NS_SERVER" plain $ROUTED4 $FAR4 64 "$seconds")" \
	"$(packets "$NS_A" "$NS_SERVER" tunnel $A4 $FAR4 64 "$seconds" "$CLIENT_A6" "$TEP6")"
row "UDP 64 octets down, kpackets/s" "$(packets "$NS_SERVER" "$NS_A" plain "$SERVER4" 198.51.100.201 64 "$seconds")" \
	"$(packets "$NS_SERVER" "$NS_A" plain "$SERVER4" 198.51.100.11 64 "$seconds")"
echo "CPU: seconds per Gbit, and per million packets, of the plugin's process and the client's (UDP: there is no client)"
dp stats | awk '$1 ~ /^drop/ && $2 > 0 {printf "%s %s  ", $1, $2} END {print ""}'
dp many 1000000 10.0.0.0 1 | sed 's/^= ok/a million bindings applied:/'
