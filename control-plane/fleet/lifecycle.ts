// What people decide about a device: approve, refuse, quarantine, release, revoke, decommission. Invariants: a decision
// is in the database, with who and why, before anything follows from it; what follows can be done again, and is after a
// crash; a device that is out is off the wire, on the revocation list and takes no orders.

import { mayConnect, stepDevice, type DeviceAction, type DeviceState } from '#protocol/device-state.ts';
import type { Device } from '#protocol/api.ts';
import { HoldfastError } from '#protocol/errors.ts';
import type { DeploymentReport } from '#protocol/messages.ts';
import { deviceTopic } from '#protocol/topics.ts';
import type { Messaging } from '../broker/messaging.ts';
import type { Logger } from '../logger.ts';
import type { Audit } from '../store/audit.ts';
import type { Store } from '../store/database.ts';
import type { LiveEvents } from '../store/live-events.ts';
import { revokeKeys } from './certificates.ts';
import { deviceOf, existingDevice, stateOf, type DeviceRow } from './devices.ts';
import { isOpen, storedOrder } from './stored-order.ts';

export interface LifecycleDeps {
  readonly fleet: string;
  readonly store: Store;
  readonly audit: Audit;
  readonly events: LiveEvents;
  readonly logger: Logger;
  readonly messaging: Messaging;
  readonly director: { removeDevice(deviceId: string): Promise<void> };
  /** Ends what a device has open at the embedded broker. */
  readonly disconnect: (deviceId: string) => void;
  /** Gives the servers the newest revocation list. */
  readonly refreshTls: () => Promise<void>;
  readonly onOrderEnded: (deviceId: string, report: DeploymentReport) => void;
  readonly nowMs: () => number;
}

export interface Decision {
  readonly action: DeviceAction;
  readonly reason: string;
  readonly actor: string;
}

const DONE: Readonly<Record<DeviceAction, string>> = {
  approve: 'approved',
  refuse: 'refused',
  quarantine: 'quarantined',
  release: 'released',
  revoke: 'revoked',
  decommission: 'decommissioned',
};

export class DeviceLifecycle {
  readonly #deps: LifecycleDeps;

  constructor(deps: LifecycleDeps) {
    this.#deps = deps;
  }

  /** Carries a decision out; one that was taken before changes nothing. Errors: `not-found`, `conflict`. */
  async decide(deviceId: string, decision: Decision): Promise<Device> {
    const row = await this.#store(deviceId, decision);
    await this.follow(row);
    return deviceOf(await existingDevice(this.#deps.store.db, deviceId));
  }

  /** What follows from a device's state; again, it changes nothing. */
  async follow(row: DeviceRow): Promise<void> {
    const { store, director, disconnect, refreshTls, onOrderEnded } = this.#deps;
    const state = stateOf(row);
    if (state === 'active' || state === 'pending') return;
    // First of all: whatever fails or waits after it, the device is out.
    if (!mayConnect(state)) disconnect(row.id);
    const order = storedOrder(row);
    if (order !== null && isOpen(row, order)) {
      onOrderEnded(row.id, endedReport(order.custom, state));
    }
    await this.clearRetained(row.id, 'desired');
    if (mayConnect(state)) return;
    await refreshTls();
    for (const leaf of ['reported', 'presence'] as const) await this.clearRetained(row.id, leaf);
    if (state === 'decommissioned') await director.removeDevice(row.id);
    await store.db
      .updateTable('devices')
      .set({ json_desired: null, online: 0 })
      .where('id', '=', row.id)
      .execute();
  }

  /** Whatever does not get there now is cleared when the device's topics are next heard of. */
  async clearRetained(deviceId: string, leaf: 'desired' | 'reported' | 'presence'): Promise<void> {
    const { fleet, messaging, logger } = this.#deps;
    try {
      await messaging.publish(deviceTopic(fleet, deviceId, leaf), '', { retain: true });
    } catch (error) {
      logger.warn('a retained message was not cleared yet', { device: deviceId, leaf, error });
    }
  }

  async #store(deviceId: string, { action, reason, actor }: Decision): Promise<DeviceRow> {
    const { store, audit, events, nowMs } = this.#deps;
    return await store.transaction(async (trx) => {
      const row = await existingDevice(trx, deviceId);
      const before = stateOf(row);
      const state = stepDevice(before, action);
      if (state === null) throw wrongState(deviceId, before, action);
      if (state === before) return row;
      const atMs = nowMs();
      const change = { state, state_reason: reason, state_actor: actor, state_at_ms: atMs };
      await trx.updateTable('devices').set(change).where('id', '=', deviceId).execute();
      if (!mayConnect(state)) await revokeKeys(trx, row, atMs);
      const detail = { reason, before, after: state, spkiSha256: row.spki_sha256 };
      await audit.record({ actor, action: `device.${action}`, subject: deviceId, detail }, trx);
      const summary = `${deviceId} was ${DONE[action]} by ${actor}: ${reason}`;
      await events.append({ kind: 'device', subject: deviceId, atMs, summary }, trx);
      return { ...row, ...change };
    });
  }
}

/** As if the device had said so: followers then give its order up. */
function endedReport(order: { rolloutId: string; seq: number }, state: DeviceState): DeploymentReport {
  return {
    rolloutId: order.rolloutId,
    seq: order.seq,
    state: 'cancelled',
    reason: state === 'quarantined' ? 'device-quarantined' : 'device-revoked',
    detail: `the device was ${state}`,
    attempts: 0,
    evidence: [],
    history: [],
  };
}

function wrongState(deviceId: string, state: DeviceState, action: DeviceAction): HoldfastError {
  return new HoldfastError('conflict', `${deviceId} is ${state}; ${action} means nothing now`, {
    hint: 'see its state and reason with device get',
  });
}
