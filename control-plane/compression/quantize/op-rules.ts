// What each operator wants quantized: one entry an operator, the only place to look for it. An operator that is
// not listed stays in float. Source: the registry of QDQ operator handlers of onnxruntime.quantization, and its
// default for operators that are quantized without a handler of their own.

import type { NodeProto } from '../onnx/onnx-types.ts';
import type { Marks } from './marks.ts';
import { gather, keepsScale, pad, split } from './moving-ops.ts';
import type { QuantOptions } from './quant-options.ts';
import { convolution, gemm, matMul, normalization, transposedConvolution } from './weighted-ops.ts';

export type OpRule = (node: NodeProto, marks: Marks) => void;

const OP_RULES: ReadonlyMap<string, OpRule> = new Map<string, OpRule>([
  ['Conv', convolution],
  ['ConvTranspose', transposedConvolution],
  ['Gemm', gemm],
  ['MatMul', matMul],
  ['BatchNormalization', normalization],
  ['InstanceNormalization', normalization],
  ['LayerNormalization', normalization],
  ['Relu', foldable],
  ['Clip', foldable],
  ['Add', everyTensor],
  ['ArgMax', everyTensor],
  ['Concat', everyTensor],
  ['CumSum', everyTensor],
  ['GlobalAveragePool', everyTensor],
  ['LeakyRelu', everyTensor],
  ['Mul', everyTensor],
  ['Sigmoid', everyTensor],
  ['Softmax', everyTensor],
  ['Where', where],
  ['AveragePool', keepsScale],
  ['Flatten', keepsScale],
  ['Reshape', keepsScale],
  ['Slice', keepsScale],
  ['Squeeze', keepsScale],
  ['TopK', keepsScale],
  ['Transpose', keepsScale],
  ['Unsqueeze', keepsScale],
  ['MaxPool', from(12, keepsScale)],
  ['Resize', from(11, keepsScale)],
  ['Gather', gather],
  ['GatherElements', gather],
  ['Pad', pad],
  ['Split', split],
]);

/**
 * The rule of a node: that of its operator, if it has one. An operator that is asked for in `operators` and has no
 * rule of its own has all its tensors quantized.
 */
export function ruleOf(node: NodeProto, operators?: ReadonlySet<string>): OpRule | undefined {
  const { opType = '', domain = '' } = node;
  if (domain !== '' && domain !== 'ai.onnx') return undefined;
  if (operators === undefined) return OP_RULES.get(opType);
  return operators.has(opType) ? (OP_RULES.get(opType) ?? everyTensor) : undefined;
}

/** The rule of a node that the options let be quantized. */
export function ruleFor(node: NodeProto, { exclude, operators }: QuantOptions): OpRule | undefined {
  return exclude.has(node.name ?? '') ? undefined : ruleOf(node, operators);
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

/** Only where both choices [condition, then, else] are quantized. */
function where(node: NodeProto, marks: Marks): void {
  const [, whenTrue = '', whenFalse = ''] = node.input;
  if (!marks.isMarked(whenTrue) || !marks.isMarked(whenFalse)) return;
  for (const output of node.output) marks.markActivation(output);
}

/** A rule for operators that take 8-bit tensors from an operator set on. */
function from(opset: number, rule: OpRule): OpRule {
  return (node, marks) => {
    if (marks.opset >= opset) rule(node, marks);
  };
}
