import { InferenceSession } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { encodeModel, graphOf } from '#control-plane/compression/onnx/codec.ts';
import { makeIntAttribute, makeNode } from '#control-plane/compression/onnx/messages.ts';
import type { ModelProto } from '#control-plane/compression/onnx/onnx-types.ts';
import { floatTensor } from '#control-plane/compression/onnx/tensor-data.ts';
import { calibrateMinMax } from '#control-plane/compression/quantize/calibrate.ts';
import { countOps, splitByPrecision } from '#control-plane/compression/quantize/op-counts.ts';
import { quantizeModel } from '#control-plane/compression/quantize/qdq.ts';
import type { QuantOptions } from '#control-plane/compression/quantize/quant-params.ts';
import { floatFeed } from '#control-plane/compression/tensor-feed.ts';
import { convFeeds, convModel, modelOf, noise } from '../small-models.ts';

const options: QuantOptions = { activation: 'u8', perChannel: true, reduceRange: false };

/** Quantizes on ranges of -1 to 1 for every tensor there is. */
function quantizeFlat(model: ModelProto, changed: Partial<QuantOptions> = {}) {
  const graph = graphOf(model);
  const names = new Set([
    ...graph.input.map(({ name }) => name ?? ''),
    ...graph.node.flatMap(({ output }) => output),
  ]);
  return quantizeModel(model, new Map([...names].map((name) => [name, { min: -1, max: 1 }])), {
    ...options,
    ...changed,
  });
}

async function loads(model: ModelProto): Promise<void> {
  const session = await InferenceSession.create(encodeModel(model), { logSeverityLevel: 3 });
  await session.release();
}

test('calibration sees the extremes of every tensor over all samples', async () => {
  const feeds = convFeeds(5);
  const seen: number[] = [];
  const ranges = await calibrateMinMax(convModel(), feeds, { progress: (done) => seen.push(done) });
  expect(seen).toEqual([1, 2, 3, 4, 5]);
  expect([...ranges.keys()].toSorted()).toEqual(['c1', 'r1', 'x', 'y']);
  const inputs = feeds.flatMap((feed) => [
    ...new Float32Array(Uint8Array.from(feed['x']?.data ?? []).buffer),
  ]);
  expect(ranges.get('x')).toEqual({ min: Math.min(...inputs), max: Math.max(...inputs) });
  expect(ranges.get('r1')).toEqual({ min: 0, max: ranges.get('c1')?.max });
});

test('tensors that are not float are not calibrated', async () => {
  const nodes = [makeNode('Shape', ['x'], ['s'], 'shape'), makeNode('Reshape', ['x', 's'], ['y'], 'reshape')];
  const model = modelOf(nodes, [], { x: [2, 3] }, { y: [2, 3] });
  const ranges = await calibrateMinMax(model, [{ x: floatFeed([2, 3], noise(6)) }]);
  expect([...ranges.keys()].toSorted()).toEqual(['x', 'y']);
});

test('calibration without samples, or with NaN in one, is refused', async () => {
  const bad = { x: floatFeed([1, 2, 6, 6], noise(72).fill(Number.NaN, 5, 6)) };
  for (const feeds of [[], [bad]]) {
    await expect(calibrateMinMax(convModel(), feeds)).rejects.toMatchObject({ code: 'dataset-invalid' });
  }
});

test('calibration stops between samples when it is aborted', async () => {
  const controller = new AbortController();
  const progress = () => controller.abort(new Error('enough'));
  await expect(
    calibrateMinMax(convModel(), convFeeds(5), { progress, signal: controller.signal }),
  ).rejects.toThrow('enough');
});

test('a Relu between two convolutions is folded into the range before it', async () => {
  const model = convModel();
  const folded = quantizeFlat(model);
  expect([...folded].map(({ name }) => name)).toEqual(['relu1']);
  expect(countOps(graphOf(model).node)).toEqual({ Conv: 2, DequantizeLinear: 6, QuantizeLinear: 3 });
  expect(splitByPrecision(graphOf(model))).toEqual({ quantized: { Conv: 2 }, float: {} });
  await loads(model);
});

test('a Relu stays where its input is read elsewhere, or is a graph output', async () => {
  const readTwice = convModel();
  graphOf(readTwice).node.push(makeNode('Sigmoid', ['c1'], ['s'], 'sigmoid'));
  const returned = convModel();
  graphOf(returned).output.push({ name: 'c1', metadataProps: [] });
  for (const model of [readTwice, returned]) {
    expect(quantizeFlat(model).size).toBe(0);
    expect(countOps(graphOf(model).node)).toMatchObject({ Relu: 1 });
    await loads(model);
  }
});

