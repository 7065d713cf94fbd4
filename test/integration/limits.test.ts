// Limits that were asked for are those that the kernel keeps, and what runs feels them.
import { mkdirSync, readFileSync, rmdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { kernelUsage } from "../lib/kernel-usage.ts";
import { cgroupFile, IS_V2 } from "../lib/kernel.ts";
import { PATIENCE } from "../lib/patience.ts";
import { TestNode } from "../lib/node.ts";
import { type Container, Pod } from "../lib/pods.ts";
import { shared } from "../lib/teardown.ts";

const node = shared(test, (t) => TestNode.start(t));
const MIB = 1024 * 1024;
const IDLE = ["sleep", "1000"];
const BUSY = ["sh", "-c", "while :; do :; done"];

const update = (container: Container, linux: object): Promise<unknown> =>
  node().cri.call("UpdateContainerResources", { container_id: container.id, linux });

test("memory, cpu and pids of a container are what was asked for", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("limited", IDLE, {
    linux: {
      resources: {
        memory_limit_in_bytes: 64 * MIB,
        cpu_quota: 50_000,
        cpu_period: 100_000,
        cpu_shares: 512,
        unified: { "pids.max": "32" },
      },
    },
  });
  const path = await container.cgroupPath();
  t.is(cgroupFile(path, "memory", "memory.limit_in_bytes", "memory.max"), String(64 * MIB));
  t.is(cgroupFile(path, "pids", "pids.max", "pids.max"), "32");
  const quota = cgroupFile(path, "cpu", "cpu.cfs_quota_us", "cpu.max").split(" ")[0];
  t.is(quota, "50000");
  t.true(["512", "20"].includes(cgroupFile(path, "cpu", "cpu.shares", "cpu.weight")));
  await pod.remove();
});

test("the pod's own limits are on the pod's cgroup, above those of its containers", async (t) => {
  const pod = await Pod.run(node(), { linux: { resources: { memory_limit_in_bytes: 128 * MIB, cpu_shares: 256 } } });
  const container = await pod.start("one", IDLE);
  const podPath = String(JSON.parse((await pod.status()).info["info"] ?? "{}").cgroupPath);
  t.is(cgroupFile(podPath, "memory", "memory.limit_in_bytes", "memory.max"), String(128 * MIB));
  t.true((await container.cgroupPath()).startsWith(`${podPath}/`));
  await pod.remove();
});

test("pods that share a cgroup of their caller's go one by one, and the cgroup with the last", async (t) => {
  const linux = { cgroup_parent: `/berth-test-${process.pid}` };
  const pods = [await Pod.run(node(), { linux }), await Pod.run(node(), { linux })];
  const [first, second] = pods as [Pod, Pod];
  await first.start("one", IDLE);
  const witness = await second.start("one", IDLE);
  await first.remove();
  t.is((await witness.status()).state, "CONTAINER_RUNNING");
  await second.remove();
  t.throws(() => cgroupFile(linux.cgroup_parent, "memory", "cgroup.procs", "cgroup.procs"), { code: "ENOENT" });
});

const updatePod = (pod: Pod, change: object): Promise<unknown> =>
  node().cri.call("UpdatePodSandboxResources", { pod_sandbox_id: pod.id, ...change });

const podInfo = async (pod: Pod): Promise<{ cgroupPath: string; resources?: Record<string, unknown> }> =>
  JSON.parse((await pod.status()).info["info"] ?? "{}");

const podMemory = (path: string): string => cgroupFile(path, "memory", "memory.limit_in_bytes", "memory.max");

test("a pod's own limits and its overhead change while it runs, all of them or none, and are on record", async (t) => {
  const pod = await Pod.run(node(), {
    linux: { resources: { memory_limit_in_bytes: 64 * MIB }, overhead: { memory_limit_in_bytes: 8 * MIB } },
  });
  const { cgroupPath } = await podInfo(pod);
  t.is(podMemory(cgroupPath), String(72 * MIB));
  await updatePod(pod, { resources: { memory_limit_in_bytes: 96 * MIB, cpu_quota: 50_000, cpu_period: 100_000 } });
  t.is(podMemory(cgroupPath), String(104 * MIB));
  t.is(cgroupFile(cgroupPath, "cpu", "cpu.cfs_quota_us", "cpu.max").split(" ")[0], "50000");

  // 500 is less than the kernel takes for a quota.
  const refused = updatePod(pod, { resources: { memory_limit_in_bytes: 32 * MIB, cpu_quota: 500 } });
  await t.throwsAsync(refused, { message: new RegExp(`update resources of pod sandbox ${pod.id}: `) });
  t.is(podMemory(cgroupPath), String(104 * MIB));
  t.like((await podInfo(pod)).resources, { memoryLimitBytes: String(96 * MIB), cpuQuotaMicros: "50000" });
  await pod.remove();
});

