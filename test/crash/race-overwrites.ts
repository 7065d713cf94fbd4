// A container that lies in wait for the programs that start its commands, and writes to each when nobody runs it any more (CVE-2019-5736).
import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { programMount } from "../lib/c-program.ts";
import type { CopiedRuntimes } from "../lib/copied-runtimes.ts";
import type { Message } from "../lib/cri.ts";
import { programs, type TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";
import type { Teardown } from "../lib/teardown.ts";
import type { Race } from "./race-mounts.ts";

const AT_ONCE = 2;
const ALL: Message = { linux: { security_context: { capabilities: { add_capabilities: ["ALL"] } } } };

/**
 * A try is a command started in its PID namespace; every third one names whatever starts it as its program.
 *
 * @param runtimes whose flags the node has
 * @returns what was tried, for people @throws when something was overwritten, or nothing was seen
 */
export async function raceOverwrites(t: Teardown, node: TestNode, runtimes: CopiedRuntimes, { runtime, tries }: Race): Promise<string> {
  const files = [runtimes[runtime], ...["berth-shim", "berth-pod-init", "berth-helper"].map((name) => join(programs, name))];
  const state = async (path: string): Promise<string> =>
    `${path}, mode ${(await stat(path)).mode}, ${createHash("sha256")
      .update(await readFile(path))
      .digest("hex")}`;
  const states = (): Promise<string[]> => Promise.all(files.map(state));
  const before = await states();
  const pod = await Pod.run(node, {}, `copied-${runtime}`);
  // Itself as its program: what runs then is whatever has started it.
  const self = await pod.create("self", ["/proc/self/exe", "--version"]);
  await self.start().catch(() => {});
  await self.remove();
  const overwriter = await pod.start("overwriter", ["/overwriter"], { ...ALL, mounts: [await programMount(t, "overwriter.c")] });
  await overwriter.logged(/waiting/);
  let tried = 0;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (tried < tries) await overwriter.exec(tried++ % 3 === 0 ? ["/proc/self/exe", "--version"] : ["true"]).catch(() => {});
    }),
  );
  const said = await overwriter.log();
  const after = await states();
  await pod.remove();
  const seen = said.filter((line) => line.includes("seen")).length;
  const summary = `${runtime}: ${tried} commands before one that lies in wait, which got hold of ${seen} programs`;
  const harm = [
    ...after.filter((each) => !before.includes(each)).map((each) => `changed: ${each}`),
    ...(said.some((line) => line.includes("overwritten")) ? ["it has written to a program that is not its image's"] : []),
    ...(seen === 0 ? ["it has seen nothing"] : []),
  ];
  if (harm.length > 0) throw new Error([summary, ...harm].join("\n  ✘ "));
  return summary;
}
