import fc from 'fast-check';
import { expect, test } from 'vitest';
import { backoffMs } from '#agent/domain/backoff.ts';

test('doubles up to the cap, at least half a step and never above it', () => {
  const steps = { firstMs: 500, maxMs: 20_000 };
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10_000 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (attempt, uniform) => {
        const delayMs = backoffMs(attempt, steps, uniform);
        const step = Math.min(20_000, 500 * 2 ** Math.min(attempt - 1, 30));
        expect(delayMs).toBeGreaterThanOrEqual(step / 2);
        expect(delayMs).toBeLessThanOrEqual(step);
      },
    ),
  );
});
