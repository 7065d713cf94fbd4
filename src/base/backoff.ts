// Trying again, less and less often.

export interface Backoff {
  readonly firstMs: number;
  readonly mostMs: number;
  /** After so long since the first try the failure is thrown; undefined tries for ever. */
  readonly giveUpMs?: number;
}

/**
 * Does the work again until it succeeds.
 *
 * @param again says of a failure whether another try may help; it is also where failures are logged
 * @throws the last failure, when `again` says no or the time is up
 */
export async function withBackoff<T>(backoff: Backoff, again: (failure: unknown) => boolean, work: () => Promise<T>): Promise<T> {
  const giveUpAt = performance.now() + (backoff.giveUpMs ?? Number.POSITIVE_INFINITY);
  for (let waitMs = backoff.firstMs; ; waitMs = Math.min(waitMs * 2, backoff.mostMs)) {
    try {
      return await work();
    } catch (failure) {
      if (performance.now() + waitMs > giveUpAt || !again(failure)) throw failure;
    }
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}
