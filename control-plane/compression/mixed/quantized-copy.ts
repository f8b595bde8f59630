// Quantized models to try, each made from the same float model and ranges, which stay as they are.

import type { StaticInt8Recipe } from '#protocol/compression.ts';
import { encodeModel, graphOf } from '../onnx/codec.ts';
import type { ModelProto, NodeProto } from '../onnx/onnx-types.ts';
import { quantizeModel } from '../quantize/qdq.ts';
import { quantOptions } from '../quantize/quant-options.ts';
import type { Range } from '../quantize/scale.ts';

/** Makes the encoded model in which the nodes named in `exclude` are float and the others quantized. */
export type MakeTrial = (exclude: ReadonlySet<string>) => Uint8Array;

export function trialsOf(
  model: ModelProto,
  recipe: StaticInt8Recipe,
  ranges: ReadonlyMap<string, Range>,
): MakeTrial {
  return (exclude) => {
    const copy = copyOfGraph(model);
    quantizeModel(copy, ranges, quantOptions(recipe, exclude));
    return encodeModel(copy);
  };
}

/** A copy of all that the quantizer edits; tensors and subgraphs are shared. */
function copyOfGraph(model: ModelProto): ModelProto {
  const graph = graphOf(model);
  const copyOfNode = (node: NodeProto): NodeProto => ({
    ...node,
    input: [...node.input],
    output: [...node.output],
    attribute: node.attribute.map((attribute) => ({ ...attribute })),
  });
  return {
    ...model,
    opsetImport: model.opsetImport.map((entry) => ({ ...entry })),
    graph: {
      ...graph,
      node: graph.node.map(copyOfNode),
      initializer: [...graph.initializer],
      input: [...graph.input],
      output: [...graph.output],
      valueInfo: [...graph.valueInfo],
    },
  };
}
