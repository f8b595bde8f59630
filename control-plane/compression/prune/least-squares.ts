// The weights nearest to given ones that best make y of x: min |W x - y|^2 + ridge |W - W0|^2, in closed form
// from the moments of x and y. The ridge keeps directions that the samples do not show where they were.

import { decomposeSurely, meanDiagonal, solve } from './cholesky.ts';
import { dot, type Covariance } from './moments.ts';

/** Strength of the ridge, as a share of the mean variance of x. */
const RIDGE = 1e-4;

export interface Fit {
  /** [M, K] */
  readonly weights: Float64Array;
  /** [M], what the means ask for; null where the bias stays as it is. */
  readonly bias: Float64Array | null;
}

/** `start` is W0 [M, K]. */
export function fitNear(covariance: Covariance, start: Float64Array): Fit {
  const { xx, meanX } = covariance;
  const inputs = meanX.length;
  const change = residuals(covariance, start);
  const scale = meanDiagonal(xx, inputs);
  if (scale > 0) solve(decomposeSurely(xx, inputs, RIDGE * scale), inputs, change);
  else change.fill(0);
  return withBias(
    covariance,
    start.map((value, index) => value + (change[index] as number)),
  );
}

/** Sweeps of the conjugate gradient for one output; it converges in as many as there are weights. */
const MAX_SWEEPS = 64;
const TOLERANCE = 1e-10;

/**
 * As `fitNear`, where only the weights that are not zero in `start` may change: one system an output, by conjugate
 * gradients. Source of the closed form it converges to: SparseGPT (Frantar and Alistarh, 2023).
 */
export function fitMasked(covariance: Covariance, start: Float64Array): Fit {
  const { xx, meanX, meanY } = covariance;
  const inputs = meanX.length;
  const residual = residuals(covariance, start);
  const damping = RIDGE * meanDiagonal(xx, inputs);
  const weights = Float64Array.from(start);
  for (let m = 0; m < meanY.length; m++) {
    const free = Array.from({ length: inputs }, (_, k) => k).filter((k) => start[m * inputs + k] !== 0);
    const right = Float64Array.from(free, (k) => residual[m * inputs + k] as number);
    const change = conjugateGradient(right, (v) => product(xx, inputs, free, v, damping));
    free.forEach((k, index) => {
      weights[m * inputs + k] = (weights[m * inputs + k] as number) + (change[index] as number);
    });
  }
  return withBias(covariance, weights);
}

/** y - W0 x against x: yx - W0 xx, [M, K]. */
function residuals({ xx, yx, meanX, meanY }: Covariance, start: Float64Array): Float64Array {
  const inputs = meanX.length;
  const residual = Float64Array.from(yx);
  for (let m = 0; m < meanY.length; m++)
    for (let k = 0; k < inputs; k++) {
      const at = m * inputs + k;
      residual[at] = (residual[at] as number) - dot(start, m * inputs, xx, k * inputs, inputs);
    }
  return residual;
}

function withBias({ meanX, meanY }: Covariance, weights: Float64Array): Fit {
  const inputs = meanX.length;
  return { weights, bias: meanY.map((mean, m) => mean - dot(weights, m * inputs, meanX, 0, inputs)) };
}

/** (A + damping I) v on the rows and columns `free` of A. */
function product(
  matrix: Float64Array,
  size: number,
  free: readonly number[],
  vector: Float64Array,
  damping: number,
): Float64Array {
  return Float64Array.from(free, (row, index) => {
    let total = damping * (vector[index] as number);
    for (let at = 0; at < free.length; at++)
      total += (matrix[row * size + (free[at] as number)] as number) * (vector[at] as number);
    return total;
  });
}

/** Solves A x = right for a positive definite A given as a product, from x = 0 (Hestenes and Stiefel, 1952). */
function conjugateGradient(right: Float64Array, times: (vector: Float64Array) => Float64Array): Float64Array {
  const size = right.length;
  const solution = new Float64Array(size);
  const rest = Float64Array.from(right);
  let direction = Float64Array.from(right);
  const first = dot(rest, 0, rest, 0, size);
  let error = first;
  for (let sweep = 0; sweep < Math.min(size, MAX_SWEEPS) && error > TOLERANCE * first; sweep++) {
    const moved = times(direction);
    const curvature = dot(direction, 0, moved, 0, size);
    if (!(curvature > 0)) break;
    const step = error / curvature;
    for (let at = 0; at < size; at++) {
      solution[at] = (solution[at] as number) + step * (direction[at] as number);
      rest[at] = (rest[at] as number) - step * (moved[at] as number);
    }
    const next = dot(rest, 0, rest, 0, size);
    direction = direction.map((value, at) => (rest[at] as number) + (next / error) * value);
    error = next;
  }
  return solution;
}
