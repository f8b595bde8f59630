import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runJob, type JobOptions } from '#control-plane/compression/child/run-job.ts';

const entry = fileURLToPath(new URL('./jobs/scripted.ts', import.meta.url));
const limits = { timeoutMs: 15_000, memoryBytes: 2 * 1024 ** 3 };

let folder: string;
let pidFile: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'run-job-test-'));
  pidFile = join(folder, 'pid');
});
afterEach(() => rmSync(folder, { recursive: true }));

const run = (act: string, options: Partial<JobOptions> = {}) =>
  runJob(entry, { act, pidFile }, { limits, ...options });

function isChildAlive(): boolean {
  try {
    process.kill(Number(readFileSync(pidFile, 'utf8')), 0);
    return true;
  } catch {
    return false;
  }
}

test('a job gives its result and its progress, and the child is gone', async () => {
  const seen: unknown[] = [];
  const result = await run('answer', { progress: (progress) => seen.push(progress) });
  expect(result).toEqual({ job: { act: 'answer', pidFile }, kept: 0 });
  expect(seen).toEqual([{ phase: 'half', done: 1, total: 2 }]);
  expect(isChildAlive()).toBe(false);
});

test('a job is waited for while the child starts, and what its preparation throws ends the child', async () => {
  const job = { act: 'answer', pidFile };
  expect(await runJob(entry, Promise.resolve(job), { limits })).toEqual({ job, kept: 0 });
  const preparation = Promise.reject(new RangeError('no sample'));
  await expect(runJob(entry, preparation, { limits })).rejects.toThrow('no sample');
});

test('what a job throws arrives with code, message and hint', async () => {
  await expect(run('fail')).rejects.toMatchObject({
    code: 'dataset-invalid',
    message: 'bad data',
    hint: 'good data',
  });
  await expect(run('throw')).rejects.toMatchObject({
    code: 'internal',
    message: expect.stringContaining('TypeError: a bug') as string,
  });
});

test('a child that crashes is an error that names the signal and its last words', async () => {
  await expect(run('die')).rejects.toMatchObject({
    code: 'worker-crashed',
    message: expect.stringMatching(/SIGSEGV.*last words/s) as string,
  });
});

test('a child that does not speak the protocol is ended', async () => {
  await expect(run('babble')).rejects.toMatchObject({ code: 'worker-crashed' });
  expect(isChildAlive()).toBe(false);
});

test('an aborted job is killed, even in the middle of a busy loop', async () => {
  const controller = new AbortController();
  const job = run('spin', { signal: controller.signal, progress: () => controller.abort() });
  await expect(job).rejects.toMatchObject({ code: 'cancelled' });
  expect(isChildAlive()).toBe(false);
});

test('a job that was cancelled before it began starts no child', async () => {
  await expect(run('answer', { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'cancelled' });
  expect(() => readFileSync(pidFile)).toThrow(/ENOENT/);
});

test('a job past its deadline is killed', async () => {
  const job = run('spin', { limits: { ...limits, timeoutMs: 1_500 } });
  await expect(job).rejects.toMatchObject({ code: 'deadline-exceeded' });
  expect(isChildAlive()).toBe(false);
});

test.runIf(process.platform === 'linux')('a job over its memory is killed', async () => {
  const job = run('grow', { limits: { ...limits, memoryBytes: 256 * 1024 ** 2 } });
  await expect(job).rejects.toMatchObject({ code: 'memory-short' });
  expect(isChildAlive()).toBe(false);
});

test('the child gets no environment but what a process needs', async () => {
  process.env['HOLDFAST_TEST_SECRET'] = 'token';
  try {
    const names = (await run('environment')) as string[];
    expect(names).toContain('ORT_DISABLE_TELEMETRY');
    expect(names).not.toContain('HOLDFAST_TEST_SECRET');
  } finally {
    delete process.env['HOLDFAST_TEST_SECRET'];
  }
});
