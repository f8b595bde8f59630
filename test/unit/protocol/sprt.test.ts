import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HEALTH_SPRT, Sprt, sprtBounds } from '#protocol/sprt.ts';
import { seededUniform } from '#test/bench/seeded-uniform.ts';

function decideAt(rate: number, uniform: () => number): { decision: string; n: number } {
  const test = new Sprt(HEALTH_SPRT);
  while (test.decision === 'continue') test.observe(uniform() < rate);
  return { decision: test.decision, n: test.n };
}

describe("Wald's SPRT", () => {
  it('has the bounds of the paper', () => {
    const { upper, lower } = sprtBounds(HEALTH_SPRT);
    expect(upper).toBeCloseTo(Math.log(950), 12);
    expect(lower).toBeCloseTo(Math.log(0.05 / 0.999), 12);
  });

  it('calls a rate good after 73 good observations and bad after 5 bad ones', () => {
    const good = new Sprt(HEALTH_SPRT);
    for (let i = 0; i < 72; i++) expect(good.observe(false)).toBe('continue');
    expect(good.observe(false)).toBe('good');
    const bad = new Sprt(HEALTH_SPRT);
    for (let i = 0; i < 4; i++) expect(bad.observe(true)).toBe('continue');
    expect(bad.observe(true)).toBe('bad');
  });

  it('keeps both error rates', () => {
    const uniform = seededUniform(11);
    const runs = 4_000;
    const atGood = Array.from({ length: runs }, () => decideAt(HEALTH_SPRT.p0, uniform));
    const atBad = Array.from({ length: runs }, () => decideAt(HEALTH_SPRT.p1, uniform));
    const falseAlarms = atGood.filter(({ decision }) => decision === 'bad').length / runs;
    const misses = atBad.filter(({ decision }) => decision === 'good').length / runs;
    expect(falseAlarms).toBeLessThanOrEqual(HEALTH_SPRT.alpha + 3 * Math.sqrt(HEALTH_SPRT.alpha / runs));
    expect(misses).toBeLessThanOrEqual(HEALTH_SPRT.beta + 3 * Math.sqrt(HEALTH_SPRT.beta / runs));
  });

  it('never takes a decision back, and its ratio depends on the counts alone', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 400 }), (stream) => {
        const test = new Sprt(HEALTH_SPRT);
        let decided: string | null = null;
        for (const isBad of stream) {
          const decision = test.observe(isBad);
          if (decided !== null) expect(decision).toBe(decided);
          if (decision !== 'continue') decided = decision;
        }
        expect(test.lnRatio).toBeCloseTo(test.k * Math.log(5) + (test.n - test.k) * Math.log(0.95 / 0.99), 9);
      }),
      { seed: 3 },
    );
  });

  it('refuses a plan whose rates are not in order', () => {
    expect(() => new Sprt({ ...HEALTH_SPRT, p0: 0.05, p1: 0.01 })).toThrow(RangeError);
  });
});
