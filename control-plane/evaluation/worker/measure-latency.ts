// Latency of single requests: one image a run, after warm-up, pre-processing not counted.

import { runModel, type OpenSession } from '../../compression/ort-session.ts';
import type { TensorFeed } from '../../compression/tensor-feed.ts';
import { imageFeeds } from '../images/image-feeds.ts';
import type { LabelledImages } from '../labelled-images.ts';
import { summariseLatencies, type LatencySummary } from '../latency-summary.ts';
import { spreadIndices } from '../spread-indices.ts';
import type { EvaluatedContract, EvaluationSettings } from './evaluation-settings.ts';

/** Distinct images that the runs cycle through; keeps large inputs from filling the memory. */
const MAX_IMAGES = 32;

export async function measureLatency(
  { session }: OpenSession,
  images: LabelledImages,
  contract: EvaluatedContract,
  settings: EvaluationSettings,
  progress: (done: number, total: number) => void,
): Promise<LatencySummary> {
  const feeds: TensorFeed[] = [];
  const indices = spreadIndices(images.count, Math.min(settings.latencyRuns, MAX_IMAGES));
  for await (const feed of imageFeeds(images, contract, indices)) feeds.push(feed);
  const latenciesMs: number[] = [];
  for (let run = 0; run < settings.warmUpRuns + settings.latencyRuns; run++) {
    const feed = feeds[run % feeds.length] as TensorFeed;
    const startedAt = performance.now();
    await runModel(session, feed);
    if (run >= settings.warmUpRuns) latenciesMs.push(performance.now() - startedAt);
  }
  progress(settings.latencyRuns, settings.latencyRuns);
  return summariseLatencies(latenciesMs);
}
