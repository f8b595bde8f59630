// Does a session's real graph have the tensors that the contract declares? Pure.

import type { InferenceSession } from 'onnxruntime-node';
import { HoldfastError } from '#protocol/errors.ts';
import type { ModelContract, TensorSpec } from '#protocol/model-contract.ts';
import { imageTensorShape } from '#protocol/preprocess.ts';
import { dtypeOfOrt } from './tensor-types.ts';

type Metadata = InferenceSession.ValueMetadata;

/**
 * Inputs must be the same set; outputs may be left undeclared, and are then not computed for. A declared
 * size must be the graph's or lie where the graph leaves it open. Throws `contract-mismatch`.
 */
export function requireContractFits(
  contract: ModelContract,
  inputs: readonly Metadata[],
  outputs: readonly Metadata[],
): void {
  const faults = [
    ...faultsOf('input', contract.inputs, inputs),
    ...faultsOf('output', contract.outputs, outputs),
    ...inputs
      .filter((real) => !contract.inputs.some((declared) => declared.name === real.name))
      .map((real) => `input ${real.name} is not declared`),
    ...imageFaults(contract),
  ];
  if (faults.length === 0) return;
  throw new HoldfastError(
    'contract-mismatch',
    `the model is not what its contract says: ${faults.join('; ')}`,
    {
      hint: 'correct the names, types and shapes in the contract and import it as a new version',
    },
  );
}

/** True when `shape` can be fed where `spec` is declared (-1 takes any size). */
export function fitsShape(shape: readonly number[], spec: readonly number[]): boolean {
  return (
    shape.length === spec.length && shape.every((size, axis) => spec[axis] === -1 || spec[axis] === size)
  );
}

function faultsOf(role: string, declared: readonly TensorSpec[], real: readonly Metadata[]): string[] {
  return declared.flatMap((spec) => {
    const found = real.find((metadata) => metadata.name === spec.name);
    if (found === undefined) {
      return [`${role} ${spec.name} does not exist (the model has ${real.map((r) => r.name).join(', ')})`];
    }
    if (!found.isTensor) return [`${role} ${spec.name} is not a tensor`];
    if (dtypeOfOrt(found.type) !== spec.dtype)
      return [`${role} ${spec.name} is ${found.type}, declared ${spec.dtype}`];
    // Names of open sizes are strings; an output without shape information has no dimensions at all.
    const realShape = found.shape.map((size) => (typeof size === 'number' ? size : -1));
    const isUnknown = role === 'output' && realShape.length === 0;
    const fits =
      realShape.length === spec.shape.length &&
      realShape.every((size, axis) => size === -1 || size === spec.shape[axis]);
    return isUnknown || fits
      ? []
      : [`${role} ${spec.name} has shape [${realShape.join(', ')}], declared [${spec.shape.join(', ')}]`];
  });
}

function imageFaults({ preprocess, inputs }: ModelContract): string[] {
  const input = inputs[0];
  if (preprocess.kind !== 'image' || input === undefined) return [];
  const made = imageTensorShape(preprocess, 1);
  const fits = input.dtype === 'FP32' && fitsShape(made, input.shape);
  return fits
    ? []
    : [
        `pre-processing makes FP32 [${made.join(', ')}], input ${input.name} is ${input.dtype} [${input.shape.join(', ')}]`,
      ];
}
