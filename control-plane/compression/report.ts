// Puts a report together from what the steps of a compression found. Pure.

import type { CompressionReport } from '#protocol/compression.ts';
import type { OpCounts } from './quantize/op-counts.ts';

/** What the steps leave for the report. */
export interface Findings {
  readonly sizeBytesBefore: number;
  readonly sizeBytesAfter: number;
  readonly opsBefore: OpCounts;
  readonly opsAfter: OpCounts;
  readonly lowered: OpCounts;
  readonly folded: OpCounts;
  readonly float: OpCounts;
  readonly notes: readonly string[];
  readonly calibrationSamples: number;
  readonly outputs: CompressionReport['outputs'];
  readonly worstLayers: CompressionReport['worstLayers'];
  readonly phasesMs: Readonly<Record<string, number>>;
}

export function reportOf(findings: Findings): CompressionReport {
  const noisy = findings.outputs.map(({ sqnrDb }) => sqnrDb).filter((value) => value !== null);
  return {
    ...findings,
    notes: [...findings.notes],
    phasesMs: { ...findings.phasesMs },
    leftInFloat: Object.keys(findings.float),
    sqnrDb: noisy.length === 0 ? null : Math.min(...noisy),
  };
}
