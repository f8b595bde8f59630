// One open data file of a model. Invariants: it was a plain file of the model's folder, with one name only, when it
// was opened, and what was checked is what is read; reads stay within its size.

import { constants } from 'node:fs';
import { lstat, open, realpath, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

const CHUNK_BYTES = 8 * 1024 ** 2;

/** Why a data file was refused, in words that follow "the data of tensor X". */
export class DataFileRefusal extends Error {
  override readonly name = 'DataFileRefusal';
}

export class DataFile implements AsyncDisposable {
  readonly sizeBytes: number;
  readonly #handle: FileHandle;

  private constructor(handle: FileHandle, sizeBytes: number) {
    this.#handle = handle;
    this.sizeBytes = sizeBytes;
  }

  /**
   * Opens `location` below `folder`. Throws `DataFileRefusal` for what is not there, for links, symbolic or hard,
   * on the way or at its end, and for what is no plain file.
   */
  static async open(folder: string, location: string): Promise<DataFile> {
    const path = join(await realpath(folder), ...location.split('/'));
    const handle = await openPlain(path, location);
    try {
      const opened = await handle.stat();
      if (!opened.isFile()) throw new DataFileRefusal(`is at "${location}", which is no plain file`);
      if (opened.nlink > 1)
        throw new DataFileRefusal(`is at "${location}", which has other names (hard links)`);
      const named = await lstat(path);
      if ((await realpath(path)) !== path || named.ino !== opened.ino || named.dev !== opened.dev)
        throw new DataFileRefusal(`is at "${location}", which leads through a symbolic link`);
      return new DataFile(handle, opened.size);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /**
   * The bytes of a range, in chunks of up to 8 MiB in the same memory: use one before asking for the next. Throws
   * `DataFileRefusal` where the file has become shorter.
   */
  async *chunks(offset: number, length: number): AsyncGenerator<Uint8Array, void, undefined> {
    const chunk = new Uint8Array(Math.min(CHUNK_BYTES, length));
    const end = offset + length;
    for (let at = offset; at < end;) {
      const wanted = Math.min(chunk.byteLength, end - at);
      const { bytesRead } = await this.#handle.read(chunk, 0, wanted, at);
      if (bytesRead === 0) throw new DataFileRefusal('ends early: its file became shorter while it was read');
      at += bytesRead;
      yield chunk.subarray(0, bytesRead);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}

/** Opens for reading without following a link at the end and without waiting for the writer of a pipe. */
async function openPlain(path: string, location: string): Promise<FileHandle> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  try {
    return await open(path, flags);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why = code === 'ELOOP' ? 'a symbolic link' : `not to be read (${code ?? 'unknown'})`;
    throw new DataFileRefusal(`is at "${location}", which is ${why}`, { cause });
  }
}
