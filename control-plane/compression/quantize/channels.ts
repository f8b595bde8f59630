// Where the values of each channel lie in a row-major tensor: contiguous runs, in storage order.

/**
 * Calls `visit` for each run `[start, end)` of values of one channel along `axis`; without an axis the whole
 * tensor is one run of channel 0.
 */
export function forEachRun(
  dims: readonly number[],
  axis: number | null,
  visit: (channel: number, start: number, end: number) => void,
): void {
  const product = (sizes: readonly number[]) => sizes.reduce((left, right) => left * right, 1);
  if (axis === null) return visit(0, 0, product(dims));
  const channels = dims[axis] ?? 0;
  const inner = product(dims.slice(axis + 1));
  const end = product(dims);
  for (let start = 0, run = 0; start < end; start += inner, run++)
    visit(run % channels, start, start + inner);
}

/** How many channels there are along `axis`; 1 without one. */
export function channelCount(dims: readonly number[], axis: number | null): number {
  return axis === null ? 1 : (dims[axis] ?? 0);
}