test("a cgroup that the caller has made is left to the caller, and what it says is on record", async (t) => {
  const linux = { cgroup_parent: `/berth-test-resize-${process.pid}` };
  const folders = hierarchies().map((mount) => join(mount, linux.cgroup_parent));
  for (const folder of folders) mkdirSync(folder);
  try {
    const pod = await Pod.run(node(), { linux });
    const before = podMemory(linux.cgroup_parent);
    await updatePod(pod, { resources: { memory_limit_in_bytes: 96 * MIB } });
    t.is(podMemory(linux.cgroup_parent), before);
    t.like((await podInfo(pod)).resources, { memoryLimitBytes: String(96 * MIB) });
    await pod.remove();
  } finally {
    for (const folder of folders) rmdirSync(folder);
  }
});

/** Where pods have cgroups: all of v1, and else the one of v2. */
function hierarchies(): string[] {
  const mounts = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" "));
  const of = (type: string): string[] => mounts.filter(([, , kind]) => kind === type).flatMap(([, mount = ""]) => mount);
  return of("cgroup").length > 0 ? of("cgroup") : of("cgroup2");
}

test("limits change while the container runs, and before it is started", async (t) => {
  const pod = await Pod.run(node());
  const resources = { memory_limit_in_bytes: 64 * MIB, cpu_quota: 50_000, cpu_period: 100_000 };
  const running = await pod.start("running", IDLE, { linux: { resources } });
  await update(running, { memory_limit_in_bytes: 96 * MIB, cpu_quota: 20_000, cpu_period: 100_000, unified: { "pids.max": "7" } });
  const path = await running.cgroupPath();
  t.is(cgroupFile(path, "memory", "memory.limit_in_bytes", "memory.max"), String(96 * MIB));
  t.is(cgroupFile(path, "cpu", "cpu.cfs_quota_us", "cpu.max").split(" ")[0], "20000");
  t.is(cgroupFile(path, "pids", "pids.max", "pids.max"), "7");
  const { status } = await node().cri.call<{ status: { resources: { linux: Record<string, string> } } }>("ContainerStatus", {
    container_id: running.id,
  });
  t.is(status.resources.linux["memory_limit_in_bytes"], String(96 * MIB));

  const created = await pod.create("created", IDLE, { linux: { resources } });
  await update(created, { memory_limit_in_bytes: 48 * MIB });
  await created.start();
  t.is(cgroupFile(await created.cgroupPath(), "memory", "memory.limit_in_bytes", "memory.max"), String(48 * MIB));
  await pod.remove();
});

test("an update says what it has applied, and warns of what this node cannot", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sh", "-c", "sleep 1000 & wait"], { linux: { resources: { oom_score_adj: 100 } } });
  const scores = (): string[] => {
    const pids = cgroupFile(path, "pids", "cgroup.procs", "cgroup.procs").split("\n");
    return pids.map((pid) => readFileSync(`/proc/${pid}/oom_score_adj`, "utf8").trim());
  };
  const path = await container.cgroupPath();
  await node().eventually("both processes are there", async () => (scores().length === 2 ? true : undefined));
  t.deepEqual(scores(), ["100", "100"]);
  await update(container, { cpu_shares: 512, oom_score_adj: 300, unified: { "pids.max": "9", "memory.high": "33554432" } });
  t.deepEqual(scores(), ["300", "300"]);
  t.is(await container.output("cat", "/proc/self/oom_score_adj"), "300");
  await t.throwsAsync(update(container, { oom_score_adj: 200, cpuset_cpus: "4000" }));
  t.deepEqual(scores(), ["300", "300"], "a refused update changes no score either");

  const huge = { hugepage_limits: [{ page_size: "2MB", limit: 4_194_304 }] };
  await update(container, huge);
  const { status, info } = await node().cri.call<{ status: { resources: { linux: Applied } }; info: Record<string, string> }>(
    "ContainerStatus",
    { container_id: container.id, verbose: true },
  );
  const { warnings } = JSON.parse(info["info"] ?? "{}") as { warnings: readonly string[] };
  const { cpu_shares, oom_score_adj, unified, hugepage_limits } = status.resources.linux;
  t.deepEqual([cpu_shares, oom_score_adj, unified["pids.max"]], ["512", "300", "9"]);
  t.is("memory.high" in unified, !warnings.some((text) => text.startsWith("unified memory.high")));
  t.is(hugepage_limits.length === 1, !warnings.some((text) => text.startsWith("hugepage_limits 2MB")));
  await pod.remove();
});

