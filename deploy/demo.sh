#!/bin/bash
# A demo of Berth: a node in namespaces of its own runs one pod of two containers, shows it, and takes it all down again.
# usage: deploy/demo.sh    as root, after `make build`; BERTH_BIN names another folder of programs
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
bin=${BERTH_BIN:-$top/build/bin}
image=localhost/berth-demo:latest
archive=$top/build/demo-image.tar
start_timeout_seconds=30
answers_timeout_seconds=30
answers_wanted=5
# A command that hangs must not keep the demo from being taken down.
command_timeout_seconds=60
stop_timeout_seconds=20

bold='' plain=''
if [[ -t 1 && -z ${NO_COLOR:-} ]]; then bold=$'\033[1m' plain=$'\033[0m'; fi
say() { printf '\n%s==> %s%s\n' "$bold" "$*" "$plain"; }
fail() {
	printf 'demo: %s\n' "$*" >&2
	exit 1
}

# Shows a command as a person would type it, and runs it.
show() { printf '\n%s$ berth %s%s\n' "$bold" "$*" "$plain"; }
berth() {
	show "$@"
	"$bin/berth" "$@"
}

# For the way down: `timeout` gives it a process group of its own, so that a further Ctrl-C does not end it half way.
bounded_berth() { timeout --kill-after=5 "$command_timeout_seconds" "$bin/berth" "$@"; }

folder='' name='' cgroups=()
# The demo starts one job in the background: berthd.
node_runs() { [[ -n $(jobs -pr) ]]; }

