import { readdir } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { MEASUREMENT_SCHEMA, measureTargetPath } from '#protocol/measurement.ts';
import type { MeasureCommand, MeasurementManifest, ReplyBody } from '#protocol/measurement.ts';
import { aManifest, digestOf, TEST_PROFILE } from '#test/fakes/agent-releases.ts';
import { AgentWorld } from '#test/fakes/agent-world.ts';

/** Signs a candidate, puts its bytes where the device can have them, and gives the request to time it. */
function aCandidate(
  world: AgentWorld,
  name: string,
  change: Partial<MeasurementManifest> = {},
): MeasureCommand {
  const { contract } = aManifest(1);
  const manifest: MeasurementManifest = {
    schema: MEASUREMENT_SCHEMA,
    model: 'digits',
    version: 1,
    profile: TEST_PROFILE,
    precision: 'int8',
    weights: world.candidates.add(Buffer.from(`weights of ${name}`)),
    contract,
    ...change,
  };
  world.candidates.add(Buffer.from('golden of 1'));
  const blob = world.candidates.add(Buffer.from(JSON.stringify(manifest)));
  const targetPath = measureTargetPath('digits', 1, blob.sha256);
  world.verifier.signed.set(targetPath, blob);
  return { kind: 'measure', requestId: name, targetPath, manifest: blob, runs: 200, deadlineMs: 60_000 };
}

const replies = (world: AgentWorld): ReplyBody[] =>
  world.transport.sent.flatMap(({ leaf, body }) => (leaf === 'reply' ? [body as ReplyBody] : []));
const measuring = (world: AgentWorld) => world.runtime.workers.filter(({ role }) => role === 'measure');

async function answer(world: AgentWorld, command: MeasureCommand): Promise<ReplyBody> {
  const before = replies(world).length;
  world.transport.command(command);
  await world.until(() => replies(world).length > before, 'an answer');
  return replies(world)[before] as ReplyBody;
}

/** What is on the disk of a measurement. */
async function litter(world: AgentWorld): Promise<string[]> {
  return await readdir(world.candidates.folder);
}

describe('a measurement', () => {
  test('runs in a process of its own beside what serves, answers, and leaves nothing behind', async () => {
    const world = await AgentWorld.start();
    await world.settleOn(1, 1);
    const command = aCandidate(world, 'one');
    expect(await answer(world, command)).toEqual({
      kind: 'measured',
      requestId: 'one',
      timing: { runs: 200, p50Ms: 1, p95Ms: 2, memoryBytes: 1_000 },
    });
    const [worker] = measuring(world);
    expect(worker?.loaded?.weightsPath).toContain(digestOf('weights of one'));
    expect(worker?.isAlive).toBe(false);
    expect(world.serves).toBe(1);
    expect(world.state.slots.b).toBeNull();
    expect(await litter(world)).toEqual([]);
  });

  test('asked for again is not carried out again, and answered again', async () => {
    const world = await AgentWorld.start();
    const command = aCandidate(world, 'one');
    world.transport.command(command);
    const first = await answer(world, command);
    expect(await answer(world, command)).toEqual(first);
    expect(measuring(world)).toHaveLength(1);
  });

  test('gives way to a newer one', async () => {
    const world = await AgentWorld.start();
    world.runtime.prepare = (worker) => (worker.isSlow = true);
    world.transport.command(aCandidate(world, 'older'));
    await world.until(() => measuring(world)[0]?.loaded != null);
    world.runtime.prepare = () => undefined;
    world.transport.command(aCandidate(world, 'newer'));
    await world.until(() => replies(world).length === 2);
    expect(replies(world)).toMatchObject([
      { kind: 'measure-failed', requestId: 'older', code: 'cancelled' },
      { kind: 'measured', requestId: 'newer' },
    ]);
  });

  test('that takes too long is ended at its deadline', async () => {
    const world = await AgentWorld.start();
    world.runtime.prepare = (worker) => (worker.isSlow = true);
    world.transport.command(aCandidate(world, 'one'));
    await world.until(() => measuring(world)[0]?.loaded != null);
    await world.passUntil(10_000, () => replies(world).length > 0);
    expect(replies(world)).toMatchObject([{ code: 'deadline-exceeded' }]);
    expect(measuring(world)[0]?.isAlive).toBe(false);
    expect(await litter(world)).toEqual([]);
  });

  test('whose process dies says so, and what serves is not touched', async () => {
    const world = await AgentWorld.start();
    await world.settleOn(1, 1);
    world.runtime.prepare = (worker) => (worker.isSlow = true);
    world.transport.command(aCandidate(world, 'one'));
    await world.until(() => measuring(world)[0]?.loaded != null);
    measuring(world)[0]?.kill();
    await world.until(() => replies(world).length > 0);
    expect(replies(world)).toMatchObject([{ code: 'worker-crashed' }]);
    expect(world.serves).toBe(1);
    expect(world.state.quarantined).toEqual([]);
    expect(await litter(world)).toEqual([]);
  });

  test('is not begun without room for it', async () => {
    const world = await AgentWorld.start();
    world.snapshot = { ...world.snapshot, memoryAvailableBytes: 1_000_000 };
    expect(await answer(world, aCandidate(world, 'one'))).toMatchObject({ code: 'unavailable' });
    world.snapshot = { ...world.snapshot, memoryAvailableBytes: 8e9, diskFreeBytes: 1_000 };
    expect(await answer(world, aCandidate(world, 'two'))).toMatchObject({ code: 'unavailable' });
    expect(measuring(world)).toEqual([]);
  });
});

