/** Percentile by nearest rank: a value that was measured. `share` is 0 to 1. Throws on an empty list. */
export function percentile(sorted: readonly number[], share: number): number {
  const value = sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
  if (value === undefined) throw new RangeError('there is nothing to take a percentile of');
  return value;
}
