// The clock comes in through this interface, so that tests can hold it still.

export interface Clock {
  /** Wall clock, nanoseconds since the epoch, strictly increasing within the process. */
  nowNanos(): bigint;
}

/** Nanoseconds of the wall clock; the CRI orders objects by them, so no two readings are equal. */
export function systemClock(): Clock {
  const originNanos = BigInt(Math.round(performance.timeOrigin * 1e6));
  let last = 0n;
  return {
    nowNanos() {
      // The wall clock may be set back or forward; Date follows it, the monotonic part gives the digits below a millisecond.
      const wall = BigInt(Date.now()) * 1_000_000n;
      const fine = originNanos + BigInt(Math.round(performance.now() * 1e6));
      const drift = fine - wall;
      const now = drift > 50_000_000n || drift < -50_000_000n ? wall : fine;
      last = now > last ? now : last + 1n;
      return last;
    },
  };
}
