// Streams rows of layers from calibration samples into moments. Bounded: a layer takes a number of rows that
// grows with its unknowns up to a limit, spread over the samples, at places drawn once and for all by a fixed seed.

import type { ModelProto, NodeProto } from '../onnx/onnx-types.ts';
import type { StepContext } from '../step.ts';
import { ActivationReader, type Activation } from './activations.ts';
import { placeCount, rowsOf, windowOf, type Window } from './layer-rows.ts';
import type { LayerWeights } from './layer-weights.ts';
import { Moments } from './moments.ts';

/** Rows for each unknown of a fit, and the least and most of them. */
const ROWS_PER_UNKNOWN = 16;
const MIN_ROWS = 4096;
const MAX_ROWS = 16_384;
/** Samples that are read even where fewer would give rows enough. */
const MIN_SAMPLES = 256;

/** A layer that is looked at: what it reads comes from one model, what it should make perhaps from another. */
export interface RowSource {
  readonly node: NodeProto;
  readonly weights: LayerWeights;
  readonly input: string;
  readonly target: string;
  /** Channels of the target that the layer makes. */
  readonly kept: readonly number[];
}

/** Moments of each source, one a group of its convolution. `inputs` and `targets` are the two models. */
export async function collectMoments(
  sources: readonly RowSource[],
  inputs: ModelProto,
  targets: ModelProto,
  context: StepContext,
): Promise<Moments[][]> {
  const reads = sources.map(({ input }) => input);
  const makes = sources.map(({ target }) => target);
  const isOne = inputs === targets;
  await using from = await ActivationReader.open(inputs, isOne ? [...reads, ...makes] : reads);
  await using to = isOne ? null : await ActivationReader.open(targets, makes);
  const moments = sources.map(({ weights, kept }) =>
    Array.from({ length: weights.groups }, () => new Moments(weights.columns, kept.length / weights.groups)),
  );
  const draw = generator(sources.length);
  let seen = 0;
  for await (const feed of context.samples) {
    const given = await from.read(feed);
    const wanted = to === null ? given : await to.read(feed);
    seen += 1;
    let isEnough = true;
    sources.forEach((source, index) => {
      const enough = addSample(source, moments[index] ?? [], given, wanted, context.sampleCount, draw);
      isEnough &&= enough;
    });
    if (isEnough && seen >= MIN_SAMPLES) break;
  }
  return moments;
}

/** Adds the rows of one sample; true when there are enough of them. */
function addSample(
  source: RowSource,
  moments: readonly Moments[],
  given: ReadonlyMap<string, Activation>,
  wanted: ReadonlyMap<string, Activation>,
  sampleCount: number,
  draw: () => number,
): boolean {
  const input = given.get(source.input);
  const target = wanted.get(source.target);
  const { columns, kernel, groups } = source.weights;
  if (input === undefined || target === undefined) return true;
  const window: Window | undefined =
    kernel.length === 0 ? undefined : windowOf(source.node, kernel, input.shape, target.shape);
  const rows = Math.min(MAX_ROWS, Math.max(MIN_ROWS, columns * ROWS_PER_UNKNOWN));
  const places = pick(placeCount(target, window), Math.ceil(rows / Math.min(sampleCount, MIN_SAMPLES)), draw);
  const run = { input, target, kept: source.kept, window, places };
  moments.forEach((moment, group) => moment.add(rowsOf(run, group, groups)));
  return (moments[0]?.count ?? 0) >= rows;
}

/** Up to `count` of the numbers below `total`, none twice where all are taken. */
function pick(total: number, count: number, draw: () => number): number[] {
  if (total <= count) return Array.from({ length: total }, (_, index) => index);
  return Array.from({ length: count }, () => Math.floor(draw() * total));
}

/** Numbers from 0 to 1 that are the same each time (Numerical Recipes' linear congruential generator). */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
