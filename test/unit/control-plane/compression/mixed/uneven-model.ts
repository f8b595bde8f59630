// A classifier with one layer that 8 bits harm, and what a search over it needs.

import type { StaticInt8Recipe } from '#protocol/compression.ts';
import type { ModelProto } from '#control-plane/compression/onnx/onnx-types.ts';
import { makeNode } from '#control-plane/compression/onnx/messages.ts';
import { floatTensor } from '#control-plane/compression/onnx/tensor-data.ts';
import { calibrate } from '#control-plane/compression/quantize/static-int8.ts';
import type { StepContext } from '#control-plane/compression/step.ts';
import { floatFeed, type TensorFeed } from '#control-plane/compression/tensor-feed.ts';
import { modelOf, noise } from '../small-models.ts';

const WIDTH = 8;
/** How far channel 0 reaches beyond the others inside the layer `uneven`. */
const REACH = 3000;

/**
 * x [1, 8] -> first -> uneven -> last -> scores [1, 8], four matrix products. Channel 0 of what `uneven` makes is so
 * loud that in 8 bits nothing is left of the others, and `last` drops it.
 */
export function unevenModel(): ModelProto {
  const diagonal = (zero: number) =>
    Float32Array.from({ length: WIDTH ** 2 }, (_, at) => {
      if (at % (WIDTH + 1) !== 0) return 0;
      return at === 0 ? zero : 1;
    });
  const mix = noise(WIDTH ** 2, 5);
  const weights = { w1: mix, w2: diagonal(REACH), w3: diagonal(0), w4: noise(WIDTH ** 2, 6) };
  return modelOf(
    [
      makeNode('MatMul', ['x', 'w1'], ['a'], 'first'),
      makeNode('MatMul', ['a', 'w2'], ['b'], 'uneven'),
      makeNode('MatMul', ['b', 'w3'], ['c'], 'last'),
      makeNode('MatMul', ['c', 'w4'], ['y'], 'scores'),
    ],
    Object.entries(weights).map(([name, values]) => floatTensor(name, [WIDTH, WIDTH], values)),
    { x: [1, WIDTH] },
    { y: [1, WIDTH] },
  );
}

export function unevenFeeds(count: number): TensorFeed[] {
  return Array.from({ length: count }, (_, at) => ({ x: floatFeed([1, WIDTH], noise(WIDTH, at + 20)) }));
}

export function contextOf(
  feeds: readonly TensorFeed[],
  labels: readonly number[] | null = null,
): StepContext & { readonly notes: readonly string[]; readonly phases: ReadonlySet<string> } {
  const notes: string[] = [];
  const phases = new Set<string>();
  return {
    samples: { async *[Symbol.asyncIterator]() { yield* feeds; } },
    sampleCount: feeds.length,
    labels,
    progress: ({ phase }) => void phases.add(phase),
    note: (text) => void notes.push(text),
    notes,
    phases,
  }; // prettier-ignore
}

export function recipe(mixed?: StaticInt8Recipe['mixed']): StaticInt8Recipe {
  return {
    kind: 'static-int8',
    activation: 'u8',
    symmetric: false,
    floatBias: false,
    perChannel: true,
    reduceRange: true,
    calibration: { method: 'minmax', samples: 100 },
    ...(mixed === undefined ? {} : { mixed }),
  };
}

export async function calibrated(model: ModelProto, context: StepContext) {
  return await calibrate(model, recipe().calibration, context);
}
