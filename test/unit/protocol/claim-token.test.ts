import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatClaimToken, parseClaimToken } from '#protocol/claim-token.ts';
import { HoldfastError } from '#protocol/errors.ts';

const parts = fc.record({
  claimId: fc.stringMatching(/^[a-z0-9]{8,32}$/),
  secret: fc.stringMatching(/^[A-Za-z0-9_-]{43}$/),
  caSpkiSha256: fc.stringMatching(/^[0-9a-f]{64}$/),
});

describe('a claim token', () => {
  test('is read back as it was made, white space around it aside', () => {
    fc.assert(
      fc.property(parts, (made) => {
        expect(parseClaimToken(formatClaimToken(made))).toEqual(made);
        expect(parseClaimToken(` ${formatClaimToken(made)}\n`)).toEqual(made);
      }),
    );
  });

  test('cut off, prolonged or changed in kind is refused, and never repeated in the error', () => {
    fc.assert(
      fc.property(parts, fc.nat(113), (made, length) => {
        const token = formatClaimToken(made);
        for (const wrong of [token.slice(0, Math.min(length, token.length - 1)), `${token}.x`, `x${token}`]) {
          expect(() => parseClaimToken(wrong)).toThrow(HoldfastError);
          try {
            parseClaimToken(wrong);
          } catch (error) {
            expect((error as HoldfastError).code).toBe('claim-invalid');
            expect(String(error)).not.toContain(made.secret);
          }
        }
      }),
    );
  });
});
