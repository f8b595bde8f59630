// Digests of all files of a model's folder, read as streams. Invariant: no link is followed and no special file is
// opened, so that what is hashed lies in the folder. Source: OpenSSF Model Signing v1.0, serialization by files.

import { createHash } from 'node:crypto';
import type { Dirent } from 'node:fs';
import { constants } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '#protocol/errors.ts';
import { MAX_SIGNED_FILES } from '#protocol/signed-files.ts';
import type { FileDigests } from '#protocol/signed-files.ts';

const MAX_DEPTH = 64;

/**
 * Paths are relative with `/` between their parts; what `ignoredPaths` names is passed over with all below it.
 * Errors: `signature-invalid` for links, special files and names that are not UTF-8; `bad-request` for what cannot
 * be read.
 */
export async function hashFolder(
  folder: string,
  ignoredPaths: readonly string[],
  signal?: AbortSignal,
): Promise<FileDigests> {
  const files = new Map<string, string>();
  await hashInto(files, { folder, ignored: new Set(ignoredPaths), signal }, []);
  if (files.size > 0) return files;
  throw new HoldfastError('bad-request', `${folder} holds no files to sign`, {
    hint: 'give the folder that the files of the model lie in',
  });
}

interface Walk {
  readonly folder: string;
  readonly ignored: ReadonlySet<string>;
  readonly signal: AbortSignal | undefined;
}

async function hashInto(files: Map<string, string>, walk: Walk, parts: readonly string[]): Promise<void> {
  if (parts.length > MAX_DEPTH) throw unusable(parts.join('/'), 'lies too deep');
  for (const entry of await entriesOf(join(walk.folder, ...parts))) {
    const path = [...parts, entry.name];
    const name = path.join('/');
    if (walk.ignored.has(name)) continue;
    if (entry.name.includes('\uFFFD')) throw unusable(name, 'has a name that is not UTF-8');
    if (entry.isDirectory()) await hashInto(files, walk, path);
    else if (entry.isFile()) files.set(name, await hashFile(join(walk.folder, ...path), walk.signal));
    else throw unusable(name, entry.isSymbolicLink() ? 'is a symbolic link' : 'is a special file');
    if (files.size > MAX_SIGNED_FILES) throw unusable(name, `is one of more than ${MAX_SIGNED_FILES} files`);
  }
}

async function entriesOf(path: string): Promise<Dirent[]> {
  try {
    return await readdir(path, { withFileTypes: true });
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

async function hashFile(path: string, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash('sha256');
  try {
    // The name may have become a link since the folder was listed.
    await using handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    for await (const chunk of handle.createReadStream({ autoClose: false, signal, highWaterMark: 2 ** 20 })) {
      hash.update(chunk as Buffer);
    }
  } catch (cause) {
    throw unreadable(path, cause);
  }
  return hash.digest('hex');
}

function unusable(name: string, what: string): HoldfastError {
  return new HoldfastError('signature-invalid', `${JSON.stringify(name)} ${what}`, {
    hint: 'a signature is over plain files: replace links by what they point to, and take the rest away',
  });
}

function unreadable(path: string, cause: unknown): HoldfastError {
  return new HoldfastError('bad-request', `cannot read ${path}`, {
    hint: 'check the path and your rights on it',
    cause,
  });
}
