// Solves symmetric positive definite systems by Cholesky's decomposition, in float64. Matrices are row-major and
// square; a list of right sides is one row each.

import { HoldfastError } from '#protocol/errors.ts';
import { dot } from './moments.ts';

/** Lower triangle L of A + ridge I = L Lᵀ (zeros above), or undefined where the matrix is not positive definite. */
export function decompose(matrix: Float64Array, size: number, ridge: number): Float64Array | undefined {
  const lower = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      const rest = (matrix[i * size + j] as number) - dot(lower, i * size, lower, j * size, j);
      if (j < i) lower[i * size + j] = rest / (lower[j * size + j] as number);
      else if (rest + ridge > 0) lower[i * size + i] = Math.sqrt(rest + ridge);
      else return undefined;
    }
  }
  return lower;
}

/** Solves L Lᵀ x = b for each row b of `sides`, in place. */
export function solve(lower: Float64Array, size: number, sides: Float64Array): void {
  for (let start = 0; start < sides.length; start += size) {
    for (let i = 0; i < size; i++) {
      const rest = (sides[start + i] as number) - dot(lower, i * size, sides, start, i);
      sides[start + i] = rest / (lower[i * size + i] as number);
    }
    for (let i = size - 1; i >= 0; i--) {
      const value = (sides[start + i] as number) / (lower[i * size + i] as number);
      sides[start + i] = value;
      for (let j = 0; j < i; j++)
        sides[start + j] = (sides[start + j] as number) - value * (lower[i * size + j] as number);
    }
  }
}

/** Inverse of A + ridge I, with the ridge raised as in `decomposeSurely`. */
export function inverse(matrix: Float64Array, size: number, ridge: number): Float64Array {
  const lower = decomposeSurely(matrix, size, ridge);
  const result = new Float64Array(size * size);
  for (let i = 0; i < size; i++) result[i * size + i] = 1;
  solve(lower, size, result);
  return result;
}

/** Tenfold rises of a ridge: from rounding errors to far above any entry. */
const MAX_RISES = 40;

/** As `decompose`, with the ridge raised until it works. Throws `compression-failed` for NaN and infinities. */
export function decomposeSurely(matrix: Float64Array, size: number, ridge: number): Float64Array {
  let tried = ridge > 0 ? ridge : Number.MIN_VALUE + 1e-12 * meanDiagonal(matrix, size);
  for (let rise = 0; rise < MAX_RISES; rise++, tried *= 10) {
    const lower = decompose(matrix, size, tried);
    if (lower !== undefined) return lower;
  }
  throw new HoldfastError('compression-failed', 'a least-squares system has no finite solution', {
    hint: 'look for NaN or infinities in the calibration samples and in the layers of the model',
  });
}

/** Mean of the diagonal; what a relative ridge is a share of. */
export function meanDiagonal(matrix: Float64Array, size: number): number {
  let total = 0;
  for (let i = 0; i < size; i++) total += matrix[i * size + i] as number;
  return size === 0 ? 0 : total / size;
}
