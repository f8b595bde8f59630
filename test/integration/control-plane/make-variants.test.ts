// A compression job with its real child processes, on the committed digit reader and real images.

import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeVariants } from '#control-plane/registry/make-variants.ts';
import { toleranceOf, variantRows } from '#control-plane/registry/store.ts';
import { inspectOnnx } from '#control-plane/compression/onnx/inspect.ts';
import type { Job } from '#protocol/api.ts';
import { datasetBytes, testImages, trainImages } from '#test/demo/digits-data.ts';
import {
  ACTOR, importDigits, registryWorld, type Digits, type RegistryWorld,
} from '#test/unit/control-plane/registry/registry-world.ts'; // prettier-ignore

let world: RegistryWorld;
let model: Digits;
let datasets: { calibrationSha256: string; evaluationSha256: string };

beforeEach(async () => {
  world = await registryWorld(
    (own) => (job, context) => makeVariants({ ...own.deps, scratchRoot: own.scratchRoot }, job, context),
  );
  model = await importDigits(world);
  datasets = {
    calibrationSha256: (await world.blobs.putBytes(datasetBytes(await trainImages(), 200))).sha256,
    evaluationSha256: (await world.blobs.putBytes(datasetBytes(await testImages(), 500))).sha256,
  };
});
afterEach(() => world[Symbol.asyncDispose]());

const ended = (id: string): Promise<Job> =>
  new Promise((resolve, reject) => {
    const look = (): void => {
      world.registry.getJob(id).then((job) => {
        if (!['queued', 'running'].includes(job.state)) resolve(job);
      }, reject);
    };
    world.deps.events.subscribe(({ subject }) => subject === id && look());
    look();
  });

it('compresses by the recipe of each profile, measures before and after, and says what tolerance holds', async () => {
  const profiles = ['cpu-generic', 'x86-cpu-vnni', 'x86-cuda'];
  const { id } = await world.registry.createVariants('digits', 1, { profiles, ...datasets }, ACTOR);
  expect(await ended(id)).toMatchObject({ state: 'succeeded', error: null });

  const version = await world.registry.getVersion('digits', 1);
  expect(version.evaluation).toMatchObject({ samples: 500, disagreement: null });
  expect(version.evaluation?.accuracy).toBeGreaterThan(0.97);
  const [generic, vnni, cuda] = version.variants;
  expect(generic).toMatchObject({
    profile: 'cpu-generic', precision: 'original', weights: model.contract.weights, evaluation: version.evaluation,
  }); // prettier-ignore
  expect(cuda).toMatchObject({ profile: 'x86-cuda', precision: 'original', weights: model.contract.weights });
  expect(vnni).toMatchObject({ profile: 'x86-cpu-vnni', precision: 'int8' });
  if (vnni === undefined) throw new Error('no variant');
  expect(vnni.weights.sizeBytes).toBeLessThan(model.contract.weights.sizeBytes / 2);
  expect(vnni.evaluation?.accuracy).toBeGreaterThan(0.96);
  expect(vnni.evaluation?.disagreement).toBeLessThan(0.02);
  expect(vnni.report.opsAfter['QuantizeLinear']).toBeGreaterThan(0);
  expect(inspectOnnx(await world.blobs.bytes(vnni.weights.sha256, 1_000_000)).opCounts).toEqual(
    vnni.report.opsAfter,
  );

  const rows = await variantRows(world.store.db, 'digits', 1);
  const tolerances = rows.map((row) => [row.profile, toleranceOf(row).maxAbs]);
  const own = model.contract.golden.tolerance.maxAbs;
  expect(tolerances).toEqual([
    ['cpu-generic', own],
    ['x86-cpu-vnni', expect.any(Number)],
    ['x86-cuda', own],
  ]);
  expect(tolerances[1]?.[1]).toBeGreaterThan(own);
});

it('again makes only what is missing', async () => {
  const request = { profiles: ['cpu-generic'] };
  await ended((await world.registry.createVariants('digits', 1, request, ACTOR)).id);
  const before = await variantRows(world.store.db, 'digits', 1);
  const both = { profiles: ['cpu-generic', 'x86-cuda'] };
  expect(await ended((await world.registry.createVariants('digits', 1, both, ACTOR)).id)).toMatchObject({
    state: 'succeeded',
  });
  const [kept, added] = await variantRows(world.store.db, 'digits', 1);
  expect([kept]).toEqual(before);
  expect(added?.profile).toBe('x86-cuda');
});

it('says what is wrong with a dataset, and stores no variant', async () => {
  const { sha256 } = await world.blobs.putBytes(new TextEncoder().encode('no safetensors file'));
  const request = { profiles: ['x86-cpu'], calibrationSha256: sha256 };
  const job = await ended((await world.registry.createVariants('digits', 1, request, ACTOR)).id);
  expect(job).toMatchObject({ state: 'failed', error: { code: 'safetensors-malformed' } });
  expect(await variantRows(world.store.db, 'digits', 1)).toEqual([]);
});
