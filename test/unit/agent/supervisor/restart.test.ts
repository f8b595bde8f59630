import { describe, expect, test } from 'vitest';
import { MAX_ATTEMPTS, type DeploymentState } from '#protocol/deployment.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { AgentWorld } from '#test/fakes/agent-world.ts';

/** A device on version 1 that is ordered to version 2, brought to the moment it enters a state. */
async function upgradeAt(state: DeploymentState): Promise<AgentWorld> {
  const world = await AgentWorld.start();
  await world.settleOn(1, 1);
  world.publish(2);
  const reached = new Promise<void>((resolve) => {
    const update = world.journal.update.bind(world.journal);
    world.journal.update = async (change) => {
      const after = await update(change);
      if (after.deployment?.report.state === state && after.deployment.report.seq === 2) resolve();
      return after;
    };
  });
  world.order(2, 2);
  if (state === 'activating' || state === 'probation') {
    void world.trafficUntil(() => world.report?.state === 'probation').catch(() => undefined);
  }
  await reached;
  return world;
}

async function finish(world: AgentWorld): Promise<void> {
  await world.until(() => world.report?.state === 'shadow' || world.report?.state === 'probation');
  await world.trafficUntil(() => world.report?.state === 'probation');
  await world.passUntil(1_000, () => world.report?.state === 'healthy');
}

describe('a process killed while the deployment is', () => {
  test.each(['notified', 'preflight', 'downloading', 'verifying', 'loading', 'golden', 'shadow'] as const)(
    '%s serves the old version again first, then goes on and ends well',
    async (state) => {
      const world = await (await upgradeAt(state)).killAndRestart();
      expect(world.serves).toBe(1);
      await finish(world);
      expect(world.serves).toBe(2);
      expect(world.report).toMatchObject({ state: 'healthy', attempts: state === 'notified' ? 1 : 2 });
    },
  );

  test('activating serves whichever was committed, and ends well', async () => {
    const world = await (await upgradeAt('activating')).killAndRestart();
    expect([1, 2]).toContain(world.serves);
    await finish(world);
    expect(world.serves).toBe(2);
  });

  test('activating, right behind the flip, serves the new version first and keeps the old one warm', async () => {
    const before = await upgradeAt('activating');
    await before.until(() => before.state.active === 'b');
    const world = await before.killAndRestart();
    expect(world.serves).toBe(2);
    expect(world.report?.state).toBe('probation');
    await world.until(() => world.runtime.workers.length === 2);
    await finish(world);
  });

  test('on probation serves the new version, watches it anew, and can still go back', async () => {
    const before = await upgradeAt('probation');
    before.publish(2, (worker) => {
      worker.auto = () => Promise.reject(new HoldfastError('internal', 'no'));
    });
    const world = await before.killAndRestart();
    expect(world.serves).toBe(2);
    await world.trafficUntil(() => world.report?.state === 'rolled-back');
    await world.until(() => world.serves === 1);
    expect(world.report).toMatchObject({ reason: 'probation-regression', attempts: 2 });
  });
});

test('a deployment that is restarted too often is given up, and the old version stays', async () => {
  let world = await upgradeAt('shadow');
  for (let count = 1; count < MAX_ATTEMPTS; count++) {
    world = await world.killAndRestart();
    await world.untilState('shadow');
  }
  world = await world.killAndRestart();
  expect(world.report).toMatchObject({ state: 'failed', reason: 'crash-loop', attempts: MAX_ATTEMPTS + 1 });
  expect(world.serves).toBe(1);
});

test('a release that brings the agent down again and again on probation is taken back', async () => {
  let world = await upgradeAt('probation');
  for (let count = 1; count < MAX_ATTEMPTS; count++) world = await world.killAndRestart();
  expect(world.serves).toBe(2);
  world = await world.killAndRestart();
  expect(world.report).toMatchObject({ state: 'rolled-back', reason: 'crash-loop' });
  expect(world.serves).toBe(1);
});

test('a release that cannot be brought up again is left for the one before it', async () => {
  const before = await upgradeAt('probation');
  await before.passUntil(1_000, () => before.report?.state === 'healthy');
  before.publish(2, (worker) => worker.kill());
  const world = await before.killAndRestart();
  await world.passUntil(1_000, () => world.serves === 1);
  expect(world.state).toMatchObject({ active: 'a', previous: null });
  const events = world.state.outbox.flatMap(({ body }) => ('kind' in body ? [body.kind] : []));
  expect(events).toContain('local-rollback');
});

test('a release whose bytes went bad on disk is left for the one before it, though nobody answers', async () => {
  const before = await upgradeAt('probation');
  await before.passUntil(1_000, () => before.report?.state === 'healthy');
  const { variant, contract } = before.state.slots.a!.manifest;
  await before.artifacts.keepOnly(new Set([variant.weights.sha256, contract.golden.sha256]));
  const world = await before.killAndRestart((next) => (next.artifacts.isAway = true));
  await world.passUntil(1_000, () => world.serves === 1);
  expect(world.state).toMatchObject({ active: 'a', previous: null });
});

test('weights that crash again and again in service are quarantined, left, and not taken again', async () => {
  const world = await upgradeAt('probation');
  await world.passUntil(1_000, () => world.report?.state === 'healthy');
  for (let crash = 0; crash < 5 && world.serves === 2; crash++) {
    const alive = world.runtime.workers.filter(({ isAlive, loaded }) => isAlive && loaded !== null);
    alive.at(-1)?.kill();
    await world.passUntil(
      10,
      () =>
        world.serves !== 2 ||
        world.runtime.workers.some((w) => w.isAlive && !alive.includes(w) && w.auto !== null),
    );
  }
  await world.passUntil(10, () => world.serves === 1);
  expect(world.state.quarantined).toHaveLength(1);
  world.order(3, 2);
  await world.untilState('failed', 3);
  expect(world.report).toMatchObject({ reason: 'quarantined' });
});

test('weights that crash again and again with nothing before them rest, and are tried again', async () => {
  const world = await AgentWorld.start();
  await world.settleOn(1, 1);
  for (let crash = 0; crash < 5; crash++) {
    await world.until(() => world.supervisor.serving.active?.state === 'ready');
    world.runtime.workers.findLast(({ isAlive }) => isAlive)?.kill();
    await world.passUntil(10, () => world.supervisor.serving.active?.state !== 'down');
  }
  expect(world.serves).toBeNull();
  expect((await world.supervisor.status()).serving).toBeNull();
  const workers = world.runtime.workers.length;
  await world.clock.advance(30_000);
  expect(world.runtime.workers).toHaveLength(workers);
  await world.passUntil(1_000, () => world.supervisor.serving.active?.state === 'ready');
  expect(world.serves).toBe(1);
});
