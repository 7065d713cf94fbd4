// Metrics are what the kernel counts: each lies between two readings of the kernel's own, or is the same where nothing moves.
import { statfsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import test, { type ExecutionContext } from "ava";
import { folderUsage, kernelUsage } from "../lib/kernel-usage.ts";
import { cgroupFile } from "../lib/kernel.ts";
import { TestNode } from "../lib/node.ts";
import { type Container, Pod } from "../lib/pods.ts";
import { shared } from "../lib/teardown.ts";

const node = shared(test, (t) => TestNode.start(t));
const MIB = 1024 * 1024;
const IDLE = ["sleep", "1000"];

interface Metric {
  readonly name: string;
  readonly timestamp: string;
  readonly metric_type: "COUNTER" | "GAUGE";
  readonly label_values: readonly string[];
  readonly value: { readonly value: string };
}
interface PodMetrics {
  readonly pod_sandbox_id: string;
  readonly metrics: readonly Metric[];
  readonly container_metrics: readonly { readonly container_id: string; readonly metrics: readonly Metric[] }[];
}
interface Descriptor {
  readonly name: string;
  readonly help: string;
  readonly label_keys: readonly string[];
}

// As critest of cri-tools expects them, which took them from a kubelet with cAdvisor.
const NAMES = `blkio_device_usage_total cpu_cfs_periods_total cpu_cfs_throttled_periods_total cpu_cfs_throttled_seconds_total
  cpu_system_seconds_total cpu_usage_seconds_total cpu_user_seconds_total file_descriptors fs_inodes_free fs_inodes_total fs_limit_bytes
  fs_reads_bytes_total fs_reads_total fs_usage_bytes fs_writes_bytes_total fs_writes_total hugetlb_max_usage_bytes hugetlb_usage_bytes
  last_seen memory_cache memory_failcnt memory_failures_total memory_kernel_usage memory_mapped_file memory_max_usage_bytes memory_rss
  memory_swap memory_usage_bytes memory_working_set_bytes network_receive_bytes_total network_receive_errors_total
  network_receive_packets_dropped_total network_receive_packets_total network_transmit_bytes_total network_transmit_errors_total
  network_transmit_packets_dropped_total network_transmit_packets_total oom_events_total pressure_cpu_stalled_seconds_total
  pressure_cpu_waiting_seconds_total pressure_io_stalled_seconds_total pressure_io_waiting_seconds_total
  pressure_memory_stalled_seconds_total pressure_memory_waiting_seconds_total processes sockets spec_cpu_period spec_cpu_quota
  spec_cpu_shares spec_memory_limit_bytes spec_memory_reservation_limit_bytes spec_memory_swap_limit_bytes start_time_seconds threads
  threads_max ulimits_soft`
  .split(/\s+/)
  .map((name) => `container_${name}`);

const OWN_NAMES = ["container_log_blocked"];

const descriptors = async (): Promise<readonly Descriptor[]> =>
  (await node().cri.call<{ descriptors: readonly Descriptor[] }>("ListMetricDescriptors", {})).descriptors;

const podMetrics = async (pod: Pod): Promise<PodMetrics> => {
  const { pod_metrics: all } = await node().cri.call<{ pod_metrics: readonly PodMetrics[] }>("ListPodSandboxMetrics", {});
  const found = all.find(({ pod_sandbox_id: id }) => id === pod.id);
  if (found === undefined) throw new Error(`pod ${pod.id} has no metrics`);
  return found;
};

const containerMetrics = async (pod: Pod, container: Container): Promise<readonly Metric[]> =>
  (await podMetrics(pod)).container_metrics.find(({ container_id: id }) => id === container.id)?.metrics ?? [];

/** The value of the one with these labels of its own. */
function value(metrics: readonly Metric[], name: string, ...labels: readonly string[]): bigint | undefined {
  const found = metrics.find(
    (each) => each.name === `container_${name}` && labels.every((label, at) => each.label_values[5 + at] === label),
  );
  return found === undefined ? undefined : BigInt(found.value.value);
}

const podCgroup = async (pod: Pod): Promise<string> => String(JSON.parse((await pod.status()).info["info"] ?? "{}").cgroupPath);

function between(t: ExecutionContext, what: string, before: bigint, seen: bigint | undefined, after: bigint): void {
  t.true(seen !== undefined && before <= seen && seen <= after, `${what}: ${before} <= ${seen} <= ${after}`);
}

test("the descriptors are those that critest expects and ours, each with its labels", async (t) => {
  const all = await descriptors();
  t.deepEqual(
    all.map(({ name }) => name),
    [...NAMES, ...OWN_NAMES].sort(),
  );
  t.true(all.every(({ help }) => help !== ""));
  const further = new Map(all.map(({ name, label_keys: keys }) => [name, keys.slice(5).join(" ")]));
  t.true(all.every(({ label_keys: keys }) => keys.slice(0, 5).join(" ") === "container id image namespace pod"));
  t.is(further.get("container_cpu_usage_seconds_total"), "cpu");
  t.is(further.get("container_blkio_device_usage_total"), "device major minor operation");
  t.is(further.get("container_memory_failures_total"), "failure_type scope");
  t.is(further.get("container_memory_rss"), "");
});

test("every metric has the labels of its descriptor, and says whose it is", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("labelled", IDLE);
  const { metrics, container_metrics } = await podMetrics(pod);
  const keys = new Map((await descriptors()).map(({ name, label_keys }) => [name, label_keys.length]));
  const [own] = container_metrics;
  t.is(own?.container_id, container.id);
  for (const { name, label_values: labels, metric_type: type } of [...metrics, ...(own?.metrics ?? [])]) {
    t.is(labels.length, keys.get(name) ?? -1, name);
    t.is(type, /(?<!_inodes)_total$|_failcnt$/.test(name) ? "COUNTER" : "GAUGE", name);
  }
  const { name, namespace } = pod.config["metadata"] as { name: string; namespace: string };
  const labelsOf = (all: readonly Metric[], wanted: string): readonly string[] | undefined =>
    all.find((each) => each.name === wanted)?.label_values.slice(0, 5);
  const path = await podCgroup(pod);
  t.deepEqual(labelsOf(own?.metrics ?? [], "container_memory_rss"), [
    "labelled",
    await container.cgroupPath(),
    node().image,
    namespace,
    name,
  ]);
  t.deepEqual(labelsOf(metrics, "container_memory_rss"), ["", path, "", namespace, name]);
  t.deepEqual(labelsOf(metrics, "container_network_receive_bytes_total"), ["POD", path, "", namespace, name]);
  await pod.remove();
});

