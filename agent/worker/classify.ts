// Raw scores to the classes people read: softmax, threshold, best first. Pure.

import type { Postprocess } from '#protocol/model-contract.ts';
import type { ClassScore } from '../ports/runtime.ts';

export type ClassifyRule = Extract<Postprocess, { kind: 'classify' }>;

/** Index of the largest element, the first of equals; -1 when there is none. NaN never is the largest. */
export function argmax(values: ArrayLike<number>): number {
  let best = -1;
  for (let index = 0; index < values.length; index++) {
    const value = values[index] as number;
    if (!Number.isNaN(value) && (best === -1 || value > (values[best] as number))) best = index;
  }
  return best;
}

/** exp(x - max) / sum: never overflows for finite input. */
export function softmax(values: ArrayLike<number>): Float64Array {
  const result = Float64Array.from(values);
  const largest = result.reduce((a, b) => Math.max(a, b), -Infinity);
  let sum = 0;
  for (let index = 0; index < result.length; index++) {
    const value = Math.exp((result[index] as number) - largest);
    result[index] = value;
    sum += value;
  }
  return result.map((value) => value / sum);
}

/** The `topK` best classes at or over `minConfidence`, best first; a class without a label is named by its index. */
export function classify(
  scores: ArrayLike<number>,
  rule: ClassifyRule,
  labels: readonly string[],
): ClassScore[] {
  const confidences = rule.activation === 'softmax' ? softmax(scores) : scores;
  const classes: ClassScore[] = [];
  for (let index = 0; index < confidences.length; index++) {
    const score = confidences[index] as number;
    if (score >= rule.minConfidence) classes.push({ index, label: labels[index] ?? String(index), score });
  }
  return classes.sort((a, b) => b.score - a.score || a.index - b.index).slice(0, rule.topK);
}
