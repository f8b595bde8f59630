import { expect, it } from 'vitest';
import { createClaimsSchema } from '#protocol/claims.ts';

const labels = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`l${n}`, '']));

it('a batch of claims bounds its labels, which every one of its claims is stored with', () => {
  expect(createClaimsSchema.safeParse({ count: 10_000, labels: labels(64) }).success).toBe(true);
  expect(createClaimsSchema.safeParse({ count: 10_000, labels: labels(65) }).success).toBe(false);
});
