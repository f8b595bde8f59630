// Whether a contract says the truth about its ONNX file: the same inputs and outputs by name, dtype, rank
// and every dimension that the file fixes. Pure.

import { HoldfastError } from '#protocol/errors.ts';
import type { ModelContract, TensorSpec } from '#protocol/model-contract.ts';

/** What an inspected model says of one input or output; -1 is a dimension known only at run time. */
export interface GraphValue {
  readonly name: string;
  readonly dtype: string;
  /** Null where the file states no shape. */
  readonly shape: readonly number[] | null;
}

export interface GraphSignature {
  readonly inputs: readonly GraphValue[];
  readonly outputs: readonly GraphValue[];
}

/** Throws `contract-mismatch` with the first thing that differs. */
export function assertContractMatches(contract: ModelContract, graph: GraphSignature): void {
  compareAll('input', contract.inputs, graph.inputs);
  compareAll('output', contract.outputs, graph.outputs);
  compareLabels(contract);
}

/** No labels is fine (classes are then named by number); some must be one for each class. */
function compareLabels({ postprocess, outputs, labels }: ModelContract): void {
  if (postprocess.kind !== 'classify' || labels.length === 0) return;
  const classes = outputs.find(({ name }) => name === postprocess.output)?.shape.at(-1) ?? -1;
  if (classes === -1 || classes === labels.length) return;
  throw mismatch(
    `the output "${postprocess.output}" has ${classes} classes, the contract ${labels.length} labels`,
  );
}

function compareAll(kind: string, declared: readonly TensorSpec[], actual: readonly GraphValue[]): void {
  const byName = new Map(actual.map((value) => [value.name, value]));
  const names = actual.map((value) => value.name).join(', ');
  const seen = new Set<string>();
  for (const spec of declared) {
    if (seen.has(spec.name)) throw mismatch(`the ${kind} "${spec.name}" is declared twice`);
    seen.add(spec.name);
    const value = byName.get(spec.name);
    if (value === undefined) throw mismatch(`the model has no ${kind} "${spec.name}"; it has ${names}`);
    compareOne(`the ${kind} "${spec.name}"`, spec, value);
  }
  const missing = actual.find((value) => !seen.has(value.name));
  if (missing !== undefined) throw mismatch(`the contract does not declare the ${kind} "${missing.name}"`);
}

function compareOne(what: string, spec: TensorSpec, value: GraphValue): void {
  if (spec.dtype !== value.dtype) {
    throw mismatch(`${what} is ${value.dtype} in the model, ${spec.dtype} in the contract`);
  }
  const { shape } = value;
  if (shape === null) return;
  // A dimension that the file leaves open may be narrowed by the contract, not the other way round.
  const fits =
    shape.length === spec.shape.length &&
    shape.every((dimension, axis) => dimension === -1 || dimension === spec.shape[axis]);
  if (fits) return;
  throw mismatch(
    `${what} has the shape [${shape.join(', ')}] in the model, [${spec.shape.join(', ')}] in the contract`,
  );
}

function mismatch(what: string): HoldfastError {
  return new HoldfastError('contract-mismatch', `the contract does not match the ONNX file: ${what}`, {
    hint: 'make the contract from the very file that is imported',
  });
}
