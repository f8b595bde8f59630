import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ReleasedBlobs } from '#control-plane/fleet/released-blobs.ts';
import { RoleKey } from '#control-plane/trust/keys/role-key.ts';
import { canonicalJson } from '#protocol/canonical-json.ts';
import type { ModelContract } from '#protocol/model-contract.ts';
import { authorSignatureTargetPath, sourceTargetPath } from '#protocol/trust.ts';
import { sha256Of, signedBy, withAuthors } from './author-keys.ts';
import {
  ACTOR,
  addVariant,
  digits,
  registryWorld,
  type Digits,
  type RegistryWorld,
} from './registry-world.ts';

const author = RoleKey.generate('ecdsa-sha2-nistp256');
const stranger = RoleKey.generate();

let world: RegistryWorld;
let model: Digits;
beforeEach(async () => {
  world = await registryWorld();
  model = await digits();
  await world.blobs.putBytes(model.weights);
  await world.blobs.putBytes(model.golden);
});
afterEach(() => world[Symbol.asyncDispose]());

const create = (given: { signature?: unknown; provenance?: unknown }) =>
  world.registry.createVersion(
    { contract: model.contract, ...given } as Parameters<typeof world.registry.createVersion>[0],
    ACTOR,
  );
const signatureOf = async (version = 1) => (await world.registry.provenance('digits', version)).signature;

describe('a version whose authors must sign it', () => {
  it.each(['import', 'device'] as const)(
    'is taken under the policy "%s" with their signature alone',
    async (policy) => {
      withAuthors(world, policy, [author]);
      await expect(create({})).rejects.toMatchObject({ code: 'signature-missing' });
      expect(await world.registry.listModels()).toEqual([]);
      expect(await create(signedBy(author, model.contract))).toMatchObject({ version: 1 });
      expect(await signatureOf()).toMatchObject({ keyId: author.keyId, signer: 'author', verified: true });
    },
  );

  it('is not released while the signature is missing', async () => {
    await create({});
    await addVariant(world, model, 'cpu-generic');
    withAuthors(world, 'import', [author]);
    await expect(world.registry.signVersion('digits', 1, ACTOR)).rejects.toMatchObject({
      code: 'signature-missing',
    });
    const given = signedBy(author, model.contract);
    await world.registry.addSignature('digits', 1, given, ACTOR);
    await world.registry.signVersion('digits', 1, ACTOR);
    const bytes = canonicalJson(given.signature);
    expect(world.trust.image.target(authorSignatureTargetPath('digits', 1))).toMatchObject({
      length: bytes.length,
      custom: { kind: 'author-signature' },
    });
  });
});

describe('a signature is refused', () => {
  const other = (): ModelContract => ({ ...model.contract, labels: model.contract.labels.toReversed() });
  const cases: Record<string, () => { signature?: unknown; provenance?: unknown }> = {
    'by somebody else': () => ({ signature: signedBy(stranger, model.contract).signature }),
    'over another contract': () => ({ signature: signedBy(author, other()).signature }),
    'that is none': () => ({ signature: { mediaType: 'text/plain' } }),
    'that is too large': () => ({
      signature: { ...signedBy(author, model.contract).signature, more: 'x'.repeat(300_000) },
    }),
    'with provenance by somebody else': () => ({
      ...signedBy(author, model.contract),
      provenance: signedBy(stranger, model.contract).provenance,
    }),
    'with provenance of another contract': () => ({
      ...signedBy(author, model.contract),
      provenance: signedBy(author, other()).provenance,
    }),
    'that is left out beside provenance': () => ({ provenance: signedBy(author, model.contract).provenance }),
  };
  it.each(Object.keys(cases))('%s, also where none is asked for', async (name) => {
    withAuthors(world, 'none', [author]);
    await expect(create(cases[name]?.() ?? {})).rejects.toMatchObject({ code: 'signature-invalid' });
    expect(await world.registry.listModels()).toEqual([]);
  });
});

describe('a signature that comes later', () => {
  it('is kept, and the right one that came first stays', async () => {
    withAuthors(world, 'none', [author, stranger]);
    await create({});
    expect(await signatureOf()).toBeNull();
    await world.registry.addSignature('digits', 1, signedBy(author, model.contract), ACTOR);
    await world.registry.addSignature('digits', 1, signedBy(stranger, model.contract), ACTOR);
    expect(await signatureOf()).toMatchObject({ keyId: author.keyId });
  });

  it('with the same import again is taken too', async () => {
    withAuthors(world, 'none', [author]);
    await create({});
    await create(signedBy(author, model.contract));
    expect(await signatureOf()).toMatchObject({ keyId: author.keyId });
  });

  it('takes the place of one whose key was taken from the authors', async () => {
    withAuthors(world, 'none', [stranger]);
    await create(signedBy(stranger, model.contract));
    withAuthors(world, 'none', [author]);
    expect(await signatureOf()).toMatchObject({ verified: false, signer: null });
    await world.registry.addSignature('digits', 1, signedBy(author, model.contract), ACTOR);
    expect(await signatureOf()).toMatchObject({ keyId: author.keyId, verified: true });
  });
});

it('a signature that comes after the release is carried once the version is signed again', async () => {
  withAuthors(world, 'none', [author]);
  await create({});
  await addVariant(world, model, 'cpu-generic');
  await world.registry.signVersion('digits', 1, ACTOR);
  await world.registry.addSignature('digits', 1, signedBy(author, model.contract), ACTOR);
  const path = authorSignatureTargetPath('digits', 1);
  expect(world.trust.image.target(path)).toBeUndefined();
  await world.registry.signVersion('digits', 1, ACTOR);
  expect(world.trust.image.target(path)).toBeDefined();
});

describe('devices', () => {
  it('get contract and signature once the version is released', async () => {
    withAuthors(world, 'none', [author]);
    const given = signedBy(author, model.contract);
    await create(given);
    await addVariant(world, model, 'cpu-generic');
    const { sha256 } = await world.blobs.putBytes(Buffer.from(canonicalJson(given.signature)));
    const released = new ReleasedBlobs(world.store.db);
    const wanted = [sha256, sha256Of(model.contract)];
    expect(await Promise.all(wanted.map((digest) => released.has(digest)))).toEqual([false, false]);
    await world.registry.signVersion('digits', 1, ACTOR);
    expect(await Promise.all(wanted.map((digest) => released.has(digest)))).toEqual([true, true]);
    const { sha256: provenance } = await world.blobs.putBytes(Buffer.from(canonicalJson(given.provenance)));
    expect(await released.has(provenance)).toBe(false);
    const source = world.trust.image.target(sourceTargetPath('digits', 1));
    expect(source?.hashes.sha256).toBe(sha256Of(model.contract));
    expect(await world.blobs.has(sha256Of(model.contract))).toBe(true);
  });
});
