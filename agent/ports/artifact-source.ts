// Bytes by digest. Invariant: `fetch` resolves only when the whole blob lies at its final path with the
// right length and sha256; partial bytes stay beside it, and the next call goes on from them.

import type { BlobRef } from '#protocol/identifiers.ts';

export interface FetchOptions {
  readonly signal: AbortSignal;
  readonly onProgress?: (receivedBytes: number) => void;
  /** Times to ask for bytes that are not on disk; until the signal ends it unless told. */
  readonly tries?: number;
}

export interface ArtifactSource {
  /** Path of the verified blob. Errors: download-failed, digest-mismatch, length-mismatch, disk-full, cancelled. */
  fetch(blob: BlobRef, options: FetchOptions): Promise<string>;
  /** Deletes every blob not named here, and their partial files. */
  keepOnly(sha256s: ReadonlySet<string>): Promise<void>;
}
