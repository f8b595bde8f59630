// What each operator wants quantized: one entry an operator, the only place to look for it. An operator that is
// not listed stays in float. Source: the QDQ operator handlers of onnxruntime.quantization.

import { toNumber } from '../onnx/messages.ts';
import type { AttributeProto, NodeProto } from '../onnx/onnx-types.ts';
import type { Marks } from './marks.ts';

export type OpRule = (node: NodeProto, marks: Marks) => void;

export const OP_RULES: ReadonlyMap<string, OpRule> = new Map<string, OpRule>([
  ['Conv', convolution],
  ['Gemm', gemm],
  ['MatMul', matMul],
  ['Relu', foldable],
  ['Clip', foldable],
  ['Add', everyTensor],
  ['Mul', everyTensor],
  ['Concat', everyTensor],
  ['Sigmoid', everyTensor],
  ['Softmax', everyTensor],
  ['GlobalAveragePool', everyTensor],
  ['AveragePool', keepsScale],
  ['MaxPool', maxPool],
  ['Reshape', keepsScale],
  ['Transpose', keepsScale],
  ['Squeeze', keepsScale],
  ['Unsqueeze', keepsScale],
  ['Flatten', keepsScale],
]);

/** The rule of a node, if its operator has one. */
export function ruleOf(node: NodeProto): OpRule | undefined {
  const isStandard = node.domain === undefined || node.domain === '' || node.domain === 'ai.onnx';
  return isStandard ? OP_RULES.get(node.opType ?? '') : undefined;
}

/** Output channels are axis 0 of a Conv's weight [M, C/group, ...]. */
function convolution(node: NodeProto, marks: Marks): void {
  const [input = '', weight = '', bias = ''] = node.input;
  marks.markActivation(input);
  marks.markActivation(node.output[0] ?? '');
  marks.markWeight(weight, 0);
  if (bias !== '') marks.markBias(node, bias, { input, weight, beta: 1 });
}

/** The weight is [K, N], or [N, K] with transB; `beta` moves into the scale of the bias. */
function gemm(node: NodeProto, marks: Marks): void {
  const [input = '', weight = '', bias = ''] = node.input;
  const transposed = toNumber(attributeOf(node, 'transB')?.i) > 0;
  marks.markActivation(input);
  marks.markActivation(node.output[0] ?? '');
  marks.markWeight(weight, transposed ? 0 : 1);
  if (!marks.editor.initializers.has(bias)) return;
  const beta = attributeOf(node, 'beta');
  marks.markBias(node, bias, { input, weight, beta: beta?.f ?? 1 });
}

function matMul(node: NodeProto, marks: Marks): void {
  for (const name of [...node.input, ...node.output]) {
    if (marks.editor.initializers.has(name)) marks.markWeight(name, 1);
    else marks.markActivation(name);
  }
}

function everyTensor(node: NodeProto, marks: Marks): void {
  for (const name of [...node.input, ...node.output]) marks.markActivation(name);
}

/** Relu and Clip: the range of a quantized output already cuts off what they would. */
function foldable(node: NodeProto, marks: Marks): void {
  const [input = ''] = node.input;
  const [output = ''] = node.output;
  if (!marks.isMarked(input)) return;
  if (!marks.foldActivation(node, input, output)) marks.markActivation(input);
  marks.markActivation(output);
}

function keepsScale(node: NodeProto, marks: Marks): void {
  const [input = ''] = node.input;
  if (marks.isMarked(input)) marks.markShared(node.output[0] ?? '', input);
}

/** MaxPool takes 8-bit tensors from operator set 12 on. */
function maxPool(node: NodeProto, marks: Marks): void {
  if (marks.opset >= 12) keepsScale(node, marks);
}

function attributeOf(node: NodeProto, name: string): AttributeProto | undefined {
  return node.attribute.find((attribute) => attribute.name === name);
}
