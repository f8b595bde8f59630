import { expect, test } from 'vitest';
import type { EventBody } from '#protocol/messages.ts';
import { AgentWorld } from '#test/fakes/agent-world.ts';

const events = (world: AgentWorld): EventBody[] =>
  world.state.outbox.flatMap(({ body }) => ('kind' in body ? [body] : []));

test('a person goes back one version with no network, and forward again', async () => {
  const world = await AgentWorld.start();
  await world.settleOn(1, 1);
  await world.settleOn(2, 2);
  world.transport.disconnect();
  world.artifacts.isAway = true;
  await world.supervisor.rollBack();
  expect(world.serves).toBe(1);
  expect(events(world).at(-1)).toMatchObject({
    kind: 'local-rollback',
    from: { version: 2 },
    to: { version: 1 },
  });
  await world.supervisor.rollBack();
  expect(world.serves).toBe(2);
});

test('the retained order does not undo it; a newer one does', async () => {
  const world = await AgentWorld.start();
  await world.settleOn(1, 1);
  await world.settleOn(2, 2);
  await world.supervisor.rollBack();
  world.order(2, 2, { mode: 'direct' });
  world.transport.disconnect();
  world.transport.connect();
  await world.clock.advance(60_000);
  expect(world.serves).toBe(1);
  world.order(3, 2, { mode: 'direct' });
  await world.untilState('probation', 3);
  expect(world.serves).toBe(2);
});

test('on probation it ends the deployment, and the version that was left is gone', async () => {
  const world = await AgentWorld.start();
  await world.settleOn(1, 1);
  world.publish(2);
  world.order(2, 2, { mode: 'direct' });
  await world.untilState('probation');
  await world.supervisor.rollBack();
  expect(world.serves).toBe(1);
  expect(world.report).toMatchObject({ seq: 2, state: 'rolled-back', reason: 'local-rollback' });
  await expect(world.supervisor.rollBack()).rejects.toMatchObject({ code: 'no-previous-version' });
});

test('while a candidate is tried it cancels that, and the candidate ends', async () => {
  const world = await AgentWorld.start();
  await world.settleOn(1, 1);
  await world.settleOn(2, 2);
  world.publish(3);
  world.order(3, 3);
  await world.untilState('shadow');
  await world.supervisor.rollBack();
  expect(world.serves).toBe(1);
  expect(world.report).toMatchObject({ seq: 3, state: 'cancelled', reason: 'local-rollback' });
  await world.until(() => world.runtime.workers.filter(({ isAlive }) => isAlive).length === 1);
});

test('with nothing to go back to it says so and changes nothing', async () => {
  const world = await AgentWorld.start();
  await expect(world.supervisor.rollBack()).rejects.toMatchObject({ code: 'no-previous-version' });
  await world.settleOn(1, 1);
  const { outbox } = world.state;
  await expect(world.supervisor.rollBack()).rejects.toMatchObject({ code: 'no-previous-version' });
  expect(world.serves).toBe(1);
  expect(world.state.outbox).toEqual(outbox);
});

test('survives a kill right behind it', async () => {
  const before = await AgentWorld.start();
  await before.settleOn(1, 1);
  await before.settleOn(2, 2);
  await before.supervisor.rollBack();
  const world = await before.killAndRestart();
  expect(world.serves).toBe(1);
  expect(world.state).toMatchObject({ active: 'a', previous: 'b' });
});
