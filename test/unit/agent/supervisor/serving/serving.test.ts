import { describe, expect, it } from 'vitest';
import { OverloadedError } from '#agent/supervisor/serving/overloaded-error.ts';
import { sketchQuantile } from '#protocol/latency-sketch.ts';
import { settled } from '#test/fakes/manual-clock.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { servingWorld } from './serving-world.ts';

const REQUEST = { inputs: {} };
const seven = [{ index: 7, label: '7', score: 0.9 }];

describe('serving', () => {
  it('says that nothing is in service before the first activation', async () => {
    const { serving } = servingWorld();
    expect(serving.active).toBeNull();
    await expect(serving.infer(REQUEST)).rejects.toMatchObject({ code: 'not-serving' });
  });

  it('answers from the active slot and names its release', async () => {
    const world = servingWorld();
    const a = await world.slot('a', 1);
    await world.serving.swapTo(a);
    expect(world.serving.active).toMatchObject({ slot: 'a', release: a.release });
    const answer = world.serving.infer(REQUEST);
    const [call] = await a.worker.busyWith(1);
    await world.clock.advance(30);
    call?.resolve({ classes: seven });
    expect(await answer).toMatchObject({ release: a.release, latencyMs: 30, result: { classes: seven } });
    expect(world.clock.pendingTimers).toBe(0);
  });

  it('gives a worker two requests at a time, in order, and keeps the rest', async () => {
    const world = servingWorld();
    const a = await world.slot('a', 1);
    await world.serving.swapTo(a);
    const answers = [10, 20, 30].map((deadlineMs) =>
      world.serving.infer({ ...REQUEST, deadlineMs: 1_000 + deadlineMs }),
    );
    const calls = await a.worker.busyWith(2);
    await settled();
    expect(a.worker.calls.map(({ request }) => request.deadlineMs)).toEqual([1_010, 1_020]);
    calls[0]?.resolve();
    await answers[0];
    expect(a.worker.calls.map(({ request }) => request.deadlineMs)).toEqual([1_020, 1_030]);
    for (const call of a.worker.calls.slice()) call.resolve();
    await Promise.all(answers);
  });

  it('refuses with a time to come back when the queue is full, and counts it as rejected', async () => {
    const world = servingWorld({ queueLimit: 3, pipelineDepth: 1 });
    const a = await world.slot('a', 1);
    await world.serving.swapTo(a);
    const accepted = [1, 2, 3, 4].map(() => world.serving.infer(REQUEST));
    const refused: unknown = await world.serving.infer(REQUEST).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(OverloadedError);
    expect((refused as OverloadedError).retryAfterMs).toBeGreaterThanOrEqual(100);
    a.worker.auto = () => ({});
    a.worker.calls[0]?.resolve();
    await Promise.all(accepted);
    expect(world.serving.takeWindow()).toMatchObject([{ requests: 4, errors: 0, rejected: 1 }]);
  });

  it('ends a request at its deadline, waiting or running, and goes on with the next', async () => {
    const world = servingWorld({ pipelineDepth: 1 });
    const a = await world.slot('a', 1);
    await world.serving.swapTo(a);
    const running = world.serving.infer({ ...REQUEST, deadlineMs: 200 });
    const waiting = world.serving.infer({ ...REQUEST, deadlineMs: 100 });
    const patient = world.serving.infer(REQUEST);
    const late = [running, waiting].map((answer) => expect(answer).rejects.toMatchObject({ code: 'deadline-exceeded' }));
    await world.clock.advance(200);
    await Promise.all(late);
    const [call] = await a.worker.busyWith(1);
    call?.resolve();
    (await a.worker.busyWith(1))[0]?.resolve();
    await patient;
    expect(world.outcomes.map(({ deadlineMissed, error }) => [deadlineMissed, error])).toEqual([[true, false], [true, false], [false, false]]);
  }); // prettier-ignore

  it("does not hold the caller's own mistakes against the release", async () => {
    const world = servingWorld();
    const a = await world.slot('a', 1);
    await world.serving.swapTo(a);
    const bad = world.serving.infer(REQUEST);
    (await a.worker.busyWith(1))[0]?.reject(new HoldfastError('image-invalid', 'not an image'));
    await expect(bad).rejects.toMatchObject({ code: 'image-invalid' });
    // The digits declare a p95 of 50 ms; less was never promised.
    const hasty = expect(world.serving.infer({ ...REQUEST, deadlineMs: 10 })).rejects.toMatchObject({
      code: 'deadline-exceeded',
    });
    await world.clock.advance(10);
    await hasty;
    expect(world.outcomes).toEqual([]);
    expect(world.serving.takeWindow()).toEqual([]);
  });

  it('gives no answer that holds NaN or infinity', async () => {
    const world = servingWorld();
    const a = await world.slot('a', 1);
    await world.serving.swapTo(a);
    a.worker.auto = () => ({ finite: false });
    await expect(world.serving.infer(REQUEST)).rejects.toMatchObject({ code: 'internal' });
    expect(world.outcomes).toMatchObject([{ error: true }]);
  });

  it('counts by release, with true labels, and starts anew with each window', async () => {
    const world = servingWorld();
    const a = await world.slot('a', 1);
    await world.serving.swapTo(a);
    a.worker.auto = () => ({ classes: seven });
    await world.serving.infer({ ...REQUEST, groundTruth: '7' });
    await world.serving.infer({ ...REQUEST, groundTruth: '1' });
    await world.serving.infer(REQUEST);
    const b = await world.slot('b', 2);
    b.worker.auto = async () => {
      await world.clock.advance(40);
      return {};
    };
    await world.serving.swapTo(b);
    await world.serving.infer(REQUEST);
    const windows = world.serving.takeWindow();
    expect(windows).toMatchObject([
      { release: a.release, requests: 3, errors: 0, labelled: 2, correct: 1 },
      { release: b.release, requests: 1, labelled: 0 },
    ]);
    const [, second] = windows;
    expect(second === undefined ? null : sketchQuantile(second.latency, 0.5)).toBeCloseTo(40, 0);
    expect(world.serving.takeWindow()).toEqual([]);
  });

  it('refuses what waits and ends its workers when it is disposed', async () => {
    const world = servingWorld({ pipelineDepth: 1 });
    const a = await world.slot('a', 1);
    await world.serving.swapTo(a);
    const answers = [1, 2].map(() =>
      expect(world.serving.infer(REQUEST)).rejects.toMatchObject({
        code: expect.stringMatching(/not-serving|worker-crashed/) as string,
      }),
    );
    await world.serving[Symbol.asyncDispose]();
    await Promise.all(answers);
    expect(a.worker.isAlive).toBe(false);
    expect(world.runtime.workers).toHaveLength(1);
    expect(world.crashes).toEqual([]);
  });
});
