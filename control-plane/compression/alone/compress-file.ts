// Compression of one ONNX file without a control plane: file in, file and report out. Invariant: the output
// appears whole or not at all.

import type { CompressionRecipe, CompressionReport, VariantComparison } from '#protocol/compression.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { compressForProfile } from '../compress.ts';
import type { ProcessOptions } from '../compression-process.ts';
import { inspectOnnx } from '../onnx/inspect.ts';
import { readModelFile, writeModelFile } from './model-files.ts';
import { openSampleFolders } from './sample-folders.ts';

export interface FileRequest extends ProcessOptions {
  readonly modelPath: string;
  /** Folder of samples, see sample-folders.ts; null for a recipe that can do without. */
  readonly calibrationDir: string | null;
  readonly recipe: CompressionRecipe;
  /** Leaves the graph as its author wrote it, but for what the recipe itself changes. */
  readonly exact: boolean;
  readonly outPath: string;
  /** Also finds the noisiest layers, and compares answers and latencies with the original's. */
  readonly detailed: boolean;
}

export interface FileReport extends CompressionReport {
  readonly comparison: VariantComparison | null;
}

/** Throws as `compressForProfile` and `openSampleFolders` do; `bad-config` for a file that is not there. */
export async function compressFile(request: FileRequest): Promise<FileReport> {
  const { modelPath, calibrationDir, recipe, exact, outPath, detailed, ...options } = request;
  const weights = await readModelFile(modelPath);
  const inputs = inspectOnnx(weights).inputs.map(({ name }) => name);
  const samples = calibrationDir === null ? null : await openSampleFolders(calibrationDir, inputs);
  const made = await compressForProfile({
    ...options,
    weights,
    recipe,
    exact,
    detailed,
    compared: detailed,
    ...(samples && { calibration: samples.feeds }),
    ...(samples?.labels && { labels: samples.labels }),
  });
  if (made.report === null) throw new HoldfastError('bad-config', 'the recipe changes nothing');
  await writeModelFile(outPath, made.weights);
  return { ...made.report, comparison: made.comparison };
}
