// Enrolment: a claim and a certificate request in, an identity and the roots of trust out. Invariants: each key makes
// one device; asking again with the same key and claim makes no second; a key that was revoked never enrols again;
// nothing is issued before a person's approval where the claim asks for one.

import type { z } from 'zod';
import type {
  EnrolmentInfo,
  EnrolResponse,
  RenewResponse,
  Standing,
  enrolRequestSchema,
} from '#protocol/api.ts';
import type { DeviceState } from '#protocol/device-state.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { keyFingerprint } from '#protocol/key-fingerprint.ts';
import type { Audit } from '../store/audit.ts';
import type { Store } from '../store/database.ts';
import type { LiveEvents } from '../store/live-events.ts';
import { isRevokedKey, recordCertificate, type IssuedCertificate } from './certificates.ts';
import { claimOfToken, deviceOfUse, useClaim, type ClaimRow } from './claims.ts';
import { deviceRow, existingDevice, insertDevice, replaceDevice, stateOf } from './devices.ts';
import {
  isReplaceable,
  requireOpen,
  requireProfile,
  requireProfileOf,
  requireReturning,
  revokedKey,
} from './enrolment-rules.ts';

export type EnrolRequest = z.output<typeof enrolRequestSchema>;

/** The part of trust/device-ca.ts that enrolment uses. */
export interface EnrolmentCa {
  readonly bundlePem: string;
  /** sha256 of the public key of a request. Errors: `csr-invalid`. */
  keyOf(csrPem: string): Promise<string>;
  /** Of the authority that signs now. */
  spkiSha256(): string;
  issueDeviceCertificate(request: {
    readonly deviceId: string;
    readonly csrPem: string;
  }): Promise<IssuedCertificate>;
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
  /** Asked late: the ports are known once the servers listen. */
  readonly endpoints: () => FleetEndpoints;
  readonly nowMs: () => number;
}

interface Asking {
  readonly profile: string;
  readonly spkiSha256: string;
  readonly nowMs: number;
}

export class Enrolment {
  readonly #deps: EnrolmentDeps;

  constructor(deps: EnrolmentDeps) {
    this.#deps = deps;
  }

  /** What a device needs before it can check anything; public. */
  info(): EnrolmentInfo {
    const { fleet, deviceCa, endpoints } = this.#deps;
    return { fleet, caPem: deviceCa.bundlePem, ...endpoints() };
  }

  /**
   * Errors: `claim-invalid`, `claim-expired`, `claim-spent`, `profile-unknown`, `csr-invalid`, `conflict`,
   * `device-revoked`, and `approval-pending` until a person has decided.
   */
  async enrol(request: EnrolRequest): Promise<EnrolResponse> {
    const { store, deviceCa, image, director, isProfile, nowMs } = this.#deps;
    requireProfile(request.profile, isProfile);
    const claim = await claimOfToken(store.db, request.claim);
    requireProfileOf(claim, request.profile);
    const spkiSha256 = await deviceCa.keyOf(request.csrPem);
    const asking = { profile: request.profile, spkiSha256, nowMs: nowMs() };
    const { deviceId, state } = await this.#admit(claim, asking);
    if (state === 'pending') {
      const key = keyFingerprint(spkiSha256);
      throw new HoldfastError(
        'approval-pending',
        `${deviceId} waits for a person's approval; its key is ${key}`,
        {
          hint: `compare the key, then: holdfast device approve ${deviceId}`,
        },
      );
    }
    const { certificatePem } = await this.#issue(deviceId, request.csrPem);
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
  async renew(deviceId: string, csrPem: string): Promise<RenewResponse> {
    const { deviceCa, store, audit } = this.#deps;
    const spkiSha256 = await deviceCa.keyOf(csrPem);
    const { spki_sha256: known } = await existingDevice(store.db, deviceId);
    if (known !== null && spkiSha256 !== known) {
      throw new HoldfastError('csr-invalid', 'the request is for another key than the present certificate', {
        hint: 'a device keeps its key; for another one, enrol it as another device',
      });
    }
    const { certificatePem, expiresAtMs } = await this.#issue(deviceId, csrPem);
    const detail = { spkiSha256, expiresAtMs };
    await audit.record({ actor: `device:${deviceId}`, action: 'device.renew', subject: deviceId, detail });
    return { certificatePem, expiresAtMs, caPem: deviceCa.bundlePem };
  }

  /** How the control plane sees a device that may connect. Errors: `not-found`. */
  async standing(deviceId: string): Promise<Standing> {
    const { store, deviceCa } = this.#deps;
    const device = await existingDevice(store.db, deviceId);
    return {
      state: stateOf(device) === 'quarantined' ? 'quarantined' : 'active',
      caPem: deviceCa.bundlePem,
      isRenewalDue: device.certificate_ca !== deviceCa.spkiSha256(),
    };
  }

  /** Invariant: a certificate is on record before anybody has it, so that it can be revoked. */
  async #issue(deviceId: string, csrPem: string): Promise<IssuedCertificate> {
    const { store, deviceCa, nowMs } = this.#deps;
    const issued = await deviceCa.issueDeviceCertificate({ deviceId, csrPem });
    await store.transaction(async (trx) => {
      // It may have been revoked meanwhile.
      if (await isRevokedKey(trx, issued.spkiSha256)) throw revokedKey(deviceId);
      await recordCertificate(trx, deviceId, issued, nowMs());
    });
    return issued;
  }

