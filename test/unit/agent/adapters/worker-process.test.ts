import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { ProcessRuntime, type ProcessRuntimeOptions } from '#agent/adapters/worker-process.ts';
import type { Tensor, WorkerHandle } from '#agent/ports/runtime.ts';
import { digitsLoad, roundsLoad } from '#test/fakes/worker-models.ts';

const IMAGE: Tensor = { dtype: 'UINT8', shape: [28, 28], data: new Uint8Array(784) };
const rounds = (count: bigint): Tensor => ({
  dtype: 'INT64',
  shape: [],
  data: new Uint8Array(BigInt64Array.of(count).buffer),
});
const NEVER_ENDING = { inputs: { rounds: rounds(10n ** 12n) }, deadlineMs: 60_000 };

function runtime(options: Partial<ProcessRuntimeOptions> = {}): ProcessRuntime {
  const started = new ProcessRuntime({ log: () => undefined, ...options });
  onTestFinished(() => started[Symbol.asyncDispose]());
  return started;
}

async function worker(options: Partial<ProcessRuntimeOptions> = {}): Promise<WorkerHandle> {
  return await runtime(options).spawn('a');
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Waits for a process of another parent to be gone; nothing tells us by itself. */
async function gone(pid: number): Promise<void> {
  while (isAlive(pid)) await delay(10);
}

describe('a worker process', () => {
  afterEach(() => vi.unstubAllEnvs());

  it('loads, warms up, proves itself on golden vectors and serves', async () => {
    const handle = await worker();
    const load = digitsLoad();
    const { executionProvider, rssBytes } = await handle.load(load);
    expect(executionProvider).toBe('cpu');
    expect(rssBytes).toBeGreaterThan(10_000_000);
    expect(await handle.warmUp(10)).toBeGreaterThan(0);
    expect(await handle.golden(load.goldenPath, load.contract.golden.tolerance)).toMatchObject({
      passed: true,
      count: 32,
    });
    const answers = await Promise.all(
      [1, 2, 3].map(() => handle.infer({ inputs: { image: IMAGE }, deadlineMs: 5_000 })),
    );
    for (const { outputs, classes, finite } of answers) {
      expect(outputs['logits']?.shape).toEqual([1, 10]);
      expect(outputs['logits']?.data).toHaveLength(40);
      expect(classes).toHaveLength(3);
      expect(finite).toBe(true);
    }
    expect(await handle.rssBytes()).toBeGreaterThan(10_000_000);
  });

  it('tells errors by their code and lives on', async () => {
    const handle = await worker();
    await expect(handle.infer({ inputs: { image: IMAGE }, deadlineMs: 1_000 })).rejects.toMatchObject({
      code: 'not-serving',
    });
    await expect(handle.load({ ...digitsLoad(), weightsPath: '/nowhere.onnx' })).rejects.toMatchObject({
      code: 'model-load-failed',
    });
    await handle.load(digitsLoad());
    const empty: Tensor = { dtype: 'BYTES', shape: [1], data: new Uint8Array(4) };
    await expect(handle.infer({ inputs: { image: empty }, deadlineMs: 1_000 })).rejects.toMatchObject({
      code: 'image-invalid',
      hint: expect.stringContaining('PNG') as string,
    });
    await expect(handle.infer({ inputs: { image: IMAGE }, deadlineMs: 5_000 })).resolves.toBeDefined();
  });

  it('does not run what is past its deadline', async () => {
    const handle = await worker();
    await handle.load(roundsLoad());
    const slow = handle.infer({ inputs: { rounds: rounds(20_000n) }, deadlineMs: 60_000 });
    const late = handle.infer({ inputs: { rounds: rounds(1n) }, deadlineMs: 1 });
    await expect(late).rejects.toMatchObject({ code: 'deadline-exceeded' });
    await slow;
  });

  it('rejects every pending call when it is killed, and every later one', async () => {
    const handle = await worker();
    await handle.load(roundsLoad());
    const pending = [handle.infer(NEVER_ENDING), handle.rssBytes()].map((call) =>
      expect(call).rejects.toMatchObject({ code: 'worker-crashed' }),
    );
    process.kill(handle.pid, 'SIGKILL');
    await Promise.all(pending);
    expect(await handle.exited).toEqual({ code: null, signal: 'SIGKILL' });
    await expect(handle.rssBytes()).rejects.toMatchObject({ code: 'worker-crashed' });
    expect(isAlive(handle.pid)).toBe(false);
  });

  it('is killed when a native run never comes back', async () => {
    const handle = await worker({ limits: { floorMs: 400 } });
    await handle.load(roundsLoad());
    await expect(handle.infer(NEVER_ENDING)).rejects.toMatchObject({ code: 'worker-hung' });
    expect((await handle.exited).signal).toBe('SIGKILL');
  });

  it('is killed when it is stopped and answers nothing', async () => {
    const handle = await worker({ limits: { floorMs: 300 } });
    process.kill(handle.pid, 'SIGSTOP');
    await expect(handle.rssBytes()).rejects.toMatchObject({ code: 'worker-hung' });
    await handle.exited;
    expect(isAlive(handle.pid)).toBe(false);
  });

  it('may take longer over a load than over an inference', async () => {
    const handle = await worker({ limits: { floorMs: 1, preparationMs: 30_000 } });
    await expect(handle.load(digitsLoad())).resolves.toBeDefined();
  });

  it('leaves no process behind when the runtime is disposed, and ignores the signals of a terminal', async () => {
    const started = runtime();
    const handles = await Promise.all([started.spawn('a'), started.spawn('b')]);
    process.kill(handles[0].pid, 'SIGINT');
    process.kill(handles[0].pid, 'SIGTERM');
    expect(await handles[0].rssBytes()).toBeGreaterThan(0);
    await started[Symbol.asyncDispose]();
    expect(handles.map(({ pid }) => isAlive(pid))).toEqual([false, false]);
  });

  it('says so when it does not come up in time', async () => {
    await expect(worker({ startLimitMs: 1 })).rejects.toMatchObject({ code: 'worker-crashed' });
  });

  it.runIf(process.platform === 'linux')(
    'does not inherit the secrets of the supervisor, and goes first when memory is short',
    async () => {
      vi.stubEnv('HOLDFAST_CLAIM', 'hfc.secret');
      const handle = await worker();
      const environment = readFileSync(`/proc/${handle.pid}/environ`, 'utf8');
      expect(environment).not.toContain('hfc.secret');
      expect(environment).toContain('ORT_DISABLE_TELEMETRY=1');
      expect(readFileSync(`/proc/${handle.pid}/oom_score_adj`, 'utf8').trim()).toBe('500');
    },
  );

  it.runIf(process.platform === 'linux')(
    'that measures gives way with every thread, and is the first to go when memory runs out',
    async () => {
      const [serving, measuring] = [await worker(), await runtime().spawn('measure')];
      for (const handle of [serving, measuring]) await handle.load(digitsLoad());
      const nicest = ({ pid }: WorkerHandle): number =>
        Math.min(...readdirSync(`/proc/${pid}/task`).map((thread) => getPriority(Number(thread))));
      expect([nicest(serving), nicest(measuring)]).toEqual([0, 10]);
      expect(readFileSync(`/proc/${measuring.pid}/oom_score_adj`, 'utf8')).toBe('900\n');
    },
  );

  it('ends with its supervisor, even in the middle of a run that never ends', async () => {
    const supervisor = spawn(
      process.execPath,
      [fileURLToPath(import.meta.resolve('#test/fakes/worker-parent.ts'))],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    onTestFinished(() => void supervisor.kill('SIGKILL'));
    const [line] = (await once(supervisor.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    expect(isAlive(pid)).toBe(true);
    supervisor.kill('SIGKILL');
    await gone(pid);
  });
});