start_node() {
	# Short, and not below TMPDIR: the kernel takes no socket path over 107 bytes.
	folder=$(mktemp -d /tmp/berth-demo-XXXXXX)
	name=${folder##*/}
	export BERTH_SOCKET=$folder/run/berth.sock BERTH_LOG_ROOT=$folder/logs
	mkdir -m 711 "$folder/lib" "$folder/run" "$folder/logs"
	# A session of its own keeps Ctrl-C from berthd: first its pods go, then it.
	setsid unshare --mount --net --propagation private sh -c 'mount --make-rshared / && ip link set lo up && exec "$@"' sh \
		"$bin/berthd" --root "$folder/lib" --state "$folder/run" --socket "$BERTH_SOCKET" --cgroup-parent "/$name" \
		</dev/null >"$folder/berthd.log" 2>&1 &
	local deadline=$((SECONDS + start_timeout_seconds))
	until [[ -S $BERTH_SOCKET ]] && timeout 10 "$bin/berth" version >/dev/null 2>&1; do
		node_runs || fail "berthd ended before it was ready"
		((SECONDS < deadline)) || fail "berthd did not answer within $start_timeout_seconds s"
		sleep 0.1
	done
}

wait_for_answers() {
	local deadline=$((SECONDS + answers_timeout_seconds))
	until (($(timeout 10 "$bin/berth" logs demo/client 2>/dev/null | grep -c 'hello from') >= answers_wanted)); do
		((SECONDS < deadline)) || fail "the client had no $answers_wanted answers within $answers_timeout_seconds s"
		sleep 0.2
	done
}

# Process ids of all that see a mount below our folder or name it, and are not in our own mount namespace: berthd, its
# helper, the pod's shim, and the containers. The folder's name is ours alone, so these are too.
node_processes() {
	local own file pid its
	own=$(readlink /proc/self/ns/mnt)
	grep -lF "$folder" /proc/[0-9]*/{cmdline,mountinfo} | while read -r file; do
		pid=${file//[!0-9]/}
		# None: it has ended meanwhile, as this grep has, and its number may be another's soon.
		its=$(readlink "/proc/$pid/ns/mnt") || continue
		[[ $its == "$own" ]] || echo "$pid"
	done | sort -un
} 2>/dev/null

# The names of the cgroups that the node made: the pods' parent, and where its shims are. Names in our own path are
# another's: this may itself run in a pod of Berth.
node_cgroups() {
	local pid each
	{
		echo "$name"
		for pid in $(node_processes); do grep -o '/berth-[^/]*' "/proc/$pid/cgroup" | tr -d /; done
	} | sort -u | while read -r each; do
		grep -qF "/$each" /proc/self/cgroup || echo "$each"
	done
} 2>/dev/null

cgroup_folders() {
	local each
	for each in "${cgroups[@]}"; do find /sys/fs/cgroup -depth -type d -path "*/$each" "$@"; done 2>/dev/null
}

# Lists what is left of the demo, a line each.
leftovers() {
	local file pid words
	for file in /proc/[0-9]*/cmdline; do
		pid=${file//[!0-9]/}
		mapfile -d '' -t words 2>/dev/null <"$file" || continue
		[[ "${words[*]}" != *"$folder"* ]] || echo "process $pid: ${words[*]}"
	done 2>/dev/null
	for pid in $(node_processes); do echo "process $pid, in namespaces of the node"; done
	grep -F " $folder" /proc/self/mounts | sed 's/^/mount /'
	cgroup_folders -printf 'cgroup %p\n'
	[[ ! -e $folder ]] || echo "folder $folder"
}

stop_node() {
	local pods deadline pid
	mapfile -t cgroups < <(node_cgroups)
	if node_runs; then
		# All of them, since a start that failed may have come as far as a pod.
		pods=$(bounded_berth pods 2>/dev/null | awk 'NR > 1 { print $2 }')
		if [[ -n $pods ]]; then
			say "Stops the pod, and removes it"
			show stop $pods
			bounded_berth stop $pods
			show rm $pods
			bounded_berth rm $pods || bounded_berth rm -f $pods
		fi
		say "Ends the node, and looks for what it left"
		pid=$(jobs -pr)
		kill -TERM "$pid"
		deadline=$((SECONDS + stop_timeout_seconds))
		while node_runs && ((SECONDS < deadline)); do sleep 0.1; done
		if node_runs; then
			echo "berthd did not end within $stop_timeout_seconds s, so it is killed"
			kill -KILL "$pid"
		fi
		wait "$pid"
	fi
	# Pods go on without berthd, by design; what it could not end goes here.
	local stray
	stray=$(node_processes)
	if [[ -n $stray ]]; then
		echo "kills what did not end by itself:" $stray
		kill -KILL $stray
		deadline=$((SECONDS + stop_timeout_seconds))
		while [[ -n $(node_processes) ]] && ((SECONDS < deadline)); do sleep 0.1; done
		for each in "${cgroups[@]}"; do find /sys/fs/cgroup -depth -type d -path "*/$each*" -exec rmdir {} +; done 2>/dev/null
	fi
	rm -rf --one-file-system "$folder"
}

say_what_stays() {
	say "What stays on this machine"
	if [[ -s $top/build/installed-packages ]]; then
		echo "  Debian packages that the build installed: $(sort -u "$top/build/installed-packages" | paste -sd' ')"
	fi
	[[ ! -d $top/build/tools ]] || echo "  Node, in build/tools"
	[[ ! -d $top/node_modules ]] || echo "  npm packages, in node_modules"
	echo "  the build, in build and native/target (\`make clean\` removes it)"
}

take_down() {
	local status=$? left
	trap - EXIT
	trap '' INT TERM HUP PIPE
	set +e
	[[ -n $folder ]] || exit "$status"
	if ((status != 0 && status < 128)) && [[ -s $folder/berthd.log ]]; then
		say "The demo failed; the end of berthd's log"
		tail -n 20 "$folder/berthd.log"
	fi
	stop_node
	left=$(leftovers)
	if [[ -z $left ]]; then
		echo "Nothing is left: no process, no mount, no cgroup, and no file below $folder."
	else
		printf 'This is left of the demo:\n%s\n' "$left"
		((status != 0)) || status=1
	fi
	say_what_stays
	exit "$status"
}

[[ $(id -u) == 0 ]] || fail "it needs root"
for file in "$bin/berthd" "$bin/berth" "$archive"; do
	[[ -e $file ]] || fail "$file is not there: run \`make build\` first"
done
for program in unshare setsid ip; do
	command -v "$program" >/dev/null || fail "$program is missing: install util-linux and iproute2"
done
trap take_down EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP
trap 'exit 141' PIPE

say "Starts a node in namespaces of its own"
start_node
echo "berthd runs with a network stack and mounts of its own, and all its files are below $folder."
berth version

say "Loads an image from an archive; no registry is needed"
berth load "$archive"

say "Runs a pod of two containers, each with its own limits; the second joins the first one's pod"
berth run -d --pod demo --name web -m 64m --cpus 0.5 --pids 32 "$image" serve
berth run -d --pod demo --name client -m 32m --pids 16 "$image" fetch --every 0.2 http://localhost:8080/
printf '\nEach run prints the id of the pod and that of the container. Some answers are waited for.\n'
wait_for_answers

say "The pod and its address: the containers of a pod share one network stack"
berth pods
say "Its containers"
berth ps
say "What they print: the client reaches the web server on localhost"
berth logs --tail 3 demo/web
berth logs --tail 3 demo/client
say "What they use, against their limits"
berth stats
say "Where the time of the start went"
berth timeline demo
