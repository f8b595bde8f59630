// The fleet as rows: what each device runs, what it was told to run, and how that goes.

import type { Device } from '#protocol/api.ts';
import { isDeploymentEnded } from '#protocol/deployment.ts';
import type { DeviceState } from '#protocol/device-state.ts';
import { keyFingerprint } from '#protocol/key-fingerprint.ts';
import { agoInWords, reasonInWords, stateTone, type Tone } from './words.ts';

export interface FleetRow {
  readonly id: string;
  readonly profile: string;
  readonly online: boolean;
  readonly seen: string;
  /** `digits 5`, or `nothing`. */
  readonly running: string;
  /** Set only when it differs from what runs. */
  readonly ordered: string | null;
  readonly state: string;
  readonly tone: Tone;
  /** Why, in words, when there is something to say. */
  readonly why: string | null;
  readonly labels: string;
}

export interface FleetView {
  readonly rows: readonly FleetRow[];
  readonly online: number;
  readonly total: number;
  /** How many devices run each release, most first. */
  readonly releases: readonly { readonly name: string; readonly devices: number }[];
  readonly attention: number;
}

export function fleetView(devices: readonly Device[], nowMs: number): FleetView {
  const rows = devices.map((device) => fleetRow(device, nowMs));
  const releases = [...Map.groupBy(rows, (row) => row.running)]
    .map(([name, of]) => ({ name, devices: of.length }))
    .sort((a, b) => b.devices - a.devices || (a.name < b.name ? -1 : 1));
  return {
    rows,
    online: rows.filter((row) => row.online).length,
    total: rows.length,
    releases,
    attention: rows.filter((row) => row.tone === 'attention' || row.tone === 'bad').length,
  };
}

const STATE_TONES: Readonly<Record<Exclude<DeviceState, 'active'>, Tone>> = {
  pending: 'attention',
  quarantined: 'attention',
  revoked: 'idle',
  decommissioned: 'idle',
};

function waits({ keySha256 }: Device): string | null {
  return keySha256 === null ? null : `waits for approval; key ${keyFingerprint(keySha256)}`;
}

export function fleetRow(device: Device, nowMs: number): FleetRow {
  const active = device.reported?.active ?? null;
  const deployment = device.reported?.deployment ?? null;
  const running = active === null ? 'nothing' : `${active.model} ${active.version}`;
  const desired = device.desired === null ? null : `${device.desired.model} ${device.desired.version}`;
  const base = {
    id: device.id,
    profile: device.profile,
    online: device.online,
    seen: agoInWords(device.lastSeenMs, nowMs),
    running,
    ordered: desired === running ? null : desired,
    labels: Object.entries(device.labels).map(([key, value]) => `${key}=${value}`).join(' '), // prettier-ignore
  };
  if (device.state !== 'active') {
    return {
      ...base,
      state: device.state,
      tone: STATE_TONES[device.state],
      why: device.decision?.reason ?? waits(device),
    };
  }
  if (!device.online) return { ...base, state: 'offline', tone: 'attention', why: `last seen ${base.seen}` };
  if (deployment === null)
    return {
      ...base,
      state: active === null ? 'waiting' : 'serving',
      tone: active === null ? 'idle' : 'good',
      why: null,
    };
  const why = deployment.reason === undefined ? null : reasonInWords(deployment.reason);
  const isSettled = isDeploymentEnded(deployment.state) && deployment.state === 'healthy';
  return { ...base, state: isSettled ? 'serving' : deployment.state, tone: stateTone(deployment.state), why };
}
