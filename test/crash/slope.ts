/** How much `values` grow from one to the next: the median of the slopes between any two, which a few odd values do not move (Theil and Sen). */
export function slopeOf(values: readonly number[]): number {
  const slopes = values.flatMap((from, at) => values.slice(at + 1).map((to, distance) => (to - from) / (distance + 1)));
  return slopes.sort((a, b) => a - b)[Math.floor(slopes.length / 2)] ?? 0;
}
