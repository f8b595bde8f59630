// What onnxruntime's Python quantizer did with the models of test/fixtures/quantize (make_fixtures.py), and the
// same facts of a model that we made, as lines of text. The fixtures may be read from another folder, where they
// were just made again: HOLDFAST_QUANTIZE_FIXTURES.

import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type { StaticInt8Recipe } from '#protocol/compression.ts';
import { graphOf } from '#control-plane/compression/onnx/codec.ts';
import { toNumber } from '#control-plane/compression/onnx/messages.ts';
import type {
  AttributeProto,
  ModelProto,
  NodeProto,
  TensorProto,
} from '#control-plane/compression/onnx/onnx-types.ts';
import {
  AttributeProtoAttributeType as A,
  TensorProtoDataType as T,
} from '#control-plane/compression/onnx/onnx-types.ts';
import { dimsOf } from '#control-plane/compression/onnx/tensor-data.ts';
import type { QuantOptions } from '#control-plane/compression/quantize/quant-options.ts';
import type { Range } from '#control-plane/compression/quantize/scale.ts';
import { decodeFeed, type FeedTensor, type TensorFeed } from '#control-plane/compression/tensor-feed.ts';

export type Method = StaticInt8Recipe['calibration']['method'];

interface Cell {
  readonly nodes: number;
  readonly initializers: number;
  readonly data: string;
  readonly outputs?: Readonly<Record<string, number[]>>;
}

interface Expected {
  readonly ranges: Readonly<Record<Method, Record<string, [number, number]>>>;
  readonly cells: Readonly<Record<string, Cell>>;
  readonly lists: readonly string[][];
}

const madeAgainIn = process.env['HOLDFAST_QUANTIZE_FIXTURES'];
/** Whether the fixtures were made on this machine just now. */
export const ARE_OF_THIS_MACHINE = madeAgainIn !== undefined;
const folder = madeAgainIn ?? path.join(import.meta.dirname, '../../../../fixtures/quantize');
const SUFFIX = '.expected.json';

/** Names of the models, and of each one's configurations. */
export const REFERENCES: ReadonlyMap<string, Expected> = new Map(
  readdirSync(folder)
    .filter((file) => file.endsWith(SUFFIX))
    .toSorted()
    .map((file) => [file.slice(0, -SUFFIX.length), JSON.parse(read(file).toString()) as Expected]),
);

function read(file: string): Buffer {
  return readFileSync(path.join(folder, file));
}

export const referenceModel = (name: string): Buffer => read(`${name}.onnx`);

/** The samples that the reference was calibrated on, in order. */
export function referenceSamples(name: string): TensorFeed[] {
  const samples: Record<string, FeedTensor>[] = [];
  for (const [key, tensor] of Object.entries(decodeFeed(read(`${name}.samples.safetensors`)))) {
    const [index = '', input = ''] = key.split(':');
    (samples[Number(index)] ??= {})[input] = tensor;
  }
  return samples;
}

export function referenceRanges(name: string, method: Method): Map<string, Range> {
  const pairs = Object.entries(REFERENCES.get(name)?.ranges[method] ?? {});
  return new Map(pairs.map(([tensor, [min, max]]) => [tensor, { min, max }]));
}

/** The lines of one configuration: nodes in their order, then initializers in theirs. */
export function referenceFacts(name: string, cell: string): string[] {
  const expected = REFERENCES.get(name);
  const { nodes = -1, initializers = -1, data = '' } = expected?.cells[cell] ?? {};
  const digests = data.split(' ');
  const tensors = expected?.lists[initializers]?.map((line, index) => `${line} ${digests[index]}`);
  return [...(expected?.lists[nodes] ?? []), ...(tensors ?? [])];
}

/** Options and calibration method that the name of a configuration stands for. */
export function cellOptions(cell: string): { options: QuantOptions; method: Method } {
  const [activation = '', channel, width, method = 'minmax'] = cell.split(' ');
  const base = { symmetric: activation === 's8-sym', floatBias: false, exclude: new Set<string>() };
  const product = {
    ...base,
    activation: activation === 'u8' ? ('u8' as const) : ('s8' as const),
    perChannel: channel !== 'tensor',
    reduceRange: width === 'reduced',
  };
  const extra: Record<string, Partial<QuantOptions>> = {
    'float-bias': { floatBias: true, symmetric: true },
    exclude: { exclude: new Set(['conv2', 'relu3', 'gemm2']) },
    operators: { operators: new Set(['Conv', 'Tanh', 'Add']) },
  };
  return { options: { ...product, ...extra[cell] }, method: method as Method };
}

/** The same lines of a model. */
export function factsOf(model: ModelProto): string[] {
  const { node, initializer } = graphOf(model);
  return [...node.map(nodeText), ...initializer.map(tensorText)];
}

function nodeText({ opType, name, input, output, attribute }: NodeProto): string {
  const attributes = attribute.map(attributeText).toSorted();
  return [opType, name, input.join(','), '->', output.join(','), ...attributes].join(' ');
}

function attributeText({ name, type, f, i, s, t, ints }: AttributeProto): string {
  const value = {
    [A.FLOAT]: () => Buffer.from(Float32Array.of(f ?? 0).buffer).toString('hex'),
    [A.INT]: () => toNumber(i),
    [A.INTS]: () => ints.map(toNumber).join(','),
    [A.STRING]: () => Buffer.from(s ?? []).toString(),
    [A.TENSOR]: () => (t ? digestOf(dataOf(t)) : ''),
  }[type as 1 | 2 | 3 | 4 | 7];
  return `${name}=${value()}`;
}

function tensorText(tensor: TensorProto): string {
  const type = Object.entries(T).find(([, number]) => number === tensor.dataType)?.[0];
  return `${tensor.name} ${type} [${dimsOf(tensor).join(',')}] ${digestOf(dataOf(tensor))}`;
}

function digestOf(data: Buffer): string {
  return data.length <= 4
    ? data.toString('hex')
    : createHash('sha256').update(data).digest('hex').slice(0, 16);
}

/** Bytes of the data, from whichever field holds it. */
function dataOf(tensor: TensorProto): Buffer {
  if (tensor.rawData !== undefined && tensor.rawData.length > 0) return Buffer.from(tensor.rawData);
  return Buffer.from(Float32Array.from(tensor.floatData).buffer);
}
