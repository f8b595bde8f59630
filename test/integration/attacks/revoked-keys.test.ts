// Keys that were taken back: what they sign counts for nothing with a device that saw the new metadata, nor with one that
// comes back after months. No device is enrolled or installed again for it.

import { afterEach, beforeEach, expect, it } from 'vitest';
import type { RoleKey } from '#control-plane/trust/keys/role-key.ts';
import { aManifest } from '#test/fakes/agent-releases.ts';
import { AttackScene, teamPaths } from '#test/fakes/attack-scene.ts';
import { someKeys } from '#test/fakes/offline-image.ts';

const DAY_MS = 86_400_000;
const [GOOD, EVIL] = [aManifest(1), aManifest(2)];
const TOP_ROLES = ['root', 'targets', 'snapshot', 'timestamp'] as const;

let scene: AttackScene;

beforeEach(async () => {
  scene = await AttackScene.create({ threshold: 2 });
  scene.putSource('team-digits', GOOD);
  scene.putRelease('pipeline', GOOD);
  scene.image.publish();
  await scene.order(GOOD, 1);
  expect(await scene.install()).toEqual(GOOD);
});
afterEach(() => scene[Symbol.asyncDispose]());

function rotate(role: string): readonly RoleKey[] {
  const old = scene.image.keysOf(role);
  scene.image.plan(role, {
    keys: someKeys(old.length),
    threshold: role === 'root' || role === 'targets' ? 2 : 1,
  });
  return old;
}

it.each(TOP_ROLES)('of %s: the device goes on, and what the old ones sign is refused', async (role) => {
  const old = rotate(role);
  scene.image.publish();
  expect(await scene.install()).toEqual(GOOD);
  scene.putSource('targets', EVIL);
  scene.putRelease('targets', EVIL);
  scene.image.plan(role, { keys: old, threshold: 1 });
  scene.image.publish({ holds: [...old, ...scene.onlineKeys] });
  await scene.order(EVIL, 2);
  await expect(scene.install()).rejects.toMatchObject({ name: 'HoldfastError', code: 'tuf-signature' });
});

it('of a team: what they signed stays, and what they sign after it is refused', async () => {
  const old = scene.image.keysOf('team-digits');
  scene.image.plan('team-digits', { keys: someKeys(2), threshold: 2, paths: teamPaths('digits') });
  scene.image.publish();
  expect(await scene.install()).toEqual(GOOD);
  scene.putSource('team-digits', EVIL);
  scene.putRelease('pipeline', EVIL);
  scene.image.publish({ holds: [...old, ...scene.onlineKeys] });
  await scene.order(EVIL, 2);
  await expect(scene.install()).rejects.toMatchObject({ name: 'HoldfastError', code: 'tuf-signature' });
});

it('of a team that is no more: nothing of it is installed', async () => {
  scene.image.drop('team-digits');
  scene.image.publish();
  await expect(scene.install()).rejects.toMatchObject({ code: 'tuf-mismatch' });
});

it('reach a device that comes back after months, through a chain of roots', async () => {
  const old = TOP_ROLES.flatMap((role) => [...scene.image.keysOf(role)]);
  for (let month = 0; month < 6; month += 1) {
    scene.world.nowMs += 30 * DAY_MS;
    for (const role of TOP_ROLES) rotate(role);
    scene.image.publish();
  }
  await scene.world.trust.director.resignExpiring();
  expect(await scene.install()).toEqual(GOOD);
  scene.putSource('targets', EVIL);
  scene.putRelease('targets', EVIL);
  scene.image.publish({ holds: old });
  await expect(scene.install()).rejects.toMatchObject({ code: 'tuf-signature' });
});

it('do not lead a device astray that was away: old keys cannot go on from its old root', async () => {
  const old = TOP_ROLES.flatMap((role) => [...scene.image.keysOf(role)]);
  rotate('root');
  scene.image.publish();
  scene.world.nowMs += 200 * DAY_MS;
  await scene.world.trust.director.resignExpiring();
  scene.putSource('targets', EVIL);
  scene.image.publish({ holds: old.slice(0, 1) });
  await expect(scene.install()).rejects.toMatchObject({ code: 'tuf-signature' });
});
