// Signal-to-quantization-noise ratio: how loud a model's answer is against its difference from another's.

/**
 * 10 log10 of the sum of squares of `reference` over that of the differences, in dB, over all outputs together.
 * Null where the two do not differ. Always finite otherwise.
 */
export function sqnrDb(reference: readonly Float32Array[], actual: readonly Float32Array[]): number | null {
  let signal = 0;
  let noise = 0;
  reference.forEach((expected, index) => {
    const values = actual[index];
    if (values === undefined || values.length !== expected.length) {
      throw new RangeError(`output ${index} has another length than the reference`);
    }
    for (let at = 0; at < expected.length; at++) {
      const right = expected[at] as number;
      signal += right * right;
      noise += (right - (values[at] as number)) ** 2;
    }
  });
  if (noise === 0) return null;
  return 10 * Math.log10(Math.max(signal, Number.MIN_VALUE) / noise);
}
