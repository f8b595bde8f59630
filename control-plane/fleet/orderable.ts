// Which devices may be given orders. Pure.

import { HoldfastError } from '#protocol/errors.ts';
import { stateOf, type DeviceRow } from './devices.ts';

/** Errors: `device-quarantined`, `device-revoked`, `approval-pending` for a device that gets no orders. */
export function requireOrderable(row: DeviceRow): void {
  const state = stateOf(row);
  if (state === 'active') return;
  if (state === 'pending')
    throw new HoldfastError('approval-pending', `${row.id} waits for a person's approval`);
  if (state === 'quarantined') {
    throw new HoldfastError('device-quarantined', `${row.id} is quarantined and gets no orders`, {
      hint: `holdfast device release ${row.id}`,
    });
  }
  throw new HoldfastError('device-revoked', `${row.id} was ${state} and gets no orders`);
}
