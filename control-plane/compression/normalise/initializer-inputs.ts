// Takes initializers out of the graph's inputs. Before IR version 4 every initializer had to be an input as well;
// since then an input that an initializer fills is a default that a caller may replace, which no runtime folds.

import type { GraphProto } from '../onnx/onnx-types.ts';

/** Edits the graph in place; what is left are the inputs that a caller must give. */
export function takeInitializersOutOfInputs(graph: GraphProto): void {
  const names = new Set(graph.initializer.map((tensor) => tensor.name ?? ''));
  for (const { values } of graph.sparseInitializer) names.add(values?.name ?? '');
  graph.input = graph.input.filter((value) => !names.has(value.name ?? ''));
}
