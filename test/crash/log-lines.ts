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
export function logFault({ rotations, program, pod, stopped, started, exit }: ContainerModel, path: string): string | undefined {
  const text = filesOf(path, rotations)
    .map((file) => readFileSync(file, "utf8"))
    .join("");
  const lines = text.split("\n");
  const rest = lines.pop();
  const isLost = pod.shimKilledAtMs !== undefined;
  if (rest !== "" && !isLost) return `its log ends in the middle of a line: ${JSON.stringify(rest)}`;
  for (const [index, line] of lines.entries()) {
    if (/ stdout F line (\d+)(?: x+)?$/.exec(line)?.[1] !== String(index + 1))
      return `line ${index + 1} of its log is ${JSON.stringify(line)}`;
  }
  if (program.writer !== undefined && !isLost) return countFault(lines.length, linesWritten(program.writer.countFile), exit);
  const isCut = isLost || stopped !== "no" || pod.stopped !== "no" || started !== "done";
  if (program.lines === undefined || lines.length === program.lines || (isCut && lines.length < program.lines)) return undefined;
  return `its log has ${lines.length} lines of ${program.lines}`;
}

/** What the program itself has counted. */
export function linesWritten(countFile: string): number {
  const count = existsSync(countFile) ? readFileSync(countFile) : Buffer.alloc(0);
  return count.length === 0 ? 0 : Number(count.readBigUInt64LE());
}

function countFault(lines: number, written: number, exit: string | undefined): string | undefined {
  // SIGKILL may have come between a line and its count.
  const isCounted = lines === written || (lines === written + 1 && exit?.startsWith("EXITED 137 ") === true);
  return isCounted ? undefined : `its log has ${lines} lines, and ${written} were written`;
}
