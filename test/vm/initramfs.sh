#!/bin/busybox sh
# The first process: loads the disk's driver, and goes on with init.sh of the tree that is tested.
export PATH=/bin
/bin/busybox mkdir -p /sbin /usr/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
for module in virtio_pci virtio_blk; do modprobe "$module" || echo "no module $module"; done
until [ -b /dev/vda ] && [ -b /dev/vdb ]; do usleep 20000; done
mount -t ext4 /dev/vda /root
mount -t ext4 /dev/vdb /root/root/berth
umount /proc
mount --move /dev /root/dev
exec switch_root /root /root/berth/test/vm/init.sh
