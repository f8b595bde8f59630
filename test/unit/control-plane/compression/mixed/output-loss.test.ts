import { expect, test } from 'vitest';
import { lossOf, metricOf, type SampleOutputs } from '#control-plane/compression/mixed/output-loss.ts';

const sample = (dims: number[], ...data: number[]): SampleOutputs => [
  { dims, data: Float32Array.from(data) },
];
const reference = [sample([1, 3], 5, 1, 0), sample([1, 3], 0, 4, 1), sample([1, 3], 1, 2, 9)];

test('scores with labels are judged by accuracy, without labels by agreement', () => {
  expect(metricOf(reference, [0, 1, 2])).toEqual({ metric: 'accuracy', output: 0 });
  expect(metricOf(reference, null)).toEqual({ metric: 'agreement', output: 0 });
});

test('probabilities of any rank are class scores, a map of values is not', () => {
  const text = [sample([1, 2, 2], 0.5, 0.5, 1, 0)];
  const map = [sample([1, 1, 2, 2], 0.5, 0.6, 1, 0)];
  expect(metricOf(text, null).metric).toBe('agreement');
  expect(metricOf(text, [1]).metric).toBe('agreement');
  expect(metricOf(map, null).metric).toBe('noise');
  expect(metricOf([sample([1, 1], 0.5)], null).metric).toBe('noise');
});

test('accuracy that is lost counts right answers, so that a mended one makes up for a broken one', () => {
  const actual = [sample([1, 3], 0, 1, 0), sample([1, 3], 0, 4, 1), sample([1, 3], 1, 9, 2)];
  const source = { metric: 'accuracy', output: 0 } as const;
  expect(lossOf(reference, actual, source, [0, 1, 2]).lost).toBeCloseTo(2 / 3, 12);
  expect(lossOf(reference, actual, source, [1, 1, 2]).lost).toBeCloseTo(0, 12);
  expect(lossOf(reference, actual, source, [1, 1, 1]).lost).toBeCloseTo(-2 / 3, 12);
});

test('disagreement counts each row of scores', () => {
  const before = [sample([1, 4, 2], 1, 0, 1, 0, 0, 1, 0, 1)];
  const after = [sample([1, 4, 2], 1, 0, 0, 1, 0, 1, 0, 1)];
  expect(lossOf(before, after, { metric: 'agreement', output: 0 }, null).lost).toBeCloseTo(1 / 4, 12);
});

test('noise is a share of the energy of the worst output', () => {
  const before: SampleOutputs[] = [[...sample([2], 3, 4), ...sample([1], 10)]];
  const after: SampleOutputs[] = [[...sample([2], 3, 4.5), ...sample([1], 10.1)]];
  const { lost, noise } = lossOf(before, after, { metric: 'noise', output: 0 }, null);
  expect(noise).toBeCloseTo(0.25 / 25, 9);
  expect(lost).toBe(noise);
});

test('NaN is all of the metric lost, in whatever it is measured', () => {
  const actual = [sample([1, 3], NaN, 0, 0), sample([1, 3], NaN, 0, 0), sample([1, 3], NaN, 0, 0)];
  for (const metric of ['accuracy', 'agreement', 'noise'] as const) {
    const loss = lossOf(reference, actual, { metric, output: 0 }, [0, 1, 2]);
    expect(loss).toEqual({ lost: 1, noise: Infinity });
  }
});
