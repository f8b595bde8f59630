// Models of one or two nodes as old operator sets wrote them, and what ONNX Runtime makes of a model.

import { Tensor } from 'onnxruntime-node';
import { encodeModel, graphOf } from '#control-plane/compression/onnx/codec.ts';
import {
  makeIntAttribute,
  makeIntsAttribute,
  makeNode,
  makeStringAttribute,
  makeTensor,
  makeValueInfo,
  toNumber,
} from '#control-plane/compression/onnx/messages.ts';
import {
  TensorProtoDataType,
  type AttributeProto,
  type ModelProto,
  type TensorProto,
} from '#control-plane/compression/onnx/onnx-types.ts';
import { floatTensor, int64Tensor } from '#control-plane/compression/onnx/tensor-data.ts';
import { openSession, runModel } from '#control-plane/compression/ort-session.ts';
import { floatFeed } from '#control-plane/compression/tensor-feed.ts';
import { modelOf, noise } from '../small-models.ts';

interface OldModel {
  readonly what: string;
  readonly opset: number;
  readonly model: () => ModelProto;
}

const floats = (name: string, values: readonly number[]): AttributeProto => ({
  ...makeIntsAttribute(name, []),
  type: 6,
  floats: [...values],
});
const float = (name: string, f: number): AttributeProto => ({ ...makeIntsAttribute(name, []), type: 1, f });

/** x of `shape` -> one node -> y, whose shape ONNX Runtime infers. */
function oneNode(
  opset: number,
  opType: string,
  shape: readonly number[],
  attributes: AttributeProto[] = [],
  constants: TensorProto[] = [],
  outputs: readonly string[] = ['y'],
): OldModel {
  const inputs = ['x', ...constants.map(({ name = '' }) => name)];
  const model = () => {
    const made = modelOf(
      [makeNode(opType, inputs, outputs, 'n', structuredClone(attributes))],
      structuredClone(constants),
      { x: shape },
      {},
      opset,
    );
    graphOf(made).output = outputs.filter((name) => name !== '').map((name) => makeValueInfo(name));
    return made;
  };
  const said = attributes.map((attribute) => `${attribute.name ?? ''}=${valueOf(attribute)}`);
  return { what: [opType, ...said].join(' '), opset, model };
}

function valueOf({ type, f, i, s, floats: list, ints }: AttributeProto): string {
  if (type === 1) return String(f);
  if (type === 2) return String(toNumber(i));
  if (type === 3) return Buffer.from(s ?? []).toString();
  return type === 6 ? list.join() : ints.map(toNumber).join();
}

const axis = (value: number) => [makeIntAttribute('axis', value)];
const axes = (...values: number[]) => [makeIntsAttribute('axes', values)];
const scales = (...values: number[]) => [floatTensor('s', [values.length], Float32Array.from(values))];
const mode = (name: string) => makeStringAttribute('mode', name);
const slice = (name: string, ...values: number[]) => makeIntsAttribute(name, values);
const FOUR = [1, 2, 3, 4];

