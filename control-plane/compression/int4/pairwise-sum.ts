// The sum of float32 numbers in numpy's order (pairwise), each addition rounded to float32.

const LANES = 8;
const LONGEST_RUN = 128;

/** Runs of up to 128 in eight lanes, longer ones by halves: takes a multiple of 8 values. */
export function sumPairwise(values: Float32Array): number {
  return sumRun(values, 0, values.length);
}

function sumRun(values: Float32Array, start: number, length: number): number {
  if (length > LONGEST_RUN) {
    const half = Math.floor(length / 2 / LANES) * LANES;
    return Math.fround(sumRun(values, start, half) + sumRun(values, start + half, length - half));
  }
  let a = values[start] as number;
  let b = values[start + 1] as number;
  let c = values[start + 2] as number;
  let d = values[start + 3] as number;
  let e = values[start + 4] as number;
  let f = values[start + 5] as number;
  let g = values[start + 6] as number;
  let h = values[start + 7] as number;
  for (let at = start + LANES; at < start + length; at += LANES) {
    a = add(a, values[at] as number);
    b = add(b, values[at + 1] as number);
    c = add(c, values[at + 2] as number);
    d = add(d, values[at + 3] as number);
    e = add(e, values[at + 4] as number);
    f = add(f, values[at + 5] as number);
    g = add(g, values[at + 6] as number);
    h = add(h, values[at + 7] as number);
  }
  return add(add(add(a, b), add(c, d)), add(add(e, f), add(g, h)));
}

function add(left: number, right: number): number {
  return Math.fround(left + right);
}
