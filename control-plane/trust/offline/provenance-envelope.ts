// Signed envelopes around statements, with keys of people or of the control plane. Source: DSSE v1.0.0.

import { sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import {
  decodeBase64,
  dsseEnvelopeSchema,
  IN_TOTO_PAYLOAD_TYPE,
  payloadJson,
  preAuthenticationEncoding,
} from '#protocol/dsse.ts';
import type { DsseEnvelope } from '#protocol/dsse.ts';
import { HoldfastError } from '#protocol/errors.ts';
import type { TrustKey } from '#protocol/trust.ts';
import { RoleKey } from '../keys/role-key.ts';
import { bundleKeyOf } from './model-signature-key.ts';

/** Errors: `key-invalid` for a key that is neither Ed25519 nor ECDSA P-256. */
export function signEnvelope(payload: Uint8Array, privateKey: KeyObject, keyid?: string): DsseEnvelope {
  const key = new RoleKey(privateKey);
  const hash = key.trustKey.scheme === 'ed25519' ? null : 'sha256';
  const sig = sign(hash, preAuthenticationEncoding(IN_TOTO_PAYLOAD_TYPE, payload), privateKey);
  return {
    payload: Buffer.from(payload).toString('base64'),
    payloadType: IN_TOTO_PAYLOAD_TYPE,
    signatures: [{ sig: sig.toString('base64'), keyid: keyid ?? key.keyId }],
  };
}

/** The key that signed, and what: JSON that nobody has checked. Errors: `signature-invalid`. */
export function verifyEnvelope(
  envelope: unknown,
  keys: readonly TrustKey[],
): { readonly key: TrustKey; readonly statement: unknown } {
  const parsed = dsseEnvelopeSchema.safeParse(envelope);
  if (!parsed.success) throw invalid('is no signed envelope', parsed.error);
  const { payloadType, payload: text, signatures } = parsed.data;
  if (payloadType !== IN_TOTO_PAYLOAD_TYPE) throw invalid(`holds a payload of type ${payloadType}`);
  const [signature, another] = signatures;
  if (signature === undefined || another !== undefined) {
    throw invalid(`has ${signatures.length} signatures in place of one`);
  }
  const key = keys.find(({ keyId }) => keyId === signature.keyid);
  if (key === undefined) throw invalid(`is signed with ${signature.keyid}, a key that may not sign it`);
  const payload = decodeBase64(text);
  const encoded = preAuthenticationEncoding(payloadType, payload);
  if (!bundleKeyOf(key).verify(encoded, decodeBase64(signature.sig))) {
    throw invalid('does not fit its signature: it was changed, or signed with another key');
  }
  try {
    return { key, statement: payloadJson(payload) };
  } catch (cause) {
    throw invalid('holds no JSON', cause);
  }
}

function invalid(what: string, cause?: unknown): HoldfastError {
  return new HoldfastError('signature-invalid', `the provenance ${what}`, {
    hint: '`holdfast model sign` with the key of an author signs it again',
    cause,
  });
}
