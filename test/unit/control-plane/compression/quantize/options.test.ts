import { expect, test } from 'vitest';
import { graphOf } from '#control-plane/compression/onnx/codec.ts';
import { makeIntAttribute, makeIntsAttribute, makeNode } from '#control-plane/compression/onnx/messages.ts';
import { AttributeProtoAttributeType, type ModelProto } from '#control-plane/compression/onnx/onnx-types.ts';
import { floatTensor, readFloats } from '#control-plane/compression/onnx/tensor-data.ts';
import { countOps, splitByPrecision } from '#control-plane/compression/quantize/op-counts.ts';
import { quantOptions } from '#control-plane/compression/quantize/quant-options.ts';
import { convModel, modelOf, noise } from '../small-models.ts';
import { loads, quantizeFlat } from './quantize-flat.ts';

const tensorOf = (model: ModelProto, name: string) =>
  graphOf(model).initializer.find((tensor) => tensor.name === name);

test('symmetric activations have zero point 0, and Relu stays', async () => {
  const model = convModel();
  expect(quantizeFlat(model, { activation: 's8', symmetric: true }).size).toBe(0);
  expect(countOps(graphOf(model).node)).toMatchObject({ Relu: 1 });
  const zeroPoints = graphOf(model).initializer.filter(({ name }) => name?.endsWith('_zero_point'));
  expect(zeroPoints.length).toBeGreaterThan(5);
  for (const { rawData } of zeroPoints) expect(rawData?.every((byte) => byte === 0)).toBe(true);
  await loads(model);
});

test('a float bias stays as it is, and so does the beta of its Gemm', async () => {
  const beta = makeIntAttribute('beta', 0);
  delete beta.i;
  Object.assign(beta, { f: 0.5, type: AttributeProtoAttributeType.FLOAT });
  const bias = noise(3, 2);
  const model = modelOf(
    [makeNode('Gemm', ['x', 'w', 'b'], ['y'], 'gemm', [beta])],
    [floatTensor('w', [4, 3], noise(12)), floatTensor('b', [3], bias)],
    { x: [2, 4] },
    { y: [2, 3] },
  );
  quantizeFlat(model, { floatBias: true });
  const gemm = graphOf(model).node.find(({ opType }) => opType === 'Gemm');
  expect(gemm?.input).toEqual(['x_DequantizeLinear_Output', 'w_DequantizeLinear_Output', 'b']);
  expect(gemm?.attribute.find(({ name }) => name === 'beta')?.f).toBe(0.5);
  const kept = tensorOf(model, 'b');
  expect(kept && readFloats(kept)).toEqual(bias);
  await loads(model);
});

test('an excluded node computes in float, and what it reads is quantized for its neighbours only', async () => {
  const model = convModel();
  graphOf(model).node.push(makeNode('Sigmoid', ['y'], ['z'], 'sigmoid'));
  quantizeFlat(model, { exclude: new Set(['conv2']) });
  expect(splitByPrecision(graphOf(model))).toEqual({
    quantized: { Conv: 1, Sigmoid: 1 },
    float: { Conv: 1 },
  });
  expect(graphOf(model).node.find(({ name }) => name === 'conv2')?.input[1]).toBe('w2');
  expect(graphOf(model).initializer.map(({ name }) => name)).not.toContain('w2_quantized');
  await loads(model);
});

test('only the operators that are asked for are quantized, with or without a rule of their own', () => {
  const nodes = [makeNode('Sigmoid', ['x'], ['s'], 'sigmoid'), makeNode('Tanh', ['s'], ['y'], 'tanh')];
  const model = modelOf(nodes, [], { x: [2] }, { y: [2] });
  quantizeFlat(model, { operators: new Set(['Tanh']) });
  const written = graphOf(model).node.filter(({ opType }) => opType === 'QuantizeLinear');
  expect(written.map(({ name }) => name)).toEqual(['s_QuantizeLinear', 'y_QuantizeLinear']);
});

test('an operator of another domain is left in float, whatever its name', () => {
  const model = modelOf([makeNode('Sigmoid', ['x'], ['y'], 'sigmoid')], [], { x: [2] }, { y: [2] });
  for (const node of graphOf(model).node) node.domain = 'com.example';
  quantizeFlat(model);
  expect(countOps(graphOf(model).node)).toEqual({ Sigmoid: 1 });
});

test('a recipe says which operators, and the caller which nodes are left out', () => {
  const recipe = {
    kind: 'static-int8' as const,
    activation: 's8' as const,
    symmetric: true,
    floatBias: true,
    perChannel: false,
    reduceRange: false,
    calibration: { method: 'minmax' as const, samples: 1 },
  };
  const exclude = new Set(['conv1']);
  expect(quantOptions(recipe, exclude)).toEqual({
    activation: 's8',
    symmetric: true,
    floatBias: true,
    perChannel: false,
    reduceRange: false,
    exclude,
  });
  expect(quantOptions({ ...recipe, operators: ['Conv'] }, exclude).operators).toEqual(new Set(['Conv']));
});

test('a grouped ConvTranspose a channel, whose bias has more values than scales, loads', async () => {
  const model = modelOf(
    [makeNode('ConvTranspose', ['x', 'w', 'b'], ['y'], 'upconv', [makeIntAttribute('group', 2)])],
    [floatTensor('w', [4, 3, 2, 2], noise(48)), floatTensor('b', [6], noise(6, 2))],
    { x: [1, 4, 5, 5] },
    { y: [1, 6, 6, 6] },
  );
  quantizeFlat(model);
  expect(tensorOf(model, 'w_scale')?.dims).toEqual([3]);
  expect(tensorOf(model, 'b')?.dims).toEqual([6]);
  await loads(model);
});

test('a normalization whose scale and bias have rank 2 loads a channel', async () => {
  const model = modelOf(
    [makeNode('LayerNormalization', ['x', 's', 'b'], ['y'], 'norm', [makeIntAttribute('axis', 1)])],
    [floatTensor('s', [3, 4], noise(12)), floatTensor('b', [3, 4], noise(12, 2))],
    { x: [2, 3, 4] },
    { y: [2, 3, 4] },
  );
  quantizeFlat(model);
  expect(tensorOf(model, 'b_quantized_scale')?.dims).toEqual([4]);
  await loads(model);
});

test('what shares the scale of a weight that has one a channel stays in float', async () => {
  const model = modelOf(
    [
      makeNode('MatMul', ['x', 'w'], ['y'], 'matmul'),
      makeNode('Transpose', ['w'], ['z'], 'transpose', [makeIntsAttribute('perm', [1, 0])]),
    ],
    [floatTensor('w', [4, 3], noise(12))],
    { x: [2, 4] },
    { y: [2, 3], z: [3, 4] },
  );
  quantizeFlat(model);
  expect(graphOf(model).node.map(({ name }) => name)).not.toContain('z_QuantizeLinear');
  await loads(model);
});
