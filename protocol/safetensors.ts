// The safetensors container: 8-byte little-endian header length, JSON header, raw little-endian tensors.
// Source: the format description of the safetensors project. Invariant: offsets cover the buffer without
// holes or overlaps, and no allocation is sized by a declared number.

import { HoldfastError } from './errors.ts';

/** Bytes an element of each supported dtype takes. */
const ELEMENT_BYTES = {
  BOOL: 1, U8: 1, I8: 1, U16: 2, I16: 2, F16: 2, BF16: 2, U32: 4, I32: 4, F32: 4, U64: 8, I64: 8, F64: 8,
} as const; // prettier-ignore
export type SafetensorsDtype = keyof typeof ELEMENT_BYTES;

export interface SafeTensor {
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  /** Raw little-endian bytes, `product(shape) * element size` of them. */
  readonly data: Uint8Array;
}

export interface SafetensorsLimits {
  readonly maxHeaderBytes: number;
  readonly maxTensors: number;
}

const DEFAULT_LIMITS: SafetensorsLimits = { maxHeaderBytes: 16 * 1024 ** 2, maxTensors: 100_000 };
const ALIGNMENT_BYTES = 8;

/** Packs named tensors in the given order; the header is padded with spaces to 8 bytes. */
export function encodeSafetensors(
  tensors: Readonly<Record<string, SafeTensor>>,
  metadata?: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  // Without a prototype a tensor may have any name.
  const header: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  if (metadata !== undefined) header['__metadata__'] = metadata;
  let end = 0;
  for (const [name, tensor] of Object.entries(tensors)) {
    if (name === '__metadata__') throw malformed('a tensor cannot be named __metadata__');
    const expected = byteLength(tensor.dtype, tensor.shape);
    if (expected !== tensor.data.byteLength) {
      throw malformed(`tensor ${name} has ${tensor.data.byteLength} bytes, its shape needs ${expected}`);
    }
    header[name] = { dtype: tensor.dtype, shape: tensor.shape, data_offsets: [end, end + expected] };
    end += expected;
  }
  const json = JSON.stringify(header);
  const raw = new TextEncoder().encode(json);
  const headerBytes = Math.ceil(raw.length / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
  const out = new Uint8Array(8 + headerBytes + end);
  new DataView(out.buffer).setBigUint64(0, BigInt(headerBytes), true);
  out.fill(0x20, 8, 8 + headerBytes);
  out.set(raw, 8);
  let at = 8 + headerBytes;
  for (const tensor of Object.values(tensors)) {
    out.set(tensor.data, at);
    at += tensor.data.byteLength;
  }
  return out;
}

/** Unpacks; the tensors are views on `bytes`. Throws `safetensors-malformed`. */
export function decodeSafetensors(
  bytes: Uint8Array,
  limits: SafetensorsLimits = DEFAULT_LIMITS,
): Map<string, SafeTensor> {
  if (bytes.byteLength < 8) throw malformed('shorter than its 8-byte header length');
  const declared = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (declared > BigInt(limits.maxHeaderBytes))
    throw malformed(`header of ${declared} bytes is over the limit`);
  const headerEnd = 8 + Number(declared);
  if (headerEnd > bytes.byteLength) throw malformed('header runs past the end of the file');
  const entries = parseHeader(bytes.subarray(8, headerEnd), limits);
  const body = bytes.subarray(headerEnd);
  let end = 0;
  const tensors = new Map<string, SafeTensor>();
  for (const [name, entry] of entries) {
    const { dtype, shape, begin, stop } = parseEntry(name, entry);
    if (begin !== end)
      throw malformed(`tensor ${name} begins at ${begin}, expected ${end} (hole or overlap)`);
    if (stop - begin !== byteLength(dtype, shape))
      throw malformed(`tensor ${name}: offsets do not fit its shape`);
    if (stop > body.byteLength) throw malformed(`tensor ${name} runs past the end of the file`);
    tensors.set(name, { dtype, shape, data: body.subarray(begin, stop) });
    end = stop;
  }
  if (end !== body.byteLength) throw malformed(`${body.byteLength - end} bytes after the last tensor`);
  return tensors;
}

/** Copies a tensor's bytes into an aligned Float32Array. Throws unless the dtype is F32. */
export function float32Of(tensor: SafeTensor): Float32Array {
  if (tensor.dtype !== 'F32') throw malformed(`expected an F32 tensor, got ${tensor.dtype}`);
  return new Float32Array(new Uint8Array(tensor.data).buffer); // slice() of a Node Buffer would not copy
}

function parseHeader(raw: Uint8Array, limits: SafetensorsLimits): [string, unknown][] {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(raw));
  } catch (cause) {
    throw malformed('header is not JSON', cause);
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header))
    throw malformed('header is not an object');
  const entries = Object.entries(header).filter(([name]) => name !== '__metadata__');
  if (entries.length > limits.maxTensors) throw malformed(`more than ${limits.maxTensors} tensors`);
  return entries.sort((a, b) => beginOf(a[1]) - beginOf(b[1]) || stopOf(a[1]) - stopOf(b[1]));
}

function offsetsOf(entry: unknown): unknown[] {
  const offsets = (entry as { data_offsets?: unknown } | null)?.data_offsets;
  return Array.isArray(offsets) ? (offsets as unknown[]) : [];
}
const beginOf = (entry: unknown): number => Number(offsetsOf(entry)[0]);
const stopOf = (entry: unknown): number => Number(offsetsOf(entry)[1]);

function parseEntry(name: string, entry: unknown) {
  const { dtype, shape } = (entry ?? {}) as { dtype?: unknown; shape?: unknown };
  const begin = beginOf(entry);
  const stop = stopOf(entry);
  if (typeof dtype !== 'string' || !Object.hasOwn(ELEMENT_BYTES, dtype)) {
    throw malformed(`tensor ${name} has unknown dtype ${String(dtype)}`);
  }
  if (!Array.isArray(shape) || shape.length > 16 || !shape.every((d) => Number.isSafeInteger(d) && d >= 0)) {
    throw malformed(`tensor ${name} has a bad shape`);
  }
  if (!Number.isSafeInteger(begin) || !Number.isSafeInteger(stop) || begin < 0 || stop < begin) {
    throw malformed(`tensor ${name} has bad offsets`);
  }
  return { dtype: dtype as SafetensorsDtype, shape: shape as number[], begin, stop };
}

function byteLength(dtype: SafetensorsDtype, shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, ELEMENT_BYTES[dtype]);
}

function malformed(what: string, cause?: unknown): HoldfastError {
  return new HoldfastError('safetensors-malformed', `not a valid safetensors file: ${what}`, {
    hint: 'write it with a safetensors library, or send it again if it was cut off',
    ...(cause === undefined ? {} : { cause }),
  });
}
