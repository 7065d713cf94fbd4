// One stuck thing stalls nothing else: a worker of the helper, a pull and a shim hang, and other pods live their lives.
import test from "ava";
import { Stuck } from "../crash/stuck.ts";
import { berthCli } from "../lib/berth-cli.ts";
import { TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";
import { shared } from "../lib/teardown.ts";

const node = shared(test, (t) => TestNode.start(t));
const { berth, succeeds } = berthCli(node);

interface Attributes {
  readonly attributes: { readonly id: string };
}

const list = async <T>(call: string, field: string): Promise<readonly T[]> =>
  (await node().cri.call<Record<string, readonly T[]>>(call, {}))[field] ?? [];

async function livesItsLife(t: { is(actual: unknown, expected: unknown): void; true(value: boolean): void }): Promise<void> {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sh", "-c", "trap 'exit 7' TERM; echo up; while :; do sleep 0.1; done"]);
  await container.logged(/up/);
  t.is(await container.output("echo", "alive"), "alive");
  const ids = { pods: pod.id, containers: container.id };
  t.true((await list<{ id: string }>("ListPodSandbox", "items")).some(({ id }) => id === ids.pods));
  t.true((await list<{ id: string }>("ListContainers", "containers")).some(({ id }) => id === ids.containers));
  t.true((await list<Attributes>("ListPodSandboxStats", "stats")).some(({ attributes }) => attributes.id === ids.pods));
  t.true((await list<Attributes>("ListContainerStats", "stats")).some(({ attributes }) => attributes.id === ids.containers));
  await container.stop(10);
  t.is((await container.status()).exit_code, 7);
  await pod.remove();
}

test("a pod whose shim hangs can be stopped and removed: its containers have ended with the shim", async (t) => {
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["sleep", "1000"]);
  process.kill(Number(JSON.parse((await pod.status()).info["info"] ?? "{}").shimPid), "SIGSTOP");
  const stopped = pod.stop();
  await node().eventually("berth why says what the stop waits for", async () => {
    const { stdout } = await berth(["why", pod.id]);
    return /^StopPodSandbox: waits for its shim to answer, since .*; its shim does not answer\n$/.test(stdout.toString()) || undefined;
  });
  await stopped;
  t.is((await pod.status()).status.state, "SANDBOX_NOTREADY");
  t.like(await container.status(), { state: "CONTAINER_EXITED", exit_code: 137, reason: "ShimLost" });
  await pod.remove();
});

test("with an unpacker, a pull and a shim stuck other pods live, all are listed and measured, and berth why says what hangs", async (t) => {
  const stuck = await Stuck.begin(node(), "stuck");
  try {
    await livesItsLife(t);
    t.true((await list<{ id: string }>("ListPodSandbox", "items")).some(({ id }) => id === stuck.pod.id));
    t.true((await list<Attributes>("ListPodSandboxStats", "stats")).some(({ attributes }) => attributes.id === stuck.pod.id));
    t.true((await list<Attributes>("ListContainerStats", "stats")).some(({ attributes }) => attributes.id === stuck.container.id));
    t.is((await stuck.container.status()).state, "CONTAINER_RUNNING");
    t.regex(await succeeds("why", stuck.pod.id), /its shim does not answer\n$/);
    t.regex(await succeeds("why", stuck.silentImage), /^PullImage: waits for the registry to send the manifest, since /);
    t.is((await berth(["audit"])).code, 0, "what hangs differs from no record");

    await node().crash();
    await node().boot();
    await livesItsLife(t);
    t.regex(await succeeds("why", stuck.pod.id), /^recover the pod: waits for /);
  } finally {
    await stuck.end();
  }
  await livesItsLife(t);
});
