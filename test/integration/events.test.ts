// What happens to pods and containers is told as it happens.
import { type ClientReadableStream, credentials } from "@grpc/grpc-js";
import test from "ava";
import { BerthClient, type EventsResponse } from "../../src/generated/berth/v1/berth.ts";
import { runEvents } from "../crash/run-events.ts";
import type { Message } from "../lib/cri.ts";
import { TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";
import { shared } from "../lib/teardown.ts";

const node = shared(test, (t) => TestNode.start(t));

test("the kubelet's stream has every step of a container and of its pod, with the pod's status", async (t) => {
  const heard: Message[] = [];
  const stream = node().cri.stream("GetContainerEvents", {}, (event) => heard.push(event));
  await stream.ready;
  const pod = await Pod.run(node());
  const container = await pod.start("one", ["true"]);
  await container.reached("CONTAINER_EXITED");
  await pod.remove();
  const words = () => heard.map((event) => `${event["container_id"] === pod.id ? "pod" : "container"} ${event["container_event_type"]}`);
  await node().eventually(`the pod is told to be deleted: ${words()}`, async () =>
    words().includes("pod CONTAINER_DELETED_EVENT") ? true : undefined,
  );
  stream.end();
  t.deepEqual(words(), [
    "pod CONTAINER_CREATED_EVENT",
    "pod CONTAINER_STARTED_EVENT",
    "container CONTAINER_CREATED_EVENT",
    "container CONTAINER_STARTED_EVENT",
    "container CONTAINER_STOPPED_EVENT",
    "pod CONTAINER_STOPPED_EVENT",
    "container CONTAINER_DELETED_EVENT",
    "pod CONTAINER_DELETED_EVENT",
  ]);
  for (const event of heard) t.like(event, { pod_sandbox_status: { id: pod.id, metadata: { namespace: "test" } } });
});

test("a reader goes on from its cursor, also after a kill of berthd, and a cursor of another node is refused", async (t) => {
  const client = new BerthClient(`unix:${node().socket}`, credentials.createInsecure());
  t.teardown(() => client.close());
  const first = client.events({ cursor: "", follow: true });
  const begun = new Promise((resolve) => first.once("metadata", resolve));
  await begun;
  const [event] = await Promise.all([next(first), Pod.run(node()).then((pod) => pod.remove())]);
  first.on("error", () => {});
  first.cancel();
  t.is(event.type, "created");
  const later = async (): Promise<EventsResponse[]> => await toEnd(client.events({ cursor: event.cursor, follow: false }));
  const rest = await later();
  t.deepEqual(
    rest.map(({ type }) => type),
    ["started", "stopped", "deleted"],
  );
  await node().crash();
  await node().boot();
  t.deepEqual(await later(), rest);
  await (await Pod.run(node())).remove();
  t.is((await later()).length, rest.length + 4);
  t.like(await t.throwsAsync(toEnd(client.events({ cursor: "00000000-1", follow: false }))), { code: 9 });
});

test("two hundred changes are told once each: to a kubelet, to one that reads late, and to a reader that goes away and comes back", async (t) => {
  t.log(await runEvents(node(), { seed: 1, changes: 200, pods: 4 }));
  t.pass();
});

test("a stream does not hold up the end of berthd", async (t) => {
  const stream = node().cri.stream("GetContainerEvents", {}, () => {});
  await stream.ready;
  await t.notThrowsAsync(node().shutdown());
  stream.end();
  await node().boot();
});

function next(stream: ClientReadableStream<EventsResponse>): Promise<EventsResponse> {
  return new Promise((resolve, reject) => stream.once("data", resolve).once("error", reject));
}

function toEnd(stream: ClientReadableStream<EventsResponse>): Promise<EventsResponse[]> {
  const events: EventsResponse[] = [];
  return new Promise((resolve, reject) => {
    stream.on("data", (event: EventsResponse) => events.push(event));
    stream.once("end", () => resolve(events)).once("error", reject);
  });
}
