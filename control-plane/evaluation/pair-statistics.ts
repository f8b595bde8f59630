// What pairs of latencies, taken one right after the other, say about two models. Pure. Source: the sign test
// (W. J. Conover, Practical Nonparametric Statistics, 3.4): no assumption about how the noise is spread.

import type { VariantComparison } from '#protocol/compression.ts';
import { percentile } from '#protocol/percentile.ts';

export type LatencyRatio = VariantComparison['latencyRatio'];

/** One run of each model on the same input, milliseconds. */
export interface LatencyPair {
  readonly originalMs: number;
  readonly candidateMs: number;
}

/** A microsecond: the clock may not have moved. */
const CLOCK_TICK_MS = 0.001;

/** The candidate's latency as a share of the original's: median and quartiles over the pairs. Throws on none. */
export function ratioOf(pairs: readonly LatencyPair[]): LatencyRatio {
  const sorted = pairs
    .map((pair) => Math.max(pair.candidateMs, CLOCK_TICK_MS) / Math.max(pair.originalMs, CLOCK_TICK_MS))
    .toSorted((a, b) => a - b);
  return {
    median: percentile(sorted, 0.5),
    low: percentile(sorted, 0.25),
    high: percentile(sorted, 0.75),
    pairs: pairs.length,
  };
}

/** How likely a candidate that is no faster would win at least as many of the pairs as this one did. */
export function fasterByChance(pairs: readonly LatencyPair[]): number {
  const wins = pairs.filter((pair) => pair.candidateMs < pair.originalMs).length;
  let ways = 1;
  let tail = 0;
  for (let count = pairs.length; count >= wins; count--) {
    tail += ways;
    ways *= count / (pairs.length - count + 1);
  }
  return tail / 2 ** pairs.length;
}
