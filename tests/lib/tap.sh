# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# The Test Anything Protocol for shell tests: source this file first.
#
#	. "$CW_SRCDIR/tests/lib/tap.sh"
#	[ "$(id -u)" = 0 ] || skip_all "needs root"
#	ok "the broker answers" grep -q event=ready broker.log
#	is "$(cat count)" 3 "three leases"
#	done_testing
#
# Every test is one call of ok, is, pass, fail or skip; done_testing prints the plan and gives the exit
# status. A script that ends without it has no plan, which counts as an error.
: "${CW_SRCDIR:=$(cd "$(dirname "$0")/../.." && pwd)}"
: "${CW_BUILDDIR:=$CW_SRCDIR}"

tap_count=0
tap_failed=0

# Lines for the log of the test.
diag() {
	printf '%s\n' "$*" | sed 's/^/# /'
}

pass() {
	tap_count=$((tap_count + 1))
	printf 'ok %d - %s\n' "$tap_count" "$*"
}

fail() {
	tap_count=$((tap_count + 1))
	tap_failed=$((tap_failed + 1))
	printf 'not ok %d - %s\n' "$tap_count" "$*"
}

# skip DESCRIPTION REASON
skip() {
	tap_count=$((tap_count + 1))
	printf 'ok %d - %s # SKIP %s\n' "$tap_count" "$1" "$2"
}

# ok DESCRIPTION COMMAND [ARG]...: the command's status decides; its output goes to the log.
ok() {
	tap_name=$1
	shift
	if tap_output=$("$@" 2>&1); then
		pass "$tap_name"
	else
		fail "$tap_name"
		diag "command: $*"
		diag "$tap_output"
	fi
}

# nok DESCRIPTION COMMAND [ARG]...: the command must fail.
nok() {
	tap_name=$1
	shift
	if tap_output=$("$@" 2>&1); then
		fail "$tap_name"
		diag "should have failed: $*"
		diag "$tap_output"
	else
		pass "$tap_name"
	fi
}

# is GOT WANTED DESCRIPTION
is() {
	if [ "$1" = "$2" ]; then
		pass "$3"
	else
		fail "$3"
		diag "got:    $1"
		diag "wanted: $2"
	fi
}

# like TEXT EXTENDED-REGEX DESCRIPTION
like() {
	if printf '%s\n' "$1" | grep -Eq -- "$2"; then
		pass "$3"
	else
		fail "$3"
		diag "got:           $1"
		diag "should match:  $2"
	fi
}

# The whole script cannot run here: says why and ends.
skip_all() {
	printf '1..0 # SKIP %s\n' "$*"
	exit 77
}

# wait_for SECONDS COMMAND [ARG]...: polls until the command succeeds; 1 if it never did.
wait_for() {
	tap_tries=$(($1 * 20))
	shift
	while [ "$tap_tries" -gt 0 ]; do
		if "$@" >/dev/null 2>&1; then
			return 0
		fi
		tap_tries=$((tap_tries - 1))
		sleep 0.05
	done
	return 1
}

# Prints the plan and ends with the status of the whole script.
done_testing() {
	printf '1..%d\n' "$tap_count"
	[ "$tap_failed" = 0 ] || exit 1
	exit 0
}
