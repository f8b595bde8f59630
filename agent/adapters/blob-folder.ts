// The folder of blobs: `<sha256>` is whole and was verified, `<sha256>.partial` is on its way. Invariant:
// a name without suffix comes only by renaming a file whose every byte was hashed.

import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { BlobRef } from '#protocol/identifiers.ts';
import { makeDirectoryDurably, renameDurably } from './durable-file.ts';

const PARTIAL_SUFFIX = '.partial';
const BLOB_NAME = /^([0-9a-f]{64})(\.partial)?$/;

export class BlobFolder {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  path(blob: BlobRef): string {
    return join(this.#directory, blob.sha256);
  }

  partialPath(blob: BlobRef): string {
    return `${this.path(blob)}${PARTIAL_SUFFIX}`;
  }

  create(): Promise<void> {
    return makeDirectoryDurably(this.#directory);
  }

  /** True when the whole blob is there and its bytes hash to its name; what does not is deleted. */
  async hasVerified(blob: BlobRef, signal: AbortSignal): Promise<boolean> {
    const path = this.path(blob);
    const sizeBytes = await fileSize(path);
    if (sizeBytes === null) return false;
    if (sizeBytes === blob.sizeBytes) {
      const hash = createHash('sha256');
      await hashFile(path, hash, signal);
      if (hash.digest('hex') === blob.sha256) return true;
    }
    await rm(path, { force: true });
    return false;
  }

  /** Bytes that an earlier try left, hashed; more than the blob's length are thrown away. */
  async resume(blob: BlobRef, signal: AbortSignal): Promise<{ receivedBytes: number; hash: Hash }> {
    const path = this.partialPath(blob);
    const receivedBytes = await this.partialBytes(blob);
    const hash = createHash('sha256');
    if (receivedBytes > blob.sizeBytes) {
      await this.discardPartial(blob);
      return { receivedBytes: 0, hash };
    }
    if (receivedBytes > 0) await hashFile(path, hash, signal);
    return { receivedBytes, hash };
  }

  async partialBytes(blob: BlobRef): Promise<number> {
    return (await fileSize(this.partialPath(blob))) ?? 0;
  }

  async discardPartial(blob: BlobRef): Promise<void> {
    await rm(this.partialPath(blob), { force: true });
  }

  /** Gives the finished, hashed and fsynced partial file its final name. */
  async accept(blob: BlobRef): Promise<string> {
    await renameDurably(this.partialPath(blob), this.path(blob));
    return this.path(blob);
  }

  /** Free bytes that an ordinary process may use. */
  async freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(this.#directory);
    return bavail * bsize;
  }

  async keepOnly(sha256s: ReadonlySet<string>): Promise<void> {
    const names = await readdir(this.#directory);
    for (const name of names) {
      const sha256 = BLOB_NAME.exec(name)?.[1];
      if (sha256 !== undefined && !sha256s.has(sha256))
        await rm(join(this.#directory, name), { force: true });
    }
  }
}

async function fileSize(path: string): Promise<number | null> {
  return stat(path).then(
    (info) => info.size,
    (error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
      throw error;
    },
  );
}

async function hashFile(path: string, hash: Hash, signal: AbortSignal): Promise<void> {
  for await (const chunk of createReadStream(path, { signal, highWaterMark: 1024 ** 2 })) {
    hash.update(chunk as Buffer);
  }
}
