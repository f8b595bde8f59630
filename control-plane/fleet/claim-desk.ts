// What operators do with claims: make one or a batch, look at them, withdraw them. Invariants: a batch is made whole or
// not at all; the number of open claims is bounded; every change lands in the audit log, no token does.

import { createClaimSchema, createClaimsSchema } from '#protocol/claims.ts';
import type { Claim, ClaimState, ClaimSummary, CreateClaim, CreateClaims } from '#protocol/claims.ts';
import { HoldfastError } from '#protocol/errors.ts';
import type { Audit } from '../store/audit.ts';
import type { Store } from '../store/database.ts';
import type { LiveEvents } from '../store/live-events.ts';
import {
  claimRow,
  claimSummary,
  countOpenClaims,
  insertClaims,
  listClaims,
  type ClaimRow,
  type NewClaim,
} from './claims.ts';
import { deviceRow } from './devices.ts';
import { isReplaceable, requireProfile } from './enrolment-rules.ts';

const MAX_OPEN_CLAIMS = 20_000;

export interface ClaimDeskDeps {
  readonly store: Store;
  readonly events: LiveEvents;
  readonly audit: Audit;
  /** sha256 of the public key that new tokens pin. */
  readonly deviceCa: { spkiSha256(): string };
  readonly isProfile: (name: string) => boolean;
  /** Ids no device may have: names of the control plane's own certificates. */
  readonly reservedIds: readonly string[];
  readonly nowMs: () => number;
  readonly maxOpenClaims?: number;
}

export class ClaimDesk {
  readonly #deps: ClaimDeskDeps;

  constructor(deps: ClaimDeskDeps) {
    this.#deps = deps;
  }

  /** Errors: `conflict` when the device id is taken or too many claims are open, `profile-unknown`, `bad-request`. */
  async create(request: CreateClaim, actor: string): Promise<Claim> {
    const wanted = createClaimSchema.parse(request);
    const [claim] = await this.#insert([wanted], actor);
    if (claim === undefined) throw new HoldfastError('internal', 'no claim was made');
    return claim;
  }

  /** One claim for each of `count` devices. Errors: as `create`. */
  async createBatch(request: CreateClaims, actor: string): Promise<Claim[]> {
    const { count, ...scope } = createClaimsSchema.parse(request);
    const wanted = { ...scope, uses: 1, replace: false };
    return await this.#insert(
      Array.from({ length: count }, () => wanted),
      actor,
    );
  }

  async list(asked: { state?: ClaimState | undefined; limit: number }): Promise<ClaimSummary[]> {
    const { store, nowMs } = this.#deps;
    return await listClaims(store.db, { ...asked, nowMs: nowMs() });
  }

  /** Admits no further device; those it admitted stay. Again, it changes nothing. Errors: `not-found`. */
  async withdraw(claimId: string, actor: string): Promise<ClaimSummary> {
    const { store, audit, events, nowMs } = this.#deps;
    return await store.transaction(async (trx) => {
      const claim = await existingClaim(trx, claimId);
      const atMs = nowMs();
      if (claim.withdrawn_at_ms !== null) return claimSummary(claim, atMs);
      await trx.updateTable('claims').set({ withdrawn_at_ms: atMs }).where('id', '=', claimId).execute();
      await audit.record(
        { actor, action: 'claim.withdraw', subject: claimId, detail: { used: claim.used, uses: claim.uses } },
        trx,
      );
      const summary = `claim ${claimId} was withdrawn`;
      await events.append({ kind: 'claim', subject: claimId, atMs, summary }, trx);
      return claimSummary({ ...claim, withdrawn_at_ms: atMs }, atMs);
    });
  }

  async #insert(wanted: readonly NewClaim[], actor: string): Promise<Claim[]> {
    const { store, audit, events, deviceCa, nowMs, maxOpenClaims = MAX_OPEN_CLAIMS } = this.#deps;
    const [first] = wanted;
    if (first === undefined) return [];
    if (first.profile !== undefined) requireProfile(first.profile, this.#deps.isProfile);
    this.#requireFreeName(first.deviceId);
    return await store.transaction(async (trx) => {
      const atMs = nowMs();
      await this.#requireFreeId(trx, first, atMs);
      if ((await countOpenClaims(trx, atMs)) + wanted.length > maxOpenClaims) {
        throw new HoldfastError('conflict', `there would be more than ${maxOpenClaims} open claims`, {
          hint: 'withdraw those that are not needed, or make one claim for several devices',
        });
      }
      const context = { caSpkiSha256: deviceCa.spkiSha256(), nowMs: atMs, actor };
      const claims = await insertClaims(trx, wanted, context);
      const claimIds = claims.map(({ claimId }) => claimId);
      const { profile = null, labels, uses, approval, replace, ttlMs, idPrefix, deviceId = null } = first;
      const detail = { claimIds, deviceId, idPrefix, profile, labels, uses, approval, replace, expiresAtMs: atMs + ttlMs }; // prettier-ignore
      const subject = claimIds[0] ?? '';
      await audit.record({ actor, action: 'claim.create', subject, detail }, trx);
      await events.append({ kind: 'claim', subject, atMs, summary: news(claims, uses) }, trx);
      return claims;
    });
  }

  #requireFreeName(deviceId: string | undefined): void {
    if (deviceId === undefined || !this.#deps.reservedIds.includes(deviceId)) return;
    throw new HoldfastError('bad-request', `${deviceId} is a name of the control plane itself`, {
      hint: 'give the device another id',
    });
  }

  async #requireFreeId(trx: Store['db'], { deviceId, replace }: NewClaim, atMs: number): Promise<void> {
    if (deviceId === undefined) return;
    const device = await deviceRow(trx, deviceId);
    if (device === undefined || (replace && isReplaceable(device, atMs))) return;
    throw new HoldfastError('conflict', `a device ${deviceId} has enrolled already`, {
      hint: replace
        ? 'decommission it first: only then may another take its place'
        : 'choose another id, or leave it out to get a fresh one',
    });
  }
}

async function existingClaim(trx: Store['db'], claimId: string): Promise<ClaimRow> {
  const claim = await claimRow(trx, claimId);
  if (claim !== undefined) return claim;
  throw new HoldfastError('not-found', `there is no claim ${claimId}`, {
    hint: 'list them to see their ids',
  });
}

function news(claims: readonly Claim[], uses: number): string {
  const [first] = claims;
  if (claims.length > 1) return `${claims.length} claims were made`;
  return first?.deviceId == null
    ? `a claim for ${uses} devices was made`
    : `a claim for ${first.deviceId} was made`;
}
