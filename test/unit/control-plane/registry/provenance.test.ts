import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { putAttestation } from '#control-plane/registry/provenance-store.ts';
import { insertVariant } from '#control-plane/registry/store.ts';
import { insertTrial } from '#control-plane/registry/trial-store.ts';
import { RoleKey } from '#control-plane/trust/keys/role-key.ts';
import { signEnvelope } from '#control-plane/trust/offline/provenance-envelope.ts';
import { BUILDERS, type ProvenanceStatement } from '#protocol/provenance.ts';
import { sha256Of, signedBy, withAuthors } from './author-keys.ts';
import {
  ACTOR,
  addVariant,
  importDigits,
  registryWorld,
  type Digits,
  type RegistryWorld,
} from './registry-world.ts';

const author = RoleKey.generate();

let world: RegistryWorld;
let model: Digits;
beforeEach(async () => {
  world = await registryWorld();
  model = await importDigits(world);
});
afterEach(() => world[Symbol.asyncDispose]());

const read = () => world.registry.provenance('digits', 1);
const release = async (): Promise<void> => {
  await addVariant(world, model, 'cpu-generic');
  await world.registry.signVersion('digits', 1, ACTOR);
};
/** Puts other bytes in the place of a stored envelope. */
const replace = async (profile: string | null, envelope: unknown): Promise<void> => {
  const { sha256 } = await world.blobs.putBytes(Buffer.from(JSON.stringify(envelope)));
  const about = { model: 'digits', version: 1, kind: 'provenance', profile } as const;
  await putAttestation(world.store.db, about, sha256, 1);
};

describe('provenance', () => {
  it('is not there before a release, and says nothing is missing', async () => {
    expect(await read()).toMatchObject({ signature: null, items: [], missing: [] });
  });

  it('of a release leads from the dataset to the variant, signed by the control plane', async () => {
    await release();
    const { items, missing } = await read();
    const { lineage, weights } = model.contract;
    const [version, variant] = items;
    expect(missing).toEqual([]);
    expect(items).toMatchObject([
      { profile: null, signer: 'control-plane', verified: true, problem: null },
      { profile: 'cpu-generic', signer: 'control-plane', verified: true, problem: null },
    ]);
    expect(version?.statement?.predicate).toMatchObject({
      runDetails: { builder: { id: BUILDERS.claimed } },
      buildDefinition: {
        externalParameters: { hyperParameters: lineage.hyperParameters, seed: lineage.seed },
      },
    });
    const subjects = version?.statement?.subject.map(({ name, digest }) => [name, digest.sha256]);
    expect(Object.fromEntries(subjects ?? [])).toEqual({
      'contract.json': sha256Of(model.contract),
      'weights.onnx': weights.sha256,
      'golden.safetensors': model.contract.golden.sha256,
    });
    expect(variant?.statement?.predicate).toMatchObject({
      runDetails: { builder: { id: BUILDERS.controlPlane, version: { holdfast: '0.0.0-test' } } },
      buildDefinition: {
        externalParameters: { profile: 'cpu-generic', recipe: { kind: 'original' } },
        resolvedDependencies: [{ name: 'source', digest: { sha256: weights.sha256 } }],
      },
    });
  });

  it('by an author is told from what the control plane says for her', async () => {
    withAuthors(world, 'none', [author]);
    await world.registry.addSignature('digits', 1, signedBy(author, model.contract), ACTOR);
    await release();
    const [version] = (await read()).items;
    expect(version).toMatchObject({ keyId: author.keyId, signer: 'author', verified: true });
    expect(version?.statement?.predicate.runDetails.builder.id).toBe(BUILDERS.author);
  });

  it('names the dataset that the variant was made with, of all that were asked for', async () => {
    const recipe = { kind: 'fp16' } as const;
    const weights = await world.blobs.putBytes(Buffer.from('half'));
    const [another, calibration] = await Promise.all(
      ['another dataset', 'the dataset'].map((text) => world.blobs.putBytes(Buffer.from(text))),
    );
    for (const dataset of [another, calibration]) {
      const request = { profiles: ['cpu-generic'], calibrationSha256: dataset?.sha256 };
      await world.registry.createVariants('digits', 1, request, ACTOR);
    }
    const measured = { precision: 'fp16', recipe, weights, evaluation: null, comparison: null } as const;
    const source = { recipe, calibrationSha256: calibration?.sha256 ?? '', evaluationSha256: null };
    const trial = { ...measured, report: null, accuracy: null, p95Ms: null, memoryBytes: null };
    await insertTrial(world.store.db, 'digits', 1, source, trial, 1);
    const { tolerance } = model.contract.golden;
    const variant = { ...measured, report: null, profile: 'x86-cuda' };
    await insertVariant(world.store.db, 'digits', 1, { variant, tolerance }, 1);
    await world.registry.signVersion('digits', 1, ACTOR);
    const [, item] = (await read()).items;
    expect(item?.statement?.predicate.buildDefinition.resolvedDependencies).toEqual([
      {
        name: 'source',
        digest: { sha256: model.contract.weights.sha256 },
        annotations: { title: 'digits/1' },
      },
      { name: 'calibration', digest: { sha256: calibration?.sha256 } },
    ]);
  });
});

