# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# What contrib/check and contrib/quickstart share: packages, a copy of the tree, a build out of it.
# Source it from bash with cw_tree set to the top of the tree. The tree itself is never written to:
# whoever runs these scripts with sudo would otherwise leave root's files in it.
: "${cw_tree:?set it to the top of the tree first}"

cw_say() {
	printf '%s\n' "$*"
}

cw_die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# cw_packages GROUP...: the names.
cw_packages() {
	local group
	for group in "$@"; do
		awk -v group="$group" '$1 == group {print $2}' "$cw_tree/contrib/build-aux/packages"
	done
}

# cw_missing_packages GROUP...: those of them that are not installed.
cw_missing_packages() {
	local name
	for name in $(cw_packages "$@"); do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || printf '%s\n' "$name"
	done
}

# cw_install GROUP...: 0 all there, 1 installation failed, 2 something is missing and we may not install.
# Prints what it does.
cw_install() {
	local missing

	if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
		cw_say "not Debian: nothing is installed, see contrib/build-aux/packages for what is needed"
		return 2
	fi
	mapfile -t missing < <(cw_missing_packages "$@")
	if [ ${#missing[@]} = 0 ]; then
		cw_say "all packages are there"
		return 0
	fi
	if [ "$(id -u)" != 0 ]; then
		cw_say "not root: these packages are missing and are not installed: ${missing[*]}"
		return 2
	fi
	cw_say "installing ${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive
	# A first try with the package lists that are there saves the update in most containers.
	if ! apt-get install -y --no-install-recommends "${missing[@]}" >/dev/null 2>&1; then
		apt-get update && apt-get install -y --no-install-recommends "${missing[@]}" || return 1
	fi
	cw_say "installed ${#missing[@]} packages"
}

# cw_copy_tree TO: the tree's files, without what builds leave behind; times are kept.
cw_copy_tree() {
	local to=$1

	mkdir -p "$to"
	if command -v git >/dev/null && [ -e "$cw_tree/.git" ] &&
		git -c safe.directory='*' -C "$cw_tree" rev-parse --is-inside-work-tree >/dev/null 2>&1; then
		# The files git knows or would take; a deleted one may still be in its list.
		(cd "$cw_tree" && git -c safe.directory='*' ls-files -z --cached --others --exclude-standard |
			while IFS= read -r -d '' file; do
				if [ -e "$file" ] || [ -L "$file" ]; then
					printf '%s\0' "$file"
				fi
			done | tar --null --no-recursion -T - -cf -) | tar -xf - -C "$to"
	else
		(cd "$cw_tree" && tar --exclude=./.git --exclude='./build*' --exclude=./config.status \
			--exclude=./config.h --exclude=./Makefile --exclude=./autom4te.cache --exclude=.deps \
			--exclude=.libs --exclude='*.o' --exclude='*.lo' --exclude='*.la' -cf - .) | tar -xf - -C "$to"
	fi
	chmod -R u+w "$to" # the tree may be read-only, the copy is built in and removed
}

# cw_ccache WORK: sets cw_cache to "ccache " if the compiler cache is there, and makes it work across the
# ever new names of the build folders below WORK.
cw_cache=
cw_ccache() {
	if command -v ccache >/dev/null; then
		export CCACHE_BASEDIR=$1 CCACHE_NOHASHDIR=1
		[ -w "${HOME:-/nowhere}" ] || export CCACHE_DIR=$1/ccache
		# shellcheck disable=SC2034 # for whoever sourced this file
		cw_cache="ccache "
	fi
}

# cw_jobs: how many compilers at once.
cw_jobs() {
	nproc 2>/dev/null || echo 2
}

# cw_build SOURCE BUILD [CONFIGURE-ARGUMENT]...: configure (once) and make. The source needs autoreconf first.
cw_build() {
	local source=$1 build=$2
	shift 2
	mkdir -p "$build"
	(cd "$build" && { [ -e config.status ] || "$source/configure" "$@"; } && make -j"$(cw_jobs)")
}
