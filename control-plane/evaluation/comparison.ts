// A variant against the original it was made from, on the same samples: what it gets wrong that the original got
// right, class by class, and samples to look at.

import type { VariantComparison } from '#protocol/compression.ts';
import { measureAccuracy } from './accuracy.ts';
import { ratioOf, type LatencyPair } from './pair-statistics.ts';

const MAX_EXAMPLES = 20;

export interface Answers {
  /** The right class of each sample; null where nobody knows. */
  readonly truths: readonly number[] | null;
  /** Top-1 of each sample; -1 is no answer. */
  readonly original: readonly number[];
  readonly variant: readonly number[];
}

/**
 * Compares answers and latencies. Null answers where the contract has no classification. Throws RangeError on
 * lists of unequal length and without a pair.
 */
export function compareWithOriginal(
  answers: Answers | null,
  labels: readonly string[],
  pairs: readonly LatencyPair[],
): VariantComparison {
  const latencyRatio = ratioOf(pairs);
  if (answers === null) return { accuracyChange: null, perClassChange: [], latencyRatio, disagreements: [] };
  const { truths, original, variant } = answers;
  const disagreements = original
    .map((answer, sample) => ({
      sample,
      truth: truths?.[sample] ?? null,
      original: answer,
      variant: variant[sample] as number,
    }))
    .filter((one) => one.original !== one.variant)
    .slice(0, MAX_EXAMPLES);
  if (truths === null) return { accuracyChange: null, perClassChange: [], latencyRatio, disagreements };
  const before = measureAccuracy(truths, original, labels);
  const after = measureAccuracy(truths, variant, labels);
  return {
    accuracyChange: after.accuracy - before.accuracy,
    perClassChange: before.perClass.flatMap(({ label, count, accuracy }, index) =>
      count === 0 ? [] : [{ label, change: (after.perClass[index]?.accuracy ?? 0) - accuracy }],
    ),
    latencyRatio,
    disagreements,
  };
}
