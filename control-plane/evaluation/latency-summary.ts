// Latencies of single requests in two numbers. Percentiles are by nearest rank: a latency that was measured.

export interface LatencySummary {
  readonly runs: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
}

/** Throws on an empty list. */
export function summariseLatencies(latenciesMs: readonly number[]): LatencySummary {
  const sorted = latenciesMs.toSorted((a, b) => a - b);
  return { runs: sorted.length, p50Ms: percentile(sorted, 0.5), p95Ms: percentile(sorted, 0.95) };
}

function percentile(sorted: readonly number[], share: number): number {
  const value = sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
  if (value === undefined) throw new RangeError('there is no latency to summarise');
  return value;
}
