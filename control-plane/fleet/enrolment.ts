// Enrolment: a claim and a certificate request in, an identity and the roots of trust out. Invariants: one
// claim makes one device with one key; asking again with the same key changes nothing but renews the
// certificate; a device that exists is never taken over by another claim.

import { createHash, X509Certificate } from 'node:crypto';
import type { z } from 'zod';
import type {
  Claim,
  EnrolmentInfo,
  EnrolResponse,
  RenewResponse,
  enrolRequestSchema,
} from '#protocol/api.ts';
import { HoldfastError } from '#protocol/errors.ts';
import type { Audit } from '../store/audit.ts';
import type { Store } from '../store/database.ts';
import type { LiveEvents } from '../store/live-events.ts';
import { claimOfToken, insertClaim, spendClaim, type ClaimRow, type CreateClaimRequest } from './claims.ts';
import { deviceExists, deviceRow, insertDevice } from './devices.ts';

export type EnrolRequest = z.output<typeof enrolRequestSchema>;

/** The part of trust/device-ca.ts that enrolment uses. */
export interface EnrolmentCa {
  readonly certificatePem: string;
  spkiSha256(): string;
  issueDeviceCertificate(request: {
    readonly deviceId: string;
    readonly csrPem: string;
  }): Promise<{ readonly certificatePem: string; readonly expiresAtMs: number }>;
}

export interface FleetEndpoints {
  readonly gatewayUrl: string;
  readonly mqttUrl: string;
}

export interface EnrolmentDeps {
  readonly fleet: string;
  readonly store: Store;
  readonly events: LiveEvents;
  readonly audit: Audit;
  readonly deviceCa: EnrolmentCa;
  readonly image: { readonly trustedRoot: string };
  readonly director: { readonly trustedRoot: string; ensureDevice(deviceId: string): Promise<void> };
  readonly isProfile: (name: string) => boolean;
  /** Ids no device may have: names of the control plane's own certificates. */
  readonly reservedIds: readonly string[];
  /** Asked late: the ports are known once the servers listen. */
  readonly endpoints: () => FleetEndpoints;
  readonly nowMs: () => number;
}

export class Enrolment {
  readonly #deps: EnrolmentDeps;

  constructor(deps: EnrolmentDeps) {
    this.#deps = deps;
  }

  /** What a device needs before it can check anything; public. */
  info(): EnrolmentInfo {
    const { fleet, deviceCa, endpoints } = this.#deps;
    return { fleet, caPem: deviceCa.certificatePem, ...endpoints() };
  }

  /** Errors: `conflict` when the device id is taken, `profile-unknown`, `bad-request`. */
  async createClaim(request: CreateClaimRequest, actor: string): Promise<Claim> {
    const { store, audit, events, deviceCa, nowMs } = this.#deps;
    if (request.profile !== undefined) this.#requireProfile(request.profile);
    const { deviceId } = request;
    if (deviceId !== undefined && this.#deps.reservedIds.includes(deviceId)) {
      throw new HoldfastError('bad-request', `${deviceId} is a name of the control plane itself`, {
        hint: 'give the device another id',
      });
    }
    return await store.transaction(async (trx) => {
      if (deviceId !== undefined && (await deviceExists(trx, deviceId))) throw idTaken(deviceId);
      const context = { caSpkiSha256: deviceCa.spkiSha256(), nowMs: nowMs() };
      const { deviceId: subject, ...claim } = await insertClaim(trx, request, context);
      const detail = { deviceId: subject, profile: request.profile ?? null, expiresAtMs: claim.expiresAtMs };
      await audit.record({ actor, action: 'claim.create', subject: claim.claimId, detail }, trx);
      const summary = `a claim for ${subject} was made`;
      await events.append({ kind: 'claim', subject: claim.claimId, atMs: context.nowMs, summary }, trx);
      return claim;
    });
  }

  /** Errors: `claim-invalid`, `claim-expired`, `claim-spent`, `profile-unknown`, `csr-invalid`, `conflict`. */
  async enrol(request: EnrolRequest): Promise<EnrolResponse> {
    const { store, deviceCa, image, director, nowMs } = this.#deps;
    this.#requireProfile(request.profile);
    const asked = { profile: request.profile, nowMs: nowMs() };
    const claim = await claimOfToken(store.db, request.claim, asked);
    const deviceId = claim.device_id;
    const { certificatePem } = await deviceCa.issueDeviceCertificate({ deviceId, csrPem: request.csrPem });
    // The certificate leaves this function only if its key may have the claim.
    await this.#admit(claim, request.profile, spkiSha256Of(certificatePem));
    await director.ensureDevice(deviceId);
    return {
      deviceId,
      ...this.info(),
      certificatePem,
      imageRoot: image.trustedRoot,
      directorRoot: director.trustedRoot,
    };
  }

  /** A fresh certificate for a device that still has one. Errors: `csr-invalid`, also for another key. */
  async renew(deviceId: string, presentSpkiSha256: string, csrPem: string): Promise<RenewResponse> {
    const { deviceCa, audit } = this.#deps;
    const { certificatePem, expiresAtMs } = await deviceCa.issueDeviceCertificate({ deviceId, csrPem });
    const spkiSha256 = spkiSha256Of(certificatePem);
    if (spkiSha256 !== presentSpkiSha256) {
      throw new HoldfastError('csr-invalid', 'the request is for another key than the present certificate', {
        hint: 'a device keeps its key; for another one, enrol it as another device',
      });
    }
    await audit.record({
      actor: `device:${deviceId}`,
      action: 'device.renew',
      subject: deviceId,
      detail: { spkiSha256, expiresAtMs },
    });
    return { certificatePem, expiresAtMs };
  }

  async #admit(claim: ClaimRow, profile: string, spkiSha256: string): Promise<void> {
    const { store, audit, events, nowMs } = this.#deps;
    const deviceId = claim.device_id;
    await store.transaction(async (trx) => {
      const { isFirstUse } = await spendClaim(trx, claim.id, spkiSha256);
      const device = await deviceRow(trx, deviceId);
      if (isFirstUse && device !== undefined) throw idTaken(deviceId);
      if (device !== undefined && device.profile !== profile) {
        throw new HoldfastError('conflict', `${deviceId} enrolled with profile ${device.profile}`, {
          hint: `start the agent with --profile ${device.profile}, or enrol it as another device`,
        });
      }
      const actor = `device:${deviceId}`;
      const detail = { claimId: claim.id, profile, spkiSha256 };
      if (device !== undefined) {
        await audit.record({ actor, action: 'device.renew', subject: deviceId, detail }, trx);
        return;
      }
      const atMs = nowMs();
      await insertDevice(trx, { id: deviceId, profile, jsonLabels: claim.json_labels, nowMs: atMs });
      await audit.record({ actor, action: 'device.enrol', subject: deviceId, detail }, trx);
      const summary = `${deviceId} enrolled with profile ${profile}`;
      await events.append({ kind: 'device', subject: deviceId, atMs, summary }, trx);
    });
  }

  #requireProfile(profile: string): void {
    if (this.#deps.isProfile(profile)) return;
    throw new HoldfastError('profile-unknown', `there is no profile ${profile}`, {
      hint: 'GET /api/v1/profiles lists those there are',
    });
  }
}

function idTaken(deviceId: string): HoldfastError {
  return new HoldfastError('conflict', `a device ${deviceId} has enrolled already`, {
    hint: 'choose another id, or leave it out to get a fresh one',
  });
}

/** sha256 of the public key, hex: the same for every certificate and request of one key. */
export function spkiSha256Of(certificate: string | Buffer): string {
  const spki = new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(spki).digest('hex');
}
