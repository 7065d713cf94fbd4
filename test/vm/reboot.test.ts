// The boot after the one that reboot.ts has ended.
import { existsSync, readFileSync } from "node:fs";
import test from "ava";
import { kernelObjects } from "../lib/kernel.ts";
import { TestNode } from "../lib/node.ts";
import { Container, Pod, type PodStatus } from "../lib/pods.ts";
import { shared } from "../lib/teardown.ts";
import { berthOf } from "../lib/berth.ts";
import { FACTS, type Facts, FOLDERS } from "./reboot-folder.ts";

const facts = JSON.parse(readFileSync(FACTS, "utf8")) as Facts;
const node = shared(test, (t) => TestNode.start(t, { ...FOLDERS, withImage: false }));
const { succeeds } = berthOf(node);
const container = (id: string): Container => new Container(node(), id);
const podState = async (id: string): Promise<string> =>
  (await node().cri.call<PodStatus>("PodSandboxStatus", { pod_sandbox_id: id })).status.state;

test("it is another boot", (t) => {
  t.not(readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(), facts.bootId);
});

test("pods of another boot are not ready, and what ran in them has ended as Unknown with 255", async (t) => {
  for (const id of [facts.pod, facts.stoppedPod]) t.is(await podState(id), "SANDBOX_NOTREADY");
  for (const id of [facts.running, facts.created]) {
    const { state, reason, exit_code } = await container(id).status();
    t.deepEqual({ state, reason, exit_code }, { state: "CONTAINER_EXITED", reason: "Unknown", exit_code: 255 });
  }
  t.true(BigInt((await container(facts.running).status()).finished_at) > 0n);
});

test("an exit from before the reboot is as it was told", async (t) => {
  const { state, reason, exit_code } = await container(facts.exited).status();
  t.deepEqual({ state, reason, exit_code }, { state: "CONTAINER_EXITED", reason: "Error", exit_code: 7 });
});

test("the kernel has nothing of them, and the audit nothing to say", async (t) => {
  const ofPods = kernelObjects().filter((line) => [facts.pod, facts.running].some((id) => line.includes(id.slice(0, 11))));
  t.deepEqual(ofPods, []);
  t.is(await succeeds("audit"), "");
});

test("the image is whole, a new pod runs from it, and the old ones can be removed", async (t) => {
  const pod = await Pod.run(node());
  const next = await pod.start("next", ["sh", "-c", "busybox | head -n 1"], { image: { image: facts.image } });
  t.is((await next.reached("CONTAINER_EXITED")).exit_code, 0);
  await pod.remove();
  for (const id of [facts.pod, facts.stoppedPod]) await node().cri.call("RemovePodSandbox", { pod_sandbox_id: id });
  const { items } = await node().cri.call<{ items: readonly unknown[] }>("ListPodSandbox", {});
  t.deepEqual(items, []);
  t.false(existsSync(`${FOLDERS.root}/containers/${facts.running}`));
});
