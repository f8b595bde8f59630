import { expect, test } from 'vitest';
import { compareWithOriginal } from '#control-plane/evaluation/comparison.ts';

const pair = (originalMs: number, candidateMs: number) => ({ originalMs, candidateMs });
const PAIRS = [pair(1, 0.5), pair(2, 1.2), pair(1, 0.7), pair(10, 20)];

test('accuracy is compared over all and by class, and each sample that differs is shown', () => {
  const answers = { truths: [0, 0, 1, 1], original: [0, 0, 1, 0], variant: [0, 1, 1, 1] };
  const found = compareWithOriginal(answers, ['cat', 'dog', 'cow'], PAIRS);
  expect(found.accuracyChange).toBe(0);
  expect(found.perClassChange).toEqual([
    { label: 'cat', change: -0.5 },
    { label: 'dog', change: 0.5 },
  ]);
  expect(found.disagreements).toEqual([
    { sample: 1, truth: 0, original: 0, variant: 1 },
    { sample: 3, truth: 1, original: 0, variant: 1 },
  ]);
});

test('the latency ratio is the middle of the pairs, which one disturbed pair does not move', () => {
  const { latencyRatio } = compareWithOriginal(null, [], PAIRS);
  expect(latencyRatio).toEqual({ median: 0.6, low: 0.5, high: 0.7, pairs: 4 });
});

test('a run too short for the clock still makes a ratio', () => {
  const { latencyRatio } = compareWithOriginal(null, [], [pair(0, 0)]);
  expect(latencyRatio.median).toBe(1);
});

test('without a classification only the latencies are compared', () => {
  expect(compareWithOriginal(null, ['cat'], PAIRS)).toMatchObject({
    accuracyChange: null,
    perClassChange: [],
    disagreements: [],
  });
});

test('twenty examples at most', () => {
  const zeros = Array.from({ length: 30 }, () => 0);
  const ones = Array.from({ length: 30 }, () => 1);
  const answers = { truths: zeros, original: zeros, variant: ones };
  expect(compareWithOriginal(answers, ['a', 'b'], PAIRS).disagreements).toHaveLength(20);
});
