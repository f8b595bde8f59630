import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { counterSchema, deviceIdSchema, sha256Schema, versionNumberSchema } from '#protocol/identifiers.ts';

describe('an identifier', () => {
  test('is safe as a segment of a path, a topic and a certificate name', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) => {
        if (!deviceIdSchema.safeParse(text).success) return;
        expect(text).toMatch(/^[a-z0-9-]{1,63}$/);
      }),
    );
  });

  test.each(['a', '0', 'camera-1', 'a'.repeat(63), 'a--b'])('may be %j', (text) => {
    expect(deviceIdSchema.safeParse(text).success).toBe(true);
  });

  test.each([
    '',
    '-a',
    'a-',
    'A',
    'a_b',
    'a.b',
    '..',
    'a/b',
    'a+',
    '#',
    'a b',
    'ä',
    'a\n',
    '\na',
    'a'.repeat(64),
    7,
  ])('may not be %j', (text) => {
    expect(deviceIdSchema.safeParse(text).success).toBe(false);
  });
});

describe('numbers', () => {
  test.each([0, -1, 1.5, Number.NaN, 1_000_000_001, '1'])('%s is no version', (value) => {
    expect(versionNumberSchema.safeParse(value).success).toBe(false);
  });

  test('counters end where integers are no longer exact', () => {
    expect(counterSchema.safeParse(Number.MAX_SAFE_INTEGER).success).toBe(true);
    expect(counterSchema.safeParse(Number.MAX_SAFE_INTEGER + 1).success).toBe(false);
  });

  test('a digest is 64 lower-case hex digits', () => {
    expect(sha256Schema.safeParse('0123456789abcdef'.repeat(4)).success).toBe(true);
    for (const wrong of ['', 'a'.repeat(63), 'a'.repeat(65), 'A'.repeat(64), `${'a'.repeat(64)}\n`]) {
      expect(sha256Schema.safeParse(wrong).success).toBe(false);
    }
  });
});
