// A linear layer as a matrix product on rows: which numbers of its input make up one row (im2col, also for
// transposed and grouped convolutions), and which of its output the row should give.

import type { NodeProto } from '../onnx/onnx-types.ts';
import type { Activation } from './activations.ts';
import { intsAttribute, textAttribute } from './coupling/node-values.ts';
import type { Rows } from './moments.ts';

/** One way through the window of a convolution on one axis: output place to input place, or none. */
type Tap = (place: number) => number;

export interface Window {
  /** Places of the output, and for each place of the kernel its way to the input, on [height, width]. */
  readonly rows: readonly Tap[];
  readonly columns: readonly Tap[];
}

/** The window of a Conv or ConvTranspose over one or two axes; undefined for more. Shapes are of one run. */
export function windowOf(
  node: NodeProto,
  kernel: readonly number[],
  input: readonly number[],
  output: readonly number[],
): Window | undefined {
  if (kernel.length < 1 || kernel.length > 2) return undefined;
  const axes = kernel.map((size, axis) => {
    const stride = intsAttribute(node, 'strides')?.[axis] ?? 1;
    const dilation = intsAttribute(node, 'dilations')?.[axis] ?? 1;
    const isTransposed = node.opType === 'ConvTranspose';
    const [small, large] = isTransposed ? [output, input] : [input, output];
    const span = (size - 1) * dilation + 1;
    const missing = Math.max(0, ((large[axis + 2] ?? 0) - 1) * stride + span - (small[axis + 2] ?? 0));
    const begin = padBegin(node, axis, missing);
    return Array.from({ length: size }, (_, place): Tap => {
      const shift = place * dilation - begin;
      return isTransposed ? (at) => (at - shift) / stride : (at) => at * stride + shift;
    });
  });
  const [first, second] = axes;
  const whole: Tap[] = [(place) => place];
  return second === undefined
    ? { rows: whole, columns: first ?? whole }
    : { rows: first ?? whole, columns: second };
}

function padBegin(node: NodeProto, axis: number, missing: number): number {
  const mode = textAttribute(node, 'auto_pad', 'NOTSET');
  if (mode === 'SAME_UPPER') return Math.floor(missing / 2);
  if (mode === 'SAME_LOWER') return Math.ceil(missing / 2);
  return intsAttribute(node, 'pads')?.[axis] ?? 0;
}

/** What a layer reads and should make, on the places of one sample that were picked. */
export interface LayerRun {
  readonly input: Activation;
  readonly target: Activation;
  /** Channels of the target that the layer still makes, in order. */
  readonly kept: readonly number[];
  /** Absent for Gemm and MatMul, whose rows are the last axis. */
  readonly window: Window | undefined;
  /** Flat places: of [N, H, W] of a convolution's output, of all axes but the last otherwise. */
  readonly places: readonly number[];
}

/** Places that a run has to pick from. */
export function placeCount({ shape }: Activation, window: Window | undefined): number {
  const others = window === undefined ? shape.slice(0, -1) : shape.filter((_, axis) => axis !== 1);
  return others.reduce((product, dim) => product * dim, 1);
}

/** Rows of one group of the layer. */
export function rowsOf(run: LayerRun, group: number, groups: number): Rows {
  const count = run.places.length;
  const perGroup = run.kept.length / groups;
  const channels = run.kept.slice(group * perGroup, (group + 1) * perGroup);
  const y = new Float64Array(channels.length * count);
  const width = run.window === undefined ? (run.target.shape.at(-1) ?? 0) : (run.target.shape[1] ?? 0);
  const inner = run.window === undefined ? 1 : elementsAfter(run.target.shape);
  channels.forEach((channel, index) => {
    run.places.forEach((place, row) => {
      const at = (Math.floor(place / inner) * width + channel) * inner + (place % inner);
      y[index * count + row] = run.target.values[at] as number;
    });
  });
  return {
    count,
    x: run.window === undefined ? plainInputs(run) : windowInputs(run, run.window, group, groups),
    y,
  };
}

function elementsAfter(shape: readonly number[]): number {
  return shape.slice(2).reduce((product, dim) => product * dim, 1);
}

function plainInputs({ input, places }: LayerRun): Float64Array {
  const size = input.shape.at(-1) ?? 0;
  const x = new Float64Array(size * places.length);
  places.forEach((place, row) => {
    for (let k = 0; k < size; k++) x[k * places.length + row] = input.values[place * size + k] as number;
  });
  return x;
}

function windowInputs(run: LayerRun, window: Window, group: number, groups: number): Float64Array {
  const { input, target, places } = run;
  const [, read = 0] = input.shape;
  const [height, width] = sizesOf(input.shape);
  const [outHeight, outWidth] = sizesOf(target.shape);
  const perGroup = read / groups;
  const taps = window.rows.length * window.columns.length;
  const x = new Float64Array(perGroup * taps * places.length);
  places.forEach((place, row) => {
    const column = place % outWidth;
    const line = Math.floor(place / outWidth) % outHeight;
    const sample = Math.floor(place / (outWidth * outHeight));
    const first = (sample * read + group * perGroup) * height * width;
    let tap = 0;
    for (const rowTap of window.rows) {
      const h = rowTap(line);
      for (const columnTap of window.columns) {
        const w = columnTap(column);
        if (isWithin(h, height) && isWithin(w, width)) {
          const at = first + h * width + w;
          for (let c = 0; c < perGroup; c++)
            x[(c * taps + tap) * places.length + row] = input.values[at + c * height * width] as number;
        }
        tap += 1;
      }
    }
  });
  return x;
}

function sizesOf(shape: readonly number[]): [number, number] {
  return shape.length === 3 ? [1, shape[2] ?? 0] : [shape[2] ?? 0, shape[3] ?? 0];
}

function isWithin(place: number, size: number): boolean {
  return Number.isInteger(place) && place >= 0 && place < size;
}
