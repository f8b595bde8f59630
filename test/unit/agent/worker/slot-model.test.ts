import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { LoadRequest, Tensor } from '#agent/ports/runtime.ts';
import { readGoldenVectors } from '#agent/worker/golden-vectors.ts';
import { SlotModel } from '#agent/worker/slot-model.ts';
import { numbersOf } from '#agent/worker/tensor-types.ts';
import type { ModelContract } from '#protocol/model-contract.ts';
import { detectionLoad, digitsLoad, profileNamed, quotientLoad } from '#test/fakes/worker-models.ts';

const floats = (values: number[]): Tensor => ({
  dtype: 'FP32',
  shape: [values.length],
  data: new Uint8Array(Float32Array.from(values).buffer),
});
const longs = (values: number[]): Tensor => ({
  dtype: 'INT64',
  shape: [values.length],
  data: new Uint8Array(BigInt64Array.from(values.map(BigInt)).buffer),
});
const numbers = (tensor: Tensor | undefined): number[] =>
  tensor === undefined ? [] : Array.from(numbersOf(tensor));

async function loaded(request: LoadRequest): Promise<SlotModel> {
  return (await SlotModel.load(request, 1)).model;
}

function withContract(request: LoadRequest, change: Partial<ModelContract>): LoadRequest {
  return { ...request, contract: { ...request.contract, ...change } };
}

