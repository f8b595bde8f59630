// The authors' own signature of a version: by a key that their role lists, over the contract that this release is made
// from, its weights and its golden vectors. Source: OpenSSF Model Signing v1.0.

import { createHash, createPublicKey, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { HoldfastError } from '#protocol/errors.ts';
import { VERSION_FILES, verifyModelSignature } from '#protocol/model-signing.ts';
import type { BundleKey } from '#protocol/model-signing.ts';
import type { ReleaseManifest } from '#protocol/release.ts';
import { signatureInvalid } from '#protocol/signed-files.ts';
import type { TrustKey } from '#protocol/trust.ts';
import type { VerifiedOrder } from '../ports/release-verifier.ts';

/** Errors: `signature-missing` where the order asks for none, `signature-invalid`. */
export function verifyAuthorSignature(
  bundle: Uint8Array,
  manifest: ReleaseManifest,
  { targetPath, sourceSha256, authorSignature }: VerifiedOrder,
): void {
  if (authorSignature === null || sourceSha256 === null) {
    throw new HoldfastError('signature-missing', `${targetPath} came without its authors' signature`);
  }
  const keys = authorSignature.keys.flatMap(bundleKeyOf);
  const { files } = verifyModelSignature(parse(bundle), keys, sha256);
  const { weights, golden } = manifest.contract;
  const isOfThis =
    files.get(VERSION_FILES.contract) === sourceSha256 &&
    files.get(VERSION_FILES.weights) === weights.sha256 &&
    files.get(VERSION_FILES.golden) === golden.sha256;
  if (!isOfThis) throw signatureInvalid(`is over other files than ${targetPath} is made from`);
}

/** Nothing for a key that cannot be read: it signs nothing. */
function bundleKeyOf(key: TrustKey): BundleKey[] {
  const publicKey = publicKeyOf(key);
  if (publicKey === null) return [];
  const hash = key.scheme === 'ed25519' ? null : 'sha256';
  return [
    {
      hint: sha256(publicKey.export({ type: 'spki', format: 'pem' })),
      verify: (bytes, signature) => verify(hash, bytes, publicKey, signature),
    },
  ];
}

function publicKeyOf({ scheme, public: text }: TrustKey): KeyObject | null {
  try {
    if (scheme !== 'ed25519') return createPublicKey(text);
    const x = Buffer.from(text, 'hex').toString('base64url');
    return createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x } });
  } catch {
    return null;
  }
}

function parse(bundle: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bundle));
  } catch (cause) {
    throw signatureInvalid('is not JSON', cause);
  }
}

function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}
