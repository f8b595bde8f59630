// Who makes, who reads and who holds each tensor of a graph. A snapshot: build it again after an edit.
// Invariant: tensors that a subgraph (If, Loop, Scan) reads from outside count as read by its node.

import type { GraphProto, NodeProto, TensorProto } from './onnx-types.ts';

export interface GraphIndex {
  readonly producers: ReadonlyMap<string, NodeProto>;
  /** One entry a use: a node that reads a tensor twice is listed twice. */
  readonly consumers: ReadonlyMap<string, readonly NodeProto[]>;
  readonly initializers: ReadonlyMap<string, TensorProto>;
  readonly inputs: ReadonlySet<string>;
  readonly outputs: ReadonlySet<string>;
}

export function indexGraph(graph: GraphProto): GraphIndex {
  const producers = new Map<string, NodeProto>();
  const consumers = new Map<string, NodeProto[]>();
  for (const node of graph.node) {
    for (const name of node.output) if (name !== '') producers.set(name, node);
    for (const name of [...node.input, ...capturedNames(node)]) {
      if (name === '') continue;
      const readers = consumers.get(name);
      if (readers === undefined) consumers.set(name, [node]);
      else readers.push(node);
    }
  }
  return {
    producers,
    consumers,
    initializers: new Map(graph.initializer.map((tensor) => [tensor.name ?? '', tensor])),
    inputs: new Set(graph.input.map((value) => value.name ?? '')),
    outputs: new Set(graph.output.map((value) => value.name ?? '')),
  };
}

/** Names that the subgraphs of a node read from the graphs around them, each once. */
export function capturedNames(node: NodeProto): string[] {
  const captured = new Set<string>();
  for (const attribute of node.attribute) {
    const graphs = attribute.g ? [attribute.g, ...attribute.graphs] : attribute.graphs;
    for (const graph of graphs) for (const name of freeNames(graph)) captured.add(name);
  }
  return [...captured];
}

function freeNames(graph: GraphProto): Set<string> {
  const bound = new Set<string>();
  for (const value of graph.input) bound.add(value.name ?? '');
  for (const tensor of graph.initializer) bound.add(tensor.name ?? '');
  for (const tensor of graph.sparseInitializer) bound.add(tensor.values?.name ?? '');
  for (const node of graph.node) for (const name of node.output) bound.add(name);
  const free = new Set<string>();
  const read = (name: string) => {
    if (name !== '' && !bound.has(name)) free.add(name);
  };
  for (const node of graph.node) [...node.input, ...capturedNames(node)].forEach(read);
  for (const value of graph.output) read(value.name ?? '');
  return free;
}
