import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { modelOf } from '#test/unit/control-plane/compression/small-models.ts';
import { encodeModel } from '#control-plane/compression/onnx/codec.ts';
import { makeNode } from '#control-plane/compression/onnx/messages.ts';
import type { ModelContract } from '#protocol/model-contract.ts';
import { ACTOR, digits, registryWorld, type Digits, type RegistryWorld } from './registry-world.ts';

let world: RegistryWorld;
let model: Digits;
beforeEach(async () => {
  world = await registryWorld();
  model = await digits();
  await world.blobs.putBytes(model.weights);
  await world.blobs.putBytes(model.golden);
});
afterEach(() => world[Symbol.asyncDispose]());

const create = (contract: ModelContract, version?: number) =>
  world.registry.createVersion({ contract, ...(version === undefined ? {} : { version }) }, ACTOR);
const seeded = (seed: number): ModelContract => ({
  ...model.contract,
  lineage: { ...model.contract.lineage, seed },
});

describe('importing a version', () => {
  it('stores the whole contract under the next number', async () => {
    expect(await create(model.contract)).toMatchObject({
      model: 'digits',
      version: 1,
      contract: model.contract,
    });
    expect(await create(seeded(2))).toMatchObject({ version: 2 });
    expect(await world.registry.listModels()).toMatchObject([
      { name: 'digits', latestVersion: 2, versions: 2 },
    ]);
    expect((await world.registry.listVersions('digits')).map(({ version }) => version)).toEqual([2, 1]);
  });

  it('again answers the same version and changes nothing', async () => {
    const first = await create(model.contract);
    expect(await create(model.contract)).toEqual(first);
    expect(await create(model.contract, 1)).toEqual(first);
    expect(await world.audit.before(Number.MAX_SAFE_INTEGER, 10)).toHaveLength(1);
  });

  it('takes the number that is asked for, once', async () => {
    expect(await create(seeded(7), 7)).toMatchObject({ version: 7 });
    await expect(create(seeded(8), 7)).rejects.toMatchObject({ code: 'version-exists' });
    expect(await create(seeded(8))).toMatchObject({ version: 8 });
  });

  it('at the same moment gives every contract a number of its own', async () => {
    const made = await Promise.all([1, 2, 3, 4].map((seed) => create(seeded(seed))));
    expect(made.map(({ version }) => version).sort((a, b) => a - b)).toEqual([1, 2, 3, 4]);
  });

  it('refuses parents that are not there', async () => {
    const orphan = { ...model.contract, lineage: { ...model.contract.lineage, parents: [3] } };
    await expect(create(orphan)).rejects.toMatchObject({ code: 'contract-invalid' });
  });
});

describe('a version is refused, and leaves nothing,', () => {
  afterEach(async () => {
    expect(await world.registry.listModels()).toEqual([]);
    expect(await world.audit.before(Number.MAX_SAFE_INTEGER, 10)).toEqual([]);
  });

  const withWeights = async (bytes: Uint8Array): Promise<ModelContract> => ({
    ...model.contract,
    weights: await world.blobs.putBytes(bytes),
  });

  it('when its weights were not uploaded', async () => {
    const missing = { ...model.contract, weights: { sha256: 'a'.repeat(64), sizeBytes: 10 } };
    await expect(create(missing)).rejects.toMatchObject({ code: 'not-found' });
  });

  it('when a blob has another size than declared', async () => {
    const wrong = { ...model.contract, golden: { ...model.contract.golden, sizeBytes: 1 } };
    await expect(create(wrong)).rejects.toMatchObject({ code: 'length-mismatch' });
  });

  it('when the ONNX file is cut off', async () => {
    const contract = await withWeights(model.weights.subarray(0, model.weights.length - 100));
    await expect(create(contract)).rejects.toMatchObject({ code: 'onnx-malformed' });
  });

  it('when the ONNX file is larger than what is parsed', async () => {
    await expect(create(await withWeights(new Uint8Array(1_000_001)))).rejects.toMatchObject({
      code: 'onnx-too-large',
    });
  });

  it('when the ONNX file needs another operator set', async () => {
    const old = modelOf(
      [makeNode('Relu', ['image'], ['logits'], 'relu')],
      [],
      { image: [1] },
      { logits: [1] },
      6,
    );
    const contract = await withWeights(encodeModel(old));
    await expect(create(contract)).rejects.toMatchObject({ code: 'onnx-opset-unsupported' });
  });

  it('when the contract describes another model', async () => {
    const other = modelOf([makeNode('Relu', ['x'], ['y'], 'relu')], [], { x: [1] }, { y: [1] });
    await expect(create(await withWeights(encodeModel(other)))).rejects.toMatchObject({
      code: 'contract-mismatch',
    });
  });

  it('when its golden vectors are not what it declares', async () => {
    const wrong = { ...model.contract, golden: { ...model.contract.golden, count: 31 } };
    await expect(create(wrong)).rejects.toMatchObject({ code: 'golden-invalid' });
  });
});