  async #admit(claim: ClaimRow, asking: Asking): Promise<{ deviceId: string; state: DeviceState }> {
    const { store, audit } = this.#deps;
    return await store.transaction(async (trx) => {
      const knownAs = await deviceOfUse(trx, claim.id, asking.spkiSha256);
      if (knownAs === undefined) return await this.#admitNew(trx, claim, asking);
      const device = await deviceRow(trx, knownAs);
      requireReturning(device, claim, asking);
      const state = stateOf(device);
      if (state !== 'pending') {
        const detail = { claimId: claim.id, profile: asking.profile, spkiSha256: asking.spkiSha256 };
        await audit.record(
          { actor: `device:${knownAs}`, action: 'device.renew', subject: knownAs, detail },
          trx,
        );
      }
      return { deviceId: knownAs, state };
    });
  }

  async #admitNew(
    trx: Store['db'],
    claim: ClaimRow,
    { profile, spkiSha256, nowMs }: Asking,
  ): Promise<{ deviceId: string; state: DeviceState }> {
    const { audit, events } = this.#deps;
    requireOpen(claim, nowMs);
    if (await isRevokedKey(trx, spkiSha256)) throw revokedKey(claim.device_id ?? 'this device');
    const deviceId = await useClaim(trx, claim, spkiSha256);
    const present = await deviceRow(trx, deviceId);
    if (present !== undefined && !(claim.replaces === 1 && isReplaceable(present, nowMs))) {
      throw new HoldfastError('conflict', `a device ${deviceId} has enrolled already`, {
        hint: 'choose another id, or leave it out to get a fresh one',
      });
    }
    const state = claim.approval === 1 ? 'pending' : 'active';
    const device = {
      id: deviceId,
      profile,
      jsonLabels: claim.json_labels,
      state,
      spkiSha256,
      nowMs,
    } as const;
    await (present === undefined ? insertDevice(trx, device) : replaceDevice(trx, device));
    const detail = { claimId: claim.id, profile, spkiSha256, state, replaces: present !== undefined };
    await audit.record(
      { actor: `device:${deviceId}`, action: 'device.enrol', subject: deviceId, detail },
      trx,
    );
    const summary =
      state === 'pending'
        ? `${deviceId} asks to enrol with profile ${profile}; its key is ${keyFingerprint(spkiSha256)}`
        : `${deviceId} enrolled with profile ${profile}`;
    await events.append({ kind: 'device', subject: deviceId, atMs: nowMs, summary }, trx);
    return { deviceId, state };
  }
}
