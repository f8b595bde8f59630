// Numbers in paths and query strings: text outside, a bounded integer inside.

import { z } from 'zod';
import { versionNumberSchema } from '#protocol/identifiers.ts';

/** An integer written in decimal digits. */
export function integerParameter(bounds: { min: number; max: number }) {
  return z
    .string()
    .regex(/^-?\d{1,16}$/, 'must be an integer')
    .transform(Number)
    .pipe(z.int().min(bounds.min).max(bounds.max));
}

export const versionParameter = z
  .string()
  .regex(/^\d{1,10}$/, 'must be a version number')
  .transform(Number)
  .pipe(versionNumberSchema);

/** Page size of a list. */
export const limitParameter = integerParameter({ min: 1, max: 1_000 });
