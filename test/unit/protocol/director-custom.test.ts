import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeDirectorCustom, encodeDirectorCustom } from '#protocol/director-custom.ts';
import type { DirectorCustom } from '#protocol/release.ts';

const custom: fc.Arbitrary<DirectorCustom> = fc.record({
  deviceId: fc.stringMatching(/^[a-z0-9]{1,63}$/),
  rolloutId: fc.string({ minLength: 1, maxLength: 64 }),
  seq: fc.maxSafeNat(),
  profile: fc.stringMatching(/^[a-z0-9]{1,63}$/),
  releaseCounter: fc.maxSafeNat(),
  policy: fc.record({
    mode: fc.constantFrom('shadow', 'direct'),
    minPairs: fc.integer({ min: 1, max: 1_000_000 }),
    shadowDeadlineMs: fc.integer({ min: 1_000, max: 604_800_000 }),
    probationMs: fc.integer({ min: 0, max: 604_800_000 }),
    latencyMargin: fc.double({ min: 0, max: 10, noNaN: true }).map(Math.abs),
    alpha: fc.double({ min: 1e-9, max: 0.5, noNaN: true }),
  }),
});

/** True when the value holds nothing that OLPC canonical JSON cannot: no fraction anywhere. */
function hasOnlyWholeNumbers(value: unknown): boolean {
  if (typeof value === 'number') return Number.isInteger(value);
  return typeof value !== 'object' || value === null || Object.values(value).every(hasOnlyWholeNumbers);
}

describe('an order in TUF metadata', () => {
  it('comes back as it was, through JSON, without a fraction on the way', () => {
    fc.assert(
      fc.property(custom, (order) => {
        const wire = encodeDirectorCustom(order);
        expect(hasOnlyWholeNumbers(wire)).toBe(true);
        expect(decodeDirectorCustom(JSON.parse(JSON.stringify(wire)))).toEqual(order);
      }),
    );
  });

  it('is refused when a field is missing, extra, or not what the schema says', () => {
    fc.assert(
      fc.property(custom, (order) => {
        const wire = encodeDirectorCustom(order);
        expect(() => decodeDirectorCustom({ ...wire, seq: -1 })).toThrow();
        expect(() => decodeDirectorCustom({ ...wire, extra: 1 })).toThrow();
        expect(() => decodeDirectorCustom({ ...wire, policy: order.policy })).toThrow();
        expect(() => decodeDirectorCustom({ ...wire, policy: '{}' })).toThrow();
        expect(() => decodeDirectorCustom({ ...wire, policy: '{' })).toThrow();
      }),
    );
  });
});
