// Orders nodes so that each comes after what it reads. Invariant: the order is that of ONNX Runtime's Python
// quantizer (ONNXModel.topological_sort): nodes without inputs, then nodes freed by initializers and graph
// inputs taken in name order, then breadth first.

import { HoldfastError } from '#protocol/errors.ts';
import { capturedNames } from './graph-index.ts';
import type { GraphProto, NodeProto } from './onnx-types.ts';

/** Sorts `graph.node` in place. Throws `onnx-malformed` when there is a circle or an input that nothing makes. */
export function sortNodes(graph: GraphProto): void {
  const waiting = new Map<NodeProto, number>();
  const readers = new Map<string, NodeProto[]>();
  const sorted: NodeProto[] = [];
  for (const node of graph.node) {
    const inputs = [...node.input, ...capturedNames(node)].filter((name) => name !== '');
    waiting.set(node, inputs.length);
    if (inputs.length === 0) sorted.push(node);
    for (const name of inputs) {
      const list = readers.get(name);
      if (list === undefined) readers.set(name, [node]);
      else list.push(node);
    }
  }
  const release = (name: string) => {
    for (const node of readers.get(name) ?? []) {
      const left = (waiting.get(node) ?? 0) - 1;
      waiting.set(node, left);
      if (left === 0) sorted.push(node);
    }
  };
  const given = new Set([...graph.initializer, ...graph.input].map((value) => value.name ?? ''));
  for (const tensor of graph.sparseInitializer) given.add(tensor.values?.name ?? '');
  [...given].sort().forEach(release);
  for (let next = 0; next < sorted.length; next++) (sorted[next] as NodeProto).output.forEach(release);
  if (sorted.length !== graph.node.length) {
    throw new HoldfastError('onnx-malformed', 'the graph has a circle or reads a tensor that nothing makes');
  }
  graph.node = sorted;
}
