// Secrets that are handed out once: 256 random bits as 43 characters of base64url, of which only the hash is stored.
// They are looked up by that hash, so that no comparison depends on how much of a guess is right.

import { createHash, randomBytes } from 'node:crypto';

const SECRET_BYTES = 32;
export const SECRET_PATTERN = '[A-Za-z0-9_-]{43}';

export function newSecret(): string {
  return randomBytes(SECRET_BYTES).toString('base64url');
}

/** Hex. A plain hash is enough: so many random bits cannot be searched through. */
export function secretSha256(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
