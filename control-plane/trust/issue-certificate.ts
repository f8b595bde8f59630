// Makes X.509 certificates of one authority, after RFC 5280. Invariants: a leaf never outlives its
// authority; serials are 128 random bits; validity begins 5 minutes back, for clocks that run behind.

import type { Extension, JsonName, PublicKey, X509Certificate } from '@peculiar/x509';
import type { X509 } from './x509.ts';

const BACKDATE_MS = 5 * 60_000;
export const P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

export interface Authority {
  readonly x509: X509;
  readonly certificate: X509Certificate;
  readonly privateKey: CryptoKey;
}

export interface LeafRequest {
  readonly subject: JsonName;
  readonly publicKey: PublicKey;
  readonly lifeMs: number;
  readonly usages: readonly ('clientAuth' | 'serverAuth')[];
  readonly alternativeNames?: Extension;
  readonly now: Date;
}

export async function issueLeaf(authority: Authority, request: LeafRequest): Promise<X509Certificate> {
  const { x509, certificate, privateKey } = authority;
  const expiresMs = Math.min(request.now.getTime() + request.lifeMs, certificate.notAfter.getTime());
  return await x509.X509CertificateGenerator.create({
    serialNumber: randomSerial(),
    subject: request.subject,
    issuer: certificate.subjectName,
    notBefore: new Date(request.now.getTime() - BACKDATE_MS),
    notAfter: new Date(expiresMs),
    publicKey: request.publicKey,
    signingKey: privateKey,
    signingAlgorithm: P256,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(request.usages.map((usage) => x509.ExtendedKeyUsage[usage])),
      await x509.SubjectKeyIdentifierExtension.create(request.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(certificate.publicKey),
      ...(request.alternativeNames === undefined ? [] : [request.alternativeNames]),
    ],
  });
}

/** A self-signed authority that may sign leaves only (path length 0). */
export async function issueAuthority(
  x509: X509,
  options: { subject: JsonName; keys: CryptoKeyPair; lifeMs: number; now: Date },
): Promise<X509Certificate> {
  const { subject, keys, lifeMs, now } = options;
  const { keyCertSign, cRLSign } = x509.KeyUsageFlags;
  return await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: randomSerial(),
    name: subject,
    notBefore: new Date(now.getTime() - BACKDATE_MS),
    notAfter: new Date(now.getTime() + lifeMs),
    keys,
    signingAlgorithm: P256,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(keyCertSign | cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
}

/**
 * The key of a new authority, certified by the one before. It has the same name as its issuer, so it is self-issued and
 * does not count towards the issuer's path length of 0 (RFC 5280, sections 3.2 and 6.1.4).
 */
export async function issueCross(
  issuer: Authority,
  next: X509Certificate,
  now: Date,
): Promise<X509Certificate> {
  const { x509, certificate, privateKey } = issuer;
  const { keyCertSign, cRLSign } = x509.KeyUsageFlags;
  return await x509.X509CertificateGenerator.create({
    serialNumber: randomSerial(),
    subject: next.subjectName,
    issuer: certificate.subjectName,
    notBefore: new Date(now.getTime() - BACKDATE_MS),
    notAfter: new Date(Math.min(next.notAfter.getTime(), certificate.notAfter.getTime())),
    publicKey: next.publicKey,
    signingKey: privateKey,
    signingAlgorithm: P256,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(keyCertSign | cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(next.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(certificate.publicKey),
    ],
  });
}

/** PEM with a line end, so that certificates can be put one after another. */
export function certificatePem(certificate: X509Certificate): string {
  return `${certificate.toString('pem')}\n`;
}

function randomSerial(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString('hex');
}
