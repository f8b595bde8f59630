// Counts nodes by operator, and tells those that compute in 8 bits from those left in float.

import { indexGraph } from '../onnx/graph-index.ts';
import type { GraphProto, NodeProto } from '../onnx/onnx-types.ts';
import { ruleOf } from './op-rules.ts';

export type OpCounts = Record<string, number>;

/** Nodes by operator, in order of the operators' names. */
export function countOps(nodes: Iterable<NodeProto>): OpCounts {
  const counts = new Map<string, number>();
  for (const { opType = '' } of nodes) counts.set(opType, (counts.get(opType) ?? 0) + 1);
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Splits the nodes of a quantized graph by whether they read a dequantized tensor and have a rule. */
export function splitByPrecision(graph: GraphProto): { quantized: OpCounts; float: OpCounts } {
  const { producers } = indexGraph(graph);
  const computing = graph.node.filter(
    ({ opType }) => opType !== 'QuantizeLinear' && opType !== 'DequantizeLinear',
  );
  const isQuantized = (node: NodeProto) =>
    ruleOf(node) !== undefined && producers.get(node.input[0] ?? '')?.opType === 'DequantizeLinear';
  return {
    quantized: countOps(computing.filter(isQuantized)),
    float: countOps(computing.filter((node) => !isQuantized(node))),
  };
}
