// The authorities of a fleet as PEM certificates one after another, and which of them has a given key.

import { createHash, X509Certificate } from 'node:crypto';
import { HoldfastError } from '#protocol/errors.ts';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** At least one. Errors: `ca-mismatch`. */
export function authoritiesOf(bundlePem: string): X509Certificate[] {
  try {
    const found = (bundlePem.match(CERTIFICATE) ?? []).map((pem) => new X509Certificate(pem));
    if (found.length > 0) return found;
  } catch (cause) {
    throw unreadable(cause);
  }
  throw unreadable();
}

/** The certificate of the authority whose public key has this sha256 (hex); undefined when it is not among them. */
export function authorityWithKey(bundlePem: string, keySha256: string): X509Certificate | undefined {
  return authoritiesOf(bundlePem).find((certificate) => spkiSha256(certificate) === keySha256);
}

export function spkiSha256({ publicKey }: X509Certificate): string {
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(spki).digest('hex');
}

function unreadable(cause?: unknown): HoldfastError {
  return new HoldfastError('ca-mismatch', 'the authority that was answered cannot be read', { cause });
}
