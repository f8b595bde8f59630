// Rollout controller and service on a real SQLite file, with devices played by the test: what they report
// is given to the controller as the fleet would give it.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { RolloutController, type OrderGiver } from '#control-plane/rollouts/controller.ts';
import { RolloutService, type CreateRolloutRequest } from '#control-plane/rollouts/service.ts';
import { createAudit } from '#control-plane/store/audit.ts';
import { openDatabase, type Store } from '#control-plane/store/database.ts';
import { createLiveEvents } from '#control-plane/store/live-events.ts';
import { createRolloutSchema } from '#protocol/api.ts';
import type { DeploymentState } from '#protocol/deployment.ts';
import { HoldfastError, type ErrorCode } from '#protocol/errors.ts';
import type { Evidence } from '#protocol/evidence.ts';
import type { ReportedBody } from '#protocol/messages.ts';

export interface GivenOrder {
  readonly deviceId: string;
  readonly seq: number;
  readonly version: number;
  readonly mode: string;
  readonly rolloutId: string;
}

/** Two waves, a canary of one, with a second of soak each. */
export function plan(extra: object = {}): CreateRolloutRequest {
  return createRolloutSchema.parse({
    model: 'digits',
    version: 2,
    waves: [
      { size: { count: 1 }, soakMs: 1_000 },
      { size: { percent: 100 }, soakMs: 1_000 },
    ],
    gates: { deviceDeadlineMs: 60_000 },
    ...extra,
  });
}

function reportOf(version: number): ReportedBody {
  const active = { model: 'digits', version, profile: 'x86-cpu', weightsSha256: 'a'.repeat(64), sinceMs: 0 };
  return { agentVersion: '0', profile: 'x86-cpu', active, previous: null, deployment: null, quarantined: [] };
}

export class RolloutWorld implements AsyncDisposable {
  nowMs = 1_000_000;
  readonly orders: GivenOrder[] = [];
  /** Devices that may have no orders, with the code they are refused with. */
  readonly refusals = new Map<string, ErrorCode>();
  readonly #failures: unknown[] = [];
  readonly #folder: string;
  #store: Store;
  controller: RolloutController;
  service: RolloutService;

  /** A world with the devices a, b and c, which run version 1. */
  static async open(): Promise<RolloutWorld> {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-rollouts-'));
    const world = new RolloutWorld(folder, await openDatabase({ dataDir: folder }));
    for (const id of ['a', 'b', 'c']) await world.#enrol(id);
    return world;
  }

  private constructor(folder: string, store: Store) {
    this.#folder = folder;
    this.#store = store;
    [this.controller, this.service] = this.#start();
  }

  /** The control plane is killed and started again on the same database. */
  async restart(): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
    this.#store = await openDatabase({ dataDir: this.#folder });
    [this.controller, this.service] = this.#start();
  }

  /** The device says that it serves this version. */
  async serves(id: string, version: number): Promise<void> {
    const change = { json_reported: JSON.stringify(reportOf(version)) };
    await this.#store.db.updateTable('devices').set(change).where('id', '=', id).execute();
  }

  lastOrder(deviceId: string): GivenOrder {
    const order = this.orders.findLast((one) => one.deviceId === deviceId);
    if (order === undefined) throw new Error(`${deviceId} was given no order`);
    return order;
  }

  /** The device reports how its last order goes. */
  async report(deviceId: string, state: DeploymentState, evidence: Evidence[] = []): Promise<void> {
    const { rolloutId, seq, version } = this.lastOrder(deviceId);
    if (state === 'healthy') await this.serves(deviceId, version);
    const reason = state === 'failed' ? ({ reason: 'golden-mismatch' } as const) : {};
    const report = { rolloutId, seq, state, evidence, history: [], attempts: 1, ...reason };
    await this.controller.onDeployment(deviceId, report);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true });
    expect(this.#failures).toEqual([]);
  }

  #start(): [RolloutController, RolloutService] {
    const store = this.#store;
    const events = createLiveEvents(store);
    const now = (): number => this.nowMs;
    const fleet: OrderGiver = {
      order: (deviceId, { rolloutId, version, policy }) => {
        const refusal = this.refusals.get(deviceId);
        if (refusal !== undefined)
          return Promise.reject(new HoldfastError(refusal, `no orders for ${deviceId}`));
        const seq = this.orders.length + 1;
        this.orders.push({ deviceId, seq, version, mode: policy.mode, rolloutId });
        return Promise.resolve({ seq });
      },
    };
    const onError = (_id: string, error: unknown): void => void this.#failures.push(error);
    const audit = createAudit(store, now);
    const releaseOf = (_model: string, version: number) => Promise.resolve(version === 99 ? null : {});
    return [
      new RolloutController({ store, fleet, events, now, onError }),
      new RolloutService({ store, events, audit, fleet, releaseOf, now, wake: () => undefined }),
    ];
  }

  async #enrol(id: string): Promise<void> {
    await this.#store.db
      .insertInto('devices')
      .values({
        id, profile: 'x86-cpu', json_labels: '{}', online: 1, last_seen_ms: 0, enrolled_at_ms: 0, desired_seq: 0,
        state: 'active', state_reason: null, state_actor: null, state_at_ms: null, spki_sha256: null,
        certificate_ca: null, certificate_expires_ms: null,
        desired_model: null, desired_version: null, desired_rollout_id: null, json_order: null, json_desired: null,
        json_reported: JSON.stringify(reportOf(1)), reported_boot: null, reported_seq: 0,
      })
      .execute(); // prettier-ignore
  }
}
