// One-time claims: made by an operator, spent by the first key that enrols with them. Invariants: only the
// hash of a secret is stored; a spent claim still answers the key that spent it, and no other.

import { createHash, randomBytes, randomInt, timingSafeEqual } from 'node:crypto';
import type { Kysely, Selectable } from 'kysely';
import type { z } from 'zod';
import type { Claim, createClaimSchema } from '#protocol/api.ts';
import { formatClaimToken, parseClaimToken } from '#protocol/claim-token.ts';
import { HoldfastError } from '#protocol/errors.ts';
import type { ClaimTable, Database } from '../store/schema.ts';

export type CreateClaimRequest = z.output<typeof createClaimSchema>;
export type ClaimRow = Selectable<ClaimTable>;

const NAME_ALPHABET = 'abcdefghijkmnpqrstuvwxyz23456789';
const CLAIM_ID_LENGTH = 16;
const DEVICE_ID_LENGTH = 8;
const SECRET_BYTES = 32;

/** Stores a new claim; its token is nowhere kept and returned this once. */
export async function insertClaim(
  trx: Kysely<Database>,
  request: CreateClaimRequest,
  context: { readonly caSpkiSha256: string; readonly nowMs: number },
): Promise<Claim & { readonly deviceId: string }> {
  const claimId = randomName(CLAIM_ID_LENGTH);
  const secret = randomBytes(SECRET_BYTES).toString('base64url');
  const deviceId = request.deviceId ?? `device-${randomName(DEVICE_ID_LENGTH)}`;
  const expiresAtMs = context.nowMs + request.ttlMs;
  await trx
    .insertInto('claims')
    .values({
      id: claimId,
      secret_sha256: sha256(secret).toString('hex'),
      device_id: deviceId,
      profile: request.profile ?? null,
      json_labels: JSON.stringify(request.labels),
      expires_at_ms: expiresAtMs,
      used_by_spki: null,
      created_at_ms: context.nowMs,
    })
    .execute();
  const token = formatClaimToken({ claimId, secret, caSpkiSha256: context.caSpkiSha256 });
  return { token, claimId, expiresAtMs, deviceId };
}

/** The claim that a token proves to know. Errors: `claim-invalid`, `claim-expired`, `profile-unknown`. */
export async function claimOfToken(
  db: Kysely<Database>,
  token: string,
  asked: { readonly profile: string; readonly nowMs: number },
): Promise<ClaimRow> {
  const { claimId, secret } = parseClaimToken(token);
  const claim = await db.selectFrom('claims').selectAll().where('id', '=', claimId).executeTakeFirst();
  // An unknown id costs the same comparison as a known one.
  const expected = Buffer.from(claim?.secret_sha256 ?? '0'.repeat(64), 'hex');
  const isRight = timingSafeEqual(sha256(secret), expected);
  if (claim === undefined || !isRight) {
    throw new HoldfastError('claim-invalid', 'this claim is not known here', {
      hint: 'make a new one at the control plane this device should join',
    });
  }
  // The key that spent a claim may come again at any time, to renew its certificate.
  if (claim.used_by_spki === null && asked.nowMs > claim.expires_at_ms) {
    throw new HoldfastError('claim-expired', `claim ${claimId} has expired`, { hint: 'make a new one' });
  }
  if (claim.profile !== null && claim.profile !== asked.profile) {
    throw new HoldfastError('profile-unknown', `claim ${claimId} is for profile ${claim.profile} only`, {
      hint: `start the agent with --profile ${claim.profile}, or make another claim`,
    });
  }
  return claim;
}

/** Marks the claim as spent by a key. Errors: `claim-spent` when another key was first. */
export async function spendClaim(
  trx: Kysely<Database>,
  claimId: string,
  spkiSha256: string,
): Promise<{ readonly isFirstUse: boolean }> {
  const { numUpdatedRows } = await trx
    .updateTable('claims')
    .set({ used_by_spki: spkiSha256 })
    .where('id', '=', claimId)
    .where('used_by_spki', 'is', null)
    .executeTakeFirst();
  if (numUpdatedRows > 0n) return { isFirstUse: true };
  const { used_by_spki: usedBy } = await trx
    .selectFrom('claims')
    .select('used_by_spki')
    .where('id', '=', claimId)
    .executeTakeFirstOrThrow();
  if (usedBy === spkiSha256) return { isFirstUse: false };
  throw new HoldfastError('claim-spent', `claim ${claimId} was used by another device`, {
    hint: 'every device needs a claim of its own: make a new one',
  });
}

function randomName(length: number): string {
  return Array.from({ length }, () => NAME_ALPHABET[randomInt(NAME_ALPHABET.length)]).join('');
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
