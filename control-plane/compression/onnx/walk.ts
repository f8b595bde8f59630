// Visits what a model holds at any depth: its graphs with all graphs within them, and its tensors.
// Invariant: a graph is visited before the graphs within it; functions count as graphs without tensors of their own.

import type { AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto } from './onnx-types.ts';

/** The graphs that the attributes of a node hold: branches of an If, bodies of Loop and Scan. */
export function graphsWithin(node: NodeProto): GraphProto[] {
  return node.attribute.flatMap(({ g, graphs }) => (g ? [g, ...graphs] : graphs));
}

/** A graph and every graph within it. */
export function* allGraphs(graph: GraphProto): Generator<GraphProto, void, undefined> {
  yield graph;
  for (const node of graph.node) for (const inner of graphsWithin(node)) yield* allGraphs(inner);
}

/** Every node of the model, those of subgraphs and functions included. */
export function* allNodes(model: ModelProto): Generator<NodeProto, void, undefined> {
  if (model.graph) for (const graph of allGraphs(model.graph)) yield* graph.node;
  for (const { node } of model.functions) {
    for (const outer of node) {
      yield outer;
      for (const inner of graphsWithin(outer)) for (const graph of allGraphs(inner)) yield* graph.node;
    }
  }
}

/** Every tensor of the model: initializers, sparse ones too, and those in attributes. */
export function* allTensors(model: ModelProto): Generator<TensorProto, void, undefined> {
  if (model.graph) for (const graph of allGraphs(model.graph)) yield* initializersOf(graph);
  for (const node of allNodes(model)) for (const attribute of node.attribute) yield* tensorsOf(attribute);
  for (const { node, attributeProto } of model.functions) {
    for (const attribute of attributeProto) yield* tensorsOf(attribute);
    for (const inner of node.flatMap(graphsWithin))
      for (const graph of allGraphs(inner)) yield* initializersOf(graph);
  }
}

function* initializersOf(graph: GraphProto): Generator<TensorProto, void, undefined> {
  yield* graph.initializer;
  for (const { values, indices } of graph.sparseInitializer) {
    if (values) yield values;
    if (indices) yield indices;
  }
}

function* tensorsOf(attribute: AttributeProto): Generator<TensorProto, void, undefined> {
  if (attribute.t) yield attribute.t;
  yield* attribute.tensors;
  const sparse = attribute.sparseTensor ? [attribute.sparseTensor] : [];
  for (const { values, indices } of [...sparse, ...attribute.sparseTensors]) {
    if (values) yield values;
    if (indices) yield indices;
  }
}
