// What a device takes for a candidate to time, over real metadata; and that no order makes it install one.

import { createHash } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { encodeDirectorCustom } from '#protocol/director-custom.ts';
import { measureTargetPath } from '#protocol/measurement.ts';
import { TrustThief } from '#test/fakes/trust-thief.ts';
import { orderOf, PROFILE, release, TrustWorld, type Device } from '#test/fakes/trust-world.ts';

const DAY_MS = 86_400_000;
const BYTES = Buffer.from('{"a":"candidate"}');
const SHA256 = createHash('sha256').update(BYTES).digest('hex');
const PATH = measureTargetPath('digits', 1, SHA256);

let world: TrustWorld;
let device: Device;

const verify = (path = PATH) => device.verifier.verifyMeasurement(path, new AbortController().signal);
const sign = (profile = PROFILE) =>
  world.trust.image.addMeasurement({ path: PATH, bytes: BYTES, custom: { profile, purpose: 'measure' } });

beforeEach(async () => {
  world = await TrustWorld.create();
  device = await world.enrol('edge-1');
});
afterEach(() => world[Symbol.asyncDispose]());

it('is what the Image repository signed for that, as long as it does, without a word of the Director', async () => {
  await sign();
  expect(await verify()).toEqual({ sha256: SHA256, sizeBytes: BYTES.length });
  expect(world.server.requests.filter((path) => path.startsWith('/director/'))).toEqual([]);
  await world.trust.image.withdrawMeasurements(PATH);
  await expect(verify()).rejects.toMatchObject({ code: 'tuf-mismatch' });
});

it('is nothing that was signed for another profile, or to be released', async () => {
  await sign('x86-cuda');
  await expect(verify()).rejects.toMatchObject({ code: 'tuf-mismatch' });
  await world.sign(release(1));
  await expect(verify(release(1).path)).rejects.toMatchObject({ code: 'tuf-mismatch' });
});

it('is nothing in metadata that was forged or has expired', async () => {
  await sign();
  world.nowMs += 8 * DAY_MS;
  await expect(verify()).rejects.toMatchObject({ code: 'tuf-expired' });
  await world.trust.image.resign();
  world.server.pin('/image/timestamp.json', '{"signed":{"_type":"timestamp"},"signatures":[]}');
  await expect(verify()).rejects.toMatchObject({ code: 'tuf-signature' });
});

it('is never installed, even when a stolen Director orders it', async () => {
  await sign();
  const { custom } = orderOf(release(1), 'edge-1', 1);
  const target = { length: BYTES.length, sha256: SHA256, custom: { ...encodeDirectorCustom(custom) } };
  const extra = { deviceId: 'edge-1' };
  await new TrustThief(world).serve('director/edge-1', { version: 9, targets: { [PATH]: target }, extra });
  await expect(device.refresh()).rejects.toMatchObject({ code: 'tuf-mismatch' });
  expect(await verify()).toEqual({ sha256: SHA256, sizeBytes: BYTES.length });
});

it('is looked for in turn with orders, and given up as soon as it is not wanted', async () => {
  await sign();
  await world.sign(release(1));
  await world.trust.director.setOrder('edge-1', orderOf(release(1), 'edge-1', 1));
  const stopping = new AbortController();
  stopping.abort();
  const [order, candidate, stopped] = await Promise.allSettled([
    device.refresh(),
    verify(),
    device.verifier.verifyMeasurement(PATH, stopping.signal),
  ]);
  expect(order).toMatchObject({ value: { order: { seq: 1 } } });
  expect(candidate).toMatchObject({ value: { sha256: SHA256 } });
  expect(stopped).toMatchObject({ reason: { code: 'cancelled' } });
});
