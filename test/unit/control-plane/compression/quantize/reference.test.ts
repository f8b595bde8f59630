// Against what onnxruntime's Python quantizer wrote (test/fixtures/quantize/make_fixtures.py): same nodes in the
// same order, same initializers in the same order, bit for bit.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { decodeModel, encodeModel, graphOf } from '#control-plane/compression/onnx/codec.ts';
import { toNumber } from '#control-plane/compression/onnx/messages.ts';
import {
  TensorProtoDataType as T,
  type NodeProto,
  type TensorProto,
} from '#control-plane/compression/onnx/onnx-types.ts';
import { dimsOf } from '#control-plane/compression/onnx/tensor-data.ts';
import { quantizeModel } from '#control-plane/compression/quantize/qdq.ts';
import type { QuantOptions } from '#control-plane/compression/quantize/quant-params.ts';

const RECIPES: Record<string, QuantOptions> = {
  u8: { activation: 'u8', perChannel: false, reduceRange: false },
  'u8-channel-reduced': { activation: 'u8', perChannel: true, reduceRange: true },
  's8-channel': { activation: 's8', perChannel: true, reduceRange: false },
  's8-reduced': { activation: 's8', perChannel: false, reduceRange: true },
};
const cases = ['convolutional', 'overflow', 'attention'].flatMap((model) =>
  Object.keys(RECIPES).map((recipe) => [model, recipe] as const),
);

const fixture = (name: string) =>
  readFileSync(new URL(`../../../../fixtures/quantize/${name}`, import.meta.url));

function rangesOf(model: string) {
  const pairs = JSON.parse(fixture(`${model}.ranges.json`).toString()) as Record<string, [number, number]>;
  return new Map(Object.entries(pairs).map(([name, [min, max]]) => [name, { min, max }]));
}

/** Bytes of the data, from whichever field holds it. */
function dataOf(tensor: TensorProto): string {
  if (tensor.rawData !== undefined && tensor.rawData.length > 0)
    return Buffer.from(tensor.rawData).toString('hex');
  const [values, TypedArray] = {
    [T.FLOAT]: [tensor.floatData, Float32Array] as const,
    [T.INT8]: [tensor.int32Data, Int8Array] as const,
    [T.UINT8]: [tensor.int32Data, Uint8Array] as const,
    [T.INT32]: [tensor.int32Data, Int32Array] as const,
  }[tensor.dataType as 1 | 2 | 3 | 6];
  return Buffer.from(TypedArray.from(values).buffer).toString('hex');
}

const tensorFacts = (tensor: TensorProto) => ({
  name: tensor.name,
  dataType: tensor.dataType,
  dims: dimsOf(tensor),
  data: dataOf(tensor),
});

const nodeFacts = (node: NodeProto) => ({
  opType: node.opType,
  name: node.name,
  input: [...node.input],
  output: [...node.output],
  attributes: node.attribute
    .map(({ name, f, i, ints }) => ({ name, f, i: toNumber(i), ints: ints.map(toNumber) }))
    .toSorted((a, b) => (a.name ?? '').localeCompare(b.name ?? '')),
});

test.each(cases)('%s quantized as %s is the reference, bit for bit', (name, recipe) => {
  const model = decodeModel(fixture(`${name}.onnx`));
  quantizeModel(model, rangesOf(name), RECIPES[recipe] as QuantOptions);
  const made = graphOf(decodeModel(encodeModel(model)));
  const reference = graphOf(decodeModel(fixture(`${name}.${recipe}.onnx`)));
  expect(made.node.map(nodeFacts)).toEqual(reference.node.map(nodeFacts));
  expect(made.initializer.map(tensorFacts)).toEqual(reference.initializer.map(tensorFacts));
});
