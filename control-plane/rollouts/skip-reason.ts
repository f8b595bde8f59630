// Why a rollout passes over a device instead of failing: the device may have no orders. Pure.

import { errorCodeOf } from '#protocol/errors.ts';

export type SkipReason = 'device-quarantined' | 'device-revoked';

/** Null for every other failure of an order. */
export function skipReasonOf(error: unknown): SkipReason | null {
  const code = errorCodeOf(error);
  if (code === 'device-quarantined') return code;
  return code === 'device-revoked' || code === 'approval-pending' ? 'device-revoked' : null;
}

/** Whether an ending says nothing of the version. */
export function isSkip(reason: string | null): boolean {
  return reason === 'device-quarantined' || reason === 'device-revoked';
}
