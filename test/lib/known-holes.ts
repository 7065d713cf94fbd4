// Holes of OCI runtimes that their own versions tell of.
import { execFile } from "node:child_process";
import { lstat, readdir, rmdir, unlink } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { RUNTIMES } from "./runtimes.ts";

/** Whether a container can lead it to make empty files and folders on the node. @source CVE-2024-45310: mended in runc 1.1.14 and 1.2.0-rc.3 */
export async function makesEmptyFilesOutside(runtime: (typeof RUNTIMES)[number]): Promise<boolean> {
  if (runtime !== "runc") return false;
  const { stdout } = await promisify(execFile)("runc", ["--version"]);
  return isBeforeTheMend(stdout);
}

/** @param said "runc version 1.1.5+ds1\n…" */
export function isBeforeTheMend(said: string): boolean {
  const [, major, minor, patch, candidate] = /^runc version (\d+)\.(\d+)\.(\d+)(?:-rc\.?(\d+))?/.exec(said) ?? [];
  if (major === undefined) throw new Error(`read the version of runc: ${said}`);
  const [first, second, third] = [Number(major), Number(minor), Number(patch)];
  if (first !== 1) return first < 1;
  if (second !== 2) return second < 1 || (second === 1 && third < 14);
  return third === 0 && candidate !== undefined && Number(candidate) < 3;
}

/** @param known names of the folder that stay @returns how many others were empty files and folders, and are gone now */
export async function removeEmpty(folder: string, known: readonly string[]): Promise<number> {
  let removed = 0;
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const found = await lstat(path);
    if (known.includes(name)) continue;
    if (found.isDirectory() && (await readdir(path)).length === 0) await rmdir(path);
    else if (found.isFile() && found.size === 0) await unlink(path);
    else continue;
    removed++;
  }
  return removed;
}
