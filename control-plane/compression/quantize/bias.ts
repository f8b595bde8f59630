// Biases become int32 with zero point 0 and the scale of the products they are added to (input scale times
// weight scale). Invariant: bit-identical to quantize_bias_static_impl and _adjust_weight_scale_for_int32_bias
// of onnxruntime.quantization, but for the shapes on which those fail (a bias of rank 2 a channel).

import { roundHalfEven } from './rounding.ts';

export interface QuantizedBias {
  readonly values: Int32Array;
  /** float32 numbers: one, or one for each entry of the last axis. */
  readonly scales: Float32Array;
  /** The axis of the scales; null when there is one. */
  readonly axis: number | null;
}

const INT32_MIN = -(2 ** 31);
const INT32_MAX = 2 ** 31 - 1;
/** Span of the int32 values in use, -(2^31 - 1) to 2^31 - 1. */
const INT32_SPAN = 2 ** 32 - 2;
const MARGIN = 1.0001;

/**
 * Quantizes a bias for `inputScale`, the scales of the weight and the node's `beta`. Returns null for a bias that
 * does not have one entry a weight scale along its last axis: it stays in float.
 */
export function quantizeBias(
  values: Float32Array,
  dims: readonly number[],
  inputScale: number,
  weightScales: Float32Array,
  beta: number,
): QuantizedBias | null {
  const scales = weightScales.map((scale) => Math.fround(inputScale * scale) * Math.fround(beta));
  const width = scales.length;
  if (width > 1 && dims.at(-1) !== width) return null;
  const quantized = new Int32Array(values.length);
  for (let at = 0; at < values.length; at++) {
    const rounded = roundHalfEven((values[at] as number) / (scales[at % width] as number));
    quantized[at] = Math.max(INT32_MIN, Math.min(INT32_MAX, rounded));
  }
  return { values: quantized, scales, axis: width > 1 ? dims.length - 1 : null };
}

/**
 * Raises weight scales, in place, where the bias would overflow int32 at the scale input times weight. The
 * weight must be symmetric with zero point 0.
 */
export function raiseWeightScales(
  weightScales: Float32Array,
  perChannel: boolean,
  inputScale: number,
  bias: Float32Array,
): void {
  for (let channel = 0; channel < weightScales.length; channel++) {
    const smallest = perChannel ? channelSmallest(bias, channel, weightScales.length) : tensorSmallest(bias);
    const scale = weightScales[channel] as number;
    const candidate = inputScale * scale;
    if (candidate < smallest && candidate > 0) weightScales[channel] = scale * (smallest / candidate);
  }
}

/** The smallest scale at which a whole bias fits int32, in float64 as the reference has it. */
function tensorSmallest(bias: Float32Array): number {
  let largest = 0;
  for (const value of bias) largest = Math.max(largest, Math.abs(value));
  return (MARGIN * (2 * largest)) / INT32_SPAN;
}

/** The same for one channel; the reference multiplies in float32 here and divides in float64. */
function channelSmallest(bias: Float32Array, channel: number, channels: number): number {
  let largest = 0;
  for (let at = channel; at < bias.length; at += channels)
    largest = Math.max(largest, Math.abs(bias[at] as number));
  return Math.fround(Math.fround(MARGIN) * Math.fround(2 * largest)) / INT32_SPAN;
}
