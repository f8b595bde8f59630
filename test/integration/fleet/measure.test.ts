// A candidate timed by a real agent process with the real onnxruntime, asked for by a real control plane.

import { writeFile } from 'node:fs/promises';
import { expect, test, vi } from 'vitest';
import type { ManagedProcess } from '#test/demo/managed-process.ts';
import { DEFAULT_DEPLOYMENT_POLICY } from '#protocol/release.ts';
import { until } from '../agent/agent-fleet.ts';
import { MeasureWorld, workersOf } from './measure-world.ts';

async function measuring(agent: ManagedProcess): Promise<number> {
  await until(async () => (await workersOf(agent)).length > 0, 'the process that measures');
  const [pid] = await workersOf(agent);
  return pid ?? 0;
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test('a device of the profile times a candidate, tells its numbers, and nothing is left anywhere', async () => {
  const world = await MeasureWorld.start();
  const request = await world.digits();
  expect(await world.devices.timer.time(request)).toBeNull(); // nobody is there
  const agent = await world.agent('edge-1');
  const begun = world.event((summary) => summary === 'edge-1 times digits 1 candidate original');
  const ended = world.event((summary) =>
    summary.startsWith('edge-1 timed digits 1 candidate original: p50 '),
  );

  const timing = await world.devices.timer.time(request);
  expect(timing).toMatchObject({ deviceId: 'edge-1', runs: 200 });
  expect(timing?.p50Ms).toBeGreaterThan(0.01);
  expect(timing?.p50Ms).toBeLessThan(100);
  expect(timing?.p95Ms).toBeGreaterThanOrEqual(timing?.p50Ms ?? 0);
  // A process with Node, onnxruntime and sharp, and a small model.
  expect(timing?.memoryBytes).toBeGreaterThan(50e6);
  expect(timing?.memoryBytes).toBeLessThan(500e6);
  await Promise.all([begun, ended]);

  const [entry] = await world.core.audit.before(Number.MAX_SAFE_INTEGER, 1);
  expect(entry).toMatchObject({
    action: 'model.measure',
    detail: { deviceId: 'edge-1', weightsSha256: request.weights.sha256, precision: 'original' },
  });
  expect(world.core.trust.image.target(entry?.subject ?? '')).toBeUndefined();
  expect(await world.litter('edge-1')).toEqual([]);
  expect(await workersOf(agent)).toEqual([]);
});

test('a process that is killed while it measures is told of, and the device times the next candidate', async () => {
  const world = await MeasureWorld.start();
  const agent = await world.agent('edge-1');
  const timing = world.devices.timer.time(await world.endless());
  process.kill(await measuring(agent), 'SIGKILL');
  await expect(timing).rejects.toMatchObject({
    code: 'worker-crashed',
    message: expect.stringContaining('on edge-1: worker-crashed: the worker process ended by SIGKILL'),
  });
  expect(await world.litter('edge-1')).toEqual([]);
  expect(await world.devices.timer.time(await world.digits())).toMatchObject({ runs: 200 });
});

test('a deployment stops a measurement and goes on', async () => {
  const world = await MeasureWorld.start();
  const { trust, blobs } = world.core;
  const agent = await world.agent('edge-1');
  const timing = world.devices.timer.time(await world.endless());
  const worker = await measuring(agent);

  const bytes = Buffer.from('{}');
  const { sha256: manifestSha256, sizeBytes } = await blobs.putBytes(bytes);
  const targetPath = 'digits/2/cpu-generic.json';
  await trust.image.addAuthorTargets('digits', [
    { path: targetPath, bytes, custom: { profile: 'cpu-generic', releaseCounter: 1 } },
  ]);
  world.release = { targetPath, manifestSha256, manifestLengthBytes: sizeBytes, releaseCounter: 1 };
  const stopped = world.event((summary) => summary.includes('did not time rounds 1 candidate'));
  const deploying = world.event((summary) => summary === 'edge-1 digits 2: downloading');
  const order = { rolloutId: 'ro-1', model: 'digits', version: 2, policy: DEFAULT_DEPLOYMENT_POLICY };
  await world.devices.fleet.order('edge-1', order);

  expect(await timing).toBeNull();
  expect(await stopped).toContain('conflict: a deployment has precedence');
  await deploying;
  expect(isAlive(worker)).toBe(false);
  expect(await world.litter('edge-1')).toEqual([]);
  // It is busy, and then it has failed at what it was ordered (this release has no contract).
  expect(await world.devices.timer.time(await world.digits())).toBeNull();
});

test('a candidate that is not signed, or whose signed bytes were changed, is not run', async () => {
  const world = await MeasureWorld.start();
  const { image } = world.core.trust;
  await world.agent('edge-1');
  const refused = (why: string) =>
    world.event((summary) => summary.includes(`digits 1 candidate original: ${why}`));

  const unsigned = vi.spyOn(image, 'addMeasurement').mockResolvedValueOnce(undefined);
  const nobody = refused('tuf-mismatch: nobody signed digits/1/candidates/');
  expect(await world.devices.timer.time(await world.digits())).toBeNull();
  await nobody;

  unsigned.mockImplementationOnce(async (target) => {
    unsigned.mockRestore();
    await image.addMeasurement(target);
    if (!('bytes' in target)) throw new Error('no bytes');
    const { sha256 } = await world.core.blobs.putBytes(target.bytes);
    await writeFile(world.core.blobs.path(sha256), Buffer.alloc(target.bytes.length));
  });
  const changed = refused('digest-mismatch: ');
  expect(await world.devices.timer.time(await world.digits())).toBeNull();
  await changed;
  expect(await world.litter('edge-1')).toEqual([]);
});

test('an agent that is killed while it measures leaves no process, and after its restart no bytes', async () => {
  const world = await MeasureWorld.start();
  const agent = await world.agent('edge-1');
  const stopping = new AbortController();
  const timing = world.devices.timer.time({ ...(await world.endless()), signal: stopping.signal });
  const worker = await measuring(agent);
  stopping.abort(new Error('the job was cancelled'));
  await expect(timing).rejects.toMatchObject({ code: 'cancelled' });
  expect((await world.litter('edge-1')).length).toBeGreaterThan(0);
  await agent.killAndRestart();
  expect(await world.litter('edge-1')).toEqual([]);
  await until(() => Promise.resolve(!isAlive(worker)), 'the end of the process that measured');
});
