// k-quant: of twenty step sizes around the plain one, takes the weighted least-squares fit of scale and minimum
// with the least weighted error; large values weigh more. Source: make_qkx2_quants of llama.cpp, in the float32
// arithmetic of onnxruntime's quant_tensor_k_quant_cpu, the order of its sums included.

import { roundHalfEven } from '../quantize/rounding.ts';
import { HIGHEST_CODE, type BlockParams, type RoundBlock } from './block.ts';
import { sumPairwise } from './pairwise-sum.ts';
import { roundAsymmetric } from './round-to-nearest.ts';

const STEPS = 20;
const STEP = 0.1;
const FIRST_STEP = -1;
/** Added and taken away again, leaves the nearest integer, halves to even, of a number far below 2^51. */
const ROUNDER = 1.5 * 2 ** 52;
const f32 = Math.fround;

/** A rounding function for blocks of `blockSize`, a multiple of 8; not to be used for two blocks at once. */
export function kQuant(blockSize: number): RoundBlock {
  const search = new BlockSearch(blockSize);
  return (values, used, codes) => {
    const min = values.reduce((low, one) => Math.min(low, one), Infinity);
    const max = values.reduce((high, one) => Math.max(high, one), -Infinity);
    // The zero point has no code outside 0..15: the reference clips it and loses blocks on one side of zero.
    if (min > 0 || max < 0) return roundAsymmetric(values, used, codes);
    const { scale, zeroPoint } = search.fit(values, min, max);
    for (let at = 0; at < blockSize; at++) {
      codes[at] = clampCode(roundHalfEven((values[at] as number) / scale + zeroPoint));
    }
    return { scale, zeroPoint };
  };
}

/** The search over step sizes, and the arrays it works in. */
class BlockSearch {
  readonly #size: number;
  readonly #weights: Float32Array;
  /** Codes of the step size at hand. */
  readonly #levels: Float32Array;
  /** Terms of the sums over weights times levels, times levels squared and times levels and values. */
  readonly #weighted: Float32Array;
  readonly #squared: Float32Array;
  readonly #crossed: Float32Array;

  constructor(size: number) {
    this.#size = size;
    this.#weights = new Float32Array(size);
    this.#levels = new Float32Array(size);
    this.#weighted = new Float32Array(size);
    this.#squared = new Float32Array(size);
    this.#crossed = new Float32Array(size);
  }

  fit(values: Float32Array, lowest: number, highest: number): BlockParams {
    const sumX = this.#weigh(values);
    const sumW = sumPairwise(this.#weights);
    let min = lowest;
    const inverseScale = (steps: number) => (min === highest ? 1 : f32(f32(steps) / f32(highest - min)));
    let scale = f32(1 / inverseScale(HIGHEST_CODE));
    this.#setLevels(values, inverseScale(HIGHEST_CODE), min);
    let least = this.#errorOf(values, scale, min);
    for (let step = 0; step < STEPS; step++) {
      this.#setLevels(values, inverseScale(FIRST_STEP + STEP * step + HIGHEST_CODE), min);
      const sumL = sumPairwise(this.#weighted);
      const sumL2 = sumPairwise(this.#squared);
      const sumXL = sumPairwise(this.#crossed);
      const determinant = f32(f32(sumW * sumL2) - f32(sumL * sumL));
      const fitScale = f32(f32(f32(sumW * sumXL) - f32(sumX * sumL)) / determinant);
      const fitMin = f32(f32(f32(sumL2 * sumX) - f32(sumL * sumXL)) / determinant);
      const error = this.#errorOf(values, fitScale, fitMin);
      if (error < least) [least, scale, min] = [error, fitScale, fitMin];
    }
    return { scale, zeroPoint: clampCode(roundHalfEven(f32(-min / scale))) };
  }

  /** Sets the weights, root mean square plus magnitude; returns the weighted sum of the values. */
  #weigh(values: Float32Array): number {
    const terms = this.#crossed;
    for (let at = 0; at < this.#size; at++) terms[at] = (values[at] as number) * (values[at] as number);
    const mean = f32(Math.sqrt(f32(sumPairwise(terms) / this.#size)));
    for (let at = 0; at < this.#size; at++) {
      const value = values[at] as number;
      this.#weights[at] = mean + Math.abs(value);
      terms[at] = (this.#weights[at] as number) * value;
    }
    return sumPairwise(terms);
  }

  #setLevels(values: Float32Array, inverse: number, min: number): void {
    for (let at = 0; at < this.#size; at++) {
      const value = values[at] as number;
      const level = clampCode(f32(inverse * f32(value - min)) + ROUNDER - ROUNDER);
      const weighted = f32((this.#weights[at] as number) * level);
      this.#levels[at] = level;
      this.#weighted[at] = weighted;
      this.#squared[at] = weighted * level;
      this.#crossed[at] = weighted * value;
    }
  }

  /** The weighted squared error of the levels at hand. */
  #errorOf(values: Float32Array, scale: number, min: number): number {
    const terms = this.#crossed;
    for (let at = 0; at < this.#size; at++) {
      const made = f32(f32(scale * (this.#levels[at] as number)) + min);
      const error = f32(made - (values[at] as number));
      terms[at] = (this.#weights[at] as number) * f32(error * error);
    }
    return sumPairwise(terms);
  }
}

function clampCode(code: number): number {
  return Math.max(0, Math.min(HIGHEST_CODE, code));
}