interface Applied {
  readonly cpu_shares: string;
  readonly oom_score_adj: string;
  readonly unified: Readonly<Record<string, string>>;
  readonly hugepage_limits: readonly object[];
}

test("an update that the kernel refuses changes nothing", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", IDLE, { linux: { resources: { memory_limit_in_bytes: 64 * MIB } } });
  const linux = { memory_limit_in_bytes: 32 * MIB, cpuset_cpus: "4000" };
  await t.throwsAsync(update(container, linux));
  t.is(cgroupFile(await container.cgroupPath(), "memory", "memory.limit_in_bytes", "memory.max"), String(64 * MIB));
  await pod.remove();
});

test("a container over its memory ends with 137 and OOMKilled", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("hungry", ["dd", "if=/dev/zero", "of=/dev/null", "bs=40M", "count=1"], {
    linux: { resources: { memory_limit_in_bytes: 16 * MIB } },
  });
  const { exit_code, reason } = await container.reached("CONTAINER_EXITED");
  t.deepEqual({ exit_code, reason }, { exit_code: 137, reason: "OOMKilled" });
  await pod.remove();
});

test("a container of which only a child was killed for its memory is OOMKilled too, whatever its own exit code", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("hungry", ["sh", "-c", "dd if=/dev/zero of=/dev/null bs=40M count=1; echo child $?; exit 3"], {
    linux: { resources: { memory_limit_in_bytes: 16 * MIB } },
  });
  const { exit_code, reason } = await container.reached("CONTAINER_EXITED");
  t.true((await container.log()).includes("stdout F child 137"));
  t.deepEqual({ exit_code, reason }, { exit_code: 3, reason: "OOMKilled" });
  await pod.remove();
});

test("200 millicores hold a busy loop to a fifth of a CPU", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("busy", BUSY, { linux: { resources: { cpu_quota: 20_000, cpu_period: 100_000 } } });
  await isHeld(t, await container.cgroupPath(), 20_000);
  await pod.remove();
});

/** By the kernel's own count of periods, so that a busy machine does not matter. */
async function isHeld(t: ExecutionContext, path: string, quotaMicros: number): Promise<void> {
  const before = bandwidth(path);
  const after = await node().eventually("it was throttled three times", async () => {
    const now = bandwidth(path);
    return now.throttled >= before.throttled + 3 ? now : undefined;
  });
  // A period may have begun before the first look and end after the second, and each CPU may hold a slice of 5 ms in hand; one that is
  // emulated hears late that its slice is over.
  const mostMicros = (after.periods - before.periods + 2) * quotaMicros + 10_000 * PATIENCE;
  const usedMicros = Number(after.cpuNanos - before.cpuNanos) / 1000;
  t.true(usedMicros <= mostMicros, `${usedMicros} of ${mostMicros} microseconds in ${after.periods - before.periods} periods`);
}

interface Bandwidth {
  readonly cpuNanos: bigint;
  readonly periods: number;
  readonly throttled: number;
}

function bandwidth(path: string): Bandwidth {
  const stat = cgroupFile(path, "cpu", "cpu.stat", "cpu.stat");
  const count = (name: string): number => Number(new RegExp(`^${name} (\\d+)$`, "m").exec(stat)?.[1]);
  return { cpuNanos: kernelUsage(path).cpuNanos, periods: count("nr_periods"), throttled: count("nr_throttled") };
}

