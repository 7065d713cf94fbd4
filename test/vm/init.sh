#!/bin/sh
# The machine's init: makes the host that Berth expects, runs what the kernel's command line says, and turns the machine off.
export PATH=/usr/sbin:/usr/bin HOME=/root CI=true NO_COLOR=1
tree=/root/berth

mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t securityfs securityfs /sys/kernel/security
mount -t cgroup2 -o nsdelegate,memory_recursiveprot cgroup2 /sys/fs/cgroup
mkdir -p /dev/pts /dev/shm /dev/mqueue /dev/hugepages
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
mount -t mqueue mqueue /dev/mqueue
mount -t tmpfs -o mode=755 run /run
mount --make-rshared /
ln -sf /proc/self/fd /dev/fd
chmod 1777 /tmp
hostname -F /etc/hostname
ip link set lo up
# The first memory cgroup has the kernel change code that every CPU runs all the time. An emulated machine whose CPUs meet it at
# that moment may hang there for ever, so it comes while nothing else runs.
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
mkdir /sys/fs/cgroup/first && rmdir /sys/fs/cgroup/first
echo -memory >/sys/fs/cgroup/cgroup.subtree_control
# With a huge page or two there is something that a limit can refuse.
echo 8 >/proc/sys/vm/nr_hugepages

exec </dev/ttyS1 >/dev/ttyS1 2>&1
stty raw -echo
cd "$tree"
# "tests", "shell", "conformance"
purpose=$(sed 's/.*berth\.purpose=\([a-z]*\).*/\1/' /proc/cmdline)
echo "vm: $(uname -r), up for $(cut -d' ' -f1 /proc/uptime) s"
. test/vm/"$purpose".sh
sync
echo o >/proc/sysrq-trigger
sleep 60
