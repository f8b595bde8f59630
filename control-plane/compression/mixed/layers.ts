// The parts of a graph that mixed precision switches as one: an operator with weights and all that follows it
// up to the next one. Between two nodes in 8 bits a float one pays for a conversion in and out, and Relu and
// Clip go with the operator whose range does their work.

import { capturedNames } from '../onnx/graph-index.ts';
import type { GraphProto, NodeProto } from '../onnx/onnx-types.ts';
import { ruleOf } from '../quantize/op-rules.ts';

export interface Layer {
  /** Name and operator of its first node. */
  readonly name: string;
  readonly opType: string;
  /** Names of its nodes that can be quantized, in graph order. */
  readonly nodes: readonly string[];
  /** Names of its nodes that are float in any case. */
  readonly always: readonly string[];
}

/** Operators that do a model's multiplications. */
export const WEIGHT_OPERATORS: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul']);

/** The layers of a graph whose nodes all have names, in graph order. `operators`: those to quantize. */
export function layersOf(graph: GraphProto, operators?: ReadonlySet<string>): Layer[] {
  const layers: { first: NodeProto; nodes: string[]; always: string[] }[] = [];
  const layerOfTensor = new Map<string, number>();
  for (const node of graph.node) {
    const isQuantizable = ruleOf(node, operators) !== undefined;
    let layer = latest(node, layerOfTensor);
    if (isQuantizable && (layer === -1 || WEIGHT_OPERATORS.has(node.opType ?? ''))) {
      layer = layers.push({ first: node, nodes: [], always: [] }) - 1;
    }
    layers[layer]?.[isQuantizable ? 'nodes' : 'always'].push(node.name ?? '');
    for (const output of node.output) layerOfTensor.set(output, layer);
  }
  return layers.map(({ first, ...nodes }) => ({
    name: first.name ?? '',
    opType: first.opType ?? '',
    ...nodes,
  }));
}

function latest(node: NodeProto, layerOfTensor: ReadonlyMap<string, number>): number {
  const read = [...node.input, ...capturedNames(node)];
  return read.reduce((last, name) => Math.max(last, layerOfTensor.get(name) ?? -1), -1);
}
