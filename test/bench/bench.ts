// What all measures share.
import type { Images } from "./images.ts";
import { machineCpuMs, type Cgroup } from "./cgroup.ts";
import { clear, type Peer } from "./peer.ts";
import { isEnough, quietest, type Round, type RoundsWanted, undisturbed } from "./quiet-rounds.ts";
import type { Results } from "./results.ts";
import type { DockerRegistry } from "../lib/registry.ts";
import type { Settings } from "./settings.ts";

export interface Bench {
  readonly settings: Settings;
  readonly peers: readonly Peer[];
  readonly results: Results;
  readonly registry: DockerRegistry;
  readonly images: Images;
  /** of all that belongs to the bench, this process among it */
  readonly cgroup: Cgroup;
  /** folder of pods' logs */
  readonly logs: string;
  /** time is up, or a person wants it to end: nothing new is begun */
  readonly isOver: () => boolean;
}

const SETTLE_MS = 100;

export const settle = (ms = SETTLE_MS): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Does something, and tells how many processors all that is not the bench used meanwhile. */
export async function watched<T>({ cgroup }: Bench, body: () => Promise<T>): Promise<Round<T>> {
  const [startedAtMs, machine, own] = [performance.now(), machineCpuMs(), cgroup.cpuMs()];
  const result = await body();
  const wallMs = performance.now() - startedAtMs;
  return { result, othersCpus: Math.max(0, machineCpuMs() - machine - (cgroup.cpuMs() - own)) / wallMs };
}

/**
 * Rounds of each peer in turn; who is first changes. A peer that fails is left out from then on, and its failure told.
 *
 * @param warmUp rounds before them that do not count
 * @returns the quietest of each peer
 */
export async function alternate<T>(
  bench: Bench,
  what: string,
  peers: readonly Peer[],
  { wanted, warmUp }: { readonly wanted: RoundsWanted; readonly warmUp: number },
  body: (peer: Peer) => Promise<T>,
): Promise<ReadonlyMap<Peer, readonly T[]>> {
  const rounds = new Map<Peer, Round<T>[]>(peers.map((peer) => [peer, []]));
  for (let turn = 0; !bench.isOver(); turn++) {
    const due = [...rounds].filter(([, done]) => !isEnough(done, wanted));
    if (due.length === 0) break;
    const first = turn % due.length;
    for (const [peer, done] of [...due.slice(first), ...due.slice(0, first)]) {
      await settle();
      try {
        const round = await watched(bench, () => body(peer));
        if (turn >= warmUp) done.push(round);
      } catch (failure) {
        bench.results.fail(peer.name, what, failure);
        rounds.delete(peer);
        await clear(peer.runtime).catch(() => {});
      }
    }
  }
  for (const [peer, done] of rounds) {
    bench.results.notes.push(`${what}, ${peer.name}: ${done.length} rounds, ${undisturbed(done)} of them undisturbed`);
  }
  const kept = [...rounds].map(([peer, done]) => [peer, quietest(done, wanted.undisturbed).map(({ result }) => result)] as const);
  return new Map(kept.filter(([, results]) => results.length > 0));
}
