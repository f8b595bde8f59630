// Queries of claims: made by an operator, used by the keys of devices. Invariants: only the hash of a secret is
// stored; no more keys use a claim than it is good for; a key that used one may ask again, and counts once.

import { createHash, randomBytes, randomInt, timingSafeEqual } from 'node:crypto';
import type { Kysely, Selectable } from 'kysely';
import type { z } from 'zod';
import { type Claim, type ClaimState, type ClaimSummary, type createClaimSchema } from '#protocol/claims.ts';
import { formatClaimToken, parseClaimToken } from '#protocol/claim-token.ts';
import { HoldfastError } from '#protocol/errors.ts';
import type { ClaimTable } from '../store/fleet-tables.ts';
import type { Database } from '../store/schema.ts';

export type NewClaim = z.output<typeof createClaimSchema>;
export type ClaimRow = Selectable<ClaimTable>;

const NAME_ALPHABET = 'abcdefghijkmnpqrstuvwxyz23456789';
const CLAIM_ID_LENGTH = 16;
const DEVICE_ID_LENGTH = 8;
const SECRET_BYTES = 32;
/** Rows of one statement, for databases that bound its parameters. */
const INSERT_ROWS = 500;

/** Stores new claims; their tokens are nowhere kept and returned this once. */
export async function insertClaims(
  trx: Kysely<Database>,
  requests: readonly NewClaim[],
  context: { readonly caSpkiSha256: string; readonly nowMs: number; readonly actor: string },
): Promise<Claim[]> {
  const made = requests.map((request) => newClaim(request, context));
  for (let at = 0; at < made.length; at += INSERT_ROWS) {
    const rows = made.slice(at, at + INSERT_ROWS).map(({ row }) => row);
    await trx.insertInto('claims').values(rows).execute();
  }
  return made.map(({ claim }) => claim);
}

function newClaim(
  request: NewClaim,
  context: { readonly caSpkiSha256: string; readonly nowMs: number; readonly actor: string },
) {
  const claimId = randomName(CLAIM_ID_LENGTH);
  const secret = randomBytes(SECRET_BYTES).toString('base64url');
  const deviceId = request.deviceId ?? (request.uses === 1 ? madeUpId(request.idPrefix) : null);
  const expiresAtMs = context.nowMs + request.ttlMs;
  const token = formatClaimToken({ claimId, secret, caSpkiSha256: context.caSpkiSha256 });
  const row = {
    id: claimId,
    secret_sha256: sha256(secret).toString('hex'),
    device_id: deviceId,
    id_prefix: request.idPrefix,
    profile: request.profile ?? null,
    json_labels: JSON.stringify(request.labels),
    uses: request.uses,
    used: 0,
    approval: request.approval ? 1 : 0,
    replaces: request.replace ? 1 : 0,
    expires_at_ms: expiresAtMs,
    withdrawn_at_ms: null,
    created_by: context.actor,
    created_at_ms: context.nowMs,
  };
  return { row, claim: { token, claimId, deviceId, expiresAtMs } };
}

/** The claim that a token proves to know. Errors: `claim-invalid`. */
export async function claimOfToken(db: Kysely<Database>, token: string): Promise<ClaimRow> {
  const { claimId, secret } = parseClaimToken(token);
  const claim = await claimRow(db, claimId);
  // An unknown id costs the same comparison as a known one.
  const expected = Buffer.from(claim?.secret_sha256 ?? '0'.repeat(64), 'hex');
  const isRight = timingSafeEqual(sha256(secret), expected);
  if (claim !== undefined && isRight) return claim;
  throw new HoldfastError('claim-invalid', 'this claim is not known here', {
    hint: 'make a new one at the control plane this device should join',
  });
}

export async function claimRow(db: Kysely<Database>, claimId: string): Promise<ClaimRow | undefined> {
  return await db.selectFrom('claims').selectAll().where('id', '=', claimId).executeTakeFirst();
}

