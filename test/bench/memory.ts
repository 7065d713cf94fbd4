// Who has how much memory: the proportional set size, in which pages that several processes share are counted once altogether.
import { readFileSync, readlinkSync } from "node:fs";
import { basename } from "node:path";

/** KiB of the processes of each program. */
export type Memory = ReadonlyMap<string, number>;

/** @param smaps /proc/PID/smaps_rollup @returns KiB @throws when it does not say */
export function pssKib(smaps: string): number {
  const found = /^Pss:\s+(\d+) kB$/m.exec(smaps)?.[1];
  if (found === undefined) throw new Error("smaps_rollup has no Pss");
  return Number(found);
}

/** @param names of processes that are to have another name than that of their program */
export function memoryOf(pids: readonly number[], names: ReadonlyMap<number, string>): Memory {
  const memory = new Map<string, number>();
  for (const pid of pids) {
    try {
      const name = names.get(pid) ?? basename(readlinkSync(`/proc/${pid}/exe`));
      memory.set(name, (memory.get(name) ?? 0) + pssKib(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8")));
    } catch {
      // It has ended.
    }
  }
  return memory;
}

export const sumOf = (memory: Memory, counts: (program: string) => boolean): number =>
  [...memory].reduce((sum, [program, kib]) => sum + (counts(program) ? kib : 0), 0);
