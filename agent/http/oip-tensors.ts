// Tensors in JSON: nested or flat arrays of numbers or strings to raw little-endian bytes, and back. Pure.

import { HoldfastError } from '#protocol/errors.ts';
import type { TensorDtype } from '#protocol/model-contract.ts';
import type { Tensor } from '../ports/runtime.ts';
import { elementBytes, elementCount, elementsOf, numbersOf } from '../worker/tensor-types.ts';

const INTEGER_RANGE: Readonly<Partial<Record<TensorDtype, readonly [bigint, bigint]>>> = {
  UINT8: [0n, 2n ** 8n - 1n], UINT16: [0n, 2n ** 16n - 1n], UINT32: [0n, 2n ** 32n - 1n], UINT64: [0n, 2n ** 64n - 1n],
  INT8: [-(2n ** 7n), 2n ** 7n - 1n], INT16: [-(2n ** 15n), 2n ** 15n - 1n], INT32: [-(2n ** 31n), 2n ** 31n - 1n],
  INT64: [-(2n ** 63n), 2n ** 63n - 1n],
}; // prettier-ignore
const MAX_DEPTH = 9;
const MAX_SHOWN_CHARS = 100;

/** `data` as sent, nested or flat, row-major. Strings of BYTES are UTF-8, or base64 when so said. Throws `bad-request`. */
export function tensorFromJson(
  name: string,
  dtype: Tensor['dtype'],
  shape: readonly number[],
  data: unknown,
  isBase64: boolean,
): Tensor {
  const count = elementCount(shape);
  const flat = flatten(name, data, count);
  if (flat.length !== count) throw bad(`input ${name} has ${flat.length} elements, its shape needs ${count}`);
  if (dtype === 'BYTES') return { dtype, shape, data: packStrings(name, flat, isBase64) };
  if (dtype === 'FP16') throw bad(`input ${name}: FP16 has no JSON form; send it as a binary tensor`);
  const bytes = new Uint8Array(count * elementBytes(dtype));
  const elements = elementsOf({ dtype, shape, data: bytes });
  flat.forEach((value, index) => {
    const number = numberFor(name, dtype, value);
    if (typeof number === 'bigint') (elements as BigInt64Array)[index] = number;
    else (elements as Float64Array)[index] = number;
  });
  return { dtype, shape, data: bytes };
}

/** Flat JSON data of an output. 64-bit integers beyond 2^53 are rounded; the binary form is exact. */
export function tensorToJson(tensor: Tensor): (number | boolean | string)[] {
  if (tensor.dtype === 'BYTES') return unpackStrings(tensor.data);
  const numbers = Array.from(numbersOf(tensor));
  return tensor.dtype === 'BOOL' ? numbers.map((value) => value !== 0) : numbers;
}

/** BYTES elements, each with its 4-byte little-endian length before it. */
export function packElements(elements: readonly Uint8Array[]): Uint8Array {
  const packed = Buffer.allocUnsafe(elements.reduce((sum, element) => sum + 4 + element.length, 0));
  let at = 0;
  for (const element of elements) {
    packed.writeUInt32LE(element.length, at);
    packed.set(element, at + 4);
    at += 4 + element.length;
  }
  return packed;
}

function packStrings(name: string, values: readonly unknown[], isBase64: boolean): Uint8Array {
  return packElements(
    values.map((value) => {
      if (typeof value !== 'string') throw bad(`input ${name}: elements of BYTES are strings`);
      return Buffer.from(value, isBase64 ? 'base64' : 'utf8');
    }),
  );
}

function unpackStrings(packed: Uint8Array): string[] {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  const strings: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 4 + bytes.readUInt32LE(at);
    strings.push(bytes.toString('utf8', at + 4, end));
    at = end;
  }
  return strings;
}

function flatten(name: string, data: unknown, limit: number): unknown[] {
  if (!Array.isArray(data)) throw bad(`input ${name} needs \`data\`, an array, or a binary_data_size`);
  const flat: unknown[] = [];
  const walk = (values: unknown[], depth: number): void => {
    if (depth > MAX_DEPTH) throw bad(`input ${name} is nested too deeply`);
    for (const value of values) {
      if (Array.isArray(value)) walk(value, depth + 1);
      else if (flat.push(value) > limit)
        throw bad(`input ${name} has more elements than its shape of ${limit}`);
    }
  };
  walk(data as unknown[], 1);
  return flat;
}

function numberFor(name: string, dtype: TensorDtype, value: unknown): number | bigint {
  if (dtype === 'BOOL') {
    if (typeof value === 'boolean' || value === 0 || value === 1) return Number(value);
    throw bad(`input ${name}: ${shown(value)} is not a BOOL`);
  }
  const range = INTEGER_RANGE[dtype];
  if (typeof value !== 'number') throw bad(`input ${name}: ${shown(value)} is not a number`);
  if (range === undefined) return value;
  const isInRange = Number.isInteger(value) && BigInt(value) >= range[0] && BigInt(value) <= range[1];
  if (!isInRange) throw bad(`input ${name}: ${value} is not of type ${dtype}`);
  return dtype === 'INT64' || dtype === 'UINT64' ? BigInt(value) : value;
}

function shown(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value.slice(0, MAX_SHOWN_CHARS)) : `a ${typeof value}`;
}

function bad(what: string): HoldfastError {
  return new HoldfastError('bad-request', what, {
    hint: 'see the model metadata for names, types and shapes',
  });
}
