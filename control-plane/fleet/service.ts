// The fleet as the rest of the control plane uses it: enrolment, devices, orders, and what devices report.
// `start` first finishes whatever a crash cut off; only then are devices listened to.

import type { Kysely } from 'kysely';
import type { Device, EnrolmentInfo, EnrolResponse, RenewResponse, Standing } from '#protocol/api.ts';
import type { DeviceState } from '#protocol/device-state.ts';
import { encodeMessage, type TelemetryBody } from '#protocol/messages.ts';
import { deviceTopic, fleetFilter } from '#protocol/topics.ts';
import type { Messaging, ReceivedMessage } from '../broker/messaging.ts';
import type { Logger } from '../logger.ts';
import type { Database } from '../store/schema.ts';
import { Acknowledgements } from './acknowledgements.ts';
import { Authority, type RotatingCa } from './authority.ts';
import { ClaimDesk, type ClaimDeskDeps } from './claim-desk.ts';
import { DeploymentFeed, type DeploymentListener } from './deployment-feed.ts';
import { DEVICE_LEAVES, deviceMessageOf, type DeviceMessage } from './device-message.ts';
import { deviceOf, deviceRow, deviceRows, existingDevice, stateOf } from './devices.ts';
import { Enrolment, type EnrolmentCa, type EnrolmentDeps, type EnrolRequest } from './enrolment.ts';
import type { Admission } from './gateway-access.ts';
import { IngestQueue } from './ingest-queue.ts';
import { Ingest } from './ingest.ts';
import { DeviceLifecycle, type Decision, type LifecycleDeps } from './lifecycle.ts';
import { MessageStamp } from './message-stamp.ts';
import { Orders, type OrderRequest, type OrdersDeps } from './orders.ts';

export interface FleetDeps
  extends
    Omit<EnrolmentDeps, 'deviceCa'>,
    Omit<ClaimDeskDeps, 'deviceCa'>,
    Pick<LifecycleDeps, 'disconnect' | 'refreshTls'> {
  readonly logger: Logger;
  readonly messaging: Messaging;
  readonly deviceCa: EnrolmentCa & RotatingCa;
  readonly director: EnrolmentDeps['director'] & OrdersDeps['director'] & LifecycleDeps['director'];
  readonly releaseOf: OrdersDeps['releaseOf'];
  readonly storeTelemetry: (trx: Kysely<Database>, deviceId: string, body: TelemetryBody) => Promise<void>;
}

export class Fleet implements AsyncDisposable {
  readonly #deps: FleetDeps;
  readonly #enrolment: Enrolment;
  readonly #lifecycle: DeviceLifecycle;
  /** What operators do with claims. */
  readonly claims: ClaimDesk;
  /** The authority that certifies devices. */
  readonly authority: Authority;
  readonly #orders: Orders;
  readonly #feed: DeploymentFeed;
  readonly #queue: IngestQueue<DeviceMessage>;
  readonly #stamp: MessageStamp;

