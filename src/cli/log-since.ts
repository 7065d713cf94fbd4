// The lines of a log from a point in time on. Pure.
import type { LogPart, LogStream } from "./cri-log.ts";
import { parseTimeNanos } from "./times.ts";

export class LogSince {
  readonly #sinceNanos: bigint;
  /** whether the line is shown that a stream is in the middle of */
  readonly #open = new Map<LogStream, boolean>();

  /** @param sinceNanos since the epoch */
  constructor(sinceNanos: bigint) {
    this.#sinceNanos = sinceNanos;
  }

  /** A line is as old as its first part. One without a time may be of any, so it is shown. */
  filter(parts: readonly LogPart[]): LogPart[] {
    return parts.filter(({ time, stream, ends }) => {
      const shown = this.#open.get(stream) ?? this.#isLater(time);
      if (ends) this.#open.delete(stream);
      else this.#open.set(stream, shown);
      return shown;
    });
  }

  #isLater(time: string): boolean {
    const nanos = parseTimeNanos(time);
    return nanos === undefined || nanos >= this.#sinceNanos;
  }
}
