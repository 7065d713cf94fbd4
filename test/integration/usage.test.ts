// Usage is what the kernel counts: each figure lies between two readings of the kernel's own, or is the same where nothing moves.
import { execFile, execFileSync } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import test, { type ExecutionContext } from "ava";
import { folderUsage, interfaceUsage, kernelUsage } from "../lib/kernel-usage.ts";
import { cgroupFile } from "../lib/kernel.ts";
import { programs, TestNode } from "../lib/node.ts";
import { type Container, Pod } from "../lib/pods.ts";
import { shared } from "../lib/teardown.ts";

const node = shared(test, (t) => TestNode.start(t));
const MIB = 1024 * 1024;
const IDLE = ["sleep", "1000"];

interface Value {
  readonly value: string;
}
interface Usage {
  readonly cpu: { readonly usage_core_nano_seconds: Value; readonly usage_nano_cores: Value | null; readonly psi: object | null };
  readonly memory: {
    readonly usage_bytes: Value;
    readonly working_set_bytes: Value;
    readonly available_bytes: Value | null;
    readonly rss_bytes: Value;
    readonly page_faults: Value;
    readonly major_page_faults: Value;
    readonly psi: object | null;
  };
  readonly io: object | null;
}
interface FileSystem {
  readonly timestamp: string;
  readonly fs_id: { readonly mountpoint: string };
  readonly used_bytes: Value;
  readonly inodes_used: Value;
}
interface ContainerStats extends Usage {
  readonly attributes: { readonly id: string };
  readonly swap: { readonly swap_usage_bytes: Value; readonly swap_available_bytes: Value | null } | null;
  readonly writable_layer: FileSystem | null;
}
interface PodStats {
  readonly attributes: { readonly id: string };
  readonly linux: Usage & {
    readonly network: { readonly default_interface: { readonly name: string; readonly rx_bytes: Value; readonly tx_bytes: Value } } | null;
    readonly process: { readonly process_count: Value };
    readonly containers: readonly ContainerStats[];
  };
}

const number = (value: Value | null | undefined): bigint => BigInt(value?.value ?? -1);

const containerStats = async (container: Container): Promise<ContainerStats> =>
  (await node().cri.call<{ stats: ContainerStats }>("ContainerStats", { container_id: container.id })).stats;

const podStats = async (pod: Pod): Promise<PodStats> =>
  (await node().cri.call<{ stats: PodStats }>("PodSandboxStats", { pod_sandbox_id: pod.id })).stats;

const podCgroup = async (pod: Pod): Promise<string> => String(JSON.parse((await pod.status()).info["info"] ?? "{}").cgroupPath);

function between(t: ExecutionContext, what: string, before: bigint, value: bigint, after: bigint): void {
  t.true(before <= value && value <= after, `${what}: ${before} <= ${value} <= ${after}`);
}

test("cpu time and page faults of a container and of its pod lie between two readings of the kernel", async (t) => {
  const pod = await Pod.run(node());
  const busy = ["sh", "-c", "while :; do dd if=/dev/zero of=/dev/null bs=64k count=1 2>/dev/null; done"];
  const container = await pod.start("busy", busy, { linux: { resources: { cpu_quota: 30_000, cpu_period: 100_000 } } });
  const path = await container.cgroupPath();
  await node().eventually("it has used some cpu", async () => (kernelUsage(path).cpuNanos > 0n ? true : undefined));

  const before = kernelUsage(path);
  const { cpu, memory } = await containerStats(container);
  const after = kernelUsage(path);
  between(t, "cpu", before.cpuNanos, number(cpu.usage_core_nano_seconds), after.cpuNanos);
  between(t, "page faults", before.pageFaults, number(memory.page_faults), after.pageFaults);
  between(t, "major page faults", before.majorPageFaults, number(memory.major_page_faults), after.majorPageFaults);

  const podPath = await podCgroup(pod);
  const podBefore = kernelUsage(podPath);
  const { linux } = await podStats(pod);
  const podAfter = kernelUsage(podPath);
  between(t, "cpu of the pod", podBefore.cpuNanos, number(linux.cpu.usage_core_nano_seconds), podAfter.cpuNanos);
  between(t, "page faults of the pod", podBefore.pageFaults, number(linux.memory.page_faults), podAfter.pageFaults);
  await pod.remove();
});