test("cpu time, throttling and page faults lie between two readings of the kernel", async (t) => {
  const pod = await Pod.run(node());
  const busy = ["sh", "-c", "while :; do dd if=/dev/zero of=/dev/null bs=64k count=1 2>/dev/null; done"];
  const container = await pod.start("busy", busy, { linux: { resources: { cpu_quota: 20_000, cpu_period: 50_000 } } });
  const path = await container.cgroupPath();
  await node().eventually("it was throttled", async () => (throttling(path).throttled_periods > 0n ? true : undefined));
  const before = { ...kernelUsage(path), ...throttling(path) };
  const metrics = await containerMetrics(pod, container);
  const after = { ...kernelUsage(path), ...throttling(path) };
  between(t, "cpu", before.cpuNanos / 1_000_000_000n, value(metrics, "cpu_usage_seconds_total", "total"), after.cpuNanos / 1_000_000_000n);
  between(t, "periods", before.periods, value(metrics, "cpu_cfs_periods_total"), after.periods);
  between(t, "throttled", before.throttled_periods, value(metrics, "cpu_cfs_throttled_periods_total"), after.throttled_periods);
  between(t, "faults", before.pageFaults, value(metrics, "memory_failures_total", "pgfault", "hierarchy"), after.pageFaults);
  await pod.remove();
});

function throttling(path: string): { periods: bigint; throttled_periods: bigint } {
  const stat = cgroupFile(path, "cpu", "cpu.stat", "cpu.stat");
  const number = (name: string): bigint => BigInt(new RegExp(`^${name} (\\d+)$`, "m").exec(stat)?.[1] ?? -1);
  return { periods: number("nr_periods"), throttled_periods: number("nr_throttled") };
}