describe('a loaded model', () => {
  it('reads digits: golden vectors agree to float rounding, through decoding and all', async () => {
    const load = digitsLoad();
    const model = await loaded(load);
    const result = await model.golden(load.goldenPath, load.contract.golden.tolerance);
    expect(result).toMatchObject({ count: 32, top1Agreement: 1, finite: true, passed: true });
    expect(result.maxAbs).toBeLessThan(1e-4);
  });

  it('fails golden vectors when the contract names other pre-processing', async () => {
    const load = digitsLoad();
    const { preprocess } = load.contract;
    if (preprocess.kind !== 'image') throw new Error('digits take images');
    const model = await loaded(
      withContract(load, { preprocess: { ...preprocess, scale: 1, mean: [0], std: [1] } }),
    );
    const result = await model.golden(load.goldenPath, load.contract.golden.tolerance);
    expect(result.passed).toBe(false);
    expect(result.maxAbs).toBeGreaterThan(load.contract.golden.tolerance.maxAbs);
  });

  it('gives raw outputs and classes for an image, and the same for its own input tensor', async () => {
    const load = digitsLoad();
    const model = await loaded(load);
    const [vector] = await readGoldenVectors(load.goldenPath, load.contract);
    const fromImage = await model.infer(vector?.inputs ?? {});
    expect(fromImage.classes).toHaveLength(3);
    expect(fromImage.runMs).toBeGreaterThan(0);
    expect(fromImage.latencyMs).toBeGreaterThanOrEqual(fromImage.runMs);
    const zeros: Tensor = { dtype: 'FP32', shape: [2, 1, 28, 28], data: new Uint8Array(2 * 4 * 784) };
    const batch = await model.infer({ image: zeros });
    expect(batch.outputs['logits']?.shape).toEqual([2, 10]);
    expect(batch.classes).toEqual([]);
  });

  it('runs integers, halves and several inputs, and says when an output is not finite', async () => {
    const model = await loaded(quotientLoad());
    const fine = await model.infer({ numerator: floats([6, -1]), denominator: longs([3, 2]) });
    expect(numbers(fine.outputs['quotient'])).toEqual([2, -0.5]);
    expect(numbers(fine.outputs['twice'])).toEqual([6, 4]);
    expect(fine.outputs['half']?.dtype).toBe('FP16');
    expect(numbers(fine.outputs['half'])).toEqual([6, -1]);
    expect(fine.finite).toBe(true);
    expect((await model.infer({ numerator: floats([1]), denominator: longs([0]) })).finite).toBe(false);
    expect((await model.infer({ numerator: floats([0]), denominator: longs([0]) })).finite).toBe(false);
  });

  it('takes bytes that are not aligned', async () => {
    const model = await loaded(quotientLoad());
    const shifted = (tensor: Tensor): Tensor => {
      const data = new Uint8Array(tensor.data.length + 1);
      data.set(tensor.data, 1);
      return { ...tensor, data: data.subarray(1) };
    };
    const { outputs } = await model.infer({
      numerator: shifted(floats([9])),
      denominator: shifted(longs([3])),
    });
    expect(numbers(outputs['quotient'])).toEqual([3]);
  });

  it.each([
    ['a missing input', { numerator: floats([1]) }],
    ['another type', { numerator: floats([1]), denominator: floats([1]) }],
    ['another rank', { numerator: floats([1]), denominator: { ...longs([1]), shape: [1, 1] } }],
    [
      'bytes that do not fit the shape',
      { numerator: floats([1]), denominator: { ...longs([1]), shape: [2] } },
    ],
  ])('refuses %s', async (_what, inputs) => {
    const model = await loaded(quotientLoad());
    await expect(model.infer(inputs)).rejects.toMatchObject({ code: 'bad-request' });
  });

  it('settles while warming up, on an example where the contract leaves sizes open', async () => {
    expect(await (await loaded(digitsLoad())).warmUp(20)).toBeGreaterThan(0);
    expect(await (await loaded(quotientLoad())).warmUp(20)).toBeGreaterThan(0);
    expect(await (await loaded(detectionLoad())).warmUp(20)).toBe(0);
  });

  it.each<[string, Partial<ModelContract>, RegExp]>([
    [
      'an input by another name',
      { inputs: [{ name: 'pixels', dtype: 'FP32', shape: [-1, 1, 28, 28] }] },
      /input pixels does not exist .*image/,
    ],
    [
      'another type',
      { inputs: [{ name: 'image', dtype: 'UINT8', shape: [-1, 1, 28, 28] }] },
      /declared UINT8/,
    ],
    [
      'another size',
      { inputs: [{ name: 'image', dtype: 'FP32', shape: [-1, 1, 32, 32] }] },
      /\[-1, 1, 28, 28\], declared \[-1, 1, 32, 32\]/,
    ],
    [
      'an output that is not there',
      { outputs: [{ name: 'scores', dtype: 'FP32', shape: [-1, 10] }] },
      /output scores does not exist/,
    ],
  ])('refuses a contract with %s', async (_what, change, message) => {
    const load = loaded(withContract(digitsLoad(), change));
    await expect(load).rejects.toMatchObject({
      code: 'contract-mismatch',
      message: expect.stringMatching(message) as string,
    });
  });

  it('refuses a file that is no model', async () => {
    const { goldenPath, ...load } = digitsLoad();
    await expect(loaded({ ...load, weightsPath: goldenPath })).rejects.toMatchObject({
      code: 'model-load-failed',
    });
  });

  it.each(['x86-cuda', 'jetson-orin'])(
    'fails rather than fall back to the processor for %s',
    async (profile) => {
      const load = loaded({ ...digitsLoad(), profile: profileNamed(profile) });
      await expect(load).rejects.toMatchObject({ code: 'provider-missing' });
    },
  );

  it('refuses golden vectors of another length than signed, and of another model', async () => {
    const load = digitsLoad();
    const model = await loaded(load);
    const { tolerance } = load.contract.golden;
    await expect(model.golden(load.weightsPath, tolerance)).rejects.toMatchObject({ code: 'golden-invalid' });
    const size = readFileSync(load.goldenPath).length;
    const golden = { ...load.contract.golden, sizeBytes: size, count: 33 };
    const other = await loaded(withContract(load, { golden }));
    await expect(other.golden(load.goldenPath, tolerance)).rejects.toMatchObject({ code: 'golden-invalid' });
  });
});
