// What the kernel counts of a process.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** A line each: descriptors of a kind, threads, and children of a name, to be compared before and after. */
export function countsOf(name: string, pid: number): string[] {
  const counts = new Map<string, number>();
  const count = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1);
  for (const descriptor of readdirSync(`/proc/${pid}/fd`)) count(`descriptors ${kindOf(`/proc/${pid}/fd/${descriptor}`)}`);
  for (const _ of readdirSync(`/proc/${pid}/task`)) count("threads");
  for (const child of readdirSync("/proc").filter((each) => /^\d+$/.test(each))) {
    const [, command, parent] = /\((.*)\) \w (\d+)/.exec(readIfThere(`/proc/${child}/stat`)) ?? [];
    if (Number(parent) === pid) count(`children ${command}`);
  }
  return [...counts].map(([what, number]) => `${name}: ${number} ${what}`).sort();
}

/** "socket", "pipe", "anon_inode:[eventpoll]", or a path. */
function kindOf(link: string): string {
  try {
    return readlinkSync(link).replace(/^(socket|pipe):.*/, "$1");
  } catch {
    return "that was closed meanwhile";
  }
}

export const pssBytes = (pid: number): number =>
  1024 * Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1]);

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
