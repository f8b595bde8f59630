// One variant from one model, inside the killable child: normalise, prune, lower the precision, check, report.
// Invariant: the result has been loaded and, on samples or made-up inputs, gives finite numbers.

import type { CompressionReport, VariantComparison } from '#protocol/compression.ts';
import { probeInputs } from './check/probe-inputs.ts';
import { compareOutputs } from './compare-outputs.ts';
import { compareVariant } from './compare-variant.ts';
import { lowerPrecision, type LossyRecipe } from './lower-precision.ts';
import { worstLayers } from './mixed/sensitivity.ts';
import { normaliseModel } from './normalise/normalise.ts';
import { decodeModel, encodeModel, graphOf } from './onnx/codec.ts';
import { Phases } from './phases.ts';
import { countOps } from './quantize/op-counts.ts';
import { pruneModel } from './prune/prune.ts';
import { sampleRange } from './sample-range.ts';
import { reportOf } from './report.ts';
import { shortenNames } from './shorten-names.ts';
import type { StepContext } from './step.ts';
import type { TensorFeed } from './tensor-feed.ts';

export interface PipelineRequest {
  readonly weights: Uint8Array;
  readonly recipe: LossyRecipe;
  /** Leaves the graph as its author wrote it, but for what the recipe itself changes. */
  readonly exact: boolean;
  /** Also looks for the noisiest layers. */
  readonly detailed: boolean;
  /** Also compares answers and latencies with the original on the samples. */
  readonly compared: boolean;
}

export interface PipelineResult {
  readonly report: CompressionReport;
  /** Null where it was not asked for, or there is no sample. */
  readonly comparison: VariantComparison | null;
}

/** Samples that the result is checked on, the last ones; pruning does not learn from them where there are enough. */
const CHECKED_SAMPLES = 4;
const ENOUGH_TO_HOLD_OUT = 4 * CHECKED_SAMPLES;

/** Throws `compression-failed`, `model-load-failed`, `dataset-invalid` or `onnx-malformed`. */
export async function compressModel(
  { weights, recipe, exact, detailed, compared }: PipelineRequest,
  given: Omit<StepContext, 'note'>,
): Promise<PipelineResult & { weights: Uint8Array }> {
  const notes: string[] = [];
  const context: StepContext = { ...given, note: (text) => notes.push(text) };
  const phases = new Phases(given.progress, () => performance.now());
  const decoded = decodeModel(weights);
  const opsBefore = countOps(graphOf(decoded).node);
  if (!exact) phases.begin('normalise');
  const model = exact ? decoded : await normaliseModel(decoded, context);
  if (recipe.prune !== undefined) {
    phases.begin('prune');
    await pruneModel(model, recipe.prune, learningFrom(context));
  }
  phases.begin('lower');
  const lowered = await lowerPrecision(model, recipe, context);
  const named = detailed ? encodeModel(model) : null;
  if (!exact) shortenNames(graphOf(model));
  const made = encodeModel(model);
  phases.begin('check');
  const checked = await checkedOn(weights, context);
  const outputs = await compareOutputs(weights, made, checked);
  if (named !== null) phases.begin('layers');
  const noisiest = named === null ? [] : await worstLayers(weights, named, checked);
  if (compared) phases.begin('compare');
  const hasSamples = context.sampleCount > 0;
  const comparison = compared && hasSamples ? await compareVariant(weights, made, context) : null;
  const report = reportOf({
    sizeBytesBefore: weights.byteLength,
    sizeBytesAfter: made.byteLength,
    opsBefore,
    opsAfter: countOps(graphOf(model).node),
    ...lowered,
    notes,
    calibrationSamples: context.sampleCount,
    outputs,
    worstLayers: noisiest,
    phasesMs: phases.spentMs(),
  });
  return { weights: made, report, comparison };
}

/** The last samples; made-up inputs where there are none. */
async function checkedOn(
  weights: Uint8Array,
  { samples, sampleCount, note }: StepContext,
): Promise<AsyncIterable<TensorFeed>> {
  if (sampleCount > 0) return sampleRange(samples, Math.max(0, sampleCount - CHECKED_SAMPLES), sampleCount);
  const probes = await probeInputs(weights);
  note(
    probes.length > 0
      ? 'checked on made-up inputs: no samples were given'
      : 'not run: no samples were given, and no made-up input fits the model',
  );
  return {
    async *[Symbol.asyncIterator]() {
      yield* probes;
    },
  };
}

function learningFrom(context: StepContext): StepContext {
  if (context.sampleCount < ENOUGH_TO_HOLD_OUT) return context;
  const sampleCount = context.sampleCount - CHECKED_SAMPLES;
  const labels = context.labels?.slice(0, sampleCount) ?? null;
  return { ...context, samples: sampleRange(context.samples, 0, sampleCount), sampleCount, labels };
}
