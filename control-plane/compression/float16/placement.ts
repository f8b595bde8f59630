// Decides for each node whether it computes in half precision. Nodes are placed in order, because those that only
// move values, or return no floats, follow the precision that their inputs are made in.

import type { LeftInFloat } from '../left-in-float.ts';
import type { NodeProto } from '../onnx/onnx-types.ts';
import type { TensorType } from '../onnx/infer-types.ts';
import { graphsWithin } from '../onnx/walk.ts';
import { INDIFFERENT, isBound, isFloatInput, MOVING, whyFloat } from './float-ops.ts';
import type { TypedGraph } from './typed-graphs.ts';

/** `half`: its float32 tensors become float16. `float`: they stay. `cast`: a Cast to float32, made in either. */
export type Place = 'half' | 'float' | 'cast';

/** `overflowing` are tensors whose values half precision cannot hold. */
export function placeNodes(
  { graph, types }: TypedGraph,
  overflowing: ReadonlySet<string>,
  left: LeftInFloat,
): Map<NodeProto, Place> {
  const places = new Map<NodeProto, Place>();
  /** Float32 tensors that a node makes in float32. */
  const madeInFloat = new Set<string>();
  const made = new Set([
    ...graph.initializer.map(({ name }) => name),
    ...graph.node.flatMap((node) => node.output),
  ]);
  const isFloat = (name: string) => types.get(name)?.dtype === 'FP32';
  const place = (node: NodeProto): Place => {
    const outputs = node.output.filter(isFloat);
    const inputs = node.input.filter((name, index) => isFloat(name) && !isFloatInput(node, index));
    if (node.opType === 'Cast' && outputs.length > 0) return 'cast';
    if (graphsWithin(node).length > 0 || INDIFFERENT.has(node.opType ?? '')) return 'float';
    if (inputs.length === 0 && outputs.length === 0) return 'float';
    const held = [...inputs.filter((name) => !isBound(node, node.input.indexOf(name))), ...outputs];
    const reason = whyFloat(node) ?? unfit(node, types, held, overflowing);
    if (reason !== null) {
      left.add(node, reason);
      return 'float';
    }
    if (inputs.length === 0) return 'float';
    if (MOVING.has(node.opType ?? '')) return madeInFloat.has(inputs[0] ?? '') ? 'float' : 'half';
    const compares = outputs.length === 0 && inputs.some((name) => madeInFloat.has(name) || !made.has(name));
    return compares ? 'float' : 'half';
  };
  for (const node of graph.node) {
    const placed = place(node);
    places.set(node, placed);
    if (placed === 'float') for (const name of node.output) if (isFloat(name)) madeInFloat.add(name);
  }
  return places;
}

function unfit(
  node: NodeProto,
  types: ReadonlyMap<string, TensorType>,
  floats: readonly string[],
  overflowing: ReadonlySet<string>,
): string | null {
  if ([...node.input, ...node.output].some((name) => name !== '' && !types.has(name)))
    return 'it reads or makes something that is no tensor';
  return floats.some((name) => overflowing.has(name)) ? 'its values are too large for float16' : null;
}