describe('a deployment', () => {
  test('ends a measurement that is under way', async () => {
    const world = await AgentWorld.start();
    world.runtime.prepare = (worker) => (worker.isSlow = true);
    world.transport.command(aCandidate(world, 'one'));
    await world.until(() => measuring(world)[0]?.loaded != null);
    world.publish(1);
    world.order(1, 1, { mode: 'direct' });
    await world.until(() => replies(world).length > 0);
    expect(replies(world)).toMatchObject([{ code: 'conflict' }]);
    expect(measuring(world)[0]?.isAlive).toBe(false);
    await world.untilState('probation', 1);
    expect(world.serves).toBe(1);
  });

  test('that is open lets none begin', async () => {
    const world = await AgentWorld.start();
    world.publish(1);
    world.order(1, 1, { mode: 'direct' });
    await world.untilState('probation', 1);
    expect(await answer(world, aCandidate(world, 'one'))).toMatchObject({ code: 'conflict' });
    expect(measuring(world)).toEqual([]);
    await world.passUntil(1_000, () => world.report?.state === 'healthy');
    expect(await answer(world, aCandidate(world, 'two'))).toMatchObject({ kind: 'measured' });
  });
});

describe('what was not signed to be timed here is never run', () => {
  test('a candidate nobody signed', async () => {
    const world = await AgentWorld.start();
    const command = aCandidate(world, 'one');
    world.verifier.signed.clear();
    expect(await answer(world, command)).toMatchObject({ code: 'tuf-mismatch' });
    expect(measuring(world)).toEqual([]);
  });

  test('other bytes than the request names, and bytes that were changed', async () => {
    const world = await AgentWorld.start();
    const command = aCandidate(world, 'one');
    const manifest = { ...command.manifest, sha256: digestOf('other') };
    expect(await answer(world, { ...command, manifest })).toMatchObject({ code: 'tuf-mismatch' });
    world.candidates.remote.set(command.manifest.sha256, Buffer.alloc(command.manifest.sizeBytes));
    expect(await answer(world, { ...command, requestId: 'two' })).toMatchObject({ code: 'digest-mismatch' });
    expect(measuring(world)).toEqual([]);
  });

  test.each([
    ['of another profile', { profile: 'jetson-orin' }, 'tuf-mismatch'],
    ['of another version', { version: 2 }, 'tuf-mismatch'],
    ['of another model', { model: 'letters' }, 'tuf-mismatch'],
  ] as const)('a manifest %s', async (_what, change, code) => {
    const world = await AgentWorld.start();
    expect(await answer(world, aCandidate(world, 'one', change))).toMatchObject({ code });
    expect(measuring(world)).toEqual([]);
  });

  test('a release', async () => {
    const world = await AgentWorld.start();
    const release = world.candidates.add(Buffer.from(JSON.stringify(aManifest(1))));
    const targetPath = measureTargetPath('digits', 1, release.sha256);
    world.verifier.signed.set(targetPath, release);
    const command = { ...aCandidate(world, 'one'), targetPath, manifest: release };
    expect(await answer(world, command)).toMatchObject({ code: 'contract-invalid' });
    expect(measuring(world)).toEqual([]);
  });
});

test('what a killed agent left of a measurement is gone after its restart', async () => {
  const world = await AgentWorld.start();
  world.runtime.prepare = (worker) => (worker.isSlow = true);
  const command = aCandidate(world, 'one');
  world.transport.command(command);
  await world.until(() => measuring(world)[0]?.loaded != null);
  expect((await litter(world)).length).toBeGreaterThan(0);
  world.candidates.isFrozen = true;
  const next = await world.killAndRestart();
  expect(await litter(next)).toEqual([]);
});
