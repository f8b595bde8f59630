// What each device should run, as orders with rising numbers. INVARIANTS: an order is in the database before
// anybody can see it; Director metadata follows the database, and the hint on MQTT follows the metadata, so
// that whatever a crash cut off is done again from the database; one order a device at a time.

import { HoldfastError } from '#protocol/errors.ts';
import { desiredBodySchema, encodeMessage, type DesiredBody } from '#protocol/messages.ts';
import type { DeploymentPolicy } from '#protocol/release.ts';
import { deviceTopic } from '#protocol/topics.ts';
import type { Messaging } from '../broker/messaging.ts';
import type { Logger } from '../logger.ts';
import type { Store } from '../store/database.ts';
import { SerialQueue } from '../trust/serial-queue.ts';
import { deviceRows, existingDevice } from './devices.ts';
import { requireOrderable } from './orderable.ts';
import type { MessageStamp } from './message-stamp.ts';
import { highestSeq, isOpen, isSameOrder, storedOrder, type StoredOrder } from './stored-order.ts';

export interface OrderRequest {
  readonly rolloutId: string;
  readonly model: string;
  readonly version: number;
  readonly policy: DeploymentPolicy;
}

export interface SignedRelease {
  readonly targetPath: string;
  readonly manifestSha256: string;
  readonly manifestLengthBytes: number;
  readonly releaseCounter: number;
}

export interface OrdersDeps {
  readonly fleet: string;
  readonly store: Store;
  readonly logger: Logger;
  readonly messaging: Messaging;
  readonly stamp: MessageStamp;
  readonly director: {
    setOrder(deviceId: string, order: StoredOrder): Promise<void>;
    currentOrder(deviceId: string): Promise<StoredOrder | null>;
  };
  /** Null when the version has no signed release for the profile. */
  readonly releaseOf: (model: string, version: number, profile: string) => Promise<SignedRelease | null>;
}

export class Orders {
  readonly #deps: OrdersDeps;
  readonly #queues = new Map<string, SerialQueue>();

  constructor(deps: OrdersDeps) {
    this.#deps = deps;
  }

  /**
   * Orders a release. Asked again for the same, while the device has not ended the first, it answers that
   * order's number. Resolves once the order is signed; the hint follows. Errors: `not-found`, and those of
   * `requireOrderable`.
   */
  order(deviceId: string, request: OrderRequest): Promise<{ readonly seq: number }> {
    return this.#inTurn(deviceId, async () => {
      const device = await existingDevice(this.#deps.store.db, deviceId);
      requireOrderable(device);
      const { profile } = device;
      const release = await this.#release(request, profile);
      const order = await this.#store(deviceId, request, release);
      await this.#carryOut(deviceId, order);
      return { seq: order.custom.seq };
    });
  }

  /** Carries out every active device's last order again, whatever became of it. */
  async resume(): Promise<void> {
    for (const row of await deviceRows(this.#deps.store.db, 'active')) {
      const order = storedOrder(row);
      if (order === null) continue;
      try {
        await this.#inTurn(row.id, async () => {
          const latest = storedOrder(await existingDevice(this.#deps.store.db, row.id));
          if (latest !== null) await this.#carryOut(row.id, latest);
        });
      } catch (error) {
        this.#deps.logger.error('an order could not be carried out again', { device: row.id, error });
      }
    }
  }

  /** Publishes every active device's hint again; a broker may have lost what it kept. */
  async republish(): Promise<void> {
    for (const { id, json_desired: json } of await deviceRows(this.#deps.store.db, 'active')) {
      if (json !== null) this.#publish(id, desiredBodySchema.parse(JSON.parse(json)));
    }
  }

  /** Publishes a device's hint again, once it may have orders again. */
  async republishTo(deviceId: string): Promise<void> {
    const { state, json_desired: json } = await existingDevice(this.#deps.store.db, deviceId);
    if (state === 'active' && json !== null)
      this.#publish(deviceId, desiredBodySchema.parse(JSON.parse(json)));
  }

  async #release({ model, version }: OrderRequest, profile: string): Promise<SignedRelease> {
    const release = await this.#deps.releaseOf(model, version, profile);
    if (release !== null) return release;
    throw new HoldfastError('not-found', `${model} ${version} has no signed release for profile ${profile}`, {
      hint: `make a variant for ${profile}, then sign the version`,
    });
  }

  async #store(deviceId: string, request: OrderRequest, release: SignedRelease): Promise<StoredOrder> {
    const { rolloutId, model, version, policy } = request;
    const signed = await this.#deps.director.currentOrder(deviceId);
    return await this.#deps.store.transaction(async (trx) => {
      const row = await existingDevice(trx, deviceId);
      requireOrderable(row);
      const custom = {
        deviceId,
        rolloutId,
        seq: highestSeq(row, signed) + 1,
        profile: row.profile,
        releaseCounter: release.releaseCounter,
        policy,
      };
      const order = {
        targetPath: release.targetPath,
        length: release.manifestLengthBytes,
        sha256: release.manifestSha256,
        custom,
      };
      const last = storedOrder(row);
      if (last !== null && isOpen(row, last) && isSameOrder(last, order)) return last;
      await trx
        .updateTable('devices')
        .set({
          desired_seq: custom.seq,
          desired_model: model,
          desired_version: version,
          desired_rollout_id: rolloutId,
          json_order: JSON.stringify(order),
        })
        .where('id', '=', deviceId)
        .execute();
      return order;
    });
  }

  async #carryOut(deviceId: string, order: StoredOrder): Promise<void> {
    await this.#deps.director.setOrder(deviceId, order);
    if (!(await this.#isActive(deviceId))) return; // decided meanwhile; its hint was cleared
    const { rolloutId, seq } = order.custom;
    const desired = { rolloutId, seq, targetPath: order.targetPath };
    await this.#deps.store.db
      .updateTable('devices')
      .set({ json_desired: JSON.stringify(desired) })
      .where('id', '=', deviceId)
      .execute();
    this.#publish(deviceId, desired);
  }

  /** Not waited for: what cannot be published now is published when the connection is back. */
  #publish(deviceId: string, desired: DesiredBody): void {
    const { fleet, messaging, stamp, logger } = this.#deps;
    const payload = encodeMessage('desired', { ...stamp.next(), body: desired });
    messaging
      .publish(deviceTopic(fleet, deviceId, 'desired'), payload, { retain: true })
      .catch((error: unknown) => {
        logger.warn('an order was not published yet', { device: deviceId, seq: desired.seq, error });
      });
  }

  async #isActive(deviceId: string): Promise<boolean> {
    return (await existingDevice(this.#deps.store.db, deviceId)).state === 'active';
  }

  #inTurn<T>(deviceId: string, task: () => Promise<T>): Promise<T> {
    const queue = this.#queues.get(deviceId) ?? new SerialQueue();
    this.#queues.set(deviceId, queue);
    return queue.run(task);
  }
}
