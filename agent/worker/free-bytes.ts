// Memory given back without the garbage collector.

/** A smaller buffer costs the collector less than this costs. */
const LEAST_BYTES = 16 * 1024;

/**
 * Frees the memory under `bytes`, which then is empty. Nothing may hold a view of it, and no write of it may be
 * pending. Does nothing when `bytes` is only a part of its buffer.
 */
export function freeBytes(bytes: Uint8Array): void {
  const { buffer, byteLength } = bytes;
  if (byteLength < LEAST_BYTES || buffer.byteLength !== byteLength || !(buffer instanceof ArrayBuffer))
    return;
  buffer.transfer(0);
}
