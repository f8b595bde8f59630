// Reads the integers that steer an operator: attributes, and inputs that are constant.

import { HoldfastError } from '#protocol/errors.ts';
import { toNumber } from '../../onnx/messages.ts';
import {
  TensorProtoDataType,
  type AttributeProto,
  type NodeProto,
  type TensorProto,
} from '../../onnx/onnx-types.ts';
import { dimsOf, elementCount } from '../../onnx/tensor-data.ts';
import type { ChannelMap } from './channel-map.ts';

function attribute(node: NodeProto, name: string): AttributeProto | undefined {
  return node.attribute.find((candidate) => candidate.name === name);
}

export function intAttribute(node: NodeProto, name: string, absent: number): number {
  const found = attribute(node, name);
  return found === undefined ? absent : toNumber(found.i);
}

export function intsAttribute(node: NodeProto, name: string): number[] | undefined {
  return attribute(node, name)?.ints.map(toNumber);
}

export function floatAttribute(node: NodeProto, name: string, absent: number): number {
  return attribute(node, name)?.f ?? absent;
}

export function textAttribute(node: NodeProto, name: string, absent: string): string {
  const bytes = attribute(node, name)?.s;
  return bytes === undefined || bytes.byteLength === 0 ? absent : new TextDecoder().decode(bytes);
}

/** Values of an INT64 tensor. Throws `onnx-malformed`. */
export function readIntegers(tensor: TensorProto): number[] {
  const count = elementCount(dimsOf(tensor));
  const raw = tensor.rawData;
  const values =
    raw !== undefined && raw.byteLength > 0
      ? raw.byteLength % 8 === 0
        ? Array.from(new BigInt64Array(Uint8Array.from(raw).buffer), Number)
        : []
      : tensor.int64Data.map(toNumber);
  if (tensor.dataType === TensorProtoDataType.INT64 && values.length === count) return values;
  throw new HoldfastError(
    'onnx-malformed',
    `"${tensor.name ?? ''}" does not hold the int64 values it declares`,
  );
}

/** Values of a constant int64 input; undefined where it is absent, computed, or of another type. */
export function constantIntegers(map: ChannelMap, name: string | undefined): number[] | undefined {
  const tensor = map.index.initializers.get(name ?? '');
  if (tensor === undefined || !map.isConstant(name) || tensor.dataType !== TensorProtoDataType.INT64)
    return undefined;
  return readIntegers(tensor);
}

/** Axes from an input (or, in older operator sets, an attribute), none negative; undefined where they are computed. */
export function axesOf(
  map: ChannelMap,
  node: NodeProto,
  input: number,
  rank: number,
): number[] | 'absent' | undefined {
  const name = node.input[input] ?? '';
  const axes = name === '' ? intsAttribute(node, 'axes') : constantIntegers(map, name);
  if (axes === undefined) return name === '' ? 'absent' : undefined;
  return axes.map((axis) => (axis < 0 ? axis + rank : axis));
}
