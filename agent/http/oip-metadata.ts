// What the Open Inference Protocol tells of the server and its model. Pure.

import type { ModelContract } from '#protocol/model-contract.ts';
import { outputNames } from './oip-response.ts';

export function serverMetadata(agentVersion: string): Record<string, unknown> {
  return { name: 'holdfast-agent', version: agentVersion, extensions: ['binary_tensor_data'] };
}

/** Where the contract prepares images, `image` comes first: an encoded file, or pixels as its parameters say. */
export function modelMetadata(contract: ModelContract, version: number): Record<string, unknown> {
  const own = contract.inputs.map(({ name, dtype, shape }) => ({ name, datatype: dtype, shape }));
  const clashing = own.find(({ name }) => name === 'image');
  const image = {
    name: 'image',
    datatype: 'BYTES',
    shape: [1],
    parameters: {
      encoded: 'PNG, JPEG or WebP',
      pixels: 'UINT8 [H, W] or [H, W, C], gray or RGB',
      ...(clashing === undefined
        ? {}
        : { tensor: `${clashing.datatype} [${clashing.shape.join(', ')}], prepared by the caller` }),
    },
  };
  return {
    name: contract.model,
    versions: [String(version)],
    platform: 'onnxruntime_onnx',
    inputs:
      contract.preprocess.kind === 'image' ? [image, ...own.filter(({ name }) => name !== 'image')] : own,
    outputs: outputNames(contract),
  };
}
