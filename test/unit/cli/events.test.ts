import { status } from "@grpc/grpc-js";
import test from "ava";
import { eventLine } from "../../../src/cli/event-line.ts";
import type { EventsResponse } from "../../../src/generated/berth/v1/berth.ts";
import { FakeNode } from "./fake-node.ts";

const POD = "a1".padEnd(64, "0");
const CONTAINER = "c1".padEnd(64, "0");

const event = (number: number, type: string, id = POD): EventsResponse => ({
  cursor: `x-${number}`,
  type,
  id,
  podSandboxId: POD,
  podName: "shop",
  atNanos: 1_900_000_000_000_000_000n + BigInt(number),
});

test("an event is a line with its time, what happened, and to what", (t) => {
  t.is(eventLine(event(5, "created"), "table"), "2030-03-17T17:46:40.000000005Z created     pod       a100000000000 shop\n");
  t.is(eventLine(event(6, "started", CONTAINER), "table"), "2030-03-17T17:46:40.000000006Z started     container c100000000000 shop\n");
});

test("an event's pod can't move the cursor", (t) => {
  t.regex(eventLine({ ...event(1, "created"), podName: "a\u001b[2J\nb" }, "table"), / a\?\[2J\?b\n$/);
});

test("as JSON an event is one object in one line, with the cursor to go on from", (t) => {
  const line = eventLine(event(7, "stopped", CONTAINER), "json");
  t.regex(line, /^\{.*\}\n$/);
  t.deepEqual(JSON.parse(line), {
    cursor: "x-7",
    atNanos: "1900000000000000007",
    type: "stopped",
    kind: "container",
    id: CONTAINER,
    podId: POD,
    pod: "shop",
  });
});

test("what has happened since a cursor is printed, and that is all", async (t) => {
  const node = await FakeNode.start(t);
  node.events.push(event(1, "created"), event(2, "started"), event(3, "stopped"));
  const { code, stdout } = await node.berth(["events", "--since", "x-1"]);
  t.is(code, 0);
  t.deepEqual(
    stdout
      .trim()
      .split("\n")
      .map((line) => line.split(" ")[1]),
    ["started", "stopped"],
  );
});

test("following ends in order with an interrupt, and the node is told", async (t) => {
  const node = await FakeNode.start(t);
  // More than is on the way at once, to a reader that takes one after the other.
  for (let number = 1; number <= 500; number++) node.events.push(event(number, "created"));
  const following = node.berth(["events", "-f", "-o", "json"]);
  await node.called("Events", 1);
  await node.printed('"x-500"');
  node.signal();
  const { code, stdout, stderr } = await following;
  t.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  t.deepEqual(
    stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).cursor),
    node.events.map(({ cursor }) => cursor),
  );
  await node.called("Events", 2);
  t.deepEqual(node.calls, ["Events", "Events cancelled"]);
});

test("events that came before a failure are printed before it is told", async (t) => {
  const node = await FakeNode.start(t);
  for (let number = 1; number <= 500; number++) node.events.push(event(number, "created"));
  node.failures.set("Events", { code: status.RESOURCE_EXHAUSTED, details: "read events: those before x-9 are gone" });
  const { code, stdout, stderr } = await node.berth(["events", "-f"]);
  t.is(code, 1);
  t.is(stdout.split("\n").length, 501);
  t.is(stderr, "berth: read events: those before x-9 are gone\n");
});

test("a node that goes away while it is listened to is told", async (t) => {
  const node = await FakeNode.start(t);
  const following = node.berth(["events", "-f"]);
  await node.called("Events", 1);
  node.stop();
  const { code, stderr } = await following;
  t.is(code, 1);
  t.regex(stderr, /^berth: .+\n$/);
});
