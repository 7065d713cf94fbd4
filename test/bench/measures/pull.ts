// A cold pull of a large image: fetched, checked, unpacked, and safe on the disk.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { alternate, type Bench } from "../bench.ts";
import { pushLargeImage } from "../images.ts";
import type { Peer } from "../peer.ts";
import { median } from "../statistics.ts";

const CALL_TIMEOUT_MS = 600_000;

export async function measurePull(bench: Bench): Promise<void> {
  const { pullRounds, image } = bench.settings;
  const reference = await pushLargeImage(bench.registry, image);
  // Which OCI runtime comes later makes no difference to a pull.
  const peers = bench.peers.filter((peer, index, all) => all.findIndex(({ runtime }) => runtime === peer.runtime) === index);
  const wanted = { undisturbed: pullRounds, most: pullRounds };
  const kept = await alternate(bench, "pull", peers, { wanted, warmUp: 0 }, (peer) => pull(peer, reference));
  for (const [{ name: peer }, rounds] of kept) {
    bench.results.add(peer, "cold pull of a large image, p50", "ms", median(rounds.map(({ wallMs }) => wallMs)));
    bench.results.add(peer, "cold pull of a large image, fastest", "ms", Math.min(...rounds.map(({ wallMs }) => wallMs)));
    bench.results.add(peer, "cold pull of a large image, CPU time", "ms", median(rounds.map(({ cpuMs }) => cpuMs)));
  }
}

async function pull({ runtime: { cri, cgroup } }: Peer, reference: string): Promise<{ wallMs: number; cpuMs: number }> {
  const image = { image: { image: reference } };
  // What was removed before is written back first, or this pull would pay for it.
  await promisify(execFile)("sync");
  const [before, cpuBefore] = [performance.now(), cgroup.cpuMs()];
  await cri.call("PullImage", image, CALL_TIMEOUT_MS);
  const figures = { wallMs: performance.now() - before, cpuMs: cgroup.cpuMs() - cpuBefore };
  await cri.call("RemoveImage", image, CALL_TIMEOUT_MS);
  return figures;
}
