// The use case: make of a version's weights the variant that a recipe asks for.

import type {
  CompressionRecipe,
  CompressionReport,
  Precision,
  VariantComparison,
} from '#protocol/compression.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { compressInChild, type ProcessOptions } from './compression-process.ts';
import type { TensorFeed } from './tensor-feed.ts';

export interface CompressionRequest extends ProcessOptions {
  /** An ONNX model that `inspectOnnx` let pass. */
  readonly weights: Uint8Array;
  readonly recipe: CompressionRecipe;
  /** Real model inputs; not read for `original`. A recipe that calibrates uses its own number of them. */
  readonly calibration?: AsyncIterable<TensorFeed> | Iterable<TensorFeed>;
  /** The right class of each calibration sample, in order, for a search that weighs accuracy. */
  readonly labels?: readonly number[];
  /** Leaves the graph as its author wrote it, but for what the recipe itself changes; false by default. */
  readonly exact?: boolean;
  /** Also looks for the noisiest layers; true by default. */
  readonly detailed?: boolean;
  /** Also compares answers and latencies with the original on the samples; false by default. */
  readonly compared?: boolean;
}

export interface CompressedModel {
  readonly weights: Uint8Array;
  readonly precision: Precision;
  /** Null for `original`: nothing was done. */
  readonly report: CompressionReport | null;
  /** Null where it was not asked for. */
  readonly comparison: VariantComparison | null;
}

/** Samples for a recipe that does not say how many: for checks, and for pruning's refit. */
const DEFAULT_SAMPLES = 256;

export const PRECISION_OF: Readonly<Record<CompressionRecipe['kind'], Precision>> = {
  original: 'original',
  pruned: 'float32',
  'static-int8': 'int8',
  fp16: 'fp16',
  'dynamic-int8': 'dynamic-int8',
  int4: 'int4',
};

/**
 * Compresses for one recipe, in a child process that is gone when the promise settles. Throws
 * `compression-failed`, `model-load-failed`, `dataset-invalid`, `onnx-malformed`, `cancelled`,
 * `deadline-exceeded`, `memory-short` or `worker-crashed`; no file is left behind.
 */
export async function compressForProfile(request: CompressionRequest): Promise<CompressedModel> {
  const {
    weights,
    recipe,
    calibration,
    labels,
    exact = false,
    detailed = true,
    compared = false,
    ...options
  } = request;
  const precision = PRECISION_OF[recipe.kind];
  if (recipe.kind === 'original') return { weights, precision, report: null, comparison: null };
  if (calibration === undefined && needsCalibration(recipe)) {
    throw new HoldfastError('dataset-invalid', `${recipe.kind} needs calibration samples`, {
      hint: 'give real inputs of the model, a few hundred of them',
    });
  }
  const samples = {
    feeds: calibration ?? [],
    limit: recipe.kind === 'static-int8' ? recipe.calibration.samples : DEFAULT_SAMPLES,
    ...(labels && { labels }),
  };
  const made = await compressInChild({ weights, recipe, exact, detailed, compared }, samples, options);
  return { ...made, precision };
}

/** Whether a recipe cannot do without real inputs. */
export function needsCalibration(recipe: CompressionRecipe): boolean {
  return recipe.kind === 'static-int8' || (recipe.kind !== 'original' && recipe.prune?.refit === true);
}
