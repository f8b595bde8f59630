// Brings the manifest, the weights and the golden vectors onto the disk. The manifest comes first: it is
// checked against the order and its authors' signature, and says whether there is room for the rest.

import type { BlobRef } from '#protocol/identifiers.ts';
import { hardEvidence } from '../../domain/hard-evidence.ts';
import { roomForRelease } from '../../domain/room.ts';
import { fetchManifest } from './fetch-manifest.ts';
import { failure, type Step, type StepContext } from './step.ts';
import { roomResult } from './preflight.ts';

export const download: Step = async (context) => {
  const { deployment, deps, signal } = context;
  const atMs = (): number => deps.clock.nowMs();
  try {
    const manifest = await fetchManifest(context);
    await deps.keeper.happened({ kind: 'manifest', seq: deployment.report.seq, manifest });
    signal.throwIfAborted();
    const room = roomForRelease(manifest, deps.profile, await deps.probe.snapshot());
    if (!room.enough) return roomResult(room, atMs(), { event: 'downloaded' });
    const blobs = [manifest.contract.golden, manifest.variant.weights];
    await fetchAll(context, blobs);
    return { event: 'downloaded', evidence: [hardEvidence('preflight', 'pass', room.summary, atMs())] };
  } catch (error) {
    return failure(error, { otherwise: 'download-failed', gate: 'digest', atMs: atMs() });
  }
};

async function fetchAll({ deps, signal, onProgress }: StepContext, blobs: readonly BlobRef[]): Promise<void> {
  const totalBytes = blobs.reduce((sum, blob) => sum + blob.sizeBytes, 0);
  let doneBytes = 0;
  for (const blob of blobs) {
    const before = doneBytes;
    await deps.artifacts.fetch(blob, {
      signal,
      onProgress: (receivedBytes) => onProgress((100 * (before + receivedBytes)) / totalBytes),
    });
    doneBytes += blob.sizeBytes;
  }
  onProgress(100);
}
