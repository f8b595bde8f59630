import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Registry } from '#control-plane/registry/service.ts';
import { releaseManifestSchema } from '#protocol/release.ts';
import {
  ACTOR,
  addVariant as addVariantOf,
  importDigits,
  registryWorld,
  type Digits,
  type RegistryWorld,
} from './registry-world.ts';

let world: RegistryWorld;
let model: Digits;
beforeEach(async () => {
  world = await registryWorld();
  model = await importDigits(world);
});
afterEach(() => world[Symbol.asyncDispose]());

const addVariant = (profile: string) => addVariantOf(world, model, profile);

const counters = async (): Promise<Record<string, number | null>> => {
  const { variants } = await world.registry.getVersion('digits', 1);
  return Object.fromEntries(variants.map(({ profile, releaseCounter }) => [profile, releaseCounter]));
};

describe('signing a version', () => {
  it('gives each variant a counter, a manifest with the whole contract, and a target', async () => {
    await addVariant('cpu-generic');
    await world.registry.signVersion('digits', 1, ACTOR);
    const release = await world.registry.release('digits', 1, 'cpu-generic');
    if (release === null) throw new Error('not signed');
    const bytes = await world.blobs.bytes(release.manifestSha256, 100_000);
    const { contractSha256: sourceSha256 } = await world.registry.getVersion('digits', 1);
    expect(release).toMatchObject({
      targetPath: 'digits/1/cpu-generic.json',
      releaseCounter: 1,
      manifestLengthBytes: bytes.length,
    });
    expect(releaseManifestSchema.parse(JSON.parse(new TextDecoder().decode(bytes)))).toMatchObject({
      contract: model.contract,
      releaseCounter: 1,
      variant: { weights: model.contract.weights, sourceSha256: model.contract.weights.sha256 },
    });
    expect(world.trust.image.target(release.targetPath)).toEqual({
      length: bytes.length,
      hashes: { sha256: release.manifestSha256 },
      custom: { profile: 'cpu-generic', releaseCounter: 1, sourceSha256 },
    });
  });

  it('again signs only what is new, under a higher counter', async () => {
    await addVariant('cpu-generic');
    const first = await world.registry.signVersion('digits', 1, ACTOR);
    expect(await world.registry.signVersion('digits', 1, ACTOR)).toEqual(first);
    await addVariant('x86-cuda');
    await world.registry.signVersion('digits', 1, ACTOR);
    expect(await counters()).toEqual({ 'cpu-generic': 1, 'x86-cuda': 2 });
  });

  it('from two sides at once signs each variant once', async () => {
    for (const profile of ['cpu-generic', 'x86-cuda', 'jetson-orin']) await addVariant(profile);
    const other = new Registry(world.deps);
    await Promise.all([world.registry, other].map((registry) => registry.signVersion('digits', 1, ACTOR)));
    expect(new Set(Object.values(await counters()))).toEqual(new Set([1, 2, 3]));
    const signed = await world.audit.before(Number.MAX_SAFE_INTEGER, 20);
    expect(signed.filter(({ action }) => action === 'model.sign')).toHaveLength(3);
  });

  it.each(['before', 'after'] as const)(
    'that was cut off %s the target was published ends the same',
    async (when) => {
      await addVariant('cpu-generic');
      const { image } = world.trust;
      const cut = vi.spyOn(image, 'addRelease').mockImplementationOnce(async (target) => {
        cut.mockRestore();
        if (when === 'after') await image.addRelease(target);
        throw new Error('cut off');
      });
      await expect(world.registry.signVersion('digits', 1, ACTOR)).rejects.toThrow('cut off');
      expect(await world.registry.release('digits', 1, 'cpu-generic')).toBeNull();
      await world.registry.signVersion('digits', 1, ACTOR);
      expect(await counters()).toEqual({ 'cpu-generic': 1 });
      expect(await world.registry.release('digits', 1, 'cpu-generic')).toMatchObject({ releaseCounter: 1 });
    },
  );

  it('without variants is refused', async () => {
    await expect(world.registry.signVersion('digits', 1, ACTOR)).rejects.toMatchObject({ code: 'conflict' });
  });
});
