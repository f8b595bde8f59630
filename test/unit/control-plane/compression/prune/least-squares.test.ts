import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decomposeSurely, inverse } from '#control-plane/compression/prune/cholesky.ts';
import { eliminationOrder } from '#control-plane/compression/prune/elimination.ts';
import { fitMasked, fitNear } from '#control-plane/compression/prune/least-squares.ts';
import { Moments, type Rows } from '#control-plane/compression/prune/moments.ts';
import { noise } from '../small-models.ts';

const [INPUTS, OUTPUTS, COUNT] = [6, 3, 200];

/** Rows of x that hang together, and y = W x + b. */
function linearRows(weights: Float64Array, bias: number, seed: number): Rows {
  const x = Float64Array.from(noise(INPUTS * COUNT, seed));
  for (let row = 0; row < COUNT; row++) x[COUNT + row] = 0.9 * x[row]! + 0.3 * x[COUNT + row]! + 2;
  const y = Float64Array.from({ length: OUTPUTS * COUNT }, (_, index) => {
    const [m, row] = [Math.floor(index / COUNT), index % COUNT];
    let value = bias;
    for (let k = 0; k < INPUTS; k++) value += weights[m * INPUTS + k]! * x[k * COUNT + row]!;
    return value;
  });
  return { count: COUNT, x, y };
}

function momentsOf(rows: Rows): Moments {
  const moments = new Moments(INPUTS, OUTPUTS);
  moments.add(rows);
  return moments;
}

const largest = (values: Iterable<number>) => Math.max(...Array.from(values, Math.abs));
const weightsOf = (seed: number) => Float64Array.from(noise(OUTPUTS * INPUTS, seed));

/** Mean square of y - W x - b over the rows, and over the outputs. */
function errorOf(rows: Rows, weights: Float64Array, bias: Float64Array): number {
  let error = 0;
  for (let m = 0; m < OUTPUTS; m++)
    for (let row = 0; row < COUNT; row++) {
      let value = rows.y[m * COUNT + row]! - bias[m]!;
      for (let k = 0; k < INPUTS; k++) value -= weights[m * INPUTS + k]! * rows.x[k * COUNT + row]!;
      error += value * value;
    }
  return error / COUNT;
}

test('moments do not depend on how the rows are dealt out', () => {
  const rows = linearRows(weightsOf(1), 0.5, 2);
  const dealt = new Moments(INPUTS, OUTPUTS);
  for (const [from, to] of [
    [0, 30],
    [30, 31],
    [31, COUNT],
  ] as const) {
    const part = (values: Float64Array, size: number) =>
      Float64Array.from(
        { length: size * (to - from) },
        (_, at) => values[Math.floor(at / (to - from)) * COUNT + from + (at % (to - from))]!,
      );
    dealt.add({ count: to - from, x: part(rows.x, INPUTS), y: part(rows.y, OUTPUTS) });
  }
  const [whole, parts] = [momentsOf(rows).covariance(true), dealt.covariance(true)];
  expect(largest(whole.xx.map((value, at) => value - parts.xx[at]!))).toBeLessThan(1e-12);
  expect(largest(whole.yx.map((value, at) => value - parts.yx[at]!))).toBeLessThan(1e-12);
});

test('a fit finds the weights and the bias that made the rows', () => {
  const rows = linearRows(weightsOf(3), 0.7, 4);
  const fit = fitNear(momentsOf(rows).covariance(true), new Float64Array(OUTPUTS * INPUTS));
  expect(largest(fit.weights.map((value, at) => value - weightsOf(3)[at]!))).toBeLessThan(0.01);
  expect(errorOf(rows, fit.weights, fit.bias!)).toBeLessThan(1e-5);
});

test('a fit leaves weights that are right already where they are, and inputs that never vary too', () => {
  const rows = linearRows(weightsOf(5), -0.2, 6);
  rows.x.fill(0, 5 * COUNT);
  const start = weightsOf(5);
  const still = linearRows(start, -0.2, 6);
  still.x.fill(0, 5 * COUNT);
  for (let m = 0; m < OUTPUTS; m++)
    for (let row = 0; row < COUNT; row++)
      still.y[m * COUNT + row]! -= start[m * INPUTS + 5]! * rows.x[5 * COUNT + row]!;
  const fit = fitNear(momentsOf(still).covariance(true), start);
  for (let m = 0; m < OUTPUTS; m++) expect(fit.weights[m * INPUTS + 5]).toBe(start[m * INPUTS + 5]);
});

test('a masked fit keeps zeros and is as good as a fit of the other inputs alone', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10_000 }),
      fc.integer({ min: 0, max: INPUTS - 1 }),
      (seed, gone) => {
        const rows = linearRows(weightsOf(seed), 0.1, seed + 1);
        const start = weightsOf(seed).map((value, at) => (at % INPUTS === gone ? 0 : value));
        const covariance = momentsOf(rows).covariance(true);
        const masked = fitMasked(covariance, start);
        expect(masked.weights.every((value, at) => at % INPUTS !== gone || value === 0)).toBe(true);
        const alone = {
          ...rows,
          x: rows.x.map((value, at) => (Math.floor(at / COUNT) === gone ? 0 : value)),
        };
        const best = fitNear(momentsOf(alone).covariance(true), start);
        const [error, least] = [
          errorOf(rows, masked.weights, masked.bias!),
          errorOf(alone, best.weights, best.bias!),
        ];
        expect(error).toBeLessThan(least * 1.02 + 1e-6);
      },
    ),
    { numRuns: 30 },
  );
});

test('the first input given up is the one whose loss a refit mends best', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10_000 }), (seed) => {
      const weights = weightsOf(seed);
      const rows = linearRows(weights, 0, seed + 1);
      const covariance = momentsOf(rows).covariance(true);
      const errors = Array.from({ length: INPUTS }, (_, gone) => {
        const fit = fitMasked(
          covariance,
          weights.map((value, at) => (at % INPUTS === gone ? 0 : value)),
        );
        return errorOf(rows, fit.weights, fit.bias!);
      });
      const columns = new Map(errors.map((_, id) => [id, [id]]));
      const [first] = eliminationOrder([{ xx: covariance.xx, weights, columns }], [...columns.keys()], 1);
      expect(errors[first?.id ?? -1]).toBeLessThan(Math.min(...errors) * 1.05 + 1e-6);
    }),
    { numRuns: 30 },
  );
});

test('inputs that go together cost what they cost one after another', () => {
  const weights = weightsOf(8);
  const { xx } = momentsOf(linearRows(weights, 0, 9)).covariance(true);
  const orderOf = (columns: Map<number, number[]>) =>
    eliminationOrder([{ xx, weights, columns }], [...columns.keys()], columns.size);
  const together = orderOf(new Map([[0, [2, 4]]]));
  const apart = orderOf(new Map([[2, [2]], [4, [4]]])); // prettier-ignore
  expect(together[0]?.cost).toBeCloseTo(
    apart.reduce((total, { cost }) => total + cost, 0),
    8,
  );
});

test('an inverse of a singular matrix is found with a ridge, and NaN is refused', () => {
  const singular = Float64Array.of(1, 1, 1, 1);
  expect(inverse(singular, 2, 0).every(Number.isFinite)).toBe(true);
  expect(() => decomposeSurely(Float64Array.of(Number.NaN), 1, 1e-3)).toThrow(
    expect.objectContaining({ code: 'compression-failed' }),
  );
});
