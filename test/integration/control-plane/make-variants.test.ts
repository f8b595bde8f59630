// A compression job with its real child processes, on the committed digit reader and real images.

import { readdir } from 'node:fs/promises';
import { afterEach, expect, it } from 'vitest';
import { inspectOnnx } from '#control-plane/compression/onnx/inspect.ts';
import type { DeviceTimer } from '#control-plane/registry/device-timer.ts';
import { loadProfiles, profileByName } from '#control-plane/registry/profiles.ts';
import { toleranceOf, variantRows } from '#control-plane/registry/store.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { ACTOR } from '#test/unit/control-plane/registry/registry-world.ts';
import {
  compressionWorld,
  int8,
  ORIGINAL,
  testProfile,
  type CompressionWorld,
} from './make-variants-world.ts';

let world: CompressionWorld;
afterEach(() => world[Symbol.asyncDispose]());

const detail = () => world.own.registry.getVersionDetail('digits', 1);
const rows = () => variantRows(world.own.store.db, 'digits', 1);

it('gives each profile the best of its candidates, and tells what each of them is and costs', async () => {
  world = await compressionWorld();
  const profiles = await loadProfiles();
  const generic = profileByName(profiles, 'cpu-generic');
  const cuda = profileByName(profiles, 'x86-cuda');
  const box = testProfile('box', [int8(), ORIGINAL]);
  const job = await world.run(generic, box, cuda);
  expect(job).toMatchObject({ state: 'succeeded', error: null });

  const version = await detail();
  const { weights: original } = world.model.contract;
  expect(version.evaluation).toMatchObject({ samples: 500, disagreement: null });
  expect(version.evaluation?.accuracy).toBeGreaterThan(0.97);
  const [forBox, forGeneric, forCuda] = version.variants;
  expect(forGeneric).toMatchObject({
    profile: 'cpu-generic', precision: 'original', weights: original, evaluation: version.evaluation,
    report: null, comparison: null,
  }); // prettier-ignore
  expect(forBox).toMatchObject({ profile: 'box', precision: 'int8', recipe: int8() });
  expect(forCuda).toMatchObject({ profile: 'x86-cuda', precision: 'fp16', recipe: { kind: 'fp16' } });
  if (forBox?.report == null) throw new Error('no report');
  expect(forBox.weights.sizeBytes).toBeLessThan(original.sizeBytes / 2);
  expect(forBox.evaluation?.disagreement).toBeLessThan(0.02);
  expect(inspectOnnx(await world.own.blobs.bytes(forBox.weights.sha256, 1_000_000)).opCounts).toEqual(
    forBox.report.opsAfter,
  );
  const { comparison, evaluation } = forBox;
  expect(comparison?.accuracyChange).toBeCloseTo(
    (evaluation?.accuracy ?? 0) - (version.evaluation?.accuracy ?? 0),
    10,
  );
  expect(comparison?.latencyRatio.pairs).toBe(200);
  expect(comparison?.disagreements).toHaveLength(Math.round(500 * (evaluation?.disagreement ?? 0)));

  const [choice] = version.choices;
  expect(choice).toMatchObject({
    profile: 'box',
    candidates: [
      { recipe: int8(), verdict: 'proposed', weights: forBox.weights, comparison },
      { recipe: ORIGINAL, weights: original, comparison: null },
    ],
  });
  for (const { memoryBytes, p95Ms } of choice?.candidates ?? []) {
    expect(memoryBytes).toBeGreaterThan(20e6);
    expect(p95Ms).toBeGreaterThan(0);
  }
  expect(job.choices.map(({ profile }) => profile)).toEqual(['box', 'cpu-generic', 'x86-cuda']);
  expect(job.choices[0]?.candidates[0]).toEqual({
    recipe: int8(),
    verdict: 'proposed',
    why: choice?.candidates[0]?.why,
  });

  const own = world.model.contract.golden.tolerance.maxAbs;
  const tolerances = (await rows()).map((row) => toleranceOf(row).maxAbs);
  expect(tolerances[1]).toBe(own);
  expect(tolerances[0]).toBeGreaterThan(own);
});

