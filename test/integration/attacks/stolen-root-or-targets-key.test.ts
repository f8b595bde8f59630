// A thief with one of the two keys that root or targets needs, and with everything online: Director, pipeline,
// measurements, snapshot and timestamp.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RoleKey } from '#control-plane/trust/keys/role-key.ts';
import type { ReleaseManifest } from '#protocol/release.ts';
import { aManifest } from '#test/fakes/agent-releases.ts';
import { AttackScene, EDGE, teamPaths } from '#test/fakes/attack-scene.ts';
import { someKeys } from '#test/fakes/offline-image.ts';

const GOOD = aManifest(1);
const EVIL = aManifest(2);

let scene: AttackScene;
let ofThief: RoleKey[];

beforeEach(async () => {
  scene = await AttackScene.create({ threshold: 2 });
  ofThief = someKeys(2);
  scene.putSource('team-digits', GOOD);
  scene.putRelease('pipeline', GOOD);
  scene.image.publish();
  await scene.order(GOOD, 1);
  await scene.install();
});
afterEach(() => scene[Symbol.asyncDispose]());

/** With the first key of a role. */
async function strikeWithOneOf(role: string, manifest: ReleaseManifest): Promise<void> {
  const [stolen] = scene.image.keysOf(role);
  if (stolen === undefined) throw new Error('nothing to steal');
  await strikeWith([stolen], manifest);
}
async function strikeWith(stolen: readonly RoleKey[], manifest: ReleaseManifest): Promise<void> {
  scene.image.publish({ holds: [...scene.onlineKeys, ...ofThief, ...stolen] });
  await scene.order(manifest, 2);
}
const unsigned = { name: 'HoldfastError', code: 'tuf-signature' };

describe('one root key', () => {
  it.each(['root', 'targets', 'snapshot', 'timestamp'])('gives %s to no other keys', async (role) => {
    const [stolen] = scene.image.keysOf('root');
    scene.image.plan(role, { keys: ofThief, threshold: 1 });
    scene.putSource('targets', EVIL);
    scene.putRelease('targets', EVIL);
    await strikeWith(stolen === undefined ? [] : [stolen], EVIL);
    await expect(scene.install()).rejects.toMatchObject(unsigned);
  });

  it('makes no threshold lower', async () => {
    const keys = scene.image.keysOf('root');
    scene.image.plan('root', { keys, threshold: 1 });
    await strikeWithOneOf('root', GOOD);
    await expect(scene.install()).rejects.toMatchObject(unsigned);
  });
});

describe('one targets key', () => {
  it('signs no release', async () => {
    scene.putSource('targets', EVIL);
    scene.putRelease('targets', EVIL);
    await strikeWithOneOf('targets', EVIL);
    await expect(scene.install()).rejects.toMatchObject(unsigned);
  });

  it('gives no team other keys or other names, and makes no team', async () => {
    scene.image.plan('team-digits', { keys: ofThief, threshold: 1, paths: teamPaths('digits') });
    scene.putSource('team-digits', EVIL);
    scene.putRelease('pipeline', EVIL);
    await strikeWithOneOf('targets', EVIL);
    await expect(scene.install()).rejects.toMatchObject(unsigned);
  });

  it('lifts no floor off a model, and no request for signatures off a team', async () => {
    scene.image.say('targets', {});
    await strikeWithOneOf('targets', GOOD);
    await expect(scene.install()).rejects.toMatchObject(unsigned);
  });
});

it('leaves the device with what it trusted before', async () => {
  const before = scene.image.bytesOf('timestamp');
  scene.putSource('targets', EVIL);
  await strikeWithOneOf('targets', EVIL);
  await expect(scene.install()).rejects.toMatchObject(unsigned);
  // The honest people go on above the versions that the thief's snapshot showed.
  scene.image.take('targets', 'digits/2/source/contract.json');
  scene.image.publish();
  await scene.world.trust.director.ensureDevice(EDGE);
  await scene.order(GOOD, 3);
  expect(await scene.install()).toEqual(GOOD);
  expect(before.equals(scene.image.bytesOf('timestamp'))).toBe(false);
});
