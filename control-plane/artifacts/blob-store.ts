// Bytes by their sha256. Invariant: a blob is visible whole or not at all, and its bytes hash to its name.

import type { Readable } from 'node:stream';
import type { BlobRef } from '#protocol/identifiers.ts';

export interface ByteRange {
  /** First byte, from 0. */
  readonly start: number;
  /** Last byte, inclusive. */
  readonly end: number;
}

export interface StoredBlob extends BlobRef {
  readonly storedAtMs: number;
}

export interface BlobStore {
  /**
   * Stores a stream under the digest it must have; a blob that is there already is not read again.
   * Errors: `digest-mismatch`, `body-too-large`, `length-mismatch` when empty, `disk-full`.
   */
  put(sha256: string, stream: AsyncIterable<Uint8Array>, limits: { maxBytes: number }): Promise<BlobRef>;
  putBytes(bytes: Uint8Array): Promise<BlobRef>;
  has(sha256: string): Promise<boolean>;
  /** Null when there is no such blob. */
  sizeBytes(sha256: string): Promise<number | null>;
  /** The whole blob or a range of it; the stream fails when there is no such blob. */
  read(sha256: string, range?: ByteRange): Readable;
  /** The whole blob in memory. Errors: `not-found`, `body-too-large`. */
  bytes(sha256: string, maxBytes: number): Promise<Uint8Array<ArrayBuffer>>;
  /** Where the blob lies, for a process that reads it from the file system. */
  path(sha256: string): string;
  /** Every blob, in no order; for garbage collection. */
  list(): AsyncIterable<StoredBlob>;
  /** Does nothing when there is no such blob. */
  remove(sha256: string): Promise<void>;
}
