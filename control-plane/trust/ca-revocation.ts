// A certificate revocation list of one authority. Source: RFC 5280, section 5. The key identifier in it tells apart
// two authorities of the same name.

import type { X509CrlEntryParams } from '@peculiar/x509';
import { P256, type Authority } from './issue-certificate.ts';

const BACKDATE_MS = 5 * 60_000;
/** Brokers outside may refuse everybody once a list is past its date; it is signed anew every hour. */
const LIST_LIFE_MS = 30 * 86_400_000;

/** RFC 7468, section 6; the library's own is another. */
const PEM_LABEL = 'X509 CRL';

export interface Revoked {
  /** Lower-case hex. */
  readonly serialNumber: string;
  readonly revokedAtMs: number;
}

/** PEM with a line end. */
export async function signRevocationList(
  { x509, certificate, privateKey }: Authority,
  revoked: readonly Revoked[],
  now: Date,
): Promise<string> {
  const entries: X509CrlEntryParams[] = revoked.map(({ serialNumber, revokedAtMs }) => ({
    serialNumber,
    revocationDate: new Date(revokedAtMs),
  }));
  const list = await x509.X509CrlGenerator.create({
    issuer: certificate.subject,
    thisUpdate: new Date(now.getTime() - BACKDATE_MS),
    nextUpdate: new Date(now.getTime() + LIST_LIFE_MS),
    signingKey: privateKey,
    signingAlgorithm: P256,
    entries,
    extensions: [await x509.AuthorityKeyIdentifierExtension.create(certificate.publicKey)],
  });
  return `${x509.PemConverter.encode(list.rawData, PEM_LABEL)}\n`;
}
