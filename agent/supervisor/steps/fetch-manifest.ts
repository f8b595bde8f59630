// The manifest of an order, proven: the bytes that were signed, and the authors' signature where they ask for it.

import { readFile } from 'node:fs/promises';
import type { ReleaseManifest } from '#protocol/release.ts';
import { manifestBlobOf } from '../../domain/journal-state.ts';
import { orderOf, type StepContext } from './step.ts';

/** Downloads what is not on the disk yet. Errors: those of downloads, of `ReadManifest` and of `CheckAuthorSignature`. */
export async function fetchManifest(context: StepContext): Promise<ReleaseManifest> {
  const { deps, signal } = context;
  const order = orderOf(context);
  const read = async (blob: Parameters<typeof deps.artifacts.fetch>[0]): Promise<Uint8Array> =>
    await readFile(await deps.artifacts.fetch(blob, { signal }));
  const manifest = deps.readManifest(await read(manifestBlobOf(order)), order);
  if (order.authorSignature !== null) {
    deps.checkAuthorSignature(await read(order.authorSignature.bundle), manifest, order);
  }
  return manifest;
}
