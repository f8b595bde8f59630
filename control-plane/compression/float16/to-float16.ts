// Half precision: every node that can computes in float16; inputs, outputs and what is unsafe stay float32, with
// Casts between. Source of the rules: onnxruntime.transformers.float16 (keep_io_types). Beyond it, no tensor is cast
// back and forth, and nodes whose values on real samples exceed float16 stay in float32.

import { LeftInFloat } from '../left-in-float.ts';
import type { LoweredNodes } from '../lowered-nodes.ts';
import { graphOf } from '../onnx/codec.ts';
import { toNumber } from '../onnx/messages.ts';
import { TensorProtoDataType, type GraphProto, type ModelProto, type NodeProto } from '../onnx/onnx-types.ts';
import { sortNodes } from '../onnx/topological-sort.ts';
import { dropUnusedInitializers } from '../onnx/unused-initializers.ts';
import type { StepContext } from '../step.ts';
import { Float16Writer } from './float16-writer.ts';
import { overflowingActivations, overflowingConstants } from './overflow.ts';
import { placeNodes } from './placement.ts';
import { typedGraphs, type TypedGraph } from './typed-graphs.ts';

/** First version in which an initializer need not be an input. */
const SEPARATE_INITIALIZERS_IR = 4;

/** Edits the model in place. Throws `model-load-failed`, `dataset-invalid` or `onnx-malformed`. */
export async function toFloat16(model: ModelProto, context: StepContext): Promise<LoweredNodes> {
  const left = new LeftInFloat();
  const graphs = await typedGraphs(model, left);
  const overflowing = await overflowingActivations(model, graphs[0]?.types ?? new Map(), context);
  const nodes = convertGraphs(model, graphs, overflowing, left);
  left.tell(context.note);
  return nodes;
}

/** The pure part: the types of all tensors, and the activations whose values float16 cannot hold, are given. */
export function convertGraphs(
  model: ModelProto,
  graphs: readonly TypedGraph[],
  overflowing: ReadonlySet<string>,
  left: LeftInFloat,
): LoweredNodes {
  inputsAreNoConstants(model, graphOf(model));
  sortNodes(graphOf(model));
  const taken = new Set(graphs.flatMap(({ types }) => [...types.keys()]));
  const lowered = new Set<NodeProto>();
  const carrying = new Set<NodeProto>();
  for (const typed of graphs) {
    const constants = overflowingConstants(typed.graph);
    const places = placeNodes(typed, new Set([...overflowing, ...constants]), left);
    const writer = new Float16Writer(typed, places, taken);
    for (const [node, place] of places) {
      writer.write(node, place);
      if (place === 'half') lowered.add(node);
    }
    rewrite(typed.graph, writer);
    for (const node of writer.casts) carrying.add(node);
  }
  return { lowered, carrying };
}

/** Puts what was written into the graph; constants stay in their order. */
function rewrite(graph: GraphProto, writer: Float16Writer): void {
  graph.node = writer.nodes;
  const halves = new Map(writer.initializers.map((tensor) => [tensor.name, tensor]));
  graph.initializer = graph.initializer.map((tensor) => {
    const half = halves.get(tensor.name);
    halves.delete(tensor.name);
    return half ?? tensor;
  });
  graph.initializer.push(...halves.values());
  for (const value of graph.valueInfo) {
    const tensorType = value.type?.tensorType;
    if (tensorType && writer.isHalf(value.name ?? '')) tensorType.elemType = TensorProtoDataType.FLOAT16;
  }
  dropUnusedInitializers(graph);
}

function inputsAreNoConstants(model: ModelProto, graph: GraphProto): void {
  const constants = new Set(graph.initializer.map(({ name }) => name));
  if (!graph.input.some(({ name }) => constants.has(name))) return;
  graph.input = graph.input.filter(({ name }) => !constants.has(name));
  model.irVersion = Math.max(SEPARATE_INITIALIZERS_IR, toNumber(model.irVersion));
}
