// A thief with keys of one team, and with them everything online: the Director, the pipeline, snapshot and timestamp.

import { afterEach, describe, expect, it } from 'vitest';
import type { ReleaseManifest } from '#protocol/release.ts';
import { aManifest } from '#test/fakes/agent-releases.ts';
import { AttackScene, manifestOf } from '#test/fakes/attack-scene.ts';
import { someKeys } from '#test/fakes/offline-image.ts';
import type { SceneOptions } from '#test/fakes/attack-scene.ts';

let scene: AttackScene;
afterEach(() => scene[Symbol.asyncDispose]());

async function stealFrom(options: SceneOptions): Promise<void> {
  scene = await AttackScene.create(options);
  const good = aManifest(1);
  scene.putSource('team-digits', good);
  scene.putRelease('pipeline', good);
  scene.image.publish();
  await scene.order(good, 1);
  await scene.install();
}

/** With the first key of team digits. */
async function strike(manifest: ReleaseManifest): Promise<void> {
  const [stolen] = scene.image.keysOf('team-digits');
  if (stolen === undefined) throw new Error('nothing to steal');
  scene.image.publish({ holds: [...scene.onlineKeys, stolen] });
  await scene.order(manifest, 2);
}

describe('one key of a team that needs one', () => {
  it('signs what it likes under the names of that team', async () => {
    await stealFrom({ teamThreshold: 1 });
    scene.putSource('team-digits', aManifest(2));
    scene.putRelease('pipeline', aManifest(2));
    await strike(aManifest(2));
    expect(await scene.install()).toEqual(aManifest(2));
  });

  it('signs nothing under the names of another team', async () => {
    await stealFrom({ teamThreshold: 1 });
    const face = manifestOf('faces', 1);
    scene.putSource('team-digits', face);
    scene.putRelease('team-digits', face);
    scene.putRelease('pipeline', face);
    await strike(face);
    await expect(scene.install()).rejects.toMatchObject({ code: 'tuf-mismatch' });
  });

  it('lowers no floor that targets has set, and sets none for another team', async () => {
    await stealFrom({ teamThreshold: 1 });
    const face = manifestOf('faces', 3);
    scene.putSource('team-faces', face);
    scene.putRelease('pipeline', face);
    scene.image.say('targets', { floors: { digits: 3 } });
    scene.image.publish();
    scene.image.say('team-digits', { floors: { digits: 0, faces: 99 } });
    await strike(aManifest(1));
    await expect(scene.install()).rejects.toMatchObject({ code: 'tuf-below-floor' });
    await scene.order(face, 3);
    expect(await scene.install()).toEqual(face);
  });

  it('does not undo that targets asks devices for the signature of the authors', async () => {
    await stealFrom({ teamThreshold: 1 });
    scene.image.say('targets', { authorSignatures: { 'team-digits': 'device' } });
    scene.image.publish();
    scene.image.say('team-digits', { authorSignatures: { 'team-digits': 'none' } });
    await strike(aManifest(1));
    await expect(scene.install()).rejects.toMatchObject({ code: 'signature-missing' });
  });
});

describe('what a team hands on', () => {
  const evil = aManifest(2);

  it('counts for nothing: targets names who signs, and nobody else does', async () => {
    await stealFrom({ teamThreshold: 1 });
    scene.image.handOn('team-digits', 'crew', {
      keys: someKeys(1),
      threshold: 1,
      paths: ['digits/*/*.json'],
    });
    scene.putRelease('crew', evil);
    scene.image.publish();
    await scene.order(evil, 2);
    await expect(scene.install()).rejects.toMatchObject({ code: 'tuf-mismatch' });
  });

  it('gives another team no names that targets did not give it', async () => {
    await stealFrom({ teamThreshold: 1 });
    const keys = scene.image.keysOf('team-faces');
    scene.image.handOn('team-digits', 'team-faces', { keys, threshold: 1, paths: ['digits/*/*.json'] });
    scene.putRelease('team-faces', evil, null);
    scene.image.publish();
    await scene.order(evil, 2);
    await expect(scene.install()).rejects.toMatchObject({ code: 'tuf-mismatch' });
  });

  it.each(['team-faces', 'pipeline'])('does not pass for the word of %s', async (name) => {
    await stealFrom({ teamThreshold: 1 });
    const keys = scene.image.keysOf(name);
    scene.image.plan(name, { keys, threshold: 1, paths: ['*/*/*.json'] });
    scene.putSource('team-digits', evil);
    scene.image.publish();
    const ofThief = someKeys(1);
    scene.image.handOn('team-digits', name, { keys: ofThief, threshold: 1, paths: ['digits/*/*.json'] });
    scene.putRelease(name, evil);
    scene.image.publish({ instead: { [name]: ofThief } });
    await scene.order(evil, 2);
    await expect(scene.install()).rejects.toMatchObject({ code: 'tuf-signature' });
  });
});

it('what one person signed for her team is no word of targets, which she signs too', async () => {
  scene = await AttackScene.create();
  const [key] = scene.image.keysOf('team-digits');
  if (key === undefined) throw new Error('no key');
  scene.image.plan('targets', { keys: [key], threshold: 1 });
  scene.image.say('targets', { role: 'targets' });
  scene.image.say('team-digits', { role: 'team-digits' });
  scene.putSource('team-digits', aManifest(1));
  scene.putRelease('pipeline', aManifest(1));
  scene.image.publish();
  await scene.order(aManifest(1), 1);
  expect(await scene.install()).toEqual(aManifest(1));
  const { signed } = JSON.parse(scene.image.bytesOf('targets').toString('utf8')) as {
    signed: { version: number };
  };
  scene.putRelease('team-digits', aManifest(1), null);
  scene.image.publish({ versions: { 'team-digits': signed.version + 1 } });
  scene.image.restore('targets', scene.image.bytesOf('team-digits'));
  scene.image.publish();
  await expect(scene.install()).rejects.toMatchObject({ code: 'tuf-signature' });
});

describe('one key of a team that needs two', () => {
  it('signs nothing at all', async () => {
    await stealFrom({ teamThreshold: 2 });
    scene.putSource('team-digits', aManifest(2));
    scene.putRelease('pipeline', aManifest(2));
    await strike(aManifest(2));
    await expect(scene.install()).rejects.toMatchObject({ code: 'tuf-signature' });
  });
});
