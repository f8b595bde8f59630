// Inputs to probe a model with where there are no real ones: float noise from -1 to 1 and ones, in the shapes that
// the model states. Invariant: the same model is given the same inputs each time.

import type { InferenceSession } from 'onnxruntime-node';
import { HoldfastError } from '#protocol/errors.ts';
import type { TensorDtype } from '#protocol/model-contract.ts';
import { openSession, runModel } from '../ort-session.ts';
import type { FeedTensor, TensorFeed } from '../tensor-feed.ts';

/** Sizes tried for free dimensions, in this order: for all of an input, then for its last one and 1 for others. */
const FREE_SIZES = [32, 64, 16, 512, 224, 8, 4, 2, 1];
const SEEDS = [1, 2];
const MAX_ELEMENTS = 2 ** 24;

/** Feeds that the model runs on; none where it takes what noise cannot be, or no size of its free dimensions fits. */
export async function probeInputs(model: Uint8Array): Promise<TensorFeed[]> {
  await using opened = await openSession(model, { optimise: false });
  const inputs = opened.session.inputMetadata;
  for (const [size, inner] of FREE_SIZES.flatMap((free) => [[free, free] as const, [free, 1] as const])) {
    const feeds = SEEDS.map((seed) => makeFeed(inputs, { last: size, inner }, seed));
    if (feeds.every((feed) => feed !== null) && (await runs(opened.session, feeds))) return feeds;
  }
  return [];
}

async function runs(session: InferenceSession, feeds: readonly TensorFeed[]): Promise<boolean> {
  try {
    for (const feed of feeds) await runModel(session, feed);
    return true;
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'dataset-invalid') return false;
    throw error;
  }
}

/** Free first dimensions are batches, of 1, wherever their names stand. */
function makeFeed(
  inputs: readonly InferenceSession.ValueMetadata[],
  free: { readonly last: number; readonly inner: number },
  seed: number,
): TensorFeed | null {
  const batchNames = new Set(inputs.flatMap((input) => (input.isTensor ? input.shape.slice(0, 1) : [])));
  batchNames.delete('');
  const feed: Record<string, FeedTensor> = {};
  for (const [index, input] of inputs.entries()) {
    if (!input.isTensor) return null;
    const shape = input.shape.map((dim, axis) => {
      if (typeof dim === 'number' && dim >= 0) return dim;
      if (axis === 0 || batchNames.has(dim)) return 1;
      return axis === input.shape.length - 1 ? free.last : free.inner;
    });
    const count = shape.reduce((product, dim) => product * dim, 1);
    const values = VALUES.get(input.type);
    if (values === undefined || count > MAX_ELEMENTS) return null;
    feed[input.name] = { dtype: values.dtype, shape, data: values.make(noise(count, seed + 16 * index)) };
  }
  return feed;
}

/** Numbers that look random, -1 to 1. Source: the linear congruential generator of Numerical Recipes. */
function noise(count: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

interface Values {
  readonly dtype: TensorDtype;
  readonly make: (noise: Float32Array) => Uint8Array;
}

const bytesOf = (view: ArrayBufferView) => new Uint8Array(view.buffer as ArrayBuffer);
/** Integers are sizes, indices and switches, for which 1 is the likeliest to be legal. */
const ones =
  (bytesEach: number) =>
  ({ length }: Float32Array) =>
    Uint8Array.from({ length: length * bytesEach }, (_, at) => (at % bytesEach === 0 ? 1 : 0));

const VALUES: ReadonlyMap<string, Values> = new Map<string, Values>([
  ['float32', { dtype: 'FP32', make: (values) => bytesOf(values) }],
  ['float64', { dtype: 'FP64', make: (values) => bytesOf(Float64Array.from(values)) }],
  ['bool', { dtype: 'BOOL', make: ones(1) }],
  ['uint8', { dtype: 'UINT8', make: ones(1) }],
  ['int8', { dtype: 'INT8', make: ones(1) }],
  ['int32', { dtype: 'INT32', make: ones(4) }],
  ['int64', { dtype: 'INT64', make: ones(8) }],
]);
