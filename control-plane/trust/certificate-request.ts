// Reads a device's certificate request (PKCS#10). Of it only the public key is used: the subject and the
// extensions it asks for are ignored. Invariant: the sender holds the private key (self-signature).

import type { PublicKey } from '@peculiar/x509';
import { HoldfastError } from '#protocol/errors.ts';
import type { X509 } from './x509.ts';

const CSR_LIMIT_BYTES = 10_000;
const HASHES: ReadonlySet<string> = new Set(['SHA-256', 'SHA-384', 'SHA-512']);

/** The public key that the request proves to hold. Errors: `csr-invalid`. */
export async function readCertificateRequest(x509: X509, csrPem: string): Promise<PublicKey> {
  if (csrPem.length > CSR_LIMIT_BYTES) throw invalid(`is longer than ${CSR_LIMIT_BYTES} bytes`);
  let request: InstanceType<X509['Pkcs10CertificateRequest']>;
  let isSelfSigned: boolean;
  try {
    request = new x509.Pkcs10CertificateRequest(csrPem);
    if (!isAllowedKey(request.publicKey.algorithm))
      throw invalid('has a key that is neither P-256 nor Ed25519');
    isSelfSigned = await request.verify();
  } catch (cause) {
    throw cause instanceof HoldfastError ? cause : invalid('cannot be read', cause);
  }
  const { name, hash } = request.signatureAlgorithm;
  if (name === 'ECDSA' && !HASHES.has(hash.name)) throw invalid(`is signed with ${hash.name}`);
  if (!isSelfSigned) throw invalid('is not signed with the key it names');
  return request.publicKey;
}

function isAllowedKey(algorithm: Algorithm & { namedCurve?: string }): boolean {
  return algorithm.name === 'Ed25519' || (algorithm.name === 'ECDSA' && algorithm.namedCurve === 'P-256');
}

function invalid(what: string, cause?: unknown): HoldfastError {
  return new HoldfastError('csr-invalid', `the certificate request ${what}`, {
    hint: 'Send a PEM PKCS#10 request, signed with the P-256 or Ed25519 key that it is for.',
    cause,
  });
}
