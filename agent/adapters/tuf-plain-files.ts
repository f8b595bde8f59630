// Plain copies of trusted metadata (`root.json`, `timestamp.json`, …) for others to read. Invariant: they are
// written after the generation they show is on disk and are never read back as something to trust.

import { readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectoryDurably, writeFileDurably } from './durable-file.ts';

/** Makes the `.json` files of a directory the trusted ones, each whole or as it was. Errors: of the file system. */
export async function showPlainFiles(directory: string, files: ReadonlyMap<string, Buffer>): Promise<void> {
  await makeDirectoryDurably(directory);
  for (const name of await readdir(directory)) {
    if (name.endsWith('.json') && !files.has(name)) await rm(join(directory, name));
  }
  for (const [name, bytes] of files) {
    const path = join(directory, name);
    const shown = await readFile(path).catch(() => null);
    if (shown?.equals(bytes) !== true) await writeFileDurably(path, bytes, { mode: 0o644 });
  }
}
