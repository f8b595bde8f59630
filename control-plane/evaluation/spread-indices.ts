// Picks a few of many samples evenly, so that a dataset sorted by class is still seen whole.

/** `count` indices, evenly spaced from 0; all of them where there are no more. */
export function spreadIndices(total: number, count: number): number[] {
  const picked = Math.min(total, count);
  return Array.from({ length: picked }, (_, index) => Math.floor((index * total) / picked));
}
