// One set of model inputs as plain bytes: how calibration samples travel from the control plane to the child
// process that runs the model (as safetensors files).

import { HoldfastError } from '#protocol/errors.ts';
import type { TensorDtype } from '#protocol/model-contract.ts';
import {
  decodeSafetensors,
  encodeSafetensors,
  type SafeTensor,
  type SafetensorsDtype,
} from '#protocol/safetensors.ts';

export interface FeedTensor {
  readonly dtype: TensorDtype;
  readonly shape: readonly number[];
  /** Row-major, little-endian. */
  readonly data: Uint8Array;
}

/** A tensor for every input of the model, by name. */
export type TensorFeed = Readonly<Record<string, FeedTensor>>;

const SAFETENSORS_DTYPE: Readonly<Record<TensorDtype, SafetensorsDtype>> = {
  BOOL: 'BOOL', UINT8: 'U8', UINT16: 'U16', UINT32: 'U32', UINT64: 'U64',
  INT8: 'I8', INT16: 'I16', INT32: 'I32', INT64: 'I64', FP16: 'F16', FP32: 'F32', FP64: 'F64',
}; // prettier-ignore
const FEED_DTYPE = new Map(
  Object.entries(SAFETENSORS_DTYPE).map(([dtype, name]) => [name, dtype as TensorDtype]),
);

/** A float32 tensor as a feed. */
export function floatFeed(shape: readonly number[], values: Float32Array): FeedTensor {
  const data = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return { dtype: 'FP32', shape, data };
}

export function encodeFeed(feed: TensorFeed): Uint8Array {
  const tensors: Record<string, SafeTensor> = {};
  for (const [name, { dtype, shape, data }] of Object.entries(feed)) {
    tensors[name] = { dtype: SAFETENSORS_DTYPE[dtype], shape, data };
  }
  return encodeSafetensors(tensors);
}

/** Throws `safetensors-malformed`. */
export function decodeFeed(bytes: Uint8Array): TensorFeed {
  const feed: Record<string, FeedTensor> = {};
  for (const [name, { dtype, shape, data }] of decodeSafetensors(bytes)) {
    const feedDtype = FEED_DTYPE.get(dtype);
    if (feedDtype === undefined)
      throw new HoldfastError('dataset-invalid', `input ${name} has the dtype ${dtype}`);
    feed[name] = { dtype: feedDtype, shape, data };
  }
  return feed;
}
