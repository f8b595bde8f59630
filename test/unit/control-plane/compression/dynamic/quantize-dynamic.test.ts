// What dynamic int8 does to small models, on ONNX Runtime.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { quantizeDynamic } from '#control-plane/compression/dynamic/quantize-dynamic.ts';
import { countLowered } from '#control-plane/compression/lowered-nodes.ts';
import { decodeModel, encodeModel, graphOf } from '#control-plane/compression/onnx/codec.ts';
import {
  makeGraph,
  makeIntAttribute,
  makeNode,
  makeValueInfo,
} from '#control-plane/compression/onnx/messages.ts';
import type { ModelProto } from '#control-plane/compression/onnx/onnx-types.ts';
import { floatTensor } from '#control-plane/compression/onnx/tensor-data.ts';
import { floatFeed, type TensorFeed } from '#control-plane/compression/tensor-feed.ts';
import type { DynamicInt8Recipe } from '#protocol/compression.ts';
import { graphAttribute } from '../attribute.ts';
import { contextOf, runOnce } from '../running.ts';
import { FLOAT, modelOf, noise } from '../small-models.ts';

const recipe = (part: Partial<DynamicInt8Recipe> = {}): DynamicInt8Recipe => ({
  kind: 'dynamic-int8',
  weight: 's8',
  perChannel: false,
  // Products of u8 and s8 saturate on x86 without VNNI.
  reduceRange: true,
  ...part,
});

const fixture = (name: string) =>
  readFileSync(new URL(`../../../../fixtures/dynamic/${name}.onnx`, import.meta.url));
const ids = {
  dtype: 'INT64',
  shape: [5],
  data: new Uint8Array(BigInt64Array.of(3n, 1n, 4n, 1n, 5n).buffer),
} as const;
const FEEDS: Record<string, TensorFeed> = {
  attention: { ids },
  recurrent: { x: floatFeed([1, 3, 7], noise(21)) },
};

/** Worst signal to noise ratio of the outputs, dB. */
async function sqnrOf(original: Uint8Array, made: ModelProto, feed: TensorFeed): Promise<number> {
  const before = await runOnce(original, feed);
  const after = await runOnce(encodeModel(made), feed);
  const energy = (values: number[]) => values.reduce((sum, value) => sum + value * value, 0);
  const telling = Object.entries(before).filter(([, values]) => values.some((value) => Number(value) !== 0));
  const ratios = telling.map(([name, values]) => {
    const noiseOf = values.map((value, at) => Number(value) - Number(after[name]?.[at]));
    return 10 * Math.log10(energy(values.map(Number)) / Math.max(energy(noiseOf), 1e-30));
  });
  return Math.min(...ratios);
}

const ENOUGH_DB = 15;

test.each([
  ['attention', recipe()],
  ['attention', recipe({ perChannel: true })],
  ['attention', recipe({ weight: 'u8', perChannel: true, reduceRange: false })],
  ['recurrent', recipe()],
  ['recurrent', recipe({ perChannel: true })],
])('%s runs in 8 bits and says much the same', async (name, how) => {
  const made = decodeModel(fixture(name));
  await quantizeDynamic(made, how, contextOf([]).context);
  expect(await sqnrOf(fixture(name), made, FEEDS[name] as TensorFeed)).toBeGreaterThan(ENOUGH_DB);
});

test('counts the nodes that compute in 8 bits apart from those that scale and cast for them', async () => {
  const made = decodeModel(fixture('recurrent'));
  const nodes = await quantizeDynamic(made, recipe(), contextOf([]).context);
  expect(countLowered(graphOf(made), nodes)).toEqual({
    lowered: { ConvInteger: 2, DynamicQuantizeLSTM: 2 },
    float: { ReduceMean: 1, Relu: 1, Reshape: 1, Slice: 1, Squeeze: 1, Transpose: 2 },
  });
});

test('a stack of matrices gets one scale, for one a column does not run', async () => {
  const make = () =>
    modelOf(
      [makeNode('MatMul', ['x', 'w'], ['y'], 'mm')],
      [floatTensor('w', [2, 6, 5], noise(60))],
      { x: [2, 3, 6] },
      { y: [2, 3, 5] },
    );
  const made = make();
  await quantizeDynamic(made, recipe({ perChannel: true }), contextOf([]).context);
  const feed = { x: floatFeed([2, 3, 6], noise(36, 2)) };
  expect(await sqnrOf(encodeModel(make()), made, feed)).toBeGreaterThan(30);
});

