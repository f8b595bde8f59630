import { expect, test } from 'vitest';
import { fasterByChance, ratioOf } from '#control-plane/evaluation/pair-statistics.ts';

const pairsOf = (ratios: readonly number[]) =>
  ratios.map((ratio, index) => ({ originalMs: 10 + index, candidateMs: (10 + index) * ratio }));

test('the ratio is the median over the pairs, with the quartiles', () => {
  const ratio = ratioOf(pairsOf([0.5, 2, 0.75, 1, 8]));
  expect(ratio.median).toBeCloseTo(1, 12);
  expect(ratio.low).toBeCloseTo(0.75, 12);
  expect(ratio.high).toBeCloseTo(2, 12);
  expect(ratio.pairs).toBe(5);
  expect(() => ratioOf([])).toThrow(RangeError);
});

test.each([
  [[0.9, 0.9, 0.9, 0.9], 1 / 16],
  [[0.9, 0.9, 0.9, 1.1], 5 / 16],
  [[1.1, 1.1, 1.1, 1.1], 1],
  [[1, 1], 1],
])('winning the pairs %j has the chance %f where neither is faster', (ratios, chance) => {
  expect(fasterByChance(pairsOf(ratios))).toBeCloseTo(chance, 12);
});

test('the chance stays a chance over many pairs', () => {
  const even = Array.from({ length: 200 }, (_, index) => (index % 2 === 0 ? 0.5 : 2));
  expect(fasterByChance(pairsOf(even))).toBeGreaterThan(0.5);
  expect(fasterByChance(pairsOf(even))).toBeLessThan(0.6);
  expect(fasterByChance(pairsOf(even.map(() => 0.5)))).toBeLessThan(1e-50);
});
