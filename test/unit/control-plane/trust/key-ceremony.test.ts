// The key ceremony: people take root and targets over, change them, and sign what the control plane may not.

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RoleKey } from '#control-plane/trust/keys/role-key.ts';
import { Ceremony, listed, someKeys } from './ceremony.ts';

const [ann, bob, cat, dan, eve] = someKeys(5) as [RoleKey, RoleKey, RoleKey, RoleKey, RoleKey];
const people = { root: [ann, bob, cat], targets: [bob, dan, eve] };

let world: Ceremony;

const takeOver = () =>
  world.change('image', {
    kind: 'take-over',
    root: { keys: listed(people.root), threshold: 2 },
    targets: { keys: listed(people.targets), threshold: 2 },
  });
const takenOver = async () => {
  await takeOver();
  await world.sign('image', 'root', [ann, cat]);
  await world.sign('image', 'targets', [bob, eve]);
};
const heldKeys = async (repository: string) =>
  (await readdir(join(world.folder, 'keys'))).filter((name) => name.startsWith(repository));

beforeEach(async () => {
  world = await Ceremony.begin();
  await world.source('digits');
  await world.release('digits');
});
afterEach(() => world[Symbol.asyncDispose]());

describe('taking root and targets over', () => {
  it('waits for the signatures of both thresholds, and devices follow without a re-install', async () => {
    expect(await world.refresh('digits/1/cpu.json')).toBe(3);
    expect(await takeOver()).toEqual({ published: [], staged: ['root', 'targets'] });
    expect(await world.sign('image', 'root', [ann])).toEqual({ published: [], staged: ['root', 'targets'] });
    expect(await world.sign('image', 'root', [bob])).toEqual({ published: [], staged: ['root', 'targets'] });
    expect(await world.sign('image', 'targets', [bob])).toMatchObject({ published: [] });
    expect(await world.refresh('digits/1/cpu.json')).toBe(3);
    expect(await world.sign('image', 'targets', [dan])).toEqual({
      published: ['root', 'targets'],
      staged: [],
    });
    expect(await world.refresh('digits/1/cpu.json')).toBe(3);
    expect(JSON.parse(world.image.trustedRoot)).toMatchObject({ signed: { version: 2 } });
  });

  it('leaves the control plane without their private keys, and with all others', async () => {
    await takenOver();
    expect(await heldKeys('image')).toEqual([
      'image-measurements.pem',
      'image-pipeline.pem',
      'image-snapshot.pem',
      'image-timestamp.pem',
    ]);
    await world.restart();
    expect(await world.release('digits', 1, 'gpu')).toBe('published');
    expect(await world.refresh('digits/1/gpu.json')).toBe(3);
  });

  it('makes what authors sign wait, and drops signatures when it changes', async () => {
    await takenOver();
    expect(await world.source('digits', 2)).toBe('staged');
    await world.sign('image', 'targets', [bob]);
    expect(await world.source('digits', 3)).toBe('staged');
    expect(world.service.staged('image', 'targets').signatures).toEqual([]);
    await expect(world.release('digits', 2)).rejects.toMatchObject({ code: 'signature-missing' });
    await world.restart();
    await world.sign('image', 'targets', [bob, dan]);
    expect(world.image.source('digits', 3)).toBeDefined();
    expect(await world.release('digits', 2)).toBe('published');
    expect(await world.refresh('digits/2/cpu.json')).toBe(3);
  });

  it.each(['image', 'director'] as const)(
    'again, of the %s repository by others, needs those who have it now too',
    async (repository) => {
      const root = { keys: listed(people.root), threshold: 2 };
      await world.change(repository, { kind: 'take-over', root });
      await world.sign(repository, 'root', [ann, bob]);
      const next = { keys: listed([dan, eve]), threshold: 2 };
      await world.change(repository, { kind: 'take-over', root: next });
      expect(await world.sign(repository, 'root', [dan, eve, ann])).toMatchObject({ published: [] });
      expect(await world.sign(repository, 'root', [cat])).toMatchObject({ published: ['root'] });
      await expect(world.refresh('digits/1/cpu.json')).resolves.toBe(3);
    },
  );

  it('can be withdrawn', async () => {
    await takeOver();
    await world.service.withdrawStaged('image', 'root', 'token:test');
    expect(world.image.roles.state.staged.size).toBe(0);
    expect(await world.source('digits', 2)).toBe('published');
    expect(await world.refresh('digits/1/cpu.json')).toBe(3);
  });

  it('takes the root of the Director as well', async () => {
    await world.director.ensureDevice('edge-1');
    await world.refreshDirector('edge-1');
    const root = { keys: listed(people.root), threshold: 2 };
    await world.change('director', { kind: 'take-over', root });
    await world.restart();
    expect(await world.sign('director', 'root', [bob, cat])).toEqual({ published: ['root'], staged: [] });
    await world.refreshDirector('edge-1');
    expect(await heldKeys('director')).not.toContain('director-root.pem');
    await expect(world.change('director', { kind: 'take-over', root, targets: root })).rejects.toMatchObject({
      code: 'bad-request',
    });
  });
});