describe('a broken link is said', () => {
  const forged = (statement: ProvenanceStatement | null | undefined, key = world.trust.image.pipelineKey()) =>
    signEnvelope(Buffer.from(JSON.stringify(statement)), key.privateKey);

  it('when a statement is signed by somebody else', async () => {
    await release();
    const [version, variant] = (await read()).items;
    await replace(null, forged(version?.statement, author));
    await replace('cpu-generic', forged(variant?.statement, author));
    expect((await read()).items).toMatchObject([
      { verified: false, signer: null, statement: null, problem: expect.stringContaining('may not sign') },
      { verified: false, signer: null, statement: null },
    ]);
  });

  it('when an author signs for the control plane how a variant was made', async () => {
    withAuthors(world, 'none', [author]);
    await release();
    await replace('cpu-generic', forged((await read()).items[1]?.statement, author));
    expect((await read()).items[1]).toMatchObject({ verified: false, signer: null });
  });

  it('when a statement was changed after it was signed', async () => {
    await release();
    const envelope = forged((await read()).items[0]?.statement);
    const other = Buffer.from(JSON.stringify({ ...(await read()).items[0]?.statement, subject: [] }));
    await replace(null, { ...envelope, payload: other.toString('base64') });
    expect((await read()).items[0]).toMatchObject({ verified: false, statement: null });
  });

  it('when a rightly signed statement is about other weights', async () => {
    await release();
    const items = structuredClone((await read()).items);
    for (const { statement } of items)
      if (statement?.subject[0]) statement.subject[0].digest.sha256 = 'f'.repeat(64);
    await replace(null, forged(items[0]?.statement));
    await replace('cpu-generic', forged(items[1]?.statement));
    expect((await read()).items).toMatchObject([
      { verified: false, problem: expect.stringContaining('other than the contract') },
      { verified: false, problem: expect.stringContaining('other weights') },
    ]);
  });

  it('when a released variant, a version or a parent has none', async () => {
    await release();
    await world.store.db.deleteFrom('attestations').execute();
    expect((await read()).missing).toEqual([
      'digits 1 was released without provenance',
      'the variant for cpu-generic was released without provenance',
    ]);
    const { lineage } = model.contract;
    const child = { ...model.contract, lineage: { ...lineage, parents: [1] } };
    await world.registry.createVersion({ contract: child }, ACTOR);
    expect((await world.registry.provenance('digits', 2)).missing).toEqual([
      'its parent digits 1 has no provenance',
    ]);
  });

  it('when the policy asks for a signature that is gone or whose key is trusted no more', async () => {
    withAuthors(world, 'import', [author]);
    await world.registry.addSignature('digits', 1, signedBy(author, model.contract), ACTOR);
    expect((await read()).signature).toMatchObject({ verified: true });
    vi.restoreAllMocks();
    expect((await read()).signature).toMatchObject({ verified: false, signer: null });
  });
});
