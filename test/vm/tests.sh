# The tests of specs.ts, then a loss of power, and in the second boot those that look for what is left. The last line of all says
# how they ended.
. test/vm/environment.sh
began=/var/lib/first-boot-began
kept=/var/lib/first-boot

TEST_FILES=$(sed -n 's/.*berth\.files=\([^ ]*\).*/\1/p' /proc/cmdline)
export TEST_FILES

# $1: the boot
ava() { TEST_BOOT=$1 node node_modules/ava/entrypoints/cli.js --config ava.vm.config.js; }

code=0
if [ -n "$TEST_FILES" ]; then
	ava 1 || code=$?
elif [ -e $began ] && ! [ -e $kept ]; then
	echo "vm: the machine went down in its first boot"
	code=1
elif [ -e $kept ]; then
	code=$(cat $kept)
	ava 2 || code=$?
else
	touch $began
	sync
	ava 1 || code=$?
	echo $code >$kept
	sync
	node test/vm/reboot.ts
	echo "vm: the machine was not rebooted"
	code=1
fi
echo "vm: the tests ended with exit code $code"
