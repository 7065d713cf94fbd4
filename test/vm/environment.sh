# What programs of test/ find in the machine.
# A TERM without which ava marks its tests otherwise.
export TERM=dumb PATH="$tree/build/tools/bin:$PATH" TEST_PROGRAMS="$tree/build/test-programs" NODE_COMPILE_CACHE=/var/cache/node
mkdir -p "$NODE_COMPILE_CACHE"

# A start of Node takes 50 ms on an idle machine.
before=$(date +%s%N)
node -e 0
TEST_PATIENCE=$((($(date +%s%N) - before) / 50000000 + 1))
export TEST_PATIENCE
echo "vm: deadlines are $TEST_PATIENCE times longer"
