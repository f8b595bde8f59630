// Gives scalar factors and summands behind a convolution one value a channel, as ONNX Runtime's basic optimisation
// wants them to fold them into the convolution. Paddle's exporter writes such scalars behind every convolution.

import { indexGraph, type GraphIndex } from '../onnx/graph-index.ts';
import type { GraphProto, NodeProto } from '../onnx/onnx-types.ts';
import { dimsOf, elementCount, floatTensor } from '../onnx/tensor-data.ts';
import { onlyReader, scalarOf } from './scalar-nodes.ts';

/** Edits the graph in place; what it says stays the same, bit for bit. */
export function spreadScalars(graph: GraphProto): void {
  const index = indexGraph(graph);
  for (const conv of graph.node) {
    const weight = index.initializers.get(conv.input[1] ?? '');
    if (conv.opType !== 'Conv' || weight === undefined) continue;
    const [channels = 0, , ...kernel] = dimsOf(weight);
    const shape = [1, channels, ...kernel.map(() => 1)];
    let node = onlyReader(conv, index);
    while (node !== undefined && spread(graph, index, node, shape)) node = onlyReader(node, index);
  }
}

/** Makes the scalar operand of a product or sum its second one and a tensor of `shape`; false where there is none. */
function spread(graph: GraphProto, index: GraphIndex, node: NodeProto, shape: readonly number[]): boolean {
  if (node.opType !== 'Mul' && node.opType !== 'Add') return false;
  const [first = '', second = ''] = node.input;
  const value = scalarOf(second, index, shape.length) ?? scalarOf(first, index, shape.length);
  if (value === undefined) return false;
  const name = `${node.output[0] ?? ''}_channels`;
  graph.initializer.push(floatTensor(name, shape, new Float32Array(elementCount(shape)).fill(value)));
  node.input = [index.initializers.has(second) ? first : second, name];
  return true;
}
