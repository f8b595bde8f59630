import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  emptySketch,
  latencySketchSchema,
  mergeSketches,
  sketchOf,
  sketchQuantile,
  type LatencySketch,
} from '#protocol/latency-sketch.ts';

const latencyMs = fc.oneof(
  fc.double({ min: 0.0011, max: 86_400_000, noNaN: true }),
  fc.double({ min: 0.1, max: 100, noNaN: true }),
);
const samples = fc.array(latencyMs, { minLength: 1, maxLength: 200 });
const anySamples = fc.array(fc.oneof(latencyMs, fc.constantFrom(0, 0.0005, 0.001, 1e12)), { maxLength: 100 });

/** Sums of floating point depend on their order, in the last digits. */
function expectSame(a: LatencySketch, b: LatencySketch): void {
  expect({ ...a, sumMs: 0 }).toEqual({ ...b, sumMs: 0 });
  expect(Math.abs(a.sumMs - b.sumMs)).toBeLessThanOrEqual(1e-9 * Math.max(1, a.sumMs));
}

describe('a latency sketch', () => {
  test('tells every quantile within 1 %', () => {
    fc.assert(
      fc.property(samples, fc.double({ min: 0, max: 1, noNaN: true }), (values, q) => {
        const sorted = values.toSorted((a, b) => a - b);
        const exact = sorted[Math.floor(q * (values.length - 1))] ?? Number.NaN;
        const told = sketchQuantile(sketchOf(values), q) ?? Number.NaN;
        expect(Math.abs(told - exact) / exact).toBeLessThanOrEqual(0.01 + 1e-9);
      }),
      { numRuns: 500 },
    );
  });

  test('stays within what was seen, and rises with the quantile', () => {
    fc.assert(
      fc.property(samples, (values) => {
        const sketch = sketchOf(values);
        const told = [0, 0.1, 0.5, 0.9, 0.99, 1].map((q) => sketchQuantile(sketch, q) ?? Number.NaN);
        expect(told).toEqual(told.toSorted((a, b) => a - b));
        expect(told[0]).toBeGreaterThanOrEqual(Math.min(...values));
        expect(told.at(-1)).toBeLessThanOrEqual(Math.max(...values));
      }),
    );
  });

  test('of parts merges to the sketch of the whole, in any order and grouping', () => {
    fc.assert(
      fc.property(anySamples, anySamples, anySamples, (a, b, c) => {
        const [one, two, three] = [sketchOf(a), sketchOf(b), sketchOf(c)];
        const whole = sketchOf([...a, ...b, ...c]);
        expectSame(mergeSketches([one, two, three]), whole);
        expectSame(mergeSketches([mergeSketches([one, two]), three]), whole);
        expectSame(mergeSketches([one, mergeSketches([two, three])]), whole);
        expectSame(mergeSketches([three, one, two]), whole);
        expectSame(mergeSketches([one, emptySketch()]), one);
      }),
    );
  });

  test('fits its own schema, whatever was measured', () => {
    fc.assert(
      fc.property(anySamples, (values) => {
        const sketch = sketchOf(values);
        expect(latencySketchSchema.parse(JSON.parse(JSON.stringify(sketch)))).toEqual(sketch);
        expect(sketch.zeroCount + sketch.bins.reduce((sum, [, count]) => sum + count, 0)).toBe(values.length);
      }),
    );
  });

  test('is bounded over the whole range of latencies', () => {
    const values = Array.from({ length: 20_000 }, (_, i) => 0.001 * 10 ** (i / 1_800));
    expect(sketchOf(values).bins.length).toBeLessThan(1_300);
  });

  test('leaves what it was made from as it was', () => {
    const one = sketchOf([1, 2, 3]);
    const before = structuredClone(one);
    mergeSketches([one, one]);
    expect(one).toEqual(before);
  });

  test('of nothing has no quantile; what is under a microsecond counts as zero', () => {
    expect(sketchQuantile(emptySketch(), 0.5)).toBeNull();
    expect(sketchQuantile(sketchOf([0, 0.0005, 0.001]), 0.99)).toBe(0);
  });

  test.each([-1, Number.NaN, Infinity])('refuses %s', (value) => {
    expect(() => sketchOf([1, value])).toThrow(RangeError);
  });
});
