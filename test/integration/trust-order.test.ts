// The whole way of trust over real mutual TLS and real files: sign, order, verify.

import { createHash } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { request } from 'undici';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { TrustWorld, orderOf, release } from '#test/fakes/trust-world.ts';
import type { Device } from '#test/fakes/trust-world.ts';

let world: TrustWorld;
let device: Device;

beforeEach(async () => {
  world = await TrustWorld.create();
  device = await world.enrol('edge-1');
});
afterEach(() => world[Symbol.asyncDispose]());

it('verifies no order at all as null', async () => {
  expect(await device.refresh()).toBeNull();
});

it('hands over what the Director orders and the authors signed', async () => {
  const wanted = release(3);
  await world.sign(wanted);
  const order = orderOf(wanted, 'edge-1', 7);
  await world.trust.director.setOrder('edge-1', order);
  expect(await device.refresh(7)).toEqual({
    targetPath: 'digits/3/cpu-small.json',
    manifestSha256: createHash('sha256').update(wanted.bytes).digest('hex'),
    manifestLengthBytes: wanted.bytes.length,
    order: order.custom,
    floor: 0,
    sourceSha256: world.trust.image.source('digits', 3)?.hashes.sha256,
    authorSignature: null,
  });
});

it('follows order after order, forward and back to an older version above the floor', async () => {
  for (const version of [1, 2, 3]) await world.sign(release(version));
  await world.trust.image.setFloor('digits', 2);
  for (const [seq, version] of [
    [1, 3],
    [2, 2],
    [3, 3],
  ] as const) {
    await world.trust.director.setOrder('edge-1', orderOf(release(version), 'edge-1', seq));
    expect(await device.refresh(seq - 1)).toMatchObject({
      order: { seq, releaseCounter: version },
      floor: 2,
    });
  }
});

it('keeps two devices apart', async () => {
  const other = await world.enrol('edge-2');
  await world.sign(release(1));
  await world.sign(release(2));
  await world.trust.director.setOrder('edge-1', orderOf(release(1), 'edge-1', 1));
  await world.trust.director.setOrder('edge-2', orderOf(release(2), 'edge-2', 1));
  expect((await device.refresh())?.targetPath).toBe('digits/1/cpu-small.json');
  expect((await other.refresh())?.targetPath).toBe('digits/2/cpu-small.json');
});

it('writes nothing when nothing has changed', async () => {
  await world.sign(release(1));
  await world.trust.director.setOrder('edge-1', orderOf(release(1), 'edge-1', 1));
  await device.refresh();
  const before = await readdir(join(device.directory, 'image'));
  await device.refresh();
  await device.refresh();
  expect(await readdir(join(device.directory, 'image'))).toEqual(before);
});

it('serialises refreshes that are asked for at once', async () => {
  await world.sign(release(1));
  await world.trust.director.setOrder('edge-1', orderOf(release(1), 'edge-1', 1));
  const results = await Promise.all([device.refresh(), device.refresh(), device.refresh()]);
  expect(results.map((result) => result?.order.seq)).toEqual([1, 1, 1]);
});

it('goes on through days of signing anew, for devices that look now and then', async () => {
  await world.sign(release(1));
  await world.trust.director.setOrder('edge-1', orderOf(release(1), 'edge-1', 1));
  for (let day = 0; day < 40; day += 1) {
    world.nowMs += 86_400_000 * 0.7;
    await world.trust.image.resign();
    expect(await world.trust.director.resignExpiring()).toBe(1);
    if (day % 9 === 0) expect(await device.refresh(1)).toMatchObject({ order: { seq: 1 } });
  }
});

it('keeps at most two generations on the device', async () => {
  await world.sign(release(1));
  for (let seq = 1; seq <= 5; seq += 1) {
    await world.trust.director.setOrder('edge-1', orderOf(release(1), 'edge-1', seq));
    await device.refresh();
  }
  const generations = (await readdir(join(device.directory, 'director'))).filter((name) =>
    name.startsWith('gen-'),
  );
  expect(generations).toHaveLength(2);
  const newest = generations.sort((a, b) => Number(b.slice(4)) - Number(a.slice(4)))[0] ?? '';
  const timestamp = await readFile(join(device.directory, 'director', newest, 'timestamp.json'));
  expect(timestamp).toEqual(await world.trust.director.readDirectorFile('edge-1', 'timestamp.json'));
});

it('lets nobody in without a client certificate', async () => {
  const answer = request(`${world.server.url}/image/timestamp.json`);
  await expect(answer).rejects.toThrow();
});
