// Containers whose volumes are mounted below folders that another container of the pod swaps for links meanwhile, two at a time
// (CVE-2021-30465, CVE-2025-31133 and their like).
import { chmodSync, readFileSync } from "node:fs";
import { mkdir, readdir, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { programMount } from "../lib/c-program.ts";
import { hashOf, makeCanary } from "../lib/canary.ts";
import { hasBecome, whatIsNotConfined } from "../lib/confinement.ts";
import type { Message } from "../lib/cri.ts";
import { nodeFiles } from "../lib/hostile-host.ts";
import { makesEmptyFilesOutside, removeEmpty } from "../lib/known-holes.ts";
import type { TestNode } from "../lib/node.ts";
import { Pod } from "../lib/pods.ts";
import type { RUNTIMES } from "../lib/runtimes.ts";
import type { Teardown } from "../lib/teardown.ts";

const PLACES = 8;
const AT_ONCE = 2;
const MASKED = ["/proc/keys", "/proc/timer_list"];
const READ_ONLY = ["/proc/sys", "/proc/irq"];

/** A try is a mount below a folder that is being swapped, of a container that runs; a start that is refused is one try. */
export interface Race {
  readonly runtime: (typeof RUNTIMES)[number];
  readonly tries: number;
}

/** @returns what was tried, for people @throws with all that got out */
export async function raceMounts(t: Teardown, node: TestNode, { runtime, tries }: Race): Promise<string> {
  const folder = join(node.folder, `swapped-${runtime}`);
  const [canary, volume, other] = [join(folder, "canary"), join(folder, "volume"), join(folder, "other")];
  for (const each of [volume, other]) await mkdir(each, { recursive: true });
  await makeCanary(canary);
  const names = await readdir(canary);
  const setTimes = () => utimes(canary, 1_000_000, 2_000_000);
  await setTimes();
  await writeFile(join(other, "note"), "the other volume's");
  // All lead to the canary on the node, so that a runtime which follows them leaves nothing anywhere else.
  const links = [canary, `${"../".repeat(16)}${canary.slice(1)}`, `/proc/self/cwd${"/..".repeat(16)}${canary}`];
  const places = Array.from({ length: PLACES }, (_, index) => ({ name: `place-${index}`, link: `link-${index}` }));
  for (const [index, { name, link }] of places.entries()) {
    await mkdir(join(volume, name, "sub"), { recursive: true });
    await writeFile(join(volume, name, "file"), "");
    await symlink(links[index % links.length] ?? canary, join(volume, link));
  }
  chmodSync(volume, 0o777);
  const bound = places.flatMap(({ name }) => [
    { host_path: other, container_path: `/volume/${name}/sub` },
    { host_path: other, container_path: `/volume/${name}/made` },
    { host_path: join(other, "note"), container_path: `/volume/${name}/file` },
  ]);
  const state = async () => ({ canary: await hashOf(canary), other: await hashOf(other), ...nodeFiles() });
  const before = await state();
  const pod = await Pod.run(node, {}, runtime);
  const swapper = await pod.start("swapper", ["/swapper", "/volume", ...places.flatMap(({ name, link }) => [name, link])], {
    mounts: [{ host_path: volume, container_path: "/volume" }, await programMount(t, "swapper.c")],
  });
  await swapper.logged(/swapping/);

  let [tried, starts, ran] = [0, 0, 0];
  const harm: string[] = [];
  const one = async (): Promise<void> => {
    const number = starts++;
    const container = await pod.create(`victim-${number}`, ["sleep", "1000"], victim(volume, bound, number % 4 === 0));
    const refusal = await container.start().then(
      () => "",
      (failure: unknown) => String(failure),
    );
    if (refusal === "") {
      ran++;
      tried += bound.length;
      const pid = await container.pid();
      await node.eventually("the program runs", async () => hasBecome(pid, "/bin/busybox"));
      harm.push(...whatIsNotConfined(pid, { nodesFolder: folder, volume: folder, masked: MASKED, readonly: READ_ONLY }));
      const inside = mountsOf(pid, [other, join(other, "note")]);
      if (inside !== bound.length) harm.push(`of ${bound.length} mounts of start ${number}, ${inside} are in the container`);
    } else {
      tried++;
      if (!/ (INVALID_ARGUMENT|INTERNAL|NOT_FOUND): start container /.test(refusal)) harm.push(refusal);
    }
    await container.remove();
  };
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (tried < tries && harm.length === 0) await one();
    }),
  );
  const empty = (await makesEmptyFilesOutside(runtime)) ? await removeEmpty(canary, names) : 0;
  if (empty > 0) await setTimes();
  const after = await state();
  harm.push(
    ...Object.keys(before).flatMap((name) =>
      before[name as keyof typeof before] === after[name as keyof typeof after] ? [] : [`${name} of the node has changed`],
    ),
  );
  await pod.remove();
  const hole = empty > 0 ? `; its known hole (CVE-2024-45310) has left ${empty} empty names on the node` : "";
  const summary = `${runtime}: ${tried} mounts below folders that were swapped, in ${starts} starts, of which ${ran} ran${hole}`;
  if (harm.length > 0) throw new Error([summary, ...harm].join("\n  ✘ "));
  return summary;
}

const victim = (volume: string, bound: readonly Message[], tty: boolean): Message => ({
  tty,
  mounts: [{ host_path: volume, container_path: "/volume" }, ...bound],
  linux: { security_context: { masked_paths: MASKED, readonly_paths: READ_ONLY } },
});

/** How many of its mounts are of these paths of the node. @source proc_pid_mountinfo(5) */
function mountsOf(pid: number, paths: readonly string[]): number {
  const parts = readFileSync(`/proc/${pid}/mountinfo`, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => line.split(" ")[3] ?? "");
  // A file system may be mounted further down on the node.
  return parts.filter((part) => part !== "/" && paths.some((path) => path.endsWith(part))).length;
}
