// What each ONNX element type is called in the Open Inference Protocol and how a TensorProto stores it.
// Source: TensorProto in onnx.proto (raw_data and the typed data fields).

import { TensorProtoDataType as T } from './onnx-types.ts';
import type { TensorDtype } from '#protocol/model-contract.ts';

/** A dtype of the protocol, one it has no contract for (`BF16`, `BYTES`), or `OTHER` for all the rest. */
export type OnnxDtype = TensorDtype | 'BF16' | 'BYTES' | 'OTHER';

/** The typed field that may hold the data instead of `raw_data`, and how many entries an element takes there. */
export type TypedField = 'floatData' | 'doubleData' | 'int32Data' | 'int64Data' | 'uint64Data' | 'stringData';

export interface ElementType {
  readonly dtype: OnnxDtype;
  /** Bits an element takes in `raw_data`; 0 where raw data is not allowed. */
  readonly bits: number;
  readonly field: TypedField;
  readonly entriesPerElement: number;
}

const element = (dtype: OnnxDtype, bits: number, field: TypedField, entriesPerElement = 1): ElementType => ({
  dtype,
  bits,
  field,
  entriesPerElement,
});

/** Element types by their `TensorProto.DataType` number. */
export const ELEMENT_TYPES: ReadonlyMap<number, ElementType> = new Map([
  [T.FLOAT, element('FP32', 32, 'floatData')],
  [T.UINT8, element('UINT8', 8, 'int32Data')],
  [T.INT8, element('INT8', 8, 'int32Data')],
  [T.UINT16, element('UINT16', 16, 'int32Data')],
  [T.INT16, element('INT16', 16, 'int32Data')],
  [T.INT32, element('INT32', 32, 'int32Data')],
  [T.INT64, element('INT64', 64, 'int64Data')],
  [T.STRING, element('BYTES', 0, 'stringData')],
  [T.BOOL, element('BOOL', 8, 'int32Data')],
  [T.FLOAT16, element('FP16', 16, 'int32Data')],
  [T.DOUBLE, element('FP64', 64, 'doubleData')],
  [T.UINT32, element('UINT32', 32, 'uint64Data')],
  [T.UINT64, element('UINT64', 64, 'uint64Data')],
  [T.COMPLEX64, element('OTHER', 64, 'floatData', 2)],
  [T.COMPLEX128, element('OTHER', 128, 'doubleData', 2)],
  [T.BFLOAT16, element('BF16', 16, 'int32Data')],
  [T.FLOAT8E4M3FN, element('OTHER', 8, 'int32Data')],
  [T.FLOAT8E4M3FNUZ, element('OTHER', 8, 'int32Data')],
  [T.FLOAT8E5M2, element('OTHER', 8, 'int32Data')],
  [T.FLOAT8E5M2FNUZ, element('OTHER', 8, 'int32Data')],
  [T.UINT4, element('OTHER', 4, 'int32Data', 1 / 2)],
  [T.INT4, element('OTHER', 4, 'int32Data', 1 / 2)],
  [T.FLOAT4E2M1, element('OTHER', 4, 'int32Data', 1 / 2)],
  [T.FLOAT8E8M0, element('OTHER', 8, 'int32Data')],
  [T.UINT2, element('OTHER', 2, 'int32Data', 1 / 4)],
  [T.INT2, element('OTHER', 2, 'int32Data', 1 / 4)],
  [T.FLOAT6E2M3, element('OTHER', 6, 'int32Data')],
  [T.FLOAT6E3M2, element('OTHER', 6, 'int32Data')],
]);

/** The Open Inference Protocol name of an ONNX element type. */
export function dtypeOf(dataType: number): OnnxDtype {
  return ELEMENT_TYPES.get(dataType)?.dtype ?? 'OTHER';
}
