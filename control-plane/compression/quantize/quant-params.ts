// Quantization parameters of a whole tensor: one scale, or one a channel. Source of the rules: how
// onnxruntime.quantization treats activations, weights and the constants of element-wise operators.

import { channelCount, forEachRun } from './channels.ts';
import type { QuantOptions } from './quant-options.ts';
import { quantLimits, scaleOf, type QuantType, type Range, type ScaleZeroPoint } from './scale.ts';

export interface QuantParams {
  readonly type: QuantType;
  /** One entry, or one a channel; float32 numbers. */
  readonly scales: Float32Array;
  readonly zeroPoints: Int32Array;
  /** The channel axis; null for one scale over the whole tensor. */
  readonly axis: number | null;
}

/** An activation over its calibrated range, full width. */
export function activationParams(range: Range, { activation, symmetric }: QuantOptions): QuantParams {
  const limits = quantLimits(activation, { symmetric, reduced: false });
  return paramsOf(activation, [scaleOf(range, limits, symmetric)], null);
}

/** A constant: a weight is s8 and symmetric, another constant follows the activations; both may be reduced. */
export function constantParams(
  values: Float32Array,
  dims: readonly number[],
  role: { readonly kind: 'weight' | 'activation'; readonly axis: number | null },
  options: QuantOptions,
): QuantParams {
  const type = role.kind === 'weight' ? 's8' : options.activation;
  const symmetric = role.kind === 'weight' || role.axis !== null || options.symmetric;
  const limits = quantLimits(type, { symmetric, reduced: options.reduceRange });
  const ranges = channelRanges(values, dims, role.axis);
  return paramsOf(type, ranges.map((range) => scaleOf(range, limits, symmetric)), role.axis); // prettier-ignore
}

export function paramsOf(
  type: QuantType,
  found: readonly ScaleZeroPoint[],
  axis: number | null,
): QuantParams {
  return {
    type,
    scales: Float32Array.from(found, (one) => one.scale),
    zeroPoints: Int32Array.from(found, (one) => one.zeroPoint),
    axis,
  };
}

export function channelRanges(values: Float32Array, dims: readonly number[], axis: number | null): Range[] {
  const count = channelCount(dims, axis);
  const min = new Float32Array(count).fill(Infinity);
  const max = new Float32Array(count).fill(-Infinity);
  forEachRun(dims, axis, (channel, start, end) => {
    for (let at = start; at < end; at++) {
      const value = values[at] as number;
      if (value < (min[channel] as number)) min[channel] = value;
      if (value > (max[channel] as number)) max[channel] = value;
    }
  });
  return Array.from(min, (low, channel) => {
    const high = max[channel] as number;
    return low > high ? { min: 0, max: 0 } : { min: low, max: high };
  });
}
