// A thief with the pipeline's key, and with it the Director, snapshot and timestamp: what compresses models for an
// author-signed contract, and what he can make devices run with that.

import { afterEach, beforeEach, expect, it } from 'vitest';
import { AttackScene, manifestOf, sourceSha256Of } from '#test/fakes/attack-scene.ts';
import { aManifest } from '#test/fakes/agent-releases.ts';
import type { ReleaseManifest } from '#protocol/release.ts';

const GOOD = aManifest(1);

let scene: AttackScene;

beforeEach(async () => {
  scene = await AttackScene.create();
  scene.putSource('team-digits', GOOD);
  scene.putRelease('pipeline', GOOD);
  scene.image.publish();
  await scene.order(GOOD, 1);
  expect(await scene.install()).toEqual(GOOD);
});
afterEach(() => scene[Symbol.asyncDispose]());

/** The thief publishes what was put, and orders it. */
async function strike(manifest: ReleaseManifest, seq = 2): Promise<void> {
  scene.image.publish({ holds: scene.onlineKeys });
  await scene.order(manifest, seq);
}
function withOtherWeights(manifest: ReleaseManifest): ReleaseManifest {
  const weights = { sha256: 'e'.repeat(64), sizeBytes: 9 };
  return { ...manifest, releaseCounter: 2, variant: { ...manifest.variant, weights, precision: 'int8' } };
}
const mismatch = { name: 'HoldfastError', code: 'tuf-mismatch' };

it('installs no version whose source no author signed', async () => {
  const evil = aManifest(2);
  scene.putRelease('pipeline', evil);
  await strike(evil);
  await expect(scene.install()).rejects.toMatchObject(mismatch);
});

it('installs no version whose source the thief signed himself', async () => {
  const evil = aManifest(2);
  scene.putSource('pipeline', evil);
  scene.putRelease('pipeline', evil);
  await strike(evil);
  await expect(scene.install()).rejects.toMatchObject(mismatch);
});

it('installs nothing that names no source', async () => {
  const evil = aManifest(2);
  scene.putSource('team-digits', evil);
  scene.image.publish();
  scene.putRelease('pipeline', evil, null);
  await strike(evil);
  await expect(scene.install()).rejects.toMatchObject(mismatch);
});

it('installs nothing under the source of another version or another model', async () => {
  const [second, face] = [aManifest(2), manifestOf('faces', 1)];
  scene.putSource('team-digits', second);
  scene.image.publish();
  scene.putRelease('pipeline', { ...GOOD, version: 2, releaseCounter: 2 });
  await strike({ ...GOOD, version: 2, releaseCounter: 2 });
  await expect(scene.install()).rejects.toMatchObject(mismatch);
  scene.putRelease('pipeline', { ...face, contract: GOOD.contract });
  await strike({ ...face, contract: GOOD.contract }, 3);
  await expect(scene.install()).rejects.toMatchObject(mismatch);
});

it('changes nothing of the contract: labels, pre-processing, thresholds, budgets', async () => {
  const changes: Partial<ReleaseManifest['contract']>[] = [
    { labels: ['yes', 'no'] },
    { preprocess: { kind: 'none' }, postprocess: { kind: 'none' } },
    { budgets: { ...GOOD.contract.budgets, maxDisagreementRate: 1 } },
    { weights: { sha256: 'e'.repeat(64), sizeBytes: 1 } },
  ];
  let seq = 2;
  for (const change of changes) {
    const evil = { ...GOOD, contract: { ...GOOD.contract, ...change } };
    scene.putRelease('pipeline', evil, sourceSha256Of(GOOD));
    await strike(evil, (seq += 1));
    await expect(scene.install(), JSON.stringify(change)).rejects.toMatchObject(mismatch);
  }
});

it('can put other weights under a contract that authors signed', async () => {
  const evil = withOtherWeights(GOOD);
  scene.putRelease('pipeline', evil);
  await strike(evil);
  expect(await scene.install()).toMatchObject({ variant: evil.variant, contract: GOOD.contract });
});

it('can put no other weights once targets has turned the pipeline off', async () => {
  scene.image.drop('pipeline');
  scene.image.publish();
  scene.putRelease('pipeline', withOtherWeights(GOOD));
  await strike(withOtherWeights(GOOD));
  await expect(scene.install()).rejects.toMatchObject(mismatch);
  await scene.order(GOOD, 3);
  await expect(scene.install()).rejects.toMatchObject(mismatch);
});

it('installs nothing of a version that its authors have taken back', async () => {
  scene.image.take('team-digits', 'digits/1/source/contract.json');
  scene.image.publish();
  scene.putRelease('pipeline', { ...GOOD, releaseCounter: 99 });
  await strike({ ...GOOD, releaseCounter: 99 });
  await expect(scene.install()).rejects.toMatchObject(mismatch);
});
