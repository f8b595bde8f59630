// Checks a compressed model against the one it was made from: it loads, runs, gives finite numbers, and how far
// they are from the original's.

import { HoldfastError } from '#protocol/errors.ts';
import { sqnrDb } from '../evaluation/sqnr.ts';
import { openSession, runModel, type OpenSession } from './ort-session.ts';
import type { TensorFeed } from './tensor-feed.ts';

export interface OutputNoise {
  readonly name: string;
  /** Null where the outputs do not differ. */
  readonly sqnrDb: number | null;
}

/** Noise of each float32 output over all of `samples`, which are held in memory. Throws `compression-failed` for NaN or infinity, or `model-load-failed`. */
export async function compareOutputs(
  original: Uint8Array,
  compressed: Uint8Array,
  samples: AsyncIterable<TensorFeed>,
): Promise<OutputNoise[]> {
  await using before = await openSession(original, { optimise: true });
  await using after = await openSession(compressed, { optimise: true });
  const names = floatOutputs(before);
  const expected = await collectOutputs(before, names, samples);
  const actual = await collectOutputs(after, names, samples);
  return names.map((name, index) => {
    const values = actual[index] ?? [];
    if (!values.every((output) => output.every(Number.isFinite))) {
      throw new HoldfastError(
        'compression-failed',
        `the compressed model gives NaN or infinity at "${name}"`,
        {
          hint: 'try another recipe (per-channel weights, or the original) for this profile',
        },
      );
    }
    return { name, sqnrDb: sqnrDb(expected[index] ?? [], values) };
  });
}

function floatOutputs({ session }: OpenSession): string[] {
  return session.outputMetadata
    .filter((value) => value.isTensor && value.type === 'float32')
    .map(({ name }) => name);
}

/** Values of each named output, one array a sample. */
async function collectOutputs(
  { session }: OpenSession,
  names: readonly string[],
  samples: AsyncIterable<TensorFeed>,
): Promise<Float32Array[][]> {
  const collected: Float32Array[][] = names.map(() => []);
  for await (const sample of samples) {
    const outputs = await runModel(session, sample, names);
    names.forEach((name, index) => collected[index]?.push(outputs[name]?.data as Float32Array));
  }
  return collected;
}
