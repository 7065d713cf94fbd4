// What is asked for and has no effect on this node is told, or refused where the node is strict.
import { status } from "@grpc/grpc-js";
import test from "ava";
import type { Message } from "../lib/cri.ts";
import { TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";
import { shared } from "../lib/teardown.ts";

const lenient = shared(test, (t) => TestNode.start(t));
const strict = shared(test, (t) =>
  TestNode.start(t, { flags: ["--strict", "true", "--bridge", "berth1", "--pod-subnet", "10.89.0.0/16"] }),
);

const warningsOf = (info: Readonly<Record<string, string>>): string[] => JSON.parse(info["info"] ?? "{}").warnings;

const POD_WISHES: readonly (readonly [string, Message])[] = [
  ["selinux_options: no label is set", { linux: { security_context: { selinux_options: { type: "container_t" } } } }],
  ["overhead: it is not added to the pod's limits", { linux: { overhead: { memory_limit_in_bytes: 1_000_000 } } }],
  ["windows: this is Linux", { windows: {} }],
];

const CONTAINER_WISHES: readonly (readonly [string, Message])[] = [
  ["selinux_options: no label is set", { linux: { security_context: { selinux_options: { type: "container_t" } } } }],
  ["mount /data: no SELinux label is set", { mounts: [{ host_path: "/tmp", container_path: "/data", selinux_relabel: true }] }],
  ["windows: this is Linux", { windows: {} }],
];

test("what has no effect is in the warnings of a pod and of a container", async (t) => {
  for (const [warning, config] of POD_WISHES) {
    const pod = await Pod.run(lenient(), config);
    t.deepEqual(warningsOf((await pod.status()).info), [warning]);
    await pod.remove();
  }
  const pod = await Pod.run(lenient());
  for (const [index, [warning, config]] of CONTAINER_WISHES.entries()) {
    const container = await pod.create(`c${index}`, ["true"], config);
    const { info } = await lenient().cri.call<{ info: Record<string, string> }>("ContainerStatus", {
      container_id: container.id,
      verbose: true,
    });
    t.true(warningsOf(info).includes(warning), warning);
    await container.start();
  }
  await pod.remove();
});

test("a strict node refuses it, and leaves nothing", async (t) => {
  const refuses = async (warning: string, call: Promise<unknown>): Promise<void> => {
    const failure = await t.throwsAsync(call, undefined, warning);
    t.like(failure, { code: status.FAILED_PRECONDITION });
    t.true(String(failure?.message).includes(`this node is strict, and can't do all that is asked: ${warning}`), failure?.message);
  };
  for (const [warning, config] of POD_WISHES) await refuses(warning, Pod.run(strict(), config));
  t.deepEqual(await strict().cri.call("ListPodSandbox", {}), { items: [] });
  const pod = await Pod.run(strict());
  for (const [warning, config] of CONTAINER_WISHES) await refuses(warning, pod.create("one", ["true"], config));
  t.deepEqual(await strict().cri.call("ListContainers", {}), { containers: [] });
  await pod.remove();
});
