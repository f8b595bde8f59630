// The one-time claim a device enrols with: `hfc.<claim id>.<secret>.<sha256 of the CA's public key>`. The
// last part pins the authority, so that the secret only ever travels to the control plane that made it.

import { z } from 'zod';
import { HoldfastError } from './errors.ts';
import { sha256Schema } from './identifiers.ts';

const PREFIX = 'hfc';

export const claimPartsSchema = z.strictObject({
  claimId: z.string().regex(/^[a-z0-9]{8,32}$/),
  /** 256 bits as base64url without padding. */
  secret: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  /** sha256 of the CA certificate's SubjectPublicKeyInfo, lower-case hex. */
  caSpkiSha256: sha256Schema,
});
export type ClaimParts = z.infer<typeof claimPartsSchema>;

export function formatClaimToken({ claimId, secret, caSpkiSha256 }: ClaimParts): string {
  return [PREFIX, claimId, secret, caSpkiSha256].join('.');
}

/** Throws `claim-invalid` for anything that is not a whole token; never repeats the token. */
export function parseClaimToken(token: string): ClaimParts {
  const [prefix, claimId, secret, caSpkiSha256, ...rest] = token.trim().split('.', 6);
  const parts = claimPartsSchema.safeParse({ claimId, secret, caSpkiSha256 });
  if (prefix === PREFIX && rest.length === 0 && parts.success) return parts.data;
  throw new HoldfastError('claim-invalid', 'this is not a whole claim token', {
    hint: `copy all of it: ${PREFIX}., three parts with dots between, nothing after`,
  });
}
