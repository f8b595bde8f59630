// Length-prefixed frames between supervisor and worker: u32 length of the rest, u32 header length, JSON
// header padded with spaces, raw little-endian tensors. Invariants: every tensor starts at a multiple of
// 8 bytes from the frame's start, so typed arrays can view it in place; nothing is allocated for a length
// over the limit.

import { HoldfastError } from '#protocol/errors.ts';
import type { Tensor } from '../ports/runtime.ts';
import { freeBytes } from './free-bytes.ts';

/** A whole frame, its own length field included. */
export const MAX_FRAME_BYTES = 256 * 1024 ** 2;
const MAX_HEADER_BYTES = 16 * 1024 ** 2;
const MAX_TENSORS = 1_024;
const ALIGNMENT_BYTES = 8;
const PREFIX_BYTES = 8;
const PADDING = new Uint8Array(ALIGNMENT_BYTES);

export type Tensors = Readonly<Record<string, Tensor>>;

export interface Frame {
  readonly message: unknown;
  readonly tensors: Tensors;
  /**
   * Gives the tensors' memory back at once; they are empty then. The collector would come for it anyway, but
   * large buffers make it come often: it counts them, and collects everything each 64 MB.
   */
  free(): void;
}

type TensorEntry = readonly [name: string, dtype: string, shape: readonly number[], sizeBytes: number];

/** The frame's bytes as parts to write one after another; tensor data is not copied. Throws `body-too-large`. */
export function encodeFrame(message: unknown, tensors: Tensors = {}): Uint8Array[] {
  const parts: Uint8Array[] = [];
  const entries: TensorEntry[] = [];
  let bodyBytes = 0;
  for (const name of Object.keys(tensors)) {
    const { dtype, shape, data } = tensors[name] as Tensor;
    entries.push([name, dtype, shape, data.byteLength]);
    const padding = paddingOf(data.byteLength);
    parts.push(data);
    if (padding > 0) parts.push(PADDING.subarray(0, padding));
    bodyBytes += data.byteLength + padding;
  }
  const json = JSON.stringify([message, entries]);
  const jsonBytes = Buffer.byteLength(json);
  const headerBytes = jsonBytes + paddingOf(jsonBytes);
  const totalBytes = PREFIX_BYTES + headerBytes + bodyBytes;
  if (totalBytes > MAX_FRAME_BYTES) throw tooLarge(totalBytes);
  const head = Buffer.allocUnsafe(PREFIX_BYTES + headerBytes);
  head.writeUInt32LE(totalBytes - 4, 0);
  head.writeUInt32LE(headerBytes, 4);
  head.write(json, PREFIX_BYTES);
  head.fill(0x20, PREFIX_BYTES + jsonBytes);
  parts.unshift(head);
  return parts;
}

/** Takes a whole frame apart; the tensors are views on `bytes`. Throws `bad-request`. */
export function decodeFrame(bytes: Buffer): Frame {
  const headerBytes = bytes.readUInt32LE(4);
  if (headerBytes > MAX_HEADER_BYTES || PREFIX_BYTES + headerBytes > bytes.byteLength) {
    throw malformed(`a header of ${headerBytes} bytes`);
  }
  const [message, entries] = parseHeader(bytes.toString('utf8', PREFIX_BYTES, PREFIX_BYTES + headerBytes));
  const tensors: Record<string, Tensor> = {};
  let at = PREFIX_BYTES + headerBytes;
  for (const entry of entries) {
    const [name, dtype, shape, sizeBytes] = checkEntry(entry);
    if (at + sizeBytes > bytes.byteLength) throw malformed(`tensor ${name} runs past the end`);
    tensors[name] = { dtype: dtype as Tensor['dtype'], shape, data: bytes.subarray(at, at + sizeBytes) };
    at += sizeBytes + paddingOf(sizeBytes);
  }
  if (at !== bytes.byteLength) throw malformed('its length does not fit its tensors');
  return { message, tensors, free: () => freeBytes(bytes) };
}

/** Puts frames together from a stream's chunks, copying each byte once. */
export class FrameReader {
  readonly #onFrame: (frame: Frame) => void;
  readonly #maxBytes: number;
  readonly #prefix = Buffer.alloc(4);
  #frame: Buffer | null = null;
  #filled = 0;

  constructor(onFrame: (frame: Frame) => void, maxBytes: number = MAX_FRAME_BYTES) {
    this.#onFrame = onFrame;
    this.#maxBytes = maxBytes;
  }

  /** Throws `bad-request` or `body-too-large`; the stream is then useless and must be closed. */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      const target = this.#frame ?? this.#prefix;
      const taken = chunk.copy(
        target,
        this.#filled,
        at,
        Math.min(chunk.length, at + target.length - this.#filled),
      );
      at += taken;
      this.#filled += taken;
      if (this.#filled < target.length) return;
      if (this.#frame === null) this.#begin();
      else this.#end(this.#frame);
    }
  }

  #begin(): void {
    const totalBytes = this.#prefix.readUInt32LE(0) + 4;
    if (totalBytes > this.#maxBytes) throw tooLarge(totalBytes);
    if (totalBytes < PREFIX_BYTES) throw malformed(`a frame of ${totalBytes} bytes`);
    this.#frame = Buffer.allocUnsafeSlow(totalBytes);
    this.#prefix.copy(this.#frame);
  }

  #end(frame: Buffer): void {
    this.#frame = null;
    this.#filled = 0;
    this.#onFrame(decodeFrame(frame));
  }
}

function parseHeader(json: string): [unknown, unknown[]] {
  let header: unknown;
  try {
    header = JSON.parse(json);
  } catch (cause) {
    throw malformed('a header that is not JSON', cause);
  }
  if (!Array.isArray(header) || !Array.isArray(header[1]) || header[1].length > MAX_TENSORS) {
    throw malformed('a header of another form');
  }
  return [header[0], header[1] as unknown[]];
}

function checkEntry(entry: unknown): TensorEntry {
  if (Array.isArray(entry)) {
    const [name, dtype, shape, sizeBytes] = entry as unknown[];
    const isShape = Array.isArray(shape) && shape.every((d) => Number.isSafeInteger(d) && (d as number) >= 0);
    if (typeof name === 'string' && typeof dtype === 'string' && isShape && Number.isSafeInteger(sizeBytes)) {
      if ((sizeBytes as number) >= 0) return [name, dtype, shape as number[], sizeBytes as number];
    }
  }
  throw malformed('a tensor entry of another form');
}

function paddingOf(sizeBytes: number): number {
  return (ALIGNMENT_BYTES - (sizeBytes % ALIGNMENT_BYTES)) % ALIGNMENT_BYTES;
}

function malformed(what: string, cause?: unknown): HoldfastError {
  return new HoldfastError(
    'bad-request',
    `refused a frame with ${what}`,
    cause === undefined ? {} : { cause },
  );
}

function tooLarge(sizeBytes: number): HoldfastError {
  return new HoldfastError(
    'body-too-large',
    `a frame of ${sizeBytes} bytes is over the limit of ${MAX_FRAME_BYTES}`,
    {
      hint: 'send smaller tensors or an encoded image',
    },
  );
}
