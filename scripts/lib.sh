# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What every script here shares. Source it first:  . "${0%/*}/lib.sh"
#
# Sets TOP (the repository) and BUILD (everything generated; override it in the
# environment), and gives die, say, step, lock, as_root and a few more.

set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=$(realpath -m "${BUILD:-$TOP/build}")
LOG=$BUILD/log
STAMP=$BUILD/stamp
SHARE=$BUILD/share
ME=${0##*/}
JOBS=${JOBS:-$(nproc)}
# shellcheck source=scripts/versions
. "$TOP/scripts/versions"

mkdir -p "$LOG" "$STAMP" "$SHARE"

say() { printf '%s: %s\n' "$ME" "$*"; }
die() { printf '%s: error: %s\n' "$ME" "$*" >&2; exit 1; }

# usage STATUS: print the calling script's header comment, and exit.
usage() {
	sed -n '/^# SPDX/,/^[^#]/ { s/^# \{0,1\}//p }' "$0" | sed '1,2d'
	exit "$1"
}
case ${1:-} in -h | --help) usage 0 ;; esac

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else ${SUDO:-sudo} "$@"; fi
}

# lock NAME: wait until no other make works on NAME; held until this script ends.
lock() {
	mkdir -p "$BUILD/lock"
	exec 9>"$BUILD/lock/$1"
	flock -n 9 && return
	say "waiting for what works on $1 already"
	flock 9
}

# tree NAME: the directory of a kernel tree: stock, linux (the patched one), and copies
# of that which are built differently.
tree() {
	case $1 in
	stock | linux | debug | race | mutants) echo "$BUILD/$1" ;;
	*) die "no such tree: $1 (stock, linux, debug, race or mutants)" ;;
	esac
}

# Our sources, and where link-sources puts them in build/linux: the kernel's, then the tests.
# shellcheck disable=SC2034
SOURCE_DIRS=(kvm/mmu_share iommu/tdp_bridge iommu/iommufd_tdp iommu/intel_tdp selftests)
# shellcheck disable=SC2034
LINKED_KERNEL_DIRS=(arch/x86/kvm/mmu_share drivers/iommu/tdp_bridge drivers/iommu/iommufd/tdp
	drivers/iommu/intel/tdp)
# shellcheck disable=SC2034
LINKED_DIRS=("${LINKED_KERNEL_DIRS[@]}" tools/testing/selftests/kvm/tdp)

# Make that knows the kernel's build: quiet about git state, through ccache if it is there.
# In "depend" mode ccache believes the list of headers that the compiler makes for kbuild.
# Otherwise it preprocesses each file twice, two fifths more work for what it has not seen.
kmake() {
	local dir=$1
	shift
	CCACHE_DIR=${CCACHE_DIR:-$BUILD/ccache} CCACHE_MAXSIZE=${CCACHE_MAXSIZE:-4G} CCACHE_DEPEND=1 \
		PATH=/usr/lib/ccache:$PATH nice "${MAKE:-make}" -C "$dir" -j"$JOBS" \
		--no-print-directory LOCALVERSION= ARCH=x86 "$@" </dev/null
}

# ahead NAME: begin with that script's work beside other work. Whoever calls it later waits
# for its lock, and does itself what failed here.
ahead() {
	setsid "$TOP/scripts/$1" </dev/null >"$LOG/$1-ahead.log" 2>&1 9>&- &
}

_tick() { # log file, name: one line that counts, or a line a minute when nobody watches
	local start=$SECONDS every=60
	[ -t 1 ] && every=2
	while sleep "$every" >&- 2>&- && kill -0 $$ 2>/dev/null; do
		local t=$((SECONDS - start))
		local line
		line=$(printf '  %-14s %2d:%02d  %6d lines logged' "$2" $((t / 60)) $((t % 60)) \
			"$(wc -l <"$1" 2>/dev/null || echo 0)")
		if [ -t 1 ]; then printf '\r%s' "$line"; else printf '%s\n' "$line"; fi
	done
}

# step NAME COMMAND...: run it, its output in build/log/NAME.log. Says how long it
# took; when it fails shows the log's end and exits.
step() {
	local name=$1 log=$LOG/$1.log start=$SECONDS rc=0 ticker t
	shift
	: >"$log"
	_tick "$log" "$name" 9>&- &
	ticker=$!
	set +e # and not "||", which would switch -e off in the command as well
	(set -e; "$@") >"$log" 2>&1
	rc=$?
	set -e
	kill "$ticker" 2>/dev/null || true
	wait "$ticker" 2>/dev/null || true
	[ -t 1 ] && printf '\r\033[K'
	t=$((SECONDS - start))
	if [ $rc != 0 ]; then
		printf '%s: error: %s failed (status %d); the end of %s:\n' "$ME" "$name" $rc "$log" >&2
		tail -n 20 "$log" | cut -c1-240 | sed 's/^/    /' >&2
		exit 1
	fi
	printf '  %-14s %2d:%02d  done\n' "$name" $((t / 60)) $((t % 60))
}

# stamped NAME KEY: whether step NAME was done with this very KEY.
stamped() { [ "$(cat "$STAMP/$1" 2>/dev/null)" = "$2" ]; }
stamp() { printf '%s\n' "$2" >"$STAMP/$1"; }

# key STRING|FILE...: one short hash over the contents of files and over strings.
key() {
	local arg
	for arg in "$@"; do
		if [ -f "$arg" ]; then cat "$arg"; else printf '%s\n' "$arg"; fi
	done | sha256sum | cut -c1-16
}

# debian_mirror: the mirror that this machine's apt takes Debian from.
debian_mirror() {
	local uri
	[ -z "${DEBIAN_MIRROR:-}" ] || { echo "$DEBIAN_MIRROR"; return; }
	# shellcheck disable=SC2016
	uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
		'Label: Debian' 'Component: main' | head -n 1)
	[ -n "$uri" ] || die "apt names no Debian mirror here: run apt-get update, or set DEBIAN_MIRROR"
	case $uri in mirror+file:*) uri=$(grep -m 1 -o '^[a-z]*:[^[:space:]]*' "${uri#mirror+file:}") ;; esac
	echo "$uri"
}
# shellcheck disable=SC2034
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# bench_lines SOURCE: the machines that a selftest wants to run on, in options of scripts/boot,
# a line each: what it says on lines "bench: OPTIONS". With BENCH=intel those of the Intel bench
# alone, and what it says on lines "bench-intel: OPTIONS", for which "make check" has no time.
bench_lines() {
	local lines
	lines=$(sed -n 's,^.*\bbench\(-intel\)\?: *\(--.*\),\1 \2,p' "$1" | sed 's, *\*/ *$,,')
	[ -n "$lines" ] || lines=' --share'
	if [ "${BENCH:-}" = intel ]; then
		sed -n 's/^-intel /--bench intel /p; s/^ \(.*--bench intel .*\)/\1/p' <<<"$lines"
	else
		sed -n 's/^ //p' <<<"$lines"
	fi
}
# bench_options SOURCE: the first of them.
bench_options() { bench_lines "$1" | head -n 1; }

# bench_missing OPTIONS: why this machine does not have the bench that OPTIONS of scripts/boot
# name; nothing if it does.
bench_missing() {
	case " $1 " in
	*" --bench intel "*) cat "$BUILD/bochs/missing" 2>/dev/null || true ;;
	*" --bench amd-full "*) cat "$BUILD/qemu-amd/missing" 2>/dev/null || true ;;
	esac
}
