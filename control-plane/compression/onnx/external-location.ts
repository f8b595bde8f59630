// Where a tensor's data lies outside the model's file: reads and checks the entries of TensorProto.external_data.
// Invariant: a location that passes names something below the model's folder, by its text; a range that passes
// is as long as the tensor's type and shape need. Source: ONNX's docs/ExternalData.md.

import { HoldfastError } from '#protocol/errors.ts';
import { ELEMENT_TYPES } from './data-types.ts';
import { TensorProtoDataLocation, type TensorProto } from './onnx-types.ts';
import { dimsOf } from './tensor-data.ts';

export interface ExternalRange {
  /** Relative path below the model's folder, parts separated by `/`. */
  readonly location: string;
  readonly offset: number;
  /** Bytes of the tensor. */
  readonly length: number;
}

const MAX_LOCATION_CHARS = 1024;

export function isExternal(tensor: TensorProto): boolean {
  return tensor.dataLocation === TensorProtoDataLocation.EXTERNAL;
}

/** The entries of an external tensor. Throws `onnx-external-data`. */
export function externalRange(tensor: TensorProto): ExternalRange {
  const entries = new Map(tensor.externalData.map(({ key = '', value = '' }) => [key, value]));
  const needed = dataBytes(tensor);
  const location = checkedLocation(tensor, entries.get('location') ?? '');
  const offset = checkedNumber(tensor, 'offset', entries.get('offset') ?? '0');
  const length = checkedNumber(tensor, 'length', entries.get('length') ?? String(needed));
  if (length !== needed)
    throw externalError(tensor, `has a length of ${length} bytes, its type and shape need ${needed}`);
  return { location, offset, length };
}

/** Bytes that a tensor's type and shape need. Throws `onnx-external-data`. */
export function dataBytes(tensor: TensorProto): number {
  const bits = ELEMENT_TYPES.get(tensor.dataType ?? 0)?.bits ?? 0;
  const dims = dimsOf(tensor);
  const bytes = Math.ceil(dims.reduce((product, dim) => product * dim, bits) / 8);
  if (bits === 0) throw externalError(tensor, 'has an element type that cannot lie outside the file');
  if (dims.some((dim) => dim < 0) || !Number.isSafeInteger(bytes))
    throw externalError(tensor, 'has a shape that no data can fill');
  return bytes;
}

export function externalError(tensor: TensorProto, what: string, cause?: unknown): HoldfastError {
  return new HoldfastError('onnx-external-data', `the data of tensor "${tensor.name ?? ''}" ${what}`, {
    hint: 'keep the data files beside the model, as plain files of their own, or save the model as one file',
    ...(cause === undefined ? {} : { cause }),
  });
}

function checkedLocation(tensor: TensorProto, location: string): string {
  const parts = location.split('/').filter((part) => part !== '.');
  const isPlain =
    location.length <= MAX_LOCATION_CHARS &&
    !/[\\\0]/.test(location) &&
    !/^[A-Za-z]:/.test(location) &&
    parts.length > 0 &&
    parts.every((part) => part !== '' && part !== '..');
  if (!isPlain) {
    const shown = JSON.stringify(location.slice(0, 200));
    throw externalError(tensor, `is said to be at ${shown}, which is no path below the model's folder`);
  }
  return parts.join('/');
}

function checkedNumber(tensor: TensorProto, key: string, text: string): number {
  const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(number))
    throw externalError(
      tensor,
      `has the ${key} ${JSON.stringify(text.slice(0, 40))}, which is no number of bytes`,
    );
  return number;
}
