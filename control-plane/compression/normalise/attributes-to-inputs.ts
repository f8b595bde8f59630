// Adapters for operators whose attributes became inputs: each becomes a constant of the node's graph.
// Source: Changelog.md of ONNX.

import { makeTensor } from '../onnx/messages.ts';
import {
  TensorProtoDataType as T,
  type Int64,
  type NodeProto,
  type TensorProto,
} from '../onnx/onnx-types.ts';
import { floatTensor } from '../onnx/tensor-data.ts';
import { takeAttribute, type Adapter, type OpsetScope } from './opset-scope.ts';

/** Float attributes become scalar inputs of the element type that the data has. */
export const clipLimitsToInputs: Adapter = (node, scope) => {
  for (const [index, limit] of ['min', 'max'].entries()) {
    const attribute = takeAttribute(node, limit);
    if (attribute === undefined) continue;
    const tensor = scalarLike(node, scope, attribute.f ?? 0);
    setInput(node, 1 + index, scope.addConstant(node, limit, tensor));
  }
};

export const padsToInputs: Adapter = (node, scope) => {
  const pads = takeAttribute(node, 'pads')?.ints ?? [];
  const value = takeAttribute(node, 'value')?.f ?? 0;
  setInput(node, 1, scope.addConstant(node, 'pads', int64Constant(pads)));
  if (value !== 0) setInput(node, 2, scope.addConstant(node, 'value', scalarLike(node, scope, value)));
};

export const sliceBoundsToInputs: Adapter = (node, scope) => {
  for (const [index, bound] of ['starts', 'ends', 'axes'].entries()) {
    const attribute = takeAttribute(node, bound);
    if (attribute === undefined) continue;
    setInput(node, 1 + index, scope.addConstant(node, bound, int64Constant(attribute.ints)));
  }
};

/** An attribute of integers becomes the second input; an empty one says the same as none, and goes. */
export const intsToInput =
  (name: 'axes' | 'split', keepEmpty = false): Adapter =>
  (node, scope) => {
    const ints = takeAttribute(node, name)?.ints ?? [];
    if (ints.length === 0 && !keepEmpty) return;
    setInput(node, 1, scope.addConstant(node, name, int64Constant(ints)));
  };

export const topCountToInput: Adapter = (node, scope) => {
  const count = takeAttribute(node, 'k')?.i ?? 0;
  setInput(node, 1, scope.addConstant(node, 'k', int64Constant([count])));
};

export const upsampleScalesToInput: Adapter = (node, scope) => {
  const scales = Float32Array.from(takeAttribute(node, 'scales')?.floats ?? []);
  setInput(
    node,
    1,
    scope.addConstant(node, 'scales', (name) => floatTensor(name, [scales.length], scales)),
  );
};

function setInput(node: NodeProto, index: number, name: string): void {
  while (node.input.length < index) node.input.push('');
  node.input[index] = name;
}

function int64Constant(values: readonly Int64[]): (name: string) => TensorProto {
  const data = BigInt64Array.from(values, toBigInt);
  return (name) => makeTensor(name, T.INT64, [data.length], new Uint8Array(data.buffer));
}

/** Bounds of a Slice are often the largest integer of 64 bits, which is no safe number. */
function toBigInt(value: Int64): bigint {
  if (typeof value === 'number') return BigInt(value);
  return (BigInt(value.high) << 32n) | BigInt(value.low >>> 0);
}

function scalarLike(node: NodeProto, scope: OpsetScope, value: number): (name: string) => TensorProto {
  if (scope.model.floatType(node.input[0] ?? '') !== 'FP32')
    throw scope.refuse(node, 'its input is not known to be float32');
  return (name) => floatTensor(name, [], Float32Array.of(value));
}
