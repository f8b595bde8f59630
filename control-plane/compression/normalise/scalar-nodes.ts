// Facts about a graph that patterns of elementwise nodes are found by.

import type { GraphIndex } from '../onnx/graph-index.ts';
import type { NodeProto } from '../onnx/onnx-types.ts';
import { dimsOf, elementCount, isFloatTensor, readFloats } from '../onnx/tensor-data.ts';

/** The one node that reads the first output of `node`; undefined where others or a subgraph do, or it is an output. */
export function onlyReader({ output }: NodeProto, index: GraphIndex): NodeProto | undefined {
  const [name = ''] = output;
  const [reader, ...others] = index.consumers.get(name) ?? [];
  const isPlain = others.length === 0 && !index.outputs.has(name) && reader?.input.includes(name) === true;
  return isPlain ? reader : undefined;
}

/** The value of a float32 constant of one element and at most `maxRank` dimensions. */
export function scalarOf(name: string, index: GraphIndex, maxRank = 1): number | undefined {
  const tensor = index.initializers.get(name);
  if (tensor === undefined || !isFloatTensor(tensor)) return undefined;
  const dims = dimsOf(tensor);
  return dims.length <= maxRank && elementCount(dims) === 1 ? readFloats(tensor)[0] : undefined;
}
