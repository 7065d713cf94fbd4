// Containers that wait for room for their logs, as their shims tell.
import type { ContainerId } from "../base/ids.ts";

// A disk that is emptied in small pieces is full again each time: that is one thing that happens, and not many.
const TELL_AGAIN_NANOS = 60_000_000_000n;

interface LogState {
  /** why it can't be written; undefined while it can */
  readonly failure: string | undefined;
  readonly toldAtNanos: bigint;
}

export class BlockedLogs {
  readonly #states = new Map<ContainerId, LogState>();

  /** @returns whether it is to be told as an event: when it begins, at most once a minute */
  note(id: ContainerId, failure: string | undefined, nowNanos: bigint): boolean {
    const known = this.#states.get(id);
    if (known?.failure === failure) return false;
    const begins = failure !== undefined && known?.failure === undefined;
    const isNews = begins && (known === undefined || nowNanos - known.toldAtNanos >= TELL_AGAIN_NANOS);
    this.#states.set(id, { failure, toldAtNanos: isNews ? nowNanos : (known?.toldAtNanos ?? 0n) });
    return isNews;
  }

  /** Why the log can't be written; undefined when it can. */
  failure(id: ContainerId): string | undefined {
    return this.#states.get(id)?.failure;
  }

  /** Those that can't be written now. */
  ids(): ContainerId[] {
    return [...this.#states].filter(([, { failure }]) => failure !== undefined).map(([id]) => id);
  }

  forget(id: ContainerId): void {
    this.#states.delete(id);
  }
}