test("memory, swap and processes of an idle container and of its pod are the kernel's to the byte", async (t) => {
  const pod = await Pod.run(node());
  const holds = ["sh", "-c", "x=$(head -c 8000000 /dev/zero | tr '\\0' x); echo holding; sleep 1000 & sleep 1000 & wait; echo $x"];
  const resources = { memory_limit_in_bytes: 64 * MIB, memory_swap_limit_in_bytes: 80 * MIB };
  const container = await pod.start("holds", holds, { linux: { resources } });
  await container.logged(/holding/);
  const path = await container.cgroupPath();
  await node().eventually("all its processes are there and asleep", async () => (kernelUsage(path).pids === 3n ? true : undefined));

  // Charges of the kernel itself may still move: then it is asked again.
  const [seen, { memory, swap }] = await node().eventually("two readings are the same", async () => {
    const before = kernelUsage(path);
    const stats = await containerStats(container);
    const after = kernelUsage(path);
    return before.memoryBytes === after.memoryBytes && before.rssBytes === after.rssBytes ? ([after, stats] as const) : undefined;
  });
  t.is(number(memory.usage_bytes), seen.memoryBytes);
  t.is(number(memory.working_set_bytes), seen.workingSetBytes);
  t.is(number(memory.rss_bytes), seen.rssBytes);
  t.true(seen.rssBytes > 8_000_000n);
  t.is(number(memory.available_bytes), BigInt(64 * MIB) - seen.workingSetBytes);
  t.is(number(swap?.swap_usage_bytes), seen.swapBytes);
  t.is(number(swap?.swap_available_bytes), BigInt(16 * MIB) - seen.swapBytes);

  const { linux } = await podStats(pod);
  t.is(number(linux.process.process_count), kernelUsage(await podCgroup(pod)).pids);
  t.is(number(linux.process.process_count), 3n);
  await pod.remove();
});

test("without limits nothing is said to be left, and without pressure in its cgroups the kernel's is absent", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("free", IDLE);
  const { cpu, memory, swap, io } = await containerStats(container);
  t.deepEqual([memory.available_bytes, swap?.swap_available_bytes], [null, null]);
  const path = await container.cgroupPath();
  const pressure = (resource: string): string | undefined => {
    try {
      return cgroupFile(path, "memory", `${resource}.pressure`, `${resource}.pressure`);
    } catch {
      return undefined;
    }
  };
  t.is(cpu.psi === null, pressure("cpu") === undefined);
  t.is(memory.psi === null, pressure("memory") === undefined);
  t.is(io === null, pressure("io") === undefined);
  await pod.remove();
});

test("bytes that a container writes and reads past the cache lie between two readings of the kernel", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("writer", IDLE);
  const path = await container.cgroupPath();
  await container.output("sh", "-c", "dd if=/dev/zero of=/file bs=1M count=4 oflag=direct conv=fsync 2>/dev/null");
  await container.output("sh", "-c", "dd if=/file of=/dev/null bs=1M iflag=direct 2>/dev/null");
  const before = kernelUsage(path);
  const rows = await stats(pod);
  const after = kernelUsage(path);
  t.is(rows.length, 2);
  for (const { readBytes, writtenBytes, container: name } of rows) {
    if (before.writtenBytes === undefined || before.readBytes === undefined) {
      // Kernels since 6.10 count for cgroup v1 only from the first throttle of the device on.
      t.deepEqual([readBytes, writtenBytes], [null, null], "what the kernel does not count is absent, not zero");
      continue;
    }
    t.true(before.readBytes >= 4n * BigInt(MIB) && before.writtenBytes >= 4n * BigInt(MIB));
    // The pod has no other container.
    between(t, `read by ${name}`, before.readBytes, BigInt(readBytes ?? -1), after.readBytes ?? -1n);
    between(t, `written by ${name}`, before.writtenBytes, BigInt(writtenBytes ?? -1), after.writtenBytes ?? -1n);
  }
  await pod.remove();
});

