// Float constants in 8 bits, with their parameters. The rules of scale and rounding are those of static quantization.

import type { TensorProto } from '../onnx/onnx-types.ts';
import { int8Tensor, uint8Tensor } from '../onnx/tensor-data.ts';
import { channelRanges, paramsOf, type QuantParams } from '../quantize/quant-params.ts';
import { quantizeValues } from '../quantize/quantize-values.ts';
import { quantLimits, scaleOf, type QuantType } from '../quantize/scale.ts';

export interface ConstantOptions {
  readonly type: QuantType;
  readonly symmetric: boolean;
  readonly reduced: boolean;
  /** The channel axis, from the end where negative; null for one scale. */
  readonly axis: number | null;
}

/** Values of shape `dims` in 8 bits, with their parameters. */
export function quantizeConstant(
  values: Float32Array,
  dims: readonly number[],
  how: ConstantOptions,
): { params: QuantParams; values: Uint8Array | Int8Array } {
  const limits = quantLimits(how.type, how);
  const axis = how.axis === null || how.axis >= 0 ? how.axis : how.axis + dims.length;
  const scales = channelRanges(values, dims, axis).map((range) => scaleOf(range, limits, how.symmetric));
  const params = paramsOf(how.type, scales, axis);
  return { params, values: quantizeValues(values, dims, params) };
}

export function integerTensor(
  name: string,
  dims: readonly number[],
  values: Uint8Array | Int8Array,
): TensorProto {
  return values instanceof Uint8Array ? uint8Tensor(name, dims, values) : int8Tensor(name, dims, values);
}
