// Who signed a document, and whether that is enough. Pure. Invariant: a key counts once (TUF section 5.3.4).

import { createHash } from 'node:crypto';
import type { TrustSignature } from '#protocol/trust.ts';
import type { Authority, FileMeta, SignedDocument, SignedFile } from './documents.ts';
import { isSignedBy } from './keys/role-key.ts';
import { signedBytes, type JsonObject } from './keys/signed-bytes.ts';

/** The document as its bytes hold it. */
export function signedFile<S extends SignedDocument>(
  signed: S,
  signatures: readonly TrustSignature[],
): SignedFile<S> {
  return { signed, signatures, bytes: Buffer.from(JSON.stringify({ signatures, signed })) };
}

export function bytesToSign(signed: SignedDocument): Buffer {
  return signedBytes(signed as JsonObject);
}

/** Signatures that are right, of keys that the authorities list. */
export function rightSignatures(
  authorities: readonly (Authority | null)[],
  bytes: Buffer,
  signatures: readonly TrustSignature[],
): TrustSignature[] {
  const keys = new Map(authorities.flatMap((of) => of?.keys ?? []).map((key) => [key.keyId, key]));
  return signatures.filter(({ keyid, sig }) => {
    const key = keys.get(keyid);
    return key !== undefined && isSignedBy(key, bytes, sig);
  });
}

/** Key ids of the authority that signed; the signatures are known to be right. */
export function signersAmong(authority: Authority, signatures: readonly TrustSignature[]): string[] {
  const signed = new Set(signatures.map(({ keyid }) => keyid));
  return [...new Set(authority.keys.map(({ keyId }) => keyId))].filter((keyId) => signed.has(keyId));
}

export function isEnough(authority: Authority | null, signatures: readonly TrustSignature[]): boolean {
  return authority !== null && signersAmong(authority, signatures).length >= authority.threshold;
}

/** How metadata above it names a file. */
export function fileMeta({ signed, bytes }: SignedFile): FileMeta {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { version: signed.version, length: bytes.length, hashes: { sha256 } };
}
