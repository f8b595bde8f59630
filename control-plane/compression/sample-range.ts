// A part of the samples, in order; like the whole it may be iterated any number of times.

import type { TensorFeed } from './tensor-feed.ts';

/** Samples `from` (counted from 0) up to and without `to`. */
export function sampleRange(
  samples: AsyncIterable<TensorFeed>,
  from: number,
  to: number,
): AsyncIterable<TensorFeed> {
  return {
    async *[Symbol.asyncIterator]() {
      let index = 0;
      for await (const sample of samples) {
        if (index >= to) return;
        if (index >= from) yield sample;
        index += 1;
      }
    },
  };
}
