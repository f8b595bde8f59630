// The authors' OpenSSF signature of a version: over its contract, weights and golden vectors and nothing else, made with
// a key of the role that signs for the model. One right signature is enough: how many must agree is a matter of the
// role's metadata. Invariant: a version keeps the first signature that is right.

import type { ModelVersion } from '#protocol/api.ts';
import { canonicalJson } from '#protocol/canonical-json.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { versionFiles, type SignedVersion } from '#protocol/model-signing.ts';
import { assertSignedFiles } from '#protocol/signed-files.ts';
import { authorSignatureTargetPath } from '#protocol/trust.ts';
import type { BlobStore } from '../artifacts/blob-store.ts';
import type { AuthorRole } from '../trust/image-repository.ts';
import { verifyBundle } from '../trust/offline/model-signature.ts';

/** Largest bundle that is taken, as canonical JSON. */
export const MAX_SIGNATURE_BYTES = 256 * 1024;

/** Bytes of the bundle as they are stored. Errors: `signature-invalid`. */
export function checkSignature(
  signature: unknown,
  version: SignedVersion,
  { role, keys }: AuthorRole,
): Uint8Array {
  const bytes = new TextEncoder().encode(canonicalJson(signature));
  if (bytes.length > MAX_SIGNATURE_BYTES) {
    throw new HoldfastError('signature-invalid', `the model signature has ${bytes.length} bytes`, {
      hint: `at most ${MAX_SIGNATURE_BYTES} bytes are taken: it must be over the files of the version alone`,
    });
  }
  try {
    assertSignedFiles(verifyBundle(signature, keys), versionFiles(version));
  } catch (cause) {
    if (!(cause instanceof HoldfastError)) throw cause;
    throw new HoldfastError('signature-invalid', cause.message, {
      hint: `sign it with a key of ${role}: \`holdfast model import --sign-key FILE\` or \`holdfast model sign\``,
      cause,
    });
  }
  return bytes;
}

/** Throws `signature-missing` where the policy of the model's authors asks for a signature. */
export function assertNotNeeded(model: string, { role, authorSignature }: AuthorRole): void {
  if (authorSignature === 'none') return;
  throw new HoldfastError(
    'signature-missing',
    `${role} takes no version of ${model} without its authors' signature`,
    {
      hint: 'give --sign-key FILE or --signature FILE to `holdfast model import`, or --key to `holdfast model sign`',
    },
  );
}

/** A stored bundle as JSON. Errors: `state-corrupt` when its blob is gone. */
export async function readSignature(blobs: BlobStore, sha256: string): Promise<unknown> {
  return JSON.parse(new TextDecoder().decode(await blobs.bytes(sha256, MAX_SIGNATURE_BYTES)));
}

/** Whether the stored signature still holds, and so stays. */
export async function isStillRight(
  { blobs, image }: { readonly blobs: BlobStore; readonly image: SignatureTargets },
  sha256: string,
  version: Pick<ModelVersion, 'model' | 'version'> & SignedVersion,
  role: AuthorRole,
): Promise<boolean> {
  const signed = image.target(authorSignatureTargetPath(version.model, version.version));
  if (signed !== undefined) return true;
  try {
    checkSignature(await readSignature(blobs, sha256), version, role);
    return true;
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'signature-invalid') return false;
    throw error;
  }
}

interface SignatureTargets {
  target(path: string): unknown;
}
