// How often a classifier is right, over all samples and a class, and what it takes for what.

export interface ClassAccuracy {
  readonly label: string;
  /** Samples that truly are of this class. */
  readonly count: number;
  /** Share of them that were recognised, 0 to 1; 0 where there is none. */
  readonly accuracy: number;
}

export interface Confusion {
  readonly truth: number;
  readonly predicted: number;
  readonly count: number;
}

export interface AccuracyReport {
  /** Share of right answers, 0 to 1. */
  readonly accuracy: number;
  readonly correct: number;
  readonly perClass: readonly ClassAccuracy[];
  /** Wrong answers by kind, most frequent first; `predicted` is -1 where the model gave no answer. */
  readonly confusions: readonly Confusion[];
}

/** Compares answers with the truth; `labels` names the classes by index. Throws on lists of unequal length. */
export function measureAccuracy(
  truths: readonly number[],
  predictions: readonly number[],
  labels: readonly string[],
): AccuracyReport {
  if (truths.length !== predictions.length) throw new RangeError('there must be one prediction a sample');
  const classes = truths.reduce((most, truth) => Math.max(most, truth + 1), labels.length);
  const counts = Array.from({ length: classes }, () => 0);
  const hits = Array.from({ length: classes }, () => 0);
  const mistakes = new Map<string, Confusion>();
  truths.forEach((truth, index) => {
    const predicted = predictions[index] as number;
    counts[truth] = (counts[truth] ?? 0) + 1;
    if (predicted === truth) {
      hits[truth] = (hits[truth] ?? 0) + 1;
      return;
    }
    const key = `${truth},${predicted}`;
    mistakes.set(key, { truth, predicted, count: (mistakes.get(key)?.count ?? 0) + 1 });
  });
  const correct = hits.reduce((sum, count) => sum + count, 0);
  return {
    accuracy: share(correct, truths.length),
    correct,
    perClass: counts.map((count, index) => ({
      label: labels[index] ?? String(index),
      count,
      accuracy: share(hits[index] ?? 0, count),
    })),
    confusions: [...mistakes.values()].sort(
      (a, b) => b.count - a.count || a.truth - b.truth || a.predicted - b.predicted,
    ),
  };
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
