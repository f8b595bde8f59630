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

/** Operands by place, from and to, that have to be dequantized; where not listed it is the first alone. */
const OPERANDS: ReadonlyMap<string, readonly [from: number, to: number]> = new Map([
  ['Add', [0, 2]],
  ['Concat', [0, Infinity]],
  ['Conv', [0, 2]],
  ['ConvTranspose', [0, 2]],
  ['Gemm', [0, 2]],
  ['MatMul', [0, 2]],
  ['Mul', [0, 2]],
  ['Where', [1, 3]],
]);

/**
 * Splits the nodes of a quantized graph: quantized are those of an operator with a rule that stand between a
 * DequantizeLinear on every operand and a QuantizeLinear, of which a runtime can make one 8-bit operator. An ArgMax,
 * which gives integers, needs no QuantizeLinear.
 */
export function splitByPrecision(graph: GraphProto): { quantized: OpCounts; float: OpCounts } {
  const { producers, consumers } = indexGraph(graph);
  const computing = graph.node.filter(
    ({ opType }) => opType !== 'QuantizeLinear' && opType !== 'DequantizeLinear',
  );
  const isQuantized = (node: NodeProto) => {
    const { opType = '', input, output } = node;
    const operands = input.slice(...(OPERANDS.get(opType) ?? [0, 1]));
    const readers = consumers.get(output[0] ?? '') ?? [];
    return (
      ruleOf(node) !== undefined &&
      operands.every((name) => producers.get(name)?.opType === 'DequantizeLinear') &&
      (opType === 'ArgMax' || readers.some((reader) => reader.opType === 'QuantizeLinear'))
    );
  };
  return {
    quantized: countOps(computing.filter(isQuantized)),
    float: countOps(computing.filter((node) => !isQuantized(node))),
  };
}
