// How each operator is quantized dynamically: one entry an operator, the only place to look for it. An operator that
// is not listed computes in float.

import type { DynamicInt8Recipe } from '#protocol/compression.ts';
import type { NodeProto } from '../onnx/onnx-types.ts';
import { dimsOf } from '../onnx/tensor-data.ts';
import { writeConvInteger, writeMatMulInteger } from './integer-ops.ts';
import { lstmUnfit, writeDynamicLstm } from './lstm.ts';
import type { Quantized, QuantizedTensors } from './quantized-tensors.ts';

export type DynamicOptions = Pick<DynamicInt8Recipe, 'weight' | 'perChannel' | 'reduceRange'>;
/** Whether a node was written in 8 bits; if not, why, or null where there is nothing to tell. */
type Written = 'written' | { readonly unfit: string | null };
type Rule = (node: NodeProto, tensors: QuantizedTensors, options: DynamicOptions) => Written;

export const DYNAMIC_RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ['MatMul', matMul],
  ['Conv', conv],
  ['LSTM', lstm],
  ['Gather', gather],
  ['Transpose', transpose],
  ['com.microsoft:Attention', () => ({ unfit: 'there is no rule for it' })],
  ['com.microsoft:EmbedLayerNormalization', () => ({ unfit: 'there is no rule for it' })],
]);

/** Columns of a weight [K, N] are its channels; ONNX Runtime takes a scale a column for a matrix only. */
function matMul(node: NodeProto, tensors: QuantizedTensors, options: DynamicOptions): Written {
  const tensor = tensors.constant(node.input[1] ?? '');
  if (tensor === undefined) return { unfit: 'its second input is not a finite float32 constant' };
  const input = tensors.activation(node.input[0] ?? '');
  const axis = options.perChannel && dimsOf(tensor).length === 2 ? -1 : null;
  const weight = tensors.weight(tensor, { ...weightOf(options), axis });
  writeMatMulInteger(node, { input, weight }, tensors);
  return 'written';
}

/** One scale for the whole weight: ConvInteger takes no more. */
function conv(node: NodeProto, tensors: QuantizedTensors, options: DynamicOptions): Written {
  const tensor = tensors.constant(node.input[1] ?? '');
  if (tensor === undefined) return { unfit: 'its weight is not a finite float32 constant' };
  const input = tensors.activation(node.input[0] ?? '');
  const weight = tensors.weight(tensor, { ...weightOf(options), axis: null });
  writeConvInteger(node, { input, weight }, dimsOf(tensor).length, tensors);
  return 'written';
}

function lstm(node: NodeProto, tensors: QuantizedTensors, options: DynamicOptions): Written {
  const unfit = lstmUnfit(node, tensors);
  if (unfit !== null) return { unfit };
  writeDynamicLstm(node, options, tensors);
  return 'written';
}

/** Rows of a constant table are gathered in 8 bits. */
function gather(node: NodeProto, tensors: QuantizedTensors): Written {
  const [table = '', indices = ''] = node.input;
  if (tensors.constant(table) === undefined) return { unfit: null };
  const quantized = tensors.activation(table);
  tensors.dequantize(indices);
  return rewire(node, quantized, tensors);
}

/** A tensor that is in 8 bits already is transposed there. */
function transpose(node: NodeProto, tensors: QuantizedTensors): Written {
  const quantized = tensors.find(node.input[0] ?? '');
  return quantized === undefined ? { unfit: null } : rewire(node, quantized, tensors);
}

/** Makes a node that only moves values read `quantized` and write in 8 bits with its scale. */
function rewire(node: NodeProto, quantized: Quantized, tensors: QuantizedTensors): Written {
  if (quantized.axis !== null) return { unfit: null };
  const [output = ''] = node.output;
  const made = { ...quantized, name: tensors.namesOf(output, null).name };
  tensors.set(output, made);
  node.input[0] = quantized.name;
  node.output[0] = made.name;
  tensors.writeLowered(node);
  return 'written';
}

function weightOf({ weight, reduceRange }: DynamicOptions) {
  return { type: weight, symmetric: weight === 's8', reduced: reduceRange };
}
