// Some work on many things, a few at a time.
import { AgentError } from "../base/errors.ts";

/**
 * Ends when all work has ended. The first failure stops the rest.
 *
 * @param most of them under way at once
 * @param signal ends all of it; the one given to `work` also after a failure
 * @throws what failed first
 */
export async function inParallel<T>(
  most: number,
  items: readonly T[],
  signal: AbortSignal,
  work: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const failures: unknown[] = [];
  const waiting = [...items];
  const worker = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined && !either.aborted; item = waiting.shift()) {
      try {
        await work(item, either);
      } catch (failure) {
        failures.push(failure);
        failed.abort(new AgentError("cancelled", "another part of the work failed"));
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, worker));
  if (failures.length > 0) throw failures[0];
  signal.throwIfAborted();
}
