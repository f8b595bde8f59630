import { describe, expect, test } from 'vitest';
import { HoldfastError } from '#protocol/errors.ts';
import { AgentWorld, answers } from '#test/fakes/agent-world.ts';

const states = (world: AgentWorld): string[] => (world.report?.history ?? []).map(({ to }) => to);

describe('a first release', () => {
  test('goes from order to service through every gate but the shadow, and stays', async () => {
    const world = await AgentWorld.start();
    world.publish(1);
    world.order(1, 1);
    await world.untilState('probation');
    expect(world.serves).toBe(1);
    await world.clock.advance(9_999);
    expect(world.report?.state).toBe('probation');
    await world.passUntil(1, () => world.report?.state === 'healthy');
    expect(states(world)).toEqual([
      'notified', 'preflight', 'downloading', 'verifying', 'loading', 'golden', 'activating', 'probation', 'healthy',
    ]); // prettier-ignore
    expect(world.report?.evidence.map(({ gate }) => gate)).toEqual([
      'preflight', 'digest', 'load', 'warm-up', 'golden', 'probation',
    ]); // prettier-ignore
    expect(world.state).toMatchObject({ active: 'a', previous: null, highestSeq: 1 });
  });

  test('is found by the poll when the hint was lost', async () => {
    const world = await AgentWorld.start();
    world.publish(1);
    world.orderSilently(1, 1);
    await world.clock.advance(60_000);
    await world.untilState('probation');
  });

  test('that fails in service leaves nothing in service, since nothing was before', async () => {
    const world = await AgentWorld.start();
    world.publish(1, (worker) => {
      worker.auto = () => Promise.reject(new HoldfastError('internal', 'the model failed'));
    });
    world.order(1, 1);
    await world.untilState('probation');
    await world.trafficUntil(() => world.report?.state === 'rolled-back');
    await world.until(() => world.serves === null);
    expect(world.report).toMatchObject({ reason: 'probation-regression' });
    expect(world.state).toMatchObject({ active: null, previous: null });
  });
});

describe('a release beside the one in service', () => {
  test('is shadowed on live requests, and takes over when it is not worse', async () => {
    const world = await AgentWorld.start();
    await world.settleOn(1, 1);
    world.publish(2);
    world.order(2, 2);
    await world.untilState('shadow');
    expect(world.serves).toBe(1);
    await world.trafficUntil(() => world.report?.state === 'probation');
    expect(world.serves).toBe(2);
    expect(world.state).toMatchObject({ active: 'b', previous: 'a' });
    expect(world.supervisor.serving.previous?.release.version).toBe(1);
    await world.passUntil(1_000, () => world.report?.state === 'healthy');
    await world.until(() => world.supervisor.serving.previous === null);
  });

  test('that is slower is turned away, with the numbers, and never serves', async () => {
    const world = await AgentWorld.start();
    await world.settleOn(1, 1);
    world.publish(2, answers(1, { latencyMs: 12 }));
    world.order(2, 2);
    await world.untilState('shadow');
    await world.trafficUntil(() => world.report?.state === 'rolled-back');
    expect(world.report).toMatchObject({ reason: 'latency-regression' });
    const latency = world.report?.evidence.filter(({ gate }) => gate === 'latency') ?? [];
    expect(latency.map(({ verdict, method }) => [verdict, method])).toEqual([
      ['inconclusive', 'e-process'],
      ['fail', 'e-process'],
    ]);
    expect(latency[0]?.summary).toContain('in a first process');
    expect(world.serves).toBe(1);
    await world.until(() => world.runtime.workers.filter(({ isAlive }) => isAlive).length === 1);
  });

  test('that was slow only by the luck of its first process takes over', async () => {
    const world = await AgentWorld.start();
    await world.settleOn(1, 1);
    let processes = 0;
    world.publish(2, (worker) => {
      processes++;
      answers(1, { latencyMs: processes === 1 ? 12 : 5 })(worker);
    });
    world.order(2, 2);
    await world.untilState('shadow');
    await world.trafficUntil(() => world.report?.state === 'probation');
    expect(processes).toBe(2);
    expect(world.serves).toBe(2);
  });

  test('that disagrees is held for a person, and promoted by a direct order without a new download', async () => {
    const world = await AgentWorld.start();
    await world.settleOn(1, 1);
    world.publish(2, answers(2, { classes: [{ index: 7, label: 'other', score: 1 }] }));
    world.order(2, 2);
    await world.untilState('shadow');
    await world.trafficUntil(() => world.report?.state === 'held');
    expect(world.report).toMatchObject({ reason: 'disagreement' });
    expect(world.serves).toBe(1);
    const fetched = world.artifacts.fetched.length;
    world.order(3, 2, { mode: 'direct' });
    await world.untilState('probation');
    expect(world.serves).toBe(2);
    expect(world.artifacts.fetched).toHaveLength(fetched);
  });

  test('without a verdict at the deadline it is held as inconclusive', async () => {
    const world = await AgentWorld.start();
    await world.settleOn(1, 1);
    world.publish(2);
    world.order(2, 2, { shadowDeadlineMs: 5_000 });
    await world.untilState('shadow');
    await world.passUntil(1_000, () => world.report?.state === 'held');
    expect(world.report).toMatchObject({ reason: 'inconclusive' });
    expect(world.serves).toBe(1);
  });

  test('whose process dies in the shadow is turned away', async () => {
    const world = await AgentWorld.start();
    await world.settleOn(1, 1);
    world.publish(2);
    world.order(2, 2);
    await world.untilState('shadow');
    world.runtime.workers.at(-1)?.kill();
    await world.untilState('rolled-back');
    expect(world.report).toMatchObject({ reason: 'worker-crashed' });
    expect(world.serves).toBe(1);
  });

  test('that fails on probation is taken back by itself, without loading anything', async () => {
    const world = await AgentWorld.start();
    await world.settleOn(1, 1);
    let isBad = false;
    world.publish(2, (worker) => {
      worker.auto = () => (isBad ? Promise.reject(new HoldfastError('internal', 'no')) : { latencyMs: 5 });
    });
    world.order(2, 2, { mode: 'direct' });
    await world.untilState('probation');
    const workers = world.runtime.workers.length;
    isBad = true;
    await world.trafficUntil(() => world.report?.state === 'rolled-back');
    await world.until(() => world.serves === 1);
    expect(world.report).toMatchObject({ reason: 'probation-regression' });
    expect(world.runtime.workers).toHaveLength(workers);
    expect(world.state).toMatchObject({ active: 'a', previous: null });
    expect(world.state.slots.b).toBeNull();
  });
});

