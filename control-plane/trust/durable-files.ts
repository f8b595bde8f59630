// Writes that last: temporary file in the same directory, fsync, rename, fsync of the directory. Invariant:
// after SIGKILL or power loss a path holds its old bytes or its new ones, never a part of them.

import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { HoldfastError } from '#protocol/errors.ts';

/** Names that a killed writer may leave behind; whoever owns the directory deletes them on start. */
export const TEMPORARY_SUFFIX = '.tmp';

const DISK_FULL: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT']);

export interface NewFile {
  readonly name: string;
  readonly bytes: Uint8Array | string;
}

/** Replaces files of one directory; all are on disk before the first one appears under its name. */
export async function writeFilesDurably(
  directory: string,
  files: readonly NewFile[],
  mode = 0o644,
): Promise<void> {
  if (files.length === 0) return;
  await Promise.all(
    files.map((file) => writeTemporary(join(directory, file.name + TEMPORARY_SUFFIX), file.bytes, mode)),
  );
  for (const { name } of files) await rename(join(directory, name + TEMPORARY_SUFFIX), join(directory, name));
  await syncDirectory(directory);
}

/** Makes a directory (and its parents) that is still there after a power loss. */
export async function makeDirectoryDurably(directory: string, mode = 0o755): Promise<void> {
  const firstMade = await mkdir(directory, { recursive: true, mode });
  if (firstMade === undefined) return;
  for (let made = directory; made !== dirname(firstMade); made = dirname(made))
    await syncDirectory(dirname(made));
}

export async function syncDirectory(directory: string): Promise<void> {
  await using handle = await open(directory, 'r');
  await handle.sync();
}

/** Null when there is no such file. */
export async function readFileIfPresent(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null;
    throw error;
  }
}

export async function directoryExists(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}

async function writeTemporary(path: string, bytes: Uint8Array | string, mode: number): Promise<void> {
  await rm(path, { force: true });
  try {
    await using handle = await open(path, 'wx', mode);
    await handle.writeFile(bytes);
    await handle.sync();
  } catch (cause) {
    await rm(path, { force: true });
    if (!DISK_FULL.has(errorCode(cause))) throw cause;
    throw new HoldfastError('disk-full', `no space left to write ${path}`, {
      hint: 'Free space and try again.',
      cause,
    });
  }
}

function errorCode(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
