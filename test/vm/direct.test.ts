// Containers of Berth's own runtime where cgroup v2 is all there is: limits, devices, commands and ends as this kernel has them.
import { chmodSync, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { cgroupFile, isRunning } from "../lib/kernel.ts";
import { TestNode } from "../lib/node.ts";
import { type Container, Pod } from "../lib/pods.ts";
import { shared } from "../lib/teardown.ts";

const node = shared(test, async (t) => {
  const node = await TestNode.start(t, { flags: ["--runtime", "direct"] });
  // As /run/berth is: the way to its root is open to a pod's user.
  chmodSync(node.folder, 0o711);
  return node;
});
const MIB = 1024 * 1024;
const IDLE = ["sleep", "1000"];

const read = async (container: Container, file: string): Promise<string> => cgroupFile(await container.cgroupPath(), "", "", file);
const folderOf = async (container: Container): Promise<string> => join("/sys/fs/cgroup", await container.cgroupPath());
const execCgroups = async (container: Container): Promise<string[]> =>
  readdirSync(await folderOf(container)).filter((name) => name.startsWith("exec-"));

test("a container has a cgroup of its own with its limits, and sees it as the root of all", async (t) => {
  const pod = await Pod.run(node());
  const resources = {
    memory_limit_in_bytes: 64 * MIB,
    memory_swap_limit_in_bytes: 64 * MIB,
    cpu_quota: 50_000,
    cpu_period: 100_000,
    cpu_shares: 512,
    cpuset_cpus: "0",
    unified: { "pids.max": "32", "memory.high": String(48 * MIB) },
  };
  const container = await pod.start("one", IDLE, { linux: { resources } });
  const expected = {
    "memory.max": String(64 * MIB),
    "memory.high": String(48 * MIB),
    "pids.max": "32",
    "cpu.max": "50000 100000",
    "cpu.weight": "20",
    "cpuset.cpus": "0",
    "cgroup.procs": String(await container.pid()),
  };
  for (const [file, value] of Object.entries(expected)) t.is(await read(container, file), value, file);
  t.is(await container.output("cat", "/proc/1/cgroup"), "0::/");
  await pod.remove();
});

test("a limit that the kernel refuses fails the start, and leaves no cgroup", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.create("one", IDLE, { linux: { resources: { unified: { "memory.high": "much" } } } });
  await t.throwsAsync(container.start(), { message: /memory\.high: Invalid argument/ });
  const { cgroupPath } = JSON.parse((await pod.status()).info["info"] ?? "{}") as { cgroupPath: string };
  t.false(existsSync(join("/sys/fs/cgroup", cgroupPath, container.id)));
  await pod.remove();
});

test("a container of a pod with its own users is in its cgroup too, and so are its commands", async (t) => {
  const ids = [{ host_id: 200_000, container_id: 0, length: 65_536 }];
  const linux = { security_context: { namespace_options: { userns_options: { mode: "POD", uids: ids, gids: ids } } } };
  const pod = await Pod.run(node(), { linux });
  const container = await pod.start("one", IDLE, { linux });
  t.is(await read(container, "cgroup.procs"), String(await container.pid()));
  t.regex(await container.output("cat", "/proc/self/cgroup"), /^0::\/exec-\d+$/);
  await pod.remove();
});

/** What opening a device that no kernel has comes to; whether it may be opened is asked first. */
const opens = (kind: "b" | "c"): string[] => ["sh", "-c", `mknod /tmp/${kind} ${kind} 511 77 && : < /tmp/${kind}`];

test("a container may make any device and use those that all have, and a privileged one may use any", async (t) => {
  const pod = await Pod.run(node(), { linux: { security_context: { privileged: true } } });
  const plain = await pod.start("plain", IDLE);
  const privileged = await pod.start("privileged", IDLE, { linux: { security_context: { privileged: true } } });
  for (const name of ["zero", "full", "random", "urandom"])
    t.is(await plain.output("sh", "-c", `head -c 4 /dev/${name} | wc -c`), "4", name);
  t.is((await plain.exec(["sh", "-c", "echo text > /dev/null"])).exit_code, 0);
  for (const kind of ["b", "c"] as const) {
    t.regex((await plain.exec(opens(kind))).stderr.toString(), /Operation not permitted/);
    t.regex((await privileged.exec(opens(kind))).stderr.toString(), /No such device or address/);
  }
  await pod.remove();
});

test("a device that was asked for can be used as far as was asked for", async (t) => {
  const pod = await Pod.run(node());
  const devices = [{ host_path: "/dev/kmsg", container_path: "/dev/log-of-kernel", permissions: "r" }];
  const linux = { security_context: { capabilities: { add_capabilities: ["SYSLOG"] } } };
  const container = await pod.start("one", IDLE, { devices, linux });
  t.is(await container.output("sh", "-c", "dd if=/dev/log-of-kernel of=/dev/null bs=8192 count=1 2>/dev/null && echo read"), "read");
  t.regex((await container.exec(["sh", "-c", ": >> /dev/log-of-kernel"])).stderr.toString(), /Operation not permitted/);
  await pod.remove();
});

test("a command is in a cgroup below its container's from its first moment, which goes with it", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", IDLE);
  t.regex(await container.output("cat", "/proc/self/cgroup"), /^0::\/exec-\d+$/);
  await node().eventually("its cgroup is gone", async () => ((await execCgroups(container)).length === 0 ? true : undefined));
  t.is(await read(container, "cgroup.procs"), String(await container.pid()));
  await pod.remove();
});

test("a container that runs out of memory is told as that, in itself or in a command", async (t) => {
  const pod = await Pod.run(node());
  const hungry = ["dd", "if=/dev/zero", "of=/dev/null", "bs=40M", "count=1"];
  const linux = { resources: { memory_limit_in_bytes: 16 * MIB, memory_swap_limit_in_bytes: 16 * MIB } };
  const container = await pod.start("one", hungry, { linux });
  t.like(await container.reached("CONTAINER_EXITED"), { exit_code: 137, reason: "OOMKilled" });
  const idle = await pod.start("idle", IDLE, { linux });
  t.is((await idle.exec(hungry)).exit_code, 137);
  t.is((await idle.status()).state, "CONTAINER_RUNNING");
  await pod.remove();
});

test("what a container has started ends with it, also what is in a command's cgroup, and no cgroup is left", async (t) => {
  const pod = await Pod.run(node());
  const linux = { security_context: { namespace_options: { pid: "POD" } } };
  const together = await Pod.run(node(), { linux });
  for (const [each, config] of [
    [pod, {}],
    [together, { linux }],
  ] as const) {
    const container = await each.start("one", ["sh", "-c", "sleep 1001 & exec sleep 1000"], config);
    const command = container.exec(IDLE);
    const path = await folderOf(container);
    await node().eventually("the command runs", async () => ((await execCgroups(container)).length > 0 ? true : undefined));
    const pids = (await read(container, "cgroup.procs")).split("\n").map(Number);
    await container.stop();
    await command.catch(() => undefined);
    await container.remove();
    t.false(existsSync(path));
    t.deepEqual(pids.filter(isRunning), []);
    await each.remove();
    t.false(existsSync(join(path, "..")));
  }
});
