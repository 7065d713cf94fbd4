// Small C programs that the test image or the machine lacks: compiled here, and run here or mounted into a container.
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Message } from "./cri.ts";
import type { Teardown } from "./teardown.ts";

/** @param source "syscalls.c", beside this file @returns the mount that puts the program at "/syscalls" */
export async function programMount(t: Teardown, source: string): Promise<Message> {
  return { host_path: await compiled(t, source), container_path: `/${basename(source, ".c")}`, readonly: true };
}

/** A folder with all of them, where there is no compiler. */
const MADE = process.env["TEST_PROGRAMS"];

/** @returns the path of the program */
export async function compiled(t: Teardown, source: string): Promise<string> {
  const name = basename(source, ".c");
  if (MADE !== undefined) return join(MADE, name);
  const folder = await mkdtemp(join(tmpdir(), `berth-${name}-`));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const program = join(folder, name);
  const sourcePath = fileURLToPath(new URL(source, import.meta.url));
  await promisify(execFile)("cc", ["-static", "-O1", "-Wall", "-Werror", "-o", program, sourcePath]);
  return program;
}