interface StatsRow {
  readonly container: string;
  readonly readBytes: string | number | null;
  readonly writtenBytes: string | number | null;
}

/** `berth stats` of one pod: its own row and those of its containers. */
async function stats(pod: Pod): Promise<readonly StatsRow[]> {
  const env = { ...process.env, BERTH_SOCKET: node().socket };
  const { stdout } = await promisify(execFile)(join(programs, "berth"), ["stats", "--once", "-o", "json", pod.id], { env });
  return JSON.parse(stdout) as readonly StatsRow[];
}

test("the network of a pod is what its own interface has counted", async (t) => {
  const pod = await Pod.run(node());
  const web = await pod.start("web", ["berth-demo", "serve", "--port", "80"]);
  await web.logged(/listening/);
  const peer = await Pod.run(node());
  const url = `http://${await pod.address()}:80/`;
  const client = await peer.start("client", ["berth-demo", "fetch", "--count", "1", url]);
  await client.reached("CONTAINER_EXITED");
  const pid = await web.pid();
  const before = interfaceUsage(pid, "eth0");
  const { network } = (await podStats(pod)).linux;
  const after = interfaceUsage(pid, "eth0");
  t.is(network?.default_interface.name, "eth0");
  between(t, "received", before.rxBytes, number(network?.default_interface.rx_bytes), after.rxBytes);
  between(t, "sent", before.txBytes, number(network?.default_interface.tx_bytes), after.txBytes);
  t.true(before.rxBytes > 100n && before.txBytes > 100n);
  for (const each of [pod, peer]) await each.remove();
});

test("a pod in the node's own network has no figures of it", async (t) => {
  const pod = await Pod.run(node(), { linux: { security_context: { namespace_options: { network: "NODE" } } } });
  t.is((await podStats(pod)).linux.network, null);
  await pod.remove();
});

test("a writable layer is what its blocks and inodes are on the disk, and follows what is written", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("writer", IDLE);
  const upper = join(String(JSON.parse((await verbose(container))["info"] ?? "{}").writableDir), "upper");
  const script = [
    "dd if=/dev/zero of=/data bs=1M count=3 conv=fsync 2>/dev/null",
    "mkdir /inner && ln /data /inner/same && ln -s / /inner/root && ln -s /bin /inner/bin",
    "dd if=/dev/zero of=/inner/sparse bs=1 count=1 seek=1G 2>/dev/null",
    "rm /bin/vi",
    "sync",
  ];
  await container.output("sh", "-c", script.join(" && "));
  // Not of the layer's file system: nothing below it counts.
  execFileSync("mkdir", [join(upper, "inner/other")]);
  execFileSync("mount", ["-t", "tmpfs", "none", join(upper, "inner/other")]);
  execFileSync("dd", ["if=/dev/zero", `of=${join(upper, "inner/other/file")}`, "bs=1M", "count=5", "status=none"]);
  try {
    await isMeasured(t, container, upper);
    t.true(folderUsage(upper).bytes > 3n * BigInt(MIB) && folderUsage(upper).bytes < 4n * BigInt(MIB));
  } finally {
    execFileSync("umount", [join(upper, "inner/other")]);
  }
  await container.output("sh", "-c", "rm /data /inner/same && mkdir /more && touch /more/file && sync");
  await isMeasured(t, container, upper);
  t.true(folderUsage(upper).bytes < BigInt(MIB));

  const { container_filesystems: fileSystems } = await node().cri.call<{ container_filesystems: readonly FileSystem[] }>("ImageFsInfo", {});
  t.is(number(fileSystems[0]?.used_bytes), folderUsage(upper).bytes);
  t.is(number(fileSystems[0]?.inodes_used), folderUsage(upper).inodes);
  await pod.remove();
});

