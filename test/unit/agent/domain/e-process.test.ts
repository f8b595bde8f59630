import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lnEAtLeast, lnEAtMost } from '#agent/domain/e-process.ts';
import { seededUniform } from '#test/bench/seeded-uniform.ts';

/** 2^(n+1) times the integral of t^k (1-t)^(n-k) over (1/2, 1), as an exact fraction. */
function exactAtHalf(k: number, n: number): { top: bigint; bottom: bigint } {
  // The integral is B(k+1, n-k+1) P(Binomial(n+1, 1/2) <= k): all of it whole numbers.
  let choose = 1n;
  let below = 0n;
  for (let j = 0; j <= k; j++) {
    below += choose;
    choose = (choose * BigInt(n + 1 - j)) / BigInt(j + 1);
  }
  let chooseNk = 1n;
  for (let j = 0; j < k; j++) chooseNk = (chooseNk * BigInt(n - j)) / BigInt(j + 1);
  return { top: below, bottom: BigInt(n + 1) * chooseNk };
}

/** ln of a fraction of big whole numbers, to about 15 digits. */
function lnFraction({ top, bottom }: { top: bigint; bottom: bigint }): number {
  return lnBig(top) - lnBig(bottom);
}
function lnBig(value: bigint): number {
  const bits = value.toString(2).length;
  const shift = Math.max(0, bits - 60);
  return Math.log(Number(value >> BigInt(shift))) + shift * Math.LN2;
}

/** The defining integral by Simpson's rule in logs, around the integrand's peak. */
function lnEByIntegration(k: number, n: number, p0: number): number {
  const lnIntegrand = (t: number) =>
    (k === 0 ? 0 : k * Math.log(t / p0)) + (n === k ? 0 : (n - k) * (Math.log1p(-t) - Math.log1p(-p0)));
  const peak = Math.min(Math.max(k / n, p0), 1);
  const width = 12 * Math.sqrt((peak * (1 - peak) + 1 / n) / n) + 40 / n;
  const low = Math.max(p0, peak - width);
  const high = Math.min(1, peak + width);
  const steps = 200_000;
  const at = (i: number) => low + ((high - low) * i) / steps;
  const largest = lnIntegrand(Math.min(Math.max(peak, low), high - 1e-15));
  let sum = 0;
  for (let i = 0; i <= steps; i++) {
    const value = Math.exp(lnIntegrand(at(i)) - largest);
    sum += (i === 0 || i === steps ? 1 : i % 2 === 1 ? 4 : 2) * (Number.isNaN(value) ? 0 : value);
  }
  return largest + Math.log((sum * (high - low)) / steps / 3) - Math.log1p(-p0);
}

describe('the e-process', () => {
  it('has the values of its definition on paper', () => {
    expect(lnEAtMost(0, 0, 0.5)).toBe(0);
    expect(Math.exp(lnEAtMost(1, 1, 0.5))).toBeCloseTo(1.5, 14); // 4 [t^2/2] over (1/2, 1)
    expect(Math.exp(lnEAtMost(0, 1, 0.5))).toBeCloseTo(0.5, 14);
    expect(Math.exp(lnEAtMost(10, 10, 0.5))).toBeCloseTo((2 ** 11 - 1) / 11, 9);
    expect(Math.exp(lnEAtMost(0, 99, 0.5))).toBeCloseTo(1 / 100, 14);
  });

  it('equals exact rational arithmetic at p0 = 1/2', () => {
    fc.assert(
      fc.property(fc.nat(400), fc.nat(400), (a, b) => {
        const [k, n] = a <= b ? [a, b] : [b, a];
        expect(Math.abs(lnEAtMost(k, n, 0.5) - lnFraction(exactAtHalf(k, n)))).toBeLessThan(1e-11 * (1 + n));
      }),
      { numRuns: 300, seed: 1 },
    );
  });

  it.each([
    [30, 100, 0.25], [5, 100, 0.1], [0, 50, 0.02], [50, 50, 0.3], [3, 1_000, 0.01], [600, 1_000, 0.5],
    [5_200, 10_000, 0.5], [480_000, 1_000_000, 0.5], [501_000, 1_000_000, 0.5], [12_000, 1_000_000, 0.01],
    [999_990, 1_000_000, 0.9], [1_000_000, 1_000_000, 0.5], [0, 1_000_000, 0.5],
  ])('equals numeric integration for k=%d, n=%d, p0=%d', (k, n, p0) => {
    const expected = lnEByIntegration(k, n, p0);
    expect(Math.abs(lnEAtMost(k, n, p0) - expected)).toBeLessThan(1e-6 * Math.max(1, Math.abs(expected)));
  }); // prettier-ignore

  it('is a martingale at p0: the mean of the next value is the present one', () => {
    fc.assert(
      fc.property(fc.nat(3_000), fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0.005, max: 0.995, noNaN: true }), (n, share, p0) => {
        const k = Math.round(share * n);
        const now = lnEAtMost(k, n, p0);
        const next = p0 * Math.exp(lnEAtMost(k + 1, n + 1, p0) - now) + (1 - p0) * Math.exp(lnEAtMost(k, n + 1, p0) - now);
        expect(next).toBeCloseTo(1, 8);
      }),
      { numRuns: 500, seed: 2 },
    );
  }); // prettier-ignore

  it('mirrors: evidence against "at least" is evidence against "at most" of the opposite coin', () => {
    expect(lnEAtLeast(3, 100, 0.5)).toBe(lnEAtMost(97, 100, 0.5));
    expect(Math.exp(lnEAtLeast(0, 1, 0.5))).toBeCloseTo(1.5, 14);
  });

  it('stays finite for rates that nothing or anything contradicts', () => {
    expect(lnEAtMost(50, 50, 1)).toBe(0);
    expect(lnEAtMost(0, 1_000, 0)).toBeCloseTo(-Math.log(1_001), 9);
    const first = lnEAtMost(1, 1_000, 0);
    expect(Number.isFinite(first)).toBe(true);
    expect(first).toBeGreaterThan(Math.log(3_000));
  });

  it('crosses 1/alpha in at most alpha of fair runs, looked at after every step', () => {
    const uniform = seededUniform(7);
    const runs = 2_000;
    const alpha = 0.05;
    let crossed = 0;
    for (let run = 0; run < runs; run++) {
      let k = 0;
      for (let n = 1; n <= 400; n++) {
        if (uniform() < 0.5) k++;
        if (lnEAtMost(k, n, 0.5) >= -Math.log(alpha)) {
          crossed++;
          break;
        }
      }
    }
    // Three standard deviations of a count at exactly alpha.
    expect(crossed).toBeLessThanOrEqual(alpha * runs + 3 * Math.sqrt(alpha * (1 - alpha) * runs));
    expect(crossed).toBeGreaterThan(0);
  });
});
