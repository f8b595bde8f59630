import { expect, test } from 'vitest';
import { makeTensor } from '#control-plane/compression/onnx/messages.ts';
import { TensorProtoDataType } from '#control-plane/compression/onnx/onnx-types.ts';
import { dimsOf, floatTensor, int32Tensor, readFloats } from '#control-plane/compression/onnx/tensor-data.ts';

test('floats are read from raw data, wherever it lies in memory', () => {
  const file = Buffer.alloc(11);
  file.writeFloatLE(1.5, 3);
  file.writeFloatLE(-2, 7);
  const tensor = makeTensor('t', TensorProtoDataType.FLOAT, [2], file.subarray(3));
  expect([...readFloats(tensor)]).toEqual([1.5, -2]);
});

test('floats are read from float_data', () => {
  const tensor = {
    ...makeTensor('t', TensorProtoDataType.FLOAT, [3], new Uint8Array(0)),
    floatData: [1, 2, 3],
  };
  expect([...readFloats(tensor)]).toEqual([1, 2, 3]);
});

test('what is read is a copy', () => {
  const tensor = floatTensor('t', [2], Float32Array.of(1, 2));
  readFloats(tensor)[0] = 9;
  expect([...readFloats(tensor)]).toEqual([1, 2]);
});

test('a shape that the data does not fill, or another type, is refused', () => {
  const short = makeTensor('t', TensorProtoDataType.FLOAT, [1_000_000_000], new Uint8Array(8));
  const integers = int32Tensor('t', [1], Int32Array.of(1));
  for (const tensor of [short, integers]) {
    expect(() => readFloats(tensor)).toThrow(expect.objectContaining({ code: 'onnx-malformed' }));
  }
});

test('written tensors are little-endian and keep their shape', () => {
  const tensor = int32Tensor('t', [2, 1], Int32Array.of(1, -1));
  expect(dimsOf(tensor)).toEqual([2, 1]);
  expect([...(tensor.rawData ?? [])]).toEqual([1, 0, 0, 0, 255, 255, 255, 255]);
});
