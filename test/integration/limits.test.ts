// Limits that were asked for are those that the kernel keeps; usage is what the kernel counts.
import test from "ava";
import { cgroupFile } from "../lib/kernel.ts";
import { TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";
import { shared } from "../lib/teardown.ts";

const node = shared(test, (t) => TestNode.start(t));
const MIB = 1024 * 1024;

interface Value {
  readonly value: string;
}
interface Usage {
  readonly cpu: { readonly usage_core_nano_seconds: Value; readonly usage_nano_cores: Value | null };
  readonly memory: { readonly usage_bytes: Value; readonly working_set_bytes: Value; readonly available_bytes: Value | null };
}
interface ContainerStats extends Usage {
  readonly attributes: { readonly id: string };
}
interface PodStats {
  readonly attributes: { readonly id: string };
  readonly linux: Usage & {
    readonly network: { readonly default_interface: { readonly name: string; readonly rx_bytes: Value; readonly tx_bytes: Value } } | null;
    readonly process: { readonly process_count: Value };
    readonly containers: readonly ContainerStats[];
  };
}

test("memory, cpu and pids of a container are what was asked for", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("limited", ["sleep", "1000"], {
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
  const container = await pod.start("one", ["sleep", "1000"]);
  const podPath = String(JSON.parse((await pod.status()).info["info"] ?? "{}").cgroupPath);
  t.is(cgroupFile(podPath, "memory", "memory.limit_in_bytes", "memory.max"), String(128 * MIB));
  t.true((await container.cgroupPath()).startsWith(`${podPath}/`));
  await pod.remove();
});

test("pods that share a cgroup of their caller's go one by one, and the cgroup with the last", async (t) => {
  const linux = { cgroup_parent: `/berth-test-${process.pid}` };
  const pods = [await Pod.run(node(), { linux }), await Pod.run(node(), { linux })];
  const [first, second] = pods as [Pod, Pod];
  await first.start("one", ["sleep", "1000"]);
  const witness = await second.start("one", ["sleep", "1000"]);
  await first.remove();
  t.is((await witness.status()).state, "CONTAINER_RUNNING");
  await second.remove();
  t.throws(() => cgroupFile(linux.cgroup_parent, "memory", "cgroup.procs", "cgroup.procs"), { code: "ENOENT" });
});

test("limits change while the container runs, and before it is started", async (t) => {
  const pod = await Pod.run(node());
  const update = (id: string, linux: object) => node().cri.call("UpdateContainerResources", { container_id: id, linux });
  const resources = { memory_limit_in_bytes: 64 * MIB, cpu_quota: 50_000, cpu_period: 100_000 };
  const running = await pod.start("running", ["sleep", "1000"], { linux: { resources } });
  await update(running.id, { memory_limit_in_bytes: 96 * MIB, cpu_quota: 20_000, cpu_period: 100_000, unified: { "pids.max": "7" } });
  const path = await running.cgroupPath();
  t.is(cgroupFile(path, "memory", "memory.limit_in_bytes", "memory.max"), String(96 * MIB));
  t.is(cgroupFile(path, "cpu", "cpu.cfs_quota_us", "cpu.max").split(" ")[0], "20000");
  t.is(cgroupFile(path, "pids", "pids.max", "pids.max"), "7");
  const { status } = await node().cri.call<{ status: { resources: { linux: Record<string, string> } } }>("ContainerStatus", {
    container_id: running.id,
  });
  t.is(status.resources.linux["memory_limit_in_bytes"], String(96 * MIB));

  const created = await pod.create("created", ["sleep", "1000"], { linux: { resources } });
  await update(created.id, { memory_limit_in_bytes: 48 * MIB });
  await created.start();
  t.is(cgroupFile(await created.cgroupPath(), "memory", "memory.limit_in_bytes", "memory.max"), String(48 * MIB));
  await pod.remove();
});

test("an update that the kernel refuses changes nothing", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"], { linux: { resources: { memory_limit_in_bytes: 64 * MIB } } });
  const linux = { memory_limit_in_bytes: 32 * MIB, cpuset_cpus: "4000" };
  await t.throwsAsync(node().cri.call("UpdateContainerResources", { container_id: container.id, linux }));
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

test("usage of a container lies between two readings of the kernel", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("busy", ["sh", "-c", "while :; do :; done"], {
    linux: { resources: { cpu_quota: 20_000, cpu_period: 100_000, memory_limit_in_bytes: 32 * MIB } },
  });
  const path = await container.cgroupPath();
  const cpu = (): bigint => {
    const text = cgroupFile(path, "cpuacct", "cpuacct.usage", "cpu.stat");
    const micros = /usage_usec (\d+)/.exec(text)?.[1];
    return micros === undefined ? BigInt(text) : BigInt(micros) * 1000n;
  };
  await node().eventually("it has used some cpu", async () => (cpu() > 0n ? true : undefined));
  const before = cpu();
  const { stats } = await node().cri.call<{ stats: ContainerStats }>("ContainerStats", { container_id: container.id });
  const after = cpu();
  const used = BigInt(stats.cpu.usage_core_nano_seconds.value);
  t.true(before <= used && used <= after, `${before} <= ${used} <= ${after}`);
  t.true(BigInt(stats.memory.usage_bytes.value) > 0n);
  t.true(BigInt(stats.memory.working_set_bytes.value) <= BigInt(stats.memory.usage_bytes.value));
  t.not(stats.memory.available_bytes, null);
  const { stats: list } = await node().cri.call<{ stats: ContainerStats[] }>("ListContainerStats", { filter: { pod_sandbox_id: pod.id } });
  t.deepEqual(
    list.map((each) => each.attributes.id),
    [container.id],
  );
  await pod.remove();
});

test("usage of a pod has its network, its processes and its containers", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("web", ["berth-demo", "serve", "--port", "80"]);
  await container.logged(/listening/);
  const peer = await Pod.run(node());
  const client = await peer.start("client", ["berth-demo", "fetch", "--count", "1", `http://${await pod.address()}:80/`]);
  t.is((await client.reached("CONTAINER_EXITED")).exit_code, 0);
  const { stats } = await node().cri.call<{ stats: PodStats }>("PodSandboxStats", { pod_sandbox_id: pod.id });
  t.is(stats.linux.network?.default_interface.name, "eth0");
  t.true(BigInt(stats.linux.network?.default_interface.rx_bytes.value ?? 0) > 100n);
  t.true(BigInt(stats.linux.network?.default_interface.tx_bytes.value ?? 0) > 100n);
  t.true(BigInt(stats.linux.process.process_count.value) >= 1n);
  t.deepEqual(
    stats.linux.containers.map((each) => each.attributes.id),
    [container.id],
  );
  const { stats: list } = await node().cri.call<{ stats: PodStats[] }>("ListPodSandboxStats", { filter: {} });
  t.deepEqual(new Set(list.map((each) => each.attributes.id)), new Set([pod.id, peer.id]));
  for (const each of [pod, peer]) await each.remove();
});
