// A thief with the keys of snapshot and timestamp, and the way to the device: he can hold back what is new until what is
// old has expired, and nothing more.

import { afterEach, beforeEach, expect, it } from 'vitest';
import type { RoleKey } from '#control-plane/trust/keys/role-key.ts';
import { aManifest } from '#test/fakes/agent-releases.ts';
import { AttackScene } from '#test/fakes/attack-scene.ts';

const DAY_MS = 86_400_000;
const [FIRST, SECOND] = [aManifest(1), aManifest(2)];

let scene: AttackScene;
let stolen: RoleKey[];

beforeEach(async () => {
  scene = await AttackScene.create();
  stolen = ['snapshot', 'timestamp'].flatMap((role) => scene.image.keysOf(role));
  scene.putSource('team-digits', FIRST);
  scene.putRelease('pipeline', FIRST);
  scene.image.publish();
  await scene.order(FIRST, 1);
  await scene.install();
});
afterEach(() => scene[Symbol.asyncDispose]());

async function release(manifest: typeof SECOND): Promise<void> {
  scene.putSource('team-digits', manifest);
  scene.putRelease('pipeline', manifest);
  scene.image.publish();
}

it('freezes the fleet until the authors’ own metadata expires', async () => {
  for (let month = 0; month < 11; month += 1) {
    scene.world.nowMs += 30 * DAY_MS;
    await scene.world.trust.director.resignExpiring();
    scene.image.publish({ holds: stolen, lifetimeMs: 3_650 * DAY_MS });
    expect(await scene.install()).toEqual(FIRST);
  }
  scene.world.nowMs += 60 * DAY_MS;
  await scene.world.trust.director.resignExpiring();
  scene.image.publish({ holds: stolen, lifetimeMs: 3_650 * DAY_MS });
  await expect(scene.install()).rejects.toMatchObject({ code: 'tuf-expired' });
});

it.each(['team-digits', 'pipeline', 'targets'])('takes %s back to no older version', async (role) => {
  const old = scene.image.bytesOf(role);
  scene.image.say('targets', { floors: { digits: 1 } });
  await release(SECOND);
  await scene.order(SECOND, 2);
  expect(await scene.install()).toEqual(SECOND);
  scene.image.restore(role, old);
  scene.image.publish({ holds: stolen });
  await expect(scene.install()).rejects.toMatchObject({ code: 'tuf-rollback' });
});

it.each(['snapshot', 'timestamp'])('takes %s itself back to no older version', async (role) => {
  await release(SECOND);
  await scene.install();
  scene.image.publish({ holds: stolen, versions: { [role]: 1 } });
  await expect(scene.install()).rejects.toMatchObject({ code: 'tuf-rollback' });
});

it('leaves no role out that was listed once', async () => {
  scene.image.forget('team-faces');
  scene.image.publish({ holds: stolen });
  await expect(scene.install()).rejects.toMatchObject({ name: 'HoldfastError' });
});

it('mixes no file of one role under the name of another', async () => {
  for (const name of ['one', 'two', 'three']) {
    scene.image.say('team-faces', { name });
    scene.image.publish();
  }
  scene.image.restore('team-digits', scene.image.bytesOf('team-faces'));
  scene.image.publish({ holds: stolen });
  await expect(scene.install()).rejects.toMatchObject({ code: 'tuf-signature' });
});

it('signs no release, no source and no delegation', async () => {
  for (const role of ['targets', 'team-digits', 'pipeline']) {
    scene.putSource(role, SECOND);
    scene.putRelease(role, SECOND);
    scene.image.publish({ holds: stolen });
    await expect(scene.install(), role).rejects.toMatchObject({ code: 'tuf-signature' });
  }
});
