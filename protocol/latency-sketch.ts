// DDSketch: quantiles with a relative error of at most 1 %, mergeable by adding bins.
// Source: Masson, Rim, Lee, "DDSketch", PVLDB 12(12), 2019. Values are latencies in ms; what is at or
// under 1 microsecond counts as zero. Bins are bounded: the lowest collapse first.

import { z } from 'zod';

const RELATIVE_ACCURACY = 0.01;
const GAMMA = (1 + RELATIVE_ACCURACY) / (1 - RELATIVE_ACCURACY);
const LOG_GAMMA = Math.log(GAMMA);
const MIN_VALUE_MS = 0.001;
const MAX_VALUE_MS = 86_400_000;
const MAX_BINS = 2_048;

export const latencySketchSchema = z.strictObject({
  count: z.int().min(0),
  sumMs: z.number().min(0),
  minMs: z.number().min(0),
  maxMs: z.number().min(0),
  zeroCount: z.int().min(0),
  /** [bin index, count], ascending; bin i holds (gamma^(i-1), gamma^i]. */
  bins: z.array(z.tuple([z.int().min(-2_000).max(2_000), z.int().min(1)])).max(MAX_BINS),
});
export type LatencySketch = z.infer<typeof latencySketchSchema>;

export function emptySketch(): LatencySketch {
  return { count: 0, sumMs: 0, minMs: 0, maxMs: 0, zeroCount: 0, bins: [] };
}

/** Builds a sketch from samples in ms; negative and non-finite samples are refused with a RangeError. */
export function sketchOf(samplesMs: Iterable<number>): LatencySketch {
  const bins = new Map<number, number>();
  let count = 0;
  let sumMs = 0;
  let minMs = Infinity;
  let maxMs = 0;
  let zeroCount = 0;
  for (const sample of samplesMs) {
    if (!Number.isFinite(sample) || sample < 0) throw new RangeError(`${sample} is not a latency in ms`);
    const value = Math.min(sample, MAX_VALUE_MS);
    count++;
    sumMs += value;
    minMs = Math.min(minMs, value);
    maxMs = Math.max(maxMs, value);
    if (value <= MIN_VALUE_MS) zeroCount++;
    else {
      const index = Math.ceil(Math.log(value) / LOG_GAMMA);
      bins.set(index, (bins.get(index) ?? 0) + 1);
    }
  }
  return { count, sumMs, minMs: count === 0 ? 0 : minMs, maxMs, zeroCount, bins: sorted(bins) };
}

export function mergeSketches(sketches: Iterable<LatencySketch>): LatencySketch {
  const merged = emptySketch();
  const bins = new Map<number, number>();
  for (const sketch of sketches) {
    if (sketch.count === 0) continue;
    merged.minMs = merged.count === 0 ? sketch.minMs : Math.min(merged.minMs, sketch.minMs);
    merged.maxMs = Math.max(merged.maxMs, sketch.maxMs);
    merged.count += sketch.count;
    merged.sumMs += sketch.sumMs;
    merged.zeroCount += sketch.zeroCount;
    for (const [index, count] of sketch.bins) bins.set(index, (bins.get(index) ?? 0) + count);
  }
  return { ...merged, bins: sorted(bins) };
}

/** The q-quantile in ms (0 <= q <= 1), within 1 % of the true one; null when the sketch is empty. */
export function sketchQuantile(sketch: LatencySketch, q: number): number | null {
  if (sketch.count === 0) return null;
  const rank = q * (sketch.count - 1);
  let seen = sketch.zeroCount;
  if (rank < seen) return 0;
  for (const [index, count] of sketch.bins) {
    seen += count;
    if (rank < seen) {
      const midpoint = (2 * GAMMA ** index) / (GAMMA + 1);
      return Math.min(Math.max(midpoint, sketch.minMs), sketch.maxMs);
    }
  }
  return sketch.maxMs;
}

function sorted(bins: Map<number, number>): [number, number][] {
  const list = [...bins].sort(([a], [b]) => a - b);
  if (list.length <= MAX_BINS) return list;
  const kept = list.slice(list.length - MAX_BINS);
  const lowest = kept[0] as [number, number];
  for (const [, count] of list.slice(0, list.length - MAX_BINS)) lowest[1] += count;
  return kept;
}
