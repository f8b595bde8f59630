import fc from 'fast-check';
import { expect, test } from 'vitest';
import { measureAccuracy } from '#control-plane/evaluation/accuracy.ts';
import { disagreementRate } from '#control-plane/evaluation/disagreement.ts';
import { summariseLatencies } from '#control-plane/evaluation/latency-summary.ts';
import { spreadIndices } from '#control-plane/evaluation/spread-indices.ts';
import { sqnrDb } from '#control-plane/evaluation/sqnr.ts';
import { topClass } from '#control-plane/evaluation/top-class.ts';

test('accuracy is counted over all, a class, and by kind of mistake', () => {
  const report = measureAccuracy([0, 0, 1, 1, 1, 2], [0, 1, 1, 0, 0, 2], ['cat', 'dog', 'cow', 'hen']);
  expect(report).toEqual({
    accuracy: 0.5,
    correct: 3,
    perClass: [
      { label: 'cat', count: 2, accuracy: 0.5 },
      { label: 'dog', count: 3, accuracy: 1 / 3 },
      { label: 'cow', count: 1, accuracy: 1 },
      { label: 'hen', count: 0, accuracy: 0 },
    ],
    confusions: [
      { truth: 1, predicted: 0, count: 2 },
      { truth: 0, predicted: 1, count: 1 },
    ],
  });
});

test('a class without a label goes by its number, no answer is a mistake', () => {
  const report = measureAccuracy([1], [-1], []);
  expect(report.perClass.map(({ label }) => label)).toEqual(['0', '1']);
  expect(report.confusions).toEqual([{ truth: 1, predicted: -1, count: 1 }]);
});

test('right and wrong answers add up to the samples', () => {
  const classes = fc.integer({ min: 0, max: 5 });
  fc.assert(
    fc.property(fc.array(fc.tuple(classes, classes)), (pairs) => {
      const report = measureAccuracy(pairs.map(([truth]) => truth), pairs.map(([, answer]) => answer), []);
      const wrong = report.confusions.reduce((sum, { count }) => sum + count, 0);
      expect(report.correct + wrong).toBe(pairs.length);
      expect(report.perClass.reduce((sum, { count }) => sum + count, 0)).toBe(pairs.length);
    }),
  ); // prettier-ignore
});

test('one prediction a sample is demanded', () => {
  expect(() => measureAccuracy([1], [], [])).toThrow(RangeError);
  expect(() => disagreementRate([1], [])).toThrow(RangeError);
});

test('disagreement is the share of differing answers, right or wrong', () => {
  expect(disagreementRate([1, 2, 3, 4], [1, 2, 9, 9])).toBe(0.5);
  expect(disagreementRate([], [])).toBe(0);
});

test('the top class is the first of the largest; NaN and nothing are no answer', () => {
  expect(topClass(Float32Array.of(1, 5, 5, -2))).toBe(1);
  expect(topClass(Float32Array.of(-Infinity, -Infinity))).toBe(0);
  expect(topClass(Float32Array.of(1, Number.NaN, 9))).toBe(-1);
  expect(topClass(new Float32Array(0))).toBe(-1);
});

test('SQNR: a tenth of the amplitude as noise is 20 dB, over all outputs together', () => {
  const signal = [Float32Array.of(10, -10), Float32Array.of(10)];
  expect(sqnrDb(signal, [Float32Array.of(11, -11), Float32Array.of(9)])).toBeCloseTo(20, 10);
  expect(sqnrDb(signal, signal)).toBeNull();
  expect(sqnrDb([Float32Array.of(0)], [Float32Array.of(1)])).toSatisfy(Number.isFinite);
  expect(() => sqnrDb(signal, [])).toThrow(RangeError);
});

test('percentiles are latencies that were measured', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect(summariseLatencies(hundred)).toEqual({ runs: 100, p50Ms: 50, p95Ms: 95 });
  expect(summariseLatencies([7])).toEqual({ runs: 1, p50Ms: 7, p95Ms: 7 });
  expect(() => summariseLatencies([])).toThrow(RangeError);
});

test('picked indices are spread over the whole, distinct and in order', () => {
  expect(spreadIndices(10, 5)).toEqual([0, 2, 4, 6, 8]);
  expect(spreadIndices(3, 10)).toEqual([0, 1, 2]);
  fc.assert(
    fc.property(fc.nat(1_000), fc.nat(1_000), (total, count) => {
      const indices = spreadIndices(total, count);
      expect(new Set(indices).size).toBe(Math.min(total, count));
      expect(indices.every((index) => index >= 0 && index < total)).toBe(true);
    }),
  );
});
