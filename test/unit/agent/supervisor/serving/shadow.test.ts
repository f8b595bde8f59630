import { describe, expect, it } from 'vitest';
import type { ShadowPair } from '#agent/domain/shadow-judge.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { settled } from '#test/fakes/manual-clock.ts';
import { servingWorld, type ServingWorld } from './serving-world.ts';

const REQUEST = { inputs: {} };
const seven = [{ index: 7, label: '7', score: 0.9 }];
const one = [{ index: 1, label: '1', score: 0.9 }];

async function shadowWorld(): Promise<
  ServingWorld & { pairs: ShadowPair[]; lost: number; stop: () => void } & Record<
      'a' | 'b',
      Awaited<ReturnType<ServingWorld['slot']>>
    >
> {
  const world = servingWorld();
  const [a, b] = [await world.slot('a', 1), await world.slot('b', 2)];
  await world.serving.swapTo(a);
  const seen = Object.assign(world, {
    pairs: [] as ShadowPair[],
    lost: 0,
    stop: () => undefined as void,
    a,
    b,
  });
  const run = world.serving.shadow(b, { pair: (pair) => seen.pairs.push(pair), lost: () => seen.lost++ });
  seen.stop = () => run.stop();
  return seen;
}

describe('a shadowed candidate', () => {
  it('runs the same input after the active slot when the coin says so; the caller does not wait for it', async () => {
    const world = await shadowWorld();
    const inputs = { image: { dtype: 'UINT8', shape: [1, 1], data: new Uint8Array(1) } } as const;
    const answer = world.serving.infer({ inputs });
    const [first] = await world.a.worker.busyWith(1);
    await settled();
    expect(world.b.worker.calls).toHaveLength(0);
    first?.resolve({ classes: seven, latencyMs: 5 });
    expect(await answer).toMatchObject({ release: world.a.release });
    const [second] = await world.b.worker.busyWith(1);
    expect(second?.request.inputs).toBe(inputs);
    second?.resolve({ classes: one, latencyMs: 9 });
    await settled();
    expect(world.pairs).toEqual([
      {
        latencyAMs: 5,
        latencyBMs: 9,
        errorA: false,
        errorB: false,
        finiteB: true,
        top1A: 7,
        top1B: 1,
        throttled: false,
      },
    ]);
  });

  it('runs before the active slot when the coin says so; the answer still is the active one', async () => {
    const world = await shadowWorld();
    world.coin = 0.5;
    const answer = world.serving.infer(REQUEST);
    const [first] = await world.b.worker.busyWith(1);
    await settled();
    expect(world.a.worker.calls).toHaveLength(0);
    first?.resolve({ classes: one });
    (await world.a.worker.busyWith(1))[0]?.resolve({ classes: seven });
    expect(await answer).toMatchObject({ release: world.a.release, result: { classes: seven } });
  });

  it('has the workers for itself during a pair: what comes meanwhile waits', async () => {
    const world = await shadowWorld();
    const answers = [1, 2].map(() => world.serving.infer(REQUEST));
    const [first] = await world.a.worker.busyWith(1);
    await settled();
    expect(world.a.worker.calls).toHaveLength(1);
    first?.resolve();
    const [second] = await world.b.worker.busyWith(1);
    await settled();
    expect(world.a.worker.calls).toHaveLength(0);
    world.stop();
    second?.resolve();
    (await world.a.worker.busyWith(1))[0]?.resolve();
    await Promise.all(answers);
  });

  it('is left out while many requests wait', async () => {
    const world = await shadowWorld();
    world.a.worker.auto = () => ({});
    world.b.worker.auto = () => ({});
    const answers = Array.from({ length: 12 }, () => world.serving.infer(REQUEST));
    await Promise.all(answers);
    await settled();
    // The first finds an empty queue; of the others only those with at most 4 behind them.
    expect(world.pairs).toHaveLength(6);
    expect(world.serving.takeWindow()).toMatchObject([{ requests: 12, errors: 0 }]);
  });

  it('that errs costs the caller nothing and counts as evidence', async () => {
    const world = await shadowWorld();
    world.a.worker.auto = () => ({});
    for (const coin of [0, 0.9]) {
      world.coin = coin;
      const answer = world.serving.infer(REQUEST);
      (await world.b.worker.busyWith(1))[0]?.reject(new HoldfastError('internal', 'no such kernel'));
      expect(await answer).toMatchObject({ release: world.a.release });
      await settled();
    }
    expect(world.pairs).toMatchObject([{ errorB: true, latencyBMs: null, errorA: false }, { errorB: true }]);
    expect(world.outcomes.every(({ error }) => !error)).toBe(true);
  });

  it('that crashes first in a pair costs the caller nothing; the shadow is over', async () => {
    const world = await shadowWorld();
    world.coin = 0.9;
    const answer = world.serving.infer(REQUEST);
    await world.b.worker.busyWith(1);
    world.b.worker.kill();
    (await world.a.worker.busyWith(1))[0]?.resolve();
    expect(await answer).toMatchObject({ release: world.a.release });
    await settled();
    expect(world.pairs).toMatchObject([{ errorB: true, errorA: false }]);
    expect(world.lost).toBe(1);
    expect(world.runtime.workers).toHaveLength(2);
    world.a.worker.auto = () => ({});
    await world.serving.infer(REQUEST);
    expect(world.pairs).toHaveLength(1);
  });

  it('that hangs is not waited for: the pair is counted slower and live requests go on', async () => {
    const world = await shadowWorld();
    world.a.worker.auto = () => ({ latencyMs: 5 });
    world.coin = 0.9;
    const answer = world.serving.infer(REQUEST);
    await world.b.worker.busyWith(1);
    await world.clock.advance(2_000);
    expect((await answer).latencyMs).toBeLessThanOrEqual(1_250);
    expect(world.pairs).toMatchObject([{ latencyAMs: 5, errorB: false }]);
    expect(world.pairs[0]?.latencyBMs).toBeGreaterThan(1_000);
    await world.serving.infer(REQUEST);
    expect(world.pairs).toHaveLength(1);
    expect(world.b.worker.calls).toHaveLength(1);
  });

  it('that is dropped in the middle of a pair adds nothing more to the evidence', async () => {
    const world = await shadowWorld();
    world.a.worker.auto = () => ({});
    await world.serving.infer(REQUEST);
    await world.b.worker.busyWith(1);
    await world.serving.dropCandidate();
    await settled();
    expect(world.pairs).toEqual([]);
    expect(world.lost).toBe(0);
    await world.serving.infer(REQUEST);
  });

  it('gets no request that has no time to spare', async () => {
    const world = await shadowWorld();
    world.a.worker.auto = () => ({});
    await world.serving.infer({ ...REQUEST, deadlineMs: 500 });
    expect(world.b.worker.calls).toHaveLength(0);
    expect(world.pairs).toEqual([]);
  });

  it('marks a pair that spans a throttle change', async () => {
    const world = await shadowWorld();
    world.b.worker.auto = () => ({});
    const answer = world.serving.infer(REQUEST);
    const [call] = await world.a.worker.busyWith(1);
    world.throttleEpoch++;
    call?.resolve();
    await answer;
    await settled();
    expect(world.pairs).toMatchObject([{ throttled: true }]);
  });

  it('learns nothing from an input that is refused', async () => {
    const world = await shadowWorld();
    const answer = world.serving.infer(REQUEST);
    (await world.a.worker.busyWith(1))[0]?.reject(new HoldfastError('bad-request', 'no such input'));
    await expect(answer).rejects.toMatchObject({ code: 'bad-request' });
    (await world.b.worker.busyWith(1))[0]?.reject(new HoldfastError('bad-request', 'no such input'));
    await settled();
    expect(world.pairs).toEqual([]);
  });

  it('can be made active without being loaded again, and ended when it is turned away', async () => {
    const world = await shadowWorld();
    world.b.worker.auto = () => ({});
    await world.serving.swapTo(world.b);
    expect(await world.serving.infer(REQUEST)).toMatchObject({ release: world.b.release });
    const c = await world.slot('a', 3);
    await world.serving.dropPrevious();
    world.serving.shadow(c, { pair: () => undefined, lost: () => undefined });
    expect(() => world.serving.shadow(world.b, { pair: () => undefined, lost: () => undefined })).toThrow(
      expect.objectContaining({ code: 'conflict' }),
    );
    await world.serving.dropCandidate();
    expect(c.worker.isAlive).toBe(false);
    expect(await world.serving.infer(REQUEST)).toMatchObject({ release: world.b.release });
  });
});
