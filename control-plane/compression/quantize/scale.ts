// Scale and zero point of one range: real = scale * (quantized - zeroPoint). Invariant: bit-identical to
// compute_scale_zp of onnxruntime.quantization: float32 range, float64 division, cast to float32 at the end.

import { roundHalfEven } from './rounding.ts';

export type QuantType = 'u8' | 's8';

/** A range of real values; both ends are float32 numbers. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

export interface ScaleZeroPoint {
  readonly scale: number;
  readonly zeroPoint: number;
}

const SMALLEST_NORMAL_FLOAT32 = 2 ** -126;

/** Lowest and highest quantized value in use. */
export function quantLimits(
  type: QuantType,
  how: { readonly symmetric: boolean; readonly reduced: boolean },
): readonly [number, number] {
  if (how.reduced) return type === 'u8' ? [0, 127] : [-64, 64];
  if (type === 'u8') return [0, 255];
  return how.symmetric ? [-127, 127] : [-128, 127];
}

/** The scale (a float32 number) and zero point that cover `range`, widened to hold 0. */
export function scaleOf(
  range: Range,
  [lowest, highest]: readonly [number, number],
  symmetric: boolean,
): ScaleZeroPoint {
  let min = Math.min(range.min, 0);
  let max = Math.max(range.max, 0);
  if (symmetric) {
    max = Math.max(Math.abs(min), Math.abs(max));
    min = -max;
  }
  const scale = Math.fround(max - min) / (highest - lowest);
  if (scale < SMALLEST_NORMAL_FLOAT32) return { scale: 1, zeroPoint: 0 };
  const zeroPoint = roundHalfEven(symmetric ? (lowest + highest) / 2 : lowest - min / scale);
  return { scale: Math.fround(scale), zeroPoint };
}