it('makes a recipe once for all profiles, and only what is missing when asked again', async () => {
  world = await compressionWorld();
  await world.run(testProfile('box', [int8(), ORIGINAL]), testProfile('crate', [ORIGINAL, int8()]));
  expect(world.messages.filter((message) => message.startsWith('compressing') && !message.includes(': '))).toHaveLength(1); // prettier-ignore
  expect((await rows()).map((row) => [row.profile, row.precision])).toEqual([
    ['box', 'int8'],
    ['crate', 'original'],
  ]);
  const before = await rows();
  world.messages.length = 0;
  expect((await world.run(testProfile('box', [int8()]), testProfile('chest', [int8()]))).state).toBe('succeeded'); // prettier-ignore
  expect(world.messages.filter((message) => message.startsWith('compressing'))).toEqual([]);
  expect((await rows()).filter((row) => row.profile !== 'chest')).toEqual(before);
});

it('goes on after a candidate that fails, and says why it did', async () => {
  const refusing: DeviceTimer = {
    time: ({ precision }) =>
      precision === 'int8'
        ? Promise.reject(new HoldfastError('model-load-failed', 'the device does not know QLinearConv'))
        : Promise.resolve({ deviceId: 'edge-1', runs: 50, p50Ms: 1, p95Ms: 2, memoryBytes: 5e6 }),
  };
  world = await compressionWorld(refusing);
  const unusable = { ...int8(), operators: ['NoSuchOperator'] };
  expect((await world.run(testProfile('box', [unusable, int8(), ORIGINAL]))).state).toBe('succeeded');
  const [choice] = (await detail()).choices;
  expect(choice?.candidates.map(({ verdict }) => verdict)).toEqual(['failed', 'failed', 'proposed']);
  expect(choice?.candidates[1]?.why).toContain('the device does not know QLinearConv');
  expect(choice?.candidates[2]?.device).toMatchObject({ deviceId: 'edge-1', p95Ms: 2 });
});

it('proposes nothing where no candidate is within the budgets, and shows the front', async () => {
  world = await compressionWorld();
  const tight = testProfile('tight', [int8(), ORIGINAL], { weightsBytes: 10_000 });
  const job = await world.run(tight, testProfile('box', [ORIGINAL]));
  expect(job).toMatchObject({ state: 'failed', error: { code: 'compression-failed' } });
  expect(job.error?.detail).toMatch(/for tight: int8 u8s8 \(per channel.*% right.*10.0 kB are allowed/);
  expect((await rows()).map(({ profile }) => profile)).toEqual(['box']);
  expect(job.choices.find(({ profile }) => profile === 'tight')?.candidates.map(({ verdict }) => verdict)).toEqual([
    'over-budget',
    'over-budget',
  ]); // prettier-ignore
  const wider = testProfile('tight', [int8(), ORIGINAL], { weightsBytes: 100_000 });
  expect((await world.run(wider)).state).toBe('succeeded');
  expect((await rows()).map(({ profile, precision }) => [profile, precision])).toEqual([
    ['box', 'original'],
    ['tight', 'int8'],
  ]);
});

it('cut off in the middle leaves no litter, and what was made is not made again', async () => {
  let cancel: (() => Promise<unknown>) | null = null;
  world = await compressionWorld(undefined, (message) => {
    if (message === 'compressing to int8 u8s8 (per channel, reduced range)') void cancel?.();
  });
  const box = testProfile('box', [int8(false), int8(true), ORIGINAL]);
  const { id } = await world.start(box);
  cancel = () => world.own.registry.cancelJob(id, ACTOR);
  expect((await world.ended(id)).state).toBe('cancelled');
  cancel = null;
  world.messages.length = 0;
  expect((await world.run(box)).state).toBe('succeeded');
  expect(await readdir(`${world.own.scratchRoot}/scratch`)).toEqual([]);
  const begun = world.messages.filter((message) => message.startsWith('compressing'));
  expect(begun.some((message) => message.includes('per tensor'))).toBe(false);
  expect(begun.some((message) => message.includes('per channel'))).toBe(true);
  expect((await rows()).map(({ precision }) => precision)).toEqual(['int8']);
});

it('says what is wrong with a dataset, and stores no variant', async () => {
  world = await compressionWorld();
  const { sha256 } = await world.own.blobs.putBytes(new TextEncoder().encode('no safetensors file'));
  const request = { profiles: ['x86-cpu'], calibrationSha256: sha256 };
  const { id } = await world.own.registry.createVariants('digits', 1, request, ACTOR);
  expect(await world.ended(id)).toMatchObject({ state: 'failed', error: { code: 'safetensors-malformed' } });
  expect(await rows()).toEqual([]);
});
