// Times two models against each other: both loaded at once in one process, warmed up, then run in pairs on the
// same input in an order drawn for each pair. What disturbs the machine for longer than a run disturbs both.
// Native code runs here, so only child processes call this.

import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { HoldfastError } from '#protocol/errors.ts';
import { openSession, toOrtFeeds } from '../ort-session.ts';
import type { TensorFeed } from '../tensor-feed.ts';
import { ratioOf, type LatencyPair, type LatencyRatio } from '../../evaluation/pair-statistics.ts';

export interface PairOptions {
  readonly pairs: number;
  /** Runs of a model for its half of a pair, the shortest of which counts; 1 by default. */
  readonly runsPerHalf?: number;
  readonly signal?: AbortSignal;
}

/** Runs of each model before the first that counts. */
const WARM_UP_RUNS = 3;
const MAX_PAIRS = 10_000;
const SEED = 20_260_101;

/**
 * The candidate's latency as a share of the original's, over `pairs` pairs that take the feeds in turn. Throws
 * `model-load-failed`, `dataset-invalid` for no feeds or ones that do not fit, or the signal's reason.
 */
export async function measureLatencyRatio(
  original: Uint8Array,
  candidate: Uint8Array,
  feeds: readonly TensorFeed[],
  options: PairOptions,
): Promise<LatencyRatio> {
  await using before = await openSession(original, { optimise: true });
  await using after = await openSession(candidate, { optimise: true });
  const pairs: LatencyPair[] = [];
  for await (const pair of timePairs(before.session, after.session, feeds, options)) pairs.push(pair);
  return ratioOf(pairs);
}

/** One pair at a time, so that whoever reads may stop early. Throws as `measureLatencyRatio`. */
export async function* timePairs(
  original: InferenceSession,
  candidate: InferenceSession,
  feeds: readonly TensorFeed[],
  { pairs, runsPerHalf = 1, signal }: PairOptions,
): AsyncGenerator<LatencyPair> {
  if (feeds.length === 0) {
    throw new HoldfastError('dataset-invalid', 'there is no sample to time the models on', {
      hint: 'give at least one real input of the model',
    });
  }
  if (!Number.isInteger(pairs) || pairs < 1 || pairs > MAX_PAIRS) {
    throw new RangeError(`pairs must be 1 to ${MAX_PAIRS}, not ${pairs}`);
  }
  const inputs = feeds.map((feed) => ({
    original: toOrtFeeds(original, feed),
    candidate: toOrtFeeds(candidate, feed),
  }));
  const isCandidateFirst = coin(SEED);
  for (let index = -WARM_UP_RUNS; index < pairs; index++) {
    signal?.throwIfAborted();
    const input = inputs[(index + WARM_UP_RUNS) % inputs.length] as (typeof inputs)[number];
    const isSwapped = isCandidateFirst();
    const candidateFirstMs = isSwapped ? await timeRuns(candidate, input.candidate, runsPerHalf) : null;
    const originalMs = await timeRuns(original, input.original, runsPerHalf);
    const candidateMs = candidateFirstMs ?? (await timeRuns(candidate, input.candidate, runsPerHalf));
    if (index >= 0) yield { originalMs, candidateMs };
  }
}

async function timeRuns(
  session: InferenceSession,
  feeds: Record<string, Tensor>,
  runs: number,
): Promise<number> {
  let shortestMs = Infinity;
  for (let run = 0; run < runs; run++) {
    const startedAt = performance.now();
    await session.run(feeds);
    shortestMs = Math.min(shortestMs, performance.now() - startedAt);
  }
  return shortestMs;
}

/** Heads or tails, the same for a seed; the high bit of a linear congruential generator. */
function coin(seed: number): () => boolean {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >= 2 ** 31;
  };
}
