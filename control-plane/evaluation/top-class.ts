// A classifier's answer: the place of the largest score.

/** Index of the largest value, the first of equals; -1 where a value is NaN or there is none. */
export function topClass(scores: Float32Array): number {
  let top = -1;
  let best = -Infinity;
  for (let index = 0; index < scores.length; index++) {
    const score = scores[index] as number;
    if (Number.isNaN(score)) return -1;
    if (top === -1 || score > best) {
      best = score;
      top = index;
    }
  }
  return top;
}
