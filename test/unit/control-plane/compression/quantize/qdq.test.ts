import { expect, test } from 'vitest';
import { graphOf } from '#control-plane/compression/onnx/codec.ts';
import { makeIntAttribute, makeNode } from '#control-plane/compression/onnx/messages.ts';
import { floatTensor } from '#control-plane/compression/onnx/tensor-data.ts';
import { countOps, splitByPrecision } from '#control-plane/compression/quantize/op-counts.ts';
import { quantizeModel } from '#control-plane/compression/quantize/qdq.ts';
import { convModel, modelOf, noise } from '../small-models.ts';
import { loads, options, quantizeFlat } from './quantize-flat.ts';

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
  graphOf(model).node.push(makeNode('Erf', ['y'], ['e'], 'erf'), makeNode('Sigmoid', ['e'], ['f'], 's'));
  quantizeFlat(model);
  expect(splitByPrecision(graphOf(model)).float).toEqual({ Erf: 1 });
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
