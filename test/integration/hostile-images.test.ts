// Images whose files were put where a container's setting up mounts, makes, reads and enters: the container runs as confined as any
// other, or does not run; the node's files, devices and mounts are as they were, and nothing waits.
// (CVE-2025-31133, CVE-2025-52565, CVE-2025-52881, CVE-2026-41579, CVE-2026-47766 and their like.)
import test, { type ExecutionContext } from "ava";
import { Random } from "../crash/random.ts";
import { HostileHost, type Trial } from "../lib/hostile-host.ts";
import { TestNode } from "../lib/node.ts";
import { type HostileRoot, randomRoot, SHAPE_NAMES, TOUCHED_PATHS } from "../lib/hostile-root.ts";
import { RUNTIMES } from "../lib/runtimes.ts";
import { shared } from "../lib/teardown.ts";

const host = shared(test, async (t) => HostileHost.on(await TestNode.start(t)));
const random = new Random(2026);

const trialOf = (root: HostileRoot): Trial => ({
  root,
  runtime: random.pick(RUNTIMES),
  tty: random.chance(30),
  ownIds: random.chance(20),
});

for (const runtime of RUNTIMES) {
  test(`an image with an ordinary root runs, confined, with a terminal and in a user namespace too (${runtime})`, async (t) => {
    for (const more of [{}, { tty: true }, { ownIds: true }]) {
      t.deepEqual(await host().run({ root: {}, runtime, ...more }), { refusal: "", problems: [] }, JSON.stringify(more));
    }
  });

  test(`links and files in place of what the runtime mounts over are refused before it runs (${runtime})`, async (t) => {
    for (const path of ["dev", "proc", "sys"] as const) {
      for (const shape of ["an absolute link to what is there", "a link through the working directory", "a file"] as const) {
        const { refusal, problems } = await host().run({ root: { [path]: shape }, runtime });
        t.regex(
          refusal,
          new RegExp(`INVALID_ARGUMENT: start container [0-9a-f]{64}: .*mount over /${path} of the image: it is no folder$`),
        );
        t.deepEqual(problems, []);
      }
    }
  });
}

for (const path of TOUCHED_PATHS) {
  test(`whatever stands at /${path}, the container is confined or refused, and the node is as it was`, async (t) => {
    const shapes = new Set([random.pick(SHAPE_NAMES), random.pick(SHAPE_NAMES)]);
    for (const shape of shapes) await holds(t, { [path]: shape });
  });
}

test("nor does it matter what stands at several of these places", async (t) => {
  for (let count = 0; count < 10; count++) await holds(t, randomRoot(random));
});

async function holds(t: ExecutionContext, root: HostileRoot): Promise<void> {
  const trial = trialOf(root);
  const { refusal, problems } = await host().run(trial);
  t.deepEqual(problems, [], JSON.stringify(trial));
  t.log(`${JSON.stringify(trial)}: ${refusal === "" ? "runs" : refusal}`);
}
