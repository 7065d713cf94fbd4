// The Stream… calls give what the lists give, in several messages, with the same filters.
import test, { type ExecutionContext } from "ava";
import type { Message } from "../lib/cri.ts";
import { TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";
import { shared } from "../lib/teardown.ts";

const node = shared(test, (t) => TestNode.start(t));
const IDLE = ["sleep", "1000"];

/** All messages of a stream together, in order. */
async function streamed(call: string, field: string, request: Message): Promise<Message[]> {
  const items: Message[] = [];
  await node().cri.stream(call, request, (answer) => items.push(...(answer[field] as readonly Message[]))).ended;
  return items;
}

const listed = async (call: string, field: string, request: Message): Promise<readonly Message[]> =>
  (await node().cri.call<Record<string, readonly Message[]>>(call, request))[field] ?? [];

/** @returns how many there were */
async function sameAsList(t: ExecutionContext, filter: Message, stream: [string, string], list: [string, string]): Promise<number> {
  const request = { filter };
  const expected = await listed(...list, request);
  t.deepEqual(await streamed(...stream, request), expected, `${stream[0]} ${JSON.stringify(filter)}`);
  return expected.length;
}

test("pods, containers and images are streamed as they are listed, through the same filters", async (t) => {
  const labels = { app: "shop" };
  const [pod, other] = [await Pod.run(node(), { labels }), await Pod.run(node())];
  const container = await pod.start("one", IDLE, { labels });
  await other.start("two", IDLE);
  await other.create("waiting", IDLE);

  const pods = (filter: Message): Promise<number> =>
    sameAsList(t, filter, ["StreamPodSandboxes", "pod_sandboxes"], ["ListPodSandbox", "items"]);
  t.is(await pods({}), 2);
  t.is(await pods({ label_selector: labels }), 1);
  t.is(await pods({ id: other.id, label_selector: labels }), 0);
  t.is(await pods({ state: { state: "SANDBOX_NOTREADY" } }), 0);

  const containers = (filter: Message): Promise<number> =>
    sameAsList(t, filter, ["StreamContainers", "containers"], ["ListContainers", "containers"]);
  t.is(await containers({}), 3);
  t.is(await containers({ state: { state: "CONTAINER_RUNNING" } }), 2);
  t.is(await containers({ pod_sandbox_id: pod.id, id: container.id, label_selector: labels }), 1);
  t.is(await containers({ pod_sandbox_id: other.id, label_selector: labels }), 0);

  const images = (filter: Message): Promise<number> => sameAsList(t, filter, ["StreamImages", "images"], ["ListImages", "images"]);
  t.is(await images({}), 1);
  t.is(await images({ image: { image: node().image } }), 1);
  t.is(await images({ image: { image: "nobody/has:this" } }), 0);
  for (const each of [pod, other]) await each.remove();
});

test("usage and metrics are streamed of the same objects as they are listed", async (t) => {
  const pods = [await Pod.run(node()), await Pod.run(node())];
  for (const pod of pods) await pod.start("one", IDLE);
  const ids = (stats: readonly Message[]): string[] => stats.map(({ attributes }) => (attributes as { id: string }).id);
  t.deepEqual(ids(await streamed("StreamContainerStats", "container_stats", {})), ids(await listed("ListContainerStats", "stats", {})));
  t.deepEqual(ids(await streamed("StreamPodSandboxStats", "pod_sandbox_stats", {})), ids(await listed("ListPodSandboxStats", "stats", {})));
  // Values move, and so may what the disk has to say; whose they are does not.
  const steady = (all: readonly Message[]): Message[] =>
    all.map(({ pod_sandbox_id, container_metrics }) => ({
      pod_sandbox_id,
      containers: (container_metrics as readonly { container_id: string; metrics: readonly { name: string }[] }[]).map((each) => ({
        id: each.container_id,
        names: [...new Set(each.metrics.map(({ name }) => name).filter((name) => name !== "container_fs_usage_bytes"))],
      })),
    }));
  const metrics = steady(await streamed("StreamPodSandboxMetrics", "pod_sandbox_metrics", {}));
  t.is(metrics.length, 2);
  t.deepEqual(metrics, steady(await listed("ListPodSandboxMetrics", "pod_metrics", {})));
  for (const each of pods) await each.remove();
});