test("user and system time are the kernel's, in whole seconds", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("busy", ["sh", "-c", "while :; do :; done & while :; do :; done"]);
  const path = await container.cgroupPath();
  await node().eventually("it has used a second", async () => (spent(path).user >= 1n ? true : undefined));
  const before = spent(path);
  const metrics = await containerMetrics(pod, container);
  const after = spent(path);
  between(t, "user", before.user, value(metrics, "cpu_user_seconds_total"), after.user);
  between(t, "system", before.system, value(metrics, "cpu_system_seconds_total"), after.system);
  await pod.remove();
});

/** Whole seconds. */
function spent(path: string): { readonly user: bigint; readonly system: bigint } {
  const stat = cgroupFile(path, "cpuacct", "cpuacct.stat", "cpu.stat");
  const of = (name: string): bigint => {
    const [, micros, ticks] = new RegExp(`^${name}(?:_usec (\\d+)| (\\d+))$`, "m").exec(stat) ?? [];
    return micros === undefined ? BigInt(ticks ?? -1) / 100n : BigInt(micros) / 1_000_000n;
  };
  return { user: of("user"), system: of("system") };
}

test("memory, limits, processes and what they have open are the kernel's of an idle container", async (t) => {
  const pod = await Pod.run(node());
  const resources = {
    cpu_shares: 512,
    cpu_quota: 20_000,
    cpu_period: 50_000,
    memory_limit_in_bytes: 64 * MIB,
    memory_swap_limit_in_bytes: 80 * MIB,
  };
  const script = "sleep 1000 & nc -l -p 4000 & sleep 1000 & wait";
  const container = await pod.start("idle", ["sh", "-c", script], { linux: { resources } });
  const path = await container.cgroupPath();
  await node().eventually("all is there", async () => (openFiles(path).sockets === 1n && kernelUsage(path).pids === 4n ? true : undefined));
  const [seen, metrics] = await node().eventually("two readings are the same", async () => {
    const before = kernelUsage(path);
    const metrics = await containerMetrics(pod, container);
    return kernelUsage(path).memoryBytes === before.memoryBytes ? ([before, metrics] as const) : undefined;
  });
  t.is(value(metrics, "memory_usage_bytes"), seen.memoryBytes);
  t.is(value(metrics, "memory_working_set_bytes"), seen.workingSetBytes);
  t.is(value(metrics, "memory_rss"), seen.rssBytes);
  t.is(value(metrics, "memory_cache"), memoryStat(path, "total_cache", "file"));
  t.is(value(metrics, "memory_mapped_file"), memoryStat(path, "total_mapped_file", "file_mapped"));
  t.is(value(metrics, "memory_max_usage_bytes"), BigInt(cgroupFile(path, "memory", "memory.max_usage_in_bytes", "memory.peak")));
  t.is(value(metrics, "spec_cpu_quota"), 20_000n);
  t.is(value(metrics, "spec_cpu_period"), 50_000n);
  t.is(value(metrics, "spec_memory_limit_bytes"), BigInt(64 * MIB));
  t.is(value(metrics, "spec_memory_reservation_limit_bytes"), 0n);
  t.is(value(metrics, "processes"), 4n);
  t.is(value(metrics, "threads"), 4n);
  const open = openFiles(path);
  t.is(value(metrics, "file_descriptors"), open.descriptors);
  t.is(value(metrics, "sockets"), open.sockets);
  const limits = readFileSync(`/proc/${await container.pid()}/limits`, "utf8");
  t.is(value(metrics, "ulimits_soft", "max_open_files"), BigInt(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? -1));
  const started = BigInt((await container.status()).started_at);
  t.is(value(metrics, "start_time_seconds"), started / 1_000_000_000n);
  t.true((value(metrics, "last_seen") ?? 0n) >= started / 1_000_000_000n);
  await pod.remove();
});

const memoryStat = (path: string, ...names: readonly [string, string]): bigint => {
  const stat = cgroupFile(path, "memory", "memory.stat", "memory.stat");
  return BigInt(new RegExp(`^(?:${names.join("|")}) (\\d+)$`, "m").exec(stat)?.[1] ?? -1);
};

/** Of all processes of a cgroup together. */
function openFiles(path: string): { readonly descriptors: bigint; readonly sockets: bigint } {
  const pids = cgroupFile(path, "pids", "cgroup.procs", "cgroup.procs").trim().split("\n");
  const links = pids.flatMap((pid) => readdirSync(`/proc/${pid}/fd`).map((name) => readlinkSync(`/proc/${pid}/fd/${name}`)));
  return { descriptors: BigInt(links.length), sockets: BigInt(links.filter((link) => link.startsWith("socket:")).length) };
}

