// Reads everything again from the disk: whole digests, the manifest against the signed order, the authors'
// signature, and the release counter against the floor. What is loaded next is what was signed.

import { HoldfastError } from '#protocol/errors.ts';
import { bytesInWords } from '../../domain/bytes-in-words.ts';
import { hardEvidence } from '../../domain/hard-evidence.ts';
import { fetchManifest } from './fetch-manifest.ts';
import { failure, orderOf, type Step } from './step.ts';

export const verify: Step = async (context) => {
  const { deps, signal } = context;
  const order = orderOf(context);
  const atMs = (): number => deps.clock.nowMs();
  try {
    const manifest = await fetchManifest(context);
    if (manifest.profile !== deps.profile.name) {
      const what = `the release is for profile ${manifest.profile}, this device is ${deps.profile.name}`;
      throw new HoldfastError('tuf-mismatch', what);
    }
    if (manifest.releaseCounter < order.floor) {
      const what = `release counter ${manifest.releaseCounter} is below the signed floor ${order.floor}`;
      throw new HoldfastError('tuf-mismatch', what);
    }
    const blobs = [manifest.contract.golden, manifest.variant.weights];
    for (const blob of blobs) await deps.artifacts.fetch(blob, { signal });
    const totalBytes = blobs.reduce((sum, blob) => sum + blob.sizeBytes, order.manifestLengthBytes);
    const summary = `manifest, weights and golden vectors (${bytesInWords(totalBytes)}) have the signed digests`;
    return { event: 'verified', evidence: [hardEvidence('digest', 'pass', summary, atMs())] };
  } catch (error) {
    return failure(error, { otherwise: 'digest-mismatch', gate: 'digest', atMs: atMs() });
  }
};
