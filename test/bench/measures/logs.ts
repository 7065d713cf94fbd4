// How much a container can say: from its start until its log has every line.
import { createReadStream } from "node:fs";
import { alternate, type Bench, settle } from "../bench.ts";
import type { Peer } from "../peer.ts";
import { BenchPod } from "../pod.ts";
import { median } from "../statistics.ts";

const MIB = 1024 * 1024;
const SAID_MIB = 32;
const LINE_BYTES = 128;
const LINES = (SAID_MIB * MIB) / LINE_BYTES;
const SAY = ["/bin/sh", "-c", `yes ${"x".repeat(LINE_BYTES - 1)} | head -c ${SAID_MIB * MIB}`];

const ROUNDS = 3;
const LOOK_AGAIN_MS = 5;
const LONGEST_MS = 60_000;
const LINE_BREAK = 10;

export async function measureLogs(bench: Bench): Promise<void> {
  const wanted = { undisturbed: ROUNDS, most: ROUNDS };
  const kept = await alternate(bench, "logs", bench.peers, { wanted, warmUp: 1 }, (peer) => say(bench, peer));
  for (const [{ name }, rounds] of kept) {
    bench.results.add(name, `log of ${LINE_BYTES}-byte lines`, "MiB/s", median(rounds.map(({ seconds }) => SAID_MIB / seconds)));
    bench.results.add(name, `log of ${LINE_BYTES}-byte lines, CPU time a MiB`, "ms", median(rounds.map(({ cpuMs }) => cpuMs / SAID_MIB)));
  }
}

async function say(bench: Bench, peer: Peer): Promise<{ seconds: number; cpuMs: number }> {
  const { cri, cgroup } = peer.runtime;
  const pod = await BenchPod.create(bench, peer, new Map(), SAY);
  const [before, cpuBefore] = [performance.now(), cgroup.cpuMs()];
  await pod.start(new Map());
  const hasEnded = async (): Promise<boolean> => {
    const { status } = await cri.call<{ status: { state: string } }>("ContainerStatus", { container_id: pod.containerId });
    return status.state === "CONTAINER_EXITED";
  };
  while (!(await hasEnded()) && performance.now() < before + LONGEST_MS) await settle(LOOK_AGAIN_MS);
  const figures = { seconds: (performance.now() - before) / 1000, cpuMs: cgroup.cpuMs() - cpuBefore };
  const lines = await linesOf(pod.logPath);
  await pod.gone(new Map());
  if (lines !== LINES) throw new Error(`the log has ${lines} of ${LINES} lines`);
  return figures;
}

async function linesOf(path: string): Promise<number> {
  let lines = 0;
  for await (const chunk of createReadStream(path)) for (const byte of chunk as Buffer) if (byte === LINE_BREAK) lines++;
  return lines;
}
