import { expect, test } from 'vitest';
import { graphOf } from '#control-plane/compression/onnx/codec.ts';
import { tensorTypes } from '#control-plane/compression/onnx/infer-types.ts';
import { makeIntAttribute, makeNode, makeValueInfo } from '#control-plane/compression/onnx/messages.ts';
import { TensorProtoDataType } from '#control-plane/compression/onnx/onnx-types.ts';
import { int64Tensor } from '#control-plane/compression/onnx/tensor-data.ts';
import { convModel, modelOf } from '../small-models.ts';

test('every tensor of the graph has its type and shape, inferred where the model states none', async () => {
  expect(await tensorTypes(convModel())).toEqual(
    new Map([
      ['x', { dtype: 'FP32', shape: ['n', 2, 6, 6] }],
      ['y', { dtype: 'FP32', shape: ['n', 3, 4, 4] }],
      ['c1', { dtype: 'FP32', shape: ['n', 4, 4, 4] }],
      ['r1', { dtype: 'FP32', shape: ['n', 4, 4, 4] }],
      ['w1', { dtype: 'FP32', shape: [4, 2, 3, 3] }],
      ['b1', { dtype: 'FP32', shape: [4] }],
      ['w2', { dtype: 'FP32', shape: [3, 4, 1, 1] }],
    ]),
  );
});

test('types other than float32 are told apart, and the model given is not edited', async () => {
  const cast = (to: number) => [makeIntAttribute('to', to)];
  const model = modelOf(
    [
      makeNode('Cast', ['x'], ['half'], 'half', cast(TensorProtoDataType.FLOAT16)),
      makeNode('Cast', ['half'], ['flag'], 'flag', cast(TensorProtoDataType.BOOL)),
      makeNode('Shape', ['flag'], ['dims'], 'dims'),
      makeNode('ReduceSum', ['x', 'axes'], ['scalar'], 'sum', [makeIntAttribute('keepdims', 0)]),
      makeNode('SequenceConstruct', ['x', 'scalar'], ['list'], 'list'),
      makeNode('SequenceAt', ['list', 'one'], ['y'], 'at'),
    ],
    [int64Tensor('axes', [1], [0]), int64Tensor('one', [], [1])],
    { x: [3] },
    {},
  );
  graphOf(model).output = [makeValueInfo('y')];
  const types = await tensorTypes(model);
  expect(types.get('half')).toEqual({ dtype: 'FP16', shape: [3] });
  expect(types.get('flag')).toEqual({ dtype: 'BOOL', shape: [3] });
  expect(types.get('dims')).toEqual({ dtype: 'INT64', shape: [1] });
  expect(types.get('scalar')).toEqual({ dtype: 'FP32' });
  expect(types.get('one')).toEqual({ dtype: 'INT64', shape: [] });
  expect(types.has('list')).toBe(false);
  expect(graphOf(model).output.map(({ name }) => name)).toEqual(['y']);
});

test('a model that ONNX Runtime does not load is refused', async () => {
  const model = modelOf([makeNode('NoSuchOperator', ['x'], ['y'], 'n')], [], { x: [1] }, { y: [1] });
  await expect(tensorTypes(model)).rejects.toThrow(expect.objectContaining({ code: 'model-load-failed' }));
});
