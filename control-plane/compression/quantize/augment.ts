// Adds what calibration needs to see to a float model: the tensors themselves, or the ends of what they hold,
// reduced inside the graph so that no activation leaves it.

import { graphOf } from '../onnx/codec.ts';
import { makeIntAttribute, makeNode, makeValueInfo } from '../onnx/messages.ts';
import {
  TensorProtoDataType,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
} from '../onnx/onnx-types.ts';
import { dimsOf, elementCount, isFloatTensor } from '../onnx/tensor-data.ts';
import { ruleOf } from './op-rules.ts';

const { FLOAT } = TensorProtoDataType;
/** A constant of more elements is a weight, not one that says a shape. */
const MAX_KEPT_ELEMENTS = 1024;

/** Every tensor, but for constants, that a quantizable operator reads or writes, in graph order. */
export function calibrationTensors(graph: GraphProto, operators?: ReadonlySet<string>): string[] {
  const constants = new Set(graph.initializer.map((tensor) => tensor.name));
  const names = new Set<string>();
  for (const node of graph.node) {
    if (ruleOf(node, operators) === undefined) continue;
    for (const name of [...node.input, ...node.output])
      if (name !== '' && !constants.has(name)) names.add(name);
  }
  return [...names];
}

/** A copy of the model that also returns `names`. */
export function withOutputs(model: ModelProto, graph: GraphProto, names: readonly string[]): ModelProto {
  const known = new Set([...graph.output, ...graph.input].map((value) => value.name));
  const added = names.filter((name) => !known.has(name)).map((name) => makeValueInfo(name));
  return { ...model, graph: { ...graph, output: [...graph.output, ...added] } };
}

/**
 * A copy of the model that takes its large float constants as inputs: what is left of it is small, and ONNX Runtime
 * infers the same types.
 */
export function withoutWeights(model: ModelProto): ModelProto {
  const graph = graphOf(model);
  const isWeight = (tensor: TensorProto) =>
    isFloatTensor(tensor) && elementCount(dimsOf(tensor)) > MAX_KEPT_ELEMENTS;
  const declared = new Set(graph.input.map((value) => value.name));
  const added = graph.initializer
    .filter((tensor) => isWeight(tensor) && !declared.has(tensor.name))
    .map((tensor) => makeValueInfo(tensor.name ?? '', { elemType: FLOAT, shape: dimsOf(tensor) }));
  const initializer = graph.initializer.filter((tensor) => !isWeight(tensor));
  return { ...model, graph: { ...graph, initializer, input: [...graph.input, ...added] } };
}

/** What the elements of a tensor are reduced to: the smallest, the largest, and the smallest magnitude. */
export type Extreme = 'minimum' | 'maximum' | 'magnitude';

/** Name of the graph output that holds one extreme of the tensor at `index`. */
export const extremeOf = (extreme: Extreme, index: number): string =>
  `holdfast_calibration_${extreme}_${index}`;

/**
 * A copy of the model that also returns `extremes` of each tensor, as scalars. The last tensor is reduced first in
 * the list: ONNX Runtime starts from the last node that nothing reads, so that it reduces each tensor as soon as it
 * is there and drops it, instead of keeping all of them to the end of the run.
 */
export function withExtremes(
  model: ModelProto,
  graph: GraphProto,
  names: readonly string[],
  extremes: readonly Extreme[],
): ModelProto {
  const reductions = names.map((name, index) =>
    extremes.flatMap((extreme) => reduction(name, extreme, extremeOf(extreme, index))),
  );
  const outputs = names.flatMap((_, index) => extremes.map((one) => makeValueInfo(extremeOf(one, index))));
  return {
    ...model,
    graph: {
      ...graph,
      node: [...graph.node, ...reductions.toReversed().flat()],
      output: [...graph.output, ...outputs],
    },
  };
}

function reduction(name: string, extreme: Extreme, output: string): NodeProto[] {
  const keepNoDims = [makeIntAttribute('keepdims', 0)];
  if (extreme === 'minimum') return [makeNode('ReduceMin', [name], [output], output, keepNoDims)];
  if (extreme === 'maximum') return [makeNode('ReduceMax', [name], [output], output, keepNoDims)];
  const absolute = `${output}_abs`;
  return [
    makeNode('Abs', [name], [absolute], absolute),
    makeNode('ReduceMin', [absolute], [output], output, keepNoDims),
  ];
}
