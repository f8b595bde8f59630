import { describe, expect, it, onTestFinished } from 'vitest';
import { ProcessRuntime } from '#agent/adapters/worker-process.ts';
import type { InferRequest, Runtime, WorkerHandle } from '#agent/ports/runtime.ts';
import { ScriptedRuntime } from '#test/fakes/scripted-runtime.ts';
import { digitsLoad } from '#test/fakes/worker-models.ts';

const REQUEST: InferRequest = {
  inputs: { image: { dtype: 'UINT8', shape: [28, 28], data: new Uint8Array(784) } },
  deadlineMs: 60_000,
};

const runtimes: Record<string, () => Runtime> = {
  'worker processes': () => {
    const runtime = new ProcessRuntime({ log: () => undefined });
    onTestFinished(() => runtime[Symbol.asyncDispose]());
    return runtime;
  },
  'scripted workers': () => {
    const runtime = new ScriptedRuntime();
    runtime.prepare = (worker) => {
      worker.auto = () => ({ classes: [{ index: 1, label: '1', score: 1 }] });
    };
    return runtime;
  },
};

/** What serving relies on, whoever runs the model. */
describe.each(Object.keys(runtimes))('a runtime of %s', (name) => {
  const loaded = async (): Promise<WorkerHandle> => {
    const worker = await (runtimes[name] as () => Runtime)().spawn('a');
    await worker.load(digitsLoad());
    return worker;
  };

  it('loads, warms up, checks golden vectors and infers', async () => {
    const worker = await loaded();
    const load = digitsLoad();
    expect(await worker.warmUp(2)).toBeGreaterThan(0);
    expect(await worker.golden(load.goldenPath, load.contract.golden.tolerance)).toMatchObject({
      passed: true,
    });
    const result = await worker.infer(REQUEST);
    expect(result.finite).toBe(true);
    expect(result.classes.length).toBeGreaterThan(0);
    expect(result.latencyMs).toBeGreaterThanOrEqual(result.runMs);
    expect(await worker.rssBytes()).toBeGreaterThan(0);
  });

  it('times no more runs than asked for, and ends when the time is over', async () => {
    const worker = await loaded();
    const { goldenPath } = digitsLoad();
    const timing = await worker.time({ goldenPath, runs: 40, limitMs: 60_000 });
    expect(timing.runs).toBe(40);
    expect(timing.p50Ms).toBeGreaterThan(0);
    expect(timing.p95Ms).toBeGreaterThanOrEqual(timing.p50Ms);
    expect(timing.memoryBytes).toBeGreaterThan(0);
    expect((await worker.time({ goldenPath, runs: 1_000, limitMs: 0 })).runs).toBe(1);
  });

  it('answers several calls that are made at once', async () => {
    const worker = await loaded();
    expect(await Promise.all([worker.infer(REQUEST), worker.infer(REQUEST), worker.rssBytes()])).toHaveLength(
      3,
    );
  });

  it('tells of its end, and rejects calls after it with worker-crashed', async () => {
    const worker = await loaded();
    worker.kill();
    expect(await worker.exited).toEqual({ code: null, signal: 'SIGKILL' });
    await expect(worker.infer(REQUEST)).rejects.toMatchObject({ code: 'worker-crashed' });
    await expect(worker.rssBytes()).rejects.toMatchObject({ code: 'worker-crashed' });
    worker.kill();
    await worker[Symbol.asyncDispose]();
  });
});
