// An authority of devices that this control plane holds the key of: made, and opened from disk.

import { createHash, createPrivateKey } from 'node:crypto';
import type { PublicKey } from '@peculiar/x509';
import type { StoredAuthority } from './ca-file.ts';
import { P256, certificatePem, issueAuthority } from './issue-certificate.ts';
import type { Authority } from './issue-certificate.ts';
import type { X509 } from './x509.ts';

const CA_LIFE_MS = 3652 * 86_400_000;
/** The same for every authority: see issueCross. */
const CA_NAME = [{ CN: ['Holdfast CA'] }];

/** An authority whose key is here. */
export interface OwnAuthority extends Authority {
  readonly stored: StoredAuthority;
  /** sha256 of its SubjectPublicKeyInfo, lower-case hex. */
  readonly spkiSha256: string;
}

export async function makeAuthority(x509: X509, now: Date): Promise<StoredAuthority> {
  const keys = await crypto.subtle.generateKey(P256, true, ['sign', 'verify']);
  const certificate = await issueAuthority(x509, { subject: CA_NAME, keys, lifeMs: CA_LIFE_MS, now });
  return {
    privateKey: createPrivateKey(await exportPrivateKey(x509, keys)),
    certificatePem: certificatePem(certificate),
    crossPem: null,
  };
}

export async function ownAuthority(x509: X509, stored: StoredAuthority): Promise<OwnAuthority> {
  const pkcs8 = stored.privateKey.export({ type: 'pkcs8', format: 'der' });
  const certificate = new x509.X509Certificate(stored.certificatePem);
  return {
    x509,
    stored,
    certificate,
    spkiSha256: spkiSha256Of(certificate.publicKey),
    privateKey: await crypto.subtle.importKey('pkcs8', new Uint8Array(pkcs8), P256, false, ['sign']),
  };
}

export function spkiSha256Of(publicKey: PublicKey): string {
  return createHash('sha256').update(new Uint8Array(publicKey.rawData)).digest('hex');
}

export async function exportPrivateKey(x509: X509, keys: CryptoKeyPair): Promise<string> {
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
  return `${x509.PemConverter.encode(pkcs8, 'PRIVATE KEY')}\n`;
}