describe('a signature', () => {
  beforeEach(takeOver);
  const sig = { keyid: '', sig: '00'.repeat(64) };

  it.each([
    ['of a key that is not asked for', () => ({ ...sig, keyid: dan.keyId }), 'signature-invalid'],
    ['of other bytes', () => ({ ...sig, keyid: ann.keyId }), 'signature-invalid'],
  ])('%s is refused', async (_what, signature, code) => {
    const adding = world.service.addSignature('image', 'root', signature(), 'token:test');
    await expect(adding).rejects.toMatchObject({ code });
    expect(world.service.staged('image', 'root').needs[1]?.signedBy).toEqual([]);
  });

  it('that came before, or of the version that is published, is a conflict', async () => {
    await world.sign('image', 'root', [ann]);
    await expect(world.sign('image', 'root', [ann])).rejects.toMatchObject({ code: 'conflict' });
    await world.sign('image', 'root', [bob]);
    await world.sign('image', 'targets', [bob, dan]);
    const published = world.service.metadata('image', 'targets')['signatures'] as [
      { keyid: string; sig: string },
    ];
    await world.change('image', { kind: 'renew', role: 'targets' });
    const old = published.find(({ keyid }) => keyid === dan.keyId) ?? expect.fail();
    await expect(world.service.addSignature('image', 'targets', old, 'token:test')).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('which is published'),
    });
  });

  it('of what waits no more is not found', async () => {
    await expect(world.sign('image', 'team-x', [ann])).rejects.toMatchObject({ code: 'not-found' });
  });
});

describe('keys of the control plane', () => {
  it.each(['snapshot', 'timestamp', 'targets', 'root', 'pipeline', 'measurements'])(
    'of %s are replaced at once, and devices follow',
    async (role) => {
      await world.refresh('digits/1/cpu.json');
      const before = new Set(await heldKeys('image'));
      const outcome = await world.change('image', { kind: 'rotate', role });
      expect(outcome.staged).toEqual([]);
      expect(await world.refresh('digits/1/cpu.json')).toBe(3);
      expect(await heldKeys('image')).toHaveLength(before.size);
      expect((await heldKeys('image')).filter((name) => !before.has(name))).toHaveLength(1);
      await world.restart();
      await world.release('digits', 1, 'gpu');
      expect(await world.refresh('digits/1/gpu.json')).toBe(3);
    },
  );

  it.each(['targets', 'snapshot', 'timestamp', 'root'])('of the Director for %s too', async (role) => {
    await world.director.ensureDevice('edge-1');
    await world.refreshDirector('edge-1');
    await world.change('director', { kind: 'rotate', role });
    await world.refreshDirector('edge-1');
    expect(await heldKeys('director')).toHaveLength(4);
    await world.restart();
    await world.refreshDirector('edge-1');
  });

  it('of the Director reach a device whose metadata a crash kept from being signed anew', async () => {
    await world.director.ensureDevice('edge-1');
    await world.refreshDirector('edge-1');
    world.director.roles.onRoot = () => Promise.resolve();
    await world.change('director', { kind: 'rotate', role: 'timestamp' });
    await world.refreshDirector('edge-1');
  });

  it('wait for people where they sign root or targets', async () => {
    await takenOver();
    await world.refresh('digits/1/cpu.json');
    expect(await world.change('image', { kind: 'rotate', role: 'timestamp' })).toEqual({
      published: [],
      staged: ['root'],
    });
    expect(await world.change('image', { kind: 'rotate', role: 'pipeline' })).toEqual({
      published: [],
      staged: ['root', 'targets'],
    });
    await world.restart();
    await world.refresh('digits/1/cpu.json');
    await world.sign('image', 'targets', [bob, eve]);
    await world.sign('image', 'root', [ann, bob]);
    expect(await world.refresh('digits/1/cpu.json')).toBe(3);
    expect(await heldKeys('image')).toHaveLength(4);
  });
});

it('tells of each mutation in the audit log and to those who watch', async () => {
  await takenOver();
  const rows = await world.store.db.selectFrom('audit').select(['action', 'subject']).execute();
  expect(rows.map(({ action, subject }) => `${action} ${subject}`)).toEqual([
    'trust.change image',
    'trust.sign image/root',
    'trust.sign image/root',
    'trust.sign image/targets',
    'trust.sign image/targets',
  ]);
  const events = await world.store.db.selectFrom('live_events').select(['kind', 'summary']).execute();
  expect(new Set(events.map(({ kind }) => kind))).toEqual(new Set(['trust']));
  expect(events.at(-1)?.summary).toContain('published root, targets');
});

it('says of a target that is published already that it is, whatever else waits', async () => {
  await takenOver();
  expect(await world.source('digits', 2)).toBe('staged');
  expect(await world.source('digits', 2)).toBe('staged');
  expect(await world.source('digits', 1)).toBe('published');
  expect(await world.image.setFloor('digits', 1)).toBe('staged');
  expect(world.image.floor('digits')).toBe(0);
});