test("a fork bomb is stopped by its pids limit, hears of it, and the node goes on", async (t) => {
  const pod = await Pod.run(node());
  // Its cgroup goes with the container, so there is a process that stays.
  const bomb = await pod.start("bomb", ["sh", "-c", "sh -c 'b() { b & b; }; b'; exec sleep 1000"], {
    linux: { resources: { unified: { "pids.max": "24" } } },
  });
  await bomb.logged(/can't fork: Resource temporarily unavailable/);
  const path = await bomb.cgroupPath();
  t.true(Number(/max (\d+)/.exec(cgroupFile(path, "pids", "pids.events", "pids.events"))?.[1]) > 0);
  t.true(Number(cgroupFile(path, "pids", "pids.current", "pids.current")) <= 24);
  const other = await Pod.run(node());
  const container = await other.start("one", ["true"]);
  t.is((await container.reached("CONTAINER_EXITED")).exit_code, 0);
  for (const each of [pod, other]) await each.remove();
});

test("a limit of memory that is changed while the container runs is felt at once", async (t) => {
  const pod = await Pod.run(node());
  const resources = { memory_limit_in_bytes: 128 * MIB, memory_swap_limit_in_bytes: 128 * MIB };
  const container = await pod.start("one", IDLE, { linux: { resources } });
  const takes40MiB = async (): Promise<number> =>
    (await container.exec(["dd", "if=/dev/zero", "of=/dev/null", "bs=40M", "count=1"])).exit_code;
  t.is(await takes40MiB(), 0);
  await update(container, { memory_limit_in_bytes: 16 * MIB, memory_swap_limit_in_bytes: 16 * MIB });
  t.is(await takes40MiB(), 137);
  await update(container, { memory_limit_in_bytes: 128 * MIB, memory_swap_limit_in_bytes: 128 * MIB });
  t.is(await takes40MiB(), 0);
  await pod.remove();
});

test("limits of cpu and pids that are changed while the container runs are felt at once", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", BUSY);
  const path = await container.cgroupPath();
  t.is(bandwidth(path).throttled, 0);
  await update(container, { cpu_quota: 10_000, cpu_period: 50_000 });
  await isHeld(t, path, 10_000);
  await update(container, { unified: { "pids.max": "3" } });
  const { stderr } = await container.exec(["sh", "-c", "true & true & true & wait"]);
  t.regex(stderr.toString(), /can't fork: Resource temporarily unavailable/);
  await pod.remove();
});

test("a container runs on the CPUs that it is given, also when they change", async (t) => {
  const cpus = (
    await readFile("/sys/fs/cgroup/cpuset/cpuset.cpus", "utf8").catch(() => readFile("/sys/fs/cgroup/cpuset.cpus.effective", "utf8"))
  ).trim();
  const [first, last] = [/^\d+/.exec(cpus)?.[0] ?? "", /\d+$/.exec(cpus)?.[0] ?? ""];
  const pod = await Pod.run(node());
  const container = await pod.start("one", IDLE, { linux: { resources: { cpuset_cpus: first } } });
  const allowed = async (): Promise<string | undefined> =>
    /Cpus_allowed_list:\s*(\S+)/.exec(await readFile(`/proc/${await container.pid()}/status`, "utf8"))?.[1];
  t.is(await allowed(), first);
  await update(container, { cpuset_cpus: last });
  t.is(await allowed(), last);
  t.is(await container.output("sh", "-c", "grep Cpus_allowed_list /proc/self/status | cut -f2"), last);
  await pod.remove();
});

const BELOW_USE = IS_V2
  ? "a limit of memory and swap below what is in use is taken, and ends what is over it"
  : "a limit of memory and swap below what is in use is refused, and all stays as it was";

test(BELOW_USE, async (t) => {
  const pod = await Pod.run(node());
  const holds = ["sh", "-c", "x=$(head -c 16000000 /dev/zero | tr '\\0' x); echo holding; sleep 1000; echo $x"];
  const resources = { memory_limit_in_bytes: 64 * MIB, memory_swap_limit_in_bytes: 64 * MIB };
  const container = await pod.start("holds", holds, { linux: { resources } });
  await container.logged(/holding/);
  const less = { memory_limit_in_bytes: 8 * MIB, memory_swap_limit_in_bytes: 8 * MIB, cpu_shares: 77 };
  if (IS_V2) {
    await update(container, less);
    t.like(await container.reached("CONTAINER_EXITED"), { exit_code: 137, reason: "OOMKilled" });
  } else {
    await t.throwsAsync(update(container, less), { message: /in_bytes.*busy/i });
    const path = await container.cgroupPath();
    t.is(cgroupFile(path, "memory", "memory.limit_in_bytes", "memory.max"), String(64 * MIB));
    t.not(cgroupFile(path, "cpu", "cpu.shares", "cpu.weight"), "77");
    t.is((await container.status()).state, "CONTAINER_RUNNING");
  }
  await pod.remove();
});

test("a pod's own limits bind its containers together", async (t) => {
  const resources = { memory_limit_in_bytes: 24 * MIB, cpu_quota: 20_000, cpu_period: 100_000 };
  const pod = await Pod.run(node(), { linux: { resources } });
  for (const name of ["one", "two"]) await pod.start(name, BUSY);
  await isHeld(t, String(JSON.parse((await pod.status()).info["info"] ?? "{}").cgroupPath), 20_000);
  const hungry = await pod.start("hungry", ["dd", "if=/dev/zero", "of=/dev/null", "bs=40M", "count=1"]);
  const { exit_code, reason } = await hungry.reached("CONTAINER_EXITED");
  t.deepEqual({ exit_code, reason }, { exit_code: 137, reason: "OOMKilled" });
  await pod.remove();
});
