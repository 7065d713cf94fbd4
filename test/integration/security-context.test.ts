// What a container may do, as a kubelet asks for it, seen from inside.
import { readlinkSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import test from "ava";
import { CAPABILITIES } from "../../src/container/spec/capabilities.ts";
import type { Message } from "../lib/cri.ts";
import { TestNode } from "../lib/node.ts";
import { type Container, Pod } from "../lib/pods.ts";
import { RUNTIMES } from "../lib/runtimes.ts";
import { shared } from "../lib/teardown.ts";

const node = shared(test, (t) => TestNode.start(t));

const pods = new Map(RUNTIMES.map((runtime) => [runtime, shared(test, () => Pod.run(node(), {}, runtime))]));
let count = 0;

/** Runs one more container in the pod that all tests of a runtime share. */
async function container(runtime: (typeof RUNTIMES)[number], security: Message): Promise<Container> {
  const pod = pods.get(runtime)?.();
  if (pod === undefined) throw new Error(`there is no pod of ${runtime}`);
  return await pod.start(`c${count++}`, ["sleep", "1000"], { linux: { security_context: security } });
}

const field = async (of: Container, name: string): Promise<string> =>
  (await of.output("cat", "/proc/1/status"))
    .split("\n")
    .find((line) => line.startsWith(`${name}:`))
    ?.split("\t")[1]
    ?.trim() ?? "";

/** Names of the bits of a set of /proc/PID/status. */
const capabilities = async (of: Container, set: string): Promise<string[]> => {
  const bits = BigInt(`0x${await field(of, set)}`);
  return CAPABILITIES.filter((_name, index) => (bits >> BigInt(index)) & 1n);
};

for (const runtime of RUNTIMES) {
  for (const [policy, groups] of [
    ["Merge", [1000, 2000, 3000]],
    ["Strict", [1000, 3000]],
  ] as const) {
    test(`groups of the image are ${policy === "Merge" ? "a user's too" : "left out"} with ${policy}, and its status tells them (${runtime})`, async (t) => {
      for (const user of [{ run_as_username: "tester" }, { run_as_user: { value: 1000 } }]) {
        const one = await container(runtime, { ...user, supplemental_groups: [3000], supplemental_groups_policy: policy });
        t.is(await one.output("id", "-G"), groups.join(" "));
        const { user: told } = await one.status();
        t.deepEqual(told.linux, { uid: "1000", gid: "1000", supplemental_groups: groups.map(String) });
      }
    });
  }

  test(`a group that was asked for is the primary one (${runtime})`, async (t) => {
    const one = await container(runtime, { run_as_user: { value: 1000 }, run_as_group: { value: 4000 } });
    t.is(await one.output("sh", "-c", "id -u; id -g"), "1000\n4000");
  });

  test(`capabilities are those that are left of the default ones, with those that were added (${runtime})`, async (t) => {
    const one = await container(runtime, { capabilities: { add_capabilities: ["NET_ADMIN"], drop_capabilities: ["CHOWN"] } });
    for (const set of ["CapBnd", "CapPrm", "CapEff"]) {
      const names = await capabilities(one, set);
      t.true(names.includes("CAP_NET_ADMIN") && names.includes("CAP_KILL") && !names.includes("CAP_CHOWN"), `${set} ${names}`);
    }
    t.deepEqual(await capabilities(one, "CapInh"), []);
  });

  test(`ambient capabilities are those of a program that is not root's, and all that it has (${runtime})`, async (t) => {
    const asked = { add_ambient_capabilities: ["NET_BIND_SERVICE"], drop_capabilities: ["ALL"] };
    const one = await container(runtime, { run_as_user: { value: 1000 }, capabilities: asked });
    for (const set of ["CapAmb", "CapPrm", "CapEff", "CapInh", "CapBnd"])
      t.deepEqual(await capabilities(one, set), ["CAP_NET_BIND_SERVICE"], set);
  });

  test(`no_new_privs, masked and read-only paths are as they were asked for (${runtime})`, async (t) => {
    const asked = { no_new_privs: true, masked_paths: ["/proc/keys", "/sys/firmware", "/not/there"], readonly_paths: ["/proc/sys"] };
    const one = await container(runtime, asked);
    t.is(await field(one, "NoNewPrivs"), "1");
    t.is(await one.output("sh", "-c", "cat /proc/keys; ls /sys/firmware"), "");
    t.regex((await one.exec(["sh", "-c", ": > /proc/sys/kernel/shmmax"])).stderr.toString(), /Read-only file system/);
    const open = await container(runtime, {});
    t.is(await field(open, "NoNewPrivs"), "0");
  });

  test(`namespaces of the pod are joined, and those of the node are not left (${runtime})`, async (t) => {
    const namespaceOf = (of: number, kind: string) => readlinkSync(`/proc/${of}/ns/${kind}`);
    const linux = { security_context: { namespace_options: { network: "NODE", ipc: "NODE", pid: "CONTAINER" } } };
    const pod = await Pod.run(node(), { linux }, runtime);
    const onNode = await (await pod.start("one", ["sleep", "1000"], { linux })).pid();
    const [first, second] = await Promise.all([container(runtime, {}), container(runtime, {})].map(async (each) => (await each).pid()));
    for (const kind of ["net", "ipc"]) {
      t.is(namespaceOf(onNode, kind), namespaceOf(process.pid, kind), kind);
      t.is(namespaceOf(Number(first), kind), namespaceOf(Number(second), kind), kind);
      t.not(namespaceOf(Number(first), kind), namespaceOf(process.pid, kind), kind);
    }
    t.not(namespaceOf(onNode, "pid"), namespaceOf(process.pid, "pid"));
    await pod.remove();
  });
}

test("a request of 15 MiB is read, and a longer one than 16 MiB refused", async (t) => {
  const filter = (mebibytes: number) => ({ filter: { label_selector: { name: "x".repeat(mebibytes * 1024 * 1024) } } });
  t.deepEqual(await node().cri.call("ListContainers", filter(15)), { containers: [] });
  await t.throwsAsync(node().cri.call("ListContainers", filter(17)), { code: status.RESOURCE_EXHAUSTED });
});

test("a pod's status has those of its containers, and a time by which the kubelet orders it", async (t) => {
  const pod = pods.get("crun")?.();
  const one = await container("crun", {});
  const answer = await node().cri.call<{ containers_statuses: Message[]; timestamp: string }>("PodSandboxStatus", {
    pod_sandbox_id: pod?.id,
  });
  t.deepEqual(
    answer.containers_statuses.find(({ id }) => id === one.id),
    await one.status(),
  );
  const later = await node().cri.call<{ timestamp: string }>("PodSandboxStatus", { pod_sandbox_id: pod?.id });
  t.true(BigInt(later.timestamp) > BigInt(answer.timestamp));
});

test("annotations come back as they were given, and a volume by its path in the container", async (t) => {
  const folder = join(node().folder, "termination");
  await mkdir(folder);
  const pod = await Pod.run(node(), { annotations: { "kubernetes.io/config.source": "api" } });
  const annotations = { "io.kubernetes.container.hash": "1f", "io.kubernetes.container.restartCount": "3" };
  const mounts = [{ host_path: folder, container_path: "/dev/termination-log" }];
  const one = await pod.create("one", ["true"], { annotations, mounts });
  const { annotations: told, mounts: of } = await one.status();
  t.deepEqual(told, annotations);
  t.like(of[0], { host_path: folder, container_path: "/dev/termination-log" });
  await pod.remove();
});
