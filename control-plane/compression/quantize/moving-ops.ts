// Operators that move values without changing them, so that the output keeps the scale of the input. Source: the
// handlers direct_q8, gather, pad and split of onnxruntime.quantization's QDQ operators.

import { attributeOf } from '../onnx/attributes.ts';
import type { NodeProto, TensorProto } from '../onnx/onnx-types.ts';
import { isFloatTensor, readFloats } from '../onnx/tensor-data.ts';
import type { Marks } from './marks.ts';

/** Only where the input is quantized. */
export function keepsScale(node: NodeProto, marks: Marks): void {
  const [input = ''] = node.input;
  if (marks.isMarked(input)) marks.markShared(node.output[0] ?? '', input);
}

/** Quantizes a constant table; another input only where it is quantized. */
export function gather(node: NodeProto, marks: Marks): void {
  const [table = ''] = node.input;
  const constant = marks.editor.initializers.get(table);
  if (constant !== undefined && isFloatTensor(constant)) marks.markActivation(table);
  keepsScale(node, marks);
}

export function split(node: NodeProto, marks: Marks): void {
  const [input = ''] = node.input;
  if (!marks.isMarked(input)) marks.markActivation(input);
  for (const output of node.output) marks.markShared(output, input);
}

/** Padding with 0, or with values of the input, keeps the scale: a quantized range always holds 0. */
export function pad(node: NodeProto, marks: Marks): void {
  const [input = ''] = node.input;
  const [output = ''] = node.output;
  for (const name of node.input) marks.markActivation(name);
  if (padsWithKnownValues(node, marks)) marks.markShared(output, input);
  else marks.markActivation(output);
}

function padsWithKnownValues(node: NodeProto, marks: Marks): boolean {
  const mode = attributeOf(node, 'mode')?.s;
  const text = mode === undefined ? 'constant' : Buffer.from(mode).toString();
  if (text !== 'constant') return text === 'reflect' || text === 'edge' || text === 'wrap';
  if (marks.opset < 11) return (attributeOf(node, 'value')?.f ?? 0) === 0;
  const name = node.input[2] ?? '';
  if (name === '') return true;
  const value = constantOf(name, marks);
  return value !== undefined && isFloatTensor(value) && readFloats(value)[0] === 0;
}

/** A constant of the graph: what a Constant node holds, or an initializer. */
function constantOf(name: string, { editor }: Marks): TensorProto | undefined {
  const node = editor.graph.node.find(({ opType, output }) => opType === 'Constant' && output[0] === name);
  const held = node === undefined ? undefined : attributeOf(node, 'value')?.t;
  return held ?? editor.initializers.get(name);
}
