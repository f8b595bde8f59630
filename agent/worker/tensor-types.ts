// Tensor data types three ways: Open Inference Protocol name, onnxruntime name, typed array.

import { HoldfastError } from '#protocol/errors.ts';
import type { TensorDtype } from '#protocol/model-contract.ts';
import type { Tensor } from '../ports/runtime.ts';

type Numbers =
  | Uint8Array | Uint16Array | Uint32Array | BigUint64Array | Int8Array | Int16Array | Int32Array | BigInt64Array
  | Float32Array | Float64Array; // prettier-ignore

interface TypeRow {
  readonly ort: string;
  readonly bytes: number;
  readonly view: (buffer: ArrayBufferLike, byteOffset: number, length: number) => Numbers;
}

/** FP16 elements are viewed as their bits. */
const TYPES: Readonly<Record<TensorDtype, TypeRow>> = {
  BOOL: { ort: 'bool', bytes: 1, view: (b, at, n) => new Uint8Array(b, at, n) },
  UINT8: { ort: 'uint8', bytes: 1, view: (b, at, n) => new Uint8Array(b, at, n) },
  UINT16: { ort: 'uint16', bytes: 2, view: (b, at, n) => new Uint16Array(b, at, n) },
  UINT32: { ort: 'uint32', bytes: 4, view: (b, at, n) => new Uint32Array(b, at, n) },
  UINT64: { ort: 'uint64', bytes: 8, view: (b, at, n) => new BigUint64Array(b, at, n) },
  INT8: { ort: 'int8', bytes: 1, view: (b, at, n) => new Int8Array(b, at, n) },
  INT16: { ort: 'int16', bytes: 2, view: (b, at, n) => new Int16Array(b, at, n) },
  INT32: { ort: 'int32', bytes: 4, view: (b, at, n) => new Int32Array(b, at, n) },
  INT64: { ort: 'int64', bytes: 8, view: (b, at, n) => new BigInt64Array(b, at, n) },
  FP16: { ort: 'float16', bytes: 2, view: (b, at, n) => new Uint16Array(b, at, n) },
  FP32: { ort: 'float32', bytes: 4, view: (b, at, n) => new Float32Array(b, at, n) },
  FP64: { ort: 'float64', bytes: 8, view: (b, at, n) => new Float64Array(b, at, n) },
};

const BY_ORT = new Map(Object.entries(TYPES).map(([dtype, row]) => [row.ort, dtype as TensorDtype]));

export function elementBytes(dtype: TensorDtype): number {
  return TYPES[dtype].bytes;
}

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

/** Null for a type that no contract can name (strings, 4-bit integers). */
export function dtypeOfOrt(ortType: string): TensorDtype | null {
  return BY_ORT.get(ortType) ?? null;
}

export function ortTypeOf(dtype: TensorDtype): string {
  return TYPES[dtype].ort;
}

/** The tensor's elements, in place when its bytes are aligned. Throws `bad-request` when shape and bytes differ. */
export function elementsOf(tensor: Tensor): Numbers {
  if (tensor.dtype === 'BYTES') throw new HoldfastError('bad-request', 'a BYTES tensor has no numbers');
  const { bytes, view } = TYPES[tensor.dtype];
  const count = elementCount(tensor.shape);
  const { data } = tensor;
  if (count * bytes !== data.byteLength) {
    throw new HoldfastError('bad-request', `a ${tensor.dtype} tensor of shape [${tensor.shape.join(', ')}] needs ${count * bytes} bytes, got ${data.byteLength}`); // prettier-ignore
  }
  if (data.byteOffset % bytes === 0) return view(data.buffer, data.byteOffset, count);
  return view(data.slice().buffer, 0, count);
}

/** False when any element is NaN or infinite; integers always are finite. */
export function isFiniteTensor(tensor: Tensor): boolean {
  if (tensor.dtype === 'FP16')
    return (elementsOf(tensor) as Uint16Array).every((bits) => (bits & 0x7c00) !== 0x7c00);
  if (tensor.dtype !== 'FP32' && tensor.dtype !== 'FP64') return true;
  const elements = elementsOf(tensor) as Float32Array | Float64Array;
  for (let index = 0; index < elements.length; index++) {
    if (!Number.isFinite(elements[index])) return false;
  }
  return true;
}

/** Elements as numbers, for arithmetic on outputs: FP16 is widened, 64-bit integers are rounded. */
export function numbersOf(tensor: Tensor): ArrayLike<number> {
  const elements = elementsOf(tensor);
  if (tensor.dtype === 'FP16') return Float64Array.from(elements as Uint16Array, halfToNumber);
  if (elements instanceof BigInt64Array || elements instanceof BigUint64Array) {
    return Float64Array.from(elements as Iterable<bigint>, Number);
  }
  return elements;
}

/** IEEE 754 binary16 from its bits. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
