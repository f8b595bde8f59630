// Which single weights are given up: the lowest of each output, or two of each four inputs in a row. A weight
// counts by its magnitude times the scale of what it reads. Source: Wanda (Sun et al., 2023).

/** A copy of `weights` [M, K] with the lowest `ratio` of each row set to zero. */
export function zeroLowest(weights: Float64Array, scales: Float64Array, ratio: number): Float64Array {
  const inputs = scales.length;
  const zeroed = Float64Array.from(weights);
  const columns = Array.from({ length: inputs }, (_, k) => k);
  for (let start = 0; start < weights.length; start += inputs)
    for (const k of byMagnitude(columns, weights, scales, start).slice(0, Math.floor(inputs * ratio)))
      zeroed[start + k] = 0;
  return zeroed;
}

/**
 * A copy of `weights` [M, K] with two of each four channels set to zero, at each of the `taps` places of the kernel;
 * channels past the last four stay. This is the order that NVIDIA's sparse tensor cores ask for.
 */
export function zeroTwoOfFour(weights: Float64Array, scales: Float64Array, taps: number): Float64Array {
  const inputs = scales.length;
  const zeroed = Float64Array.from(weights);
  const fours = Math.floor(inputs / taps / 4);
  for (let start = 0; start < weights.length; start += inputs)
    for (let four = 0; four < fours; four++)
      for (let tap = 0; tap < taps; tap++) {
        const columns = [0, 1, 2, 3].map((channel) => (four * 4 + channel) * taps + tap);
        for (const k of byMagnitude(columns, weights, scales, start).slice(0, 2)) zeroed[start + k] = 0;
      }
  return zeroed;
}

function byMagnitude(
  columns: readonly number[],
  weights: Float64Array,
  scales: Float64Array,
  start: number,
): number[] {
  const magnitude = (k: number) => Math.abs(weights[start + k] as number) * (scales[k] as number);
  return columns.toSorted((a, b) => magnitude(a) - magnitude(b));
}
