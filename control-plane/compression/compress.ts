// The use case: make of a version's weights the variant that a profile's recipe asks for.

import { HoldfastError } from '#protocol/errors.ts';
import type { CompressionRecipe } from '#protocol/profile.ts';
import { quantizeInChild, type ProcessOptions } from './compression-process.ts';
import type { CompressionReport } from './report.ts';
import type { TensorFeed } from './tensor-feed.ts';

export interface CompressionRequest extends ProcessOptions {
  /** An ONNX model that `inspectOnnx` let pass. */
  readonly weights: Uint8Array;
  readonly recipe: CompressionRecipe;
  /** Real model inputs, the first `recipe.calibration.samples` of which are used; not read for `original`. */
  readonly calibration?: AsyncIterable<TensorFeed> | Iterable<TensorFeed>;
}

export interface CompressedModel {
  readonly weights: Uint8Array;
  readonly precision: 'original' | 'int8';
  /** Null for `original`: nothing was done. */
  readonly report: CompressionReport | null;
}

/**
 * Compresses for one recipe, in a child process that is gone when the promise settles. Throws
 * `compression-failed`, `model-load-failed`, `dataset-invalid`, `onnx-malformed`, `cancelled`,
 * `deadline-exceeded`, `memory-short` or `worker-crashed`; no file is left behind.
 */
export async function compressForProfile(request: CompressionRequest): Promise<CompressedModel> {
  const { weights, recipe, calibration, ...options } = request;
  if (recipe.kind === 'original') return { weights, precision: 'original', report: null };
  if (calibration === undefined) {
    throw new HoldfastError('dataset-invalid', 'static int8 needs calibration samples', {
      hint: 'give real inputs of the model, a few hundred of them',
    });
  }
  return { ...(await quantizeInChild(weights, recipe, calibration, options)), precision: 'int8' };
}
