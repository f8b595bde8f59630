// A thief with the whole control plane: every key of the Director and of the pipeline, the measurements, snapshot and
// timestamp, and the gateway. Root, targets and the teams' keys are elsewhere. What he can do is what the weakest of the
// keys can: choose among signed versions, put other weights under a signed contract, hold back what is new.

import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ReleaseManifest } from '#protocol/release.ts';
import { RoleKey } from '#control-plane/trust/keys/role-key.ts';
import { aManifest } from '#test/fakes/agent-releases.ts';
import { AttackScene } from '#test/fakes/attack-scene.ts';
import { someKeys } from '#test/fakes/offline-image.ts';

const [FIRST, SECOND, EVIL] = [aManifest(1), aManifest(2), aManifest(3)];

let scene: AttackScene;
let seq: number;

beforeEach(async () => {
  scene = await AttackScene.create();
  seq = 10;
  for (const manifest of [FIRST, SECOND]) {
    scene.putSource('team-digits', manifest);
    scene.putRelease('pipeline', manifest);
  }
  scene.image.publish();
  await scene.order(SECOND, 1);
  expect(await scene.install()).toEqual(SECOND);
});
afterEach(() => scene[Symbol.asyncDispose]());

async function strike(manifest: ReleaseManifest, ofHisOwn: readonly RoleKey[] = []): Promise<void> {
  scene.image.publish({ holds: [...scene.onlineKeys, ...ofHisOwn] });
  await scene.order(manifest, (seq += 1));
}
function withOtherWeights(manifest: ReleaseManifest): ReleaseManifest {
  const variant = { ...manifest.variant, weights: { sha256: 'e'.repeat(64), sizeBytes: 9 } };
  return { ...manifest, releaseCounter: 99, variant };
}

it.each(['targets', 'team-digits', 'team-faces', 'pipeline', 'measurements'])(
  'installs no version of his own under the name of %s',
  async (role) => {
    scene.putSource(role, EVIL);
    scene.putRelease(role, EVIL);
    scene.putRelease('pipeline', EVIL);
    await strike(EVIL);
    await expect(scene.install()).rejects.toMatchObject({ name: 'HoldfastError' });
  },
);

it.each(['root', 'targets', 'team-digits'])('gives %s no keys of his own', async (role) => {
  const keys = someKeys(1);
  const paths = role.startsWith('team-') ? { paths: ['digits/*/*.json'] } : {};
  scene.image.plan(role, { keys, threshold: 1, ...paths });
  await strike(SECOND, keys);
  await expect(scene.install()).rejects.toMatchObject({ code: 'tuf-signature' });
});

it('goes back to no version below the floor that its authors signed', async () => {
  scene.image.say('targets', { floors: { digits: 2 } });
  scene.image.publish();
  await strike(FIRST);
  await expect(scene.install()).rejects.toMatchObject({ code: 'tuf-below-floor' });
});

it('goes back to no version below the floor by giving it a new counter either', async () => {
  scene.image.say('targets', { floors: { digits: 2 }, lowestVersions: { digits: 2 } });
  scene.image.publish();
  const again = { ...FIRST, releaseCounter: 99 };
  scene.putRelease('pipeline', again);
  await strike(again);
  await expect(scene.install()).rejects.toMatchObject({ code: 'tuf-below-floor' });
});

it('can choose another version that authors signed and still allow', async () => {
  await strike(FIRST);
  expect(await scene.install()).toEqual(FIRST);
});

it('can put other weights under a signed contract, until authors turn the pipeline off', async () => {
  scene.putRelease('pipeline', withOtherWeights(FIRST));
  await strike(withOtherWeights(FIRST));
  expect(await scene.install()).toMatchObject({ variant: { weights: { sha256: 'e'.repeat(64) } } });
  scene.image.drop('pipeline');
  scene.image.publish();
  await strike(withOtherWeights(FIRST));
  await expect(scene.install()).rejects.toMatchObject({ code: 'tuf-mismatch' });
});

it('puts nothing under the strict policy, where authors sign each variant', async () => {
  scene.image.drop('pipeline');
  scene.putRelease('team-digits', SECOND);
  scene.image.publish();
  await strike(SECOND);
  expect(await scene.install()).toEqual(SECOND);
  scene.putRelease('team-digits', withOtherWeights(SECOND));
  await strike(withOtherWeights(SECOND));
  await expect(scene.install()).rejects.toMatchObject({ code: 'tuf-signature' });
});

it('stands in for no author where devices ask for their signature', async () => {
  const [author] = scene.image.keysOf('team-digits');
  if (author === undefined) throw new Error('no author');
  scene.putSignature('team-digits', SECOND, author);
  scene.image.say('targets', { authorSignatures: { 'team-digits': 'device' } });
  scene.image.publish();
  expect(await scene.install()).toEqual(SECOND);
  await strike(FIRST);
  await expect(scene.install()).rejects.toMatchObject({ code: 'signature-missing' });
  const forger = RoleKey.generate();
  scene.putSignature('team-digits', FIRST, forger);
  scene.image.publish();
  await expect(scene.install()).rejects.toMatchObject({ code: 'signature-invalid' });
});
