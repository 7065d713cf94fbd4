// A container that swaps folders of a shared volume for links while others are mounted below them: nothing of the node is ever
// mounted in a container, and nothing of a container on the node. `make campaign CAMPAIGN=races` tries 10,000 times.
import test from "ava";
import { raceMounts } from "../crash/race-mounts.ts";
import { TestNode } from "../lib/node.ts";
import { RUNTIMES } from "../lib/runtimes.ts";
import { shared } from "../lib/teardown.ts";

const node = shared(test, (t) => TestNode.start(t));

for (const runtime of RUNTIMES) {
  test(`mounts below folders that are swapped for links meanwhile stay in the container (${runtime})`, async (t) => {
    t.log(await raceMounts(t, node(), { runtime, tries: 100 }));
    t.pass();
  });
}
