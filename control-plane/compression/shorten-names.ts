// Short names for what flows between nodes: in a small quantized model the names of activations take a tenth of the
// file. Inputs, outputs and constants keep theirs, by which people and other tools know them.

import { capturedNames, indexGraph } from './onnx/graph-index.ts';
import type { GraphProto, NodeProto } from './onnx/onnx-types.ts';
import { allGraphs, graphsWithin } from './onnx/walk.ts';

/** Edits the graph in place. Quantizers and dequantizers lose their node names; nothing refers to a node by name. */
export function shortenNames(graph: GraphProto): void {
  const { initializers, inputs, outputs } = indexGraph(graph);
  const kept = new Set([...initializers.keys(), ...inputs, ...outputs]);
  for (const node of graph.node) for (const name of namesWithin(node)) kept.add(name);
  const short = new Map<string, string>();
  let count = 0;
  for (const name of graph.node.flatMap((node) => node.output)) {
    if (name === '' || kept.has(name)) continue;
    do count += 1;
    while (kept.has(count.toString(36)));
    short.set(name, count.toString(36));
  }
  for (const node of graph.node) {
    node.input = node.input.map((name) => short.get(name) ?? name);
    node.output = node.output.map((name) => short.get(name) ?? name);
    if (node.opType === 'QuantizeLinear' || node.opType === 'DequantizeLinear') node.name = '';
  }
  graph.valueInfo = [];
  graph.quantizationAnnotation = [];
}

/** Names that the graphs within a node read from outside or give to what is theirs. */
function namesWithin(node: NodeProto): string[] {
  const inner = graphsWithin(node).flatMap((graph) => [...allGraphs(graph)]);
  return [
    ...capturedNames(node),
    ...inner.flatMap((graph) => graph.node.flatMap(({ output }) => output)),
    ...inner.flatMap((graph) => [...graph.input, ...graph.initializer].map(({ name = '' }) => name)),
  ];
}
