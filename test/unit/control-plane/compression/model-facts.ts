// What is compared of two models bit for bit: nodes with their attributes, initializers with their data.

import { toNumber } from '#control-plane/compression/onnx/messages.ts';
import {
  TensorProtoDataType as T,
  type NodeProto,
  type TensorProto,
} from '#control-plane/compression/onnx/onnx-types.ts';
import { dimsOf } from '#control-plane/compression/onnx/tensor-data.ts';

export const tensorFacts = (tensor: TensorProto) => ({
  name: tensor.name,
  dataType: tensor.dataType,
  dims: dimsOf(tensor),
  data: dataOf(tensor),
});

export const nodeFacts = (node: NodeProto) => ({
  opType: node.opType,
  domain: node.domain ?? '',
  name: node.name ?? '',
  input: [...node.input],
  output: [...node.output],
  attributes: node.attribute
    .map(({ name = '', f, i, s, ints, floats, strings, t }) => ({
      name,
      f: f ?? 0,
      i: toNumber(i),
      s: Buffer.from(s ?? []).toString(),
      ints: ints.map(toNumber),
      floats: [...floats],
      strings: strings.map((one) => Buffer.from(one).toString()),
      t: t == null ? null : { ...tensorFacts(t), name: '' },
    }))
    .toSorted((a, b) => a.name.localeCompare(b.name)),
});

/** Bytes of the data in hex, from whichever field holds it. */
function dataOf(tensor: TensorProto): string {
  if (tensor.rawData !== undefined && tensor.rawData.length > 0)
    return Buffer.from(tensor.rawData).toString('hex');
  const typed = {
    [T.FLOAT]: () => Float32Array.from(tensor.floatData),
    [T.INT8]: () => Int8Array.from(tensor.int32Data),
    [T.UINT8]: () => Uint8Array.from(tensor.int32Data),
    [T.INT32]: () => Int32Array.from(tensor.int32Data),
    [T.FLOAT16]: () => Uint16Array.from(tensor.int32Data),
    [T.INT64]: () => BigInt64Array.from(tensor.int64Data, (value) => BigInt(toNumber(value))),
  }[tensor.dataType as 1 | 2 | 3 | 6 | 7 | 10];
  return Buffer.from(typed().buffer).toString('hex');
}
