// Pods that stay while something is measured.
import type { Bench } from "./bench.ts";
import type { Peer } from "./peer.ts";
import { BenchPod } from "./pod.ts";

export class StandingPods {
  readonly #bench: Bench;
  readonly #peer: Peer;
  readonly #pods: BenchPod[] = [];

  constructor(bench: Bench, peer: Peer) {
    this.#bench = bench;
    this.#peer = peer;
  }

  get count(): number {
    return this.#pods.length;
  }

  /** More of them or fewer, by all workers at once. @throws when the time is up */
  async become(count: number): Promise<void> {
    const change = count > this.count ? () => this.#add() : () => this.#remove();
    let left = Math.abs(count - this.count);
    const worker = async (): Promise<void> => {
      while (left-- > 0) {
        if (this.#bench.isOver()) throw new Error("the time was up");
        await change();
      }
    };
    await Promise.all(Array.from({ length: this.#bench.settings.workers }, worker));
  }

  async #add(): Promise<void> {
    this.#pods.push(await BenchPod.ready(this.#bench, this.#peer, new Map()));
  }

  async #remove(): Promise<void> {
    await this.#pods.pop()?.gone(new Map());
  }
}
