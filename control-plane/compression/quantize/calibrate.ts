// MinMax calibration: runs the float model, with graph optimisation off, over real samples and keeps the smallest
// and largest value of each tensor. Source: MinMaxCalibrater of onnxruntime.quantization.

import type { InferenceSession } from 'onnxruntime-node';
import { HoldfastError } from '#protocol/errors.ts';
import { encodeModel, graphOf } from '../onnx/codec.ts';
import type { ModelProto } from '../onnx/onnx-types.ts';
import { openSession, runModel, type OpenSession } from '../ort-session.ts';
import type { TensorFeed } from '../tensor-feed.ts';
import { calibrationTensors, maximumOf, minimumOf, withOutputs, withRanges } from './augment.ts';
import type { Range } from './scale.ts';

export interface CalibrationOptions {
  readonly signal?: AbortSignal;
  readonly threads?: number;
  /** Called after each sample with the number done. */
  readonly progress?: (samplesDone: number) => void;
}

/**
 * Ranges of every float tensor at a quantizable operator, over all samples. A range may be infinite where the
 * model itself computes infinities. Throws `dataset-invalid` for no samples or for NaN or infinite inputs.
 */
export async function calibrateMinMax(
  model: ModelProto,
  samples: AsyncIterable<TensorFeed> | Iterable<TensorFeed>,
  options: CalibrationOptions = {},
): Promise<Map<string, Range>> {
  const names = await floatTensors(model, options);
  await using opened = await open(withRanges(model, graphOf(model), names), options);
  return await collect(opened.session, names, samples, options);
}

async function collect(
  session: InferenceSession,
  names: readonly string[],
  samples: AsyncIterable<TensorFeed> | Iterable<TensorFeed>,
  options: CalibrationOptions,
): Promise<Map<string, Range>> {
  const minimum = new Float64Array(names.length).fill(Infinity);
  const maximum = new Float64Array(names.length).fill(-Infinity);
  const outputs = names.flatMap((_, index) => [minimumOf(index), maximumOf(index)]);
  let done = 0;
  for await (const feed of samples) {
    options.signal?.throwIfAborted();
    refuseNonFinite(feed, done);
    const results = await runModel(session, feed, outputs);
    for (let index = 0; index < names.length; index++) {
      minimum[index] = Math.min(minimum[index] as number, scalarOf(results[minimumOf(index)]));
      maximum[index] = Math.max(maximum[index] as number, scalarOf(results[maximumOf(index)]));
    }
    done += 1;
    options.progress?.(done);
  }
  if (done === 0) {
    throw new HoldfastError('dataset-invalid', 'there is no calibration sample', {
      hint: 'give at least one real input of the model; a few hundred are better',
    });
  }
  return new Map(names.map((name, i) => [name, { min: minimum[i] as number, max: maximum[i] as number }]));
}

/** Names of the tensors to calibrate whose type, as ONNX Runtime infers it, is float32. */
async function floatTensors(model: ModelProto, options: CalibrationOptions): Promise<string[]> {
  const graph = graphOf(model);
  const candidates = calibrationTensors(graph);
  await using opened = await open(withOutputs(model, graph, candidates), options);
  const types = new Map<string, string>();
  for (const value of [...opened.session.inputMetadata, ...opened.session.outputMetadata]) {
    if (value.isTensor) types.set(value.name, value.type);
  }
  return candidates.filter((name) => types.get(name) === 'float32');
}

function open(model: ModelProto, { threads }: CalibrationOptions): Promise<OpenSession> {
  return openSession(encodeModel(model), { optimise: false, ...(threads === undefined ? {} : { threads }) });
}

function scalarOf(value: InferenceSession.OnnxValueMapType[string] | undefined): number {
  const [scalar] = (value as { data: Float32Array }).data;
  return scalar ?? Number.NaN;
}

function refuseNonFinite(feed: TensorFeed, index: number): void {
  for (const [name, { dtype, data }] of Object.entries(feed)) {
    if (dtype !== 'FP32') continue;
    const values = new Float32Array(Uint8Array.from(data).buffer);
    if (values.every(Number.isFinite)) continue;
    throw new HoldfastError(
      'dataset-invalid',
      `calibration sample ${index} holds NaN or infinity in "${name}"`,
      {
        hint: 'leave the sample out, or mend the pre-processing that made it',
      },
    );
  }
}
