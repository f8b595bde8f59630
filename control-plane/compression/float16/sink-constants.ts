// Moves each constant that one branch alone reads into that branch, where it can be converted: a graph converts its
// own constants, and what a branch captures has to stay float32. The model computes the same.

import { capturedNames } from '../onnx/graph-index.ts';
import type { GraphProto } from '../onnx/onnx-types.ts';

/** Edits the graph and the branches of its Ifs in place, not those within them. */
export function sinkConstants(graph: GraphProto): void {
  const branches: { branch: GraphProto; captured: ReadonlySet<string> }[] = [];
  const read = new Set([...graph.input, ...graph.output].map(({ name = '' }) => name));
  for (const node of graph.node) {
    for (const name of node.input) read.add(name);
    for (const attribute of node.attribute) {
      const captured = capturedNames({ ...node, attribute: [attribute] });
      if (node.opType === 'If' && attribute.g)
        branches.push({ branch: attribute.g, captured: new Set(captured) });
      else for (const name of captured) read.add(name);
    }
  }
  graph.initializer = graph.initializer.filter((tensor) => {
    const name = tensor.name ?? '';
    const [only, ...others] = read.has(name) ? [] : branches.filter(({ captured }) => captured.has(name));
    if (only === undefined || others.length > 0) return true;
    only.branch.initializer.push(tensor);
    return false;
  });
}
