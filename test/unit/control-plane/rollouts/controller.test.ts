// Devices are played by the test; the database is real.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { plan, RolloutWorld } from '#test/fakes/rollout-world.ts';

let world: RolloutWorld;
beforeEach(async () => {
  world = await RolloutWorld.open();
});
afterEach(() => world[Symbol.asyncDispose]());

describe('a rollout', () => {
  it('asks the canary first, soaks, then the rest, and completes', async () => {
    const { id } = await world.service.create(plan(), 'test');
    await world.controller.tick();
    expect(world.orders.map((order) => order.deviceId)).toEqual(['a']);
    await world.report('a', 'healthy');
    expect(world.orders).toHaveLength(1);
    world.nowMs += 1_000;
    await world.controller.tick();
    expect(world.orders.map((order) => order.deviceId)).toEqual(['a', 'b', 'c']);
    await world.report('b', 'healthy');
    await world.report('c', 'healthy');
    expect((await world.service.get(id)).phase).toBe('progressing');
    world.nowMs += 1_000;
    await world.controller.tick();
    expect((await world.service.get(id)).phase).toBe('completed');
  });

  it('is turned around by a failed canary, which is told to run what it ran before', async () => {
    const { id } = await world.service.create(plan(), 'test');
    await world.controller.tick();
    await world.report('a', 'failed');
    expect(world.lastOrder('a')).toMatchObject({ version: 1, mode: 'direct' });
    expect((await world.service.get(id)).phase).toBe('rolling-back');
    await world.report('a', 'healthy');
    const ended = await world.service.get(id);
    expect(ended.phase).toBe('rolled-back');
    expect(ended.reason).toContain('golden-mismatch');
    expect(world.orders.map((order) => order.deviceId)).toEqual(['a', 'a']);
  });

  it('goes on where it was after the control plane was killed at every step', async () => {
    const { id } = await world.service.create(plan(), 'test');
    for (const step of [
      () => world.controller.tick(),
      () => world.report('a', 'shadow'),
      () => world.report('a', 'healthy'),
      () => Promise.resolve((world.nowMs += 1_000)),
      () => world.controller.tick(),
      () => world.report('b', 'healthy'),
      () => world.report('c', 'healthy'),
      () => Promise.resolve((world.nowMs += 1_000)),
      () => world.controller.tick(),
    ]) {
      await world.restart();
      await step();
    }
    expect((await world.service.get(id)).phase).toBe('completed');
    expect(world.orders).toHaveLength(3);
  });

  it('holds for a person, and gives the held device the version directly when she resumes', async () => {
    const { id } = await world.service.create(plan(), 'test');
    await world.controller.tick();
    await world.report('a', 'held');
    expect((await world.service.get(id)).phase).toBe('paused');
    await world.service.resume(id, 'test');
    await world.controller.tick();
    expect(world.lastOrder('a')).toMatchObject({ version: 2, mode: 'direct' });
    await world.report('a', 'healthy');
    expect((await world.service.get(id)).soakUntilMs).toBe(world.nowMs + 1_000);
  });

  it('sends back only devices in the middle when it is aborted', async () => {
    const { id } = await world.service.create(plan(), 'test');
    await world.controller.tick();
    await world.report('a', 'healthy');
    world.nowMs += 1_000;
    await world.controller.tick();
    await world.service.abort(id, 'test');
    await world.controller.tick();
    expect(world.lastOrder('a').version).toBe(2);
    expect(world.lastOrder('b')).toMatchObject({ version: 1, mode: 'direct' });
    expect(world.lastOrder('c')).toMatchObject({ version: 1, mode: 'direct' });
  });

  it('gives no order while paused', async () => {
    const { id } = await world.service.create(plan(), 'test');
    await world.controller.tick();
    await world.service.pause(id, 'test');
    await world.report('a', 'healthy');
    world.nowMs += 10_000;
    await world.controller.tick();
    expect(world.orders).toHaveLength(1);
    await world.service.resume(id, 'test');
    await world.controller.tick();
    world.nowMs += 10_000;
    await world.controller.tick();
    expect(world.orders).toHaveLength(3);
  });

  it('counts a device that stays silent as failed at its deadline', async () => {
    const { id } = await world.service.create(plan(), 'test');
    await world.controller.tick();
    world.nowMs += 60_001;
    await world.controller.tick();
    const rollout = await world.service.get(id);
    expect(rollout.phase).toBe('rolling-back');
    expect(rollout.devices.find((device) => device.deviceId === 'a')?.reason).toBe('timeout');
  });

  it('notices a device that was rolled back by hand while the wave soaks', async () => {
    const { id } = await world.service.create(plan(), 'test');
    await world.controller.tick();
    await world.report('a', 'healthy');
    await world.serves('a', 1);
    await world.controller.tick();
    expect((await world.service.get(id)).reason).toContain('local-rollback');
  });

  it('brings every device back when an operator rolls a completed one back', async () => {
    const { id } = await world.service.create(
      plan({ waves: [{ size: { percent: 100 }, soakMs: 0 }] }),
      'test',
    );
    await world.controller.tick();
    for (const device of ['a', 'b', 'c']) await world.report(device, 'healthy');
    await world.controller.tick();
    expect((await world.service.get(id)).phase).toBe('completed');
    await world.service.rollback(id, 'test');
    await world.controller.tick();
    for (const device of ['a', 'b', 'c'])
      expect(world.lastOrder(device)).toMatchObject({ version: 1, mode: 'direct' });
    for (const device of ['a', 'b', 'c']) await world.report(device, 'healthy');
    expect((await world.service.get(id)).phase).toBe('rolled-back');
  });

  it('ignores late reports of an order that has ended or was replaced', async () => {
    const { id } = await world.service.create(plan(), 'test');
    await world.controller.tick();
    const { seq, rolloutId } = world.lastOrder('a');
    await world.report('a', 'failed');
    await world.controller.onDeployment('a', {
      rolloutId,
      seq,
      state: 'healthy',
      evidence: [],
      history: [],
      attempts: 1,
    });
    expect((await world.service.get(id)).devices.find((device) => device.deviceId === 'a')?.state).toBe(
      'failed',
    );
  });

  it('answers the first rollout again for the same request id', async () => {
    const first = await world.service.create(plan({ requestId: 'same-request' }), 'test');
    const second = await world.service.create(plan({ requestId: 'same-request' }), 'test');
    expect(second.id).toBe(first.id);
  });

  it('takes a command that was repeated because its answer was lost', async () => {
    const { id } = await world.service.create(plan(), 'test');
    await world.service.pause(id, 'test');
    expect((await world.service.pause(id, 'test')).phase).toBe('paused');
    await world.service.rollback(id, 'test');
    expect((await world.service.rollback(id, 'test')).phase).toBe('rolling-back');
    await world.controller.tick();
    expect((await world.service.rollback(id, 'test')).phase).toBe('rolled-back');
  });

  it('waits for its time, and for approval', async () => {
    const timed = await world.service.create(plan({ startAtMs: world.nowMs + 500 }), 'test');
    await world.controller.tick();
    expect(world.orders).toHaveLength(0);
    world.nowMs += 500;
    await world.controller.tick();
    expect(world.orders).toHaveLength(1);
    await world.service.abort(timed.id, 'test');
    await world.controller.tick();
    const gated = await world.service.create(plan({ approval: true }), 'test');
    await world.controller.tick();
    expect(gated.phase).toBe('awaiting-approval');
    expect((await world.service.start(gated.id, 'test')).phase).toBe('progressing');
  });
});
