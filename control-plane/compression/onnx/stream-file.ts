// Writes a large file in chunks. Invariants: it appears under its name whole or not at all, and lasts; memory holds
// one chunk; runs of zeros take no disk where the file system knows holes.

import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncDirectory } from '../../trust/durable-files.ts';

const WRITE_BYTES = 2 ** 23;
const ZEROS = new Uint8Array(2 ** 16);

/** Lets `fill` write a new file and say how long it is, then puts it in the place of `path`. */
export async function replaceFile(
  path: string,
  fill: (handle: FileHandle) => Promise<number>,
): Promise<void> {
  const partial = `${path}.${process.pid}.partial`;
  try {
    {
      await using handle = await open(partial, 'w');
      await handle.truncate(await fill(handle));
      await handle.sync();
    }
    await rename(partial, path);
    await syncDirectory(dirname(path));
  } finally {
    await rm(partial, { force: true });
  }
}

/** Writes chunks one after another from `offset` on and returns where they end. */
export async function writeChunks(
  handle: FileHandle,
  offset: number,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<number> {
  let at = offset;
  for await (const chunk of chunks) {
    for (let from = 0; from < chunk.byteLength;) {
      const part = chunk.subarray(from, from + WRITE_BYTES);
      const written = isZero(part) ? part.byteLength : await writePart(handle, part, at);
      from += written;
      at += written;
    }
  }
  return at;
}

async function writePart(handle: FileHandle, part: Uint8Array, at: number): Promise<number> {
  return (await handle.write(part, 0, part.byteLength, at)).bytesWritten;
}

function isZero(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.byteLength; at += ZEROS.byteLength) {
    const part = bytes.subarray(at, at + ZEROS.byteLength);
    if (Buffer.compare(part, ZEROS.subarray(0, part.byteLength)) !== 0) return false;
  }
  return true;
}
