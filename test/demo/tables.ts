// Numbers of the demo as lines for people.

import type { ModelVersion } from '#protocol/api.ts';
import type { VariantComparison } from '#protocol/compression.ts';

/** Before and after compression, one line a variant. */
export function variantTable(version: ModelVersion): string[] {
  const original = version.evaluation;
  const row = (cells: readonly string[]): string =>
    cells.map((cell, index) => (index === 0 ? cell.padEnd(16) : cell.padStart(12))).join('');
  const line = (
    name: string,
    precision: string,
    sizeBytes: number,
    evaluation: ModelVersion['evaluation'],
    comparison: VariantComparison | null,
  ): string =>
    row([
      name,
      precision,
      evaluation?.accuracy == null ? '-' : `${(evaluation.accuracy * 100).toFixed(2)} %`,
      `${(sizeBytes / 1_000).toFixed(1)} kB`,
      evaluation === null ? '-' : `${evaluation.latencyP50Ms.toFixed(3)} ms`,
      evaluation === null ? '-' : `${evaluation.latencyP95Ms.toFixed(3)} ms`,
      comparison === null ? '-' : `${(1 / comparison.latencyRatio.median).toFixed(2)} x`,
    ]);
  return [
    row(['profile', 'precision', 'accuracy', 'size', 'p50', 'p95', 'as fast']),
    line('(the original)', 'float', version.contract.weights.sizeBytes, original, null),
    ...version.variants.map((variant) =>
      line(
        variant.profile,
        variant.precision,
        variant.weights.sizeBytes,
        variant.evaluation,
        variant.comparison,
      ),
    ),
  ];
}
