// Adds what calibration needs to see to a float model: plain outputs to learn tensor types from, or the minimum
// and maximum of each tensor, reduced inside the graph so that no activation leaves it.

import { makeIntAttribute, makeNode, makeValueInfo } from '../onnx/messages.ts';
import type { GraphProto, ModelProto } from '../onnx/onnx-types.ts';
import { ruleOf } from './op-rules.ts';

/** Every tensor, but for constants, that a quantizable operator reads or writes, in graph order. */
export function calibrationTensors(graph: GraphProto): string[] {
  const constants = new Set(graph.initializer.map((tensor) => tensor.name));
  const names = new Set<string>();
  for (const node of graph.node) {
    if (ruleOf(node) === undefined) continue;
    for (const name of [...node.input, ...node.output])
      if (name !== '' && !constants.has(name)) names.add(name);
  }
  return [...names];
}

/** A copy of the model that also returns `names`; ONNX Runtime infers and reports their types. */
export function withOutputs(model: ModelProto, graph: GraphProto, names: readonly string[]): ModelProto {
  const known = new Set([...graph.output, ...graph.input].map((value) => value.name));
  const added = names.filter((name) => !known.has(name)).map((name) => makeValueInfo(name));
  return { ...model, graph: { ...graph, output: [...graph.output, ...added] } };
}

export const minimumOf = (index: number): string => `holdfast_calibration_min_${index}`;
export const maximumOf = (index: number): string => `holdfast_calibration_max_${index}`;

/** A copy of the model that returns the minimum and maximum of each tensor as scalars. */
export function withRanges(model: ModelProto, graph: GraphProto, names: readonly string[]): ModelProto {
  const keepNoDims = [makeIntAttribute('keepdims', 0)];
  const nodes = names.flatMap((name, index) => [
    makeNode('ReduceMin', [name], [minimumOf(index)], minimumOf(index), keepNoDims),
    makeNode('ReduceMax', [name], [maximumOf(index)], maximumOf(index), keepNoDims),
  ]);
  const outputs = names.flatMap((_, index) => [
    makeValueInfo(minimumOf(index)),
    makeValueInfo(maximumOf(index)),
  ]);
  return {
    ...model,
    graph: { ...graph, node: [...graph.node, ...nodes], output: [...graph.output, ...outputs] },
  };
}
