// Identifiers that travel in topics, paths and certificate names. Invariant: none of them can hold a
// slash, a wildcard, a dot segment or an upper-case letter, so they are safe as a path or topic segment.

import { z } from 'zod';

const SEGMENT = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

const segment = (what: string) =>
  z
    .string()
    .regex(SEGMENT, `${what} must be 1 to 63 of a-z, 0-9 and -, and begin and end with a letter or digit`);

export const deviceIdSchema = segment('a device id');
export const modelNameSchema = segment('a model name');
export const profileNameSchema = segment('a profile name');
export const fleetNameSchema = segment('a fleet name');
export const teamNameSchema = segment('a team name');

/** Versions of a model count up from 1. */
export const versionNumberSchema = z.int().min(1).max(1_000_000_000);

/** sha256 as 64 lower-case hex digits. */
export const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/, 'a sha256 must be 64 lower-case hex digits');

/** A blob by digest and length; nobody reads more bytes than `sizeBytes`. */
export const blobRefSchema = z.strictObject({
  sha256: sha256Schema,
  sizeBytes: z
    .int()
    .min(1)
    .max(64 * 1024 ** 3),
});
export type BlobRef = z.infer<typeof blobRefSchema>;

/** Unix time in milliseconds. */
export const timestampMsSchema = z.int().min(0).max(8_640_000_000_000_000);

/** Monotonic counters; 2^53 - 1 is the last. */
export const counterSchema = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
