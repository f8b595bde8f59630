// Ties the bytes of a release manifest to the order that was verified: length, digest, schema, and that the
// manifest speaks of the very release that the order names.

import { createHash } from 'node:crypto';
import { HoldfastError } from '#protocol/errors.ts';
import { releaseManifestSchema, releaseTargetPath } from '#protocol/release.ts';
import type { ReleaseManifest } from '#protocol/release.ts';
import type { VerifiedOrder } from '../ports/release-verifier.ts';

/** Errors: `length-mismatch`, `digest-mismatch`, `contract-invalid`, `tuf-mismatch`. */
export function verifyManifest(bytes: Uint8Array, verified: VerifiedOrder): ReleaseManifest {
  const { manifestLengthBytes, manifestSha256, targetPath, order } = verified;
  if (bytes.length !== manifestLengthBytes) {
    throw new HoldfastError(
      'length-mismatch',
      `the manifest ${targetPath} has ${bytes.length} bytes; ${manifestLengthBytes} were signed`,
    );
  }
  if (createHash('sha256').update(bytes).digest('hex') !== manifestSha256) {
    throw new HoldfastError('digest-mismatch', `the manifest ${targetPath} is not the one that was signed`);
  }
  const manifest = parseManifest(bytes, targetPath);
  const isOrdered =
    releaseTargetPath(manifest.model, manifest.version, manifest.profile) === targetPath &&
    manifest.contract.model === manifest.model &&
    manifest.profile === order.profile &&
    manifest.releaseCounter === order.releaseCounter;
  if (!isOrdered)
    throw new HoldfastError('tuf-mismatch', `the manifest under ${targetPath} describes another release`);
  return manifest;
}

function parseManifest(bytes: Uint8Array, targetPath: string): ReleaseManifest {
  try {
    return releaseManifestSchema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
  } catch (cause) {
    throw new HoldfastError('contract-invalid', `the manifest ${targetPath} cannot be read by this agent`, {
      hint: 'Update the agent, or sign a manifest that it knows.',
      cause,
    });
  }
}
