// What comes before a static int8 quantization in a compression: a high enough operator set, and the ranges of the
// activations from real samples. `quantizeModel` (qdq.ts) does the rest.

import type { Calibration, StaticInt8Recipe } from '#protocol/compression.ts';
import { defaultOpset, raiseOpset } from '../normalise/opset.ts';
import { tensorTypes } from '../onnx/infer-types.ts';
import { toNumber } from '../onnx/messages.ts';
import type { ModelProto } from '../onnx/onnx-types.ts';
import { sampleRange } from '../sample-range.ts';
import type { StepContext } from '../step.ts';
import { calibrateMinMax } from './calibrate-minmax.ts';
import { calibratePercentile } from './calibrate-percentile.ts';
import { lowestOpset } from './quant-options.ts';
import type { Range } from './scale.ts';

const ENTROPY_NOTE =
  'entropy calibration with 128 bins for 128 levels, as in onnxruntime, keeps whole ranges: it is the same as minmax';

/**
 * Ranges of the float tensors at the operators to quantize, over the first `calibration.samples` samples. Throws
 * `dataset-invalid` or `model-load-failed`.
 */
export async function calibrate(
  model: ModelProto,
  calibration: Calibration,
  context: StepContext,
  operators?: ReadonlySet<string>,
): Promise<Map<string, Range>> {
  const isPercentile = calibration.method === 'percentile';
  const total = Math.min(calibration.samples, context.sampleCount) * (isPercentile ? 2 : 1);
  let done = 0;
  const options = {
    ...(operators === undefined ? {} : { operators }),
    progress: () => context.progress({ phase: 'calibrate', done: ++done, total }),
  };
  if (calibration.method === 'entropy') context.note(ENTROPY_NOTE);
  const samples = sampleRange(context.samples, 0, calibration.samples);
  return await (isPercentile ? calibratePercentile : calibrateMinMax)(model, samples, options);
}

/**
 * Raises the operator set of `model`, in place, where it is too low for what the recipe makes. Throws
 * `compression-failed` or `model-load-failed`.
 */
export async function fitOpset(
  model: ModelProto,
  recipe: StaticInt8Recipe,
  context: StepContext,
): Promise<void> {
  const needed = lowestOpset(recipe);
  const found = toNumber(defaultOpset(model).version);
  if (found >= needed) return;
  raiseOpset(model, needed, await tensorTypes(model));
  context.note(`the operator set was raised from ${found} to ${needed}, which this recipe needs`);
}
