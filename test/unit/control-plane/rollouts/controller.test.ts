// The controller and the service on a real SQLite file, with devices played by the test: what they report
// is given to the controller as the fleet would give it.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RolloutController, type OrderGiver } from '#control-plane/rollouts/controller.ts';
import { RolloutService } from '#control-plane/rollouts/service.ts';
import { createAudit } from '#control-plane/store/audit.ts';
import { openDatabase, type Store } from '#control-plane/store/database.ts';
import { createLiveEvents } from '#control-plane/store/live-events.ts';
import { createRolloutSchema } from '#protocol/api.ts';
import type { DeploymentState } from '#protocol/deployment.ts';
import type { Evidence } from '#protocol/evidence.ts';
import { errorCodeOf } from '#protocol/errors.ts';

interface Order {
  readonly deviceId: string;
  readonly seq: number;
  readonly version: number;
  readonly mode: string;
  readonly rolloutId: string;
}

let folder: string;
let store: Store;
let nowMs: number;
let orders: Order[];
let controller: RolloutController;
let service: RolloutService;
const failures: unknown[] = [];

const fleet: OrderGiver = {
  order(deviceId, { rolloutId, version, policy }) {
    const seq = orders.length + 1;
    orders.push({ deviceId, seq, version, mode: policy.mode, rolloutId });
    return Promise.resolve({ seq });
  },
};

/** A control plane that was killed and started again, on the same database. */
function start(): void {
  const events = createLiveEvents(store);
  const now = (): number => nowMs;
  controller = new RolloutController({
    store,
    fleet,
    events,
    now,
    onError: (_id, error) => failures.push(error),
  });
  service = new RolloutService({
    store,
    events,
    fleet,
    now,
    audit: createAudit(store, now),
    releaseOf: (_model, version) => Promise.resolve(version === 99 ? null : {}),
    wake: () => undefined,
  });
}

async function enrol(id: string, running: number | null): Promise<void> {
  const active =
    running === null
      ? null
      : { model: 'digits', version: running, profile: 'x86-cpu', weightsSha256: 'a'.repeat(64), sinceMs: 0 };
  await store.db
    .insertInto('devices')
    .values({
      id, profile: 'x86-cpu', json_labels: '{}', online: 1, last_seen_ms: 0, enrolled_at_ms: 0, desired_seq: 0,
      desired_model: null, desired_version: null, desired_rollout_id: null, json_desired: null,
      json_reported: JSON.stringify({ agentVersion: '0', profile: 'x86-cpu', active, previous: null, deployment: null, quarantined: [] }),
      reported_boot: null, reported_seq: 0,
    })
    .execute(); // prettier-ignore
}

async function serves(id: string, version: number): Promise<void> {
  const active = { model: 'digits', version, profile: 'x86-cpu', weightsSha256: 'a'.repeat(64), sinceMs: 0 };
  const report = {
    agentVersion: '0',
    profile: 'x86-cpu',
    active,
    previous: null,
    deployment: null,
    quarantined: [],
  };
  await store.db
    .updateTable('devices')
    .set({ json_reported: JSON.stringify(report) })
    .where('id', '=', id)
    .execute();
}

function lastOrder(deviceId: string): Order {
  const order = orders.findLast((one) => one.deviceId === deviceId);
  if (order === undefined) throw new Error(`${deviceId} was given no order`);
  return order;
}

async function report(deviceId: string, state: DeploymentState, evidence: Evidence[] = []): Promise<void> {
  const { rolloutId, seq, version } = lastOrder(deviceId);
  if (state === 'healthy') await serves(deviceId, version);
  const reason = state === 'failed' ? ({ reason: 'golden-mismatch' } as const) : {};
  await controller.onDeployment(deviceId, {
    rolloutId,
    seq,
    state,
    evidence,
    history: [],
    attempts: 1,
    ...reason,
  });
}

const plan = (extra: object = {}) =>
  createRolloutSchema.parse({
    model: 'digits',
    version: 2,
    waves: [
      { size: { count: 1 }, soakMs: 1_000 },
      { size: { percent: 100 }, soakMs: 1_000 },
    ],
    gates: { deviceDeadlineMs: 60_000 },
    ...extra,
  });

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-rollouts-'));
  store = await openDatabase({ dataDir: folder });
  nowMs = 1_000_000;
  orders = [];
  failures.length = 0;
  start();
  for (const id of ['a', 'b', 'c']) await enrol(id, 1);
});