  constructor(deps: FleetDeps) {
    this.#deps = deps;
    this.#stamp = new MessageStamp(deps.nowMs);
    this.#enrolment = new Enrolment(deps);
    this.#orders = new Orders({ ...deps, stamp: this.#stamp });
    this.#feed = new DeploymentFeed(deps.logger);
    this.#lifecycle = new DeviceLifecycle({
      ...deps,
      onOrderEnded: (deviceId, report) => this.#feed.push(deviceId, report),
    });
    this.claims = new ClaimDesk(deps);
    this.authority = new Authority({ ...deps, stamp: this.#stamp });
    const acknowledgements = new Acknowledgements({ ...deps, stamp: this.#stamp });
    const ingest = new Ingest({
      ...deps,
      onDeployment: (deviceId, report) => this.#feed.push(deviceId, report),
      onOutside: (deviceId, leaf) => void this.#lifecycle.clearRetained(deviceId, leaf),
      onStored: (deviceId, boot, upToSeq) => acknowledgements.add(deviceId, boot, upToSeq),
    });
    this.#queue = new IngestQueue({
      store: deps.store,
      apply: (trx, message) => ingest.apply(trx, message),
      onFailed: ({ deviceId, leaf }, error) => {
        deps.logger.error('a message could not be applied', { device: deviceId, leaf, error });
      },
      onBatch: () => acknowledgements.flush(),
    });
  }

  /** Finishes what was cut off, then listens to the devices. Add `onDeployment` listeners before. */
  async start(): Promise<void> {
    const { store, messaging, fleet } = this.#deps;
    // Who is there says so again: the broker knows of no connection older than this process, or keeps presence.
    await store.db.updateTable('devices').set({ online: 0 }).execute();
    await this.#orders.resume();
    await this.#followDecisions();
    for (const device of await this.listDevices()) {
      if (device.reported?.deployment != null) this.#feed.push(device.id, device.reported.deployment);
    }
    for (const leaf of DEVICE_LEAVES) {
      await messaging.subscribe(fleetFilter(fleet, leaf), (message) => this.#receive(message));
    }
    messaging.onReconnected(() => void this.#catchUp());
    await this.#askForReports();
  }

  enrolmentInfo(): EnrolmentInfo {
    return this.#enrolment.info();
  }

  enrol(request: EnrolRequest): Promise<EnrolResponse> {
    return this.#enrolment.enrol(request);
  }

  renew(deviceId: string, csrPem: string): Promise<RenewResponse> {
    return this.#enrolment.renew(deviceId, csrPem);
  }

  standing(deviceId: string): Promise<Standing> {
    return this.#enrolment.standing(deviceId);
  }

  /** The state of a device and its key; null when it never enrolled. */
  async admission(deviceId: string): Promise<Admission | null> {
    const row = await deviceRow(this.#deps.store.db, deviceId);
    return row === undefined ? null : { state: stateOf(row), keySha256: row.spki_sha256 };
  }

  /** By id; without decommissioned ones unless that state is asked for. */
  async listDevices(state?: DeviceState): Promise<Device[]> {
    return (await deviceRows(this.#deps.store.db, state)).map(deviceOf);
  }

  /** Carries out what a person decided about a device. Errors: `not-found`, `conflict`. */
  async decide(deviceId: string, decision: Decision): Promise<Device> {
    const device = await this.#lifecycle.decide(deviceId, decision);
    if (device.state === 'active') await this.#orders.republishTo(deviceId);
    return device;
  }

  /** Errors: `not-found`. */
  async getDevice(deviceId: string): Promise<Device> {
    return deviceOf(await existingDevice(this.#deps.store.db, deviceId));
  }

  order(deviceId: string, request: OrderRequest): Promise<{ readonly seq: number }> {
    return this.#orders.order(deviceId, request);
  }

  republishDesired(): Promise<void> {
    return this.#orders.republish();
  }

  /** `listener` gets every report of a deployment at least once, the newest of an order last. */
  onDeployment(listener: DeploymentListener): () => void {
    return this.#feed.subscribe(listener);
  }

  /** Resolves once all that came in so far is stored and followed. */
  async settled(): Promise<void> {
    await this.#queue.idle();
    await this.#feed.idle();
  }

  /** Finishes what decisions taken before a crash lead to. */
  async #followDecisions(): Promise<void> {
    for (const state of ['quarantined', 'revoked', 'decommissioned'] as const) {
      for (const row of await deviceRows(this.#deps.store.db, state)) {
        if (row.json_desired !== null) await this.#lifecycle.follow(row);
      }
    }
  }

  async #receive(received: ReceivedMessage): Promise<void> {
    if (received.payload.length === 0) return; // a retained message was cleared
    let message: DeviceMessage;
    try {
      message = deviceMessageOf(received);
    } catch (error) {
      this.#deps.logger.warn('a message was refused', { topic: received.topic, error });
      return;
    }
    await this.#queue.push(message);
  }

  async #catchUp(): Promise<void> {
    try {
      await this.#orders.republish();
      await this.#askForReports();
    } catch (error) {
      this.#deps.logger.error('devices could not be reached after a reconnection', { error });
    }
  }

  /** A device that stayed connected to an outside broker has no other reason to send its outbox again. */
  async #askForReports(): Promise<void> {
    const { fleet, messaging, logger } = this.#deps;
    for (const { id } of await deviceRows(this.#deps.store.db)) {
      const payload = encodeMessage('command', { ...this.#stamp.next(), body: { kind: 'report' } });
      messaging
        .publish(deviceTopic(fleet, id, 'command'), payload, { retain: false })
        .catch((error: unknown) => {
          logger.debug('a device was not asked to report', { device: id, error });
        });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#queue[Symbol.asyncDispose]();
    await this.#feed[Symbol.asyncDispose]();
  }
}
