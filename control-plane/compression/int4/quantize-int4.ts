// 4-bit weights: a MatMul with a constant matrix becomes MatMulNBits, which computes in float from 4-bit weights.
// Nodes, names and bits are those of MatMulNBitsQuantizer of onnxruntime 1.30 (QOperator format); a Gemm of a
// constant matrix, which that leaves in float, is split first.

import type { Int4Recipe } from '#protocol/compression.ts';
import { gemmToMatMul } from '../dynamic/gemm-to-matmul.ts';
import { importMicrosoftDomain } from '../dynamic/microsoft-domain.ts';
import { LeftInFloat } from '../left-in-float.ts';
import type { LoweredNodes } from '../lowered-nodes.ts';
import { graphOf } from '../onnx/codec.ts';
import { constantsToInitializers } from '../onnx/constants-to-initializers.ts';
import type { GraphProto, ModelProto, NodeProto, TensorProto } from '../onnx/onnx-types.ts';
import { dropUnusedInitializers } from '../onnx/unused-initializers.ts';
import { allGraphs } from '../onnx/walk.ts';
import type { StepContext } from '../step.ts';
import { isMatrix, NBitsWriter } from './nbits-writer.ts';

/** Edits the model in place; what has no constant float matrix stays in float. Throws `onnx-malformed`. */
export async function quantizeInt4(
  model: ModelProto,
  recipe: Int4Recipe,
  context: Pick<StepContext, 'note' | 'progress'>,
): Promise<LoweredNodes> {
  const left = new LeftInFloat();
  const lowered = new Set<NodeProto>();
  for (const graph of allGraphs(graphOf(model))) {
    constantsToInitializers({ ...model, graph });
    for (const node of quantizeGraph(graph, recipe, left, context.progress)) lowered.add(node);
  }
  if (lowered.size > 0) importMicrosoftDomain(model);
  if (recipe.algorithm === 'k-quant' && recipe.symmetric) {
    context.note('k-quant always finds zero points: "symmetric" has no effect');
  }
  left.tell(context.note);
  return { lowered, carrying: new Set() };
}

/** Returns the nodes that were written instead of others. A weight has to be a constant of the graph itself. */
function quantizeGraph(
  graph: GraphProto,
  recipe: Int4Recipe,
  left: LeftInFloat,
  progress: StepContext['progress'],
): NodeProto[] {
  const constants = constantsOf(graph);
  gemmToMatMul(graph, (gemm) => isMatrix(constants.get(gemm.input[1] ?? '')));
  const writer = new NBitsWriter(constantsOf(graph), recipe);
  const written: NodeProto[] = [];
  const total = graph.node.length;
  graph.node = graph.node.map((node, done) => {
    progress({ phase: 'quantize', done, total });
    if ((node.opType !== 'MatMul' && node.opType !== 'Gemm') || (node.domain ?? '') !== '') return node;
    const unfit = writer.unfit(node);
    if (unfit !== null) {
      left.add(node, unfit);
      return node;
    }
    const made = writer.replace(node);
    written.push(made);
    return made;
  });
  graph.initializer.push(...writer.initializers());
  dropUnusedInitializers(graph);
  return written;
}

function constantsOf(graph: GraphProto): Map<string, TensorProto> {
  return new Map(graph.initializer.map((tensor) => [tensor.name ?? '', tensor]));
}