test("a memory limit that is hit and the kill that follows are counted", async (t) => {
  const pod = await Pod.run(node());
  const resources = { memory_limit_in_bytes: 16 * MIB, memory_swap_limit_in_bytes: 64 * MIB };
  const container = await pod.start("greedy", ["sh", "-c", "(tail /dev/zero); echo killed; sleep 1000"], { linux: { resources } });
  await container.logged(/killed/);
  const metrics = await containerMetrics(pod, container);
  t.is(value(metrics, "oom_events_total"), 1n);
  t.true((value(metrics, "memory_failcnt") ?? 0n) > 0n);
  t.true((value(metrics, "memory_max_usage_bytes") ?? 0n) > 15n * BigInt(MIB));
  await pod.remove();
});

test("the network of a pod is what each of its interfaces has counted; a pod in the node's own has none", async (t) => {
  const pod = await Pod.run(node());
  const web = await pod.start("web", ["berth-demo", "serve", "--port", "80"]);
  await web.logged(/listening/);
  const peer = await Pod.run(node(), { linux: { security_context: { namespace_options: { network: "NODE" } } } });
  const client = await peer.start("client", ["berth-demo", "fetch", "--count", "1", `http://${await pod.address()}:80/`], {
    linux: { security_context: { namespace_options: { network: "NODE" } } },
  });
  await client.reached("CONTAINER_EXITED");
  const pid = await web.pid();
  const before = interfaceCounters(pid);
  const { metrics } = await podMetrics(pod);
  const after = interfaceCounters(pid);
  const columns = ["receive_bytes", "receive_packets", "receive_errors", "receive_packets_dropped"];
  const columnsOut = ["transmit_bytes", "transmit_packets", "transmit_errors", "transmit_packets_dropped"];
  for (const [at, name] of [...columns.entries(), ...columnsOut.map((each, index) => [8 + index, each] as const)]) {
    between(t, name, before[at] ?? -1n, value(metrics, `network_${name}_total`, "eth0"), after[at] ?? -1n);
  }
  t.true((before[1] ?? 0n) > 0n);
  t.is(value(metrics, "network_receive_bytes_total", "lo"), undefined);
  t.is(value((await podMetrics(peer)).metrics, "network_receive_bytes_total"), undefined);
  for (const each of [pod, peer]) await each.remove();
});

/** The columns of eth0 in net/dev of the process. */
function interfaceCounters(pid: number): bigint[] {
  const line = /^\s*eth0:(.*)$/m.exec(readFileSync(`/proc/${pid}/net/dev`, "utf8"))?.[1] ?? "";
  return line.trim().split(/ +/).map(BigInt);
}

test("a writable layer is measured from the start of its container on, with the file system that it is on", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("writer", IDLE);
  const metrics = await node().eventually("it is measured", async () => {
    const seen = await containerMetrics(pod, container);
    return value(seen, "fs_usage_bytes") === undefined ? undefined : seen;
  });
  const { info } = await node().cri.call<{ info: Record<string, string> }>("ContainerStatus", {
    container_id: container.id,
    verbose: true,
  });
  const upper = `${JSON.parse(info["info"] ?? "{}").writableDir}/upper`;
  t.is(value(metrics, "fs_usage_bytes"), folderUsage(upper).bytes);
  const { bsize, blocks, files } = statfsSync(node().root, { bigint: true });
  t.is(value(metrics, "fs_limit_bytes"), bsize * blocks);
  t.is(value(metrics, "fs_inodes_total"), files);
  t.true((value(metrics, "fs_inodes_free") ?? files) < files);
  await pod.remove();
});

test("what the kernel does not say has no metric", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("free", IDLE);
  const metrics = await containerMetrics(pod, container);
  t.is(value(metrics, "spec_cpu_quota"), undefined);
  const { readBytes } = kernelUsage(await container.cgroupPath());
  t.is(value(metrics, "fs_reads_bytes_total") === undefined, readBytes === undefined);
  t.is(value(metrics, "spec_memory_limit_bytes"), 0n, "no limit is said, and is 0");
  await pod.remove();
});
