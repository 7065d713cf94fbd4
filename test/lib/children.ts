import { readdir, readFile } from "node:fs/promises";

/** Processes that a process has started, with any of its threads, and that are there; none of one that has ended. */
export async function childrenOf(pid: number): Promise<number[]> {
  const found: number[] = [];
  for (const task of await readdir(`/proc/${pid}/task`).catch(() => [])) {
    const text = await readFile(`/proc/${pid}/task/${task}/children`, "utf8").catch(() => "");
    found.push(...text.split(" ").filter(Boolean).map(Number));
  }
  return found;
}
