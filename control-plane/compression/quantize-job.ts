// Compresses one model to static int8, inside the child process: calibrate, quantize, check that the result
// loads and still says what the original says.

import type { CompressionRecipe } from '#protocol/profile.ts';
import type { JobProgress } from './child/job-messages.ts';
import { compareOutputs } from './compare-outputs.ts';
import { decodeModel, encodeModel, graphOf } from './onnx/codec.ts';
import { constantsToInitializers } from './onnx/constants-to-initializers.ts';
import { calibrateMinMax } from './quantize/calibrate.ts';
import { countOps, splitByPrecision } from './quantize/op-counts.ts';
import { quantizeModel } from './quantize/qdq.ts';
import type { CompressionReport } from './report.ts';
import type { TensorFeed } from './tensor-feed.ts';

export type StaticInt8Recipe = Extract<CompressionRecipe, { kind: 'static-int8' }>;

/**
 * Returns the quantized model and its report. `samples` is iterated twice. Throws `compression-failed`,
 * `model-load-failed`, `dataset-invalid` or `onnx-malformed`.
 */
export async function quantizeStatic(
  weights: Uint8Array,
  recipe: StaticInt8Recipe,
  samples: AsyncIterable<TensorFeed>,
  progress: (progress: JobProgress) => void,
): Promise<{ weights: Uint8Array; report: CompressionReport }> {
  const model = decodeModel(weights);
  const opsBefore = countOps(graphOf(model).node);
  constantsToInitializers(model);
  const total = recipe.calibration.samples;
  let calibrationSamples = 0;
  const startedAt = performance.now();
  const ranges = await calibrateMinMax(model, samples, {
    progress: (done) => progress({ phase: 'calibrate', done: (calibrationSamples = done), total }),
  });
  const calibratedAt = performance.now();
  progress({ phase: 'quantize', done: 0, total: 1 });
  const folded = quantizeModel(model, ranges, recipe);
  const quantized = encodeModel(model);
  const quantizedAt = performance.now();
  progress({ phase: 'check', done: 0, total: 1 });
  const outputs = await compareOutputs(weights, quantized, samples);
  const precision = splitByPrecision(graphOf(model));
  return {
    weights: quantized,
    report: {
      recipe,
      sizeBytesBefore: weights.byteLength,
      sizeBytesAfter: quantized.byteLength,
      opsBefore,
      opsAfter: countOps(graphOf(model).node),
      ...precision,
      folded: countOps(folded),
      leftInFloat: Object.keys(precision.float),
      calibrationSamples,
      sqnrDb: worst(outputs.map((output) => output.sqnrDb)),
      outputs,
      calibrateMs: calibratedAt - startedAt,
      quantizeMs: quantizedAt - calibratedAt,
    },
  };
}

function worst(values: readonly (number | null)[]): number | null {
  const noisy = values.filter((value) => value !== null);
  return noisy.length === 0 ? null : Math.min(...noisy);
}
