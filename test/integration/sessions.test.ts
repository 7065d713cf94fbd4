// A thousand streams come and go. `make campaign CAMPAIGN=sessions` has many more.
import test from "ava";
import { runSessions } from "../crash/run-sessions.ts";
import { TestNode } from "../lib/node.ts";

test("a thousand sessions, one after the other and many at once, some cut off at any byte, leave nothing and grow nothing", async (t) => {
  const node = await TestNode.start(t);
  t.log(await runSessions(t, node, { seed: 1, sessions: 1000, atOnce: 100, execPercent: 15, patience: 4 }));
  t.pass();
});
