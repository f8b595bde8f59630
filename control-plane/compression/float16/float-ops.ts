// Which operators stay in float32, and which inputs do. Source: DEFAULT_OP_BLOCK_LIST and ALWAYS_FLOAT_INPUTS of
// onnxruntime.transformers.float16, and the type constraints of the operators' schemas up to operator set 17.

import { attributeOf } from '../onnx/attributes.ts';
import type { NodeProto } from '../onnx/onnx-types.ts';

/** Have no half precision kernel, or take numbers that half precision cannot hold. */
const BLOCKED: ReadonlySet<string> = new Set([
  'NonMaxSuppression', 'TopK', 'RoiAlign', 'Range', 'CumSum', 'Min', 'Max', 'Upsample',
]); // prettier-ignore

/** Their schemas take or make float32 in places where half precision is not allowed. */
const FLOAT_ONLY: ReadonlySet<string> = new Set([
  'QuantizeLinear', 'DequantizeLinear', 'DynamicQuantizeLinear', 'QLinearConv', 'QLinearMatMul', 'Celu', 'IsInf',
  'MeanVarianceNormalization',
  'OneHot', 'CastLike', 'RandomNormalLike', 'RandomUniformLike', 'Bernoulli', 'EyeLike', 'Multinomial', 'Dropout',
]); // prettier-ignore

/** Take tensors of any type and look at nothing but their shape, or cast what they read. */
export const INDIFFERENT: ReadonlySet<string> = new Set(['Shape', 'Size', 'Cast']);

/** Move values and compute nothing: they follow the precision of the tensor they move. */
export const MOVING: ReadonlySet<string> = new Set([
  'Reshape', 'Transpose', 'Squeeze', 'Unsqueeze', 'Flatten', 'Identity', 'Slice', 'Gather', 'GatherElements',
  'GatherND', 'Expand', 'Tile', 'Split', 'DepthToSpace', 'SpaceToDepth', 'Compress',
]); // prettier-ignore

/** Why an operator stays in float32; null when it need not. */
export function whyFloat(node: NodeProto): string | null {
  const opType = node.opType ?? '';
  const domain = node.domain ?? '';
  if (domain !== '' && domain !== 'ai.onnx') return `the domain ${domain} is not converted`;
  if (BLOCKED.has(opType)) return 'it is unsafe or has no kernel in float16';
  if (FLOAT_ONLY.has(opType)) return 'its schema takes float32 only';
  if (opType.startsWith('Scatter') && attributeOf(node, 'reduction') !== undefined)
    return 'ONNX Runtime has no reduction in float16';
  if (opType === 'LayerNormalization' && node.output.slice(1).some((name) => name !== ''))
    return 'it returns statistics in float32';
  return null;
}

/** Whether an input is float32 whatever the precision of the node: roi and scales of Resize. */
export function isFloatInput(node: NodeProto, index: number): boolean {
  return node.opType === 'Resize' && index > 0;
}

/** Whether an input only bounds what the node returns: the largest float16 then serves as well as a larger number. */
export function isBound(node: NodeProto, index: number): boolean {
  return node.opType === 'Clip' && index > 0;
}
