// Runs a float model over real samples with graph optimisation off, so that every tensor is computed as its author
// wrote it, and hands back what calibration asked for. One sample is in memory at a time.

import { HoldfastError } from '#protocol/errors.ts';
import { graphOf } from '../onnx/codec.ts';
import type { ModelProto } from '../onnx/onnx-types.ts';
import { openModel } from '../open-model.ts';
import { runModel, type OpenSession } from '../ort-session.ts';
import type { FeedTensor, TensorFeed } from '../tensor-feed.ts';
import { calibrationTensors, withOutputs, withoutWeights } from './augment.ts';

export interface CalibrationOptions {
  /** Operators to quantize; every one that has a rule when absent. */
  readonly operators?: ReadonlySet<string>;
  /** Called after each run; a method may run every sample more than once. */
  readonly progress?: () => void;
}

export type Samples = AsyncIterable<TensorFeed> | Iterable<TensorFeed>;

/** Values that one run took or gave; float32. */
export type RunValues = (name: string) => Float32Array;

export function openCalibration(model: ModelProto): Promise<OpenSession> {
  return openModel(model, { optimise: false });
}

/** Names of the tensors to calibrate whose type, as ONNX Runtime infers it, is float32. */
export async function floatTensors(model: ModelProto, options: CalibrationOptions): Promise<string[]> {
  const graph = graphOf(model);
  const candidates = calibrationTensors(graph, options.operators);
  await using opened = await openCalibration(withoutWeights(withOutputs(model, graph, candidates)));
  const types = new Map<string, string>();
  for (const value of [...opened.session.inputMetadata, ...opened.session.outputMetadata]) {
    if (value.isTensor) types.set(value.name, value.type);
  }
  return candidates.filter((name) => types.get(name) === 'float32');
}

/** Visits the named inputs and outputs of each sample. Throws `dataset-invalid`. */
export async function forEachSample(
  { session }: OpenSession,
  samples: Samples,
  names: readonly string[],
  options: CalibrationOptions,
  visit: (valuesOf: RunValues) => void,
): Promise<void> {
  const outputs = names.filter((name) => !session.inputNames.includes(name));
  let done = 0;
  for await (const feed of samples) {
    refuseNonFinite(feed, done);
    const results = outputs.length === 0 ? {} : await runModel(session, feed, outputs);
    visit((name) => {
      const input = feed[name];
      return input === undefined ? (results[name] as { data: Float32Array }).data : floatsOf(input);
    });
    done += 1;
    options.progress?.();
  }
  if (done === 0) {
    throw new HoldfastError('dataset-invalid', 'there is no calibration sample', {
      hint: 'give at least one real input of the model; a few hundred are better',
    });
  }
}

function refuseNonFinite(feed: TensorFeed, index: number): void {
  for (const [name, tensor] of Object.entries(feed)) {
    if (tensor.dtype !== 'FP32' || floatsOf(tensor).every(Number.isFinite)) continue;
    const message = `calibration sample ${index} holds NaN or infinity in "${name}"`;
    throw new HoldfastError('dataset-invalid', message, {
      hint: 'leave the sample out, or mend the pre-processing that made it',
    });
  }
}

/** A view where the bytes lie on a float's boundary, else a copy. */
function floatsOf({ data }: FeedTensor): Float32Array {
  const aligned = data.byteOffset % Float32Array.BYTES_PER_ELEMENT === 0 ? data : Uint8Array.from(data);
  return new Float32Array(aligned.buffer, aligned.byteOffset, Math.trunc(aligned.byteLength / 4));
}
