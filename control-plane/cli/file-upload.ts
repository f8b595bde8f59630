// Files as blobs: hashed and sent as streams, so that a model of many gigabytes needs no memory.

import { createHash } from 'node:crypto';
import { createReadStream, openAsBlob } from 'node:fs';
import { HoldfastError } from '#protocol/errors.ts';
import type { CommandContext } from './context.ts';

/** Uploads a file under its digest and returns that digest; says what it does. */
export async function uploadFile({ api, out, signal }: CommandContext, path: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path, { signal })) hash.update(chunk as Buffer);
  } catch (cause) {
    throw new HoldfastError('bad-request', `cannot read ${path}`, {
      hint: 'check the path and your rights on it',
      cause,
    });
  }
  const sha256 = hash.digest('hex');
  const blob = await openAsBlob(path);
  out.aside(`uploading ${path} (${blob.size} bytes)`);
  await api.putBlob(sha256, blob);
  return sha256;
}
