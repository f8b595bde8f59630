// A version whose authors' keys are people's: the release waits for them, on real metadata.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RoleKey } from '#control-plane/trust/keys/role-key.ts';
import { signStagedSource } from '#control-plane/trust/offline/model-signature-staged.ts';
import { TrustService } from '#control-plane/trust/trust-service.ts';
import { sourceTargetPath, type StagedRole } from '#protocol/trust.ts';
import { sha256Of } from './author-keys.ts';
import {
  ACTOR,
  addVariant,
  importDigits,
  registryWorld,
  type Digits,
  type RegistryWorld,
} from './registry-world.ts';

const TEAM = 'team-vision';
const alice = RoleKey.generate();
const bob = RoleKey.generate('ecdsa-sha2-nistp256');

let world: RegistryWorld;
let model: Digits;
let trust: TrustService;
beforeEach(async () => {
  world = await registryWorld();
  trust = new TrustService({ ...world.deps, trust: world.trust });
  await team(1);
  model = await importDigits(world);
  await addVariant(world, model, 'cpu-generic');
});
afterEach(() => world[Symbol.asyncDispose]());

const team = (threshold: number) =>
  trust.change(
    'image',
    {
      kind: 'team',
      team: 'vision',
      models: ['digits'],
      keys: [alice.trustKey, bob.trustKey],
      threshold,
      authorSignature: 'none',
    },
    ACTOR,
  );
const sign = () => world.registry.signVersion('digits', 1, ACTOR);
const source = (changes: Partial<Parameters<typeof signStagedSource>[1]> = {}) => ({
  model: 'digits',
  version: 1,
  contractSha256: sha256Of(model.contract),
  signatureSha256: '',
  ...changes,
});
const signStaged = async (key: RoleKey) => {
  const signature = signStagedSource(trust.staged('image', TEAM), source(), key.privateKey);
  return await trust.addSignature('image', TEAM, signature, ACTOR);
};

describe('a version whose authors hold their keys themselves', () => {
  it('is released by the same request again, once they signed', async () => {
    const waits = { code: 'signature-missing', message: expect.stringContaining(TEAM) as string };
    await expect(sign()).rejects.toMatchObject(waits);
    await expect(sign()).rejects.toMatchObject(waits);
    expect(await world.registry.release('digits', 1, 'cpu-generic')).toBeNull();
    expect((await world.registry.getVersion('digits', 1)).variants[0]?.releaseCounter).toBeNull();
    expect(await signStaged(alice)).toMatchObject({ published: [TEAM] });
    await sign();
    expect(await world.registry.release('digits', 1, 'cpu-generic')).toMatchObject({ releaseCounter: 1 });
    expect(world.trust.image.roleOf(sourceTargetPath('digits', 1))).toBe(TEAM);
  });

  it('waits for as many of them as their threshold says', async () => {
    await team(2);
    await expect(sign()).rejects.toMatchObject({
      message: expect.stringContaining('2 of its 2 keys') as string,
    });
    await signStaged(alice);
    await expect(sign()).rejects.toMatchObject({ code: 'signature-missing' });
    await signStaged(bob);
    await sign();
    expect(await world.registry.release('digits', 1, 'cpu-generic')).not.toBeNull();
  });

  it('that is published gets new variants while another version waits', async () => {
    await expect(sign()).rejects.toMatchObject({ code: 'signature-missing' });
    await signStaged(alice);
    await sign();
    await world.trust.image.addAuthorTargets('digits', [
      { path: sourceTargetPath('digits', 2), length: 1, sha256: 'a'.repeat(64), custom: { kind: 'source' } },
    ]);
    await addVariant(world, model, 'x86-cuda');
    await sign();
    expect(await world.registry.release('digits', 1, 'x86-cuda')).toMatchObject({ releaseCounter: 2 });
  });

  it('under the strict policy has every variant signed by them too', async () => {
    await trust.change('image', { kind: 'pipeline', enabled: false }, ACTOR);
    await addVariant(world, model, 'x86-cuda');
    await expect(sign()).rejects.toMatchObject({ code: 'signature-missing' });
    await signStaged(alice);
    await expect(sign()).rejects.toMatchObject({
      message: expect.stringContaining('cpu-generic, x86-cuda') as string,
    });
    await expect(signStaged(alice)).rejects.toMatchObject({ code: 'signature-invalid' });
    const { signed } = trust.staged('image', TEAM);
    expect(Object.keys(signed['targets'] ?? {})).toContain('digits/1/x86-cuda.json');
  });
});

describe('an author signs unread', () => {
  const refused = async (change: (staged: StagedRole) => StagedRole, says: string): Promise<void> => {
    await expect(sign()).rejects.toMatchObject({ code: 'signature-missing' });
    const staged = change(structuredClone(trust.staged('image', TEAM)));
    const attempt = () => signStagedSource(staged, source(), alice.privateKey);
    expect(attempt).toThrow(says);
  };
  const withTarget = (staged: StagedRole, path: string, added: ReturnType<typeof entry>): StagedRole => ({
    ...staged,
    signed: { ...staged.signed, targets: { ...(staged.signed['targets'] as object), [path]: added } },
  });
  const entry = (sha256: string) => ({ length: 1, hashes: { sha256 }, custom: { kind: 'source' } });

  it('no other contract than the one she signed', () =>
    refused(
      (staged) => withTarget(staged, sourceTargetPath('digits', 1), entry('f'.repeat(64))),
      'digits/1/source',
    ));

  it('no other version beside it', () =>
    refused(
      (staged) => withTarget(staged, sourceTargetPath('digits', 2), entry('f'.repeat(64))),
      'digits/2/source',
    ));

  it('no floors and no delegations', async () => {
    const floors = { floors: { digits: 9 } };
    await refused(
      (staged) => ({ ...staged, signed: { ...staged.signed, holdfast: floors } }),
      'more than the targets',
    );
    const delegations = { keys: {}, roles: [] };
    await refused(
      (staged) => ({ ...staged, signed: { ...staged.signed, delegations } }),
      'more than the targets',
    );
  });

  it('nothing on top of what she did not sign', async () => {
    await expect(sign()).rejects.toMatchObject({ code: 'signature-missing' });
    await signStaged(bob);
    await world.trust.image.addAuthorTargets('digits', [
      {
        path: sourceTargetPath('digits', 2),
        length: 1,
        sha256: 'a'.repeat(64),
        custom: { kind: 'source' },
      },
    ]);
    const next = { ...source(), version: 2, contractSha256: 'a'.repeat(64) };
    const staged = trust.staged('image', TEAM);
    expect(() => signStagedSource(staged, next, alice.privateKey)).toThrow('other signatures than yours');
    expect(signStagedSource(staged, next, bob.privateKey)).toMatchObject({ keyid: bob.keyId });
  });
});
