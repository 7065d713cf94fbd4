// Reads all files of a container's log, and says what is not whole.
import { existsSync, readFileSync } from "node:fs";
import type { ContainerModel } from "./model.ts";

/** Names of the files of a log that was renamed `rotations` times, the oldest first. */
function filesOf(path: string, rotations: number): string[] {
  return [...Array.from({ length: rotations }, (_, index) => rotated(path, index + 1)), path].filter((file) => existsSync(file));
}

export const rotated = (path: string, rotation: number): string => `${path}.${rotation}`;

/**
 * Of a container that has exited. Its last line may be torn where its shim was killed, and some may never have been written.
 *
 * @returns what is wrong
 */
export function logFault({ rotations, program, pod, stopped, started }: ContainerModel, path: string): string | undefined {
  const text = filesOf(path, rotations)
    .map((file) => readFileSync(file, "utf8"))
    .join("");
  const lines = text.split("\n");
  const rest = lines.pop();
  const isLost = pod.shimKilledAtMs !== undefined;
  if (rest !== "" && !isLost) return `its log ends in the middle of a line: ${JSON.stringify(rest)}`;
  for (const [index, line] of lines.entries()) {
    if (!line.endsWith(` stdout F line ${index + 1}`)) return `line ${index + 1} of its log is ${JSON.stringify(line)}`;
  }
  const isCut = isLost || stopped !== "no" || pod.stopped !== "no" || started !== "done";
  if (program.lines === undefined || lines.length === program.lines || (isCut && lines.length < program.lines)) return undefined;
  return `its log has ${lines.length} lines of ${program.lines}`;
}
