// Static int8 quantization of a calibrated model in QDQ form. Pure: model and ranges in, model edited in place.
// Invariant: the result is that of quantize_static of onnxruntime 1.30 (QDQ) for the operators in op-rules.ts;
// the order of the steps here is what makes it so.

import { HoldfastError } from '#protocol/errors.ts';
import { defaultOpset } from '../normalise/opset.ts';
import { graphOf } from '../onnx/codec.ts';
import { toNumber } from '../onnx/messages.ts';
import type { GraphProto, ModelProto, NodeProto } from '../onnx/onnx-types.ts';
import { dropUnusedInitializers } from '../onnx/unused-initializers.ts';
import { dimsOf, readFloats } from '../onnx/tensor-data.ts';
import { sortNodes } from '../onnx/topological-sort.ts';
import { raiseWeightScales } from './bias.ts';
import { GraphEditor } from './graph-editor.ts';
import { Marks } from './marks.ts';
import { ruleFor } from './op-rules.ts';
import { QdqWriter } from './qdq-writer.ts';
import { lowestOpset, type QuantOptions } from './quant-options.ts';
import { activationParams, constantParams, type QuantParams } from './quant-params.ts';
import { adjustRanges } from './ranges.ts';
import type { Range } from './scale.ts';

/**
 * Quantizes `model` in place. `calibrated` holds the range of every float tensor at a quantizable operator.
 * Returns the Relu and Clip nodes that were folded away. Throws `compression-failed`.
 */
export function quantizeModel(
  model: ModelProto,
  calibrated: ReadonlyMap<string, Range>,
  options: QuantOptions,
): ReadonlySet<NodeProto> {
  const graph = graphOf(model);
  const opset = toNumber(defaultOpset(model).version);
  refuseUnfit(graph, opset, options);
  const ranges = adjustRanges(graph, calibrated, options);
  const editor = new GraphEditor(graph);
  const marks = new Marks(editor, ranges, options, opset);
  for (const node of graph.node) ruleFor(node, options)?.(node, marks);
  const constants = paramsOfConstants(marks);
  if (!options.floatBias) makeRoomForBiases(marks, constants);
  const writer = new QdqWriter(editor);
  writeTensors(marks, constants, writer);
  writeShared(marks, writer);
  if (!options.floatBias) writeBiases(marks, writer);
  graph.node = graph.node.filter((node) => !marks.folded.has(node));
  dropUnusedInitializers(graph);
  sortNodes(graph);
  return marks.folded;
}

function refuseUnfit(graph: GraphProto, opset: number, options: QuantOptions): void {
  const refuse = (message: string, hint: string) =>
    new HoldfastError('compression-failed', message, { hint });
  if (graph.node.some((node) => node.opType === 'QuantizeLinear' || node.opType === 'DequantizeLinear')) {
    throw refuse('the model is quantized already', 'compress the float model it was made from');
  }
  const needed = lowestOpset(options);
  if (opset < needed) {
    throw refuse(
      `the model has operator set ${opset}, this recipe needs ${needed}`,
      `export the model with operator set ${needed} or higher, or use a recipe without per-channel weights`,
    );
  }
}

function paramsOfConstants(marks: Marks): Map<string, QuantParams> {
  const params = new Map<string, QuantParams>();
  for (const [name, mark] of marks.tensors) {
    const tensor = marks.editor.initializers.get(name);
    if (tensor !== undefined)
      params.set(name, constantParams(readFloats(tensor), dimsOf(tensor), mark, marks.options));
  }
  return params;
}

function makeRoomForBiases(marks: Marks, constants: ReadonlyMap<string, QuantParams>): void {
  for (const [name, { input, weight }] of marks.biases) {
    const range = marks.ranges.get(input);
    const params = constants.get(weight);
    const bias = marks.editor.initializers.get(name);
    if (range === undefined || !marks.tensors.has(input) || params === undefined || bias === undefined)
      continue;
    if (params.type !== 's8' || params.zeroPoints.some((zeroPoint) => zeroPoint !== 0)) continue;
    const inputScale = activationParams(range, marks.options).scales[0] as number;
    raiseWeightScales(params.scales, params.axis !== null, inputScale, readFloats(bias));
  }
}

function writeTensors(marks: Marks, constants: ReadonlyMap<string, QuantParams>, writer: QdqWriter): void {
  for (const [name, mark] of marks.tensors) {
    if (mark.sharedWith !== null) continue;
    const tensor = marks.editor.initializers.get(name);
    const params = constants.get(name);
    const range = marks.ranges.get(name);
    if (tensor !== undefined && params !== undefined) writer.constant(name, tensor, params);
    else if (range !== undefined) writer.activation(name, activationParams(range, marks.options));
  }
}

/** Outputs that share a scale, as soon as their input is written; one whose input never is stays in float. */
function writeShared(marks: Marks, writer: QdqWriter): void {
  const waiting = new Map<string, string>();
  for (const [name, { sharedWith }] of marks.tensors) if (sharedWith !== null) waiting.set(name, sharedWith);
  for (let before = -1; before !== waiting.size;) {
    before = waiting.size;
    for (const [name, provider] of waiting) {
      if (!writer.canShare(provider)) continue;
      writer.sharedActivation(name, provider);
      waiting.delete(name);
    }
  }
}

function writeBiases(marks: Marks, writer: QdqWriter): void {
  for (const [name, mark] of marks.biases) {
    const tensor = marks.editor.initializers.get(name);
    if (tensor === undefined || writer.has(name) || !writer.bias(name, tensor, mark)) continue;
    const beta = mark.node.attribute.find((attribute) => attribute.name === 'beta');
    if (beta !== undefined) beta.f = 1;
  }
}
