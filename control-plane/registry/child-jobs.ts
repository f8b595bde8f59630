// Compression and evaluation of a version's blobs, each in its own child process.

import type { Evaluation } from '#protocol/api.ts';
import type { CompressionRecipe, VariantComparison } from '#protocol/compression.ts';
import type { BlobRef } from '#protocol/identifiers.ts';
import type { ModelContract } from '#protocol/model-contract.ts';
import type { BlobStore } from '../artifacts/blob-store.ts';
import { compressForProfile, type CompressedModel } from '../compression/compress.ts';
import { imageFeeds } from '../evaluation/images/image-feeds.ts';
import type { LabelledImages } from '../evaluation/labelled-images.ts';
import { evaluate } from '../evaluation/runner.ts';
import { spreadIndices } from '../evaluation/spread-indices.ts';
import type { ReportProgress } from './job-steps.ts';

export interface ChildJobDeps {
  readonly blobs: BlobStore;
  /** Folder for the scratch files of child processes. */
  readonly scratchRoot: string;
  readonly maxModelBytes: number;
}

interface ChildJob {
  readonly contract: ModelContract;
  readonly signal: AbortSignal;
  readonly progress: ReportProgress;
}

/** Calibration images for a recipe that does not say how many. */
const DEFAULT_SAMPLES = 256;

/** Throws as `compressForProfile`. */
export async function compressWeights(
  { blobs, scratchRoot, maxModelBytes }: ChildJobDeps,
  job: ChildJob & { readonly recipe: CompressionRecipe; readonly calibration: LabelledImages | null },
): Promise<CompressedModel> {
  const { contract, recipe, calibration: images, signal, progress } = job;
  const weights = await blobs.bytes(contract.weights.sha256, maxModelBytes);
  const wanted = recipe.kind === 'static-int8' ? recipe.calibration.samples : DEFAULT_SAMPLES;
  const indices = images === null ? [] : spreadIndices(images.count, wanted);
  return compressForProfile({
    weights,
    recipe,
    ...(images && {
      calibration: imageFeeds(images, contract, indices),
      labels: indices.map((index) => images.labels[index] as number),
    }),
    progress,
    scratchRoot,
    signal,
  });
}

export interface Measured {
  readonly evaluation: Evaluation;
  readonly memoryBytes: number;
  /** Null where it was not compared. */
  readonly comparison: VariantComparison | null;
}

/** Measures weights over a dataset, beside the contract's own where `isCompared`. Throws as `evaluate`. */
export async function measureWeights(
  { blobs, scratchRoot }: ChildJobDeps,
  job: ChildJob & {
    readonly weights: BlobRef;
    readonly isCompared: boolean;
    readonly datasetSha256: string;
  },
): Promise<Measured> {
  const { contract, weights, isCompared, datasetSha256, signal, progress } = job;
  const report = await evaluate({
    model: { path: blobs.path(weights.sha256) },
    ...(isCompared && { reference: { path: blobs.path(contract.weights.sha256) } }),
    dataset: { path: blobs.path(datasetSha256) },
    contract,
    signal,
    progress,
    scratchRoot,
  });
  const { samples, accuracy, perClass, latencyP50Ms, latencyP95Ms, disagreement } = report;
  return {
    evaluation: { datasetSha256, samples, accuracy, perClass, latencyP50Ms, latencyP95Ms, disagreement },
    memoryBytes: report.memoryBytes,
    comparison: report.comparison,
  };
}
