// A variant against its original on the samples at hand: top-1 answers where the model gives one row of scores, and
// latencies in pairs. For a file alone; a control plane evaluates on a dataset of its own.

import type { VariantComparison } from '#protocol/compression.ts';
import { compareWithOriginal } from '../evaluation/comparison.ts';
import type { LatencyPair } from '../evaluation/pair-statistics.ts';
import { topClass } from '../evaluation/top-class.ts';
import { timePairs } from './latency/paired-latency.ts';
import { openSession, runModel, type OpenSession } from './ort-session.ts';
import { sampleRange } from './sample-range.ts';
import type { StepContext } from './step.ts';
import type { TensorFeed } from './tensor-feed.ts';

const MAX_PAIRS = 100;
const MAX_TIMED_MS = 10_000;
/** Distinct samples that are timed; they stay in memory. */
const TIMED_SAMPLES = 8;

/** Throws `model-load-failed` or `dataset-invalid`. */
export async function compareVariant(
  original: Uint8Array,
  variant: Uint8Array,
  context: StepContext,
): Promise<VariantComparison> {
  await using before = await openSession(original, { optimise: true });
  await using after = await openSession(variant, { optimise: true });
  const feeds: TensorFeed[] = [];
  for await (const feed of sampleRange(context.samples, 0, TIMED_SAMPLES)) feeds.push(feed);
  const pairs: LatencyPair[] = [];
  const startedAt = performance.now();
  for await (const pair of timePairs(before.session, after.session, feeds, { pairs: MAX_PAIRS })) {
    pairs.push(pair);
    context.progress({ phase: 'compare', done: pairs.length, total: MAX_PAIRS });
    if (performance.now() - startedAt > MAX_TIMED_MS) break;
  }
  const answers = {
    truths: context.labels,
    original: await answersOf(before, context.samples),
    variant: await answersOf(after, context.samples),
  };
  return compareWithOriginal(answers, [], pairs);
}

/** Top-1 of each sample; none where the first output is not one row of scores. */
async function answersOf({ session }: OpenSession, samples: AsyncIterable<TensorFeed>): Promise<number[]> {
  const [name = ''] = session.outputNames;
  const answers: number[] = [];
  for await (const sample of samples) {
    const output = (await runModel(session, sample, [name]))[name];
    const isRow = output?.type === 'float32' && output.dims.length > 1 && output.dims.at(-1) === output.size;
    if (!isRow) return [];
    answers.push(topClass(output.data as Float32Array));
  }
  return answers;
}