test('an unknown operator is left in float and counted', async () => {
  const model = convModel();
  graphOf(model).node.push(makeNode('Erf', ['y'], ['e'], 'erf'), makeNode('Erf', ['e'], ['f'], 'erf2'));
  quantizeFlat(model);
  expect(splitByPrecision(graphOf(model)).float).toEqual({ Erf: 2 });
  await loads(model);
});

test('two nodes that share a bias get one each', async () => {
  const nodes = [
    makeNode('Conv', ['x', 'w', 'b'], ['c'], 'conv1'),
    makeNode('Conv', ['c', 'w', 'b'], ['y'], 'conv2'),
  ];
  const initializers = [floatTensor('w', [2, 2, 1, 1], noise(4)), floatTensor('b', [2], noise(2))];
  const model = modelOf(nodes, initializers, { x: [1, 2, 4, 4] }, { y: [1, 2, 4, 4] });
  quantizeFlat(model);
  const biases = graphOf(model).initializer.filter(
    ({ dataType, name }) => dataType === 6 && name?.endsWith('_quantized'),
  );
  expect(biases.map(({ name }) => name)).toEqual(['b_quantized', 'b0_quantized']);
  await loads(model);
});

test.each([
  ['of rank 2', [1, 3], 'DequantizeLinear'],
  ['of one value', [1], undefined],
])('a Gemm bias %s a channel loads in ONNX Runtime', async (_, dims, producer) => {
  const nodes = [makeNode('Gemm', ['x', 'w', 'b'], ['y'], 'gemm')];
  const size = dims.reduce((a, b) => a * b, 1);
  const initializers = [floatTensor('w', [4, 3], noise(12)), floatTensor('b', dims, noise(size))];
  const model = modelOf(nodes, initializers, { x: [2, 4] }, { y: [2, 3] });
  quantizeFlat(model);
  expect(graphOf(model).node.find(({ output }) => output[0] === 'b')?.opType).toBe(producer);
  await loads(model);
});

test('Gemm keeps its channels when its weight is transposed', () => {
  const nodes = [makeNode('Gemm', ['x', 'w'], ['y'], 'gemm', [makeIntAttribute('transB', 1)])];
  const model = modelOf(nodes, [floatTensor('w', [3, 4], noise(12))], { x: [2, 4] }, { y: [2, 3] });
  quantizeFlat(model);
  const scale = graphOf(model).initializer.find(({ name }) => name === 'w_scale');
  expect(scale?.dims).toEqual([3]);
});

test('a constant of infinities, as in a mask, stays in float', async () => {
  const mask = floatTensor('mask', [2], Float32Array.of(0, -Infinity));
  const model = modelOf([makeNode('Add', ['x', 'mask'], ['y'], 'add')], [mask], { x: [2] }, { y: [2] });
  quantizeModel(
    model,
    new Map([
      ['x', { min: -1, max: 1 }],
      ['y', { min: -Infinity, max: 1 }],
    ]),
    options,
  );
  expect(graphOf(model).initializer.map(({ name }) => name)).toContain('mask');
  expect(countOps(graphOf(model).node)).toEqual({ Add: 1, DequantizeLinear: 1, QuantizeLinear: 1 });
  await loads(model);
});

test('outputs share the scale of a Reshape or MaxPool input only where that is quantized', () => {
  const reshape = makeNode('Flatten', ['x'], ['y'], 'flatten');
  const alone = modelOf([reshape], [], { x: [2, 3] }, { y: [2, 3] });
  quantizeFlat(alone);
  expect(countOps(graphOf(alone).node)).toEqual({ Flatten: 1 });
  const after = modelOf(
    [makeNode('Sigmoid', ['x'], ['s'], 'sigmoid'), { ...reshape, input: ['s'] }],
    [],
    { x: [2, 3] },
    { y: [2, 3] },
  );
  quantizeFlat(after);
  const last = graphOf(after).node.find(({ name }) => name === 'y_QuantizeLinear');
  expect(last?.input.slice(1)).toEqual(['s_scale', 's_zero_point']);
});

test('a model that is quantized already, or too old for the recipe, is refused', () => {
  const twice = convModel();
  quantizeFlat(twice);
  expect(() => quantizeFlat(twice)).toThrow(expect.objectContaining({ code: 'compression-failed' }));
  expect(() => quantizeFlat(convModel(12))).toThrow(expect.objectContaining({ code: 'compression-failed' }));
  expect(quantizeFlat(convModel(12), { perChannel: false }).size).toBe(1);
});
