// Tensors into and out of onnxruntime, without copying where the bytes are aligned.

import * as ort from 'onnxruntime-node';
import { HoldfastError } from '#protocol/errors.ts';
import type { ModelContract } from '#protocol/model-contract.ts';
import type { Tensor } from '../ports/runtime.ts';
import type { Inputs } from './model-inputs.ts';
import { dtypeOfOrt, elementsOf, ortTypeOf } from './tensor-types.ts';

export type Feeds = Readonly<Record<string, ort.Tensor>>;

/** Throws `bad-request` for BYTES and for bytes that do not fit the shape. */
export function toFeeds(inputs: Inputs): Feeds {
  const feeds: Record<string, ort.Tensor> = {};
  for (const [name, tensor] of Object.entries(inputs)) {
    if (tensor.dtype === 'BYTES') throw new HoldfastError('bad-request', `input ${name} must be numbers`);
    feeds[name] = new ort.Tensor(
      ortTypeOf(tensor.dtype) as 'float32',
      elementsOf(tensor) as Float32Array,
      tensor.shape,
    );
  }
  return feeds;
}

/** The contract's outputs; their data are views on what onnxruntime made. */
export function toOutputs(
  fetched: ort.InferenceSession.ReturnType,
  contract: ModelContract,
): Record<string, Tensor> {
  const outputs: Record<string, Tensor> = {};
  for (const { name } of contract.outputs) {
    const value = fetched[name] as ort.Tensor;
    const dtype = dtypeOfOrt(value.type);
    if (dtype === null) throw new HoldfastError('internal', `output ${name} has type ${value.type}`);
    const { buffer, byteOffset, byteLength } = value.data as Float32Array;
    outputs[name] = { dtype, shape: value.dims, data: new Uint8Array(buffer, byteOffset, byteLength) };
  }
  return outputs;
}
