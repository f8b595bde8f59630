// The root metadata that a person trusted first, kept twice with its digest in front, so that one torn file
// does not cost it. Invariant: what is read is, byte for byte, what was saved.

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '#protocol/errors.ts';
import { makeDirectoryDurably, writeFileDurably } from './durable-file.ts';

const NAMES = ['anchor.seal', 'anchor.copy.seal'];
const DIGEST_BYTES = 32;

/** Errors: those of the file system. */
export async function saveAnchor(directory: string, root: Uint8Array): Promise<void> {
  await makeDirectoryDurably(directory);
  const sealed = Buffer.concat([digestOf(root), root]);
  for (const name of NAMES) await writeFileDurably(join(directory, name), sealed);
}

/** Errors: `bad-config` when there is none, `state-corrupt` when both copies are damaged. */
export async function loadAnchor(directory: string): Promise<Buffer> {
  let isDamaged = false;
  for (const name of NAMES) {
    const sealed = await readFile(join(directory, name)).catch(() => null);
    const root = sealed?.subarray(DIGEST_BYTES);
    if (root !== undefined && sealed?.subarray(0, DIGEST_BYTES).equals(digestOf(root)) === true) return root;
    isDamaged ||= sealed !== null;
  }
  if (!isDamaged) {
    throw new HoldfastError('bad-config', `${directory} holds no trusted root`, { hint: 'Run init first.' });
  }
  throw new HoldfastError('state-corrupt', `both copies of the trusted root in ${directory} are damaged`, {
    hint: 'Run init again with the root metadata that was trusted first.',
  });
}

function digestOf(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}
