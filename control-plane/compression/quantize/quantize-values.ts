// Float values to 8-bit integers. Invariant: bit-identical to quantize_nparray of onnxruntime.quantization:
// float32 division, round half to even, add the zero point, clip to the full width of the type.

import { forEachRun } from './channels.ts';
import type { QuantParams } from './quant-params.ts';
import { roundHalfEven } from './rounding.ts';
import { quantLimits } from './scale.ts';

/** Quantizes a tensor of shape `dims`. */
export function quantizeValues(
  values: Float32Array,
  dims: readonly number[],
  params: QuantParams,
): Uint8Array | Int8Array {
  const [lowest, highest] = quantLimits(params.type, { symmetric: false, reduced: false });
  const quantized = params.type === 'u8' ? new Uint8Array(values.length) : new Int8Array(values.length);
  forEachRun(dims, params.axis, (channel, start, end) => {
    const scale = params.scales[channel] as number;
    const zeroPoint = params.zeroPoints[channel] as number;
    for (let at = start; at < end; at++) {
      const shifted = roundHalfEven(Math.fround((values[at] as number) / scale)) + zeroPoint;
      quantized[at] = Math.max(lowest, Math.min(highest, shifted));
    }
  });
  return quantized;
}
