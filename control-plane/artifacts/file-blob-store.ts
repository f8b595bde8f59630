// Blobs as files named by their sha256 in one folder. Invariants: a file appears under its name only after
// it was written, hashed and synced; what a killed writer left is deleted on opening.

import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, opendir, readFile, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '#protocol/errors.ts';
import { sha256Schema, type BlobRef } from '#protocol/identifiers.ts';
import { makeDirectoryDurably, syncDirectory, TEMPORARY_SUFFIX } from '../trust/durable-files.ts';
import type { BlobStore, ByteRange, StoredBlob } from './blob-store.ts';

const DISK_FULL: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT']);

export class FileBlobStore implements BlobStore {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** Only one process may have the folder open. */
  static async open(directory: string): Promise<FileBlobStore> {
    await makeDirectoryDurably(directory, 0o700);
    for await (const entry of await opendir(directory)) {
      if (entry.name.endsWith(TEMPORARY_SUFFIX)) await rm(join(directory, entry.name), { force: true });
    }
    return new FileBlobStore(directory);
  }

  async put(
    sha256: string,
    stream: AsyncIterable<Uint8Array>,
    limits: { maxBytes: number },
  ): Promise<BlobRef> {
    const path = this.path(sha256);
    const present = await this.sizeBytes(sha256);
    // What a bad disk changed is replaced: uploading again is the way to mend it.
    if (present !== null && (await isWhole(path, sha256))) return { sha256, sizeBytes: present };
    const temporary = join(this.#directory, `${randomUUID()}${TEMPORARY_SUFFIX}`);
    try {
      const sizeBytes = await writeChecked(temporary, sha256, stream, limits.maxBytes);
      await rename(temporary, path);
      await syncDirectory(this.#directory);
      return { sha256, sizeBytes };
    } catch (cause) {
      await rm(temporary, { force: true });
      throw storeError(cause);
    }
  }

  putBytes(bytes: Uint8Array): Promise<BlobRef> {
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    return this.put(sha256, once(bytes), { maxBytes: bytes.byteLength });
  }

  async has(sha256: string): Promise<boolean> {
    return (await this.sizeBytes(sha256)) !== null;
  }

  async sizeBytes(sha256: string): Promise<number | null> {
    return (await this.#stat(sha256))?.sizeBytes ?? null;
  }

  read(sha256: string, range?: ByteRange) {
    return createReadStream(
      this.path(sha256),
      range === undefined ? {} : { start: range.start, end: range.end },
    );
  }

  async bytes(sha256: string, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
    const sizeBytes = await this.sizeBytes(sha256);
    if (sizeBytes === null) {
      throw new HoldfastError('not-found', `no blob ${sha256}`, {
        hint: `upload it first: PUT /api/v1/blobs/${sha256}`,
      });
    }
    if (sizeBytes > maxBytes) {
      throw new HoldfastError('body-too-large', `blob ${sha256} has ${sizeBytes} bytes`, {
        hint: `at most ${maxBytes} bytes can be read here`,
      });
    }
    return new Uint8Array(await readFile(this.path(sha256)));
  }

  path(sha256: string): string {
    if (!sha256Schema.safeParse(sha256).success) {
      throw new HoldfastError('bad-request', 'a blob is named by the 64 lower-case hex digits of its sha256');
    }
    return join(this.#directory, sha256);
  }

  async *list(): AsyncIterable<StoredBlob> {
    for await (const entry of await opendir(this.#directory)) {
      if (!sha256Schema.safeParse(entry.name).success) continue;
      const found = await this.#stat(entry.name);
      if (found !== null) yield { sha256: entry.name, ...found };
    }
  }

  async remove(sha256: string): Promise<void> {
    await rm(this.path(sha256), { force: true });
  }

  async #stat(sha256: string): Promise<{ sizeBytes: number; storedAtMs: number } | null> {
    try {
      const { size, mtimeMs } = await stat(this.path(sha256));
      return { sizeBytes: size, storedAtMs: Math.floor(mtimeMs) };
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return null;
      throw error;
    }
  }
}

/** `disk-full` where that is why something could not be written, else the error itself. */
export function storeError(cause: unknown): unknown {
  if (!DISK_FULL.has(codeOf(cause))) return cause;
  return new HoldfastError('disk-full', 'no space left to store the upload', {
    hint: 'free space on the disk of the data folder and upload again; nothing of it was kept',
    cause,
  });
}

/** Whether the stored bytes still hash to their name. */
async function isWhole(path: string, sha256: string): Promise<boolean> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path) as AsyncIterable<Uint8Array>) hash.update(chunk);
  return hash.digest('hex') === sha256;
}

/** Writes and syncs the stream; resolves to its length once the bytes hash to `sha256`. */
async function writeChecked(
  path: string,
  sha256: string,
  stream: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<number> {
  await using handle: FileHandle = await open(path, 'wx', 0o600);
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const chunk of stream) {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > maxBytes) {
      throw new HoldfastError('body-too-large', `the upload is over ${maxBytes} bytes`, {
        hint: 'send a smaller file, or raise the limit of the control plane',
      });
    }
    hash.update(chunk);
    await handle.writeFile(chunk);
  }
  if (sizeBytes === 0) {
    throw new HoldfastError('length-mismatch', 'the upload is empty', { hint: 'send the bytes of the file' });
  }
  const actual = hash.digest('hex');
  if (actual !== sha256) {
    throw new HoldfastError('digest-mismatch', `the upload has sha256 ${actual}, expected ${sha256}`, {
      hint: 'the bytes changed or were cut off on the way: send the file again',
    });
  }
  await handle.sync();
  return sizeBytes;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
