// Copies of the OCI runtimes, so that it harms nobody else when one of them is overwritten.
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { programs } from "./node.ts";
import type { RUNTIMES } from "./runtimes.ts";
import type { Teardown } from "./teardown.ts";

export type CopiedRuntimes = Readonly<Record<(typeof RUNTIMES)[number], string>>;

export async function copyRuntimes(t: Teardown): Promise<CopiedRuntimes> {
  const folder = await mkdtemp(join(tmpdir(), "berth-runtimes-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const paths = { crun: join(folder, "crun"), runc: join(folder, "runc"), direct: join(folder, "berth-runtime") };
  await copyFile("/usr/bin/crun", paths.crun);
  await copyFile("/usr/sbin/runc", paths.runc);
  await copyFile(join(programs, "berth-runtime"), paths.direct);
  return paths;
}

/** For berthd, which then has the handlers `copied-crun` and so on. */
export const flagsOf = (runtimes: CopiedRuntimes): string[] => [
  "--runtimes",
  Object.entries(runtimes)
    .map(([name, path]) => `copied-${name}=${path}`)
    .join(","),
];
