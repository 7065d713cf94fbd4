// Trying again, less and less often.
import { setTimeout as sleep } from "node:timers/promises";

export interface Backoff {
  readonly firstMs: number;
  readonly mostMs: number;
  /** After so long since the first try the failure is thrown; undefined tries for ever. */
  readonly giveUpMs?: number;
  /** of them in all; undefined is without bound */
  readonly tries?: number;
  /** The part of each wait that chance may take away, 0 to 1, so that many who failed together do not come back together. */
  readonly jitter?: number;
}

/**
 * Does the work again until it succeeds.
 *
 * @param again says of a failure whether another try may help, or after how many milliseconds at the earliest; it is also
 * where failures are logged
 * @param signal ends the waiting
 * @throws the last failure, when `again` says no, the tries or the time are used up, or `signal` says so
 */
export async function withBackoff<T>(
  { firstMs, mostMs, giveUpMs = Number.POSITIVE_INFINITY, tries = Number.POSITIVE_INFINITY, jitter = 0 }: Backoff,
  again: (failure: unknown, tried: number) => boolean | number,
  work: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const giveUpAt = performance.now() + giveUpMs;
  for (let tried = 1, backoffMs = firstMs; ; tried++, backoffMs = Math.min(backoffMs * 2, mostMs)) {
    try {
      return await work();
    } catch (failure) {
      const helps = again(failure, tried);
      const waitMs = Math.max(backoffMs * (1 - jitter * Math.random()), helps === true ? 0 : Number(helps));
      if (helps === false || tried >= tries || performance.now() + waitMs > giveUpAt) throw failure;
      const woken = await sleep(waitMs, true, { signal }).catch(() => false);
      if (!woken) throw failure;
    }
  }
}
