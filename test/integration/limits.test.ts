// Limits that were asked for are those that the kernel keeps, and what runs feels them.
import test from "ava";
import { cgroupFile } from "../lib/kernel.ts";
import { TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";
import { shared } from "../lib/teardown.ts";

const node = shared(test, (t) => TestNode.start(t));
const MIB = 1024 * 1024;

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
