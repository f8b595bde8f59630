import { expect, test } from 'vitest';
import { probeInputs } from '#control-plane/compression/check/probe-inputs.ts';
import { encodeModel, graphOf } from '#control-plane/compression/onnx/codec.ts';
import { makeNode, makeValueInfo } from '#control-plane/compression/onnx/messages.ts';
import { TensorProtoDataType as T } from '#control-plane/compression/onnx/onnx-types.ts';
import { int64Tensor } from '#control-plane/compression/onnx/tensor-data.ts';
import { convBytes, modelOf } from '../small-models.ts';

const shapes = async (model: Uint8Array) =>
  (await probeInputs(model)).map((feed) => Object.values(feed).map(({ shape }) => shape));

test('fixed dimensions are kept, batches are 1, and two different feeds come out', async () => {
  const [one, two] = await probeInputs(convBytes());
  expect(one?.['x']?.shape).toEqual([1, 2, 6, 6]);
  expect(one?.['x']?.data).not.toEqual(two?.['x']?.data);
  expect(await probeInputs(convBytes())).toEqual([one, two]);
});

test('a size of free dimensions is found that the model runs on', async () => {
  const reshape = modelOf(
    [makeNode('Reshape', ['x', 'to'], ['y'], 'r')],
    [int64Tensor('to', [3], [1, -1, 224])],
    { x: ['n', 3, 'width'] },
    { y: ['a', 'b', 224] },
  );
  expect(await shapes(encodeModel(reshape))).toEqual([[[1, 3, 224]], [[1, 3, 224]]]);
});

test('a dimension in the middle may have to be 1 where the last is not', async () => {
  const product = modelOf(
    [makeNode('Squeeze', ['x', 'axis'], ['flat'], 's'), makeNode('Mul', ['flat', 'z'], ['y'], 'm')],
    [int64Tensor('axis', [1], [1])],
    { x: ['n', 'm', 'width'], z: [1, 'width'] },
    { y: ['n', 'width'] },
  );
  expect(await shapes(encodeModel(product))).toContainEqual([
    [1, 1, 32],
    [1, 32],
  ]);
});

test('integers and booleans are ones', async () => {
  const model = modelOf([makeNode('Where', ['c', 'i', 'i'], ['y'], 'w')], [], {}, {});
  graphOf(model).input = [
    makeValueInfo('c', { elemType: T.BOOL, shape: [1] }),
    makeValueInfo('i', { elemType: T.INT64, shape: ['n'] }),
  ];
  graphOf(model).output = [makeValueInfo('y')];
  const [feed] = await probeInputs(encodeModel(model));
  expect(feed?.['c']?.data).toEqual(Uint8Array.of(1));
  expect(feed?.['i']?.data).toEqual(Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0));
});

test('a model of texts cannot be probed', async () => {
  const model = modelOf([makeNode('Identity', ['t'], ['y'], 'i')], [], {}, {});
  graphOf(model).input = [makeValueInfo('t', { elemType: T.STRING, shape: [1] })];
  graphOf(model).output = [makeValueInfo('y')];
  expect(await probeInputs(encodeModel(model))).toEqual([]);
});
