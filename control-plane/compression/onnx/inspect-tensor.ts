// Bounded check of one serialised TensorProto: the declared shape must fit the data that is really there.
// Invariant: dims are only multiplied, never used to allocate. Source: TensorProto in onnx.proto.

import { HoldfastError } from '#protocol/errors.ts';
import { ELEMENT_TYPES, type TypedField } from './data-types.ts';
import { TensorProtoDataLocation } from './onnx-types.ts';
import { fieldNumber } from './schema.ts';
import type { FieldBudget, WireField } from './wire.ts';
import {
  chargeEntries,
  countScalars,
  forEachVarint,
  malformed,
  readFields,
  textOf,
  WIRE_BYTES,
  WIRE_VARINT,
} from './wire.ts';

const number = (field: string) => fieldNumber('TensorProto', field);

const FIELD = {
  dims: number('dims'),
  dataType: number('dataType'),
  segment: number('segment'),
  name: number('name'),
  rawData: number('rawData'),
  externalData: number('externalData'),
  dataLocation: number('dataLocation'),
};

const TYPED_FIELDS: ReadonlyMap<number, { field: TypedField; elementBytes: 0 | 4 | 8 }> = new Map([
  [number('floatData'), { field: 'floatData', elementBytes: 4 }],
  [number('doubleData'), { field: 'doubleData', elementBytes: 8 }],
  [number('int32Data'), { field: 'int32Data', elementBytes: 0 }],
  [number('int64Data'), { field: 'int64Data', elementBytes: 0 }],
  [number('uint64Data'), { field: 'uint64Data', elementBytes: 0 }],
]);
/** Their entries are decoded to objects; the others to numbers. */
const LONG_FIELDS: ReadonlySet<TypedField> = new Set(['int64Data', 'uint64Data']);
const STRING_DATA = number('stringData');
/** More dimensions no kernel of ONNX Runtime takes. */
const MAX_RANK = 64;

export interface TensorSummary {
  readonly name: string;
  /** Bytes of data held in the file, whatever field they stand in. */
  readonly dataBytes: number;
  readonly isExternal: boolean;
}

interface Seen extends TensorSummary {
  rank: number;
  isExternal: boolean;
  elements: number;
  dataType: number;
  rawBytes: number | null;
  typedEntries: Map<TypedField, number>;
  dataBytes: number;
  name: string;
}

/**
 * Checks the tensor in `bytes[start, end)`; of one whose data lies outside, only what is in the file. Throws
 * `onnx-malformed` or `onnx-external-data`.
 */
export function inspectTensor(
  bytes: Uint8Array,
  start: number,
  end: number,
  budget: FieldBudget,
  allowsExternalData: boolean,
): TensorSummary {
  const seen: Seen = {
    rank: 0,
    isExternal: false,
    elements: 1,
    dataType: 0,
    rawBytes: null,
    typedEntries: new Map(),
    dataBytes: 0,
    name: '',
  };
  for (const field of readFields(bytes, start, end, budget)) readTensorField(bytes, field, seen, budget);
  if (seen.isExternal && !allowsExternalData) throw outside(seen.name);
  if (!seen.isExternal) checkData(seen);
  return seen;
}

function readTensorField(bytes: Uint8Array, field: WireField, seen: Seen, budget: FieldBudget): void {
  const typed = TYPED_FIELDS.get(field.number);
  if (typed !== undefined) {
    const entries = countScalars(bytes, field, typed.elementBytes);
    if (LONG_FIELDS.has(typed.field)) chargeEntries(budget, entries);
    addEntries(seen, typed.field, entries, field.end - field.start);
  } else if (field.number === STRING_DATA) {
    addEntries(seen, 'stringData', 1, field.end - field.start);
  } else if (field.number === FIELD.dims) {
    forEachVarint(bytes, field, (dim) => {
      if (++seen.rank > MAX_RANK) throw malformed(`a tensor has more than ${MAX_RANK} dimensions`);
      seen.elements = multiply(seen.elements, dim);
    });
  } else if (field.number === FIELD.dataType) {
    seen.dataType = field.value;
  } else if (field.number === FIELD.name) {
    seen.name = textOf(bytes, field);
  } else if (field.number === FIELD.rawData) {
    if (field.wireType !== WIRE_BYTES || seen.rawBytes !== null) throw malformed('a tensor has bad raw data');
    seen.rawBytes = field.end - field.start;
    seen.dataBytes += seen.rawBytes;
  } else if (field.number === FIELD.segment) {
    throw malformed('a tensor is split into segments, which no runtime reads');
  } else if (field.number === FIELD.externalData || isExternal(field)) {
    seen.isExternal = true;
  }
}

function outside(name: string): HoldfastError {
  return new HoldfastError('onnx-external-data', `tensor "${name}" keeps its data outside the file`, {
    hint: 'save the model as one file, with all tensors inside (onnx.save without save_as_external_data)',
  });
}

function isExternal(field: WireField): boolean {
  if (field.number !== FIELD.dataLocation) return false;
  if (field.wireType !== WIRE_VARINT) throw malformed('a data location has the wrong wire type');
  return field.value !== TensorProtoDataLocation.DEFAULT;
}

function addEntries(seen: Seen, field: TypedField, entries: number, sizeBytes: number): void {
  seen.typedEntries.set(field, (seen.typedEntries.get(field) ?? 0) + entries);
  seen.dataBytes += sizeBytes;
}

function multiply(product: number, dim: number): number {
  if (Number.isNaN(dim)) throw malformed('a tensor has a negative dimension');
  const next = product * dim;
  if (!Number.isSafeInteger(next)) throw malformed('the dimensions of a tensor overflow');
  return next;
}

function checkData(seen: Seen): void {
  const type = ELEMENT_TYPES.get(seen.dataType);
  const what = `tensor "${seen.name}"`;
  if (type === undefined) throw malformed(`${what} has the unknown element type ${seen.dataType}`);
  if (seen.rawBytes !== null) {
    const expected = Math.ceil((seen.elements * type.bits) / 8);
    const rawAllowed = type.bits > 0 && [...seen.typedEntries.values()].every((entries) => entries === 0);
    if (!rawAllowed || seen.rawBytes !== expected) {
      throw malformed(`${what} holds ${seen.rawBytes} raw bytes, its shape and type need ${expected}`);
    }
    return;
  }
  const expected = Math.ceil(seen.elements * type.entriesPerElement);
  for (const [field, entries] of seen.typedEntries) {
    if (field !== type.field && entries > 0)
      throw malformed(`${what} holds its data in the wrong field (${field})`);
  }
  const entries = seen.typedEntries.get(type.field) ?? 0;
  if (entries !== expected) throw malformed(`${what} holds ${entries} values, its shape needs ${expected}`);
}
