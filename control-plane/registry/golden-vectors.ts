// Checks a golden bundle against its contract, and measures it. A bundle is a safetensors file with
// `input.<i>` (encoded image bytes, U8) or `input.<i>.<name>` (one a model input), and
// `output.<i>.<name>` (F32, the author's own raw outputs), for i from 0 to count - 1. Pure.

import { HoldfastError } from '#protocol/errors.ts';
import type { GoldenTolerance, ModelContract, TensorDtype, TensorSpec } from '#protocol/model-contract.ts';
import type { DeviceProfile } from '#protocol/profile.ts';
import {
  decodeSafetensors,
  float32Of,
  type SafeTensor,
  type SafetensorsDtype,
} from '#protocol/safetensors.ts';

const CONTAINER_DTYPE: Readonly<Record<TensorDtype, SafetensorsDtype>> = {
  BOOL: 'BOOL', UINT8: 'U8', UINT16: 'U16', UINT32: 'U32', UINT64: 'U64',
  INT8: 'I8', INT16: 'I16', INT32: 'I32', INT64: 'I64', FP16: 'F16', FP32: 'F32', FP64: 'F64',
}; // prettier-ignore

export interface GoldenSummary {
  /** Widest range of expected values (largest minus smallest) of any one output. */
  readonly widestRange: number;
}

/** Throws `golden-invalid` with the first thing that does not fit the contract. */
export function inspectGolden(bytes: Uint8Array, contract: ModelContract): GoldenSummary {
  const tensors = decode(bytes);
  const ranges = new Map<string, { low: number; high: number }>();
  for (let index = 0; index < contract.golden.count; index++) {
    takeInputs(tensors, contract, index);
    takeOutputs(tensors, contract, index, ranges);
  }
  const [extra] = tensors.keys();
  if (extra !== undefined) {
    throw invalid(`"${extra}" belongs to none of the ${contract.golden.count} declared vectors`);
  }
  return { widestRange: Math.max(...[...ranges.values()].map(({ low, high }) => high - low)) };
}

/** Tolerance that a compressed variant is held to; never stricter than the author's own. */
export function compressedTolerance(
  contract: ModelContract,
  golden: GoldenSummary,
  profile: DeviceProfile,
): GoldenTolerance {
  const { maxRangeShare, minTop1Agreement } = profile.compressedTolerance;
  return {
    maxAbs: Math.max(contract.golden.tolerance.maxAbs, maxRangeShare * golden.widestRange),
    minTop1Agreement,
  };
}

function decode(bytes: Uint8Array): Map<string, SafeTensor> {
  try {
    return decodeSafetensors(bytes);
  } catch (cause) {
    throw invalid(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function takeInputs(tensors: Map<string, SafeTensor>, contract: ModelContract, index: number): void {
  if (contract.preprocess.kind === 'image') {
    const image = take(tensors, `input.${index}`);
    if (image.dtype !== 'U8' || image.shape.length !== 1 || image.data.byteLength === 0) {
      throw invalid(`"input.${index}" must hold the bytes of an encoded image (U8, one dimension)`);
    }
    return;
  }
  for (const spec of contract.inputs) {
    const name = `input.${index}.${spec.name}`;
    const tensor = take(tensors, name);
    if (tensor.dtype !== CONTAINER_DTYPE[spec.dtype] || !fits(tensor.shape, spec)) {
      throw invalid(
        `"${name}" is ${describe(tensor)}, the contract says ${spec.dtype} [${spec.shape.join(', ')}]`,
      );
    }
  }
}

function takeOutputs(
  tensors: Map<string, SafeTensor>,
  contract: ModelContract,
  index: number,
  ranges: Map<string, { low: number; high: number }>,
): void {
  for (const spec of contract.outputs) {
    const name = `output.${index}.${spec.name}`;
    const tensor = take(tensors, name);
    if (tensor.dtype !== 'F32' || !fits(tensor.shape, spec)) {
      throw invalid(
        `"${name}" is ${describe(tensor)}, it must be F32 of the shape [${spec.shape.join(', ')}]`,
      );
    }
    const range = ranges.get(spec.name) ?? { low: Infinity, high: -Infinity };
    for (const value of float32Of(tensor)) {
      if (!Number.isFinite(value)) throw invalid(`"${name}" holds a value that is not finite`);
      range.low = Math.min(range.low, value);
      range.high = Math.max(range.high, value);
    }
    ranges.set(spec.name, range);
  }
}

function take(tensors: Map<string, SafeTensor>, name: string): SafeTensor {
  const tensor = tensors.get(name);
  if (tensor === undefined) throw invalid(`"${name}" is missing`);
  tensors.delete(name);
  return tensor;
}

/** A vector may be written without the batch dimension that the contract declares first. */
function fits(shape: readonly number[], spec: TensorSpec): boolean {
  const [batch, ...one] = spec.shape;
  return same(shape, spec.shape) || ((batch === -1 || batch === 1) && same(shape, one));
}

function same(shape: readonly number[], declared: readonly number[]): boolean {
  return (
    shape.length === declared.length &&
    shape.every((dimension, axis) => dimension > 0 && (declared[axis] === -1 || declared[axis] === dimension))
  );
}

function describe(tensor: SafeTensor): string {
  return `${tensor.dtype} [${tensor.shape.join(', ')}]`;
}

function invalid(what: string, cause?: unknown): HoldfastError {
  return new HoldfastError('golden-invalid', `the golden vectors do not fit the contract: ${what}`, {
    hint: 'write input.<i> and output.<i>.<output name> for every declared vector, as the training code saw them',
    ...(cause === undefined ? {} : { cause }),
  });
}
