import fc from 'fast-check';
import { expect, it } from 'vitest';
import { matchesPattern } from '#agent/adapters/tuf-path-pattern.ts';

/** The same language as a regular expression, which needs no cleverness to be right. */
function asRegExp(pattern: string): RegExp {
  const source = pattern.split('').map((char) => {
    if (char === '*') return '[^/]*';
    if (char === '?') return '[^/]';
    return char.replaceAll(/[\\^$.|+()[\]{}]/g, String.raw`\$&`);
  });
  return new RegExp(`^${source.join('')}$`);
}

it('matches what the regular expression of a pattern matches', () => {
  const letters = (...alphabet: string[]) => fc.string({ unit: fc.constantFrom(...alphabet), maxLength: 9 });
  fc.assert(
    fc.property(letters('a', 'b', '/'), letters('a', 'b', '/', '*', '?'), (path, pattern) => {
      expect(matchesPattern(path, pattern)).toBe(asRegExp(pattern).test(path));
    }),
    { numRuns: 3_000 },
  );
});

it('takes every other character for itself', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom(...'[ ] { } ( ) ! + @ ^ $ . | \\ # -'.split(' ')), minLength: 1 }),
      (text) => {
        expect(matchesPattern(text, text)).toBe(true);
        expect(matchesPattern('a', text)).toBe(false);
      },
    ),
  );
});

it('is not slowed down by a pattern of many stars', () => {
  const started = performance.now();
  expect(matchesPattern('a'.repeat(20_000), `${'*a'.repeat(500)}b`)).toBe(false);
  expect(performance.now() - started).toBeLessThan(2_000);
});
