// Moves the tensors of Constant nodes into the graph's initializers, where weights are looked for. Some
// exporters (Paddle's) write every weight as a Constant node. The model computes the same.

import type { ModelProto, NodeProto, TensorProto } from './onnx-types.ts';
import { graphOf } from './codec.ts';

/** Edits the model in place; Constant nodes that hold no dense tensor, or whose output is a graph output, stay. */
export function constantsToInitializers(model: ModelProto): void {
  const graph = graphOf(model);
  const outputs = new Set(graph.output.map((value) => value.name));
  graph.node = graph.node.filter((node) => {
    const tensor = constantTensor(node);
    const [name] = node.output;
    if (tensor === undefined || name === undefined || outputs.has(name)) return true;
    tensor.name = name;
    graph.initializer.push(tensor);
    return false;
  });
}

function constantTensor(node: NodeProto): TensorProto | undefined {
  if (node.opType !== 'Constant' || (node.domain ?? '') !== '') return undefined;
  return node.attribute.find((attribute) => attribute.name === 'value')?.t ?? undefined;
}
