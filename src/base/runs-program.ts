// Whether a process runs a program as it is installed now: one that was replaced on disk since has another inode.
import { stat } from "node:fs/promises";

export async function runsProgram(pid: number, path: string): Promise<boolean> {
  const [running, installed] = await Promise.all([`/proc/${pid}/exe`, path].map((file) => stat(file).catch(() => undefined)));
  return running !== undefined && running.dev === installed?.dev && running.ino === installed.ino;
}
