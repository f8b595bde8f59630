// Small ONNX models made by our own codec, and a few feeds for them.

import { encodeModel } from '#control-plane/compression/onnx/codec.ts';
import {
  makeGraph,
  makeIntsAttribute,
  makeModel,
  makeNode,
  makeValueInfo,
} from '#control-plane/compression/onnx/messages.ts';
import {
  TensorProtoDataType,
  type ModelProto,
  type NodeProto,
  type TensorProto,
} from '#control-plane/compression/onnx/onnx-types.ts';
import { floatTensor } from '#control-plane/compression/onnx/tensor-data.ts';
import { floatFeed, type TensorFeed } from '#control-plane/compression/tensor-feed.ts';

export const FLOAT = TensorProtoDataType.FLOAT;

export interface Shapes {
  readonly [name: string]: readonly (number | string)[];
}

/** A model of float inputs and outputs. */
export function modelOf(
  node: NodeProto[],
  initializer: TensorProto[],
  inputs: Shapes,
  outputs: Shapes,
  opset = 17,
): ModelProto {
  const values = (shapes: Shapes) =>
    Object.entries(shapes).map(([name, shape]) => makeValueInfo(name, { elemType: FLOAT, shape }));
  const graph = makeGraph({
    name: 'test',
    node,
    initializer,
    input: values(inputs),
    output: values(outputs),
  });
  return makeModel({ irVersion: 8, opset, producerName: 'holdfast-test', graph });
}

/** Numbers that look random and are the same each time, about -1 to 1. */
export function noise(count: number, seed = 1): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** x [N, 2, 6, 6] -> Conv 3x3 -> Relu -> Conv 1x1 -> y [N, 3, 4, 4]. */
export function convModel(opset = 17): ModelProto {
  return modelOf(
    [
      makeNode('Conv', ['x', 'w1', 'b1'], ['c1'], 'conv1', [makeIntsAttribute('kernel_shape', [3, 3])]),
      makeNode('Relu', ['c1'], ['r1'], 'relu1'),
      makeNode('Conv', ['r1', 'w2'], ['y'], 'conv2', [makeIntsAttribute('kernel_shape', [1, 1])]),
    ],
    [
      floatTensor('w1', [4, 2, 3, 3], noise(72)),
      floatTensor('b1', [4], noise(4, 2)),
      floatTensor('w2', [3, 4, 1, 1], noise(12, 3)),
    ],
    { x: ['n', 2, 6, 6] },
    { y: ['n', 3, 4, 4] },
    opset,
  );
}

export const convBytes = (): Uint8Array => encodeModel(convModel());

export function convFeeds(count: number): TensorFeed[] {
  return Array.from({ length: count }, (_, index) => ({ x: floatFeed([1, 2, 6, 6], noise(72, index + 10)) }));
}
