// How far a pull is: the latest word on each layer, for readers at their own pace. Nobody who reads slowly holds up the pull.
import { setTimeout } from "node:timers/promises";

export interface LayerProgress {
  readonly digest: string;
  /** "done" without a byte fetched: it was here */
  readonly phase: "waiting" | "fetching" | "unpacking" | "done";
  readonly fetchedBytes: number;
  readonly totalBytes: number;
}

// Bars need no more.
const EVERY_MS = 100;

export class PullProgress {
  readonly #layers = new Map<string, { readonly layer: LayerProgress; readonly version: number }>();
  readonly #ended = new AbortController();
  #version = 0;
  #changed = Promise.withResolvers<void>();

  expect(digest: string, totalBytes: number): void {
    if (!this.#layers.has(digest)) this.#put({ digest, phase: "waiting", fetchedBytes: 0, totalBytes });
  }

  phase(digest: string, phase: LayerProgress["phase"]): void {
    const layer = this.#layers.get(digest)?.layer;
    if (layer !== undefined) this.#put({ ...layer, phase });
  }

  /** Passes a layer's bytes on, and counts them; one that begins anew is counted anew. Other blobs go by uncounted. */
  async *counted(digest: string, source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const layer = this.#layers.get(digest)?.layer;
    let fetchedBytes = 0;
    for await (const chunk of source) {
      fetchedBytes += chunk.length;
      if (layer !== undefined) this.#put({ ...layer, phase: "fetching", fetchedBytes });
      yield chunk;
    }
  }

  end(): void {
    this.#ended.abort();
    this.#changed.resolve();
  }

  /** Those that have changed since the last time, ten times a second at most, until the pull has ended or `signal` is given. */
  async *changes(signal: AbortSignal): AsyncGenerator<LayerProgress[]> {
    const over = AbortSignal.any([signal, this.#ended.signal]);
    const overAtAll = aborted(over);
    for (let seen = 0; !signal.aborted; ) {
      const wasLast = over.aborted;
      const fresh = [...this.#layers.values()].filter(({ version }) => version > seen);
      seen = this.#version;
      if (fresh.length > 0) yield fresh.map(({ layer }) => layer);
      if (wasLast) return;
      if (this.#version === seen) await Promise.race([this.#changed.promise, overAtAll]);
      await setTimeout(EVERY_MS, undefined, { signal: over }).catch(() => {});
    }
  }

  #put(layer: LayerProgress): void {
    this.#layers.set(layer.digest, { layer, version: ++this.#version });
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
