import { describe, expect, test } from 'vitest';
import {
  channelsOf,
  imagePreprocessSchema,
  modelContractSchema,
  type ImagePreprocess,
  type ModelContract,
} from '#protocol/model-contract.ts';

const image: ImagePreprocess = {
  kind: 'image',
  width: 28,
  height: 28,
  resize: 'stretch',
  colour: 'gray',
  scale: 1 / 255,
  mean: [0.13],
  std: [0.31],
  layout: 'nchw',
};

const contract: ModelContract = {
  schema: 'holdfast.model-contract/v1',
  model: 'digits',
  weights: { sha256: 'a'.repeat(64), sizeBytes: 400_000 },
  golden: {
    sha256: 'b'.repeat(64),
    sizeBytes: 20_000,
    count: 32,
    tolerance: { maxAbs: 0.05, minTop1Agreement: 1 },
  },
  inputs: [{ name: 'image', dtype: 'FP32', shape: [-1, 1, 28, 28] }],
  outputs: [{ name: 'logits', dtype: 'FP32', shape: [-1, 10] }],
  preprocess: image,
  postprocess: { kind: 'classify', output: 'logits', activation: 'softmax', topK: 3, minConfidence: 0 },
  labels: ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'],
  budgets: { p95LatencyMs: 50, peakMemoryBytes: 2 ** 28, maxDisagreementRate: 0.02 },
  lineage: {
    parents: [],
    dataset: null,
    codeSha256: null,
    trainingJob: null,
    hyperParameters: { epochs: 3, optimiser: 'adamw', augment: true },
    seed: 7,
    metrics: { accuracy: 0.99 },
    createdBy: 'a person',
  },
};

/** Paths of what is wrong; empty when nothing is. */
function problems(change: Record<string, unknown>): string[] {
  const result = modelContractSchema.safeParse({ ...contract, ...change });
  return result.success ? [] : result.error.issues.map((issue) => issue.path.join('.'));
}

describe('a model contract', () => {
  test('holds a classifier of images, and comes out as it went in', () => {
    expect(modelContractSchema.parse(contract)).toEqual(contract);
  });

  test('with image pre-processing has exactly one input', () => {
    const second = { name: 'mask', dtype: 'FP32', shape: [1] };
    expect(problems({ inputs: [...contract.inputs, second] })).toEqual(['inputs']);
    expect(problems({ inputs: [...contract.inputs, second], preprocess: { kind: 'none' } })).toEqual([]);
    expect(problems({ inputs: [] })).toContain('inputs');
  });

  test('classifies by an output that it declares', () => {
    const postprocess = { ...contract.postprocess, output: 'probabilities' };
    expect(problems({ postprocess })).toEqual(['postprocess.output']);
    const result = modelContractSchema.safeParse({ ...contract, postprocess });
    expect(result.error?.issues[0]?.message).toContain('(logits)');
  });

  test.each<[string, Record<string, unknown>, string]>([
    ['an unknown member', { comment: 'x' }, ''],
    ['another schema', { schema: 'holdfast.model-contract/v2' }, 'schema'],
    ['a model name that is a path', { model: '../digits' }, 'model'],
    ['empty weights', { weights: { ...contract.weights, sizeBytes: 0 } }, 'weights.sizeBytes'],
    ['no golden vector', { golden: { ...contract.golden, count: 0 } }, 'golden.count'],
    [
      'a tolerance below zero',
      { golden: { ...contract.golden, tolerance: { maxAbs: -1, minTop1Agreement: 1 } } },
      'golden.tolerance.maxAbs',
    ],
    [
      'an infinite tolerance',
      { golden: { ...contract.golden, tolerance: { maxAbs: Infinity, minTop1Agreement: 1 } } },
      'golden.tolerance.maxAbs',
    ],
    [
      'a shape of too many dimensions',
      { outputs: [{ name: 'o', dtype: 'FP32', shape: Array(9).fill(1) }], postprocess: { kind: 'none' } },
      'outputs.0.shape',
    ],
    ['a dimension below -1', { inputs: [{ name: 'i', dtype: 'FP32', shape: [-2] }] }, 'inputs.0.shape.0'],
    [
      'a dtype that runtimes do not know',
      { inputs: [{ name: 'i', dtype: 'FLOAT', shape: [1] }] },
      'inputs.0.dtype',
    ],
    [
      'a latency budget of zero',
      { budgets: { ...contract.budgets, p95LatencyMs: 0 } },
      'budgets.p95LatencyMs',
    ],
    [
      'a rate above one',
      { budgets: { ...contract.budgets, maxDisagreementRate: 1.1 } },
      'budgets.maxDisagreementRate',
    ],
    ['a parent that is no version', { lineage: { ...contract.lineage, parents: [0] } }, 'lineage.parents.0'],
    ['no lineage', { lineage: undefined }, 'lineage'],
  ])('is refused with %s', (_what, change, path) => {
    expect(problems(change)).toContain(path);
  });
});

describe('image pre-processing', () => {
  test('has one mean and one std a channel', () => {
    const takes = (change: object) => imagePreprocessSchema.safeParse({ ...image, ...change }).success;
    expect(takes({ colour: 'rgb', mean: [0, 0, 0], std: [1, 1, 1] })).toBe(true);
    expect(takes({ colour: 'bgr', mean: [0, 0, 0], std: [1, 1, 1] })).toBe(true);
    expect(takes({ colour: 'rgb' })).toBe(false);
    expect(takes({ mean: [0, 0, 0], std: [1, 1, 1] })).toBe(false);
    expect(takes({ mean: [0], std: [1, 1] })).toBe(false);
    expect([channelsOf('gray'), channelsOf('rgb'), channelsOf('bgr')]).toEqual([1, 3, 3]);
  });

  test.each([
    { std: [0] },
    { scale: 0 },
    { scale: Number.NaN },
    { width: 0 },
    { height: 20_000 },
    { resize: 'crop' },
    { layout: 'chw' },
    { mean: [Infinity] },
  ])('is refused with %j', (change) => {
    expect(imagePreprocessSchema.safeParse({ ...image, ...change }).success).toBe(false);
  });
});
