// MinMax calibration: the smallest and largest value of each tensor over all samples. Source: MinMaxCalibrater of
// onnxruntime.quantization. Its EntropyCalibrater gives the same ranges: with as many bins as quantized bins (128,
// its defaults, which quantize_static cannot change) the search for a threshold has one candidate, all values.

import { graphOf } from '../onnx/codec.ts';
import type { ModelProto } from '../onnx/onnx-types.ts';
import { extremeOf, withExtremes, type Extreme } from './augment.ts';
import {
  floatTensors,
  forEachSample,
  openCalibration,
  type CalibrationOptions,
  type Samples,
} from './calibration-run.ts';
import type { Range } from './scale.ts';

/** What was seen of one tensor over all samples; infinite where it never had an element. */
export interface Extremes extends Range {
  /** The smallest magnitude, where it was asked for. */
  readonly magnitude: number;
}

/**
 * Ranges of every float tensor at a quantizable operator, over all samples. A range may be infinite where the
 * model itself computes infinities. Throws `dataset-invalid` for no samples or for NaN or infinite inputs.
 */
export async function calibrateMinMax(
  model: ModelProto,
  samples: Samples,
  options: CalibrationOptions = {},
): Promise<Map<string, Range>> {
  const extremes = await collectExtremes(model, samples, ['minimum', 'maximum'], options);
  return new Map([...extremes].map(([name, { min, max }]) => [name, { min, max }]));
}

/** One pass over the samples. Throws as `calibrateMinMax` does. */
export async function collectExtremes(
  model: ModelProto,
  samples: Samples,
  wanted: readonly Extreme[],
  options: CalibrationOptions,
): Promise<Map<string, Extremes>> {
  const names = await floatTensors(model, options);
  await using opened = await openCalibration(withExtremes(model, graphOf(model), names, wanted));
  const found = names.map(() => ({ min: Infinity, max: -Infinity, magnitude: Infinity }));
  const outputs = names.flatMap((_, index) => wanted.map((extreme) => extremeOf(extreme, index)));
  await forEachSample(opened, samples, outputs, options, (valuesOf) => {
    found.forEach((one, index) => {
      const scalar = (extreme: Extreme) => valuesOf(extremeOf(extreme, index))[0] ?? Number.NaN;
      one.min = Math.min(one.min, scalar('minimum'));
      one.max = Math.max(one.max, scalar('maximum'));
      if (wanted.includes('magnitude')) one.magnitude = Math.min(one.magnitude, scalar('magnitude'));
    });
  });
  return new Map(names.map((name, index) => [name, found[index] as Extremes]));
}
