// Public keys as Model Signing bundles and signed envelopes name and use them. Source: the key hint of the reference
// implementation (sha256 of the SPKI PEM).

import { createHash, createPublicKey, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { BundleKey } from '#protocol/model-signing.ts';
import type { TrustKey } from '#protocol/trust.ts';
import { RoleKey, tufKey } from '../keys/role-key.ts';

/** Errors: `key-invalid` when the id is not that of the key. */
export function bundleKeyOf(key: TrustKey): BundleKey {
  const publicKey = publicKeyOf(key);
  const hash = key.scheme === 'ed25519' ? null : 'sha256';
  return {
    hint: hintOf(publicKey),
    verify: (bytes, signature) => verify(hash, bytes, publicKey, signature),
  };
}

/** How a bundle names this key, private or public. */
export function hintOf(key: KeyObject): string {
  const publicKey = key.type === 'public' ? key : createPublicKey(key);
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'pem' }))
    .digest('hex');
}

/** How Holdfast names this private key. Errors: `key-invalid`. */
export function keyIdOf(privateKey: KeyObject): string {
  return new RoleKey(privateKey).keyId;
}

function publicKeyOf(key: TrustKey): KeyObject {
  tufKey(key);
  if (key.scheme !== 'ed25519') return createPublicKey(key.public);
  const x = Buffer.from(key.public, 'hex').toString('base64url');
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
}
