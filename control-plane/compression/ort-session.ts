// Loads models into ONNX Runtime on the CPU and runs them. Only child processes import this: `session.run`
// blocks its thread, and a bad model can take its process down.

import { availableParallelism } from 'node:os';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { HoldfastError } from '#protocol/errors.ts';
import type { TensorDtype } from '#protocol/model-contract.ts';
import type { FeedTensor, TensorFeed } from './tensor-feed.ts';

export interface SessionOptions {
  /** False runs every node as written, which calibration needs. */
  readonly optimise: boolean;
  readonly threads?: number;
  /** Writes a trace of every node's time to a file of this path's beginning when profiling ends. */
  readonly profilePrefix?: string;
  /** What the external data of the model's tensors names as files. */
  readonly externalData?: readonly { readonly path: string; readonly data: Uint8Array }[];
}

const MAX_DEFAULT_THREADS = 4;
/** ONNX Runtime logs errors and worse; its warnings on quantized graphs are noise. */
const LOG_ERRORS = 3;

/** A loaded model; disposing releases its native memory. */
export interface OpenSession extends AsyncDisposable {
  readonly session: InferenceSession;
}

/** Loads a model, from its bytes or from the file at a path. Throws `model-load-failed`. */
export async function openSession(model: Uint8Array | string, options: SessionOptions): Promise<OpenSession> {
  const { profilePrefix, externalData = [] } = options;
  const settings: InferenceSession.SessionOptions = {
    executionProviders: ['cpu'],
    graphOptimizationLevel: options.optimise ? 'all' : 'disabled',
    intraOpNumThreads: options.threads ?? Math.min(MAX_DEFAULT_THREADS, availableParallelism()),
    logSeverityLevel: LOG_ERRORS,
    extra: { session: { intra_op: { allow_spinning: '0' } } },
    externalData,
    ...(profilePrefix === undefined ? {} : { enableProfiling: true, profileFilePrefix: profilePrefix }),
  };
  try {
    const session = await (typeof model === 'string'
      ? InferenceSession.create(model, settings)
      : InferenceSession.create(model, settings));
    return { session, [Symbol.asyncDispose]: () => session.release() };
  } catch (cause) {
    throw new HoldfastError(
      'model-load-failed',
      `ONNX Runtime does not load the model: ${messageOf(cause)}`,
      {
        hint: 'load the file in onnxruntime and mend what it complains about',
        cause,
      },
    );
  }
}

/** Runs the model once and returns the named outputs. Throws `dataset-invalid` when the inputs do not fit. */
export async function runModel(
  session: InferenceSession,
  feed: TensorFeed,
  outputs: readonly string[] = session.outputNames,
): Promise<InferenceSession.ReturnType> {
  const feeds = toOrtFeeds(session, feed);
  try {
    return await session.run(feeds, outputs);
  } catch (cause) {
    throw new HoldfastError('dataset-invalid', `the model does not run on the sample: ${messageOf(cause)}`, {
      cause,
    });
  }
}

/** A sample as ONNX Runtime takes it. Throws `dataset-invalid` when the inputs do not fit. */
export function toOrtFeeds(session: InferenceSession, feed: TensorFeed): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = {};
  for (const name of session.inputNames) {
    const tensor = feed[name];
    if (tensor === undefined) {
      throw new HoldfastError('dataset-invalid', `the sample has no tensor for the model's input "${name}"`, {
        hint: `give one for each of ${session.inputNames.join(', ')}`,
      });
    }
    feeds[name] = toOrtTensor(name, tensor);
  }
  return feeds;
}

const ARRAYS = {
  FP32: ['float32', Float32Array], FP64: ['float64', Float64Array], FP16: ['float16', Uint16Array],
  BOOL: ['bool', Uint8Array], UINT8: ['uint8', Uint8Array], INT8: ['int8', Int8Array],
  UINT16: ['uint16', Uint16Array], INT16: ['int16', Int16Array], UINT32: ['uint32', Uint32Array],
  INT32: ['int32', Int32Array], UINT64: ['uint64', BigUint64Array], INT64: ['int64', BigInt64Array],
} as const satisfies Record<TensorDtype, readonly [Tensor.Type, unknown]>; // prettier-ignore

function toOrtTensor(name: string, { dtype, shape, data }: FeedTensor): Tensor {
  const [type, TypedArray] = ARRAYS[dtype];
  const neededBytes = shape.reduce((product, dim) => product * dim, TypedArray.BYTES_PER_ELEMENT);
  if (data.byteLength !== neededBytes) {
    throw new HoldfastError(
      'dataset-invalid',
      `input "${name}" has ${data.byteLength} bytes, needs ${neededBytes}`,
    );
  }
  const values = new TypedArray(Uint8Array.from(data).buffer);
  return new Tensor(type as 'float32', values as Float32Array, shape);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