describe('a release that is not right', () => {
  test('by its golden vectors never sees a live request', async () => {
    const world = await AgentWorld.start();
    await world.settleOn(1, 1);
    const inferred = [0];
    world.publish(2, (worker) => {
      worker.golden = () =>
        Promise.resolve({ count: 32, maxAbs: 9, top1Agreement: 0.1, finite: true, passed: false });
      worker.auto = () => {
        inferred[0]!++;
        return {};
      };
    });
    world.order(2, 2);
    await world.untilState('failed');
    expect(world.report).toMatchObject({ reason: 'golden-mismatch' });
    expect(world.report?.evidence.at(-1)).toMatchObject({
      gate: 'golden',
      verdict: 'fail',
      maxAbs: 9,
      top1Agreement: 0.1,
    });
    expect(inferred).toEqual([0]);
    expect(world.serves).toBe(1);
  });

  test('by its golden vectors holding NaN says so', async () => {
    const world = await AgentWorld.start();
    world.publish(1, (worker) => {
      worker.golden = () =>
        Promise.resolve({ count: 32, maxAbs: 0, top1Agreement: 1, finite: false, passed: false });
    });
    world.order(1, 1);
    await world.untilState('failed');
    expect(world.report).toMatchObject({ reason: 'not-finite' });
  });

  test('because it cannot be loaded', async () => {
    const world = await AgentWorld.start();
    world.publish(1);
    world.runtime.prepare = (worker) => {
      worker.load = () => Promise.reject(new HoldfastError('provider-missing', 'no CUDA here'));
    };
    world.order(1, 1);
    await world.untilState('failed');
    expect(world.report).toMatchObject({
      reason: 'load-failed',
      detail: expect.stringContaining('no CUDA here'),
    });
  });

  test('because there is too little room', async () => {
    const world = await AgentWorld.start();
    world.publish(1);
    world.snapshot = { ...world.snapshot, memoryAvailableBytes: 1_000 };
    world.order(1, 1);
    await world.untilState('failed');
    expect(world.report).toMatchObject({ reason: 'preflight-failed' });
    expect(world.report?.evidence.at(-1)).toMatchObject({ gate: 'preflight', verdict: 'fail' });
  });

  test('because its bytes are not what was signed', async () => {
    const world = await AgentWorld.start();
    const { variant } = world.publish(1);
    world.artifacts.remote.set(variant.weights.sha256, Buffer.from('weights of 9'));
    world.order(1, 1);
    await world.untilState('failed');
    expect(world.report).toMatchObject({ reason: 'digest-mismatch' });
  });

  test('because it is for another kind of device', async () => {
    const world = await AgentWorld.start();
    world.publish(1);
    const { order } = world.orderSilently(1, 1);
    world.verifier.order = { ...world.verifier.order!, order: { ...order, profile: 'jetson-orin' } };
    await world.clock.advance(60_000);
    await world.untilState('failed');
    expect(world.report).toMatchObject({
      reason: 'metadata-refused',
      detail: expect.stringContaining('jetson-orin'),
    });
  });
});
