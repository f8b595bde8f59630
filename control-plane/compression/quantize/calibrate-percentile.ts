// Percentile calibration: a range that is symmetric around 0 and leaves out the largest magnitudes of each tensor,
// but never wider than what was seen. Source: PercentileCalibrater of onnxruntime.quantization with its defaults,
// over all samples at once. It keeps every activation for that; here the samples run twice, first for the ends.

import { graphOf } from '../onnx/codec.ts';
import type { ModelProto } from '../onnx/onnx-types.ts';
import { withOutputs } from './augment.ts';
import { collectExtremes, type Extremes } from './calibrate-minmax.ts';
import { forEachSample, openCalibration, type CalibrationOptions, type Samples } from './calibration-run.ts';
import { binEdges, MagnitudeHistogram } from './magnitude-histogram.ts';
import type { Range } from './scale.ts';

const PERCENTILE = 99.999;
const BINS = 2048;

/**
 * Ranges of every float tensor at a quantizable operator. `samples` is iterated twice. A tensor that has an
 * infinite value, or all values so near each other that no bins fit between them, keeps its whole range. Throws as
 * `calibrateMinMax` does.
 */
export async function calibratePercentile(
  model: ModelProto,
  samples: Samples,
  options: CalibrationOptions = {},
): Promise<Map<string, Range>> {
  const extremes = await collectExtremes(model, samples, ['minimum', 'maximum', 'magnitude'], options);
  const histograms = new Map<string, MagnitudeHistogram>();
  for (const [name, found] of extremes) {
    const histogram = histogramFor(found);
    if (histogram !== null) histograms.set(name, histogram);
  }
  await using opened = await openCalibration(withOutputs(model, graphOf(model), [...histograms.keys()]));
  await forEachSample(opened, samples, [...histograms.keys()], options, (valuesOf) => {
    for (const [name, histogram] of histograms) histogram.add(valuesOf(name));
  });
  return new Map([...extremes].map(([name, found]) => [name, rangeOf(found, histograms.get(name))]));
}

function histogramFor({ min, max, magnitude }: Extremes): MagnitudeHistogram | null {
  if (!Number.isFinite(min) || !Number.isFinite(max)) return null;
  const edges = binEdges(magnitude, Math.max(-min, max), BINS);
  return edges === null ? null : new MagnitudeHistogram(edges);
}

function rangeOf({ min, max }: Extremes, histogram: MagnitudeHistogram | undefined): Range {
  if (histogram === undefined) return { min, max };
  const edge = histogram.edgeAt(PERCENTILE / 100);
  return { min: Math.max(-edge, min), max: Math.min(edge, max) };
}
