// Operators with a weight and a bias. Source: the handlers conv, gemm, matmul and norm of
// onnxruntime.quantization's QDQ operators.

import { attributeOf } from '../onnx/attributes.ts';
import { toNumber } from '../onnx/messages.ts';
import type { NodeProto } from '../onnx/onnx-types.ts';
import type { Marks } from './marks.ts';

/** Output channels are axis 0 of the weight [M, C/group, ...]. */
export function convolution(node: NodeProto, marks: Marks): void {
  weighted(node, marks, 0);
}

/** Output channels are axis 1 of the weight [C, M/group, ...]. */
export function transposedConvolution(node: NodeProto, marks: Marks): void {
  weighted(node, marks, 1);
}

/** The weight is [K, N], or [N, K] with transB; `beta` moves into the scale of the bias. */
export function gemm(node: NodeProto, marks: Marks): void {
  const transposed = toNumber(attributeOf(node, 'transB')?.i) > 0;
  weighted(node, marks, transposed ? 0 : 1, attributeOf(node, 'beta')?.f ?? 1);
}

function weighted(node: NodeProto, marks: Marks, axis: number, beta = 1): void {
  const [input = '', weight = '', bias = ''] = node.input;
  marks.markActivation(input);
  marks.markActivation(node.output[0] ?? '');
  marks.markWeight(weight, axis);
  if (bias !== '') marks.markBias(node, bias, { input, weight, beta });
}

export function matMul(node: NodeProto, marks: Marks): void {
  for (const name of [...node.input, ...node.output]) {
    if (marks.editor.initializers.has(name)) marks.markWeight(name, 1);
    else marks.markActivation(name);
  }
}

/** The scale is the weight; one of rank 1 has a single quantization scale whatever the options ask for. */
export function normalization(node: NodeProto, marks: Marks): void {
  const [input = '', scale = '', bias = ''] = node.input;
  marks.markActivation(input);
  if (marks.editor.initializers.has(scale)) marks.markWeight(scale, 1);
  else marks.markActivation(scale);
  if (bias !== '') marks.markBias(node, bias, { input, weight: scale, beta: 1 });
  for (const output of node.output) marks.markActivation(output);
}
