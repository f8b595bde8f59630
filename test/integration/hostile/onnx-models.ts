// ONNX models that are sound to look at and hostile to run, by name: `y` FP32 comes of `x`, at a price. All take
// `x` FP32 [1], or INT64 [1] where the price is the caller's to name.

import { encodeModel } from '#control-plane/compression/onnx/codec.ts';
import {
  makeGraph,
  makeIntAttribute,
  makeModel,
  makeNode,
  makeTensor,
  makeValueInfo,
} from '#control-plane/compression/onnx/messages.ts';
import {
  AttributeProtoAttributeType,
  TensorProtoDataType as T,
  type AttributeProto,
  type NodeProto,
  type TensorProto,
} from '#control-plane/compression/onnx/onnx-types.ts';
import { floatTensor, int64Tensor } from '#control-plane/compression/onnx/tensor-data.ts';
import { emptyAttribute } from './onnx-files.ts';

/** Float32 values that fill 24 GB: more than any device's profile lets a worker hold. */
const FLOATS = 6_000_000_000;
const WIDE = 2 ** 20;
const FOREVER = 2 ** 53 - 1;

const one = (name: string): TensorProto => floatTensor(name, [1], Float32Array.of(1));
const counts = (name: string, values: readonly number[]): TensorProto =>
  int64Tensor(name, [values.length], values);
const truth = (name: string): TensorProto => makeTensor(name, T.BOOL, [], Uint8Array.of(1));

function model(node: NodeProto[], initializer: TensorProto[], inputType: number = T.FLOAT): Uint8Array {
  const value = (name: string, elemType: number, shape: number[]) => makeValueInfo(name, { elemType, shape });
  const graph = makeGraph({
    name: 'hostile',
    node,
    initializer,
    input: [value('x', inputType, [1])],
    output: [value('y', T.FLOAT, [])],
  });
  return encodeModel(makeModel({ irVersion: 8, opset: 17, producerName: 'holdfast-test', graph }));
}

/** `grown` is made from `x`, so that nothing is folded away before the first run, and summed up to `y`. */
const summed = (grow: NodeProto, initializer: TensorProto[]): Uint8Array =>
  model(
    [grow, makeNode('ReduceSum', ['grown'], ['y'], 'sum', [makeIntAttribute('keepdims', 0)])],
    initializer,
  );

/** The same of constants alone, which ONNX Runtime works out while it loads. */
const folded = (grow: NodeProto, initializer: TensorProto[]): Uint8Array =>
  model(
    [
      grow,
      makeNode('ReduceSum', ['grown'], ['total'], 'sum', [makeIntAttribute('keepdims', 0)]),
      makeNode('Add', ['x', 'total'], ['sums'], 'add'),
      makeNode('ReduceSum', ['sums'], ['y'], 'end', [makeIntAttribute('keepdims', 0)]),
    ],
    initializer,
  );

/** A Loop of `trips` rounds whose condition stays true; `isKept` collects 4 MB of each round. */
function loop(isKept: boolean): Uint8Array {
  const value = (name: string, elemType: number, shape: number[]) => makeValueInfo(name, { elemType, shape });
  const kept = isKept ? [value('kept', T.FLOAT, [WIDE])] : [];
  const body = makeGraph({
    name: 'body',
    node: [
      makeNode('Identity', ['going'], ['goes_on'], 'go'),
      makeNode('Add', ['carried', 'carried'], ['next'], 'double'),
      ...(isKept ? [makeNode('Expand', ['next', 'wide'], ['kept'], 'keep')] : []),
    ],
    initializer: [],
    input: [value('round', T.INT64, []), value('going', T.BOOL, []), value('carried', T.FLOAT, [1])],
    output: [value('goes_on', T.BOOL, []), value('next', T.FLOAT, [1]), ...kept],
  });
  const attribute: AttributeProto = {
    ...emptyAttribute('body'),
    type: AttributeProtoAttributeType.GRAPH,
    g: body,
  };
  const node = makeNode('Loop', ['trips', 'going_on', 'x'], ['last', ...(isKept ? ['all'] : [])], 'loop');
  node.attribute.push(attribute);
  const end = makeNode('ReduceSum', ['last'], ['y'], 'end', [makeIntAttribute('keepdims', 0)]);
  return model(
    [node, end],
    [
      makeTensor('trips', T.INT64, [], counts('', [FOREVER]).rawData as Uint8Array),
      truth('going_on'),
      ...(isKept ? [counts('wide', [WIDE])] : []),
    ],
  );
}

export const ONNX_MODELS: Readonly<Record<string, () => Uint8Array>> = {
  'constant-of-shape-folded': () => folded(makeNode('ConstantOfShape', ['size'], ['grown'], 'grow'), [counts('size', [FLOATS])]), // prettier-ignore
  'constant-of-shape-petabyte': () => folded(makeNode('ConstantOfShape', ['size'], ['grown'], 'grow'), [counts('size', [2 ** 48])]), // prettier-ignore
  'range-folded': () => folded(makeNode('Range', ['from', 'to', 'step'], ['grown'], 'grow'), [floatTensor('from', [], Float32Array.of(0)), floatTensor('to', [], Float32Array.of(FLOATS)), floatTensor('step', [], Float32Array.of(1))]), // prettier-ignore
  'expand': () => summed(makeNode('Expand', ['x', 'size'], ['grown'], 'grow'), [counts('size', [FLOATS])]),
  'tile': () => summed(makeNode('Tile', ['x', 'size'], ['grown'], 'grow'), [counts('size', [FLOATS])]),
  'pad': () => summed(makeNode('Pad', ['x', 'size'], ['grown'], 'grow'), [counts('size', [0, FLOATS])]),
  'resize': () => summed(makeNode('Resize', ['x', '', '', 'size'], ['grown'], 'grow'), [counts('size', [2_000_000_000])]), // prettier-ignore
  'size-from-caller': () =>
    model(
      [
        makeNode('ConstantOfShape', ['x'], ['grown'], 'grow'),
        makeNode('ReduceSum', ['grown'], ['y'], 'sum', [makeIntAttribute('keepdims', 0)]),
      ],
      [],
      T.INT64,
    ),
  'loop-without-end': () => loop(false),
  'loop-that-keeps-all': () => loop(true),
  'adds-one': () => model([makeNode('Add', ['x', 'one'], ['sums'], 'add'), makeNode('ReduceSum', ['sums'], ['y'], 'end', [makeIntAttribute('keepdims', 0)])], [one('one')]), // prettier-ignore
}; // prettier-ignore
