# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# Starts the programs of the build for demos and whole-program tests, and ends only what it started. Source it after
# topology.sh (when namespaces are used). Everything lives below $work, a folder that cw_cleanup removes.
: "${CW_BUILDDIR:?set it to the folder of the build}"
work=$(mktemp -d "${TMPDIR:-/tmp}/causeway.XXXXXX")
causewayd=$CW_BUILDDIR/causewayd
# shellcheck disable=SC2034 # for those who source this
causeway=$CW_BUILDDIR/causeway
# shellcheck disable=SC2034 # likewise
causewayctl=$CW_BUILDDIR/causewayctl
plugin_dir=$work/plugins
broker_log=$work/causewayd.log
started_pids=

# The loader wants its folder owned by us and written by nobody else; .libs may be neither.
mkdir -p "$plugin_dir" "$work/state"
chmod 700 "$work" "$work/state" "$plugin_dir"
for cw_plugin in "$CW_BUILDDIR"/.libs/*.so "$CW_BUILDDIR"/dataplane/plugins/*/.libs/*.so; do
	[ -e "$cw_plugin" ] && cp "$cw_plugin" "$plugin_dir/" && chmod 644 "$plugin_dir/${cw_plugin##*/}"
done

# cw_started PID: to be ended by cw_cleanup.
cw_started() {
	started_pids="$started_pids $1"
}

# cw_stop PID [SIGNAL]: ends it and waits for it; the status is its exit status.
cw_stop() {
	kill "-${2:-TERM}" "$1" 2>/dev/null || :
	wait "$1" 2>/dev/null
}

cw_cleanup() {
	for cw_pid in $started_pids; do
		kill -TERM "$cw_pid" 2>/dev/null || :
	done
	cw_tries=60
	for cw_pid in $started_pids; do
		while kill -0 "$cw_pid" 2>/dev/null && [ "$cw_tries" -gt 0 ]; do
			sleep 0.05
			cw_tries=$((cw_tries - 1))
		done
		kill -KILL "$cw_pid" 2>/dev/null || :
	done
	command -v topology_down >/dev/null 2>&1 && topology_down
	rm -rf "$work"
}

# broker_config PLUGIN OPTIONS [LINE]...: the configuration of the manual, with its state below $work. A LINE is
# added at the end. Lifetimes and quarantine come from $lifetime and $quarantine.
broker_config() {
	cat >"$work/causewayd.conf" <<END
state-dir = "$work/state"
plugin-dir = "$plugin_dir"
store { backend = "sqlite"  path = "causeway.db" }
tsp {
    listen = { ${listen:-\"[::]:3653\"} }
    mechanisms = { "SCRAM-SHA-256", "DIGEST-MD5", "ANONYMOUS" }
    realm = "example.net"
}
tep "edge1" { plugin = "$1"  ipv4 = "192.0.2.1"  ipv6 = "2001:db8::1"  options = { $2 } }
pool "default" { range = { "198.51.100.0/24" }  exclude = { "198.51.100.0/30" }  tep = "edge1"  lifetime = ${lifetime:-3600}  quarantine = ${quarantine:-30} }
user "alice" { password = "secret" }
END
	shift 2
	for cw_line in "$@"; do
		printf '%s\n' "$cw_line" >>"$work/causewayd.conf"
	done
}

# shellcheck disable=SC2120 # the prefix is optional
# broker_start [COMMAND-PREFIX]...: starts causewayd (behind "ip netns exec NAME", say) and waits until it is ready; sets
# broker_pid.
broker_start() {
	: >>"$broker_log" # or a busy machine looks for the line before there is a file, and takes nothing for a change
	cw_before=$(grep -c event=ready "$broker_log" || :)
	# exec: the process id is the broker's own, not that of a shell or of ip.
	(exec "$@" "$causewayd" --config "$work/causewayd.conf" --foreground) >>"$broker_log" 2>&1 &
	broker_pid=$!
	cw_started "$broker_pid"
	cw_tries=200
	while [ "$(grep -c event=ready "$broker_log" || :)" = "$cw_before" ]; do
		cw_tries=$((cw_tries - 1))
		if [ "$cw_tries" = 0 ] || ! kill -0 "$broker_pid" 2>/dev/null; then
			echo "causewayd did not get ready:" >&2
			tail -n 20 "$broker_log" >&2
			return 1
		fi
		sleep 0.05
	done
}

# client_config NAME [LINE]...: a client's configuration as $work/NAME.conf; it asks the broker at the TEP's address.
client_config() {
	cat >"$work/$1.conf" <<END
broker = { "[2001:db8::1]:3653" }
control = "$work/$1.sock"
state = "$work/$1.state"
persist = true
retry-max = 2
END
	cw_conf=$work/$1.conf
	shift
	for cw_line in "$@"; do
		printf '%s\n' "$cw_line" >>"$cw_conf"
	done
}

# client_start NAME [COMMAND-PREFIX]...: starts the client of that configuration; sets client_pid.
client_start() {
	cw_name=$1
	shift
	(exec "$@" "$causeway" up --config "$work/$cw_name.conf" --foreground) >>"$work/$cw_name.log" 2>&1 &
	client_pid=$!
	cw_started "$client_pid"
}

# client_address NAME [COMMAND-PREFIX]...: the IPv4 address it holds, or nothing.
client_address() {
	cw_name=$1
	shift
	"$@" "$causeway" status --config "$work/$cw_name.conf" --json 2>/dev/null |
		sed -n 's/.*"ipv4": *"\([0-9.]*\)".*/\1/p'
}

# server_start: a web server in the IPv4-only namespace; /hello is small, /big has 4 MiB.
server_start() {
	mkdir -p "$work/www"
	echo "hello from an IPv4-only server" >"$work/www/hello"
	dd if=/dev/urandom of="$work/www/big" bs=64k count=64 2>/dev/null
	(exec ip netns exec "$NS_SERVER" busybox httpd -f -p 80 -h "$work/www") >/dev/null 2>&1 &
	cw_started "$!"
}

# server_udp_seen: UDP datagrams that reached the server, to any port.
server_udp_seen() {
	ip netns exec "$NS_SERVER" sed -n 's/^Udp: \([0-9]*\) \([0-9]*\) .*/\1 \2/p' /proc/net/snmp |
		awk '{sum += $1 + $2} END {print sum}'
}

# broker_port: the TSP port on [::1] that the broker picked.
broker_port() {
	sed -n 's/.*event=ready.*\[::1\]:\([0-9]*\).*/\1/p' "$broker_log" | tail -n 1
}
