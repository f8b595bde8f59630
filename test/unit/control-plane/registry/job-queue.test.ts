import { afterEach, describe, expect, it } from 'vitest';
import { JobQueue, type JobContext, type JobWork } from '#control-plane/registry/job-queue.ts';
import { createLogger } from '#control-plane/logger.ts';
import { HoldfastError } from '#protocol/errors.ts';
import type { Job } from '#protocol/api.ts';
import { ACTOR, importDigits, registryWorld, type RegistryWorld } from './registry-world.ts';

let world: RegistryWorld;
afterEach(() => world[Symbol.asyncDispose]());

async function worldWith(work: JobWork): Promise<void> {
  world = await registryWorld(() => work);
  await importDigits(world);
}

const ask = (...profiles: string[]) => world.registry.createVariants('digits', 1, { profiles }, ACTOR);

/** The job as it is once its state is one of those. */
async function untilState(id: string, ...states: Job['state'][]): Promise<Job> {
  for (;;) {
    const job = await world.registry.getJob(id);
    if (states.includes(job.state)) return job;
    await new Promise(setImmediate);
  }
}

/** Work that waits until it is let go or stopped. */
function gated() {
  const begun: string[] = [];
  const gates: (() => void)[] = [];
  const work: JobWork = (job, { signal }: JobContext) =>
    new Promise((resolve, reject) => {
      begun.push(job.id);
      gates.push(resolve);
      signal.addEventListener('abort', () => reject(new HoldfastError('cancelled', 'stopped')));
    });
  return { begun, work, open: () => gates.shift()?.() };
}

describe('a job', () => {
  it('runs, tells how far it is, and succeeds', async () => {
    await worldWith((_job, context) => {
      context.progress(40, 'compressing');
      return Promise.resolve();
    });
    const job = await ask('cpu-generic');
    expect(job).toMatchObject({ state: 'queued', progressPct: 0, kind: 'compression' });
    expect(await untilState(job.id, 'succeeded')).toMatchObject({ progressPct: 100, error: null });
    const events = await world.deps.events.since(0, 100);
    expect(events.filter(({ kind }) => kind === 'job').at(-1)?.summary).toContain('succeeded');
  });

  it('waits for the one before it', async () => {
    const { begun, work, open } = gated();
    await worldWith(work);
    const first = await ask('cpu-generic');
    const second = await ask('x86-cuda');
    await untilState(first.id, 'running');
    expect((await world.registry.getJob(second.id)).state).toBe('queued');
    open();
    await untilState(second.id, 'running');
    expect(begun).toEqual([first.id, second.id]);
    open();
    await untilState(second.id, 'succeeded');
  });

  it('that asks for the same as an open one is that one', async () => {
    const { work, open } = gated();
    await worldWith(work);
    const first = await ask('cpu-generic');
    expect((await ask('cpu-generic')).id).toBe(first.id);
    await untilState(first.id, 'running');
    open();
    await untilState(first.id, 'succeeded');
    expect((await ask('cpu-generic')).id).not.toBe(first.id);
  });

  it('that fails says why, and the next one runs', async () => {
    let runs = 0;
    await worldWith(() => {
      if (runs++ === 0) throw new HoldfastError('dataset-invalid', 'no images', { hint: 'upload some' });
      return Promise.resolve();
    });
    const failed = await ask('cpu-generic');
    expect((await untilState(failed.id, 'failed')).error).toEqual({
      code: 'dataset-invalid',
      detail: 'dataset-invalid: no images (upload some)',
    });
    const next = await ask('cpu-generic');
    await untilState(next.id, 'succeeded');
  });

  it.each(['queued', 'running'] as const)('can be cancelled while it is %s', async (state) => {
    const { begun, work, open } = gated();
    await worldWith(work);
    const running = await ask('cpu-generic');
    await untilState(running.id, 'running');
    const queued = await ask('x86-cuda');
    const job = state === 'queued' ? queued : running;
    expect(await world.registry.cancelJob(job.id, ACTOR)).toMatchObject({ state: 'cancelled' });
    if (state === 'running') await untilState(queued.id, 'running');
    open();
    open();
    await untilState(state === 'queued' ? running.id : queued.id, 'succeeded');
    expect((await world.registry.getJob(job.id)).state).toBe('cancelled');
    expect(begun.includes(queued.id)).toBe(state === 'running');
  });

  it('that a stop cut off runs again at the next start', async () => {
    const { work } = gated();
    await worldWith(work);
    const job = await ask('cpu-generic');
    await untilState(job.id, 'running');
    await world.jobs[Symbol.asyncDispose]();
    expect((await world.registry.getJob(job.id)).state).toBe('running');

    let asked: unknown;
    await using again = new JobQueue({
      ...world.deps,
      log: createLogger({ level: 'silent', write: () => undefined }),
      work: (resumed) => {
        asked = resumed.request;
        return Promise.resolve();
      },
    });
    again.start();
    await untilState(job.id, 'succeeded');
    expect(asked).toEqual({ profiles: ['cpu-generic'] });
  });
});

describe('asking for variants is refused', () => {
  it.each([
    ['of an unknown profile', { profiles: ['toaster'] }, 'profile-unknown'],
    ['in int8 without a calibration dataset', { profiles: ['x86-cpu'] }, 'dataset-invalid'],
    [
      'with a dataset that is not uploaded',
      { profiles: ['x86-cpu'], calibrationSha256: 'a'.repeat(64) },
      'not-found',
    ],
  ])('%s', async (_what, request, code) => {
    await worldWith(() => Promise.resolve());
    await expect(world.registry.createVariants('digits', 1, request, ACTOR)).rejects.toMatchObject({ code });
  });

  it('of a version that is not there', async () => {
    await worldWith(() => Promise.resolve());
    const request = { profiles: ['cpu-generic'] };
    await expect(world.registry.createVariants('digits', 2, request, ACTOR)).rejects.toMatchObject({
      code: 'not-found',
    });
  });
});
