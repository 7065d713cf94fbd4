// What is told of many samples.

/** Nearest rank. @param percent 0 to 100 @throws when there are no samples */
export function percentile(samples: readonly number[], percent: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const rank = Math.max(1, Math.ceil((percent / 100) * sorted.length));
  const found = sorted[rank - 1];
  if (found === undefined) throw new Error(`percentile ${percent}: there are no samples`);
  return found;
}

export const median = (samples: readonly number[]): number => percentile(samples, 50);
