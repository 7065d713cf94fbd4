# critest of the third disk, against a node of this machine. Its reports go back onto the disk.
. test/vm/environment.sh
disk=/root/conformance
mkdir -p "$disk" build/results
mount -t ext4 /dev/vdc "$disk"
ln -s "$disk/conformance-vm" build/results/conformance
# critest loads its profiles of AppArmor by sudo.
printf '#!/bin/sh\nexec "$@"\n' >/usr/bin/sudo
chmod 755 /usr/bin/sudo
. "$disk/settings.sh"

code=0
CRITEST=$disk/critest node test/conformance/run.ts || code=$?
umount "$disk"
echo "vm: critest ended with exit code $code"
