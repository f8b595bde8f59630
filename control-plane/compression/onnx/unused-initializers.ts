// Drops initializers that nothing reads, and the graph inputs that only declared them.

import { capturedNames } from './graph-index.ts';
import type { GraphProto } from './onnx-types.ts';

/** Edits the graph in place; graph outputs and what subgraphs capture count as read. */
export function dropUnusedInitializers(graph: GraphProto): void {
  const read = new Set(graph.output.map((value) => value.name ?? ''));
  for (const node of graph.node) for (const name of [...node.input, ...capturedNames(node)]) read.add(name);
  const dropped = new Set<string>();
  graph.initializer = graph.initializer.filter((tensor) => {
    const name = tensor.name ?? '';
    if (!read.has(name)) dropped.add(name);
    return read.has(name);
  });
  graph.input = graph.input.filter((value) => !dropped.has(value.name ?? ''));
}
