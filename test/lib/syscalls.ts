// A program that makes system calls by name, for what a filter says to them. The image has no such program, so it is compiled here
// and mounted into the container.
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Message } from "./cri.ts";
import type { Container } from "./pods.ts";
import type { Teardown } from "./teardown.ts";

const SOURCE = fileURLToPath(new URL("syscalls.c", import.meta.url));
const IN_CONTAINER = "/syscalls";

/** @returns the mount that a container needs for `answers` */
export async function syscallsMount(t: Teardown): Promise<Message> {
  const folder = await mkdtemp(join(tmpdir(), "berth-syscalls-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const program = join(folder, "syscalls");
  await promisify(execFile)("cc", ["-static", "-O1", "-Wall", "-Werror", "-o", program, SOURCE]);
  return { host_path: program, container_path: IN_CONTAINER, readonly: true };
}

/** What the kernel or a filter says to each probe in an exec: "ok", the name of an error, or "killed". */
export async function answers(container: Container, probes: readonly string[]): Promise<Record<string, string>> {
  return parse((await container.output(IN_CONTAINER, ...probes)).split("\n"));
}

/** Of a container whose own process is the program: from its log. */
export async function answersOfLog(container: Container): Promise<Record<string, string>> {
  return parse((await container.log()).map((line) => line.replace("stdout F ", "")));
}

export const probing = (probes: readonly string[]): string[] => [IN_CONTAINER, ...probes];

const parse = (lines: readonly string[]): Record<string, string> =>
  Object.fromEntries(lines.map((line) => line.split(" ", 2) as [string, string]));
