// The graphs of a model that can be converted, with the types of their tensors: the main graph and, at any depth,
// the branches of Ifs. ONNX Runtime infers the types of a branch as of a model whose inputs are what it captures.
// Native code runs here, so only child processes call this.

import { HoldfastError } from '#protocol/errors.ts';
import type { LeftInFloat } from '../left-in-float.ts';
import { graphOf } from '../onnx/codec.ts';
import { constantsToInitializers } from '../onnx/constants-to-initializers.ts';
import { capturedNames } from '../onnx/graph-index.ts';
import { tensorTypes, type TensorType } from '../onnx/infer-types.ts';
import { ELEMENT_TYPES } from '../onnx/data-types.ts';
import { makeValueInfo } from '../onnx/messages.ts';
import type { GraphProto, ModelProto, NodeProto, ValueInfoProto } from '../onnx/onnx-types.ts';
import { graphsWithin } from '../onnx/walk.ts';
import { sinkConstants } from './sink-constants.ts';

export interface TypedGraph {
  readonly graph: GraphProto;
  /** Of the graph's own tensors and of those it captures. */
  readonly types: ReadonlyMap<string, TensorType>;
}

/** Outer graphs first; moves Constant nodes into initializers, and those to the branch that reads them. Throws `model-load-failed`. */
export async function typedGraphs(model: ModelProto, left: LeftInFloat): Promise<TypedGraph[]> {
  const graph = graphOf(model);
  constantsToInitializers(model);
  sinkConstants(graph);
  const types = await tensorTypes(model);
  return [{ graph, types }, ...(await typedBranches(model, { graph, types }, left))];
}

async function typedBranches(model: ModelProto, outer: TypedGraph, left: LeftInFloat): Promise<TypedGraph[]> {
  const found: TypedGraph[] = [];
  for (const node of outer.graph.node) {
    const branches = graphsWithin(node);
    if (branches.length === 0) continue;
    if (node.opType !== 'If') {
      left.add(node, 'its subgraphs are not converted');
      continue;
    }
    for (const graph of branches) {
      constantsToInitializers({ ...model, graph });
      sinkConstants(graph);
      const types = await typesOfBranch(model, graph, capturedTypes(node, outer.types));
      if (types === null) left.add(node, 'the types in its branches are not known');
      else found.push({ graph, types }, ...(await typedBranches(model, { graph, types }, left)));
    }
  }
  return found;
}

async function typesOfBranch(
  model: ModelProto,
  graph: GraphProto,
  captured: readonly ValueInfoProto[],
): Promise<Map<string, TensorType> | null> {
  try {
    return await tensorTypes({ ...model, graph: { ...graph, input: [...graph.input, ...captured] } });
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'model-load-failed') return null;
    throw error;
  }
}

/** What an If captures, typed but without shapes. */
function capturedTypes(node: NodeProto, types: ReadonlyMap<string, TensorType>): ValueInfoProto[] {
  return capturedNames(node).flatMap((name) => {
    const dtype = types.get(name)?.dtype;
    const elemType = [...ELEMENT_TYPES].find(([, element]) => element.dtype === dtype)?.[0];
    if (elemType === undefined) return [];
    const value = makeValueInfo(name, { elemType, shape: [] });
    if (value.type?.tensorType) value.type.tensorType.shape = null;
    return [value];
  });
}
