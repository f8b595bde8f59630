// Whether a device belongs to the fleet, as one transition table and a pure step(). Invariants: nothing leads out of
// `decommissioned`, and nothing but decommissioning out of `revoked`; only `active` devices get orders.

import { z } from 'zod';

export const DEVICE_STATES = ['pending', 'active', 'quarantined', 'revoked', 'decommissioned'] as const;
export const deviceStateSchema = z.enum(DEVICE_STATES);
export type DeviceState = z.infer<typeof deviceStateSchema>;

export const DEVICE_ACTIONS = [
  'approve',
  'refuse',
  'quarantine',
  'release',
  'revoke',
  'decommission',
] as const;
export type DeviceAction = (typeof DEVICE_ACTIONS)[number];

/** The state that an action leads to. */
const TARGETS: Readonly<Record<DeviceAction, DeviceState>> = {
  approve: 'active',
  refuse: 'revoked',
  quarantine: 'quarantined',
  release: 'active',
  revoke: 'revoked',
  decommission: 'decommissioned',
};

const TABLE: Readonly<Record<DeviceState, readonly DeviceAction[]>> = {
  pending: ['approve', 'refuse'],
  active: ['quarantine', 'revoke', 'decommission'],
  quarantined: ['release', 'revoke', 'decommission'],
  revoked: ['decommission'],
  decommissioned: [],
};

export function actionsOn(state: DeviceState): readonly DeviceAction[] {
  return TABLE[state];
}

/** The next state; the same one when the action has happened already; null when it means nothing in this state. */
export function stepDevice(state: DeviceState, action: DeviceAction): DeviceState | null {
  if (TABLE[state].includes(action)) return TARGETS[action];
  return TARGETS[action] === state ? state : null;
}

/** A device that may connect, report and renew its certificate. */
export function mayConnect(state: DeviceState): boolean {
  return state === 'active' || state === 'quarantined';
}
