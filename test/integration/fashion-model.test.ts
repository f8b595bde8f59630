// The committed clothes reader, measured again on all 10,000 real test images: accuracy, golden vectors, digests
// and shape are what its contract says.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { inspectOnnx } from '#control-plane/compression/onnx/inspect.ts';
import { topClass } from '#control-plane/evaluation/top-class.ts';
import { modelContractSchema } from '#protocol/model-contract.ts';
import { imageTensorShape, normalisePixels } from '#protocol/preprocess.ts';
import { decodeSafetensors, float32Of } from '#protocol/safetensors.ts';
import { FASHION_PACKAGE, fashionFolder, fashionImages } from '#test/bench/compress/fashion-images.ts';
import { skipWithout } from '#test/skip-reason.ts';

const file = (name: string): Buffer =>
  readFileSync(new URL(`../fixtures/models/fashion/v1/${name}`, import.meta.url));
const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');

const weights = file('weights.onnx');
const contract = modelContractSchema.parse(JSON.parse(file('contract.json').toString()));
const { preprocess } = contract;
if (preprocess.kind !== 'image') throw new Error('the clothes reader takes images');
const PIXELS = preprocess.width * preprocess.height;
const CLASSES = 10;

let session: InferenceSession;
beforeAll(async () => {
  session = await InferenceSession.create(weights, { executionProviders: ['cpu'] });
});
afterAll(() => session.release());

/** Logits [N,10], flat, for pixels [N,28,28]. */
async function infer(pixels: Uint8Array): Promise<Float32Array> {
  if (preprocess.kind !== 'image') throw new Error('the clothes reader takes images');
  const values = new Float32Array(pixels.length);
  for (let at = 0; at < pixels.length; at += PIXELS)
    normalisePixels(pixels.subarray(at, at + PIXELS), preprocess, values, at);
  const image = new Tensor('float32', values, imageTensorShape(preprocess, pixels.length / PIXELS));
  const { logits } = await session.run({ image });
  return logits?.data as Float32Array;
}

test('it carries the very bytes that its contract names, small enough to commit', () => {
  const golden = file('golden.safetensors');
  expect({ sha256: sha256(weights), sizeBytes: weights.length }).toEqual(contract.weights);
  expect(contract.golden).toMatchObject({ sha256: sha256(golden), sizeBytes: golden.length });
  expect(weights.length).toBeLessThan(1_200_000);
});

test('it is a MobileNet: depthwise filters between 1x1 convolutions, capped activations, residual additions', () => {
  const { opCounts, opsets, irVersion } = inspectOnnx(weights);
  expect({ irVersion, opset: opsets[''] }).toEqual({ irVersion: 8, opset: 17 });
  expect(opCounts).toMatchObject({ Conv: 18, Clip: 13, Add: 3, AveragePool: 1, Gemm: 1 });
});

test('it reproduces its golden vectors within tolerance', async () => {
  const tensors = decodeSafetensors(file('golden.safetensors'));
  const { count, tolerance } = contract.golden;
  expect(tensors.size).toBe(2 * count);
  for (let index = 0; index < count; index++) {
    const [input, output] = [tensors.get(`input.${index}`), tensors.get(`output.${index}.logits`)];
    if (input === undefined || output === undefined) throw new Error(`golden vector ${index} is missing`);
    const actual = await infer(await sharp(input.data).toColourspace('b-w').raw().toBuffer());
    const errors = float32Of(output).map((value, at) => Math.abs(value - (actual[at] ?? Number.NaN)));
    expect(Math.max(...errors)).toBeLessThanOrEqual(tolerance.maxAbs);
    expect(topClass(actual)).toBe(topClass(float32Of(output)));
  }
});

const folder = fashionFolder();
const isSkipped = skipWithout('the Fashion-MNIST images', folder, FASHION_PACKAGE);

describe.skipIf(isSkipped)('on the images of the Debian package', () => {
  test('it reads at least 91.5 % of the test images, as many as its contract says', async () => {
    const { images, labels, count } = await fashionImages(folder ?? '', 't10k');
    let right = 0;
    for (let at = 0; at < count; at += 500) {
      const logits = await infer(images.subarray(at * PIXELS, (at + 500) * PIXELS));
      for (let row = 0; row < 500; row++)
        right += Number(topClass(logits.subarray(CLASSES * row, CLASSES * (row + 1))) === labels[at + row]);
    }
    expect(count).toBe(10_000);
    expect(right / count).toBeGreaterThanOrEqual(0.915);
    const declared = contract.lineage.metrics['testAccuracy'] ?? Number.NaN;
    expect(Math.abs(right / count - declared)).toBeLessThanOrEqual(0.001);
  });

  test('it was trained on the very files of the package', () => {
    const names = ['t10k-images-idx3', 't10k-labels-idx1', 'train-images-idx3', 'train-labels-idx1'];
    const lines = names
      .map((name) => `${name}-ubyte.gz`)
      .map((name) => `${sha256(readFileSync(join(folder ?? '', name)))}  ${name}\n`);
    expect(contract.lineage.dataset).toEqual({ name: 'fashion-mnist', sha256: sha256(lines.join('')) });
  });
});