/** The device that a key got by a claim; undefined when it never used it. */
export async function deviceOfUse(
  trx: Kysely<Database>,
  claimId: string,
  spkiSha256: string,
): Promise<string | undefined> {
  const use = await trx
    .selectFrom('claim_uses')
    .select('device_id')
    .where('claim_id', '=', claimId)
    .where('spki_sha256', '=', spkiSha256)
    .executeTakeFirst();
  return use?.device_id;
}

/** Takes one use for a new key; answers the id of its device. Errors: `claim-spent` when none is left. */
export async function useClaim(trx: Kysely<Database>, claim: ClaimRow, spkiSha256: string): Promise<string> {
  const { numUpdatedRows } = await trx
    .updateTable('claims')
    .set(({ eb }) => ({ used: eb('used', '+', 1) }))
    .where('id', '=', claim.id)
    .whereRef('used', '<', 'uses')
    .executeTakeFirst();
  if (numUpdatedRows === 0n) throw claimSpent(claim);
  const deviceId = claim.device_id ?? madeUpId(claim.id_prefix);
  await trx
    .insertInto('claim_uses')
    .values({ claim_id: claim.id, spki_sha256: spkiSha256, device_id: deviceId })
    .execute();
  return deviceId;
}

export function claimSpent({ id, uses }: ClaimRow): HoldfastError {
  const by = uses === 1 ? 'another device' : `as many devices as it is good for (${uses})`;
  return new HoldfastError('claim-spent', `claim ${id} was used by ${by}`, { hint: 'make a new one' });
}

/** Claims that could still admit a device. */
export async function countOpenClaims(db: Kysely<Database>, nowMs: number): Promise<number> {
  const { count } = await db
    .selectFrom('claims')
    .select(({ fn }) => fn.countAll<number | string>().as('count'))
    .where('withdrawn_at_ms', 'is', null)
    .where('expires_at_ms', '>=', nowMs)
    .whereRef('used', '<', 'uses')
    .executeTakeFirstOrThrow();
  return Number(count);
}

/** Newest first. */
export async function listClaims(
  db: Kysely<Database>,
  asked: { readonly state?: ClaimState | undefined; readonly limit: number; readonly nowMs: number },
): Promise<ClaimSummary[]> {
  let rows = db.selectFrom('claims').selectAll().orderBy('created_at_ms', 'desc').orderBy('id');
  const { state, nowMs } = asked;
  if (state === 'withdrawn') rows = rows.where('withdrawn_at_ms', 'is not', null);
  else if (state !== undefined) rows = rows.where('withdrawn_at_ms', 'is', null);
  if (state === 'spent') rows = rows.whereRef('used', '>=', 'uses');
  if (state === 'open' || state === 'expired') {
    rows = rows.whereRef('used', '<', 'uses').where('expires_at_ms', state === 'open' ? '>=' : '<', nowMs);
  }
  return (await rows.limit(asked.limit).execute()).map((row) => claimSummary(row, nowMs));
}

export function claimSummary(row: ClaimRow, nowMs: number): ClaimSummary {
  return {
    claimId: row.id,
    state: stateOfClaim(row, nowMs),
    deviceId: row.device_id,
    idPrefix: row.id_prefix,
    profile: row.profile,
    labels: JSON.parse(row.json_labels) as Record<string, string>,
    uses: row.uses,
    used: row.used,
    approval: row.approval === 1,
    replace: row.replaces === 1,
    createdBy: row.created_by,
    createdAtMs: row.created_at_ms,
    expiresAtMs: row.expires_at_ms,
  };
}

function stateOfClaim(row: ClaimRow, nowMs: number): ClaimState {
  if (row.withdrawn_at_ms !== null) return 'withdrawn';
  if (row.used >= row.uses) return 'spent';
  return nowMs > row.expires_at_ms ? 'expired' : 'open';
}

function madeUpId(prefix: string): string {
  return prefix + randomName(DEVICE_ID_LENGTH);
}

function randomName(length: number): string {
  return Array.from({ length }, () => NAME_ALPHABET[randomInt(NAME_ALPHABET.length)]).join('');
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
