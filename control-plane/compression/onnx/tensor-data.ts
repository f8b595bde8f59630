// Float and integer tensors between TensorProto and typed arrays. Reads raw_data or the typed field; writes
// raw_data. Invariant: what the shape declares is checked against the data before anything is allocated.
// Little-endian hosts only, as ONNX Runtime itself.

import { HoldfastError } from '#protocol/errors.ts';
import { makeTensor, toNumber } from './messages.ts';
import { TensorProtoDataType, type TensorProto } from './onnx-types.ts';

/** The dimensions as numbers. */
export function dimsOf(tensor: TensorProto): number[] {
  return tensor.dims.map(toNumber);
}

export function elementCount(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

export function isFloatTensor(tensor: TensorProto): boolean {
  return tensor.dataType === TensorProtoDataType.FLOAT;
}

/** Values of a FLOAT tensor, in row-major order, as a copy. Throws `onnx-malformed`. */
export function readFloats(tensor: TensorProto): Float32Array {
  if (!isFloatTensor(tensor)) throw misfit(tensor, 'is not a float32 tensor');
  const count = elementCount(dimsOf(tensor));
  if (tensor.rawData !== undefined && tensor.rawData.byteLength > 0) {
    if (tensor.rawData.byteLength !== count * 4)
      throw misfit(tensor, 'holds more or less data than its shape needs');
    return new Float32Array(Uint8Array.from(tensor.rawData).buffer);
  }
  if (tensor.floatData.length !== count) throw misfit(tensor, 'holds more or less data than its shape needs');
  return Float32Array.from(tensor.floatData);
}

export function floatTensor(name: string, dims: readonly number[], values: Float32Array): TensorProto {
  return makeTensor(name, TensorProtoDataType.FLOAT, dims, bytesOf(values));
}

export function int8Tensor(name: string, dims: readonly number[], values: Int8Array): TensorProto {
  return makeTensor(name, TensorProtoDataType.INT8, dims, bytesOf(values));
}

export function uint8Tensor(name: string, dims: readonly number[], values: Uint8Array): TensorProto {
  return makeTensor(name, TensorProtoDataType.UINT8, dims, bytesOf(values));
}

export function int32Tensor(name: string, dims: readonly number[], values: Int32Array): TensorProto {
  return makeTensor(name, TensorProtoDataType.INT32, dims, bytesOf(values));
}

export function int64Tensor(name: string, dims: readonly number[], values: readonly number[]): TensorProto {
  return makeTensor(name, TensorProtoDataType.INT64, dims, bytesOf(BigInt64Array.from(values, BigInt)));
}

function bytesOf(values: ArrayBufferView): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function misfit(tensor: TensorProto, what: string): HoldfastError {
  return new HoldfastError('onnx-malformed', `tensor "${tensor.name ?? ''}" ${what}`);
}
