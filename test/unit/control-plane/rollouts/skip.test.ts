// Devices that may have no orders, in the middle of rollouts of devices that may.

import { afterEach, beforeEach, expect, it } from 'vitest';
import { plan, RolloutWorld } from '#test/fakes/rollout-world.ts';

let world: RolloutWorld;
beforeEach(async () => {
  world = await RolloutWorld.open();
});
afterEach(() => world[Symbol.asyncDispose]());

const deviceOf = async (rollout: string, id: string) =>
  (await world.service.get(rollout)).devices.find(({ deviceId }) => deviceId === id);

async function soak(): Promise<void> {
  world.nowMs += 1_000;
  await world.controller.tick();
}

it.each([
  ['device-quarantined', 'device-quarantined'],
  ['device-revoked', 'device-revoked'],
] as const)(
  'passes over a device that is refused with %s, says so, and completes with the others',
  async (code, reason) => {
    world.refusals.set('b', code);
    const { id } = await world.service.create(plan(), 'test');
    await world.controller.tick();
    await world.report('a', 'healthy');
    await soak();
    expect(await deviceOf(id, 'b')).toMatchObject({ state: 'cancelled', reason, seq: null });
    await world.report('c', 'healthy');
    await soak();
    await soak();
    expect((await world.service.get(id)).phase).toBe('completed');
    expect(world.orders.map(({ deviceId }) => deviceId)).toEqual(['a', 'c']);
  },
);

it('a canary that is quarantined turns nothing around', async () => {
  world.refusals.set('a', 'device-quarantined');
  const { id } = await world.service.create(plan(), 'test');
  await world.controller.tick();
  await soak();
  await soak();
  expect(world.orders.map(({ deviceId }) => deviceId)).toEqual(['b', 'c']);
  expect((await world.service.get(id)).phase).toBe('progressing');
});

it('orders a device that was passed over once it may have orders and the rollout is resumed', async () => {
  world.refusals.set('b', 'device-quarantined');
  const { id } = await world.service.create(plan(), 'test');
  await world.controller.tick();
  await world.report('a', 'healthy');
  await soak();
  await world.service.pause(id, 'test');
  world.refusals.clear();
  await world.service.resume(id, 'test');
  await world.controller.tick();
  expect(world.lastOrder('b').version).toBe(2);
});

it('a revoked device that holds a version does not stand in the way of the rest', async () => {
  const { id } = await world.service.create(plan(), 'test');
  await world.controller.tick();
  await world.report('a', 'held');
  expect((await world.service.get(id)).phase).toBe('paused');
  world.refusals.set('a', 'device-revoked');
  await world.service.resume(id, 'test');
  expect(await deviceOf(id, 'a')).toMatchObject({ state: 'cancelled', reason: 'device-revoked' });
  await world.controller.tick();
  await soak();
  await soak();
  expect(world.orders.map(({ deviceId }) => deviceId)).toEqual(['a', 'b', 'c']);
});
