import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalJson } from '#protocol/canonical-json.ts';

/** The same value with its members in another order. */
function shuffled(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shuffled);
  if (typeof value !== 'object' || value === null) return value;
  const copy: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const [key, member] of Object.entries(value).toReversed()) copy[key] = shuffled(member);
  return copy;
}

describe('canonical JSON', () => {
  test('is JSON of an equal value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  test('is the same for equal values, however their members are ordered', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(canonicalJson(shuffled(value))).toBe(canonicalJson(value));
      }),
    );
  });

  test('differs for different values', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 1 }), fc.jsonValue({ maxDepth: 1 }), (a, b) => {
        const isEqual = isDeepStrictEqual(JSON.parse(JSON.stringify(a)), JSON.parse(JSON.stringify(b)));
        expect(canonicalJson(a) === canonicalJson(b)).toBe(isEqual);
      }),
      { numRuns: 1_000 },
    );
    expect(canonicalJson({ a: 1 })).not.toBe(canonicalJson({ a: '1' }));
    expect(canonicalJson([1, [2]])).not.toBe(canonicalJson([1, 2]));
  });

  test('has sorted keys, no white space, and leaves undefined members out', () => {
    expect(canonicalJson({ b: [1, 'é"\n'], a: { d: null, c: undefined, B: true } })).toBe(
      '{"a":{"B":true,"d":null},"b":[1,"é\\"\\n"]}',
    );
  });

  test.each([Number.NaN, Infinity, undefined, () => 1, Symbol('x'), 1n, [undefined], { a: Number.NaN }])(
    'refuses what JSON cannot hold (%#)',
    (value) => {
      expect(() => canonicalJson(value)).toThrow(TypeError);
    },
  );
});