afterEach(async () => {
  expect(failures).toEqual([]);
  await store[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

describe('a rollout', () => {
  it('asks the canary first, soaks, then the rest, and completes', async () => {
    const { id } = await service.create(plan(), 'test');
    await controller.tick();
    expect(orders.map((order) => order.deviceId)).toEqual(['a']);
    await report('a', 'healthy');
    expect(orders).toHaveLength(1);
    nowMs += 1_000;
    await controller.tick();
    expect(orders.map((order) => order.deviceId)).toEqual(['a', 'b', 'c']);
    await report('b', 'healthy');
    await report('c', 'healthy');
    expect((await service.get(id)).phase).toBe('progressing');
    nowMs += 1_000;
    await controller.tick();
    expect((await service.get(id)).phase).toBe('completed');
  });

  it('is turned around by a failed canary, which is told to run what it ran before', async () => {
    const { id } = await service.create(plan(), 'test');
    await controller.tick();
    await report('a', 'failed');
    expect(lastOrder('a')).toMatchObject({ version: 1, mode: 'direct' });
    expect((await service.get(id)).phase).toBe('rolling-back');
    await report('a', 'healthy');
    const ended = await service.get(id);
    expect(ended.phase).toBe('rolled-back');
    expect(ended.reason).toContain('golden-mismatch');
    expect(orders.map((order) => order.deviceId)).toEqual(['a', 'a']);
  });

  it('goes on where it was after the control plane was killed at every step', async () => {
    const { id } = await service.create(plan(), 'test');
    for (const step of [
      () => controller.tick(),
      () => report('a', 'shadow'),
      () => report('a', 'healthy'),
      () => Promise.resolve((nowMs += 1_000)),
      () => controller.tick(),
      () => report('b', 'healthy'),
      () => report('c', 'healthy'),
      () => Promise.resolve((nowMs += 1_000)),
      () => controller.tick(),
    ]) {
      await store[Symbol.asyncDispose]();
      store = await openDatabase({ dataDir: folder });
      start();
      await step();
    }
    expect((await service.get(id)).phase).toBe('completed');
    expect(orders).toHaveLength(3);
  });

  it('holds for a person, and gives the held device the version directly when she resumes', async () => {
    const { id } = await service.create(plan(), 'test');
    await controller.tick();
    await report('a', 'held');
    expect((await service.get(id)).phase).toBe('paused');
    await service.resume(id, 'test');
    await controller.tick();
    expect(lastOrder('a')).toMatchObject({ version: 2, mode: 'direct' });
    await report('a', 'healthy');
    expect((await service.get(id)).soakUntilMs).toBe(nowMs + 1_000);
  });

  it('sends back only devices in the middle when it is aborted', async () => {
    const { id } = await service.create(plan(), 'test');
    await controller.tick();
    await report('a', 'healthy');
    nowMs += 1_000;
    await controller.tick();
    await service.abort(id, 'test');
    await controller.tick();
    expect(lastOrder('a').version).toBe(2);
    expect(lastOrder('b')).toMatchObject({ version: 1, mode: 'direct' });
    expect(lastOrder('c')).toMatchObject({ version: 1, mode: 'direct' });
  });

  it('gives no order while paused', async () => {
    const { id } = await service.create(plan(), 'test');
    await controller.tick();
    await service.pause(id, 'test');
    await report('a', 'healthy');
    nowMs += 10_000;
    await controller.tick();
    expect(orders).toHaveLength(1);
    await service.resume(id, 'test');
    await controller.tick();
    nowMs += 10_000;
    await controller.tick();
    expect(orders).toHaveLength(3);
  });

  it('counts a device that stays silent as failed at its deadline', async () => {
    const { id } = await service.create(plan(), 'test');
    await controller.tick();
    nowMs += 60_001;
    await controller.tick();
    const rollout = await service.get(id);
    expect(rollout.phase).toBe('rolling-back');
    expect(rollout.devices.find((device) => device.deviceId === 'a')?.reason).toBe('timeout');
  });

  it('notices a device that was rolled back by hand while the wave soaks', async () => {
    const { id } = await service.create(plan(), 'test');
    await controller.tick();
    await report('a', 'healthy');
    await serves('a', 1);
    await controller.tick();
    expect((await service.get(id)).reason).toContain('local-rollback');
  });

  it('brings every device back when an operator rolls a completed one back', async () => {
    const { id } = await service.create(plan({ waves: [{ size: { percent: 100 }, soakMs: 0 }] }), 'test');
    await controller.tick();
    for (const device of ['a', 'b', 'c']) await report(device, 'healthy');
    await controller.tick();
    expect((await service.get(id)).phase).toBe('completed');
    await service.rollback(id, 'test');
    await controller.tick();
    for (const device of ['a', 'b', 'c'])
      expect(lastOrder(device)).toMatchObject({ version: 1, mode: 'direct' });
    for (const device of ['a', 'b', 'c']) await report(device, 'healthy');
    expect((await service.get(id)).phase).toBe('rolled-back');
  });

  it('ignores late reports of an order that has ended or was replaced', async () => {
    const { id } = await service.create(plan(), 'test');
    await controller.tick();
    const { seq, rolloutId } = lastOrder('a');
    await report('a', 'failed');
    await controller.onDeployment('a', {
      rolloutId,
      seq,
      state: 'healthy',
      evidence: [],
      history: [],
      attempts: 1,
    });
    expect((await service.get(id)).devices.find((device) => device.deviceId === 'a')?.state).toBe('failed');
  });

  it('answers the first rollout again for the same request id', async () => {
    const first = await service.create(plan({ requestId: 'same-request' }), 'test');
    const second = await service.create(plan({ requestId: 'same-request' }), 'test');
    expect(second.id).toBe(first.id);
  });

  it('takes a command that was repeated because its answer was lost', async () => {
    const { id } = await service.create(plan(), 'test');
    await service.pause(id, 'test');
    expect((await service.pause(id, 'test')).phase).toBe('paused');
    await service.rollback(id, 'test');
    expect((await service.rollback(id, 'test')).phase).toBe('rolling-back');
    await controller.tick();
    expect((await service.rollback(id, 'test')).phase).toBe('rolled-back');
  });

  it('waits for its time, and for approval', async () => {
    const timed = await service.create(plan({ startAtMs: nowMs + 500 }), 'test');
    await controller.tick();
    expect(orders).toHaveLength(0);
    nowMs += 500;
    await controller.tick();
    expect(orders).toHaveLength(1);
    await service.abort(timed.id, 'test');
    await controller.tick();
    const gated = await service.create(plan({ approval: true }), 'test');
    await controller.tick();
    expect(gated.phase).toBe('awaiting-approval');
    expect((await service.start(gated.id, 'test')).phase).toBe('progressing');
  });
});

describe('a rollout is refused', () => {
  const codeOf = (promise: Promise<unknown>): Promise<string> => promise.then(() => 'nothing', errorCodeOf);

  it('when another is open on its devices', async () => {
    await service.create(plan(), 'test');
    expect(await codeOf(service.create(plan({ version: 3 }), 'test'))).toBe('conflict');
  });

  it('when a profile has no signed release', async () => {
    expect(await codeOf(service.create(plan({ version: 99 }), 'test'))).toBe('profile-unknown');
  });

  it('when the selector matches nothing or names strangers', async () => {
    expect(await codeOf(service.create(plan({ selector: { labels: { site: 'nowhere' } } }), 'test'))).toBe(
      'selector-empty',
    );
    expect(await codeOf(service.create(plan({ selector: { devices: ['nobody'] } }), 'test'))).toBe(
      'not-found',
    );
  });

  it('when the command means nothing in its phase', async () => {
    const { id } = await service.create(plan({ draft: true }), 'test');
    expect(await codeOf(service.resume(id, 'test'))).toBe('wrong-phase');
    expect(await codeOf(service.pause('ro-none', 'test'))).toBe('not-found');
  });
});
