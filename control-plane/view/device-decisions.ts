// What a person may decide about a device now, and what she is told before she does. Pure.

import type { Device } from '#protocol/api.ts';
import { actionsOn, type DeviceAction } from '#protocol/device-state.ts';
import { keyFingerprint } from '#protocol/key-fingerprint.ts';

export interface DecisionView {
  readonly action: DeviceAction;
  /** Cannot be taken back. */
  readonly isFinal: boolean;
  /** What it leads to. */
  readonly consequence: string;
}

const CONSEQUENCES: Readonly<Record<DeviceAction, string>> = {
  approve: 'The device is let in and gets a certificate. Compare its key with the one that the agent shows.',
  refuse: 'The device is turned away, and its key never enrols again.',
  quarantine: 'The device goes on serving and reporting, and gets neither orders nor measurements.',
  release: 'The device may have orders again; its last one still stands.',
  revoke:
    'The device is disconnected at once and never comes back with its key. It goes on serving what it has.',
  decommission: 'As revoke; it leaves the lists, and its id may be given to another device.',
};
const FINAL: ReadonlySet<DeviceAction> = new Set(['refuse', 'revoke', 'decommission']);

export function decisionsOn({ state }: Pick<Device, 'state'>): DecisionView[] {
  return actionsOn(state).map((action) => ({
    action,
    isFinal: FINAL.has(action),
    consequence: CONSEQUENCES[action],
  }));
}

/** The device's key as a person compares it. */
export function keyInWords({ keySha256 }: Pick<Device, 'keySha256'>): string {
  return keySha256 === null ? '–' : keyFingerprint(keySha256);
}
