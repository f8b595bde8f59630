// Round to nearest, a block at a time. Invariant: bit-identical to quantize_matmul_4bits of onnxruntime 1.30
// (MLAS, q4_dq.cpp): all in float32, a reciprocal instead of a division, halves rounded away from zero.

import { HIGHEST_CODE, MIDDLE_CODE, type BlockParams, type RoundBlock } from './block.ts';

/** The value of largest magnitude becomes code 0: the range is asymmetric around the zero point 8. */
export const roundSymmetric: RoundBlock = (values, used, codes) => {
  const [min, max] = rangeOf(values, used);
  const scale = Math.fround((Math.abs(max) > Math.abs(min) ? max : min) / -MIDDLE_CODE);
  return rounded(values, used, codes, { scale, zeroPoint: MIDDLE_CODE });
};

/** Scale and zero point cover the block's range, widened to hold 0. */
export const roundAsymmetric: RoundBlock = (values, used, codes) => {
  const [low, high] = rangeOf(values, used);
  const min = Math.min(low, 0);
  const scale = Math.fround(Math.fround(Math.max(high, 0) - min) / HIGHEST_CODE);
  const zero = scale === 0 ? min : Math.fround(0 - Math.fround(min / scale));
  return rounded(values, used, codes, { scale, zeroPoint: codeOf(zero) });
};

function rounded(values: Float32Array, used: number, codes: Uint8Array, params: BlockParams): BlockParams {
  const reciprocal = params.scale === 0 ? 0 : Math.fround(1 / params.scale);
  const codeBefore = codes[codes.length - 1] as number;
  for (let at = 0; at < used; at++) {
    const scaled = Math.fround((values[at] as number) * reciprocal);
    codes[at] = codeOf(Math.fround(scaled + params.zeroPoint));
  }
  codes.fill(0, used);
  // Beyond the last row, where nothing is read: what MLAS leaves in the other half of the last byte.
  if (used % 2 === 1) codes[used] = used > 1 ? (codes[used - 2] as number) : codeBefore;
  return params;
}

function rangeOf(values: Float32Array, used: number): [number, number] {
  let min = Infinity;
  let max = -Infinity;
  for (let at = 0; at < used; at++) {
    const value = values[at] as number;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return [min, max];
}

/** Halves go up, for what is negative becomes code 0. `value` is a float32 number: adding a half is exact. */
function codeOf(value: number): number {
  return Math.max(0, Math.min(HIGHEST_CODE, Math.floor(value + 0.5)));
}
