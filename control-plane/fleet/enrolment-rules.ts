// Who may enrol, as rules on rows. Pure.

import { HoldfastError } from '#protocol/errors.ts';
import { claimSpent, type ClaimRow } from './claims.ts';
import { stateOf, type DeviceRow } from './devices.ts';

/** Errors: `profile-unknown`. */
export function requireProfile(profile: string, isProfile: (name: string) => boolean): void {
  if (isProfile(profile)) return;
  throw new HoldfastError('profile-unknown', `there is no profile ${profile}`, {
    hint: 'GET /api/v1/profiles lists those there are',
  });
}

/** Whether another device may take this one's id: it was decommissioned, or let its certificate end. */
export function isReplaceable(device: DeviceRow, nowMs: number): boolean {
  const state = stateOf(device);
  if (state === 'decommissioned') return true;
  const { certificate_expires_ms: endMs } = device;
  return (state === 'active' || state === 'quarantined') && endMs !== null && endMs < nowMs;
}

/** A claim for a key that never used it. Errors: `claim-spent`, `claim-invalid` once withdrawn, `claim-expired`. */
export function requireOpen(claim: ClaimRow, nowMs: number): void {
  if (claim.used >= claim.uses) throw claimSpent(claim);
  if (claim.withdrawn_at_ms !== null) {
    throw new HoldfastError('claim-invalid', `claim ${claim.id} was withdrawn`, { hint: 'make a new one' });
  }
  if (nowMs > claim.expires_at_ms) {
    throw new HoldfastError('claim-expired', `claim ${claim.id} has expired`, { hint: 'make a new one' });
  }
}

/** Errors: `profile-unknown`. */
export function requireProfileOf(claim: ClaimRow, profile: string): void {
  if (claim.profile === null || claim.profile === profile) return;
  throw new HoldfastError('profile-unknown', `claim ${claim.id} is for profile ${claim.profile} only`, {
    hint: `start the agent with --profile ${claim.profile}, or make another claim`,
  });
}

/**
 * A device that asks again with the key and the claim it enrolled with: an answer was lost, a person has approved it, or
 * it renews. Errors: `device-revoked`, `conflict`, `claim-expired` when its certificate has ended.
 */
export function requireReturning(
  device: DeviceRow | undefined,
  claim: ClaimRow,
  asked: { readonly spkiSha256: string; readonly profile: string; readonly nowMs: number },
): asserts device is DeviceRow {
  if (device === undefined || device.spki_sha256 !== asked.spkiSha256) {
    throw new HoldfastError('conflict', 'another device has taken the place of the one this claim admitted', {
      hint: 'enrol it as another device, with a new claim and a new data folder',
    });
  }
  const state = stateOf(device);
  if (state === 'revoked' || state === 'decommissioned') throw revokedKey(device.id);
  if (device.profile !== asked.profile) {
    throw new HoldfastError('conflict', `${device.id} enrolled with profile ${device.profile}`, {
      hint: `start the agent with --profile ${device.profile}, or enrol it as another device`,
    });
  }
  const { certificate_expires_ms: endMs } = device;
  if (endMs !== null && endMs < asked.nowMs && claim.expires_at_ms < asked.nowMs) {
    throw new HoldfastError(
      'claim-expired',
      `the certificate of ${device.id} has ended, and so has its claim`,
      {
        hint: `enrol it again: holdfast claim create --device ${device.id} --replace`,
      },
    );
  }
}

export function revokedKey(deviceId: string): HoldfastError {
  return new HoldfastError('device-revoked', `the key of ${deviceId} was revoked`, {
    hint: 'this device does not come back with that key; enrol it anew in an empty data folder if it may return',
  });
}
