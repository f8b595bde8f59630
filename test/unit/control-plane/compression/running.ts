// Runs small models, and gives a step of the compression what it wants.

import { openSession, runModel } from '#control-plane/compression/ort-session.ts';
import type { StepContext } from '#control-plane/compression/step.ts';
import type { TensorFeed } from '#control-plane/compression/tensor-feed.ts';

/** The outputs of one run, by name. */
export async function runOnce(
  model: Uint8Array,
  feed: TensorFeed,
): Promise<Record<string, readonly (number | bigint)[]>> {
  await using opened = await openSession(model, { optimise: true, threads: 1 });
  const made = await runModel(opened.session, feed);
  return Object.fromEntries(
    Object.entries(made).map(([name, { data }]) => [name, Array.from(data as Float32Array)]),
  );
}

/** A context over `samples` that remembers its notes. */
export function contextOf(samples: readonly TensorFeed[]): { context: StepContext; notes: string[] } {
  const notes: string[] = [];
  const again = {
    async *[Symbol.asyncIterator]() {
      yield* samples;
    },
  };
  const context: StepContext = {
    samples: again,
    sampleCount: samples.length,
    labels: null,
    progress: () => {},
    note: (text) => notes.push(text),
  };
  return { context, notes };
}
