// Small C programs that the test image lacks: compiled here, and mounted into a container.
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
  const name = basename(source, ".c");
  const folder = await mkdtemp(join(tmpdir(), `berth-${name}-`));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const program = join(folder, name);
  const sourcePath = fileURLToPath(new URL(source, import.meta.url));
  await promisify(execFile)("cc", ["-static", "-O1", "-Wall", "-Werror", "-o", program, sourcePath]);
  return { host_path: program, container_path: `/${name}`, readonly: true };
}
