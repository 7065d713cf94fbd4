// A container that may write to the folder of its pod's logs swaps a folder and a file in it for links, while logs are opened, reopened
// and rotated: no line gets anywhere else, and no file is made, renamed or removed there (CVE-2025-0750 and its like).
import { chmod, mkdir, open, readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { programMount } from "../lib/c-program.ts";
import { hashOf, makeCanary } from "../lib/canary.ts";
import { TestNode } from "../lib/node.ts";
import { type Container, Pod } from "../lib/pods.ts";
import { shared } from "../lib/teardown.ts";

const LEAST_OF_EACH = 100;
const LEAST_ROTATIONS = 5;
const MAX_FILES = 3;
const PRINTS = ["sh", "-c", `while :; do echo ${"x".repeat(8000)}; usleep 1; done`];

const node = shared(test, (t) =>
  TestNode.start(t, { flags: ["--container-log-max-size", "65536", "--container-log-max-files", String(MAX_FILES)] }),
);

/** How often a log was opened, and how often not. */
class Tally {
  opened = 0;
  refused = 0;

  async count(opening: Promise<unknown>): Promise<boolean> {
    const refusal = await opening.then(
      () => "",
      (failure: unknown) => String(failure),
    );
    if (refusal === "") this.opened++;
    else if (/ (INVALID_ARGUMENT|INTERNAL): .* container [0-9a-f]{64}: .*: open log /.test(refusal)) this.refused++;
    else throw new Error(refusal);
    return refusal === "";
  }

  isDone = (least: number): boolean => this.opened >= least && this.refused >= least;
}

test("a log is written below its folder or not at all, whatever is swapped there meanwhile", async (t) => {
  const folder = join(node().folder, "swapped");
  const [canary, logs] = [join(folder, "canary"), join(folder, "logs")];
  await mkdir(join(logs, "sub"), { recursive: true });
  await makeCanary(canary);
  // Names that a rotation takes for older files of the log.
  for (let day = 1; day <= MAX_FILES; day++) await writeFile(join(canary, `a.log.2006010${day}-150405`), "");
  await symlink(canary, join(logs, "sub-link"));
  await writeFile(join(logs, "file"), "");
  await symlink(join(canary, "file"), join(logs, "file-link"));
  await chmod(logs, 0o777);
  const before = await hashOf(canary);
  const sub = await open(join(logs, "sub"));
  t.teardown(() => sub.close());

  // Only what is in the folder is rotated: a link that is set aside would not come back.
  const pods = {
    "sub/a.log": await Pod.run(node(), { log_directory: logs, annotations: { "berth.io/rotate-logs": "true" } }),
    file: await Pod.run(node(), { log_directory: logs }),
  };
  const swapper = await pods.file.start("swapper", ["/swapper", "/logs", "sub", "sub-link", "file", "file-link"], {
    mounts: [{ host_path: logs, container_path: "/logs" }, await programMount(t, "swapper.c")],
  });
  await swapper.logged(/swapping/);

  const printers: Container[] = [];
  for (const [path, pod] of Object.entries(pods)) {
    const starts = new Tally();
    for (let attempt = 0; !starts.isDone(1); attempt++) {
      const container = await pod.create("printer", PRINTS, { metadata: { name: "printer", attempt }, log_path: path });
      if ((await starts.count(container.start())) && starts.opened === 1) printers.push(container);
      else await container.remove();
    }
  }
  const rotated = new Set<string>();
  const tallies = printers.map(() => new Tally());
  while (rotated.size < LEAST_ROTATIONS || !tallies.every((tally) => tally.isDone(LEAST_OF_EACH))) {
    for (const [index, { id }] of printers.entries()) {
      await tallies[index]?.count(node().cri.call("ReopenContainerLog", { container_id: id }));
    }
    for (const name of await readdir(`/proc/self/fd/${sub.fd}`)) if (name !== "a.log") rotated.add(name);
  }
  t.log(
    `${tallies.map(({ opened, refused }) => `opened ${opened} times, refused ${refused} times`).join("; ")}; ${rotated.size} rotations`,
  );
  t.is(await hashOf(canary), before);
  for (const pod of Object.values(pods)) await pod.remove();
  t.is(await hashOf(canary), before);
});
