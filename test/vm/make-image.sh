#!/bin/sh
# Makes the kernel, the initramfs and the root disk of the test machine from Debian's packages: nothing is installed on this
# machine, no script of a package runs, nothing is mounted.
# usage: test/vm/make-image.sh FOLDER; the folder is there when it is whole
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$1
work=$folder.partial
rm -rf "$work"
mkdir -p "$work/debs/partial" "$work/root" "$work/initramfs/lib"
: >"$work/status"
packages=$(sed 's/#.*//' "$here/packages.txt" | cut -d' ' -f1)

# An empty list of installed packages: all that they depend on is fetched, whatever this machine has.
fetch() {
	apt-get -o Dir::State::status="$work/status" -o Dir::Cache::archives="$work/debs" -o APT::Sandbox::User=root -o Debug::NoLocking=1 \
		--no-install-recommends --download-only -y install $packages >"$work/apt.log" 2>&1
}
fetch || { apt-get update >>"$work/apt.log" 2>&1 && fetch; } || { cat "$work/apt.log" >&2; exit 1; }

cd "$work/root"
mkdir -p usr/bin usr/sbin usr/lib usr/lib64 dev etc proc run sys tmp var/lib root/berth
for name in bin sbin lib lib64; do ln -s usr/$name $name; done
for deb in "$work"/debs/*.deb; do dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink; done
(cd "$work/debs" && ls ./*.deb) >"$work/packages"
printf 'root:x:0:0:root:/root:/bin/sh\n' >etc/passwd
printf 'root:x:0:\n' >etc/group
printf '127.0.0.1 localhost\n' >etc/hosts
printf 'berth-vm\n' >etc/hostname
# What Debian's packages have not brought: applets of busybox.
for applet in $(busybox --list); do [ -e "usr/bin/$applet" ] || [ -e "usr/sbin/$applet" ] || ln -s busybox "usr/bin/$applet"; done
rm -rf usr/share/doc usr/share/man usr/share/locale

kernel=$(ls lib/modules)
mv "boot/vmlinuz-$kernel" "$work/vmlinuz"
rm -rf boot
# Its own depmod: the one of busybox writes no indexes that kmod reads.
chroot "$work/root" /usr/sbin/depmod "$kernel"

# The kernel finds its disk only with modules, so a first root file system in memory brings these.
modules="$work/initramfs/lib/modules/$kernel"
mkdir -p "$modules" "$work/initramfs/bin" "$work/initramfs/dev" "$work/initramfs/proc" "$work/initramfs/root"
for name in virtio virtio_ring virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk; do
	find "lib/modules/$kernel/" -name "$name.ko" -exec cp {} "$modules/" \;
done
busybox depmod -b "$work/initramfs" "$kernel"
cp usr/bin/busybox "$work/initramfs/bin/"
cp "$here/initramfs.sh" "$work/initramfs/init"
chmod 755 "$work/initramfs/init"
(cd "$work/initramfs" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$work/initramfs.gz"

truncate -s 4G "$work/root.ext4"
mkfs.ext4 -q -m 0 -d "$work/root" "$work/root.ext4"
rm -rf "$work/root" "$work/initramfs" "$work/debs" "$work/status"
rm -rf "$folder"
mv "$work" "$folder"
