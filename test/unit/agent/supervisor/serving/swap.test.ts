import { describe, expect, it } from 'vitest';
import { settled } from '#test/fakes/manual-clock.ts';
import { servingWorld } from './serving-world.ts';

const REQUEST = { inputs: {} };

describe('a swap', () => {
  it('sends new and waiting requests to the new slot at once, and lets the old one finish what it runs', async () => {
    const world = servingWorld();
    const [a, b] = [await world.slot('a', 1), await world.slot('b', 2)];
    await world.serving.swapTo(a);
    const answers = [1, 2, 3].map(() => world.serving.infer(REQUEST));
    const running = await a.worker.busyWith(2);
    b.worker.auto = () => ({});
    let isDrained = false;
    const swap = world.serving.swapTo(b).then(() => (isDrained = true));
    expect(await answers[2]).toMatchObject({ release: b.release });
    expect(await world.serving.infer(REQUEST)).toMatchObject({ release: b.release });
    expect(isDrained).toBe(false);
    for (const call of running) call.resolve();
    await swap;
    for (const answer of answers.slice(0, 2)) expect(await answer).toMatchObject({ release: a.release });
    expect(world.serving.active?.slot).toBe('b');
    expect(world.serving.previous?.slot).toBe('a');
    expect(a.worker.isAlive).toBe(true);
  });

  it('goes back to the warm slot, which was never ended', async () => {
    const world = servingWorld();
    const [a, b] = [await world.slot('a', 1), await world.slot('b', 2)];
    await world.serving.swapTo(a);
    await world.serving.swapTo(b);
    await world.serving.swapBack();
    a.worker.auto = () => ({});
    expect(await world.serving.infer(REQUEST)).toMatchObject({ release: a.release });
    expect(world.serving.previous?.slot).toBe('b');
    await world.serving.dropPrevious();
    expect(b.worker.isAlive).toBe(false);
    await expect(world.serving.swapBack()).rejects.toMatchObject({ code: 'no-previous-version' });
  });

  it('ends the worker that no slot refers to any more', async () => {
    const world = servingWorld();
    const slots = [await world.slot('a', 1), await world.slot('b', 2), await world.slot('a', 3)] as const;
    for (const slot of slots) await world.serving.swapTo(slot);
    expect(slots.map(({ worker }) => worker.isAlive)).toEqual([false, true, true]);
    expect(world.crashes).toEqual([]);
  });

  it('to nothing finishes what runs, refuses what waits, and ends the processes', async () => {
    const world = servingWorld({ pipelineDepth: 1 });
    const [a, b] = [await world.slot('a', 1), await world.slot('b', 2)];
    await world.serving.swapTo(a);
    await world.serving.swapTo(b);
    const running = world.serving.infer(REQUEST);
    const waiting = expect(world.serving.infer(REQUEST)).rejects.toMatchObject({ code: 'not-serving' });
    const retired = world.serving.retire();
    await waiting;
    (await b.worker.busyWith(1))[0]?.resolve();
    expect(await running).toMatchObject({ release: b.release });
    await retired;
    expect([a.worker.isAlive, b.worker.isAlive]).toEqual([false, false]);
    expect(world.serving.active).toBeNull();
    expect(world.crashes).toEqual([]);
  });

  it('to a candidate whose process has ended changes nothing', async () => {
    const world = servingWorld();
    const [a, b] = [await world.slot('a', 1), await world.slot('b', 2)];
    await world.serving.swapTo(a);
    world.serving.shadow(b, { pair: () => undefined, lost: () => undefined });
    b.worker.kill();
    await settled();
    await expect(world.serving.swapTo(b)).rejects.toMatchObject({ code: 'worker-crashed' });
    expect(world.serving.active?.slot).toBe('a');
  });
});
