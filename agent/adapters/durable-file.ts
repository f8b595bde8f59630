// Writes that must last: temporary file in the same directory, fsync, rename, fsync the directory.
// Invariant: after any crash the path holds the whole old bytes or the whole new ones.

import { constants } from 'node:fs';
import { mkdir, open, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface DurableWriteOptions {
  /** Permission bits of a file that is made; 0o600 unless told. */
  readonly mode?: number;
}

/** Suffix of the one temporary file a path may have; callers write one path one after another. */
export const TEMPORARY_SUFFIX = '.tmp';

/** Replaces the file at `path`; resolves once the new bytes survive a power cut. */
export async function writeFileDurably(
  path: string,
  bytes: Uint8Array | string,
  options: DurableWriteOptions = {},
): Promise<void> {
  const temporary = `${path}${TEMPORARY_SUFFIX}`;
  await writeAndSync(temporary, bytes, options.mode ?? 0o600);
  await renameDurably(temporary, path);
}

/** Writes and fsyncs a file in place, without the rename; an older file of that name is cut to nothing first. */
export async function writeAndSync(path: string, bytes: Uint8Array | string, mode: number): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;
  await using handle = await open(path, flags, mode);
  await handle.writeFile(bytes);
  await handle.sync();
}

/** Renames within one directory and makes the new name last. */
export async function renameDurably(from: string, to: string): Promise<void> {
  await rename(from, to);
  await syncDirectory(dirname(to));
}

/** Makes the names in a directory last. */
export async function syncDirectory(path: string): Promise<void> {
  await using handle = await open(path, constants.O_RDONLY);
  await handle.sync();
}

/**
 * Makes a directory that only this user may read, with its parents, and makes its name last. Step by step:
 * mkdir's own recursion never ends where a directory exists but takes no others, as in /proc.
 */
export async function makeDirectoryDurably(path: string): Promise<void> {
  if (await isDirectory(path)) return;
  const parent = dirname(path);
  if (parent !== path) await makeDirectoryDurably(parent);
  await mkdir(path, { mode: 0o700 }).catch(async (error: unknown) => {
    if (!(await isDirectory(path))) throw error;
  });
  await syncDirectory(parent);
}

function isDirectory(path: string): Promise<boolean> {
  return stat(path).then((found) => found.isDirectory(), () => false); // prettier-ignore
}
