// Calls that are joined, as in base/join-calls.ts, but can be given up: the work goes on as long as one of those who asked
// still waits, and nobody's going away fails it for the others.
import { AgentError } from "../base/errors.ts";

interface Call<T> {
  readonly abort: AbortController;
  readonly ended: Promise<T>;
  waiting: number;
}

export class AbortableCalls<T> {
  readonly #calls = new Map<string, Call<T>>();

  /** @throws AgentError cancelled or deadline-exceeded as soon as `signal` says so, whatever the work does then */
  async join(key: string, signal: AbortSignal, start: (signal: AbortSignal) => Promise<T>): Promise<T> {
    throwIfAborted(signal);
    const call = this.#calls.get(key) ?? this.#begin(key, start);
    call.waiting++;
    let leave = (): void => {};
    try {
      const left = new Promise<never>((_resolve, reject) => {
        leave = () => reject(abortError(signal));
        signal.addEventListener("abort", leave);
      });
      return await Promise.race([call.ended, left]);
    } finally {
      signal.removeEventListener("abort", leave);
      call.waiting--;
      // Who asks after that starts anew, and is not handed the failure of what was given up.
      if (call.waiting === 0) this.#forget(key, call);
      if (call.waiting === 0) call.abort.abort(abortError(signal));
    }
  }

  #begin(key: string, start: (signal: AbortSignal) => Promise<T>): Call<T> {
    const abort = new AbortController();
    const call: Call<T> = { abort, ended: start(abort.signal), waiting: 0 };
    this.#calls.set(key, call);
    // Everyone may have left by then; those who have not hear of it themselves.
    call.ended.catch(() => {}).finally(() => this.#forget(key, call));
    return call;
  }

  #forget(key: string, call: Call<T>): void {
    if (this.#calls.get(key) === call) this.#calls.delete(key);
  }
}

/** Why a signal was given, as an error of ours. */
export function abortError(signal: AbortSignal): AgentError {
  const { reason } = signal;
  if (reason instanceof AgentError) return reason;
  if (reason instanceof Error && reason.name === "TimeoutError")
    return new AgentError("deadline-exceeded", "the time is up", { cause: reason });
  return new AgentError("cancelled", "the call was given up", { cause: reason });
}

export function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw abortError(signal);
}
