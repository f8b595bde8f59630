// How often magnitudes fall into bins of equal width. Invariant: the same edges and counts, to the bit, as
// numpy.histogram gives for the absolute values of all float32 arrays together, all of it in float32.

const float32 = Math.fround;
const SMALLEST_NORMAL_FLOAT32 = 2 ** -126;

/**
 * Edges of `bins` bins from the smallest to the largest magnitude of all that will be counted; null where there are
 * not so many different float32 numbers between them.
 */
export function binEdges(smallest: number, largest: number, bins: number): Float32Array | null {
  const widened = smallest === largest ? 0.5 : 0;
  const first = float32(smallest - widened);
  const last = float32(largest + widened);
  const step = float32(float32(last - first) / bins);
  const edges = Float32Array.from({ length: bins + 1 }, (_, index) => float32(index * step) + first);
  edges[bins] = last;
  const isRising = edges.every((edge, index) => index === 0 || edge > (edges[index - 1] as number));
  return isRising ? edges : null;
}

export class MagnitudeHistogram {
  /** float32 numbers, rising; one more than there are bins. */
  readonly edges: Float32Array;
  readonly counts: Float64Array;

  constructor(edges: Float32Array) {
    this.edges = edges;
    this.counts = new Float64Array(edges.length - 1);
  }

  /** A bin holds its lower edge; the last one holds both. NaN is not counted. Fewer than 2^32 values at once. */
  add(values: Float32Array): void {
    const { edges } = this;
    const bins = edges.length - 1;
    const first = edges[0] as number;
    const last = edges[bins] as number;
    const binsPerUnit = bins / (last - first);
    const doubt = edgeDoubt(first, last, bins);
    const counts = new Uint32Array(bins);
    for (let at = 0; at < values.length; at++) {
      const magnitude = Math.abs(values[at] as number);
      if (!(magnitude >= first && magnitude <= last)) continue;
      const place = (magnitude - first) * binsPerUnit;
      let bin = Math.trunc(place);
      const offset = place - bin;
      if (!(offset > doubt && offset < 1 - doubt)) bin = binOf(edges, magnitude);
      counts[bin] = (counts[bin] as number) + 1;
    }
    for (let bin = 0; bin < bins; bin++) {
      this.counts[bin] = (this.counts[bin] as number) + (counts[bin] as number);
    }
  }

  /** The lower edge of the first bin by which `share` of the values, 0 to 1, is reached. */
  edgeAt(share: number): number {
    const total = this.counts.reduce((sum, count) => sum + count, 0);
    let reached = 0;
    const bin = this.counts.findIndex((count) => (reached += count / total) >= share);
    return this.edges[bin === -1 ? this.counts.length : bin] as number;
  }
}

/** How far from where it should be, in bins, an edge can lie by rounding to float32; more so below normal numbers. */
function edgeDoubt(first: number, last: number, bins: number): number {
  const span = last - first;
  return span / bins < SMALLEST_NORMAL_FLOAT32 ? Infinity : bins * 2 ** -22 * (1 + last / span);
}

/** The bin as numpy finds it: by division in float32, then mended by at most one bin. */
function binOf(edges: Float32Array, magnitude: number): number {
  const bins = edges.length - 1;
  const first = edges[0] as number;
  const span = float32((edges[bins] as number) - first);
  let bin = Math.trunc(float32(float32(float32(magnitude - first) / span) * bins));
  if (bin === bins) bin -= 1;
  if (magnitude < (edges[bin] as number)) bin -= 1;
  return bin < bins - 1 && magnitude >= (edges[bin + 1] as number) ? bin + 1 : bin;
}