export const OLD_MODELS: readonly OldModel[] = [
  oneNode(7, 'Clip', FOUR, [float('min', -0.25), float('max', 0.5)]),
  oneNode(10, 'Clip', FOUR, [float('max', 0.1)]),
  oneNode(8, 'Clip', FOUR),
  oneNode(7, 'Pad', FOUR, [makeIntsAttribute('pads', [0, 0, 1, 2, 0, 0, 0, 1]), float('value', 1.5)]),
  oneNode(10, 'Pad', FOUR, [makeIntsAttribute('pads', [0, 0, 1, 1, 0, 0, 1, 1]), mode('reflect')]),
  oneNode(7, 'Slice', FOUR, [slice('starts', 1, 0), slice('ends', 2, 2 ** 40), slice('axes', 1, 3)]),
  oneNode(9, 'Slice', FOUR, [slice('starts', 0, -1), slice('ends', 1, 2)]),
  oneNode(8, 'TopK', FOUR, [makeIntAttribute('k', 2), ...axis(3)], [], ['y', 'indices']),
  oneNode(7, 'Upsample', FOUR, [floats('scales', [1, 1, 2, 3]), mode('nearest')]),
  oneNode(8, 'Upsample', FOUR, [floats('scales', [1, 1, 2, 1.5]), mode('linear')]),
  oneNode(9, 'Upsample', FOUR, [], scales(1, 1, 2.5, 2)),
  oneNode(10, 'Resize', [1, 1, 5, 7], [mode('nearest')], scales(1, 1, 0.5, 0.6)),
  oneNode(10, 'Resize', [1, 1, 5, 7], [mode('nearest')], scales(1, 1, 1.7, 3)),
  oneNode(10, 'Resize', [1, 1, 5, 7], [mode('linear')], scales(1, 1, 0.6, 1.3)),
  oneNode(7, 'Squeeze', [1, 3, 1, 4], axes(2)),
  oneNode(11, 'Squeeze', [1, 3, 1, 4], axes(0, -2)),
  oneNode(11, 'Squeeze', [1, 3, 1, 4]),
  oneNode(7, 'Unsqueeze', [3, 4], axes(0, 3)),
  oneNode(11, 'Unsqueeze', [3, 4], axes(-1)),
  oneNode(7, 'ReduceSum', FOUR, [...axes(1, 2), makeIntAttribute('keepdims', 0)]),
  oneNode(12, 'ReduceSum', FOUR, [makeIntAttribute('keepdims', 0)]),
  oneNode(11, 'ReduceMean', FOUR, axes(-1)),
  oneNode(7, 'Split', FOUR, [...axis(3), makeIntsAttribute('split', [1, 3])], [], ['y', 'z']),
  oneNode(11, 'Split', FOUR, axis(3), [], ['y', 'z']),
  ...['Softmax', 'LogSoftmax', 'Hardmax'].flatMap((opType) => [
    oneNode(7, opType, [2, 3, 4]),
    oneNode(11, opType, [2, 3, 4], axis(0)),
    oneNode(11, opType, [2, 3, 4], axis(-2)),
    oneNode(12, opType, [2, 3, 4], axis(-1)),
  ]),
  oneNode(7, 'Dropout', FOUR, [float('ratio', 0.3)]),
  oneNode(10, 'Dropout', FOUR, [float('ratio', 0.3)], [], ['y', '']),
  oneNode(8, 'BatchNormalization', [1, 2, 3, 4], [makeIntAttribute('spatial', 1)], [
    floatTensor('scale', [2], Float32Array.of(0.5, 2)), floatTensor('bias', [2], noise(2)),
    floatTensor('mean', [2], noise(2, 3)), floatTensor('var', [2], Float32Array.of(1, 0.2)),
  ]),
  oneNode(9, 'Scatter', [3, 2], axis(0), [
    int64Tensor('indices', [1, 2], [2, 1]), floatTensor('updates', [1, 2], noise(2)),
  ]),
  oneNode(10, 'RoiAlign', [1, 1, 6, 6], [makeIntAttribute('output_height', 2)], [
    floatTensor('rois', [1, 4], Float32Array.of(0, 0.5, 3, 4)), int64Tensor('batch', [1], [0]),
  ]),
  { what: 'OneHot of indices from -5 to 5', opset: 9, model: oneHotModel },
  oneNode(7, 'Flatten', FOUR, axis(2)),
  oneNode(7, 'MaxPool', [1, 1, 5, 5], [makeIntsAttribute('kernel_shape', [2, 2])]),
  oneNode(7, 'AveragePool', [1, 1, 5, 5], [makeIntsAttribute('kernel_shape', [3, 3]), makeIntsAttribute('pads', [1, 1, 1, 1])]),
  oneNode(7, 'ConvTranspose', [1, 1, 3, 3], [makeIntsAttribute('strides', [2, 2]), makeStringAttribute('auto_pad', 'SAME_UPPER')],
    [floatTensor('w', [1, 2, 3, 3], noise(18))]),
  oneNode(7, 'Gemm', [2, 3], [], [floatTensor('w', [3, 2], noise(6)), floatTensor('c', [2], noise(2))]),
  oneNode(7, 'Pow', [2, 3], [], [floatTensor('e', [], Float32Array.of(2))]),
  oneNode(7, 'Reshape', FOUR, [], [int64Tensor('to', [3], [0, -1, 2])]),
]; // prettier-ignore

function oneHotModel(): ModelProto {
  const nodes = [
    makeNode('Mul', ['x', 'five'], ['wide'], 'wide'),
    makeNode('Floor', ['wide'], ['indices'], 'indices'),
    makeNode('OneHot', ['indices', 'depth', 'values'], ['y'], 'hot'),
  ];
  const constants = [
    floatTensor('five', [], Float32Array.of(5)),
    floatTensor('depth', [], Float32Array.of(3)),
    floatTensor('values', [2], Float32Array.of(0, 1)),
  ];
  return modelOf(nodes, constants, { x: [12] }, { y: [12, 3] }, 9);
}

/** A branch with a Resize and a Squeeze that read constants of the graph around, at operator set 10. */
export function ifModel(): ModelProto {
  const branch = modelOf(
    [
      makeNode('Resize', ['x', 's'], ['large'], 'resize', [mode('nearest')]),
      makeNode('Squeeze', ['large'], ['flat'], 'squeeze', axes(0)),
    ],
    [],
    {},
    {},
    10,
  );
  graphOf(branch).output = [makeValueInfo('flat')];
  const branches = ['then_branch', 'else_branch'].map((name) => ({
    ...makeIntsAttribute(name, []),
    type: 5,
    g: structuredClone(graphOf(branch)),
  }));
  const model = modelOf(
    [makeNode('If', ['yes'], ['y'], 'if', branches)],
    [...scales(1, 1, 2, 2), makeTensor('yes', TensorProtoDataType.BOOL, [], Uint8Array.of(1))],
    { x: FOUR },
    {},
    10,
  );
  graphOf(model).output = [makeValueInfo('y')];
  return model;
}

/** Shape and bytes of every output, as the model is written, for inputs that are the same each time. */
export async function bytesOfOutputs(
  model: ModelProto,
): Promise<Record<string, { type: string; dims: readonly number[]; data: Uint8Array }>> {
  await using opened = await openSession(encodeModel(model), { optimise: false });
  const feeds = graphOf(model).input.map(({ name = '', type }, index) => {
    const shape = type?.tensorType?.shape?.dim.map(({ dimValue }) => Number(dimValue)) ?? [];
    return [name, floatFeed(shape, noise(shape.reduce((a, b) => a * b, 1), 7 + index))] as const; // prettier-ignore
  });
  const outputs = await runModel(opened.session, Object.fromEntries(feeds));
  return Object.fromEntries(
    Object.entries(outputs).map(([name, value]) => {
      if (!(value instanceof Tensor)) throw new TypeError(`${name} is no tensor`);
      const { buffer } = value.data as Float32Array;
      return [name, { type: value.type, dims: value.dims, data: new Uint8Array(buffer) }];
    }),
  );
}
