// Walks protobuf fields in place, for files nobody trusts yet. Invariants: every read stays inside the given
// range, nothing is allocated from a declared length, and the fields read are counted against a budget.
// Source: the protobuf wire format (encoding.md).

import { HoldfastError } from '#protocol/errors.ts';

const MAX_TEXT_BYTES = 4096;

export const WIRE_VARINT = 0;
export const WIRE_FIXED64 = 1;
export const WIRE_BYTES = 2;
export const WIRE_FIXED32 = 5;

/** One field; `value` is NaN for what is no non-negative safe integer, `start` to `end` is its payload. */
export interface WireField {
  number: number;
  wireType: number;
  value: number;
  start: number;
  end: number;
}

/** Fields that may still be read; shared by all walks over one file. */
export interface FieldBudget {
  left: number;
}

/**
 * Yields the fields of the message in `bytes[start, end)`. The same object is yielded each time: read it before
 * asking for the next. Throws `onnx-malformed`.
 */
export function* readFields(
  bytes: Uint8Array,
  start: number,
  end: number,
  budget: FieldBudget,
): Generator<WireField, void, undefined> {
  const field: WireField = { number: 0, wireType: 0, value: 0, start: 0, end: 0 };
  let at = start;
  while (at < end) {
    if (--budget.left < 0) throw malformed('it has more fields than the limit');
    const tagEnd = varintEnd(bytes, at, end);
    const tag = varintValue(bytes, at, tagEnd);
    field.number = Math.floor(tag / 8);
    field.wireType = tag % 8;
    if (!(field.number >= 1 && field.number < 2 ** 29)) throw malformed('a field number is out of range');
    readPayload(bytes, tagEnd, end, field);
    at = field.end;
    yield field;
  }
}

function readPayload(bytes: Uint8Array, start: number, end: number, field: WireField): void {
  field.value = Number.NaN;
  field.start = start;
  if (field.wireType === WIRE_VARINT) {
    field.end = varintEnd(bytes, start, end);
    field.value = varintValue(bytes, start, field.end);
  } else if (field.wireType === WIRE_BYTES) {
    field.start = varintEnd(bytes, start, end);
    field.end = field.start + varintValue(bytes, start, field.start);
  } else if (field.wireType === WIRE_FIXED64) {
    field.end = start + 8;
  } else if (field.wireType === WIRE_FIXED32) {
    field.end = start + 4;
  } else {
    throw malformed(`wire type ${field.wireType} is not used by ONNX`);
  }
  if (!(field.end <= end)) throw malformed('a field runs past the end of its message');
}

/** Calls `visit` for every varint of a field that is repeated: one, or a packed run of them. */
export function forEachVarint(bytes: Uint8Array, field: WireField, visit: (value: number) => void): void {
  if (field.wireType === WIRE_VARINT) return visit(field.value);
  if (field.wireType !== WIRE_BYTES) throw malformed('a list of integers has the wrong wire type');
  const { start, end } = field;
  for (let at = start; at < end;) {
    const next = varintEnd(bytes, at, end);
    visit(varintValue(bytes, at, next));
    at = next;
  }
}

/** How many values a repeated scalar field holds; `elementBytes` is 0 for varints. */
export function countScalars(bytes: Uint8Array, field: WireField, elementBytes: 0 | 4 | 8): number {
  const single = elementBytes === 0 ? WIRE_VARINT : elementBytes === 4 ? WIRE_FIXED32 : WIRE_FIXED64;
  if (field.wireType === single) return 1;
  const length = field.end - field.start;
  if (field.wireType !== WIRE_BYTES || length % (elementBytes || 1) !== 0)
    throw malformed('a list is misformed');
  if (elementBytes > 0) return length / elementBytes;
  let count = 0;
  for (let at = field.start; at < field.end; at++) count += (bytes[at] as number) < 0x80 ? 1 : 0;
  if (length > 0 && (bytes[field.end - 1] as number) >= 0x80)
    throw malformed('a list of integers is cut off');
  return count;
}

/** Takes the entries of a list off the budget: each becomes an object of its own once it is decoded. */
export function chargeEntries(budget: FieldBudget, entries: number): number {
  budget.left -= entries;
  if (budget.left < 0) throw malformed('it has longer lists of integers than the limit');
  return entries;
}

/** The bytes of a name as a key: two fields have the same one only when they have the same bytes. */
export function nameKeyOf(bytes: Uint8Array, field: WireField): string {
  if (field.wireType !== WIRE_BYTES) throw malformed('a name has the wrong wire type');
  if (field.end - field.start > MAX_TEXT_BYTES)
    throw malformed(`a name is longer than ${MAX_TEXT_BYTES} bytes`);
  return Buffer.from(bytes.buffer, bytes.byteOffset + field.start, field.end - field.start).toString(
    'latin1',
  );
}

/** The text of a string field. Throws `onnx-malformed` for one that is too long or not UTF-8. */
export function textOf(bytes: Uint8Array, field: WireField): string {
  if (field.wireType !== WIRE_BYTES) throw malformed('a text has the wrong wire type');
  if (field.end - field.start > MAX_TEXT_BYTES)
    throw malformed(`a name is longer than ${MAX_TEXT_BYTES} bytes`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(field.start, field.end));
  } catch (cause) {
    throw malformed('a name is not UTF-8', cause);
  }
}

/** The error for every way in which a file is not ONNX. */
export function malformed(what: string, cause?: unknown): HoldfastError {
  return new HoldfastError('onnx-malformed', `not a usable ONNX file: ${what}`, {
    hint: 'export the model again and compare its sha256 with what was sent',
    ...(cause === undefined ? {} : { cause }),
  });
}

function varintEnd(bytes: Uint8Array, start: number, end: number): number {
  const last = Math.min(end, start + 10);
  for (let at = start; at < last; at++) if ((bytes[at] as number) < 0x80) return at + 1;
  throw malformed(last === end ? 'it is cut off' : 'an integer has more than 10 bytes');
}

function varintValue(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let at = end - 1; at >= start; at--) value = value * 128 + ((bytes[at] as number) & 0x7f);
  return Number.isSafeInteger(value) ? value : Number.NaN;
}
