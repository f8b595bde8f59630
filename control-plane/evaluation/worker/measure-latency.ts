// Latency of single requests: one image a run, after warm-up, pre-processing not counted. With a second model the
// runs alternate, first the one and then the other, so that both see the same machine.

import { runModel, type OpenSession } from '../../compression/ort-session.ts';
import type { TensorFeed } from '../../compression/tensor-feed.ts';
import { imageFeeds } from '../images/image-feeds.ts';
import type { LabelledImages } from '../labelled-images.ts';
import type { LatencyPair } from '../pair-statistics.ts';
import { spreadIndices } from '../spread-indices.ts';
import type { EvaluatedContract, EvaluationSettings } from './evaluation-settings.ts';

/** Distinct images that the runs cycle through; keeps large inputs from filling the memory. */
const MAX_IMAGES = 32;
/** However slow the model, so many runs are made. */
const MIN_RUNS = 10;

export interface MeasuredLatency {
  /** Each run of the model, in ms. */
  readonly runsMs: readonly number[];
  /** The same runs beside the reference's; empty without one. */
  readonly pairs: readonly LatencyPair[];
}

export async function measureLatency(
  model: OpenSession,
  reference: OpenSession | null,
  images: LabelledImages,
  contract: EvaluatedContract,
  settings: EvaluationSettings,
  progress: (done: number, total: number) => void,
): Promise<MeasuredLatency> {
  const { latencyRuns, warmUpRuns, maxLatencyMs } = settings;
  const feeds: TensorFeed[] = [];
  const indices = spreadIndices(images.count, Math.min(latencyRuns, MAX_IMAGES));
  for await (const feed of imageFeeds(images, contract, indices)) feeds.push(feed);
  const runsMs: number[] = [];
  const pairs: LatencyPair[] = [];
  let deadline = Infinity;
  for (let run = 0; run < warmUpRuns + latencyRuns; run++) {
    if (runsMs.length >= MIN_RUNS && performance.now() > deadline) break;
    const feed = feeds[run % feeds.length] as TensorFeed;
    const isSecond = run % 2 === 1;
    const before = reference !== null && isSecond ? await timeRun(reference, feed) : null;
    const candidateMs = await timeRun(model, feed);
    const originalMs = reference !== null && !isSecond ? await timeRun(reference, feed) : before;
    if (run < warmUpRuns) continue;
    if (deadline === Infinity) deadline = performance.now() + maxLatencyMs;
    runsMs.push(candidateMs);
    if (originalMs !== null) pairs.push({ originalMs, candidateMs });
  }
  progress(runsMs.length, runsMs.length);
  return { runsMs, pairs };
}

async function timeRun({ session }: OpenSession, feed: TensorFeed): Promise<number> {
  const startedAt = performance.now();
  await runModel(session, feed);
  return performance.now() - startedAt;
}
