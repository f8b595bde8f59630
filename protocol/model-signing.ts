// OpenSSF Model Signing v1.0 with keys: a Sigstore bundle around a statement that lists the digests of all files of a
// model. Pure: who calls brings sha256 and the keys. Invariant: no field of a statement is read before its signature
// was verified. Source: OpenSSF Model Signing v1.0; Sigstore bundle v0.3; in-toto Statement v1.

import { z } from 'zod';
import { decodeBase64, dsseEnvelopeSchema, IN_TOTO_PAYLOAD_TYPE, preAuthenticationEncoding } from './dsse.ts';
import type { ModelContract } from './model-contract.ts';
import {
  readStatement,
  signatureInvalid,
  type FileDigests,
  type Sha256,
  type SignedFiles,
} from './signed-files.ts';

export const BUNDLE_MEDIA_TYPE = 'application/vnd.dev.sigstore.bundle.v0.3+json';

/** Files of a version as its authors sign them: names in the bundle. */
export const VERSION_FILES = {
  contract: 'contract.json',
  weights: 'weights.onnx',
  golden: 'golden.safetensors',
} as const;

/** What authors sign of a version. */
export interface SignedVersion {
  readonly contract: ModelContract;
  /** sha256 of the contract's canonical JSON. */
  readonly contractSha256: string;
}

/** Digests by the names that authors sign them under. */
export function versionFiles({ contract, contractSha256 }: SignedVersion): FileDigests {
  return new Map([
    [VERSION_FILES.contract, contractSha256],
    [VERSION_FILES.golden, contract.golden.sha256],
    [VERSION_FILES.weights, contract.weights.sha256],
  ]);
}

/** A bundle signed with a key; what others write beside these fields is left out. */
export const modelSignatureSchema = z.object({
  mediaType: z.literal(BUNDLE_MEDIA_TYPE),
  verificationMaterial: z.object({
    publicKey: z.object({ hint: z.string().max(200).optional() }),
    tlogEntries: z.array(z.json()).max(100).optional(),
  }),
  dsseEnvelope: dsseEnvelopeSchema,
});
export type ModelSignature = z.infer<typeof modelSignatureSchema>;

/** A key that may have signed. */
export interface BundleKey {
  /** sha256 of the public key as SPKI PEM: how a bundle names the key. */
  readonly hint: string;
  readonly verify: (bytes: Uint8Array, signature: Uint8Array) => boolean;
}

/** What a bundle says, when one of `keys` signed it. Errors: `signature-invalid`, saying what is wrong with it. */
export function verifyModelSignature(
  bundle: unknown,
  keys: readonly BundleKey[],
  sha256: Sha256,
): SignedFiles {
  const { verificationMaterial, dsseEnvelope } = readBundle(bundle);
  const { payloadType, signatures } = dsseEnvelope;
  if (payloadType !== IN_TOTO_PAYLOAD_TYPE) throw signatureInvalid(`holds a payload of type ${payloadType}`);
  const [signature, another] = signatures;
  if (signature === undefined) throw signatureInvalid('has no signature in it');
  if (another !== undefined) throw signatureInvalid('has several signatures in it, where the format has one');
  const { hint = '' } = verificationMaterial.publicKey;
  const named = keys.filter((key) => hint === '' || key.hint === hint);
  if (named.length === 0) throw signatureInvalid(`was made with another key (${hint})`);
  const payload = decodeBase64(dsseEnvelope.payload);
  const encoded = preAuthenticationEncoding(payloadType, payload);
  const bytes = decodeBase64(signature.sig);
  if (!named.some((key) => key.verify(encoded, bytes))) {
    throw signatureInvalid('does not fit the key: it was made with another, or what it signs was changed');
  }
  return readStatement(payload, sha256);
}

function readBundle(bundle: unknown): ModelSignature {
  const mediaType = z.looseObject({ mediaType: z.string() }).safeParse(bundle).data?.mediaType;
  if (mediaType !== undefined && mediaType !== BUNDLE_MEDIA_TYPE) {
    throw signatureInvalid(`is a bundle of another kind (${mediaType})`);
  }
  const material = z.looseObject({ verificationMaterial: z.looseObject({}) }).safeParse(bundle).data;
  const kinds = Object.keys(material?.verificationMaterial ?? {});
  if (kinds.includes('certificate') || kinds.includes('x509CertificateChain')) {
    throw signatureInvalid('is made with a certificate, and only keys are known here');
  }
  const parsed = modelSignatureSchema.safeParse(bundle);
  if (parsed.success) return parsed.data;
  throw signatureInvalid(
    `is no Sigstore bundle with a signed statement: ${z.prettifyError(parsed.error).slice(0, 500)}`,
    parsed.error,
  );
}
