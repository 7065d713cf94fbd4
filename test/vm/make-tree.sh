#!/bin/sh
# Makes the second disk of the test machine: this tree as it is built, as far as its tests need it.
# usage: test/vm/make-tree.sh NODE DISK
set -eu
node=$(readlink -f "$1")
disk=$2
work=$disk.partial
release=native/target/x86_64-unknown-linux-gnu/release
rm -rf "$work"
mkdir -p "$work/build/node" "$work/build/test-programs" "$work/build/tools/bin" "$work/$release"
# Hard links: it is the same file system.
cp -al src proto test node_modules package.json ava.vm.config.js "$work/"
cp -al build/bin build/demo-image.tar "$work/build/"
cp -al $release/berth-demo "$work/$release/"
for name in @biomejs @esbuild @typescript dprint-node protoc; do rm -rf "$work/node_modules/$name"; done
cp "$node" "$work/build/node/node"
# The machine has no compiler.
for source in test/lib/*.c test/conformance/*.c; do
	cc -static -O1 -Wall -Werror -o "$work/build/test-programs/$(basename "$source" .c)" "$source"
done
# Machine code out of JavaScript costs an emulated processor more than it saves.
cat >"$work/build/tools/bin/node" <<'END'
#!/bin/sh
exec "$(dirname "$(readlink -f "$0")")/../../node/node" --no-opt --no-maglev --no-sparkplug "$@"
END
chmod 755 "$work/build/tools/bin/node"
rm -f "$disk"
truncate -s 2G "$disk"
mkfs.ext4 -q -m 0 -O ^has_journal -d "$work" "$disk"
rm -rf "$work"
