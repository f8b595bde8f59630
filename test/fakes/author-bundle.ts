// An OpenSSF Model Signing bundle as an author's own tool would write it, and as a forger would.

import { createHash, createPublicKey } from 'node:crypto';
import type { RoleKey } from '#control-plane/trust/keys/role-key.ts';

const PAYLOAD_TYPE = 'application/vnd.in-toto+json';

export interface BundleChange {
  /** Laid over the in-toto statement before it is signed. */
  readonly statement?: Readonly<Record<string, unknown>>;
  /** What the signature says the payload is. */
  readonly signedType?: string;
}

/** `files` are sha256 digests by name, in the order of their names; undefined leaves one out. */
export function authorBundle(
  author: RoleKey,
  files: Readonly<Record<string, string | undefined>>,
  { statement = {}, signedType = PAYLOAD_TYPE }: BundleChange = {},
): Buffer {
  const resources = Object.entries(files).flatMap(([name, digest]) =>
    digest === undefined ? [] : [{ name, algorithm: 'sha256', digest }],
  );
  const root = createHash('sha256');
  for (const { digest } of resources) root.update(digest, 'hex');
  const payload = Buffer.from(
    JSON.stringify({
      _type: 'https://in-toto.io/Statement/v1',
      subject: [{ name: 'digits', digest: { sha256: root.digest('hex') } }],
      predicateType: 'https://model_signing/signature/v1.0',
      predicate: {
        serialization: { method: 'files', hash_type: 'sha256', allow_symlinks: false },
        resources,
      },
      ...statement,
    }),
  );
  const encoded = Buffer.concat([
    Buffer.from(`DSSEv1 ${signedType.length} ${signedType} ${payload.length} `),
    payload,
  ]);
  const sig = Buffer.from(author.sign(encoded).sig, 'hex').toString('base64');
  return Buffer.from(
    JSON.stringify({
      mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
      verificationMaterial: { publicKey: { hint: hintOf(author) } },
      dsseEnvelope: {
        payload: payload.toString('base64'),
        payloadType: PAYLOAD_TYPE,
        signatures: [{ sig, keyid: '' }],
      },
    }),
  );
}

function hintOf({ privateKey }: RoleKey): string {
  const pem = createPublicKey(privateKey).export({ type: 'spki', format: 'pem' });
  return createHash('sha256').update(pem).digest('hex');
}
