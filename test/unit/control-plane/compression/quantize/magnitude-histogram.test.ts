import fc from 'fast-check';
import { expect, test } from 'vitest';
import { binEdges, MagnitudeHistogram } from '#control-plane/compression/quantize/magnitude-histogram.ts';

const BINS = 64;
const values = fc.array(fc.float({ noNaN: true, min: -1000, max: 1000 }), { minLength: 2, maxLength: 200 });

function histogramOf(list: readonly number[]): MagnitudeHistogram | null {
  const magnitudes = list.map(Math.abs);
  const edges = binEdges(Math.min(...magnitudes), Math.max(...magnitudes), BINS);
  return edges === null ? null : new MagnitudeHistogram(edges);
}

test('every magnitude is counted in the bin whose edges it lies between', () => {
  fc.assert(
    fc.property(values, (list) => {
      const histogram = histogramOf(list);
      fc.pre(histogram !== null);
      const { edges } = histogram;
      const [first = 0, last = 0] = [edges.at(0), edges.at(-1)];
      // Nearer to each other, edges are off by whole bins, and numpy mends a bin by one at most.
      fc.pre(last > 1e-30 && last - first > last / 1000);
      // Edges themselves are where rounding could go wrong.
      const all = [...list, ...edges, ...edges.map((edge) => -edge)];
      histogram.add(Float32Array.from(all));
      const expected = new Float64Array(BINS);
      for (const value of all) {
        const bin = edges.findLastIndex((edge) => edge <= Math.abs(value));
        const last = Math.min(bin, BINS - 1);
        expected[last] = (expected[last] as number) + 1;
      }
      expect(histogram.counts).toEqual(expected);
    }),
  );
});

test('adding in parts counts as adding at once', () => {
  fc.assert(
    fc.property(values, fc.nat(200), (list, cut) => {
      const [whole, parts] = [histogramOf(list), histogramOf(list)];
      fc.pre(whole !== null && parts !== null);
      const all = Float32Array.from(list);
      whole.add(all);
      parts.add(all.subarray(0, cut));
      parts.add(all.subarray(cut));
      expect(parts.counts).toEqual(whole.counts);
    }),
  );
});

test('NaN is not counted', () => {
  const histogram = histogramOf([0, 1]);
  histogram?.add(Float32Array.of(Number.NaN, 0.5));
  expect(histogram?.counts.reduce((a, b) => a + b)).toBe(1);
});

test('one value has bins around it, and values too near each other have none', () => {
  expect(binEdges(3, 3, 4)).toEqual(Float32Array.of(2.5, 2.75, 3, 3.25, 3.5));
  expect(binEdges(1, 1 + 2 ** -22, BINS)).toBeNull();
});

test('a share is reached at the lower edge of the bin that holds it', () => {
  const histogram = new MagnitudeHistogram(Float32Array.of(0, 1, 2, 3));
  histogram.add(Float32Array.of(0.5, 0.6, 1.5, 2.5));
  expect([0.25, 0.5, 0.51, 0.75, 0.76, 1].map((share) => histogram.edgeAt(share))).toEqual([
    0, 0, 1, 1, 2, 2,
  ]);
});