const verbose = async (container: Container): Promise<Readonly<Record<string, string>>> =>
  (await node().cri.call<{ info: Record<string, string> }>("ContainerStatus", { container_id: container.id, verbose: true })).info;

/** Once the figure is younger than this call, it is the disk's. */
async function isMeasured(t: ExecutionContext, container: Container, folder: string): Promise<void> {
  const since = BigInt(Date.now()) * 1_000_000n;
  const layer = await node().eventually("the layer was measured", async () => {
    const { writable_layer: found } = await containerStats(container);
    return found !== null && BigInt(found.timestamp) >= since ? found : undefined;
  });
  const { bytes, inodes } = folderUsage(folder);
  t.deepEqual([number(layer.used_bytes), number(layer.inodes_used)], [bytes, inodes]);
  t.true(node().root.startsWith(layer.fs_id.mountpoint));
}

test("lists have what all parts of the filter mean", async (t) => {
  const labels = { app: "shop" };
  const pods = [await Pod.run(node(), { labels }), await Pod.run(node(), { labels: { app: "other" } })];
  const [pod, other] = pods as [Pod, Pod];
  const one = await pod.start("one", IDLE, { labels });
  const two = await pod.start("two", IDLE);
  const ended = await pod.start("ended", ["true"], { labels });
  await ended.reached("CONTAINER_EXITED");
  const three = await other.start("three", IDLE, { labels });
  const lists = async (call: string, filter: object): Promise<Set<string>> => {
    const { stats: found } = await node().cri.call<{ stats: readonly { attributes: { id: string } }[] }>(call, { filter });
    return new Set(found.map(({ attributes }) => attributes.id));
  };
  t.deepEqual(await lists("ListContainerStats", {}), new Set([one.id, two.id, three.id]));
  t.deepEqual(await lists("ListContainerStats", { label_selector: labels }), new Set([one.id, three.id]));
  t.deepEqual(await lists("ListContainerStats", { label_selector: labels, pod_sandbox_id: pod.id }), new Set([one.id]));
  t.deepEqual(await lists("ListContainerStats", { id: two.id, label_selector: labels }), new Set());
  t.deepEqual(await lists("ListContainerStats", { id: two.id, pod_sandbox_id: pod.id }), new Set([two.id]));
  t.deepEqual(await lists("ListPodSandboxStats", {}), new Set([pod.id, other.id]));
  t.deepEqual(await lists("ListPodSandboxStats", { label_selector: labels }), new Set([pod.id]));
  t.deepEqual(await lists("ListPodSandboxStats", { id: other.id, label_selector: labels }), new Set());
  t.deepEqual(await streamed("StreamContainerStats", "container_stats", { pod_sandbox_id: pod.id }), new Set([one.id, two.id]));
  t.deepEqual(await streamed("StreamContainerStats", "container_stats", { id: two.id, label_selector: labels }), new Set());
  t.deepEqual(await streamed("StreamPodSandboxStats", "pod_sandbox_stats", {}), new Set([pod.id, other.id]));
  t.deepEqual(new Set((await podStats(pod)).linux.containers.map(({ attributes }) => attributes.id)), new Set([one.id, two.id]));
  for (const each of pods) await each.remove();
});

/** Ids of all batches of a list in its stream form, to its end. */
async function streamed(call: string, field: string, filter: object): Promise<Set<string>> {
  const ids = new Set<string>();
  const { ended } = node().cri.stream(call, { filter }, (answer) => {
    for (const { attributes } of answer[field] as readonly { attributes: { id: string } }[]) ids.add(attributes.id);
  });
  await ended;
  return ids;
}
