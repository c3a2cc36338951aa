# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# For tests of a data plane plugin: dpdriver in the background, spoken to over two pipes. Source tap.sh (and topology.sh, for
# plugins that forward) first.
#
#	dp_start PLUGIN TEP6 [TEP4] [KEY=VALUE]...	its first line is in $dp_answer; not in a subshell. $dp_wrap, if
#							set, is put in front (e.g. "ip netns exec NS")
#	dp apply 198.51.100.10 0/0/0 2001:db8:a::2 1 1 never	prints the answer; the last line is "= RESULT"
#	dp_stat drop.spoof
dp_tmp=$(mktemp -d) || exit 1
dp_pids=
chmod 700 "$dp_tmp"
mkdir "$dp_tmp/plugins"
for dp_so in "$CW_BUILDDIR"/dataplane/plugins/*/.libs/*.so; do
	[ ! -e "$dp_so" ] || cp "$dp_so" "$dp_tmp/plugins" # the build tree may be writable by the group
done
chmod 755 "$dp_tmp/plugins"/*.so
tool() { echo "$CW_BUILDDIR/tests/lib/$1"; }

dp_start() {
	rm -f "$dp_tmp/in" "$dp_tmp/out"
	mkfifo "$dp_tmp/in" "$dp_tmp/out"
	# shellcheck disable=SC2086 # a command
	${dp_wrap:-} "$(tool dpdriver)" "$dp_tmp/plugins" "$@" <"$dp_tmp/in" >"$dp_tmp/out" 2>>"$dp_tmp/err" &
	dp_pid=$!
	exec 3>"$dp_tmp/in" 4<"$dp_tmp/out"
	# shellcheck disable=SC2034 # for the caller
	dp_answer=$(dp_read)
}

# Lines up to and with the one that begins with "= "; nothing if the driver has ended.
dp_read() {
	while IFS= read -r dp_line <&4; do
		echo "$dp_line"
		case $dp_line in
		"= "*) return 0 ;;
		esac
	done
	return 1
}

dp() {
	echo "$*" >&3
	dp_read
}

dp_stat() {
	dp stats | awk -v name="$1" '$1 == name {print $2}'
}

dp_stop() {
	echo quit >&3
	exec 3>&- 4<&-
	wait "$dp_pid"
}

# background NAME COMMAND...: output to $dp_tmp/NAME; waits for the line "ready".
background() {
	dp_name=$1
	shift
	"$@" >"$dp_tmp/$dp_name" 2>>"$dp_tmp/err" 3>&- 4<&- &
	dp_pids="$dp_pids $!"
	eval "pid_$dp_name=\$!"
	wait_for 10 grep -q '^ready' "$dp_tmp/$dp_name" || diag "$dp_name did not start: $(cat "$dp_tmp/err")"
}

dp_clean() {
	exec 3>&- 4<&-
	# shellcheck disable=SC2086 # a list
	[ -z "$dp_pids" ] || kill $dp_pids 2>/dev/null
	rm -rf "$dp_tmp"
}
