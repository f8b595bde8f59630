// Ties the bytes of a release manifest to the order that was verified: length, digest, schema, and that the
// manifest speaks of the very release that the order names, under the contract that its authors signed.

import { createHash } from 'node:crypto';
import { canonicalJson } from '#protocol/canonical-json.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { releaseManifestSchema, releaseTargetPath } from '#protocol/release.ts';
import type { ReleaseManifest } from '#protocol/release.ts';
import type { VerifiedOrder } from '../ports/release-verifier.ts';

/** Errors: `length-mismatch`, `digest-mismatch`, `contract-invalid`, `tuf-mismatch`. */
export function verifyManifest(bytes: Uint8Array, verified: VerifiedOrder): ReleaseManifest {
  const { manifestLengthBytes, manifestSha256, targetPath, order, sourceSha256 } = verified;
  if (bytes.length !== manifestLengthBytes) {
    throw new HoldfastError(
      'length-mismatch',
      `the manifest ${targetPath} has ${bytes.length} bytes; ${manifestLengthBytes} were signed`,
    );
  }
  if (sha256(bytes) !== manifestSha256) {
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
  if (manifest.variant.sourceSha256 !== manifest.contract.weights.sha256) {
    throw new HoldfastError(
      'tuf-mismatch',
      `the manifest ${targetPath} is made from other weights than its contract's`,
    );
  }
  if (sourceSha256 !== null && sha256(canonicalJson(manifest.contract)) !== sourceSha256) {
    throw new HoldfastError(
      'tuf-mismatch',
      `the contract in ${targetPath} is not the one that its authors signed`,
    );
  }
  return manifest;
}

function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
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
