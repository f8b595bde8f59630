// A device whose stored metadata is torn: it must go on, and must have forgotten nothing.

import { cp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TrustWorld, orderOf, release } from '#test/fakes/trust-world.ts';
import type { Device } from '#test/fakes/trust-world.ts';

let world: TrustWorld;
let device: Device;
let healthy: string;
let oldTimestamp: Buffer;

beforeAll(async () => {
  world = await TrustWorld.create();
  device = await world.enrol('edge-1');
  await world.sign(release(1));
  await world.trust.director.setOrder('edge-1', orderOf(release(1), 'edge-1', 1));
  await device.refresh();
  oldTimestamp = (await world.trust.director.readDirectorFile('edge-1', 'timestamp.json')) ?? Buffer.alloc(0);
  await world.trust.director.setOrder('edge-1', orderOf(release(1), 'edge-1', 2));
  await device.refresh();
  healthy = join(world.directory, 'healthy');
  await cp(device.directory, healthy, { recursive: true });
});
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(restore);

async function restore(): Promise<void> {
  await rm(device.directory, { recursive: true });
  await cp(healthy, device.directory, { recursive: true });
  world.server.misbehave.clear();
}

/** The old timestamp is refused, and the honest server is followed, in either order. */
async function hasForgottenNothing(): Promise<void> {
  world.server.pin('/director/edge-1/timestamp.json', oldTimestamp);
  await expect(device.refresh()).rejects.toMatchObject({ code: 'tuf-rollback' });
  world.server.misbehave.clear();
  expect(await device.refresh()).toMatchObject({ order: { seq: 2 } });
  world.server.pin('/director/edge-1/timestamp.json', oldTimestamp);
  await expect(device.refresh()).rejects.toMatchObject({ code: 'tuf-rollback' });
}

async function newestGeneration(): Promise<string> {
  const names = (await readdir(join(device.directory, 'director'))).filter((name) => name.startsWith('gen-'));
  return names.sort((a, b) => Number(b.slice(4)) - Number(a.slice(4)))[0] ?? '';
}

describe.each([
  'root.json',
  'timestamp.json',
  'snapshot.json',
  'targets.json',
  'generation.seal',
  'memory.json',
])('with %s torn', (name) => {
  it.each([0, 1 / 7, 1 / 2, 0.95, 1])('at %f of its length', async (part) => {
    const folder = join(device.directory, 'director', name === 'memory.json' ? '' : await newestGeneration());
    const bytes = await readFile(join(folder, name));
    await writeFile(
      join(folder, name),
      bytes.subarray(0, Math.min(Math.floor(bytes.length * part), bytes.length - 1)),
    );
    await hasForgottenNothing();
  });

  it('by one flipped bit, or gone', async () => {
    const folder = join(device.directory, 'director', name === 'memory.json' ? '' : await newestGeneration());
    const bytes = await readFile(join(folder, name));
    bytes[Math.floor(bytes.length / 2)] = (bytes[Math.floor(bytes.length / 2)] ?? 0) ^ 1;
    await writeFile(join(folder, name), bytes);
    await hasForgottenNothing();
    await restore();
    await rm(join(folder, name));
    await hasForgottenNothing();
  });
});

it('goes on from the anchor and the memory when every generation is gone', async () => {
  for (const name of await readdir(join(device.directory, 'director'))) {
    if (name.startsWith('gen-')) await rm(join(device.directory, 'director', name), { recursive: true });
  }
  await hasForgottenNothing();
});

it('goes on when a refresh was killed half way', async () => {
  await cp(
    join(device.directory, 'director', await newestGeneration()),
    join(device.directory, 'director', 'staging'),
    {
      recursive: true,
    },
  );
  await writeFile(join(device.directory, 'director', 'staging', 'timestamp.json'), '{"half');
  await hasForgottenNothing();
});

it('waits for the network with a torn generation, and keeps what it has', async () => {
  await writeFile(join(device.directory, 'director', await newestGeneration(), 'timestamp.json'), '');
  world.server.misbehave.set('/director/edge-1/timestamp.json', (_, response) => response.destroy());
  const before = await readdir(join(device.directory, 'director'));
  await expect(device.refresh()).rejects.toMatchObject({ code: 'tuf-unavailable' });
  world.server.pin('/director/edge-1/timestamp.json', oldTimestamp);
  world.server.misbehave.set('/director/edge-1/2.snapshot.json', (_, response) => response.destroy());
  await expect(device.refresh()).rejects.toMatchObject({ name: 'HoldfastError' });
  expect(await readdir(join(device.directory, 'director'))).toEqual(before);
  world.server.misbehave.clear();
  await hasForgottenNothing();
});
