// How often two models answer differently on the same samples, right or wrong.

/** Share of samples whose answers differ, 0 to 1; 0 of none. Throws on lists of unequal length. */
export function disagreementRate(left: readonly number[], right: readonly number[]): number {
  if (left.length !== right.length) throw new RangeError('both models must have answered every sample');
  const differing = left.filter((answer, index) => answer !== right[index]).length;
  return left.length === 0 ? 0 : differing / left.length;
}
