import { describe, expect, it } from 'vitest';
import { HoldfastError } from '#protocol/errors.ts';
import { settled } from '#test/fakes/manual-clock.ts';
import type { ScriptedWorker } from '#test/fakes/scripted-runtime.ts';
import { servingWorld } from './serving-world.ts';

const REQUEST = { inputs: {} };
const answerAll = (worker: ScriptedWorker): void => {
  worker.auto = () => ({});
};

describe('when the active worker dies', () => {
  it('it is started again with the same load, and what it had is tried once more', async () => {
    const world = servingWorld();
    const a = await world.slot('a', 1);
    await world.serving.swapTo(a);
    const answers = [1, 2, 3].map(() => world.serving.infer(REQUEST));
    await a.worker.busyWith(2);
    world.runtime.prepare = answerAll;
    a.worker.kill();
    for (const answer of await Promise.all(answers)) expect(answer.release).toEqual(a.release);
    const next = await world.runtime.worker(1);
    expect(next.loaded).toBe(a.load);
    expect(world.crashes).toMatchObject([{ slot: 'a', recentCrashes: 1 }]);
    expect(world.serving.takeWindow()).toMatchObject([{ requests: 3, errors: 0 }]);
    // Two requests were on it when it died: that is told to the probation gate.
    expect(world.outcomes.filter(({ error }) => error)).toHaveLength(2);
  });

  it('the warm slot before it answers meanwhile', async () => {
    const world = servingWorld();
    const [a, b] = [await world.slot('a', 1), await world.slot('b', 2)];
    await world.serving.swapTo(a);
    await world.serving.swapTo(b);
    answerAll(a.worker);
    const answer = world.serving.infer(REQUEST);
    await b.worker.busyWith(1);
    b.worker.kill();
    expect(await answer).toMatchObject({ release: a.release });
    expect(await world.serving.infer(REQUEST)).toMatchObject({ release: a.release });
    world.runtime.workers.forEach(answerAll);
    await settled();
    world.runtime.workers.forEach(answerAll);
    expect(await world.serving.infer(REQUEST)).toMatchObject({ release: b.release });
  });

  it('a request that kills it twice gets a clear error, and takes no other with it', async () => {
    const world = servingWorld();
    const a = await world.slot('a', 1);
    await world.serving.swapTo(a);
    const poison = world.serving.infer({ inputs: {}, deadlineMs: 6_666 });
    const innocent = world.serving.infer(REQUEST);
    await a.worker.busyWith(2);
    a.worker.kill();
    const second = await world.runtime.worker(1);
    const [alone, ...others] = await second.busyWith(1);
    await settled();
    expect(others).toEqual([]);
    expect(second.calls).toHaveLength(1);
    // Last in, first out again: whichever runs alone, the other is not on the worker.
    if (alone?.request.deadlineMs !== 6_666) {
      alone?.resolve();
      await second.busyWith(1);
    }
    world.runtime.prepare = answerAll;
    second.kill();
    await expect(poison).rejects.toMatchObject({ code: 'worker-crashed' });
    await expect(innocent).resolves.toBeDefined();
  });

  it('a hung worker is replaced in the same way', async () => {
    const world = servingWorld();
    const a = await world.slot('a', 1);
    await world.serving.swapTo(a);
    const answer = world.serving.infer(REQUEST);
    await a.worker.busyWith(1);
    world.runtime.prepare = answerAll;
    a.worker.die(new HoldfastError('worker-hung', 'no answer'));
    await expect(answer).resolves.toBeDefined();
  });

  it('for the fifth time in a minute its weights are quarantined, and it is not started again', async () => {
    const world = servingWorld();
    await world.serving.swapTo(await world.slot('a', 1));
    for (let crash = 0; crash < 5; crash++) {
      (await world.runtime.worker(crash)).kill();
      await settled();
    }
    expect(world.quarantined).toMatchObject([{ release: { version: 1 }, recentCrashes: 5 }]);
    expect(world.runtime.workers).toHaveLength(5);
    expect(world.serving.active).toBeNull();
    await expect(world.serving.infer(REQUEST)).rejects.toMatchObject({ code: 'not-serving' });
  });

  it('too often, the warm slot before it takes over for good', async () => {
    const world = servingWorld({ crashLimit: 1 });
    const [a, b] = [await world.slot('a', 1), await world.slot('b', 2)];
    await world.serving.swapTo(a);
    await world.serving.swapTo(b);
    answerAll(a.worker);
    b.worker.kill();
    await settled();
    expect(world.quarantined).toHaveLength(1);
    expect(world.serving.active).toMatchObject({ slot: 'a', release: a.release });
    expect(world.serving.previous).toBeNull();
    expect(await world.serving.infer(REQUEST)).toMatchObject({ release: a.release });
  });

  it('crashes that are far apart quarantine nothing', async () => {
    const world = servingWorld();
    await world.serving.swapTo(await world.slot('a', 1));
    for (let crash = 0; crash < 8; crash++) {
      (await world.runtime.worker(crash)).kill();
      await settled();
      await world.clock.advance(20_000);
    }
    expect(world.quarantined).toEqual([]);
    expect(world.runtime.workers).toHaveLength(9);
  });

  it('and cannot be started, it is tried again after a pause, and that counts too', async () => {
    const world = servingWorld();
    await world.serving.swapTo(await world.slot('a', 1));
    const answer = expect(world.serving.infer(REQUEST)).rejects.toMatchObject({ code: 'not-serving' });
    let attempts = 0;
    world.runtime.prepare = () => {
      attempts++;
      throw new HoldfastError('worker-crashed', 'no memory');
    };
    (await world.runtime.worker(0)).kill();
    await settled();
    expect(attempts).toBe(1);
    await world.clock.advance(5_000);
    expect(attempts).toBe(4);
    expect(world.quarantined).toHaveLength(1);
    await answer;
  });

  it('a slot that is retired between two attempts does not wait for the next', async () => {
    const world = servingWorld();
    await world.serving.swapTo(await world.slot('a', 1));
    world.runtime.prepare = () => {
      throw new HoldfastError('worker-crashed', 'no memory');
    };
    (await world.runtime.worker(0)).kill();
    await settled();
    await world.serving.retire();
    expect(world.clock.pendingTimers).toBe(0);
  });

  it('a slot that is retired while it starts again leaves no worker behind', async () => {
    const world = servingWorld();
    const [a, b] = [await world.slot('a', 1), await world.slot('b', 2)];
    await world.serving.swapTo(a);
    await world.serving.swapTo(b);
    a.worker.kill();
    await world.serving.dropPrevious();
    await settled();
    expect(world.runtime.workers.filter(({ isAlive }) => isAlive)).toEqual([b.worker]);
  });
});
