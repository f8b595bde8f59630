// A thief with the key that signs what devices may time, and with the Director, snapshot and timestamp.

import { afterEach, beforeEach, expect, it } from 'vitest';
import { aManifest } from '#test/fakes/agent-releases.ts';
import { AttackScene } from '#test/fakes/attack-scene.ts';

const EVIL = aManifest(2);

let scene: AttackScene;

beforeEach(async () => {
  scene = await AttackScene.create();
});
afterEach(() => scene[Symbol.asyncDispose]());

async function strike(): Promise<void> {
  const holds = ['snapshot', 'timestamp', 'measurements'].flatMap((role) => scene.image.keysOf(role));
  scene.image.publish({ holds });
  await scene.order(EVIL, 2);
}

it('installs nothing, not even under an author-signed source', async () => {
  scene.putSource('team-digits', EVIL);
  scene.image.publish();
  scene.putRelease('measurements', EVIL);
  await strike();
  await expect(scene.install()).rejects.toMatchObject({ code: 'tuf-mismatch' });
});

it('installs nothing where targets lets it sign any name', async () => {
  scene.putSource('team-digits', EVIL);
  const keys = scene.image.keysOf('measurements');
  scene.image.plan('measurements', { keys, threshold: 1, paths: ['*/*/*.json'] });
  scene.image.publish();
  scene.putRelease('measurements', EVIL);
  await strike();
  await expect(scene.install()).rejects.toMatchObject({ code: 'tuf-mismatch' });
});

it('makes a device time nothing but what lies under a name for it', async () => {
  const path = 'digits/1/candidates/0123456789abcdef.json';
  const target = { sha256: 'a'.repeat(64), length: 9, custom: { profile: EVIL.profile, purpose: 'measure' } };
  scene.image.put('measurements', path, target);
  scene.image.put('measurements', 'digits/1/cpu-generic.json', target);
  await strike();
  const signal = new AbortController().signal;
  const { verifier } = scene.device;
  expect(await verifier.verifyMeasurement(path, signal)).toEqual({ sha256: target.sha256, sizeBytes: 9 });
  await expect(verifier.verifyMeasurement('digits/1/cpu-generic.json', signal)).rejects.toMatchObject({
    code: 'tuf-mismatch',
  });
});

it('is the only key whose word devices time by', async () => {
  const path = 'digits/1/candidates/0123456789abcdef.json';
  const custom = { profile: EVIL.profile, purpose: 'measure' };
  scene.image.put('targets', path, { sha256: 'a'.repeat(64), length: 9, custom });
  scene.image.publish();
  const { signal } = new AbortController();
  await expect(scene.device.verifier.verifyMeasurement(path, signal)).rejects.toMatchObject({
    code: 'tuf-mismatch',
  });
});
