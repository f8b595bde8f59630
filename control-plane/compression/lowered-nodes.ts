// Which nodes of a lowered graph compute in the lower precision, and which only carry numbers between precisions.

import type { GraphProto, NodeProto } from './onnx/onnx-types.ts';
import { countOps, type OpCounts } from './quantize/op-counts.ts';

export interface LoweredNodes {
  readonly lowered: ReadonlySet<NodeProto>;
  /** Casts, scalings and quantizers that the format needs. */
  readonly carrying: ReadonlySet<NodeProto>;
}

/** Nodes by operator: those lowered, and those that compute as before. */
export function countLowered(graph: GraphProto, nodes: LoweredNodes): { lowered: OpCounts; float: OpCounts } {
  const asBefore = graph.node.filter((node) => !nodes.lowered.has(node) && !nodes.carrying.has(node));
  return { lowered: countOps(nodes.lowered), float: countOps(asBefore) };
}
