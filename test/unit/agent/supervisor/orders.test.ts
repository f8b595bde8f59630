import { describe, expect, test } from 'vitest';
import { STATE_DEADLINE_MS } from '#protocol/deployment.ts';
import { HoldfastError } from '#protocol/errors.ts';
import type { EventBody } from '#protocol/messages.ts';
import { anOrder } from '#test/fakes/agent-releases.ts';
import { AgentWorld } from '#test/fakes/agent-world.ts';

const events = (world: AgentWorld): EventBody[] =>
  world.state.outbox.flatMap(({ body }) => ('kind' in body ? [body] : []));
const refusals = (world: AgentWorld): string[] =>
  events(world).flatMap((event) => (event.kind === 'refused' ? [event.code] : []));

describe('a hint', () => {
  test('whose order cannot be had yet waits in `notified`, and goes on when it can', async () => {
    const world = await AgentWorld.start();
    world.publish(1);
    world.verifier.failure = new HoldfastError('tuf-unavailable', 'no answer');
    world.order(1, 1);
    await world.untilState('notified');
    await world.clock.advance(30_000);
    expect(world.report?.state).toBe('notified');
    expect(world.verifier.looks).toBeGreaterThan(5);
    world.verifier.failure = null;
    await world.passUntil(1_000, () => world.report?.state === 'probation');
  });

  test('whose order never comes fails at its deadline, and says why', async () => {
    const world = await AgentWorld.start();
    world.verifier.failure = new HoldfastError('tuf-expired', 'the metadata has expired');
    world.order(1, 1);
    await world.untilState('notified');
    await world.passUntil(5_000, () => world.report?.state === 'failed');
    expect(world.report).toMatchObject({
      reason: 'metadata-refused',
      detail: expect.stringContaining('has expired'),
    });
    expect(world.state.highestSeq).toBe(0);
  });

  test('that nothing stands behind never disturbs a deployment, and is told as refused', async () => {
    const world = await AgentWorld.start();
    await world.settleOn(1, 1);
    world.publish(2);
    world.order(2, 2);
    await world.untilState('shadow');
    world.transport.desired({ rolloutId: 'forged', seq: 999_999, targetPath: 'digits/9/cpu-generic.json' });
    await world.passUntil(5_000, () => refusals(world).length > 0);
    expect(refusals(world)).toEqual(['tuf-mismatch']);
    expect(world.report).toMatchObject({ seq: 2, state: 'shadow' });
    expect(world.state.highestSeq).toBe(2);
    await world.trafficUntil(() => world.report?.state === 'probation');
  });

  test('of an older order is refused as a replay, once', async () => {
    const world = await AgentWorld.start();
    await world.settleOn(5, 1);
    const old = { rolloutId: 'r', seq: 4, targetPath: 'digits/1/cpu-generic.json' };
    world.transport.desired(old);
    world.transport.desired(old);
    await world.until(() => refusals(world).length > 0);
    expect(refusals(world)).toEqual(['replayed']);
    expect(world.report).toMatchObject({ seq: 5, state: 'healthy' });
  });

  test('that is delivered again is no news', async () => {
    const world = await AgentWorld.start();
    await world.settleOn(1, 1);
    const { report } = world;
    world.order(1, 1);
    world.transport.disconnect();
    world.transport.connect();
    await world.clock.advance(60_000);
    expect(world.report).toEqual(report);
    expect(refusals(world)).toEqual([]);
  });
});

describe('a newer order', () => {
  test.each(['downloading', 'shadow'] as const)('takes the place of one that is %s', async (state) => {
    const world = await AgentWorld.start();
    await world.settleOn(1, 1);
    world.publish(2);
    world.publish(3);
    if (state === 'downloading') world.artifacts.isAway = true;
    world.order(2, 2);
    await world.untilState(state);
    world.order(3, 3, { mode: 'direct' });
    await world.until(() => world.report?.seq === 3);
    world.artifacts.connect();
    await world.untilState('probation', 3);
    expect(world.serves).toBe(3);
    const ended = events(world).findLast((event) => event.kind === 'deployment' && event.report.seq === 2);
    expect(ended).toMatchObject({ report: { state: 'superseded', reason: 'superseded' } });
  });

  test('to go back, during probation, is done at once by the warm version', async () => {
    const world = await AgentWorld.start();
    await world.settleOn(1, 1);
    world.publish(2);
    world.order(2, 2, { mode: 'direct' });
    await world.untilState('probation', 2);
    const workers = world.runtime.workers.length;
    world.order(3, 1, { mode: 'direct' });
    await world.untilState('healthy', 3);
    await world.until(() => world.serves === 1);
    expect(world.runtime.workers).toHaveLength(workers);
  });

  test('to go back, after probation, loads what is still on disk', async () => {
    const world = await AgentWorld.start();
    await world.settleOn(1, 1);
    await world.settleOn(2, 2);
    const fetched = world.artifacts.fetched.length;
    world.order(3, 1, { mode: 'direct' });
    await world.untilState('probation', 3);
    expect(world.serves).toBe(1);
    expect(world.artifacts.fetched).toHaveLength(fetched);
  });

  test('for what serves already is healthy at once', async () => {
    const world = await AgentWorld.start();
    await world.settleOn(1, 1);
    world.order(2, 1);
    await world.untilState('healthy', 2);
    expect(world.state.highestSeq).toBe(2);
  });

  test('for the release on probation waits for its verdict', async () => {
    const world = await AgentWorld.start();
    world.publish(1);
    world.order(1, 1);
    await world.untilState('probation', 1);
    world.order(2, 1);
    const orderedAtMs = world.clock.nowMs();
    await world.clock.advance(2_000);
    expect(world.report).toMatchObject({ seq: 1, state: 'probation' });
    await world.passUntil(500, () => world.report?.state === 'healthy');
    await world.untilState('healthy', 2);
    expect(world.clock.nowMs() - orderedAtMs).toBeLessThan(20_000); // not by the next poll
    const first = events(world).findLast((event) => event.kind === 'deployment' && event.report.seq === 1);
    expect(first).toMatchObject({ report: { state: 'healthy' } });
  });
});

test('a step that takes longer than its state may is ended', async () => {
  const world = await AgentWorld.start();
  world.publish(1);
  world.artifacts.isAway = true;
  world.order(1, 1);
  await world.untilState('downloading');
  await world.passUntil(STATE_DEADLINE_MS.downloading / 4, () => world.report?.state === 'failed');
  expect(world.report).toMatchObject({ reason: 'timeout' });
});

test('an order below the highest is refused, whoever signed it', async () => {
  const world = await AgentWorld.start();
  await world.settleOn(5, 1);
  world.publish(2);
  world.verifier.order = anOrder({ seq: 4, version: 2 });
  await world.clock.advance(60_000);
  expect(world.report).toMatchObject({ seq: 5 });
  expect(world.serves).toBe(1);
});