test('a transposed weight that another node reads as it is stays there as it is', async () => {
  const make = () =>
    modelOf(
      [
        makeNode('Gemm', ['x', 'w'], ['g'], 'fc', [makeIntAttribute('transB', 1)]),
        makeNode('Add', ['g', 'w'], ['y'], 'add'),
      ],
      [floatTensor('w', [4, 4], noise(16))],
      { x: [4, 4] },
      { y: [4, 4] },
    );
  const made = make();
  await quantizeDynamic(made, recipe(), contextOf([]).context);
  const feed = { x: floatFeed([4, 4], noise(16, 2)) };
  expect(await sqnrOf(encodeModel(make()), made, feed)).toBeGreaterThan(30);
});

test('an LSTM whose batch comes first, and a product of two activations, stay in float', async () => {
  const made = modelOf(
    [
      makeNode('LSTM', ['x', 'w', 'r'], ['l'], 'lstm', [
        makeIntAttribute('hidden_size', 2),
        makeIntAttribute('layout', 1),
      ]),
      makeNode('MatMul', ['x', 'x'], ['y'], 'gram'),
    ],
    [floatTensor('w', [1, 8, 3], noise(24)), floatTensor('r', [1, 8, 2], noise(16))],
    { x: [1, 3, 3] },
    { y: [1, 3, 3] },
  );
  const before = [...graphOf(made).node];
  const { context, notes } = contextOf([]);
  await quantizeDynamic(made, recipe(), context);
  expect(graphOf(made).node).toEqual(before);
  expect(notes).toEqual([
    'LSTM stays in float: its batch comes first (lstm)',
    'MatMul stays in float: its second input is not a finite float32 constant (gram)',
  ]);
});

test('the branches of an If are quantized too, with weights and inputs that the main graph quantizes itself', async () => {
  const branch = (name: string, weight: string) => {
    const node = [makeNode('MatMul', ['x', weight], [`${name}_y`], name)];
    const initializer = weight === 'w' ? [] : [floatTensor(weight, [8, 8], noise(64, 4))];
    const output = [makeValueInfo(`${name}_y`, { elemType: FLOAT, shape: [4, 8] })];
    const g = makeGraph({ name, node, initializer, input: [], output });
    return graphAttribute(`${name}_branch`, g);
  };
  const make = () =>
    modelOf(
      [
        makeNode('MatMul', ['x', 'w'], ['m'], 'main'),
        makeNode('ReduceMax', ['m'], ['top'], 'top', [makeIntAttribute('keepdims', 0)]),
        makeNode('Greater', ['top', 'limit'], ['flag'], 'greater'),
        makeNode('If', ['flag'], ['chosen'], 'if', [branch('then', 'w'), branch('else', 'v')]),
        makeNode('Add', ['m', 'chosen'], ['y'], 'add'),
      ],
      [floatTensor('w', [8, 8], noise(64)), floatTensor('limit', [], Float32Array.of(0))],
      { x: [4, 8] },
      { y: [4, 8] },
    );
  const made = make();
  const { lowered } = await quantizeDynamic(made, recipe(), contextOf([]).context);
  expect([...lowered].map(({ opType }) => opType)).toEqual(Array.from({ length: 3 }, () => 'MatMulInteger'));
  const feed = { x: floatFeed([4, 8], noise(32, 2)) };
  expect(await sqnrOf(encodeModel(make()), made, feed)).toBeGreaterThan(30);
  expect(graphOf(made).initializer.map(({ name }) => name)).not.toContain('w');
});

test('refuses a model from before DynamicQuantizeLinear', async () => {
  const made = modelOf([makeNode('Relu', ['x'], ['y'], 'relu')], [], { x: [1] }, { y: [1] }, 10);
  await expect(quantizeDynamic(made, recipe(), contextOf([]).context)).rejects.toMatchObject({
    code: 'compression-failed',
    hint: expect.stringContaining('operator set 11') as string,
  });
});
