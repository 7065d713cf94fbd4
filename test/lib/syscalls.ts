// A program that makes system calls by name, for what a filter says to them. The image has no such program, so it is compiled here
// and mounted into the container.
import { programMount } from "./c-program.ts";
import type { Message } from "./cri.ts";
import type { Container } from "./pods.ts";
import type { Teardown } from "./teardown.ts";

const IN_CONTAINER = "/syscalls";

/** @returns the mount that a container needs for `answers` */
export const syscallsMount = (t: Teardown): Promise<Message> => programMount(t, "syscalls.c");

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
