// Teams sign the sources of their own models, and the pipeline what authors signed.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RoleKey } from '#control-plane/trust/keys/role-key.ts';
import type { TrustChange } from '#protocol/trust.ts';
import { Ceremony, listed, someKeys } from './ceremony.ts';

const [ann, bob, cat] = someKeys(3) as [RoleKey, RoleKey, RoleKey];

let world: Ceremony;

type Team = Extract<TrustChange, { kind: 'team' }>;
const team = (change: Partial<Team> = {}): Promise<unknown> =>
  world.change('image', {
    kind: 'team',
    team: 'vision',
    models: ['vision-*', 'faces'],
    keys: listed([ann, bob]),
    threshold: 1,
    authorSignature: 'import',
    ...change,
  });

beforeEach(async () => {
  world = await Ceremony.begin();
});
afterEach(() => world[Symbol.asyncDispose]());

describe('a team', () => {
  it('is named for its models and for no others', async () => {
    await team();
    for (const model of ['faces', 'vision-a', 'vision-']) {
      expect(world.image.authorRoleOf(model)).toMatchObject({
        role: 'team-vision',
        threshold: 1,
        authorSignature: 'import',
        keys: [{ keyId: ann.keyId }, { keyId: bob.keyId }],
      });
    }
    for (const model of ['vision', 'faces-2', 'digits']) expect(world.image.teamOf(model)).toBeNull();
    expect(world.image.authorRoleOf('digits')).toMatchObject({ role: 'targets', authorSignature: 'none' });
  });

  it('signs its sources itself, and then the pipeline its variants', async () => {
    expect(await team()).toEqual({ published: ['targets'], staged: ['team-vision'] });
    expect(await world.source('faces')).toBe('staged');
    await expect(world.release('faces')).rejects.toMatchObject({ code: 'signature-missing' });
    expect(await world.sign('image', 'team-vision', [bob])).toEqual({
      published: ['team-vision'],
      staged: [],
    });
    expect(await world.release('faces')).toBe('published');
    expect(world.image.roleOf('faces/1/source/contract.json')).toBe('team-vision');
    expect(world.image.roleOf('faces/1/cpu.json')).toBe('pipeline');
    expect(await world.refresh('faces/1/source/contract.json')).toBe(9);
    expect(await world.refresh('faces/1/cpu.json')).toBe(3);
  });

  it('whose key is revoked is refused by devices until its other people sign, and says so', async () => {
    await team();
    await world.source('faces');
    await world.sign('image', 'team-vision', [ann]);
    expect(await world.refresh('faces/1/source/contract.json')).toBe(9);
    const revoked = { kind: 'remove-key', role: 'team-vision', keyId: ann.keyId } as const;
    expect(await world.change('image', revoked)).toEqual({ published: ['targets'], staged: ['team-vision'] });
    await expect(world.refresh('faces/1/source/contract.json')).rejects.toThrow('team-vision');
    expect((await world.service.status()).advice.join()).toContain('refuse the models of team-vision');
    await expect(world.sign('image', 'team-vision', [ann])).rejects.toMatchObject({ code: 'key-invalid' });
    await world.restart();
    await world.sign('image', 'team-vision', [bob]);
    expect(await world.refresh('faces/1/source/contract.json')).toBe(9);
    expect((await world.service.status()).advice.join()).not.toContain('team-vision');
  });

  it('without targets can be removed, and come back with other keys', async () => {
    await team();
    await world.sign('image', 'team-vision', [ann]);
    await world.refresh('faces/1/cpu.json');
    const removed = { kind: 'remove-team', team: 'vision' } as const;
    expect(await world.change('image', removed)).toEqual({ published: ['targets'], staged: [] });
    await world.refresh('faces/1/cpu.json');
    expect(world.image.teamOf('faces')).toBeNull();
    await team({ keys: listed([cat]) });
    await world.source('faces');
    await world.sign('image', 'team-vision', [cat]);
    expect(await world.refresh('faces/1/source/contract.json')).toBe(9);
    await expect(world.change('image', removed)).rejects.toMatchObject({ code: 'conflict' });
  });

  it('that takes over a model leaves what was signed before', async () => {
    await world.source('faces');
    await world.release('faces');
    await team();
    await world.sign('image', 'team-vision', [ann]);
    expect(world.image.roleOf('faces/1/source/contract.json')).toBe('targets');
    expect(await world.refresh('faces/1/cpu.json')).toBe(3);
    expect(await world.release('faces', 1, 'gpu')).toBe('published');
  });

  it('asks for its threshold', async () => {
    await team({ threshold: 2 });
    await world.source('faces');
    expect(await world.sign('image', 'team-vision', [ann])).toMatchObject({ published: [] });
    const vision = (await world.service.status()).repositories[0]?.roles.find(
      ({ role }) => role === 'team-vision',
    );
    expect(vision?.staged).toEqual({ version: 1, missing: 1 });
    expect(await world.sign('image', 'team-vision', [bob])).toMatchObject({ published: ['team-vision'] });
  });
});

describe('the pipeline', () => {
  beforeEach(() => world.source('digits'));

  it('signs nothing that names another source than the authors signed', async () => {
    const release = { path: 'digits/1/cpu.json', length: 3, sha256: 'a'.repeat(64) };
    for (const sourceSha256 of ['c'.repeat(64), undefined]) {
      const custom = { profile: 'cpu', releaseCounter: 1, ...(sourceSha256 ? { sourceSha256 } : {}) };
      await expect(world.image.addRelease({ ...release, custom })).rejects.toMatchObject({
        code: 'signature-missing',
      });
    }
  });

  it('is turned off by the strict policy: its releases become their authors’', async () => {
    await team();
    await world.source('faces');
    await world.sign('image', 'team-vision', [ann]);
    await world.release('digits');
    await world.release('faces');
    const key = world.image.pipelineKey().keyId;
    expect(await world.change('image', { kind: 'pipeline', enabled: false })).toEqual({
      published: ['targets'],
      staged: ['team-vision'],
    });
    expect(world.image.hasPipeline).toBe(false);
    expect(() => world.image.pipelineKey()).toThrow('signs no variants');
    expect(await world.refresh('digits/1/cpu.json')).toBe(3);
    expect(await world.refresh('faces/1/cpu.json')).toBeUndefined();
    await world.sign('image', 'team-vision', [bob]);
    expect(await world.refresh('faces/1/cpu.json')).toBe(3);
    expect(await world.release('faces', 1, 'gpu')).toBe('staged');
    await expect(
      world.image.addRelease({
        path: 'faces/1/cpu.json',
        length: 4,
        sha256: 'd'.repeat(64),
        custom: { profile: 'cpu', releaseCounter: 1 },
      }),
    ).rejects.toMatchObject({ code: 'version-exists' });
    await world.change('image', { kind: 'pipeline', enabled: true });
    expect(world.image.pipelineKey().keyId).not.toBe(key);
    expect(await world.release('digits', 1, 'gpu')).toBe('published');
    expect(await world.refresh('digits/1/gpu.json')).toBe(3);
  });
});
