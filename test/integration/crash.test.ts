// Whatever of Berth is killed, and whenever: a short run of the crash suite. `make campaign` makes long ones.
import test from "ava";
import { runCrashes } from "../crash/run-crashes.ts";
import { TestNode } from "../lib/node.ts";

test("processes are killed while pods come and go: what was answered holds, and nothing is lost or left", async (t) => {
  const node = await TestNode.start(t);
  t.log(await runCrashes(node, { seed: 20, calls: 200, kills: 14, pods: 6, patience: 4 }));
  t.pass();
});
