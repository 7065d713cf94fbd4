import { status } from "@grpc/grpc-js";
import test from "ava";
import { FakeNode } from "./fake-node.ts";

const CLEAR = "\u001b[H\u001b[2J";

test("stats are told again and again until an interrupt, from one question a time", async (t) => {
  const node = await FakeNode.start(t);
  node.addPod("shop");
  const watching = node.berth(["stats", "-w", "shop"]);
  await node.called("ListUsage", 4);
  node.signal();
  const { code, stdout, stderr } = await watching;
  t.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  const tables = stdout.match(/^POD +CONTAINER/gm)?.length ?? 0;
  const asked = node.calls.filter((call) => call === "ListUsage").length;
  t.true(tables >= 2 && asked - tables <= 2, `${tables} tables of ${asked} answers`);
  t.false(stdout.includes("\u001b"), "what is no terminal is not cleared");
});

test("a terminal is cleared before each table", async (t) => {
  const node = await FakeNode.start(t);
  node.isTerminal = true;
  const watching = node.berth(["stats", "--watch"]);
  await node.called("ListUsage", 3);
  node.signal();
  t.true((await watching).stdout.startsWith(`${CLEAR}POD`));
  t.false((await node.berth(["stats"])).stdout.includes(CLEAR), "nor is one for a single table");
});

test("a node that fails ends the watching", async (t) => {
  const node = await FakeNode.start(t);
  node.failures.set("ListUsage", { code: status.INTERNAL, details: "read usage: no answer" });
  t.deepEqual(await node.berth(["stats", "-w"]), { code: 1, stdout: "", stderr: "berth: read usage: no answer\n" });
});
