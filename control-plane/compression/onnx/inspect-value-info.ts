// Name, dtype and shape of one serialised ValueInfoProto (a graph input or output).

import { dtypeOf, type OnnxDtype } from './data-types.ts';
import { fieldNumber } from './schema.ts';
import { malformed, readFields, textOf, WIRE_BYTES, type FieldBudget, type WireField } from './wire.ts';

export interface ValueSummary {
  readonly name: string;
  readonly dtype: OnnxDtype;
  /** -1 for a dimension known only at run time; null where the file states no shape at all. */
  readonly shape: readonly number[] | null;
}

const NAME = fieldNumber('ValueInfoProto', 'name');
const TYPE = fieldNumber('ValueInfoProto', 'type');
const TENSOR_TYPE = fieldNumber('TypeProto', 'tensorType');
const ELEM_TYPE = fieldNumber('TypeProto.Tensor', 'elemType');
const SHAPE = fieldNumber('TypeProto.Tensor', 'shape');
const DIM = fieldNumber('TensorShapeProto', 'dim');
const DIM_VALUE = fieldNumber('TensorShapeProto.Dimension', 'dimValue');

/** A tensor of more dimensions is refused; ONNX Runtime's own kernels stop far earlier. */
const MAX_RANK = 64;

/** Reads the value info in `bytes[start, end)`. Throws `onnx-malformed`. */
export function inspectValueInfo(
  bytes: Uint8Array,
  start: number,
  end: number,
  budget: FieldBudget,
): ValueSummary {
  let name = '';
  let dtype: OnnxDtype = 'OTHER';
  let shape: number[] | null = null;

  const enter = (field: WireField) => {
    if (field.wireType !== WIRE_BYTES) throw malformed('a value info has the wrong wire type');
    return readFields(bytes, field.start, field.end, budget);
  };
  const readShape = (shapeField: WireField) => {
    const dims: number[] = [];
    for (const field of enter(shapeField)) {
      if (field.number !== DIM) continue;
      let dim = -1;
      for (const inner of enter(field)) if (inner.number === DIM_VALUE) dim = dimOf(inner.value);
      if (dims.push(dim) > MAX_RANK) throw malformed(`a tensor has more than ${MAX_RANK} dimensions`);
    }
    return dims;
  };
  for (const field of readFields(bytes, start, end, budget)) {
    if (field.number === NAME) name = textOf(bytes, field);
    if (field.number !== TYPE) continue;
    for (const typeField of enter(field)) {
      if (typeField.number !== TENSOR_TYPE) continue;
      for (const tensorField of enter(typeField)) {
        if (tensorField.number === ELEM_TYPE) dtype = dtypeOf(tensorField.value);
        if (tensorField.number === SHAPE) shape = readShape(tensorField);
      }
    }
  }
  return { name, dtype, shape };
}

/** Exporters write a dynamic dimension as a name, as nothing, as 0 or as -1. */
function dimOf(value: number): number {
  return Number.isNaN(value) || value > 2 ** 31 - 1 || value === 0 ? -1 : value;
}
